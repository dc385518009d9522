"""Pixel maps that are kept in the user's cache folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.reports._kept import kept
from voxscale.reports._pixel_map import PixelMap

__all__ = ["kept_pixel_map"]

_RECIPE = 1  # raise it when the same files give another map


def kept_pixel_map(fields: Mapping[str, Any], make: Callable[[], PixelMap]) -> PixelMap:
    """Read a pixel map from the cache, or make it and keep it there.

    One that cannot be read is made again. Where none can be kept, one warning says why.

    Parameters
    ----------
    fields : mapping
        All that can change the map: hashes of files, and settings.
    make : function without arguments, which returns a PixelMap

    Returns
    -------
    PixelMap
    """
    whole = {**fields, "recipe": _RECIPE}
    return kept("pixel-maps", whole, make=make, read=_read, write=_write)


def _write(file: Any, pixels: PixelMap) -> None:
    np.savez(
        file,
        data=pixels.weights.data.astype(np.float32),
        indices=pixels.weights.indices.astype(np.int32),
        indptr=pixels.weights.indptr.astype(np.int32),
        inside=pixels.inside,
        extent=np.array(pixels.extent),
        value_shape=np.array(pixels.value_shape),
        curvature=pixels.curvature[pixels.inside],
    )


def _read(path: Path) -> PixelMap:
    """Read a map; numpy checks the sums that a zip file keeps of its parts."""
    from scipy.sparse import csr_array

    with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
        inside, extent = kept["inside"], kept["extent"].tolist()
        value_shape = tuple(int(n) for n in kept["value_shape"])
        shape = len(kept["indptr"]) - 1, int(np.prod(value_shape))
        weights = csr_array((kept["data"], kept["indices"], kept["indptr"]), shape=shape)
        curvature = np.full(inside.shape, np.nan)
        curvature[inside] = kept["curvature"]
    return PixelMap(weights, inside, tuple(extent), value_shape, curvature)
