from itertools import pairwise

import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from voxscale.errors import AlignmentError
from voxscale.evaluate import (
    _columns,
    autocorrelated_features,
    estimate_smoothness,
    position_features,
    variance_partition,
)
from voxscale.evaluate._baselines import _smooth_noise
from voxscale.fit import RidgeCV, leave_run_out

LENGTHS = [100, 80, 120, 90, 110]


def autoregressive(rng, lengths, n_voxels, of_past):
    """Make noise that knows nothing of any stimulus, smooth in time within runs, z-scored."""
    runs = []
    for length in lengths:
        white = rng.standard_normal((length + 100, n_voxels))
        run = lfilter([1.0], [1.0, -of_past], white, axis=0)[100:]
        runs.append((run - run.mean(axis=0)) / run.std(axis=0))
    return np.concatenate(runs)


def shuffled_folds(rng, n_trs, n_folds=5):
    rows = rng.permutation(n_trs)
    parts = [np.sort(part) for part in np.array_split(rows, n_folds)]
    return [(np.setdiff1d(rows, part), part) for part in parts]


def cross_validated(X, Y, splits, scoring):
    """Score each voxel, mean over splits, at one penalty: nothing is chosen."""
    model = RidgeCV([10.0], splits, scoring=scoring, weights=None, device="cpu", dtype="float64")
    return model.fit(X, Y).cv_scores_[0].mean(axis=1)


# ------------------------------------------------------------------ position


@settings(deadline=None)
@given(st.lists(st.integers(6, 40), min_size=1, max_size=5))
def test_runs_of_one_length_have_the_same_position(lengths):
    made = position_features(lengths)
    for length, X in zip(lengths, made, strict=True):
        assert X.shape == (length, 5)
        np.testing.assert_array_equal(X, position_features([length])[0])
        np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-14)
        np.testing.assert_allclose(X.std(axis=0), 1, rtol=1e-12)


def test_the_columns_are_a_ramp_and_a_cosine_transform():
    (X,) = position_features([50], shortest_period=0.25)
    ramp = np.arange(50.0)
    np.testing.assert_allclose(X[:, 0], (ramp - ramp.mean()) / ramp.std())
    basis = scipy.fft.idct(np.eye(50), axis=0, norm="ortho")[:, 1:9]  # without the constant
    np.testing.assert_allclose(X[:, 1:], basis / basis.std(axis=0), atol=1e-12)


@pytest.mark.parametrize(
    ("shortest_period", "n_cosines"),
    [(5.0, 0), (2.0, 1), (1.0, 2), (0.5, 4), (2 / 3, 3), (0.3, 6), (2 / 93, 93)],
)
def test_cosines_reach_down_to_the_period(shortest_period, n_cosines):
    (X,) = position_features([100], shortest_period=shortest_period)
    assert X.shape[1] == 1 + n_cosines
    periods = [2 / k for k in range(1, n_cosines + 1)]
    assert all(period >= shortest_period - 1e-9 for period in periods)
    assert 2 / (n_cosines + 1) < shortest_period


def test_position_explains_drifts_and_nothing_else(rng):
    time = np.concatenate([np.linspace(-1, 1, length) for length in LENGTHS])
    drift = np.column_stack([time, time**2])
    Y = np.column_stack([drift, autoregressive(rng, LENGTHS, 2, 0.0)])
    X = np.concatenate(position_features(LENGTHS))
    scores = cross_validated(X, Y, leave_run_out(LENGTHS), "correlation")
    assert (scores[:2] > 0.99).all()
    assert (np.abs(scores[2:]) < 0.15).all()


def test_runs_that_have_no_position():
    with pytest.raises(ValueError, match="a run of 5 TRs is too short for a ramp and 4 cosines"):
        position_features([80, 5])
    for period in (0, -1, np.nan):
        with pytest.raises(ValueError, match="expected a share of the run above 0"):
            position_features([80], shortest_period=period)
    with pytest.raises(ValueError, match="expected one positive number of TRs per run"):
        position_features([])


# ------------------------------------------------------------------ smooth noise


