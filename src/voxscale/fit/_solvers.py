"""Which way to the scores is cheapest, and what it will take: a row of a table per solver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from voxscale.errors import did_you_mean

__all__ = ["SOLVERS", "Cost", "Work", "cheapest", "check_solver"]

# Floating-point operations that a step takes, in units of those of a float32 product: measured as
# time, so that slow steps count for more. Per n³, n² · m, or number, as the formulas below say.
_RATES = {
    "cpu": {"product64": 2.0, "eigh": 20.0, "cholesky": 1.0, "inverse": 6.0, "sum": 12.0},
    "cuda": {"product64": 1.5, "eigh": 150.0, "cholesky": 2.0, "inverse": 8.0, "sum": 40.0},
    # Where the device decomposes wrongly or too slowly, the CPU does; products wait for it.
    "cuda, eigh on cpu": {
        "product64": 1.5,
        "eigh": 3000.0,
        "cholesky": 2.0,
        "inverse": 8.0,
        "sum": 40.0,
    },
}
# With any number of alphas: stretches cost about as much as so many products over the whole
# spectrum, their right sides at full precision as so many, and so many alphas tell of all others.
_STRETCHES = 3.3
_EXACT_STRETCHES = 4.5
_MOST_NODES = 13
_MOST_CURVES = 16
# Training rows for each feature from which on many solvers are safe.
_SPARE = 1.25


@dataclass(frozen=True)
class Work:
    """What there is to do.

    Parameters
    ----------
    n_trs, n_features, n_voxels, n_alphas : int
    parts : tuple of (n_train, n_validation)
        Sizes of every split.
    n_left_out : int
        Rows that some split leaves out.
    itemsize : int
        Bytes of a number of the dtype.
    is_exact : bool
        The tolerance is 0: every alpha is computed by itself.
    kind : str
        Of the device: "cpu", "cuda", or "cuda, eigh on cpu".
    """

    n_trs: int
    n_features: int
    n_voxels: int
    n_alphas: int
    parts: tuple[tuple[int, int], ...]
    n_left_out: int
    itemsize: int
    is_exact: bool
    kind: str

    @property
    def rank(self) -> int:
        """Most directions that all rows have."""
        return min(self.n_trs, self.n_features)

    @property
    def is_well_posed(self) -> bool:
        """Training rows determine features well, or rows are fewer than features.

        Between the two, the systems of rows left out of the primal form are all but singular.
        """
        least = min((n_train for n_train, _ in self.parts), default=0)
        return self.n_trs <= self.n_features or least > _SPARE * self.n_features

    def few(self, most: int) -> int:
        """Count alphas, or as few as tell of all."""
        return self.n_alphas if self.is_exact else min(self.n_alphas, most)

    @property
    def rates(self) -> dict[str, float]:
        """Costs of the steps on this device."""
        return _RATES[self.kind]


@dataclass(frozen=True)
class Cost:
    """What a solver takes.

    Parameters
    ----------
    flop : float
        Floating-point operations until scores and weights are there, slow ones weighted.
    held_bytes : int
        Largest memory at once beside X, its Gram matrix and the responses, splits one by one
        where the solver allows that.
    """

    flop: float
    held_bytes: int


def _split_cost(work: Work) -> Cost:
    """Decompose every split's training rows, then all rows."""
    rates, flop, held = work.rates, _weights_flop(work), 0.0
    stretches = work.n_alphas if work.is_exact else min(work.n_alphas, _STRETCHES)
    for n_train, n_validation in work.parts:
        rank = min(n_train, work.n_features)
        flop += rates["eigh"] * rank**3 + 2 * rates["product64"] * n_validation * rank**2
        flop += 2 * work.n_voxels * rank * (n_train + stretches * n_validation)
        flop += _sums_flop(work, n_validation)
        left = n_train * rank * (8 + work.itemsize)
        rows = n_validation * rank * (16 + stretches * work.itemsize)
        held = max(held, left + rows + 4 * 8 * rank**2)
    held = max(held, _whole_bytes(work))
    return Cost(flop, int(held))


