import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from voxscale.errors import AlignmentError, FitError
from voxscale.scaling import pooled_slopes
from voxscale.scaling._random_effects import restricted_variance


@pytest.fixture
def estimates(rng, frozen):
    errors = rng.uniform(0.002, 0.02, 12)
    truth = 0.03 + 0.01 * rng.standard_normal(12)
    return frozen(truth + errors * rng.standard_normal(12)), frozen(errors)


def restricted_density(between, values, variances):
    """Log-density of all contrasts, which know nothing of the mean, by a dense covariance."""
    contrasts = np.linalg.svd(np.ones((1, len(values))))[2][1:]
    covariance = contrasts @ np.diag(variances + between) @ contrasts.T
    return stats.multivariate_normal(np.zeros(len(contrasts)), covariance).logpdf(
        contrasts @ values
    )


@pytest.mark.parametrize("spread", [0.0, 0.01, 0.3])
def test_the_spread_is_where_the_restricted_likelihood_is_greatest(rng, spread):
    for _ in range(5):
        errors = rng.uniform(0.01, 0.1, 8)
        values = spread * rng.standard_normal(8) + errors * rng.standard_normal(8)
        found = restricted_variance(values, errors**2)
        direct = optimize.minimize_scalar(
            lambda log, v=values, e=errors: -restricted_density(np.exp(log), v, e**2),
            bounds=(-25, 2), method="bounded", options={"xatol": 1e-10},
        )  # fmt: skip
        best = max(-direct.fun, restricted_density(0.0, values, errors**2))
        assert restricted_density(found, values, errors**2) >= best - 1e-9
        if found > 1e-9:
            assert found == pytest.approx(np.exp(direct.x), rel=1e-4)


def test_equal_errors_have_a_closed_form(rng):
    values = 0.1 * rng.standard_normal(9)
    expected = max(values.var(ddof=1) - 0.02**2, 0)
    assert restricted_variance(values, np.full(9, 0.02**2)) == pytest.approx(expected, rel=1e-10)
    pooled = pooled_slopes(values, np.full(9, 0.02))
    ends = stats.t.interval(0.95, 8, values.mean(), values.std(ddof=1) / 3)
    np.testing.assert_allclose([pooled.low[0], pooled.high[0]], ends)
    assert restricted_variance(np.full(4, 0.1), np.full(4, 0.01)) == 0


def test_shrunken_slopes_are_those_of_the_joint_normal(estimates):
    """Conditional means and variances from the covariance of all true slopes and estimates."""
    values, errors = estimates
    pooled = pooled_slopes(values, errors)
    between, flat = pooled.spreads[0] ** 2, 10.0  # a prior of the mean that says nothing
    prior = between * np.eye(12) + flat
    gain = prior @ np.linalg.inv(prior + np.diag(errors**2))
    np.testing.assert_allclose(pooled.shrunken, gain @ values, rtol=1e-4)
    variance = np.diag(prior - gain @ prior)
    np.testing.assert_allclose(pooled.shrunken_sd, np.sqrt(variance), rtol=1e-3)


def test_groups_are_pooled_by_themselves(estimates):
    values, errors = estimates
    groups = np.array(["b", "a"] * 6)
    pooled = pooled_slopes(values, errors, groups)
    assert pooled.groups == ("b", "a")
    for i, name in enumerate(pooled.groups):
        alone = pooled_slopes(values[groups == name], errors[groups == name])
        assert pooled.means[i] == alone.means[0]
        assert (pooled.low[i], pooled.high[i]) == (alone.low[0], alone.high[0])
        np.testing.assert_array_equal(pooled.shrunken[groups == name], alone.shrunken)


def test_the_interval_of_the_mean_holds_it_as_often_as_it_says(rng):
    held = 0
    for _ in range(600):
        errors = rng.uniform(0.01, 0.05, 6)
        values = 0.2 + 0.03 * rng.standard_normal(6) + errors * rng.standard_normal(6)
        pooled = pooled_slopes(values, errors)
        held += pooled.low[0] <= 0.2 <= pooled.high[0]
    assert abs(held / 600 - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 600)


def test_what_is_missing_takes_no_part(estimates):
    values, errors = np.array(estimates)
    clean = pooled_slopes(values[1:], errors[1:])
    values[0] = np.nan
    pooled = pooled_slopes(values, errors)
    assert (pooled.n[0], pooled.means[0]) == (11, clean.means[0])
    assert np.isnan(pooled.shrunken[0])
    assert np.isfinite(pooled.shrunken[1:]).all()
    alone = pooled_slopes([0.1], [0.02])
    assert np.isnan([alone.low[0], alone.high[0], alone.spreads[0]]).all()
    assert (alone.shrunken[0], alone.shrunken_sd[0]) == (0.1, 0.02)


def test_what_cannot_be_pooled_is_refused(estimates):
    values, errors = estimates
    with pytest.raises(AlignmentError, match=r"slopes have shape \(12,\), standard_errors \(3,\)"):
        pooled_slopes(values, errors[:3])
    with pytest.raises(FitError, match=r"standard_errors hold 0\.0; expected numbers above 0"):
        pooled_slopes(values, np.zeros(12))
    with pytest.raises(FitError, match="group 'y' has no finite slope"):
        pooled_slopes([0.1, np.nan], [0.1, 0.1], ["x", "y"])
    with pytest.raises(ValueError, match="level is 1"):
        pooled_slopes(values, errors, level=1)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-3, 7.0]), st.permutations(range(5)))
def test_units_and_order_change_nothing(seed, scale, order):
    rng = np.random.default_rng(seed)
    values, errors = rng.standard_normal(5), rng.uniform(0.1, 2, 5)
    pooled = pooled_slopes(values, errors)
    moved = pooled_slopes(scale * values[order] + 1, scale * errors[order])
    close = {"rtol": 1e-6, "atol": 1e-7 * scale}
    np.testing.assert_allclose(moved.means, scale * pooled.means + 1, **close)
    np.testing.assert_allclose(moved.spreads, scale * pooled.spreads, **close)
    np.testing.assert_allclose(moved.shrunken, scale * pooled.shrunken[order] + 1, **close)
    low, high = min(values), max(values)
    assert (pooled.shrunken > low - 1e-9).all()
    assert (pooled.shrunken < high + 1e-9).all()
