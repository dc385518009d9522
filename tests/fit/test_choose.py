from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxscale.fit import choose_alphas
from voxscale.fit._choose import check_alphas, check_groups


def test_choice_is_the_best_mean_and_the_first_of_equals():
    scores = np.zeros((3, 4, 2))
    scores[:, 0] = [[0, 0], [3, 0], [1, 1]]  # means 0, 1.5, 1
    scores[:, 1] = [[1, 1], [2, 0], [0, 2]]  # all equal
    scores[:, 2] = np.nan
    scores[:, 3] = [[np.nan, 5], [0, 6], [1, np.nan]]  # only the second can be compared
    chosen = choose_alphas([1, 2, 3], scores)
    np.testing.assert_array_equal(chosen, [2, 1, np.nan, 2])


def test_a_split_without_a_score_does_not_count():
    scores = np.zeros((2, 1, 3))
    scores[:, 0] = [[0.1, np.nan, 0.5], [0.2, np.nan, 0.3]]
    np.testing.assert_array_equal(choose_alphas([1, 2], scores), [1])
    scores[:, 0, 2] = np.nan
    np.testing.assert_array_equal(choose_alphas([1, 2], scores), [2])


def test_a_shared_choice_is_the_best_mean_over_voxels_with_a_score():
    scores = np.zeros((2, 4, 1))
    scores[:, 0, 0] = [1, 0]
    scores[:, 1, 0] = [0, 0.4]
    scores[:, 2, 0] = [0, 0.4]
    scores[:, 3] = np.nan
    np.testing.assert_array_equal(choose_alphas([1, 2], scores), [1, 2, 2, np.nan])
    shared = choose_alphas([1, 2], scores, local_alpha=False)
    np.testing.assert_array_equal(shared, [1, 1, 1, np.nan])
    scores[:, :3, 0] = [[1, 0, 0], [0, 0.9, 0.9]]  # the best mean is not that of the best voxel
    shared = choose_alphas([1, 2], scores, local_alpha=False)
    np.testing.assert_array_equal(shared, [2, 2, 2, np.nan])
    nobody = choose_alphas([1, 2], np.full((2, 3, 1), np.nan), local_alpha=False)
    assert np.isnan(nobody).all()


def test_voxels_of_a_group_share_the_best_mean_and_the_others_choose_alone():
    scores = np.zeros((3, 7, 1))
    scores[:, :, 0] = [
        [9, 0, 0, 1, 0, 0, 5],
        [0, 8, 8, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 1, 0],
    ]
    scores[:, 4] = np.nan
    groups = ["V1", "V1", "V1", "", "A1", "A1", ""]
    chosen = choose_alphas([1, 2, 3], scores, groups=groups)
    np.testing.assert_array_equal(chosen, [2, 2, 2, 1, np.nan, 3, 1])
    # A group of one, and no group, are the voxel's own choice.
    own = choose_alphas([1, 2, 3], scores)
    alone = choose_alphas([1, 2, 3], scores, groups=np.arange(7))
    np.testing.assert_array_equal(alone, own)
    none = choose_alphas([1, 2, 3], scores, groups=np.full(7, np.nan))
    np.testing.assert_array_equal(none, own)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.booleans())
def test_one_group_of_all_is_a_shared_alpha(seed, n_alphas, with_nan):
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal((n_alphas, 6, 3))
    if with_nan:
        scores[:, 2] = np.nan
        scores[:, 4, 1] = np.nan
    alphas = rng.permutation(n_alphas) + 1.0
    shared = choose_alphas(alphas, scores, local_alpha=False)
    grouped = choose_alphas(alphas, scores, groups=["all"] * 6)
    np.testing.assert_array_equal(grouped, shared)


@given(st.integers(0, 2**32 - 1))
def test_voxels_in_another_order_choose_the_same(seed):
    rng = np.random.default_rng(seed)
    scores, groups = rng.standard_normal((4, 9, 2)), rng.integers(-1, 3, 9)
    order = rng.permutation(9)
    for options in ({}, {"local_alpha": False}, {"groups": groups}):
        moved = options | ({"groups": groups[order]} if "groups" in options else {})
        chosen = choose_alphas([1, 2, 3, 4], scores, **options)
        again = choose_alphas([1, 2, 3, 4], scores[:, order], **moved)
        np.testing.assert_array_equal(again, chosen[order])


@pytest.mark.parametrize(
    ("groups", "numbers"),
    [
        (["b", "", "a", "b"], [1, -1, 0, 1]),
        (np.array([2.0, np.nan, 0.0, 2.0]), [1, -1, 0, 1]),
        ([5, 5, -1, 7], [1, 1, 0, 2]),  # of whole numbers, all are labels
        ([True, False, True, True], [1, 0, 1, 1]),
        (np.array([b"x", b"", b"y", b"x"]), [0, -1, 1, 0]),
    ],
)
def test_groups_are_numbered(groups, numbers):
    np.testing.assert_array_equal(check_groups(groups, 4), numbers)


def test_no_groups_are_none():
    assert check_groups(None, 4) is None


@pytest.mark.parametrize("groups", [["a"] * 3, "a", [["a"] * 4], [None] * 4, np.zeros(4, complex)])
def test_groups_that_are_no_labels_are_named(groups):
    with pytest.raises(ValueError, match=r"groups have shape .* name for each of the 4 voxels"):
        check_groups(groups, 4)


def test_groups_and_one_alpha_for_all_exclude_each_other():
    with pytest.raises(ValueError, match="groups were given with local_alpha=False; choose one"):
        choose_alphas([1.0], np.zeros((1, 2, 1)), local_alpha=False, groups=[0, 1])


@pytest.mark.parametrize(
    ("alphas", "message"),
    [
        (1.0, r"alphas have shape \(\) and dtype float64; expected a sequence"),
        ([], r"alphas have shape \(0,\)"),
        ([[1.0]], r"alphas have shape \(1, 1\)"),
        (["a"], "expected a sequence of one number or more"),
        ([True], "dtype bool; expected a sequence of one number or more"),
        ([1.0, -2.0], r"alphas hold -2\.0; expected finite numbers above 0"),
        ([0, 1], r"alphas hold 0\.0; expected finite numbers above 0"),
        ([1.0, np.nan], "alphas hold nan"),
        ([np.inf], "alphas hold inf"),
    ],
)
def test_bad_alphas_are_named(alphas, message):
    with pytest.raises(ValueError, match=message):
        check_alphas(alphas)


def test_alphas_become_float64_in_their_order():
    for alphas in ([10, 1], (10.0, 1.0), np.array([10, 1], dtype="float32")):
        values = check_alphas(alphas)
        assert values.dtype == np.float64
        assert values.tolist() == [10.0, 1.0]