def _cholesky_cost(work: Work) -> Cost:
    """Factor every split's training rows at some alphas, then decompose all rows."""
    rates, flop, held = work.rates, _weights_flop(work), 0.0
    n_nodes = work.few(_MOST_NODES)
    for n_train, n_validation in work.parts:
        rank = min(n_train, work.n_features)
        solved = rates["cholesky"] * rank**3 + 2 * rates["product64"] * n_validation * rank**2
        flop += n_nodes * (solved + 2 * work.n_voxels * n_validation * rank)
        if rank < n_train:
            flop += 2 * work.n_voxels * n_train * rank
        flop += _sums_flop(work, n_validation)
        rows = n_nodes * n_validation * rank * (16 + work.itemsize)
        held = max(held, rows + 3 * 8 * rank**2 + n_train * rank * work.itemsize)
    return Cost(flop, int(max(held, _whole_bytes(work))))


def _holdout_cost(work: Work) -> Cost:
    """Decompose all rows once; a small system for each split and node."""
    rates, flop = work.rates, _weights_flop(work)
    n_nodes, n_left_out = work.few(_MOST_NODES), work.n_left_out
    stretches = work.n_alphas if work.is_exact else min(work.n_alphas, _EXACT_STRETCHES)
    flop += n_nodes * rates["product64"] * n_left_out**2 * work.rank
    flop += 2 * work.n_voxels * work.rank * (work.n_trs + stretches * n_left_out)
    held: float = work.n_trs * work.rank * (8 + work.itemsize) + 16 * n_left_out**2
    held += stretches * n_left_out * work.rank * work.itemsize
    for n_train, n_validation in work.parts:
        left_out = work.n_trs - n_train
        flop += n_nodes * (
            rates["inverse"] * left_out**3 + 2 * work.n_voxels * n_validation * left_out
        )
        flop += _sums_flop(work, n_validation)
        held += n_nodes * n_validation * left_out * work.itemsize
    return Cost(flop, int(max(held, _whole_bytes(work))))


def _weights_flop(work: Work) -> float:
    """Decomposition of all rows, and weights: the same for all solvers."""
    projected = 2.0 * work.n_trs * work.rank * work.n_voxels
    return work.rates["eigh"] * work.rank**3 + 2 * projected


def _sums_flop(work: Work, n_validation: int) -> float:
    mixed = 2 * work.few(_MOST_CURVES) * _MOST_NODES + work.rates["sum"] * work.few(_MOST_CURVES)
    return float(mixed * n_validation * work.n_voxels)


def _whole_bytes(work: Work) -> float:
    """Decomposition of all rows with its workspace."""
    return 3.0 * 8 * work.rank**2 + work.n_trs * work.rank * (8 + work.itemsize)


SOLVERS: dict[str, Callable[[Work], Cost]] = {
    "cholesky": _cholesky_cost,
    "holdout": _holdout_cost,
    "split": _split_cost,
}


def check_solver(name: str) -> str:
    """Return the name of a solver, or "auto".

    Raises
    ------
    ValueError
        If no solver has that name; the message lists those that exist.

    Examples
    --------
    >>> check_solver("auto")
    'auto'
    """
    if name != "auto" and name not in SOLVERS:
        hint = did_you_mean(str(name), ["auto", *SOLVERS])
        msg = f"solver {name!r} is unknown; choose one of auto, {', '.join(SOLVERS)}{hint}."
        raise ValueError(msg)
    return name


def cheapest(work: Work, available: int, among: Sequence[str] = tuple(SOLVERS)) -> str:
    """Choose the solver that takes the least time among those that fit the memory.

    Parameters
    ----------
    work : Work
    available : int
        Bytes beside X and its Gram matrix. Where none fits, the one that needs the least.
    among : sequence of str

    Examples
    --------
    >>> few = Work(3000, 8192, 60_000, 15, ((2250, 750),) * 3, 1700, 4, False, "cpu")
    >>> many = Work(3000, 8192, 60_000, 15, ((2900, 100),) * 30, 3000, 4, False, "cpu")
    >>> cheapest(few, 2**34), cheapest(many, 2**34)
    ('split', 'holdout')
    """
    usable = [name for name in among if name != "holdout" or work.is_well_posed]
    costs = {name: SOLVERS[name](work) for name in usable}
    fitting = {name: cost for name, cost in costs.items() if cost.held_bytes <= available}
    if not fitting:
        return min(costs, key=lambda name: costs[name].held_bytes)
    return min(fitting, key=lambda name: fitting[name].flop)
