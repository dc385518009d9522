"""Predictions from weights that come in blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.errors import AlignmentError
from voxscale.fit import predict_streamed


class Blocks:
    """Weights in memory that give themselves out in blocks of some size; once."""

    def __init__(self, weights, axis, size, lost=0):
        self._weights, self.axis, self._size, self._lost = weights, axis, size, lost
        self.shape, self._is_taken = weights.shape, False

    def blocks(self):
        if self._is_taken:
            return
        self._is_taken = True
        for start in range(0, self.shape[self.axis] - self._lost, self._size):
            part = slice(start, start + self._size)
            block = self._weights[part] if self.axis == 0 else self._weights[:, part]
            block = block.copy()
            block.flags.writeable = False
            yield start, block


@settings(deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 9)] * 3), axis=st.integers(0, 1), size=st.integers(1, 10),
    dtype=st.sampled_from(["float32", "float64", "int16"]), seed=st.integers(0, 99),
)  # fmt: skip
def test_as_one_product(shape, axis, size, dtype, seed):
    n_trs, n_features, n_voxels = shape
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_trs, n_features)).astype(np.float32)
    X.flags.writeable = False
    W = (9 * rng.standard_normal((n_features, n_voxels))).astype(dtype)
    made = predict_streamed(X, Blocks(W, axis, size))
    assert made.dtype == np.result_type(np.float32, W.dtype)
    np.testing.assert_allclose(made, X.astype(np.float64) @ W, rtol=1e-5, atol=1e-4)


def test_into_what_is_given(rng):
    X, W = rng.standard_normal((5, 4)), rng.standard_normal((4, 6))
    for axis in (0, 1):
        out = np.full((5, 6), np.nan)  # what it held is lost, not added to
        assert predict_streamed(X, Blocks(W, axis, 3), out=out) is out
        np.testing.assert_allclose(out, X @ W)


def test_voxels_without_weights_have_no_answer(rng):
    W = rng.standard_normal((4, 3))
    W[:, 1] = np.nan
    made = predict_streamed(rng.standard_normal((5, 4)), Blocks(W, 0, 2))
    np.testing.assert_array_equal(np.isnan(made).any(axis=0), [False, True, False])


def test_what_does_not_match(rng):
    X, W = rng.standard_normal((5, 4)), rng.standard_normal((6, 3))
    with pytest.raises(AlignmentError, match=r"design has shape \(5, 4\), the weights \(6, 3\)"):
        predict_streamed(X, Blocks(W, 0, 2))
    with pytest.raises(AlignmentError, match=r"out has shape \(5, 4\); expected \(5, 3\)"):
        predict_streamed(X, Blocks(W[:4], 0, 2), out=np.zeros((5, 4)))


@pytest.mark.parametrize("axis", [0, 1])
def test_blocks_that_are_not_all_there(rng, axis):
    X, W = rng.standard_normal((5, 4)), rng.standard_normal((4, 4))
    with pytest.raises(AlignmentError, match="blocks hold 2 of 4 rows or columns"):
        predict_streamed(X, Blocks(W, axis, 1, lost=2))
    taken = Blocks(W, axis, 2)
    predict_streamed(X, taken)
    with pytest.raises(AlignmentError, match="blocks hold 0 of 4"):
        predict_streamed(X, taken)
