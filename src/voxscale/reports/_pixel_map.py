"""Which values each pixel of a flat map is the mean of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError

__all__ = ["PixelMap"]


@dataclass(frozen=True, eq=False)
class PixelMap:
    """A grid of pixels on a flat map, and the values that each pixel shows.

    The first row is the top one, so that matplotlib's
    ``imshow(pixels.picture(values), extent=pixels.extent)`` needs no ``origin``.

    Parameters
    ----------
    weights : scipy.sparse CSR array of shape (n_pixels_inside, n_values)
        Share of each value in the mean of a pixel, in the order of ``inside``. A row sums to 1,
        or is empty where none of a pixel lies in the volume.
    inside : array of bool, shape (n_rows, n_columns)
        Whether the centre of a pixel lies on the flattened cortex.
    extent : left, right, bottom and top, in mm
        Edges of the picture in flat coordinates, which are those of the outlines.
    value_shape : tuple of int
        Of values: (z, y, x) of a volume, or (n_vertices,).
    curvature : array of shape (n_rows, n_columns), in 1/mm
        Mean curvature of the cortex, above 0 on gyri; NaN outside.

    Raises
    ------
    AlignmentError
        If the parts do not fit each other.
    """

    weights: Any
    inside: Array
    extent: tuple[float, float, float, float]
    value_shape: tuple[int, ...]
    curvature: Array

    def __post_init__(self) -> None:
        expected = int(np.count_nonzero(self.inside)), int(np.prod(self.value_shape))
        if self.weights.shape != expected or self.curvature.shape != self.inside.shape:
            msg = (
                f"weights have shape {self.weights.shape}, curvature {self.curvature.shape}; "
                f"expected {expected}, a row for each pixel inside and a column for each value, "
                f"and {self.inside.shape}."
            )
            raise AlignmentError(msg)
        self.inside.flags.writeable = False
        self.curvature.flags.writeable = False

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of pixels."""
        n_rows, n_columns = self.inside.shape
        return n_rows, n_columns

    @cached_property
    def borders(self) -> tuple[Array, ...]:
        """Closed lines around the cortex, each (n_points, 2) in flat coordinates.

        What was drawn over the edge of the flat map can be clipped by them; lines around holes
        turn the other way.
        """
        from contourpy import contour_generator

        left, right, bottom, top = self.extent
        n_rows, n_columns = self.inside.shape
        across, down = (right - left) / n_columns, (bottom - top) / n_rows
        x = left + across * (np.arange(n_columns + 2) - 0.5)
        y = top + down * (np.arange(n_rows + 2) - 0.5)
        framed = np.pad(self.inside, 1).astype(np.float64)
        lines: Any = contour_generator(x, y, framed).lines(0.5)
        return tuple(lines)

    def picture(self, values: ArrayLike) -> Array:
        """Show values: each pixel is the mean of its values, by their weights.

        Parameters
        ----------
        values : array of shape ``value_shape``
            NaN, infinite and masked values are no answer.

        Returns
        -------
        array of shape (n_rows, n_columns), float64
            The mean over those values of a pixel that are an answer; NaN where none is, and
            outside.

        Raises
        ------
        AlignmentError
            If the values have another shape.
        """
        numbers = np.ma.filled(np.ma.asarray(values).astype(np.float64), np.nan)
        if numbers.shape != self.value_shape:
            msg = (
                f"values have shape {numbers.shape}; expected {self.value_shape}; put values of "
                "masked voxels into their volume first (PycortexSubject.volume)."
            )
            raise AlignmentError(msg)
        numbers = numbers.ravel()
        is_answer = np.isfinite(numbers)
        total = self.weights @ np.where(is_answer, numbers, 0.0)
        share = self.weights @ is_answer.astype(np.float64)
        picture = np.full(self.inside.shape, np.nan)
        nothing = np.full(len(total), np.nan)
        picture[self.inside] = np.divide(total, share, out=nothing, where=share > 0)
        return picture
