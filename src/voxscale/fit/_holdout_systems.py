"""The small systems of splits: from a right side to predictions, or to squared errors.

With ``G`` the matrix of a system, residuals are ``D⁻¹ G⁻¹ g`` for a right side ``g``, where ``D``
are the roots of the rows' weights. Their sum of squares is ``‖C⁻¹ g‖²`` with ``C Cᵀ = G D² G``: a
triangle, with little more than half the multiplications.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from voxscale.arrays._linalg import (
    cholesky,
    few_threads,
    inverse,
    inverse_of_triangle,
    matmul,
    square_part,
)
from voxscale.arrays._linalg import gram as products_of_rows
from voxscale.fit._decompose import Gram
from voxscale.fit._scoring import centred
from voxscale.fit._solvers import TRIANGLE_ROWS

__all__ = [
    "Node",
    "Residuals",
    "Rows",
    "Solved",
    "System",
    "solve_systems",
]

# Where the least eigenvalue of a system is above this, float32 loses no digit that counts.
_WELL_CONDITIONED = 1e-3
# And where it is above this, the Cholesky factor of its square, in float64, keeps 1e-8 in float32
# and 1e-12 in float64.
_SQUARABLE = {torch.float32: 1e-4, torch.float64: 1e-2}


@dataclass(frozen=True, eq=False)
class Node:
    """An alpha at which the small systems are solved."""

    alpha: float
    scale: float  # what its predictions are divided by
    is_tiny: bool  # they are made from ``A Y``, and not as responses less residuals
    is_difference: bool  # its right side is made as ``Y - A Y``, exact where ``A`` is small


@dataclass(frozen=True, eq=False)
class System:
    """A split's small system at one node.

    Parameters
    ----------
    solve : tensor of shape (n_validation + 1, n_left_out)
        Takes the right side to predictions, about their mean over the validation rows; the last
        row takes it to the mean.
    own : tensor of shape (n_validation + 1, n_left_out), or None
        Takes the rows' own responses to predictions; None: they are their own.
    """

    solve: Tensor
    own: Tensor | None

    @property
    def size(self) -> int:
        """Numbers held."""
        return self.solve.numel() + (0 if self.own is None else self.own.numel())


@dataclass(frozen=True, eq=False)
class Residuals:
    """Takes the right side of a split at one node to numbers whose squares add up to its errors.

    Parameters
    ----------
    parts : list of tensor of shape (n_rows, n_inner)
        Each for the first ``n_inner`` rows of the right side; the sum of squares of all products
        is that of the residuals of the validation rows.
    """

    parts: list[Tensor]

    @property
    def size(self) -> int:
        """Numbers held."""
        return sum(part.numel() for part in self.parts)


Solved = System | Residuals


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of one split."""

    train: Tensor
    validation: Tensor
    left_out: Tensor
    among: Tensor  # places of the rows left out among those that any split leaves out
    scored: Tensor  # places of the validation rows among those left out


def solve_systems(
    gram: Gram,
    splits: list[Rows],
    nodes: list[Node],
    held: Tensor,
    eigenvalues: Tensor,
    rows: Tensor,
    *,
    only_errors: bool,
) -> list[list[Solved]]:
    """Solve the system of every split at every node, splits side by side."""
    largest = float(eigenvalues[-1]) if len(eigenvalues) else 0.0
    narrow = held.to(gram.X.dtype)
    systems: list[list[Solved]] = [[] for _ in splits]
    alike = _leaving_out_the_same(splits)
    # About a mean, a system is worse where few of the weights are on the rows that train.
    weights = gram.root.square()
    share = min(float(weights[one.train].sum() / weights.sum()) for one in splits)
    share = 1.0 if gram.means is None else share
    size = max(len(one.left_out) for one in splits)
    with few_threads(size, held.device) as n_at_once, ThreadPoolExecutor(n_at_once) as pool:
        for node in nodes:
            least = share * node.alpha / (largest + node.alpha)
            basis = narrow if least > _WELL_CONDITIONED else held
            is_squarable = least > _SQUARABLE[gram.X.dtype]
            at = _AtNode.of(gram, basis, eigenvalues, rows, node, is_squarable=is_squarable)
            make = at.residuals if only_errors and not node.is_tiny else at.predictions
            of_groups = pool.map(make, [[splits[i] for i in same] for same in alike])
            for same, made in zip(alike, of_groups, strict=True):
                for i, system in zip(same, made, strict=True):
                    systems[i].append(system)
    return systems


