"""Ridge regression with the API of scikit-learn, one alpha for each voxel."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin, clone

from voxscale.arrays import Array
from voxscale.arrays._columns import Columns
from voxscale.errors import AlignmentError
from voxscale.fit._blocks import budget_bytes, resolve_device, resolve_dtype
from voxscale.fit._choose import check_alphas
from voxscale.fit._cross_validate import check_same_rows
from voxscale.fit._fingerprint import fingerprint_of
from voxscale.fit._fit_each import (
    as_columns,
    check_settings,
    fit_each,
)
from voxscale.fit._path import scores_on_test
from voxscale.fit._plan import FitPlan, device_kind, plan_fit, work_of
from voxscale.fit._predict import predictor_of
from voxscale.fit._results import Results
from voxscale.fit._samples import Samples
from voxscale.fit._scoring import needs_only_errors, scoring_function
from voxscale.fit._shrinkage import default_tolerance
from voxscale.fit._splits import as_splits

__all__ = ["RidgeCV"]

_ALPHAS = tuple(float(alpha) for alpha in np.logspace(0, 8, 17))


class RidgeCV(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Fit ridge regression with a penalty chosen for each voxel by cross-validation.

    Minimises ``||Y - X B||² + alpha ||B||²``. Unless ``fit_intercept``, nothing stands for a
    mean: z-score features and responses per run before. ``coef_`` is (n_features, n_voxels),
    the transpose of scikit-learn's own.

    Parameters
    ----------
    alphas : array of shape (n_alphas,)
        Penalties on the squared norm of the weights, above 0, in any order.
    cv : None, int, list of (train_rows, validation_rows), or scikit-learn splitter
        None: 5 contiguous folds, since shuffled TRs would validate on the neighbours of the
        rows that trained; an int: that many contiguous folds. For stories, give
        ``chunk_holdout(..., gap=...)`` or ``leave_run_out(...)``.
    scoring : {"r2", "correlation", "huth2023"}
        What is maximised over alphas, and what ``score`` returns. "huth2023" is the signed
        root of the variance explained as the code of Antonello et al. 2023 computes it.
    local_alpha : bool
        False: all voxels share the alpha with the best mean score.
    groups : array of shape (n_voxels,), optional
        Voxels with the same label, such as those of a region, share the alpha with the best
        mean score over them; a voxel without one (NaN or "") has its own.
    fit_intercept : bool
        Add a mean for each voxel, which is not penalised.
    solver : {"auto", "split", "holdout", "cholesky"}
        All find the same. "split" decomposes the training rows of each split; "holdout"
        decomposes all rows once and solves a small system for each split, which pays where
        splits are many; "cholesky" factors instead of decomposing, for devices that decompose
        badly. "auto" takes what costs least for these sizes.
    tolerance : float, optional
        Error of predictions, relative to the largest, that is let pass while alphas are
        compared, to spare products. Default: 1e-6 in float32, 1e-12 in float64. 0: none, and
        a product for each alpha.
    weights : {"primal", "dual"} or None
        "primal": weights of features, ``coef_``. "dual": coefficients of TRs, ``dual_coef_``,
        which are fewer where features are many; X is kept to predict. None: scores and alphas
        only.
    device : str, optional
        Default: cuda when there is one, else cpu.
    dtype : {"float32", "float64"}
        Of products with responses, weights and predictions. Decompositions and means are
        float64 anyhow.
    memory_gib : float, optional, in GiB
        Working memory beside Y and the results. Default: 70 % of what is free. Results do
        not depend on it beyond rounding.

    Attributes
    ----------
    coef_ : array of shape (n_features, n_voxels)
        Refitted on all rows; (n_features,) if Y was 1-D.
    dual_coef_ : array of shape (n_trs, n_voxels)
        With ``weights="dual"`` instead; ``X.T @ dual_coef_`` are the weights.
    intercept_ : array of shape (n_voxels,)
        Only with ``fit_intercept``; a number if Y was 1-D.
    best_alphas_ : array of shape (n_voxels,)
    cv_scores_ : array of shape (n_alphas, n_voxels, n_splits)
    form_ : {"primal", "dual"}
        The Gram matrix that was decomposed: features by features, or rows by rows.
    solver_ : {"split", "holdout", "cholesky"}
        The one that made the scores.
    n_features_in_ : int

    Notes
    -----
    A voxel that is not finite or constant, or has no score in any split, is NaN in all of
    these and in its predictions; a single VoxscaleWarning counts such voxels. They never
    disturb the others. A split in which a voxel has no score (its validation part is
    constant, say) does not count for that voxel.

    References
    ----------
    Antonello, Vaidya & Huth 2023, NeurIPS, arXiv:2305.11863 (scoring "huth2023", whose alpha
    is the square root of the one here).

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((40, 3))
    >>> Y = X @ np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    >>> model = RidgeCV(alphas=[0.01, 100.0], device="cpu").fit(X, Y)
    >>> model.best_alphas_
    array([0.01, 0.01])
    >>> model.score(X, Y).round(3)
    array([1., 1.])
    """

    def __init__(
        self,
        alphas: ArrayLike = _ALPHAS,
        cv: Any = None,
        *,
        scoring: str = "r2",
        local_alpha: bool = True,
        groups: ArrayLike | None = None,
        fit_intercept: bool = False,
        solver: str = "auto",
        tolerance: float | None = None,
        weights: str | None = "primal",
        device: str | torch.device | None = None,
        dtype: Any = "float32",
        memory_gib: float | None = None,
    ) -> None:
        self.alphas = alphas
        self.cv = cv
        self.scoring = scoring
        self.local_alpha = local_alpha
        self.groups = groups
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.tolerance = tolerance
        self.weights = weights
        self.device = device
        self.dtype = dtype
        self.memory_gib = memory_gib

    def fit(
        self,
        X: Any,
        Y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        results: Results | None = None,
    ) -> RidgeCV:
        """Choose an alpha for each voxel, then solve for the weights on all rows.

        Parameters
        ----------
        X : array of shape (n_trs, n_features), or Gram
            Numpy array, memory map, h5py dataset or zarr array. A :class:`Gram` is a design whose
            products are summed already, for instance by ``Gram.of_rows``; without an intercept.
        Y : array of shape (n_trs, n_voxels) or (n_trs,)
            As X; it is read by blocks of voxels, the next one while this one is worked on.
        sample_weight : array of shape (n_trs,), optional
            Weights of squared errors in training. A TR of weight 0 (False) is censored: it
            neither trains nor validates. Validation scores count all others alike.
        results : Results, optional
            Where scores and weights go, such as ``FitStore(...).open(...)``: then weights need
            never be whole in memory, and a fit that was interrupted goes on where it was.
            Default: memory.

        Returns
        -------
        RidgeCV
            Itself.

        Raises
        ------
        AlignmentError
            If X and Y differ in rows.
        DataError
            If a file shrinks or disappears while it is read.
        FitError
            If X is not finite, a split has no rows, or the memory budget is too small.
        ValueError
            If alphas, cv, scoring or another parameter cannot be used.
        """
        fit_each([self], [X], Y, sample_weight, [results])
        return self

    def fit_designs(
        self,
        designs: Sequence[Any],
        Y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        results: Sequence[Results] | None = None,
    ) -> list[RidgeCV]:
        """Fit several designs, such as layers or models, to the same responses.

        Responses are read once for all designs, or for as many as the memory holds at once.

        Parameters
        ----------
        designs : sequence of array of shape (n_trs, n_features)
            Of as many rows; features may differ in number.
        Y, sample_weight
            As :meth:`fit`.
        results : sequence of Results, optional
            One for each design.

        Returns
        -------
        list of RidgeCV
            A fitted copy of this estimator for each design; itself is left as it is.

        Raises
        ------
        AlignmentError, DataError, FitError, ValueError
            As :meth:`fit`.

        Examples
        --------
        >>> X = np.random.default_rng(0).standard_normal((40, 3))
        >>> fitted = RidgeCV([1.0], device="cpu").fit_designs([X, X[:, :2]], X)
        >>> [model.coef_.shape for model in fitted]
        [(3, 3), (2, 3)]
        """
        if not len(designs):
            msg = "designs is empty; expected one array of shape (n_trs, n_features), or more."
            raise ValueError(msg)
        if results is not None and len(results) != len(designs):
            msg = f"there are {len(results)} results for {len(designs)} designs; expected as many."
            raise ValueError(msg)
        kept = [None] * len(designs) if results is None else list(results)
        models = [clone(self) for _ in designs]
        fit_each(models, designs, Y, sample_weight, kept)
        return models

    def of_voxels(self, voxels: slice) -> RidgeCV:
        """Return the fit of some voxels, as if they had been fitted alone.

        Parameters
        ----------
        voxels : slice
            Columns of the Y that was fitted.

        Returns
        -------
        RidgeCV
            Its arrays are views of those of this one.
        """
        part = copy(self)
        part.best_alphas_ = self.best_alphas_[voxels]
        part.cv_scores_ = self.cv_scores_[:, voxels]
        for name in ("coef_", "dual_coef_", "intercept_"):
            if name in self.__dict__:
                setattr(part, name, getattr(self, name)[..., voxels])
        return part

    def plan(self, X: Any, Y: Any) -> FitPlan:
        """Say what a fit would take; nothing but shapes is looked at.

        Parameters
        ----------
        X : array of shape (n_trs, n_features)
        Y : array of shape (n_trs, n_voxels) or (n_trs,)

        Returns
        -------
        FitPlan
            Solver, memory, results, operations; ``print`` it.

        Raises
        ------
        AlignmentError, FitError, ValueError
            As :meth:`fit`, where shapes and parameters tell.

        Examples
        --------
        >>> X, Y = np.zeros((300, 800)), np.zeros((300, 20))
        >>> plan = RidgeCV([1.0, 10.0], device="cpu", memory_gib=4).plan(X, Y)
        >>> plan.form, plan.n_splits
        ('dual', 5)
        """
        check_settings(self)
        n_trs, n_features = Columns.of(X, "X").shape
        check_same_rows((n_trs, n_features), np.shape(Y))
        n_voxels = np.shape(Y)[1] if len(np.shape(Y)) > 1 else 1
        device, dtype = resolve_device(self.device), resolve_dtype(self.dtype)
        alphas = check_alphas(self.alphas)
        name = str(dtype).removeprefix("torch.")
        work = work_of(
            (n_trs, n_features),
            n_voxels,
            as_splits(self.cv, n_trs),
            len(alphas),
            tolerance=default_tolerance(name) if self.tolerance is None else self.tolerance,
            itemsize=dtype.itemsize,
            kind=device_kind(device),
            weights=self.weights,
            only_errors=needs_only_errors(scoring_function(self.scoring)),
        )
        n_rows = {"primal": n_features, "dual": n_trs, None: 0}[self.weights]
        budget = budget_bytes(self.memory_gib, device)
        return plan_fit(
            work, solver=self.solver, budget=budget, n_weight_rows=n_rows, device=device
        )

    def fingerprint(self, X: Any, Y: Any, sample_weight: ArrayLike | None = None) -> dict[str, Any]:
        """Describe everything that can change the numbers of a fit, for ``FitStore.open``.

        Parameters
        ----------
        X, Y, sample_weight
            As :meth:`fit`; X and Y are read once.

        Returns
        -------
        dict
            Settings, and digests of arrays. Device, memory and solver are no part of it.
        """
        check_settings(self)
        design, responses = Columns.of(X, "X"), Columns.of(as_columns(Y), "Y")
        check_same_rows(design.shape, responses.shape)
        return fingerprint_of(
            design,
            responses,
            as_splits(self.cv, design.shape[0]),
            alphas=check_alphas(self.alphas),
            scoring=self.scoring,
            local_alpha=self.local_alpha,
            groups=self.groups,
            fit_intercept=self.fit_intercept,
            tolerance=self.tolerance,
            weights=self.weights,
            dtype=str(resolve_dtype(self.dtype)),
            sample_weight=sample_weight,
        )

    def path(self, X: Any, Y: Any, X_test: Any, Y_test: Any) -> Array:
        """Score every alpha on test data: the whole curve, where ``fit`` keeps its best point.

        Parameters
        ----------
        X, X_test : array of shape (n_trs, n_features), (n_test_trs, n_features)
        Y, Y_test : array of shape (n_trs, n_voxels), (n_test_trs, n_voxels)

        Returns
        -------
        array of shape (n_alphas, n_voxels), float64
            Scores by ``scoring`` of weights that were solved on X and Y at each alpha, on
            X_test and Y_test; NaN for voxels that cannot be fitted or scored.

        Raises
        ------
        AlignmentError, FitError, ValueError
            As :meth:`fit`.

        Warns
        -----
        VoxscaleWarning
            Counts voxels without a score.

        Notes
        -----
        Nothing is kept, and ``cv`` is not looked at. To report the score at an alpha that this
        curve made you choose is to choose on test data.
        """
        scores = scores_on_test(self, X, Y, X_test, Y_test)
        return scores[:, 0] if len(np.shape(Y)) == 1 else scores

    def predict(self, X: Any, *, out: Any = None) -> Any:
        """Predict responses.

        Parameters
        ----------
        X : array of shape (n_trs, n_features)
        out : array of shape (n_trs, n_voxels), optional
            Where predictions go, a block of voxels at a time, such as a zarr array.

        Returns
        -------
        array of shape (n_trs, n_voxels)
            NaN for voxels without weights; (n_trs,) if Y was 1-D; ``out`` where it was given.

        Raises
        ------
        AlignmentError
            If the number of features differs from the fit's, or ``out`` has another shape.
        FitError
            If X is not finite or does not fit the memory budget, or the fit has kept no weights.
        """
        predictions = predictor_of(self, X).into(out)
        return predictions[:, 0] if out is None and self._is_single else predictions

    def score(self, X: Any, Y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """Score predictions of responses, voxel by voxel, by ``scoring``.

        Parameters
        ----------
        X : array of shape (n_trs, n_features)
        Y : array of shape (n_trs, n_voxels) or (n_trs,)
        sample_weight : array of shape (n_trs,), optional
            TRs of weight 0 (False) are left out; all others count alike.

        Returns
        -------
        array of shape (n_voxels,), float64
            NaN where a voxel has no weights, or is not finite or constant here; a number if
            Y was 1-D.

        Raises
        ------
        AlignmentError
            If X, Y and the fit do not belong together.
        FitError
            If X is not finite or does not fit the memory budget, or the fit has kept no weights.
        """
        scoring_function(self.scoring)
        predictor, responses = predictor_of(self, X), Columns.of(as_columns(Y), "Y")
        n_trs = len(predictor.design)
        if responses.shape != (n_trs, predictor.n_voxels):
            msg = (
                f"X has shape {(n_trs, self.n_features_in_)} but Y has shape {np.shape(Y)}; "
                f"expected {n_trs} rows and the {predictor.n_voxels} voxel(s) of the fit."
            )
            raise AlignmentError(msg)
        scores = predictor.scores(responses, self.scoring, Samples.of(sample_weight, n_trs))
        return scores[0] if self._is_single else scores
