"""The published notebook's noise ceiling, number for number; for comparisons with it alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError

__all__ = ["PublishedCeiling", "noise_ceiling_huth2023"]


@dataclass(frozen=True, eq=False)
class PublishedCeiling:
    """What the published notebook calls SPE, cc_norm, cc_max and corrs, each (n_voxels,).

    Parameters
    ----------
    spe : array
        Share of the signal power that is explained.
    cc_norm : array
        Correlation over ``cc_max``. Where there is no signal power: plus or minus infinity.
    cc_max : array
        0 where there is no signal power, and 1.8e308 where the mean of the trials is silent.
    correlation : array
        With the mean of the trials.
    """

    spe: Array = field(repr=False)
    cc_norm: Array = field(repr=False)
    cc_max: Array = field(repr=False)
    correlation: Array = field(repr=False)


def noise_ceiling_huth2023(
    trials: ArrayLike, Y_pred: ArrayLike, *, unit_variance: bool = True
) -> PublishedCeiling:
    """Repeat the published notebook's arithmetic, which has numbers where there is no answer.

    For results use :func:`noise_ceiling`, which has NaN there, and a floor that works: the
    published one was ignored.

    Parameters
    ----------
    trials : array of shape (n_repeats, n_trs, n_voxels)
        Two repeats or more.
    Y_pred : array of shape (n_trs, n_voxels)
    unit_variance : bool
        Take the total power for 1, whatever it is. The notebook does.

    Returns
    -------
    PublishedCeiling
        In float64.

    Raises
    ------
    AlignmentError
        If the arrays do not match.
    ValueError
        If there are fewer than two repeats.

    References
    ----------
    Antonello, Vaidya & Huth 2023, NeurIPS, arXiv:2305.11863 (the notebook); Schoppe et al. 2016,
    Frontiers in Computational Neuroscience 10:10, doi:10.3389/fncom.2016.00010 (the formulae).

    Examples
    --------
    >>> trials = np.array([[[1.0], [2], [3]], [[1], [2], [3]]])
    >>> published = noise_ceiling_huth2023(trials, [[1], [2], [3]])
    >>> published.cc_max, published.correlation
    (array([1.]), array([1.]))
    """
    trials, guess = np.asarray(trials, dtype=np.float64), np.asarray(Y_pred, dtype=np.float64)
    if trials.ndim != 3 or trials.shape[1:] != guess.shape:
        msg = (
            f"trials have shape {trials.shape}, predictions {guess.shape}; expected "
            "(n_repeats, n_trs, n_voxels) and (n_trs, n_voxels)."
        )
        raise AlignmentError(msg)
    n_repeats = len(trials)
    if n_repeats < 2:
        msg = f"there is {n_repeats} trial; expected two or more."
        raise ValueError(msg)
    mean = trials.mean(axis=0)
    total = 1.0 if unit_variance else trials.var(axis=1, ddof=1).mean(axis=0)
    signal = (n_repeats * mean.var(axis=0, ddof=1) - total) / (n_repeats - 1)
    with np.errstate(all="ignore"):  # its numbers where there is no answer, too
        explained = mean.var(axis=0, ddof=1) - (mean - guess).var(axis=0, ddof=1)
        cc_max = np.nan_to_num(1 / np.sqrt(1 + (total / signal - 1) / n_repeats))
        products = ((mean - mean.mean(axis=0)) * (guess - guess.mean(axis=0))).mean(axis=0)
        correlation = products / (mean.std(axis=0) * guess.std(axis=0))
        return PublishedCeiling(explained / signal, correlation / cc_max, cc_max, correlation)
