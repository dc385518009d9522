"""Fit a model to every union of feature spaces, and predict the test part with each."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.evaluate._columns import as_numbers
from voxscale.evaluate._unions import Union, check_names, subsets_of

__all__ = ["UnionFits", "union_predictions"]

_GIB = 2**30


def union_predictions(
    spaces: Mapping[str, tuple[ArrayLike, ArrayLike]],
    Y_train: Any,
    estimator: Any,
    *,
    balance: bool = True,
    choose: bool = True,
    memory_gib: float = 8.0,
) -> Iterator[tuple[Union, Array]]:
    """Fit every union of 2 to 4 feature spaces, and predict the test part with each.

    What :func:`variance_partition` scores. Take it where the same predictions are to be scored
    in more than one way, or tested: scores by union are what :func:`partition` takes.

    Parameters
    ----------
    spaces : mapping of name to (X_train, X_test)
        Arrays of shape (n_trs, n_features) and (n_test_trs, n_features), with delays if the
        model is to have any, z-scored per run. Never written to.
    Y_train : array of shape (n_trs, n_voxels)
        For :class:`voxscale.RidgeCV` also whatever its ``fit`` reads from disk.
    estimator : RidgeCV, BandedRidgeCV, or another with the API of scikit-learn
        A copy of it is fitted to each union; itself is left as it is. A union is the columns of
        its spaces side by side; for ``BandedRidgeCV``, a band for each space.
    balance : bool
        Give each space of a union the same share of the prior variance, however many columns
        it has (see Notes). ``BandedRidgeCV`` has a penalty for each space: there it does
        nothing.
    choose : bool
        Let a union leave out spaces in voxels where that validated better (see Notes). Only
        ``RidgeCV`` tells how its fits validated: for others it does nothing.
    memory_gib : float, in GiB
        For weights and designs of ``RidgeCV``: as many unions as fit into it are fitted at
        once, by ``fit_designs``, and responses are read once for each such lot. One union
        always is. Results do not depend on it.

    Returns
    -------
    iterator of (union, prediction)
        ``union`` is a tuple of names, in the order in which they were given; ``prediction`` an
        array of shape (n_test_trs, n_voxels), NaN for voxels without weights. Small unions come
        first, that of all spaces last. Fits are made as predictions are asked for; arguments
        are checked at once.

    Raises
    ------
    AlignmentError
        If spaces differ in rows from each other or from the responses, or in columns between
        training and test.
    ValueError
        If there are fewer than 2 or more than 4 spaces, or the estimator keeps no weights.
    TypeError
        If a name is no string, or the estimator cannot predict.

    Warns
    -----
    VoxscaleWarning
        What the fits warn of, each warning once.

    Notes
    -----
    With one penalty for all columns, the thousands of columns of a language model and the few
    of word rate share it: either the few are shrunk to nothing, or the many fit noise.
    Balanced, the columns of each space are multiplied by ``sqrt(n / (k m))``, for m columns of
    the space and n of the k spaces together. That is multiple-kernel ridge with equal weights of
    kernels that are normalised by their traces. Of z-scored columns, the trace of the union's
    kernel stays what it was, so that the same penalties suit.

    Nor need a union be as good as its best part: a space that helps no voxel takes away from
    all. So in each voxel a union stands for the best, by validation on training rows, of the
    fits to itself and to its subsets (``choose``). Scores on the test part had no say in it.

    Measured by ``benchmarks/balanced_unions.py``: mean R² of two spaces together (unique part of
    the first, of the second), after 600 training TRs, with ``RidgeCV``. "Language" has 500 columns
    with the falling spectrum of a language model, "other" 300, word rate 5.

    =====================  =====================  =====================  =====================
    R² of the truth        one penalty            balanced               balanced, chosen
    =====================  =====================  =====================  =====================
    language 0, rate .2    0.046 (-0.145, 0.050)  0.181 (-0.010, 0.185)  0.189 (-0.002, 0.193)
    language .2, rate 0    0.092 (0.097, 0.000)   0.086 (0.090, -0.007)  0.091 (0.095, -0.002)
    language .1, rate .1   0.067 (-0.023, 0.034)  0.128 (0.039, 0.095)   0.128 (0.038, 0.094)
    both .03               0.003 (-0.016, 0.002)  0.025 (0.005, 0.024)   0.024 (0.004, 0.022)
    language .1, other .1  0.074 (0.039, 0.042)   0.075 (0.040, 0.043)   0.073 (0.039, 0.041)
    language .2, other 0   0.077 (0.082, -0.014)  0.070 (0.075, -0.022)  0.090 (0.095, -0.001)
    =====================  =====================  =====================  =====================

    References
    ----------
    Nunez-Elizalde, Huth & Gallant 2019, NeuroImage 197:482,
    doi:10.1016/j.neuroimage.2019.04.012 (a scale for each feature space is its prior variance).
    Dupré la Tour, Eickenberg, Nunez-Elizalde & Gallant 2022, NeuroImage 264:119728,
    doi:10.1016/j.neuroimage.2022.119728.

    Examples
    --------
    >>> from voxscale.evaluate import correlation, partition, signed_r2
    >>> from voxscale.fit import RidgeCV
    >>> rng = np.random.default_rng(0)
    >>> words, sounds = rng.standard_normal((2, 300, 2))
    >>> Y = words + sounds
    >>> spaces = {"words": (words[:200], words[200:]), "sounds": (sounds[:200], sounds[200:])}
    >>> scores = {}
    >>> for union, Y_pred in union_predictions(spaces, Y[:200], RidgeCV([0.01], device="cpu")):
    ...     print(" & ".join(union), correlation(Y[200:], Y_pred).round(1))
    ...     scores[union] = signed_r2(Y[200:], Y_pred)
    words [0.8 0.7]
    sounds [0.7 0.7]
    words & sounds [1. 1.]
    >>> partition(scores, metric="signed_r2").total.round(2)
    array([1., 1.])
    """
    fits = UnionFits.of(
        spaces, Y_train, estimator, balance=balance, choose=choose, memory_gib=memory_gib
    )
    return fits.predictions(stacklevel=2)


@dataclass(frozen=True, eq=False)
class UnionFits:
    """Checked spaces and responses, to be fitted.

    Parameters
    ----------
    train, test : dict of name to array of shape (n_trs, n_features)
    Y_train : array of shape (n_trs, n_voxels)
    estimator : object
    balance, choose : bool
    memory_gib : float
    """

    train: dict[str, Array]
    test: dict[str, Array]
    Y_train: Any
    estimator: Any
    balance: bool
    choose: bool
    memory_gib: float

    @classmethod
    def of(
        cls,
        spaces: Mapping[str, Any],
        Y_train: Any,
        estimator: Any,
        *,
        balance: bool,
        choose: bool,
        memory_gib: float,
        test_shape: tuple[int, ...] | None = None,
    ) -> UnionFits:
        """Check everything; ``test_shape`` is that of ``Y_test``, where there is one."""
        check_names(list(spaces))
        _check_estimator(estimator)
        if not memory_gib > 0:
            msg = f"memory_gib is {memory_gib}; expected a positive number of GiB."
            raise ValueError(msg)
        _check_responses(np.shape(Y_train), test_shape)
        train, test = {}, {}
        for name, pair in spaces.items():
            train[name], test[name] = _checked_pair(name, pair)
        _check_rows("train", train, "Y_train", np.shape(Y_train))
        if test_shape is None:
            first = next(iter(test))
            _check_rows("test", test, f"space {first!r}", test[first].shape)
        else:
            _check_rows("test", test, "Y_test", test_shape)
        return cls(train, test, Y_train, estimator, balance, choose, memory_gib)

    @property
    def names(self) -> Union:
        """The spaces, in the order in which they were given."""
        return tuple(self.train)

    def predictions(self, *, stacklevel: int) -> Iterator[tuple[Union, Array]]:
        """Yield each union and its prediction; pass on each different warning once.

        Warnings are held back only while a fit is made, not while the caller has his turn.
        """
        fitted = self._fitted()
        told: set[tuple[str, type[Warning]]] = set()
        while True:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", VoxscaleWarning)
                found = next(fitted, None)
            for one in caught:
                warning = (str(one.message), one.category)
                if warning not in told:
                    told.add(warning)
                    warnings.warn(*warning, stacklevel=stacklevel)
            if found is None:
                return
            yield found

    def _fitted(self) -> Iterator[tuple[Union, Array]]:
        if hasattr(self.estimator, "fit_designs"):
            chosen = _BestSubsets()
            for lot in self._lots():
                designs = [self._joined(self.train, union) for union in lot]
                models = self.estimator.fit_designs(designs, self.Y_train)
                del designs
                while lot:  # each model's weights are let go before the next one predicts
                    union, model = lot.pop(0), models.pop(0)
                    prediction = self._predicted(model, self._joined(self.test, union))
                    if self.choose:
                        prediction = chosen.of(union, prediction, _validated(model))
                    del model
                    yield union, prediction
            return
        from sklearn.base import clone

        join = _as_bands if _is_banded(self.estimator) else self._joined
        for union in subsets_of(self.names):
            model = clone(self.estimator).fit(join(self.train, union), self.Y_train)
            yield union, self._predicted(model, join(self.test, union))

    def _lots(self) -> Iterator[list[Union]]:
        """Yield as many unions as the memory holds weights and designs of."""
        n_trs, n_voxels = np.shape(self.Y_train)
        lot: list[Union] = []
        taken = 0
        for union in subsets_of(self.names):
            width = sum(self.train[name].shape[1] for name in union)
            gram = min(width, n_trs) ** 2
            n_bytes = 8 * (width * (n_voxels + n_trs) + gram)
            if lot and taken + n_bytes > self.memory_gib * _GIB:
                yield lot
                lot, taken = [], 0
            lot.append(union)
            taken += n_bytes
        yield lot

    def _joined(self, arrays: Mapping[str, Array], union: Union) -> Array:
        """Put the columns of the spaces side by side, in a new array."""
        parts = [arrays[name] for name in union]
        if not self.balance or len(parts) == 1:
            return np.concatenate(parts, axis=1)
        # At least float32: half precision would round what is scaled.
        joined = np.concatenate(parts, axis=1, dtype=np.result_type(*parts, np.float32))
        start = 0
        for part in parts:
            stop = start + part.shape[1]
            joined[:, start:stop] *= np.sqrt(joined.shape[1] / (len(parts) * part.shape[1]))
            start = stop
        return joined

    def _predicted(self, model: Any, X: Any) -> Array:
        prediction = np.asarray(model.predict(X))
        expected = (len(self.test[self.names[0]]), np.shape(self.Y_train)[1])
        if prediction.shape != expected:
            msg = (
                f"{type(model).__name__} predicts an array of shape {prediction.shape}; expected "
                f"{expected}, the TRs of the test part and the voxels of Y_train."
            )
            raise AlignmentError(msg)
        return prediction


class _BestSubsets:
    """For each union, the prediction of that of its subsets which validated best, by voxel."""

    def __init__(self) -> None:
        self._best: dict[Union, tuple[Array, Array]] = {}

    def of(self, union: Union, prediction: Array, validated: Array) -> Array:
        """Take a union whose subsets came before; return its prediction, (n_test_trs, n_voxels)."""
        best, score = prediction.copy(), np.where(np.isnan(validated), -np.inf, validated)
        for smaller in combinations(union, len(union) - 1) if len(union) > 1 else ():
            other, of_other = self._best[smaller]
            better = of_other > score
            best[:, better] = other[:, better]
            score = np.maximum(score, of_other)
        for done in [one for one in self._best if len(one) < len(union) - 1]:
            del self._best[done]  # whose best is in that of the next larger ones
        best.flags.writeable = False
        self._best[union] = best, score
        return best


def _validated(model: Any) -> Array:
    """Return each voxel's validation score at its alpha, mean over splits: (n_voxels,)."""
    chosen = np.asarray(model.best_alphas_)
    alphas = np.asarray(model.alphas, dtype=np.float64)[:, np.newaxis]
    at = np.abs(alphas - np.where(np.isnan(chosen), alphas[0], chosen)).argmin(axis=0)
    scores = np.asarray(model.cv_scores_, dtype=np.float64)[at, np.arange(len(chosen))]
    known = np.isfinite(scores)  # a split without a score is left out, as RidgeCV does
    n_known = known.sum(axis=1)
    total = np.where(known, scores, 0.0).sum(axis=1)
    return np.where(n_known > 0, total / np.maximum(n_known, 1), np.nan)


