"""Ridge regression of many voxels on one design: scores along the alphas, choice, weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from voxscale.arrays import Array
from voxscale.errors import AlignmentError
from voxscale.fit._blocks import VoxelBlocks, block_width
from voxscale.fit._decompose import Gram
from voxscale.fit._scoring import Moments, centred, rounding_noise, scoring_function
from voxscale.fit._splits import as_splits

__all__ = ["Weights", "check_alphas", "choose_alphas", "cv_scores", "predicted_blocks", "solve"]


class Weights(NamedTuple):
    """Weights (n_features, n_voxels) and intercept (n_voxels,), or None without one."""

    coef: Array
    intercept: Array | None


def check_alphas(alphas: ArrayLike) -> Array:
    """Turn penalties into a float64 array.

    Raises
    ------
    ValueError
        If they are not a sequence of finite numbers, 0 or more.

    Examples
    --------
    >>> check_alphas([1, 10])
    array([ 1., 10.])
    """
    values = np.asarray(alphas)
    if values.ndim != 1 or not len(values) or values.dtype.kind not in "fiu":
        msg = (
            f"alphas have shape {values.shape} and dtype {values.dtype}; expected a sequence of "
            "one number or more, such as np.logspace(2, 8, 15)."
        )
        raise ValueError(msg)
    values = values.astype(np.float64)
    bad = values[~(np.isfinite(values) & (values >= 0))]
    if len(bad):
        msg = f"alphas hold {bad[0]}; expected finite numbers, 0 or more."
        raise ValueError(msg)
    return values


def cv_scores(
    gram: Gram,
    Y: Array | VoxelBlocks,
    cv: Any,
    alphas: ArrayLike,
    *,
    scoring: str = "r2",
) -> Array:
    """Score every alpha on the validation rows of every split, voxel by voxel.

    Parameters
    ----------
    gram : Gram
        Of the design matrix, (n_trs, n_features).
    Y : array of shape (n_trs, n_voxels)
        May be a memory map.
    cv : None, int, list of (train_rows, validation_rows), or scikit-learn splitter
        As :func:`as_splits` takes it.
    alphas : array of shape (n_alphas,)
        Penalties on the squared norm of the weights.
    scoring : {"correlation", "huth2023", "r2"}

    Returns
    -------
    array of shape (n_alphas, n_voxels, n_splits), float64
        NaN for voxels that are not finite or constant, and where the responses of a
        validation part are constant.

    Raises
    ------
    AlignmentError
        If Y and the design differ in rows.
    FitError
        If a split has no rows, or the memory budget is too small.

    Examples
    --------
    >>> X = np.eye(4)[:, :2]
    >>> cv_scores(Gram.of(X, device="cpu"), X, 2, [1.0], scoring="r2").shape
    (1, 2, 2)
    """
    blocks = voxel_blocks(gram, Y)
    penalties = check_alphas(alphas)
    splits = as_splits(cv, len(gram.X))
    score = scoring_function(scoring)
    n_trs, n_voxels = blocks.Y.shape
    itemsize = gram.X.element_size()
    most_held = max((len(validation) for _, validation in splits), default=0)
    # Responses as read, of either part, centred in float64, and rotated; then predictions, twice.
    per_alpha = 80 + 2 * most_held * itemsize
    width = _width(gram, n_trs * (4 * itemsize + 64) + per_alpha * len(penalties))
    scores = np.full((len(penalties), n_voxels, len(splits)), np.nan)
    for i, (train, validation) in enumerate(splits):
        train_rows = torch.tensor(train, device=gram.X.device)
        validation_rows = torch.tensor(validation, device=gram.X.device)
        path = _Path.of(gram, train_rows, validation_rows, penalties)
        for block, values in blocks.read(width):
            scores[:, block, i] = score(path.moments(values)).cpu().numpy()
    scores[:, blocks.undefined] = np.nan
    return scores


@dataclass(frozen=True, eq=False)
class _Path:
    """Predictions of one split's validation rows, at every alpha."""

    train: Tensor
    validation: Tensor
    has_intercept: bool
    left: Tensor  # (n_train, rank)
    rotated: Tensor  # (n_validation, rank), about the mean of the validation rows
    rotated_mean: Tensor  # (rank,), float64
    shrinkage: Tensor  # (n_alphas, rank), float64, at most 1 in each row
    scale: Tensor  # (n_alphas, 1), float64: what the shrinkage was divided by
    mixing: Tensor  # (n_alphas, n_products)
    products: Tensor  # (n_products, rank); mixing @ products is the shrinkage

    @classmethod
    def of(cls, gram: Gram, train: Tensor, validation: Tensor, alphas: Array) -> _Path:
        parts = gram.split(train, validation)
        # Centred while still float64, predictions need no centring and lose no digits.
        rotated, mean = centred(parts.rotated)
        squares = parts.eigenvalues
        shrinkage = squares / (squares + torch.tensor(alphas, device=squares.device)[:, None])
        # The largest is the last. Divided by it, a huge alpha cannot underflow float32.
        scale = shrinkage[:, -1:] if len(squares) else shrinkage.new_ones((len(alphas), 1))
        dtype = gram.X.dtype
        mixing, products = few_products(shrinkage / scale, rotated, torch.finfo(dtype).eps)
        return cls(
            train,
            validation,
            gram.means is not None,
            parts.left,
            rotated.to(dtype),
            mean,
            shrinkage / scale,
            scale,
            mixing.to(dtype),
            products.to(dtype),
        )

    def moments(self, values: Tensor) -> Moments:
        """Sum over validation rows, for responses of shape (n_trs, n_voxels)."""
        dtype, n_trs = values.dtype, len(self.validation)
        y, y_mean = centred(values[self.validation])
        trained_on = values[self.train]
        offset = torch.zeros_like(y_mean)
        if self.has_intercept:
            exact, offset = centred(trained_on)
            trained_on = exact.to(dtype)
        z = self.left.T @ trained_on
        narrow = y.to(dtype)
        predictions = self._predictions(z)
        product = torch.empty_like(narrow)  # fresh memory each time would cost as much as the sums
        yp, pp = z.new_empty((2, len(predictions), z.shape[1]), dtype=torch.float64)
        for i, prediction in enumerate(predictions):
            yp[i] = torch.mul(prediction, narrow, out=product).sum(0, dtype=torch.float64)
            pp[i] = prediction.square_().sum(0, dtype=torch.float64)
        mean = self.scale * ((self.shrinkage * self.rotated_mean) @ z.double())
        return Moments(
            n_trs,
            y.square().sum(0),
            self.scale * yp,
            self.scale.square() * pp,
            y_mean,
            offset + mean,
            rounding_noise(n_trs, mean, torch.float64),
        )

    def _predictions(self, z: Tensor) -> Tensor:
        """Predict at every alpha: (n_alphas, n_validation, n_voxels), about their means."""
        parts = z.new_empty((len(self.products), len(self.rotated), z.shape[1]))
        scaled = torch.empty_like(self.rotated)
        for part, factors in zip(parts, self.products, strict=True):
            torch.mm(torch.mul(self.rotated, factors, out=scaled), z, out=part)
        if len(self.products) == len(self.mixing):
            return parts
        return (self.mixing @ parts.flatten(1)).view(len(self.mixing), *parts.shape[1:])


