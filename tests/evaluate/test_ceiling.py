import dataclasses
import statistics

import numpy as np
import pytest

from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.evaluate import (
    NoiseCeiling,
    _columns,
    ceiling_intervals,
    correlation,
    leave_one_out,
    noise_ceiling,
    split_half,
)


def planted(rng, *, n_repeats, n_trs, signal_power, noise_power):
    """Return trials whose signal and noise have the given powers, one voxel for each."""
    n_voxels = len(signal_power)
    signal = rng.standard_normal((n_trs, n_voxels)) * np.sqrt(signal_power)
    noise = rng.standard_normal((n_repeats, n_trs, n_voxels)) * np.sqrt(noise_power)
    return signal + noise, signal


def by_hand(trials, guess):
    """Compute the powers and scores of one voxel from the formulas of Schoppe et al."""
    n_repeats = len(trials)
    mean = [statistics.fmean(at_tr) for at_tr in zip(*trials, strict=True)]
    total = statistics.fmean([statistics.variance(trial) for trial in trials])
    signal = (n_repeats * statistics.variance(mean) - total) / (n_repeats - 1)
    noise = total - signal
    residual = [y - p for y, p in zip(mean, guess, strict=True)]
    return {
        "total_power": total,
        "signal_power": signal,
        "noise_power": noise,
        "cc_max": (1 / (1 + noise / (n_repeats * signal))) ** 0.5,
        "spe": (statistics.variance(mean) - statistics.variance(residual)) / signal,
        "cc_abs": statistics.correlation(mean, guess),
        "cc_norm": statistics.covariance(mean, guess)
        / (signal * statistics.variance(guess)) ** 0.5,
    }


@pytest.fixture
def example(rng, frozen):
    powers = {"signal_power": np.array([0.5, 1.0, 4.0]), "noise_power": np.array([1.0, 1.0, 9.0])}
    trials, signal = planted(rng, n_repeats=4, n_trs=80, **powers)
    return frozen(trials), frozen(signal + 0.5 * rng.standard_normal(signal.shape))


def test_every_number_is_that_of_the_naive_loop(example):
    trials, guess = example
    ceiling = noise_ceiling(trials)
    assert ceiling.n_repeats == 4
    for voxel in range(3):
        expected = by_hand(trials[:, :, voxel].tolist(), guess[:, voxel].tolist())
        for name in ("total_power", "signal_power", "noise_power", "cc_max"):
            assert getattr(ceiling, name)[voxel] == pytest.approx(expected[name], rel=1e-12)
        for name in ("spe", "cc_abs", "cc_norm"):
            assert getattr(ceiling, name)(guess)[voxel] == pytest.approx(expected[name], rel=1e-12)


def test_planted_powers_are_recovered(rng, frozen):
    signal_power = np.tile([0.1, 0.5, 1.0, 3.0], 100)
    noise_power = np.tile([1.0, 1.0, 0.5, 9.0], 100)
    trials, signal = planted(
        rng, n_repeats=5, n_trs=400, signal_power=signal_power, noise_power=noise_power
    )
    ceiling = noise_ceiling(frozen(trials))

    def over_voxels(values):
        return values.reshape(100, 4).mean(axis=0)

    np.testing.assert_allclose(over_voxels(ceiling.signal_power), signal_power[:4], rtol=0.04)
    np.testing.assert_allclose(over_voxels(ceiling.noise_power), noise_power[:4], rtol=0.02)
    truth = correlation(trials.mean(axis=0), signal)  # the best correlation there is
    np.testing.assert_allclose(over_voxels(ceiling.cc_max), over_voxels(truth), rtol=0.02)
    np.testing.assert_allclose(over_voxels(ceiling.cc_norm(signal)), 1, rtol=0.02)
    np.testing.assert_allclose(over_voxels(ceiling.spe(signal)), 1, atol=0.05)


def test_signal_power_is_unbiased_where_there_is_no_signal(rng):
    trials = rng.standard_normal((3, 50, 4000))
    power = noise_ceiling(trials).signal_power
    assert abs(power.mean()) < 4 * power.std() / np.sqrt(power.size)
    assert (power < 0).mean() > 0.4


