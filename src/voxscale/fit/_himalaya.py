"""Searches of himalaya for the penalties of bands, with the splits and scores of voxscale."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from voxscale.arrays import Array
from voxscale.errors import FitError
from voxscale.fit._scoring import Moments, centred
from voxscale.fit._splits import Split

__all__ = [
    "Found",
    "Problem",
    "draw_candidates",
    "himalaya_on",
    "hyper_gradient",
    "random_search",
    "score_candidates",
]


@dataclass(frozen=True, eq=False)
class Problem:
    """What a search needs to know beside the responses.

    Parameters
    ----------
    kernels : tensor of shape (n_bands, n_trs, n_trs)
        About the mean of all rows, with an intercept.
    splits : list of (train_rows, validation_rows)
    alphas : array of shape (n_alphas,)
        More than 0.
    candidates : array of shape (n_candidates, n_bands)
        Shares of the bands in the sum of kernels, 1 in all.
    score : function of Moments
    fit_intercept : bool
    n_steps : int
        Steps of a search that goes downhill.
    seed : int
    alpha_batch, voxel_batch : int
        How many to work on at once; results do not depend on it.
    """

    kernels: Tensor
    splits: list[Split]
    alphas: Array
    candidates: Array
    score: Callable[[Moments], Tensor]
    fit_intercept: bool
    n_steps: int
    seed: int
    alpha_batch: int
    voxel_batch: int


class Found(NamedTuple):
    """What a search found.

    ``deltas`` (n_bands, n_voxels) are the logarithms of 1 / penalty, NaN for a voxel without a
    score; ``cv_scores`` (n_candidates or n_steps, n_voxels) are means over splits. Both float64.
    """

    deltas: Array
    cv_scores: Array


@contextmanager
def himalaya_on(device: torch.device) -> Iterator[Any]:
    """Let himalaya compute on a device; afterwards its global backend is what it was.

    Yields
    ------
    module
        ``himalaya.kernel_ridge``.

    Raises
    ------
    ImportError
        If himalaya is not installed.
    """
    try:
        from himalaya import backend, kernel_ridge
    except ImportError as error:
        msg = (
            "BandedRidgeCV needs himalaya, which is not installed; run: "
            "pip install 'voxscale[banded]'."
        )
        raise ImportError(msg) from error
    before = backend.get_backend().name
    with ExitStack() as stack:
        stack.callback(backend.set_backend, before)
        stack.enter_context(warnings.catch_warnings())
        # About the speed of float64 on a GPU, which was asked for.
        warnings.filterwarnings("ignore", category=UserWarning, module="himalaya")
        if device.type == "cuda":
            stack.enter_context(torch.cuda.device(device))
        backend.set_backend("torch_cuda" if device.type == "cuda" else "torch")
        yield kernel_ridge


def draw_candidates(n_iter: int, n_bands: int, concentration: Any, seed: int) -> Array:
    """Draw shares of the bands, (n_iter, n_bands), as himalaya does; equal shares come first.

    Drawn once for all voxels, they are the same in every block. A single band has one share.
    """
    if n_bands == 1:
        return np.ones((1, 1))
    with himalaya_on(torch.device("cpu")) as kernel_ridge:
        drawn = kernel_ridge.generate_dirichlet_samples(
            n_iter, n_bands, concentration=concentration, random_state=seed
        )
    candidates: Array = drawn.double().numpy()
    candidates[0] = 1 / n_bands
    return candidates


def random_search(problem: Problem, Y: Tensor) -> Found:
    """Give each voxel the candidate and the alpha with its best mean score over splits."""
    return _searched(problem, Y, _Scorer(problem, Y))


def score_candidates(problem: Problem, Y: Tensor) -> Array:
    """Score each candidate at each alpha: (n_candidates, n_alphas, n_voxels); NaN without one."""
    kept = Y.new_zeros((len(problem.candidates), len(problem.alphas), Y.shape[1]), device="cpu")
    scorer = _Scorer(problem, Y, kept)
    _searched(problem, Y, scorer)
    return torch.where(scorer.counts.cpu() & kept.isfinite(), kept, torch.nan).numpy()


def hyper_gradient(problem: Problem, Y: Tensor) -> Found:
    """Go downhill in squared error from equal shares of the bands, voxel by voxel."""
    equal = np.full((1, len(problem.kernels)), 1 / len(problem.kernels))
    start = random_search(replace(problem, candidates=equal), Y).deltas
    deltas = np.full(start.shape, np.nan)
    cv_scores = np.full((problem.n_steps, Y.shape[1]), np.nan)
    scored = np.isfinite(start).all(axis=0)
    if scored.any():
        deltas[:, scored], cv_scores[:, scored] = _descended(
            problem, Y[:, torch.from_numpy(scored).to(Y.device)], start[:, scored]
        )
    return Found(deltas, cv_scores)


def _searched(problem: Problem, Y: Tensor, scorer: _Scorer) -> Found:
    with himalaya_on(Y.device) as kernel_ridge:
        results = kernel_ridge.solve_multiple_kernel_ridge_random_search(
            problem.kernels,
            Y.clone(),  # himalaya writes into what it gets
            n_iter=_like(Y, problem.candidates),
            alphas=_like(Y, problem.alphas),
            score_func=scorer,
            cv=problem.splits,
            fit_intercept=problem.fit_intercept,
            # Weights are solved for in float64 afterwards; it insists with an intercept.
            return_weights="dual" if problem.fit_intercept else None,
            n_targets_batch=problem.voxel_batch,
            n_alphas_batch=problem.alpha_batch,
            progress_bar=False,
        )
    scorer.check_done()
    usable = scorer.usable.cpu().numpy().any(axis=1)
    if not usable.any():
        dtype = str(Y.dtype).removeprefix("torch.")
        msg = (
            f"every alpha, up to {problem.alphas.max():.3g}, is lost in the rounding of the "
            f"kernels in {dtype}; use larger alphas, scale the features down, or choose float64."
        )
        raise FitError(msg)
    deltas, cv_scores = (_float64(result) for result in (results[0], results[2]))
    cv_scores[~usable] = np.nan
    cv_scores[:, ~scorer.counts.cpu().numpy()] = np.nan
    cv_scores[np.isinf(cv_scores)] = np.nan
    deltas[:, np.isnan(cv_scores).all(axis=0)] = np.nan
    return Found(deltas, cv_scores)


def _descended(problem: Problem, Y: Tensor, start: Array) -> Found:
    scorer = _StepScorer(problem, Y)
    try:
        with himalaya_on(Y.device) as kernel_ridge:
            deltas, _, cv_scores = kernel_ridge.solve_multiple_kernel_ridge_hyper_gradient(
                problem.kernels,
                Y.clone(),
                score_func=scorer,
                cv=problem.splits,
                initial_deltas=_like(Y, start),
                max_iter=problem.n_steps,
                tol=None,  # else all voxels of a block stop when the last one is done
                n_targets_batch=problem.voxel_batch,
                random_state=_SameDraws(problem.seed, len(problem.kernels)),
                progress_bar=False,
            )
    except AssertionError as error:
        msg = (
            "the hyper-gradient left the range of numbers; standardise the features, use "
            "solver='random_search', or choose float64."
        )
        raise FitError(msg) from error
    return Found(_float64(deltas), _float64(cv_scores))


class _Scorer:
    """Score function for himalaya's random search, which knows where in the search it is.

    himalaya calls it for each candidate, split, batch of alphas and batch of voxels, in that
    order, and takes the mean over splits. Scores are weighted so that this is the mean over the
    splits in which a voxel has a score. What cannot be chosen is -inf.
    """

    def __init__(self, problem: Problem, Y: Tensor, kept: Tensor | None = None) -> None:
        n_candidates, n_alphas = len(problem.candidates), len(problem.alphas)
        self.score = problem.score
        self.weights = _split_weights(problem.splits, Y)
        self.usable = torch.ones((n_candidates, n_alphas), dtype=torch.bool, device=Y.device)
        self.kept = kept
        self.counts = (self.weights > 0).any(0)
        self._places = itertools.product(
            range(n_candidates),
            range(len(problem.splits)),
            _batches(n_alphas, problem.alpha_batch),
            _batches(Y.shape[1], problem.voxel_batch),
        )

    def __call__(self, Y: Tensor, Y_pred: Tensor) -> Tensor:
        candidate, split, alphas, voxels = next(self._places)
        weights = self.weights[split, voxels]
        scores = torch.stack([self.score(Moments.of(Y, one)) for one in Y_pred])
        scores = torch.where(weights > 0, weights * scores, 0)
        scores = torch.where(scores.isnan(), -torch.inf, scores)
        # himalaya marks alphas that are lost in rounding by predictions of NaN.
        self.usable[candidate, alphas] &= ~Y_pred[:, 0, 0].isnan()
        if self.kept is not None:
            self.kept[candidate, alphas, voxels] += scores.cpu() / len(self.weights)
        return scores

    def check_done(self) -> None:
        """Raise a FitError if it was called less often than foreseen."""
        if next(self._places, None) is not None:
            msg = (
                "himalaya left out part of its search; voxscale foresees one like that of "
                "himalaya 0.4.6 to 0.4.11; install one of these."
            )
            raise FitError(msg)


class _StepScorer:
    """Score function for himalaya's hyper-gradient: batches of voxels, then steps, then splits."""

    def __init__(self, problem: Problem, Y: Tensor) -> None:
        self.score = problem.score
        self.weights = _split_weights(problem.splits, Y)
        self._places = itertools.product(
            _batches(Y.shape[1], problem.voxel_batch),
            range(problem.n_steps),
            range(len(problem.splits)),
        )

    def __call__(self, Y: Tensor, Y_pred: Tensor) -> Tensor:
        voxels, _, split = next(self._places)
        weights = self.weights[split, voxels]
        return torch.where(weights > 0, weights * self.score(Moments.of(Y, Y_pred)), 0)


