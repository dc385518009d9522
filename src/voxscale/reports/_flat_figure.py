"""A figure of both hemispheres side by side, with room for a colour bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.text import Text

from voxscale.arrays import Array
from voxscale.reports._pixel_map import PixelMap
from voxscale.reports._style import DPI, PAGE_WIDTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FlatFigure", "flat_figure", "show_picture"]

_SIDES = ("left hemisphere", "right hemisphere")
_BELOW, _ABOVE, _TITLE = 0.12, 0.26, 0.28  # inches of room around the picture
_MARGIN = 0.08
_ANY = "sans-serif"


class FlatFigure(Figure):
    """A figure whose text stays text when it is saved as SVG."""

    def savefig(self, *args: Any, **options: Any) -> None:
        """Save as matplotlib does; equal figures give equal files."""
        for text in self.findobj(Text):  # for viewers that have not the font
            families = text.get_fontfamily()
            text.set_fontfamily([*(one for one in families if one != _ANY), _ANY])
        with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "voxscale"}):
            super().savefig(*args, **options)


def flat_figure(pixels: PixelMap, title: str | None, strip: float) -> tuple[FlatFigure, Axes]:
    """Make a figure as high as the picture needs.

    Parameters
    ----------
    pixels : PixelMap
    title : str, optional
    strip : float, in inches
        Room at the right.

    Returns
    -------
    figure : FlatFigure
    ax : matplotlib Axes
    """
    left, right, bottom, top = pixels.extent
    width = PAGE_WIDTH - strip - _MARGIN
    height = max(width * (top - bottom) / (right - left), 1.2)
    above = _ABOVE + (_TITLE if title else 0.0)
    whole = height + _BELOW + above
    figure = FlatFigure(figsize=(PAGE_WIDTH, whole), dpi=DPI)
    if title:
        place: dict[str, Any] = {"x": 0.01, "y": 1 - 0.08 / whole, "ha": "left", "va": "top"}
        figure.suptitle(title, fontsize=11, fontweight="bold", **place)
    box = _MARGIN / PAGE_WIDTH, _BELOW / whole, width / PAGE_WIDTH, height / whole
    return figure, figure.add_axes(box)


def show_picture(ax: Axes, picture: Array, pixels: PixelMap) -> None:
    """Show colours (n_rows, n_columns, 4), and say which hemisphere is where."""
    left, right, bottom, top = pixels.extent
    ax.imshow(picture, extent=pixels.extent, interpolation="antialiased")
    ax.set(xlim=(left, right), ylim=(bottom, top))
    ax.set_aspect("equal")
    ax.set_axis_off()
    said: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": 9, "color": "#4b5058"}
    for name, x in zip(_SIDES, (left / 2, right / 2), strict=True):
        ax.text(x, 1.01, name, transform=ax.get_xaxis_transform(), **said)
