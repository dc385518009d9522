"""Read a pickle whole."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import numpy as np

from voxscale.data._files import FilePath
from voxscale.data._released._arrays import FoundArray
from voxscale.data._released._finished import checked
from voxscale.data._released._machine import Machine
from voxscale.data._released._source import Source
from voxscale.data._released._steps import STEPS

__all__ = ["contents", "read_released"]


def read_released(path: FilePath, *, max_gib: float | None = None, mmap: bool = True) -> Any:
    """Read a file that joblib or pickle wrote, without running what it names.

    What is read is data: numbers, text, lists, dicts, arrays of numpy, tables of pandas, and
    stand-ins for TextGrids, TRFiles and DataSequences, whatever module they were saved under.
    The whole file is refused where it names anything else.

    Parameters
    ----------
    path : path-like
        Uncompressed, or compressed with zlib, gzip, bz2, xz or lzma.
    max_gib : float, optional
        Most that the file may unpack to and that may be held. By default a hundred times the
        size of the file, or 1 GiB where that is more, and half of the memory that is free.
    mmap : bool
        Arrays that joblib wrote uncompressed are mapped, not held.

    Returns
    -------
    value
        Arrays are read-only. An OrderedDict or defaultdict is a dict; a matrix is an array;
        objects of the classes named above are a `StandIn`.

    Raises
    ------
    DataError
        If the file is missing, truncated, a pointer, or damaged, holds anything else than data, or
        more of it than is allowed; the message names the byte.
    ValueError
        If ``max_gib`` is not above 0.

    Examples
    --------
    >>> import pickle, tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "scores.jbl")
    ...     _ = path.write_bytes(pickle.dumps({"fox": [0.5, None]}))
    ...     read_released(path)
    {'fox': [0.5, None]}
    """
    source = Source(path, max_gib, is_held=True)
    with closing(source):
        if not (mmap and source.is_plain):
            return contents(source, FoundArray.held)
        whole = np.memmap(source.path, np.uint8, "r")
        return contents(source, lambda one: one.mapped(whole) if one.follows else one.held())


def contents(source: Source, take: Callable[[FoundArray], Any]) -> Any:
    """Go through a pickle; ``take`` says what becomes of each array."""
    machine = Machine(source, STEPS)
    for found in machine.run():
        found.value = take(found)
    source.end()
    with source.telling():
        return checked(machine.stack[-1])
