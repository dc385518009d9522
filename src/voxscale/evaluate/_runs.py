"""Which rows belong to which run."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index

import numpy as np

from voxscale.errors import AlignmentError

__all__ = ["checked_lengths", "run_rows"]


def checked_lengths(run_lengths: Sequence[int]) -> list[int]:
    """Return lengths of runs as whole numbers.

    Raises
    ------
    ValueError
        If there is no run, or one without a TR.
    TypeError
        If a length is no whole number.
    """
    if isinstance(run_lengths, str) or not np.iterable(run_lengths):
        msg = f"run_lengths is {run_lengths!r}; expected a sequence, such as [290, 310]."
        raise TypeError(msg)
    lengths = [index(length) for length in run_lengths]
    if not lengths or min(lengths) < 1:
        msg = f"run_lengths are {lengths}; expected one positive number of TRs per run."
        raise ValueError(msg)
    return lengths


def run_rows(run_lengths: Sequence[int], n_trs: int) -> list[slice]:
    """Return the rows of each run.

    Raises
    ------
    AlignmentError
        If the lengths do not add up to the rows.
    ValueError, TypeError
        As :func:`checked_lengths`.
    """
    lengths = checked_lengths(run_lengths)
    if sum(lengths) != n_trs:
        msg = (
            f"run_lengths are {lengths}, {sum(lengths)} TRs in all, but Y has {n_trs}; expected "
            "one positive length per run, in the order of the rows."
        )
        raise AlignmentError(msg)
    ends = np.cumsum(lengths).tolist()
    return [slice(end - length, end) for length, end in zip(lengths, ends, strict=True)]
