from __future__ import annotations

import numpy as np
import pytest

from voxscale.errors import AlignmentError, FitError
from voxscale.fit import Gram, RidgeCV, contiguous_folds, cv_scores, solve
from voxscale.fit._samples import Samples


def test_without_weights_all_rows_count_alike():
    for weights in (None, np.ones(4), [1, 1, 1, 1], [True] * 4):
        samples = Samples.of(weights, 4)
        assert samples.kept is None
        assert samples.root is None
        assert samples.n_kept == samples.n_trs == 4


def test_a_mask_keeps_rows_and_weighs_none():
    samples = Samples.of([True, False, True, True], 4)
    assert samples.kept.tolist() == [0, 2, 3]
    assert samples.root is None
    assert (samples.n_kept, samples.n_trs) == (3, 4)


def test_weights_keep_rows_and_their_roots():
    samples = Samples.of([4, 0, 1, 9], 4)
    assert samples.kept.tolist() == [0, 2, 3]
    assert samples.root.tolist() == [2, 1, 3]
    # Weights that are all the same are weights still: the penalty is not scaled by them.
    assert Samples.of([4, 4], 2).root.tolist() == [2, 2]
    assert Samples.of([4, 4], 2).kept is None


@pytest.mark.parametrize("weights", [np.ones(3), np.ones((4, 1)), 1.0, ["a"] * 4, [1j] * 4])
def test_there_is_a_number_for_each_row(weights):
    with pytest.raises(AlignmentError, match=r"sample_weight has shape .* each of the 4 TRs of X"):
        Samples.of(weights, 4)


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_a_weight_is_finite_and_not_negative(bad):
    with pytest.raises(ValueError, match=rf"sample_weight is {bad} at TR 2; expected finite"):
        Samples.of([1.0, 0.0, bad, bad], 4)


def test_some_row_must_count():
    with pytest.raises(FitError, match="sample_weight is 0 for every TR; nothing is left to fit"):
        Samples.of(np.zeros(4), 4)


def test_splits_name_rows_among_those_that_count():
    samples = Samples.of([1, 0, 1, 1, 0, 2, 1], 7)
    (pair,) = samples.splits([(np.array([0, 1, 2, 6]), np.array([5, 4, 3]))])
    assert [rows.tolist() for rows in pair] == [[0, 1, 4], [3, 2]]
    given = [(np.array([0]), np.array([1, 2]))]
    assert Samples.of(None, 7).splits(given) == given


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0, 0, 1, 1, 1, 1], "split 1 has 0 train and 2 validation"),
        ([1, 1, 0, 0, 1, 1], "split 0 has 2 train and 0 validation"),
        ([1, 1, 0, 1, 1, 1], r"split 0 has 2 train and 1 validation row\(s\) left once TRs of"),
    ],
)
def test_a_part_that_is_left_empty_is_named(weights, message):
    rows = np.arange(6)
    splits = [(rows[:2], rows[2:4]), (rows[:2], rows[4:])]
    if weights[0] == 0:
        splits[0] = (rows[4:], rows[2:4])
    with pytest.raises(FitError, match=message):
        Samples.of(weights, 6).splits(splits)
    X, Y = np.eye(6, 2), np.eye(6)
    with pytest.raises(FitError, match=message):
        RidgeCV([1.0], splits, device="cpu").fit(X, Y, sample_weight=weights)


def test_censored_rows_are_as_if_they_had_never_been(rng):
    X, Y = rng.standard_normal((40, 5)), rng.standard_normal((40, 3))
    is_kept = rng.random(40) > 0.3
    splits = contiguous_folds(40, 3)
    places = np.cumsum(is_kept) - 1
    among_kept = [tuple(places[rows[is_kept[rows]]] for rows in pair) for pair in splits]
    spoilt = np.where(is_kept[:, None], X, np.nan), np.where(is_kept[:, None], Y, np.inf)
    censored = Gram.of(spoilt[0], sample_weight=is_kept, device="cpu", dtype="float64")
    cut = Gram.of(X[is_kept], device="cpu", dtype="float64")
    np.testing.assert_array_equal(
        cv_scores(censored, spoilt[1], splits, [1.0, 9.0]),
        cv_scores(cut, Y[is_kept], among_kept, [1.0, 9.0]),
    )
    np.testing.assert_array_equal(
        solve(censored, spoilt[1], 2.0).coef, solve(cut, Y[is_kept], 2.0).coef
    )


def test_weights_times_a_number_are_the_penalty_divided_by_it(rng):
    X, Y, w = rng.standard_normal((30, 5)), rng.standard_normal((30, 3)), rng.uniform(0.1, 1, 30)
    one, other = (
        RidgeCV(alphas, 3, device="cpu", dtype="float64", fit_intercept=True).fit(X, Y, weights)
        for alphas, weights in (([1.0, 10.0], w), ([7.0, 70.0], 7 * w))
    )
    np.testing.assert_allclose(one.cv_scores_, other.cv_scores_, rtol=1e-9)
    np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-9)


def test_validation_counts_all_rows_alike(rng):
    X, Y = rng.standard_normal((30, 3)), rng.standard_normal((30, 2))
    w = np.ones(30)
    splits = [(np.arange(20), np.arange(20, 30))]
    plain = RidgeCV([1.0], splits, device="cpu", dtype="float64").fit(X, Y).cv_scores_
    w[20:] = rng.uniform(0.1, 5, 10)  # rows that do not train in this split
    weighted = RidgeCV([1.0], splits, device="cpu", dtype="float64").fit(X, Y, w).cv_scores_
    np.testing.assert_allclose(weighted, plain, rtol=1e-10)
