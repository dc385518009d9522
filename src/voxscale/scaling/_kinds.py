"""The laws there are, a row each: what is linear in them, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import FitError

__all__ = [
    "KINDS",
    "ROUNDING",
    "Kind",
    "are_equal",
    "basis",
    "check_sizes",
    "curve",
    "pulls",
    "slope",
    "tangent",
]

_Shape = Callable[[Array, Array], Array]
_Pair = Callable[[Array, Array], tuple[Array, Array]]

# Where exp(-exponent * v) has fallen to this at the second smallest size, the law is a step: no
# larger exponent can be told from it.
_STEP = 1e-3
_N_NODES = 65
# From here on, 1 - exp(-t) loses no digits that count, and costs a tenth of expm1.
_LARGE = 0.05
# What scores may differ by, as a share of the largest, and be the same but for rounding.
ROUNDING = 8 * float(np.finfo(np.float64).eps)
# Residuals may flatten the sum of squares by this share; beyond it, no second order is a law's.
_FLATTEST = 0.9


class Kind(NamedTuple):
    """``score = offset + polynomial(v) + coefficient · shape(theta, v)``, with v = ln(x / x_min).

    Parameters
    ----------
    name, formula : str
    n_base : int
        Terms of the polynomial: none, a constant, or a constant and v.
    shape, by_theta, by_v : functions of (theta, v), which broadcast
        The shape, and its derivatives.
    pair : function of theta (n_thetas,) and v (n_points, 1)
        The shape and its derivative by theta at once, where that is cheaper.
    theta : {None, "exponent", "break"}
        What the law is not linear in.
    nodes : function of the v of the sizes
        Grid of theta, from the lowest to the highest value that data can tell.
    n_parameters, least_sizes : int
        Without the scatter about the law; how many different sizes a fit needs.
    """

    name: str
    formula: str
    n_base: int
    shape: _Shape
    by_theta: _Shape
    by_v: _Shape
    pair: _Pair | None
    theta: str | None
    nodes: Callable[[Array], Array]
    n_parameters: int
    least_sizes: int

    def __reduce__(self) -> tuple[Callable[[str], Kind], tuple[str]]:
        return _named, (self.name,)  # a row holds functions that cannot be pickled

    def both(self, theta: Array, v: Array) -> tuple[Array, Array]:
        """Compute shape and derivative, of shape (n_points, n_thetas); v of shape (n_points, 1)."""
        if self.pair is not None:
            return self.pair(theta, v)
        return self.shape(theta, v), self.by_theta(theta, v)


def _rise(alpha: Array, v: Array) -> Array:
    """Compute (1 - exp(-alpha v)) / alpha, which is v itself at alpha = 0."""
    is_line = alpha == 0
    return np.asarray(np.where(is_line, v, -np.expm1(-alpha * v) / np.where(is_line, 1.0, alpha)))


def _rise_by_alpha(alpha: Array, v: Array) -> Array:
    t = alpha * v
    is_small = np.abs(t) < 1e-3
    safe = np.where(is_small, 1.0, t)
    fallen = np.expm1(-safe)
    exact = (safe * (1 + fallen) + fallen) / safe**2
    series = -0.5 + t * (1 / 3 + t * (-1 / 8 + t / 30))
    return np.asarray(v**2 * np.where(is_small, series, exact))


def _rise_pair(alpha: Array, v: Array) -> tuple[Array, Array]:
    """Compute the rise (n_points, n_alphas) and its derivative; v of shape (n_points, 1)."""
    is_small = alpha * v[v > 0].min() < _LARGE
    safe = np.where(is_small, 1.0, alpha)
    t = safe * v
    left = np.exp(-t)
    shape = (1 - left) / safe
    by_alpha = (v * left - shape) / safe
    if is_small.any():
        shape[:, is_small] = _rise(alpha[is_small], v)
        by_alpha[:, is_small] = _rise_by_alpha(alpha[is_small], v)
    return shape, by_alpha


def _decay(alpha: Array, v: Array) -> Array:
    return np.asarray(np.exp(-alpha * v))


def _hinge(at: Array, v: Array) -> Array:
    return np.asarray(np.maximum(v - at, 0.0))


def _beyond(at: Array, v: Array) -> Array:
    return np.asarray((v > at) * 1.0)


def _exponents(v: Array) -> Array:
    """Space exponents evenly where the law is nearly a line, and by their logarithms beyond."""
    different = np.unique(v)
    reach = different[-1]
    highest = -np.log(_STEP) / different[1]
    return np.asarray(np.expm1(np.linspace(0.0, np.log1p(highest * reach), _N_NODES)) / reach)


def _breaks(v: Array) -> Array:
    """Space breaks evenly from the second smallest to the second largest size.

    Before the second size, a break and the slope before it trade off without a trace.
    """
    different = np.unique(v)
    return np.unique(np.r_[np.linspace(different[1], different[-2], _N_NODES), different[1:-1]])


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "log-linear", "intercept + slope · log10(x)", 1,
            lambda _, v: v, lambda _, v: 0.0 * v, lambda _, v: 1.0 + 0.0 * v,
            None, None, lambda _: np.zeros(1), 2, 2,
        ),
        Kind(
            "power", "asymptote − coefficient · x^(−exponent)", 1,
            _rise, _rise_by_alpha, _decay,
            _rise_pair, "exponent", _exponents, 3, 4,
        ),
        Kind(
            "saturating", "ceiling − coefficient · x^(−exponent)", 0,
            lambda a, v: -_decay(a, v), lambda a, v: v * _decay(a, v),
            lambda a, v: a * _decay(a, v),
            None, "exponent", _exponents, 2, 4,
        ),
        Kind(
            "broken", "a line in log10(x) before the break, and another after it", 2,
            _hinge, lambda k, v: -_beyond(k, v), _beyond,
            None, "break", _breaks, 4, 5,
        ),
    )
}  # fmt: skip


def _named(name: str) -> Kind:
    return KINDS[name]


def check_sizes(kind: Kind, x: Array) -> None:
    """Refuse a law that so few sizes cannot tell."""
    n_different = np.unique(np.log10(x)).size
    if n_different >= kind.least_sizes:
        return
    if kind.theta is None:
        msg = f"x has {n_different} different value(s); a slope needs at least two: add a size."
    else:
        missing = kind.least_sizes - n_different
        msg = (
            f"x has {n_different} different value(s); a law of kind {kind.name!r} has "
            f"{kind.n_parameters} parameters and needs at least {kind.least_sizes}, to tell its "
            f"{kind.theta}: add {missing} more, or fit kind='log-linear'."
        )
    raise FitError(msg)


def are_equal(mean: Array) -> Array:
    """Tell which curves, of shape (n_points, ...), are flat but for rounding."""
    most = ROUNDING * np.abs(mean).max(axis=0)
    return np.asarray((np.abs(mean - mean[0]) <= most).all(axis=0))


def basis(kind: Kind, v: Array) -> Array:
    """Return the polynomial terms, of shape (n_base, *v.shape)."""
    return np.array([v**power for power in range(kind.n_base)]).reshape(kind.n_base, *v.shape)


def _theta_of(kind: Kind, parameters: Array) -> Array:
    return np.asarray(parameters[kind.n_base + 1] if kind.theta else 0.0)


def curve(kind: Kind, parameters: Array, v: Array, offset: Array | float = 0.0) -> Array:
    """Evaluate laws at v; parameters of shape (n_parameters, ...) broadcast against v."""
    score = offset + parameters[kind.n_base] * kind.shape(_theta_of(kind, parameters), v)
    for power in range(kind.n_base):
        score = score + parameters[power] * v**power
    return np.asarray(score)


def slope(kind: Kind, parameters: Array, v: Array) -> Array:
    """Differentiate laws by log10(x), at v."""
    per_v = parameters[kind.n_base] * kind.by_v(_theta_of(kind, parameters), v)
    if kind.n_base == 2:
        per_v = per_v + parameters[1]
    return np.asarray(np.log(10) * per_v)


def tangent(kind: Kind, parameters: Array, v: Array) -> Array:
    """Differentiate laws by their parameters, which v broadcasts against: (n_parameters, ...)."""
    theta = _theta_of(kind, parameters)
    rows = [*basis(kind, v), kind.shape(theta, v)]
    if kind.theta:
        rows.append(parameters[kind.n_base] * kind.by_theta(theta, v))
    return np.stack(np.broadcast_arrays(*rows))


def pulls(kind: Kind, v: Array, parameters: Array, rest: Array) -> Array:
    """Differentiate least-squares parameters by the points that they are fitted to.

    Parameters
    ----------
    kind : Kind
    v : array of shape (n_points,)
    parameters : array of shape (n_parameters, n)
    rest : array of shape (n_points, n)
        Residuals of the fits.

    Returns
    -------
    array of shape (n, n_parameters, n_points)
        The tangent's pseudo-inverse; and, of an exponent, the residuals times the law's second
        derivative by it (where the sum of squares is smooth, the mixed ones cancel, and those of
        a broken line are 0). Without the latter at a bound, which is no such minimum.

    References
    ----------
    Bates & Watts 1980, J. R. Stat. Soc. B 42:1 (the effective residual curvature).
    """
    tangents = np.moveaxis(tangent(kind, parameters, v[:, None]), 2, 0).swapaxes(1, 2)
    inverse = np.linalg.pinv(tangents, rcond=1e-12)
    if kind.theta != "exponent":
        return np.asarray(inverse)
    theta = parameters[-1]
    step = 1e-4 * np.maximum(theta, 1 / v.max())
    rise = kind.by_theta(theta + step, v[:, None]) - kind.by_theta(theta - step, v[:, None])
    second = parameters[-2] * np.einsum("pv,pv->v", rest, rise) / (2 * step)
    # (JᵀJ - second · e eᵀ)⁻¹ Jᵀ, by the formula of Sherman and Morrison.
    column = np.einsum("vap,vp->va", inverse, inverse[:, -1])  # of (JᵀJ)⁻¹
    share = second * column[:, -1]
    along = np.abs(np.einsum("pv,vpa->va", rest, tangents))
    lengths = np.sqrt(np.einsum("vpa,vpa->va", tangents, tangents))
    size = np.sqrt(np.einsum("pv,pv->v", rest, rest))
    is_smooth = (along <= 1e-5 * lengths * size[:, None]).all(axis=1) & (share < _FLATTEST)
    factor = np.where(is_smooth, second / np.where(is_smooth, 1 - share, 1.0), 0.0)
    return np.asarray(inverse + (factor[:, None] * column)[:, :, None] * inverse[:, -1:])
