"""One score of all cells as an array with an axis for each thing that was varied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from voxscale.errors import StoreError
from voxscale.study._common_sizes import geometric_mean, own_sizes
from voxscale.study._tables import amounts, one_subject, rows_of

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from voxscale.arrays import Array
    from voxscale.study._cells import Cell
    from voxscale.study._results import Results

__all__ = ["dense_array"]

_DIMS = ("subject", "model", "layer", "context", "hours", "draw")


class _Places(NamedTuple):
    """Where cells stand: for each (cell, amount) its labels, and the labels along each axis.

    ``hours`` are labelled by amounts in words, ascending by the hours in ``nominal``.
    """

    rows: pd.DataFrame
    labels: dict[str, list[Any]]
    nominal: Array

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(held) for held in self.labels.values())

    def of(self, row: Mapping[str, Any], dims: Sequence[str]) -> tuple[int, ...]:
        return tuple(self.labels[dim].index(row[dim]) for dim in dims)


def dense_array(
    results: Results, name: str, subject: str | None, cells: Sequence[Cell] | None
) -> xr.DataArray:
    """Put cells where their labels say; NaN where there is none.

    Raises
    ------
    StoreError
        If no cell has such an array.
    ValueError
        If no cell of that subject is done, cells are of another one, subjects have different
        numbers of voxels, or the array is not one number for each voxel.
    """
    import xarray as xr

    chosen = _chosen(results, subject, cells)
    n_voxels = _n_voxels(results, chosen)
    places = _places(results, chosen)
    values = _placed(results, name, chosen, places, n_voxels)
    coordinates: dict[str, Any] = {**places.labels, "hours": places.nominal}
    coordinates["amount"] = ("hours", np.array(places.labels["hours"], dtype=object))
    for known, column in (("actual_hours", "own_hours"), ("n_stories", "n_stories")):
        coordinates[known] = (("subject", "hours", "draw"), _known(places, column))
    dims = [*places.labels, "voxel"]
    attrs = {"study": results.study.name}
    return xr.DataArray(values, coordinates, dims, name=name, attrs=attrs)


def _chosen(
    results: Results, subject: str | None, cells: Sequence[Cell] | None
) -> tuple[Cell, ...]:
    """Return the cells that are asked for, all of them fits of the study, or of the subject."""
    known = results.cells
    if subject is not None:
        known = results.select(subject=one_subject(results, subject))
    if cells is None:
        return known
    strangers = [cell.label for cell in cells if cell not in known]
    if strangers or not cells:
        what = strangers[0] if strangers else "no cell is given, which"
        whose = f"study {results.study.name!r}" if subject is None else f"subject {subject!r}"
        msg = f"{what} is not among the fits of {whose}; see results.select."
        raise ValueError(msg)
    return tuple(cells)


def _n_voxels(results: Results, cells: Sequence[Cell]) -> int:
    """Return the number of voxels, which subjects have to share."""
    n_voxels = {cell.subject: int(results.meta(cell)["n_voxels"]) for cell in cells}
    if len(set(n_voxels.values())) > 1:
        each = ", ".join(f"{n} of {one}" for one, n in n_voxels.items())
        msg = (
            f"subjects have different numbers of voxels ({each}), which are no common axis; name "
            "one with subject=."
        )
        raise ValueError(msg)
    return next(iter(n_voxels.values()))


def _places(results: Results, cells: Sequence[Cell]) -> _Places:
    rows = rows_of(results, cells).assign(number=range(len(cells)))
    rows = rows.rename(columns={"hours": "own_hours"})
    words = dict(zip(results.cells, amounts(results.table), strict=True))
    rows["hours"] = [words[cell] for cell in cells]
    asked = rows.dropna(subset=["asked_hours"]).groupby("hours")["asked_hours"].first()
    rows = _with_further(results, rows)
    sizes = own_sizes(rows, "hours", "own_hours").agg(geometric_mean, axis="columns")
    sizes.update(asked)
    sizes = sizes.sort_values(kind="stable")
    dims = [*_DIMS, *(["bands"] if rows["bands"].nunique() > 1 else [])]
    ordered = {name: sorted(set(rows[name])) for name in ("layer", "context", "draw")}
    once = {dim: list(dict.fromkeys(rows[dim])) for dim in dims}
    labels = {**once, **ordered, "hours": sizes.index.tolist()}
    return _Places(rows, {dim: labels[dim] for dim in dims}, sizes.to_numpy(np.float64))


def _with_further(results: Results, rows: pd.DataFrame) -> pd.DataFrame:
    """Let a cell stand at every amount that it comes to: all its subject has may be 4 h too."""
    import pandas as pd

    table = results.table
    everything = table[table["reference"]].groupby("subject")["n_stories"].max()
    is_all = rows["n_stories"] == rows["subject"].map(everything)
    count = rows["n_stories"].astype(str)
    is_count = is_all & count.isin(list(rows["hours"])) & (rows["hours"] != count)
    more = [
        rows[is_all & (rows["hours"] != "all")].assign(hours="all"),
        rows[is_count].assign(hours=count[is_count]),
    ]
    return pd.concat([rows, *more], ignore_index=True)


def _placed(
    results: Results, name: str, cells: Sequence[Cell], places: _Places, n_voxels: int
) -> Array:
    values = np.full((*places.shape, n_voxels), np.nan, dtype=np.float32)
    taken: dict[tuple[int, ...], Cell] = {}
    found = False
    for number, rows in places.rows.groupby("number"):
        cell = cells[int(number)]
        held = results.held(cell, [name])
        if name not in held:
            continue
        if held[name].shape != (n_voxels,):
            msg = (
                f"{name!r} has shape {held[name].shape}; expected one number for each of "
                f"{n_voxels} voxels; read it with results.array(cell, {name!r})."
            )
            raise ValueError(msg)
        for row in rows.to_dict("records"):
            place = places.of(row, list(places.labels))
            if taken.setdefault(place, cell) != cell:
                msg = (
                    f"{cell.label} and {taken[place].label} have the same labels; give one of "
                    "them, with cells=."
                )
                raise ValueError(msg)
            values[place] = held[name]
        found = True
    if not found:
        known = ", ".join(sorted(results.arrays(cells[0])))
        msg = f"no cell has an array {name!r}; the first has {known}."
        raise StoreError(msg)
    return values


def _known(places: _Places, column: str) -> Array:
    """Put what is known of training data where it belongs: (n_subjects, n_hours, n_draws)."""
    dims = ("subject", "hours", "draw")
    values = np.full([len(places.labels[dim]) for dim in dims], np.nan)
    for row in places.rows.to_dict("records"):
        values[places.of(row, dims)] = row[column]
    return values
