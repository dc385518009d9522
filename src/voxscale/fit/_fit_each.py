"""Fit estimators to the same responses, each to its own design."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays._columns import Columns
from voxscale.errors import AlignmentError
from voxscale.fit._choose import check_alphas, check_groups, choose_alphas
from voxscale.fit._cross_validate import check_same_rows, cv_scores_of_designs, voxel_blocks
from voxscale.fit._decompose import Gram
from voxscale.fit._results import InMemory, Results
from voxscale.fit._scoring import scoring_function
from voxscale.fit._shrinkage import check_tolerance
from voxscale.fit._solve import KINDS, Request, Weights, solve_each
from voxscale.fit._solvers import check_solver
from voxscale.fit._splits import as_splits

if TYPE_CHECKING:
    from voxscale.fit._estimators import RidgeCV

__all__ = ["as_columns", "check_same_columns", "check_settings", "fit_each", "gram_for"]


def fit_each(
    models: Sequence[RidgeCV],
    designs: Sequence[Any],
    Y: Any,
    sample_weight: ArrayLike | None,
    results: Sequence[Results | None],
) -> None:
    """Fit estimators of the same settings, each to its design, reading responses once.

    Warns
    -----
    VoxscaleWarning
        Counts the voxels that could not be fitted, and says why.
    """
    settings = models[0]
    for X in designs:
        check_gram(settings, X, sample_weight)
    responses = Columns.of(as_columns(Y), "Y")
    names = ["X"] if len(designs) == 1 else [f"designs[{i}]" for i in range(len(designs))]
    read = [
        X if isinstance(X, Gram) else Columns.of(X, name)
        for X, name in zip(designs, names, strict=True)
    ]
    for X, name in zip(read, names, strict=True):
        shape = (X.samples.n_trs, X.X.shape[1]) if isinstance(X, Gram) else X.shape
        check_same_rows(shape, np.shape(Y), name)
    check_groups(settings.groups, responses.shape[1])
    check_settings(settings)
    splits = as_splits(settings.cv, responses.shape[0])
    grams = [X if isinstance(X, Gram) else gram_for(settings, X, sample_weight) for X in read]
    blocks = voxel_blocks(grams[0], responses)
    kept = [InMemory() if one is None else one for one in results]
    scored = cv_scores_of_designs(
        grams,
        blocks,
        splits,
        settings.alphas,
        scoring=settings.scoring,
        solver=settings.solver,
        tolerance=settings.tolerance,
        results=kept,
        weights=settings.weights,
    )
    # What each solver leaves behind: the decomposition of these rows.
    known = {
        "split": grams[0].samples.splits(splits)[-1][0],
        "holdout": np.arange(len(grams[0].X)),
    }
    for model, gram, one in zip(models, grams, scored, strict=True):
        model._is_single = len(np.shape(Y)) == 1
        model.cv_scores_ = one.scores
        model.best_alphas_ = choose_alphas(
            check_alphas(settings.alphas),
            one.scores,
            local_alpha=settings.local_alpha,
            groups=settings.groups,
        )
        model.form_, model.solver_ = gram.form, one.solver
        model.n_features_in_ = gram.X.shape[1]
        for name in ("coef_", "dual_coef_", "intercept_", "X_fit_"):  # of an earlier fit
            model.__dict__.pop(name, None)
    if settings.weights is not None:
        wanted = [
            Request(gram, model.best_alphas_, settings.weights, where, known.get(one.solver))
            for model, gram, one, where in zip(models, grams, scored, kept, strict=True)
        ]
        solved = solve_each(wanted, blocks, release=True)
        for model, gram, X, found in zip(models, grams, designs, solved, strict=True):
            _keep(model, gram, X, found)
    for where in kept:
        where.finish()
    lost = [np.isnan(model.best_alphas_) for model in models]
    for undefined in {one.tobytes(): one for one in lost}.values():  # once where designs agree
        blocks.warn_of(undefined, stacklevel=4)


def check_gram(model: RidgeCV, X: Any, sample_weight: ArrayLike | None) -> None:
    """Raise a ValueError where products that were summed before are not what is asked for."""
    if not isinstance(X, Gram):
        return
    told = (sample_weight is not None, model.fit_intercept)
    if any(told) or X.means is not None or X.samples.root is not None:
        msg = (
            "X is a Gram, whose rows are summed already; expected one without intercept or "
            "weights, and no fit_intercept or sample_weight; give the array instead."
        )
        raise ValueError(msg)


def check_settings(model: RidgeCV) -> None:
    """Raise a ValueError for a parameter that cannot be used."""
    check_alphas(model.alphas)
    scoring_function(model.scoring)
    check_solver(model.solver)
    if model.tolerance is not None:
        check_tolerance(model.tolerance)
    if model.weights is not None and model.weights not in KINDS:
        msg = f"weights is {model.weights!r}; expected one of {', '.join(KINDS)}, or None."
        raise ValueError(msg)


def gram_for(model: RidgeCV, X: Any, sample_weight: ArrayLike | None) -> Gram:
    """Sum the products of a design as an estimator asks for it."""
    return Gram.of(
        X,
        sample_weight=sample_weight,
        fit_intercept=model.fit_intercept,
        device=model.device,
        dtype=model.dtype,
        memory_gib=model.memory_gib,
    )


def check_same_columns(train: Columns, test: Columns) -> None:
    """Raise an AlignmentError that names both shapes if they differ in columns."""
    if train.shape[1] != test.shape[1]:
        msg = (
            f"{train.name} has shape {train.shape} but {test.name} has shape {test.shape}; "
            "expected as many columns in both."
        )
        raise AlignmentError(msg)


def as_columns(Y: Any) -> Any:
    """Give responses of a single voxel a second axis."""
    if isinstance(Y, list | tuple):
        Y = np.asarray(Y)
    try:
        is_single = len(np.shape(Y)) == 1
    except Exception:  # what a closed file raises is not agreed on; Columns tells of it
        return Y
    return np.asarray(Y[:])[:, None] if is_single else Y


def _keep(model: RidgeCV, gram: Gram, X: Any, found: Weights) -> None:
    """Set what predictions need."""
    coef = found.coef[:, 0] if model._is_single else found.coef
    if model.weights == "dual":
        model.dual_coef_ = coef
        model.X_fit_ = gram.X.cpu().numpy() if isinstance(X, Gram) else X
        model._kept_rows = gram.samples.kept
    else:
        model.coef_ = coef
    if found.intercept is not None and gram.means is not None:
        model._fit_means = gram.means.cpu().numpy()
        model.intercept_ = found.intercept[0] if model._is_single else found.intercept
