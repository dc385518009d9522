"""The section of a page that shows how steeply each voxel's score grows along each sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voxscale.errors import VoxscaleError
from voxscale.reports._reading import FDR_NAMES, Q_LEVEL
from voxscale.reports._slope_axes import AXES, axis_points, voxel_scores
from voxscale.reports._slope_figure import slope_histograms, slope_map_figure
from voxscale.reports._slope_tables import region_tables, voxel_frame, voxels_table
from voxscale.reports._slope_tests import FEWEST_STORIES, VoxelSlopes, voxel_slopes_of
from voxscale.reports._tables import Drawing, Section, plural

if TYPE_CHECKING:
    from voxscale.reports._reading import Material

__all__ = ["voxel_slopes"]

_NONE = (
    "Fewer than two amounts of training data, models of known size or contexts are done, so that "
    "no voxel has a slope: hours, training_stories, models or contexts in the study file would "
    "give them."
)

_REGIONS = (
    "Regions: slopes of the mean r over a region's voxels with a slope. The rest is the mean over "
    "all other voxels of the subject, in a region or in none, paired by test story; q over the "
    "regions of one table."
)


def voxel_slopes(material: Material) -> Section:
    """Show the slope of each voxel's score against hours, parameters and context."""
    section = Section("slopes", "Slopes of single voxels")
    results = material.results
    points, method = axis_points(results), results.study.evaluate.fdr
    known = [
        voxel_slopes_of(maps, along, method)
        for maps in material.maps
        for along in voxel_scores(results, points, maps.subject)
    ]
    if not known:
        section.paragraphs.append(_NONE)
        return section
    known.sort(key=lambda one: AXES.index(one.axis))  # by axis, then as subjects come
    section.paragraphs.extend(_how(known))
    if any(one.regions is not None for one in known):
        section.paragraphs.append(_REGIONS)
    section.tables.append(voxels_table(known))
    section.tables.extend(region_tables(known))
    for axis in AXES:
        _draw(section, [one for one in known if one.axis == axis])
    return section


def _draw(section: Section, known: list[VoxelSlopes]) -> None:
    """Draw an axis: flat maps where the data have a surface, one figure of histograms otherwise."""
    in_bars = []
    for one in known:
        if one.maps.surface.subject is None:
            in_bars.append(one)
            continue
        try:
            section.drawings.extend(_flat_drawings(one))
        except VoxscaleError as error:
            told = f"There is no flat map of slopes: {error}"
            if told not in section.paragraphs:
                section.paragraphs.append(told)
            in_bars.append(one)
    if in_bars:
        section.drawings.append(_histograms(in_bars))


def _how(known: list[VoxelSlopes]) -> list[str]:
    """Say how slopes were made and tested."""
    one = known[0]
    stories = plural(one.n_stories, "test story", "test stories")
    told = (
        "Slope of a voxel: least squares of its test correlation on log10 of the size, mean over "
        f"draws and over {stories}, along the sweeps that the curves above show; the size of "
        "several draws is their geometric mean."
    )
    if any(some.axis.name == "model" for some in known):
        told += " Models: each at the subject's best layer by validation, one layer for all voxels."
    if not one.is_tested:
        return [
            f"{told} With fewer than {FEWEST_STORIES} test stories no voxel's slope has an "
            "interval that says anything; slopes are shown wherever the validation score, which "
            "knows no test story, is above 0."
        ]
    return [
        f"{told} p-values by Student's t over the test stories, with {one.n_stories - 1} "
        "degrees of freedom, for other stories that the same subject could hear; q: false "
        f"discovery rates of {FDR_NAMES[one.method]}. With few stories only "
        "voxels whose slopes agree closely can pass.",
        "One voxel with a slope above 0 beside one without does not show that the two differ. So "
        "each voxel's slope is also compared with the mean over all voxels of that subject, "
        "paired by test story; the p-value is the same as against the mean of the other voxels.",
    ]


def _flat_drawings(one: VoxelSlopes) -> list[Drawing]:
    """Draw the slopes of a subject and, where some differ from the rest, how much they do."""
    axis, subject = one.axis, one.maps.subject
    validated = one.maps.is_validated & np.isfinite(one.found.slopes)
    slopes = slope_map_figure(
        one.found.slopes,
        shown=one.shown if one.shown.any() else validated,
        label=axis.label,
        title=f"{subject}: slope of test correlation with {axis.along}",
        subject=one.maps.surface.subject,
    )
    caption = (
        f"Gain in test correlation for {axis.tenfold}, on {one.maps.surface.where}. "
        f"Shown: {_which(one)}: {_counted(one)} "
    )
    if not one.shown.any() and validated.any():
        caption += (
            "Since that is nowhere, the map shows slopes wherever the validation score, which "
            "knows no test story, is above 0; none of them is significant. "
        )
    caption += "Red: rises; blue: falls. Arrows on the colour bar: values lie beyond."
    name, numbers = f"{axis.file}-{subject}", voxel_frame(one)
    drawings = [Drawing(name, slopes, caption, numbers, is_per_voxel=True)]
    if not one.differs.any():
        return drawings
    differences = slope_map_figure(
        one.found.differences,
        shown=one.differs,
        label="r per decade, less the mean",
        title=f"{subject}: slopes with {axis.along} that differ from the rest",
        subject=one.maps.surface.subject,
    )
    caption = (
        f"Slope less the mean slope of all voxels of {subject}, along {axis.along}. Shown: q < "
        f"{Q_LEVEL} for a slope as of the rest: {int(one.differs.sum()):,} voxels. Red: steeper; "
        "blue: flatter."
    )
    columns = ["subject", "voxel", "difference", "difference_p_value", "difference_q_value"]
    drawings.append(
        Drawing(
            f"{axis.file}-differences-{subject}",
            differences,
            caption,
            numbers[columns].assign(is_shown=one.differs),
            is_per_voxel=True,
        )
    )
    return drawings


def _histograms(some: list[VoxelSlopes]) -> Drawing:
    import pandas as pd

    axis = some[0].axis
    panels = {one.maps.subject: (one.found.slopes, one.shown) for one in some}
    figure = slope_histograms(panels, label=axis.label, shown_label=_which(some[0]))
    counted = " ".join(_counted(one) for one in some)
    caption = (
        f"Gain in test correlation for {axis.tenfold}, as a histogram over "
        f"voxels. Orange: {_which(some[0])}: {counted}"
    )
    numbers = pd.concat([voxel_frame(one) for one in some], ignore_index=True)
    return Drawing(axis.file, figure, caption, numbers, is_per_voxel=True)


def _which(one: VoxelSlopes) -> str:
    return f"q < {Q_LEVEL}" if one.is_tested else "validation score above 0"


def _counted(one: VoxelSlopes) -> str:
    """Count the voxels of a subject that are shown, and those that could not be."""
    n_shown, n_known = int(one.shown.sum()), int(np.isfinite(one.found.slopes).sum())
    lost = one.found.n_undefined
    without = f", {lost:,} more lack a score at some size" if lost else ""
    return f"{n_shown:,} of {n_known:,} voxels of {one.maps.subject}{without}."
