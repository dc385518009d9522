"""Arrays from a file of numpy that may be damaged."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from tokenize import TokenError

import numpy as np

from voxscale.arrays import Array
from voxscale.data._files import FilePath, present
from voxscale.errors import DataError

__all__ = ["DAMAGED_NPZ", "named_arrays"]

# What numpy and zipfile raise for files that are cut short or changed: among others, for a header
# that is no Python, a flag that they do not know, and a shape that no memory holds.
DAMAGED_NPZ = (
    LookupError,
    ValueError,
    OSError,
    EOFError,
    RuntimeError,
    MemoryError,
    TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


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
    except DAMAGED_NPZ as error:
        msg = (
            f"{path} does not hold the arrays {' and '.join(names)} ({error}); expected an .npz "
            "file of numpy with both; fetch it again."
        )
        raise DataError(msg) from error
