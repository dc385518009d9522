"""Two values of each voxel in one flat map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.data import PycortexSubject
from voxscale.data._files import FilePath
from voxscale.reports._colour_map_2d import ColourMap2D, colour_map_2d, colour_square
from voxscale.reports._colour_scale import check_ends
from voxscale.reports._flat_painting import MIDDLE, over, painted
from voxscale.reports._flat_values import (
    FSAVERAGE,
    flat_values,
    shown_outlines,
    warn_without_values,
    whose,
)
from voxscale.reports._flatmap_native import one_of
from voxscale.reports._style import styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["flatmap_2d"]

_STRIP, _SQUARE = 1.95, 1.15  # inches: room for the square colour bar, and its side


class _Ends(NamedTuple):
    """Between which values colours change, and whether values lie beyond."""

    low: float
    high: float
    is_below: bool
    is_above: bool

    def share(self, values: Array) -> Array:
        return np.clip((values - self.low) / (self.high - self.low), 0.0, 1.0)

    def ticks(self) -> tuple[list[float], list[str]]:
        """Return the ends and the middle; a sign tells that values lie beyond."""
        at = [self.low, (self.low + self.high) / 2, self.high]
        digits = 2 - math.floor(math.log10(self.high - self.low))
        said = [f"{round(one, digits) + 0.0:.4g}" for one in at]  # of -1 and 1 the middle is 0
        said = [one.replace("-", "\N{MINUS SIGN}") for one in said]
        said[0] = f"≤ {said[0]}" if self.is_below else said[0]
        said[2] = f"≥ {said[2]}" if self.is_above else said[2]
        return at, said


@styled
def flatmap_2d(
    first: ArrayLike,
    second: ArrayLike,
    subject: str | PycortexSubject = "fsaverage5",
    *,
    title: str | None = None,
    label: str | None = None,
    label2: str | None = None,
    cmap: Any = "plasma_alpha",
    vmin: float | None = None,
    vmax: float | None = None,
    vmin2: float | None = None,
    vmax2: float | None = None,
    filestore: FilePath | None = None,
    transform: str | None = None,
    mask: str = "thick",
    outlines: str | None = "rois",
    labels: bool = True,
    curvature: bool = True,
    n_rows: int = 1024,
    axes: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Draw two values at once: one chooses the colour, the other its opacity, or both the colour.

    Where the score of a model matters only as far as there is something to explain, for example:
    room for improvement, cc_max − r, in the colour, and the noise ceiling, cc_max, in the opacity.

    Each pixel shows the mean of its values, of both on their own; the colour is that of the means.

    Parameters
    ----------
    first, second : arrays of the shapes that `flatmap` takes, both the same
        NaN in either is transparent.
    subject : str or PycortexSubject
        As of `flatmap`; so are ``filestore``, ``transform``, ``mask``, ``outlines``, ``labels``,
        ``curvature`` and ``n_rows``.
    title : str, optional
    label, label2 : str, optional
        Of the two sides of the colour bar: what the values are, and their units.
    cmap : str, callable, or array of shape (n_first, n_second, 4)
        "plasma_alpha", or another colour map of matplotlib's and "_alpha": the first value
        chooses the colour, the second the opacity. "red_blue", "orange_blue": a colour for each
        corner, and mixtures between. A callable takes both values, scaled to 0 … 1, and returns
        red, green, blue and opacity on one axis more; an array has these at its places, the
        lowest of both first.
    vmin, vmax, vmin2, vmax2 : float, optional
        Between which values of the first and of the second colours change. By default the
        smallest and the largest. "≤" and "≥" at the colour bar tell that values lie beyond.
    axes : matplotlib Axes, optional
        Draw here instead of in a new figure. The colour bar is drawn to the right of it.

    Returns
    -------
    matplotlib Figure
        Not in pyplot's list; its last axes is the colour bar.

    Warns
    -----
    VoxscaleWarning
        If nowhere both have a value.

    Raises
    ------
    AlignmentError
        If both have not the same shape, or there are not as many as voxels or vertices.
    DataError
        As `flatmap`.
    ValueError
        If a lower end is not below its upper end, or the colour map is not one.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> r, cc_max = rng.random((2, 20484))
    >>> options = {"vmin": 0, "vmax": 0.5, "vmin2": 0.2, "vmax2": 0.7}
    >>> figure = flatmap_2d(cc_max - r, cc_max, label="cc_max − r", label2="cc_max", **options)
    >>> figure.axes[-1].get_xlabel()
    'cc_max − r'
    """
    from voxscale.reports._flat_figure import flat_figure, show_picture
    from voxscale.reports._flat_outlines import draw_outlines

    somebody = whose(subject, filestore)
    colours = colour_map_2d(cmap)
    drawn = shown_outlines(somebody, outlines)
    shown = flat_values(first, somebody, transform, mask, n_rows)
    other = shown.beside("second", second)
    other = np.where(np.isfinite(other), other, np.nan)
    ends = _ends("vmin", shown.numbers, vmin, vmax), _ends("vmin2", other, vmin2, vmax2)
    both = np.isfinite(shown.numbers) & np.isfinite(other)
    warn_without_values(both)
    means = [shown.pixels.picture(np.where(both, one, np.nan)) for one in (shown.numbers, other)]
    has = np.isfinite(means[0])
    shares = [end.share(mean[has]) for end, mean in zip(ends, means, strict=True)]
    picture = painted(colours(*shares), has, shown.pixels, curvature=curvature)
    figure: Figure
    if axes is None:
        figure, ax = flat_figure(shown.pixels, _heading(somebody, title), _STRIP)
    else:
        ax = one_of(axes)
        figure = ax.figure.figure
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    show_picture(ax, picture, shown.pixels)
    draw_outlines(ax, drawn, shown.pixels, labels=labels)
    _draw_square(_room_for_square(ax, is_new=axes is None), colours, ends, (label, label2))
    return figure


