import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.errors import AlignmentError
from voxscale.evaluate import correlation
from voxscale.scaling import block_scores


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.integers(8, 60), min_size=1, max_size=4),
    st.integers(2, 8),
    st.sampled_from([0.0, 1e3, -1e6]),
    st.sampled_from([1e-8, 1.0, 1e8]),
)
def test_the_weighted_mean_is_the_correlation_of_all_rows(lengths, block_trs, shift, scale):
    rng = np.random.default_rng(len(lengths))
    Y, noise = rng.standard_normal((2, sum(lengths), 3))
    blocks = block_scores(shift + Y, scale * (Y + noise), lengths, block_trs)
    whole = np.average(blocks.scores, axis=0, weights=blocks.n_trs)
    np.testing.assert_allclose(whole, correlation(Y, Y + noise), rtol=1e-8, atol=1e-10)
    assert np.bincount(blocks.runs, weights=blocks.n_trs).tolist() == lengths
    assert blocks.n_trs.min() >= block_trs


def test_a_block_is_a_mean_product_of_z_scores(rng, frozen):
    Y, Y_pred = (frozen(one) for one in rng.standard_normal((2, 50, 2)))
    blocks = block_scores(Y, Y_pred, [30, 20], 10)
    z, p = ((one - one.mean(axis=0)) / one.std(axis=0) for one in (Y, Y_pred))
    assert blocks.runs.tolist() == [0, 0, 0, 1, 1]
    for number in range(5):
        rows = slice(10 * number, 10 * number + 10)
        np.testing.assert_allclose(blocks.scores[number], (z[rows] * p[rows]).mean(axis=0))


def test_a_constant_voxel_is_not_a_number(rng):
    Y = rng.standard_normal((40, 3))
    Y[:, 1] = 2.0
    scores = block_scores(Y, rng.standard_normal((40, 3)), block_trs=10).scores
    assert np.isnan(scores[:, 1]).all()
    assert np.isfinite(scores[:, [0, 2]]).all()


def test_rows_must_fit(rng):
    Y = rng.standard_normal((40, 3))
    with pytest.raises(AlignmentError, match="Y has shape"):
        block_scores(Y, Y[:30])
    with pytest.raises(AlignmentError, match="30 TRs in all, but Y has 40"):
        block_scores(Y, Y, [30])
    with pytest.raises(ValueError, match="too short for blocks of 25 TRs"):
        block_scores(Y, Y, [30, 10], 25)
