"""How much a file may take: bytes unpacked, bytes held, steps."""

from __future__ import annotations

from dataclasses import dataclass

from voxscale.arrays._memory import host_bytes
from voxscale.data._released._values import refuse

__all__ = ["Budget", "limits_of"]

_GIB = 2**30
_LEAST_UNPACKED = _GIB
_UNPACKED_RATIO = 100  # numbers that were measured shrink to a half, and repeated ones to a tenth
_HELD_SHARE = 0.5  # of the memory that is free
_MOST_PASSING = 4 * _GIB  # for what is no array, where arrays are passed over
_MOST_STEPS = 100_000_000
_STEP_BYTES = 120  # held for one step of a pickle: a small object, and its place in the memo


@dataclass
class Budget:
    """What may still be unpacked and held, counted as a file is read.

    Parameters
    ----------
    unpacked, held : int
        Bytes.
    """

    unpacked: int
    held: int
    taken: int = 0
    n_steps: int = 0

    def steps(self) -> int:
        """Return how many steps of the pickle may be made, with what is held."""
        return min(_MOST_STEPS, max(0, self.held - self.taken) // _STEP_BYTES)

    def take(self, n_bytes: int) -> None:
        """Count bytes that will be held; raises before there are too many."""
        self.taken += n_bytes
        if self.taken > self.held:
            what = f"{self.taken / _GIB:.3g} GiB would have to be held"
            refuse(what, *self.remedy(self.held, "to be held"))

    def remedy(self, limit: int, use: str) -> tuple[str, str]:
        """Return what was expected, and what to do about it."""
        return (
            f"at most {limit / _GIB:.3g} GiB {use}",
            "raise max_gib if you trust where the file comes from, or convert it, which streams",
        )


def limits_of(n_bytes: int, max_gib: float | None, *, is_held: bool) -> Budget:
    """Choose the limits for a file.

    Parameters
    ----------
    n_bytes : int
        Size of the file.
    max_gib : float or None
        Most to be unpacked and, where arrays are held, most to be held.
    is_held : bool
        Arrays are kept in memory.

    Raises
    ------
    ValueError
        If ``max_gib`` is not above 0.
    """
    free = int(_HELD_SHARE * host_bytes())
    free = free if is_held else min(free, _MOST_PASSING)
    if max_gib is None:
        return Budget(max(_LEAST_UNPACKED, _UNPACKED_RATIO * n_bytes), free)
    if not 0 < max_gib < float("inf"):
        msg = f"max_gib is {max_gib}; expected GiB above 0."
        raise ValueError(msg)
    most = int(max_gib * _GIB)
    return Budget(most, most if is_held else min(most, free))
