"""From scores of voxels to one number that says how it was made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError
from voxscale.evaluate._columns import as_numbers
from voxscale.evaluate._metrics import STORY_MODES, Metric, ceiling_of
from voxscale.evaluate._named import known_name, parse_named, written

__all__ = ["REDUCERS", "Reduced", "Reducer", "ReducerRow", "reduce_scores"]


@dataclass(frozen=True)
class ReducerRow:
    """A row of :data:`REDUCERS`.

    Parameters
    ----------
    meaning : str
    statistic : callable
        Scores of the voxels that count to one number.
    parameter : str, optional
        What the number in parentheses is.
    chosen_by : {"cc_max", "validation"}, optional
        What of a voxel is held against the threshold.
    """

    meaning: str
    statistic: Callable[[Array], Any]
    parameter: str | None = None
    chosen_by: str | None = None

    @property
    def is_required(self) -> bool:
        """Whether the number cannot be left out."""
        return self.parameter is not None


_ABOVE = "over the voxels with a score whose {} is above the threshold"
_OF_CEILING, _OF_VALIDATION = _ABOVE.format("cc_max"), _ABOVE.format("validation score")
_CEILING, _VALIDATION = ("threshold", "cc_max"), ("threshold", "validation")
REDUCERS: dict[str, ReducerRow] = {
    "mean_voxels": ReducerRow("mean over the voxels with a score", np.mean),
    "median_voxels": ReducerRow("median over the voxels with a score", np.median),
    "mean_where_cc_max_above": ReducerRow(f"mean {_OF_CEILING}", np.mean, *_CEILING),
    "median_where_cc_max_above": ReducerRow(f"median {_OF_CEILING}", np.median, *_CEILING),
    "mean_where_validation_above": ReducerRow(f"mean {_OF_VALIDATION}", np.mean, *_VALIDATION),
    "median_where_validation_above": ReducerRow(
        f"median {_OF_VALIDATION}", np.median, *_VALIDATION
    ),
}
"""Every reducer by its name; a threshold follows in parentheses."""


@dataclass(frozen=True)
class Reducer:
    """A way to make one number of the scores of voxels.

    Parameters
    ----------
    name : str
        A key of :data:`REDUCERS`.
    threshold : float, optional
        Of ``cc_max`` or of validation scores, from 0 to below 1, where the reducer takes one.

    Raises
    ------
    ValueError
        If the name is unknown, or the threshold is missing, unwanted or out of range.

    Examples
    --------
    >>> Reducer.parse("mean_where_cc_max_above(0.35)")
    Reducer(name='mean_where_cc_max_above', threshold=0.35)
    >>> str(Reducer("mean_voxels"))
    'mean_voxels'
    """

    name: str
    threshold: float | None = None

    def __post_init__(self) -> None:
        row = REDUCERS[known_name("reducer", self.name, REDUCERS)]
        if (self.threshold is None) == row.is_required:
            takes = "needs a threshold" if row.is_required else "takes no threshold"
            msg = f"reducer {self.name!r} {takes}; got {self.threshold}."
            raise ValueError(msg)
        if self.threshold is not None and not 0 <= self.threshold < 1:
            msg = (
                f"the threshold of reducer {self.name!r} is {self.threshold}; expected a "
                "number of 0 or more and below 1, such as 0.35."
            )
            raise ValueError(msg)
        if self.threshold is not None:  # written as Python writes it, whatever it was
            object.__setattr__(self, "threshold", float(self.threshold))

    @classmethod
    def parse(cls, text: str | Reducer) -> Reducer:
        """Read a reducer from its string form, such as ``"mean_where_cc_max_above(0.35)"``.

        Raises
        ------
        TypeError
            If it is not a string.
        ValueError
            If it is unknown, or its number is not what it takes.
        """
        return text if isinstance(text, Reducer) else cls(*parse_named("reducer", text, REDUCERS))

    def __str__(self) -> str:
        """Write what :meth:`parse` reads."""
        return written(self.name, self.threshold)

    @property
    def meaning(self) -> str:
        """What it does, in words."""
        return REDUCERS[self.name].meaning

    @property
    def chosen_by(self) -> str | None:
        """What chooses voxels: "cc_max", "validation", or nothing."""
        return REDUCERS[self.name].chosen_by

    def selected(
        self, n_voxels: int, cc_max: ArrayLike | None, validation: ArrayLike | None = None
    ) -> Array:
        """Tell which voxels count, (n_voxels,) of bool, whether they have a score or not.

        Raises
        ------
        ValueError
            If a ceiling or validation scores are needed and there are none.
        AlignmentError
            If what chooses is not about these voxels.
        """
        if self.threshold is None:
            return np.ones(n_voxels, dtype=bool)
        by_ceiling = self.chosen_by == "cc_max"
        chooses = cc_max if by_ceiling else validation
        if chooses is None:
            what = "their ceiling" if by_ceiling else "their validation score"
            msg = f"reducer {str(self)!r} chooses voxels by {what}; give {self.chosen_by}."
            raise ValueError(msg)
        # A voxel without a ceiling, or a score, is NaN, which is above nothing.
        if by_ceiling:
            return np.asarray(ceiling_of(chooses, n_voxels) > self.threshold)
        return np.asarray(_validation_of(chooses, n_voxels) > self.threshold)


@dataclass(frozen=True)
class Reduced:
    """One number, with all that is needed to make it again.

    Made by :func:`reduce_scores`; ``float`` of it is the value, and ``print`` says the rest.

    Parameters
    ----------
    value : float
        NaN where no voxel counts.
    reducer : str
        Its string form, threshold included.
    metric : str
        What was reduced, floor included.
    stories : str
        One of :data:`STORY_MODES`.
    n_voxels : int
        How many count.
    n_without_score : int
        Chosen by the reducer, but left out since their score is NaN (in any story).
    n_not_chosen : int
        Left out by the reducer's rule, such as a ceiling that is too low or missing.
    by_story : tuple of float
        The same number of each story alone, over the same voxels; empty where stories are joined.
    """

    value: float
    reducer: str
    metric: str
    stories: str
    n_voxels: int
    n_without_score: int
    n_not_chosen: int
    by_story: tuple[float, ...] = ()

    def __float__(self) -> float:
        """Return the value."""
        return self.value

    def __str__(self) -> str:
        """Say it in a line."""
        n_all = self.n_voxels + self.n_without_score + self.n_not_chosen
        stories = f"{len(self.by_story)} stories, each alone" if self.by_story else "stories joined"
        left_out = f"{self.n_without_score} without a score"
        if self.n_not_chosen:
            left_out += f", {self.n_not_chosen} not chosen"
        return (
            f"{self.value:.6g}: {self.reducer} of {self.metric}, {stories}; "
            f"{self.n_voxels} of {n_all} voxels ({left_out})"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, for JSON."""
        return {**asdict(self), "by_story": list(self.by_story)}


