from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from voxscale.fit import Gram
from voxscale.fit._shrinkage import (
    check_tolerance,
    chosen_alphas,
    curves,
    default_tolerance,
    error_curves,
    possible_eigenvalues,
    shrinkages,
    stretches,
)

# Time says nothing here: threads of the algebra may wait for each other.
some = settings(max_examples=25, deadline=None)

problems = {
    "seed": st.integers(0, 2**32 - 1),
    "n_alphas": st.integers(1, 40),
    "rank": st.integers(1, 150),
    "decades": st.floats(0.1, 10),
    "log_tolerance": st.floats(-12, -3),
}


def drawn(seed, n_alphas, rank, decades):
    """Draw a table of shrinkages over some decades, and weights of its columns."""
    rng = np.random.default_rng(seed)
    eigenvalues = np.sort(10 ** rng.uniform(-4, 6, rank))
    alphas = np.logspace(rng.uniform(-3, 3), rng.uniform(-3, 3) + decades, n_alphas)
    weights = rng.uniform(0, 1, rank) ** 2 * (rng.random(rank) > 0.1)
    table, scale = shrinkages(eigenvalues, alphas, weights)
    return table, scale, weights, eigenvalues, alphas


def put_together(cuts, shape):
    """Multiply out the stretches; nothing where there is none."""
    whole = np.zeros(shape)
    for cut in cuts:
        whole[:, cut.columns] = cut.mixing @ cut.factors
    return whole


def n_columns(cuts):
    return sum(cut.factors.size for cut in cuts)


def power_law(rank):
    return np.sort(1e4 * np.arange(1.0, rank + 1) ** -1)


def test_a_row_is_divided_by_its_largest_entry():
    table, scale = shrinkages(np.array([1.0, 9.0]), np.array([1.0, 1e30]))
    np.testing.assert_allclose(scale[:, 0], [0.9, 9e-30])
    np.testing.assert_allclose(table, [[0.5 / 0.9, 1], [1 / 9, 1]])
    table, scale = shrinkages(np.empty(0), np.array([1.0, 2.0]))
    assert table.shape == (2, 0)
    assert (scale == 1).all()


@some
@given(**problems)
def test_with_weights_every_alpha_is_of_the_same_size(seed, n_alphas, rank, decades, log_tolerance):
    table, scale, weights, eigenvalues, alphas = drawn(seed, n_alphas, rank, decades)
    exact = eigenvalues / (eigenvalues + alphas[:, None])
    np.testing.assert_allclose(table * scale, exact, rtol=1e-12)
    sizes = np.linalg.norm(table * weights, axis=1)
    np.testing.assert_allclose(sizes, 1 if weights.any() else 0, rtol=1e-9)


def test_the_largest_eigenvalue_may_weigh_nothing():
    """A constant column of X, without an intercept: its share of a prediction never varies."""
    eigenvalues, weights = np.array([1.0, 2.0, 1e9]), np.array([1.0, 1.0, 0.0])
    alphas = np.array([1.0, 1e3, 1e9, 1e12])
    table, _ = shrinkages(eigenvalues, alphas, weights)
    along = curves(table, weights, 1e-6)
    few = (table * weights)[along.at]
    np.testing.assert_allclose(along.linear @ few, table * weights, atol=1e-6)
    np.testing.assert_allclose((along.squared @ few**2).sum(axis=1), 1, atol=1e-6)


@some
@given(**problems)
def test_stretches_put_together_are_the_table(seed, n_alphas, rank, decades, log_tolerance):
    table, _, weights, _, _ = drawn(seed, n_alphas, rank, decades)
    tolerance = 10**log_tolerance
    cuts = stretches(table, weights, tolerance)
    error = np.linalg.norm((put_together(cuts, table.shape) - table) * weights, 2)
    # Each stretch lets the tolerance pass; as many add up no worse than their root.
    allowed = 2 * tolerance * np.sqrt(max(1, len(cuts))) + 1e-14
    assert error <= allowed * np.linalg.norm(table * weights, 2)


@some
@given(**problems)
def test_stretches_follow_each_other_and_cost_no_more_than_the_table(
    seed, n_alphas, rank, decades, log_tolerance
):
    table, _, weights, _, _ = drawn(seed, n_alphas, rank, decades)
    cuts = stretches(table, weights, 10**log_tolerance)
    assert n_columns(cuts) <= table.size
    end = 0
    for cut in cuts:
        assert end <= cut.columns.start < cut.columns.stop <= rank
        end = cut.columns.stop
        assert cut.mixing.shape == (n_alphas, len(cut.factors))
    left_out = np.ones(rank, dtype=bool)
    for cut in cuts:
        left_out[cut.columns] = False
    whole = np.linalg.norm(table * weights, 2)
    assert np.linalg.norm((table * weights)[:, left_out], 2) <= 4 * 10**log_tolerance * whole


