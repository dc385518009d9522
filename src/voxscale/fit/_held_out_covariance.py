"""Products of the residuals of several models, on rows that each fold leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from voxscale.arrays import Array
from voxscale.arrays._columns import Columns
from voxscale.arrays._linalg import one_torch_thread
from voxscale.fit._blocks import (
    VoxelBlocks,
    block_width,
    budget_bytes,
    check_budget,
    resolve_device,
    resolve_dtype,
)
from voxscale.fit._decompose import Gram
from voxscale.fit._design import bytes_needed
from voxscale.fit._fit_each import gram_for
from voxscale.fit._fold import Fold, kept_bytes, making_bytes, working_bytes
from voxscale.fit._samples import Samples
from voxscale.fit._splits import Split

if TYPE_CHECKING:
    from voxscale.fit._estimators import RidgeCV

__all__ = ["FoldsMemory", "held_out_covariance"]

# Of the memory that is left beside the folds: what designs that are kept for the next fold may
# take; the rest is for blocks of voxels.
_SHARE_OF_DESIGNS = 0.5


@dataclass(frozen=True)
class FoldsMemory:
    """What the folds of several designs take, from their shapes alone.

    All designs' folds are held at once, one fold after the other, and one design beside them.

    Parameters
    ----------
    n_trs : int
        Rows that count.
    widths : tuple of int
        Features of each design.
    sizes : tuple of (n_train, n_held)
        Of each fold.
    itemsize : int
        Bytes of a number of the dtype.
    budget : int
        Bytes that may be used.
    """

    n_trs: int
    widths: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...]
    itemsize: int
    budget: int

    @property
    def fold_bytes(self) -> int:
        """Folds of all designs, and the largest design while its fold is made."""
        return max(
            sum(kept_bytes(size, width, self.itemsize) for width in self.widths)
            + max(self._design(width) + making_bytes(size, width) for width in self.widths)
            for size in self.sizes
        )

    @property
    def voxel_bytes(self) -> int:
        """For each voxel that is worked on: responses, a prediction, residuals and products."""
        n_models = len(self.widths)
        return self.n_trs * (5 * self.itemsize + 16) + max(
            max(working_bytes(size, width, self.itemsize) for width in self.widths)
            + 8 * (n_models + 3) * size[1]
            + 24 * n_models**2
            for size in self.sizes
        )

    @property
    def designs_bytes(self) -> int:
        """All designs and their products."""
        return sum(self._design(width) for width in self.widths)

    @property
    def keeps_designs(self) -> bool:
        """Designs are kept from one fold to the next, rather than read and multiplied again."""
        room = self.budget - self.fold_bytes - self.voxel_bytes
        return self.designs_bytes <= _SHARE_OF_DESIGNS * room

    def check(self) -> None:
        """Raise a FitError that states both numbers if the budget is too small."""
        what = f"predicting rows left out by {len(self.widths)} models, which are all held at once,"
        check_budget(self.fold_bytes + self.voxel_bytes, self.budget, what)

    def block_width(self, device: torch.device) -> int:
        """Choose how many voxels to work on at once."""
        kept = self.designs_bytes if self.keeps_designs else 0
        return block_width(self.voxel_bytes, self.budget - self.fold_bytes - kept, device)

    def _design(self, width: int) -> int:
        return bytes_needed(self.n_trs, width, self.itemsize)

    @classmethod
    def of(
        cls, settings: RidgeCV, widths: Sequence[int], samples: Samples, splits: Sequence[Split]
    ) -> FoldsMemory:
        """Size up the folds of designs; splits are among the rows that count."""
        return cls(
            samples.n_kept,
            tuple(widths),
            tuple((len(train), len(held)) for train, held in splits),
            resolve_dtype(settings.dtype).itemsize,
            budget_bytes(settings.memory_gib, resolve_device(settings.device)),
        )


def held_out_covariance(
    models: Sequence[RidgeCV],
    designs: Sequence[Any],
    Y: Columns,
    splits: Sequence[Split],
    sample_weight: ArrayLike | None,
) -> Array:
    """Average the products of the models' residuals over rows left out of their fits.

    Every fold of every design is decomposed once, and serves all voxels.

    Parameters
    ----------
    models : sequence of RidgeCV
        Fitted, of the same settings; their ``best_alphas_`` are used, their weights are not.
    designs : sequence of array of shape (n_trs, n_features)
    Y : Columns of shape (n_trs, n_voxels)
        Read once for each fold.
    splits : list of (train_rows, held_rows)
        No row is left out twice.
    sample_weight : array of shape (n_trs,), or None

    Returns
    -------
    array of shape (n_voxels, n_models, n_models), float64
        As :func:`residual_covariance`; NaN where a model has no alpha.
    """
    settings, n_models = models[0], len(models)
    samples = Samples.of(sample_weight, Y.shape[0])
    counted = samples.splits(splits)
    widths = [Columns.of(X, "X").shape[1] for X in designs]
    memory = FoldsMemory.of(settings, widths, samples, counted)
    memory.check()
    device = resolve_device(settings.device)
    blocks = VoxelBlocks.of(Y, resolve_dtype(settings.dtype), device, samples)
    source = _Designs(settings, designs, sample_weight, {} if memory.keeps_designs else None)
    R = np.zeros((blocks.n_voxels, n_models, n_models))
    root = None if samples.root is None else torch.from_numpy(samples.root).to(device)
    for split in counted:
        folds = source.folds(split)
        held = torch.from_numpy(split[1]).to(device)
        with one_torch_thread(device):
            for block, values in blocks.read(blocks.slices(memory.block_width(device))):
                truth = values[held].double()
                if root is not None:
                    truth /= root[held, None]
                residuals = truth.new_empty((truth.shape[1], n_models, len(held)))
                for i, (model, fold) in enumerate(zip(models, folds, strict=True)):
                    alphas = np.where(blocks.undefined[block], np.nan, model.best_alphas_[block])
                    residuals[:, i] = (truth - fold(values, alphas)).T
                R[block] += _products(residuals)
        del folds  # before the next are made
    R /= sum(len(held) for _, held in counted)
    return R


@dataclass(frozen=True, eq=False)
class _Designs:
    """Designs, whose products are kept from fold to fold, or summed anew if ``kept`` is None."""

    settings: RidgeCV
    designs: Sequence[Any]
    sample_weight: ArrayLike | None
    kept: dict[int, Gram] | None

    def folds(self, split: Split) -> list[Fold]:
        """Decompose one fold of each."""
        return [Fold.of(self._gram(i), split) for i in range(len(self.designs))]

    def _gram(self, i: int) -> Gram:
        if self.kept is None:
            return gram_for(self.settings, self.designs[i], self.sample_weight)
        if i not in self.kept:
            self.kept[i] = gram_for(self.settings, self.designs[i], self.sample_weight)
        return self.kept[i]


def _products(residuals: Tensor) -> Array:
    """Sum products of residuals (n_voxels, n_models, n_rows) over rows."""
    products: Array = torch.bmm(residuals, residuals.transpose(1, 2)).cpu().numpy()
    return products
