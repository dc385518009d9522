"""Simulated brains hold what they claim: reach, ceilings, colour, and nothing that moves."""

from dataclasses import replace

import numpy as np
import pytest

from voxscale.design import delay
from voxscale.evaluate import correlation, noise_ceiling
from voxscale.scaling import fit_pooled_law
from voxscale.synthetic import PlantedLaw, ScalingBrains, coloured_noise, planted_scores

SIZES = (1e8, 1e9, 1e10, 1e11)


@pytest.fixture(scope="module")
def plenty():
    """Hours enough for least squares to find every weight, in 36 voxels."""
    steps = np.arange(6.0) * 3
    places = np.stack([*np.meshgrid(steps, steps), np.zeros((6, 6))], axis=-1).reshape(-1, 3)
    return ScalingBrains(
        sizes=SIZES, n_subjects=2, n_train=2, n_test=2, n_repeats=4, n_trs=16_000,
        coordinates=places, n_latents=2, unreachable=0.4, hrf_sd_s=0.5, seed=3,
    )  # fmt: skip


def found_correlations(brains, subject, size):
    """Train on the training stories, by least squares on all delays; test on means of repeats."""
    views = brains.features(size)
    lost = brains.n_taps - 1

    def design(story):
        return delay(views[story].values, range(brains.n_taps))[lost:]

    heard = brains.responses(subject)
    X = np.concatenate([design(story) for story in heard])
    Y = np.concatenate([one.values for one in heard.values()])
    weights = np.linalg.lstsq(X, Y)[0]
    trials = brains.trials(subject)
    mean = np.concatenate([np.mean([o.values for o in all_], axis=0) for all_ in trials.values()])
    return correlation(mean, np.concatenate([design(story) for story in trials]) @ weights)


def test_with_plenty_of_data_a_fit_reaches_what_was_planted(plenty):
    """Within 0.03 in every voxel, of 32,000 TRs each to train and test, and 0.01 on average."""
    for subject in range(2):
        planted = plenty.truth(subject).attainable(plenty.n_repeats)
        found = np.array([found_correlations(plenty, subject, size) for size in SIZES])
        assert np.abs(found - planted).max() < 0.03
        assert abs((found - planted).mean()) < 0.01
        assert np.ptp(planted) > 0.2
    ceilings = plenty.truth(1).ceiling(plenty.n_repeats)
    law = fit_pooled_law(SIZES, planted / ceilings, plenty.truth(1).region)
    np.testing.assert_allclose(law.exponents, [0.15, 0.25], rtol=1e-6)
    np.testing.assert_allclose(law.asymptotes, plenty.truth(1).asymptotes, rtol=1e-6)


def test_ceilings_are_found_by_repeats(plenty):
    trials = np.stack([one.values for one in plenty.trials(0)["test-01"]])
    ceiling = noise_ceiling(trials)
    truth = plenty.truth(0)
    np.testing.assert_allclose(ceiling.explainable_variance, truth.signal_share, atol=0.06)
    assert abs((ceiling.explainable_variance - truth.signal_share).mean()) < 0.01
    np.testing.assert_allclose(ceiling.cc_max, truth.ceiling(4), atol=0.08)
    clean = correlation(trials.mean(axis=0), plenty.signal(0, "test-01"))
    np.testing.assert_allclose(clean, truth.ceiling(4), atol=0.04)


def test_signals_have_variance_1_and_differ_in_their_response(plenty):
    signal = plenty.signal(0, "train-01")
    np.testing.assert_allclose(signal.var(axis=0), 1, atol=0.2)
    assert signal.var(axis=0).mean() == pytest.approx(1, abs=0.05)
    assert not np.allclose(plenty._kernel(0), plenty._kernel(1))
    same = replace(plenty, hrf_sd_s=0.0)
    np.testing.assert_array_equal(same._kernel(0), same._kernel(1))