def test_without_a_tolerance_the_table_is_kept():
    table, _, weights, _, _ = drawn(0, 12, 200, 6)
    (only,) = stretches(table, weights, 0)
    assert only.columns == slice(0, 200)
    np.testing.assert_array_equal(only.mixing, np.eye(12))
    assert only.factors is table
    chosen, mixing = chosen_alphas(table, weights, 0)
    np.testing.assert_array_equal(chosen, np.arange(12))
    np.testing.assert_array_equal(mixing, np.eye(12))
    along = curves(table, weights, 0)
    np.testing.assert_array_equal(along.at, np.arange(12))
    np.testing.assert_array_equal(along.linear, np.eye(12))
    np.testing.assert_array_equal(along.squared, np.eye(12))


def test_columns_of_no_weight_need_no_product():
    table, _, weights, _, _ = drawn(1, 10, 50, 6)
    assert stretches(table, np.zeros(50), 1e-6) == []
    np.testing.assert_array_equal(chosen_alphas(table, np.zeros(50), 1e-6)[0], np.arange(10))
    np.testing.assert_array_equal(curves(table, np.zeros(50), 1e-6).at, np.arange(10))
    assert [len(cut.mixing) for cut in stretches(table[:, :0], weights[:0], 1e-6)] == [10]


@some
@given(**problems)
def test_chosen_alphas_give_all_others(seed, n_alphas, rank, decades, log_tolerance):
    table, _, weights, _, _ = drawn(seed, n_alphas, rank, decades)
    tolerance = 10**log_tolerance
    chosen, mixing = chosen_alphas(table, weights, tolerance)
    np.testing.assert_array_equal(chosen, np.unique(chosen))
    np.testing.assert_array_equal(mixing[chosen], np.eye(len(chosen)))
    found = (mixing @ table[chosen] - table) * weights
    largest = np.linalg.norm(table * weights, axis=1).max(initial=0)
    assert np.linalg.norm(found, axis=1).max(initial=0) <= 30 * tolerance * largest + 1e-12


@some
@given(**problems)
# Here what holds for sums of squares would not do for sums of products.
@example(seed=33, n_alphas=24, rank=12, decades=7.2, log_tolerance=-9)
@example(seed=174, n_alphas=27, rank=10, decades=4.2, log_tolerance=-9)
def test_curves_of_any_voxel_are_those_at_all_alphas(seed, n_alphas, rank, decades, log_tolerance):
    table, _, weights, _, _ = drawn(seed, n_alphas, rank, decades)
    tolerance = 10**log_tolerance
    along = curves(table, weights, tolerance)
    np.testing.assert_array_equal(along.at, np.unique(along.at))
    n_few = len(along.at)
    assert along.linear.shape == along.squared.shape == (n_alphas, n_few)
    np.testing.assert_array_equal(along.linear[along.at], np.eye(n_few))
    np.testing.assert_array_equal(along.squared[along.at], np.eye(n_few))
    # Predictions of voxels on 40 rows: rows times shrunk responses, rotated.
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((40, rank)) * weights / np.sqrt(40)
    responses = rng.standard_normal((rank, 6))
    y = rng.standard_normal((40, 6))
    predictions = np.einsum("ir,ar,rv->aiv", rows, table, responses)
    products, squares = (predictions * y).sum(axis=1), (predictions**2).sum(axis=1)
    # A sum of products is linear: no worse than the predictions themselves.
    largest = np.linalg.norm(table * weights, axis=1).max(initial=0)
    size = largest * np.linalg.norm(responses, axis=0)
    error = np.abs(along.linear @ products[along.at] - products)
    assert (error <= 10 * tolerance * size * np.linalg.norm(y, axis=0) + 1e-12).all()
    error = np.abs(along.squared @ squares[along.at] - squares)
    assert (error <= 10 * tolerance * size**2 + 1e-12).all()


@pytest.mark.parametrize("exponent", [0.7, 1.0])
@pytest.mark.parametrize("n_alphas", [15, 60, 200])
def test_a_power_law_takes_the_products_of_few_alphas_however_many_there_are(n_alphas, exponent):
    rank = 2000
    eigenvalues = np.sort(1e5 * np.arange(1.0, rank + 1) ** -exponent)
    table, _ = shrinkages(eigenvalues, np.logspace(0, 6, n_alphas))
    for weights in (np.ones(rank), eigenvalues**0.25):
        few = curves(table, weights, 1e-6).at
        assert len(few) <= min(n_alphas, 20)
        assert len(chosen_alphas(table, weights, 1e-6)[0]) <= min(n_alphas, 20)
        # What is made where only the few are wanted, as by the solvers.
        assert n_columns(stretches(table[few], weights, 1e-6)) < 4.5 * rank


