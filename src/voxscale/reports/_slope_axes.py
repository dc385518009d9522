"""The scores of single voxels along each axis that a study sweeps, each cell read once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from voxscale.arrays import Array
from voxscale.study._sweep_points import model_points, sweep_points

if TYPE_CHECKING:
    from voxscale.study import Results

__all__ = ["AXES", "Axis", "VoxelScores", "axis_points", "voxel_scores"]

_Read = Callable[[str], Array]


class Axis(NamedTuple):
    """What sizes are of, in words; ``file`` is how the names of its files begin."""

    name: str
    file: str
    along: str
    label: str
    tenfold: str


# A row per axis, in the order of the page.
AXES = (
    Axis("n_stories", "slopes", "hours of training data", "r per decade of hours",
         "ten times the hours of training data"),
    Axis("model", "slopes-model", "parameters of the model", "r per decade of parameters",
         "ten times the parameters of the model"),
    Axis("context", "slopes-context", "context", "r per decade of words of context",
         "ten times the words of context"),
)  # fmt: skip


class VoxelScores(NamedTuple):
    """Scores of a subject's voxels along an axis.

    ``sizes`` has shape (n_sizes,), ``scores`` (n_sizes, n_stories, n_voxels), float32.
    """

    axis: Axis
    sizes: Array
    scores: Array


def axis_points(results: Results) -> dict[str, Any]:
    """List the cells along each axis as the curves of mean scores do, by the name of the axis."""
    points = {axis: sweep_points(results, axis) for axis in ("n_stories", "context")}
    if len(results.study.models) > 1:
        points["model"] = model_points(results)
    return points


def voxel_scores(
    results: Results, points: Mapping[str, Any], subject: str
) -> Iterator[VoxelScores]:
    """Read the scores of a subject along each axis with two sizes, one axis after the other."""
    of_axes = {axis: _cells_along(points[axis.name], subject) for axis in AXES if
               axis.name in points}  # fmt: skip
    of_axes = {axis: rows for axis, rows in of_axes.items() if rows["size"].nunique() > 1}
    read = _reader(results, subject, of_axes)
    for axis, rows in of_axes.items():
        every = [rows for _, rows in rows.groupby("source", sort=False)]
        sizes = np.array([rows["size"].iloc[0] for rows in every], dtype=np.float64)
        yield VoxelScores(axis, sizes, np.stack([_mean_of_draws(read, one) for one in every]))


def _cells_along(points: Any, subject: str) -> Any:
    """List the cells of a subject along an axis: sizes, draws and keys, no story twice."""
    own = points[points["subject"] == subject]
    return own[["source", "draw", "key", "size"]].drop_duplicates(["source", "draw", "key"])


def _reader(results: Results, subject: str, of_axes: Mapping[Axis, Any]) -> _Read:
    """Return what reads a cell's scores, and keeps those that are on a further axis."""
    cells = {results.key(cell): cell for cell in results.select(subject=subject)}
    counts: dict[str, int] = {}
    for rows in of_axes.values():
        for key in rows["key"]:
            counts[key] = counts.get(key, 0) + 1
    held: dict[str, Array] = {}

    def read(key: str) -> Array:
        found = held.pop(key) if key in held else results.array(cells[key], "r_by_story")
        counts[key] -= 1
        if counts[key]:
            held[key] = found
        return found

    return read


def _mean_of_draws(read: _Read, rows: Any) -> Array:
    """Average a size's draws, one in memory at a time."""
    total: Array | float = 0.0
    for key in rows["key"]:
        total = total + read(key).astype(np.float64)
    return np.asarray(total / len(rows), dtype=np.float32)
