"""Fit a model to every union of feature spaces, and partition what they explain."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.evaluate._columns import as_numbers
from voxscale.evaluate._metrics import METRICS, Metric
from voxscale.evaluate._partition import VariancePartition, split
from voxscale.evaluate._unions import Union, check_names, check_variance, subsets_of

__all__ = ["variance_partition"]

_GIB = 2**30


def variance_partition(
    spaces: Mapping[str, tuple[ArrayLike, ArrayLike]],
    Y_train: Any,
    Y_test: ArrayLike,
    estimator: Any,
    *,
    metric: str = "r2",
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
    can predict worse than either alone, and parts come out negative. ``BandedRidgeCV`` gives
    each space its own penalty, at the price of a search for each union; see
    :func:`product_measure` for parts from a single fit.

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
    problem = _Problem.of(spaces, Y_train, Y_test, estimator, metric)
    scores: dict[Union, Array] = {}
    is_predicted = np.ones(problem.Y_test.shape[1], dtype=bool)
    with _each_warning_once(stacklevel=4):
        for union, prediction in problem.predictions(memory_gib):
            scores[union] = METRICS[metric].score(problem.Y_test, prediction)
            # A voxel without weights, of which the fit has told, is NaN in every row.
            is_predicted &= np.isfinite(prediction[0])
    made = split(problem.names, scores, metric)
    n_new = int((np.isnan(made.total) & is_predicted).sum())
    if n_new:
        msg = (
            f"{n_new} of {made.n_voxels} voxels were fitted but have no score, and are NaN in all "
            "parts: their test responses hold NaN, or these or predictions are constant; check "
            "the test part, or leave these voxels out."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=2)
    return made


@dataclass(frozen=True, eq=False)
class _Problem:
    """Checked spaces and responses.

    Parameters
    ----------
    train, test : dict of name to array of shape (n_trs, n_features)
    Y_train, Y_test : array of shape (n_trs, n_voxels)
    estimator : object
    """

    train: dict[str, Array]
    test: dict[str, Array]
    Y_train: Any
    Y_test: Array
    estimator: Any

    @classmethod
    def of(
        cls, spaces: Mapping[str, Any], Y_train: Any, Y_test: ArrayLike, estimator: Any, metric: str
    ) -> _Problem:
        check_names(list(spaces))
        check_variance(metric)
        if Metric.parse(metric).needs_ceiling:
            msg = (
                f"metric {metric!r} is over a ceiling; use 'r2' or 'signed_r2' here, or divide "
                "the scores by their ceilings and give them to partition."
            )
            raise ValueError(msg)
        _check_estimator(estimator)
        truth = as_numbers(Y_test, "Y_test")
        n_voxels = _check_responses(np.shape(Y_train), truth.shape)
        train, test = {}, {}
        for name, pair in spaces.items():
            train[name], test[name] = _checked_pair(name, pair)
        for part, arrays, n_trs in (
            ("train", train, np.shape(Y_train)[0]),
            ("test", test, len(truth)),
        ):
            _check_rows(part, arrays, n_trs, n_voxels)
        return cls(train, test, Y_train, truth, estimator)

    @property
    def names(self) -> Union:
        """The spaces, in the order in which they were given."""
        return tuple(self.train)

    def predictions(self, memory_gib: float) -> Iterator[tuple[Union, Array]]:
        """Fit each union and predict the test part: (n_test_trs, n_voxels)."""
        if hasattr(self.estimator, "fit_designs"):
            for lot in self._lots(memory_gib):
                designs = [_joined(self.train, union) for union in lot]
                models = self.estimator.fit_designs(designs, self.Y_train)
                del designs
                while lot:  # each model's weights are let go before the next one predicts
                    union, model = lot.pop(0), models.pop(0)
                    yield union, self._predicted(model, _joined(self.test, union))
            return
        from sklearn.base import clone

        join = _as_bands if _is_banded(self.estimator) else _joined
        for union in subsets_of(self.names):
            model = clone(self.estimator).fit(join(self.train, union), self.Y_train)
            yield union, self._predicted(model, join(self.test, union))

    def _lots(self, memory_gib: float) -> Iterator[list[Union]]:
        """Yield as many unions as the memory holds weights and designs of."""
        if not memory_gib > 0:
            msg = f"memory_gib is {memory_gib}; expected a positive number of GiB."
            raise ValueError(msg)
        n_trs, n_voxels = np.shape(self.Y_train)
        lot: list[Union] = []
        taken = 0
        for union in subsets_of(self.names):
            width = sum(self.train[name].shape[1] for name in union)
            gram = min(width, n_trs) ** 2
            n_bytes = 8 * (width * (n_voxels + n_trs) + gram)
            if lot and taken + n_bytes > memory_gib * _GIB:
                yield lot
                lot, taken = [], 0
            lot.append(union)
            taken += n_bytes
        yield lot

    def _predicted(self, model: Any, X: Any) -> Array:
        prediction = np.asarray(model.predict(X))
        if prediction.shape != self.Y_test.shape:
            msg = (
                f"{type(model).__name__} predicts an array of shape {prediction.shape}; expected "
                f"{self.Y_test.shape}, that of Y_test."
            )
            raise AlignmentError(msg)
        return prediction


def _joined(arrays: Mapping[str, Array], union: Union) -> Array:
    return np.concatenate([arrays[name] for name in union], axis=1)


def _as_bands(arrays: Mapping[str, Array], union: Union) -> dict[str, Array]:
    return {name: arrays[name] for name in union}


def _is_banded(estimator: Any) -> bool:
    from voxscale.fit import BandedRidgeCV  # brings torch, of which the scores have no need

    return isinstance(estimator, BandedRidgeCV)


@contextmanager
def _each_warning_once(stacklevel: int) -> Iterator[None]:
    """Hold back warnings, and say each different one at the end: every fit has the same."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", VoxscaleWarning)
        yield
    for text, category in dict.fromkeys((str(one.message), one.category) for one in caught):
        warnings.warn(text, category, stacklevel=stacklevel)


def _check_estimator(estimator: Any) -> None:
    if isinstance(estimator, type) or not (
        hasattr(estimator, "fit") and hasattr(estimator, "predict")
    ):
        msg = f"estimator is {estimator!r}; expected one with fit and predict, such as RidgeCV()."
        raise TypeError(msg)
    if getattr(estimator, "weights", "primal") is None:
        msg = "the estimator keeps no weights (weights=None), so it cannot predict; keep them."
        raise ValueError(msg)


def _check_responses(train: tuple[int, ...], test: tuple[int, ...]) -> int:
    """Return the number of voxels."""
    for name, shape in (("Y_train", train), ("Y_test", test)):
        if len(shape) != 2 or shape[0] < 2:
            msg = f"{name} has shape {shape}; expected (n_trs, n_voxels) with 2 TRs or more."
            raise ValueError(msg)
    if train[1] != test[1]:
        msg = (
            f"Y_train has shape {train} but Y_test has shape {test}; expected the same voxels in "
            "both."
        )
        raise AlignmentError(msg)
    return train[1]


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


def _check_rows(part: str, arrays: Mapping[str, Array], n_trs: int, n_voxels: int) -> None:
    for name, X in arrays.items():
        if len(X) != n_trs:
            msg = (
                f"space {name!r} has shape {X.shape} in the {part} part but Y_{part} has shape "
                f"({n_trs}, {n_voxels}); expected the same TRs in all; join them on shared TRs."
            )
            raise AlignmentError(msg)
