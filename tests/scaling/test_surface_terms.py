import mpmath
import numpy as np
import pytest

from voxscale.scaling._surface_terms import (
    power_term,
    power_term_slope,
    power_term_slope_change,
)

EXPONENTS = (0.0, 1e-12, 1e-6, 0.01, 0.0999, 0.1001, 0.34, 1.0, 4.0)
LOGS = np.array([-9.0, -5.0, -1.0, -0.1, 0.0, 0.1, 1.0, 5.0, 9.0])


def exact(order, log_x, exponent):
    """With 60 digits, by differentiating the series of exp term by term."""
    with mpmath.workdps(60):
        log_x, exponent = mpmath.mpf(log_x), mpmath.mpf(exponent)

        def term(n):  # of (1 - exp(-e l)) / e, differentiated `order` times in e
            if n - 1 < order:
                return mpmath.mpf(0)
            factor = mpmath.ff(n - 1, order) * exponent ** (n - 1 - order)
            return (-1) ** (n + 1) * log_x**n / mpmath.factorial(n) * factor

        return float(mpmath.fsum(term(n) for n in range(1, 260)))


@pytest.mark.parametrize("exponent", EXPONENTS)
@pytest.mark.parametrize(
    ("order", "function"),
    list(enumerate([power_term, power_term_slope, power_term_slope_change])),
)
def test_terms_keep_their_digits_at_every_exponent(order, function, exponent):
    expected = [exact(order, log_x, exponent) for log_x in LOGS]
    np.testing.assert_allclose(function(LOGS, np.array(exponent)), expected, rtol=2e-13)


def test_the_limit_at_zero_is_the_logarithm():
    np.testing.assert_array_equal(power_term(LOGS, np.zeros(9)), LOGS)
