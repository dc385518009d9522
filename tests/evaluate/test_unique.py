"""A prediction beyond baselines: against a naive loop, by chance, and with planted truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.evaluate import PermutationTest, _columns, permutation_test, unique_test
from voxscale.evaluate._nulls import NULLS


def smooth(rng, n_trs, n_columns, autocorrelation=0.7):
    """Return stationary series, z-scored: autoregressive of order one."""
    noise = rng.standard_normal((n_trs + 50, n_columns))
    series = lfilter([1.0], [1.0, -autocorrelation], noise, axis=0)[50:]
    return (series - series.mean(axis=0)) / series.std(axis=0)


def beyond(series, baseline, run_lengths):
    """Regress a mean for each run, and the baselines, out of one series."""
    runs = np.repeat(np.arange(len(run_lengths)), run_lengths)
    columns = [runs == run for run in range(len(run_lengths))]
    centered = baseline - sum(
        np.outer(rows, baseline[rows].mean(axis=0)) for rows in columns
    )  # about each run's mean
    left = series - sum(rows * series[rows].mean() for rows in columns)
    return left - centered @ np.linalg.lstsq(centered, left, rcond=None)[0]


def naive(Y, guess, baseline, run_lengths, shifts):
    """Project, roll each run, project again, correlate; one voxel and shift at a time."""
    observed, null = np.empty(Y.shape[1]), np.empty((len(shifts), Y.shape[1]))
    edges = np.cumsum(run_lengths)[:-1]
    for voxel in range(Y.shape[1]):
        truth = beyond(Y[:, voxel], baseline, run_lengths)
        left = beyond(guess[:, voxel], baseline, run_lengths)
        observed[voxel] = np.corrcoef(truth, left)[0, 1]
        for i, of_runs in enumerate(shifts):
            runs = np.split(left, edges)
            rolled = [np.roll(run, by) for run, by in zip(runs, of_runs, strict=True)]
            again = beyond(np.concatenate(rolled), baseline, run_lengths)
            null[i, voxel] = np.corrcoef(truth, again)[0, 1]
    return observed, null


@pytest.mark.parametrize("run_lengths", [(120,), (53, 40, 27)])
@pytest.mark.parametrize("n_columns", [1, 7])
def test_it_is_what_a_naive_loop_finds(rng, frozen, run_lengths, n_columns):
    baseline = frozen(smooth(rng, 120, n_columns) * 3 + 2)
    Y = frozen(smooth(rng, 120, 5) + baseline[:, :1] + 3)
    guess = frozen(0.3 * Y + smooth(rng, 120, 5) + 0.5 * baseline[:, -1:] - 1)
    test = unique_test(
        Y, guess, baseline, n_permutations=39, run_lengths=run_lengths, min_shift=4, seed=7
    )
    observed, null = naive(Y, guess, baseline, run_lengths, test.shifts)
    np.testing.assert_allclose(test.observed, observed, atol=1e-12)
    np.testing.assert_allclose(test.null, null, atol=1e-7)
    np.testing.assert_array_equal(test.p_values, (1 + (null >= observed).sum(axis=0)) / 40)
    assert test.shifts.shape == (39, len(run_lengths))
    assert test.shifts.min() >= 4
    assert isinstance(test, PermutationTest)
    assert (test.statistic, test.kind) == ("partial correlation", "circular-shift")


def test_blocks_are_moved_and_then_projected_again(rng):
    run_lengths, block_trs = (60, 45), 15
    baseline, Y, guess = (smooth(rng, 105, n) for n in (3, 4, 4))
    options = {"n_permutations": 25, "run_lengths": run_lengths, "block_trs": block_trs}
    test = unique_test(Y, guess, baseline, kind="block", seed=3, **options)
    assert test.shifts is None
    drawn = NULLS["block"](run_lengths, 25, np.random.default_rng(3), min_shift=1, block_trs=15)
    for voxel in range(4):
        truth, left = (beyond(one[:, voxel], baseline, run_lengths) for one in (Y, guess))
        for i in range(25):
            moved = [
                run.reshape(-1, block_trs)[orders[i]].ravel()
                for run, orders in zip(np.split(left, [60]), drawn.orders, strict=True)
            ]
            again = beyond(np.concatenate(moved), baseline, run_lengths)
            expected = np.corrcoef(truth, again)[0, 1]
            np.testing.assert_allclose(test.null[i, voxel], expected, atol=1e-7)


def test_phases_are_turned_and_then_projected_again(rng):
    baseline, Y, guess = (smooth(rng, 90, n) for n in (3, 4, 4))
    test = unique_test(Y, guess, baseline, kind="phase", n_permutations=25, seed=3)
    drawn = NULLS["phase"]((90,), 25, np.random.default_rng(3), min_shift=1, block_trs=30)
    for voxel in range(4):
        truth, left = (beyond(one[:, voxel], baseline, (90,)) for one in (Y, guess))
        for i in range(25):
            turned = np.fft.irfft(np.fft.rfft(left) * np.exp(1j * drawn.phases[i]), n=90)
            again = beyond(turned, baseline, (90,))
            expected = np.corrcoef(truth, again)[0, 1]
            np.testing.assert_allclose(test.null[i, voxel], expected, atol=1e-7)


def test_what_says_nothing_is_significant_at_the_stated_rate(rng):
    run_lengths, n_stimuli = (150, 150), 40
    p_values, of_prediction = [], []
    for _ in range(n_stimuli):  # the chance of one stimulus is shared by all voxels that heard it
        runs = [[smooth(rng, n, k) for n in run_lengths] for k in (6, 500, 500)]
        baseline, noise, guess = (np.concatenate(one) for one in runs)
        # Responses and predictions share the baselines, and nothing else.
        Y = noise + baseline @ rng.standard_normal((6, 500)) / 4
        guess = guess + baseline @ rng.standard_normal((6, 500)) / 4
        options = {"run_lengths": run_lengths, "n_permutations": 99, "seed": rng}
        p_values.append(unique_test(Y, guess, baseline, **options).p_values)
        shared = noise + baseline[:, :1], guess + baseline[:, :1]
        of_prediction.append(permutation_test(*shared, **options).p_values)
    assert 0.04 < np.mean(np.array(p_values) <= 0.05) < 0.06
    assert 0.47 < np.mean(np.array(p_values) <= 0.5) < 0.53
    # Tested as it is, the prediction is significant nearly everywhere: it has the baselines.
    assert np.mean(np.array(of_prediction) <= 0.05) > 0.5


def test_other_weights_of_the_baselines_are_not_called(rng):
    # A joint model that changed the weights of baselines, as shrinkage does: the difference to
    # what the baselines alone predict is large, and correlates with what these left over.
    baseline = smooth(rng, 300, 3)
    Y = smooth(rng, 300, 2000) + baseline.sum(axis=1, keepdims=True)
    alone = 0.5 * baseline.sum(axis=1, keepdims=True) * np.ones((1, 2000))
    joint = 0.9 * baseline.sum(axis=1, keepdims=True) + 0.1 * smooth(rng, 300, 2000)
    difference = permutation_test(Y - alone, joint - alone, n_permutations=99)
    assert np.mean(difference.p_values <= 0.05) > 0.9
    test = unique_test(Y, joint, baseline, n_permutations=99)
    assert np.mean(test.p_values <= 0.05) < 0.08


@pytest.mark.parametrize("kind", sorted(NULLS))
def test_a_planted_part_is_found_beyond_the_baselines(rng, frozen, kind):
    run_lengths = (200, 160)
    baseline, words = smooth(rng, 360, 4), smooth(rng, 360, 60)
    words[:, 30:] = 0.0  # in half of the voxels there are none
    shared = baseline @ rng.standard_normal((4, 60))
    Y = frozen(shared + 0.7 * words + smooth(rng, 360, 60))
    guess = frozen(shared + 0.3 * words + 0.1 * smooth(rng, 360, 60))
    test = unique_test(
        Y, guess, frozen(baseline), run_lengths=run_lengths, n_permutations=199, kind=kind
    )
    assert test.kind == kind
    assert np.mean(test.p_values[:30] <= 0.01) > 0.9
    assert np.mean(test.p_values[30:] <= 0.05) < 0.2
    opposite = unique_test(Y, -guess, baseline, run_lengths=run_lengths, kind=kind)
    assert opposite.p_values[:30].min() > 0.9  # one-sided


def test_columns_that_repeat_or_say_nothing_change_nothing(rng, frozen):
    run_lengths = (70, 50)
    baseline, Y, guess = (smooth(rng, 120, n) for n in (3, 5, 5))
    step = np.repeat([0.0, 7.0], run_lengths)  # the mean of a run is taken out anyway
    more = [baseline, baseline[:, ::-1], 3 * baseline[:, :1] - 2 * baseline[:, 1:2]]
    odd = np.column_stack([*more, np.full(120, 0.1), np.zeros(120), step])
    options = {"run_lengths": run_lengths, "n_permutations": 30}
    plain = unique_test(Y, guess, frozen(baseline), **options)
    for dtype, atol in (("float64", 1e-7), ("float32", 1e-5)):
        again = unique_test(Y, guess, frozen(odd.astype(dtype)), **options)
        np.testing.assert_allclose(again.observed, plain.observed, atol=atol)
        np.testing.assert_allclose(again.null, plain.null, atol=atol)


def test_units_of_the_baselines_do_not_matter(rng):
    baseline, Y, guess = (smooth(rng, 120, n) for n in (3, 5, 5))
    plain = unique_test(Y, guess, baseline, n_permutations=30)
    scaled = unique_test(
        Y, guess, baseline * [1e-9, 1.0, 1e9] + [5.0, 0.0, -1e3], n_permutations=30
    )
    np.testing.assert_allclose(scaled.observed, plain.observed, atol=1e-7)
    np.testing.assert_allclose(scaled.null, plain.null, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.floats(0.01, 100.0),
    mix=st.lists(st.floats(-20.0, 20.0), min_size=3, max_size=3),
    of_responses=st.booleans(),
)
def test_any_mix_of_baselines_may_be_added(seed, scale, mix, of_responses):
    rng = np.random.default_rng(seed)
    baseline, Y, guess = (smooth(rng, 60, n) for n in (3, 2, 2))
    options = {"run_lengths": [25, 35], "n_permutations": 19}
    plain = unique_test(Y, guess, baseline, **options)
    added = scale * (Y if of_responses else guess) + (baseline @ mix)[:, np.newaxis] + 3.0
    pair = (added, guess) if of_responses else (Y, added)
    again = unique_test(*pair, baseline, **options)
    np.testing.assert_allclose(again.observed, plain.observed, atol=1e-9)
    np.testing.assert_allclose(again.null, plain.null, atol=1e-6)
    is_clear = (np.abs(plain.null - plain.observed) > 1e-6).all(axis=0)
    np.testing.assert_array_equal(again.p_values[is_clear], plain.p_values[is_clear])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_voxels_with_nothing_but_baselines_are_counted(rng, frozen, dtype):
    baseline, Y, guess = (smooth(rng, 120, n) for n in (3, 6, 6))
    clean = unique_test(Y.astype(dtype), guess.astype(dtype), baseline, n_permutations=30)
    guess[:, 1] = baseline @ [1.0, -2.0, 0.5]
    Y[:, 4] = 5.0 - baseline[:, 0]
    with pytest.warns(VoxscaleWarning, match=r"in 2 of 6 voxels .* nothing but the baselines"):
        test = unique_test(
            frozen(Y.astype(dtype)), frozen(guess.astype(dtype)), baseline, n_permutations=30
        )
    for answer in (test.observed, test.p_values, test.threshold(0.1)):
        np.testing.assert_array_equal(np.isnan(answer), [0, 1, 0, 0, 1, 0])
    kept = [0, 2, 3, 5]
    np.testing.assert_array_equal(test.p_values[kept], clean.p_values[kept])


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.1])
def test_a_voxel_without_a_score_is_nan_and_alone(rng, frozen, bad):
    baseline, Y, guess = (smooth(rng, 100, n) for n in (2, 5, 5))
    clean = unique_test(Y, guess, baseline, n_permutations=30)
    if np.isfinite(bad):
        Y[:, 1] = guess[:, 3] = bad
    else:
        Y[7, 1] = guess[9, 3] = bad
    test = unique_test(frozen(Y), frozen(guess), frozen(baseline), n_permutations=30)
    for answer in (test.observed, test.p_values):
        np.testing.assert_array_equal(np.isnan(answer), [0, 1, 0, 1, 0])
    np.testing.assert_array_equal(np.isnan(test.null).all(axis=0), [0, 1, 0, 1, 0])
    kept = [0, 2, 4]
    np.testing.assert_allclose(test.null[:, kept], clean.null[:, kept], atol=1e-7)
    np.testing.assert_array_equal(test.p_values[kept], clean.p_values[kept])


def test_the_size_of_blocks_changes_nothing(rng, monkeypatch):
    baseline, Y, guess = (smooth(rng, 100, n) for n in (3, 7, 7))
    options = {"n_permutations": 40, "run_lengths": [40, 60]}
    whole = unique_test(Y, guess, baseline, **options)
    monkeypatch.setattr(_columns, "BLOCK_BYTES", 1)  # a voxel at a time
    alone = unique_test(Y, guess, baseline, **options)
    np.testing.assert_allclose(alone.null, whole.null, atol=1e-7)
    np.testing.assert_array_equal(alone.p_values, whole.p_values)


def test_the_seed_decides(rng):
    baseline, Y, guess = (smooth(rng, 200, n) for n in (3, 4, 4))
    options = {"n_permutations": 20}
    first = unique_test(Y, guess, baseline, seed=3, **options)
    again = unique_test(Y, guess, baseline, seed=np.random.default_rng(3), **options)
    other = unique_test(Y, guess, baseline, seed=4, **options)
    np.testing.assert_array_equal(first.null, again.null)
    assert (first.shifts != other.shifts).any()


def test_one_voxel_and_one_column_may_come_as_one_axis(rng):
    baseline, Y, guess = (smooth(rng, 100, 1) for _ in range(3))
    one = unique_test(Y[:, 0], guess[:, 0], baseline[:, 0], n_permutations=30)
    both = unique_test(Y, guess, baseline, n_permutations=30)
    np.testing.assert_array_equal(one.null, both.null)
    assert one.observed.shape == one.p_values.shape == (1,)


def test_fewer_shifts_than_were_asked_for_are_each_used_once(rng):
    baseline, Y, guess = (smooth(rng, 30, n) for n in (2, 3, 3))
    with pytest.warns(VoxscaleWarning, match="only 29 different shifts .* fewer than n_permu"):
        test = unique_test(Y, guess, baseline)
    assert sorted(test.shifts[:, 0]) == list(range(1, 30))


def test_baselines_that_cannot_be_gone_beyond_are_refused(rng):
    Y = smooth(rng, 40, 2)
    step = np.repeat([1.0, 2.0], 20)
    with pytest.raises(AlignmentError, match=r"baseline has shape \(39, 2\) but Y has 40 TRs"):
        unique_test(Y, Y, Y[1:])
    with pytest.raises(AlignmentError, match=r"\(n_trs, n_columns\) .* not a prediction"):
        unique_test(Y, Y, np.zeros((40, 2, 2)))
    with pytest.raises(ValueError, match=r"baseline holds NaN or infinity; .* leave out these"):
        unique_test(Y, Y, np.where(np.arange(40) == 3, np.nan, Y[:, 0]))
    with pytest.raises(
        ValueError, match=r"none of 1 columns .* varies within a run; .*permutation"
    ):
        unique_test(Y, Y, step, run_lengths=[20, 20])
    with pytest.raises(ValueError, match=r"none of 2 columns of baseline varies"):
        unique_test(Y, Y, np.full((40, 2), 0.1))
    with pytest.raises(ValueError, match=r"37 independent columns of baseline leave 1 degrees of "):
        unique_test(Y, Y, rng.standard_normal((40, 37)), run_lengths=[20, 20])
    with pytest.raises(ValueError, match=r"leave 0 degrees of freedom of 40 TRs in 1 run\(s\)"):
        unique_test(Y, Y, rng.standard_normal((40, 60)))
    with pytest.raises(TypeError, match="baseline has dtype complex128; expected real numbers"):
        unique_test(Y, Y, Y * 1j)


def test_other_bad_arguments_are_refused():
    Y = np.zeros((40, 1))
    with pytest.raises(ValueError, match="kind 'shuffle' is unknown; choose one of circular-shift"):
        unique_test(Y, Y, Y, kind="shuffle")
    with pytest.raises(AlignmentError, match=r"\(40, 1\) but Y_pred has shape \(39, 1\)"):
        unique_test(Y, Y[1:], Y)
    with pytest.raises(AlignmentError, match=r"\[20, 21\], 41 TRs in all, but Y has 40"):
        unique_test(Y, Y, Y, run_lengths=[20, 21])
    varied = np.arange(40.0) ** 2
    with pytest.raises(ValueError, match="n_permutations is 0; expected at least 1"):
        unique_test(Y, Y, varied, n_permutations=0)
    with pytest.raises(TypeError):
        unique_test(Y, Y, varied, n_permutations=9.5)
    with pytest.raises(ValueError, match="min_shift is 0; expected at least 1 TR"):
        unique_test(Y, Y, varied, min_shift=0)