def reduce_scores(
    scores: ArrayLike,
    reducer: str | Reducer = "mean_voxels",
    *,
    metric: str | Metric,
    stories: str = "concatenated",
    cc_max: ArrayLike | None = None,
    validation: ArrayLike | None = None,
) -> Reduced:
    """Make one number of the scores of voxels, and record how.

    Parameters
    ----------
    scores : array of shape (n_voxels,), or (n_stories, n_voxels) by story
        As :func:`score_voxels` returns them.
    reducer : str or Reducer
        One of :data:`REDUCERS`, such as ``"mean_where_cc_max_above(0.35)"``.
    metric : str or Metric
        What the scores are; recorded.
    stories : {"concatenated", "by_story"}
        By story, a voxel's score is the mean over stories, every story counting the same, and
        a voxel without a score in one of them has none.
    cc_max : array of shape (n_voxels,), optional
        For reducers that choose voxels by their ceiling.
    validation : array of shape (n_voxels,), optional
        For reducers that choose voxels by a score that knows no test story.

    Returns
    -------
    Reduced

    Raises
    ------
    AlignmentError
        If the ceiling, or the validation scores, are not about these voxels.
    ValueError
        If reducer, metric or mode is unknown, scores have other axes than the mode asks for,
        or what chooses voxels is missing.

    Examples
    --------
    >>> print(reduce_scores([0.1, 0.3, np.nan], metric="r"))
    0.2: mean_voxels of r, stories joined; 2 of 3 voxels (1 without a score)
    >>> sure = reduce_scores([0.1, 0.3, 0.2], "mean_where_cc_max_above(0.35)", metric="r",
    ...                      cc_max=[0.2, 0.5, np.nan])
    >>> sure.value, sure.n_voxels, sure.n_not_chosen
    (0.3, 1, 2)
    """
    rule, named = Reducer.parse(reducer), Metric.parse(metric)
    each = _by_story(scores, known_name("stories", stories, STORY_MODES))
    chosen = rule.selected(each.shape[1], cc_max, validation)
    has_score = np.isfinite(each).all(axis=0)
    counts = chosen & has_score
    values = each[:, counts]
    statistic = REDUCERS[rule.name].statistic
    n_voxels = int(counts.sum())
    of_story = tuple(float(statistic(row)) if n_voxels else float("nan") for row in values)
    return Reduced(
        value=float(statistic(values.mean(axis=0))) if n_voxels else float("nan"),
        reducer=str(rule),
        metric=str(named),
        stories=stories,
        n_voxels=n_voxels,
        n_without_score=int((chosen & ~has_score).sum()),
        n_not_chosen=int((~chosen).sum()),
        by_story=of_story if stories == "by_story" else (),
    )


def _validation_of(scores: ArrayLike, n_voxels: int) -> Array:
    values = as_numbers(scores, "validation").astype(np.float64)
    if values.shape != (n_voxels,):
        msg = (
            f"validation has shape {values.shape} but there are {n_voxels} voxels; expected one "
            "score for each voxel."
        )
        raise AlignmentError(msg)
    return values


def _by_story(scores: ArrayLike, stories: str) -> Array:
    """Check the axes, and see joined stories as one: (n_stories, n_voxels), float64."""
    values = as_numbers(scores, "scores")
    expected = {"concatenated": "(n_voxels,)", "by_story": "(n_stories, n_voxels)"}[stories]
    n_axes = 2 if stories == "by_story" else 1
    if values.ndim != n_axes or (n_axes == 2 and not len(values)):
        msg = f"scores have shape {values.shape}; expected {expected} where stories is {stories!r}."
        raise ValueError(msg)
    return np.atleast_2d(values.astype(np.float64))