def _as_bands(arrays: Mapping[str, Array], union: Union) -> dict[str, Array]:
    return {name: arrays[name] for name in union}


def _is_banded(estimator: Any) -> bool:
    from voxscale.fit import BandedRidgeCV  # brings torch, of which the scores have no need

    return isinstance(estimator, BandedRidgeCV)


def _check_estimator(estimator: Any) -> None:
    if isinstance(estimator, type) or not (
        hasattr(estimator, "fit") and hasattr(estimator, "predict")
    ):
        msg = f"estimator is {estimator!r}; expected one with fit and predict, such as RidgeCV()."
        raise TypeError(msg)
    if getattr(estimator, "weights", "primal") is None:
        msg = "the estimator keeps no weights (weights=None), so it cannot predict; keep them."
        raise ValueError(msg)


def _check_responses(train: tuple[int, ...], test: tuple[int, ...] | None) -> None:
    for name, shape in (("Y_train", train), ("Y_test", test)):
        if shape is not None and (len(shape) != 2 or shape[0] < 2):
            msg = f"{name} has shape {shape}; expected (n_trs, n_voxels) with 2 TRs or more."
            raise ValueError(msg)
    if test is not None and train[1] != test[1]:
        msg = (
            f"Y_train has shape {train} but Y_test has shape {test}; expected the same voxels in "
            "both."
        )
        raise AlignmentError(msg)


def _checked_pair(name: str, pair: Any) -> tuple[Array, Array]:
    if not isinstance(pair, Sequence) or len(pair) != 2:
        msg = f"space {name!r} is {type(pair).__name__}; expected a pair (X_train, X_test)."
        raise TypeError(msg)
    train, test = (as_numbers(X, f"space {name!r}") for X in pair)
    if train.ndim != 2 or test.ndim != 2 or train.shape[1] != test.shape[1] or not train.shape[1]:
        msg = (
            f"space {name!r} has shape {train.shape} in training and {test.shape} in the test; "
            "expected (n_trs, n_features) with the same features in both."
        )
        raise AlignmentError(msg)
    return train, test


def _check_rows(part: str, arrays: Mapping[str, Array], other: str, shape: tuple[int, ...]) -> None:
    for name, X in arrays.items():
        if len(X) != shape[0]:
            msg = (
                f"space {name!r} has shape {X.shape} in the {part} part but {other} has shape "
                f"{shape}; expected the same TRs in all; join them on shared TRs."
            )
            raise AlignmentError(msg)
