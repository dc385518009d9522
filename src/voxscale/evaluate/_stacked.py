"""Whether a mix of models beats its best member: decided on some stories, told on others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError
from voxscale.evaluate._columns import as_numbers
from voxscale.evaluate._scores import correlation

__all__ = ["StackedScores", "stacked_scores"]


@dataclass(frozen=True, eq=False)
class StackedScores:
    """Correlations of stacked and single predictions; made by :func:`stacked_scores`.

    Parameters
    ----------
    best_single : array of int, shape (n_voxels,)
        The model that validates best; -1 where none has a score.
    is_stacked : array of bool, shape (n_voxels,)
        The mix validated better than that model by more than ``min_gain``.
    validation_stacked, validation_single : array of shape (n_voxels,)
        Of the mix, and of the best single model, on validation rows.
    test_stacked, test_single : array of shape (n_voxels,)
        Of the same two, on test rows.
    min_gain : float
    """

    best_single: Array = field(repr=False)
    is_stacked: Array = field(repr=False)
    validation_stacked: Array = field(repr=False)
    validation_single: Array = field(repr=False)
    test_stacked: Array = field(repr=False)
    test_single: Array = field(repr=False)
    min_gain: float

    @property
    def test(self) -> Array:
        """Test score of the mix where it validated better, of the best single model elsewhere."""
        return np.where(self.is_stacked, self.test_stacked, self.test_single)

    @property
    def difference(self) -> Array:
        """What mixing gained on the test rows, (n_voxels,); 0 where the single model was kept."""
        return np.asarray(self.test - self.test_single)


def stacked_scores(
    Y: ArrayLike,
    stacked: ArrayLike,
    singles: Sequence[ArrayLike],
    *,
    validation: ArrayLike,
    test: ArrayLike,
    min_gain: float = 0.05,
) -> StackedScores:
    """Choose between a mix and its best member on validation rows, and score both on test rows.

    Parameters
    ----------
    Y : array of shape (n_trs, n_voxels)
        Responses to stories that trained neither the models nor the mix.
    stacked : array of shape (n_trs, n_voxels)
        Predictions of the mix.
    singles : sequence of array of shape (n_trs, n_voxels)
        Predictions of the single models to beat. Give one alone, such as the language model's,
        to compare with that one.
    validation, test : array of int, or of bool of shape (n_trs,)
        Rows to choose by, and rows to report.
    min_gain : float
        How much better the mix must correlate on validation rows to be taken.

    Returns
    -------
    StackedScores
        NaN where a correlation is undefined; there the mix is never taken.

    Raises
    ------
    AlignmentError
        If predictions differ from the responses in shape.
    ValueError
        If a row is both validation and test: a choice made on test rows would be reported as
        if it had been made before. Also if there is no single model, or a part has fewer than
        2 rows.

    References
    ----------
    Antonello, Vaidya & Huth 2023, NeurIPS, arXiv:2305.11863 (a mask of 0.05, on validation
    stories).

    Examples
    --------
    >>> Y = np.random.default_rng(0).standard_normal((40, 3))
    >>> noise = np.random.default_rng(1).standard_normal((40, 3))
    >>> rows = np.arange(40)
    >>> scores = stacked_scores(Y, Y, [noise], validation=rows[:20], test=rows[20:])
    >>> scores.is_stacked.all(), scores.test.round(3)
    (np.True_, array([1., 1., 1.]))
    """
    truth, mix = as_numbers(Y, "Y"), as_numbers(stacked, "stacked")
    models = [as_numbers(one, f"singles[{i}]") for i, one in enumerate(singles)]
    _check_shapes(truth, mix, models)
    chosen_by, reported = (
        _rows(validation, len(truth), "validation"),
        _rows(test, len(truth), "test"),
    )
    _check_apart(chosen_by, reported)
    by_model = np.stack([correlation(truth[chosen_by], one[chosen_by]) for one in models])
    has_any = np.isfinite(by_model).any(axis=0)
    best = np.where(has_any, np.nan_to_num(by_model, nan=-np.inf).argmax(axis=0), -1)
    at_best = np.where(has_any, np.fmax.reduce(by_model, axis=0), np.nan)
    of_mix = correlation(truth[chosen_by], mix[chosen_by])
    with np.errstate(invalid="ignore"):
        is_stacked = of_mix - at_best > min_gain
    singles_test = np.stack([correlation(truth[reported], one[reported]) for one in models])
    test_single = np.where(has_any, np.take_along_axis(singles_test, best[None], axis=0)[0], np.nan)
    of_mix_test = correlation(truth[reported], mix[reported])
    return StackedScores(best, is_stacked, of_mix, at_best, of_mix_test, test_single, min_gain)


def _rows(rows: ArrayLike, n_trs: int, name: str) -> Array:
    """Turn a mask or row numbers into row numbers."""
    given = np.asarray(rows)
    if given.dtype == bool and given.shape == (n_trs,):
        given = np.flatnonzero(given)
    is_rows = given.ndim == 1 and given.dtype.kind in "iu"
    if not is_rows or len(given) < 2 or given.min() < 0 or given.max() >= n_trs:
        msg = (
            f"{name} has shape {given.shape} and dtype {given.dtype}; expected 2 or more of the "
            f"{n_trs} row numbers, or a mask of as many rows."
        )
        raise ValueError(msg)
    return given


def _check_apart(validation: Array, test: Array) -> None:
    shared = np.intersect1d(validation, test)
    if len(shared):
        msg = (
            f"{len(shared)} rows are both validation and test, the first is row {shared[0]}; "
            "choose by rows that are not reported."
        )
        raise ValueError(msg)


def _check_shapes(truth: Array, mix: Array, models: Sequence[Array]) -> None:
    if truth.ndim != 2 or not models:
        msg = (
            f"Y has shape {truth.shape} and there are {len(models)} single models; expected "
            "(n_trs, n_voxels), and at least one."
        )
        raise ValueError(msg)
    for name, one in [("stacked", mix), *((f"singles[{i}]", m) for i, m in enumerate(models))]:
        if one.shape != truth.shape:
            msg = f"{name} has shape {one.shape} but Y has shape {truth.shape}; expected the same."
            raise AlignmentError(msg)
