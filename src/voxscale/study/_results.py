"""What a study found: a table of cells, and the arrays behind each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from voxscale.arrays import Array
from voxscale.evaluate import choose_best
from voxscale.study._along import ScoresAlong, scores_along
from voxscale.study._beside import layer_scores, partition_of
from voxscale.study._cells import Cell
from voxscale.study._dense import dense_array
from voxscale.study._done_cells import DoneCells
from voxscale.study._saved import save_results, saved_scores
from voxscale.study._score_table import score_table
from voxscale.study._tables import block_table, cell_table, side_by_side, story_table

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import xarray as xr

    from voxscale.evaluate import BestModels, StoryScores, VariancePartition

__all__ = ["Results"]


@dataclass(frozen=True, eq=False)
class Results(DoneCells):
    """The cells of a study that are done; made by :func:`results`.

    Every array of a cell is float32 and NaN where a voxel has no answer:

    ==================  =======================  ==============================================
    name                shape                    what
    ==================  =======================  ==============================================
    r                   (n_voxels,)              correlation over all test rows
    r_by_story          (n_test, n_voxels)       the same, each test story alone
    r2                  (n_voxels,)              share of variance explained, all test rows
    cv_score            (n_voxels,)              mean over splits at the alpha chosen
    best_alpha          (n_voxels,)              the alpha chosen
    cc_max              (n_voxels,)              ceiling of the repeated test runs
    cc_abs              (n_voxels,)              correlation in those runs, about their means
    cc_norm             (n_voxels,)              the same over the ceiling
    spe                 (n_voxels,)              share of their signal power explained
    p_value             (n_voxels,)              of r by permutation; reference cells only
    p_family            (n_voxels,)              the same for all voxels together
    prediction_RUN      (n_trs, n_voxels)        repeated test runs; reference cells only
    ==================  =======================  ==============================================

    ``cc_abs``, ``cc_max``, ``cc_norm`` and ``spe`` exist where test runs were repeated, and are
    about all of these together; the fit where the sweeps meet has limits of 95 % of two of them,
    ``cc_norm_low``, ``spe_high`` and so on. ``p_value`` exists where permutations were asked for;
    ``n_permutations`` in the metadata is how many there were, fewer than asked for where no more
    exist. With validation stories there is ``r_validation``. Reference cells are those of the
    layer sweep. What is computed once for a subject is read by :meth:`ceiling`,
    :meth:`partition`, :meth:`baselines`, :meth:`product`, :meth:`stacking` and
    :meth:`comparison`; once for all subjects, :attr:`between_subjects`.

    The response of a repeated run is the mean of its repeats, each trimmed and z-scored.
    ``cc_abs``, ``cc_max``, ``cc_norm`` and ``spe`` are about that mean. For ``r``,
    ``r_by_story``, ``r2`` and ``p_value`` it is z-scored once more, so that every test story counts
    the same however often it was heard. That changes no correlation within a story, but it does
    change ``r2``, which therefore is not comparable with ``spe``.

    Parameters
    ----------
    study : Study
    cells : tuple of Cell
        Fits that are done, by subject, in the order of the plan.
    beside : tuple of Cell
        What is done once for a subject: "ceiling", "baselines", "product", "stacking",
        "comparison"; or for all: "between".
    missing : tuple of Cell
        Those not done, failed ones included.
    failed : tuple of (Cell, dict)
        What :meth:`voxscale.store.Store.failure` has of each.
    """

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each cell done, in the order of ``cells``.

        ``mean_*`` are means over the voxels with a score. ``hours`` counts the training TRs
        that were used. ``in_layer_sweep`` and its like tell which sweeps a cell is part of.
        """
        return cell_table(self)

    @cached_property
    def story_table(self) -> pd.DataFrame:
        """One row for each cell done and test story: subject … draw, story, mean_r, key.

        ``mean_r`` is the mean of that story's correlations over voxels with a score.
        """
        return story_table(self)

    @cached_property
    def block_table(self) -> pd.DataFrame:
        """One row for each cell done and block of a test story, for bootstraps and laws.

        Columns as in :attr:`story_table`, and ``block``, a number, and ``n_trs``, its TRs. The
        mean of ``mean_r`` over the blocks of a cell, weighted by ``n_trs``, is the cell's mean
        correlation over all test TRs (:func:`voxscale.scaling.block_scores`).
        """
        return block_table(self)

    def along(
        self,
        axis: Literal["hours", "context", "n_params"],
        subject: str | None = None,
        *,
        unit: Literal["story", "block"] = "story",
        voxels: bool = False,
        n_params: Mapping[str, float] | None = None,
    ) -> ScoresAlong:
        """Collect test scores along one axis, as laws, their maps and bootstraps take them.

        ``fit_scaling_law(one.x, one.scores, levels=one.levels, unit_weights=one.unit_weights)``,
        and :func:`voxscale.scaling.law_map`, :func:`~voxscale.scaling.slope_map` of voxels;
        ``fit_pooled_law(one.x, one.columns, levels=one.levels)``.

        Parameters
        ----------
        axis : {"hours", "context", "n_params"}
            Hours of training data, words of context, or parameters of models. Models are taken
            at each subject's layer with the best validation score (cross-validated, without
            validation stories). Draws of training stories are averaged.
        subject : str, optional
            One alone, at all sizes of its own. Default: all subjects, at the sizes that they
            share: an amount of training data is one size where their hours lie within a factor
            of 1.1 of their geometric mean. With ``voxels``, the only one.
        unit : {"story", "block"}
            What is a column of the scores, for each subject: a test story, or a block of TRs of
            it. The mean over blocks, weighted by ``unit_weights``, is the correlation over all
            test TRs; of stories, the mean of their correlations.
        voxels : bool
            Scores of each voxel instead of means over them: of one subject, since voxels of
            different subjects are different ones, and by story.
        n_params : mapping of model to number, optional
            Of models that :func:`voxscale.features.model_facts` does not know, or instead.

        Returns
        -------
        ScoresAlong

        Raises
        ------
        ConfigError
            If fewer than two sizes are done that the subjects share.
        ValueError
            If an axis, a unit or a subject is unknown; or with ``voxels``, if there are several
            subjects and none is named, or units are blocks.

        Warns
        -----
        VoxscaleWarning
            Once, naming sizes and counting units that are left out.
        """
        return scores_along(self, axis, subject, unit=unit, voxels=voxels, n_params=n_params)

    def to_xarray(self, subject: str | None = None) -> xr.Dataset:
        """Put the scores of a subject's cells side by side.

        Parameters
        ----------
        subject : str, optional
            Default: the only one.

        Returns
        -------
        xarray.Dataset
            Variables of dimensions (cell, voxel); the columns of the table along ``cell``.

        Raises
        ------
        ValueError
            If there are several subjects and none is named, or none of that name.
        """
        return side_by_side(self, subject)

    def to_array(
        self, name: str = "r", subject: str | None = None, cells: Sequence[Cell] | None = None
    ) -> xr.DataArray:
        """Unstack one array of the cells: an axis for each thing that was varied.

        A study is a star, not a grid: most of the array is NaN. Where it would be large, give the
        cells of a sweep alone.

        Parameters
        ----------
        name : str
            An array of shape (n_voxels,); see the table above.
        subject : str, optional
            Default: all, who need the same number of voxels.
        cells : sequence of Cell, optional
            Such as ``results.sweep("layer", subject)``. Default: all of the subject.

        Returns
        -------
        xarray.DataArray
            Dimensions subject, model, layer, context, hours, draw, bands where cells differ in
            them, and voxel; float32, NaN where there is no cell. ``hours`` are those that were
            asked for, or else the geometric mean over subjects and draws of what was trained
            on; ``amount`` says along them what was asked for ("2.5 h", "3" stories, "all").
            ``actual_hours`` and ``n_stories`` are of (subject, hours, draw). A cell that comes to
            two amounts, such as 4 h and all that its subject heard, stands at both.

        Raises
        ------
        StoreError
            If no cell has such an array.
        ValueError
            If subjects have different numbers of voxels and none is named, or there is none of
            that name; or if cells are not its own.
        """
        return dense_array(self, name, subject, cells)

    def save(self) -> tuple[Path, Path]:
        """Write all scores, and the arrays behind them, as files that need no voxscale.

        ``scores.parquet`` has a row for each score and reducer, as :attr:`scores`, and where its
        cell's numbers come from. ``arrays.zarr`` has a group for each subject, of dimensions
        (cell, voxel), with the columns of :attr:`table` along ``cell``. A run writes both when it
        has computed something.

        Returns
        -------
        paths : tuple of Path
            Of the table and of the arrays, in the study's folder.

        Raises
        ------
        StoreError
            If a result is damaged, or the files cannot be written.
        """
        return save_results(self)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row for each score and reducer: the numbers to report, and how they were made.

        Columns: those that name the cell; ``hours`` of the TRs that trained, after trimming, NaN
        where none did (``asked_hours`` is what was asked for, if hours were); ``what`` was scored
        ("fit", "stacked", "unique to language"…) ``on`` which stories, by which ``metric``, in
        which ``unit``; ``stories`` ("concatenated", or "by_story": each alone, then their mean);
        the ``value``, its ``reducer`` over voxels, and how many voxels it rests on. Reducers are
        those of ``[evaluate]``; see :data:`voxscale.evaluate.REDUCERS`. Read from
        ``scores.parquet`` where that is about just these cells, made of the arrays of all cells
        otherwise.
        """
        held = saved_scores(self)
        return score_table(self) if held is None else held

    def layer_scores(self, subject: str, on: Literal["validation", "test"]) -> StoryScores:
        """Return the scores of the layer sweep, with the names of their stories.

        Parameters
        ----------
        subject : str
        on : {"validation", "test"}
            Correlations on validation stories; without any, cross-validated scores on the
            training stories. Or correlations on the test stories.

        Returns
        -------
        StoryScores
            Models are called "layer 9" and so on.

        Raises
        ------
        StoreError
            If no layer is done.
        """
        return layer_scores(self, subject, on)

    def best_layer(self, subject: str) -> BestModels:
        """Choose each voxel's layer by the scores that know no test story.

        ``best.map(layers)`` is its map, ``best.scores(results.layer_scores(subject, "test"))``
        the test score at the layer chosen; scores that took part in the choice are refused.
        """
        return choose_best(self.layer_scores(subject, "validation"))

    def ceiling(self, subject: str) -> dict[str, Array] | None:
        """Read a subject's noise ceilings with their limits, (n_voxels,) each; None without.

        ``cc_max``, ``signal_power``, ``noise_power``, ``explainable_variance``; ``split_half`` and
        ``leave_one_out`` of the runs with most repeats (other ways to a ceiling);
        ``cc_max_with_20`` for 20 of ``ceiling_repeats``, and so on; ``cc_max_low``
        and ``cc_max_high`` are limits of 95 %, and so on. Repeats are z-scored, whose total power
        is 1: limits of powers are then wider than they need be, those of ``cc_max`` are not.
        """
        return self._beside_arrays("ceiling", subject)

    def baselines(self, subject: str) -> dict[str, Array] | None:
        """Read what baselines explain, (n_voxels,) each; None where it is not done.

        ``r2_language+position`` and so on are the scores of fits to unions of spaces;
        :meth:`partition` makes parts of them. ``r_unique`` is the partial correlation of the
        language model beyond all baselines, ``p_unique`` its p-value, 0 and 1 where validation
        leaves the language model out;
        ``autocorrelation_cv_score`` the validation score of smooth noise.
        """
        return self._beside_arrays("baselines", subject)

    def partition(self, subject: str) -> VariancePartition | None:
        """Split what the language model and the baselines explain; None where it is not done."""
        held = self.baselines(subject)
        cell = self.beside_cell("baselines", subject)
        if held is None or cell is None:
            return None
        return partition_of(held, self.meta(cell)["spaces"])

    def stacking(self, subject: str) -> dict[str, Array] | None:
        """Read the mix of a subject's layers and baselines; None where it is not done.

        ``weights`` of shape (n_models, n_voxels) in the order of ``models`` in the metadata;
        ``center_of_mass`` of the language model's layers and ``best_layer`` of them;
        ``r_stacked``, ``r2_stacked`` and ``r_single`` of the best layer, (n_voxels,) each;
        ``gain_norm``, what the mix gains in the repeated test stories over the ceiling;
        ``p_gain``, whether mix and best layer differ (:func:`voxscale.evaluate.compare_models`);
        and with validation stories ``is_stacked``, where the mix validated better by more than
        0.05, and ``r_masked``, the mix there and the best layer elsewhere.

        With a table [speech] the layers of the speech model are among ``models`` ("speech 2"),
        and what stands beside the mix is the best layer of either model: ``best_model`` is its
        position in ``models``, NaN without one. ``speech_weight``, the sum of the weights of the
        speech layers; ``r_speech`` of shape (n_speech_layers, n_voxels), the test correlation of
        each of them alone; ``r_best_language`` and ``r_best_speech``, those of the best layer of
        either model, chosen as the best of both is.
        """
        return self._beside_arrays("stacking", subject)

    def product(self, subject: str) -> dict[str, Array] | None:
        """Read the product measure, (n_voxels,) each; None where it is not done.

        ``language``, ``word_rate`` and so on: parts of the test R² of one banded ridge regression,
        which add up to it (:func:`voxscale.evaluate.product_measure`).
        """
        return self._beside_arrays("product", subject)

    def comparison(self, subject: str) -> dict[str, Array] | None:
        """Read two layers set against each other, (n_voxels,) each; None where it is not done.

        ``r_first`` and ``r_second`` of ``compare_layers``, ``difference`` (first less second),
        ``p_difference`` (:func:`voxscale.evaluate.compare_models`), and ``difference_norm``, the
        difference in the repeated test stories over the ceiling.
        """
        return self._beside_arrays("comparison", subject)

    @property
    def between_subjects(self) -> dict[str, Array] | None:
        """What subjects share in the test stories; None where it is not done.

        ``each`` of shape (n_subjects, n_voxels), in the order of ``subjects`` in the metadata:
        the correlation of a subject with the mean of the others. ``correlation``, their mean, and
        ``correlation_of_all``, extrapolated to any number of subjects; with limits of 95 %,
        ``correlation_low`` and so on.
        """
        found = [cell for cell in self.beside if cell.kind == "between"]
        return self.arrays(found[0]) if found else None

    def _beside_arrays(self, kind: str, subject: str) -> dict[str, Array] | None:
        cell = self.beside_cell(kind, subject)
        return None if cell is None else self.arrays(cell)
