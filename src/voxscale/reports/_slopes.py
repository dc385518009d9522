"""The section of a page that shows how steeply each voxel's score grows with hours of data."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import VoxscaleError, VoxscaleWarning
from voxscale.reports._flatmap import N_VERTICES
from voxscale.reports._reading import FDR_NAMES, Q_LEVEL
from voxscale.reports._slope_figure import slope_histograms, slope_map_figure
from voxscale.reports._tables import Drawing, Section, Table, as_text, plural
from voxscale.scaling import SlopeMap, slope_map
from voxscale.study._sweep_points import same_place

if TYPE_CHECKING:
    from voxscale.reports._reading import Material, SubjectMaps
    from voxscale.study import Results

__all__ = ["voxel_slopes"]

_FEWEST_STORIES = 3  # that p-values are told of
_LABEL = "r per decade of hours"
_NONE = (
    "Fewer than two amounts of training data are done, so that no voxel has a slope: hours or "
    "training_stories in the study file would give them."
)


class _Slopes(NamedTuple):
    """Slopes of a subject's voxels, and which of them are shown."""

    maps: SubjectMaps
    found: SlopeMap
    q_values: Array
    shown: Array
    n_stories: int
    n_sizes: int

    @property
    def is_tested(self) -> bool:
        return self.n_stories >= _FEWEST_STORIES


def voxel_slopes(material: Material) -> Section:
    """Show the slope of each voxel's score against hours of training data."""
    section = Section("slopes", "Slopes of single voxels")
    every = [_slopes_of(material.results, maps) for maps in material.maps]
    known = [one for one in every if one is not None]
    if not known:
        section.paragraphs.append(_NONE)
        return section
    section.paragraphs.append(_how(material.results, known))
    section.tables.append(_table(known))
    in_bars = [one for one in known if not _is_flat(one.maps)]
    for one in known:
        if one in in_bars:
            continue
        try:
            section.drawings.append(_flat_drawing(one))
        except VoxscaleError as error:
            section.paragraphs.append(f"There is no flat map of slopes: {error}")
            in_bars.append(one)
    if in_bars:
        section.drawings.append(_histograms(in_bars))
    return section


def _slopes_of(results: Results, maps: SubjectMaps) -> _Slopes | None:
    """Fit a line to each voxel's scores along the sweep of hours at the reference layer."""
    table = same_place(results, "n_stories")
    table = table[table["subject"] == maps.subject]
    cells = {results.key(cell): cell for cell in results.select(subject=maps.subject)}
    hours: list[float] = []
    scores: list[Array] = []
    for _, rows in table.groupby("amount", sort=False):
        draws = [results.array(cells[key], "r_by_story") for key in rows["key"]]
        hours.append(float(rows["hours"].mean()))
        scores.append(np.stack(draws).mean(axis=0, dtype=np.float64).astype(np.float32))
    if len(np.unique(hours)) < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VoxscaleWarning)  # voxels without a score are counted
        found = slope_map(hours, np.stack(scores))
    by = results.study.evaluate.fdr
    q_values = found.q_values_by if by == "by" else found.q_values
    n_stories = len(scores[0])
    if n_stories >= _FEWEST_STORIES:
        shown = q_values < Q_LEVEL
    else:
        shown = maps.is_validated & np.isfinite(found.slopes)
    return _Slopes(maps, found, q_values, shown, n_stories, len(hours))


def _is_flat(maps: SubjectMaps) -> bool:
    return maps.space == "fsaverage5" and len(maps.r) == N_VERTICES


def _how(results: Results, known: list[_Slopes]) -> str:
    """Say how slopes were made and tested."""
    one = known[0]
    stories = plural(one.n_stories, "test story", "test stories")
    told = (
        "Slope of a voxel: least squares of its test correlation on log10 of the hours, mean over "
        f"draws and over {stories}, along the sweep that the curves above show; {one.n_sizes} "
        "amounts of data."
    )
    if one.is_tested:
        return (
            f"{told} p-values by Student's t over the test stories, with {one.n_stories - 1} "
            "degrees of freedom, for other stories that the same subject could hear; q: false "
            f"discovery rates of {FDR_NAMES[results.study.evaluate.fdr]}. With few stories only "
            "voxels whose slopes agree closely can pass."
        )
    return (
        f"{told} With fewer than {_FEWEST_STORIES} test stories no voxel's slope has an interval "
        "that says anything; slopes are shown wherever the validation score, which knows no test "
        "story, is above 0."
    )


def _table(known: list[_Slopes]) -> Table:
    rows = []
    for one in known:
        here = np.isfinite(one.found.slopes)
        shown = one.found.slopes[one.shown]
        middle = [float(np.median(some)) if some.size else np.nan for some in (
            one.found.slopes[here], shown)]  # fmt: skip
        falling = int((shown < 0).sum())
        rows.append(
            (one.maps.subject, as_text(int(here.sum())), as_text(middle[0], 4),
             as_text(len(shown)), as_text(middle[1], 4), as_text(falling))
        )  # fmt: skip
    which = f"q < {Q_LEVEL}" if known[0].is_tested else "validated"
    columns = ("subject", "voxels with a slope", "median", which, "their median", "falling")
    note = f"Slopes in {_LABEL}. Falling: voxels among those whose slope is below 0."
    return Table(columns, rows, note)


def _flat_drawing(one: _Slopes) -> Drawing:
    figure = slope_map_figure(
        one.found.slopes,
        shown=one.shown,
        label=_LABEL,
        title=f"{one.maps.subject}: slope of test correlation with hours of training data",
        flat=True,
    )
    caption = (
        "Gain in test correlation for ten times the hours of training data, on the flattened "
        f"fsaverage5. Shown: {_which(one)}: {_counted(one)} Red: rises; blue: falls. Arrows on the "
        "colour bar: values lie beyond."
    )
    return Drawing(f"slopes-{one.maps.subject}", figure, caption, _numbers(one), is_per_voxel=True)


def _histograms(some: list[_Slopes]) -> Drawing:
    import pandas as pd

    panels = {one.maps.subject: (one.found.slopes, one.shown) for one in some}
    figure = slope_histograms(panels, label=_LABEL, shown_label=_which(some[0]))
    counted = " ".join(_counted(one) for one in some)
    caption = (
        "Gain in test correlation for ten times the hours of training data, as a histogram over "
        f"voxels. Orange: {_which(some[0])}: {counted}"
    )
    numbers = pd.concat([_numbers(one) for one in some], ignore_index=True)
    return Drawing("slopes", figure, caption, numbers, is_per_voxel=True)


def _which(one: _Slopes) -> str:
    return f"q < {Q_LEVEL}" if one.is_tested else "validation score above 0"


def _counted(one: _Slopes) -> str:
    """Count the voxels of a subject that are shown, and those that could not be."""
    n_shown, n_known = int(one.shown.sum()), int(np.isfinite(one.found.slopes).sum())
    lost = one.found.n_undefined
    without = f", {lost:,} more lack a score at some amount of data" if lost else ""
    return f"{n_shown:,} of {n_known:,} voxels of {one.maps.subject}{without}."


def _numbers(one: _Slopes) -> Any:
    import pandas as pd

    found = one.found
    columns = {"slope": found.slopes, "intercept": found.intercepts}
    if one.is_tested:
        columns |= {"low": found.low, "high": found.high, "p_value": found.p_values}
        columns |= {"q_value": one.q_values}
    voxels = np.arange(len(found.slopes))
    frame = {"subject": one.maps.subject, "voxel": voxels, **columns, "is_shown": one.shown}
    return pd.DataFrame(frame)
