"""Validation rows predicted split by split: from the split's own decomposition, or without one."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from voxscale.arrays import Array
from voxscale.arrays._linalg import cholesky, matmul
from voxscale.fit._costs import triangle_flop
from voxscale.fit._decompose import Gram
from voxscale.fit._inputs import ByFeatures, ByMatrix, ToInputs, go_by_features
from voxscale.fit._plan import device_kind
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

__all__ = ["SplitPath"]


@dataclass(frozen=True, eq=False)
class SplitPath:
    """Sums over one split's validation rows, at every alpha.

    Parameters
    ----------
    gram : Gram
    train, validation : tensor of int64
    to_inputs : ToInputs or None
        From the training responses to inputs; None: they are the inputs.
    projection : tensor of shape (n_kept, n_validation), or None
        Orthonormal rows that span all predictions, where they are fewer than the TRs.
    products : list of (slice, Products)
        Predictions from inputs, about their mean over validation rows, some rows at a time.
    mean : tensor of shape (n_alphas, n_inputs)
        Mean predictions from inputs, divided by ``scale``.
    scale : tensor of shape (n_alphas, 1), float64
        What predictions were divided by.
    curves : Curves
        Alphas at which predictions are made.
    """

    gram: Gram
    train: Tensor
    validation: Tensor
    to_inputs: ToInputs | None
    projection: Tensor | None
    products: list[tuple[slice, Products]]
    mean: Tensor
    scale: Tensor
    curves: Curves = field(repr=False)

    @classmethod
    def by_eigh(
        cls,
        gram: Gram,
        train: Tensor,
        validation: Tensor,
        alphas: Array,
        tolerance: float,
        n_voxels: int,
    ) -> SplitPath:
        """Decompose the training rows: all alphas share it.

        What serves all voxels is made where so many, in all blocks, make it pay.
        """
        eigenvalues, rotated, to_inputs = _decomposed(gram, train, validation, n_voxels)
        # Centred while still float64, predictions need no centring and lose no digits.
        rotated, mean = centred(rotated)
        weights = torch.linalg.vector_norm(rotated, dim=0).cpu().numpy()
        table, scale = shrinkages(eigenvalues.cpu().numpy(), alphas, weights)
        along = curves(table, weights, tolerance)
        cuts = stretches(table[along.at], weights, tolerance)
        n_products = sum(len(cut.factors) * cut.factors.shape[1] for cut in cuts)
        # The dual form makes its triangle whatever the voxels, as it always did.
        is_primal = len(train) > gram.X.shape[1]
        rows, projection = _fewer_rows(rotated, n_products, n_voxels if is_primal else None)
        dtype = gram.X.dtype
        # No cuts: no part of the spectrum makes validation rows differ.
        n_rows = len(rows) if cuts else 0
        made = [(part, Products.of(rows[part], cuts, dtype)) for part in tiles(n_rows, rows.device)]
        return cls(
            gram,
            train,
            validation,
            to_inputs,
            None if projection is None else projection.to(dtype),
            made,
            (as_tensor(table, rotated) * mean).to(dtype),
            as_tensor(scale, rotated),
            along,
        )

    @classmethod
    def by_cholesky(
        cls, gram: Gram, train: Tensor, validation: Tensor, alphas: Array, tolerance: float
    ) -> SplitPath:
        """Factor the training rows' products at some alphas, from which the others follow."""
        parts = gram.penalised(train, validation)
        dtype, device = gram.X.dtype, gram.X.device
        # None is larger than the norm of them all.
        largest = float(torch.linalg.matrix_norm(parts.products))
        places, weights = possible_eigenvalues(largest, alphas)
        table, scale = shrinkages(places, alphas)
        along = curves(table, weights, tolerance)
        chosen, mixing = chosen_alphas(table, weights, tolerance)
        rows = torch.stack(
            [
                _times_inverse(parts.rows, parts.products, float(alphas[i])) / float(scale[i, 0])
                for i in chosen
            ]
        )
        rows, mean = centred(rows.transpose(0, 1))
        rows, mean = rows.transpose(0, 1), as_tensor(mixing, mean) @ mean
        mixed = None if len(chosen) == len(alphas) else as_tensor(mixing[along.at], rows, dtype)
        made = [
            (
                part,
                Products(
                    [(slice(None), rows[:, part].to(dtype).flatten(0, 1))],
                    mixed,
                    part.stop - part.start,
                ),
            )
            for part in tiles(len(validation), device)
        ]
        to_inputs = None
        if parts.form == "primal":
            X = gram.X[train]
            if parts.mean is not None:
                X = X - torch.outer(gram.root[train], parts.mean).to(dtype)
            to_inputs = ByMatrix(X.T.contiguous())
        return cls(
            gram,
            train,
            validation,
            to_inputs,
            None,
            made,
            mean.to(dtype),
            as_tensor(scale, rows, torch.float64),
            along,
        )

    @property
    def n_bytes(self) -> int:
        """Memory that the split takes, whatever the voxels."""
        to_inputs = 0 if self.to_inputs is None else self.to_inputs.n_bytes
        projection = 0 if self.projection is None else self.projection.nbytes
        products = sum(products.n_bytes for _, products in self.products)
        return to_inputs + projection + self.mean.nbytes + products

    @property
    def flop_per_voxel(self) -> float:
        """Floating-point operations for the scores of one voxel, sums aside."""
        to_inputs = 0.0 if self.to_inputs is None else self.to_inputs.flop_per_voxel
        projection = 0 if self.projection is None else self.projection.numel()
        products = sum(products.flop_per_voxel for _, products in self.products)
        return to_inputs + 2.0 * (projection + self.mean.numel()) + products

    def moments(self, values: Tensor) -> Moments:
        """Sum over validation rows, for responses of shape (n_trs, n_voxels)."""
        dtype, n_trs = values.dtype, len(self.validation)
        gram = self.gram
        y, y_mean = centred(gram.unweighted(values[self.validation], self.validation))
        trained_on, offset = values[self.train], torch.zeros_like(y_mean)
        if gram.means is not None:
            trained_on, offset = gram.about_mean(trained_on, self.train)
        inputs = trained_on if self.to_inputs is None else self.to_inputs(trained_on)
        narrow = y.to(dtype)
        if self.projection is not None:
            narrow = matmul(self.projection, narrow)
        sums = AlphaSums(len(self.curves.at), values.shape[1], values.device)
        workspace = Workspace(values)
        for voxels in voxel_tiles(values.shape[1], self._bytes_per_voxel, values.device):
            shown = inputs[:, voxels]
            for rows, products in self.products:
                sums.add(voxels, products(shown, workspace), narrow[rows, voxels])
        yp, pp = sums.along(self.curves)
        mean = self.scale * matmul(self.mean, inputs).double()
        return Moments(
            n_trs,
            y.square().sum(0),
            self.scale * yp,
            self.scale.square() * pp,
            y_mean,
            offset + mean,
            rounding_noise(n_trs, mean, torch.float64),
        )

    @property
    def _bytes_per_voxel(self) -> int:
        return (
            max(
                (one.n_rows * (one.n_products + len(self.curves.at)) for _, one in self.products),
                default=1,
            )
            * self.mean.element_size()
        )


