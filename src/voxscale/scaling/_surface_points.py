"""Whether the points at hand can tell the axes of a surface apart."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, FitError
from voxscale.scaling._surface_forms import Form

__all__ = ["axes_of", "check_points"]

# Beyond this share of an axis that the others tell, errors are more than 30 times as large.
_MOST_SHARED = 0.999
_MOST_AXES = 3


def axes_of(x: Mapping[str, ArrayLike]) -> dict[str, Array]:
    """Check that each axis is a vector of positive numbers, all of one length."""
    if not 1 <= len(x) <= _MOST_AXES:
        msg = f"x has {len(x)} axes; expected a mapping of 1 to {_MOST_AXES} names to sizes."
        raise ValueError(msg)
    axes = {name: np.array(values, dtype=np.float64) for name, values in x.items()}
    shapes = {name: values.shape for name, values in axes.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        msg = f"axes of x have shapes {told}; expected (n_points,) for each."
        raise AlignmentError(msg)
    for name, values in axes.items():
        wrong = values[~(np.isfinite(values) & (values > 0))]
        if wrong.size:
            msg = (
                f"axis {name!r} holds {wrong[0]}; expected positive, finite numbers in their own "
                "unit, since the logarithm is taken inside."
            )
            raise FitError(msg)
    return axes


def check_points(
    axes: Mapping[str, Array], log_x: Array, form: Form, kind: str, *, n_sizes: int | None = None
) -> None:
    """Refuse points that leave a parameter of the surface open, saying what to add.

    Parameters
    ----------
    axes : mapping of axis to array of shape (n_points,)
    log_x : array of shape (n_points, n_axes)
    form : Form
    kind : str
    n_sizes : int, optional
        Different sizes that each axis needs. Default: those of the form.

    Raises
    ------
    FitError
    """
    least = form.n_sizes if n_sizes is None else n_sizes
    for name, values in axes.items():
        n_different = np.unique(np.log10(values)).size
        if n_different < least:
            needs = "an exponent needs" if form.has_exponents else "a slope needs"
            else_ = ", or use kind='log-linear'" if form.has_exponents and n_different > 1 else ""
            msg = (
                f"axis {name!r} has {n_different} different size(s); {needs} at least "
                f"{least}: add sizes of {name!r}{else_}."
            )
            raise FitError(msg)
    n_points, n_needed = len(log_x), form.n_parameters(len(axes))
    if n_points < n_needed:
        msg = (
            f"there are {n_points} points; a surface of kind {kind!r} over {len(axes)} axes has "
            f"{n_needed} parameters: add {n_needed - n_points} point(s) or more."
        )
        raise FitError(msg)
    _check_apart(list(axes), log_x)


def _check_apart(names: list[str], log_x: Array) -> None:
    if len(names) == 1:
        return
    for i, name in enumerate(names):
        others = np.delete(log_x, i, axis=1)
        left = log_x[:, i] - others @ np.linalg.lstsq(others, log_x[:, i])[0]
        shared = 1 - (left @ left) / (log_x[:, i] @ log_x[:, i])
        if shared > _MOST_SHARED:
            rest = " and ".join(repr(other) for other in names if other != name)
            msg = (
                f"axis {name!r} grows together with {rest} ({100 * shared:.2f} % of its "
                "logarithm's variance is theirs), so that no fit can tell them apart; add points "
                f"where {name!r} differs and {rest} does not."
            )
            raise FitError(msg)
