"""Axes of sizes: logarithmic, with the sizes themselves as ticks where they are few."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from voxscale.reports._law_words import size_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["name_sizes"]

_MOST_TICKS = 9  # sizes that are named one by one on the axis
_CLOSEST_TICKS = 0.08  # of its width; closer ones would run into each other


def name_sizes(
    ax: Axes, sizes: ArrayLike, *, which: Literal["x", "y"] = "x", width: float = 0.0
) -> None:
    """Make an axis logarithmic and write the sizes themselves on it where they are few.

    Parameters
    ----------
    ax : matplotlib Axes
    sizes : array
    which : {"x", "y"}
    width : float, optional
        What the axis spans, in decades. Default: as much as the sizes do.
    """
    from matplotlib.ticker import NullFormatter, NullLocator

    axis = ax.xaxis if which == "x" else ax.yaxis
    (ax.set_xscale if which == "x" else ax.set_yscale)("log")
    different: list[float] = np.unique(np.asarray(sizes, dtype=np.float64)).tolist()
    if len(different) > _MOST_TICKS:
        return
    closest = _CLOSEST_TICKS * (width or math.log10(different[-1] / different[0]))
    shown = different[:1]
    for size in different[1:]:
        if math.log10(size / shown[-1]) > closest:
            shown.append(size)
    axis.set_ticks(shown, labels=[size_text(size) for size in shown])
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
