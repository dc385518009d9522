"""What a prediction adds to baselines: loops, invariances, calibration, power."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import block_diag
from scipy.signal import lfilter

from voxscale.design import delay, zscore
from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.evaluate import (
    PermutationTest,
    _columns,
    correlation,
    max_statistic,
    permutation_test,
    position_features,
    union_predictions,
    unique_test,
)
from voxscale.evaluate._nulls import NULLS
from voxscale.fit import RidgeCV

OPTIONS = {"circular-shift": {"min_shift": 1}, "block": {"block_trs": 5}, "phase": {}}


def smooth(rng, n_trs, n_columns, autocorrelation=0.8):
    """Return stationary series, z-scored: autoregressive of order one."""
    noise = rng.standard_normal((n_trs + 60, n_columns))
    return zscore(lfilter([1.0], [1.0, -autocorrelation], noise, axis=0)[60:])


def residual(values, baseline, run_lengths):
    """Regress on baselines, with a mean for each run, by least squares."""
    design = np.hstack([baseline, block_diag(*[np.ones((length, 1)) for length in run_lengths])])
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


def rearrangements(kind, run_lengths, n_permutations, seed, **options):
    """Return each as a matrix, (n_permutations, n_trs, n_trs), by what it does to unit vectors."""
    options = {**OPTIONS[kind], **options}
    rng = np.random.default_rng(seed)
    drawn = NULLS[kind](tuple(run_lengths), n_permutations, rng, **options)
    n_trs = sum(run_lengths)
    left, right = np.repeat(np.eye(n_trs), n_trs, axis=1), np.tile(np.eye(n_trs), n_trs)
    return drawn.correlate(left, right).reshape(n_permutations, n_trs, n_trs)


@pytest.mark.parametrize("kind", list(NULLS))
@pytest.mark.parametrize("run_lengths", [(40,), (17, 23)])
def test_score_and_null_are_those_of_a_naive_loop(rng, frozen, kind, run_lengths):
    baseline = frozen(smooth(rng, 40, 3))
    Y = frozen(smooth(rng, 40, 4) + baseline[:, :1] + 5)
    guess = frozen(3 * smooth(rng, 40, 4) + 0.5 * Y + baseline[:, 1:2] - 1)
    options = {"run_lengths": run_lengths, "kind": kind, "seed": 3}
    options |= {"block_trs": 5} if kind == "block" else {}
    test = unique_test(Y, guess, baseline, n_permutations=30, **options)
    left, right = (residual(one, baseline, run_lengths) for one in (Y, guess))
    np.testing.assert_allclose(test.observed, correlation(left, right), atol=1e-12)
    expected = np.empty((30, 4))
    for i, matrix in enumerate(rearrangements(kind, run_lengths, 30, 3)):
        again = residual(matrix @ right, baseline, run_lengths)
        for voxel in range(4):
            expected[i, voxel] = np.corrcoef(left[:, voxel], again[:, voxel])[0, 1]
    np.testing.assert_allclose(test.null, expected, atol=1e-6)
    p_by_hand = (1 + (expected >= test.observed).sum(axis=0)) / 31
    np.testing.assert_array_equal(test.p_values, p_by_hand)


def test_shifts_are_those_of_the_permutation_test(rng):
    Y, guess = smooth(rng, 60, 2), smooth(rng, 60, 2)
    options = {"n_permutations": 25, "run_lengths": [25, 35], "min_shift": 4, "seed": 8}
    test = unique_test(Y, guess, smooth(rng, 60, 1), **options)
    np.testing.assert_array_equal(test.shifts, permutation_test(Y, guess, **options).shifts)
    assert isinstance(test, PermutationTest)
    assert test.statistic == "partial correlation"
    assert test.kind == "circular-shift"
    assert unique_test(Y, guess, smooth(rng, 60, 1), n_permutations=3, kind="phase").shifts is None


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.booleans())
def test_what_baselines_can_give_counts_for_nothing(seed, of_each_fold):
    """Whatever mix of them is added, to responses or predictions; with a mix for each fold."""
    rng = np.random.default_rng(seed)
    baseline = smooth(rng, 50, 3)
    if of_each_fold:
        baseline = block_diag(*np.split(baseline, [20]))
    Y, guess = smooth(rng, 50, 3), smooth(rng, 50, 3)
    weights = 3 * rng.standard_normal((2, baseline.shape[1], 3))
    mixed = baseline @ rng.standard_normal((baseline.shape[1], baseline.shape[1] + 2))
    options = {"n_permutations": 20, "run_lengths": [20, 30]}
    plain = unique_test(Y, guess, baseline, **options)
    for other in (
        unique_test(Y + baseline @ weights[0], guess + baseline @ weights[1], baseline, **options),
        unique_test(Y, guess, mixed, **options),
        unique_test(Y, guess, 100 * baseline + 7, **options),
        unique_test(3 * Y - 1, 0.1 * guess + 2, baseline, **options),
    ):
        np.testing.assert_allclose(other.observed, plain.observed, atol=1e-9)
        np.testing.assert_allclose(other.null, plain.null, atol=1e-6)
        np.testing.assert_array_equal(other.p_values, plain.p_values)


def study(rng, lengths, n_voxels, noise, unique=0.0):
    """Fit word rate, position and a language model, of which the last explains ``unique``.

    Returns test responses, the predictions of the baselines and of all, and test baselines.
    """
    n_trs, n_train = sum(lengths), sum(lengths[:2])
    edges = np.cumsum(lengths)[:-1]
    rate, lm, error = (
        np.concatenate([smooth(rng, length, n, a) for length in lengths])
        for n, a in ((1, 0.3), (60, 0.8), (n_voxels, noise))
    )
    rate = np.concatenate([delay(run, (1, 2, 3, 4)) for run in np.split(rate, edges)])
    arrays = {"rate": rate, "position": np.concatenate(position_features(lengths)), "lm": lm}
    baseline = np.hstack([arrays["rate"], arrays["position"]])
    of_baseline, of_lm = (
        zscore(X @ rng.standard_normal((X.shape[1], n_voxels))) for X in (baseline, lm)
    )
    Y = np.sqrt(0.15) * of_baseline + np.sqrt(unique) * of_lm
    Y = np.concatenate([zscore(run) for run in np.split(Y + np.sqrt(0.85 - unique) * error, edges)])
    train, test = np.split(np.arange(n_trs), [n_train])
    made = dict(
        union_predictions(
            {name: (X[train], X[test]) for name, X in arrays.items()},
            Y[train],
            RidgeCV(np.logspace(0, 5, 6), device="cpu"),
            choose=False,
        )
    )
    return Y[test], made["rate", "position"], made["rate", "position", "lm"], baseline[test]


@pytest.mark.parametrize("noise", [0.5, 0.8])
def test_a_language_model_of_noise_is_significant_at_the_stated_rate(rng, noise):
    """Though the joint prediction is far above chance, and a difference of two is as well."""
    here, joint, difference = [], [], []
    for _ in range(16):
        Y, of_baseline, of_all, baseline = study(rng, [300, 300, 300], 500, noise)
        here.append(unique_test(Y, of_all, baseline, n_permutations=199).p_values)
        joint.append(permutation_test(Y, of_all, n_permutations=199).p_values)
        left = (Y - of_baseline, of_all - of_baseline)
        difference.append(permutation_test(*left, n_permutations=199).p_values)
    assert 0.04 < np.mean(np.concatenate(here) <= 0.05) < 0.06
    assert np.mean(np.concatenate(joint) <= 0.05) > 0.6
    assert np.mean(np.concatenate(difference) <= 0.05) > 0.06


def test_a_planted_unique_part_is_found(rng):
    Y, _, of_all, baseline = study(rng, [300, 300, 300], 300, 0.5, unique=0.3)
    test = unique_test(Y, of_all, baseline, n_permutations=199)
    assert np.mean(test.p_values <= 0.05) > 0.9
    assert np.mean(unique_test(Y, -of_all, baseline, n_permutations=199).p_values > 0.5) > 0.9
    assert (max_statistic(test).p_values <= 0.05).sum() > 50


def test_a_mix_for_each_fold_hides_nothing(rng):
    """Predictions of models that weigh the baselines differently in each part of the rows."""
    baseline, folds = smooth(rng, 300, 4), [100, 100, 100]
    unique = smooth(rng, 300, 200)
    Y = 0.4 * unique + smooth(rng, 300, 200, 0.5)
    own = block_diag(*np.split(baseline, 3))
    guess = unique + 5 * own @ rng.standard_normal((12, 200))
    options = {"n_permutations": 199, "run_lengths": folds}
    of_all = unique_test(Y, guess, baseline, **options)
    of_each = unique_test(Y, guess, own, **options)
    assert np.mean(of_all.p_values <= 0.05) < 0.5
    assert np.mean(of_each.p_values <= 0.05) > 0.9


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_beyond_the_baselines_is_no_answer(rng, frozen, dtype):
    baseline = smooth(rng, 80, 6)
    Y, guess = smooth(rng, 80, 5), smooth(rng, 80, 5)
    guess[:, 1] = baseline @ rng.standard_normal(6) + 2
    Y[:, 3] = baseline[:, 0]
    Y[4, 4] = np.nan
    guess[:, 0] += 1e-3 * guess[:, 1]
    clean = unique_test(Y[:, [0, 2]], guess[:, [0, 2]], baseline, n_permutations=30)
    arguments = (frozen(array.astype(dtype)) for array in (Y, guess, baseline))
    with (
        pytest.warns(VoxscaleWarning, match="in 2 of 5 voxels .* is nothing but the baselines"),
        pytest.warns(VoxscaleWarning, match="1 of 5 voxels have no p-value .* 1 not finite"),
    ):
        test = unique_test(*arguments, n_permutations=30)
    for answer in (test.observed, test.p_values, *test.null):
        np.testing.assert_array_equal(np.isnan(answer), [0, 1, 0, 1, 1])
    np.testing.assert_allclose(test.observed[[0, 2]], clean.observed, atol=1e-5)
    np.testing.assert_array_equal(test.p_values[[0, 2]], clean.p_values)


def test_columns_that_say_nothing_new_are_let_be(rng):
    baseline = smooth(rng, 60, 2)
    Y, guess = smooth(rng, 60, 2), smooth(rng, 60, 2)
    steps = np.repeat([0.3, 0.7], 30)[:, None]
    options = {"n_permutations": 20, "run_lengths": [30, 30]}
    plain = unique_test(Y, guess, baseline, **options)
    more = np.hstack([baseline, baseline[:, :1], np.full((60, 1), 0.1), steps])
    for dtype in ("float64", "float32"):
        test = unique_test(Y, guess, more.astype(dtype), **options)
        np.testing.assert_allclose(test.observed, plain.observed, atol=1e-6)
        np.testing.assert_allclose(test.null, plain.null, atol=1e-6)


def test_the_size_of_blocks_changes_nothing(rng, monkeypatch):
    Y, guess, baseline = (smooth(rng, 60, n) for n in (7, 7, 2))
    whole = unique_test(Y, guess, baseline, n_permutations=40)
    monkeypatch.setattr(_columns, "BLOCK_BYTES", 8 * 1500)
    blocks = unique_test(Y, guess, baseline, n_permutations=40)
    np.testing.assert_allclose(blocks.null, whole.null, atol=1e-7)
    np.testing.assert_array_equal(blocks.p_values, whole.p_values)


def test_one_voxel_and_one_column_may_come_as_one_axis(rng):
    Y, guess, baseline = (smooth(rng, 60, 1) for _ in range(3))
    one = unique_test(Y[:, 0], guess[:, 0], baseline[:, 0], n_permutations=20)
    np.testing.assert_array_equal(one.null, unique_test(Y, guess, baseline, n_permutations=20).null)


def test_baselines_that_cannot_be(rng):
    Y, baseline = smooth(rng, 40, 2), smooth(rng, 40, 3)
    with pytest.raises(AlignmentError, match=r"baseline has shape \(39, 3\) but Y has 40 TRs"):
        unique_test(Y, Y, baseline[1:])
    with pytest.raises(AlignmentError, match=r"baseline has shape \(40, 3, 1\)"):
        unique_test(Y, Y, baseline[:, :, None])
    with pytest.raises(ValueError, match="none of 1 columns of baseline varies within a run"):
        unique_test(Y, Y, np.repeat([0.1, 0.4], 20), run_lengths=[20, 20])
    with pytest.raises(ValueError, match="baseline holds NaN or infinity"):
        unique_test(Y, Y, np.where(baseline > 1, np.nan, baseline))
    with pytest.raises(ValueError, match=r"38 independent columns .* leave 1 degrees of freedom"):
        unique_test(Y, Y, rng.standard_normal((40, 38)))
    with pytest.raises(TypeError, match="baseline has dtype"):
        unique_test(Y, Y, np.full((40, 2), "a"))
    with pytest.raises(AlignmentError, match="Y_pred has shape"):
        unique_test(Y, Y[:, 1:], baseline)
    with pytest.raises(ValueError, match="kind 'shuffle' is unknown"):
        unique_test(Y, Y, baseline, kind="shuffle")
