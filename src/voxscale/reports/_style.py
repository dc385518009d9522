"""One look for every figure: colours, sizes, and figures that leave pyplot alone."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np

from voxscale.arrays import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "DPI",
    "FOUND",
    "INK",
    "MUTED",
    "PAGE_WIDTH",
    "WIDTH",
    "colour_of",
    "encoded",
    "layer_colours",
    "new_figure",
    "panel_grid",
    "png",
    "rendered",
    "styled",
]

# Okabe & Ito 2008, "Color universal design": told apart by colour-blind readers.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
FOUND = "#D55E00"  # what a model says
INK = "#1c1f24"  # means over subjects, and the law through them
MUTED = "#8a8f98"  # single draws, single repeats, lines of reference
WIDTH = 6.4  # inches, of a figure with one panel
PAGE_WIDTH = 9.0  # inches, of a figure as wide as the report

_RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.edgecolor": "#4b5058",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e6ea",
    "grid.linewidth": 0.7,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "image.cmap": "viridis",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}
DPI = 150
_COMPRESSION = 3  # of 9: half the time of 6, files a few per cent larger

_Arguments = ParamSpec("_Arguments")
_Drawn = TypeVar("_Drawn")


def styled(draw: Callable[_Arguments, _Drawn]) -> Callable[_Arguments, _Drawn]:
    """Draw in the style of this package; the user's own settings come back afterwards."""

    @wraps(draw)
    def drawn(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Drawn:
        import matplotlib as mpl
        import matplotlib.figure

        with mpl.rc_context(_RC):
            result = draw(*args, **kwargs)
            if isinstance(result, mpl.figure.Figure):
                _settle(result)
        return result

    return drawn


def _settle(figure: Figure) -> None:
    """Fix what matplotlib reads from the settings only when a figure is rendered: its ticks."""
    kept: Any = {
        "labelsize": _RC["xtick.labelsize"],
        "grid_color": _RC["grid.color"],
        "grid_linewidth": _RC["grid.linewidth"],
    }
    for ax in figure.axes:
        if ax.axison:
            ax.tick_params(which="both", **kept)


def new_figure(
    n_rows: int = 1,
    n_columns: int = 1,
    *,
    width: float = WIDTH,
    height: float = 3.6,
    **options: Any,
) -> tuple[Figure, Any]:
    """Make a figure outside pyplot's list, and a 2-d array of axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    return figure, figure.subplots(n_rows, n_columns, squeeze=False, **options)


def panel_grid(n: int, n_columns: int, width: float, height: float) -> tuple[Figure, list[Any]]:
    """Make a figure of ``n`` panels, row by row; what is left of the last row stays empty.

    Parameters
    ----------
    n : int
    n_columns : int
        Panels beside each other, at most.
    width : float, in inches
        Of the figure where its panels stand in one column; several share the page's width.
    height : float, in inches
        Of a row.

    Returns
    -------
    figure : matplotlib Figure
    axes : list of Axes, of length n
    """
    n_columns = min(n_columns, n)
    n_rows = -(-n // n_columns)
    width = PAGE_WIDTH if n_columns > 1 else width
    figure, grid = new_figure(n_rows, n_columns, width=width, height=height * n_rows)
    axes = list(grid.ravel())
    for ax in axes[n:]:
        ax.set_visible(False)
    return figure, axes[:n]


def colour_of(position: int) -> str:
    """Return the colour of the subject at that position in the list."""
    return _COLOURS[position % len(_COLOURS)]


def layer_colours(n_layers: int) -> list[Any]:
    """Return one colour per layer, from early (dark) to late (light)."""
    import matplotlib as mpl

    shades = mpl.colormaps["plasma"]
    return [shades(0.05 + 0.88 * i / max(1, n_layers - 1)) for i in range(n_layers)]


def png(figure: Figure) -> bytes:
    """Render a figure; equal figures give equal bytes."""
    return encoded(rendered(figure))


def rendered(figure: Figure) -> Array:
    """Draw a figure into pixels (n_rows, n_columns, 4)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())


def encoded(pixels: Array) -> bytes:
    """Write pixels as png; other threads go on meanwhile."""
    from PIL import Image

    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    image.save(buffer, "png", compress_level=_COMPRESSION, dpi=(DPI, DPI))
    return buffer.getvalue()
