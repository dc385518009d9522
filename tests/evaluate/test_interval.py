"""Standard errors over time and repeats, limits of quotients, the root without bias."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.errors import VoxscaleWarning
from voxscale.evaluate import Interval
from voxscale.evaluate._ceiling_limits import unbiased_root
from voxscale.evaluate._interval import (
    correlation_of_draws,
    quotient_limits,
    spread,
    warn_undefined,
)

NO_GROUPS = np.empty(0, dtype=int)


def no_deletions(draws):
    return np.empty((len(draws), 0, draws.shape[1]))


def test_without_deletions_the_error_is_that_of_the_draws(rng):
    draws = rng.standard_normal((200, 3))
    # Blocks lie about the mean of the story that they were drawn from, not about the true one.
    found = spread(draws, no_deletions(draws), NO_GROUPS, 22, 2)
    np.testing.assert_allclose(found.error, draws[1:].std(axis=0, ddof=1) * np.sqrt(22 / 20))
    np.testing.assert_allclose(found.freedom, 30)
    np.testing.assert_allclose(found.reach(0.95), found.error * scipy.stats.t.ppf(0.975, 30))


def test_only_what_noise_does_not_explain_is_added(rng):
    n_repeats = 6
    draws = np.concatenate([[[0.0]], rng.standard_normal((300, 1))])
    by_noise = 0.5 * rng.standard_normal((300, n_repeats, 1))
    for apart in (0.1, 5.0):
        as_it_is = apart * np.arange(n_repeats)[None, :, None]
        deleted = np.concatenate([as_it_is, by_noise])
        jackknife = sum((k - 2.5) ** 2 * apart**2 for k in range(n_repeats))
        noise = sum(
            np.var(by_noise[:, k, 0] - by_noise[:, :, 0].mean(axis=1), ddof=1)
            for k in range(n_repeats)
        )
        time = draws[1:].var(ddof=1) * 21 / 20
        excess = max(0.0, (jackknife - noise * 21 / 20) * (n_repeats - 1) / n_repeats)
        found = spread(draws, deleted, np.zeros(n_repeats, dtype=int), 21)
        assert found.error[0] ** 2 == pytest.approx(time + excess)
        expected = (time + excess) ** 2 / (time**2 / 30 + excess**2 / (n_repeats - 1))
        assert found.freedom[0] == pytest.approx(expected)
        assert (excess > 0) == (apart == 5.0)


def test_repeats_are_compared_within_their_story(rng):
    draws = rng.standard_normal((100, 1))
    deleted = np.zeros((100, 7, 1))
    deleted[:, 4:] = 9.0  # another story altogether
    deleted += 1e-3 * rng.standard_normal(deleted.shape)
    groups = np.array([0, 0, 0, 0, 1, 1, 1])
    found = spread(draws, deleted, groups, 22, 2)
    alone = draws[1:].std(ddof=1) * np.sqrt(22 / 20)
    assert found.error[0] == pytest.approx(alone, rel=1e-4)


def test_a_number_without_error_has_an_interval_of_no_width():
    found = spread(np.ones((5, 1)), np.ones((5, 3, 1)), np.zeros(3, dtype=int), 10)
    assert found.reach(0.95)[0] == 0


def recovered(top, bottom, together, quotient):
    """Limits of top - quotient · bottom, as variances are recovered from limits."""
    (estimate, low, high), (divisor, divisor_low, divisor_high) = top, bottom
    down = (
        estimate - low,
        quotient * (divisor_high - divisor) if quotient > 0 else quotient * (divisor_low - divisor),
    )
    up = (
        high - estimate,
        quotient * (divisor - divisor_low) if quotient > 0 else quotient * (divisor - divisor_high),
    )
    middle = estimate - quotient * divisor
    shared = -together if quotient > 0 else together
    reach = [np.sqrt(a**2 + b**2 + 2 * shared * a * b) for a, b in (down, up)]
    return middle - reach[0], middle + reach[1]


@settings(max_examples=100, deadline=None)
@given(
    st.floats(-3, 3), st.floats(0.01, 2), st.floats(0.01, 2), st.floats(0.5, 3),
    st.floats(0.05, 0.9), st.floats(0.05, 0.9), st.floats(-0.9, 0.9),
)  # fmt: skip
def test_limits_of_a_quotient_are_where_the_difference_may_be_nought(
    estimate, below, above, divisor, share_below, share_above, together
):
    top = (estimate, estimate - below, estimate + above)
    bottom = (divisor, divisor * (1 - share_below), divisor * (1 + share_above))
    arrays = [tuple(np.array([value]) for value in part) for part in (top, bottom)]
    low, high = (limit[0] for limit in quotient_limits(*arrays, np.array([together])))
    size = 1 + abs(estimate) / divisor + (below + above) / divisor
    assert recovered(top, bottom, together, high)[1] == pytest.approx(0, abs=1e-6 * size / 0.05)
    assert recovered(top, bottom, together, low)[0] == pytest.approx(0, abs=1e-6 * size / 0.05)
    assert low <= estimate / divisor + 1e-9
    assert estimate / divisor - 1e-9 <= high


def test_a_bottom_that_may_be_nought_sets_no_upper_limit():
    top = tuple(np.array([value]) for value in (1.0, 0.5, 1.5))
    bottom = tuple(np.array([value]) for value in (1.0, 0.0, 1.2))
    low, high = quotient_limits(top, bottom, np.zeros(1))
    assert high[0] == np.inf
    assert 0 < low[0] < 1
    mirrored = quotient_limits(tuple(-top[i] for i in (0, 2, 1)), bottom, np.zeros(1))
    assert (mirrored[0][0], mirrored[1][0]) == (-np.inf, -low[0])


def test_a_quotient_without_a_part_is_nan():
    part = tuple(np.array([value, np.nan]) for value in (1.0, 0.5, 1.5))
    whole = tuple(np.array([value, value]) for value in (1.0, 0.5, 1.5))
    for top, bottom in ((part, whole), (whole, part)):
        for limit in quotient_limits(top, bottom, np.zeros(2)):
            np.testing.assert_array_equal(np.isnan(limit), [False, True])


def test_quotients_of_normal_numbers_lie_within_as_often_as_promised(rng):
    # Correlated errors of 1 about 3 and 6.
    errors = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], size=20_000)
    parts = []
    for centre, error in zip((3.0, 6.0), errors.T, strict=True):
        value = centre + error
        parts.append((value, value - 1.96, value + 1.96))
    low, high = quotient_limits(*parts, np.full(len(errors), 0.5))
    held = (low < 0.5) & (high > 0.5)
    assert held.mean() == pytest.approx(0.95, abs=0.006)


def test_the_root_is_the_integral_it_is_said_to_be():
    for x in (0.3, 1.0, 4.0, 29.9, 30.1, 60.0):
        for order, ours in ((0.5, 0), (1.5, 1)):

            def inside(t, order=order, x=x):
                # t = sqrt(s), so that nothing is infinite at 0.
                return 2 * t ** (2 * order - 1) * np.exp(-(t**2) * x - t**4 / 2)

            expected, _ = scipy.integrate.quad(inside, 0, np.inf)
            expected /= np.sqrt(np.pi) if order == 0.5 else -np.sqrt(np.pi)
            found = unbiased_root(np.array([2 * x]), np.array([2.0]))[ours][0]
            assert found == pytest.approx(expected / 2**order, rel=1e-6)


@pytest.mark.parametrize("mean", [3.5, 5.0, 10.0])
def test_the_root_has_no_bias(rng, mean):
    x = mean + rng.standard_normal(100_000)
    x = np.maximum(x, 1e-3)  # beyond reach
    root, slope = unbiased_root(x, np.ones_like(x))
    for values, expected in ((root, mean**-0.5), (slope, -0.5 * mean**-1.5)):
        error = values.std() / np.sqrt(values.size)
        assert abs(values.mean() - expected) < 4 * error + 0.002 * abs(expected)
    # Which the plain root has.
    assert (x**-0.5).mean() > mean**-0.5 * (1 + 0.3 / mean**2)


def test_voxels_without_an_answer_are_counted_by_reason():
    reasons = np.array(["", "constant", "not finite", "constant", ""])
    with pytest.warns(VoxscaleWarning, match="3 of 5 voxels have no ceiling .* 2 constant, 1 not"):
        warn_undefined("ceiling", reasons)
    warn_undefined("ceiling", reasons[:1])  # no warning


def test_draws_are_correlated_voxel_by_voxel(rng):
    one, other = rng.standard_normal((2, 50, 3))
    other[:, 1] += one[:, 1]
    other[:, 2] = 1.0
    found = correlation_of_draws(one, other)
    for voxel in (0, 1):
        assert found[voxel] == pytest.approx(np.corrcoef(one[1:, voxel], other[1:, voxel])[0, 1])
    assert found[2] == 0


def test_an_interval_goes_through_a_function_and_says_what_was_lost():
    values = np.array([0.25, -0.5, np.nan])
    before = Interval(values, values - 1, values + 1, np.array(["", "", "constant"]), 0.95)
    np.testing.assert_array_equal(before.is_defined, [True, True, False])

    def root(v):
        return np.sqrt(np.where(v > 0, v, np.nan))

    after = before.map(root, "below 0").from_zero(before)
    np.testing.assert_array_equal(after.estimate, [0.5, np.nan, np.nan])
    np.testing.assert_array_equal(after.low, [0, 0, np.nan])
    np.testing.assert_allclose(after.high, [np.sqrt(1.25), np.sqrt(0.5), np.nan])
    assert list(after.why_undefined) == ["", "below 0", "constant"]
    assert repr(after) == "Interval(level=0.95)"
