"""The canonical response against scipy's gamma density."""

import numpy as np
from scipy.stats import gamma

from voxscale.design import double_gamma_hrf


def test_equals_the_difference_of_two_gamma_densities():
    times = np.arange(0, 32, 0.01)
    expected = gamma.pdf(times, 6) - gamma.pdf(times, 16) / 6
    np.testing.assert_allclose(double_gamma_hrf(times), expected / expected.max(), atol=1e-5)


def test_is_causal_and_peaks_at_five_seconds():
    times = np.arange(-10, 30, 0.1)
    response = double_gamma_hrf(times)
    assert not response[times <= 0].any()
    assert abs(times[response.argmax()] - 5) < 0.11
