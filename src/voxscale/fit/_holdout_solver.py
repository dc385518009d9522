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
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from voxscale.arrays import Array
from voxscale.arrays._linalg import matmul
from voxscale.fit._decompose import Gram
from voxscale.fit._holdout_systems import Node, Rows, System, solve_systems
from voxscale.fit._products import AlphaSums, Products, Workspace, as_tensor, tiles, voxel_tiles
from voxscale.fit._scoring import Moments, centred, rounding_noise
from voxscale.fit._shrinkage import (
    Curves,
    chosen_alphas,
    curves,
    possible_eigenvalues,
    shrinkages,
    stretches,
)

__all__ = ["HoldoutPaths", "rows_left_out"]

# Predictions below this share of the responses would drown in the rounding of a difference.
_TINY = 0.03


@dataclass(frozen=True, eq=False)
class HoldoutPaths:
    """Sums over the validation rows of all splits, at every alpha.

    Parameters
    ----------
    gram : Gram
    is_complete : bool
        The eigenvectors span all rows: nothing of the responses lies beside them.
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
    mixing : tensor of shape (n_alphas, n_nodes)
        From predictions at the nodes to those at all alphas, each divided by its scale.
    scale : tensor of shape (n_alphas, 1), float64
    curves : Curves
        Alphas at which predictions are summed.
    """

    gram: Gram
    is_complete: bool
    rows: Tensor
    to_inputs: Tensor
    right_side: list[tuple[slice, Products]]
    nodes: list[Node]
    splits: list[Rows]
    systems: list[list[System]]
    mixing: Tensor
    scale: Tensor
    curves: Curves

    @classmethod
    def of(
        cls, gram: Gram, splits: Sequence[tuple[Tensor, Tensor]], alphas: Array, tolerance: float
    ) -> HoldoutPaths:
        """Solve the small systems of all splits at some alphas, from which the others follow."""
        dtype = gram.X.dtype
        basis, spectrum = _basis(gram)
        eigenvalues = spectrum.cpu().numpy()
        # The training rows' own eigenvalues are not known: none is larger than those of all rows.
        largest = float(eigenvalues[-1]) if len(eigenvalues) else 0.0
        at, weights = possible_eigenvalues(largest, alphas)
        table, scale = shrinkages(at, alphas)
        along = curves(table, weights, tolerance)
        chosen, mixing = chosen_alphas(table, weights, tolerance)
        nodes = [
            Node(float(alphas[i]), float(scale[i, 0]), bool(scale[i, 0] < _TINY)) for i in chosen
        ]
        is_complete = gram.form == "dual"
        rows, places = _places(splits, len(gram.X))
        systems = solve_systems(gram, places, nodes, basis[rows], spectrum, rows)
        factors = np.stack([_factors(node, eigenvalues, gram.form) for node in nodes])
        # The systems enlarge an error of their right side, so that no digit is given away here.
        precision = 0.0 if tolerance == 0 else torch.finfo(dtype).eps
        cuts = stretches(factors, np.ones(len(eigenvalues)), precision)
        return cls(
            gram,
            is_complete,
            rows,
            _for_responses(gram, basis).T.to(dtype).contiguous(),
            [
                (part, Products.of(basis[rows[part]], cuts, dtype))
                for part in tiles(len(rows), basis.device)
            ],
            nodes,
            places,
            systems,
            as_tensor(mixing, basis, dtype),
            as_tensor(scale, basis),
            along,
        )

    @property
    def n_bytes(self) -> int:
        """Memory that all splits take, whatever the voxels."""
        systems = self._system_size * self.to_inputs.element_size()
        return self.to_inputs.nbytes + sum(one.n_bytes for _, one in self.right_side) + systems

    @property
    def flop_per_voxel(self) -> float:
        """Floating-point operations for the scores of one voxel, sums aside."""
        mixed = sum(len(split.validation) for split in self.splits) * len(self.curves.at)
        numbers = self.to_inputs.numel() + self._system_size + mixed * len(self.nodes)
        return 2.0 * numbers + sum(one.flop_per_voxel for _, one in self.right_side)

    def moments(self, values: Tensor) -> Iterator[Moments]:
        """Sum over each split's validation rows, for responses of shape (n_trs, n_voxels)."""
        if self.gram.means is not None:
            every = torch.arange(len(values), device=values.device)
            values, _ = self.gram.about_mean(values, every)
        inputs = matmul(self.to_inputs, values)
        sums = [_Sums(self, split, values) for split in self.splits]
        workspace = Workspace(values)
        for voxels in voxel_tiles(values.shape[1], self._bytes_per_voxel, values.device):
            tile = values[:, voxels]
            right = workspace.take("right", len(self.nodes), len(self.rows), tile.shape[1])
            for part, products in self.right_side:
                right[:, part] = products(inputs[:, voxels], workspace)
            for j, node in enumerate(self.nodes):
                if not (node.is_tiny or self.is_complete):
                    right[j] += tile[self.rows]
            for gathered, solved in zip(sums, self.systems, strict=True):
                gathered.add(voxels, right, tile, solved, workspace)
        for gathered in sums:
            yield gathered.moments()

    @cached_property
    def few(self) -> Tensor | None:
        """From predictions at the nodes to those that are summed; None: they are the same."""
        few = self.mixing[torch.from_numpy(self.curves.at).to(self.mixing.device)]
        is_same = few.shape[0] == few.shape[1] and bool((few == torch.eye(len(few)).to(few)).all())
        return None if is_same else few

    @property
    def _system_size(self) -> int:
        return sum(system.size for solved in self.systems for system in solved)

    @property
    def _bytes_per_voxel(self) -> int:
        most = max(len(split.left_out) for split in self.splits)
        made = max(one.n_rows * (one.n_products + len(self.nodes)) for _, one in self.right_side)
        return (
            made + len(self.rows) * len(self.nodes) + most * (len(self.nodes) + len(self.curves.at))
        ) * self.to_inputs.element_size()


