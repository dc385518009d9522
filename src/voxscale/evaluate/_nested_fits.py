"""Fit a model to every union of feature spaces, and partition what they explain."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import VoxscaleWarning
from voxscale.evaluate._columns import as_numbers
from voxscale.evaluate._metrics import METRICS, Metric
from voxscale.evaluate._partition import VariancePartition, split
from voxscale.evaluate._union_predictions import UnionFits
from voxscale.evaluate._unions import Union, check_variance

__all__ = ["variance_partition"]


def variance_partition(
    spaces: Mapping[str, tuple[ArrayLike, ArrayLike]],
    Y_train: Any,
    Y_test: ArrayLike,
    estimator: Any,
    *,
    metric: str = "r2",
    balance: bool = True,
    choose: bool = True,
    memory_gib: float = 8.0,
) -> VariancePartition:
    """Fit every union of 2 to 4 feature spaces, and split the test score into their parts.

    Nested fits: 2^k - 1 models of k spaces. Fits choose their penalties on training data alone;
    the test data is only scored.

    Parameters
    ----------
    spaces : mapping of name to (X_train, X_test)
        Arrays of shape (n_trs, n_features) and (n_test_trs, n_features), with delays if the
        model is to have any, z-scored per run. Never written to.
    Y_train : array of shape (n_trs, n_voxels)
        For :class:`voxscale.RidgeCV` also whatever its ``fit`` reads from disk.
    Y_test : array of shape (n_test_trs, n_voxels)
    estimator : RidgeCV, BandedRidgeCV, or another with the API of scikit-learn
        A copy of it is fitted to each union; itself is left as it is. A union is the columns of
        its spaces side by side; for ``BandedRidgeCV``, a band for each space.
    metric : {"r2", "signed_r2"}
    balance : bool
        Give each space of a union the same share of the prior variance, however many columns
        it has: see :func:`union_predictions`. Does nothing for ``BandedRidgeCV``.
    choose : bool
        Let a union leave out spaces in voxels where that validated better on training rows: see
        :func:`union_predictions`. Only with ``RidgeCV``.
    memory_gib : float, in GiB
        For weights and designs of ``RidgeCV``: as many unions as fit into it are fitted at
        once, by ``fit_designs``, and responses are read once for each such lot. One union
        always is. Results do not depend on it.

    Returns
    -------
    VariancePartition

    Raises
    ------
    AlignmentError
        If spaces differ in rows from each other or from the responses, in columns between
        training and test, or training and test in voxels.
    ValueError
        If there are fewer than 2 or more than 4 spaces, the metric is none of these, or the
        estimator keeps no weights.
    TypeError
        If a name is no string, or the estimator cannot predict.

    Warns
    -----
    VoxscaleWarning
        What the fits warn of, once; and how many more voxels have no score on the test part.

    Notes
    -----
    With one penalty for all columns, as in ``RidgeCV``, a union of a large and a small space
    can predict worse than either alone, and parts come out negative. Balanced, spaces share the
    penalty on equal terms, and a space that does not help a voxel is left out there: far fewer
    do. ``BandedRidgeCV`` gives each space its own penalty, at the price of a search for
    each union; see :func:`product_measure` for parts from a single fit.

    To test or score the same predictions in other ways, make them with
    :func:`union_predictions` and give the scores to :func:`partition`.

    With "signed_r2", a union whose prediction is constant has no score, and its voxel no parts;
    with "r2" such a prediction scores about 0.

    Examples
    --------
    >>> from voxscale.fit import RidgeCV
    >>> rng = np.random.default_rng(0)
    >>> words, sounds = rng.standard_normal((2, 300, 2))
    >>> Y = np.column_stack([words[:, 0], words[:, 0] + sounds[:, 0]])
    >>> spaces = {"words": (words[:200], words[200:]), "sounds": (sounds[:200], sounds[200:])}
    >>> found = variance_partition(spaces, Y[:200], Y[200:], RidgeCV([0.01], device="cpu"))
    >>> (found.total.round(1) + 0.0).tolist()
    [1.0, 1.0]
    >>> sorted(found.n_negative)
    [('sounds',), ('words',), ('words', 'sounds')]
    """
    check_variance(metric)
    if Metric.parse(metric).needs_ceiling:
        msg = (
            f"metric {metric!r} is over a ceiling; use 'r2' or 'signed_r2' here, or divide "
            "the scores by their ceilings and give them to partition."
        )
        raise ValueError(msg)
    truth = as_numbers(Y_test, "Y_test")
    fits = UnionFits.of(
        spaces, Y_train, estimator,
        balance=balance, choose=choose, memory_gib=memory_gib, test_shape=truth.shape,
    )  # fmt: skip
    scores: dict[Union, Array] = {}
    is_predicted = np.ones(truth.shape[1], dtype=bool)
    for union, prediction in fits.predictions(stacklevel=3):
        scores[union] = METRICS[metric].score(truth, prediction)
        # A voxel without weights, of which the fit has told, is NaN in every row.
        is_predicted &= np.isfinite(prediction[0])
    made = split(fits.names, scores, metric)
    n_new = int((np.isnan(made.total) & is_predicted).sum())
    if n_new:
        msg = (
            f"{n_new} of {made.n_voxels} voxels were fitted but have no score, and are NaN in all "
            "parts: their test responses hold NaN, or these or predictions are constant; check "
            "the test part, or leave these voxels out."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=2)
    return made
