"""Values on the pixels of somebody's flat map."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.data import Outline, PycortexSubject, read_pycortex_subject
from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.reports._pixel_map import PixelMap
from voxscale.reports._pixel_maps import flat_picture

__all__ = [
    "FSAVERAGE", "FlatValues", "checked_alpha", "flat_values", "shown_outlines",
    "warn_without_values", "whose",
]  # fmt: skip

FSAVERAGE = "fsaverage5"


def whose(subject: str | PycortexSubject, filestore: Any = None) -> str | PycortexSubject:
    """Find a subject in a filestore of pycortex, if one is named."""
    if filestore is None:
        return subject
    if isinstance(subject, PycortexSubject):
        msg = (
            f"filestore is {filestore!r} and subject that of a filestore already; expected one "
            "of them; give the subject's name, or leave filestore out."
        )
        raise ValueError(msg)
    return read_pycortex_subject(filestore, subject)


@dataclass(frozen=True, eq=False)
class FlatValues:
    """Values, the first of which said what they are values of: voxels or vertices."""

    numbers: Array  # of the shape that the pixels take
    pixels: PixelMap
    subject: str | PycortexSubject
    transform: str | None
    mask: str

    def beside(self, name: str, values: ArrayLike) -> Array:
        """Return other values of the same voxels or vertices, in the shape that pixels take.

        Raises
        ------
        AlignmentError
            If there are more or fewer.
        """
        numbers = _filled(values)
        if isinstance(self.subject, PycortexSubject) and len(self.pixels.value_shape) == 3:
            numbers = self.subject.volume(numbers, self.transform, self.mask)
        if numbers.shape != self.pixels.value_shape:
            msg = (
                f"{name} has shape {numbers.shape}, the values {self.pixels.value_shape}; expected "
                "the same."
            )
            raise AlignmentError(msg)
        return numbers

    def middle(self, places: Array, n_levels: int) -> Array:
        """Give each pixel the middle one of its values, 0 … n_levels - 1; NaN without any.

        A mean of layers would be a layer that nobody found.
        """
        flat = places.ravel()
        shares = np.stack(
            [self.pixels.weights @ (flat == k).astype(float) for k in range(n_levels)]
        )
        reached = np.cumsum(shares, axis=0)
        middle = (reached >= reached[-1] / 2 - 1e-6).argmax(axis=0).astype(np.float64)
        picture = np.full(self.pixels.shape, np.nan)
        picture[self.pixels.inside] = np.where(reached[-1] > 0, middle, np.nan)
        return picture


def flat_values(
    values: ArrayLike,
    subject: str | PycortexSubject,
    transform: str | None,
    mask: str,
    n_rows: int,
) -> FlatValues:
    """Find the pixels for values of whatever kind; see `flat_picture`."""
    surface = subject if isinstance(subject, PycortexSubject) else FSAVERAGE
    given = _filled(values)
    _, pixels = flat_picture(given, surface, transform=transform, mask=mask, n_rows=n_rows)
    numbers = given
    if isinstance(subject, PycortexSubject) and len(pixels.value_shape) == 3:
        numbers = subject.volume(given, transform, mask)
    return FlatValues(
        np.where(np.isfinite(numbers), numbers, np.nan), pixels, subject, transform, mask
    )


def warn_without_values(is_known: Array, stacklevel: int = 4) -> None:
    """Warn where nothing but the folds would be drawn."""
    if not is_known.any():
        msg = "no voxel has a value: all are NaN; the map shows the folds alone."
        warnings.warn(msg, VoxscaleWarning, stacklevel=stacklevel)


def checked_alpha(alpha: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Check opacities, and spread a single one.

    Raises
    ------
    AlignmentError
        If there are not as many as values.
    ValueError
        If one is below 0 or above 1.
    """
    numbers = _filled(alpha)
    if numbers.ndim and numbers.shape != shape:
        msg = (
            f"alpha has shape {numbers.shape}, the values have {shape}; expected one opacity for "
            "each value, or a single one."
        )
        raise AlignmentError(msg)
    known = numbers[np.isfinite(numbers)]
    if known.size and not (known.min() >= 0 and known.max() <= 1):
        msg = (
            f"alpha goes from {known.min():g} to {known.max():g}; expected opacities between 0, "
            "where the folds show, and 1; scale them, or use flatmap_2d, which has limits."
        )
        raise ValueError(msg)
    return np.broadcast_to(numbers, shape)


def shown_outlines(subject: str | PycortexSubject, layer: str | None) -> tuple[Outline, ...]:
    """Return a layer's outlines that are not hidden; "rois" need not be there.

    Raises
    ------
    DataError
        If there is no layer of another name.
    ValueError
        If it is asked for on fsaverage5, of which nothing was drawn.
    """
    if layer is None:
        return ()
    if not isinstance(subject, PycortexSubject):
        if layer == "rois":
            return ()
        msg = f"outlines is {layer!r}, but fsaverage5 has none; expected a subject of pycortex."
        raise ValueError(msg)
    if layer == "rois" and layer not in subject.outline_layers:
        return ()
    return tuple(one for one in subject.outlines(layer) if not one.is_hidden)


def _filled(values: ArrayLike) -> Array:
    """Return float64 with NaN where a masked array is masked."""
    return np.asarray(np.ma.filled(np.ma.asarray(values).astype(np.float64), np.nan))