class _Sums:
    """Sums of one split, gathered tile by tile.

    Parameters
    ----------
    paths : HoldoutPaths
    split : Rows
    values : tensor of shape (n_trs, n_voxels)
        Responses; with an intercept, about their mean.
    """

    def __init__(self, paths: HoldoutPaths, split: Rows, values: Tensor) -> None:
        self._paths, self._split, gram = paths, split, paths.gram
        y, self._y_mean = centred(gram.unweighted(values[split.validation], split.validation))
        self._yy, self._y = y.square().sum(0), y.to(values.dtype)
        self._offset = torch.zeros_like(self._y_mean)
        if gram.means is not None:
            self._offset = gram.about_mean(values[split.train], split.train)[1]
        self._sums = AlphaSums(len(paths.curves.at), values.shape[1], values.device)
        self._means = self._y_mean.new_empty((len(paths.nodes), values.shape[1]))

    def add(
        self,
        voxels: slice,
        right: Tensor,
        tile: Tensor,
        systems: list[System],
        workspace: Workspace,
    ) -> None:
        """Add some voxels: right sides (n_nodes, n_rows, n_tile_voxels), all responses."""
        paths, split, y = self._paths, self._split, self._y[:, voxels]
        above_offset = (self._y_mean - self._offset)[voxels]
        n_rows, own = len(y), tile[split.left_out]
        predictions = workspace.take("predictions", len(paths.nodes), n_rows + 1, y.shape[1])
        mine = workspace.take("mine", len(split.among), y.shape[1])
        for j, (node, system) in enumerate(zip(paths.nodes, systems, strict=True)):
            torch.index_select(right[j], 0, split.among, out=mine)
            matmul(system.solve, mine, out=predictions[j])
            if system.own is None:
                predictions[j, :n_rows].add_(y, alpha=1 / node.scale)
                predictions[j, n_rows] += above_offset / node.scale
            else:
                predictions[j] += matmul(system.own, own)
        self._means[:, voxels] = predictions[:, n_rows].double()
        if paths.few is not None:
            mixed = matmul(paths.few, predictions.view(len(predictions), -1))
            predictions = mixed.view(len(paths.few), *predictions.shape[1:])
        self._sums.add(voxels, predictions[:, :n_rows], y)

    def moments(self) -> Moments:
        """Sum up all voxels, at every alpha."""
        paths, n_trs = self._paths, len(self._split.validation)
        yp, pp = self._sums.along(paths.curves)
        mean = paths.scale * matmul(paths.mixing.double(), self._means)
        # A difference of responses and residuals is as exact as the responses are.
        share = torch.where(paths.scale < _TINY, paths.scale, 1.0)
        noise = rounding_noise(n_trs, (self._yy / n_trs).sqrt() * share, self._y.dtype)
        return Moments(
            n_trs,
            self._yy,
            paths.scale * yp,
            paths.scale.square() * pp,
            self._y_mean,
            self._offset + mean,
            noise.expand_as(mean),
        )


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


def _factors(node: Node, eigenvalues: Array, form: str) -> Array:
    """Give what the right side of a node multiplies each direction of the responses with."""
    shrunk: Array = eigenvalues / (eigenvalues + node.alpha)
    if node.is_tiny:
        return shrunk / node.scale
    return node.alpha / (eigenvalues + node.alpha) if form == "dual" else -shrunk
