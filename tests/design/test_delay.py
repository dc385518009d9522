"""Delays against the double loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxscale.design import delay


@given(
    n_trs=st.integers(6, 15),
    n_features=st.integers(1, 4),
    delays=st.lists(st.integers(-5, 5), min_size=1, max_size=5),
)
def test_equals_the_double_loop(n_trs, n_features, delays):
    features = np.random.default_rng(0).standard_normal((n_trs, n_features))
    features.flags.writeable = False
    expected = np.zeros((n_trs, len(delays) * n_features))
    for i, d in enumerate(delays):
        for t in range(n_trs):
            for f in range(n_features):
                if 0 <= t - d < n_trs:
                    expected[t, i * n_features + f] = features[t - d, f]
    np.testing.assert_array_equal(delay(features, delays), expected)


def test_keeps_dtype(frozen):
    assert delay(frozen(np.ones((6, 2), np.float32)), (0, 1)).dtype == np.float32


@pytest.mark.parametrize("delays", [(9,), (-9,), (1, 20)])
def test_refuses_a_delay_as_long_as_the_run(delays):
    with pytest.raises(ValueError, match=r"do not fit in a run of 9 TRs"):
        delay(np.ones((9, 3)), delays)


def test_refuses_one_axis_and_no_delays():
    with pytest.raises(ValueError, match=r"shape \(9,\)"):
        delay(np.ones(9))
    with pytest.raises(ValueError, match="delays is empty"):
        delay(np.ones((9, 3)), ())
