import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.evaluate import (
    PermutationTest,
    _columns,
    compare_models,
    fdr,
    fdr_threshold,
    max_statistic,
    permutation_test,
)

P_VALUES = arrays.arrays(
    np.float64,
    st.integers(1, 30),
    elements=st.one_of(st.floats(0, 1, allow_subnormal=False), st.just(np.nan)),
)


@pytest.fixture
def tested(rng):
    """Return a test of 40 voxels; the first ten are related, the last has no score."""
    guess = rng.standard_normal((150, 40))
    Y = rng.standard_normal((150, 40))
    Y[:, :10] += guess[:, :10] * np.linspace(0.05, 0.6, 10)
    Y[:, -1] = 1.0
    with pytest.warns(VoxscaleWarning, match="1 of 40 voxels have no p-value .*: 1 constant"):
        return permutation_test(Y, guess, n_permutations=99)


def naive_fdr(p, method):
    """Adjust by the definition: the smallest level at which a voxel is still found."""
    n = len(p)
    factor = np.sum(1 / np.arange(1, n + 1)) if method == "by" else 1.0
    ranked = sorted(p)
    return np.array(
        [
            min(1.0, min(factor * n * ranked[j] / (j + 1) for j in range(n) if ranked[j] >= one))
            for one in p
        ]
    )


def naive_max(test, voxels):
    """Loop over voxels and permutations."""
    p_values = []
    maxima = [max(test.null[i, v] for v in voxels) for i in range(test.n_permutations)]
    for v in voxels:
        n_above = sum(highest >= np.float32(test.observed[v]) for highest in maxima)
        p_values.append((1 + n_above) / (1 + test.n_permutations))
    return p_values


def test_the_largest_score_is_that_of_a_loop(tested):
    result = max_statistic(tested)
    np.testing.assert_array_equal(result.p_values[:39], naive_max(tested, range(39)))
    assert np.isnan(result.p_values[39])
    np.testing.assert_array_equal(result.maxima[:, 0], np.nanmax(tested.null, axis=1))
    assert result.regions == ("all",)
    assert (result.p_values[:39] >= tested.p_values[:39]).all()


