"""What a fit will take, before any of it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from voxscale.arrays import Array
from voxscale.arrays._linalg import eigh_place
from voxscale.fit._blocks import block_width, check_budget, readable
from voxscale.fit._costs import pays_by_features
from voxscale.fit._design import bytes_needed
from voxscale.fit._solvers import SOLVERS, Work, cheapest, check_solver
from voxscale.fit._splits import Split

__all__ = ["FitPlan", "bytes_per_voxel", "device_kind", "plan_fit", "work_of"]


@dataclass(frozen=True)
class FitPlan:
    """What a fit will take; ``print`` it.

    Parameters
    ----------
    form : {"primal", "dual"}
    solver : {"cholesky", "holdout", "split"}
    n_trs, n_features, n_voxels, n_alphas, n_splits : int
    design_bytes : int
        Of X and its Gram matrix.
    solver_bytes : int
        Of decompositions and what is made of them.
    block_voxels, block_bytes : int
        Voxels that are worked on at once, and what they take.
    budget_bytes : int
        What may be used.
    score_bytes, weight_bytes : int
        Of the results, in memory or on disk.
    flop : float
        Floating-point operations; slow ones count for more.
    """

    form: str
    solver: str
    n_trs: int
    n_features: int
    n_voxels: int
    n_alphas: int
    n_splits: int
    design_bytes: int
    solver_bytes: int
    block_voxels: int
    block_bytes: int
    budget_bytes: int
    score_bytes: int
    weight_bytes: int
    flop: float

    @property
    def peak_bytes(self) -> int:
        """Most memory at once, beside Y and the results."""
        return self.design_bytes + self.solver_bytes + self.block_bytes

    def __str__(self) -> str:
        """Say it in lines."""
        peak, budget = readable(self.peak_bytes), readable(self.budget_bytes)
        lines = [
            f"{self.n_trs} TRs × {self.n_features} features × {self.n_voxels} voxels, "
            f"{self.n_alphas} alphas, {self.n_splits} splits",
            f"solver     {self.solver}, {self.form} form, {self.flop:.2g} operations",
            f"memory     {peak} of {budget}",
            f"           X and its Gram matrix {readable(self.design_bytes)}",
            f"           solver {readable(self.solver_bytes)}",
            f"           {self.block_voxels} voxels at a time {readable(self.block_bytes)}",
            f"results    scores {readable(self.score_bytes)}",
            f"           weights {readable(self.weight_bytes)}",
        ]
        return "\n".join(lines)


def plan_fit(
    work: Work, *, solver: str, budget: int, n_weight_rows: int, device: torch.device
) -> FitPlan:
    """Choose a solver and the width of blocks for some work.

    Parameters
    ----------
    work : Work
    solver : str
        "auto", or one of ``SOLVERS``.
    budget : int
        Bytes that may be used.
    n_weight_rows : int
        Numbers kept for each voxel as its weights.
    device : torch.device

    Raises
    ------
    FitError
        If the budget is too small, with both numbers.
    ValueError
        If the solver is unknown.
    """
    design = work.n_trs * work.n_features * work.itemsize + 8 * work.rank**2
    room = budget - design
    name = cheapest(work, room) if check_solver(solver) == "auto" else solver
    cost = SOLVERS[name](work)
    shape = f"{work.n_trs} × {work.n_features}"
    while_read = bytes_needed(work.n_trs, work.n_features, work.itemsize)
    needed = max(while_read, design + cost.held_bytes)
    check_budget(needed, budget, f"decomposing X ({shape}, solver {name!r})")
    per_voxel = bytes_per_voxel(work, name)
    width = block_width(per_voxel, room - cost.held_bytes, device)
    width = min(width, work.n_voxels)
    return FitPlan(
        "dual" if work.n_trs <= work.n_features else "primal",
        name,
        work.n_trs,
        work.n_features,
        work.n_voxels,
        work.n_alphas,
        len(work.parts),
        design,
        cost.held_bytes,
        width,
        width * per_voxel,
        budget,
        8 * work.n_alphas * work.n_voxels * len(work.parts),
        work.itemsize * n_weight_rows * work.n_voxels,
        cost.flop,
    )


def work_of(
    shape: tuple[int, int],
    n_voxels: int,
    splits: Sequence[Split],
    n_alphas: int,
    *,
    tolerance: float,
    itemsize: int,
    kind: str,
    weights: str | None,
    root: Array | None = None,
    only_errors: bool = False,
) -> Work:
    """Sum up what there is to do with a design of some shape; ``root²`` are weights of rows."""
    n_trs, n_features = shape
    is_left_out = np.zeros(n_trs, dtype=bool)
    for train, _ in splits:
        trains = np.zeros(n_trs, dtype=bool)
        trains[train] = True
        is_left_out |= ~trains
    square = np.ones(n_trs) if root is None else root**2
    shares = [square[train].sum() / square.sum() for train, _ in splits]
    least_share = float(min(shares, default=1.0))
    parts = tuple((len(train), len(validation)) for train, validation in splits)
    n_left_out = int(is_left_out.sum())
    return Work(
        n_trs,
        n_features,
        n_voxels,
        n_alphas,
        parts,
        n_left_out,
        itemsize,
        tolerance == 0,
        kind,
        least_share,
        weights,
        only_errors,
    )


def device_kind(device: torch.device) -> str:
    """Name the row of rates for a device; a GPU is tried once, on a small matrix."""
    if device.type == "cpu" or eigh_place(device) == "device":
        return device.type
    return f"{device.type}, eigh on cpu"


def bytes_per_voxel(work: Work, solver: str) -> int:
    """Memory for each voxel that is worked on."""
    sizes = [n_validation for _, n_validation in work.parts]
    # Block hold-out sums up all splits side by side.
    together = len(sizes) if solver == "holdout" else 1
    most = sum(sizes) if solver == "holdout" else max(sizes, default=0)
    # Responses that are worked on, read ahead, and picked out; centred in float64; rotated.
    responses = work.n_trs * (5 * work.itemsize + 16)
    n_train = max((n_train for n_train, _ in work.parts), default=0)
    if solver == "split" and pays_by_features(n_train, work.n_features, work.n_voxels, work.kind):
        responses += 16 * work.n_features  # summed in float64
    # While weights are made, they and what they are made of.
    weights = work.n_trs * 4 * work.itemsize + 3 * work.itemsize * work.n_features
    return max(responses + most * (24 + work.itemsize) + together * 64 * work.n_alphas, weights)
