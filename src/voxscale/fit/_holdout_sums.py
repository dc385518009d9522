"""Sums over the rows that one split leaves out, gathered tile by tile from solved systems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from voxscale.arrays._linalg import matmul, row_sums
from voxscale.fit._decompose import Gram
from voxscale.fit._holdout_systems import Node, Residuals, Rows, Solved, System
from voxscale.fit._products import AlphaSums, Workspace
from voxscale.fit._scoring import Errors, Moments, centred, rounding_noise
from voxscale.fit._shrinkage import Curves

__all__ = ["TINY", "ErrorSums", "PredictionSums", "SplitRows"]

# Predictions below this share of the responses would drown in the rounding of a difference.
TINY = 0.03


@dataclass(frozen=True, eq=False)
class SplitRows:
    """Responses of the validation rows of a split.

    Parameters
    ----------
    split : Rows
    y : tensor of shape (n_validation, n_voxels)
        About their mean.
    y_mean, yy, offset : tensor of shape (n_voxels,), float64
        That mean, the sum of squares about it, and what every prediction is made about: with an
        intercept, the mean of the training rows.
    """

    split: Rows
    y: Tensor
    y_mean: Tensor
    yy: Tensor
    offset: Tensor

    @classmethod
    def of(cls, gram: Gram, split: Rows, values: Tensor) -> SplitRows:
        """Take the rows of responses (n_trs, n_voxels); with an intercept, about their mean."""
        y, y_mean = centred(gram.unweighted(values[split.validation], split.validation))
        offset = torch.zeros_like(y_mean)
        if gram.means is not None:
            offset = gram.about_mean(values[split.train], split.train)[1]
        return cls(split, y.to(values.dtype), y_mean, y.square().sum(0), offset)


class PredictionSums:
    """Sums of products of predictions with responses, and with themselves.

    Parameters
    ----------
    rows : SplitRows
    nodes : sequence of Node
    mixing : tensor of shape (n_alphas, n_nodes), float64
        From predictions at the nodes to those at all alphas.
    scale : tensor of shape (n_alphas, 1), float64
    curves : Curves
    """

    def __init__(
        self,
        rows: SplitRows,
        nodes: Sequence[Node],
        mixing: Tensor,
        scale: Tensor,
        curves: Curves,
    ) -> None:
        self._rows, self._nodes, self._curves = rows, nodes, curves
        self._mixing, self._scale = mixing, scale
        n_voxels = rows.y.shape[1]
        self._sums = AlphaSums(len(curves.at), n_voxels, rows.y.device)
        self._means = rows.y_mean.new_empty((len(nodes), n_voxels))
        few = mixing[torch.from_numpy(curves.at).to(mixing.device)]
        self._few = None if _is_identity(few) else few.to(rows.y.dtype)

    def add(
        self,
        voxels: slice,
        right: Tensor,
        tile: Tensor,
        systems: Sequence[Solved],
        workspace: Workspace,
    ) -> None:
        """Add some voxels: right sides (n_nodes, n_rows, n_tile_voxels), all responses."""
        split, y = self._rows.split, self._rows.y[:, voxels]
        above_offset = (self._rows.y_mean - self._rows.offset)[voxels]
        n_rows, own = len(y), tile[split.left_out]
        predictions = workspace.take("predictions", len(self._nodes), n_rows + 1, y.shape[1])
        mine = workspace.take("mine", len(split.among), y.shape[1])
        for j, (node, system) in enumerate(zip(self._nodes, systems, strict=True)):
            assert isinstance(system, System)
            torch.index_select(right[j], 0, split.among, out=mine)
            matmul(system.solve, mine, out=predictions[j])
            if system.own is None:
                predictions[j, :n_rows].add_(y, alpha=1 / node.scale)
                predictions[j, n_rows] += above_offset / node.scale
            else:
                predictions[j] += matmul(system.own, own)
        self._means[:, voxels] = predictions[:, n_rows].double()
        if self._few is not None:
            mixed = matmul(self._few, predictions.view(len(predictions), -1))
            predictions = mixed.view(len(self._few), *predictions.shape[1:])
        self._sums.add(voxels, predictions[:, :n_rows], y)

    def moments(self) -> Moments:
        """Sum up all voxels, at every alpha."""
        rows, scale, n_trs = self._rows, self._scale, len(self._rows.y)
        yp, pp = self._sums.along(self._curves)
        mean = scale * matmul(self._mixing, self._means)
        # A difference of responses and residuals is as exact as the responses are.
        share = torch.where(scale < TINY, scale, 1.0)
        noise = rounding_noise(n_trs, (rows.yy / n_trs).sqrt() * share, rows.y.dtype)
        return Moments(
            n_trs,
            rows.yy,
            scale * yp,
            scale.square() * pp,
            rows.y_mean,
            rows.offset + mean,
            noise.expand_as(mean),
        )


class ErrorSums:
    """Sums of squared errors.

    Parameters
    ----------
    rows : SplitRows
    nodes : sequence of Node
    mixing : tensor of shape (n_alphas, n_nodes), float64
        From errors at the nodes to those at all alphas.
    """

    def __init__(self, rows: SplitRows, nodes: Sequence[Node], mixing: Tensor) -> None:
        self._rows, self._nodes, self._mixing = rows, nodes, mixing
        self._errors = rows.yy.new_empty((len(nodes), len(rows.yy)))

    def add(
        self,
        voxels: slice,
        right: Tensor,
        tile: Tensor,
        systems: Sequence[Solved],
        workspace: Workspace,
    ) -> None:
        """Add some voxels: right sides (n_nodes, n_rows, n_tile_voxels), all responses."""
        split, n_voxels = self._rows.split, tile.shape[1]
        mine = workspace.take("mine", len(split.among), n_voxels)
        for j, (node, system) in enumerate(zip(self._nodes, systems, strict=True)):
            torch.index_select(right[j], 0, split.among, out=mine)
            if isinstance(system, Residuals):
                self._errors[j, voxels] = _squares(system, mine, workspace)
            else:
                self._errors[j, voxels] = self._of_tiny(voxels, node, system, mine, tile)

    def _of_tiny(
        self, voxels: slice, node: Node, system: System, right: Tensor, tile: Tensor
    ) -> Tensor:
        """Errors of predictions so small that residuals would not tell them from none."""
        rows, y = self._rows, self._rows.y[:, voxels]
        assert system.own is not None
        predictions = matmul(system.solve, right)
        predictions += matmul(system.own, tile[rows.split.left_out])
        about_mean, mean = predictions[:-1], node.scale * predictions[-1].double()
        yp, pp = row_sums(about_mean, y), row_sums(about_mean, about_mean)
        offset = (rows.y_mean - rows.offset)[voxels] - mean
        error = rows.yy[voxels] - 2 * node.scale * yp + node.scale**2 * pp
        return error + len(y) * offset.square()

    def moments(self) -> Errors:
        """Sum up all voxels, at every alpha."""
        return Errors(self._rows.yy, matmul(self._mixing, self._errors).clamp_min_(0))


def _squares(system: Residuals, right: Tensor, workspace: Workspace) -> Tensor:
    """Sum the squares of what a system makes of its right side, (n_inner, n_voxels)."""
    total = right.new_zeros(right.shape[1], dtype=torch.float64)
    for part in system.parts:
        made = workspace.take("residuals", len(part), right.shape[1])
        matmul(part, right[: part.shape[1]], out=made)
        total += row_sums(made, made)
    return total


def _is_identity(matrix: Tensor) -> bool:
    n_rows, n_columns = matrix.shape
    return n_rows == n_columns and bool((matrix == torch.eye(n_rows).to(matrix)).all())
