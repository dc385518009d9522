"""Penalties of bands for all voxels, searched block after block: a row of a table per solver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from voxscale.arrays import Array
from voxscale.errors import did_you_mean
from voxscale.fit._blocks import complaint
from voxscale.fit._choose import check_alphas
from voxscale.fit._himalaya import Found, Problem, hyper_gradient, random_search, score_candidates
from voxscale.fit._responses import Block, Responses
from voxscale.fit._search_memory import Bytes, Sizes, gradient_bytes, search_bytes

__all__ = [
    "SOLVERS",
    "Penalties",
    "Solver",
    "find_each",
    "find_shared",
    "positive_alphas",
    "solver_named",
]


class Penalties(NamedTuple):
    """Penalties that were found, and the voxels that have none.

    ``deltas`` (n_bands, n_voxels) and ``cv_scores`` (n_rows, n_voxels) are those of ``Found``;
    ``not_finite`` and ``constant`` (n_voxels,) say which responses cannot be fitted.
    """

    deltas: Array
    cv_scores: Array
    not_finite: Array
    constant: Array

    @classmethod
    def unknown(cls, n_bands: int, n_rows: int, n_voxels: int) -> Penalties:
        """Begin with NaN for all."""
        deltas, cv_scores = (np.full((n, n_voxels), np.nan) for n in (n_bands, n_rows))
        return cls(deltas, cv_scores, np.zeros(n_voxels, bool), np.zeros(n_voxels, bool))

    @property
    def undefined(self) -> Array:
        """Voxels without an answer, for whatever reason."""
        return np.asarray(np.isnan(self.deltas).any(axis=0))

    def note(self, block: Block) -> None:
        """Remember which voxels of a block cannot be fitted."""
        self.not_finite[block.voxels] = block.not_finite
        self.constant[block.voxels] = block.constant

    def complaint(self) -> str | None:
        """Say how many voxels have no answer, and why; None if all have one."""
        return complaint(self.undefined, self.not_finite, self.constant)


@dataclass(frozen=True)
class Solver:
    """A way to search.

    Parameters
    ----------
    search : function of Problem and responses (n_trs, n_voxels)
    needed : function of Sizes
        Its bytes.
    has_intercept, has_shared_alpha : bool
        What it can do.
    n_rows : function of Problem
        How many scores it gives for each voxel.
    """

    search: Callable[[Problem, Tensor], Found]
    needed: Callable[[Sizes], Bytes]
    n_rows: Callable[[Problem], int]
    has_intercept: bool
    has_shared_alpha: bool


SOLVERS = {
    "hyper_gradient": Solver(
        hyper_gradient,
        gradient_bytes,
        lambda problem: problem.n_steps,
        has_intercept=False,
        has_shared_alpha=False,
    ),
    "random_search": Solver(
        random_search,
        search_bytes,
        lambda problem: len(problem.candidates),
        has_intercept=True,
        has_shared_alpha=True,
    ),
}


def positive_alphas(alphas: ArrayLike, dtype: torch.dtype) -> Array:
    """Turn penalties into a float64 array.

    Raises
    ------
    ValueError
        If they are not a sequence of finite numbers that are more than 0 in that dtype.
    """
    values, name = check_alphas(alphas), str(dtype).removeprefix("torch.")
    with np.errstate(over="ignore"):
        used = values.astype(name)
    bad = values[~(np.isfinite(used) & (used > 0))]
    if len(bad):
        msg = f"alphas hold {bad[0]}; expected finite numbers of more than 0 in {name}."
        raise ValueError(msg)
    return values


def solver_named(name: str) -> Solver:
    """Look a solver up by name.

    Raises
    ------
    ValueError
        If no solver has that name; the message lists those that exist.
    """
    if name not in SOLVERS:
        hint = did_you_mean(str(name), SOLVERS)
        msg = f"solver {name!r} is unknown; choose one of {', '.join(SOLVERS)}{hint}."
        raise ValueError(msg)
    return SOLVERS[name]


def find_each(solver: Solver, problem: Problem, responses: Responses, width: int) -> Penalties:
    """Search the penalties of each voxel, for a block of them at a time."""
    n_rows, n_voxels = solver.n_rows(problem), responses.shape[1]
    penalties = Penalties.unknown(len(problem.kernels), n_rows, n_voxels)
    for block in responses.read(width):
        penalties.note(block)
        if block.defined.any():
            voxels = np.arange(n_voxels)[block.voxels][block.defined]
            found = solver.search(problem, _defined(block))
            penalties.deltas[:, voxels], penalties.cv_scores[:, voxels] = found
    return penalties


def find_shared(problem: Problem, responses: Responses, width: int) -> Penalties:
    """Search at random for the penalties with the best mean score over all voxels."""
    n_voxels = responses.shape[1]
    penalties = Penalties.unknown(len(problem.kernels), len(problem.candidates), n_voxels)
    shape = (len(problem.candidates), len(problem.alphas), n_voxels)
    scores = np.full(shape, np.nan, dtype=str(responses.dtype).removeprefix("torch."))
    for block in responses.read(width):
        penalties.note(block)
        if block.defined.any():
            voxels = np.arange(n_voxels)[block.voxels][block.defined]
            scores[:, :, voxels] = score_candidates(problem, _defined(block))
    scored = np.isfinite(scores).any(axis=(0, 1))
    if scored.any():
        candidate, alphas = _best(scores[:, :, scored], problem.alphas)
        rows = np.arange(len(scores))
        penalties.cv_scores[:, scored] = scores[rows, alphas][:, scored]
        with np.errstate(divide="ignore"):  # a band with no share is left out
            deltas = np.log(problem.candidates[candidate] / problem.alphas[alphas[candidate]])
        penalties.deltas[:, scored] = deltas[:, None]
    return penalties


def _best(scores: Array, alphas: Array) -> tuple[int, Array]:
    """Best candidate on average over voxels, and the best alpha of each candidate."""
    means = scores.mean(axis=2, dtype=np.float64)  # NaN where a voxel cannot be scored
    comparable = np.where(np.isfinite(means), means, -np.inf)
    # Of equal scores the larger alpha, as himalaya has it.
    chosen = (comparable + 1e-10 * np.log(alphas)).argmax(axis=1)
    return int(comparable[np.arange(len(means)), chosen].argmax()), chosen


def _defined(block: Block) -> Tensor:
    if block.defined.all():
        return block.values
    return block.values[:, torch.from_numpy(np.flatnonzero(block.defined)).to(block.values.device)]
