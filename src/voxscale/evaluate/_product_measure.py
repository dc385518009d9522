"""What each feature space of a banded ridge adds to its prediction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.evaluate._parts import count_negative, part_rows, text_of

if TYPE_CHECKING:
    from voxscale.fit import BandedRidgeCV

__all__ = ["ProductMeasure", "product_measure"]

_METRICS = {"r2": "r2", "correlation": "r"}  # what a scoring of the fit is called here


@dataclass(frozen=True, eq=False)
class ProductMeasure:
    """Parts of a score, one for each feature space, that add up to it.

    Made by :func:`product_measure`; ``print`` it. What spaces share is divided between them, by
    how much of the prediction each of them is: there are no shared parts. Parts can be
    negative, and are left so.

    Parameters
    ----------
    names : tuple of str
        The feature spaces.
    parts : dict of str to array of shape (n_voxels,), float64
        NaN where the voxel has no score.
    metric : {"r2", "r"}
        What is split.
    """

    names: tuple[str, ...]
    parts: dict[str, Array] = field(repr=False)
    metric: str

    @property
    def total(self) -> Array:
        """Sum of the parts, the score of the model, of shape (n_voxels,)."""
        return np.asarray(np.sum(list(self.parts.values()), axis=0))

    @property
    def n_voxels(self) -> int:
        """How many voxels there are, those without an answer included."""
        return len(self.total)

    @property
    def n_lost(self) -> int:
        """How many voxels have no answer."""
        return int(np.isnan(self.total).sum())

    @property
    def n_negative(self) -> dict[str, int]:
        """In how many voxels each part is below zero, by more than rounding."""
        return {name: count_negative(part, self._size) for name, part in self.parts.items()}

    @property
    def table(self) -> list[dict[str, Any]]:
        """A row for each part, and one for the total, as :attr:`VariancePartition.table`."""
        rows = {(name,): part for name, part in self.parts.items()}
        return part_rows(rows, self.total, self._size, kind="part")

    def __str__(self) -> str:
        """Say it in a table."""
        title = (
            f"product measure of {self.metric}, {len(self.names)} feature space(s), "
            f"{self.n_voxels:,} voxel(s) ({self.n_lost:,} without an answer)"
        )
        return text_of(title, self.table)

    @property
    def _size(self) -> Array:
        return np.asarray(np.max(np.abs(list(self.parts.values())), axis=0))


def product_measure(model: BandedRidgeCV, X_test: Any, Y_test: ArrayLike) -> ProductMeasure:
    """Split the test score of a fitted banded ridge into the parts of its bands.

    A single fit serves any number of spaces, where :func:`variance_partition` needs one for
    each union. The answer is another one: a part is not what would be lost without the space.

    Parameters
    ----------
    model : BandedRidgeCV
        Fitted, with ``scoring`` "r2" or "correlation".
    X_test : array of shape (n_trs, n_features), or mapping of such arrays by band
        As the model was fitted.
    Y_test : array of shape (n_trs, n_voxels)

    Returns
    -------
    ProductMeasure
        Parts by :func:`voxscale.fit.r2_split` or :func:`voxscale.fit.correlation_split`.

    Raises
    ------
    TypeError
        If the model is no ``BandedRidgeCV``.
    AlignmentError, FitError, ValueError
        As its ``score``.

    References
    ----------
    Dupré la Tour, Eickenberg, Nunez-Elizalde & Gallant 2022, NeuroImage 264:119728,
    doi:10.1016/j.neuroimage.2022.119728. Pratt 1987, "Dividing the indivisible: using simple
    symmetry to partition variance explained".

    Examples
    --------
    >>> from voxscale.fit import BandedRidgeCV
    >>> rng = np.random.default_rng(0)
    >>> X = {"words": rng.standard_normal((60, 3)), "sounds": rng.standard_normal((60, 3))}
    >>> Y = np.column_stack([X["words"].sum(axis=1), X["sounds"].sum(axis=1)])
    >>> model = BandedRidgeCV(alphas=[1.0, 100.0], n_iter=20, device="cpu").fit(X, Y)
    >>> measure = product_measure(model, X, Y)
    >>> measure.parts["words"].round(1) + 0.0
    array([1., 0.])
    """
    from voxscale.fit import BandedRidgeCV

    if not isinstance(model, BandedRidgeCV):
        msg = (
            f"model is {type(model).__name__}; expected a fitted BandedRidgeCV: only bands have "
            "predictions of their own."
        )
        raise TypeError(msg)
    parts = model.score(X_test, Y_test, split=True)
    names = tuple(str(name) for name in model.band_names_)
    return ProductMeasure(names, dict(zip(names, parts, strict=True)), _METRICS[model.scoring])
