"""Weights of every voxel at its own alpha, on all rows, and what they predict."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from voxscale.arrays import Array
from voxscale.arrays._linalg import matmul, one_torch_thread
from voxscale.fit._blocks import VoxelBlocks, block_width
from voxscale.fit._cross_validate import voxel_blocks
from voxscale.fit._decompose import Gram
from voxscale.fit._makers import Maker, cheapest_maker
from voxscale.fit._results import InMemory, Results

__all__ = ["KINDS", "Request", "Weights", "predicted_blocks", "solve", "solve_each"]

KINDS = ("primal", "dual")

# Of the memory that is left beside designs: what the ways to the weights of a group may take.
_SHARE_OF_MAKERS = 0.5


class Weights(NamedTuple):
    """Weights (n_features, n_voxels), and intercept (n_voxels,), or None without one.

    In the dual kind ``coef`` is (n_trs, n_voxels): ``Xᵀ`` times it are the weights.
    """

    coef: Any
    intercept: Array | None


def solve(
    gram: Gram,
    Y: Any,
    alphas: ArrayLike,
    *,
    kind: str = "primal",
    results: Results | None = None,
    train: Array | None = None,
) -> Weights:
    """Solve for the weights of every voxel at its own alpha, on all rows.

    Minimises ``||Y - X B||² + alpha ||B||²`` for each voxel.

    Parameters
    ----------
    gram : Gram
        Of the design matrix, (n_trs, n_features).
    Y : array of shape (n_trs, n_voxels)
        In memory or on disk.
    alphas : float or array of shape (n_voxels,)
        NaN: this voxel gets no weights. 0: least squares, of minimum norm where X has
        dependent columns.
    kind : {"primal", "dual"}
        "dual": a coefficient for each TR, fewer where features are many.
    results : Results, optional
        Where weights go. Default: memory.
    train : array of int, optional
        Rows whose decomposition is at hand, such as the training rows of the split that was
        scored last. It says which way to the weights is cheap, and nothing about what they are;
        it is taken on trust, so that a fit that goes on after a break makes the same bytes.

    Returns
    -------
    Weights
        ``coef`` (n_features, n_voxels) and ``intercept`` (n_voxels,) or None; NaN for voxels
        whose alpha is NaN, or that are not finite or constant.

    Raises
    ------
    AlignmentError
        If Y and the design differ in rows.
    ValueError
        If there is not one alpha, or one for each voxel, or one is negative or infinite; or if
        the kind is unknown.
    FitError
        If the memory budget is too small.

    Examples
    --------
    >>> X, Y = np.eye(3), np.array([[2.0], [4.0], [6.0]])
    >>> solve(Gram.of(X, device="cpu"), Y, 1.0).coef.ravel()
    array([1., 2., 3.], dtype=float32)
    """
    if kind not in KINDS:
        msg = f"kind is {kind!r}; expected one of {', '.join(KINDS)}."
        raise ValueError(msg)
    blocks = voxel_blocks(gram, Y)
    penalties = _one_per_voxel(alphas, blocks.n_voxels)
    kept = InMemory() if results is None else results
    return solve_each([Request(gram, penalties, kind, kept, train)], blocks)[0]


class Request(NamedTuple):
    """Weights that are wanted: of a design, at an alpha for each voxel, (n_voxels,).

    ``train`` are rows whose decomposition is at hand, or None.
    """

    gram: Gram
    alphas: Array
    kind: str
    results: Results
    train: Array | None


def solve_each(
    wanted: Sequence[Request], blocks: VoxelBlocks, *, release: bool = False
) -> list[Weights]:
    """Solve for weights of several designs, reading the responses once for all of them.

    Where the memory does not hold what all need at once, responses are read once for each group
    that it does hold. ``release`` drops the decomposition of a design once it has served.
    """
    targets = [_Target.of(one, blocks) for one in wanted]
    group: list[_Job] = []
    for target in targets:
        request = target.request
        if request.results.is_done("weights", 0, blocks.n_voxels):
            continue
        sizes = [job.solver.make.n_bytes for job in group]
        if group and sum(sizes) + max(sizes) > _SHARE_OF_MAKERS * _room(wanted):
            _write(group, blocks, _room(wanted))
            group.clear()
        gram, held = request.gram, sum(job.solver.make.n_bytes for job in group)
        make = cheapest_maker(
            gram, request.alphas, request.kind, request.train, _room(wanted) - held
        )
        if release:
            gram.release()
        group.append(_Job(target, _Solver(gram, make, request.kind)))
    if group:
        _write(group, blocks, _room(wanted))
    return [target.weights() for target in targets]


def predicted_blocks(
    X: Tensor, weights: Weights, blocks: Iterable[slice], at_mean: Tensor | None = None
) -> Iterator[tuple[slice, Tensor]]:
    """Yield predictions, of shape (n_trs, n_block_voxels), a block of voxels at a time.

    ``at_mean`` (n_coef,), float64, is what weights of 1 predict for the mean that X is about.
    """
    for block in blocks:
        coef = torch.tensor(np.asarray(weights.coef[:, block]), device=X.device)
        prediction = matmul(X, coef.to(X.dtype))
        if weights.intercept is not None:
            offset = torch.tensor(weights.intercept[block], device=X.device)
            if at_mean is not None:
                offset = offset + at_mean @ coef.double()
            prediction += offset.to(prediction.dtype)
        yield block, prediction


@dataclass(frozen=True, eq=False)
class _Target:
    """Where weights go."""

    request: Request
    coef: Any
    intercept: Any

    @classmethod
    def of(cls, request: Request, blocks: VoxelBlocks) -> _Target:
        """Make the arrays, or open those that are there."""
        gram, make = request.gram, request.results.array
        n_rows = gram.X.shape[1] if request.kind == "primal" else gram.samples.n_trs
        n_voxels, dtype = blocks.n_voxels, blocks.dtype_name
        coef, intercept = make("coef", shape=(n_rows, n_voxels), dtype=dtype, voxel_axis=1), None
        if gram.means is not None:
            intercept = make("intercept", shape=(n_voxels,), dtype=dtype, voxel_axis=0)
        return cls(request, coef, intercept)

    def weights(self) -> Weights:
        return Weights(self.coef, None if self.intercept is None else np.asarray(self.intercept[:]))


@dataclass(frozen=True, eq=False)
class _Job:
    """Weights of one design, and what makes them."""

    target: _Target
    solver: _Solver

    def lacks(self, block: slice) -> bool:
        return not self.target.request.results.is_done("weights", block.start, block.stop)

    def write(self, block: slice, values: Tensor, undefined: Array) -> None:
        """Solve for a block of voxels."""
        target, alphas = self.target, self.target.request.alphas[block]
        lost = undefined | np.isnan(alphas)
        penalties = torch.from_numpy(np.nan_to_num(alphas)).to(values.device)
        found, at_zero = self.solver.weights(values, penalties)
        weights = found.cpu().numpy()
        weights[:, lost] = np.nan
        if at_zero is not None:
            at_zero[lost] = np.nan
            target.intercept[block] = at_zero
        target.coef[:, block] = weights
        target.request.results.mark_done("weights", block.start, block.stop)


def _write(group: Sequence[_Job], blocks: VoxelBlocks, room: int) -> None:
    """Solve block by block, for all designs of a group."""
    left = room - sum(job.solver.make.n_bytes for job in group)
    per_voxel = max(job.solver.bytes_per_voxel(job.target.coef.shape[0]) for job in group)
    width = block_width(per_voxel, left, blocks.device)
    multiple = math.lcm(*(job.target.request.results.block_multiple for job in group))
    todo = [
        block for block in blocks.slices(width, multiple) if any(job.lacks(block) for job in group)
    ]
    with one_torch_thread(blocks.device):
        for block, values in blocks.read(todo):
            for job in group:
                if job.lacks(block):
                    job.write(block, values, blocks.undefined[block])


def _room(wanted: Sequence[Request]) -> int:
    """Bytes of the budget that designs leave."""
    return wanted[0].gram.budget - sum(one.gram.held_bytes for one in wanted)


@dataclass(frozen=True, eq=False)
class _Solver:
    """Weights and intercepts, for all TRs where rows do not count."""

    gram: Gram
    make: Maker
    kind: str

    def weights(self, values: Tensor, alphas: Tensor) -> tuple[Tensor, Array | None]:
        """Weights of responses (n_trs, n_block_voxels), and intercepts (n_block_voxels,)."""
        gram, mean = self.gram, None
        if gram.means is not None:
            every = torch.arange(len(values), device=values.device)
            values, mean = gram.about_mean(values, every)
        found = self.make(values, alphas)
        at_zero = None if mean is None else mean - self._at_mean @ found.double()
        if self.kind == "dual" and gram.samples.kept is not None:
            found = _spread(found, torch.from_numpy(gram.samples.kept).to(found.device), gram)
        return found, None if at_zero is None else at_zero.cpu().numpy()

    @cached_property
    def _at_mean(self) -> Tensor:
        """Responses that weights of 1 predict for the mean of X."""
        means = self.gram.means
        assert means is not None
        if self.kind == "primal":
            return means
        return (self.gram.X.double() @ means) / self.gram.root

    def bytes_per_voxel(self, n_rows: int) -> int:
        """Memory for each voxel that is worked on; weights have so many rows."""
        gram = self.gram
        itemsize = gram.X.element_size()
        n_trs, n_features = gram.X.shape
        rank = min(n_trs, n_features)
        return n_trs * (4 * itemsize + 16) + 3 * rank * itemsize + 3 * n_rows * itemsize


def _spread(values: Tensor, kept: Tensor, gram: Gram) -> Tensor:
    """Rows of all TRs, 0 where they do not count."""
    spread = values.new_zeros((gram.samples.n_trs, values.shape[1]))
    spread[kept] = values
    return spread


def _one_per_voxel(alphas: ArrayLike, n_voxels: int) -> Array:
    values = np.asarray(alphas, dtype=np.float64)
    if values.shape not in ((), (n_voxels,)):
        msg = f"alphas have shape {values.shape}; expected a number, or shape ({n_voxels},)."
        raise ValueError(msg)
    bad = values[(values < 0) | np.isinf(values)]
    if bad.size:
        msg = f"alphas hold {bad.flat[0]}; expected finite numbers, 0 or more, or NaN."
        raise ValueError(msg)
    return np.broadcast_to(values, (n_voxels,))
