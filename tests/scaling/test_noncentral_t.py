"""Both tails of the non-central t distribution together, where each alone is lost to rounding."""

import math
import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from voxscale.scaling import slope_power
from voxscale.scaling._noncentral_t import two_sided_tail

FREEDOMS = (1, 2, 3, 5, 10, 30, 75, 200)
LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99, 0.999)
AWAY = np.concatenate([np.arange(0, 61, 1.0), np.geomspace(61, 1e4, 15)])


def over_scales(critical, freedom, away):
    """Average, over the scale s of t = (Z + d) / s, how often Z + d is outside ±c s."""

    def integrand(s):
        outside = special.ndtr(away - critical * s) + special.ndtr(-away - critical * s)
        return outside * stats.chi.pdf(s * math.sqrt(freedom), freedom) * math.sqrt(freedom)

    # Cut where the normal distribution bends, and where the scales lie.
    spread = 8 / math.sqrt(2 * freedom)
    cuts = {0.0, max(0, 1 - spread), 1.0, 1 + spread, 40 / math.sqrt(freedom)}
    cuts |= {(away + bend) / critical for bend in range(-8, 9, 4)}
    top = 1 + 40 / math.sqrt(freedom)
    cuts = sorted(min(max(cut, 0.0), top) for cut in cuts | {top})
    pieces = [
        integrate.quad(integrand, low, high, epsabs=1e-12, epsrel=1e-12, limit=200)[0]
        for low, high in pairwise(cuts)
        if low < high
    ]
    return math.fsum(pieces)


@pytest.mark.parametrize("freedom", FREEDOMS)
def test_scipy_agrees_wherever_it_has_an_answer(freedom):
    for level in LEVELS:
        critical = stats.t.isf((1 - level) / 2, freedom)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)
            expected = stats.nct.sf(critical, freedom, AWAY)
            expected = expected + stats.nct.cdf(-critical, freedom, AWAY)
        found = np.array([two_sided_tail(critical, freedom, away) for away in AWAY])
        known = np.isfinite(expected)
        assert known[0]  # something is compared
        np.testing.assert_allclose(found[known], expected[known], rtol=0, atol=1e-12)
        assert ((found >= 0) & (found <= 1)).all()
        assert (np.diff(found) >= -1e-14).all()


@pytest.mark.parametrize("freedom", [1, 2, 4, 19, 200])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_integration_over_scales_agrees_also_where_scipy_is_lost(freedom, level):
    critical = stats.t.isf((1 - level) / 2, freedom)
    for away in (0.0, 0.7, 5.5, 11.25, 20.0, 38.0, 300.0):
        expected = over_scales(critical, freedom, away)
        assert two_sided_tail(critical, freedom, away) == pytest.approx(expected, abs=1e-9)


@given(
    critical=st.floats(1e-3, 1e6), freedom=st.integers(1, 10_000),
    away=st.floats(0, 1e9), more=st.floats(0, 1e3),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_it_is_a_probability_that_grows_with_distance_of_either_sign(critical, freedom, away, more):
    found = two_sided_tail(critical, freedom, away)
    assert 0 <= found <= 1
    assert found == two_sided_tail(critical, freedom, -away)
    assert two_sided_tail(critical, freedom, away + more) >= found - 1e-13
    assert two_sided_tail(critical * 1.5, freedom, away) <= found + 1e-13
    central = 2 * stats.t.sf(critical, freedom)
    assert two_sided_tail(critical, freedom, 0.0) == pytest.approx(central, abs=1e-12)


def test_ends_of_the_scale():
    assert two_sided_tail(2.0, 5, math.inf) == pytest.approx(1, abs=1e-14)
    assert two_sided_tail(0.0, 5, 0.0) == pytest.approx(1, abs=1e-14)
    assert two_sided_tail(6e15, 1, 1.0) == pytest.approx(0, abs=1e-15)
    # One degree of freedom, far out: |Z + d| > c |Z'| is about Z' alone.
    expected = 2 * special.ndtr(1e10 / 1e10) - 1
    assert two_sided_tail(1e10, 1, 1e10) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("level", [0.001, 0.5, 0.95, 0.999, 1 - 1e-12])
def test_power_has_no_gap_however_large_the_slope(level):
    """Slopes over standard errors of 0 to 1e6, of which scipy has no answer from 5.5 to 500."""
    parts = {"decades": 2, "subject_sd": 0.004, "story_sd": 0.006, "size_sd": 0.005}
    slopes = [0.0, *np.geomspace(1e-4, 1e4, 60)]
    subjects = np.array([1, 2, 3, 8, 201])
    powers = [slope_power(slope, subjects, 2, 4, level=level, **parts) for slope in slopes]
    assert np.isfinite(powers).all()
    np.testing.assert_allclose(powers[0], 1 - level, rtol=0, atol=1e-9)
    assert (np.diff(powers, axis=0) >= -1e-14).all()
    assert (np.array(powers) <= 1).all()
    if level < 0.9999:
        np.testing.assert_allclose(powers[-1], 1, rtol=0, atol=1e-9)
    below = [slope_power(-slope, subjects, 2, 4, level=level, **parts) for slope in slopes]
    np.testing.assert_array_equal(below, powers)