def few_products(shrinkage: Tensor, rotated: Tensor, precision: float) -> tuple[Tensor, Tensor]:
    """Factor the shrinkages of all alphas into fewer products with the responses.

    Neighbouring alphas shrink alike: twenty over six decades span a dozen directions, to the
    precision that predictions have anyway. Each direction costs one product with the responses;
    mixing them costs next to nothing.

    Parameters
    ----------
    shrinkage : tensor of shape (n_alphas, rank), float64
    rotated : tensor of shape (n_validation, rank), float64
        What the shrunk responses are multiplied with; its columns weigh the error.
    precision : float
        Relative rounding of the predictions.

    Returns
    -------
    mixing : tensor of shape (n_alphas, n_products)
    products : tensor of shape (n_products, rank)
        ``mixing @ products`` is ``shrinkage`` to that precision; the identity and
        ``shrinkage`` itself where there is nothing to save.
    """
    weights = torch.linalg.vector_norm(rotated, dim=0)
    weights = torch.where(weights > 0, weights, torch.ones_like(weights))
    left, sizes, right = torch.linalg.svd(shrinkage * weights, full_matrices=False)
    n_products = int((sizes > precision * sizes[:1]).sum()) if sizes.numel() else 0
    if n_products >= len(shrinkage) or not n_products:
        return torch.eye(len(shrinkage), dtype=shrinkage.dtype, device=shrinkage.device), shrinkage
    return left[:, :n_products] * sizes[:n_products], right[:n_products] / weights


def choose_alphas(alphas: ArrayLike, scores: Array, *, local_alpha: bool = True) -> Array:
    """Choose the alpha with the best mean score over splits.

    Parameters
    ----------
    alphas : array of shape (n_alphas,)
    scores : array of shape (n_alphas, n_voxels, n_splits)
    local_alpha : bool
        False: one alpha for all voxels, with the best mean over voxels.

    Returns
    -------
    array of shape (n_voxels,), float64
        NaN for a voxel without a score. Equal scores: the alpha that comes first.

    Notes
    -----
    A split in which a voxel has no score at any alpha does not count for that voxel.

    Examples
    --------
    >>> scores = np.array([[[0.1], [0.4]], [[0.2], [0.1]]])
    >>> choose_alphas([1.0, 10.0], scores)
    array([10.,  1.])
    >>> choose_alphas([1.0, 10.0], scores, local_alpha=False)
    array([1., 1.])
    """
    penalties = check_alphas(alphas)
    counts = np.any(np.isfinite(scores), axis=0)  # (n_voxels, n_splits)
    total = np.where(counts, scores, 0.0).sum(axis=2)
    n_counted = np.count_nonzero(counts, axis=1)
    mean = np.full(total.shape, np.nan)
    np.divide(total, n_counted, out=mean, where=n_counted > 0)
    comparable = np.where(np.isfinite(mean), mean, -np.inf)
    defined = np.isfinite(mean).any(axis=0)
    chosen = np.full(scores.shape[1], np.nan)
    if local_alpha:
        chosen[defined] = penalties[comparable.argmax(axis=0)[defined]]
    elif defined.any():
        chosen[defined] = penalties[comparable[:, defined].mean(axis=1).argmax()]
    return chosen


