"""What steps of a fit cost: measured rates, and both ways from responses to inputs."""

from __future__ import annotations

from dataclasses import dataclass

from voxscale.fit._design import converted_bytes

__all__ = ["RATES", "Cost", "pays_by_features", "triangle_flop", "ways_to_inputs"]

# Floating-point operations that a step takes, in units of those of a float32 product: measured as
# time, so that slow steps count for more. Per n³, n² · m, or number, as the formulas below say.
RATES = {
    "cpu": {
        "product64": 2.0,
        "eigh": 17.0,
        "triangle": 9.0,
        "cholesky": 1.0,
        "inverse": 6.0,
        "sum": 12.0,
    },
    "cuda": {
        "product64": 1.5,
        "eigh": 150.0,
        "triangle": 9.0,
        "cholesky": 2.0,
        "inverse": 8.0,
        "sum": 40.0,
    },
    # Where the device decomposes wrongly or too slowly, the CPU does; products wait for it.
    "cuda, eigh on cpu": {
        "product64": 1.5,
        "eigh": 3000.0,
        "triangle": 9.0,
        "cholesky": 2.0,
        "inverse": 8.0,
        "sum": 40.0,
    },
}


@dataclass(frozen=True)
class Cost:
    """What a solver, or a way, takes.

    Parameters
    ----------
    flop : float
        Floating-point operations until scores and weights are there, slow ones weighted. Products
        that all solvers make are left out.
    held_bytes : int
        Largest memory at once beside X, its Gram matrix and the responses, splits one by one
        where the solver allows that.
    """

    flop: float
    held_bytes: int


def triangle_flop(n_rows: int, rank: int, device: str) -> float:
    """Cost of orthonormal rows and a triangle in place of rows (n_rows, rank), float64."""
    return RATES[device]["triangle"] * n_rows * float(rank) ** 2


def ways_to_inputs(
    n_train: int, n_features: int, n_voxels: int, itemsize: int, device: str
) -> dict[str, Cost]:
    """Give the cost of both ways from training responses to inputs ``Uᵀ Y``, in the primal form.

    "matrix" projects the training rows to ``U``, float64, which serves all voxels; "features"
    multiplies responses with these rows and then with ``V / S``, both float64: cheaper for few.
    """
    product64 = RATES[device]["product64"]
    projected = 2.0 * product64 * n_train * n_features**2
    both = 2.0 * product64 * n_features * (n_train + n_features)
    return {
        "matrix": Cost(
            projected + 2.0 * n_voxels * n_train * n_features,
            n_train * n_features * (8 + itemsize),
        ),
        "features": Cost(
            both * n_voxels, 8 * n_features**2 + converted_bytes(n_train, n_features, itemsize)
        ),
    }


def pays_by_features(n_train: int, n_features: int, n_voxels: int, device: str) -> bool:
    """Tell whether so many voxels go by way of the features; in the primal form alone."""
    if n_train <= n_features:
        return False
    ways = ways_to_inputs(n_train, n_features, n_voxels, 4, device)
    return ways["features"].flop < ways["matrix"].flop
