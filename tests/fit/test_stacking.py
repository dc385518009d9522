from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.fit import (
    _simplex,
    center_of_mass,
    residual_covariance,
    stacked_prediction,
    stacking_weights,
)


def covariances(rng, n_voxels, n_models, rank=None):
    draw = rng.standard_normal((n_voxels, n_models, rank or 3 * n_models))
    draw += 0.7 * rng.standard_normal((n_voxels, 1, draw.shape[2]))
    return draw @ draw.transpose(0, 2, 1) / draw.shape[2]


def least_error(R):
    """Find the least error over the simplex: of every set of models, the mix that has none else."""
    best = np.inf
    for size in range(1, len(R) + 1):
        for some in combinations(range(len(R)), size):
            part = R[np.ix_(some, some)]
            # Where the sum is 1 and the error is level.
            system = np.block([[part, np.ones((size, 1))], [np.ones((1, size)), 0]])
            alpha = np.linalg.lstsq(system, np.append(np.zeros(size), 1.0))[0][:size]
            if (alpha > -1e-9).all() and abs(alpha.sum() - 1) < 1e-9:
                best = min(best, alpha @ part @ alpha)
    return best


def errors_of(weights, R):
    return np.einsum("vi,vij,vj->v", weights, R, weights)


# Weights.


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_models=st.integers(1, 6),
    rank=st.integers(1, 12),
    log_size=st.integers(-12, 12),
)
def test_no_mix_errs_less(seed, n_models, rank, log_size):
    R = covariances(np.random.default_rng(seed), 3, n_models, rank)
    weights = stacking_weights(R * 10.0**log_size)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-12)
    best = np.array([least_error(one) for one in R])
    size = np.trace(R, axis1=1, axis2=2)
    assert (errors_of(weights, R) <= best + 1e-9 * size).all()


def test_a_model_that_errs_less_throughout_is_taken_alone():
    R = np.array([[1.0, 1.5], [1.5, 4.0]])
    np.testing.assert_allclose(stacking_weights(R), [1, 0], atol=1e-12)


def test_models_that_err_independently_weigh_as_their_precision(rng):
    variances = rng.uniform(0.5, 3, (20, 4))
    weights = stacking_weights(variances[:, :, None] * np.eye(4))
    expected = 1 / variances
    np.testing.assert_allclose(weights, expected / expected.sum(axis=1, keepdims=True), rtol=1e-9)


def test_weights_do_not_depend_on_the_size_of_errors(rng):
    R = covariances(rng, 30, 5)
    expected = stacking_weights(R)
    for factor in (1e-30, 1e30):
        np.testing.assert_allclose(stacking_weights(R * factor), expected, atol=1e-9)


def test_twins_share_and_perfect_models_sum_to_one(rng):
    R = covariances(rng, 1, 3)[0]
    twins = R[np.ix_([0, 1, 2, 2], [0, 1, 2, 2])]
    for matrix in (twins, np.zeros((3, 3))):
        weights = stacking_weights(matrix)
        assert (weights >= 0).all()
        assert weights.sum() == pytest.approx(1)
    assert errors_of(stacking_weights(twins)[None], twins[None]) == pytest.approx(least_error(R))


def test_a_very_bad_model_takes_no_digits_from_the_good_ones():
    for worst in (1e6, 1e13, 1e18):
        weights = stacking_weights(np.diag([1.0, 3.0, worst]))
        np.testing.assert_allclose(weights[:2], [0.75, 0.25], atol=1e-5)


@pytest.mark.parametrize("error", [-0.5, -2.0])
def test_no_error_is_negative(error):
    with pytest.warns(VoxscaleWarning, match="1 of 1 voxels"):
        assert np.isnan(stacking_weights([[error]])).all()


def wrongly(problems, answer):
    """Return an nnls that answers some problems, by their number, in its own way."""
    calls = []

    def solve(*arguments, **options):
        calls.append(arguments)
        return answer() if len(calls) - 1 in problems else nnls(*arguments, **options)

    return solve


