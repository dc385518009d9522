"""Weights of every voxel at its own alpha, on all rows, and what they predict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from voxscale.arrays import Array
from voxscale.arrays._linalg import matmul, one_torch_thread
from voxscale.fit._blocks import VoxelBlocks, block_width, check_budget
from voxscale.fit._cross_validate import voxel_blocks
from voxscale.fit._decompose import Gram
from voxscale.fit._makers import Bordered, Factored, Maker, Rotated
from voxscale.fit._plan import device_kind
from voxscale.fit._results import InMemory, Results
from voxscale.fit._solvers import WeightsWork, cheapest_way, ways_to_weights

__all__ = ["KINDS", "Weights", "predicted_blocks", "solve"]

KINDS = ("primal", "dual")

# Below this share of the trace of a Gram matrix a penalty would drown in its rounding.
_LEAST_PENALTY = 1e-10
# Rounding of the inverses that is let pass, against the size of the design.
_LOST = 0.005


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
    reserved: int = 0,
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
    reserved : int
        Bytes of the budget that others hold.

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
    n_rows = gram.X.shape[1] if kind == "primal" else gram.samples.n_trs
    coef = kept.array(
        "coef", shape=(n_rows, blocks.n_voxels), dtype=blocks.dtype_name, voxel_axis=1
    )
    intercept = None
    if gram.means is not None:
        intercept = kept.array(
            "intercept", shape=(blocks.n_voxels,), dtype=blocks.dtype_name, voxel_axis=0
        )
    if not kept.is_done("weights", 0, blocks.n_voxels):
        make = _maker(gram, penalties, kind, blocks.n_voxels, train, reserved)
        solver = _Solver(gram, make, kind, reserved)
        _write(solver, blocks, penalties, kept, coef, intercept)
    return Weights(coef, None if intercept is None else np.asarray(intercept[:]))


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


def _maker(
    gram: Gram, alphas: Array, kind: str, n_voxels: int, train: Array | None, reserved: int
) -> Maker:
    """Choose the cheapest way to the weights at these alphas."""
    device = gram.X.device
    unique = np.unique(alphas[~np.isnan(alphas)])
    n_trs, n_features = gram.X.shape
    work = WeightsWork(
        n_trs,
        n_features,
        n_voxels,
        len(unique),
        gram.X.element_size(),
        device_kind(device),
        kind,
        n_known=0 if train is None else len(train),
    )
    energy = float(gram.products.trace())
    is_factorable = len(unique) and unique[0] > _LEAST_PENALTY * energy
    available = gram.budget - reserved - gram.held_bytes
    ways = None if is_factorable else ("rotated",)
    way = cheapest_way(work, available, ways)
    needed = gram.budget - available + ways_to_weights(work)[way].held_bytes
    check_budget(needed, gram.budget, f"solving for weights of X ({n_trs} × {n_features})")
    if way == "rotated":
        return Rotated.of(gram, kind, n_voxels)
    penalties = torch.from_numpy(unique).to(device)
    made: Bordered | Factored
    if gram.form == "primal":
        made = Factored.of(gram, penalties)
    else:
        rows = np.arange(0) if way == "factored" or train is None else train
        made = Bordered.of(gram, torch.from_numpy(rows).to(device), penalties, kind, n_voxels)
    # Where rows or features depend on each other and penalties are small, the inverses enlarge
    # what lies beside the design, and rounding does not take it away again as a rotation does.
    lost = made.inverses.enlargement * energy * torch.finfo(gram.X.dtype).eps
    if lost < _LOST:
        return made
    del made
    return Rotated.of(gram, kind, n_voxels)


def _write(
    solver: _Solver, blocks: VoxelBlocks, alphas: Array, results: Results, coef: Any, intercept: Any
) -> None:
    """Solve block by block."""
    width = solver.width(coef.shape[0])
    todo = [
        block
        for block in blocks.slices(width, results.block_multiple)
        if not results.is_done("weights", block.start, block.stop)
    ]
    with one_torch_thread(solver.gram.X.device):
        for block, values in blocks.read(todo):
            undefined = blocks.undefined[block] | np.isnan(alphas[block])
            penalties = torch.from_numpy(np.nan_to_num(alphas[block])).to(values.device)
            found, at_zero = solver.weights(values, penalties)
            weights = found.cpu().numpy()
            weights[:, undefined] = np.nan
            if at_zero is not None:
                at_zero[undefined] = np.nan
                intercept[block] = at_zero
            coef[:, block] = weights
            results.mark_done("weights", block.start, block.stop)


@dataclass(frozen=True, eq=False)
class _Solver:
    """Weights and intercepts, for all TRs where rows do not count."""

    gram: Gram
    make: Maker
    kind: str
    reserved: int = 0

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

    def width(self, n_rows: int) -> int:
        """Voxels to solve for at once; weights have so many rows."""
        gram = self.gram
        itemsize = gram.X.element_size()
        n_trs, n_features = gram.X.shape
        rank = min(n_trs, n_features)
        per_voxel = n_trs * (4 * itemsize + 16) + 3 * rank * itemsize + 3 * n_rows * itemsize
        left_over = gram.budget - self.reserved - gram.held_bytes - self.make.n_bytes
        return block_width(per_voxel, left_over, gram.X.device)


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
