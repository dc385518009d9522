"""Results on disk, by a key that holds everything that can change their numbers.

Files are written aside, forced to disk and renamed: what exists is complete.
"""

from voxscale.store._aside import (
    check_writable,
    folder_aside,
    remove_left,
    remove_whole,
    write_aside,
)
from voxscale.store._cache import cache_folder
from voxscale.store._codecs import write_npy
from voxscale.store._fit_store import FitStore
from voxscale.store._key import hash_array, hash_file, key_of
from voxscale.store._layers import LayerStore, LayerWriter
from voxscale.store._one_run import check_idle, one_run
from voxscale.store._store import Store

__all__ = [
    "FitStore",
    "LayerStore",
    "LayerWriter",
    "Store",
    "cache_folder",
    "check_idle",
    "check_writable",
    "folder_aside",
    "hash_array",
    "hash_file",
    "key_of",
    "one_run",
    "remove_left",
    "remove_whole",
    "write_aside",
    "write_npy",
]
