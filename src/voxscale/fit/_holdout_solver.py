"""Every split's validation rows, predicted from one decomposition of all rows.

With ``A`` the matrix that takes responses to their own predictions at some alpha, the residuals
of rows ``H`` that are left out of the fit are ``(I - A)_HH⁻¹ ((I - A) Y)_H``. The right side is
made once for all splits; what is left for each split is a small system.

References
----------
Cook & Weisberg 1982, Residuals and Influence in Regression, §2.2, for one row at a time; blocks
of rows follow from the inverse of a partitioned matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from voxscale.arrays import Array
from voxscale.arrays._linalg import matmul
from voxscale.fit._decompose import Gram
from voxscale.fit._holdout_sums import TINY, ErrorSums, PredictionSums, SplitRows
from voxscale.fit._holdout_systems import Node, Rows, Solved, solve_systems
from voxscale.fit._products import Products, Workspace, as_tensor, tiles, voxel_tiles
from voxscale.fit._scoring import Errors, Moments
from voxscale.fit._shrinkage import (
    Curves,
    chosen_alphas,
    curves,
    error_curves,
    possible_eigenvalues,
    shrinkages,
    stretches,
)
from voxscale.fit._solvers import errors_pay

__all__ = ["HoldoutPaths", "rows_left_out"]


@dataclass(frozen=True, eq=False)
class HoldoutPaths:
    """Sums over the validation rows of all splits, at every alpha.

    Parameters
    ----------
    gram : Gram
    rows : tensor of int64
        Rows that some split leaves out, ascending.
    to_inputs : tensor of shape (rank, n_trs)
        ``Uᵀ``.
    right_side : list of (slice, Products)
        ``(I - A) Y`` on these rows at the nodes, or ``A Y`` where predictions are tiny, some
        rows at a time.
    nodes : list
    splits, systems : list
        A system for each node of each split.
    mixing : tensor of shape (n_alphas, n_nodes), float64
        From predictions at the nodes to those at all alphas, each divided by its scale; or from
        errors at the nodes.
    scale : tensor of shape (n_alphas, 1), float64
    curves : Curves
        Alphas at which predictions, or their errors, are summed.
    only_errors : bool
        Squared errors are all that is summed.
    """

    gram: Gram
    rows: Tensor
    to_inputs: Tensor
    right_side: list[tuple[slice, Products]]
    nodes: list[Node]
    splits: list[Rows]
    systems: list[list[Solved]]
    mixing: Tensor
    scale: Tensor
    curves: Curves
    only_errors: bool

    @classmethod
    def of(
        cls,
        gram: Gram,
        splits: Sequence[tuple[Tensor, Tensor]],
        alphas: Array,
        tolerance: float,
        *,
        only_errors: bool = False,
    ) -> HoldoutPaths:
        """Solve the small systems of all splits at some alphas, from which the others follow.

        ``only_errors`` lets squared errors alone be summed, where that is cheaper.
        """
        dtype = gram.X.dtype
        basis, spectrum = _basis(gram)
        eigenvalues = spectrum.cpu().numpy()
        # The training rows' own eigenvalues are not known: none is larger than those of all rows.
        largest = float(eigenvalues[-1]) if len(eigenvalues) else 0.0
        at, weights = possible_eigenvalues(largest, alphas)
        table, scale = shrinkages(at, alphas)
        along = curves(table, weights, tolerance)
        chosen, mixing = chosen_alphas(table, weights, tolerance)
        if only_errors:
            sizes = [(len(held), len(gram.X) - len(train)) for train, held in splits]
            errors = error_curves(at, alphas, tolerance)
            only_errors = errors_pay(sizes, len(errors.at), len(chosen), n_curves=len(along.at))
            if only_errors:
                along, chosen, mixing = errors, errors.at, errors.squared
        nodes = [_node(gram, float(alphas[i]), float(scale[i, 0]), largest) for i in chosen]
        rows, places = _places(splits, len(gram.X))
        systems = solve_systems(
            gram, places, nodes, basis[rows], spectrum, rows, only_errors=only_errors
        )
        factors = np.stack([_factors(node, eigenvalues) for node in nodes])
        # The systems enlarge an error of their right side, so that no digit is given away here.
        precision = 0.0 if tolerance == 0 else torch.finfo(dtype).eps
        cuts = stretches(factors, np.ones(len(eigenvalues)), precision)
        return cls(
            gram,
            rows,
            _for_responses(gram, basis).T.to(dtype).contiguous(),
            [
                (part, Products.of(basis[rows[part]], cuts, dtype))
                for part in tiles(len(rows), basis.device)
            ],
            nodes,
            places,
            systems,
            as_tensor(mixing, basis),
            as_tensor(scale, basis),
            along,
            only_errors,
        )

    @property
    def n_bytes(self) -> int:
        """Memory that all splits take, whatever the voxels."""
        systems = self._system_size * self.to_inputs.element_size()
        return self.to_inputs.nbytes + sum(one.n_bytes for _, one in self.right_side) + systems

    @property
    def flop_per_voxel(self) -> float:
        """Floating-point operations for the scores of one voxel, sums aside."""
        numbers = self.to_inputs.numel() + self._system_size
        if not self.only_errors:
            mixed = sum(len(split.validation) for split in self.splits) * len(self.curves.at)
            numbers += mixed * len(self.nodes)
        return 2.0 * numbers + sum(one.flop_per_voxel for _, one in self.right_side)

    def moments(self, values: Tensor) -> Iterator[Moments | Errors]:
        """Sum over each split's validation rows, for responses of shape (n_trs, n_voxels)."""
        if self.gram.means is not None:
            every = torch.arange(len(values), device=values.device)
            values, _ = self.gram.about_mean(values, every)
        inputs = matmul(self.to_inputs, values)
        sums = [self._sums(split, values) for split in self.splits]
        workspace = Workspace(values)
        for voxels in voxel_tiles(values.shape[1], self._bytes_per_voxel, values.device):
            tile = values[:, voxels]
            right = workspace.take("right", len(self.nodes), len(self.rows), tile.shape[1])
            for part, products in self.right_side:
                right[:, part] = products(inputs[:, voxels], workspace)
            own = tile[self.rows]
            for j, node in enumerate(self.nodes):
                if node.is_difference:
                    right[j] += own
            for gathered, solved in zip(sums, self.systems, strict=True):
                gathered.add(voxels, right, tile, solved, workspace)
        for gathered in sums:
            yield gathered.moments()

    def _sums(self, split: Rows, values: Tensor) -> ErrorSums | PredictionSums:
        rows = SplitRows.of(self.gram, split, values)
        if self.only_errors:
            return ErrorSums(rows, self.nodes, self.mixing)
        return PredictionSums(rows, self.nodes, self.mixing, self.scale, self.curves)

    @property
    def _system_size(self) -> int:
        return sum(system.size for solved in self.systems for system in solved)

    @property
    def _bytes_per_voxel(self) -> int:
        most = max(len(split.left_out) for split in self.splits)
        made = max(one.n_rows * (one.n_products + len(self.nodes)) for _, one in self.right_side)
        sums = 2 if self.only_errors else len(self.nodes) + len(self.curves.at)
        numbers = made + len(self.rows) * (len(self.nodes) + 1) + most * sums
        return numbers * self.to_inputs.element_size()


