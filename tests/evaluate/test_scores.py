import tracemalloc

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import r2_score

from voxscale.errors import AlignmentError
from voxscale.evaluate import _columns, correlation, r2, signed_r2

SCORES = [correlation, r2, signed_r2]
moderate = st.floats(-100, 100, allow_nan=False, width=32)


def pair(rng, frozen, n_trs=40, n_voxels=7, dtype=np.float64):
    Y = rng.standard_normal((n_trs, n_voxels)) + rng.standard_normal(n_voxels)
    guess = 0.5 * Y + rng.standard_normal((n_trs, n_voxels))
    return frozen(Y.astype(dtype)), frozen(guess.astype(dtype))


def correlation_by_hand(y, p):
    n = len(y)
    my, mp = sum(y) / n, sum(p) / n
    covariance = sum((a - my) * (b - mp) for a, b in zip(y, p, strict=True))
    return covariance / (sum((a - my) ** 2 for a in y) * sum((b - mp) ** 2 for b in p)) ** 0.5


def r2_by_hand(y, p):
    mean = sum(y) / len(y)
    left = sum((a - b) ** 2 for a, b in zip(y, p, strict=True))
    return 1 - left / sum((a - mean) ** 2 for a in y)


def test_correlation_is_the_naive_loop_and_scipy(rng, frozen):
    Y, guess = pair(rng, frozen)
    ours = correlation(Y, guess)
    assert ours.dtype == np.float64
    for voxel, r in enumerate(ours):
        y, p = Y[:, voxel], guess[:, voxel]
        assert r == pytest.approx(correlation_by_hand(y.tolist(), p.tolist()), abs=1e-13)
        assert r == pytest.approx(scipy.stats.pearsonr(y, p).statistic, abs=1e-13)


def test_r2_is_the_naive_loop_and_scikit_learn(rng, frozen):
    Y, guess = pair(rng, frozen)
    ours = r2(Y, guess)
    assert ours.dtype == np.float64
    np.testing.assert_allclose(ours, r2_score(Y, guess, multioutput="raw_values"), atol=1e-13)
    for voxel, score in enumerate(ours):
        by_hand = r2_by_hand(Y[:, voxel].tolist(), guess[:, voxel].tolist())
        assert score == pytest.approx(by_hand, abs=1e-12)


def test_signed_r2_keeps_the_sign_of_the_correlation(rng, frozen):
    Y, guess = pair(rng, frozen)
    r = np.array([correlation_by_hand(y, p) for y, p in zip(Y.T, guess.T, strict=True)])
    np.testing.assert_allclose(signed_r2(Y, guess), r**2, atol=1e-13)
    np.testing.assert_allclose(signed_r2(Y, -guess), -(r**2), atol=1e-13)


def test_one_voxel_may_come_as_one_axis(rng, frozen):
    Y, guess = pair(rng, frozen)
    for score in SCORES:
        one = score(Y[:, 2], guess[:, 2])
        assert one.shape == (1,)
        assert one[0] == pytest.approx(score(Y, guess)[2], abs=1e-14)


def test_there_may_be_no_voxel():
    for score in SCORES:
        assert score(np.ones((5, 0)), np.ones((5, 0))).shape == (0,)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_columns_have_no_correlation(rng, frozen, dtype):
    Y, guess = (np.array(a) for a in pair(rng, frozen, n_trs=300, dtype=dtype))
    Y[:, 0] = 0.1
    guess[:, 1] = 0.1
    Y[:, 2] = 0.0
    Y[:, 3] = guess[:, 3] = 1e4 / 3
    for score in (correlation, signed_r2):
        np.testing.assert_array_equal(np.isnan(score(Y, guess)), [1, 1, 1, 1, 0, 0, 0])
    # R² needs a response that varies, not a prediction that does.
    np.testing.assert_array_equal(np.isnan(r2(Y, guess)), [1, 0, 1, 1, 0, 0, 0])


def test_scanner_units_are_no_rounding(rng, frozen):
    """A voxel of 1000 ± 3 varies, even in half precision, as one of 1000 ± 0.1 does in single."""
    half = (1000 + 3 * rng.standard_normal(200)).astype(np.float16)[:, None]
    single = (1000 + 0.1 * rng.standard_normal(200)).astype(np.float32)[:, None]
    for column in (half, single):
        guess = column.astype(np.float64) + 0.1 * column.std(dtype=np.float64)
        guess += 0.1 * column.std(dtype=np.float64) * rng.standard_normal(guess.shape)
        expected = scipy.stats.pearsonr(column[:, 0].astype(np.float64), guess[:, 0])[0]
        np.testing.assert_allclose(correlation(frozen(column), frozen(guess)), expected, atol=1e-6)


def test_r2_of_a_constant_prediction_is_that_of_scikit_learn(rng, frozen):
    Y, _ = pair(rng, frozen)
    flat = np.full(Y.shape, 0.3)
    np.testing.assert_allclose(r2(Y, flat), r2_score(Y, flat, multioutput="raw_values"), atol=1e-13)
    means = np.broadcast_to(Y.mean(axis=0), Y.shape)
    np.testing.assert_allclose(r2(Y, means), 0, atol=1e-13)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("score", SCORES)
def test_a_value_that_is_not_finite_spoils_its_voxel_alone(rng, frozen, score, bad):
    Y, guess = (np.array(a) for a in pair(rng, frozen))
    clean = score(Y, guess)
    Y[3, 1] = bad
    guess[5, 4] = bad
    spoilt = score(frozen(Y), frozen(guess))
    np.testing.assert_array_equal(np.isnan(spoilt), [0, 1, 0, 0, 1, 0, 0])
    kept = [0, 2, 3, 5, 6]
    np.testing.assert_array_equal(spoilt[kept], clean[kept])


