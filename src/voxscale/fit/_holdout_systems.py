"""The small systems of splits: what takes a right side to the predictions of rows left out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from voxscale.arrays._linalg import few_threads, inverse, matmul
from voxscale.arrays._linalg import gram as products_of_rows
from voxscale.fit._decompose import Gram
from voxscale.fit._scoring import centred

__all__ = ["Node", "Rows", "System", "solve_systems"]

# Where the least eigenvalue of a system is above this, float32 loses no digit that counts.
_WELL_CONDITIONED = 1e-3


@dataclass(frozen=True, eq=False)
class Node:
    """An alpha at which the small systems are solved."""

    alpha: float
    scale: float  # what its predictions are divided by
    is_tiny: bool  # they are made from ``A Y``, and not as responses less residuals


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
) -> list[list[System]]:
    """Solve the system of every split at every node, splits side by side."""
    largest = float(eigenvalues[-1]) if len(eigenvalues) else 0.0
    narrow = held.to(gram.X.dtype)
    systems: list[list[System]] = [[] for _ in splits]
    alike = _leaving_out_the_same(splits)
    # About a mean, a system is worse where few of the weights are on the rows that train.
    weights = gram.root.square()
    share = min(float(weights[one.train].sum() / weights.sum()) for one in splits)
    share = 1.0 if gram.means is None else share
    size = max(len(one.left_out) for one in splits)
    with few_threads(size, held.device) as n_at_once, ThreadPoolExecutor(n_at_once) as pool:
        for node in nodes:
            is_easy = share * node.alpha > _WELL_CONDITIONED * (largest + node.alpha)
            remaining, shrunk = _remaining(
                gram, narrow if is_easy else held, eigenvalues, rows, node
            )

            def solved(
                same: list[int],
                node: Node = node,
                remaining: Tensor = remaining,
                shrunk: Tensor = shrunk,
            ) -> None:
                among = splits[same[0]].among
                inverted = inverse(remaining[among[:, None], among])
                for i in same:
                    systems[i].append(_solved(gram, splits[i], node, inverted, shrunk))

            list(pool.map(solved, alike))
    return systems


def _leaving_out_the_same(splits: list[Rows]) -> list[list[int]]:
    """Group the numbers of splits by the rows that they leave out."""
    groups: dict[bytes, list[int]] = {}
    for i, split in enumerate(splits):
        groups.setdefault(split.among.cpu().numpy().tobytes(), []).append(i)
    return list(groups.values())


def _remaining(
    gram: Gram, held: Tensor, eigenvalues: Tensor, rows: Tensor, node: Node
) -> tuple[Tensor, Tensor]:
    """``I - A`` on the rows that any split leaves out, and ``A`` itself, in the dtype of ``held``.

    ``A`` is that about the mean; where predictions are tiny, it keeps all its digits.
    """
    dtype = held.dtype
    if gram.form == "dual" and not node.is_tiny:
        kept = (node.alpha / (eigenvalues + node.alpha)).sqrt()
        remaining = products_of_rows(held * kept.to(dtype), dtype=dtype)
        shrunk = -remaining
        shrunk.diagonal().add_(1)
    else:
        kept = (eigenvalues / (eigenvalues + node.alpha)).sqrt()
        shrunk = products_of_rows(held * kept.to(dtype), dtype=dtype)
        remaining = -shrunk
        remaining.diagonal().add_(1)
    if gram.means is not None:
        mean = torch.outer(gram.root[rows], gram.root[rows]) / gram.root.square().sum()
        remaining -= mean.to(dtype)
    return remaining, shrunk


def _solved(gram: Gram, split: Rows, node: Node, inverted: Tensor, shrunk: Tensor) -> System:
    """Keep what the scored rows need of the inverse of what remains on the rows left out."""
    dtype = gram.X.dtype
    wanted = gram.unweighted(inverted[split.scored], split.validation)
    solve = _about_mean(wanted if node.is_tiny else -wanted / node.scale, dtype)
    if not node.is_tiny:
        return System(solve, None)
    # The inverse less what it is at an infinite penalty, where it predicts the mean, which is
    # added elsewhere; a difference of the two would be rounding alone.
    rest = matmul(inverted[split.scored], shrunk[split.among][:, split.among])
    if gram.means is not None:
        root, size = gram.root[split.left_out], gram.root[split.train].square().sum()
        rest += (torch.outer(rest.double() @ root, root) / size).to(rest.dtype)
    own = -gram.unweighted(rest, split.validation) / node.scale
    return System(solve, _about_mean(own, dtype))


def _about_mean(rows: Tensor, dtype: torch.dtype) -> Tensor:
    """Rows about their mean, and the mean as one more row."""
    about, mean = centred(rows)
    return torch.cat([about, mean[None]]).to(dtype)
