"""How far the sweeps of a study are from the noise ceiling, where there is one.

Only some voxels have a ceiling, and only in the stories that were heard several times. A curve of
all voxels in all stories would be set against a number that is not about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.reports._size_drawing import drawing_of
from voxscale.reports._size_laws import Ceiling, Sweep, fitted_sweep
from voxscale.reports._size_needs import told_of_needs
from voxscale.reports._size_words import laws_table, told_of_law

if TYPE_CHECKING:
    from voxscale.reports._reading import Material, SubjectMaps
    from voxscale.reports._tables import Section

__all__ = ["add_ceiling", "ceiling_of", "ceiling_points"]

_LAWS_NOTE = "The same for the curves of voxels that have a noise ceiling, in the repeated stories."


def ceiling_of(material: Material) -> Ceiling | None:
    """Average the noise ceiling over voxels that have one, then over subjects."""
    known = _known(material)
    if not known:
        return None
    means = [float(np.nanmean(maps.cc_max.astype(np.float64))) for maps in known]
    stories = tuple(dict.fromkeys(run for maps in known for run in maps.ceiling_runs))
    n_with = sum(int(_has_ceiling(maps).sum()) for maps in known)
    n_voxels = sum(len(maps.cc_max) for maps in known)
    return Ceiling(float(np.mean(means)), stories, n_with, n_voxels)


def _known(material: Material) -> list[SubjectMaps]:
    return [maps for maps in material.maps if _has_ceiling(maps).any()]


def _has_ceiling(maps: SubjectMaps) -> Array:
    return np.isfinite(maps.cc_max)


def ceiling_points(material: Material, every: Mapping[str, Any]) -> dict[str, Any]:
    """Take the points of sweeps where there is a ceiling.

    Parameters
    ----------
    material : Material
    every : mapping of axis to DataFrame
        Points of :func:`sweep_points` or :func:`model_points`.

    Returns
    -------
    dict of axis to DataFrame
        The same columns, of the repeated stories alone; ``mean_r`` is the mean over the voxels
        that have a ceiling. Where these are all stories and all voxels with a score, the points
        themselves.
    """
    return {axis: _near(material, points) for axis, points in every.items()}


def _near(material: Material, points: Any) -> Any:
    import pandas as pd

    rows = [_near_in(material, maps, points) for maps in _known(material)]
    near = pd.concat(rows)
    same = points["mean_r"].loc[near.index]
    is_all = len(near) == len(points) and np.allclose(near["mean_r"], same, equal_nan=True)
    return points if is_all else near


def _near_in(material: Material, maps: SubjectMaps, points: Any) -> Any:
    results, has = material.results, _has_ceiling(maps)
    own = points[(points["subject"] == maps.subject) & points["story"].isin([*maps.ceiling_runs])]
    cells = {results.key(cell): cell for cell in results.select(subject=maps.subject)}
    of_cells = {key: results.by_story(cells[key]) for key in own["key"].unique()}
    means = [
        _mean(of_cells[key][story][has])
        for key, story in zip(own["key"], own["story"], strict=True)
    ]
    return own.assign(mean_r=np.array(means, np.float64))


def _mean(scores: Array) -> float:
    known = scores[np.isfinite(scores)]
    return float(known.mean(dtype=np.float64)) if known.size else np.nan


def add_ceiling(
    section: Section, ceiling: Ceiling, sweeps: Mapping[str, Sweep], near: Mapping[str, Any]
) -> None:
    """Add to a section what shares of the ceiling need, and the curves that this is read from.

    Parameters
    ----------
    section : Section
        Changed in place.
    ceiling : Ceiling
    sweeps : mapping of axis to Sweep
        Of all voxels and stories.
    near : mapping of axis to DataFrame
        Of :func:`ceiling_points`.
    """
    import pandas as pd

    whole = {axis: one for axis, one in sweeps.items() if one.ceiling is not None}
    parts: dict[str, Sweep] = {}
    for axis in near:
        if axis in whole or axis not in sweeps:
            continue
        found = fitted_sweep(axis, sweeps[axis].what, near[axis], ceiling)
        if isinstance(found, Sweep):
            parts[axis] = found
    order = [axis for axis in sweeps if axis in whole or axis in parts]
    if not order:
        return
    section.paragraphs.append(_about(ceiling, is_whole=not parts))
    for axis in order:
        if axis in parts:
            section.paragraphs.append(f"Where there is a ceiling: {told_of_law(parts[axis])}")
        section.paragraphs.append(told_of_needs((parts | whole)[axis], ceiling))
    if parts:
        shown = [parts[axis] for axis in order if axis in parts]
        section.tables.append(laws_table(shown, "size-ceiling-laws", _LAWS_NOTE))
        points = pd.concat([one.points.drop(columns="key").assign(sweep=one.axis) for one in shown])
        ylabel = "test r, mean over voxels with ceiling"
        note = f" Repeated test stories alone: {', '.join(ceiling.stories)}."
        section.drawings.append(drawing_of("size-ceiling", shown, points, ylabel, note))


def _about(ceiling: Ceiling, *, is_whole: bool) -> str:
    """Say what the ceiling is a mean of, and which curves are set against it."""
    stories = ", ".join(repr(story) for story in ceiling.stories)
    told = (
        f"The noise ceiling is {ceiling.value:.3f}, the mean of cc_max over the "
        f"{ceiling.n_with:,} of {ceiling.n_voxels:,} voxels that have one, in the repeated test "
        f"stories ({stories})."
    )
    if is_whole:
        return told
    return f"{told} Shares of it are read from curves of these voxels in these stories alone."