def test_cutting_the_spectrum_spares_half_of_the_products_and_more():
    eigenvalues = power_law(2000)
    table, _ = shrinkages(eigenvalues, np.logspace(0, 6, 20))
    cuts = stretches(table, np.ones(2000), 1e-6)
    assert len(cuts) > 2
    n_directions = (np.linalg.svd(table, compute_uv=False) > 1e-6 * np.linalg.norm(table, 2)).sum()
    assert n_columns(cuts) < 0.5 * n_directions * 2000


def test_a_finer_grid_of_alphas_needs_no_more():
    eigenvalues = power_law(500)
    counts = []
    for n_alphas in (50, 100, 200):
        table, _ = shrinkages(eigenvalues, np.logspace(0, 6, n_alphas))
        counts.append(len(curves(table, eigenvalues**0.25, 1e-6).at))
    assert max(counts) <= min(counts) + 2


def test_places_of_eigenvalues_cover_all_that_may_be():
    alphas = np.logspace(0, 6, 15)
    places, weights = possible_eigenvalues(1e4, alphas)
    assert places[-1] == pytest.approx(1e4)
    assert places[0] <= 0.01 * alphas.min()
    assert (np.diff(places) > 0).all()
    assert (weights > 0).all()
    assert weights[-1] == 1
    # An eigenvalue that is no place is reproduced as well as those that are.
    table, _ = shrinkages(places, alphas)
    chosen, mixing = chosen_alphas(table, weights, 1e-6)
    between = np.sort(10 ** np.random.default_rng(0).uniform(-8, 4, 500))
    exact = between / (between + alphas[:, None]) / (1e4 / (1e4 + alphas[:, None]))
    found = (mixing @ exact[chosen] - exact) * (between / 1e4) ** 0.25
    assert np.abs(found).max() < 1e-5


def test_places_are_finite_where_there_is_no_eigenvalue():
    for largest in (0.0, 1e-300, 1e300):
        places, weights = possible_eigenvalues(largest, np.array([1.0, 10.0]))
        assert (places > 0).all()
        assert np.isfinite(places).all()
        assert np.isfinite(weights).all()


def test_default_tolerance_follows_the_dtype():
    assert default_tolerance("float32") == default_tolerance(np.float32) == 1e-6
    assert default_tolerance("float64") == 1e-12


@pytest.mark.parametrize("tolerance", [-1e-9, 1, 2.0, float("nan"), float("inf")])
def test_a_tolerance_is_a_share(tolerance):
    with pytest.raises(ValueError, match=rf"tolerance is {tolerance}; expected a number from 0"):
        check_tolerance(tolerance)
    check_tolerance(0)
    check_tolerance(0.5)


def test_the_spectrum_of_a_real_design_is_ascending(rng):
    """As the tables want it: the last column is the largest."""
    eigenvalues = Gram.of(rng.standard_normal((20, 8)), device="cpu").whole.eigenvalues.numpy()
    assert (np.diff(eigenvalues) >= 0).all()
    table, _ = shrinkages(eigenvalues, np.array([1.0, 100.0]))
    assert table.max() == 1


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_alphas=st.integers(2, 60),
    decades=st.floats(1, 10),
    log_tolerance=st.floats(-10, -4),
)
def test_errors_of_any_voxel_are_those_at_all_alphas(seed, n_alphas, decades, log_tolerance):
    rng = np.random.default_rng(seed)
    alphas = np.logspace(0, decades, n_alphas)
    places = np.geomspace(1e-2, 1e6, 300)
    tolerance = 10**log_tolerance
    along = error_curves(places, alphas, tolerance)
    # Residuals of 40 rows, each a sum over directions anywhere along the spectrum, or beside it.
    spectrum = np.append(0.0, 10 ** rng.uniform(-2, 6, 200))
    left_over = alphas[:, None] / (spectrum + alphas[:, None])
    residuals = (rng.standard_normal((40, 201)) * left_over[:, None]) @ rng.standard_normal(201)
    errors = np.square(residuals).sum(axis=1)
    estimated = along.squared @ errors[along.at]
    assert np.abs(estimated - errors).max() <= tolerance * errors.max()
    np.testing.assert_array_equal(estimated[along.at], errors[along.at])
