"""Intervals of ceilings: estimates, planted truth, stories, and what has no answer."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pytest
from scipy.signal import lfilter

from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.evaluate import (
    NoiseCeiling,
    _columns,
    ceiling_intervals,
    leave_one_out,
    noise_ceiling,
    spearman_brown,
    split_half,
)

POWERS = ("total_power", "signal_power", "noise_power")
CEILINGS = ("explainable_variance", "cc_max")
SCORES = ("cc_abs", "cc_norm", "spe")


def smooth(rng, shape, rho):
    """Draw series of variance 1 with an autocorrelation of rho, time on the axis before last."""
    *lead, n_trs, n_voxels = shape
    white = rng.standard_normal((*lead, n_trs + 60, n_voxels))
    return lfilter([np.sqrt(1 - rho**2)], [1.0, -rho], white, axis=-2)[..., 60:, :]


def planted(rng, n_repeats, n_trs, n_voxels, noise_power=1.0):
    """Return repeats of signals of power 1, and the signals."""
    signal = smooth(rng, (n_trs, n_voxels), 0.6)
    noise = smooth(rng, (n_repeats, n_trs, n_voxels), 0.4)
    return signal + np.sqrt(noise_power) * noise, signal


def quietly(*arguments, **options):
    """Judge voxels of which some have no signal power by chance."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VoxscaleWarning)
        return ceiling_intervals(*arguments, **options)


@pytest.fixture
def example(rng, frozen):
    trials, signal = planted(rng, 4, 120, 5)
    return frozen(trials), frozen(0.7 * signal + 0.5 * smooth(rng, signal.shape, 0.5))


def test_estimates_are_those_of_the_noise_ceiling(example):
    trials, guess = example
    found, ceiling = ceiling_intervals(trials, guess, n_bootstraps=20), noise_ceiling(trials)
    for name in POWERS + CEILINGS:
        np.testing.assert_allclose(getattr(found, name).estimate, getattr(ceiling, name))
    for name in SCORES:
        np.testing.assert_allclose(getattr(found, name).estimate, getattr(ceiling, name)(guess))
    np.testing.assert_allclose(
        found.signal_to_noise.estimate, ceiling.signal_power / ceiling.noise_power
    )
    for name in POWERS + CEILINGS + SCORES:
        interval = getattr(found, name)
        assert (interval.low < interval.estimate).all()
        assert (interval.estimate < interval.high).all()
        assert interval.is_defined.all()
        assert interval.level == 0.95


def test_without_a_prediction_there_are_no_scores(example):
    found = ceiling_intervals(example[0], n_bootstraps=20)
    assert found.cc_abs is found.cc_norm is found.spe is found.cc_norm_corrected is None
    assert repr(found) == f"CeilingIntervals(block_trs={found.block_trs})"
    whole = ceiling_intervals(*example, n_bootstraps=20)
    np.testing.assert_array_equal(found.cc_max.low, whole.cc_max.low)


def test_limits_obey_the_identities_of_estimates(example):
    found = ceiling_intervals(*example, n_bootstraps=50)
    for end in ("low", "estimate", "high"):
        single = getattr(found.explainable_variance, end)
        squared = spearman_brown(single, 4)
        np.testing.assert_allclose(
            np.sqrt(np.maximum(squared, 0)), getattr(found.cc_max, end), rtol=1e-9
        )
        np.testing.assert_allclose(
            getattr(found.cc_max_with(4), end), getattr(found.cc_max, end), rtol=1e-9
        )
        np.testing.assert_allclose(
            getattr(found.cc_max_with(1), end), np.sqrt(np.maximum(single, 0)), rtol=1e-9
        )
    assert (found.cc_max_with(np.inf).estimate == 1).all()
    with pytest.raises(ValueError, match=r"n_repeats is 0.5; expected at least 1"):
        found.cc_max_with(0.5)


def held(interval, truth):
    """Share of intervals that hold the truth, of those that there are."""
    defined = ~np.isnan(interval.low)
    return ((interval.low <= truth) & (truth <= interval.high))[defined].mean()


