from __future__ import annotations

import json

import numpy as np
import pytest

from voxscale.errors import AlignmentError
from voxscale.fit import RidgeCV, _fingerprint, contiguous_folds


def ridge(**options):
    return RidgeCV(**({"alphas": [1.0, 10.0], "cv": 3, "device": "cpu"} | options))


@pytest.fixture
def data(rng, frozen):
    return frozen(rng.standard_normal((30, 4))), frozen(rng.standard_normal((30, 6)))


def test_it_is_plain_and_the_same_every_time(data):
    found = ridge().fingerprint(*data)
    assert found == ridge().fingerprint(*data)
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    "options",
    [
        {"alphas": [1.0, 11.0]},
        {"alphas": [10.0, 1.0]},
        {"cv": 4},
        {"cv": contiguous_folds(30, 3)[::-1]},
        {"scoring": "correlation"},
        {"local_alpha": False},
        {"groups": [0, 0, 0, 1, 1, 1]},
        {"groups": ["a", "a", "a", "b", "b", ""]},
        {"fit_intercept": True},
        {"tolerance": 0},
        {"weights": "dual"},
        {"weights": None},
        {"dtype": "float64"},
    ],
)
def test_what_can_change_the_numbers_changes_it(data, options):
    assert ridge(**options).fingerprint(*data) != ridge().fingerprint(*data)


@pytest.mark.parametrize(
    "options",
    [
        {"solver": "holdout"},
        {"memory_gib": 1.0},
        {"device": None},
        {"alphas": np.array([1, 10])},
        {"cv": contiguous_folds(30, 3)},
    ],
)
def test_what_cannot_does_not(data, options):
    assert ridge(**options).fingerprint(*data) == ridge().fingerprint(*data)


def test_every_number_counts(data, rng):
    X, Y = data
    w = rng.uniform(0, 1, 30)
    found = [
        ridge().fingerprint(X, Y),
        ridge().fingerprint(X, Y, w),
        ridge().fingerprint(X, Y, 2 * w),
    ]
    for place in ((0, 0), (29, 3), (13, 2)):
        other_x, other_y = X.copy(), Y.copy()
        other_x[place] += 1e-9
        other_y[place] += 1e-9
        found += [ridge().fingerprint(other_x, Y), ridge().fingerprint(X, other_y)]
    found.append(ridge().fingerprint(X[:, ::-1], Y))
    found.append(ridge().fingerprint(X, Y[:, :5]))
    assert len({json.dumps(one) for one in found}) == len(found)


def test_how_numbers_are_stored_and_read_leaves_no_trace(data, counting, monkeypatch):
    X, Y = data
    expected = ridge().fingerprint(X, Y)
    assert ridge().fingerprint(np.asfortranarray(X), counting(Y, chunks=(30, 4))) == expected
    monkeypatch.setattr(_fingerprint, "_BYTES_AT_ONCE", 1)
    assert ridge().fingerprint(X, Y) == expected
    single = X.astype("float32")
    assert ridge().fingerprint(single, Y) == ridge().fingerprint(single.astype("float64"), Y)


def test_rows_must_match(data):
    X, Y = data
    with pytest.raises(AlignmentError, match="expected as many rows in both"):
        ridge().fingerprint(X, Y[1:])
