from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from voxscale.errors import FitError
from voxscale.fit import contiguous_folds
from voxscale.fit._band_weights import solve_bands
from voxscale.fit._himalaya import (
    Problem,
    draw_candidates,
    himalaya_on,
    random_search,
    score_candidates,
)
from voxscale.fit._scoring import scoring_function

pytest.importorskip("himalaya")
CPU = torch.device("cpu")


@pytest.fixture
def thin(rng):
    """Four columns, thirty rows: most eigenvalues of the kernel are rounding."""
    return 100 * rng.standard_normal((30, 4))


@pytest.fixture
def wide(rng):
    return 100 * rng.standard_normal((30, 60))


def problem(bands, candidates, alphas, *, dtype=torch.float32, scoring="r2", n_trs=30):
    return Problem(
        kernels=torch.tensor(np.stack([X @ X.T for X in bands]), dtype=dtype),
        splits=contiguous_folds(n_trs, 3),
        alphas=np.array(alphas, dtype=float),
        candidates=np.array(candidates, dtype=float),
        score=scoring_function(scoring),
        fit_intercept=False,
        n_steps=2,
        seed=0,
        alpha_batch=1,
        voxel_batch=2,
    )


@pytest.fixture
def Y(rng):
    return torch.tensor(rng.standard_normal((30, 3)), dtype=torch.float32)


def test_candidates_begin_with_equal_shares_and_are_those_of_himalaya():
    from himalaya.kernel_ridge import generate_dirichlet_samples

    drawn = draw_candidates(7, 3, [0.1, 1.0], 5)
    expected = generate_dirichlet_samples(7, 3, [0.1, 1.0], random_state=5)
    np.testing.assert_array_equal(drawn[1:], expected[1:])
    np.testing.assert_array_equal(drawn[0], 1 / 3)
    np.testing.assert_allclose(drawn.sum(axis=1), 1)
    np.testing.assert_array_equal(draw_candidates(7, 1, 0.1, 0), [[1.0]])


def test_a_candidate_whose_alphas_are_all_lost_in_rounding_has_no_score(thin, wide, Y):
    both = problem([thin, wide], [[1, 0], [0.5, 0.5]], [1e-4])
    found = random_search(both, Y)
    assert np.isnan(found.cv_scores[0]).all()
    assert np.isfinite(found.cv_scores[1]).all()
    np.testing.assert_allclose(found.deltas, np.log(0.5 / 1e-4), rtol=1e-5)
    scores = score_candidates(both, Y)
    assert np.isnan(scores[0]).all()
    np.testing.assert_allclose(scores[1, 0], found.cv_scores[1], rtol=1e-5)


def test_an_alpha_lost_in_rounding_is_not_chosen(thin, Y):
    one = problem([thin], [[1]], [1e-4, 1e3])
    np.testing.assert_allclose(random_search(one, Y).deltas, -np.log(1e3), rtol=1e-5)
    scores = score_candidates(one, Y)
    assert np.isnan(scores[:, 0]).all()
    assert np.isfinite(scores[:, 1]).all()


def test_alphas_that_are_all_lost_in_rounding_are_told(thin, Y):
    message = r"every alpha, up to 0\.0001, is lost in the rounding of the kernels in float32"
    with pytest.raises(FitError, match=message):
        random_search(problem([thin], [[1]], [1e-5, 1e-4]), Y)


def test_a_band_without_a_share_is_left_out(thin, wide, rng):
    Y = torch.tensor(rng.standard_normal((30, 3)))
    found = random_search(problem([thin, wide], [[0, 1]], [10.0], dtype=torch.float64), Y)
    assert (found.deltas[0] == -np.inf).all()
    X = torch.tensor(np.hstack([thin, wide]))
    kernels = torch.tensor(np.stack([thin @ thin.T, wide @ wide.T]))
    coef = np.empty((64, 3))
    bands = (np.arange(4), np.arange(4, 64))
    solve_bands(X, bands, kernels, found.deltas, Y, coef, np.arange(3))
    assert (coef[:4] == 0).all()
    alone = np.linalg.solve(wide.T @ wide + 10 * np.eye(60), wide.T @ Y.numpy())
    np.testing.assert_allclose(coef[4:], alone, rtol=1e-8, atol=1e-12)


def test_a_constant_prediction_has_no_correlation_and_is_not_chosen(thin, Y):
    nothing = problem([thin, 0 * thin], [[0, 1], [0.5, 0.5]], [1e3], scoring="correlation")
    found = random_search(nothing, Y)
    assert np.isnan(found.cv_scores[0]).all()
    assert np.isfinite(found.cv_scores[1]).all()
    assert np.isfinite(found.deltas).all()


@pytest.mark.parametrize("delta", [-20.0, -5.0, 8.0, 14.0, 30.0, 60.0])
def test_weights_go_from_nothing_to_least_squares(thin, rng, delta):
    Y = rng.standard_normal((30, 3))
    X, kernel = torch.tensor(thin), torch.tensor((thin @ thin.T)[None])
    coef = np.full((4, 5), np.nan)
    deltas, some = np.full((1, 3), delta), np.array([4, 0, 2])
    solve_bands(X, (np.arange(4),), kernel, deltas, torch.tensor(Y), coef, some)
    assert np.isnan(coef[:, [1, 3]]).all()
    coef = coef[:, some]
    expected = np.linalg.solve(thin.T @ thin + np.exp(-delta) * np.eye(4), thin.T @ Y)
    np.testing.assert_allclose(coef, expected, rtol=1e-5, atol=1e-9)


def test_a_search_that_is_not_as_foreseen_is_told(thin, Y, monkeypatch):
    from himalaya import kernel_ridge

    def search(kernels, Y, **options):
        return torch.zeros((1, 3)), None, torch.zeros((1, 3))

    monkeypatch.setattr(kernel_ridge, "solve_multiple_kernel_ridge_random_search", search)
    with pytest.raises(FitError, match="himalaya left out part of its search"):
        random_search(problem([thin], [[1]], [1.0]), Y)


@pytest.fixture
def another_backend():
    """Set a backend that is not the one that is used; put back what was there before."""
    from himalaya import backend

    before = backend.get_backend().name
    yield backend.set_backend("numpy").name
    backend.set_backend(before)


def test_the_backend_is_what_it_was_after_any_error(thin, Y, another_backend):
    from himalaya import backend

    with himalaya_on(CPU):
        assert backend.get_backend().name == "torch"
    assert backend.get_backend().name == another_backend
    for rows, error in ((slice(None), FitError), (slice(29), IndexError)):
        with pytest.raises(error):
            random_search(problem([thin], [[1]], [1e-5]), Y[rows])
        assert backend.get_backend().name == another_backend


def test_warnings_of_others_are_not_silenced():
    with pytest.warns(UserWarning, match="mine"), himalaya_on(CPU):
        warnings.warn("mine", stacklevel=1)