def test_neighbours_are_alike_and_laws_have_their_stripes():
    brains = ScalingBrains(sizes=SIZES, n_trs=200, smoothness_mm=20)
    truth = brains.truth(0)
    share = truth.signal_share.reshape(12, 12)
    assert np.abs(np.diff(share, axis=0)).mean() < 0.25 * np.abs(share - share.mean()).mean()
    assert (share >= 0.1).all()
    assert (share <= 0.5).all()
    region = truth.region.reshape(12, 12)
    assert region.tolist() == [[0] * 6 + [1] * 6] * 12
    signal = brains.signal(0, "train-01").T.reshape(12, 12, -1)
    beside = [np.corrcoef(signal[i, 2], signal[i + 1, 2])[0, 1] for i in range(11)]
    assert np.mean(beside) > 0.8


def test_the_same_seed_is_the_same_and_more_of_anything_changes_nothing():
    few = ScalingBrains(sizes=SIZES[1:3], n_subjects=2, n_train=1, n_repeats=2, n_trs=40)
    more = replace(few, sizes=SIZES, n_subjects=5, n_train=3, n_test=2, n_repeats=3)
    for subject in range(2):
        for story, one in few.responses(subject).items():
            np.testing.assert_array_equal(one.values, more.responses(subject)[story].values)
        for story, repeats in few.trials(subject).items():
            for one, again in zip(repeats, more.trials(subject)[story], strict=False):
                np.testing.assert_array_equal(one.values, again.values)
        np.testing.assert_array_equal(few.truth(subject).reach, more.truth(subject).reach[1:3])
    for size in few.sizes:
        for story, one in few.features(size).items():
            np.testing.assert_array_equal(one.values, more.features(size)[story].values)
    assert len(more.responses(4)) == 3
    other = replace(few, seed=1)
    story = few.responses(0)["train-01"].values
    assert not np.allclose(story, other.responses(0)["train-01"].values)
    assert not np.allclose(story, few.responses(1)["train-01"].values)
    assert few.hours == pytest.approx(40 * 2 / 3600)


def test_features_and_responses_meet_by_tr_number():
    brains = ScalingBrains(sizes=SIZES, n_trs=50, tr_s=1.5)
    views, heard = brains.features(1e9)["test-01"], brains.trials(0)["test-01"][0]
    assert (views.first_tr, views.trs.stop) == (0, heard.trs.stop)
    assert heard.trs == range(19, 69)


