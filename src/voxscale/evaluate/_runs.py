"""Runs that lie one after another in the rows, and blocks of TRs within them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from operator import index

import numpy as np

from voxscale.errors import AlignmentError

__all__ = ["as_lengths", "block_rows", "checked_block", "checked_lengths", "run_rows"]


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


def as_lengths(run_lengths: Sequence[int] | None, n_trs: int) -> tuple[int, ...]:
    """Check that runs make up the rows; by default these are one run."""
    lengths = (n_trs,) if run_lengths is None else tuple(index(length) for length in run_lengths)
    if sum(lengths) != n_trs or min(lengths, default=0) < 1:
        msg = (
            f"run_lengths are {list(lengths)}, {sum(lengths)} TRs in all, but Y has {n_trs}; "
            "expected one positive length per run, in the order of the rows."
        )
        raise AlignmentError(msg)
    return lengths


def run_rows(run_lengths: Sequence[int], n_trs: int | None = None) -> list[slice]:
    """Return the rows of each run.

    Raises
    ------
    AlignmentError
        If the lengths do not add up to ``n_trs``, where that is given.
    ValueError, TypeError
        As :func:`checked_lengths`.
    """
    lengths = checked_lengths(run_lengths)
    if n_trs is not None:
        as_lengths(lengths, n_trs)
    stops = np.cumsum(lengths).tolist()
    return [slice(stop - length, stop) for stop, length in zip(stops, lengths, strict=True)]


def checked_block(block_trs: int, lengths: Sequence[int], n_least: int) -> int:
    """Check that every run holds at least so many whole blocks."""
    if index(block_trs) < 1:
        msg = f"block_trs is {block_trs}; expected at least 1 TR."
        raise ValueError(msg)
    if min(lengths) < n_least * block_trs:
        msg = (
            f"a run of {min(lengths)} TRs is too short for blocks of {block_trs} TRs; expected "
            f"runs of at least {n_least * block_trs} TRs: lower block_trs, or leave the run out."
        )
        raise ValueError(msg)
    return index(block_trs)


def block_rows(lengths: Sequence[int], block_trs: int) -> list[slice]:
    """Cut each run into as many equal blocks as hold ``block_trs`` TRs or more.

    Lengths within a run differ by one TR at most.
    """
    blocks = []
    for run in run_rows(lengths):
        n_trs = run.stop - run.start
        n_blocks = n_trs // block_trs
        edges = run.start + np.arange(n_blocks + 1) * n_trs // n_blocks
        blocks += [slice(int(a), int(b)) for a, b in itertools.pairwise(edges)]
    return blocks
