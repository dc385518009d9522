"""How much a slope depends on which training stories were drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.reports._tables import with_minus

if TYPE_CHECKING:
    from voxscale.reports._size_laws import Sweep

__all__ = ["slopes_of_draws", "told_of_draws"]


def slopes_of_draws(sweep: Sweep) -> Array:
    """Fit a line to each draw of training stories alone.

    Parameters
    ----------
    sweep : Sweep

    Returns
    -------
    array of shape (n_draws,)
        Per decade, of the mean over stories and then subjects. A size with one draw, such as all
        stories, stands in the curve of each; draws that some other size lacks are left out, and
        with them all where a single size has several. Empty where there is one draw.
    """
    points = sweep.points[sweep.points["pooled_size"].notna()]
    by_story = points.groupby(["pooled_size", "draw", "subject", "story"])["mean_r"].mean()
    by_subject = by_story.groupby(["pooled_size", "draw", "subject"]).mean()
    scores = by_subject.groupby(["pooled_size", "draw"]).mean().unstack("draw")
    several = scores[scores.notna().sum(axis="columns") > 1]
    if len(several) < 2:
        return np.empty(0)
    draws = several.columns[several.notna().all(axis="index")]
    of_draws = scores.apply(_filled, axis="columns")[draws]
    decades = np.log10(of_draws.index.to_numpy(np.float64))
    return np.asarray(np.polyfit(decades, of_draws.to_numpy(np.float64), 1)[0])


def _filled(row: Any) -> Any:
    """Let a score that is alone at its size stand for every draw."""
    return row.fillna(row.dropna().iloc[0]) if row.notna().sum() == 1 else row


def told_of_draws(sweep: Sweep) -> str:
    """Say what slopes the draws have, which no interval knows of; empty where there is one."""
    slopes = slopes_of_draws(sweep)
    if len(slopes) < 2:
        return ""
    low, high = (with_minus(f"{end:+.4f}") for end in (slopes.min(), slopes.max()))
    return (
        f"Of the {len(slopes)} draws of training stories alone: {low} to {high}; the intervals "
        "take the stories that were drawn as they are."
    )