@pytest.mark.parametrize(
    ("n_repeats", "ceiling"), [(3, 0.7), (5, 0.7), (10, 0.7), (5, 0.4), (5, 0.9)]
)
def test_intervals_hold_planted_truth_as_often_as_promised(rng, n_repeats, ceiling):
    # A voxel is a simulation: 700 of them know a coverage of 0.95 to 0.008.
    quality = 0.6
    noise_power = n_repeats * (1 / ceiling**2 - 1)
    trials, signal = planted(rng, n_repeats, 280, 700, noise_power)
    guess = quality * signal + np.sqrt(1 - quality**2) * smooth(rng, signal.shape, 0.6)
    found = quietly(trials, guess, n_bootstraps=150)
    truths = {
        "total_power": 1 + noise_power,
        "signal_power": 1,
        "noise_power": noise_power,
        "explainable_variance": 1 / (1 + noise_power),
        "cc_max": ceiling,
        "cc_abs": quality * ceiling,
        "cc_norm": quality,
        "spe": 2 * quality - 1,
    }
    coverage = {name: held(getattr(found, name), truth) for name, truth in truths.items()}
    # Where the ceiling is low, limits of quotients reach further than they need, as promised.
    most = dict.fromkeys(truths, 0.98) | ({"cc_norm": 0.998, "spe": 0.998} if ceiling < 0.5 else {})
    assert all(0.92 < share < most[name] for name, share in coverage.items()), coverage
    assert 0.92 < held(found.cc_max_with(20), (1 + noise_power / 20) ** -0.5) < 0.98


def test_stories_with_unequal_repeats_hold_planted_truth(rng):
    numbers, lengths, n_voxels = (10, 5, 5), (280, 120, 200), 600
    stories = {
        name: planted(rng, n_repeats, n_trs, n_voxels, 4.0)[0]
        for name, n_repeats, n_trs in zip("abc", numbers, lengths, strict=True)
    }
    found = quietly(stories, n_bootstraps=150)
    free = np.array(lengths) - 1
    left = np.sum(free / free.sum() * 4.0 / np.array(numbers))
    truths = {"signal_power": 1, "noise_power": 4, "explainable_variance": 0.2}
    truths["cc_max"] = (1 + left) ** -0.5
    coverage = {name: held(getattr(found, name), truth) for name, truth in truths.items()}
    assert all(0.92 < share < 0.98 for share in coverage.values()), coverage
    assert 0.92 < held(found.cc_max_with(10), (1 + 4 / 10) ** -0.5) < 0.98


def test_stories_have_the_estimates_of_the_pooled_ceiling(rng, frozen):
    stories = [frozen(planted(rng, k, n_trs, 3)[0]) for k, n_trs in ((4, 60), (2, 90), (3, 70))]
    guess = frozen(np.concatenate([story.mean(axis=0) for story in stories]) + 1.0)
    found, ceiling = quietly(stories, guess, n_bootstraps=20), noise_ceiling(stories)
    for name in POWERS + CEILINGS:
        np.testing.assert_allclose(getattr(found, name).estimate, getattr(ceiling, name))
    for name in SCORES:
        np.testing.assert_allclose(getattr(found, name).estimate, getattr(ceiling, name)(guess))


def test_repeats_that_differ_as_a_whole_widen_the_interval(rng):
    signal = smooth(rng, (280, 200), 0.5)
    noise = smooth(rng, (6, 280, 200), 0.4)
    unlike = np.sqrt(np.array([0.1, 0.1, 0.1, 0.1, 0.1, 5.5]))[:, None, None]
    alike = ceiling_intervals(signal + noise, n_bootstraps=60).noise_power
    apart = ceiling_intervals(signal + unlike * noise, n_bootstraps=60).noise_power
    assert np.median(alike.high - alike.low) < 0.6
    assert np.median(apart.high - apart.low) > 3


def test_the_corrected_score_of_the_true_model_is_one(rng):
    # A ceiling of 0.4: the plain score is far too high on average.
    noise_power = 10 * (1 / 0.4**2 - 1)
    trials, signal = planted(rng, 10, 790, 1500, noise_power)
    found = quietly(trials, signal, n_bootstraps=100)
    plain, corrected = (
        np.nanmean(values) for values in (found.cc_norm.estimate, found.cc_norm_corrected)
    )
    assert plain > 1.02
    assert abs(corrected - 1) < 0.02
    np.testing.assert_array_equal(
        np.isnan(found.cc_norm_corrected), np.isnan(found.cc_norm.estimate)
    )


