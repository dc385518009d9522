"""Which way to the scores is cheapest, and what it will take: a row of a table per solver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from voxscale.arrays._linalg import at_once
from voxscale.errors import did_you_mean
from voxscale.fit._costs import RATES, Cost, triangle_flop, ways_to_inputs

__all__ = [
    "SOLVERS",
    "TRIANGLE_ROWS",
    "WeightsWork",
    "Work",
    "cheapest",
    "cheapest_way",
    "check_solver",
    "errors_pay",
    "residuals_size",
    "ways_to_weights",
]

# With any number of alphas: stretches cost about as much as so many products over the whole
# spectrum, their right sides at full precision as so many, and so many alphas tell of all others.
_STRETCHES = 3.3
_EXACT_STRETCHES = 4.5
_MOST_NODES = 22
_MOST_CURVES = 16
# Errors alone are told by more alphas, each by a triangle, multiplied so many rows at a time: what
# lies above the diagonal of these is wasted.
_MOST_ERRORS = 30
TRIANGLE_ROWS = 128
# Bytes for each number of a system while it is solved, and so many are solved at once.
_SOLVING = 48
# Of the weights of rows, below which float32 would not tell what the others do to a mean.
_LEAST_SHARE = 0.01
# Voxels of a tile, at least.
_TILE = 512
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
    least_share : float
        Of the weights of all rows, those of the training rows, in the split with the least.
    weights : {"primal", "dual"} or None
        What is made once alphas are chosen: it may use what a solver leaves behind.
    only_errors : bool
        Scores ask for squared errors alone.
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
    least_share: float = 1.0
    weights: str | None = "primal"
    only_errors: bool = False

    @property
    def rank(self) -> int:
        """Most directions that all rows have."""
        return min(self.n_trs, self.n_features)

    @property
    def is_well_posed(self) -> bool:
        """Training rows determine features well, or rows are fewer than features.

        Between the two, the systems of rows left out of the primal form are all but singular;
        so are those of rows that have nearly all of the weight.
        """
        if self.least_share < _LEAST_SHARE:
            return False
        least = min((n_train for n_train, _ in self.parts), default=0)
        return self.n_trs <= self.n_features or least > _SPARE * self.n_features

    def few(self, most: int) -> int:
        """Count alphas, or as few as tell of all."""
        return self.n_alphas if self.is_exact else min(self.n_alphas, most)

    @property
    def stretches(self) -> float:
        """Products over the whole spectrum that its stretches cost."""
        return self.n_alphas if self.is_exact else min(self.n_alphas, _STRETCHES)

    @property
    def rates(self) -> dict[str, float]:
        """Costs of the steps on this device."""
        return RATES[self.kind]


def _split_cost(work: Work) -> Cost:
    """Decompose every split's training rows, and add the rows of the last for the weights.

    In the primal form the training rows are projected, or few voxels go by way of the features.
    """
    weights = _weights_cost(work, work.parts[-1][0] if work.parts else 0)
    rates, flop, held = work.rates, weights.flop, float(weights.held_bytes)
    for n_train, n_validation in work.parts:
        rank, inputs = min(n_train, work.n_features), _inputs_cost(work, n_train)
        flop += rates["eigh"] * rank**3 + 2 * rates["product64"] * n_validation * rank**2
        flop += _columns_flop(work, n_train) + inputs.flop
        flop += _predictions_flop(work, n_train, n_validation)
        rows = n_validation * rank * (16 + work.stretches * work.itemsize)
        held = max(held, inputs.held_bytes + rows + 4 * 8 * rank**2)
    return Cost(flop, int(held))


def _inputs_cost(work: Work, n_train: int) -> Cost:
    """Cost of what the training responses of one split are multiplied with, and of doing so."""
    if n_train <= work.n_features:
        return Cost(2.0 * work.n_voxels * n_train**2, n_train**2 * (8 + work.itemsize))
    ways = ways_to_inputs(n_train, work.n_features, work.n_voxels, work.itemsize, work.kind)
    return min(ways.values(), key=lambda cost: cost.flop)


def _predictions_flop(work: Work, n_train: int, n_validation: int) -> float:
    """Predictions of one split and their sums: of a triangle, in the primal form, if cheaper."""
    rank, per_row = min(n_train, work.n_features), 2 * work.n_voxels * work.stretches
    plain = per_row * n_validation * rank + _sums_flop(work, n_validation)
    if n_train <= work.n_features or n_validation <= rank:
        return plain
    made = triangle_flop(n_validation, rank, work.kind) + 2.0 * work.n_voxels * n_validation * rank
    return min(plain, made + per_row * rank**2 + _sums_flop(work, rank))


def _columns_flop(work: Work, n_train: int) -> float:
    """Products of the columns of one split's training rows, in the primal form."""
    if n_train <= work.n_features:
        return 0.0
    n_rows = min(n_train, work.n_trs - n_train)  # the others are taken from all
    return work.rates["product64"] * n_rows * float(work.n_features) ** 2


