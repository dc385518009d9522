"""One score of all cells as an array with an axis for each thing that was varied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.errors import StoreError
from voxscale.study._saved import labels_of
from voxscale.study._tables import one_subject

if TYPE_CHECKING:
    import xarray as xr

    from voxscale.arrays import Array
    from voxscale.study._cells import Cell
    from voxscale.study._results import Results

__all__ = ["dense_array"]

DIMS = ("model", "layer", "context", "n_stories", "draw")
_FURTHER = ("asked_hours", "bands")  # axes that a study may have beside these


def dense_array(
    results: Results, name: str, subject: str | None, cells: Sequence[Cell] | None
) -> xr.DataArray:
    """Put the cells of a subject where their labels say; NaN where there is none.

    Raises
    ------
    StoreError
        If no cell has such an array.
    ValueError
        If there are several subjects and none is named, cells are of another one, or the array
        is not one number for each voxel.
    """
    import xarray as xr

    chosen = one_subject(results, subject)
    of_subject = results.select(subject=chosen)
    cells = of_subject if cells is None else tuple(cells)
    strangers = [cell.label for cell in cells if cell not in of_subject]
    if strangers or not cells:
        what = strangers[0] if strangers else "no cell is given, which"
        msg = f"{what} is not among the fits of subject {chosen!r}; see results.select."
        raise ValueError(msg)
    labels = labels_of(results, cells)
    dims = _dims(labels)
    coordinates = {dim: _ordered(labels[dim]) for dim in dims}
    values = _placed(results, name, cells, labels, coordinates)
    attrs = {"study": results.study.name, "subject": chosen}
    return xr.DataArray(values, coordinates, [*dims, "voxel"], name=name, attrs=attrs)


def _placed(
    results: Results,
    name: str,
    cells: Sequence[Cell],
    labels: dict[str, Array],
    coordinates: dict[str, Array],
) -> Array:
    n_voxels = results.meta(cells[0])["n_voxels"]
    shape = (*(len(held) for held in coordinates.values()), n_voxels)
    values = np.full(shape, np.nan, dtype=np.float32)
    found = False
    for i, cell in enumerate(cells):
        held = results.held(cell, [name])
        if name not in held:
            continue
        if held[name].shape != (n_voxels,):
            msg = (
                f"{name!r} has shape {held[name].shape}; expected one number for each of "
                f"{n_voxels} voxels; read it with results.array(cell, {name!r})."
            )
            raise ValueError(msg)
        place = tuple(_index(one, labels[dim][i]) for dim, one in coordinates.items())
        values[place] = held[name]
        found = True
    if not found:
        known = ", ".join(sorted(results.arrays(cells[0])))
        msg = f"no cell has an array {name!r}; the first has {known}."
        raise StoreError(msg)
    return values


def _dims(labels: dict[str, Array]) -> list[str]:
    """Choose what tells cells apart: hours that were asked for instead of numbers of stories."""
    varied = {dim for dim in _FURTHER if dim in labels and len(set(map(_same, labels[dim]))) > 1}
    dims = [dim for dim in DIMS if dim != "n_stories" or "asked_hours" not in varied]
    dims += [dim for dim in _FURTHER if dim in varied]
    places = list(zip(*(map(_same, labels[dim]) for dim in dims), strict=True))
    return dims if len(set(places)) == len(places) else list(dict.fromkeys((*DIMS, *dims)))


def _ordered(held: Array) -> Array:
    """List values once: numbers in their order, NaN last; names in the order of the cells."""
    once = list({_same(one): one for one in held}.values())
    return np.array(once if held.dtype == object else np.sort(once), dtype=held.dtype)


def _index(values: Array, one: Any) -> int:
    return [_same(value) for value in values].index(_same(one))


def _same(value: Any) -> Any:
    """Return a value that equals itself, which NaN does not."""
    return None if isinstance(value, float | np.floating) and np.isnan(value) else value
