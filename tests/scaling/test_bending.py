import numpy as np
import pytest
import scipy.stats

from voxscale.errors import FitError
from voxscale.scaling import bending, fit_scaling_law

X = np.geomspace(1e8, 1e11, 12)
DECADES = np.log10(X / X[0])


def bent(rng, noise=0.0005, n=4):
    own = noise * rng.standard_normal((12, n)) + 0.01 * rng.standard_normal(n)
    return (0.2 - 0.1 * (X / X[0]) ** -0.4)[:, None] + own


def small(n_sizes, rng, scatter, curvature=0.0):
    """Return the points of three subjects whose sizes lie beside the curve by as much in all."""
    x = np.geomspace(1.25e8, 3e10, n_sizes)
    decades = np.log10(x / x[0])
    curve = 0.12 + 0.03 * decades + curvature / 2 * decades**2
    shared = curve + scatter * rng.standard_normal(n_sizes)
    own = 0.01 * rng.standard_normal(3) + 0.002 * rng.standard_normal(3) * decades[:, None]
    return x, shared[:, None] + own + 0.001 * rng.standard_normal((n_sizes, 3))


def test_bending_is_a_t_test_of_parabolas(rng):
    scores = bent(rng, noise=0.004)
    found = bending(X, scores)
    squares = np.polyfit(np.log10(X), scores, 2)[0]
    theirs = scipy.stats.ttest_1samp(2 * squares, 0)
    assert found.curvature == pytest.approx(2 * squares.mean(), rel=1e-7)
    assert found.p_value == pytest.approx(theirs.pvalue, rel=1e-6)
    np.testing.assert_allclose(found.interval, theirs.confidence_interval(0.95), rtol=1e-6)
    assert found.verdict == "bends down"
    assert "bends down: the slope per decade changes by -" in str(found)
    assert bending(X, 1 - scores).verdict == "bends up"
    line = 0.1 + 0.02 * DECADES[:, None] + 0.01 * rng.standard_normal((12, 4))
    assert bending(X, line, level=0.9999).verdict == "straight within error"
    assert bending(X, scores[:, 0]).verdict == "no error to tell by"
    assert "(no interval: one unit; p = " in str(bending(X, scores[:, 0]))
    assert "nan" not in str(bending(X, scores[:, 0]))
    assert np.isnan(bending(X, scores[:, 0]).p_value)


@pytest.mark.parametrize("n_sizes", [4, 5, 12])
def test_the_scatter_of_sizes_is_tested_by_least_squares(rng, n_sizes):
    x, scores = small(n_sizes, rng, 0.001, curvature=-0.01)
    levels = {"subject": [0, 1, 1]}  # subjects count the same, whatever they have
    found = bending(x, scores, levels=levels)
    mean = scores @ [0.5, 0.25, 0.25]
    (square, *_), covariance = np.polyfit(np.log10(x) - 9, mean, 2, cov=True)
    theirs = 2 * scipy.stats.t.sf(abs(square) / np.sqrt(covariance[0, 0]), n_sizes - 3)
    assert found.p_value_sizes == pytest.approx(theirs, rel=1e-6)
    assert f"p = {found.p_value_sizes:.3g} by the scatter of the sizes" in str(found)


def test_sizes_that_lie_beside_a_line_do_not_bend_it():
    # Over subjects alone, nearly half are refused; both tests refuse 5 % of them at most.
    rng = np.random.default_rng(1)
    n = 300
    most = scipy.stats.binom.ppf(1 - 1e-5, n, 0.05)
    for n_sizes in (4, 6):
        for scatter in (0.0, 0.001, 0.003):
            found = [bending(*small(n_sizes, rng, scatter)) for _ in range(n)]
            assert sum(one.verdict != "straight within error" for one in found) <= most
            of_sizes = sum(one.p_value_sizes < 0.05 for one in found)
            assert scipy.stats.binom.ppf(1e-5, n, 0.05) <= of_sizes <= most
            over_subjects = sum(one.p_value < 0.05 for one in found)
            assert (over_subjects > most) == (scatter > 0)
            assert (over_subjects > 0.35 * n) == (scatter > 0.001)


def test_a_bend_beyond_the_scatter_of_sizes_is_found():
    # A decade of it takes a third of the slope; of four sizes it needs luck.
    rng = np.random.default_rng(2)
    share = {}
    for n_sizes in (4, 6, 8):
        found = [bending(*small(n_sizes, rng, 0.001, curvature=-0.01)) for _ in range(100)]
        share[n_sizes] = np.mean([one.verdict == "bends down" for one in found])
        assert not any(one.verdict == "bends up" for one in found)
    assert share[4] < 0.6
    assert share[6] > 0.9
    assert share[8] > 0.97


def test_three_sizes_are_judged_over_members_alone(rng):
    x, scores = small(3, rng, 0.0, curvature=-0.02)
    found = bending(x, scores)
    assert found.verdict == "bends down"
    assert np.isnan(found.p_value_sizes)
    assert "too few sizes to tell their scatter" in str(found)
    assert "nan" not in str(found)


def test_both_tests_must_refuse_a_line(rng):
    decades = np.log10(X / X[0])
    parabola = 0.1 + 0.03 * decades - 0.004 * decades**2
    signs = np.array([1.0, -1.0, 0.1])
    differ = parabola[:, None] + 0.01 * signs * decades[:, None] ** 2
    found = bending(X, differ)
    assert found.p_value > 0.05
    assert found.p_value_sizes < 1e-9
    assert found.verdict == "straight within error"
    rough = (parabola + 0.02 * rng.standard_normal(12))[:, None] + [0.0, 1e-6, 2e-6]
    rough += 1e-6 * rng.standard_normal(rough.shape)
    found = bending(X, rough)
    assert found.p_value < 0.001
    assert found.p_value_sizes > 0.05
    assert found.verdict == "straight within error"


@pytest.mark.parametrize("base", [0.0, 0.05, 1e3])
def test_rounding_bends_no_line(base):
    slopes = np.array([0.05, 0.053, 0.047, 0.06])
    for sizes in (X, X[:4], np.array([1.0, 10, 100, 1000])):
        line = base + np.log10(sizes / 7.0)[:, None] * slopes
        found = bending(sizes, line)
        assert found.verdict == "straight within error"
        assert found.curvature == 0
        assert found.p_value_sizes == 1
        assert bending(sizes, np.full(line.shape, base)).p_value_sizes == 1
        bend = 1e-9 * base * np.log10(sizes)[:, None] ** 2
        assert bending(sizes, line + bend).verdict == (
            "bends up" if base else "straight within error"
        )


def test_bending_agrees_with_the_interval_of_an_exponent(rng):
    for _ in range(20):
        scores = bent(rng, noise=0.01)
        found = bending(X, scores)
        straight = found.p_value >= 0.05 or found.curvature > 0
        low, _ = fit_scaling_law(X, scores, kind="power").exponent_interval
        assert straight == (low == 0)


def test_bending_needs_three_sizes():
    with pytest.raises(FitError, match="x has 2 different values; a bend needs at least three"):
        bending([1, 10, 10], [0.1, 0.2, 0.3])
