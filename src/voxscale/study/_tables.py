"""Results as tables: a row for each cell, for each of its test stories, or an array per score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from voxscale.arrays import Array
from voxscale.study._sweeps import AXES

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from voxscale.study._cells import Cell
    from voxscale.study._results import Results

__all__ = [
    "COLUMNS",
    "amounts",
    "block_table",
    "cell_table",
    "one_subject",
    "rows_of",
    "side_by_side",
    "story_table",
]

_OF_CELL = ("subject", "model", "layer", "context", "bands", "n_stories", "asked_hours", "draw")
_FROM_META = (
    "hours", "n_train_trs", "n_test_trs", "n_voxels", "n_scored", "mean_r", "mean_signed_r2",
    "mean_r2", "mean_cv_score", "mean_r_validation", "mean_cc_max", "mean_cc_norm", "mean_spe",
)  # fmt: skip
COLUMNS = (
    *_OF_CELL, *_FROM_META, "reference",
    *(f"in_{axis}_sweep" for axis in AXES), "key",
)  # fmt: skip
_ARRAYS = (
    "r", "r_validation", "r2", "cv_score", "best_alpha", "cc_abs", "cc_max", "cc_norm", "spe",
)  # fmt: skip


def cell_table(results: Results) -> pd.DataFrame:
    """Put what is known of each fit into a row, in the order of ``results.cells``."""
    import pandas as pd

    rows = []
    for cell in results.cells:
        meta, axes = results.meta(cell), results.axes(cell)
        rows.append(
            {
                **{name: getattr(cell, name) for name in _OF_CELL},
                **{name: meta[name] for name in _FROM_META},
                "reference": cell.reference,
                **{f"in_{axis}_sweep": axis in axes for axis in AXES},
                "key": results.key(cell),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"asked_hours": np.float64})


def amounts(table: pd.DataFrame) -> Array:
    """Say in words how much training data was asked for: "2.5 h", "3" stories, or "all"."""
    everything = table[table["reference"]].groupby("subject")["n_stories"].max()
    is_all = table["n_stories"] == table["subject"].map(everything)
    return np.where(
        table["asked_hours"].notna(),
        table["asked_hours"].astype(str) + " h",
        np.where(is_all, "all", table["n_stories"].astype(str)),
    )


def story_table(results: Results) -> pd.DataFrame:
    """Put the mean correlation of each fit in each test story into a row."""
    import pandas as pd

    rows = []
    for cell in results.cells:
        meta = results.meta(cell)
        for story, mean_r in zip(meta["test"], meta["mean_r_by_story"], strict=True):
            rows.append(
                {
                    **{name: getattr(cell, name) for name in _OF_CELL},
                    "hours": meta["hours"],
                    "story": story,
                    "mean_r": mean_r,
                    "key": results.key(cell),
                }
            )
    return pd.DataFrame(rows)


def block_table(results: Results) -> pd.DataFrame:
    """Put what each block of a test story adds to each fit's mean correlation into a row."""
    import pandas as pd

    rows = []
    for cell in results.cells:
        blocks = results.meta(cell)["blocks"]
        columns = zip(blocks["story"], blocks["n_trs"], blocks["mean_r"], strict=True)
        named = {name: getattr(cell, name) for name in _OF_CELL}
        hours = results.meta(cell)["hours"]
        for i, (story, n_trs, mean_r) in enumerate(columns):
            rows.append(
                {
                    **named,
                    "hours": hours,
                    "story": story,
                    "block": i,
                    "n_trs": n_trs,
                    "mean_r": mean_r,
                    "key": results.key(cell),
                }
            )
    return pd.DataFrame(rows)


def side_by_side(results: Results, subject: str | None) -> xr.Dataset:
    """Stack the arrays of a subject's fits; the columns of the table go along.

    Raises
    ------
    ValueError
        If there are several subjects and none is named, or none of that name.
    """
    import xarray as xr

    cells = results.select(subject=one_subject(results, subject))
    held = [results.arrays(cell) for cell in cells]
    variables = {
        name: (("cell", "voxel"), np.stack([one[name] for one in held]))
        for name in _ARRAYS
        if all(name in one for one in held)
    }
    rows = rows_of(results, cells)
    coordinates = {column: ("cell", rows[column].to_numpy()) for column in rows}
    return xr.Dataset(variables, coordinates, attrs={"study": results.study.name})


def rows_of(results: Results, cells: Sequence[Cell]) -> pd.DataFrame:
    """Take the rows of some cells, by their place: two models may share a key."""
    places = {cell: i for i, cell in enumerate(results.cells)}
    return results.table.iloc[[places[cell] for cell in cells]].reset_index(drop=True)


def one_subject(results: Results, subject: str | None) -> str:
    """Return the subject that is asked for: by default the only one.

    Raises
    ------
    ValueError
        If there are several subjects and none is named, or none of that name.
    """
    if subject is None and len(results.subjects) > 1:
        msg = f"there are subjects {', '.join(results.subjects)}; name one with subject=."
        raise ValueError(msg)
    if subject not in (None, *results.subjects):
        msg = f"no cell of subject {subject!r} is done; there are {', '.join(results.subjects)}."
        raise ValueError(msg)
    return subject or results.subjects[0]