def test_a_mask_and_regions_make_families_of_their_own(tested):
    mask = np.arange(40) % 2 == 0
    of_mask = max_statistic(tested, mask=mask)
    kept = [v for v in range(39) if mask[v]]
    np.testing.assert_array_equal(of_mask.p_values[kept], naive_max(tested, kept))
    np.testing.assert_array_equal(np.isnan(of_mask.p_values), ~mask | (np.arange(40) == 39))
    names = np.array(["STG", "IFG", "AG", "IFG"])[np.arange(40) % 4]
    of_regions = max_statistic(tested, regions=names)
    assert of_regions.regions == ("AG", "IFG", "STG")
    for region in of_regions.regions:
        voxels = [v for v in range(39) if names[v] == region]
        np.testing.assert_array_equal(of_regions.p_values[voxels], naive_max(tested, voxels))
    both = max_statistic(tested, mask=mask, regions=np.arange(40) // 20)
    assert both.regions == (0, 1)
    voxels = [v for v in range(20, 39) if mask[v]]
    np.testing.assert_array_equal(both.p_values[voxels], naive_max(tested, voxels))


def test_a_two_sided_test_takes_magnitudes(rng):
    Y, a, b = rng.standard_normal((3, 300, 20))
    a[:, 3], b[:, 4] = Y[:, 3] + a[:, 3], Y[:, 4] + b[:, 4]
    test = compare_models(Y, a, b, block_trs=20, n_permutations=199)
    result = max_statistic(test)
    np.testing.assert_array_equal(result.maxima[:, 0], np.abs(test.null).max(axis=1))
    assert set(np.flatnonzero(result.p_values < 0.05)) == {3, 4}
    assert test.observed[4] < 0
    one_sided = max_statistic(
        compare_models(Y, a, b, block_trs=20, n_permutations=199, alternative="greater")
    )
    assert set(np.flatnonzero(one_sided.p_values < 0.05)) == {3}


def test_blocks_of_voxels_change_nothing(tested, monkeypatch):
    whole = max_statistic(tested, regions=np.arange(40) % 3)
    monkeypatch.setattr(_columns, "BLOCK_BYTES", 8 * 99 * 7)
    parts = max_statistic(tested, regions=np.arange(40) % 3)
    np.testing.assert_array_equal(parts.maxima, whole.maxima)
    np.testing.assert_array_equal(parts.p_values, whole.p_values)


@pytest.mark.parametrize("p", [0.01, 0.05, 0.3])
def test_to_exceed_the_threshold_is_to_be_significant(tested, p):
    for regions in (None, np.arange(40) % 2):
        result = max_statistic(tested, regions=regions)
        level = result.threshold(p)
        assert level.shape == (len(result.regions),)
        of_voxel = level[0] if regions is None else level[regions]
        clear = np.abs(tested.observed - of_voxel) > 1e-6
        np.testing.assert_array_equal(
            (tested.observed > of_voxel)[clear], (result.p_values <= p + 1e-12)[clear]
        )
    with pytest.raises(ValueError, match="99 permutations show nothing below"):
        result.threshold(0.009)


def test_a_score_that_float32_rounds_to_a_tie_is_one():
    observed = np.array([0.1 + 1e-9])  # float32 of it is above it
    null = np.full((3, 1), 0.1 + 1e-9, dtype=np.float32)
    test = PermutationTest(observed, np.ones(1), null, None, "phase", "correlation")
    assert max_statistic(test).p_values == 1


@pytest.mark.slow
def test_no_voxel_of_a_family_is_wrong_in_nineteen_of_twenty(rng):
    """600 families of 20 dependent voxels, without any relation."""
    wrong = 0
    for _ in range(600):
        shared = rng.standard_normal((2, 80, 1))
        Y, guess = shared + rng.standard_normal((2, 80, 20))
        test = permutation_test(Y, guess, n_permutations=59, seed=rng)
        wrong += max_statistic(test).p_values.min() <= 0.05
    assert 0.025 < wrong / 600 < 0.075  # three standard errors


def test_voxels_of_a_mask_without_a_score_are_counted(tested):
    mask = np.arange(40) >= 30
    with pytest.warns(VoxscaleWarning, match="1 of 10 voxels in the mask have no score") as told:
        result = max_statistic(tested, mask=mask)
    assert told[0].filename == __file__
    np.testing.assert_array_equal(np.isfinite(result.p_values), mask & (np.arange(40) < 39))


@pytest.mark.parametrize("n_found", [1, 10])
def test_the_permutations_that_a_rate_needs_are_as_the_docstring_says(n_found):
    n_voxels, q = 400, 0.05
    needed = int(np.ceil(n_voxels / (n_found * q))) - 1
    for n_permutations, found in ((needed, n_found), (needed - 1, 0)):
        p = np.ones(n_voxels)
        p[:n_found] = 1 / (n_permutations + 1)
        assert np.count_nonzero(fdr(p) <= q * (1 + 1e-12)) == found


def test_bad_masks_and_regions_are_refused(tested):
    with pytest.raises(AlignmentError, match=r"mask has shape \(39,\); expected \(40,\)"):
        max_statistic(tested, mask=np.ones(39, dtype=bool))
    with pytest.raises(TypeError, match="mask has dtype int64; expected booleans"):
        max_statistic(tested, mask=np.arange(40))
    with pytest.raises(AlignmentError, match=r"regions has shape \(1,\)"):
        max_statistic(tested, regions=[1])
    with pytest.raises(TypeError, match="regions has dtype float64; expected labels"):
        max_statistic(tested, regions=np.ones(40))
    with pytest.raises(ValueError, match="none of 40 voxels has a score and is in the mask"):
        max_statistic(tested, mask=np.arange(40) == 39)


@given(P_VALUES, st.sampled_from(["bh", "by"]))
def test_rates_are_those_of_the_definition(p, method):
    p.flags.writeable = False
    defined = ~np.isnan(p)
    with warnings.catch_warnings():
        warnings.simplefilter("error" if defined.any() else "ignore", VoxscaleWarning)
        adjusted = fdr(p, method=method)
    np.testing.assert_array_equal(np.isnan(adjusted), ~defined)
    np.testing.assert_allclose(adjusted[defined], naive_fdr(p[defined], method), rtol=1e-12)


@given(P_VALUES, st.sampled_from(["bh", "by"]), st.sampled_from([0.01, 0.05, 0.2]))
def test_the_threshold_is_the_last_step_that_holds(p, method, q):
    ranked = np.sort(p[~np.isnan(p)])
    n = len(ranked)
    factor = np.sum(1 / np.arange(1, n + 1)) if method == "by" else 1.0
    steps = np.arange(1, n + 1) * q / (n * factor)
    below = ranked[ranked <= steps * (1 + 1e-12)]
    expected = below[-1] if below.size else np.nan
    np.testing.assert_equal(fdr_threshold(p, q, method=method), expected)


def test_any_shape_is_one_family(rng):
    p = rng.uniform(size=(4, 25)) ** 4
    np.testing.assert_array_equal(fdr(p), fdr(p.ravel()).reshape(4, 25))
    with pytest.warns(VoxscaleWarning, match="all 3 p-values are NaN; nothing was tested"):
        assert np.isnan(fdr(np.full(3, np.nan))).all()
    assert np.isnan(fdr_threshold(np.full(3, np.nan)))


def test_bad_p_values_are_refused():
    with pytest.raises(ValueError, match=r"2 p-values are not between 0 and 1, such as 1\.5"):
        fdr([0.1, 1.5, -1.0])
    with pytest.raises(ValueError, match="method 'holm' is unknown; choose one of bh, by"):
        fdr([0.1], method="holm")
    with pytest.raises(ValueError, match="q is 5; expected a rate between 0 and 1"):
        fdr_threshold([0.1], 5)
    with pytest.raises(TypeError, match="p_values has dtype"):
        fdr(["a"])
