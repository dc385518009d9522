"""How far the sweeps of a study are from the noise ceiling, where there is one.

Only some voxels have a ceiling, and only in the stories that were heard several times. A curve of
all voxels in all stories would be set against a number that is not about it. Subjects have ceilings
of their own: scores are shares of them, so that 1 is the ceiling of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from voxscale.arrays import Array
from voxscale.reports._size_drawing import drawing_of
from voxscale.reports._size_laws import Sweep, fitted_sweep
from voxscale.reports._size_needs import told_of_needs
from voxscale.reports._size_words import NAMES, laws_table, told_of_law

if TYPE_CHECKING:
    from voxscale.reports._reading import Material, SubjectMaps
    from voxscale.reports._tables import Section

__all__ = ["add_ceiling", "ceiling_of", "ceiling_points"]

_LAWS_NOTE = (
    "The same for the shares of the noise ceiling, in the voxels and stories that have one."
)


class Ceiling(NamedTuple):
    """The mean noise ceiling of the voxels that have one, and what it is about."""

    value: float
    stories: tuple[str, ...]
    n_with: int
    n_voxels: int


def ceiling_of(material: Material) -> Ceiling | None:
    """Average the noise ceiling over voxels that have one, then over subjects."""
    known = _known(material)
    if not known:
        return None
    stories = tuple(dict.fromkeys(run for maps in known for run in maps.ceiling_runs))
    n_with = sum(int(np.isfinite(maps.cc_max).sum()) for maps in known)
    n_voxels = sum(len(maps.cc_max) for maps in known)
    value = float(np.mean([_mean(maps.cc_max) for maps in known]))
    return Ceiling(value, stories, n_with, n_voxels)


def _known(material: Material) -> list[SubjectMaps]:
    return [maps for maps in material.maps if np.isfinite(maps.cc_max).any()]


def ceiling_points(material: Material, points: Any) -> Any:
    """Take the points of a sweep where there is a ceiling.

    Parameters
    ----------
    material : Material
        Of which some voxel has a ceiling.
    points : DataFrame
        Of :func:`sweep_points` or :func:`model_points`.

    Returns
    -------
    DataFrame
        The same columns, of the repeated stories alone; ``mean_r`` is the mean over the voxels
        that have a ceiling, as a share of the mean of those ceilings in that subject.
    """
    import pandas as pd

    return pd.concat([_points_in(material, maps, points) for maps in _known(material)])


def _points_in(material: Material, maps: SubjectMaps, points: Any) -> Any:
    results, has = material.results, np.isfinite(maps.cc_max)
    own = points[(points["subject"] == maps.subject) & points["story"].isin([*maps.ceiling_runs])]
    cells = {results.key(cell): cell for cell in results.select(subject=maps.subject)}
    of_cells = {key: results.by_story(cells[key]) for key in own["key"].unique()}
    means = [
        _mean(of_cells[key][story][has])
        for key, story in zip(own["key"], own["story"], strict=True)
    ]
    return own.assign(mean_r=np.array(means, np.float64) / _mean(maps.cc_max))


def _mean(scores: Array) -> float:
    known = scores[np.isfinite(scores)]
    return float(known.mean(dtype=np.float64)) if known.size else np.nan


def add_ceiling(section: Section, material: Material, every: Mapping[str, Any]) -> None:
    """Add to a section what shares of the ceiling need, and the curves that this is read from.

    Parameters
    ----------
    section : Section
        Changed in place, where some sweep has two sizes in stories with a ceiling.
    material : Material
    every : mapping of what was varied, by axis, to the points of its sweep
    """
    import pandas as pd

    ceiling = ceiling_of(material)
    if ceiling is None:
        return
    found = [
        fitted_sweep(axis, NAMES[axis], ceiling_points(material, points), ceiling=1.0)
        for axis, points in every.items()
        if len(points)
    ]
    sweeps = [one for one in found if isinstance(one, Sweep)]
    if not sweeps:
        return
    section.paragraphs.append(_about(ceiling))
    for sweep in sweeps:
        section.paragraphs.append(f"As a share of the ceiling: {told_of_law(sweep)}")
        section.paragraphs.append(told_of_needs(sweep))
    section.tables.append(laws_table(sweeps, "size-ceiling-laws", _LAWS_NOTE))
    points = pd.concat([one.points.drop(columns="key").assign(sweep=one.axis) for one in sweeps])
    points = points.rename(columns={"mean_r": "share_of_ceiling"})
    section.drawings.append(drawing_of("size-ceiling", sweeps, points, ceiling=1.0))


def _about(ceiling: Ceiling) -> str:
    """Say what the ceiling is a mean of, and which curves are set against it."""
    stories = ", ".join(repr(story) for story in ceiling.stories)
    return (
        f"The noise ceiling is {ceiling.value:.3f}, the mean of cc_max over the "
        f"{ceiling.n_with:,} of {ceiling.n_voxels:,} voxels that have one, in the repeated test "
        f"stories ({stories}). Shares of it are of these voxels in these stories alone: their mean "
        "correlation, over the mean of their ceilings in the same subject."
    )
