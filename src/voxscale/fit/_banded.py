"""Banded ridge regression with the API of scikit-learn: a penalty for each band of each voxel."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.fit._band_weights import solve_blocks
from voxscale.fit._bands import Bands, kernels, stack
from voxscale.fit._blocks import block_width, budget_bytes, resolve_device, resolve_dtype
from voxscale.fit._himalaya import Problem, draw_candidates, himalaya_on
from voxscale.fit._penalties import (
    Penalties,
    find_each,
    find_shared,
    positive_alphas,
    solver_named,
)
from voxscale.fit._responses import Responses
from voxscale.fit._scoring import Moments, scoring_function
from voxscale.fit._search_memory import Batches, Sizes, plan_batches
from voxscale.fit._split_scores import SPLIT_SCORINGS
from voxscale.fit._splits import Split, as_splits

__all__ = ["BandedRidgeCV"]


class BandedRidgeCV(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Fit ridge regression with a penalty for each band of features, chosen for each voxel.

    Minimises ``||Y - Σ X_b W_b||² + Σ alpha_b ||W_b||²`` over feature spaces b ("bands"), such
    as words and sounds. Unless ``fit_intercept``, nothing stands for a mean: z-score features
    and responses per run before.

    Parameters
    ----------
    alphas : array of shape (n_alphas,)
        Penalties on the squared norm of the weights, more than 0, in any order. The penalty of
        a band is one of them over the band's share.
    cv : None, int, list of (train_rows, validation_rows), or scikit-learn splitter
        None: 5 contiguous folds; an int: that many contiguous folds. For stories, give
        ``chunk_holdout(..., gap=...)`` or ``leave_run_out(...)``.
    groups : sequence of shape (n_features,), optional
        The band of each column of X, by name or number, where X is a matrix. Default: a single
        band.
    solver : {"hyper_gradient", "random_search"}
        "random_search" tries ``n_iter`` shares of the bands, each at all alphas, and takes what
        scores best. "hyper_gradient" starts at equal shares and the best alpha, and goes
        ``n_iter`` steps downhill in squared error over the validation rows; it is of use for
        many bands. It fits no intercept and shares no penalties.
    n_iter : int
        Candidates, or steps.
    concentration : float or sequence of float
        Of the Dirichlet distribution that shares are drawn from, in turn: 1 is even, less
        favours few bands.
    scoring : {"r2", "correlation", "huth2023"}
        What a random search maximises, what ``cv_scores_`` holds, and what ``score`` returns.
    local_alpha : bool
        False: all voxels share the penalties with the best mean score.
    fit_intercept : bool
        Add a mean for each voxel, which is not penalised.
    seed : int
        Of the candidates.
    device : str, optional
        Default: cuda when there is one, else cpu.
    dtype : {"float32", "float64"}
        Of the search, weights and predictions. Kernels and weights are computed in float64.
    memory_gib : float, optional, in GiB
        Working memory beside X, Y and the results. Default: 70 % of what is free. Results do
        not depend on it, but with little of it every kernel is decomposed again and again.

    Attributes
    ----------
    coef_ : array of shape (n_features, n_voxels)
        Solved for on all rows, in the order of the columns of X; of a mapping, band after band.
    intercept_ : array of shape (n_voxels,)
        Only with ``fit_intercept``.
    band_names_ : tuple
        As in ``groups``, in order of their first column; or the keys of X; or ("all",).
    best_alphas_ : array of shape (n_bands, n_voxels), float64
        The penalty of each band; inf where a band is left out.
    deltas_ : array of shape (n_bands, n_voxels), float64
        Logarithm of 1 / penalty: himalaya's log kernel weights.
    cv_scores_ : array of shape (n_iter, n_voxels), float64
        Mean score over splits. "random_search": of each candidate at its best alpha (one row
        for a single band; NaN where every alpha is lost in the rounding of ``dtype``).
        "hyper_gradient": before each step; the penalties after the last one have no score.
    n_features_in_ : int

    Notes
    -----
    himalaya does the searching, on linear kernels of the bands, and must be installed:
    ``pip install 'voxscale[banded]'``.

    A voxel that is not finite or constant, or has no score in any split, is NaN in all of
    these and in its predictions; a single VoxscaleWarning counts such voxels. They never
    disturb the others.

    References
    ----------
    Dupré la Tour, Eickenberg, Nunez-Elizalde & Gallant 2022, NeuroImage 264:119728,
    doi:10.1016/j.neuroimage.2022.119728. Nunez-Elizalde, Huth & Gallant 2019, NeuroImage
    197:482, doi:10.1016/j.neuroimage.2019.04.012.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = {"words": rng.standard_normal((60, 3)), "sounds": rng.standard_normal((60, 3))}
    >>> Y = np.column_stack([X["words"].sum(axis=1), X["sounds"].sum(axis=1)])
    >>> model = BandedRidgeCV(alphas=[1.0, 100.0], n_iter=20, device="cpu").fit(X, Y)
    >>> model.band_names_
    ('words', 'sounds')
    >>> model.score(X, Y, split=True).round(1) + 0.0
    array([[1., 0.],
           [0., 1.]])
    """

    def __init__(
        self,
        alphas: ArrayLike,
        cv: Any = None,
        *,
        groups: ArrayLike | None = None,
        solver: str = "random_search",
        n_iter: int = 100,
        concentration: Any = (0.1, 1.0),
        scoring: str = "r2",
        local_alpha: bool = True,
        fit_intercept: bool = False,
        seed: int = 0,
        device: str | torch.device | None = None,
        dtype: Any = "float32",
        memory_gib: float | None = None,
    ) -> None:
        self.alphas = alphas
        self.cv = cv
        self.groups = groups
        self.solver = solver
        self.n_iter = n_iter
        self.concentration = concentration
        self.scoring = scoring
        self.local_alpha = local_alpha
        self.fit_intercept = fit_intercept
        self.seed = seed
        self.device = device
        self.dtype = dtype
        self.memory_gib = memory_gib

    def fit(self, X: ArrayLike | Mapping[Any, ArrayLike], Y: Any) -> BandedRidgeCV:
        """Choose penalties for each voxel, then solve for the weights on all rows.

        Parameters
        ----------
        X : array of shape (n_trs, n_features), or mapping of such arrays by band
        Y : array of shape (n_trs, n_voxels)
            Or anything that is sliced by columns like one: a memory map, ``h5py.Dataset``,
            ``zarr.Array``. It is read by blocks of voxels, twice.

        Returns
        -------
        BandedRidgeCV
            Itself.

        Raises
        ------
        AlignmentError
            If X and Y, or bands of X, differ in rows.
        FitError
            If X is not finite, a split has no rows, the memory budget is too small, or every
            alpha is lost in the rounding of ``dtype``.
        ImportError
            If himalaya is not installed.
        ValueError
            If alphas, cv, groups or another parameter cannot be used.
        """
        self._check()
        device, dtype = resolve_device(self.device), resolve_dtype(self.dtype)
        alphas = positive_alphas(self.alphas, dtype)
        with himalaya_on(device):  # where it is missing, say so before any work
            pass
        bands = Bands.of(X, self.groups)
        values, means = stack(bands, X, _name(dtype), center=self.fit_intercept)
        responses = Responses.of(Y, dtype, device)
        responses.check_rows_of(values.shape)
        splits = as_splits(self.cv, len(values))
        design = torch.from_numpy(values).to(device)
        batches = self._batches(design, bands, splits, len(alphas), responses)
        products = kernels(design, bands.columns)
        penalties = self._search(products, splits, alphas, responses, batches)
        blocks = responses.read(batches.width)
        coef, intercept = solve_blocks(design, bands, products, penalties.deltas, blocks, means)
        self.coef_, self.deltas_, self.cv_scores_ = coef, penalties.deltas, penalties.cv_scores
        with np.errstate(over="ignore"):  # a band with next to no share
            self.best_alphas_ = np.exp(-penalties.deltas)
        self.__dict__.pop("intercept_", None)  # of an earlier fit
        if intercept is not None:
            self.intercept_ = intercept
        self.band_names_, self.n_features_in_ = bands.names, bands.n_features
        self._bands = bands
        if message := penalties.complaint():
            warnings.warn(message, VoxscaleWarning, stacklevel=2)
        return self

    def predict(self, X: ArrayLike | Mapping[Any, ArrayLike], *, split: bool = False) -> Array:
        """Predict responses, from all bands together or from each.

        Parameters
        ----------
        X : array of shape (n_trs, n_features), or mapping of such arrays by band
            As in the fit.
        split : bool

        Returns
        -------
        array of shape (n_trs, n_voxels), or (n_bands, n_trs, n_voxels) if ``split``
            NaN for voxels without weights. The parts add up to the whole, less the intercept.

        Raises
        ------
        AlignmentError
            If X does not hold the bands of the fit.
        FitError
            If X is not finite.
        """
        design, width = self._prepared(X)
        n_trs, n_voxels = len(design), self.coef_.shape[1]
        shape = (len(self.band_names_), n_trs, n_voxels) if split else (n_trs, n_voxels)
        predictions = np.empty(shape, dtype=self.coef_.dtype)
        for start in range(0, n_voxels, width):
            voxels = slice(start, start + width)
            predictions[..., voxels] = self._predicted(design, voxels, split=split).cpu().numpy()
        return predictions

    def score(
        self, X: ArrayLike | Mapping[Any, ArrayLike], Y: Any, *, split: bool = False
    ) -> Array:
        """Score predictions of responses, voxel by voxel, by ``scoring``.

        Parameters
        ----------
        X : array of shape (n_trs, n_features), or mapping of such arrays by band
        Y : array of shape (n_trs, n_voxels)
            As in ``fit``.
        split : bool
            The part of each band, as :func:`r2_split` and :func:`correlation_split` have it; the
            parts add up to the score.

        Returns
        -------
        array of shape (n_voxels,), or (n_bands, n_voxels) if ``split``, float64
            NaN where a voxel has no weights, or is not finite or constant here.

        Raises
        ------
        AlignmentError
            If X, Y and the fit do not belong together.
        FitError
            If X is not finite.
        ValueError
            If a score "huth2023" is to be split: it has no parts that add up.
        """
        function = scoring_function(self.scoring)
        if split and self.scoring not in SPLIT_SCORINGS:
            known = " or ".join(SPLIT_SCORINGS)
            msg = f"scoring {self.scoring!r} has no parts that add up; use {known} with split=True."
            raise ValueError(msg)
        design, width = self._prepared(X)
        responses = Responses.of(Y, design.dtype, design.device)
        n_voxels = self.coef_.shape[1]
        if responses.shape != (len(design), n_voxels):
            msg = (
                f"X has shape {tuple(design.shape)} but Y has shape {responses.shape}; expected "
                f"{len(design)} rows and the {n_voxels} voxel(s) of the fit."
            )
            raise AlignmentError(msg)
        scores = np.empty((len(self.band_names_), n_voxels) if split else n_voxels)
        for block in responses.read(width):
            prediction = self._predicted(design, block.voxels, split=split)
            if split:
                truth = block.values.double().cpu().numpy() - self._intercept(block.voxels)
                parts = SPLIT_SCORINGS[self.scoring](truth, prediction.cpu().numpy())
                scores[:, block.voxels] = parts
            else:
                sums = Moments.of(block.values, prediction)
                scores[block.voxels] = function(sums).cpu().numpy()
        return scores

    def _check(self) -> None:
        """Refuse parameters that no data could make right."""
        solver = solver_named(self.solver)
        scoring_function(self.scoring)
        if self.fit_intercept and not solver.has_intercept:
            msg = (
                f"solver {self.solver!r} cannot fit an intercept; z-score features and responses "
                "per run and leave fit_intercept out, or use solver='random_search'."
            )
            raise ValueError(msg)
        if not self.local_alpha and not solver.has_shared_alpha:
            msg = (
                f"solver {self.solver!r} finds the penalties of each voxel by itself; use "
                "solver='random_search' where local_alpha is False."
            )
            raise ValueError(msg)
        _whole_number("n_iter", self.n_iter, 1, np.inf)
        _whole_number("seed", self.seed, 0, 2**32 - 1)
        concentration = np.atleast_1d(np.asarray(self.concentration, dtype=np.float64))
        if concentration.ndim != 1 or not len(concentration) or not (concentration > 0).all():
            msg = f"concentration is {self.concentration!r}; expected numbers of more than 0."
            raise ValueError(msg)

    def _batches(
        self, design: Tensor, bands: Bands, splits: list[Split], n_alphas: int, responses: Responses
    ) -> Batches:
        # A single band has one share: there is nothing to draw.
        is_single = self.solver == "random_search" and len(bands.names) == 1
        sizes = Sizes.of(
            design,
            len(bands.names),
            splits,
            n_alphas=n_alphas,
            n_rows=1 if is_single else int(self.n_iter),
            fit_intercept=self.fit_intercept,
        )
        needed = solver_named(self.solver).needed(sizes)
        if not self.local_alpha:  # the scores of all voxels are compared
            n_scores = sizes.n_rows * n_alphas * responses.shape[1]
            # They, those of a block, a copy without the undefined, and which of them are finite.
            per_score = 3 * sizes.itemsize + 1
            needed = needed._replace(fixed=needed.fixed + per_score * n_scores)
        return plan_batches(
            needed, sizes, budget_bytes(self.memory_gib, design.device), design.device
        )

    def _search(
        self,
        products: Tensor,
        splits: list[Split],
        alphas: Array,
        responses: Responses,
        batches: Batches,
    ) -> Penalties:
        n_iter, seed = int(self.n_iter), int(self.seed)
        concentration = np.atleast_1d(np.asarray(self.concentration, dtype=np.float64))
        problem = Problem(
            kernels=products.to(responses.dtype),
            splits=splits,
            alphas=alphas,
            candidates=draw_candidates(n_iter, len(products), concentration, seed),
            score=scoring_function(self.scoring),
            fit_intercept=bool(self.fit_intercept),
            n_steps=n_iter,
            seed=seed,
            alpha_batch=batches.alphas,
            voxel_batch=batches.voxels,
        )
        if not self.local_alpha:
            return find_shared(problem, responses, batches.width)
        return find_each(solver_named(self.solver), problem, responses, batches.width)

    def _prepared(self, X: Any) -> tuple[Tensor, int]:
        """Put X on its device, and choose the width of blocks."""
        check_is_fitted(self)
        device, dtype = resolve_device(self.device), resolve_dtype(self.dtype)
        values, _ = stack(self._bands, X, _name(dtype))
        design = torch.from_numpy(values).to(device)
        n_trs, n_features = design.shape
        # Weights, responses and predictions of each band, and their scores in float64.
        n_bands = len(self.band_names_)
        per_voxel = 2 * dtype.itemsize * (n_trs + n_features) + (48 + 24 * n_bands) * n_trs
        left_over = budget_bytes(self.memory_gib, device) - design.nbytes
        return design, block_width(per_voxel, left_over, device)

    def _predicted(self, design: Tensor, voxels: slice, *, split: bool) -> Tensor:
        coef = torch.tensor(self.coef_[:, voxels], device=design.device)
        if split:
            columns = [torch.from_numpy(own).to(design.device) for own in self._bands.columns]
            return torch.stack([design[:, own] @ coef[own] for own in columns])
        intercept = torch.tensor(self._intercept(voxels), device=design.device)
        return design @ coef + intercept.to(coef.dtype)

    def _intercept(self, voxels: slice) -> Array:
        if not hasattr(self, "intercept_"):
            return np.zeros(self.coef_[:1, voxels].size, dtype=self.coef_.dtype)
        intercept: Array = self.intercept_[voxels]
        return intercept


def _whole_number(name: str, value: Any, least: int, most: float) -> None:
    try:
        number = operator.index(value)
    except TypeError:
        msg = f"{name} is {value!r}; expected a whole number."
        raise TypeError(msg) from None
    if not least <= number <= most:
        upper = "" if np.isinf(most) else f" and at most {most}"
        msg = f"{name} is {number}; expected {least} or more{upper}."
        raise ValueError(msg)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
