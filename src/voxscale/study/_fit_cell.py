"""One cell: fit on its training stories, predict the test stories, score."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array, TRSeries
from voxscale.design import DesignRecipe
from voxscale.errors import VoxscaleWarning
from voxscale.evaluate import NoiseCeiling, correlation, noise_ceiling, permutation_test, r2
from voxscale.features import word_rate
from voxscale.fit import RidgeCV, chunk_holdout, contiguous_folds, leave_run_out
from voxscale.study._cells import REDUCERS
from voxscale.study._config import ChunkCV
from voxscale.study._features import read_features

if TYPE_CHECKING:
    from voxscale.data import Dataset
    from voxscale.store import LayerStore
    from voxscale.study._cells import Cell
    from voxscale.study._config import Study
    from voxscale.study._inputs import Inputs

__all__ = ["SubjectData", "fit_cell", "mean_over_voxels", "splits_of"]

# In TRs: every shift but none at all, which is calibrated for runs of any length.
_MIN_SHIFT = 1


@dataclass(frozen=True)
class SubjectData:
    """One subject's data, and what all of the subject's cells share.

    Parameters
    ----------
    dataset : Dataset
    recipe : DesignRecipe
    """

    dataset: Dataset
    recipe: DesignRecipe

    @property
    def ceiling_run(self) -> str | None:
        """The test run with the most repeats, by which ceilings are judged; None without."""
        repeats = {run: len(self.dataset.trials[run]) for run in self.repeated_runs}
        return max(repeats, key=lambda run: repeats[run]) if repeats else None

    @property
    def repeated_runs(self) -> list[str]:
        """Test runs with repeats, in the order of the test runs."""
        repeated = set(self.dataset.trials)
        return [run for run in self.dataset.test if run in repeated]

    @cached_property
    def ceiling(self) -> NoiseCeiling | None:
        """Noise ceiling from the repeats, each trimmed and z-scored as responses are."""
        run = self.ceiling_run
        return None if run is None else noise_ceiling(self._trials(run))

    @cached_property
    def responses(self) -> dict[str, TRSeries]:
        """Responses of every run; of a repeated one, the mean that its ceiling is about.

        Joined, that mean is z-scored like any other response, so that every test story counts
        the same however often it was heard.
        """
        responses = dict(self.dataset.responses)
        for run in self.repeated_runs:
            whole = responses[run]
            mean = np.asarray(self._trials(run).mean(axis=0, dtype=np.float64))
            first_tr = self.recipe.kept_trs(whole).start
            responses[run] = TRSeries(mean, run, first_tr, whole.tr_times)
        return responses

    def _trials(self, run: str) -> Array:
        """Return the repeats of a run, each as responses are: (n_repeats, n_trs, n_voxels)."""
        tr_times = self.dataset.responses[run].tr_times
        rate = word_rate({run: self.dataset.words[run]})
        trials = []
        for repeat in self.dataset.trials[run]:
            if repeat.tr_times is None:
                repeat = replace(repeat, tr_times=tr_times)
            trials.append(self.recipe.join(rate, {run: repeat}, [run])[1])
        return np.stack(trials)

    def test_rows(self) -> dict[str, slice]:
        """Return which rows of the joined test data belong to which run."""
        lengths = self.recipe.run_lengths(self.dataset.responses, self.dataset.test)
        ends = np.cumsum([0, *lengths])
        return {
            run: slice(int(ends[i]), int(ends[i + 1])) for i, run in enumerate(self.dataset.test)
        }


def fit_cell(
    inputs: Inputs, cell: Cell, store: LayerStore, shared: SubjectData, device: str | None = None
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Compute the arrays of a cell and the numbers of its table row.

    Returns
    -------
    arrays : dict of str to array, float32
        See :class:`voxscale.study.Results`.
    meta : dict

    Warns
    -----
    VoxscaleWarning
        If voxels that could be fitted have no score; says how many.
    """
    study, dataset = inputs.study, shared.dataset
    X, Y = _join(inputs, cell, store, shared, cell.stories)
    lengths = shared.recipe.run_lengths(dataset.responses, cell.stories)
    model = RidgeCV(
        study.fit.penalties,
        splits_of(study, lengths),
        scoring=study.fit.scoring,
        device=device,
        memory_gib=study.fit.memory_gib,
    ).fit(X, Y)
    n_train_trs, n_features = X.shape
    del X, Y
    X, Y = _join(inputs, cell, store, shared, dataset.test)
    predictions = model.predict(X)
    arrays = {
        **_test_scores(shared, Y, predictions),
        "cv_score": _chosen_cv_scores(study.fit.penalties, model),
        "best_alpha": np.asarray(model.best_alphas_, dtype=np.float64),
        **_against_ceiling(shared, predictions),
    }
    n_lost = int((np.isnan(arrays["r"]) & np.isfinite(arrays["best_alpha"])).sum())
    if n_lost:
        msg = (
            f"{n_lost} of {Y.shape[1]} voxels were fitted but have no score, which is NaN: their "
            "test responses hold NaN, or these or the predictions are constant; check the test "
            "runs, or leave these voxels out."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=2)
    means = _means(arrays)
    kept, n_permutations = (
        _reference_arrays(study, shared, Y, predictions) if cell.reference else ({}, 0)
    )
    meta = {
        "n_train_trs": n_train_trs,
        "n_test_trs": len(X),
        "n_features": n_features,
        "n_voxels": Y.shape[1],
        "n_scored": int(np.isfinite(arrays["r"]).sum()),
        "hours": n_train_trs * dataset.tr_s / 3600,
        "tr_s": dataset.tr_s,
        "test": list(dataset.test),
        "mean_r_by_story": [mean_over_voxels(row) for row in arrays["r_by_story"]],
        "first_tr": {run: _first_tr(shared, run) for run in dataset.test},
        "ceiling_run": shared.ceiling_run,
        "n_repeats": 0 if shared.ceiling is None else shared.ceiling.n_repeats,
        "n_permutations": n_permutations,
        "space": dataset.space,
        **means,
    }
    arrays |= kept
    return {name: np.asarray(one, dtype=np.float32) for name, one in arrays.items()}, meta


