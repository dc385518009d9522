"""Named metrics: what the score of a voxel is, its unit, and whether stories are joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError
from voxscale.evaluate._columns import as_numbers, paired
from voxscale.evaluate._named import known_name, parse_named, written
from voxscale.evaluate._runs import run_rows
from voxscale.evaluate._scores import correlation, r2, signed_r2

__all__ = ["METRICS", "STORY_MODES", "Metric", "MetricRow", "score_voxels"]


@dataclass(frozen=True)
class MetricRow:
    """A row of :data:`METRICS`.

    Parameters
    ----------
    unit : str
    meaning : str
        The formula, in words.
    score : callable
        Responses and predictions, (n_trs, n_voxels), to (n_voxels,).
    ceiling_power : int
        Which power of ``cc_max`` the score is divided by; 0: none.
    is_variance : bool
        Whether the score is a share of variance, which can be partitioned.
    """

    unit: str
    meaning: str
    score: Callable[[ArrayLike, ArrayLike], Array]
    ceiling_power: int = 0
    is_variance: bool = True

    @property
    def parameter(self) -> str | None:
        """The number that the name takes: the smallest ceiling to divide by."""
        return "floor" if self.ceiling_power else None

    @property
    def is_required(self) -> bool:
        """Whether that number cannot be left out."""
        return False


METRICS: dict[str, MetricRow] = {
    "r": MetricRow(
        "correlation",
        "Pearson correlation of response and prediction",
        correlation,
        is_variance=False,
    ),
    "r2": MetricRow("share of variance", "1 - SS_res / SS_tot, about the mean response", r2),
    "signed_r2": MetricRow("signed share of variance", "r * |r|", signed_r2),
    "cc_norm": MetricRow(
        "correlation with the true signal",
        "r / cc_max",
        correlation,
        ceiling_power=1,
        is_variance=False,
    ),
    "r2_norm": MetricRow(
        "share of explainable variance", "r2 / cc_max squared", r2, ceiling_power=2
    ),
    "signed_r2_norm": MetricRow(
        "signed share of explainable variance",
        "r * |r| / cc_max squared",
        signed_r2,
        ceiling_power=2,
    ),
}
"""Every metric by its name. Those over a ceiling may take a floor: ``cc_norm(0.25)``."""

STORY_MODES: dict[str, str] = {
    "concatenated": "one score over the rows of all stories joined",
    "by_story": "a score for each story, then their mean, every story counting the same",
}
"""How a voxel's score is made of several test stories."""


@dataclass(frozen=True)
class Metric:
    """A metric as it was asked for.

    Parameters
    ----------
    name : str
        A key of :data:`METRICS`.
    floor : float, optional
        Smallest ceiling to divide by, above 0 and at most 1; only where the metric is over a
        ceiling. It also serves voxels without a ceiling, which are NaN otherwise.

    Raises
    ------
    ValueError
        If the metric is unknown, takes no floor, or the floor is no correlation above 0.

    Examples
    --------
    >>> Metric.parse("cc_norm(0.25)")
    Metric(name='cc_norm', floor=0.25)
    >>> str(Metric("r")), Metric("r").unit
    ('r', 'correlation')
    """

    name: str
    floor: float | None = None

    def __post_init__(self) -> None:
        row = METRICS[known_name("metric", self.name, METRICS)]
        if self.floor is None:
            return
        if not row.ceiling_power:
            msg = f"metric {self.name!r} is not over a ceiling; it takes no floor."
            raise ValueError(msg)
        if not 0 < self.floor <= 1:
            msg = (
                f"the floor of metric {self.name!r} is {self.floor}; expected a correlation "
                "above 0 and at most 1, such as 0.25."
            )
            raise ValueError(msg)
        object.__setattr__(self, "floor", float(self.floor))

    @classmethod
    def parse(cls, text: str | Metric) -> Metric:
        """Read a metric from its string form, such as ``"r2"`` or ``"cc_norm(0.25)"``.

        Raises
        ------
        TypeError
            If it is not a string.
        ValueError
            If it is unknown, or its number is not what it takes.
        """
        return text if isinstance(text, Metric) else cls(*parse_named("metric", text, METRICS))

    def __str__(self) -> str:
        """Write what :meth:`parse` reads."""
        return written(self.name, self.floor)

    @property
    def unit(self) -> str:
        """What the number is."""
        return METRICS[self.name].unit

    @property
    def needs_ceiling(self) -> bool:
        """Whether ``cc_max`` must be given."""
        return METRICS[self.name].ceiling_power > 0

    @property
    def is_variance(self) -> bool:
        """Whether the score is a share of variance."""
        return METRICS[self.name].is_variance

    def divided(self, scores: Array, cc_max: ArrayLike | None) -> Array:
        """Divide scores by their ceiling, where the metric is over one.

        Raises
        ------
        ValueError
            If it is and there is no ceiling.
        AlignmentError
            If the ceiling is not about these voxels.
        """
        power = METRICS[self.name].ceiling_power
        if not power:
            return scores
        if cc_max is None:
            msg = f"metric {str(self)!r} is over a ceiling; give cc_max, one for each voxel."
            raise ValueError(msg)
        ceiling = ceiling_of(cc_max, scores.shape[-1])
        if self.floor is not None:
            ceiling = np.fmax(ceiling, self.floor)
        return np.asarray(scores / ceiling**power)