def gives_up():
    raise RuntimeError("Maximum number of iterations reached.")


ANSWERS = {
    "gives up": gives_up,
    "another mix": lambda: (np.array([1.0, 0.0, 0.0, 0.0]), 0.0),
    "nothing": lambda: (np.zeros(4), 0.0),
    "negative": lambda: (np.array([2.0, -1.0, 0.0, 0.0]), 0.0),
    "no number": lambda: (np.full(4, np.nan), 0.0),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_what_is_not_the_least_is_solved_again(rng, monkeypatch, answer):
    R = covariances(rng, 6, 4) + np.diag([3.0, 0, 0, 0])  # the first is the worst
    expected = stacking_weights(R * 1e-7)
    monkeypatch.setattr(_simplex, "nnls", wrongly({1, 4}, answer))
    np.testing.assert_allclose(stacking_weights(R), expected, atol=1e-9)
    calls = []
    monkeypatch.setattr(_simplex, "_by_active_set", calls.append)
    monkeypatch.setattr(_simplex, "nnls", nnls)
    stacking_weights(R)
    assert not calls


def test_a_voxel_that_is_given_up_is_counted(rng, monkeypatch):
    monkeypatch.setattr(_simplex, "nnls", wrongly({1}, gives_up))
    monkeypatch.setattr(_simplex, "_by_active_set", lambda matrix: np.eye(len(matrix))[0])
    R = covariances(rng, 3, 4) + np.diag([3.0, 0, 0, 0])
    with pytest.warns(VoxscaleWarning, match="1 of 3 voxels have no stacking weights"):
        weights = stacking_weights(R)
    np.testing.assert_array_equal(np.isnan(weights[:, 0]), [False, True, False])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_models=st.integers(1, 12), rank=st.integers(1, 20))
def test_an_active_set_finds_as_little_error(seed, n_models, rank):
    R = covariances(np.random.default_rng(seed), 2, n_models, rank)
    R /= np.diagonal(R, axis1=1, axis2=2).min(axis=1)[:, None, None]
    again = np.array([_simplex._by_active_set(one) for one in R])
    assert _simplex._is_least(again, R).all()
    np.testing.assert_allclose(errors_of(again, R), errors_of(stacking_weights(R), R), atol=1e-8)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), order=st.permutations(range(5)))
def test_the_order_of_models_is_that_of_the_weights(seed, order):
    R = covariances(np.random.default_rng(seed), 3, 5)
    permuted = R[:, order][:, :, order]
    np.testing.assert_allclose(stacking_weights(permuted), stacking_weights(R)[:, order], atol=1e-8)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), twin=st.integers(0, 3))
def test_a_twin_shares_the_weight_and_changes_no_error(seed, twin):
    R = covariances(np.random.default_rng(seed), 3, 4)
    twice = [0, 1, 2, 3, twin]
    with_twin = R[:, twice][:, :, twice]
    alone, shared = stacking_weights(R), stacking_weights(with_twin)
    together = shared[:, :4].copy()
    together[:, twin] += shared[:, 4]
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(errors_of(shared, with_twin), errors_of(alone, R), rtol=1e-8)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), log_size=st.floats(-100, 100))
def test_the_size_of_errors_says_nothing(seed, log_size):
    R = covariances(np.random.default_rng(seed), 3, 4)
    np.testing.assert_allclose(stacking_weights(R * 10.0**log_size), stacking_weights(R), atol=1e-9)


def test_a_bad_model_beside_twins_hides_nothing():
    """Where twins make R singular, the digits of the good models must outlive a bad one's size."""
    for worst in (1e4, 1e9, 1e13, 1e18):
        R = np.diag([1.0, 3.0, 3.0, worst])
        R[1, 2] = R[2, 1] = 3.0
        weights = stacking_weights(R)
        precision = 1 / np.array([1.0, 3.0, worst])
        together = [weights[0], weights[1] + weights[2], weights[3]]
        np.testing.assert_allclose(together, precision / precision.sum(), atol=1e-5)


