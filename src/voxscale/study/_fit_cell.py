"""One fit: learn from its training stories, predict the test stories, score."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from voxscale.arrays import Array, TRSeries
from voxscale.errors import VoxscaleWarning
from voxscale.evaluate import (
    PermutationTest,
    ceiling_intervals,
    correlation,
    max_statistic,
    permutation_test,
    r2,
)
from voxscale.fit import RidgeCV
from voxscale.scaling import block_scores
from voxscale.study._cells import REDUCERS
from voxscale.study._settings import BLOCK_TRS
from voxscale.study._split import split_of
from voxscale.study._subject_data import SubjectData, design_of, joined, splits_of

if TYPE_CHECKING:
    from voxscale.store import LayerStore
    from voxscale.study._cells import Cell
    from voxscale.study._config import Study
    from voxscale.study._designs import FamilyDesigns
    from voxscale.study._inputs import Inputs

__all__ = [
    "Fitted",
    "chosen_cv_scores",
    "facts_of",
    "fit_cell",
    "fit_together",
    "mean_over_voxels",
    "null_options",
    "ridge_of",
]


class Fitted(NamedTuple):
    """A fit, the TRs that it learnt from, and what makes the designs of other runs."""

    model: RidgeCV
    n_train_trs: int
    rows: Callable[[Sequence[str]], Array]


def fit_cell(
    inputs: Inputs,
    cell: Cell,
    store: LayerStore,
    shared: SubjectData,
    device: str | None = None,
    fitted: Fitted | None = None,
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Compute the arrays of a cell and the numbers of its table row.

    ``fitted`` is the cell's part of what :func:`fit_together` found; without it, the cell is fitted
    alone.

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
    if fitted is None:
        X, Y = joined(inputs, cell, store, shared, cell.stories)
        model = ridge_of(inputs.study, list(shared.lengths(cell.stories).values()), device)
        model.fit(X, Y)
        fitted = Fitted(model, len(X), lambda runs: design_of(inputs, cell, store, shared, runs))
        del X, Y
    return _scored(inputs, cell, shared, fitted)


def fit_together(
    inputs: Inputs,
    cells: Sequence[Cell],
    shared: Mapping[str, SubjectData],
    designs: FamilyDesigns,
    device: str | None = None,
) -> dict[Cell, Fitted]:
    """Fit cells whose training designs are equal: one decomposition for all their voxels."""
    first = cells[0]
    lengths = list(shared[first.subject].lengths(first.stories).values())
    responses = [shared[cell.subject].joined_responses(cell.stories) for cell in cells]
    ends = np.cumsum([0, *(one.shape[1] for one in responses)])
    Y = responses[0] if len(responses) == 1 else np.hstack(responses)
    del responses
    model = ridge_of(inputs.study, lengths, device).fit(designs.training(first), Y)
    return {
        cell: Fitted(
            model.of_voxels(slice(ends[i], ends[i + 1])), len(Y), partial(designs.rows, cell)
        )
        for i, cell in enumerate(cells)
    }


def _scored(
    inputs: Inputs, cell: Cell, shared: SubjectData, fitted: Fitted
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Score what was fitted on the validation and the test stories."""
    study, dataset, model = inputs.study, shared.dataset, fitted.model
    arrays = _validation_scores(inputs, cell, shared, fitted)
    Y = shared.joined_responses(dataset.test)
    predictions = model.predict(fitted.rows(dataset.test))
    arrays |= {
        **_test_scores(shared, Y, predictions),
        "cv_score": chosen_cv_scores(study.fit.penalties, model),
        "best_alpha": np.asarray(model.best_alphas_, dtype=np.float64),
        **_against_ceiling(shared, predictions),
    }
    _warn_of_lost(arrays)
    means = _means(arrays)
    kept, n_permutations = (
        _reference_arrays(study, cell, shared, Y, predictions) if cell.reference else ({}, 0)
    )
    meta = {
        **facts_of(shared, fitted.n_train_trs, Y.shape[1]),
        "n_features": model.n_features_in_,
        "n_scored": int(np.isfinite(arrays["r"]).sum()),
        "blocks": _blocks(shared, Y, predictions),
        "mean_r_by_story": [mean_over_voxels(row) for row in arrays["r_by_story"]],
        "first_tr": {run: _first_tr(shared, run) for run in dataset.test},
        "n_permutations": n_permutations,
        **means,
    }
    return arrays | kept, meta


def ridge_of(study: Study, run_lengths: Sequence[int], device: str | None) -> RidgeCV:
    """Make the ridge regression that a study fits to these training runs."""
    return RidgeCV(
        study.fit.penalties,
        splits_of(study, run_lengths),
        scoring=study.fit.scoring,
        device=device,
        memory_gib=study.fit.memory_gib,
    )


def facts_of(shared: SubjectData, n_train_trs: int, n_voxels: int) -> dict[str, Any]:
    """Return what the metadata of every kind of cell say of the data."""
    dataset = shared.dataset
    repeats = {run: len(dataset.trials[run]) for run in shared.repeated_runs}
    return {
        "n_train_trs": n_train_trs,
        "n_test_trs": sum(shared.lengths(dataset.test).values()),
        "n_voxels": n_voxels,
        "hours": n_train_trs * dataset.tr_s / 3600,
        "tr_s": dataset.tr_s,
        "test": list(dataset.test),
        "ceiling_runs": repeats,
        "space": dataset.space,
    }


