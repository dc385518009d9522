"""Write what is no array: tables, TextGrids, TR reports, words in time, and the rest as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.data._released._finished import parts_of
from voxscale.data._released._inspect import leaves_of
from voxscale.data._released._names import Names
from voxscale.data._released._values import StandIn, StoredArray
from voxscale.data._released._write_praat import log_text, text_grid_text
from voxscale.data._stand_ins import events_of, textgrid_of
from voxscale.data._tr_report import report_of
from voxscale.errors import DataError

__all__ = ["write_values"]

_ITEM_BYTES = 50


def write_values(value: Any, folder: Path, path: Path, most_bytes: int) -> None:
    """Write all that is no array of numbers into a folder.

    Raises
    ------
    DataError
        If something cannot be converted; the message names it. Or if more than ``most_bytes``
        would be held: in the file, one text or list may be in many places.
    """
    n_bytes = written_bytes(value, {})
    if n_bytes > most_bytes:
        msg = (
            f"{path} holds what is in itself, or what would be {n_bytes:.3g} bytes once written; "
            f"expected at most {most_bytes:.3g}; read it with read_released instead."
        )
        raise DataError(msg)
    names, rest = Names(), []
    for name, keys, one, before in leaves_of(value):
        if before is not None:
            rest.append({"keys": [str(key) for key in keys], "same_as": before})
            continue
        if isinstance(one, StoredArray):
            continue
        kept = keys[:-1] if len(keys) > 1 and keys[-1] == 0 else keys
        if isinstance(one, StandIn) and one.kind in _WRITERS:
            stem = folder / names.of(kept or (one.kind,))
            _written(_WRITERS[one.kind], one, stem, path, name)
        elif hasattr(one, "to_parquet") or hasattr(one, "to_frame"):
            _written(_write_table, one, folder / names.of(kept or ("table",)), path, name)
        else:
            rest.append({"keys": [str(key) for key in keys], "value": _plain(one, path, name)})
    if rest:
        text = json.dumps(rest, indent=1, ensure_ascii=not _is_unicode(rest))
        (folder / "values.json").write_text(text + "\n", "utf-8")


def _is_unicode(rest: Any) -> bool:
    """Tell whether all text can be written; half a letter, as a damaged name has, can not."""
    try:
        json.dumps(rest, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _written(write: Callable[..., None], one: Any, stem: Path, path: Path, name: str) -> None:
    kind, place = getattr(one, "kind", None) or type(one).__name__, name or "the top"
    try:
        write(one, stem, f"{path}, the {kind} at {place}")
    except _ODD as error:
        msg = (
            f"{path}: the {kind} at {place} cannot be converted ({str(error)[:200]}); expected "
            "what the published ones hold; read it with read_released instead."
        )
        raise DataError(msg) from error


def _beside(stem: Path, ending: str) -> Path:
    """Return the path of a file that is not there yet; words of "a" may be called as "a.words"."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    found, n = stem.with_name(stem.name + ending), 1
    while found.exists():
        n += 1
        found = stem.with_name(f"{stem.name}~{n}{ending}")
    return found


def _write_grid(grid: StandIn, stem: Path, label: str) -> None:
    text = text_grid_text(textgrid_of(grid, label))
    _beside(stem, ".TextGrid").write_text(text, encoding="utf-8")


def _write_report(report: StandIn, stem: Path, label: str) -> None:
    """Write the event log that a TRFile was read from, once it is known to be read again."""
    events = events_of(report, label)
    report_of(events, label)
    _beside(stem, ".report").write_text(log_text(events), encoding="utf-8")


def _write_sequence(sequence: StandIn, stem: Path, label: str) -> None:
    """Write the words and their times, and the TRs and where in the words each ends."""
    import pandas as pd

    # An array of text would be as wide as the longest everywhere.
    is_text = isinstance(sequence.data, list) and any(isinstance(x, str) for x in sequence.data)
    values = np.asarray(sequence.data, dtype=object if is_text else None)
    columns = {"value": values} if values.ndim == 1 else dict(enumerate(values.T))
    words = pd.DataFrame({str(name): column for name, column in columns.items()})
    times = sequence.attributes.get("data_times")
    if times is not None:
        words.insert(0, "time_s", np.asarray(times, dtype=np.float64))
    splits = [int(one) for one in sequence.split_inds]
    trs = sequence.attributes.get("tr_times")
    n = len(splits) + 1 if trs is None else len(trs)
    ends = pd.array([*splits, *[None] * (n - len(splits))], dtype="Int64")
    table = pd.DataFrame({"split_ind": ends})
    if trs is not None:
        table.insert(0, "tr_time_s", np.asarray(trs, dtype=np.float64))
    words.to_parquet(_beside(stem, ".words.parquet"))
    table.to_parquet(_beside(stem, ".trs.parquet"))


def _write_table(table: Any, stem: Path, label: str) -> None:
    if getattr(table, "step", None) is not None and len(table) > _LONGEST_RANGE:
        msg = f"it stands for {len(table)} numbers"
        raise ValueError(msg)
    frame = table if hasattr(table, "to_parquet") else table.to_frame()
    if frame.shape[1] > _MOST_COLUMNS:
        msg = f"it has {frame.shape[1]} columns, which parquet is not made for"
        raise ValueError(msg)
    frame = frame.rename(columns=str)
    frame.to_parquet(_beside(stem, ".parquet"))


def written_bytes(value: Any, known: dict[int, float]) -> float:
    """Count about how many bytes a value takes once written; infinite if it is in itself.

    Parameters
    ----------
    value : object
    known : dict of int to float
        What was counted so far, which counts again wherever it is.
    """
    before = known.get(id(value))
    if before is not None:
        return before
    parts = parts_of(value)
    if parts is None:
        is_text = isinstance(value, str | bytes | bytearray | range)
        return _ITEM_BYTES + (len(value) if is_text else getattr(value, "nbytes", 0))
    known[id(value)] = math.inf  # as long as one is within it
    found: float = _ITEM_BYTES
    for one in parts:
        found += written_bytes(one, known)
    known[id(value)] = found
    return found


def _plain(value: Any, path: Path, name: str) -> Any:
    """Turn a value into what JSON can hold."""
    if isinstance(value, np.ndarray | np.generic) and value.dtype.names is None:
        kind = value.dtype.kind
        return _plain((value.astype(str) if kind in "mMgG" else value).tolist(), path, name)
    if isinstance(value, dict):
        return {str(key): _plain(one, path, name) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset | range):
        return [_plain(one, path, name) for one in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, complex):
        return [value.real, value.imag]
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("latin-1")
    kind = value.kind if isinstance(value, StandIn) else type(value).__name__
    msg = (
        f"{path}: the {kind} at {name or 'the top'} cannot be converted; expected numbers, text, "
        "lists, tables, or one of the published classes; read it with read_released instead."
    )
    raise DataError(msg)


_MOST_COLUMNS = 20_000
_LONGEST_RANGE = 100_000_000  # of a RangeIndex alone, which takes no space in a pickle
_ODD = (
    AttributeError, TypeError, ValueError, IndexError, KeyError, MemoryError, OverflowError,
    RuntimeError,
)  # fmt: skip
_WRITERS: dict[str, Callable[[StandIn, Path, str], None]] = {
    "TextGrid": _write_grid,
    "TRFile": _write_report,
    "DataSequence": _write_sequence,
}
