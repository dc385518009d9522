"""Colours of two values at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import did_you_mean

__all__ = ["ColourMap2D", "colour_map_2d", "colour_square"]

# From two arrays between 0 and 1 to red, green, blue and opacity, on one axis more.
ColourMap2D = Callable[[Array, Array], Array]
_ALPHA = "_alpha"
# Both low, the first high, the second high, both high.
_CORNERS = {
    "red_blue": ("#ebebeb", "#d7301f", "#2b6cb0", "#3f0d4a"),
    "orange_blue": ("#ebebeb", "#e69f00", "#0072b2", "#26211c"),  # for the colour-blind, too
}
_N = 256


def colour_map_2d(cmap: Any) -> ColourMap2D:
    """Find or make a 2-D colour map.

    Parameters
    ----------
    cmap : str, callable, or array of shape (n_first, n_second, 4)
        A name: "plasma_alpha", or another colour map of matplotlib's and "_alpha", has the first
        value choose the colour and the second the opacity; "red_blue" and "orange_blue" mix four
        colours, one for each corner. A callable takes two arrays between 0 and 1 of one shape and
        returns red, green, blue and opacity, between 0 and 1, on one axis more. An array has
        these at its places, the lowest of both values first; one of whole numbers goes to 255.

    Returns
    -------
    callable
        From two arrays between 0 and 1 to colours, (..., 4).

    Raises
    ------
    ValueError
        If it is none of them, or has other shapes or values.
    """
    if isinstance(cmap, str):
        return _named(cmap)
    if callable(cmap):
        return _checked(cmap)
    return _of_table(np.asarray(cmap))


def colour_square(colours: ColourMap2D, n: int = _N) -> Array:
    """Return all colours of a map, (n, n, 4): the first value rightwards, the second upwards.

    The last row is the lowest, as in a picture.
    """
    ticks = (np.arange(n) + 0.5) / n
    first, second = np.meshgrid(ticks, ticks[::-1])
    return colours(first, second)


def _named(name: str) -> ColourMap2D:
    import matplotlib as mpl

    if name in _CORNERS:
        return _between_corners(_CORNERS[name])
    base = name.removesuffix(_ALPHA)
    if base != name and base in mpl.colormaps:
        return _with_opacity(mpl.colormaps[base])
    known = ["plasma_alpha", *_CORNERS]
    msg = (
        f"cmap is {name!r}{did_you_mean(name, known)}; expected one of {', '.join(known)}, another "
        "colour map of matplotlib's and '_alpha', a callable, or an array (n, m, 4)."
    )
    raise ValueError(msg)


def _with_opacity(cmap: Any) -> ColourMap2D:
    def colours(first: Array, second: Array) -> Array:
        shades = np.array(cmap(first), dtype=np.float64)
        shades[..., 3] *= second
        return shades

    return colours


def _between_corners(names: tuple[str, ...]) -> ColourMap2D:
    from matplotlib.colors import to_rgba

    low, right, up, both = (np.array(to_rgba(name)) for name in names)

    def colours(first: Array, second: Array) -> Array:
        x, y = np.asarray(first)[..., np.newaxis], np.asarray(second)[..., np.newaxis]
        return np.asarray((1 - y) * ((1 - x) * low + x * right) + y * ((1 - x) * up + x * both))

    return colours


def _of_table(table: Array) -> ColourMap2D:
    is_whole = np.issubdtype(table.dtype, np.integer)
    numbers = table / 255 if is_whole else table.astype(np.float64)
    if table.ndim != 3 or table.shape[2] != 4 or not table.size:
        msg = f"cmap has shape {table.shape}; expected (n_first, n_second, 4), with opacity."
        raise ValueError(msg)
    if not (numbers.min() >= 0 and numbers.max() <= 1):
        end = "255" if is_whole else "1"
        msg = f"cmap has values from {table.min()} to {table.max()}; expected 0 to {end}."
        raise ValueError(msg)

    def colours(first: Array, second: Array) -> Array:
        sizes = numbers.shape[:2]
        row, column = (
            np.minimum((np.asarray(one) * n).astype(int), n - 1)
            for one, n in zip((first, second), sizes, strict=True)
        )
        return np.asarray(numbers[row, column])

    return colours


def _checked(given: Callable[..., Any]) -> ColourMap2D:
    def colours(first: Array, second: Array) -> Array:
        made = np.asarray(given(first, second), dtype=np.float64)
        if made.shape != (*np.shape(first), 4):
            msg = (
                f"cmap returned shape {made.shape} for {np.shape(first)} values; expected "
                f"{(*np.shape(first), 4)}: red, green, blue and opacity of each."
            )
            raise ValueError(msg)
        if made.size and not (made.min() >= 0 and made.max() <= 1):
            msg = f"cmap returned {made.min():g} to {made.max():g}; expected 0 to 1."
            raise ValueError(msg)
        return made

    return colours
