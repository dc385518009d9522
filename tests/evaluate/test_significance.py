import dataclasses
import math

import numpy as np
import pytest
from scipy.signal import lfilter

from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.evaluate import PermutationTest, _columns, correlation, permutation_test


def smooth(rng, n_trs, n_voxels, autocorrelation=0.7):
    """Return stationary series, z-scored: autoregressive of order one."""
    noise = rng.standard_normal((n_trs + 50, n_voxels))
    series = lfilter([1.0], [1.0, -autocorrelation], noise, axis=0)[50:]
    return (series - series.mean(axis=0)) / series.std(axis=0)


def naive_null(Y, Y_pred, run_lengths, shifts):
    """Roll each run, correlate, and do it again."""
    null = np.empty((len(shifts), Y.shape[1]))
    edges = np.cumsum(run_lengths)[:-1]
    for i, of_runs in enumerate(shifts):
        runs = np.split(Y_pred, edges)
        rolled = np.concatenate(
            [np.roll(run, shift, axis=0) for run, shift in zip(runs, of_runs, strict=True)]
        )
        for voxel in range(Y.shape[1]):
            null[i, voxel] = np.corrcoef(Y[:, voxel], rolled[:, voxel])[0, 1]
    return null


@pytest.mark.parametrize("run_lengths", [(120,), (53, 40, 27), (60, 61)])
def test_the_null_is_that_of_a_naive_loop(rng, frozen, run_lengths):
    Y = frozen(smooth(rng, 120 if sum(run_lengths) == 120 else 121, 6) + 3)
    guess = frozen(0.2 * Y + smooth(rng, len(Y), 6) * 5 - 1)
    test = permutation_test(
        Y, guess, n_permutations=99, run_lengths=run_lengths, min_shift=4, seed=7
    )
    expected = naive_null(Y, guess, run_lengths, test.shifts)
    np.testing.assert_allclose(test.null, expected, atol=1e-7)
    assert test.null.dtype == np.float32
    observed = correlation(Y, guess)
    np.testing.assert_array_equal(test.observed, observed)
    p_by_hand = [(1 + sum(null >= r)) / 100 for null, r in zip(expected.T, observed, strict=True)]
    np.testing.assert_array_equal(test.p_values, p_by_hand)


def test_shifts_stay_away_from_none_in_both_directions(rng):
    run_lengths = (30, 41)
    Y = smooth(rng, 71, 1)
    shifts = permutation_test(
        Y, Y[::-1], n_permutations=11 * 22, run_lengths=run_lengths, min_shift=10
    ).shifts
    assert shifts.shape == (11 * 22, 2)
    # There are 11 · 22 combinations, so drawing without replacement finds them all.
    assert {tuple(pair) for pair in shifts.tolist()} == {
        (first, second) for first in range(10, 21) for second in range(10, 32)
    }


def test_shifts_are_uniform_and_independent_between_runs(rng):
    Y = smooth(rng, 180, 1)
    test = permutation_test(Y, Y[::-1], n_permutations=4000, run_lengths=[60] * 3, min_shift=10)
    counts = np.array([np.bincount(run - 10, minlength=41) for run in test.shifts.T])
    assert counts.shape == (3, 41)
    expected = 4000 / 41
    assert (((counts - expected) ** 2 / expected).sum(axis=1) < 80).all()  # chi², 40 degrees
    between = np.corrcoef(test.shifts.T)
    assert np.abs(between[np.triu_indices(3, 1)]).max() < 4 / math.sqrt(4000)


def test_more_combinations_than_can_be_counted_are_drawn_all_the_same(rng):
    run_lengths = [24] * 20  # 5 ** 20 can be counted, 23 ** 20 cannot
    Y, guess = smooth(rng, 480, 2), smooth(rng, 480, 2)
    for min_shift in (10, 1):
        test = permutation_test(
            Y, guess, n_permutations=50, run_lengths=run_lengths, min_shift=min_shift
        )
        assert test.shifts.min() == min_shift
        assert test.shifts.max() == 24 - min_shift
        assert len(np.unique(test.shifts, axis=0)) == 50
        expected = naive_null(Y, guess, run_lengths, test.shifts)
        np.testing.assert_allclose(test.null, expected, atol=1e-7)


def test_runs_may_be_many_and_leave_no_choice(rng):
    run_lengths = [20] * 79 + [21]  # more runs than an array has axes
    Y, guess = smooth(rng, 1601, 2), smooth(rng, 1601, 2)
    with pytest.warns(VoxscaleWarning, match="only 2 different shifts"):
        test = permutation_test(Y, guess, run_lengths=run_lengths, min_shift=10)
    np.testing.assert_array_equal(test.shifts[:, :-1], 10)
    assert sorted(test.shifts[:, -1]) == [10, 11]


