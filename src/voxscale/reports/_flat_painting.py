"""Colours over the folds of the cortex."""

from __future__ import annotations

import numpy as np

from voxscale.arrays import Array
from voxscale.reports._pixel_map import PixelMap

__all__ = ["GYRI", "MIDDLE", "SULCI", "fold_greys", "over", "painted"]

GYRI, SULCI = 0xE6 / 255, 0xB9 / 255  # greys: bright enough that no colour map has them
MIDDLE = (GYRI + SULCI) / 2


def fold_greys(curvature: Array) -> Array:
    """Return a grey for each curvature: light gyri, dark sulci.

    Half of the places, those with the strongest curvature, have one of the two greys; between
    them the grey changes evenly. So it does not matter how much a curvature was smoothed.

    Parameters
    ----------
    curvature : array, any shape
        Above 0 on gyri. NaN is half-way.

    Returns
    -------
    array of the same shape, between 0 (black) and 1 (white)
    """
    known = np.abs(curvature[np.isfinite(curvature)])
    middle = float(np.median(known)) if known.size else 0.0
    share = np.clip(0.5 + curvature / (2 * middle), 0.0, 1.0) if middle > 0 else 0.5 + 0 * curvature
    return np.asarray(SULCI + (GYRI - SULCI) * np.where(np.isfinite(share), share, 0.5))


def painted(colours: Array, has_colour: Array, pixels: PixelMap, *, curvature: bool) -> Array:
    """Put colours over the folds.

    Parameters
    ----------
    colours : array of shape (n_coloured, 4), between 0 and 1
        Red, green, blue and opacity, which is not multiplied into them.
    has_colour : array of bool, shape (n_rows, n_columns)
    pixels : PixelMap
    curvature : bool
        Whether the folds show through; or else what is behind the picture.

    Returns
    -------
    array of uint8, shape (n_rows, n_columns, 4)
        Transparent outside the cortex.
    """
    picture = np.ones((*pixels.shape, 4))
    picture[..., 3] = 0.0  # white, so that the edges of a scaled picture have no dark seam
    if curvature:
        picture[pixels.inside, :3] = fold_greys(pixels.curvature[pixels.inside])[:, np.newaxis]
        picture[pixels.inside, 3] = 1.0
    picture[has_colour] = over(colours, picture[has_colour])
    return np.rint(255 * picture).astype(np.uint8)


def over(colours: Array, below: Array) -> Array:
    """Put colours over others, both of shape (n, 4), by their opacity.

    References
    ----------
    Porter & Duff 1984, SIGGRAPH, p. 253, doi:10.1145/800031.808606.
    """
    opacity, left = colours[:, 3:], below[:, 3:] * (1.0 - colours[:, 3:])
    whole = opacity + left
    mixed = opacity * colours[:, :3] + left * below[:, :3]
    clear = np.ones_like(mixed)
    return np.concatenate([np.divide(mixed, whole, out=clear, where=whole > 0), whole], axis=1)
