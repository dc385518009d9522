import numpy as np
import pytest
from scipy.optimize import least_squares

from voxscale.scaling._surface_projection import LARGEST_EXPONENT, fit_exponents, polish, project


@pytest.fixture
def points(rng):
    log_x = rng.uniform(-4, 4, (25, 2))
    log_x -= log_x.mean(axis=0)
    targets = 2 - np.exp(-0.3 * log_x[:, 0]) - 0.5 * np.exp(-0.6 * log_x[:, 1])
    return log_x, targets + 0.1 * rng.standard_normal((6, 25))


def residual_by_lstsq(log_x, target, exponents):
    """Solve the linear part in plain powers, as the formula has it."""
    basis = np.column_stack([np.ones(len(log_x)), np.exp(-log_x * exponents)])
    return target - basis @ np.linalg.lstsq(basis, target)[0]


def test_the_residual_is_that_of_plain_powers(points):
    log_x, targets = points
    exponents = np.random.default_rng(1).uniform(0.05, 2, (6, 2))
    made = project(log_x, targets, exponents)
    for i in range(6):
        expected = residual_by_lstsq(log_x, targets[i], exponents[i])
        np.testing.assert_allclose(made.residual[i], expected, atol=1e-10)
        assert made.cost[i] == pytest.approx(expected @ expected)


def test_the_jacobian_is_the_derivative(points):
    log_x, targets = points
    exponents = np.tile([0.7, 0.2], (6, 1))
    made = project(log_x, targets, exponents).jacobian
    for axis in range(2):
        step = 1e-5 * np.eye(2)[axis]
        ahead = project(log_x, targets, exponents + step).residual
        behind = project(log_x, targets, exponents - step).residual
        np.testing.assert_allclose(made[:, :, axis], (ahead - behind) / 2e-5, atol=1e-8)


def test_the_polish_ends_where_scipy_ends(points):
    log_x, targets = points
    found = polish(log_x, targets, np.full((6, 2), 0.5))
    for i in range(6):
        other = least_squares(
            lambda e, i=i: residual_by_lstsq(log_x, targets[i], e),
            [0.3, 0.6],
            bounds=(1e-9, LARGEST_EXPONENT),
            xtol=1e-14, ftol=1e-14, gtol=1e-14,
        )  # fmt: skip
        np.testing.assert_allclose(found[i], other.x, rtol=1e-5)
        np.testing.assert_allclose(fit_exponents(log_x, targets[i]), found[i], rtol=1e-7)


def test_exponents_stay_within_their_bounds_and_the_other_still_moves(rng):
    log_x = rng.uniform(-3, 3, (30, 2))
    log_x -= log_x.mean(axis=0)
    # Faster than the logarithm along the first axis, a power along the second.
    target = np.exp(0.3 * log_x[:, 0]) - 0.5 * np.exp(-0.6 * log_x[:, 1])
    first, second = fit_exponents(log_x, target)
    assert first == 0
    line = np.linspace(0.01, 3, 3000)
    rows = np.column_stack([np.zeros_like(line), line])
    costs = project(log_x, np.broadcast_to(target, (3000, 30)), rows).cost
    assert second == pytest.approx(line[costs.argmin()], abs=2e-3)


def test_terms_that_cannot_be_told_apart_cost_without_end():
    log_x = np.linspace(-1, 1, 9)[:, None] * [1.0, 1.0]
    assert np.isinf(project(log_x, np.arange(9.0)[None], np.full((1, 2), 0.5)).cost).all()


@pytest.mark.parametrize("n_axes", [1, 3])
def test_one_and_three_axes(rng, n_axes):
    log_x = rng.uniform(-3, 3, (60, n_axes))
    log_x -= log_x.mean(axis=0)
    truth = np.array([0.25, 1.1, 0.5])[:n_axes]
    target = 1 - np.exp(-truth * log_x) @ np.array([1.0, 0.3, -0.4])[:n_axes]
    np.testing.assert_allclose(fit_exponents(log_x, target), truth, rtol=1e-9)
