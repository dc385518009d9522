"""What tests of fits share: the formula as a loop, and designs and results made for tests."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from voxscale.fit import _blocks


def score_naively(Y, P):
    """Score each voxel by every scoring, from the formulas in their docstrings."""
    explained = 1 - np.var(Y - P, axis=0) / ((1 + np.var(Y, axis=0)) / 2)
    y, p = Y - Y.mean(axis=0), P - P.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "r2": 1 - np.sum((Y - P) ** 2, axis=0) / np.sum(y**2, axis=0),
            "correlation": np.mean(y * p, axis=0) / (y.std(axis=0) * p.std(axis=0)),
            "huth2023": np.sign(explained) * np.sqrt(abs(explained)),
        }


def fit_naively(X, Y, alpha, *, fit_intercept=False, sample_weight=None):
    """Solve the normal equations of one penalty; return weights and intercept."""
    w = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    x_mean = w @ X / w.sum() if fit_intercept else np.zeros(X.shape[1])
    y_mean = w @ Y / w.sum() if fit_intercept else np.zeros(Y.shape[1])
    weighted = (X - x_mean).T * w
    coef = np.linalg.solve(
        weighted @ (X - x_mean) + alpha * np.eye(X.shape[1]), weighted @ (Y - y_mean)
    )
    return coef, y_mean - x_mean @ coef


def cross_validate_naively(X, Y, splits, alphas, *, fit_intercept=False, sample_weight=None):
    """Refit for every split and penalty in float64, and score."""
    X, Y = np.asarray(X, dtype=float), np.asarray(Y, dtype=float)
    w = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    shape = (len(alphas), Y.shape[1], len(splits))
    scores = defaultdict(lambda: np.full(shape, np.nan))
    for s, (train, validation) in enumerate(splits):
        train, validation = train[w[train] > 0], validation[w[validation] > 0]
        for a, alpha in enumerate(alphas):
            coef, intercept = fit_naively(
                X[train], Y[train], alpha, fit_intercept=fit_intercept, sample_weight=w[train]
            )
            predicted = X[validation] @ coef + intercept
            for name, found in score_naively(Y[validation], predicted).items():
                scores[name][a, :, s] = found
    return scores


@pytest.fixture(scope="session")
def naive():
    """Return the loop over splits and alphas, written from the formula."""
    return cross_validate_naively


@pytest.fixture(scope="session")
def naive_fit():
    """Return the solution of the normal equations of one penalty."""
    return fit_naively


def draw_language_like(rng, n_trs, n_features, n_delays, n_voxels):
    """Draw a design like that of a language model, and responses that it explains in part.

    Features are slow, their spectrum falls as a power law, and they come at several delays.
    """
    drawn = rng.standard_normal((n_trs + 20, n_features)) * np.arange(1, n_features + 1) ** -0.7
    drawn[1:] += 0.6 * drawn[:-1]
    features = drawn @ np.linalg.qr(rng.standard_normal((n_features, n_features)))[0]
    X = np.hstack([features[20 - d : len(features) - d] for d in range(1, n_delays + 1)])
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    Y = X @ rng.standard_normal((X.shape[1], n_voxels))
    Y /= Y.std(axis=0)
    Y = Y * rng.uniform(0, 0.5, n_voxels) + rng.standard_normal(Y.shape)
    return X, (Y - Y.mean(axis=0)) / Y.std(axis=0)


@pytest.fixture(scope="session")
def language_like():
    """Return a function that draws designs with the spectrum of hidden states, and responses."""
    return draw_language_like


class Counting:
    """An array that is nowhere in memory, as far as others know, and counts what is read."""

    def __init__(self, values, chunks=None):
        self._values, self.chunks, self.asked = values, chunks, []
        self.shape, self.dtype = values.shape, values.dtype

    def __getitem__(self, place):
        self.asked.append(place)
        return self._values[place]

    @property
    def columns(self):
        """Columns of every read, (start, stop)."""
        return [(place[1].start, place[1].stop) for place in self.asked]


@pytest.fixture
def counting():
    """Return the class of arrays that count what is read of them."""
    return Counting


class Kept:
    """Results that outlive a fit: arrays by name, and which voxels of each stage are done.

    After ``n_until_failure`` marks, the next one raises, as a killed process would.
    """

    def __init__(self, n_until_failure=None, block_multiple=1):
        self.arrays, self.done, self.marks = {}, {}, []
        self.n_until_failure, self.block_multiple = n_until_failure, block_multiple
        self.is_finished = False

    def array(self, name, *, shape, dtype, voxel_axis):
        fill = np.nan if np.dtype(dtype).kind == "f" else -1
        made = self.arrays.setdefault(name, np.full(shape, fill, dtype=dtype))
        assert (made.shape, made.dtype) == (shape, np.dtype(dtype))
        self.n_voxels = shape[voxel_axis]
        return made

    def is_done(self, stage, start, stop):
        return stage in self.done and bool(self.done[stage][start:stop].all())

    def mark_done(self, stage, start, stop):
        if self.n_until_failure is not None and len(self.marks) >= self.n_until_failure:
            raise KeyboardInterrupt
        self.done.setdefault(stage, np.zeros(self.n_voxels, dtype=bool))[start:stop] = True
        self.marks.append((stage, start, stop))

    def finish(self):
        self.is_finished = True


@pytest.fixture
def kept():
    """Return the class of results that can be stopped and taken up again."""
    return Kept


@pytest.fixture
def make(rng, frozen):
    """Return a function that draws a design and responses with planted weights."""

    def draw(shape, n_voxels=5):
        X = rng.standard_normal(shape) + 1
        Y = X @ rng.standard_normal((shape[1], n_voxels)) + 2 * rng.standard_normal(
            (shape[0], n_voxels)
        )
        return frozen(X), frozen(Y + 0.5)

    return draw


@pytest.fixture
def narrow(monkeypatch):
    """Return a function that makes blocks of voxels as narrow as told."""

    def set_width(width):
        monkeypatch.setattr(_blocks, "_COMFORTABLE_BYTES", {"cpu": 1})
        monkeypatch.setattr(_blocks, "_NARROWEST_COMFORTABLE", width)

    return set_width
