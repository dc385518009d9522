"""Write what is no array: tables, TextGrids, TR reports, words in time, and the rest as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.data._released._inspect import leaves_of
from voxscale.data._released._names import Names
from voxscale.data._released._values import StandIn, StoredArray
from voxscale.data._released._write_praat import log_text, text_grid_text
from voxscale.data._stand_ins import events_of, textgrid_of
from voxscale.data._tr_report import report_of
from voxscale.errors import DataError

__all__ = ["write_values"]


def write_values(value: Any, folder: Path, path: Path) -> None:
    """Write all that is no array of numbers into a folder.

    Raises
    ------
    DataError
        If something cannot be converted; the message names it.
    """
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
            _write_one(one, stem, path, name)
        elif hasattr(one, "to_parquet") or hasattr(one, "to_frame"):
            _write_table(one, folder / names.of(kept or ("table",)))
        else:
            rest.append({"keys": [str(key) for key in keys], "value": _plain(one, path, name)})
    if rest:
        text = json.dumps(rest, indent=1, ensure_ascii=False)
        (folder / "values.json").write_text(text + "\n", "utf-8", "surrogatepass")


def _write_one(one: StandIn, stem: Path, path: Path, name: str) -> None:
    try:
        _WRITERS[one.kind](one, stem, f"{path}, the {one.kind} at {name or 'the top'}")
    except (AttributeError, TypeError, ValueError, IndexError, KeyError) as error:
        msg = (
            f"{path}: the {one.kind} at {name or 'the top'} cannot be converted ({error}); "
            "expected the attributes of the published ones; read it with read_released instead."
        )
        raise DataError(msg) from error


def _beside(stem: Path, ending: str) -> Path:
    stem.parent.mkdir(parents=True, exist_ok=True)
    return stem.with_name(stem.name + ending)


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

    values = np.asarray(sequence.data)
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


def _write_table(table: Any, stem: Path) -> None:
    frame = table if hasattr(table, "to_parquet") else table.to_frame()
    frame = frame.rename(columns=str)
    frame.to_parquet(_beside(stem, ".parquet"))


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


_WRITERS: dict[str, Callable[[StandIn, Path, str], None]] = {
    "TextGrid": _write_grid,
    "TRFile": _write_report,
    "DataSequence": _write_sequence,
}