def test_more_models_than_rows_make_mixes_without_error(rng):
    """R is then singular."""
    Y, *predictions = rng.standard_normal((9, 4, 30))
    with pytest.warns(VoxscaleWarning, match="8 models are compared on 4 TRs"):
        R = residual_covariance(Y, predictions)
    weights = stacking_weights(R)
    assert np.linalg.matrix_rank(R).max() == 4
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-12)
    best = np.array([least_error(one) for one in R[:5]])
    assert (errors_of(weights, R)[:5] <= best + 1e-9).all()


def test_one_model_has_all_the_weight():
    np.testing.assert_array_equal(stacking_weights(np.full((3, 1, 1), 2.0)), np.ones((3, 1)))


def test_voxels_without_an_answer_are_counted_and_leave_the_others_alone(rng, frozen):
    R = covariances(rng, 6, 4)
    expected = stacking_weights(R)
    R[1, 2, 3] = np.nan
    R[3, 0, 0] = np.inf
    R[4] = -R[4]
    with pytest.warns(VoxscaleWarning, match="3 of 6 voxels have no stacking weights"):
        weights = stacking_weights(frozen(R))
    np.testing.assert_array_equal(np.isnan(weights).any(axis=1), [0, 1, 0, 1, 1, 0])
    np.testing.assert_array_equal(weights[[0, 2, 5]], expected[[0, 2, 5]])


def test_what_is_not_symmetric_is_told_and_its_mean_taken(rng):
    R = covariances(rng, 3, 4)
    skewed = R.copy()
    skewed[1] += np.triu(rng.uniform(0.1, 0.2, (4, 4)), 1)
    with pytest.warns(VoxscaleWarning, match="R of 1 of 3 voxels is not symmetric"):
        weights = stacking_weights(skewed)
    np.testing.assert_allclose(weights, stacking_weights((skewed + skewed.swapaxes(1, 2)) / 2))