def _cholesky_cost(work: Work) -> Cost:
    """Factor every split's training rows at some alphas."""
    weights = _weights_cost(work)
    rates, flop, held = work.rates, weights.flop, float(weights.held_bytes)
    n_nodes = work.few(_MOST_NODES)
    for n_train, n_validation in work.parts:
        rank = min(n_train, work.n_features)
        solved = rates["cholesky"] * rank**3 + 2 * rates["product64"] * n_validation * rank**2
        flop += n_nodes * (solved + 2 * work.n_voxels * n_validation * rank)
        flop += _columns_flop(work, n_train)
        if rank < n_train:
            flop += 2 * work.n_voxels * n_train * rank
        flop += _sums_flop(work, n_validation)
        rows = n_nodes * n_validation * rank * (16 + work.itemsize)
        held = max(held, rows + 3 * 8 * rank**2 + n_train * rank * work.itemsize)
    return Cost(flop, int(held))


def _holdout_cost(work: Work) -> Cost:
    """Decompose all rows once; a small system for each split and node."""
    weights = _weights_cost(work, work.n_trs)
    rates, flop = work.rates, weights.flop + work.rates["eigh"] * work.rank**3
    sizes = [(n_validation, work.n_trs - n_train) for n_train, n_validation in work.parts]
    n_nodes, n_errors, n_left_out = work.few(_MOST_NODES), work.few(_MOST_ERRORS), work.n_left_out
    by_errors = work.only_errors and errors_pay(
        sizes, n_errors, n_nodes, n_curves=work.few(_MOST_CURVES)
    )
    n_nodes = n_errors if by_errors else n_nodes
    stretches = work.n_alphas if work.is_exact else min(work.n_alphas, _EXACT_STRETCHES)
    flop += n_nodes * rates["product64"] * n_left_out**2 * work.rank
    flop += 2 * work.n_voxels * work.rank * (work.n_trs + stretches * n_left_out)
    if work.n_trs > work.n_features:
        flop += 2 * rates["product64"] * work.n_trs * work.rank**2
    held = float(work.n_trs * work.rank * (8 + work.itemsize))
    held += stretches * n_left_out * work.rank * work.itemsize
    for n_validation, left_out in sizes:
        system = residuals_size(n_validation, left_out) if by_errors else n_validation * left_out
        if by_errors:
            flop += n_nodes * rates["sum"] / 2 * n_validation * work.n_voxels
        else:
            flop += _sums_flop(work, n_validation)
        flop += n_nodes * (rates["inverse"] * left_out**3 + 2 * work.n_voxels * system)
        held += n_nodes * system * work.itemsize
    most = max((left_out for _, left_out in sizes), default=0)
    # What a node is solved in, and then what a tile of voxels is worked on in.
    solving = 8 * n_left_out * (work.rank + 2 * n_left_out) + at_once(most) * _SOLVING * most**2
    held += max(solving, _TILE * work.itemsize * n_nodes * (n_left_out + 2 * most))
    return Cost(flop, int(max(held, weights.held_bytes)))


def residuals_size(n_validation: int, n_left_out: int) -> int:
    """Count the numbers by which the errors of a split are told at a node."""
    if n_validation < n_left_out:
        return n_validation * n_left_out
    n_bands, rest = divmod(n_left_out, TRIANGLE_ROWS)
    return TRIANGLE_ROWS**2 * n_bands * (n_bands + 1) // 2 + rest * n_left_out


def errors_pay(
    sizes: Sequence[tuple[int, int]], n_errors: int, n_predictions: int, *, n_curves: int
) -> bool:
    """Tell whether errors take fewer multiplications than predictions and their sums.

    Parameters
    ----------
    sizes : sequence of (n_validation, n_left_out)
        Of every split.
    n_errors, n_predictions : int
        Alphas at which systems would be solved.
    n_curves : int
        Alphas at which predictions would be summed.
    """
    errors = n_errors * sum(residuals_size(*size) for size in sizes)
    mixed = n_curves if n_curves > n_predictions else 0
    predictions = n_predictions * sum(
        n_validation * (n_left_out + mixed) for n_validation, n_left_out in sizes
    )
    return errors <= predictions


@dataclass(frozen=True)
class WeightsWork:
    """What there is to do for weights on all rows.

    Parameters
    ----------
    n_trs, n_features, n_voxels : int
    n_alphas : int
        Different ones among the voxels.
    itemsize : int
        Bytes of a number of the dtype.
    device : str
        Its kind, as in :class:`Work`.
    kind : {"primal", "dual"}
    n_known : int
        Rows whose decomposition is at hand.
    """

    n_trs: int
    n_features: int
    n_voxels: int
    n_alphas: int
    itemsize: int
    device: str
    kind: str
    n_known: int

    @property
    def is_collapsed(self) -> bool:
        """Voxels are so many that what leads back to features is multiplied out before."""
        is_dual_form = self.n_trs <= self.n_features
        return is_dual_form and self.kind == "primal" and self.n_voxels > self.n_features

    @property
    def is_known(self) -> bool:
        """All rows are decomposed already."""
        return self.n_known == self.n_trs


