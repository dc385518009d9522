"""Significance in many voxels at once: the largest score by chance, and false discovery rates."""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import false_discovery_control

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.evaluate._choices import known
from voxscale.evaluate._columns import as_numbers, voxel_blocks
from voxscale.evaluate._draws import TIE, checked_rank

__all__ = ["MaxStatistic", "fdr", "fdr_threshold", "max_statistic"]

_METHODS = ("bh", "by")


class _Tested(Protocol):
    """What has scores, and the scores that chance gives: a test, or a comparison of models."""

    @property
    def observed(self) -> Array: ...
    @property
    def null(self) -> Array: ...
    @property
    def alternative(self) -> str: ...


@dataclass(frozen=True, eq=False)
class MaxStatistic:
    """P-values that hold for all voxels of a family together.

    Made by :func:`max_statistic`.

    Parameters
    ----------
    p_values : array of shape (n_voxels,), float64
        (1 + number of permutations whose largest score in the family is at least as high) /
        (1 + n_permutations). NaN in voxels without a score, and outside the mask.
    maxima : array of shape (n_permutations, n_regions), float64
        Largest score of each permutation in each family; of the magnitudes where the test is
        two-sided.
    regions : tuple
        Label of each family, sorted; ``("all",)`` where all voxels are one.
    """

    p_values: Array = field(repr=False)
    maxima: Array = field(repr=False)
    regions: tuple[Hashable, ...]

    def threshold(self, p: float) -> Array:
        """Compute the score that a voxel must exceed to have a p-value of at most ``p``.

        Parameters
        ----------
        p : float
            Between 0 and 1: the probability that any voxel of the family exceeds it by chance.

        Returns
        -------
        array of shape (n_regions,), float64
            Of the magnitude of a score where the test is two-sided.

        Raises
        ------
        ValueError
            If ``p`` is not between 0 and 1, or smaller than this many permutations can show.
        """
        position = len(self.maxima) - checked_rank(p, len(self.maxima))
        return np.asarray(np.partition(self.maxima, position, axis=0)[position])


def max_statistic(
    test: _Tested, *, mask: ArrayLike | None = None, regions: ArrayLike | None = None
) -> MaxStatistic:
    """Compare each voxel's score with the largest one that chance finds in any voxel.

    Where no voxel is related, not a single such p-value is at most 0.05 with a probability of at
    least 0.95. Works because a permutation is the same one in all voxels, however
    these depend on each other.

    Parameters
    ----------
    test : PermutationTest or ModelComparison
    mask : array of bool of shape (n_voxels,), optional
        Voxels that make up the family. Choose them by other data, such as a noise ceiling.
    regions : array of labels of shape (n_voxels,), optional
        An integer or a name for each voxel; voxels of a region are a family of their own. The
        number of regions is *not* corrected for.

    Returns
    -------
    MaxStatistic

    Raises
    ------
    AlignmentError
        If the mask or the regions are not one for each voxel.
    ValueError
        If no voxel is left that has a score.
    TypeError
        If the mask is not of booleans, or the labels are neither integers nor strings.

    Warns
    -----
    VoxscaleWarning
        Counts voxels of the mask that have no score. Without a mask there is none: the test has
        counted them.

    Notes
    -----
    One threshold serves a family. Voxels whose scores vary more by chance, such as those with
    slow responses, make it high for the others.

    There is no statistic of clusters here. For maps of several subjects, as (n_subjects,
    n_voxels) differences between models, ``mne.stats.permutation_cluster_1samp_test`` has
    clusters and threshold-free cluster enhancement (``threshold=dict(start=0, step=0.2)``), and
    ``mne.spatial_src_adjacency`` or ``scikit-learn``'s ``grid_to_graph`` the neighbours.

    References
    ----------
    Westfall & Young 1993, *Resampling-based multiple testing*, Wiley.
    Nichols & Holmes 2002, Human Brain Mapping 15:1, doi:10.1002/hbm.1058.

    Examples
    --------
    >>> from voxscale.evaluate import permutation_test
    >>> rng = np.random.default_rng(0)
    >>> guess, noise = rng.standard_normal((2, 200, 50))
    >>> test = permutation_test(noise + guess * (np.arange(50) == 7), guess, n_permutations=99)
    >>> np.flatnonzero(max_statistic(test).p_values < 0.05)
    array([7])
    """
    observed, null = np.asarray(test.observed), test.null
    families, labels = _families(observed, mask, regions)
    two_sided = test.alternative == "two-sided"
    maxima = np.full((len(null), len(labels)), -np.inf)
    for voxels in voxel_blocks(len(observed), len(null)):
        of_voxels = families[voxels]
        for family in np.unique(of_voxels[of_voxels >= 0]):
            scores = null[:, voxels][:, of_voxels == family]
            highest = (np.abs(scores) if two_sided else scores).max(axis=1)
            np.maximum(maxima[:, family], highest, out=maxima[:, family])
    p_values = np.full(len(observed), np.nan)
    for family, by_chance in enumerate(np.sort(maxima, axis=0).T):
        mine = families == family
        score = np.abs(observed[mine]) if two_sided else observed[mine]
        # The null is float32: what rounds to a tie is one.
        tie = TIE + np.finfo(np.float32).eps * np.abs(score)
        n_above = len(by_chance) - np.searchsorted(by_chance, score - tie)
        p_values[mine] = (1 + n_above) / (1 + len(by_chance))
    return MaxStatistic(p_values, maxima, labels)


