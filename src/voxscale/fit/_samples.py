"""Which TRs count, and how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, FitError
from voxscale.fit._splits import Split

__all__ = ["Samples"]


@dataclass(frozen=True, eq=False)
class Samples:
    """TRs that are used, and the weight of their squared errors.

    Parameters
    ----------
    n_trs : int
        Of the design, censored ones included.
    kept : array of int64, shape (n_kept,), or None
        Rows that are used; None: all.
    root : array of float64, shape (n_kept,), or None
        Square roots of the weights; None: all weigh the same.

    Examples
    --------
    >>> Samples.of([1, 0, 1], 3).kept.tolist()
    [0, 2]
    """

    n_trs: int
    kept: Array | None
    root: Array | None

    @classmethod
    def of(cls, sample_weight: ArrayLike | None, n_trs: int) -> Samples:
        """Check weights of TRs; 0 or False is a TR that is censored.

        Parameters
        ----------
        sample_weight : array of shape (n_trs,), or None
        n_trs : int

        Raises
        ------
        AlignmentError
            If there is not one for each TR.
        FitError
            If all are 0.
        ValueError
            If one is negative or not finite.
        """
        if sample_weight is None:
            return cls(n_trs, None, None)
        weights = np.asarray(sample_weight)
        if weights.shape != (n_trs,) or weights.dtype.kind not in "fiub":
            msg = (
                f"sample_weight has shape {weights.shape} and dtype {weights.dtype}; expected a "
                f"number for each of the {n_trs} TRs of X, 0 for those to be left out."
            )
            raise AlignmentError(msg)
        weights = weights.astype(np.float64)
        bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
        if len(bad):
            msg = (
                f"sample_weight is {weights[bad[0]]} at TR {bad[0]}; expected finite numbers, "
                "0 or more."
            )
            raise ValueError(msg)
        kept = np.flatnonzero(weights)
        if not len(kept):
            msg = "sample_weight is 0 for every TR; nothing is left to fit."
            raise FitError(msg)
        held = weights[kept]
        return cls(
            n_trs,
            None if len(kept) == n_trs else kept,
            None if (held == held[0]).all() and held[0] == 1 else np.sqrt(held),
        )

    @property
    def n_kept(self) -> int:
        """TRs that are used."""
        return self.n_trs if self.kept is None else len(self.kept)

    @property
    def weights(self) -> Array:
        """Weights of all TRs, (n_trs,); 0 where one is left out."""
        weights = np.zeros(self.n_trs)
        kept = slice(None) if self.kept is None else self.kept
        weights[kept] = 1.0 if self.root is None else self.root**2
        return weights

    def check_same(self, other: Samples) -> None:
        """Raise an AlignmentError unless the same TRs count, and as much."""
        if self.n_trs != other.n_trs:
            msg = f"designs have {self.n_trs} and {other.n_trs} TRs; expected as many."
            raise AlignmentError(msg)
        if not np.array_equal(self.weights, other.weights):
            msg = "designs have different sample_weight; give all of them the same."
            raise AlignmentError(msg)

    def splits(self, pairs: Sequence[Split]) -> list[Split]:
        """Renumber the rows of splits, without those that are left out.

        Raises
        ------
        FitError
            If no training row, or fewer than two validation rows are left.
        """
        if self.kept is None:
            return list(pairs)
        places = np.full(self.n_trs, -1)
        places[self.kept] = np.arange(len(self.kept))
        renumbered = []
        for i, pair in enumerate(pairs):
            train, validation = (places[rows][places[rows] >= 0] for rows in pair)
            if not len(train) or len(validation) < 2:
                msg = (
                    f"split {i} has {len(train)} train and {len(validation)} validation row(s) "
                    "left once TRs of weight 0 are out; expected 1 and 2, or more."
                )
                raise FitError(msg)
            renumbered.append((train, validation))
        return renumbered