@pytest.mark.parametrize("n_features", [None, 200])
def test_shuffled_trs_let_smoothness_predict_noise(rng, n_features):
    """What is predicted here is noise: the split gives it away, and whole runs do not."""
    n_voxels = 60
    Y = autoregressive(rng, LENGTHS, n_voxels, of_past=0.9)
    width = float(np.median(estimate_smoothness(Y, LENGTHS)))
    assert 1 < width < 3
    X = np.concatenate(autocorrelated_features(LENGTHS, width, n_features=n_features, seed=1))
    shuffled = cross_validated(X, Y, shuffled_folds(rng, len(Y)), "correlation")
    assert shuffled.mean() > 0.6
    assert shuffled.min() > 0.4
    by_run = leave_run_out(LENGTHS)
    if n_features is None:
        # No column is in two runs: the prediction is 0, and explains 0.
        np.testing.assert_allclose(cross_validated(X, Y, by_run, "r2"), 0, atol=1e-12)
    else:
        left_out = cross_validated(X, Y, by_run, "correlation")
        error = left_out.std(ddof=1) / np.sqrt(n_voxels)  # voxels are independent
        assert abs(left_out.mean()) < 4 * error
        assert error < 0.02


@pytest.mark.parametrize("n_features", [None, 200])
def test_without_smoothness_there_is_nothing_to_give_away(rng, n_features):
    Y = rng.standard_normal((sum(LENGTHS), 200))
    X = np.concatenate(autocorrelated_features(LENGTHS, 2.0, n_features=n_features))
    shuffled = cross_validated(X, Y, shuffled_folds(rng, len(Y)), "correlation")
    assert abs(shuffled.mean()) < 4 * shuffled.std(ddof=1) / np.sqrt(200)


def test_shuffled_trs_of_runs_z_scored_whole_give_away_their_mean(rng):
    """What is held out is minus the sum of what is not."""
    X = np.concatenate(autocorrelated_features(LENGTHS, 0.3))
    Y = rng.standard_normal((sum(LENGTHS), 100))
    folds = shuffled_folds(rng, len(Y))
    assert abs(cross_validated(X, Y, folds, "correlation").mean()) < 0.02
    z_scored = autoregressive(rng, LENGTHS, 100, of_past=0.0)
    assert cross_validated(X, z_scored, folds, "correlation").mean() > 0.1


def test_what_a_model_seems_to_explain_is_shared_with_the_baseline(rng):
    """Smooth features of no meaning "predict" under shuffled TRs, and add next to nothing."""
    Y = autoregressive(rng, LENGTHS, 20, of_past=0.9)
    meaningless = autoregressive(rng, LENGTHS, 100, of_past=0.9)
    X = np.concatenate(autocorrelated_features(LENGTHS, 2.0))
    train, test = shuffled_folds(rng, len(Y))[0]
    spaces = {"model": (meaningless[train], meaningless[test]), "smooth": (X[train], X[test])}
    estimator = RidgeCV([10.0], device="cpu", dtype="float64")
    found = variance_partition(spaces, Y[train], Y[test], estimator)
    assert found.scores[("model",)].mean() > 0.3
    assert found.mean_unique_share("model") < 0.1


def test_a_tr_has_a_gaussian_in_its_own_run():
    lengths, width = [30, 20], 1.7
    first, second = autocorrelated_features(lengths, width)
    for run, columns, length in ((first, slice(0, 30), 30), (second, slice(30, 50), 20)):
        assert run.shape == (length, 50)
        outside = np.delete(run, np.arange(50)[columns], axis=1)
        assert not outside.any()
        time = np.arange(length)
        reach = int(4 * width + 0.5)
        for centre in range(length):
            distance = time - centre
            bump = np.where(np.abs(distance) <= reach, np.exp(-0.5 * (distance / width) ** 2), 0)
            expected = (bump - bump.mean()) / bump.std()
            np.testing.assert_allclose(run[:, columns][:, centre], expected, atol=1e-12)


@pytest.mark.parametrize("width", [0.0, 0.8, 2.0])
def test_noise_is_as_smooth_as_asked_from_end_to_end(rng, width):
    noise = _smooth_noise(60, 20_000, width, rng)
    variance = (noise**2).mean(axis=1)
    np.testing.assert_allclose(variance / variance.mean(), 1, atol=0.05)
    for lag in (1, 2, 5):
        expected = np.exp(-(lag**2) / (4 * width**2)) if width else 0.0
        found = (noise[lag:] * noise[:-lag]).mean(axis=1) / variance.mean()
        np.testing.assert_allclose(found, expected, atol=0.05)