def solve(gram: Gram, Y: Array | VoxelBlocks, alphas: ArrayLike) -> Weights:
    """Solve for the weights of every voxel at its own alpha, on all rows.

    Minimises ``||Y - X B||² + alpha ||B||²`` for each voxel.

    Parameters
    ----------
    gram : Gram
        Of the design matrix, (n_trs, n_features).
    Y : array of shape (n_trs, n_voxels)
        May be a memory map.
    alphas : float or array of shape (n_voxels,)
        NaN: this voxel gets no weights. 0: least squares, of minimum norm where X has
        dependent columns.

    Returns
    -------
    Weights
        ``coef`` (n_features, n_voxels) and ``intercept`` (n_voxels,) or None; NaN for voxels
        whose alpha is NaN, or that are not finite or constant.

    Raises
    ------
    AlignmentError
        If Y and the design differ in rows.
    ValueError
        If there is not one alpha, or one for each voxel, or one is negative or infinite.
    FitError
        If the memory budget is too small.

    Examples
    --------
    >>> X, Y = np.eye(3), np.array([[2.0], [4.0], [6.0]])
    >>> solve(Gram.of(X, device="cpu"), Y, 1.0).coef.ravel()
    array([1., 2., 3.], dtype=float32)
    """
    blocks = voxel_blocks(gram, Y)
    n_trs, n_voxels = blocks.Y.shape
    n_features = gram.X.shape[1]
    penalties = _one_per_voxel(alphas, n_voxels)
    itemsize = gram.X.element_size()
    width = _width(gram, n_trs * (4 * itemsize + 32) + 2 * n_features * itemsize)
    parts = gram.decompose()
    to_weights, squares = parts.rotated.to(gram.X.dtype), parts.eigenvalues[:, None]
    coef = np.empty((n_features, n_voxels), dtype=blocks.dtype_name)
    y_means = np.zeros(n_voxels)
    for block, values in blocks.read(width):
        if gram.means is not None:
            exact, mean = centred(values)
            values, y_means[block] = exact.to(gram.X.dtype), mean.cpu().numpy()
        alpha = torch.from_numpy(np.nan_to_num(penalties[block])).to(gram.X.device)
        shrinkage = (squares / (squares + alpha)).to(gram.X.dtype)
        coef[:, block] = (to_weights @ (shrinkage * (parts.left.T @ values))).cpu().numpy()
    coef[:, blocks.undefined | np.isnan(penalties)] = np.nan
    if gram.means is None:
        return Weights(coef, None)
    intercept = y_means - gram.means.cpu().numpy() @ coef
    return Weights(coef, intercept.astype(coef.dtype))


def predicted_blocks(X: Tensor, weights: Weights, width: int) -> Iterator[tuple[slice, Tensor]]:
    """Yield predictions, of shape (n_trs, n_block_voxels), a block of voxels at a time."""
    n_voxels = weights.coef.shape[1]
    for start in range(0, n_voxels, width):
        block = slice(start, min(start + width, n_voxels))
        prediction = X @ torch.tensor(weights.coef[:, block], device=X.device)
        if weights.intercept is not None:
            prediction += torch.tensor(weights.intercept[block], device=X.device)
        yield block, prediction


def voxel_blocks(gram: Gram, Y: Array | VoxelBlocks) -> VoxelBlocks:
    """Check responses against the rows of a design; pass on what has been checked."""
    if isinstance(Y, VoxelBlocks):
        return Y
    values = np.asarray(Y)
    check_same_rows(tuple(gram.X.shape), values.shape)
    return VoxelBlocks.of(values, gram.X.dtype, gram.X.device)


def check_same_rows(X_shape: tuple[int, ...], Y_shape: tuple[int, ...]) -> None:
    """Raise an AlignmentError that names both shapes if they differ in rows."""
    if X_shape[:1] != Y_shape[:1]:
        msg = (
            f"X has shape {X_shape} but Y has shape {Y_shape}; expected as many rows in both. "
            "Join features and responses on the TRs that they share."
        )
        raise AlignmentError(msg)


def _width(gram: Gram, bytes_per_voxel: int) -> int:
    return block_width(bytes_per_voxel, gram.budget - gram.fixed_bytes, gram.X.device)


def _one_per_voxel(alphas: ArrayLike, n_voxels: int) -> Array:
    values = np.asarray(alphas, dtype=np.float64)
    if values.shape not in ((), (n_voxels,)):
        msg = f"alphas have shape {values.shape}; expected a number, or shape ({n_voxels},)."
        raise ValueError(msg)
    bad = values[(values < 0) | np.isinf(values)]
    if bad.size:
        msg = f"alphas hold {bad.flat[0]}; expected finite numbers, 0 or more, or NaN."
        raise ValueError(msg)
    return np.broadcast_to(values, (n_voxels,))