class _SameDraws(np.random.RandomState):
    """Random numbers that a voxel's place among the others does not change.

    himalaya draws a vector for each voxel where its power iteration starts; here all voxels get
    the vector that the first one gets.
    """

    def __init__(self, seed: int, n_bands: int) -> None:
        super().__init__(seed)
        self._seed = seed
        self._per_voxel = (n_bands, 1)

    def randn(self, *shape: int) -> Any:
        """Draw from the start, whatever was drawn before."""
        fresh = np.random.RandomState(self._seed)
        if shape[1:] != self._per_voxel:
            return fresh.randn(*shape)
        return np.tile(fresh.randn(1, *shape[1:]), (shape[0], 1, 1))


def _split_weights(splits: list[Split], Y: Tensor) -> Tensor:
    """Weights (n_splits, n_voxels) whose mean is 1; 0 where the validation part is constant."""
    parts = [torch.from_numpy(validation).to(Y.device) for _, validation in splits]
    counts = torch.stack([centred(Y[rows])[0].square().sum(0) > 0 for rows in parts]).double()
    weights: Tensor = counts * len(splits) / counts.sum(0).clamp_min(1)
    return weights


def _batches(n: int, width: int) -> list[slice]:
    return [slice(start, min(start + width, n)) for start in range(0, n, width)]


def _like(Y: Tensor, values: Array) -> Tensor:
    return torch.from_numpy(values).to(dtype=Y.dtype, device=Y.device)


def _float64(result: Tensor) -> Array:
    return result.cpu().double().numpy()