def _families(
    observed: Array, mask: ArrayLike | None, regions: ArrayLike | None
) -> tuple[Array, tuple[Hashable, ...]]:
    """Give the number of each voxel's family, -1 where it is in none, and their labels."""
    kept = np.isfinite(observed)
    if mask is not None:
        chosen = _one_each(mask, observed, "mask", "b", "booleans")
        _warn_without_score(int((chosen & ~kept).sum()), int(chosen.sum()))
        kept &= chosen
    if not kept.any():
        msg = (
            f"none of {len(observed)} voxels has a score and is in the mask; expected some: "
            "check the mask, or the responses."
        )
        raise ValueError(msg)
    if regions is None:
        return np.where(kept, 0, -1), ("all",)
    labels = _one_each(regions, observed, "regions", "iuU", "labels (integers or strings)")
    names, numbers = np.unique(labels[kept], return_inverse=True)
    families = np.full(len(observed), -1)
    families[kept] = numbers
    return families, tuple(names.tolist())


def _warn_without_score(n_lost: int, n_chosen: int) -> None:
    if 0 < n_lost < n_chosen:
        msg = (
            f"{n_lost} of {n_chosen} voxels in the mask have no score, being constant or not "
            "finite; they are NaN, and the family is smaller by them."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=4)


def _one_each(values: ArrayLike, observed: Array, name: str, kinds: str, what: str) -> Array:
    array = np.asarray(values)
    if array.shape != observed.shape:
        msg = f"{name} has shape {array.shape}; expected {observed.shape}, one for each voxel."
        raise AlignmentError(msg)
    if array.dtype.kind not in kinds:
        msg = f"{name} has dtype {array.dtype}; expected {what}; convert it first."
        raise TypeError(msg)
    return array


