"""What a language model has to beat: features that know nothing of what the words mean.

Word rate, position in the story and, where there is audio, the envelope and spectrum of the
sound. Beside them, smooth noise: what a split gives away to anything that knows its neighbours.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import VoxscaleWarning
from voxscale.evaluate import (
    METRICS,
    autocorrelated_features,
    estimate_smoothness,
    partition,
    position_features,
    union_predictions,
    unique_test,
)
from voxscale.features import sound_features, word_rate
from voxscale.study._beside import METRIC, score_name
from voxscale.study._features import read_features
from voxscale.study._fit_cell import (
    chosen_cv_scores,
    facts_of,
    mean_over_voxels,
    null_options,
    ridge_of,
)
from voxscale.study._fit_settings import ChunkCV

if TYPE_CHECKING:
    from voxscale.store import LayerStore
    from voxscale.study._cells import Cell
    from voxscale.study._config import Study
    from voxscale.study._inputs import Inputs
    from voxscale.study._subject_data import SubjectData

__all__ = [
    "LANGUAGE",
    "baseline_designs",
    "baselines_cell",
    "baselines_of",
]

LANGUAGE = "language"
# Training TRs that the autocorrelation baseline looks at: it has a column for each.
_MOST_TRS = 3000
_N_MELS = 8  # with delays, each is a column to go beyond
_MEMORY_GIB = 8.0  # of weights and designs of unions at once, as union_predictions has it


def baselines_cell(
    inputs: Inputs, cell: Cell, store: LayerStore, shared: SubjectData, device: str | None = None
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Fit the language model beside its baselines, and split what they explain.

    Returns
    -------
    arrays : dict of str to array of shape (n_voxels,)
        ``r2_A+B`` for every union of spaces; ``r_unique`` and ``p_unique`` of the language
        model beyond all baselines; ``autocorrelation_cv_score``.
    meta : dict
    """
    study = inputs.study
    spaces = baselines_of(inputs, cell.subject)
    runs, test_runs = cell.stories, shared.dataset.test
    X, Y = shared.recipe.join(read_features(inputs, store, cell, runs), shared.responses, runs)
    lengths = shared.lengths(runs)
    arrays: dict[str, Array] = {}
    meta: dict[str, Any] = {"spaces": [LANGUAGE, *spaces]}
    if reason := inputs.facts(cell.subject).no_sound:
        msg = f"subject {cell.subject!r} has no baseline of sound: {reason}"
        warnings.warn(msg, VoxscaleWarning, stacklevel=2)
    if study.baselines.autocorrelation:
        arrays["autocorrelation_cv_score"], about = _autocorrelation(study, lengths, Y, device)
        meta |= about
    states = read_features(inputs, store, cell, test_runs)
    X_test, Y_test = shared.recipe.join(states, shared.responses, test_runs)
    if spaces:
        train = {LANGUAGE: X, **baseline_designs(shared, spaces, runs)}
        test = {LANGUAGE: X_test, **baseline_designs(shared, spaces, test_runs)}
        model = ridge_of(study, list(lengths.values()), device)
        pairs = {name: (train[name], test[name]) for name in train}
        scores, tested = _partitioned(inputs, shared, pairs, Y, Y_test, model)
        arrays |= tested | {score_name(union): one for union, one in scores.items()}
        meta |= _described(scores, tuple(train))
    return arrays, {**facts_of(shared, *Y.shape), **meta}


def baselines_of(inputs: Inputs, subject: str) -> list[str]:
    """Return the spaces that a subject's language model is set beside; sound needs audio."""
    has_audio = bool(inputs.facts(subject).sounds)
    return [one for one in inputs.study.baselines.spaces if one != "sound" or has_audio]


def baseline_designs(
    shared: SubjectData, spaces: Sequence[str], runs: Sequence[str]
) -> dict[str, Array]:
    """Make the design of each space, (n_trs, n_columns), on the rows of joined responses."""
    return {name: _MAKERS[name](shared, runs).astype(np.float32) for name in spaces}


def _word_rate(shared: SubjectData, runs: Sequence[str]) -> Array:
    return shared.design(word_rate({run: shared.dataset.words[run] for run in runs}), runs)


def _position(shared: SubjectData, runs: Sequence[str]) -> Array:
    return np.concatenate(position_features(list(shared.lengths(runs).values())))


def _sound(shared: SubjectData, runs: Sequence[str]) -> Array:
    with _quietly():  # a recording may go on after the scan
        return shared.design(
            sound_features({run: shared.dataset.audio[run] for run in runs}, n_mels=_N_MELS), runs
        )


_MAKERS: dict[str, Callable[[SubjectData, Sequence[str]], Array]] = {
    "word_rate": _word_rate,
    "position": _position,
    "sound": _sound,
}


