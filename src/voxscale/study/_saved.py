"""Results as files that need no voxscale: a tidy table, and labelled arrays by subject."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale._version import __version__
from voxscale.arrays import Array
from voxscale.store import folder_aside, key_of, write_aside
from voxscale.study._provenance import shared_provenance
from voxscale.study._score_table import SCORE_COLUMNS, score_table
from voxscale.study._tables import rows_of

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from voxscale.study._cells import Cell
    from voxscale.study._results import Results

__all__ = [
    "ARRAYS",
    "TABLE",
    "is_saved",
    "labels_of",
    "save_results",
    "saved_arrays",
    "saved_scores",
    "tidy_table",
]

TABLE, ARRAYS = "scores.parquet", "arrays.zarr"
FORMAT = 4  # raised by hand whenever the same results would be written otherwise

# What is (n_voxels,) of a fit; the last two are of some cells alone.
_VARIABLES = (
    "r", "r_validation", "r2", "cv_score", "best_alpha", "cc_abs", "cc_max", "cc_norm", "spe",
    "p_value", "p_family",
)  # fmt: skip
_CHUNK_BYTES = 2**23
_ZARR_FORMAT = 2  # the third has no agreed way to write text, nor what xarray reads all at once


def save_results(results: Results) -> tuple[Path, Path]:
    """Write the table and the arrays, each aside and then in place of the old one."""
    out = results.study.out
    table = tidy_table(results)
    with write_aside(out / TABLE) as temporary:
        table.to_parquet(temporary, engine="pyarrow", index=False, compression="zstd")
    with folder_aside(out / ARRAYS) as folder:
        _write_arrays(results, folder)
    return out / TABLE, out / ARRAYS


def is_saved(results: Results) -> bool:
    """Tell whether both files are there and about just these cells, reduced in this way."""
    out, ours = results.study.out, _made_of(results)
    try:
        text = (out / ARRAYS / ".zattrs").read_text(encoding="utf-8")
        made_of = json.loads(text).get("made_of")
    except (OSError, ValueError, AttributeError):
        return False
    return bool(made_of == ours) and _table_made_of(out / TABLE) == ours


def saved_scores(results: Results) -> pd.DataFrame | None:
    """Read :attr:`Results.scores` back, where the file is about just these cells."""
    import pandas as pd

    path = results.study.out / TABLE
    if _table_made_of(path) != _made_of(results):
        return None
    try:
        table = pd.read_parquet(path, engine="pyarrow", columns=list(SCORE_COLUMNS))
    except (OSError, ValueError, KeyError):  # damaged: it is made anew
        return None
    table.attrs = {}
    return table


def _table_made_of(path: Path) -> str | None:
    """Read what the table says that it is about; None where it does not."""
    import pyarrow
    from pyarrow.parquet import read_schema

    try:
        told = (read_schema(path).metadata or {}).get(b"PANDAS_ATTRS", b"{}")
        made_of = json.loads(told).get("made_of")
    except (OSError, ValueError, AttributeError, pyarrow.ArrowException):
        return None
    return None if made_of is None else str(made_of)


def tidy_table(results: Results) -> pd.DataFrame:
    """Put a row for each score and reducer, with where its cell's numbers come from.

    The columns of :attr:`Results.scores`, then ``seed``, ``voxscale`` (the version that computed
    the cell) and ``provenance``: JSON with all settings, hashes of inputs and versions.
    """
    import pandas as pd

    table = score_table(results)  # and not what the file has, which this is to replace
    metas = {results.key(cell): results.meta(cell) for cell in (*results.cells, *results.beside)}
    told = {key: json.dumps(meta, sort_keys=True) for key, meta in metas.items()}
    of_rows = [metas[key] for key in table["key"]]
    table["seed"] = [meta["seed"] for meta in of_rows]
    table["voxscale"] = [meta["versions"]["voxscale"] for meta in of_rows]
    # Each text is kept once, however many rows its cell has.
    table["provenance"] = pd.Categorical(table["key"].map(told))
    table.attrs = {"study": results.study.name, "made_of": _made_of(results)}
    return table


def labels_of(results: Results, cells: Sequence[Cell]) -> dict[str, Array]:
    """Return the columns of ``results.table`` of some cells, as arrays of numbers or of text."""
    rows = rows_of(results, cells)
    return {str(column): _labels(rows[column].tolist()) for column in rows}


def saved_arrays(results: Results, cells: Sequence[Cell]) -> xr.Dataset:
    """Return the coordinates of a subject's group, along ``cell``, and what its cells share."""
    import xarray as xr

    coordinates = {name: ("cell", held) for name, held in labels_of(results, cells).items()}
    metas = [results.meta(cell) for cell in cells]
    told = np.array([json.dumps(meta, sort_keys=True) for meta in metas], dtype=object)
    coordinates["provenance"] = ("cell", told)
    attrs = {
        "study": results.study.name,
        "voxscale": __version__,
        **shared_provenance(metas),
        "inputs": {run["run"]: run for meta in metas for run in meta["inputs"]},
    }
    return xr.Dataset(coords=coordinates, attrs=attrs)


