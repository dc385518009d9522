"""What single voxels did, and what a model said they would do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.errors import AlignmentError
from voxscale.reports._style import FOUND, MUTED, PAGE_WIDTH, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["course_table", "time_courses"]


def course_table(
    example: str, time_s: ArrayLike, repeats: Sequence[ArrayLike], prediction: ArrayLike
) -> Any:
    """Put one voxel's repeats and its prediction side by side, in one unit.

    Parameters
    ----------
    example : str
        The title of the panel.
    time_s : array of shape (n_trs,), in seconds
    repeats : sequence of arrays of shape (n_trs,)
        One or more responses to the same story, each in the unit of the prediction: z-scored
        over time, where the prediction is of responses that were.
    prediction : array of shape (n_trs,)

    Returns
    -------
    DataFrame
        Columns ``example``, ``time_s``, ``repeat_1`` …, ``mean``, ``prediction``. All stay in
        the unit they came in, of z-scored responses the standard deviation of a single run;
        the mean over repeats and the prediction are moved to an average over time of 0, single
        repeats as far as their mean.

    Raises
    ------
    AlignmentError
        If the lengths differ.
    """
    import pandas as pd

    times = np.asarray(time_s, dtype=np.float64)
    stack = np.asarray([np.asarray(one, dtype=np.float64) for one in repeats])
    predicted = np.asarray(prediction, dtype=np.float64)
    if stack.shape[1:] != times.shape or predicted.shape != times.shape:
        msg = (
            f"{example}: {len(times)} times, repeats of {stack.shape[1:]} and a prediction of "
            f"{predicted.shape}; expected the same TRs."
        )
        raise AlignmentError(msg)
    mean = stack.mean(axis=0)
    columns: dict[str, Any] = {"example": example, "time_s": times}
    columns |= {f"repeat_{i + 1}": one - mean.mean() for i, one in enumerate(stack)}
    columns["mean"] = mean - mean.mean()
    columns["prediction"] = predicted - predicted.mean()
    return pd.DataFrame(columns)


@styled
def time_courses(courses: Any, *, story: str = "story", unit: str = "SD of a run") -> Figure:
    """Draw the responses of a few voxels with their predictions.

    Parameters
    ----------
    courses : DataFrame
        Tables of :func:`course_table`, one under the other.
    story : str
        What was heard.
    unit : str
        Of responses and predictions.

    Returns
    -------
    matplotlib Figure
        A panel per example: single repeats faint, their mean black, the prediction in colour.
    """
    groups = list(courses.groupby("example", sort=False))
    height = 0.5 + 1.75 * len(groups)
    figure, grid = new_figure(len(groups), 1, width=PAGE_WIDTH, height=height, sharex=True)
    for ax, (example, rows) in zip(grid[:, 0], groups, strict=True):
        repeats = [name for name in rows.columns if name.startswith("repeat_")]
        if len(repeats) > 1:
            for i, name in enumerate(repeats):
                label = "single repeats" if i == 0 else None
                ax.plot(rows["time_s"], rows[name], color=MUTED, lw=0.7, alpha=0.45, label=label)
        measured = f"mean of {len(repeats)} repeats" if len(repeats) > 1 else "response"
        ax.plot(rows["time_s"], rows["mean"], color="#1c1f24", label=measured)
        ax.plot(rows["time_s"], rows["prediction"], color=FOUND, label="prediction")
        ax.set_title(example)
        ax.set_ylabel(f"BOLD ({unit})")
        ax.margins(x=0.01)
        low, high = np.nanpercentile(rows[[*repeats, "mean", "prediction"]], [0.3, 99.7])
        ax.set_ylim(1.1 * low, 1.1 * high)
        ax.set_xlabel(f"time from the onset of {story!r} (s)" if ax is grid[-1, 0] else "")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=3)
    return figure
