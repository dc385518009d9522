"""Arrays from a file of numpy that may be damaged."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence

import numpy as np

from voxscale.arrays import Array
from voxscale.data._files import FilePath, present
from voxscale.errors import DataError

__all__ = ["named_arrays"]

# What numpy and zipfile raise for files cut short or changed; the last for flags they do not know.
_DAMAGED = (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError)


def named_arrays(path: FilePath, names: Sequence[str]) -> list[Array]:
    """Read arrays of an ``.npz`` file; objects, which could run code, are refused.

    Parameters
    ----------
    path : path-like
    names : sequence of str

    Returns
    -------
    list of arrays
        In the order of their names.

    Raises
    ------
    DataError
        If the file has no content (see `present`), is damaged, or lacks one of them.
    """
    path = present(path)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return [arrays[name] for name in names]
    except _DAMAGED as error:
        msg = (
            f"{path} does not hold the arrays {' and '.join(names)} ({error}); expected an .npz "
            "file of numpy with both; fetch it again."
        )
        raise DataError(msg) from error
