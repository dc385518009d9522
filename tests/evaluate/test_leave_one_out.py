"""Leave-one-out correlations: loops, planted truth, growth, and real subjects."""

from __future__ import annotations

import numpy as np
import pytest

from voxscale.errors import VoxscaleWarning
from voxscale.evaluate import leave_one_out, leave_one_out_growth, noise_ceiling

REGIONS = ("LATL", "RATL", "LPTL", "LIPL", "LPreM", "LIFG")
# Of the real recordings, as the description beside them tells.
KNOWN = {
    "LPTL": 0.385, "LATL": 0.281, "LIPL": 0.268, "LPreM": 0.186, "RATL": 0.137, "LIFG": 0.120,
}  # fmt: skip


def planted(rng, n_repeats, n_trs, n_voxels, noise_power=1.0):
    signal = rng.standard_normal((n_trs, n_voxels))
    return signal + np.sqrt(noise_power) * rng.standard_normal((n_repeats, n_trs, n_voxels))


def by_hand(trials):
    """Correlate each repeat with the mean of the others."""
    return np.array(
        [
            [
                np.corrcoef(one[:, v], np.delete(trials, k, axis=0).mean(axis=0)[:, v])[0, 1]
                for v in range(trials.shape[2])
            ]
            for k, one in enumerate(trials)
        ]
    )


def test_every_correlation_is_that_of_the_loop(rng, frozen):
    for n_repeats in (2, 3, 6):
        trials = frozen(planted(rng, n_repeats, 70, 3) + 4)
        found = leave_one_out(trials, n_bootstraps=5)
        expected = by_hand(trials)
        np.testing.assert_allclose(found.correlations, expected)
        np.testing.assert_allclose(found.correlation.estimate, expected.mean(axis=0))
        assert found.n_repeats == n_repeats


@pytest.mark.parametrize("n_repeats", [3, 5, 10])
def test_intervals_hold_planted_truth(rng, n_repeats):
    single = 0.3
    trials = planted(rng, n_repeats, 250, 600, 1 / single - 1)
    found = leave_one_out(trials, n_bootstraps=150)
    truth = single * np.sqrt((n_repeats - 1) / (1 + (n_repeats - 2) * single))
    grown = found.with_number(np.inf)
    for interval, expected in ((found.correlation, truth), (grown, np.sqrt(single))):
        share = ((interval.low < expected) & (expected < interval.high)).mean()
        assert 0.92 < share < 0.98


def test_intervals_hold_for_subjects_that_differ(rng):
    # Gains of the signal differ between 12 subjects, and are drawn anew in each simulation.
    n_subjects, n_voxels = 12, 600
    gains = rng.choice([0.2, 1.0], size=(n_subjects, 1, n_voxels))
    signal = rng.standard_normal((250, n_voxels))
    subjects = gains * signal + rng.standard_normal((n_subjects, 250, n_voxels))
    found = leave_one_out(subjects, n_bootstraps=100)
    truth = found.correlation.estimate.mean()
    share = ((found.correlation.low < truth) & (truth < found.correlation.high)).mean()
    assert 0.91 < share < 0.98
    # Blocks of time alone know nothing of the choice of subjects.
    alike = leave_one_out(
        0.67 * signal + rng.standard_normal((n_subjects, 250, n_voxels)), n_bootstraps=100
    )
    width, narrow = (
        np.median(one.correlation.high - one.correlation.low) for one in (found, alike)
    )
    assert width > 1.2 * narrow