def test_order_of_repeats_and_size_of_numbers_do_not_matter(example):
    trials, guess = example
    options = {"n_bootstraps": 30, "seed": 4}
    found = ceiling_intervals(trials, guess, **options)
    other = ceiling_intervals(10 * trials[::-1] + 3, 10 * guess, **options)
    for name in POWERS:
        for end in ("low", "high"):
            np.testing.assert_allclose(
                getattr(getattr(other, name), end), 100 * getattr(getattr(found, name), end)
            )
    for name in CEILINGS + SCORES:
        for end in ("low", "high"):
            np.testing.assert_allclose(
                getattr(getattr(other, name), end), getattr(getattr(found, name), end)
            )


def test_a_higher_level_reaches_further_and_a_seed_repeats_itself(example):
    trials, _ = example
    narrow, wide, again = (
        ceiling_intervals(trials, level=level, n_bootstraps=30, seed=5).signal_power
        for level in (0.8, 0.99, 0.8)
    )
    assert (wide.low < narrow.low).all()
    assert (narrow.high < wide.high).all()
    np.testing.assert_array_equal(narrow.low, again.low)
    other = ceiling_intervals(trials, level=0.8, n_bootstraps=30, seed=6).signal_power
    assert (narrow.low != other.low).any()


def test_the_size_of_blocks_of_voxels_changes_nothing(example, monkeypatch):
    whole = ceiling_intervals(*example, n_bootstraps=20)
    monkeypatch.setattr(_columns, "BLOCK_BYTES", 8)
    by_voxel = ceiling_intervals(*example, n_bootstraps=20)
    for name in POWERS + CEILINGS + SCORES:
        for end in ("estimate", "low", "high"):
            np.testing.assert_allclose(
                getattr(getattr(by_voxel, name), end), getattr(getattr(whole, name), end)
            )


def test_memory_is_that_of_a_block(rng, monkeypatch):
    trials = rng.standard_normal((5, 100, 3000)).astype(np.float32)
    monkeypatch.setattr(_columns, "BLOCK_BYTES", 8 * 2**20)
    tracemalloc.start()
    quietly(trials, trials[0], n_bootstraps=100)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # All draws of all voxels would take 100 times 26 sums, 62 MB, many times over.
    assert peak < 16 * 2**20


def test_voxels_without_an_answer_say_why_and_are_counted(rng, frozen):
    trials, signal = planted(rng, 3, 100, 6, 0.5)
    trials, guess = trials.copy(), signal.copy()
    trials[1, 7, 0] = np.nan
    trials[:, :, 1] = 0.1
    trials[:, :, 2] = smooth(rng, (3, 100, 1), 0.4)[:, :, 0]
    trials[:, :, 2] -= 0.5 * trials[:, :, 2].mean(axis=0)  # repeats all but cancel: SP below 0
    guess[3, 3] = np.inf
    guess[:, 4] = 0.1
    with pytest.warns(
        VoxscaleWarning,
        match="3 of 6 voxels have no noise ceiling .*1 constant, 1 not finite, 1 without signal",
    ):
        found = ceiling_intervals(frozen(trials), frozen(guess), n_bootstraps=20)
    lacking = ["not finite", "constant", "without signal power", "", "", ""]
    assert list(found.cc_max.why_undefined) == lacking
    assert list(noise_ceiling(trials).why_undefined) == lacking
    np.testing.assert_array_equal(found.cc_max.is_defined, [False] * 3 + [True] * 3)
    assert found.signal_power.estimate[2] < 0
    assert found.signal_power.is_defined[2]
    assert np.isnan(found.signal_power.estimate[:2]).all()
    # An upper limit of the ceiling is known where the signal power is not above 0.
    assert found.cc_max.low[2] == 0
    assert 0 <= found.cc_max.high[2] < 0.5
    for name in SCORES:
        interval = getattr(found, name)
        assert list(interval.why_undefined[:2]) == lacking[:2]
        assert interval.why_undefined[3] == "without a usable prediction"
        assert interval.is_defined[5]
        assert np.isfinite([interval.low[5], interval.high[5]]).all()
    assert found.cc_abs.why_undefined[4] == "without a usable prediction"
    assert found.spe.estimate[4] == pytest.approx(0, abs=1e-12)
    assert found.cc_abs.is_defined[2]
    assert found.spe.why_undefined[2] == "without signal power"


def test_where_signal_power_may_be_nought_a_quotient_has_no_upper_limit(rng):
    trials, signal = planted(rng, 3, 100, 300, 60.0)
    found = quietly(trials, signal, n_bootstraps=40)
    unsure = found.cc_max.is_defined & (found.cc_max.low == 0)
    assert unsure.sum() > 20
    assert (found.cc_norm.high[unsure & (found.cc_abs.high > 0)] == np.inf).all()