def ways_to_weights(work: WeightsWork) -> dict[str, Cost]:
    """Give the cost of every way that there is, products that all of them make left out.

    "rotated" decomposes all rows, or in the primal form their columns alone where voxels are few;
    "factored" inverts a matrix for each alpha; "bordered" adds rows to those whose decomposition
    is known, which takes a smaller inverse for each alpha.
    """
    rates, rank = RATES[work.device], min(work.n_trs, work.n_features)
    is_dual_form = work.n_trs <= work.n_features
    ways = {"rotated": _dual_rotated_cost(work) if is_dual_form else _primal_rotated_cost(work)}
    inverse = rates["inverse"] * rank**3
    if work.n_trs <= work.n_features or work.kind == "primal":
        products = 2.0 * rank * (rank + (work.n_trs > work.n_features) * work.n_trs)
        ways["factored"] = Cost(
            work.n_alphas * inverse + products * work.n_voxels,
            (work.n_alphas * work.itemsize + 24) * rank**2,
        )
    if 0 < work.n_known < work.n_trs <= work.n_features:
        ways["bordered"] = _bordered_cost(work, work.n_known, work.n_trs - work.n_known)
    return ways


def _dual_rotated_cost(work: WeightsWork) -> Cost:
    rates, n_trs = RATES[work.device], work.n_trs
    # Rotated, and back; the way back and X in one where voxels are many.
    n_products, once = (2.0, 2.0 * work.n_features * n_trs**2) if work.is_collapsed else (4.0, 0.0)
    return Cost(
        (not work.is_known) * rates["eigh"] * n_trs**3
        + once
        + n_products * n_trs**2 * work.n_voxels,
        (not work.is_known) * 32 * n_trs**2
        + work.itemsize * (n_trs**2 + work.is_collapsed * work.n_features * n_trs),
    )


def _primal_rotated_cost(work: WeightsWork) -> Cost:
    rates, n_features = RATES[work.device], work.n_features
    n_coef = n_features if work.kind == "primal" else work.n_trs
    back = 2.0 * work.n_voxels * n_features * n_coef
    oblong = work.n_trs * n_features
    if work.is_known:
        return Cost(2.0 * work.n_voxels * oblong + back, work.itemsize * oblong)
    ways = ways_to_inputs(work.n_trs, n_features, work.n_voxels, work.itemsize, work.device)
    # Dual coefficients are made of what "matrix" projects.
    some = [ways["matrix"]] if work.kind == "dual" else ways.values()
    inputs = min(some, key=lambda cost: cost.flop)
    return Cost(
        rates["eigh"] * n_features**3 + inputs.flop + back, 24 * n_features**2 + inputs.held_bytes
    )


def _bordered_cost(work: WeightsWork, n_known: int, n_others: int) -> Cost:
    rates = RATES[work.device]
    system = rates["product64"] * n_others**2 * n_known + rates["inverse"] * n_others**3
    across = 2.0 * n_others * n_known
    n_products, once = (
        (2.0, 2.0 * work.n_features * n_known**2) if work.is_collapsed else (4.0, 0.0)
    )
    products = n_products * n_known**2 + 2 * across + 2.0 * n_others**2
    held = 8 * (n_known**2 + 2 * n_known * n_others + 3 * n_others**2)
    kept = n_known**2 + n_known * n_others + work.n_alphas * n_others**2
    # X of either rows and what it is multiplied with, and both side by side.
    kept += work.is_collapsed * 3 * work.n_features * work.n_trs
    once += rates["product64"] * across * n_known
    return Cost(
        once + work.n_alphas * system + products * work.n_voxels, held + work.itemsize * kept
    )


def cheapest_way(work: WeightsWork, available: int, among: Sequence[str] | None = None) -> str:
    """Choose the way to the weights that takes the least time among those that fit the memory.

    Where none fits, the one that needs the least.
    """
    ways = ways_to_weights(work)
    ways = {name: ways[name] for name in ways if among is None or name in among}
    fitting = [name for name, cost in ways.items() if cost.held_bytes <= available]
    if not fitting:
        return min(ways, key=lambda name: ways[name].held_bytes)
    return min(fitting, key=lambda name: ways[name].flop)


def _weights_cost(work: Work, n_known: int = 0) -> Cost:
    """Cost of weights by the cheapest way, the same products for all ways included."""
    if work.weights is None:
        return Cost(0.0, 0)
    weights = WeightsWork(
        work.n_trs,
        work.n_features,
        work.n_voxels,
        work.n_alphas,
        work.itemsize,
        work.kind,
        work.weights,
        n_known,
    )
    return min(ways_to_weights(weights).values(), key=lambda cost: cost.flop)


def _sums_flop(work: Work, n_validation: int) -> float:
    mixed = 2 * work.few(_MOST_CURVES) * _MOST_NODES + work.rates["sum"] * work.few(_MOST_CURVES)
    return float(mixed * n_validation * work.n_voxels)


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