def ceiling_of(cc_max: ArrayLike, n_voxels: int) -> Array:
    """Check that there is one ceiling for each voxel; what is not above 0 becomes NaN."""
    ceiling = as_numbers(cc_max, "cc_max").astype(np.float64)
    if ceiling.shape != (n_voxels,):
        msg = (
            f"cc_max has shape {ceiling.shape} but there are {n_voxels} voxels; expected one "
            "ceiling for each voxel."
        )
        raise AlignmentError(msg)
    return np.where(ceiling > 0, ceiling, np.nan)


def score_voxels(
    Y: ArrayLike,
    Y_pred: ArrayLike,
    metric: str | Metric = "r",
    *,
    stories: str = "concatenated",
    run_lengths: Sequence[int] | None = None,
    cc_max: ArrayLike | None = None,
) -> Array:
    """Score predictions by a named metric, over all stories joined or each alone.

    Parameters
    ----------
    Y : array of shape (n_trs, n_voxels), or (n_trs,) for one voxel
        Responses, one test story after another.
    Y_pred : array of the same shape
        Predictions.
    metric : str or Metric
        One of :data:`METRICS`, such as ``"r2"``, ``"signed_r2"``, ``"cc_norm(0.25)"``.
    stories : {"concatenated", "by_story"}
        Joined stories are scored about the mean over all of them; a story alone about its own.
    run_lengths : sequence of int, in TRs
        Length of each story; needed by story.
    cc_max : array of shape (n_voxels,), optional
        The ceiling, about the same rows as Y; for metrics over one.

    Returns
    -------
    array of shape (n_voxels,), or (n_stories, n_voxels) by story, float64
        NaN where undefined; see the metric's function. :func:`reduce_scores` makes one number
        of it.

    Raises
    ------
    AlignmentError
        If shapes differ, or stories do not add up to the rows.
    ValueError
        If the metric or the mode is unknown, a ceiling or the lengths are missing, or a story
        has fewer than 2 TRs.

    Examples
    --------
    >>> Y = np.array([[1.0], [2.0], [1.0], [2.0]])
    >>> Y_pred = np.array([[1.0], [2.0], [2.0], [1.0]])
    >>> score_voxels(Y, Y_pred)
    array([0.])
    >>> score_voxels(Y, Y_pred, stories="by_story", run_lengths=[2, 2]).ravel()
    array([ 1., -1.])
    """
    chosen = Metric.parse(metric)
    known_name("stories", stories, STORY_MODES)
    responses, predictions = paired(Y, Y_pred)
    score = METRICS[chosen.name].score
    if stories == "concatenated":
        return chosen.divided(score(responses, predictions), cc_max)
    if run_lengths is None:
        msg = "stories is 'by_story', but run_lengths is None; give the TRs of each story."
        raise ValueError(msg)
    rows = run_rows(run_lengths, len(responses))
    each = np.stack([score(responses[one], predictions[one]) for one in rows])
    return chosen.divided(each, cc_max)