def test_growth_follows_the_formula_and_meets_the_whole(rng):
    trials = planted(rng, 8, 2000, 20, 2.0)
    found = leave_one_out(trials, n_bootstraps=2)
    numbers, grown = leave_one_out_growth(trials)
    np.testing.assert_array_equal(numbers, np.arange(2, 9))
    np.testing.assert_allclose(grown[-1], found.correlation.estimate)
    np.testing.assert_allclose(found.with_number(8).estimate, found.correlation.estimate)
    for n, of_number in zip(numbers, grown, strict=True):
        expected = found.with_number(int(n)).estimate
        assert of_number.mean() == pytest.approx(expected.mean(), abs=0.01)
    # Extrapolation from few says what more will find.
    from_few = leave_one_out(trials[:4], n_bootstraps=2).with_number(8).estimate
    assert from_few.mean() == pytest.approx(grown[-1].mean(), abs=0.02)
    limit = found.with_number(np.inf).estimate
    single = noise_ceiling(trials).explainable_variance
    np.testing.assert_allclose(limit, np.sqrt(single), atol=0.02)


def test_pairs_are_those_of_the_loop(rng):
    trials = planted(rng, 3, 60, 2)
    _, [of_pairs] = leave_one_out_growth(trials, [2], n_subsets=4000)
    expected = [
        np.mean([np.corrcoef(trials[a, :, v], trials[b, :, v])[0, 1] for a, b in
                 ((0, 1), (0, 2), (1, 2))])
        for v in range(2)
    ]  # fmt: skip
    np.testing.assert_allclose(of_pairs, expected, atol=0.01)


def test_voxels_without_an_answer_are_counted(rng):
    trials = planted(rng, 4, 60, 4)
    trials[0, 0, 0] = np.nan
    trials[2, :, 1] = 0.1
    trials[:, :, 2] -= trials[:, :, 2].mean(axis=0)
    with pytest.warns(VoxscaleWarning, match="2 of 4 voxels have no leave-one-out correlation"):
        found = leave_one_out(trials, n_bootstraps=5)
    assert list(found.correlation.why_undefined) == ["not finite", "constant", "", ""]
    assert np.isnan(found.correlations[:, :2]).all()
    assert found.correlation.estimate[2] < 0
    grown = found.with_number(20)
    assert grown.why_undefined[2] == "without signal power"
    np.testing.assert_array_equal(
        np.isnan(leave_one_out_growth(trials)[1]).any(axis=0), [True, True, False, False]
    )


def test_bad_input_is_refused(rng):
    trials = planted(rng, 3, 60, 2)
    found = leave_one_out(trials, n_bootstraps=5)
    for bad in (1, np.nan):
        with pytest.raises(ValueError, match="expected at least 2, or"):
            found.with_number(bad)
    for numbers in ([1], [4], []):
        with pytest.raises(ValueError, match="expected some of 2 to 3"):
            leave_one_out_growth(trials, numbers)
    with pytest.raises(ValueError, match="n_subsets is 0"):
        leave_one_out_growth(trials, n_subsets=0)
    with pytest.raises(ValueError, match="impossible with fewer than 2"):
        leave_one_out(trials[:1])


def alice(folder):
    """Return the time courses of those who listened to the story, (n_subjects, 362, 6)."""
    files = sorted((folder / "alice" / "alice_data_shared" / "10mm").glob("s*-timecourses.txt"))
    # The file of s33 holds nothing but zeros.
    return np.stack([np.loadtxt(file) for file in files if not file.name.startswith("s33")])


def test_real_subjects_agree_as_is_known(real_data):
    subjects = alice(real_data)
    assert subjects.shape == (27, 362, 6)
    z = (subjects - subjects.mean(axis=1, keepdims=True)) / subjects.std(axis=1, keepdims=True)
    found = leave_one_out(z)
    np.testing.assert_allclose(
        found.correlation.estimate, [KNOWN[region] for region in REGIONS], atol=0.01
    )
    assert (found.correlation.low > 0).sum() >= 4
    assert (found.correlation.low < found.correlation.estimate).all()
    assert (found.correlation.high > found.correlation.estimate).all()
    assert (found.correlation.high - found.correlation.low < 0.3).all()
    numbers, grown = leave_one_out_growth(z, [5, 10, 27])
    assert (np.diff(grown[:, :3], axis=0) > 0).all()
    np.testing.assert_allclose(grown[-1], found.correlation.estimate)
    assert list(numbers) == [5, 10, 27]
