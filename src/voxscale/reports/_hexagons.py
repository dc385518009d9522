"""How many voxels lie where, in hexagons with a colour bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_hexagons"]


def draw_hexagons(ax: Axes, x: Any, y: Any, *, lowest: float, what: str) -> None:
    """Draw the density of points with x from 0 to 1 and y from ``lowest`` to 1.

    Parameters
    ----------
    ax : matplotlib Axes
    x, y : arrays of shape (n_points,)
    lowest : float
        Lower end of y.
    what : str
        What is counted, such as "voxels".
    """
    from matplotlib.colors import LogNorm

    extent = (0, 1, lowest, 1)
    density = ax.hexbin(
        x, y, gridsize=(45, 30), extent=extent, mincnt=1, norm=LogNorm(), linewidths=0.1
    )
    bar = ax.figure.colorbar(density, ax=ax, shrink=0.85, pad=0.02)
    bar.set_label(f"{what} per hexagon")
    bar.outline.set_visible(False)
