"""What takes long to find is kept in the user's cache folder."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from voxscale.data._npz import DAMAGED_NPZ
from voxscale.errors import AlignmentError, StoreError, VoxscaleWarning
from voxscale.store import cache_folder, key_of, write_aside

__all__ = ["kept"]

_Found = TypeVar("_Found")


def kept(
    folder: str,
    fields: Mapping[str, Any],
    *,
    make: Callable[[], _Found],
    read: Callable[[Path], _Found],
    write: Callable[[BinaryIO, _Found], None],
) -> _Found:
    """Read something from the cache, or make it and keep it there.

    What cannot be read is made again. Where nothing can be kept, one warning says why.

    Parameters
    ----------
    folder : str
        In the user's cache folder.
    fields : mapping
        All that can change what is made: hashes of files, settings, a recipe.
    make : function without arguments
    read : function of a path
        Raises one of ``DAMAGED_NPZ``, or AlignmentError, where the file is not whole.
    write : function of a binary file and what ``make`` returned
    """
    path = cache_folder(folder, f"{key_of(fields)}.npz")
    try:
        return read(path)
    except (*DAMAGED_NPZ, AlignmentError):
        found = make()
    try:
        with write_aside(path) as temporary, temporary.open("wb") as file:
            write(file, found)
    except StoreError as error:
        msg = f"the flat map's pixels are not kept, and will be found again next time: {error}"
        warnings.warn(msg, VoxscaleWarning, stacklevel=4)
    return found