def test_every_column_of_every_run_is_z_scored():
    for n_features in (None, 7):
        for start, X in zip(
            (0, 60), autocorrelated_features([60, 40], 2.0, n_features=n_features), strict=True
        ):
            own = X if n_features else X[:, start : start + len(X)]
            np.testing.assert_allclose(own.mean(axis=0), 0, atol=1e-12)
            np.testing.assert_allclose(own.std(axis=0), 1, rtol=1e-12)


def test_a_seed_says_which_noise():
    options = {"smoothness_trs": 1.0, "n_features": 4}
    first, second = autocorrelated_features([20, 20], **options)
    assert abs(first - second).max() > 0.1
    again = autocorrelated_features([20, 20], **options, seed=np.random.default_rng(0))
    np.testing.assert_array_equal(again, [first, second])
    assert abs(autocorrelated_features([20, 20], **options, seed=1)[0] - first).max() > 0.1


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"smoothness_trs": -1}, ValueError, "expected a finite number of TRs, 0 or more"),
        ({"smoothness_trs": np.nan}, ValueError, "expected a finite number of TRs, 0 or more"),
        ({"n_features": 0}, ValueError, "n_features is 0; expected at least 1, or None"),
        ({"n_features": 2.5}, TypeError, "float"),
        ({"n_features": 2, "seed": None}, ValueError, "seed is None; give an int"),
        ({"run_lengths": [0]}, ValueError, "expected one positive number of TRs per run"),
    ],
)
def test_features_that_cannot_be(options, error, message):
    with pytest.raises(error, match=message):
        autocorrelated_features(**{"run_lengths": [20], "smoothness_trs": 1.0, **options})


# ------------------------------------------------------------------ smoothness


@pytest.mark.parametrize("width", [0.4, 0.7, 1.0, 1.9, 2.1, 4.0])
def test_a_planted_smoothness_is_found(width, frozen):
    runs = autocorrelated_features([600, 400], width, n_features=300, seed=5)
    found = estimate_smoothness(frozen(np.concatenate(runs)), [600, 400])
    assert np.median(found) == pytest.approx(width, rel=0.03)


def test_smoothness_is_that_of_the_loop(rng, frozen):
    Y = autoregressive(rng, [30, 50], 4, 0.8) + 5
    Y[:30] += 100  # a run's offset is no smoothness
    for voxel, width in enumerate(estimate_smoothness(frozen(Y), [30, 50])):
        squares, differences = [], []
        for run in (Y[:30, voxel], Y[30:, voxel]):
            squares += [(value - run.mean()) ** 2 for value in run]
            differences += [(one - other) ** 2 for one, other in pairwise(run)]
        expected = 1 - np.mean(differences) / (2 * np.mean(squares))
        reach = np.arange(-30, 31)
        bump = np.exp(-0.5 * (reach / width) ** 2)
        found = np.sum(bump[1:] * bump[:-1]) / np.sum(bump**2)
        assert found == pytest.approx(expected, abs=1e-6)


def test_responses_without_smoothness(rng, frozen):
    Y = rng.standard_normal((50, 6))
    Y[:, 0] = [1, -1] * 25
    Y[:, 1] = 0.1
    Y[:, 2] = [0.1] * 20 + [0.3] * 30
    Y[7, 3] = np.nan
    Y[:, 4] = np.inf
    found = estimate_smoothness(frozen(Y), [20, 30])
    assert found[0] == 0
    np.testing.assert_array_equal(np.isnan(found), [False, True, True, True, True, False])
    assert estimate_smoothness(Y[:, 5]).shape == (1,)


def test_the_size_of_blocks_changes_nothing(rng, frozen, monkeypatch):
    Y = frozen(autoregressive(rng, [40, 60], 7, 0.7).astype(np.float32))
    whole = estimate_smoothness(Y, [40, 60])
    monkeypatch.setattr(_columns, "BLOCK_BYTES", 8)
    np.testing.assert_allclose(estimate_smoothness(Y, [40, 60]), whole, rtol=1e-12)


def test_responses_that_are_none():
    with pytest.raises(ValueError, match="with 2 TRs or more"):
        estimate_smoothness(np.ones((1, 3)))
    with pytest.raises(ValueError, match=r"shape \(2, 3, 4\); expected \(n_trs, n_voxels\)"):
        estimate_smoothness(np.ones((2, 3, 4)))
    with pytest.raises(AlignmentError, match="40 TRs in all, but Y has 50"):
        estimate_smoothness(np.ones((50, 3)), [20, 20])
    with pytest.raises(TypeError, match="real numbers"):
        estimate_smoothness(np.ones((50, 3), dtype=complex))