def test_the_two_formulas_of_the_ceiling_agree(example):
    trials, guess = example
    ceiling = noise_ceiling(trials)
    mean = trials.mean(axis=0)
    variance = mean.var(axis=0, ddof=1)
    np.testing.assert_allclose(ceiling.cc_max, np.sqrt(ceiling.signal_power / variance), rtol=1e-12)
    np.testing.assert_allclose(ceiling.cc_abs(guess) / ceiling.cc_max, ceiling.cc_norm(guess))
    size = np.sqrt(guess.var(axis=0, ddof=1) / ceiling.signal_power)
    np.testing.assert_allclose(ceiling.spe(guess), 2 * ceiling.cc_norm(guess) * size - size**2)
    np.testing.assert_allclose(
        ceiling.signal_power + ceiling.noise_power, ceiling.total_power, rtol=1e-14
    )


def test_repeats_without_noise_have_a_ceiling_of_one(rng, frozen):
    signal = rng.standard_normal((60, 3))
    ceiling = noise_ceiling(frozen(np.stack([signal] * 3)))
    np.testing.assert_allclose(ceiling.cc_max, 1, rtol=1e-12)
    np.testing.assert_allclose(ceiling.noise_power, 0, atol=1e-12)
    np.testing.assert_allclose(ceiling.spe(signal), 1, rtol=1e-12)


def test_scaling_the_data_scales_the_powers_and_no_score(example):
    trials, guess = example
    ceiling, scaled = noise_ceiling(trials), noise_ceiling(10 * trials + 3)
    np.testing.assert_allclose(scaled.signal_power, 100 * ceiling.signal_power)
    np.testing.assert_allclose(scaled.cc_max, ceiling.cc_max)
    np.testing.assert_allclose(scaled.cc_norm(guess), ceiling.cc_norm(guess))
    np.testing.assert_allclose(scaled.spe(10 * guess - 7), ceiling.spe(guess))


def test_without_signal_power_there_is_no_ceiling(rng, frozen):
    half = rng.standard_normal((40, 2))
    trials = np.stack([half, -half])
    trials[:, :, 1] = half[:, 1]  # voxel 0 cancels, voxel 1 repeats
    ceiling = noise_ceiling(frozen(trials))
    guess = frozen(rng.standard_normal((40, 2)))
    assert ceiling.signal_power[0] < 0
    for values in (ceiling.cc_max, ceiling.cc_norm(guess), ceiling.spe(guess)):
        np.testing.assert_array_equal(np.isnan(values), [True, False])


def test_a_signal_power_of_rounding_alone_is_none():
    # Two orthogonal repeats of equal variance: SP is zero in exact numbers.
    time = np.arange(120) * 2 * np.pi / 120
    trials = np.stack([np.sin(time), np.cos(time)])[:, :, None] * np.array([0.1, 1.0, 1 / 3])
    ceiling = noise_ceiling(trials)
    np.testing.assert_allclose(ceiling.signal_power, 0, atol=1e-14)
    assert np.isnan(ceiling.cc_max).all()


def test_the_floor_floors(rng, frozen):
    trials, signal = planted(
        rng,
        n_repeats=2,
        n_trs=60,
        signal_power=np.repeat([0.0, 0.05, 4.0], 40),
        noise_power=np.ones(120),
    )
    ceiling = noise_ceiling(frozen(trials))
    guess = frozen(rng.standard_normal(signal.shape))
    r, low = ceiling.cc_abs(guess), ceiling.cc_max
    for floor in (0.25, 0.9, 1.0):
        expected = [a / (max(b, floor) if b == b else floor) for a, b in zip(r, low, strict=True)]
        np.testing.assert_allclose(ceiling.cc_norm(guess, floor=floor), expected)
    assert np.isnan(low).any()
    assert np.nanmin(low) < 0.25
    assert np.nanmax(np.abs(ceiling.cc_norm(guess))) > np.abs(ceiling.cc_norm(guess, 0.25)).max()
    high = low > 0.9
    np.testing.assert_array_equal(ceiling.cc_norm(guess, 0.9)[high], ceiling.cc_norm(guess)[high])