def test_repeats_without_noise_have_a_ceiling_of_one(rng):
    signal = smooth(rng, (80, 3), 0.5)
    found = ceiling_intervals(np.stack([signal] * 3), signal, n_bootstraps=20)
    for end in ("low", "estimate", "high"):
        for name in ("cc_max", "cc_norm", "cc_abs"):
            np.testing.assert_allclose(getattr(getattr(found, name), end), 1, atol=1e-5)


@pytest.mark.parametrize("n_repeats", [2, 3])
def test_voxels_that_vary_in_a_short_stretch_have_estimates_and_say_why_no_limits(rng, n_repeats):
    trials, _ = planted(rng, n_repeats, 200, 4, 0.5)
    guess = trials.mean(axis=0) + smooth(rng, (200, 4), 0.5)
    trials[:, 3:, 0] = 0.7
    guess[:, 1] = 0.2
    guess[90:92, 1] = 1.0, 2.0
    trials[0, :, 2] = 1.5
    trials[0, 50:53, 2] = 2.0  # of one repeat alone: powers have limits, correlations have none
    with warnings.catch_warnings(record=True) as told:  # none of them is numpy's
        warnings.simplefilter("always")
        found = ceiling_intervals(trials, guess, n_bootstraps=100)
        half, alone = split_half(trials), leave_one_out(trials)
    assert {one.category for one in told} == {VoxscaleWarning}
    texts = [str(one.message) for one in told if "without limits" in str(one.message)]
    assert len(texts) == 3
    assert "2 of 4 voxels have a noise ceiling or score without limits, which are NaN" in texts[0]
    for name in POWERS:
        interval = getattr(found, name)
        assert interval.is_defined.all()
        np.testing.assert_array_equal(interval.has_limits, [False, True, True, True])
        assert np.isnan([interval.low[0], interval.high[0]]).all()
    assert found.cc_abs.is_defined.all()
    np.testing.assert_array_equal(found.cc_abs.has_limits, [False, False, True, True])
    for interval in (half.correlation, half.reliability, alone.correlation):
        assert interval.is_defined.all()
        np.testing.assert_array_equal(interval.has_limits, [False, True, False, True])


def test_a_short_story_does_not_shorten_the_blocks_of_others(rng):
    long, short = planted(rng, 3, 900, 2, 0.5)[0], planted(rng, 3, 12, 2, 0.5)[0]
    both = ceiling_intervals([long, short], n_bootstraps=50)
    alone = ceiling_intervals(long, n_bootstraps=50)
    assert both.block_trs == alone.block_trs == 30
    assert ceiling_intervals([short, long], n_bootstraps=50).block_trs == 30


def test_two_repeats_are_enough(rng):
    trials, _ = planted(rng, 2, 200, 20, 0.5)
    found = ceiling_intervals(trials, n_bootstraps=40)
    assert found.cc_max.is_defined.all()
    assert (found.cc_max.low < found.cc_max.high).all()


def test_bad_input_is_refused(example):
    trials, guess = example
    with pytest.raises(ValueError, match="level is 95; expected a share between 0 and 1"):
        ceiling_intervals(trials, level=95)
    with pytest.raises(ValueError, match="impossible without the single repeats"):
        ceiling_intervals(trials.mean(axis=0))
    with pytest.raises(ValueError, match="does not hold 4 blocks of 31 TRs"):
        ceiling_intervals(trials, block_trs=31)
    with pytest.raises(AlignmentError, match=r"Y_pred has shape \(119, 5\) but the mean response"):
        ceiling_intervals(trials, guess[1:])
    with pytest.raises(AlignmentError, match="stories have different numbers of voxels"):
        ceiling_intervals([trials, trials[:, :, :2]])


def test_no_voxel_at_all_may_have_an_answer():
    with pytest.warns(VoxscaleWarning, match="2 of 2 voxels have no noise ceiling"):
        found = ceiling_intervals(np.ones((3, 40, 2)), n_bootstraps=5)
    assert np.isnan(found.signal_power.high).all()


def test_the_result_is_of_the_same_kind_for_stories(example):
    trials, _ = example
    assert isinstance(noise_ceiling([trials, trials]), NoiseCeiling)
