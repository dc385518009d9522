"""All layers of a study, and its baselines, mixed voxel by voxel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.model_selection import GroupKFold

from voxscale.arrays import Array
from voxscale.evaluate import (
    BestModels,
    StoryScores,
    choose_best,
    correlation,
    noise_normalized_difference,
    r2,
    story_scores,
)
from voxscale.fit import Stacking, center_of_mass
from voxscale.study._baselines import baseline_designs, baselines_of
from voxscale.study._fit_cell import facts_of, mean_over_voxels, ridge_of
from voxscale.study._split import split_of
from voxscale.study._subject_data import design_of, splits_of

if TYPE_CHECKING:
    from voxscale.fit._splits import Split
    from voxscale.store import LayerStore
    from voxscale.study._cells import Cell
    from voxscale.study._config import Study
    from voxscale.study._inputs import Inputs
    from voxscale.study._subject_data import SubjectData

__all__ = ["stacking_cell", "stacking_folds"]

_MOST_FOLDS = 5
MIN_GAIN = 0.05  # in correlation; the margin of the published mask


def stacking_cell(
    inputs: Inputs, cell: Cell, store: LayerStore, shared: SubjectData, device: str | None = None
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Mix the layers and the baselines, and set the mix beside each voxel's best layer.

    The best layer is chosen on the validation stories of the study, or, where it has none, on
    training stories that were held out in turn, on which the mix is chosen too.

    Returns
    -------
    arrays : dict of str to array
        ``weights`` of shape (n_models, n_voxels), ``center_of_mass`` over the layers,
        ``best_layer``, ``r_stacked`` and ``r2_stacked``, ``r_single`` of the best layer;
        ``gain_norm``, the difference of their correlations in the repeated test stories over
        the ceiling, where there are some; with validation stories ``r_stacked_validation`` and
        ``r_single_validation``, ``is_stacked`` where the former is larger by more than 0.05, and
        ``r_masked``, the test score of the mix there and of the best layer elsewhere.
    meta : dict
    """
    study, layers = inputs.study, inputs.study.layers
    names = [*(f"layer {layer}" for layer in layers), *baselines_of(inputs, cell.subject)]
    train = _designs(inputs, cell, store, shared, cell.stories)
    Y = shared.joined_responses(cell.stories)
    lengths = list(shared.lengths(cell.stories).values())
    model = Stacking(ridge_of(study, lengths, device), stacking_folds(study, lengths))
    model.fit(train, Y)
    held = _held_out_scores(model, cell.stories, names[: len(layers)], Y)
    n_train_trs = len(Y)
    del train, Y
    validation = split_of(study, inputs.facts(cell.subject)).validation
    arrays: dict[str, Array] = {}
    if validation:
        told = _predicted(inputs, cell, store, shared, model, validation)
        held = story_scores(told.Y, told.singles, shared.lengths(validation))
        arrays["r_stacked_validation"] = correlation(told.Y, told.mix)
        arrays["r_single_validation"] = np.fmax.reduce(held.scores, axis=0)
    best = choose_best(held)
    told = _predicted(inputs, cell, store, shared, model, shared.dataset.test)
    test = story_scores(told.Y, told.singles, shared.lengths(shared.dataset.test))
    weights = np.asarray(model.weights_)
    arrays |= {
        "weights": weights.T,
        "center_of_mass": center_of_mass(weights, slice(len(layers)), positions=layers),
        "best_layer": best.map(layers),
        "r_stacked": correlation(told.Y, told.mix),
        "r2_stacked": r2(told.Y, told.mix),
        "r_single": best.scores(test),
    }
    arrays |= _masked(arrays) | _against_ceiling(shared, best, told)
    meta = {
        "models": names,
        "chosen_on": list(best.stories),
        "mean_weights": [mean_over_voxels(one) for one in arrays["weights"]],
        **{f"mean_{name}": mean_over_voxels(arrays[name]) for name in ("r_stacked", "r_single")},
    }
    return arrays, {**facts_of(shared, n_train_trs, len(weights)), **meta}


def stacking_folds(study: Study, run_lengths: Sequence[int]) -> list[Split]:
    """Choose training rows to be left out together: whole stories, in five folds at most.

    With one story, as :func:`splits_of` without it.

    Returns
    -------
    list of (train_rows, left_out_rows)
    """
    if len(run_lengths) == 1:
        leave_out = study.fit.model_copy(update={"cv": "leave-run-out"})
        return splits_of(study.model_copy(update={"fit": leave_out}), run_lengths)
    stories = np.repeat(np.arange(len(run_lengths)), run_lengths)
    folds = GroupKFold(min(_MOST_FOLDS, len(run_lengths)))
    return list(folds.split(stories, groups=stories))


def _designs(
    inputs: Inputs, cell: Cell, store: LayerStore, shared: SubjectData, runs: Sequence[str]
) -> list[Array]:
    layers = [
        design_of(inputs, replace(cell, layer=layer), store, shared, runs)
        for layer in inputs.study.layers
    ]
    spaces = baselines_of(inputs, cell.subject)
    return [*layers, *baseline_designs(shared, spaces, runs).values()]


def _held_out_scores(
    model: Stacking, stories: Sequence[str], layers: Sequence[str], Y: Array
) -> StoryScores:
    """Score each layer by what it leaves of training rows that were left out: 1 - error / power."""
    errors = np.diagonal(model.residual_covariance_, axis1=1, axis2=2)[:, : len(layers)]
    power = np.mean(np.square(Y, dtype=np.float64), axis=0)
    power[power == 0] = np.nan
    return StoryScores(tuple(stories), tuple(layers), 1 - errors.T / power)


class _Predicted(NamedTuple):
    """Responses to some stories, what each layer predicts of them, and what the mix does."""

    Y: Array
    singles: dict[str, Array]
    mix: Array


def _predicted(
    inputs: Inputs,
    cell: Cell,
    store: LayerStore,
    shared: SubjectData,
    model: Stacking,
    runs: Sequence[str],
) -> _Predicted:
    designs = _designs(inputs, cell, store, shared, runs)
    layers = [f"layer {layer}" for layer in inputs.study.layers]
    predictions = model.predict_each(designs)[: len(layers)]
    singles = dict(zip(layers, predictions, strict=True))
    return _Predicted(shared.joined_responses(runs), singles, model.predict(designs))


def _masked(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Keep the mix where it validated better by more than a margin, the best layer elsewhere."""
    if "r_stacked_validation" not in arrays:
        return {}
    gain = arrays["r_stacked_validation"] - arrays["r_single_validation"]
    is_stacked = gain > MIN_GAIN
    masked = np.where(is_stacked, arrays["r_stacked"], arrays["r_single"])
    return {"is_stacked": is_stacked, "r_masked": masked}


def _against_ceiling(shared: SubjectData, best: BestModels, told: _Predicted) -> dict[str, Array]:
    """Divide by the ceiling what the mix gains over the best layer, in the repeated stories."""
    ceiling = shared.ceiling
    if ceiling is None:
        return {}
    rows = shared.repeated_rows()
    by_layer = np.stack([ceiling.cc_abs(one[rows]) for one in told.singles.values()])
    chosen = np.take_along_axis(by_layer, best.chosen[np.newaxis], axis=0)[0]
    single = np.where(best.chosen >= 0, chosen, np.nan)
    stacked = ceiling.cc_abs(told.mix[rows])
    return {"gain_norm": noise_normalized_difference(stacked, single, ceiling.cc_max)}