def null_options(study: Study, shared: SubjectData, runs: Sequence[str]) -> dict[str, Any]:
    """Return how a study permutes joined runs, as :func:`permutation_test` takes it."""
    chosen = study.evaluate
    options: dict[str, Any] = {
        "kind": chosen.null,
        "n_permutations": chosen.n_permutations,
        "run_lengths": list(shared.lengths(runs).values()),
        "seed": study.seed,
    }
    return options if chosen.block_trs is None else {**options, "block_trs": chosen.block_trs}


def mean_over_voxels(scores: Array) -> float:
    """Average over the voxels that have a score, in float64; NaN where none has."""
    scored = scores[np.isfinite(scores)]
    return float(scored.mean(dtype=np.float64)) if scored.size else float("nan")


def chosen_cv_scores(alphas: Sequence[float], model: RidgeCV) -> Array:
    """Average over splits the scores of each voxel at the alpha chosen for it."""
    chosen = np.asarray(model.best_alphas_)
    index = (np.asarray(alphas)[:, np.newaxis] == chosen).argmax(axis=0)
    at_chosen = np.asarray(model.cv_scores_)[index, np.arange(len(chosen))]
    known = np.isfinite(at_chosen)
    total = np.where(known, at_chosen, 0).sum(axis=1, dtype=np.float64)
    count = known.sum(axis=1)
    mean = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    return np.where(np.isfinite(chosen), mean, np.nan)


def _validation_scores(
    inputs: Inputs, cell: Cell, shared: SubjectData, fitted: Fitted
) -> dict[str, Array]:
    """Score on the stories that were kept back to choose layers, if there are any."""
    held = split_of(inputs.study, inputs.facts(cell.subject)).validation
    if not held:
        return {}
    Y = shared.joined_responses(held)
    return {"r_validation": correlation(Y, fitted.model.predict(fitted.rows(held)))}


def _test_scores(shared: SubjectData, Y: Array, predictions: Array) -> dict[str, Array]:
    """Score against responses of unit variance in every story, means of repeats included."""
    rows_of = shared.rows(shared.dataset.test).values()
    return {
        "r": correlation(Y, predictions),
        "r_by_story": np.stack([correlation(Y[rows], predictions[rows]) for rows in rows_of]),
        "r2": r2(Y, predictions),
    }


def _against_ceiling(shared: SubjectData, predictions: Array) -> dict[str, Array]:
    ceiling = shared.ceiling
    if ceiling is None:
        return {}
    # Against the mean of the repeats as it is, whose variance is what the ceiling is about.
    prediction = predictions[shared.repeated_rows()]
    return {
        "cc_abs": ceiling.cc_abs(prediction),
        "cc_max": ceiling.cc_max,
        "cc_norm": ceiling.cc_norm(prediction),
        "spe": ceiling.spe(prediction),
    }


def _blocks(shared: SubjectData, Y: Array, predictions: Array) -> dict[str, list[Any]]:
    """Cut the correlation over all test rows into blocks, each the mean over voxels with a score.

    Weighted by their TRs, they average to the mean correlation.
    """
    lengths = shared.lengths(shared.dataset.test)
    block_trs = min(BLOCK_TRS, *lengths.values())
    cut = block_scores(Y, predictions, list(lengths.values()), block_trs)
    stories = list(lengths)
    return {
        "story": [stories[run] for run in cut.runs],
        "n_trs": cut.n_trs.tolist(),
        "mean_r": [mean_over_voxels(one) for one in cut.scores],
    }


def _warn_of_lost(arrays: Mapping[str, Array]) -> None:
    n_lost = int((np.isnan(arrays["r"]) & np.isfinite(arrays["best_alpha"])).sum())
    if n_lost:
        msg = (
            f"{n_lost} of {len(arrays['r'])} voxels were fitted but have no score, which is NaN: "
            "their test responses hold NaN, or these or the predictions are constant; check the "
            "test runs, or leave these voxels out."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=3)


def _reference_arrays(
    study: Study, cell: Cell, shared: SubjectData, Y: Array, predictions: Array
) -> tuple[dict[str, Array], int]:
    """Return what only some cells keep: time courses, p-values, intervals.

    The number of permutations comes with them: short runs allow fewer than were asked for.
    """
    rows = shared.rows(shared.dataset.test)
    arrays = {f"prediction_{run}": predictions[rows[run]] for run in shared.repeated_runs}
    if cell.layer == study.reference_layer and shared.trials and study.evaluate.n_bootstraps:
        arrays |= _score_limits(study, shared, predictions)
    if not study.evaluate.n_permutations:
        return arrays, 0
    test = permutation_test(Y, predictions, **null_options(study, shared, shared.dataset.test))
    return {**arrays, "p_value": test.p_values, "p_family": _family(test)}, test.n_permutations


def _score_limits(study: Study, shared: SubjectData, predictions: Array) -> dict[str, Array]:
    """Return 95 % limits of the scores against the ceiling."""
    with warnings.catch_warnings():  # the cell of ceilings counts voxels without one
        warnings.simplefilter("ignore", VoxscaleWarning)
        found = ceiling_intervals(
            shared.trials,
            predictions[shared.repeated_rows()],
            n_bootstraps=study.evaluate.n_bootstraps,
            seed=study.seed,
        )
    limits = {"cc_norm": found.cc_norm, "spe": found.spe}
    return {
        f"{name}_{end}": getattr(one, end)
        for name, one in limits.items()
        if one is not None
        for end in ("low", "high")
    }


def _family(test: PermutationTest) -> Array:
    """P-values that hold for all voxels together; NaN where no voxel has a score."""
    if not np.isfinite(test.observed).any():
        return np.full(len(test.observed), np.nan)
    return max_statistic(test).p_values


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