@pytest.mark.parametrize("floor", [0, -0.1, 1.01, np.nan])
def test_a_floor_is_a_correlation(example, floor):
    trials, guess = example
    with pytest.raises(ValueError, match="expected a correlation above 0 and at most 1"):
        noise_ceiling(trials).cc_norm(guess, floor=floor)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("total_power", [None, 1])
def test_silent_voxels_have_no_answer_even_with_a_floor(rng, frozen, dtype, total_power):
    trials = rng.standard_normal((3, 300, 4)).astype(dtype) + 5
    trials[:, :, 0] = 0.1
    trials[:, :, 1] = np.array([0.1, 0.2, 1 / 3])[:, None]
    trials[:, :, 2] = 0.0
    trials[:, :, 3] += 2 * np.sin(np.arange(300))
    ceiling = noise_ceiling(frozen(trials), total_power=total_power)
    guess = frozen(rng.standard_normal((300, 4)) + np.sin(np.arange(300))[:, None])
    assert list(ceiling.why_undefined) == ["constant"] * 3 + [""]
    powers = [ceiling.total_power, ceiling.signal_power, ceiling.noise_power]
    answers = [ceiling.cc_max, ceiling.spe(guess), ceiling.cc_abs(guess)]
    answers += [ceiling.cc_norm(guess), ceiling.cc_norm(guess, floor=0.25)]
    for answer in powers + answers:
        np.testing.assert_array_equal(np.isnan(answer), [True, True, True, False])


def test_trials_that_cancel_leave_no_correlation_of_their_rounding(rng):
    first, second, third = rng.standard_normal((3, 50, 1)) * 0.1
    trials = np.stack([first, second, third, -(first + third), -second])
    assert trials.mean(axis=0).any()  # rounding
    ceiling = noise_ceiling(trials)
    assert np.isnan(ceiling.cc_abs(rng.standard_normal((50, 1)))).all()
    assert ceiling.signal_power[0] < 0