def _heading(subject: str | PycortexSubject, title: str | None) -> str | None:
    if title is not None:
        return title
    name = subject.name if isinstance(subject, PycortexSubject) else subject
    return None if name == FSAVERAGE else name


def _ends(name: str, values: Array, low: float | None, high: float | None) -> _Ends:
    """Choose and check the ends of one side of the colour bar."""
    known = values[np.isfinite(values)]
    smallest, largest = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    start = smallest if low is None else float(low)
    stop = largest if high is None else float(high)
    if low is None and high is None and start == stop:
        start, stop = start - 0.5, stop + 0.5
    check_ends((name, name.replace("min", "max")), (start, stop), (low, high))
    return _Ends(start, stop, smallest < start, largest > stop)


def _room_for_square(ax: Axes, *, is_new: bool) -> Axes:
    """Make axes for the colour bar: in the strip beside a new figure, or a part of the axes."""
    if not is_new:
        return ax.inset_axes((1.12, 0.3, 0.2, 0.4))
    figure: Figure | SubFigure = ax.figure
    width, height = figure.figure.get_size_inches()
    box = ax.get_position()
    bottom = box.y0 + box.height / 2 - _SQUARE / height / 2
    left = box.x1 + (_STRIP - _SQUARE - 0.2) / width
    return figure.add_axes((left, bottom, _SQUARE / width, _SQUARE / height))


def _draw_square(
    ax: Axes, colours: ColourMap2D, ends: tuple[_Ends, _Ends], names: tuple[str | None, str | None]
) -> None:
    """Draw the colours over the middle grey of the folds, with both sides labelled."""
    square = colour_square(colours)
    below = np.full((square[..., 0].size, 4), MIDDLE)
    below[:, 3] = 1.0
    mixed = over(square.reshape(-1, 4), below).reshape(square.shape)
    across, up = ends
    extent = (across.low, across.high, up.low, up.high)
    ax.imshow(mixed, extent=extent, aspect="auto", interpolation="antialiased")
    ax.set_box_aspect(1)
    ax.grid(visible=False)
    at, said = across.ticks()
    ax.set_xticks(at, labels=said, fontsize=7)
    at, said = up.ticks()
    ax.set_yticks(at, labels=said, fontsize=7)
    ax.set_xlabel(names[0] or "first value", fontsize=8)
    ax.set_ylabel(names[1] or "second value", fontsize=8)
