"""Scores of every alpha on the rows that splits leave out, voxel by voxel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from voxscale.arrays import Array
from voxscale.arrays._linalg import one_torch_thread
from voxscale.errors import AlignmentError
from voxscale.fit._blocks import VoxelBlocks, block_width
from voxscale.fit._choose import check_alphas
from voxscale.fit._decompose import Gram
from voxscale.fit._holdout_solver import HoldoutPaths
from voxscale.fit._plan import FitPlan, device_kind, plan_fit, work_of
from voxscale.fit._results import InMemory, Results
from voxscale.fit._scoring import Errors, Moments, needs_only_errors, scoring_function
from voxscale.fit._shrinkage import check_tolerance, default_tolerance
from voxscale.fit._split_solver import SplitPath
from voxscale.fit._splits import Split, as_splits

__all__ = [
    "Scored",
    "Scoring",
    "check_same_rows",
    "cv_scores",
    "cv_scores_of_designs",
    "voxel_blocks",
]

# Of the memory that is left beside X: what the paths of a group of splits may take.
_SHARE_OF_PATHS = 0.5


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of one design, and the way they were had.

    Parameters
    ----------
    scores : array of shape (n_alphas, n_voxels, n_splits), float64
    solver : {"cholesky", "holdout", "split"}
    flop : float
        Floating-point operations of the products with responses.
    """

    scores: Array
    solver: str
    flop: float


