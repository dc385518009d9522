"""All layers of a study, of language and speech, and its baselines, mixed voxel by voxel."""

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
)
from voxscale.fit import Stacking, center_of_mass
from voxscale.study._baselines import baseline_designs, baselines_of
from voxscale.study._comparison_cell import p_of_difference
from voxscale.study._fit_cell import (
    chosen_cv_scores,
    facts_of,
    mean_over_voxels,
    ridge_of,
)
from voxscale.study._speech_features import speech_designs
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
_MIN_GAIN = 0.05  # in correlation, as evaluate.stacked_scores has it


def stacking_cell(
    inputs: Inputs, cell: Cell, store: LayerStore, shared: SubjectData, device: str | None = None
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Mix the layers and the baselines, and set the mix beside each voxel's best layer.

    The best layer is the one that the fits of the study choose: by the validation stories, or,
    where there are none, by cross-validation on the training stories. With a speech model, its
    layers are mixed too, and the best of a voxel is of either model.

    Returns
    -------
    arrays : dict of str to array
        ``weights`` of shape (n_models, n_voxels), ``center_of_mass`` over the layers,
        ``best_layer``, ``r_stacked`` and ``r2_stacked``, ``r_single`` of the best layer;
        ``gain_norm``, the difference of their correlations in the repeated test stories over
        the ceiling, where there are some; ``p_gain``, whether the two differ; with validation
        stories ``r_stacked_validation`` and ``r_single_validation``, ``is_stacked`` where the
        former is larger by more than 0.05, and ``r_masked``, the test score of the mix there and
        of the best layer elsewhere. ``best_layer`` is of the language model alone. With a speech
        model, see :func:`_beside_speech`.
    meta : dict
    """
    study, layers = inputs.study, inputs.study.layers_of(cell.model)
    names = [*_layer_names(study), *baselines_of(inputs, cell.subject)]
    train = _designs(inputs, cell, store, shared, cell.stories)
    Y = shared.joined_responses(cell.stories)
    lengths = list(shared.lengths(cell.stories).values())
    model = Stacking(ridge_of(study, lengths, device), stacking_folds(study, lengths))
    model.fit(train, Y)
    held = _cross_validated(study, model, cell.stories)
    n_train_trs = len(Y)
    del train, Y
    validation = split_of(study, inputs.facts(cell.subject)).validation
    arrays: dict[str, Array] = {}
    if validation:
        told = _scored(inputs, cell, store, shared, model, validation)
        held = told.layers
        arrays["r_stacked_validation"] = told.mix["r"]
        arrays["r_single_validation"] = np.fmax.reduce(held.scores, axis=0)
    best, best_language = choose_best(held), choose_best(_first(held, len(layers)))
    told = _scored(inputs, cell, store, shared, model, shared.dataset.test, best)
    weights = np.asarray(model.weights_)
    arrays |= {
        "weights": weights.T,
        "center_of_mass": center_of_mass(weights, slice(len(layers)), positions=layers),
        "best_layer": best_language.map(layers),
        "r_stacked": told.mix["r"],
        "r2_stacked": told.mix["r2"],
        "r_single": best.scores(told.layers),
    }
    arrays |= _masked(arrays) | _gain(shared, best, told) | told.compared
    if study.speech is not None:
        arrays |= _beside_speech(len(layers), weights, held, told.layers)
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
        for layer in inputs.study.layers_of(cell.model)
    ]
    speech = speech_designs(inputs, store, shared, runs)
    spaces = baselines_of(inputs, cell.subject)
    return [*layers, *speech, *baseline_designs(shared, spaces, runs).values()]


def _cross_validated(study: Study, model: Stacking, stories: Sequence[str]) -> StoryScores:
    """Return the scores by which a study without validation stories chooses layers."""
    names = _layer_names(study)
    scores = [chosen_cv_scores(study.fit.penalties, one) for one in model.models_[: len(names)]]
    return StoryScores(tuple(stories), names, np.stack(scores))


def _layer_names(study: Study) -> tuple[str, ...]:
    """Name the layers that are mixed: those of the language model, then those of speech."""
    speech = () if study.speech is None else study.speech.layers
    return (
        *(f"layer {layer}" for layer in study.layers_of(study.model)),
        *(f"speech {layer}" for layer in speech),
    )


def _first(scores: StoryScores, n: int) -> StoryScores:
    return replace(scores, models=scores.models[:n], scores=scores.scores[:n])


def _last(scores: StoryScores, n: int) -> StoryScores:
    return replace(scores, models=scores.models[-n:], scores=scores.scores[-n:])


def _beside_speech(
    n_layers: int, weights: Array, held: StoryScores, test: StoryScores
) -> dict[str, Array]:
    """Tell apart what a mix has of the language model and of the speech model.

    Returns
    -------
    dict of str to array
        ``best_model``, position of each voxel's best layer among all models; ``speech_weight``,
        the sum of the weights of the speech layers; ``r_speech`` of shape
        (n_speech_layers, n_voxels), the test scores of each of them alone; ``r_best_language``
        and ``r_best_speech``, those of the best layer of either model.
    """
    n_singles = len(held.models)
    n_speech = n_singles - n_layers
    language = choose_best(_first(held, n_layers)).scores(_first(test, n_layers))
    speech = choose_best(_last(held, n_speech)).scores(_last(test, n_speech))
    return {
        "best_model": choose_best(held).map(),
        "speech_weight": weights[:, n_layers:n_singles].sum(axis=1),
        "r_speech": test.scores[n_layers:],
        "r_best_language": language,
        "r_best_speech": speech,
    }


class _Scored(NamedTuple):
    """Scores on some stories: of each layer, and of the mix; in the repeated ones too."""

    layers: StoryScores
    mix: dict[str, Array]
    layers_repeated: Array | None  # correlations about story means, (n_layers, n_voxels)
    compared: dict[str, Array]  # p-values of mix against best layer


def _scored(
    inputs: Inputs,
    cell: Cell,
    store: LayerStore,
    shared: SubjectData,
    model: Stacking,
    runs: Sequence[str],
    best: BestModels | None = None,
) -> _Scored:
    """Score layer by layer: predictions of all layers are never held at once."""
    designs = _designs(inputs, cell, store, shared, runs)
    Y = shared.joined_responses(runs)
    is_test = tuple(runs) == tuple(shared.dataset.test)
    ceiling = shared.ceiling if is_test else None
    rows = shared.repeated_rows() if ceiling is not None else None
    names = _layer_names(inputs.study)
    r, repeated = [], []
    single = np.full(Y.shape, np.nan, dtype=np.float32) if best is not None else None
    for i, (fit, X) in enumerate(zip(model.models_[: len(names)], designs, strict=False)):
        prediction = fit.predict(X)
        if best is not None and single is not None:
            single[:, best.chosen == i] = prediction[:, best.chosen == i]
        r.append(correlation(Y, prediction))
        if ceiling is not None:
            repeated.append(ceiling.cc_abs(prediction[rows]))
    prediction = model.predict(designs)
    mix = {"r": correlation(Y, prediction), "r2": r2(Y, prediction)}
    if ceiling is not None:
        mix["repeated"] = ceiling.cc_abs(prediction[rows])
    scores = StoryScores(tuple(runs), names, np.stack(r), is_test=is_test)
    compared = {}
    if single is not None:
        lengths = list(shared.lengths(runs).values())
        p_values = p_of_difference(inputs.study, Y, prediction, single, lengths)
        compared = {} if p_values is None else {"p_gain": p_values}
    return _Scored(scores, mix, np.stack(repeated) if repeated else None, compared)


def _masked(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Keep the mix where it validated better by more than a margin, the best layer elsewhere."""
    if "r_stacked_validation" not in arrays:
        return {}
    gain = arrays["r_stacked_validation"] - arrays["r_single_validation"]
    is_stacked = gain > _MIN_GAIN
    masked = np.where(is_stacked, arrays["r_stacked"], arrays["r_single"])
    return {"is_stacked": is_stacked, "r_masked": masked}


def _gain(shared: SubjectData, best: BestModels, told: _Scored) -> dict[str, Array]:
    """Divide by the ceiling what the mix gains over the best layer, in the repeated stories."""
    if shared.ceiling is None or told.layers_repeated is None:
        return {}
    chosen = np.take_along_axis(told.layers_repeated, best.chosen[np.newaxis], axis=0)[0]
    single = np.where(best.chosen >= 0, chosen, np.nan)
    cc_max = shared.ceiling.cc_max
    return {"gain_norm": noise_normalized_difference(told.mix["repeated"], single, cc_max)}
