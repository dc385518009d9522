"""Feature spaces that know nothing of the stimulus: position in the story, and smooth noise."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter1d

from voxscale.arrays import Array
from voxscale.design import zscore
from voxscale.evaluate._columns import as_numbers, center, rounding_unit, voxel_blocks
from voxscale.evaluate._runs import checked_lengths, run_rows

__all__ = ["autocorrelated_features", "estimate_smoothness", "position_features"]

_TRUNCATE = 4.0  # standard deviations of the Gaussian, as scipy has it
_CONTINUOUS = 2.0  # TRs: from here on, sampling changes nothing


def position_features(run_lengths: Sequence[int], *, shortest_period: float = 0.5) -> list[Array]:
    """Make features of the position in the story: a ramp, and slow cosines.

    The same for every story of the same length, so that they explain what any model can about
    drifts, fatigue and the arc of a scan, whatever was played.

    Parameters
    ----------
    run_lengths : sequence of int, in TRs
        Of the rows that are kept, after trimming.
    shortest_period : float, as a share of the run
        Of the cosines: 0.5 gives four, of periods 2, 1, 2/3 and 1/2 of the run. More than 2:
        the ramp alone.

    Returns
    -------
    list of array of shape (n_trs, 1 + n_cosines), float64
        One for each run, z-scored: the ramp from first to last TR, then the cosines of a
        discrete cosine transform (type II) without its constant. The number of columns does not
        depend on the runs, so that training and test may be made apart.

    Raises
    ------
    ValueError
        If the period is not above 0, or a run is too short for it.
    TypeError
        If a length is no whole number.

    Notes
    -----
    Use them without delays. The ramp and the first cosine are nearly the same thing; ridge does
    not mind. Which slow parts a study's responses have lost already, to detrending, they cannot
    win back.

    References
    ----------
    Hadidi, Feghhi, Song, Blank & Kao 2025, "Illusions of alignment between large language
    models and brains emerge from fragile methods and overlooked confounds", bioRxiv (a baseline
    of position and word rate beside every language model).

    Examples
    --------
    >>> first, second = position_features([5, 8], shortest_period=1.0)
    >>> first.shape, second.shape
    ((5, 3), (8, 3))
    >>> first.round(1)[:, 0]
    array([-1.4, -0.7,  0. ,  0.7,  1.4])
    """
    lengths = checked_lengths(run_lengths)
    if not shortest_period > 0:
        msg = f"shortest_period is {shortest_period}; expected a share of the run above 0."
        raise ValueError(msg)
    n_cosines = int(np.floor(2.0 / shortest_period + 1e-9))
    if min(lengths) < n_cosines + 2:
        msg = (
            f"a run of {min(lengths)} TRs is too short for a ramp and {n_cosines} cosines; "
            f"expected {n_cosines + 2} TRs or more: raise shortest_period ({shortest_period})."
        )
        raise ValueError(msg)
    return [_position(length, n_cosines) for length in lengths]


def autocorrelated_features(
    run_lengths: Sequence[int],
    smoothness_trs: float,
    *,
    n_features: int | None = None,
    seed: int | np.random.Generator = 0,
) -> list[Array]:
    """Make smooth noise: features that tell which TRs are neighbours, and nothing else.

    A model of them predicts held-out TRs from the TRs around them, through the responses' own
    smoothness. What it reaches under a split is what the split gives away: much where TRs are
    shuffled, nothing where whole runs are held out.

    Parameters
    ----------
    run_lengths : sequence of int, in TRs
        All runs, training and test, in one call: runs of two calls with one seed are alike.
    smoothness_trs : float, in TRs
        Standard deviation of the Gaussian that the noise is smoothed with, 0 or more;
        :func:`estimate_smoothness` measures it in responses.
    n_features : int, optional
        Columns of white noise to smooth. Default: instead of noise, one column for each TR of
        all runs, a Gaussian around it in its own run and 0 in all others. These "orthogonal
        autocorrelated sequences" are the limit of many columns, and take n_trs squared numbers.
    seed : int or numpy.random.Generator
        Of the noise.

    Returns
    -------
    list of array of shape (n_trs, n_features), float64
        One for each run, z-scored.

    Raises
    ------
    ValueError
        If the smoothness is below 0 or not finite, there is no column, or ``seed`` is None.
    TypeError
        If a length or a count is no whole number.

    Notes
    -----
    Use them without delays. By default no column has numbers in two runs, so that a model fitted
    to other runs predicts exactly 0: its r2 about 0, its correlation undefined. Few columns of
    noise find less of what a shuffled split gives away.

    For five runs of about 100 TRs of autoregressive noise, z-scored per run, in five folds, the
    mean correlation over 200 voxels was, with the smoothness that was measured in them:

    ==============================  =====  =====  =====
    correlation from TR to TR       0.5    0.7    0.9
    ==============================  =====  =====  =====
    shuffled TRs, default           0.57   0.74   0.91
    shuffled TRs, 200 columns       0.21   0.44   0.81
    a run left out, 200 columns     0.00   0.00   0.01
    ==============================  =====  =====  =====

    A shuffled split of runs that were z-scored whole gives away their mean as well: white noise
    of such runs was predicted with a correlation of 0.17 (smoothness 0.3).

    References
    ----------
    Feghhi, Hadidi, Song, Blank & Kao 2024, "What are large language models mapping to in the
    brain? A case against over-reliance on brain scores", arXiv:2406.01538.

    Examples
    --------
    >>> first, second = autocorrelated_features([4, 3], smoothness_trs=1.0)
    >>> first.shape, second.shape
    ((4, 7), (3, 7))
    >>> bool(second[:, :4].any())
    False
    """
    lengths = checked_lengths(run_lengths)
    width = float(smoothness_trs)
    if not (np.isfinite(width) and width >= 0):
        msg = f"smoothness_trs is {smoothness_trs}; expected a finite number of TRs, 0 or more."
        raise ValueError(msg)
    if n_features is None:
        return _bumps(lengths, width)
    if index(n_features) < 1:
        msg = f"n_features is {n_features}; expected at least 1, or None for one per TR."
        raise ValueError(msg)
    if seed is None:
        msg = "seed is None; give an int, so that the same features can be drawn again."
        raise ValueError(msg)
    rng = np.random.default_rng(seed)
    return [zscore(_smooth_noise(length, index(n_features), width, rng)) for length in lengths]


def estimate_smoothness(Y: ArrayLike, run_lengths: Sequence[int] | None = None) -> Array:
    """Measure how smooth responses are in time.

    White noise, smoothed with a Gaussian of this width, has the same correlation from one TR to
    the next. Its median over voxels is what :func:`autocorrelated_features` may be given.

    Parameters
    ----------
    Y : array of shape (n_trs, n_voxels), or (n_trs,) for one voxel
        Responses, one run after another. May be a memory map.
    run_lengths : sequence of int, in TRs, optional
        Lengths of the runs. Default: all rows are one run.

    Returns
    -------
    array of shape (n_voxels,), float64, in TRs
        Standard deviation of the Gaussian. 0 where neighbours are not positively correlated;
        NaN where a voxel is constant within every run, or not finite.

    Raises
    ------
    AlignmentError
        If the runs do not make up the rows.
    ValueError
        If Y has other axes, or fewer than 2 TRs.

    Notes
    -----
    The lag-one autocorrelation is ``a = 1 - d / 2v``, with v the variance about each run's mean
    and d the mean squared difference of neighbours. The width is ``sqrt(-1 / (4 ln a))`` for wide
    Gaussians and, below 2 TRs, that at which the sampled Gaussian has this autocorrelation. Noise
    that is white in time, as scanners add it, makes responses look less smooth than what they
    carry.

    Examples
    --------
    >>> (run,) = autocorrelated_features([2000], smoothness_trs=1.5, n_features=50)
    >>> bool(abs(np.median(estimate_smoothness(run)) - 1.5) < 0.05)
    True
    """
    responses = as_numbers(Y, "Y")
    if responses.ndim == 1:
        responses = responses[:, np.newaxis]
    if responses.ndim != 2 or len(responses) < 2:
        msg = f"Y has shape {responses.shape}; expected (n_trs, n_voxels) with 2 TRs or more."
        raise ValueError(msg)
    n_trs, n_voxels = responses.shape
    rows = run_rows([n_trs] if run_lengths is None else run_lengths, n_trs)
    autocorrelation = np.full(n_voxels, np.nan)
    for voxels in voxel_blocks(n_voxels, 4 * n_trs):
        autocorrelation[voxels] = _lag_one(responses[:, voxels], rows)
    return _width_of(autocorrelation)


def _position(n_trs: int, n_cosines: int) -> Array:
    middle = (np.arange(n_trs) + 0.5) / n_trs
    cosines = [np.cos(np.pi * k * middle) for k in range(1, n_cosines + 1)]
    return zscore(np.column_stack([middle, *cosines]))


def _bumps(lengths: Sequence[int], width: float) -> list[Array]:
    """Return a Gaussian around each TR, in the columns of its own run."""
    features = [np.zeros((length, sum(lengths))) for length in lengths]
    start = 0
    for run, length in zip(features, lengths, strict=True):
        run[:, start : start + length] = zscore(_smoothed(np.eye(length), width))
        start += length
    return features


def _smooth_noise(n_trs: int, n_features: int, width: float, rng: np.random.Generator) -> Array:
    """Smooth more than is kept, so that the ends are as smooth as the middle."""
    margin = int(_TRUNCATE * width + 0.5)
    noise = rng.standard_normal((n_trs + 2 * margin, n_features))
    return _smoothed(noise, width)[margin : margin + n_trs]


def _smoothed(values: Array, width: float) -> Array:
    if width == 0:
        return values
    return np.asarray(gaussian_filter1d(values, width, axis=0, mode="constant", truncate=_TRUNCATE))


def _lag_one(block: Array, rows: Sequence[slice]) -> Array:
    """Correlate neighbours within runs, (n_block_voxels,), about each run's mean."""
    values, _, varies = center(block)
    squares, differences = np.zeros((2, block.shape[1]))
    for run in rows:
        own = values[run] - values[run].mean(axis=0)
        squares += np.einsum("tv,tv->v", own, own)
        steps = np.diff(own, axis=0)
        differences += np.einsum("tv,tv->v", steps, steps)
    # A voxel that only steps from run to run is constant in each but for rounding.
    rounding = len(block) * (4 * rounding_unit(block.dtype)) ** 2
    defined = varies & (squares > rounding)
    # Of products, smooth series would look less smooth: there is one fewer than of squares.
    per_pair = differences / max(1, len(block) - len(rows))
    variance = np.where(defined, squares, 1.0) / len(block)
    return np.where(defined, 1.0 - per_pair / (2.0 * variance), np.nan)


def _width_of(autocorrelation: Array) -> Array:
    """Return the width of the Gaussian whose smoothed noise has a lag-one autocorrelation."""
    widths = np.linspace(0.2, _CONTINUOUS, 2000)
    kernel = np.exp(-0.5 * (np.arange(-20, 21) / widths[:, np.newaxis]) ** 2)
    sampled = (kernel[:, 1:] * kernel[:, :-1]).sum(axis=1) / (kernel**2).sum(axis=1)
    positive = np.where(autocorrelation > 0, autocorrelation, np.nan)
    wide = np.sqrt(-0.25 / np.log(positive))
    narrow = np.interp(positive, sampled, widths)
    found = np.where(positive > sampled[-1], wide, narrow)
    return np.where(autocorrelation <= 0, 0.0, found)