def cv_scores(
    gram: Gram,
    Y: Any,
    cv: Any,
    alphas: ArrayLike,
    *,
    scoring: str = "r2",
    solver: str = "auto",
    tolerance: float | None = None,
) -> Array:
    """Score every alpha on the validation rows of every split, voxel by voxel.

    Parameters
    ----------
    gram : Gram
        Of the design matrix, (n_trs, n_features).
    Y : array of shape (n_trs, n_voxels)
        In memory or on disk: numpy, a memory map, an h5py dataset or a zarr array.
    cv : None, int, list of (train_rows, validation_rows), or scikit-learn splitter
        As :func:`as_splits` takes it.
    alphas : array of shape (n_alphas,)
        Penalties on the squared norm of the weights.
    scoring : {"correlation", "huth2023", "r2"}
    solver : {"auto", "cholesky", "holdout", "split"}
        All give the same scores. "split" decomposes the training rows of each split; "holdout"
        decomposes all rows once, and solves a small system for each split; "cholesky" factors
        without any decomposition. "auto" takes the one that is cheapest for these sizes.
    tolerance : float, optional
        Error of predictions that is let pass to spare products, relative to the largest.
        Default: 1e-6 in float32, 1e-12 in float64. 0: none, a product for each alpha.

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
    return cv_scores_of_designs(
        [gram], Y, cv, alphas, scoring=scoring, solver=solver, tolerance=tolerance
    )[0].scores


def cv_scores_of_designs(
    grams: Sequence[Gram],
    Y: Any,
    cv: Any,
    alphas: ArrayLike,
    *,
    scoring: str = "r2",
    solver: str = "auto",
    tolerance: float | None = None,
    results: Sequence[Results] | None = None,
    weights: str | None = None,
) -> list[Scored]:
    """Score several designs against the same responses, which are read once for all of them.

    Parameters
    ----------
    grams : sequence of Gram
        Of as many rows.
    Y, cv, alphas, scoring, solver, tolerance
        As :func:`cv_scores`.
    results : sequence of Results, optional
        Where the scores of each design go; what is done there already is not done again.
        Default: memory.
    weights : {"primal", "dual"} or None
        What will be solved for once alphas are chosen. It counts in the choice of the solver,
        which may leave behind what that needs.

    Returns
    -------
    list of Scored
        One for each design.

    Raises
    ------
    AlignmentError, FitError
        As :func:`cv_scores`.

    Notes
    -----
    Where the memory does not hold what all designs and splits need at once, responses are read
    once for each group that it does hold.
    """
    penalties = check_alphas(alphas)
    for gram in grams[1:]:
        grams[0].samples.check_same(gram.samples)
    blocks, first = voxel_blocks(grams[0], Y), grams[0]
    splits = first.samples.splits(as_splits(cv, first.samples.n_trs))
    kept = [InMemory() for _ in grams] if results is None else list(results)
    shape = (len(penalties), blocks.n_voxels, len(splits))
    arrays = [one.array("cv_scores", shape=shape, dtype="float64", voxel_axis=1) for one in kept]
    work = Scoring.of(grams, blocks, splits, penalties, scoring, solver, tolerance, weights)
    for design, i, block, found in work.scores(kept):
        arrays[design][:, block, i] = found
    return [
        Scored(np.asarray(array[:]), name, flop)
        for array, name, flop in zip(
            arrays, [plan.solver for plan in work.plans], work.flops, strict=True
        )
    ]


@dataclass(frozen=True, eq=False)
class Scoring:
    """Scores of designs and splits, made a block of voxels at a time.

    Parameters
    ----------
    grams : sequence of Gram
    blocks : VoxelBlocks
    splits : list of (train_rows, validation_rows)
        Among the rows that count.
    alphas : array of shape (n_alphas,)
    score : callable
    tolerance : float
    plans : list of FitPlan
        For each design.
    flops : list of float
        Floating-point operations of the products made so far, for each design.
    """

    grams: Sequence[Gram]
    blocks: VoxelBlocks
    splits: Sequence[Split]
    alphas: Array
    score: Callable[..., Tensor]
    tolerance: float
    plans: list[FitPlan]
    flops: list[float]

    @classmethod
    def of(
        cls,
        grams: Sequence[Gram],
        blocks: VoxelBlocks,
        splits: Sequence[Split],
        alphas: Array,
        scoring: str,
        solver: str,
        tolerance: float | None,
        weights: str | None = None,
    ) -> Scoring:
        """Choose a solver for every design."""
        precision = default_tolerance(blocks.dtype_name) if tolerance is None else tolerance
        check_tolerance(precision)
        score, device = scoring_function(scoring), blocks.device
        room = grams[0].budget - sum(gram.held_bytes for gram in grams[1:])
        plans = [
            plan_fit(
                work_of(
                    (len(gram.X), gram.X.shape[1]),
                    blocks.n_voxels,
                    splits,
                    len(alphas),
                    tolerance=precision,
                    itemsize=gram.X.element_size(),
                    kind=device_kind(device),
                    weights=weights,
                    root=gram.samples.root,
                    only_errors=needs_only_errors(score),
                ),
                solver=solver,
                budget=room,
                n_weight_rows=0,
                device=device,
            )
            for gram in grams
        ]
        return cls(grams, blocks, splits, alphas, score, precision, plans, [0.0] * len(grams))

    def scores(self, results: Sequence[Results]) -> Iterator[tuple[int, int, slice, Array]]:
        """Yield design, split, voxels, and scores (n_alphas, n_block_voxels), float64.

        What has been taken is marked as done in the results of its design, and what is done
        there is left out.
        """
        room = self.grams[0].budget - sum(gram.held_bytes for gram in self.grams)
        states = [self.blocks.state_in(one) for one in results]
        multiple = math.lcm(*(one.block_multiple for one in results))
        for group in self._groups(self._todo(results), room):
            left = room - sum(job.path.n_bytes for job in group)
            per_voxel = max(plan.block_bytes // plan.block_voxels for plan in self.plans)
            width = block_width(per_voxel, left, self.blocks.device)
            todo = _left_to_do(group, results, self.blocks.slices(width, multiple))
            yield from self._scores_of(group, todo, states, results)

    def _scores_of(
        self,
        group: Sequence[_Job],
        todo: Sequence[slice],
        states: Sequence[Any],
        results: Sequence[Results],
    ) -> Iterator[tuple[int, int, slice, Array]]:
        """Score the blocks that a group lacks."""
        with one_torch_thread(self.blocks.device):
            for block, values in self.blocks.read(todo):
                for state in states:
                    state[block] = self.blocks.state[block]
                for job in group:
                    for i, found in self._block_scores(job, block, values):
                        yield job.design, i, block, found
                        results[job.design].mark_done(_stage(i), block.start, block.stop)

    def _block_scores(self, job: _Job, block: slice, values: Tensor) -> Iterator[tuple[int, Array]]:
        """Score one block of voxels, split by split."""
        undefined = self.blocks.undefined[block]
        for i, sums in zip(job.splits, job.moments(values), strict=True):
            found = self.score(sums).cpu().numpy()
            found[:, undefined] = np.nan
            yield i, found
        self.flops[job.design] += job.path.flop_per_voxel * len(undefined)

    def _todo(self, results: Sequence[Results]) -> list[_ToDo]:
        n_voxels = self.blocks.n_voxels
        return [
            _ToDo(design, some, plan.solver)
            for design, plan in enumerate(self.plans)
            for some in _together(plan.solver, len(self.splits))
            if not all(results[design].is_done(_stage(i), 0, n_voxels) for i in some)
        ]

    def _groups(self, todo: Sequence[_ToDo], room: int) -> Iterator[list[_Job]]:
        """Make as many paths as may be held at once; the next ones in the memory of these."""
        group: list[_Job] = []
        for one in todo:
            sizes = [job.path.n_bytes for job in group]
            # The next one is about as large as the largest so far.
            if group and sum(sizes) + max(sizes) > _SHARE_OF_PATHS * room:
                yield group
                group.clear()
            group.append(_Job(one.design, one.splits, self._path(one)))
        if group:
            yield group

    def _path(self, one: _ToDo) -> SplitPath | HoldoutPaths:
        gram = self.grams[one.design]
        rows = [
            (torch.from_numpy(train).to(gram.X.device), torch.from_numpy(held).to(gram.X.device))
            for train, held in (self.splits[i] for i in one.splits)
        ]
        if one.solver == "holdout":
            only_errors = needs_only_errors(self.score)
            return HoldoutPaths.of(gram, rows, self.alphas, self.tolerance, only_errors=only_errors)
        if one.solver == "cholesky":
            return SplitPath.by_cholesky(gram, *rows[0], self.alphas, self.tolerance)
        n_voxels = self.blocks.n_voxels
        return SplitPath.by_eigh(gram, *rows[0], self.alphas, self.tolerance, n_voxels)


def voxel_blocks(gram: Gram, Y: Any) -> VoxelBlocks:
    """Check responses against the rows of a design; pass on what has been checked."""
    if isinstance(Y, VoxelBlocks):
        return Y
    blocks = VoxelBlocks.of(Y, gram.X.dtype, gram.X.device, gram.samples)
    check_same_rows((gram.samples.n_trs, gram.X.shape[1]), blocks.Y.shape)
    return blocks


def check_same_rows(X_shape: tuple[int, ...], Y_shape: tuple[int, ...], name: str = "X") -> None:
    """Raise an AlignmentError that names both shapes if they differ in rows."""
    if X_shape[:1] != Y_shape[:1]:
        msg = (
            f"{name} has shape {X_shape} but Y has shape {Y_shape}; expected as many rows in both. "
            "Join features and responses on the TRs that they share."
        )
        raise AlignmentError(msg)


@dataclass(frozen=True, eq=False)
class _Job:
    """Sums of some splits of one design."""

    design: int
    splits: list[int]
    path: SplitPath | HoldoutPaths

    def moments(self, values: Tensor) -> Iterator[Moments | Errors]:
        if isinstance(self.path, HoldoutPaths):
            return self.path.moments(values)
        return iter([self.path.moments(values)])


@dataclass(frozen=True)
class _ToDo:
    """Splits of one design that one path serves."""

    design: int
    splits: list[int]
    solver: str


def _together(solver: str, n_splits: int) -> list[list[int]]:
    """Tell which splits share one path."""
    every = list(range(n_splits))
    return [every] if solver == "holdout" else [[i] for i in every]


def _stage(split: int) -> str:
    return f"scores of split {split}"


def _left_to_do(
    group: Sequence[_Job], results: Sequence[Results], blocks: Sequence[slice]
) -> list[slice]:
    """Blocks that some split of a group lacks."""
    return [
        block
        for block in blocks
        if not all(
            results[job.design].is_done(_stage(i), block.start, block.stop)
            for job in group
            for i in job.splits
        )
    ]