def rows_left_out(n_trs: int, train: Tensor) -> Tensor:
    """Rows that do not train, ascending."""
    is_left_out = torch.ones(n_trs, dtype=torch.bool, device=train.device)
    is_left_out[train] = False
    return is_left_out.nonzero()[:, 0]


def _places(splits: Sequence[tuple[Tensor, Tensor]], n_trs: int) -> tuple[Tensor, list[Rows]]:
    """Rows that any split leaves out, and where each split finds its own among them."""
    left_out = [rows_left_out(n_trs, train) for train, _ in splits]
    rows = torch.unique(torch.cat(left_out))
    return rows, [
        Rows(
            train,
            validation,
            out,
            torch.searchsorted(rows, out),
            torch.searchsorted(out, validation),
        )
        for (train, validation), out in zip(splits, left_out, strict=True)
    ]


def _basis(gram: Gram) -> tuple[Tensor, Tensor]:
    """Eigenvectors of all rows and their eigenvalues; in the dual form those of 0, too."""
    whole = gram.whole
    if whole.null is None:
        return whole.left, whole.eigenvalues
    nothing = whole.eigenvalues.new_zeros(whole.null.shape[1])
    return torch.cat([whole.null, whole.left], 1), torch.cat([nothing, whole.eigenvalues])


def _for_responses(gram: Gram, basis: Tensor) -> Tensor:
    """Give what responses about their mean are multiplied with, blind to a mean.

    Of that mean float32 leaves a rest, which nothing shrinks, and the systems would enlarge it.
    """
    if gram.means is None:
        return basis
    root = gram.root / torch.linalg.vector_norm(gram.root)
    return basis - torch.outer(root, root @ basis)


def _node(gram: Gram, alpha: float, scale: float, largest: float) -> Node:
    """Say how the right side of an alpha keeps its digits.

    In the primal form something of the responses lies beside the eigenvectors, and only a
    difference has it.
    """
    is_tiny = scale < TINY
    return Node(
        alpha, scale, is_tiny, not is_tiny and (gram.form == "primal" or 0 < largest < alpha)
    )


def _factors(node: Node, eigenvalues: Array) -> Array:
    """Give what the right side of a node multiplies each direction of the responses with."""
    shrunk: Array = eigenvalues / (eigenvalues + node.alpha)
    if node.is_tiny:
        return shrunk / node.scale
    return -shrunk if node.is_difference else node.alpha / (eigenvalues + node.alpha)
