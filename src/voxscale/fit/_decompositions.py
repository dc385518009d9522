"""What a Gram gives: decompositions of a design, and products of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from voxscale.arrays._linalg import eigh, matmul
from voxscale.fit._design import chunks

__all__ = [
    "Bordering",
    "Decomposition",
    "Form",
    "Penalised",
    "Spectrum",
    "Whole",
    "about_training_mean",
    "above_rounding",
    "cross_products",
]

Form = Literal["dual", "primal"]


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Thin singular value decomposition ``U S Vᵀ`` of training rows, from their Gram matrix.

    Parameters
    ----------
    form : {"dual", "primal"}
        Which Gram matrix was decomposed: rows by rows, or features by features.
    eigenvalues : tensor of shape (rank,), float64
        ``S²``, ascending; those lost to rounding are left out.
    left : tensor of shape (n_train, rank)
        ``U``.
    rotated : tensor of shape (n_validation, rank), float64
        ``rows V / S``, for the rows to be predicted.

    Notes
    -----
    Predictions at a penalty ``alpha`` are ``rotated · S² / (S² + alpha) · Uᵀ Y``.

    A Gram matrix squares the singular values, so that directions under about 1e-7 of the
    largest singular value cannot be told from rounding; they are treated as absent. At
    alpha = 0 this makes the least-squares solution the one of minimum norm.
    """

    form: Form
    eigenvalues: Tensor
    left: Tensor
    rotated: Tensor


class Whole(NamedTuple):
    """Decomposition of all rows: ``X Xᵀ = U S² Uᵀ``, about the mean where that is asked for.

    Eigenvalues, ascending, are (rank,); ``left``, which is ``U``, is (n_trs, rank). In the primal
    form ``right``, which is ``V``, is (n_features, rank); in the dual form ``null``, which spans
    what ``U`` does not, is (n_trs, n_trs - rank). All are float64.
    """

    form: Form
    eigenvalues: Tensor
    left: Tensor
    right: Tensor | None
    null: Tensor | None


class Spectrum(NamedTuple):
    """Decomposition of the columns of some rows, in the primal form: ``Xᵀ X = V S² Vᵀ``.

    ``eigenvalues``, ascending, are (rank,); ``scaled``, which is ``V / S``, is (n_features, rank);
    ``mean`` is that of the rows, (n_features,), or None without an intercept. All are float64.
    """

    eigenvalues: Tensor
    scaled: Tensor
    mean: Tensor | None


class Penalised(NamedTuple):
    """Products of training rows, and the validation rows, before any decomposition, float64.

    ``products`` are (n_train, n_train) or (n_features, n_features); ``rows`` are validation rows
    times training rows, (n_validation, n_train), or themselves, (n_validation, n_features);
    ``mean`` is that of the training rows in the primal form, (n_features,), or None.
    """

    form: Form
    products: Tensor
    rows: Tensor
    mean: Tensor | None


class Bordering(NamedTuple):
    """Products of all rows, seen from the decomposition of some of them.

    With ``U S² Uᵀ`` of the rows that train, about whose mean everything is where that is asked
    for: ``eigenvalues`` (rank,) and ``left`` (n_train, rank), which is ``U``; ``across``, products
    of the other rows with these, times ``U``, (n_others, rank); and ``own``, products of the
    others among themselves. All are float64; ``train`` and ``others`` are row numbers.
    """

    train: Tensor
    others: Tensor
    eigenvalues: Tensor
    left: Tensor
    across: Tensor
    own: Tensor


def cross_products(X: Tensor, other: Tensor) -> Tensor:
    """Sum ``X otherᵀ`` in float64, some columns at a time."""
    total = torch.zeros((len(X), len(other)), dtype=torch.float64, device=X.device)
    for columns in chunks(X.shape[1], len(X) + len(other)):
        total += matmul(X[:, columns].double(), other[:, columns].double().T)
    return total


def about_training_mean(
    kernel: Tensor, across: Tensor, root: Tensor, root_across: Tensor
) -> tuple[Tensor, Tensor]:
    """Products that rows would have about the mean of the training rows.

    ``root`` are the square roots of the weights of the training rows, ``root_across`` those of
    the rows across.
    """
    size = root.square().sum()
    mean = kernel @ root / size  # of the training rows, times each of them
    overall = root @ mean / size
    from_across = across @ root / size
    about = across - torch.outer(root_across, mean) - torch.outer(from_across, root)
    about += overall * torch.outer(root_across, root)
    kernel = kernel - torch.outer(root, mean) - torch.outer(mean, root)
    kernel += overall * torch.outer(root, root)
    return kernel, about


def above_rounding(products: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Eigenvalues above rounding, their vectors, and all other vectors."""
    eigenvalues, vectors = eigh(products)
    cutoff = eigenvalues[-1].clamp_min(0) * len(products) * torch.finfo(torch.float64).eps
    n_lost = int((eigenvalues <= cutoff).sum())
    return eigenvalues[n_lost:], vectors[:, n_lost:], vectors[:, :n_lost]