def test_the_seed_decides(rng):
    Y, guess = smooth(rng, 200, 3), smooth(rng, 200, 3)
    first = permutation_test(Y, guess, n_permutations=20, seed=3)
    again = permutation_test(Y, guess, n_permutations=20, seed=3)
    generator = permutation_test(Y, guess, n_permutations=20, seed=np.random.default_rng(3))
    other = permutation_test(Y, guess, n_permutations=20, seed=4)
    np.testing.assert_array_equal(first.null, again.null)
    np.testing.assert_array_equal(first.null, generator.null)
    assert (first.shifts != other.shifts).any()


def test_fewer_combinations_than_permutations_are_each_used_once(rng):
    Y, guess = smooth(rng, 30, 4), smooth(rng, 30, 4)
    with pytest.warns(
        VoxscaleWarning, match="only 11 different shifts .* fewer than n_permu"
    ) as told:
        test = permutation_test(Y, guess, n_permutations=1000, min_shift=10)
    assert str(told[0].message).endswith(
        'below 0.083; test on more or longer runs, or by rearranging blocks ("block").'
    )
    assert test.n_permutations == 11
    assert sorted(test.shifts[:, 0]) == list(range(10, 21))
    assert test.null.shape == (11, 4)
    np.testing.assert_allclose(test.p_values * 12, np.round(test.p_values * 12))


def test_unrelated_smooth_series_are_significant_at_the_stated_rate(rng):
    run_lengths = (250, 300)
    Y, guess = (
        np.concatenate([smooth(rng, length, 6000) for length in run_lengths]) for _ in range(2)
    )
    test = permutation_test(Y, guess, n_permutations=400, run_lengths=run_lengths)
    assert 0.03 < np.mean(test.p_values < 0.05) < 0.07
    assert 0.46 < np.mean(test.p_values < 0.5) < 0.54
    # Independent TRs would have called many more significant: the point of the test.
    naive_level = 1.645 / math.sqrt(len(Y))
    assert np.mean(test.observed > naive_level) > 0.1


def test_the_smallest_shift_of_one_keeps_short_runs_honest(rng):
    run_lengths = [60] * 5
    Y, guess = (
        np.concatenate([smooth(rng, length, 5000) for length in run_lengths]) for _ in range(2)
    )
    options = {"n_permutations": 400, "run_lengths": run_lengths}
    wide = permutation_test(Y, guess, min_shift=10, **options)
    narrow = permutation_test(Y, guess, min_shift=1, **options)
    assert 0.04 < np.mean(narrow.p_values < 0.05) < 0.065
    # As the docstring warns: a third of all shifts is left out, and too much is found.
    assert np.mean(wide.p_values < 0.05) > 0.07


def test_a_planted_relation_is_found(rng, frozen):
    signal = smooth(rng, 300, 40)
    Y = frozen(0.6 * signal + 0.8 * smooth(rng, 300, 40))
    test = permutation_test(Y, frozen(signal), n_permutations=200)
    assert (test.p_values == 1 / 201).mean() > 0.9
    opposite = permutation_test(Y, frozen(-signal), n_permutations=200)
    assert opposite.p_values.min() > 0.9  # one-sided


def test_a_tie_counts_as_chance(rng):
    # A prediction that repeats every 20 TRs is, 20 or 40 TRs later, itself.
    guess = np.tile(rng.standard_normal((20, 50)), (3, 1))
    Y = guess + 0.1 * rng.standard_normal(guess.shape)
    with pytest.warns(VoxscaleWarning, match="only 59 different"):
        test = permutation_test(Y, guess)
    np.testing.assert_allclose(test.p_values, 3 / 60)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.1])
def test_a_voxel_without_a_score_is_nan_and_alone(rng, frozen, bad):
    Y, guess = smooth(rng, 100, 5), smooth(rng, 100, 5)
    clean = permutation_test(Y, guess, n_permutations=30)
    if np.isfinite(bad):
        Y[:, 1] = guess[:, 3] = bad
    else:
        Y[7, 1] = guess[9, 3] = bad
    why = "2 constant" if np.isfinite(bad) else "2 not finite"
    with pytest.warns(VoxscaleWarning, match=f"2 of 5 voxels have no p-value .*: {why}"):
        test = permutation_test(frozen(Y), frozen(guess), n_permutations=30)
    for answer in (test.observed, test.p_values, test.threshold(0.1)):
        np.testing.assert_array_equal(np.isnan(answer), [0, 1, 0, 1, 0])
    np.testing.assert_array_equal(np.isnan(test.null).all(axis=0), [0, 1, 0, 1, 0])
    kept = [0, 2, 4]
    np.testing.assert_allclose(test.null[:, kept], clean.null[:, kept], atol=1e-7)
    np.testing.assert_array_equal(test.p_values[kept], clean.p_values[kept])


