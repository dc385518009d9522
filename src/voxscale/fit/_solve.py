"""Weights of every voxel at its own alpha, on all rows, and what they predict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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
from voxscale.fit._results import InMemory, Results

__all__ = ["KINDS", "Weights", "predicted_blocks", "solve"]

KINDS = ("primal", "dual")


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
        _write(gram, blocks, penalties, kind, kept, coef, intercept)
    return Weights(coef, None if intercept is None else np.asarray(intercept[:]))


def predicted_blocks(
    X: Tensor, weights: Weights, blocks: Iterable[slice]
) -> Iterator[tuple[slice, Tensor]]:
    """Yield predictions, of shape (n_trs, n_block_voxels), a block of voxels at a time."""
    for block in blocks:
        coef = torch.tensor(np.asarray(weights.coef[:, block]), device=X.device)
        prediction = matmul(X, coef.to(X.dtype))
        if weights.intercept is not None:
            prediction += torch.tensor(weights.intercept[block], device=X.device)
        yield block, prediction


def _write(
    gram: Gram,
    blocks: VoxelBlocks,
    alphas: Array,
    kind: str,
    results: Results,
    coef: Any,
    intercept: Any,
) -> None:
    """Solve block by block."""
    make = _Maker.of(gram, kind, blocks.n_voxels)
    width = _width(gram, make, coef.shape[0])
    todo = [
        block
        for block in blocks.slices(width, results.block_multiple)
        if not results.is_done("weights", block.start, block.stop)
    ]
    with one_torch_thread(gram.X.device):
        for block, values in blocks.read(todo):
            undefined = blocks.undefined[block] | np.isnan(alphas[block])
            penalties = torch.from_numpy(np.nan_to_num(alphas[block])).to(values.device)
            found, mean = make(values, penalties)
            weights = found.cpu().numpy()
            weights[:, undefined] = np.nan
            if mean is not None and make.at_mean is not None:
                at_zero = (mean - make.at_mean @ found.double()).cpu().numpy()
                at_zero[undefined] = np.nan
                intercept[block] = at_zero
            coef[:, block] = weights
            results.mark_done("weights", block.start, block.stop)


@dataclass(frozen=True, eq=False)
class _Maker:
    """Makes weights of a block of voxels: ``to_weights · (U ᵀ Y / (S² + alpha))``."""

    gram: Gram
    left: Tensor  # (rank, n_trs)
    eigenvalues: Tensor  # (rank, 1)
    to_weights: list[Tensor]  # multiplied from the last to the first
    kept: Tensor | None  # rows of X that the dual coefficients belong to
    at_mean: Tensor | None  # what found weights predict for the mean of X

    @classmethod
    def of(cls, gram: Gram, kind: str, n_voxels: int) -> _Maker:
        whole, dtype = gram.whole, gram.X.dtype
        left = whole.left.to(dtype)
        to_weights: list[Tensor] = [gram.X.T, left]
        if kind == "dual":
            to_weights = [(whole.left * gram.root[:, None]).to(dtype)]
        elif whole.right is not None:
            to_weights = [(whole.right * whole.eigenvalues.sqrt()).to(dtype)]
        elif n_voxels > gram.X.shape[1]:
            to_weights = [matmul(gram.X.T, left)]
        kept, at_mean = None, gram.means
        if kind == "dual" and at_mean is not None:
            at_mean = (gram.X.double() @ at_mean) / gram.root
        if kind == "dual" and gram.samples.kept is not None:
            kept = torch.from_numpy(gram.samples.kept).to(gram.X.device)
            at_mean = None if at_mean is None else _spread(at_mean[:, None], kept, gram)[:, 0]
        return cls(gram, left.T, whole.eigenvalues[:, None].to(dtype), to_weights, kept, at_mean)

    def __call__(self, values: Tensor, alphas: Tensor) -> tuple[Tensor, Tensor | None]:
        """Weights of responses (n_trs, n_block_voxels), and the mean with an intercept."""
        mean = None
        if self.gram.means is not None:
            every = torch.arange(len(values), device=values.device)
            values, mean = self.gram.about_mean(values, every)
        found = matmul(self.left, values) / (self.eigenvalues + alphas.to(values.dtype))
        for factor in reversed(self.to_weights):
            found = matmul(factor, found)
        return found if self.kept is None else _spread(found, self.kept, self.gram), mean

    @property
    def n_bytes(self) -> int:
        return self.left.nbytes + sum(one.nbytes for one in self.to_weights)


def _spread(values: Tensor, kept: Tensor, gram: Gram) -> Tensor:
    """Rows of all TRs, 0 where they do not count."""
    spread = values.new_zeros((gram.samples.n_trs, values.shape[1]))
    spread[kept] = values
    return spread


def _width(gram: Gram, make: _Maker, n_rows: int) -> int:
    n_trs, rank, itemsize = len(gram.X), len(make.eigenvalues), gram.X.element_size()
    per_voxel = n_trs * (4 * itemsize + 16) + 3 * rank * itemsize + 3 * n_rows * itemsize
    left_over = gram.budget - gram.held_bytes - make.n_bytes
    return block_width(per_voxel, left_over, gram.X.device)


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
