"""Tables of pandas, put together from their columns; pandas' own way to do so is not run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.data._released._text_columns import ARROW_TEXT, text_built
from voxscale.data._released._values import (
    Begun,
    Blob,
    FrameOnDisk,
    Global,
    Name,
    StoredArray,
    refuse,
)

__all__ = ["ALIASES", "BUILDERS", "CALLS", "WORDS"]

_ITEM_BYTES = 200
_MOST_COLUMNS = 200_000  # of all tables of a file
_MOST_ROWS = 1_000_000  # of a table that has no column
_COLUMN_BYTES = 2000  # that pandas takes for one, however short
_LONGEST = 2**40  # rows of a table
_FRAME, _SERIES = ("pandas", "DataFrame"), ("pandas", "Series")
_MANAGER = ("pandas", "BlockManager")
_RANGE, _INDEX = ("pandas", "RangeIndex"), ("pandas", "Index")
_TEXT = ("pandas", "ArrowStringArray")
_PASSED = (StoredArray, FrameOnDisk, Blob)

# Where versions of pandas define what is the same here.
_PLACES: dict[Name, tuple[tuple[str, str], ...]] = {
    _FRAME: (("pandas.core.frame", "DataFrame"),),
    _SERIES: (("pandas.core.series", "Series"),),
    _MANAGER: (
        ("pandas.core.internals.managers", "BlockManager"),
        ("pandas.core.internals.managers", "SingleBlockManager"),
        ("pandas.core.internals", "BlockManager"),
        ("pandas.core.internals", "SingleBlockManager"),
    ),
    _RANGE: (("pandas.core.indexes.range", "RangeIndex"),),
    _INDEX: (
        ("pandas.core.indexes.base", "Index"),
        ("pandas.core.indexes.numeric", "Int64Index"),
        ("pandas.core.indexes.numeric", "UInt64Index"),
        ("pandas.core.indexes.numeric", "Float64Index"),
    ),
    _TEXT: (
        ("pandas.arrays", "ArrowStringArray"),
        ("pandas.core.arrays.string_arrow", "ArrowStringArray"),
        ("pandas.core.arrays.string_arrow", "ArrowStringArrayNumpySemantics"),
    ),
    ("pandas", "StringDtype"): (("pandas.core.arrays.string_", "StringDtype"),),
}
ALIASES: dict[Name, Name] = {place: known for known, all in _PLACES.items() for place in all}


@dataclass(frozen=True)
class _Block:
    """Columns of one type, and which columns of the table they are."""

    values: Any
    places: Any


@dataclass(frozen=True)
class _Manager:
    axes: tuple[Any, ...]  # labels of columns, then of rows: an Index, or passed over
    blocks: tuple[_Block, ...]


def _new_index(machine: Any, cls: Any, parts: Any) -> Any:
    import pandas as pd

    kind = cls.known if isinstance(cls, Global) else None
    if kind not in (_RANGE, _INDEX) or type(parts) is not dict:
        refuse("labels of another kind than numbers and text", "an Index or RangeIndex")
    name = parts.get("name")
    if not isinstance(name, str | int | float | None):
        refuse("labels whose name is no text", "text")
    if kind == _RANGE:
        ends = [parts.get(one) for one in ("start", "stop", "step")]
        if not all(type(one) is int and abs(one) < 2**62 for one in ends) or not ends[2]:
            refuse("a range without ends", "three whole numbers")
        return pd.RangeIndex(*ends, name=name)
    labels = parts.get("data")
    if not isinstance(labels, np.ndarray | StoredArray | FrameOnDisk) or len(labels.shape) != 1:
        refuse("labels that are no array", "an array of numbers or text")
    if isinstance(labels, np.ndarray):
        machine.source.budget.take(_ITEM_BYTES + labels.nbytes)
        return pd.Index(_plain(machine, labels), name=name)
    return FrameOnDisk("Index", labels.shape, labels.n_bytes)


def _block(machine: Any, values: Any, places: Any, n_axes: Any) -> _Block:
    return _Block(values, places)


def _manager(machine: Any, blocks: Any = None, axes: Any = None) -> Any:
    import pandas as pd

    if blocks is None:
        return Begun(_MANAGER)
    blocks = (blocks,) if isinstance(blocks, _Block) else blocks
    axes = axes if isinstance(axes, tuple | list) else (axes,)
    if not isinstance(blocks, tuple | list) or not all(isinstance(one, _Block) for one in blocks):
        refuse("a table of blocks that are none", "blocks of columns")
    if not all(isinstance(one, pd.Index | FrameOnDisk) for one in axes) or len(axes) > 2:
        refuse("a table without axes", "labels of rows and columns")
    return _Manager(tuple(axes), tuple(blocks))


def _manager_built(machine: Any, begun: Begun, state: Any) -> Any:
    """Read the state of old tables and of series, which holds the blocks by name."""
    held = state[3]["0.14.1"]
    blocks = [_Block(one["values"], one["mgr_locs"]) for one in held["blocks"]]
    return _manager(machine, blocks, held["axes"])


def _frame_built(machine: Any, begun: Begun, state: Any) -> Any:
    if type(state) is not dict:
        refuse("a table without its state", "its blocks by name")
    manager = state.get("_mgr", state.get("_data"))
    n_axes = 2 if begun.known == _FRAME else 1
    if not isinstance(manager, _Manager) or len(manager.axes) != n_axes:
        refuse("a table without blocks", "blocks and axes")
    lengths = [axis.shape[0] for axis in manager.axes]
    parts = [*(one.values for one in manager.blocks), *manager.axes]
    if any(isinstance(one, _PASSED) for one in parts):
        n_bytes = sum(getattr(one, "n_bytes", getattr(one, "nbytes", 0)) for one in parts)
        return FrameOnDisk(begun.known[1], tuple(reversed(lengths)), n_bytes)
    columns = _columns(machine, manager, lengths)
    make = _series if n_axes == 1 else _frame
    return make(machine, state, manager, columns)


def _columns(machine: Any, manager: _Manager, lengths: list[int]) -> list[Array]:
    """Return the columns of all blocks, in the order of the table."""
    n_columns, n_rows = (lengths[0], lengths[1]) if len(lengths) == 2 else (1, lengths[0])
    if n_columns > _MOST_COLUMNS or n_rows > (_LONGEST if n_columns else _MOST_ROWS):
        refuse(f"a table of {n_rows} rows and {n_columns} columns", "a smaller one")
    machine.tally.n_columns += n_columns
    if machine.tally.n_columns > _MOST_COLUMNS:
        refuse(f"tables of more than {_MOST_COLUMNS} columns", "fewer", "save them as arrays")
    machine.source.budget.take(_COLUMN_BYTES * n_columns)
    found: dict[int, Array] = {}
    for block in manager.blocks:
        values = block.values
        machine.source.budget.take(_ITEM_BYTES + getattr(values, "nbytes", 0))
        if not isinstance(values, np.ndarray):
            refuse("columns that are no array", "numbers or text")
        values = values if values.ndim == 2 else values[None]
        if values.ndim != 2 or values.shape[1] != n_rows or len(values) > n_columns:
            refuse(f"columns of shape {values.shape}", f"{n_rows} rows")
        places = block.places if len(lengths) == 2 else [0]
        places = range(n_columns)[places] if isinstance(places, slice) else map(int, places)
        found.update(zip(places, values, strict=True))
    if sorted(found) != list(range(n_columns)):
        refuse(f"a table with {len(found)} of {n_columns} columns", "all of them")
    return [found[place] for place in range(n_columns)]


def _frame(machine: Any, state: Any, manager: _Manager, columns: list[Array]) -> Any:
    import pandas as pd

    if len(columns) > 1 and len({one.dtype for one in columns}) == 1 and _is_number(columns[0]):
        held: Any = np.stack(columns, axis=1)  # much quicker than one by one
    else:
        held = {place: _plain(machine, values) for place, values in enumerate(columns)}
    made = pd.DataFrame(held, index=manager.axes[1])
    made.columns = manager.axes[0]
    return made


def _is_number(values: Array) -> bool:
    return values.dtype.kind in "biufc"


def _series(machine: Any, state: Any, manager: _Manager, columns: list[Array]) -> Any:
    import pandas as pd

    name = state.get("_name", state.get("name"))
    name = name if isinstance(name, str | int | float) else None
    return pd.Series(_plain(machine, columns[0]), index=manager.axes[0], name=name)


def _plain(machine: Any, values: Array) -> Any:
    """Return what pandas makes a column of; text as text, whatever it was held as."""
    if values.dtype.kind == "O" and all(one is None or isinstance(one, str) for one in values):
        # pandas copies the letters of each, and one text may be in many places.
        machine.source.budget.take(2 * sum(len(one) for one in values if one is not None))
        return list(values)
    if values.dtype.kind not in "biufcOmM":
        refuse(f"a column of type {values.dtype}", "numbers or text")
    return np.array(values)


CALLS: dict[Name, Any] = {
    ("pandas.core.indexes.base", "_new_Index"): _new_index,
    ("pandas._libs.internals", "_unpickle_block"): _block,
    ("pandas.core.internals.blocks", "new_block"): _block,
    _MANAGER: _manager,
    ("pandas", "StringDtype"): lambda machine, *args: None,
    **ARROW_TEXT,
}
BUILDERS: dict[Name, Any] = {
    _FRAME: _frame_built,
    _SERIES: _frame_built,
    _MANAGER: _manager_built,
    _TEXT: text_built,
}
WORDS: frozenset[Name] = frozenset({_RANGE, _INDEX})
