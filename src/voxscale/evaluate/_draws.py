"""How many permutations there are, which of them are drawn, and what they can show."""

from __future__ import annotations

import math
import warnings
from operator import index

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import VoxscaleWarning

__all__ = ["COUNTABLE", "TIE", "checked_rank", "draw_codes", "positive"]

# Correlations closer than this are ties: sums and Fourier transforms round at 1e-16 per term.
TIE = 1e-10

# Beyond this many rearrangements, drawing the same one twice is out of the question.
COUNTABLE = 2**62


def positive(n_permutations: int) -> int:
    """Check that something is drawn."""
    if index(n_permutations) < 1:
        msg = f"n_permutations is {n_permutations}; expected at least 1."
        raise ValueError(msg)
    return index(n_permutations)


def draw_codes(
    n_possible: int,
    n_permutations: int,
    rng: np.random.Generator,
    what: str,
    *,
    n_certain: int = 1,
    remedy: str = "",
) -> Array | None:
    """Draw different numbers below ``n_possible``, all where there are no more than asked for.

    None where there are too many to count: then any two draws differ. ``n_certain`` permutations,
    none at all included, reach the observed score whatever it is. ``remedy`` says where more come
    from, as the warning ends.
    """
    if n_possible >= COUNTABLE:
        return None
    if n_possible < n_permutations:
        msg = (
            f"only {n_possible} different {what}, fewer than n_permutations={n_permutations}; each "
            f"is used once, and no p-value can be below {n_certain / (n_possible + 1):.2g}"
            f"{remedy and '; '}{remedy}."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=4)
    # Without replacement: what is drawn again adds to the count but is no new evidence.
    size = min(n_permutations, n_possible)
    return np.asarray(rng.choice(n_possible, size=size, replace=False))


def checked_rank(p: float, n_permutations: int) -> int:
    """Count the permutations that may reach a score whose p-value is at most ``p``."""
    if not 0 < p < 1:
        msg = f"p is {p}; expected a probability between 0 and 1, such as 0.05."
        raise ValueError(msg)
    # 0.29 * 100 must count as 29.
    rank = math.floor(p * (n_permutations + 1) + 1e-9)
    if rank < 1:
        msg = (
            f"p is {p}, but {n_permutations} permutations show nothing below "
            f"{1 / (n_permutations + 1):.2g}; use more permutations."
        )
        raise ValueError(msg)
    return rank
