"""What the position in a story does: states drift at its start, and scores follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from voxscale.reports._style import FOUND, MUTED, PAGE_WIDTH, colour_of, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from voxscale.arrays import Array

__all__ = ["position_curves"]

_WORDS = 10  # over which the drift is averaged, to be seen


@styled
def position_curves(
    drifts: Mapping[str, ArrayLike],
    scores: Mapping[str, tuple[Array, Array]] | None = None,
    *,
    trim_trs: int | None = None,
) -> Figure:
    """Draw the drift of hidden states, and the score, against the position in the story.

    Parameters
    ----------
    drifts : mapping of label to array of shape (n_words,)
        Of :func:`voxscale.evaluate.state_drift`: a line each, such as one for each layer.
    scores : mapping of label to (first_trs, scores), optional
        Of :func:`voxscale.evaluate.score_by_position`: a line each, the mean over voxels.
    trim_trs : int, optional
        TRs that are left out at the start of a run; drawn as a line over the scores.

    Returns
    -------
    matplotlib Figure
        One panel, or two where there are scores.
    """
    figure, grid = new_figure(1, 1 if scores is None else 2, width=PAGE_WIDTH, height=3.4)
    ax = grid[0][0]
    for i, (label, drift) in enumerate(drifts.items()):
        smooth = _binned(np.asarray(drift, dtype=np.float64), _WORDS)
        middle = _WORDS * np.arange(len(smooth)) + _WORDS / 2
        ax.plot(middle, smooth, color=colour_of(i), label=label)
    ax.axhline(1.0, color=MUTED, lw=0.8)
    ax.set(xlabel="word of the story", ylabel="drift (rms z; 1 = as the later half)")
    low, high = ax.dataLim.intervaly
    if low > 0 and high > 10 * low:
        ax.set_yscale("log")
    ax.set_title("Hidden states")
    ax.legend()
    if scores is not None:
        _draw_scores(grid[0][1], scores, trim_trs)
    return figure


def _draw_scores(ax: Axes, scores: Mapping[str, tuple[Array, Array]], trim_trs: int | None) -> None:
    for i, (label, (first_trs, values)) in enumerate(scores.items()):
        n_known = np.isfinite(values).sum(axis=1)
        with np.errstate(invalid="ignore"):
            mean = np.nansum(values, axis=1) / np.where(n_known, n_known, np.nan)
        ax.plot(first_trs, mean, "o-", color=colour_of(i), label=label)
    if trim_trs is not None:
        ax.axvline(trim_trs, color=FOUND, lw=0.8, ls="--", label=f"{trim_trs} TRs trimmed")
    ax.set(xlabel="TR of the run (start of the window)", ylabel="r, mean over voxels")
    low, high = ax.get_ylim()
    ax.set_ylim(min(0.0, low), max(0.0, high * 1.05))  # from 0: small changes look small
    ax.set_title("Score")
    ax.legend()


def _binned(values: Array, size: int) -> Array:
    """Mean of every ``size`` values; a shorter rest counts as a bin."""
    starts: Sequence[int] = range(0, len(values), size)
    return np.array([values[start : start + size].mean() for start in starts])
