"""What a study found: a table of cells, and the arrays behind each row."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array, TRSeries
from voxscale.errors import StoreError
from voxscale.store import Store
from voxscale.study._cells import AXES, Cell, axes_of
from voxscale.study._inputs import Inputs
from voxscale.study._plan import Plan, cell_store, make_plan

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from voxscale.study._config import Study

__all__ = ["COLUMNS", "Results", "results"]

# Columns of the table that come from the metadata of a cell.
_FROM_META = (
    "hours", "n_train_trs", "n_test_trs", "n_voxels", "n_scored", "mean_r", "mean_signed_r2",
    "mean_r2", "mean_cv_score", "mean_cc_max", "mean_cc_norm", "mean_spe",
)  # fmt: skip
COLUMNS = (
    "subject", "model", "layer", "context", "n_stories", "draw", *_FROM_META, "reference",
    "in_layer_sweep", "in_context_sweep", "in_n_stories_sweep", "key",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Results:
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
    cc_max              (n_voxels,)              ceiling of the test run with most repeats
    cc_norm             (n_voxels,)              correlation in that run over its ceiling
    spe                 (n_voxels,)              share of its signal power explained
    p_value             (n_voxels,)              by circular shifts; reference cells only
    prediction_RUN      (n_trs, n_voxels)        repeated test runs; reference cells only
    ==================  =======================  ==============================================

    ``cc_max``, ``cc_norm`` and ``spe`` exist where a test run was repeated, ``p_value`` where
    permutations were asked for; ``n_permutations`` in the metadata is how many there were, fewer
    than asked for where no more shifts exist. Reference cells are those of the layer sweep.

    The response of a repeated run is the mean of its repeats, each trimmed and z-scored.
    ``cc_max``, ``cc_norm`` and ``spe`` are about that mean. For ``r``, ``r_by_story``, ``r2`` and
    ``p_value`` it is z-scored once more, so that every test story counts the same however often
    it was heard. That changes no correlation within a story, but it does change ``r2``, which
    therefore is not comparable with ``spe``.

    Parameters
    ----------
    study : Study
    cells : tuple of Cell
        Those done, by subject, in the order of the plan.
    missing : tuple of Cell
        Those not done, failed ones included.
    failed : tuple of (Cell, dict)
        What :meth:`voxscale.store.Store.failure` has of each.
    """

    study: Study
    cells: tuple[Cell, ...]
    missing: tuple[Cell, ...]
    failed: tuple[tuple[Cell, dict[str, Any]], ...] = field(repr=False)
    _keys: dict[Cell, str] = field(repr=False)
    _n_train: dict[str, int] = field(repr=False)

    @cached_property
    def _store(self) -> Store:
        return cell_store(self.study)

    @cached_property
    def _metas(self) -> dict[Cell, dict[str, Any]]:
        return {cell: self._store.meta(self._keys[cell]) for cell in self.cells}

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each cell done, in the order of ``cells``.

        ``mean_*`` are means over the voxels with a score. ``hours`` counts the training TRs
        that were used. ``in_layer_sweep`` and its like tell which sweeps a cell is part of.
        """
        import pandas as pd

        rows = []
        for cell in self.cells:
            meta = self._metas[cell]
            axes = self._axes(cell)
            rows.append(
                {
                    **{name: getattr(cell, name) for name in COLUMNS[:6]},
                    **{name: meta[name] for name in _FROM_META},
                    "reference": cell.reference,
                    **{f"in_{axis}_sweep": axis in axes for axis in AXES},
                    "key": self._keys[cell],
                }
            )
        return pd.DataFrame(rows, columns=list(COLUMNS))

    @property
    def subjects(self) -> tuple[str, ...]:
        """Subjects with a cell done, in the order of the study."""
        return tuple(dict.fromkeys(cell.subject for cell in self.cells))

    def select(self, **fields: Any) -> tuple[Cell, ...]:
        """Choose cells by their fields, such as ``layer=9, subject="S1", reference=True``.

        Parameters
        ----------
        **fields
            Names and values of :class:`Cell`; ``n_stories`` is one too.

        Returns
        -------
        tuple of Cell
        """
        return tuple(
            cell
            for cell in self.cells
            if all(getattr(cell, name) == value for name, value in fields.items())
        )

    def sweep(self, axis: str, subject: str | None = None) -> tuple[Cell, ...]:
        """List the cells of one sweep, along it.

        Parameters
        ----------
        axis : {"layer", "context", "n_stories"}
        subject : str, optional
            Default: all, one after the other.

        Returns
        -------
        tuple of Cell
            Ordered by subject, value on the axis, and draw.
        """
        if axis not in AXES:
            msg = f"axis {axis!r} is unknown; choose one of {', '.join(AXES)}."
            raise ValueError(msg)
        chosen = [
            cell
            for cell in self.cells
            if axis in self._axes(cell) and subject in (None, cell.subject)
        ]
        order = {name: i for i, name in enumerate(self.subjects)}
        return tuple(sorted(chosen, key=lambda c: (order[c.subject], getattr(c, axis), c.draw)))

    def reference(self, subject: str) -> Cell:
        """Return the cell where the sweeps meet: reference layer, longest context, all stories.

        Raises
        ------
        StoreError
            If it is not done.
        """
        layer = self.study.reference_layer
        found = self.select(subject=subject, layer=layer, reference=True)
        if not found:
            msg = f"subject {subject!r}: layer {layer} with all stories is not done; run the study."
            raise StoreError(msg)
        return found[0]

    def arrays(self, cell: Cell) -> dict[str, Array]:
        """Read all arrays of a cell; see the table above."""
        return self._store.get(self._key(cell))[0]

    def array(self, cell: Cell, name: str) -> Array:
        """Read one array of a cell.

        Raises
        ------
        StoreError
            If the cell has no such array.
        """
        return self._store.get(self._key(cell), [name])[0][name]

    def meta(self, cell: Cell) -> dict[str, Any]:
        """Return where a cell's numbers come from: settings, input hashes, versions, counts."""
        return self._metas[cell] if cell in self._metas else self._store.meta(self._key(cell))

    def by_story(self, cell: Cell) -> dict[str, Array]:
        """Read the correlations of each test story, (n_voxels,) each."""
        rows = self.array(cell, "r_by_story")
        return dict(zip(self.meta(cell)["test"], rows, strict=True))

    @cached_property
    def story_table(self) -> pd.DataFrame:
        """One row for each cell done and test story: subject … draw, story, mean_r, key.

        ``mean_r`` is the mean of that story's correlations over voxels with a score.
        """
        import pandas as pd

        rows = [
            {
                **{name: getattr(cell, name) for name in COLUMNS[:6]},
                "hours": self._metas[cell]["hours"],
                "story": story,
                "mean_r": mean_r,
                "key": self._keys[cell],
            }
            for cell in self.cells
            for story, mean_r in zip(
                self._metas[cell]["test"], self._metas[cell]["mean_r_by_story"], strict=True
            )
        ]
        return pd.DataFrame(rows)

    def prediction(self, cell: Cell, run: str | None = None) -> TRSeries:
        """Read the predicted responses of a repeated test run.

        Parameters
        ----------
        cell : Cell
            A reference cell.
        run : str, optional
            Default: the test run with the most repeats.

        Returns
        -------
        TRSeries of shape (n_trs, n_voxels)
            Its ``first_tr`` is where trimming left off.

        Raises
        ------
        StoreError
            If this cell keeps no predictions of that run.
        """
        if not cell.reference:
            msg = (
                f"{cell.label}: only reference cells keep predictions; ask for one of "
                "results.select(reference=True)."
            )
            raise StoreError(msg)
        meta = self.meta(cell)
        run = run or meta["ceiling_run"]
        if run is None:
            msg = f"{cell.label}: no test run was repeated, so no prediction is kept."
            raise StoreError(msg)
        return TRSeries(self.array(cell, f"prediction_{run}"), run, meta["first_tr"][run])

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
        import xarray as xr

        if subject is None and len(self.subjects) > 1:
            msg = f"there are subjects {', '.join(self.subjects)}; name one with subject=."
            raise ValueError(msg)
        if subject not in (None, *self.subjects):
            msg = f"no cell of subject {subject!r} is done; there are {', '.join(self.subjects)}."
            raise ValueError(msg)
        cells = self.select(subject=subject or self.subjects[0])
        names = ("r", "r2", "cv_score", "best_alpha", "cc_max", "cc_norm", "spe")
        held = [self.arrays(cell) for cell in cells]
        variables = {
            name: (("cell", "voxel"), np.stack([one[name] for one in held]))
            for name in names
            if all(name in one for one in held)
        }
        keys = [self._keys[cell] for cell in cells]
        rows = self.table.set_index("key").loc[keys].reset_index()
        coordinates = {column: ("cell", rows[column].to_numpy()) for column in rows}
        return xr.Dataset(variables, coordinates, attrs={"study": self.study.name})

    def _axes(self, cell: Cell) -> tuple[str, ...]:
        return axes_of(self.study, cell, self._n_train[cell.subject])

    def _key(self, cell: Cell) -> str:
        if cell not in self._keys:
            msg = f"{cell.label} is not a cell of study {self.study.name!r}; see results.cells."
            raise StoreError(msg)
        return self._keys[cell]


def results(study: Study) -> Results:
    """Collect what a study has computed so far.

    Parameters
    ----------
    study : Study

    Returns
    -------
    Results

    Raises
    ------
    StoreError
        If nothing is done yet, everything failed, or a result is damaged.
    ConfigError, DataError
        As :func:`voxscale.plan`.
    """
    inputs = Inputs(study)
    made: Plan = make_plan(inputs)
    if not made.done and made.failed:
        msg = (
            f"study {study.name!r} has no results in {study.out}: every cell that was tried "
            f"({len(made.failed)}) failed; see why with voxscale status."
        )
        raise StoreError(msg)
    if not made.done:
        msg = f"study {study.name!r} has no results in {study.out}; run it first: voxscale run."
        raise StoreError(msg)
    store = cell_store(study)
    failed = [(cell, store.failure(made.keys[cell]) or {}) for cell in made.failed]
    n_train = {subject: len(inputs.facts(subject).train) for subject in inputs.subjects}
    return Results(study, made.done, made.missing, tuple(failed), made.keys, n_train)