def test_a_constant_prediction_explains_nothing(example):
    trials, guess = example
    ceiling = noise_ceiling(trials)
    flat = np.full(guess.shape, 0.1)
    assert np.isnan(ceiling.cc_abs(flat)).all()
    assert np.isnan(ceiling.cc_norm(flat)).all()
    assert np.isnan(ceiling.cc_norm(flat, floor=0.25)).all()
    np.testing.assert_allclose(ceiling.spe(flat), 0, atol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("total_power", [None, 1])
def test_a_value_that_is_not_finite_spoils_its_voxel_alone(example, frozen, bad, total_power):
    trials, guess = example
    clean = noise_ceiling(trials, total_power=total_power)
    spoilt = np.array(trials)
    spoilt[2, 5, 1] = bad
    ceiling = noise_ceiling(frozen(spoilt), total_power=total_power)
    for name in ("total_power", "signal_power", "noise_power", "cc_max"):
        ours, other = getattr(ceiling, name), getattr(clean, name)
        np.testing.assert_array_equal(np.isnan(ours), [False, True, False])
        np.testing.assert_array_equal(ours[[0, 2]], other[[0, 2]])
    for name in ("spe", "cc_abs", "cc_norm"):
        ours = getattr(ceiling, name)(guess)
        np.testing.assert_array_equal(np.isnan(ours), [False, True, False])
    assert np.isnan(ceiling.cc_norm(guess, floor=0.25)[1])

    broken = np.array(guess)
    broken[0, 0] = bad
    for name in ("spe", "cc_abs", "cc_norm"):
        np.testing.assert_array_equal(np.isnan(getattr(clean, name)(broken)), [True, False, False])


def test_the_total_power_may_be_given(rng):
    trials, _ = planted(rng, n_repeats=3, n_trs=50, signal_power=np.ones(3), noise_power=np.ones(3))
    zscored = (trials - trials.mean(axis=1, keepdims=True)) / trials.std(
        axis=1, keepdims=True, ddof=1
    )
    # With ddof 1 the variance is exactly one, so saying so changes nothing.
    own, given = noise_ceiling(zscored), noise_ceiling(zscored, total_power=1)
    np.testing.assert_array_equal(given.total_power, np.ones(3))
    np.testing.assert_allclose(given.signal_power, own.signal_power, rtol=1e-12)
    np.testing.assert_allclose(given.cc_max, own.cc_max, rtol=1e-12)
    each = noise_ceiling(trials, total_power=[1.0, 2.0, 3.0])
    expected = (3 * trials.mean(axis=0).var(axis=0, ddof=1) - np.array([1.0, 2.0, 3.0])) / 2
    np.testing.assert_allclose(each.signal_power, expected, rtol=1e-12)


@pytest.mark.parametrize("total_power", [0, -1, np.nan, np.inf, [1, 1, 0]])
def test_a_given_total_power_is_a_variance(example, total_power):
    with pytest.raises(ValueError, match="expected finite variances above 0"):
        noise_ceiling(example[0], total_power=total_power)


def test_a_given_total_power_has_one_number_per_voxel(example):
    with pytest.raises(
        ValueError, match=r"total_power has shape \(2,\); expected one number, or 3"
    ):
        noise_ceiling(example[0], total_power=[1, 1])


def test_fewer_than_two_repeats_make_no_ceiling(example):
    trials, _ = example
    for few in (trials[:1], trials[:0]):
        with pytest.raises(ValueError, match="based on repeats is impossible with fewer than 2"):
            noise_ceiling(few)


def test_trials_have_three_axes_two_trs_and_one_shape(example):
    trials, _ = example
    with pytest.raises(ValueError, match=r"expected \(n_repeats, n_trs, n_voxels\)"):
        noise_ceiling(trials[0])
    with pytest.raises(ValueError, match=r"shape \(80,\); expected \(n_repeats, n_trs, n_voxels\)"):
        noise_ceiling(trials[0, :, 0])
    with pytest.raises(ValueError, match="expected at least 2 TRs"):
        noise_ceiling(trials[:, :1])
    with pytest.raises(AlignmentError, match=r"trials have shapes \[\(80, 3\), \(79, 3\)\]"):
        noise_ceiling([trials[0], trials[1][1:]])


def test_a_list_of_trials_is_stacked(example):
    trials, _ = example
    as_list = noise_ceiling(list(trials))
    np.testing.assert_array_equal(as_list.signal_power, noise_ceiling(trials).signal_power)


def test_a_prediction_has_the_trs_and_voxels_of_the_trials(example):
    trials, guess = example
    ceiling = noise_ceiling(trials)
    for score in (ceiling.spe, ceiling.cc_abs, ceiling.cc_norm):
        with pytest.raises(
            AlignmentError, match=r"Y_pred has shape \(79, 3\) but each trial has shape \(80, 3\)"
        ):
            score(guess[1:])


def test_the_size_of_blocks_changes_nothing(example, monkeypatch):
    trials, guess = example
    whole = noise_ceiling(trials)
    expected = [whole.signal_power, whole.cc_norm(guess), whole.spe(guess)]
    monkeypatch.setattr(_columns, "BLOCK_BYTES", 8)
    by_voxel = noise_ceiling(trials)
    ours = [by_voxel.signal_power, by_voxel.cc_norm(guess), by_voxel.spe(guess)]
    for one, other in zip(ours, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_float32_is_summed_in_float64(example, frozen):
    trials, guess = example
    single = frozen((trials + 1000).astype(np.float32))
    ceiling, exact = noise_ceiling(single), noise_ceiling(single.astype(np.float64))
    assert ceiling.signal_power.dtype == np.float64
    np.testing.assert_array_equal(ceiling.signal_power, exact.signal_power)
    # The mean is kept in float32: the numbers 1000 ± 1 have digits to 6e-5 there.
    np.testing.assert_allclose(ceiling.cc_norm(guess), exact.cc_norm(guess), atol=2e-5)


def test_the_mean_of_float32_repeats_is_float32_and_loses_nothing_that_counts(example):
    trials, guess = example
    for dtype, of_mean in (("f4", "f4"), ("f2", "f4"), ("i2", "f4"), ("f8", "f8"), ("i8", "f8")):
        as_dtype = (100 * trials).astype(dtype)
        ceiling = noise_ceiling(as_dtype)
        assert ceiling.mean_response.dtype == of_mean
        exact = noise_ceiling(as_dtype.astype(np.float64))
        np.testing.assert_array_equal(ceiling.signal_power, exact.signal_power)
        for name in ("cc_abs", "cc_norm", "spe"):
            ours, other = getattr(ceiling, name)(guess), getattr(exact, name)(guess)
            assert ours.dtype == np.float64
            np.testing.assert_allclose(ours, other, rtol=1e-6)


def test_a_ceiling_is_frozen_and_short_to_print(example):
    ceiling = noise_ceiling(example[0])
    assert repr(ceiling) == "NoiseCeiling(n_repeats=4)"
    assert isinstance(ceiling, NoiseCeiling)
    with pytest.raises(dataclasses.FrozenInstanceError):
        ceiling.n_repeats = 5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("total_power", [None, 1])
def test_a_dead_repeat_leaves_no_ceiling_and_is_told(rng, frozen, dtype, total_power):
    powers = {"signal_power": np.ones(4), "noise_power": np.ones(4)}
    trials, _ = planted(rng, n_repeats=4, n_trs=200, **powers)
    trials[2, :, 1] = 0.1
    trials[:, :, 3] = 5.0  # dead in all: outside the brain, and no surprise
    trials, guess = frozen(trials.astype(dtype)), frozen(rng.standard_normal((200, 4)))
    with pytest.warns(
        VoxscaleWarning, match="1 of 4 voxels are constant in some of 4 trials and vary in others"
    ) as told:
        ceiling = noise_ceiling(trials, total_power=total_power)
    assert [one.filename for one in told] == [__file__]
    assert list(ceiling.why_undefined) == ["", "constant", "", "constant"]
    answers = [ceiling.signal_power, ceiling.total_power, ceiling.explainable_variance]
    answers += [ceiling.cc_max, ceiling.cc_max_with(9), ceiling.cc_norm(guess, 0.25)]
    for answer in answers:
        np.testing.assert_array_equal(np.isnan(answer), [False, True, False, True])


def test_all_ceilings_by_repeats_treat_a_dead_repeat_alike(rng):
    powers = {"signal_power": np.ones(3), "noise_power": np.ones(3)}
    trials, _ = planted(rng, n_repeats=4, n_trs=200, **powers)
    other, _ = planted(rng, n_repeats=4, n_trs=100, **powers)
    trials[0, 3, 0] = np.nan
    trials[3, :, 1] = 2.0
    for given in (trials, {"a": other, "b": trials}):
        with pytest.warns(VoxscaleWarning) as told:
            reasons = [
                noise_ceiling(given).why_undefined,
                ceiling_intervals(given, n_bootstraps=5).signal_power.why_undefined,
                ceiling_intervals(given, n_bootstraps=5).explainable_variance.why_undefined,
                split_half(given, n_bootstraps=5).reliability.why_undefined,
                leave_one_out(given, n_bootstraps=5).correlation.why_undefined,
            ]
        assert [list(one) for one in reasons] == [["not finite", "constant", ""]] * 5
        assert len(told) == 5
        assert all("1 constant, 1 not finite" in str(one.message) for one in told[1:])


@pytest.mark.parametrize(
    "judge", [noise_ceiling, ceiling_intervals, split_half, leave_one_out], ids=lambda f: f.__name__
)
def test_averages_are_refused_with_what_remains(example, judge):
    average = example[0].mean(axis=0)
    remains = "impossible without the single repeats; what remains is one between subjects"
    for given in (average, {"a": average}):
        with pytest.raises(ValueError, match=remains):
            judge(given)
    for given in (average[None], [average], {"a": average[None]}):
        with pytest.raises(ValueError, match=r"impossible with fewer than 2: .*leave_one_out"):
            judge(given)
    with pytest.raises(AlignmentError, match="Averages, one for each story, are no repeats"):
        judge([average, average[1:]])


def test_an_average_in_place_of_repeats_is_told_what_remains(example):
    trials, _ = example
    with pytest.raises(ValueError, match=r"shape \(80, 3\).*or an average over repeats") as told:
        noise_ceiling(trials.mean(axis=0))
    assert "impossible without the single repeats" in str(told.value)
    assert "between subjects who heard the same story: give leave_one_out or split" in str(
        told.value
    )


def test_explainable_variance_is_that_of_the_voxelwise_tutorials(example):
    trials, _ = example
    ceiling = noise_ceiling(trials)
    # Share of variance left after averaging, corrected for what noise would leave.
    plain = trials.mean(axis=0).var(axis=0, ddof=1) / trials.var(axis=1, ddof=1).mean(axis=0)
    corrected = plain - (1 - plain) / (len(trials) - 1)
    np.testing.assert_allclose(ceiling.explainable_variance, corrected)
    # Spearman-Brown takes it to the squared ceiling.
    k = len(trials)
    expected = k * corrected / (1 + (k - 1) * corrected)
    np.testing.assert_allclose(ceiling.cc_max**2, expected)


def test_the_ceiling_of_more_repeats_is_the_one_that_more_repeats_have(rng):
    powers = {"signal_power": np.full(400, 1.0), "noise_power": np.full(400, 4.0)}
    trials, _ = planted(rng, n_repeats=12, n_trs=300, **powers)
    few, many = noise_ceiling(trials[:4]), noise_ceiling(trials)
    np.testing.assert_allclose(few.cc_max_with(4), few.cc_max, rtol=1e-12)
    assert few.cc_max_with(12).mean() == pytest.approx(many.cc_max.mean(), abs=0.005)
    assert many.cc_max_with(4).mean() == pytest.approx(few.cc_max.mean(), abs=0.01)
    np.testing.assert_array_equal(few.cc_max_with(np.inf), 1)
    single = np.sqrt(many.explainable_variance)
    np.testing.assert_allclose(many.cc_max_with(1), single, rtol=1e-12)
    for bad in (0, 0.5, np.nan):
        with pytest.raises(ValueError, match="expected at least 1"):
            few.cc_max_with(bad)


def test_what_has_no_ceiling_has_none_with_more_repeats(rng):
    half = rng.standard_normal((40, 1))
    silent = noise_ceiling(np.stack([half, -half]))
    assert np.isnan(silent.cc_max_with(100)).all()
    same = noise_ceiling(np.stack([half, half]))
    np.testing.assert_allclose(same.cc_max_with(1), 1)


def test_every_voxel_says_why_it_has_no_ceiling(rng):
    trials = rng.standard_normal((3, 40, 4)) + 3 * rng.standard_normal((40, 4))
    trials[0, 0, 0] = np.nan
    trials[:, :, 1] = 2.5
    trials[:, :, 2] -= trials[:, :, 2].mean(axis=0)
    ceiling = noise_ceiling(trials)
    expected = ["not finite", "constant", "without signal power", ""]
    assert list(ceiling.why_undefined) == expected
    np.testing.assert_array_equal(np.isnan(ceiling.cc_max), [True, True, True, False])
    np.testing.assert_array_equal(
        np.isnan(ceiling.explainable_variance), [True, True, False, False]
    )
    assert ceiling.explainable_variance[2] < 0


@pytest.fixture
def stories(rng, frozen):
    """Three stories of ten, five and five repeats, each about its own mean."""
    made = {}
    for name, n_repeats, n_trs in (("a", 10, 90), ("b", 5, 60), ("c", 5, 75)):
        powers = {"signal_power": np.full(4, 2.0), "noise_power": np.full(4, 3.0)}
        trials, _ = planted(rng, n_repeats=n_repeats, n_trs=n_trs, **powers)
        made[name] = frozen(trials - trials.mean(axis=1, keepdims=True))
    return made


def test_powers_of_stories_are_pooled_by_their_trs(stories):
    pooled = noise_ceiling(stories)
    single = [noise_ceiling(story) for story in stories.values()]
    weights = np.array([89, 59, 74]) / (89 + 59 + 74)
    for name in ("signal_power", "noise_power", "total_power"):
        expected = sum(w * getattr(one, name) for w, one in zip(weights, single, strict=True))
        np.testing.assert_allclose(getattr(pooled, name), expected)
    of_mean = sum(
        w * one.mean_response.var(axis=0, ddof=1) for w, one in zip(weights, single, strict=True)
    )
    np.testing.assert_allclose(pooled.cc_max, np.sqrt(pooled.signal_power / of_mean))
    left = sum(w * one.noise_power / one.n_repeats for w, one in zip(weights, single, strict=True))
    np.testing.assert_allclose(of_mean, pooled.signal_power + left)
    assert pooled.n_repeats == (10, 5, 5)
    assert pooled.run_lengths == (90, 60, 75)
    as_list = noise_ceiling(list(stories.values()))
    np.testing.assert_array_equal(as_list.cc_max, pooled.cc_max)


def test_the_pooled_ceiling_is_the_correlation_of_all_means_with_the_true_signal(rng):
    numbers, lengths, n_voxels = (10, 5, 2), (300, 200, 250), 300
    made, signals = [], []
    for n_repeats, n_trs in zip(numbers, lengths, strict=True):
        powers = {"signal_power": np.ones(n_voxels), "noise_power": np.full(n_voxels, 3.0)}
        trials, signal = planted(rng, n_repeats=n_repeats, n_trs=n_trs, **powers)
        made.append(trials + rng.standard_normal((n_repeats, 1, n_voxels)))
        signals.append(signal - 3 * rng.standard_normal(n_voxels))
    ceiling, signal = noise_ceiling(made), np.concatenate(signals)
    truth = ceiling.cc_abs(signal)
    assert ceiling.cc_max.mean() == pytest.approx(truth.mean(), abs=0.005)
    assert ceiling.cc_norm(signal).mean() == pytest.approx(1, abs=0.01)
    explained = ceiling.spe(signal) * ceiling.signal_power
    assert explained.mean() == pytest.approx(1, abs=0.01)
    assert ceiling.signal_power.mean() == pytest.approx(1, abs=0.02)
    by_hand = []
    for voxel in range(5):
        one, other = (
            np.concatenate([part[:, voxel] - part[:, voxel].mean() for part in parts])
            for parts in ([trials.mean(axis=0) for trials in made], signals)
        )
        by_hand.append(np.corrcoef(one, other)[0, 1])
    np.testing.assert_allclose(truth[:5], by_hand)


def test_stories_of_equal_repeats_are_one_long_response(stories):
    parts = [story[:5] - story[:5].mean(axis=1, keepdims=True) for story in stories.values()]
    pooled, whole = noise_ceiling(parts), noise_ceiling(np.concatenate(parts, axis=1))
    guess = whole.mean_response + 0.1
    np.testing.assert_allclose(pooled.cc_max, whole.cc_max)
    np.testing.assert_allclose(pooled.cc_max_with(20), whole.cc_max_with(20))
    np.testing.assert_allclose(pooled.explainable_variance, whole.explainable_variance)
    # Each story's mean costs a degree of freedom.
    np.testing.assert_allclose(pooled.signal_power * (225 - 3), whole.signal_power * (225 - 1))
    np.testing.assert_allclose(pooled.cc_abs(guess), 1)
    np.testing.assert_allclose(pooled.spe(guess), whole.spe(guess))
    assert pooled.n_repeats == 5


def test_a_story_spoils_its_voxel_in_all(stories, frozen):
    spoilt = {name: np.array(story) for name, story in stories.items()}
    spoilt["b"][1, 2, 3] = np.nan
    spoilt["c"][:, :, 0] = 0.1
    spoilt["c"][2, :, 3] = 0.1  # not finite comes first
    with pytest.warns(VoxscaleWarning, match="1 of 4 voxels are constant in some of 20 trials"):
        ceiling = noise_ceiling({name: frozen(story) for name, story in spoilt.items()})
    assert list(ceiling.why_undefined) == ["constant", "", "", "not finite"]
    guess = frozen(np.concatenate([story.mean(axis=0) for story in stories.values()]))
    np.testing.assert_array_equal(np.isnan(ceiling.cc_abs(guess)), [True, False, False, True])


def test_predictions_may_be_named_like_the_stories(stories, frozen, rng):
    ceiling = noise_ceiling(stories)
    guess = {
        name: frozen(story.mean(axis=0) + 5 * rng.standard_normal((1, 4)))
        for name, story in reversed(stories.items())
    }
    joined = np.concatenate([guess[name] for name in stories])
    for score in (ceiling.cc_abs, ceiling.cc_norm, ceiling.spe):
        np.testing.assert_array_equal(score(guess), score(joined))
    # The matching score is about each story's own mean: here it is 1, whatever the offsets.
    np.testing.assert_allclose(ceiling.cc_abs(guess), 1)
    assert (correlation(ceiling.mean_response, joined) < 0.9).any()
    centered = [
        np.concatenate([part - part.mean(axis=0) for part in np.split(one, [90, 150])])
        for one in (ceiling.mean_response, joined)
    ]
    np.testing.assert_allclose(correlation(*centered), ceiling.cc_abs(guess))
    found = ceiling_intervals(stories, guess, n_bootstraps=5)
    np.testing.assert_allclose(found.cc_norm.estimate, ceiling.cc_norm(guess))


def test_named_predictions_are_those_of_the_stories(stories):
    ceiling = noise_ceiling(stories)
    guess = {name: story.mean(axis=0) for name, story in stories.items()}
    with pytest.raises(
        AlignmentError, match=r"Y_pred has the stories \['a', 'b'\]; expected those"
    ):
        ceiling.cc_norm({name: guess[name] for name in "ab"})
    with pytest.raises(AlignmentError, match=r"Y_pred\['b'\] has shape \(60, 3\); expected"):
        ceiling.cc_norm({**guess, "b": guess["b"][:, 1:]})
    with pytest.raises(AlignmentError, match=r"Y_pred has shape \(224, 4\)"):
        ceiling.cc_norm({**guess, "b": guess["b"][1:]})
    with pytest.raises(ValueError, match="but the trials have no names"):
        noise_ceiling(list(stories.values())).cc_norm(guess)


def test_a_prediction_constant_within_each_story_explains_nothing(stories):
    ceiling = noise_ceiling(stories)
    flat = np.repeat([0.1, 0.7, 1 / 3], [90, 60, 75])[:, None] * np.ones(4)
    assert np.isnan(ceiling.cc_abs(flat)).all()
    np.testing.assert_allclose(ceiling.spe(flat), 0, atol=1e-12)


def test_the_total_power_may_be_given_for_stories(stories):
    given = noise_ceiling(stories, total_power=5)
    np.testing.assert_array_equal(given.total_power, 5)
    single = [noise_ceiling(story, total_power=5).signal_power for story in stories.values()]
    np.testing.assert_allclose(
        given.signal_power, np.tensordot([89 / 222, 59 / 222, 74 / 222], single, axes=1)
    )


def test_stories_are_checked_one_by_one(stories, example):
    trials, _ = example
    with pytest.raises(AlignmentError, match="stories have different numbers of voxels"):
        noise_ceiling([*stories.values(), trials])
    with pytest.raises(ValueError, match=r"trials\['b'\] have shape \(1, 60, 4\)"):
        noise_ceiling({**stories, "b": stories["b"][:1]})
    with pytest.raises(ValueError, match=r"trials\['b'\] have shape \(60, 4\), one response"):
        noise_ceiling({**stories, "b": stories["b"].mean(axis=0)})
    with pytest.raises(ValueError, match="trials hold no story"):
        noise_ceiling({})


def test_pooled_ceilings_do_not_depend_on_the_size_of_blocks(stories, monkeypatch):
    guess = np.concatenate([story[0] for story in stories.values()])
    whole = noise_ceiling(stories)
    expected = [whole.cc_max, whole.cc_norm(guess), whole.spe(guess)]
    monkeypatch.setattr(_columns, "BLOCK_BYTES", 8)
    by_voxel = noise_ceiling(stories)
    ours = [by_voxel.cc_max, by_voxel.cc_norm(guess), by_voxel.spe(guess)]
    for one, other in zip(ours, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
