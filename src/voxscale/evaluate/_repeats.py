"""Repeats of one stimulus, or of several stories, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError
from voxscale.evaluate._columns import as_numbers, center

__all__ = [
    "Trials",
    "about_run_means",
    "as_stories",
    "centered_series",
    "joined_predictions",
    "one_stack",
    "story_names",
    "tr_weights",
]

Trials = ArrayLike | Sequence[ArrayLike] | Mapping[str, ArrayLike]
Predictions = ArrayLike | Mapping[str, ArrayLike]


def as_stories(trials: Trials) -> list[Array]:
    """See trials as one stack of repeats per story, each (n_repeats, n_trs, n_voxels).

    A mapping, or a sequence of three-dimensional arrays, has a stack for each story; anything
    else is the only story.
    """
    if isinstance(trials, Mapping):
        named = {f"trials[{name!r}]": stack for name, stack in trials.items()}
    elif isinstance(trials, list | tuple) and all(np.ndim(one) == 3 for one in trials):
        named = {f"trials[{number}]": stack for number, stack in enumerate(trials)}
    else:
        return [_stacked(cast(ArrayLike, trials), "trials")]
    if not named:
        msg = "trials hold no story; expected at least one stack (n_repeats, n_trs, n_voxels)."
        raise ValueError(msg)
    stories = [_stacked(stack, name) for name, stack in named.items()]
    voxels = {name: story.shape[2] for name, story in zip(named, stories, strict=True)}
    if len(set(voxels.values())) > 1:
        msg = f"stories have different numbers of voxels, {voxels}; expected the same in all."
        raise AlignmentError(msg)
    return stories


def story_names(trials: Trials) -> tuple[str, ...] | None:
    """Name the stories of a mapping, in its order; others have no names."""
    return tuple(trials) if isinstance(trials, Mapping) else None


def joined_predictions(Y_pred: Predictions, names: Sequence[str] | None) -> Array:
    """See predictions as one array, those of named stories in the order of the trials.

    Raises
    ------
    AlignmentError
        If the stories are others than those of the trials.
    ValueError
        If predictions have names but trials have none.
    """
    if not isinstance(Y_pred, Mapping):
        return as_numbers(Y_pred, "Y_pred")
    if names is None:
        msg = (
            f"Y_pred names the stories {list(Y_pred)}, but the trials have no names; expected an "
            "array (n_trs, n_voxels), stories one after another: or give the trials as a mapping."
        )
        raise ValueError(msg)
    if set(Y_pred) != set(names):
        msg = (
            f"Y_pred has the stories {sorted(Y_pred)}; expected those of the trials, "
            f"{sorted(names)}."
        )
        raise AlignmentError(msg)
    parts = [as_numbers(Y_pred[name], f"Y_pred[{name!r}]") for name in names]
    for name, part in zip(names, parts, strict=True):
        if part.ndim != 2 or part.shape[1] != parts[0].shape[-1]:
            msg = (
                f"Y_pred[{name!r}] has shape {part.shape}; expected (n_trs, n_voxels), with the "
                "same voxels in every story."
            )
            raise AlignmentError(msg)
    return np.concatenate(parts)


def one_stack(trials: Trials) -> list[Array]:
    """See trials as stories whose repeats, or subjects, are the same ones in the same order."""
    stories = as_stories(trials)
    numbers = [len(story) for story in stories]
    if len(set(numbers)) > 1:
        msg = (
            f"stories have {numbers} repeats or subjects; expected the same ones in all, so that "
            "each is one long response: take the stories one at a time, or use noise_ceiling "
            "and ceiling_intervals, which pool the powers of unequal numbers."
        )
        raise AlignmentError(msg)
    return stories


def tr_weights(lengths: Sequence[int]) -> Array:
    """Weigh stories by their TRs, less the one that each story's mean costs."""
    free = np.asarray(lengths, dtype=np.float64) - 1.0
    return np.asarray(free / free.sum())


def about_run_means(block: Array, lengths: Sequence[int]) -> Array:
    """Subtract each run's own mean, in float64; NaN throughout a run that is not finite."""
    ends = np.cumsum(lengths)
    parts = []
    for end, length in zip(ends, lengths, strict=True):
        centered, size, _ = center(block[end - length : end])
        parts.append(centered * size)
    return np.concatenate(parts)


def centered_series(stack: Array) -> tuple[Array, Array, Array]:
    """Take repeats to float64, each about its own mean.

    Returns
    -------
    series : array of shape (n_repeats, n_trs, n_voxels)
        Zero where a repeat is constant or not finite.
    finite : array of bool of shape (n_voxels,)
        Whether all repeats are.
    varies : array of bool of shape (n_repeats, n_voxels)
        False where a repeat is constant but for the rounding of its dtype.
    """
    series = np.empty(stack.shape)
    finite, varies = np.ones(stack.shape[2], dtype=bool), np.empty(stack[:, 0].shape, dtype=bool)
    for number, repeat in enumerate(stack):
        series[number], size, varies[number] = center(repeat)
        known = np.isfinite(size)
        series[number] *= np.where(known, size, 0.0)
        finite &= known
    return series, finite, varies


def _stacked(trials: ArrayLike, name: str) -> Array:
    """Check that there are at least two repeats of one shape."""
    if isinstance(trials, list | tuple):
        shapes = [np.shape(trial) for trial in trials]
        if len(set(shapes)) > 1:
            msg = (
                f"{name} have shapes {shapes}; expected repeats with the same TRs and voxels in "
                "all. Averages, one for each story, are no repeats: a ceiling based on repeats is "
                "impossible with them."
            )
            raise AlignmentError(msg)
    stack = as_numbers(trials, name)
    if stack.ndim == 2:
        msg = (
            f"{name} have shape {stack.shape}, one response at each TR: a single repeat, or an "
            "average over repeats; expected (n_repeats, n_trs, n_voxels). A ceiling based on "
            "repeats is impossible without the single repeats; what remains is one between "
            "subjects who heard the same story: give leave_one_out or split_half an array "
            "(n_subjects, n_trs, n_voxels)."
        )
        raise ValueError(msg)
    if stack.ndim != 3:
        msg = f"{name} have shape {stack.shape}; expected (n_repeats, n_trs, n_voxels)."
        raise ValueError(msg)
    if len(stack) < 2:
        msg = (
            f"{name} have shape {stack.shape}, that is {len(stack)} repeat(s); a ceiling based on "
            "repeats is impossible with fewer than 2: choose a stimulus that was played again, "
            "or compare subjects who heard the same one (leave_one_out)."
        )
        raise ValueError(msg)
    if stack.shape[1] < 2:
        msg = f"{name} have shape {stack.shape}; expected at least 2 TRs: a variance needs them."
        raise ValueError(msg)
    return stack
