from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.errors import AlignmentError
from voxscale.evaluate import correlation, r2
from voxscale.fit import _split_scores, correlation_split, r2_split

WHOLE = {r2_split: r2, correlation_split: correlation}


@pytest.fixture
def pair(rng, frozen):
    Y = rng.standard_normal((30, 4)) * [1, 10, 0.1, 1]
    parts = 0.4 * Y + 0.3 * rng.standard_normal((3, 30, 4))
    return frozen(Y - Y.mean(axis=0)), frozen(parts)


@pytest.mark.parametrize("split", WHOLE)
def test_parts_are_those_of_himalaya(pair, split):
    scoring = pytest.importorskip("himalaya.scoring")
    theirs = {r2_split: scoring.r2_score_split, correlation_split: scoring.correlation_score_split}
    Y, parts = pair
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = theirs[split](Y.copy(), parts.copy())
    np.testing.assert_allclose(split(Y, parts), np.asarray(expected), rtol=1e-9, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_bands=st.integers(1, 4),
    offset=st.floats(-100, 100),
    band_offset=st.floats(-5, 5),
    split=st.sampled_from(list(WHOLE)),
)
def test_parts_add_up_to_the_score(seed, n_bands, offset, band_offset, split):
    rng = np.random.default_rng(seed)
    Y = rng.standard_normal((12, 3)) + offset
    parts = 0.3 * Y + rng.standard_normal((n_bands, 12, 3)) + band_offset
    expected = WHOLE[split](Y, parts.sum(axis=0))
    np.testing.assert_allclose(split(Y, parts).sum(axis=0), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("split", WHOLE)
def test_bands_that_predict_nothing_have_no_part(pair, split):
    Y, parts = pair
    alone = split(Y, np.stack([parts[0], np.zeros_like(Y)]))
    np.testing.assert_allclose(alone[0], WHOLE[split](Y, parts[0]))
    np.testing.assert_allclose(alone[1], 0, atol=1e-15)


def test_a_band_that_another_cancels_has_a_negative_part(pair):
    Y, _ = pair
    parts = np.stack([2 * Y, -Y])
    np.testing.assert_allclose(r2_split(Y, parts), np.repeat([[2.0], [-1.0]], 4, axis=1))
    np.testing.assert_allclose(correlation_split(Y, parts), np.repeat([[2.0], [-1.0]], 4, axis=1))


@pytest.mark.parametrize("split", WHOLE)
def test_undefined_voxels_are_nan_and_disturb_no_other(pair, split, frozen):
    Y, parts = pair
    bad_Y, bad_parts = np.tile(Y[:, :1], (1, 5)), np.tile(parts[:, :, :1], (1, 1, 5))
    bad_Y[3, 1], bad_Y[:, 2], bad_parts[1, 2, 3] = np.nan, 8.1, np.inf
    result = split(frozen(bad_Y), frozen(bad_parts))
    assert np.isnan(result[:, 1:4]).all()
    expected = split(Y[:, :1], parts[:, :, :1])
    np.testing.assert_allclose(result[:, [0, 4]], np.hstack([expected, expected]), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_sum_that_is_constant_has_no_correlation(pair, dtype):
    Y, parts = pair
    constant = np.stack([parts[0] + 0.1, 7 - parts[0]]).astype(dtype)
    assert np.isnan(correlation_split(Y, constant)).all()
    assert np.isfinite(r2_split(Y, constant)).all()


@pytest.mark.parametrize("split", WHOLE)
def test_whole_numbers_and_blocks_make_no_difference(pair, split, monkeypatch):
    Y, parts = np.round(10 * pair[0]).astype(int), np.round(10 * pair[1]).astype(np.int16)
    expected = split(Y.astype(float), parts.astype(float))
    monkeypatch.setattr(_split_scores, "_BLOCK_BYTES", 1)
    np.testing.assert_allclose(split(Y, parts), expected, rtol=1e-12)


@pytest.mark.parametrize("split", WHOLE)
def test_what_does_not_fit_is_named(pair, split):
    Y, parts = pair
    with pytest.raises(AlignmentError, match=r"Y has shape \(29, 4\) but Y_pred_by_band has shape"):
        split(Y[1:], parts)
    with pytest.raises(
        ValueError, match=r"Y_pred_by_band has shape \(30, 4\) .* expected \(n_band"
    ):
        split(Y, parts[0])
    with pytest.raises(ValueError, match=r"Y has shape \(30,\)"):
        split(Y[:, 0], parts)
    with pytest.raises(ValueError, match=r"Y has shape .* dtype <U"):
        split(Y.astype(str), parts)
