"""Which TRs train and which validate: contiguous blocks, because neighbouring TRs are alike."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import FitError

__all__ = ["Split", "as_lengths", "as_splits", "chunk_holdout", "contiguous_folds", "leave_run_out"]

Split = tuple[Array, Array]

_N_FOLDS = 5


def chunk_holdout(
    n_trs: int,
    *,
    chunk_len: int,
    n_chunks: int,
    n_repeats: int,
    seed: int | np.random.Generator,
    run_lengths: Sequence[int] | None = None,
    gap: int = 0,
) -> list[Split]:
    """Hold out random contiguous chunks of TRs, several times.

    Delayed features and slow responses make neighbouring TRs alike: without a ``gap``
    of at least the longest delay, the rows beside a chunk tell about the chunk.

    Parameters
    ----------
    n_trs : int
        Rows of the design matrix.
    chunk_len : int, in TRs
    n_chunks : int
        Chunks held out in each repeat, drawn without replacement.
    n_repeats : int
    seed : int or numpy.random.Generator
    run_lengths : sequence of int, in TRs, optional
        Rows of each run, in the order in which the runs are stacked. No chunk crosses
        from one run into the next. Default: a single run.
    gap : int, in TRs
        Rows of the same run that are this close to a chunk are in neither part.

    Returns
    -------
    list of (train_rows, validation_rows)
        One pair a repeat; sorted row numbers.

    Raises
    ------
    ValueError
        If the runs hold fewer than ``n_chunks`` whole chunks, ``run_lengths`` do not add
        up to ``n_trs``, or nothing is left to train on.

    Notes
    -----
    Each run is cut into as many whole chunks as fit. Where the run's length is no multiple
    of ``chunk_len``, the grid of chunks starts at a random row in every repeat, so that
    the last rows of a run are held out as well as the first.

    Examples
    --------
    >>> splits = chunk_holdout(12, chunk_len=3, n_chunks=1, n_repeats=2, seed=0, gap=1)
    >>> [validation.tolist() for _, validation in splits]
    [[6, 7, 8], [9, 10, 11]]
    >>> splits[0][0].tolist()
    [0, 1, 2, 3, 4, 10, 11]
    """
    n_trs = _count("n_trs", n_trs, 1)
    chunk_len = _count("chunk_len", chunk_len, 1)
    n_chunks = _count("n_chunks", n_chunks, 1)
    n_repeats = _count("n_repeats", n_repeats, 1)
    gap = _count("gap", gap, 0)
    if seed is None:
        msg = "seed is None; give an int, so that the same splits can be drawn again."
        raise ValueError(msg)
    lengths = [n_trs] if run_lengths is None else as_lengths(run_lengths)
    if sum(lengths) != n_trs:
        msg = f"run_lengths add up to {sum(lengths)} TRs; expected n_trs = {n_trs}."
        raise ValueError(msg)
    n_fitting = sum(length // chunk_len for length in lengths)
    if n_chunks > n_fitting:
        msg = (
            f"n_chunks is {n_chunks}, but only {n_fitting} chunks of {chunk_len} TRs fit into "
            f"{len(lengths)} run(s) of {n_trs} TRs together; use fewer or shorter chunks."
        )
        raise ValueError(msg)
    rng = np.random.default_rng(seed)
    return [_hold_out_once(rng, lengths, chunk_len, n_chunks, gap) for _ in range(n_repeats)]


def leave_run_out(run_lengths: Sequence[int], *, gap: int = 0) -> list[Split]:
    """Hold out one whole run at a time.

    Parameters
    ----------
    run_lengths : sequence of int, in TRs
        Rows of each run, in the order in which the runs are stacked.
    gap : int, in TRs
        Rows before and after the run that are in neither part. Only of use where the runs
        were cut from one recording: separate scans are not neighbours in time.

    Returns
    -------
    list of (train_rows, validation_rows)
        One pair a run; sorted row numbers.

    Raises
    ------
    ValueError
        If there are fewer than two runs, or nothing is left to train on.

    Examples
    --------
    >>> [(train.tolist(), validation.tolist()) for train, validation in leave_run_out([2, 1])]
    [([2], [0, 1]), ([0, 1], [2])]
    """
    lengths = as_lengths(run_lengths)
    gap = _count("gap", gap, 0)
    if len(lengths) < 2:
        msg = f"there is {len(lengths)} run; leaving one out needs two or more."
        raise ValueError(msg)
    n_trs = sum(lengths)
    splits = []
    start = 0
    for length in lengths:
        stop = start + length
        left = max(0, start - gap)
        right = min(n_trs, stop + gap)
        train = np.concatenate([np.arange(left), np.arange(right, n_trs)])
        splits.append(_pair(train, np.arange(start, stop), gap))
        start = stop
    return splits


def contiguous_folds(n_trs: int, n_folds: int = _N_FOLDS) -> list[Split]:
    """Cut the rows into consecutive parts of about equal length, each held out once.

    Parameters
    ----------
    n_trs : int
    n_folds : int
        Two or more.

    Returns
    -------
    list of (train_rows, validation_rows)

    Raises
    ------
    ValueError
        If there are fewer rows than folds, or fewer than two folds.

    Examples
    --------
    >>> [validation.tolist() for _, validation in contiguous_folds(5, 2)]
    [[0, 1, 2], [3, 4]]
    """
    n_folds = _count("n_folds", n_folds, 2)
    if n_trs < n_folds:
        msg = f"{n_trs} rows cannot be cut into {n_folds} folds; use fewer folds or more TRs."
        raise ValueError(msg)
    rows = np.arange(n_trs)
    return [(np.setdiff1d(rows, part), part) for part in np.array_split(rows, n_folds)]


def as_splits(cv: Any, n_trs: int) -> list[Split]:
    """Turn what scikit-learn calls ``cv`` into checked pairs of row numbers.

    Parameters
    ----------
    cv : None, int, list of (train_rows, validation_rows), or scikit-learn splitter
        None: 5 contiguous folds; an int: that many contiguous folds.
    n_trs : int
        Rows of the design matrix.

    Returns
    -------
    list of (train_rows, validation_rows)

    Raises
    ------
    ValueError
        If a row does not exist, comes twice, or is in both parts.
    FitError
        If there is no split, a part is empty, or fewer than two rows validate.
    TypeError
        If ``cv`` is something else, or rows are not whole numbers.

    Examples
    --------
    >>> [(train.tolist(), validation.tolist()) for train, validation in as_splits(2, 4)]
    [([2, 3], [0, 1]), ([0, 1], [2, 3])]
    """
    if cv is None or isinstance(cv, int | np.integer):
        pairs: list[Any] = list(contiguous_folds(n_trs, _N_FOLDS if cv is None else int(cv)))
    elif hasattr(cv, "split") and not isinstance(cv, str):
        pairs = list(cv.split(np.zeros((n_trs, 1))))
    elif isinstance(cv, Iterable) and not isinstance(cv, str):
        pairs = list(cv)
    else:
        msg = (
            f"cv is {cv!r}; expected None, a number of folds, a list of "
            "(train_rows, validation_rows), or a scikit-learn splitter."
        )
        raise TypeError(msg)
    if not pairs:
        msg = "cv holds no split; give one or more pairs (a generator can only be used once)."
        raise FitError(msg)
    return [_checked(i, pair, n_trs) for i, pair in enumerate(pairs)]


def _hold_out_once(
    rng: np.random.Generator, lengths: list[int], chunk_len: int, n_chunks: int, gap: int
) -> Split:
    spans = []  # (first row of the chunk, first and end row of its run)
    run_start = 0
    for length in lengths:
        n_fitting, remainder = divmod(length, chunk_len)
        offset = run_start + int(rng.integers(remainder + 1))
        run_end = run_start + length
        spans += [(offset + i * chunk_len, run_start, run_end) for i in range(n_fitting)]
        run_start = run_end
    held_out = np.zeros(run_start, dtype=bool)
    left_out = np.zeros(run_start, dtype=bool)
    for i in rng.permutation(len(spans))[:n_chunks]:
        start, first, end = spans[i]
        stop = start + chunk_len
        held_out[start:stop] = True
        left_out[max(first, start - gap) : min(end, stop + gap)] = True
    return _pair(np.flatnonzero(~left_out), np.flatnonzero(held_out), gap)


def _pair(train: Array, validation: Array, gap: int) -> Split:
    if not len(train):
        msg = (
            f"holding out {len(validation)} TRs with a gap of {gap} leaves nothing to train on; "
            "hold out fewer TRs, or use a smaller gap."
        )
        raise ValueError(msg)
    return train, validation


def _checked(i: int, pair: Any, n_trs: int) -> Split:
    try:
        train, validation = (np.asarray(rows) for rows in pair)
    except (TypeError, ValueError):
        msg = f"split {i} is no pair; expected (train_rows, validation_rows)."
        raise TypeError(msg) from None
    for name, rows, least in (("train", train, 1), ("validation", validation, 2)):
        if rows.ndim != 1 or (len(rows) and rows.dtype.kind not in "iu"):
            msg = (
                f"split {i}: {name} rows have shape {rows.shape} and dtype {rows.dtype}; expected "
                "a list of row numbers (np.flatnonzero makes them from a mask)."
            )
            raise TypeError(msg)
        if len(rows) < least:
            msg = f"split {i} has {len(rows)} {name} row(s); expected {least} or more."
            raise FitError(msg)
        if rows.min() < 0 or rows.max() >= n_trs:
            msg = (
                f"split {i}: {name} rows run from {rows.min()} to {rows.max()}, but X has rows "
                f"0 to {n_trs - 1}; make the splits for these runs."
            )
            raise ValueError(msg)
        if len(np.unique(rows)) < len(rows):
            msg = f"split {i}: {name} rows name a row more than once; name each row once."
            raise ValueError(msg)
    shared = np.intersect1d(train, validation)
    if len(shared):
        msg = (
            f"split {i}: {len(shared)} row(s) both train and validate (the first is row "
            f"{shared[0]}); a row can be in one part only."
        )
        raise ValueError(msg)
    return train.astype(np.int64), validation.astype(np.int64)


def as_lengths(run_lengths: Sequence[int]) -> list[int]:
    """Return the lengths of runs, whole numbers of TRs, 1 or more."""
    return [_count("a run's length", length, 1) for length in run_lengths]


def _count(name: str, value: Any, least: int) -> int:
    try:
        count = operator.index(value)
    except TypeError:
        msg = f"{name} is {value!r}; expected a whole number."
        raise TypeError(msg) from None
    if count < least:
        msg = f"{name} is {count}; expected {least} or more."
        raise ValueError(msg)
    return count
