"""What a search over the penalties of bands takes in memory, and the blocks that fit a budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch

from voxscale.errors import FitError
from voxscale.fit._blocks import block_width
from voxscale.fit._splits import Split

__all__ = ["Batches", "Bytes", "Sizes", "gradient_bytes", "plan_batches", "search_bytes"]

_CHUNK_BYTES = 128 * 2**20  # of columns in float64


class Batches(NamedTuple):
    """How many alphas and voxels to work on at once, and how many voxels to hold."""

    alphas: int
    voxels: int
    width: int


class Bytes(NamedTuple):
    """Bytes of a search: whatever the voxels, for each alpha, and for each voxel.

    A voxel that is held takes ``held``; one that is worked on takes ``worked_on`` besides, and
    ``per_alpha`` for each alpha.
    """

    fixed: int
    alpha: int
    held: int
    worked_on: int
    per_alpha: int


@dataclass(frozen=True)
class Sizes:
    """Counts that decide what a search takes.

    Parameters
    ----------
    n_trs, n_features, n_bands, n_alphas, n_rows, n_splits : int
        ``n_rows`` are the rows of the scores: candidates, or steps.
    n_train, n_held_out : int
        Rows of the largest parts of a split.
    itemsize : int
        Bytes of a number in the search.
    fit_intercept : bool
    """

    n_trs: int
    n_features: int
    n_bands: int
    n_alphas: int
    n_rows: int
    n_splits: int
    n_train: int
    n_held_out: int
    itemsize: int
    fit_intercept: bool

    @classmethod
    def of(
        cls,
        X: torch.Tensor,
        n_bands: int,
        splits: list[Split],
        *,
        n_alphas: int,
        n_rows: int,
        fit_intercept: bool,
    ) -> Sizes:
        """Count a design and its splits."""
        return cls(
            n_trs=X.shape[0],
            n_features=X.shape[1],
            n_bands=n_bands,
            n_alphas=n_alphas,
            n_rows=n_rows,
            n_splits=len(splits),
            n_train=max(len(train) for train, _ in splits),
            n_held_out=max(len(validation) for _, validation in splits),
            itemsize=X.element_size(),
            fit_intercept=fit_intercept,
        )


def search_bytes(sizes: Sizes) -> Bytes:
    """Bytes of himalaya's random search."""
    n, train, held_out, item = sizes.n_trs, sizes.n_train, sizes.n_held_out, sizes.itemsize
    # Weighted kernels and their sum; a part's kernel, its vectors and LAPACK's workspace.
    search = item * ((sizes.n_bands + 1) * n**2 + 5 * train**2 + 3 * held_out * train)
    alpha = item * (train**2 + 2 * held_out * train)
    scores = item * (2 * sizes.n_splits * sizes.n_alphas + 3 * sizes.n_rows)
    # Responses as read, with two blocks ahead, as a copy, and without the undefined; then as
    # himalaya has them.
    held = n * (8 + 5 * item) + max(scores, 16 * n)
    worked_on = item * (n + train + held_out) + 80 * held_out
    per_alpha = item * held_out + 16
    if sizes.fit_intercept:  # centred kernels, and weights that himalaya solves for besides
        search += item * sizes.n_bands * n**2 + 8 * n**2
        alpha = max(alpha, 2 * item * n**2)
        held += 3 * item * n
        per_alpha = max(per_alpha, item * n)
    return Bytes(_kept_bytes(sizes) + max(search, 24 * n**2), alpha, held, worked_on, per_alpha)


def gradient_bytes(sizes: Sizes) -> Bytes:
    """Bytes of himalaya's hyper-gradient, which begins with a search."""
    start = search_bytes(sizes)
    train, held_out, item = sizes.n_train, sizes.n_held_out, sizes.itemsize
    # A part's kernels, twice more where their largest eigenvalues are estimated.
    parts = item * sizes.n_bands * (3 * train**2 + held_out * train)
    # Products with each kernel, conjugate directions, and what is kept of every split.
    voxel = item * (
        train * (6 * sizes.n_bands + 12 + 2 * sizes.n_splits)
        + held_out * (4 * sizes.n_bands + 4)
        + 4 * sizes.n_bands**2
    )
    return start._replace(
        fixed=max(start.fixed, _kept_bytes(sizes) + parts),
        worked_on=start.worked_on + voxel,
    )


def plan_batches(needed: Bytes, sizes: Sizes, budget: int, device: torch.device) -> Batches:
    """Choose how much to do at once.

    Raises
    ------
    FitError
        If not even one alpha of one voxel fits the budget.
    """
    least = needed.fixed + needed.alpha + needed.held + needed.worked_on + needed.per_alpha
    if least > budget:
        msg = (
            f"searching the penalties of {sizes.n_bands} band(s) of X ({sizes.n_trs} × "
            f"{sizes.n_features}) needs {_mib(least)}, {_mib(budget)} may be used; use fewer TRs "
            "or bands, or raise memory_gib."
        )
        raise FitError(msg)
    left = budget - needed.fixed
    for n_alphas in range(sizes.n_alphas, 0, -1):
        rest = left - n_alphas * needed.alpha
        voxel = needed.held + needed.worked_on + n_alphas * needed.per_alpha
        if rest >= max(left // 2, voxel):
            break
    n_voxels = block_width(voxel, rest, device)
    # Each block decomposes all kernels again: hold as many voxels as there is room for.
    width = (rest - n_voxels * (voxel - needed.held)) // needed.held
    return Batches(n_alphas, n_voxels, max(n_voxels, width))


def _kept_bytes(sizes: Sizes) -> int:
    """Sum up the design, and its kernels in float64 and as the search has them."""
    n, item = sizes.n_trs, sizes.itemsize
    in_search = item if item < 8 else 0
    chunk = min(_CHUNK_BYTES, 8 * n * sizes.n_features)
    return item * n * sizes.n_features + (8 + in_search) * sizes.n_bands * n**2 + chunk


def _mib(n_bytes: int) -> str:
    return f"{n_bytes / 2**20:.4g} MiB"