@dataclass(frozen=True, eq=False)
class _AtNode:
    """What all systems of a node are cut from.

    Parameters
    ----------
    gram : Gram
    node : Node
    remaining : tensor of shape (n_rows, n_rows)
        ``I - A`` on the rows that any split leaves out; ``A`` is that about the mean.
    shrunk : tensor of shape (n_rows, n_rows), or None
        ``A`` itself with all its digits, where predictions are tiny.
    is_squarable : bool
        Squares of the systems keep the digits that count, in float64.
    """

    gram: Gram
    node: Node
    remaining: Tensor
    shrunk: Tensor | None
    is_squarable: bool

    @classmethod
    def of(
        cls,
        gram: Gram,
        held: Tensor,
        eigenvalues: Tensor,
        rows: Tensor,
        node: Node,
        *,
        is_squarable: bool,
    ) -> _AtNode:
        """Multiply out, in the dtype of the eigenvectors ``held``."""
        is_from_shrunk = node.is_tiny or node.is_difference
        kept = (eigenvalues if is_from_shrunk else node.alpha) / (eigenvalues + node.alpha)
        products = products_of_rows(held * kept.sqrt().to(held.dtype), dtype=held.dtype)
        remaining, shrunk = products, products if node.is_tiny else None
        if is_from_shrunk:
            remaining = products.neg() if node.is_tiny else products.neg_()
            remaining.diagonal().add_(1)
        if gram.means is not None:
            root, size = gram.root[rows].to(held.dtype), gram.root.square().sum()
            remaining.addr_(root, root, alpha=-1 / float(size))
        return cls(gram, node, remaining, shrunk, is_squarable)

    def predictions(self, same: list[Rows]) -> list[Solved]:
        """Solve for what predicts the validation rows of splits that leave out the same rows."""
        inverted = inverse(square_part(self.remaining, same[0].among))
        return [self._system(split, inverted) for split in same]

    def residuals(self, same: list[Rows]) -> list[Solved]:
        """Solve for what sums up the squared errors of such splits."""
        gram, dtype = self.gram, self.gram.X.dtype
        system = square_part(self.remaining, same[0].among)
        if self.is_squarable and all(len(one.scored) == len(one.left_out) for one in same):
            return [Residuals(_triangle(gram, system, same[0].left_out))] * len(same)
        inverted = inverse(system)
        wanted = (gram.unweighted(inverted[one.scored], one.validation) for one in same)
        return [Residuals([rows.to(dtype)]) for rows in wanted]

    def _system(self, split: Rows, inverted: Tensor) -> System:
        """Keep what the scored rows need of the inverse of what remains on the rows left out."""
        gram, node, dtype = self.gram, self.node, self.gram.X.dtype
        wanted = gram.unweighted(inverted[split.scored], split.validation)
        solve = _about_mean(wanted if node.is_tiny else -wanted / node.scale, dtype)
        if self.shrunk is None:
            return System(solve, None)
        # The inverse less what it is at an infinite penalty, where it predicts the mean, which is
        # added elsewhere; a difference of the two would be rounding alone.
        rest = matmul(inverted[split.scored], square_part(self.shrunk, split.among))
        if gram.means is not None:
            root, size = gram.root[split.left_out], gram.root[split.train].square().sum()
            rest += (torch.outer(rest.double() @ root, root) / size).to(rest.dtype)
        own = -gram.unweighted(rest, split.validation) / node.scale
        return System(solve, _about_mean(own, dtype))


def _triangle(gram: Gram, system: Tensor, left_out: Tensor) -> list[Tensor]:
    """Invert the Cholesky factor of the square of a system, and cut it into bands of rows."""
    system = system.double()
    if gram.samples.root is not None:
        system = system * gram.root[left_out]
    # By torch, whose single thread stays out of the way of the other splits'.
    square = system @ system.T
    inverted = inverse_of_triangle(cholesky(square))
    bands = (slice(at, at + TRIANGLE_ROWS) for at in range(0, len(inverted), TRIANGLE_ROWS))
    # Copies: what a part of the inverse refers to would be held whole.
    return [inverted[rows, : rows.stop].to(gram.X.dtype, copy=True).contiguous() for rows in bands]


def _leaving_out_the_same(splits: list[Rows]) -> list[list[int]]:
    """Group the numbers of splits by the rows that they leave out."""
    groups: dict[bytes, list[int]] = {}
    for i, split in enumerate(splits):
        groups.setdefault(split.among.cpu().numpy().tobytes(), []).append(i)
    return list(groups.values())


def _about_mean(rows: Tensor, dtype: torch.dtype) -> Tensor:
    """Rows about their mean, and the mean as one more row."""
    about, mean = centred(rows)
    return torch.cat([about, mean[None]]).to(dtype)
