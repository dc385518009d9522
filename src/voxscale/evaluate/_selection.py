"""The best model of each voxel, chosen on some stories and reported on others.

The best of many models looks better than it is on the stories that chose it. Here scores carry
the names of their stories, and a choice refuses to report on any that it was made on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, did_you_mean
from voxscale.evaluate._choices import known
from voxscale.evaluate._columns import as_numbers, voxel_blocks
from voxscale.evaluate._runs import as_lengths, run_rows
from voxscale.evaluate._scores import correlation, r2, signed_r2

__all__ = ["BestModels", "StoryScores", "choose_best", "story_scores"]

# Numbers that two recordings do not share by chance.
_TELLING = 32

_SCORES = {"correlation": correlation, "r2": r2, "signed_r2": signed_r2}


@dataclass(frozen=True, eq=False)
class StoryScores:
    """Scores of several models, with the names of the stories that they come from.

    Made by :func:`story_scores`; or by hand from scores that are at hand, whose stories must then
    be named truthfully.

    Parameters
    ----------
    stories : tuple of str
        Every story whose responses the scores were computed on.
    models : tuple of str
        What is chosen from: models, or layers of one.
    scores : array of shape (n_models, n_voxels), float64
        Higher is better; NaN where there is none. Kept as a copy that cannot be written to.
    fingerprints : frozenset of str
        A hash of the responses of each TR, so that rows are known in a story of another name,
        trimmed or cut otherwise. Rows that were scaled anew are not.
    is_test : bool
        These are test stories: :func:`choose_best` refuses to choose by them.

    Raises
    ------
    ValueError
        If there is no story or model, or one is named twice.
    AlignmentError
        If there is not a row of scores for each model.
    """

    stories: tuple[str, ...]
    models: tuple[str, ...]
    scores: Array = field(repr=False)
    fingerprints: frozenset[str] = field(default=frozenset(), repr=False)
    is_test: bool = False

    def __post_init__(self) -> None:
        for name in ("stories", "models"):
            object.__setattr__(self, name, _names(getattr(self, name), name))
        scores = as_numbers(self.scores, "scores").astype(np.float64)
        if scores.ndim != 2 or len(scores) != len(self.models):
            msg = (
                f"scores have shape {scores.shape}; expected (n_models, n_voxels) for "
                f"{len(self.models)} models."
            )
            raise AlignmentError(msg)
        scores.flags.writeable = False
        object.__setattr__(self, "scores", scores)


@dataclass(frozen=True, eq=False)
class BestModels:
    """The model chosen in each voxel, and the stories that chose it.

    Made by :func:`choose_best`. Holds no score of the stories that chose: those of the chosen
    models are too good there.

    Parameters
    ----------
    stories : tuple of str
        Those of the selection; :meth:`scores` refuses every one of them.
    models : tuple of str
    chosen : array of int of shape (n_voxels,)
        Position in ``models``; -1 in voxels where no model has a score.
    fingerprints : frozenset of str
    """

    stories: tuple[str, ...]
    models: tuple[str, ...]
    chosen: Array = field(repr=False)
    fingerprints: frozenset[str] = field(default=frozenset(), repr=False)

    def map(self, values: ArrayLike | None = None) -> Array:
        """Give each voxel a number of its model, such as the depth of a layer.

        Parameters
        ----------
        values : array of shape (n_models,), optional
            By default the position in ``models``.

        Returns
        -------
        array of shape (n_voxels,), float64
            NaN in voxels where no model has a score.

        Raises
        ------
        AlignmentError
            If there is not one value for each model.
        """
        numbers = np.arange(len(self.models)) if values is None else as_numbers(values, "values")
        if numbers.shape != (len(self.models),):
            msg = (
                f"values have shape {numbers.shape}; expected one for each of "
                f"{len(self.models)} models."
            )
            raise AlignmentError(msg)
        return np.where(self.chosen >= 0, numbers.astype(np.float64)[self.chosen], np.nan)

    def scores(self, test: StoryScores) -> Array:
        """Score each voxel's model on stories that had no part in choosing it.

        Parameters
        ----------
        test : StoryScores
            Of the same voxels, and of all models that were chosen from, in any order.

        Returns
        -------
        array of shape (n_voxels,), float64
            NaN in voxels without a choice, or where the chosen model has no score.

        Raises
        ------
        ValueError
            If a story also took part in the selection, under its name or another.
        AlignmentError
            If a model is missing, or voxels differ.
        TypeError
            If the scores do not say which stories they come from.
        """
        _refuse_plain(test)
        self._refuse_shared(test)
        missing = [model for model in self.models if model not in test.models]
        if missing:
            hint = did_you_mean(missing[0], test.models)
            msg = f"the test has no scores of {missing}{hint}; expected all models chosen from."
            raise AlignmentError(msg)
        if test.scores.shape[1] != len(self.chosen):
            msg = (
                f"the test has {test.scores.shape[1]} voxels, the selection {len(self.chosen)}; "
                "expected the same ones."
            )
            raise AlignmentError(msg)
        rows = np.array([test.models.index(model) for model in self.models])
        scores = test.scores[rows[self.chosen], np.arange(len(self.chosen))]
        return np.where(self.chosen >= 0, scores, np.nan)

    def _refuse_shared(self, test: StoryScores) -> None:
        shared = [story for story in test.stories if story in self.stories]
        if shared:
            msg = (
                f"stories {shared} chose the models and cannot report on them: the best of "
                f"{len(self.models)} looks too good there; report on stories other than "
                f"{list(self.stories)}, or choose without these."
            )
            raise ValueError(msg)
        n_shared = len(self.fingerprints & test.fingerprints)
        if n_shared:
            msg = (
                f"stories {list(test.stories)} hold the very responses of {list(self.stories)}, "
                f"which chose the models, in {n_shared} place(s); report on other stories."
            )
            raise ValueError(msg)


def story_scores(
    Y: ArrayLike,
    predictions: Mapping[str, ArrayLike],
    stories: Mapping[str, int],
    *,
    only: Collection[str] | None = None,
    statistic: str = "correlation",
) -> StoryScores:
    """Score several models on named stories.

    Parameters
    ----------
    Y : array of shape (n_trs, n_voxels)
        Responses to stories one after another. May be a memory map.
    predictions : mapping of str to array of the same shape
        By model, or by layer.
    stories : mapping of str to int
        Each story's TRs, in the order of the rows.
    only : collection of str, optional
        Stories to score on, together. By default all.
    statistic : {"correlation", "r2", "signed_r2"}
        Of all rows of these stories together.

    Returns
    -------
    StoryScores

    Raises
    ------
    AlignmentError
        If stories do not add up to the rows, or a prediction has another shape.
    ValueError
        If a story is unknown or there is none, there is no model, or ``statistic`` is unknown.
    TypeError
        If a length is not an integer, or a dtype is not one of real numbers.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> Y = rng.standard_normal((300, 4))
    >>> guesses = {"first": Y + 1, "last": rng.standard_normal((300, 4))}
    >>> stories = {"avatar": 100, "buck": 100, "souls": 100}
    >>> validation = story_scores(Y, guesses, stories, only=["avatar", "buck"])
    >>> test = story_scores(Y, guesses, stories, only=["souls"])
    >>> validation.stories, choose_best(validation).scores(test).round(3)
    (('avatar', 'buck'), array([1., 1., 1., 1.]))
    """
    known("statistic", statistic, _SCORES)
    responses = as_numbers(Y, "Y")
    if responses.ndim != 2:
        msg = f"Y has shape {responses.shape}; expected (n_trs, n_voxels)."
        raise ValueError(msg)
    rows_of = dict(
        zip(stories, run_rows(as_lengths(list(stories.values()), len(responses))), strict=True)
    )
    names = _names(rows_of if only is None else only, "stories")
    for name in names:
        if name not in rows_of:
            hint = did_you_mean(name, rows_of)
            msg = f"story {name!r} is unknown{hint}; expected some of {list(rows_of)}."
            raise ValueError(msg)
    models = _names(predictions, "models")
    rows = np.concatenate([np.arange(rows_of[name].start, rows_of[name].stop) for name in names])
    scores = np.empty((len(models), responses.shape[1]))
    for of_model, name in zip(scores, models, strict=True):
        guess = as_numbers(predictions[name], f"the prediction of {name!r}")
        if guess.shape != responses.shape:
            msg = (
                f"the prediction of {name!r} has shape {guess.shape}, Y {responses.shape}; "
                "expected the same TRs and voxels in both."
            )
            raise AlignmentError(msg)
        for voxels in voxel_blocks(responses.shape[1], 3 * len(rows)):
            of_model[voxels] = _SCORES[statistic](responses[rows, voxels], guess[rows, voxels])
    prints = frozenset(one for name in names for one in _fingerprints(responses[rows_of[name]]))
    return StoryScores(names, models, scores, prints)


def choose_best(validation: StoryScores) -> BestModels:
    """Choose in each voxel the model that scores best on the stories of a selection.

    Choose on validation stories and report on test stories: the answer refuses to report on a
    story that it was chosen on.

    Parameters
    ----------
    validation : StoryScores
        Of :func:`story_scores`; a plain array is refused, since it does not say where it is from.

    Returns
    -------
    BestModels
        The first of equals. A model without a score in a voxel is passed over there.

    Raises
    ------
    TypeError
        If the scores do not say which stories they come from.
    ValueError
        If they come from test stories, as a study's ``layer_scores(subject, "test")`` say.

    Examples
    --------
    >>> scores = [[0.1, 0.3, np.nan], [0.2, 0.2, np.nan]]
    >>> best = choose_best(StoryScores(("buck",), ("layer 3", "layer 6"), scores))
    >>> best.chosen, best.map([3, 6])
    (array([ 1,  0, -1]), array([ 6.,  3., nan]))
    >>> best.scores(StoryScores(("buck",), ("layer 3", "layer 6"), scores))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: stories ['buck'] chose the models and cannot report on them: ...
    """
    _refuse_plain(validation)
    if validation.is_test:
        msg = (
            f"stories {list(validation.stories)} are test stories, and cannot choose what is "
            "reported on them; choose by validation stories."
        )
        raise ValueError(msg)
    ranked = np.where(np.isnan(validation.scores), -np.inf, validation.scores)
    has_score = ~np.isnan(validation.scores).all(axis=0)
    chosen = np.where(has_score, ranked.argmax(axis=0), -1)
    chosen.flags.writeable = False
    return BestModels(validation.stories, validation.models, chosen, validation.fingerprints)


def _refuse_plain(scores: object) -> None:
    if not isinstance(scores, StoryScores):
        msg = (
            f"scores are of type {type(scores).__name__}, which does not say which stories they "
            "come from; expected StoryScores: make them with story_scores."
        )
        raise TypeError(msg)


def _names(names: Collection[str], what: str) -> tuple[str, ...]:
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        msg = f"{what} are {names!r}; expected names, as a sequence of strings."
        raise TypeError(msg)
    if not names or len(set(names)) < len(names):
        msg = f"{what} are {list(names)}; expected at least one, and none of them twice."
        raise ValueError(msg)
    return tuple(names)


def _fingerprints(responses: Array) -> Iterator[str]:
    """Hash TRs by their values in float32: as many at a time as cannot be alike by chance."""
    n_together = -(-_TELLING // responses.shape[1])
    values = np.ascontiguousarray(responses, dtype=np.float32)
    for start in range(len(values) - n_together + 1):
        some = values[start : start + n_together]
        if np.ptp(some):  # what is empty is alike everywhere
            yield hashlib.sha256(some.tobytes()).hexdigest()[:16]
