"""Fits and intervals of a block of voxels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from voxscale.arrays import Array
from voxscale.scaling._bootstrap import bca_interval, percentile_interval
from voxscale.scaling._contrasts import accepted_thetas, t_test
from voxscale.scaling._form import Form
from voxscale.scaling._kinds import Kind, are_equal, pulls
from voxscale.scaling._slope_map import member_curves
from voxscale.scaling._units import Members
from voxscale.scaling._varpro import fit_curves

__all__ = ["QUANTITIES", "Job", "fit_block"]

QUANTITIES: dict[str, Callable[[Form, Array, float], Array]] = {
    "slopes": lambda form, parameters, largest: form.slope(parameters, np.asarray(largest)),
    "exponents": lambda form, parameters, _: form.exponent(parameters),
    "asymptotes": lambda form, parameters, _: form.asymptote(parameters),
    "breaks": lambda form, parameters, _: form.break_x(parameters),
}

# Curves that are fitted at once: what they take should stay in a processor's own memory.
_CHUNK = 8192
_VOXELS_OF_DRAWS = 64
# Of the polish of a draw, which errs by less than a thousandth of its exponent.
_STEPS_OF_DRAWS = 3


@dataclass(frozen=True, eq=False)
class Job:
    """What every block of voxels shares."""

    x: Array
    form: Form
    maps: Array
    members: Members
    interval: str
    level: float
    shares: Array  # of draws: (n_draws, n_units); empty for t
    left_out: Array  # (n_members, n_units)

    def quantities(self, form: Form, parameters: Array) -> Array:
        """Compute what is mapped, of shape (n_quantities, ...)."""
        largest = float(self.x.max())
        return np.stack([one(form, parameters, largest) for one in QUANTITIES.values()])


def fit_block(job: Job, voxels: Array) -> tuple[Array, Array, Array, int]:
    """Fit a block: values and interval ends, parameters, bounds, and how many are flat."""
    offset = np.asarray(job.form.offset)[voxels]
    form = Form(job.form.kind, job.form.smallest, offset)
    v = form.v(job.x)
    curves = member_curves(job.maps, job.members, voxels)
    mean = np.tensordot(job.members.weights, curves, axes=1)
    is_flat = are_equal(mean) & (form.kind.theta is not None)
    fitted = fit_curves(form.kind, v, mean, offset)
    values = job.quantities(form, fitted.parameters)
    if job.interval == "t":
        ends = _by_t(job, form, fitted.parameters, curves)
    else:
        ends = _by_draws(job, voxels, values)
    found = np.concatenate([values, *ends])
    found[:, is_flat] = np.nan
    fitted.parameters[:, is_flat] = np.nan
    return found, fitted.parameters, fitted.bound, int(is_flat.sum())


def _by_t(job: Job, form: Form, parameters: Array, curves: Array) -> tuple[Array, Array]:
    """Take Student's t of members: of the derivative of each quantity, and of tested thetas."""
    v, weights = form.v(job.x), job.members.weights
    mean = np.tensordot(weights, curves, axes=1)
    rest = mean - form.predict(parameters, job.x[:, None])
    moved = np.einsum("vap,mpv->mav", pulls(form.kind, v, parameters, rest), curves - mean)
    steps = 1e-4 * np.maximum(np.abs(parameters), np.abs(curves).max(axis=(0, 1)))
    if form.kind.theta:
        steps[-1] = 1e-5 * np.maximum(parameters[-1], 1 / v.max())
    steps = np.where(steps > 0, steps, 1e-12)
    influence = np.zeros((len(curves), len(QUANTITIES), parameters.shape[1]))
    with np.errstate(invalid="ignore"):
        for one, step in enumerate(steps):
            by = np.zeros_like(parameters)
            by[one] = step
            rise = job.quantities(form, parameters + by) - job.quantities(form, parameters - by)
            influence += rise / (2 * step) * moved[:, one, None]
        low, high = t_test(influence + job.quantities(form, parameters), weights).interval(
            job.level
        )
    if form.kind.theta:
        ends = accepted_thetas(
            form.kind, v, curves - form.offset, weights, parameters[-1], job.level
        )
        row = list(QUANTITIES).index("exponents" if form.kind.theta == "exponent" else "breaks")
        if form.kind.theta == "break":
            low[row], high[row] = (form.smallest * np.exp(end) for end in ends)
        else:
            low[row], high[row] = np.maximum(ends[0], 0.0), ends[1]
    return low, high


def _by_draws(job: Job, voxels: Array, values: Array) -> tuple[Array, Array]:
    """Fit every draw, some voxels at a time."""
    low, high = np.empty_like(values), np.empty_like(values)
    for start in range(0, len(voxels), _VOXELS_OF_DRAWS):
        some = slice(start, start + _VOXELS_OF_DRAWS)
        draws = _refitted(job, voxels[some], job.shares)
        if job.interval == "percentile":
            low[:, some], high[:, some] = percentile_interval(draws, job.level)
        else:
            left_out = _refitted(job, voxels[some], job.left_out)
            ends = bca_interval(draws, values[:, some], left_out, job.level)
            low[:, some], high[:, some] = ends
    return low, high


def _every_other(kind: Kind, v: Array) -> Array:
    """Thin the grid of theta, but for its ends and the sizes, where a break jumps."""
    nodes = kind.nodes(v)
    is_kept = np.arange(len(nodes)) % 2 == 0
    is_kept[-1] = True
    return np.asarray(nodes[is_kept | np.isin(nodes, v)])


def _refitted(job: Job, voxels: Array, shares: Array) -> Array:
    """Fit weighted means of units, of shape (n_quantities, n_voxels, n_draws)."""
    n_draws = len(shares)
    curves = np.stack([one[:, voxels].T.astype(np.float64) @ shares.T for one in job.maps]).reshape(
        len(job.maps), -1
    )
    offsets = np.repeat(np.asarray(job.form.offset)[voxels], n_draws)
    found = np.empty((len(QUANTITIES), curves.shape[1]))
    v = job.form.v(job.x)
    nodes = _every_other(job.form.kind, v)
    for start in range(0, curves.shape[1], _CHUNK):
        some = slice(start, start + _CHUNK)
        form = Form(job.form.kind, job.form.smallest, offsets[some])
        fitted = fit_curves(
            form.kind, v, curves[:, some], form.offset, nodes=nodes, most_steps=_STEPS_OF_DRAWS
        )
        found[:, some] = job.quantities(form, fitted.parameters)
    return found.reshape(len(QUANTITIES), len(voxels), n_draws)