def splits_of(study: Study, run_lengths: Sequence[int]) -> list[tuple[Array, Array]]:
    """Choose which rows train and which validate.

    One training story alone cannot be left out: then five contiguous folds are, with a gap
    of the longest delay on both sides.

    Parameters
    ----------
    study : Study
    run_lengths : sequence of int, in TRs

    Returns
    -------
    list of (train_rows, validation_rows)
    """
    n_trs = sum(run_lengths)
    cv = study.fit.cv
    if isinstance(cv, ChunkCV):
        return chunk_holdout(
            n_trs,
            chunk_len=cv.chunk_len,
            n_chunks=cv.n_chunks,
            n_repeats=cv.n_repeats,
            seed=study.seed,
            run_lengths=run_lengths,
            gap=cv.gap,
        )
    if len(run_lengths) > 1:
        return leave_run_out(run_lengths)
    gap = max(map(abs, study.design.delays))
    return [
        (train[(train < held[0] - gap) | (train > held[-1] + gap)], held)
        for train, held in contiguous_folds(n_trs)
    ]


def mean_over_voxels(scores: Array) -> float:
    """Average over the voxels that have a score, in float64; NaN where none has."""
    scored = scores[np.isfinite(scores)]
    return float(scored.mean(dtype=np.float64)) if scored.size else float("nan")


def _join(
    inputs: Inputs, cell: Cell, store: LayerStore, shared: SubjectData, runs: Sequence[str]
) -> tuple[Array, Array]:
    spaces: list[Any] = [read_features(inputs, store, cell, runs)]
    if inputs.study.design.word_rate:
        spaces.append(word_rate({run: shared.dataset.words[run] for run in runs}))
    return shared.recipe.join(spaces, shared.responses, runs)


def _test_scores(shared: SubjectData, Y: Array, predictions: Array) -> dict[str, Array]:
    """Score against responses of unit variance in every story, means of repeats included."""
    by_story = [correlation(Y[rows], predictions[rows]) for rows in shared.test_rows().values()]
    return {
        "r": correlation(Y, predictions),
        "r_by_story": np.stack(by_story),
        "r2": r2(Y, predictions),
    }


def _chosen_cv_scores(alphas: Sequence[float], model: RidgeCV) -> Array:
    """Average over splits the scores of each voxel at the alpha chosen for it."""
    chosen = np.asarray(model.best_alphas_)
    index = (np.asarray(alphas)[:, np.newaxis] == chosen).argmax(axis=0)
    at_chosen = np.asarray(model.cv_scores_)[index, np.arange(len(chosen))]
    known = np.isfinite(at_chosen)
    total = np.where(known, at_chosen, 0).sum(axis=1, dtype=np.float64)
    count = known.sum(axis=1)
    mean = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    return np.where(np.isfinite(chosen), mean, np.nan)


def _against_ceiling(shared: SubjectData, predictions: Array) -> dict[str, Array]:
    ceiling, run = shared.ceiling, shared.ceiling_run
    if ceiling is None or run is None:
        return {}
    # Against the mean of the repeats as it is, whose variance is what the ceiling is about.
    prediction = predictions[shared.test_rows()[run]]
    return {
        "cc_max": ceiling.cc_max,
        "cc_norm": ceiling.cc_norm(prediction),
        "spe": ceiling.spe(prediction),
    }


def _reference_arrays(
    study: Study, shared: SubjectData, Y: Array, predictions: Array
) -> tuple[dict[str, Array], int]:
    """Return what only some cells keep: time courses of repeated runs, and p-values.

    The number of permutations comes with them: short runs allow fewer than were asked for.
    """
    rows = shared.test_rows()
    arrays = {f"prediction_{run}": predictions[rows[run]] for run in shared.repeated_runs}
    if not study.evaluate.n_permutations:
        return arrays, 0
    test = permutation_test(
        Y,
        predictions,
        n_permutations=study.evaluate.n_permutations,
        run_lengths=[one.stop - one.start for one in rows.values()],
        min_shift=_MIN_SHIFT,
        seed=study.seed,
    )
    return {**arrays, "p_value": test.p_values}, test.n_permutations


def _means(arrays: Mapping[str, Array]) -> dict[str, float]:
    columns = {**arrays, "signed_r2": arrays["r"] * np.abs(arrays["r"])}
    names = {name: name.removeprefix("mean_") for name in REDUCERS}
    return {
        name: mean_over_voxels(columns[of]) if of in columns else float("nan")
        for name, of in names.items()
    }


def _first_tr(shared: SubjectData, run: str) -> int:
    response: TRSeries = shared.dataset.responses[run]
    return shared.recipe.kept_trs(response).start
