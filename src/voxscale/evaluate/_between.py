"""Statistics of the covariances between repeats, or subjects, a block of voxels at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from voxscale.arrays import Array
from voxscale.evaluate._block_bootstrap import (
    BlockPlan,
    covariance_draws,
    never_varies,
    pair_of,
    plan_blocks,
)
from voxscale.evaluate._columns import voxel_blocks
from voxscale.evaluate._interval import Interval, spread
from voxscale.evaluate._repeats import centered_series, tr_weights

__all__ = ["Bootstrap", "interval_over_voxels", "whole_stories"]

# From packed covariances to a statistic's draws, and its draws without each repeat.
Statistic = Callable[[Array], tuple[Array, Array]]


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made: the options that all ceilings share."""

    level: float
    n_bootstraps: int
    block_trs: int | None
    seed: int | np.random.Generator

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            msg = f"level is {self.level}; expected a share between 0 and 1, such as 0.95."
            raise ValueError(msg)

    def plans(self, lengths: list[int]) -> list[BlockPlan]:
        """Draw blocks of TRs for stories of these lengths."""
        return plan_blocks(lengths, self.block_trs, self.n_bootstraps, self.seed)


def whole_stories(lengths: list[int]) -> list[BlockPlan]:
    """Plan no bootstrap samples at all: the stories as they are."""
    first = np.zeros(1, dtype=np.intp)
    return [BlockPlan(first, n_trs, np.ones((1, 1)), 1) for n_trs in lengths]


def pooled_covariances(
    stories: list[Array], plans: list[BlockPlan], work: int
) -> Iterator[tuple[slice, Array, Array, Array]]:
    """Yield covariances of repeats, weighted over stories by TRs, for blocks of voxels.

    Yields
    ------
    voxels : slice
    usable : array of int
        Which of these voxels are finite and vary in every repeat.
    draws : array of shape (n_draws, n_pairs, n_usable)
    reasons : array of str
        Why the other voxels are not usable.
    """
    n_repeats, _, n_voxels = stories[0].shape
    lengths = [story.shape[1] for story in stories]
    n_sums = n_repeats * (n_repeats + 3) // 2
    held = len(plans[0].counts) * (3 * n_sums + work) + 3 * n_repeats * sum(lengths)
    for voxels in voxel_blocks(n_voxels, held):
        finite, varies = np.ones((2, voxels.stop - voxels.start), dtype=bool)
        collected = []
        for story in stories:
            series, story_finite, story_varies = centered_series(story[:, :, voxels])
            finite &= story_finite
            varies &= story_varies.all(axis=0)
            collected.append(series)
        usable = np.flatnonzero(finite & varies)
        draws = sum(
            weight * covariance_draws(series[:, :, usable], plan)
            for weight, series, plan in zip(tr_weights(lengths), collected, plans, strict=True)
        )
        reasons = np.select([~finite, ~varies], ["not finite", "constant"], default="")
        yield voxels, usable, np.asarray(draws), reasons


def interval_over_voxels(
    stories: list[Array], statistic: Statistic, work: int, bootstrap: Bootstrap
) -> Interval:
    """Estimate a statistic on a scale where its errors are about normal, with an interval.

    Parameters
    ----------
    stories : list of arrays of shape (n_repeats, n_trs, n_voxels)
    statistic : callable
    work : int
        How many numbers it needs at a time, for each voxel and draw.
    bootstrap : Bootstrap
    """
    n_voxels = stories[0].shape[2]
    plans = bootstrap.plans([story.shape[1] for story in stories])
    n_blocks = sum(plan.n_blocks for plan in plans)
    own = np.diagonal(pair_of(len(stories[0])))
    limits = np.full((3, n_voxels), np.nan)
    reasons = np.full(n_voxels, "", dtype="U20")
    for voxels, usable, draws, why in pooled_covariances(stories, plans, work):
        reasons[voxels] = why
        # A repeat that does not vary in some sample has no correlation there, and no limits.
        with np.errstate(invalid="ignore", divide="ignore"):
            whole, deleted = statistic(draws)
            groups = np.zeros(deleted.shape[1], dtype=np.intp)
            error = spread(whole, deleted, groups, n_blocks, len(plans))
            reach = error.reach(bootstrap.level)
        reach[never_varies(draws[:, own])] = np.nan
        limits[:, voxels.start + usable] = whole[0], whole[0] - reach, whole[0] + reach
    estimate, low, high = limits
    return Interval(estimate, low, high, reasons, bootstrap.level)
