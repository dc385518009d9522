"""z-scores against scipy, and constant columns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from voxscale.design import zscore


def test_equals_scipy(rng, frozen):
    x = frozen(rng.normal(3, 7, (50, 4)))
    np.testing.assert_allclose(zscore(x), stats.zscore(x, axis=0), atol=1e-12)


@settings(deadline=None, max_examples=50)
@given(
    value=st.floats(-1e6, 1e6),
    n_trs=st.sampled_from([1, 2, 12, 50, 300, 3000, 33000]),
    dtype=st.sampled_from(["float16", "float32", "float64"]),
)
def test_a_constant_column_is_zero_whatever_rounding_leaves(value, n_trs, dtype):
    value = min(value, float(np.finfo(dtype).max), key=abs)
    np.testing.assert_array_equal(zscore(np.full((n_trs, 1), value, dtype)), 0)


def test_a_small_real_spread_on_a_large_mean_survives():
    x = 1000 + 1e-6 * np.array([[-1.0], [1.0]])
    np.testing.assert_allclose(zscore(x), [[-1], [1]], rtol=1e-6)


def test_nan_spoils_its_own_column_alone(rng):
    x = rng.standard_normal((9, 2))
    x[4, 0] = np.nan
    z = zscore(x)
    assert np.isnan(z[:, 0]).all()
    assert np.isfinite(z[:, 1]).all()


def test_dtypes(rng):
    assert zscore(rng.standard_normal((9, 2)).astype(np.float32)).dtype == np.float32
    assert zscore(np.arange(6).reshape(3, 2)).dtype == np.float64


@pytest.mark.parametrize("shape", [(3,), (0, 2), (2, 2, 2)])
def test_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match="expected"):
        zscore(np.zeros(shape))


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_tiny_and_huge_numbers(size):
    np.testing.assert_allclose(zscore(size * np.array([[-1.0], [1.0]])), [[-1], [1]])


def test_infinity_spoils_its_own_column_without_a_warning():
    z = zscore(np.array([[np.inf, 1.0], [0.0, 2.0], [1.0, 3.0]]))
    assert np.isnan(z[:, 0]).all()
    assert np.isfinite(z[:, 1]).all()


def test_refuses_complex_numbers():
    with pytest.raises(ValueError, match="dtype complex128"):
        zscore(np.ones((3, 2), complex))


def test_a_small_signal_in_float16_survives_and_a_constant_does_not():
    """Its steps are 0.5 at 1000: four of them are no rounding."""
    x = np.array([[1000, 0.1], [1003, 0.1], [1001, 0.1], [998, 0.1]], np.float16)
    z = zscore(x)
    assert z.dtype == np.float16
    np.testing.assert_allclose(z[:, 0], stats.zscore(x[:, 0].astype(float)), atol=1e-3)
    assert not z[:, 1].any()