@pytest.mark.parametrize("score", SCORES)
def test_float32_is_summed_in_float64(rng, frozen, score):
    Y, guess = pair(rng, frozen, n_trs=2000, dtype=np.float32)
    Y, guess = frozen(Y + np.float32(1000)), frozen(guess + np.float32(1000))
    exact = score(Y.astype(np.float64), guess.astype(np.float64))
    np.testing.assert_allclose(score(Y, guess), exact, rtol=1e-12)


@pytest.mark.parametrize("score", SCORES)
def test_integers_and_lists_are_numbers_too(score):
    Y, guess = [[1, 2], [3, 1], [2, 5]], [[1, 1], [2, 0], [2, 4]]
    as_floats = score(np.array(Y, dtype=float), np.array(guess, dtype=float))
    np.testing.assert_array_equal(score(Y, guess), as_floats)


@pytest.mark.parametrize("score", SCORES)
def test_the_size_of_blocks_changes_nothing(rng, frozen, monkeypatch, score):
    Y, guess = pair(rng, frozen)
    whole = score(Y, guess)
    for width in (1, 2, 3):
        monkeypatch.setattr(_columns, "BLOCK_BYTES", 8 * 4 * len(Y) * width)
        np.testing.assert_allclose(score(Y, guess), whole, rtol=1e-13)


@pytest.mark.parametrize("score", SCORES)
def test_a_memory_map_is_not_copied_whole(rng, tmp_path, monkeypatch, score):
    shape = (100, 20_000)
    rng.standard_normal(shape, dtype=np.float32).tofile(tmp_path / "Y")
    rng.standard_normal(shape, dtype=np.float32).tofile(tmp_path / "P")
    Y = np.memmap(tmp_path / "Y", dtype=np.float32, shape=shape, mode="r")
    guess = np.memmap(tmp_path / "P", dtype=np.float32, shape=shape, mode="r")
    monkeypatch.setattr(_columns, "BLOCK_BYTES", 2**20)
    tracemalloc.start()
    try:
        scores = score(Y, guess)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.isfinite(scores).all()
    assert peak < Y.nbytes / 2  # a copy in float64 would take twice Y.nbytes


@pytest.mark.parametrize("score", SCORES)
def test_shapes_that_differ_are_both_named(score):
    with pytest.raises(AlignmentError, match=r"\(5, 3\) but Y_pred has shape \(5, 4\)"):
        score(np.ones((5, 3)), np.ones((5, 4)))


@pytest.mark.parametrize("score", SCORES)
def test_one_tr_is_too_few(score):
    with pytest.raises(ValueError, match="at least 2 TRs"):
        score(np.ones((1, 3)), np.ones((1, 3)))


def test_very_large_and_very_small_numbers_are_scored(rng, frozen):
    Y, guess = pair(rng, frozen)
    r, explained = correlation(Y, guess), r2(Y, guess)
    for scale in (1e-200, 1e200):
        np.testing.assert_allclose(correlation(Y * scale, guess / scale), r, rtol=1e-10)
        np.testing.assert_allclose(r2(Y * scale, guess * scale), explained, rtol=1e-10)


@settings(deadline=None, max_examples=60)
@given(
    arrays(np.float64, (12, 3), elements=moderate),
    arrays(np.float64, (12, 3), elements=moderate),
    st.sampled_from([-8.0, -1.0, 0.25, 4.0]),
)
def test_correlation_ignores_scale_and_offset_but_for_the_sign(Y, guess, scale):
    r = correlation(Y, guess)
    moved = correlation(Y + 3, scale * guess)
    defined = np.isfinite(r) & np.isfinite(moved)
    clear = (np.ptp(Y, axis=0) > 1e-2) & (np.ptp(guess, axis=0) > 1e-2)
    assert defined[clear].all()
    np.testing.assert_allclose(moved[clear], np.sign(scale) * r[clear], atol=1e-8)
    assert (np.abs(r[defined]) <= 1).all()
    np.testing.assert_array_equal(correlation(guess, Y), r)


@settings(deadline=None, max_examples=60)
@given(
    arrays(np.float64, (9, 4), elements=moderate),
    arrays(np.float64, (9, 4), elements=moderate),
    st.permutations(range(4)),
)
def test_the_order_of_voxels_and_of_trs_does_not_matter(Y, guess, order):
    clear = (np.ptp(Y, axis=0) > 1e-2) & (np.ptp(guess, axis=0) > 1e-2)
    for score in SCORES:
        expected = score(Y, guess)[clear]
        assert np.isfinite(expected).all()
        close = {"rtol": 1e-9, "atol": 1e-9}
        reordered = score(Y[:, order], guess[:, order])
        np.testing.assert_allclose(
            reordered[clear[order]], score(Y, guess)[order][clear[order]], **close
        )
        np.testing.assert_allclose(score(Y[::-1], guess[::-1])[clear], expected, **close)


def test_r2_is_the_square_of_the_correlation_after_the_best_rescaling(rng, frozen):
    Y, guess = pair(rng, frozen)
    best = np.empty(Y.shape)
    for voxel in range(Y.shape[1]):
        slope, intercept = np.polyfit(guess[:, voxel], Y[:, voxel], 1)
        best[:, voxel] = intercept + slope * guess[:, voxel]
    np.testing.assert_allclose(r2(Y, best), correlation(Y, guess) ** 2, atol=1e-12)
    assert (r2(Y, guess) <= r2(Y, best) + 1e-12).all()