def _write_arrays(results: Results, folder: Path) -> None:
    import zarr

    shared = shared_provenance([results.meta(cell) for cell in results.cells])
    attributes = {"made_of": _made_of(results), "study": results.study.name, **shared}
    zarr.open_group(folder, mode="w", zarr_format=_ZARR_FORMAT, attributes=attributes)
    for subject in results.subjects:
        cells = results.select(subject=subject)
        saved_arrays(results, cells).to_zarr(
            folder, group=subject, mode="w-", zarr_format=_ZARR_FORMAT, consolidated=False
        )
        _write_variables(results, cells, zarr.open_group(folder, path=subject, mode="a"))
    zarr.consolidate_metadata(folder, zarr_format=_ZARR_FORMAT)


def _write_variables(results: Results, cells: Sequence[Cell], group: Any) -> None:
    """Write the arrays of a subject's cells, a few cells at a time."""
    n_voxels = results.meta(cells[0])["n_voxels"]
    n_together = max(1, min(len(cells), _CHUNK_BYTES // (4 * n_voxels)))
    made: dict[str, Any] = {}
    for start, block in _blocks(results, cells, n_together):
        for name, values in block.items():
            if name not in made:
                made[name] = group.create_array(
                    name,
                    shape=(len(cells), n_voxels),
                    chunks=(n_together, n_voxels),
                    dtype="float32",
                    fill_value=float("nan"),
                    attributes={"_ARRAY_DIMENSIONS": ["cell", "voxel"]},
                )
            made[name][start : start + len(values)] = values


def _blocks(
    results: Results, cells: Sequence[Cell], n_together: int
) -> Iterator[tuple[int, dict[str, Array]]]:
    """Read arrays of some cells at a time, NaN where one has none."""
    for start in range(0, len(cells), n_together):
        some = cells[start : start + n_together]
        held = [results.held(cell, _VARIABLES) for cell in some]
        names = [name for name in _VARIABLES if any(name in one for one in held)]
        n_voxels = len(held[0]["r"])
        yield (
            start,
            {
                name: np.stack([one.get(name, np.full(n_voxels, np.nan)) for one in held])
                for name in names
            },
        )


def _made_of(results: Results) -> str:
    """Name what the files hold: cells done, and how numbers are made of their voxels.

    What a cell is called may change while its key stays, such as its draw or the name of its
    model; and its numbers, where it was deleted and computed anew by other versions.
    """
    cells = sorted(_named(results, cell) for cell in (*results.cells, *results.beside))
    return key_of({"format": FORMAT, "cells": cells, "reducers": results.study.evaluate.reducers})


def _named(results: Results, cell: Cell) -> str:
    """Write a cell as its key, its labels, and when its file was written."""
    file = results.path(cell).stat()
    labels = (
        results.key(cell), cell.subject, cell.kind, cell.model, cell.layer, cell.context,
        cell.bands, cell.draw, cell.asked_hours, *results.axes(cell),
    )  # fmt: skip
    return json.dumps([*labels, file.st_size, file.st_mtime_ns])


def _labels(values: Sequence[Any]) -> Array:
    """Make labels of a kind that files can hold: a missing number is NaN, a missing text empty."""
    if all(isinstance(one, bool | np.bool_) for one in values):
        return np.array(values, dtype=bool)
    if all(isinstance(one, int | np.integer) for one in values):
        return np.array(values, dtype=np.int64)
    if all(one is None or isinstance(one, int | float | np.number) for one in values):
        return np.array([np.nan if one is None else one for one in values], dtype=np.float64)
    return np.array([_text(one) for one in values], dtype=object)


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    return "+".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