def _decomposed(
    gram: Gram, train: Tensor, validation: Tensor, n_voxels: int
) -> tuple[Tensor, Tensor, ToInputs]:
    """Eigenvalues, validation rows to be multiplied with inputs, and the way to these."""
    if go_by_features(gram, len(train), n_voxels):
        spectrum = gram.spectrum(train)
        rotated = gram.rotated(validation, spectrum)
        return spectrum.eigenvalues, rotated, ByFeatures(gram, train, spectrum)
    parts = gram.split(train, validation)
    return parts.eigenvalues, parts.rotated, ByMatrix(parts.left.T.contiguous())


def _fewer_rows(
    rotated: Tensor, n_products: int, n_voxels: int | None
) -> tuple[Tensor, Tensor | None]:
    """Rows that predict the same sums: their triangle, where that spares products.

    With a number of voxels, where it spares these more than it takes.
    """
    n_rows, rank = rotated.shape
    spared = n_products * (n_rows - rank) - n_rows * rank
    if not rank or spared <= 0:
        return rotated, None
    if n_voxels is not None:
        needed = triangle_flop(n_rows, rank, device_kind(rotated.device))
        if 2.0 * n_voxels * spared <= needed:
            return rotated, None
    basis, triangle = torch.linalg.qr(rotated)
    return triangle, basis.T.contiguous()


def _times_inverse(rows: Tensor, products: Tensor, alpha: float) -> Tensor:
    """Multiply rows (n_rows, n) with ``(products + alpha)⁻¹``."""
    penalised = products.clone()
    penalised.diagonal().add_(alpha)
    return torch.cholesky_solve(rows.T, cholesky(penalised)).T