def fdr(p_values: ArrayLike, *, method: str = "bh") -> Array:
    """Adjust p-values so that a threshold on them is a rate of false discoveries.

    Among voxels whose adjusted value is at most 0.05, an expected share of at most 0.05 is wrong.

    Parameters
    ----------
    p_values : array of any shape
        One family. NaN, voxels without an answer or outside a mask, do not count: the family is
        of the others.
    method : {"bh", "by"}
        Benjamini–Hochberg, valid where voxels are independent or depend positively, as they do
        in smooth maps; Benjamini–Yekutieli, valid always, and far more conservative.

    Returns
    -------
    array of the same shape, float64
        NaN where ``p_values`` are.

    Raises
    ------
    ValueError
        If a p-value is not between 0 and 1, or the method is unknown.
    TypeError
        If they are not real numbers.

    Warns
    -----
    VoxscaleWarning
        If all are NaN: nothing was tested. What kept some voxels from a p-value was counted
        where these were made.

    Notes
    -----
    The smallest p-value that n permutations can show is 1 / (n + 1). Among m voxels, k of which
    are to be found at a rate q, their p-values must be at most k·q/m: so n + 1 ≥ m / (k·q) for
    "bh", and 1 + 1/2 + ... + 1/m times as many for "by". A thousand voxels among 95,556, at 0.05,
    need 1911 permutations; a hundred need 19,111. With fewer, nothing at all is found, however
    strong: ask :func:`max_statistic`, which needs 1/q of them, or test fewer voxels.

    References
    ----------
    Benjamini & Hochberg 1995, J. R. Stat. Soc. B 57:289,
    doi:10.1111/j.2517-6161.1995.tb02031.x.
    Benjamini & Yekutieli 2001, Ann. Stat. 29:1165, doi:10.1214/aos/1013699998.

    Examples
    --------
    >>> fdr([0.01, np.nan, 0.04, 0.02]).round(3)
    array([0.03,  nan, 0.04, 0.03])

    Fifty voxels of 1000 are as strong as they can be with 199 permutations, and with 499:

    >>> for n_permutations in (199, 499):
    ...     p = np.r_[np.full(50, 1 / (n_permutations + 1)), np.linspace(0.01, 1, 950)]
    ...     print(np.count_nonzero(fdr(p) <= 0.05))
    0
    50
    """
    values, defined = _probabilities(p_values, method)
    if values.size and not defined.any():
        msg = f"all {values.size} p-values are NaN; nothing was tested: look at the responses."
        warnings.warn(msg, VoxscaleWarning, stacklevel=2)
    adjusted = np.full(values.shape, np.nan)
    if defined.any():
        adjusted[defined] = false_discovery_control(values[defined], method=method)
    return adjusted


def fdr_threshold(p_values: ArrayLike, q: float = 0.05, *, method: str = "bh") -> float:
    """Find the largest p-value that counts as a discovery.

    Parameters
    ----------
    p_values : array of any shape
        One family. NaN do not count.
    q : float
        Rate of false discoveries, between 0 and 1.
    method : {"bh", "by"}
        As in :func:`fdr`.

    Returns
    -------
    float
        ``p_values <= threshold`` are the discoveries. NaN, which no value is below, where there
        are none.

    Raises
    ------
    ValueError
        If ``q`` or a p-value is not between 0 and 1, or the method is unknown.
    TypeError
        If they are not real numbers.

    Examples
    --------
    >>> fdr_threshold([0.01, np.nan, 0.9, 0.02])
    0.02
    """
    if not 0 < q < 1:
        msg = f"q is {q}; expected a rate between 0 and 1, such as 0.05."
        raise ValueError(msg)
    values, defined = _probabilities(p_values, method)
    # A step of the adjustment is p · n / rank: its rounding must not undo an equality.
    if not defined.any():
        return float("nan")
    found = values[fdr(values, method=method) <= q * (1 + 1e-12)]
    return float(found.max()) if found.size else float("nan")


def _probabilities(p_values: ArrayLike, method: str) -> tuple[Array, Array]:
    known("method", method, _METHODS)
    values = as_numbers(p_values, "p_values").astype(np.float64)
    defined = ~np.isnan(values)
    outside = defined & ~((values >= 0) & (values <= 1))
    if outside.any():
        msg = (
            f"{np.count_nonzero(outside)} p-values are not between 0 and 1, such as "
            f"{values[outside][0]:.3g}; expected probabilities, and NaN where there is none."
        )
        raise ValueError(msg)
    return values, defined