@pytest.mark.parametrize("n_permutations", [99, 100, 137])
@pytest.mark.parametrize("p", [0.01, 0.02, 0.05, 0.29, 0.5, 0.99])
def test_to_exceed_the_threshold_is_to_be_significant(rng, n_permutations, p):
    signal = smooth(rng, 250, 300)
    Y = smooth(rng, 250, 300) + np.linspace(-0.6, 0.6, 300) * signal
    test = permutation_test(Y, signal, n_permutations=n_permutations)
    level = test.threshold(p)
    assert level.shape == (300,)
    assert level.dtype == np.float64
    clear = np.abs(test.observed - level) > 1e-6  # the null is float32
    significant = test.p_values <= p + 1e-12
    np.testing.assert_array_equal((test.observed > level)[clear], significant[clear])
    assert 0 < significant.mean() < 1


@pytest.mark.parametrize(("p", "rank"), [(0.01, 1), (0.05, 5), (0.29, 29), (0.299, 29), (0.99, 99)])
def test_the_threshold_is_one_of_the_ranked_permutations(rng, p, rank):
    test = permutation_test(smooth(rng, 150, 4), smooth(rng, 150, 4), n_permutations=99)
    np.testing.assert_array_equal(test.threshold(p), np.sort(test.null, axis=0)[-rank])


def test_a_threshold_has_a_p_that_the_permutations_can_show(rng):
    test = permutation_test(smooth(rng, 100, 2), smooth(rng, 100, 2), n_permutations=50)
    assert np.isfinite(test.threshold(1 / 51)).all()
    with pytest.raises(ValueError, match=r"50 permutations show nothing below 0\.02; use more"):
        test.threshold(0.019)
    for p in (0, 1, -0.1, np.nan):
        with pytest.raises(ValueError, match="expected a probability between 0 and 1"):
            test.threshold(p)


def test_the_size_of_blocks_changes_nothing(rng, monkeypatch):
    Y, guess = smooth(rng, 100, 7), smooth(rng, 100, 7)
    options = {"n_permutations": 40, "run_lengths": [40, 60], "min_shift": 5}
    whole = permutation_test(Y, guess, **options)
    for width in (1, 3):
        monkeypatch.setattr(_columns, "BLOCK_BYTES", 8 * (6 * 100 + 3 * 40) * width)
        blocks = permutation_test(Y, guess, **options)
        np.testing.assert_allclose(blocks.null, whole.null, atol=1e-7)
        np.testing.assert_array_equal(blocks.p_values, whole.p_values)
        np.testing.assert_allclose(blocks.threshold(0.1), whole.threshold(0.1), atol=1e-7)


def test_one_voxel_may_come_as_one_axis(rng):
    Y, guess = smooth(rng, 100, 1), smooth(rng, 100, 1)
    one = permutation_test(Y[:, 0], guess[:, 0], n_permutations=30)
    np.testing.assert_array_equal(one.null, permutation_test(Y, guess, n_permutations=30).null)
    assert one.observed.shape == one.p_values.shape == (1,)


def test_unknown_choices_are_listed():
    Y = np.zeros((40, 1))
    with pytest.raises(ValueError, match="kind 'shuffle' is unknown; choose one of circular-shift"):
        permutation_test(Y, Y, kind="shuffle")
    with pytest.raises(ValueError, match="statistic 'rank' is unknown; choose one of correlation"):
        permutation_test(Y, Y, statistic="rank")


def test_bad_runs_and_counts_are_refused():
    Y = np.zeros((40, 1))
    with pytest.raises(AlignmentError, match=r"\[20, 21\], 41 TRs in all, but Y has 40"):
        permutation_test(Y, Y, run_lengths=[20, 21])
    with pytest.raises(AlignmentError, match="one positive length per run"):
        permutation_test(Y, Y, run_lengths=[41, -1])
    with pytest.raises(AlignmentError, match="0 TRs in all"):
        permutation_test(Y, Y, run_lengths=[])
    with pytest.raises(TypeError):
        permutation_test(Y, Y, run_lengths=[20.5, 19.5])
    with pytest.raises(ValueError, match="a run of 15 TRs cannot be shifted by 10 TRs or more"):
        permutation_test(Y, Y, run_lengths=[25, 15], min_shift=10)
    with pytest.raises(ValueError, match="min_shift is 0; expected at least 1 TR"):
        permutation_test(Y, Y, min_shift=0)
    with pytest.raises(ValueError, match="n_permutations is 0; expected at least 1"):
        permutation_test(Y, Y, n_permutations=0)
    with pytest.raises(AlignmentError, match=r"\(40, 1\) but Y_pred has shape \(39, 1\)"):
        permutation_test(Y, Y[1:])


def test_a_result_is_frozen_and_short_to_print(rng):
    test = permutation_test(smooth(rng, 40, 2), smooth(rng, 40, 2), n_permutations=5)
    assert repr(test) == "PermutationTest(kind='circular-shift', statistic='correlation')"
    assert isinstance(test, PermutationTest)
    with pytest.raises(dataclasses.FrozenInstanceError):
        test.kind = "other"