def _partitioned(
    inputs: Inputs,
    shared: SubjectData,
    pairs: Mapping[str, tuple[Array, Array]],
    Y: Array,
    Y_test: Array,
    model: Any,
) -> tuple[dict[tuple[str, ...], Array], dict[str, Array]]:
    """Score every union of spaces, and test what the language model adds to all others."""
    study = inputs.study
    scores: dict[tuple[str, ...], Array] = {}
    prediction = Y_test  # in the end, that of all spaces
    memory_gib = study.fit.memory_gib or _MEMORY_GIB
    for union, prediction in union_predictions(pairs, Y, model, memory_gib=memory_gib):
        scores[union] = METRICS[METRIC].score(Y_test, prediction)
    tested: dict[str, Array] = {}
    others = np.hstack([test for name, (_, test) in pairs.items() if name != LANGUAGE])
    if study.evaluate.n_permutations and _is_testable(others, shared):
        options = null_options(study, shared, shared.dataset.test)
        with _quietly():
            test = unique_test(Y_test, prediction, others, **options)
        # Where validation leaves the language model out, it adds nothing.
        is_out = np.isnan(test.p_values) & np.isfinite(scores[tuple(pairs)])
        r_unique = np.where(is_out, 0.0, test.observed)
        tested = {"r_unique": r_unique, "p_unique": np.where(is_out, 1.0, test.p_values)}
    return scores, tested


def _is_testable(baselines: Array, shared: SubjectData) -> bool:
    """Tell whether the test stories have TRs enough to go beyond so many columns."""
    n_trs, n_columns = baselines.shape
    n_left = n_trs - n_columns - len(shared.dataset.test)
    if n_left >= n_columns:
        return True
    msg = (
        f"{n_columns} columns of baselines leave {max(n_left, 0)} degrees of freedom of {n_trs} "
        "test TRs, too few to test what the language model adds; that p-value is left out. Use "
        "fewer baselines, or longer test stories."
    )
    warnings.warn(msg, VoxscaleWarning, stacklevel=2)
    return False


def _described(scores: dict[tuple[str, ...], Array], names: Sequence[str]) -> dict[str, Any]:
    """Return means over voxels: of every union, and of the parts."""
    with _quietly():
        named: dict[Any, Array] = dict(scores)
        made = partition(named, metric=METRIC)
    return {
        "n_scored": made.n_voxels - made.n_lost,
        "mean_r2_of_unions": {"+".join(u): mean_over_voxels(one) for u, one in scores.items()},
        "mean_part": {"+".join(key): mean_over_voxels(one) for key, one in made.parts.items()},
        "n_negative": {"+".join(key): int(n) for key, n in made.n_negative.items()},
        "mean_unique_share": {name: made.mean_unique_share(name) for name in names},
    }


def _autocorrelation(
    study: Study, lengths: Mapping[str, int], Y: Array, device: str | None
) -> tuple[Array, dict[str, Any]]:
    """Score smooth noise on held-out training rows, as the study's own splits hold them out.

    Where there are more rows than it can have columns for, on the first of them.
    """
    rows, kept = _first_rows(list(lengths.values()))
    chosen = Y[rows]
    widths = estimate_smoothness(chosen, kept)
    known = widths[np.isfinite(widths)]
    smoothness = float(np.median(known)) if known.size else 0.0
    X = np.concatenate(autocorrelated_features(kept, smoothness)).astype(Y.dtype)
    with _quietly():  # of voxels that cannot be fitted, the fits of the cells tell
        model = ridge_of(_scaled(study, len(rows) / len(Y)), kept, device).fit(X, chosen)
    about = {"smoothness_trs": smoothness, "n_autocorrelation_trs": len(rows)}
    return chosen_cv_scores(study.fit.penalties, model), about


def _first_rows(lengths: Sequence[int]) -> tuple[Array, list[int]]:
    """Choose the first rows of the first runs, of two at least; and how many of each."""
    most = _MOST_TRS if len(lengths) == 1 else _MOST_TRS // 2
    rows: list[Array] = []
    kept: list[int] = []
    start = 0
    for length in lengths:
        n_kept = min(length, most, _MOST_TRS - sum(kept))
        if n_kept < min(length, most) and len(kept) > 1:
            break  # what is left of a run may be too short for anything
        rows.append(np.arange(start, start + n_kept))
        kept.append(n_kept)
        start += length
    return np.concatenate(rows), kept


def _scaled(study: Study, share: float) -> Study:
    """Hold out the same share of fewer rows."""
    cv = study.fit.cv
    if not isinstance(cv, ChunkCV) or cv.n_chunks is None or share == 1:
        return study
    n_chunks = max(1, round(cv.n_chunks * share))
    fit = study.fit.model_copy(update={"cv": cv.model_copy(update={"n_chunks": n_chunks})})
    return study.model_copy(update={"fit": fit})


@contextmanager
def _quietly() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VoxscaleWarning)
        yield
