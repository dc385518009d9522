"""What is known of a surface where the exponent of an axis ends at 0 or at 4."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from voxscale.arrays import Array
from voxscale.scaling._surface_forms import Form
from voxscale.scaling._surface_projection import LARGEST_EXPONENT

if TYPE_CHECKING:
    from voxscale.scaling._surface import ScalingSurface

__all__ = ["bound_intervals", "endless_interval"]


def bound_intervals(
    form: Form,
    log_x: Array,
    means: Array,
    parameters: Array,
    covariance_of: Callable[[Array], Array],
    reach: float,
) -> Array:
    """Bound the exponents that end at 0 from above, and those that end at 4 from below.

    One step of least squares leaves the bound freely; what its interval by Student's t has
    within the bounds is kept, and from 4 on, where nothing can be told apart, all.

    Parameters
    ----------
    form : Form
    log_x : array of shape (n_points, n_axes)
    means : array of shape (n_points,)
    parameters : array of shape (n_parameters,)
    covariance_of : callable
        From a gain (n_parameters, n_points) to a covariance of parameters.
    reach : float
        Standard errors to either side.

    Returns
    -------
    array of shape (n_axes, 2)
        NaN for exponents that are at no bound, and in forms without exponents.
    """
    n_axes = log_x.shape[1]
    ends = np.full((n_axes, 2), np.nan)
    if not form.has_exponents:
        return ends
    gain = form.free_gain(log_x, parameters)
    stepped = parameters + gain @ (means - form.curve(parameters, log_x))
    away = reach * np.sqrt(np.diagonal(covariance_of(gain)))
    for axis, exponent in enumerate(parameters[1 + n_axes :]):
        at = 1 + n_axes + axis
        if exponent <= 0:
            ends[axis] = 0.0, max(0.0, stepped[at] + away[at])
        elif exponent >= LARGEST_EXPONENT:
            ends[axis] = np.clip(stepped[at] - away[at], 0.0, LARGEST_EXPONENT), np.inf
    return ends


def endless_interval(surface: ScalingSurface) -> tuple[float, float]:
    """Bound an asymptote that is infinite: by the surface's interval at its largest sizes.

    Where every axis moves the score to one side, the asymptote lies beyond that; otherwise
    nothing bounds it.
    """
    largest = {axis: float(sizes.max()) for axis, sizes in surface.x.items()}
    low, high = (float(end) for end in surface.interval(largest))
    if np.isnan(low):
        return low, high
    slopes = np.array(list(surface.slopes.values()))
    if (slopes >= 0).all():
        return low, float("inf")
    return float("-inf"), high if (slopes <= 0).all() else float("inf")
