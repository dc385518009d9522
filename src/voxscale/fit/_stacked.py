"""Stacked regression: several models of the same responses, mixed voxel by voxel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from voxscale.arrays import Array
from voxscale.arrays._columns import Columns
from voxscale.errors import AlignmentError
from voxscale.fit._blocks import check_budget
from voxscale.fit._cross_validate import check_same_rows
from voxscale.fit._estimators import RidgeCV
from voxscale.fit._held_out import folds
from voxscale.fit._held_out_covariance import FoldsMemory, held_out_covariance
from voxscale.fit._predict import Predictor, predictor_of
from voxscale.fit._results import Results
from voxscale.fit._samples import Samples
from voxscale.fit._stacking import stacked_prediction, stacking_weights, warn_of_few_rows

__all__ = ["Stacking"]


class Stacking(BaseEstimator):  # type: ignore[misc]
    """Fit a ridge regression to each of several designs, and mix what they predict.

    Each voxel has its own mix: weights of at least 0 whose sum is 1, those that err least on
    training rows that were left out of the fit. Designs may be layers, models, or low-level
    features; a voxel that one of them explains as well as all together needs no others.

    Parameters
    ----------
    estimator : RidgeCV, optional
        Its settings serve every design. Default: ``RidgeCV()``.
    cv : None, int, list of (train_rows, validation_rows), or scikit-learn splitter
        Which rows are left out together to see how models err; no row twice. Default: 5
        contiguous folds. For stories, give ``leave_run_out(...)``.

    Attributes
    ----------
    models_ : list of RidgeCV
        One for each design, fitted to all rows.
    weights_ : array of shape (n_voxels, n_models), float64
        Of the mix. NaN for voxels that some model could not be fitted to.
    residual_covariance_ : array of shape (n_voxels, n_models, n_models), float64
        Products of the models' residuals on rows left out, averaged.

    Notes
    -----
    Alphas are chosen on all training rows, those among them that the mix is then weighed on. In
    simulations (600 TRs, five designs of 100 features, a tenth of the variance planted; 20 draws
    each of ``benchmarks/stacking_alphas.py``) choosing them anew within each fold was no better:
    the mix's test correlation was 0.119 as it is done and 0.110 so where one design was true,
    0.072 and 0.066 for two, 0.100 and 0.098 for three of five alike, and designs that knew
    nothing had less weight as it is done (0.36, 0.31 and 0.27, against 0.50, 0.43 and 0.32);
    where none was true, the squared error on test rows was 0.2 % larger.

    Weights are estimated, too: with so little signal the mix fell short of the largest true model
    alone (0.154, 0.081 and 0.101), because models that knew nothing had weight.

    References
    ----------
    Breiman 1996, "Stacked regressions", Machine Learning 24:49-64, doi:10.1007/BF00117832.
    Antonello, Vaidya & Huth 2023, NeurIPS, arXiv:2305.11863, who stack the layers of a speech
    model and a language model so.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> true, noise = rng.standard_normal((2, 60, 3))
    >>> stacked = Stacking(RidgeCV([1.0], device="cpu")).fit([true, noise], true)
    >>> bool((stacked.weights_[:, 0] > 0.9).all())
    True
    """

    def __init__(self, estimator: RidgeCV | None = None, cv: Any = None) -> None:
        self.estimator = estimator
        self.cv = cv

    def fit(
        self,
        designs: Sequence[Any],
        Y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        results: Sequence[Results] | None = None,
    ) -> Stacking:
        """Fit each design, then weigh them by how they err on rows left out.

        Parameters
        ----------
        designs : sequence of array of shape (n_trs, n_features)
            Of as many rows; features may differ in number.
        Y : array of shape (n_trs, n_voxels)
            In memory or on disk; read once for each fold beside what the fits take.
        sample_weight : array of shape (n_trs,), optional
            As :meth:`RidgeCV.fit`. TRs of weight 0 say nothing about the mix, either; all others
            count alike there.
        results : sequence of Results, optional
            One for each design, as :meth:`RidgeCV.fit_designs` takes them: where scores and
            weights of the models go. Those of the mix stay in memory.

        Returns
        -------
        Stacking
            Itself.

        Raises
        ------
        AlignmentError, DataError, FitError, ValueError
            As :meth:`RidgeCV.fit_designs`; also if Y has one axis, or splits leave a row out
            twice.
        TypeError
            If the estimator is no RidgeCV.

        Warns
        -----
        VoxscaleWarning
            Counts voxels that could not be fitted, and those without weights of the mix; tells
            if there are fewer rows than models.
        """
        settings = RidgeCV() if self.estimator is None else self.estimator
        if not isinstance(settings, RidgeCV):
            msg = (
                f"estimator is {settings!r}; expected a RidgeCV, whose settings serve all designs."
            )
            raise TypeError(msg)
        responses = Columns.of(Y, "Y")
        read = [Columns.of(X, f"designs[{i}]") for i, X in enumerate(designs)]
        for X in read:
            check_same_rows(X.shape, responses.shape, X.name)
        splits = folds(self.cv, responses.shape[0], sample_weight)
        samples = Samples.of(sample_weight, responses.shape[0])
        counted = samples.splits(splits)
        if read:  # before any work
            FoldsMemory.of(settings, [X.shape[1] for X in read], samples, counted).check()
            warn_of_few_rows(sum(len(held) for _, held in counted), len(read), stacklevel=3)
        self.models_ = settings.fit_designs(designs, Y, sample_weight, results=results)
        self.residual_covariance_ = held_out_covariance(
            self.models_, read, responses, splits, sample_weight
        )
        self.weights_ = stacking_weights(self.residual_covariance_)
        return self

    def predict(self, designs: Sequence[Any], *, out: Any = None) -> Any:
        """Predict responses by the mix, a block of voxels at a time.

        Parameters
        ----------
        designs : sequence of array of shape (n_trs, n_features)
            In the order of the fit.
        out : array of shape (n_trs, n_voxels), optional
            Where predictions go, such as a zarr array.

        Returns
        -------
        array of shape (n_trs, n_voxels), float64, or ``out``
            NaN for voxels without weights. A model of weight 0 has no say.

        Raises
        ------
        AlignmentError
            If there is another number of designs, or of features, than in the fit, designs
            differ in rows, or ``out`` has another shape.
        FitError
            If the designs are not finite or do not fit the memory budget, or the fit has kept
            no weights.
        """
        self._check_number(designs)
        predictors = [
            predictor_of(model, X) for model, X in zip(self.models_, designs, strict=True)
        ]
        held = sum(one.design.nbytes for one in predictors)
        budget = min(one.budget for one in predictors)
        check_budget(held, budget, f"designs of {len(designs)} models to predict")
        predictions = [
            _Predictions(replace(one, budget=budget - held + one.design.nbytes))
            for one in predictors
        ]
        return stacked_prediction(predictions, self.weights_, out=out)

    def predict_each(self, designs: Sequence[Any]) -> list[Array]:
        """Predict responses by each model alone, (n_trs, n_voxels) each; as :meth:`predict`."""
        self._check_number(designs)
        return [model.predict(X) for model, X in zip(self.models_, designs, strict=True)]

    def _check_number(self, designs: Sequence[Any]) -> None:
        check_is_fitted(self)
        if len(designs) != len(self.models_):
            msg = f"there are {len(designs)} designs; expected the {len(self.models_)} of the fit."
            raise AlignmentError(msg)


@dataclass(frozen=True, eq=False)
class _Predictions:
    """Predictions of one model, which are made when columns of them are asked for."""

    predictor: Predictor

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.predictor.design), self.predictor.n_voxels

    def __getitem__(self, key: tuple[slice, slice]) -> Array:
        """Predict all rows of some voxels."""
        start, stop, _ = key[1].indices(self.shape[1])
        found, width = np.empty((self.shape[0], stop - start)), self.predictor.width
        blocks = [slice(first, min(first + width, stop)) for first in range(start, stop, width)]
        for block, values in self.predictor.blocks(blocks):
            found[:, block.start - start : block.stop - start] = values.cpu().numpy()
        return found
