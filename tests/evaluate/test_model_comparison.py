import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.signal import lfilter

from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.evaluate import (
    _columns,
    compare_models,
    correlation,
    noise_ceiling,
    noise_normalized_difference,
    r2,
)
from voxscale.evaluate._model_comparison import _draw_swaps
from voxscale.evaluate._runs import block_rows

SCORES = {"correlation": correlation, "r2": r2}


def smooth(rng, lengths, n_voxels, autocorrelation=0.7):
    """Return runs of stationary series, z-scored: autoregressive of order one."""
    runs = []
    for length in lengths:
        noise = rng.standard_normal((length + 50, n_voxels))
        series = lfilter([1.0], [1.0, -autocorrelation], noise, axis=0)[50:]
        runs.append((series - series.mean(axis=0)) / series.std(axis=0))
    return np.concatenate(runs)


def zscored(prediction):
    return (prediction - prediction.mean(axis=0)) / prediction.std(axis=0)


def naive_null(Y, a, b, blocks, swaps, statistic):
    """Swap the rows of blocks, and score again."""
    if statistic == "correlation":
        a, b = zscored(a), zscored(b)
    null = []
    for swapped in swaps:
        mixed_a, mixed_b = a.copy(), b.copy()
        for block, is_swapped in zip(blocks, swapped, strict=True):
            if is_swapped:
                mixed_a[block], mixed_b[block] = b[block], a[block]
        null.append(SCORES[statistic](Y, mixed_a) - SCORES[statistic](Y, mixed_b))
    return np.stack(null)


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(12, 50), min_size=1, max_size=3),
    block_trs=st.integers(2, 6),
    statistic=st.sampled_from(sorted(SCORES)),
    seed=st.integers(0, 99),
)
def test_the_null_and_the_error_are_those_of_a_naive_loop(lengths, block_trs, statistic, seed):
    rng = np.random.default_rng(seed)
    Y = smooth(rng, lengths, 4) * 3 + 100
    a, b = (0.5 * Y + smooth(rng, lengths, 4) * size + 7 for size in (1.0, 3.0))
    for one in (Y, a, b):
        one.flags.writeable = False
    found = compare_models(
        Y, a, b, block_trs=block_trs, n_permutations=3, run_lengths=lengths, statistic=statistic,
        seed=seed,
    )  # fmt: skip
    blocks = block_rows(lengths, block_trs)
    assert found.n_blocks == len(blocks)
    score = SCORES[statistic]
    np.testing.assert_allclose(found.observed, score(Y, a) - score(Y, b), atol=1e-11)
    swaps = _draw_swaps(len(blocks), 3, seed, 1)
    swapped = naive_null(Y, a, b, blocks, swaps, statistic)
    sizes = np.array([block.stop - block.start for block in blocks])
    in_common = np.outer((1 - 2 * swaps) @ sizes / sizes.sum(), found.observed)
    expected = in_common + found.widened * (swapped - in_common)
    assert (found.widened >= 1).all()
    np.testing.assert_allclose(found.null, expected, rtol=1e-6, atol=1e-6)
    n_above = (np.abs(expected) >= np.abs(found.observed) - 1e-9).sum(axis=0)
    np.testing.assert_allclose(found.p_values, (1 + n_above) / 4)
    without = []
    for block in blocks:
        rest = np.delete(np.arange(len(Y)), block)
        without.append(score(Y[rest], a[rest]) - score(Y[rest], b[rest]))
    spread = np.square(without - np.mean(without, axis=0)).sum(axis=0)
    error = found.widened * np.sqrt((len(blocks) - 1) / len(blocks) * spread)
    np.testing.assert_allclose(found.standard_error, error, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(found.z_scores, found.observed / error, rtol=1e-7)


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
@pytest.mark.parametrize("seed", range(3))
def test_p_values_of_all_swaps_are_those_of_scipy(alternative, seed):
    rng = np.random.default_rng(seed)
    Y = rng.standard_normal((40, 1))
    a, b = Y + rng.standard_normal((40, 1)), Y + 1.5 * rng.standard_normal((40, 1))
    found = compare_models(
        Y, a, b, block_trs=5, n_permutations=255, statistic="r2", alternative=alternative,
        widen=False,
    )  # fmt: skip
    np.testing.assert_array_equal(found.widened, 1)
    of_blocks = [np.square(Y - one).reshape(8, 5).sum(axis=1) for one in (b, a)]
    exact = stats.permutation_test(
        of_blocks, lambda x, y: np.sum(x) - np.sum(y), permutation_type="samples",
        n_resamples=np.inf, alternative=alternative, vectorized=False,
    )  # fmt: skip
    np.testing.assert_allclose(found.p_values, exact.pvalue, rtol=1e-12)


# Of 20,000 voxels, 0.0015 is one standard error of the share.
@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("autocorrelation", [0.5, 0.8, 0.9])
def test_one_voxel_in_twenty_is_called_different_by_chance(rng, autocorrelation, share):
    """Both models predict equally well, not at all or strongly, and their errors are related."""
    lengths, n_voxels = (260, 270, 250), 20_000
    signal, own, first, second, errors = (
        smooth(rng, lengths, n_voxels, autocorrelation) for _ in range(5)
    )
    Y = share * signal + own
    a, b = (share * signal + 0.5 * errors + 0.5 * one for one in (first, second))
    options = {"run_lengths": lengths, "n_permutations": 299}
    found = compare_models(Y, a, b, **options)
    assert 0.04 <= np.mean(found.p_values <= 0.05) <= 0.06
    greater = compare_models(Y, a, b, alternative="greater", **options)
    assert 0.04 <= np.mean(greater.p_values <= 0.05) <= 0.06
    # As standard errors go with so few blocks.
    assert 0.9 < found.z_scores.std() < 1.15
    if autocorrelation == 0.9:
        bare = compare_models(Y, a, b, widen=False, **options)
        assert np.mean(bare.p_values <= 0.05) > 0.06


@pytest.mark.slow
def test_squared_errors_find_too_little_rather_than_too_much(rng):
    lengths, n_voxels = (260, 270, 250), 20_000
    signal, own, first, second = (smooth(rng, lengths, n_voxels) for _ in range(4))
    for share in (0.0, 0.5):
        a, b = (share * signal + one for one in (first, second))
        found = compare_models(
            share * signal + own, a, b, run_lengths=lengths, n_permutations=299, statistic="r2"
        )
        assert 0.01 < np.mean(found.p_values <= 0.05) <= 0.06


def test_single_trs_find_too_much_unless_widened(rng):
    Y, a, b = (smooth(rng, [300], 3000, 0.9) for _ in range(3))
    bare = compare_models(Y, a, b, block_trs=1, n_permutations=199, widen=False)
    assert np.mean(bare.p_values <= 0.05) > 0.4
    found = compare_models(Y, a, b, block_trs=1, n_permutations=199)
    assert np.mean(found.p_values <= 0.05) < 0.2


def test_a_better_model_is_found_on_its_side(rng, frozen):
    signal = smooth(rng, [400], 60)
    Y = frozen(signal + smooth(rng, [400], 60))
    good, bad = frozen(signal), frozen(signal + 2 * smooth(rng, [400], 60))
    found = compare_models(Y, good, bad, n_permutations=499)
    assert np.mean(found.p_values < 0.05) > 0.8
    assert found.observed.min() > 0
    turned = compare_models(Y, bad, good, n_permutations=499)
    np.testing.assert_allclose(turned.observed, -found.observed)
    np.testing.assert_array_equal(turned.p_values, found.p_values)
    wrong_side = compare_models(Y, bad, good, n_permutations=499, alternative="greater")
    assert wrong_side.p_values.min() > 0.9


def test_a_model_is_no_better_than_itself(rng):
    Y, a = smooth(rng, [300], 5), smooth(rng, [300], 5)
    for statistic in SCORES:
        found = compare_models(Y, a, a, statistic=statistic, n_permutations=100)
        np.testing.assert_array_equal(found.p_values, 1)
        np.testing.assert_array_equal(found.observed, 0)
        assert np.isnan(found.z_scores).all()
    scaled = compare_models(Y, a, 3 * a + 1, n_permutations=100)
    np.testing.assert_array_equal(scaled.p_values, 1)


@pytest.mark.parametrize("statistic", sorted(SCORES))
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_voxel_without_a_score_is_nan_and_alone(rng, frozen, statistic, bad):
    Y, a, b = (smooth(rng, [200], 5) for _ in range(3))
    options = {"n_permutations": 50, "statistic": statistic, "block_trs": 20}
    clean = compare_models(Y, a, b, **options)
    Y[3, 0], a[5, 1], b[7, 2], Y[:, 4] = bad, bad, bad, 2.0
    match = "4 of 5 voxels have no p-value .*: 1 constant, 3 not finite"
    with pytest.warns(VoxscaleWarning, match=match) as told:
        found = compare_models(frozen(Y), frozen(a), frozen(b), **options)
    assert told[0].filename == __file__
    lost = [True, True, True, False, True]
    answers = (found.observed, found.p_values, found.standard_error, found.z_scores, found.widened)
    for answer in answers:
        np.testing.assert_array_equal(np.isnan(answer), lost)
    np.testing.assert_array_equal(np.isnan(found.null).all(axis=0), lost)
    np.testing.assert_array_equal(found.p_values[3], clean.p_values[3])
    np.testing.assert_allclose(found.null[:, 3], clean.null[:, 3], atol=1e-7)


def test_a_constant_prediction_has_an_r2_but_no_correlation(rng):
    Y, a, b = (smooth(rng, [200], 3) for _ in range(3))
    b[:, 1] = 0.0
    with pytest.warns(VoxscaleWarning, match="1 of 3 voxels have no p-value"):
        assert np.isnan(compare_models(Y, a, b, n_permutations=20).p_values[1])
    found = compare_models(Y, a, b, n_permutations=20, statistic="r2")
    np.testing.assert_allclose(found.observed, r2(Y, a) - r2(Y, b))
    assert np.isfinite(found.p_values).all()


def test_predictions_that_vary_in_one_block_only_are_borne(rng):
    Y = smooth(rng, [60], 1)
    a, b = np.zeros((2, 60, 1))
    a[3], b[50] = 1.0, 1.0  # a swap leaves one of the mixtures constant
    blocks = block_rows([60], 20)
    found = compare_models(Y, a, b, block_trs=20, n_permutations=7)
    assert np.isfinite(found.null).all()
    assert np.isfinite(found.standard_error).all()
    assert len(blocks) == found.n_blocks == 3


@pytest.mark.parametrize("statistic", sorted(SCORES))
def test_offsets_units_and_blocks_of_voxels_change_nothing(rng, statistic, monkeypatch):
    Y, a, b = (smooth(rng, [120, 90], 6) for _ in range(3))
    options = {"run_lengths": [120, 90], "n_permutations": 60, "statistic": statistic}
    options["block_trs"] = 20
    plain = compare_models(Y, a, b, **options)
    moved = compare_models(*(1e6 + 1e-3 * one for one in (Y, a, b)), **options)
    np.testing.assert_allclose(moved.observed, plain.observed, atol=1e-6)
    np.testing.assert_allclose(moved.null, plain.null, atol=1e-6)
    np.testing.assert_allclose(moved.standard_error, plain.standard_error, rtol=1e-5)
    monkeypatch.setattr(_columns, "BLOCK_BYTES", 1)
    single = compare_models(Y, a, b, **options)
    np.testing.assert_allclose(single.null, plain.null, atol=1e-7)
    np.testing.assert_array_equal(single.p_values, plain.p_values)


def test_few_blocks_are_said_with_what_they_can_show(rng):
    Y, a, b = (smooth(rng, [120], 2) for _ in range(3))
    match = "only 15 different sets of 4 blocks can be swapped, .* no p-value can be below 0.12"
    with pytest.warns(VoxscaleWarning, match=match) as told:
        found = compare_models(Y, a, b, block_trs=30)
    assert told[0].filename == __file__
    assert found.n_permutations == 15
    assert found.p_values.min() >= 2 / 16
    with pytest.warns(VoxscaleWarning, match="no p-value can be below 0.062"):
        compare_models(Y, a, b, block_trs=30, alternative="greater")


def test_swaps_are_different_and_never_none():
    swaps = _draw_swaps(5, 31, 0, 1)
    assert len(np.unique(swaps, axis=0)) == 31
    assert swaps.any(axis=1).all()
    many = _draw_swaps(80, 4000, 0, 1)  # 2 ** 80 cannot be counted
    assert set(np.unique(many)) == {0, 1}
    assert np.abs(many.mean(axis=0) - 0.5).max() < 4 * 0.5 / np.sqrt(4000)


def test_bad_input_is_refused(rng):
    Y = rng.standard_normal((60, 2))
    with pytest.raises(AlignmentError, match=r"\(60, 2\) but Y_pred has shape \(59, 2\)"):
        compare_models(Y, Y, Y[1:])
    with pytest.raises(AlignmentError, match=r"run_lengths are \[30, 31\]"):
        compare_models(Y, Y, Y, run_lengths=[30, 31])
    with pytest.raises(ValueError, match="a run of 20 TRs is too short for blocks of 40 TRs"):
        compare_models(Y, Y, Y, run_lengths=[40, 20])
    with pytest.raises(ValueError, match="all rows make 1 block; expected 2 at least"):
        compare_models(Y, Y, Y, block_trs=40)
    with pytest.raises(ValueError, match="alternative 'less' is unknown; choose one of two-sided"):
        compare_models(Y, Y, Y, alternative="less")
    with pytest.raises(ValueError, match="statistic 'rank' is unknown; choose one of correlation"):
        compare_models(Y, Y, Y, statistic="rank")
    with pytest.raises(ValueError, match="n_permutations is 0"):
        compare_models(Y, Y, Y, n_permutations=0)


def test_a_result_is_frozen_and_short_to_print(rng):
    Y, a, b = rng.standard_normal((3, 200, 2))
    found = compare_models(Y, a, b, n_permutations=20)
    assert repr(found) == (
        "ModelComparison(n_blocks=5, alternative='two-sided', statistic='correlation')"
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.n_blocks = 3


def test_a_normalized_difference_is_that_of_normalized_correlations(rng):
    signal = rng.standard_normal((120, 30))
    trials = signal + rng.standard_normal((5, 120, 30)) * np.linspace(0.5, 20, 30)
    a, b = (signal + rng.standard_normal((120, 30)) for _ in range(2))
    ceiling = noise_ceiling(trials)
    scores = ceiling.cc_abs(a), ceiling.cc_abs(b)
    assert np.isnan(ceiling.cc_max).any()
    for floor in (None, 0.25):
        expected = ceiling.cc_norm(a, floor) - ceiling.cc_norm(b, floor)
        found = noise_normalized_difference(*scores, ceiling.cc_max, floor=floor)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-13)


def test_no_ceiling_is_nan_and_bad_ones_are_refused():
    found = noise_normalized_difference([0.5] * 3 + [np.nan], [0.1] * 4, [0.0, np.nan, 0.8, 0.8])
    np.testing.assert_allclose(found, [np.nan, np.nan, 0.5, np.nan])
    with pytest.raises(AlignmentError, match=r"shapes \(2,\), \(2,\) and \(1,\)"):
        noise_normalized_difference([0.1, 0.2], [0.1, 0.2], [0.5])
    with pytest.raises(ValueError, match=r"cc_max ranges from -0\.1 to 0\.5"):
        noise_normalized_difference([0.1, 0.2], [0.1, 0.2], [-0.1, 0.5])
    with pytest.raises(ValueError, match="floor is 2; expected a correlation above 0"):
        noise_normalized_difference([0.1], [0.1], [0.5], floor=2)