def test_bad_matrices_are_told_apart_and_leave_the_others_alone(rng, frozen):
    R = covariances(rng, 5, 4)
    expected = stacking_weights(R)
    R[0, 1, 2] = np.nan
    R[1] += np.triu(rng.uniform(0.1, 0.2, (4, 4)), 1)
    R[2] = np.ones((4, 4))  # singular: every mix errs alike
    with pytest.warns(VoxscaleWarning) as warned:
        weights = stacking_weights(frozen(R))
    told = [str(one.message) for one in warned]
    assert len(told) == 2
    assert told[0].startswith("R of 1 of 5 voxels is not symmetric")
    assert told[1].startswith("1 of 5 voxels have no stacking weights")
    assert np.isnan(weights[0]).all()
    np.testing.assert_allclose(weights[1:].sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(weights[3:], expected[3:])


def test_rounding_is_no_skew_and_no_negative_eigenvalue(rng):
    R = covariances(rng, 20, 5, rank=2)
    R += 1e-13 * rng.standard_normal(R.shape)
    weights = stacking_weights(R)
    best = np.array([least_error(one) for one in R])
    assert (errors_of(weights, R) <= best + 1e-9).all()


@pytest.mark.parametrize(
    ("R", "error", "match"),
    [
        (np.ones((2, 3, 4)), ValueError, r"\(2, 3, 4\).*\(n_voxels, n_models, n_models\)"),
        (np.ones((2, 0, 0)), ValueError, "n_models"),
        (np.ones(3), ValueError, r"\(3,\)"),
        (np.full((1, 2, 2), 1j), TypeError, "complex128"),
    ],
)
def test_what_is_no_stack_of_matrices_is_refused(R, error, match):
    with pytest.raises(error, match=match):
        stacking_weights(R)


# Residual covariances.


def test_products_of_residuals_are_averaged(rng, frozen, monkeypatch):
    monkeypatch.setattr("voxscale.fit._stacking._BLOCK_BYTES", 8 * 12 * 5 * 2)
    Y, *predictions = (frozen(one) for one in rng.standard_normal((4, 12, 7)))
    R = residual_covariance(Y, predictions)
    for v in range(7):
        for i in range(3):
            for j in range(3):
                products = (Y - predictions[i])[:, v] * (Y - predictions[j])[:, v]
                assert R[v, i, j] == pytest.approx(products.mean())


def test_the_error_of_a_mix_is_that_of_its_prediction(rng):
    Y, *predictions = rng.standard_normal((5, 30, 6))
    R = residual_covariance(Y, predictions)
    weights = stacking_weights(R)
    mix = stacked_prediction(predictions, weights)
    np.testing.assert_allclose(np.square(Y - mix).mean(axis=0), errors_of(weights, R), rtol=1e-10)
    for one in predictions:
        assert (np.square(Y - mix).mean(axis=0) <= np.square(Y - one).mean(axis=0) + 1e-12).all()


def test_fewer_rows_than_models_are_told(rng):
    Y, *predictions = rng.standard_normal((5, 3, 2))
    with pytest.warns(VoxscaleWarning, match="4 models are compared on 3 TRs"):
        residual_covariance(Y, predictions)


def test_predictions_of_other_shape_are_named(rng):
    Y = rng.standard_normal((5, 2))
    with pytest.raises(AlignmentError, match=r"model 1 have shape \(5, 3\); expected \(5, 2\)"):
        residual_covariance(Y, [Y, np.ones((5, 3))])
    with pytest.raises(ValueError, match="predictions is empty"):
        residual_covariance(Y, [])


# Mixes.


def test_a_model_without_weight_has_no_say(rng):
    first, second = rng.standard_normal((2, 8, 3))
    second[:, 0], second[0, 0] = np.nan, np.inf
    mix = stacked_prediction([first, second], [[1.0, 0.0], [0.5, 0.5], [np.nan, np.nan]])
    np.testing.assert_array_equal(mix[:, 0], first[:, 0])
    np.testing.assert_allclose(mix[:, 1], (first[:, 1] + second[:, 1]) / 2)
    assert np.isnan(mix[:, 2]).all()


def test_mixes_may_be_written_elsewhere(rng):
    predictions, out = rng.standard_normal((2, 8, 3)), np.empty((8, 3), dtype=np.float32)
    weights = np.full((3, 2), 0.5)
    assert stacked_prediction(predictions, weights, out=out) is out
    np.testing.assert_allclose(out, predictions.mean(axis=0), rtol=1e-6)
    with pytest.raises(AlignmentError, match=r"out has shape \(8, 2\); expected \(8, 3\)"):
        stacked_prediction(predictions, weights, out=out[:, :2])
    with pytest.raises(AlignmentError, match=r"weights have shape \(2, 2\).*2 models of 3 voxels"):
        stacked_prediction(predictions, weights[:2])


# Centre of mass.


def test_the_center_lies_between_the_models_that_weigh(rng):
    weights = rng.dirichlet(np.ones(6), 10)
    depth = np.linspace(0, 1, 4)
    center = center_of_mass(weights, [0, 2, 3, 5], positions=depth)
    chosen = weights[:, [0, 2, 3, 5]]
    expected = [np.average(depth, weights=row) for row in chosen]
    np.testing.assert_allclose(center, expected)


def test_without_weight_there_is_no_center():
    weights = [[0.0, 0.0, 1.0], [np.nan] * 3, [0.5, 0.5, 0.0]]
    np.testing.assert_array_equal(center_of_mass(weights, slice(0, 2)), [np.nan, np.nan, 0.5])
    published = center_of_mass(weights, slice(0, 2), renormalize=False)
    np.testing.assert_array_equal(published, [0.0, np.nan, 0.5])


def test_positions_must_be_those_of_the_models():
    with pytest.raises(ValueError, match=r"shape \(1,\) for 2 models"):
        center_of_mass([[0.5, 0.5]], positions=[1.0])
    with pytest.raises(ValueError, match="for 0 models"):
        center_of_mass([[0.5, 0.5]], [])