def expected_autocorrelation(color, n_trs, lags):
    if color == "white":
        return np.zeros(len(lags))
    if color == "ar1":
        return 0.6 ** np.array(lags)
    frequencies = np.arange(1, n_trs // 2 + 1)
    power = 1 / frequencies
    power[-1] /= 2  # stands for itself alone
    waves = np.cos(2 * np.pi * np.outer(lags, frequencies) / n_trs)
    return waves @ power / power.sum()


@pytest.mark.parametrize("color", ["white", "ar1", "1/f"])
def test_noise_has_its_colour(color):
    n_trs, lags = 300, [1, 2, 5, 20]
    noise = coloured_noise(n_trs, 4000, np.random.default_rng(0), color=color, autocorrelation=0.6)
    assert noise.var() == pytest.approx(1, abs=0.01)
    assert noise[0].var() == pytest.approx(1, abs=0.08)
    found = [(noise[lag:] * noise[:-lag]).mean() for lag in lags]
    np.testing.assert_allclose(found, expected_autocorrelation(color, n_trs, lags), atol=0.012)


def test_planted_scores_have_their_components():
    scores = planted_scores(
        400, 5, SIZES, slope=0.02, subject_sd=0.01, story_sd=0.02, size_sd=0.005, seed=1
    )
    slopes = np.polyfit([0, 1, 2, 3], scores.reshape(4, -1), 1)[0].reshape(400, 5)
    by_chance = 0.02**2 + 0.005**2 / 5
    assert slopes.mean() == pytest.approx(0.02, abs=0.002)
    assert slopes.var(axis=1, ddof=1).mean() == pytest.approx(by_chance, rel=0.1)
    assert slopes.mean(axis=1).var() == pytest.approx(0.01**2 + by_chance / 5, rel=0.2)
    fewer = planted_scores(
        3, 2, SIZES[:3], slope=0.02, subject_sd=0.01, story_sd=0.02, size_sd=0.005, seed=1
    )
    np.testing.assert_array_equal(fewer, scores[:3, :3, :2])


def test_what_cannot_be_planted_is_refused():
    with pytest.raises(ValueError, match="over the sizes; expected 0 … 1: choose a smaller coeff"):
        ScalingBrains(sizes=[1.0, 1e9])
    with pytest.raises(ValueError, match="expected 0 … 1"):
        ScalingBrains(sizes=SIZES, laws=[PlantedLaw(1.2, 0.1, 0.2)])
    with pytest.raises(ValueError, match="signal_share is"):
        ScalingBrains(sizes=SIZES, signal_share=(0.5, 0.2))
    with pytest.raises(ValueError, match="unreachable is 1"):
        ScalingBrains(sizes=SIZES, unreachable=1)
    with pytest.raises(ValueError, match="noise 'pink' is unknown; choose one of white, ar1, 1/f"):
        ScalingBrains(sizes=SIZES, noise="pink")
    with pytest.raises(ValueError, match="noise 'pink' is unknown"):
        coloured_noise(3, 3, np.random.default_rng(0), color="pink")
    with pytest.raises(ValueError, match="autocorrelation is 1"):
        coloured_noise(3, 3, np.random.default_rng(0), autocorrelation=1)


@pytest.mark.parametrize("color", ["ar1", "white", "1/f"])
def test_smooth_noise_is_shared_by_neighbours_and_keeps_variance_and_colour(color):
    brains = ScalingBrains(SIZES, n_train=1, n_trs=4000, signal_share=(0, 0), noise=color)
    plain = brains.responses(0)["train-01"].values
    smooth = replace(brains, noise_smoothness=0.5).responses(0)["train-01"].values
    assert abs(smooth.var(axis=0).mean() - plain.var(axis=0).mean()) < 0.05

    def lag_1(noise):
        return (noise[1:] * noise[:-1]).mean() / (noise**2).mean()

    assert lag_1(smooth) == pytest.approx(lag_1(plain), abs=0.03)
    correlations = np.corrcoef(smooth.T)
    distance = np.linalg.norm(brains.places[:, None] - brains.places, axis=2)
    near = correlations[distance == 3]
    assert 0.3 < near.mean() < 0.5  # a voxel 3 mm away has nearly all of the smooth half
    assert abs(np.corrcoef(plain.T)[distance == 3].mean()) < 0.02
    assert near.mean() > 2 * abs(correlations[distance > 25].mean())


def test_smooth_noise_moves_no_other_number():
    brains = ScalingBrains(SIZES, n_subjects=1, n_train=1, n_trs=50, noise_smoothness=0.3)
    again = replace(brains, n_train=2, n_repeats=2).responses(0)["train-01"].values
    np.testing.assert_array_equal(brains.responses(0)["train-01"].values, again)
    first, second = brains.trials(0)["test-01"][:2]
    assert abs(np.corrcoef(first.values.ravel(), second.values.ravel())[0, 1]) < 0.9
    with pytest.raises(ValueError, match=r"noise_smoothness is 1\.5; expected a share"):
        replace(brains, noise_smoothness=1.5)


def test_exponents_may_vary_over_subjects(plenty):
    """A fit with plenty of data reaches each subject's own law, within 0.03 in every voxel."""
    brains = replace(plenty, exponent_sd=0.05, unreachable=0.0)
    truths = [brains.truth(subject) for subject in range(2)]
    shifts = [truth.exponents[0] - 0.15 for truth in truths]
    assert abs(shifts[0] - shifts[1]) > 0.01
    for truth, shift in zip(truths, shifts, strict=True):
        law = fit_pooled_law(SIZES, truth.reach, truth.region)
        np.testing.assert_allclose(law.exponents, np.add([0.15, 0.25], shift), rtol=1e-6)
    planted = truths[1].attainable(brains.n_repeats)
    found = np.array([found_correlations(brains, 1, size) for size in SIZES])
    assert np.abs(found - planted).max() < 0.03
    assert np.abs(planted - plenty.truth(1).attainable(4)).max() > 0.01
    assert brains.signal(0, "test-01").var() == pytest.approx(1, abs=0.05)


def test_exponents_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"exponent_sd is -1; expected a standard deviation"):
        ScalingBrains(SIZES, exponent_sd=-1)
