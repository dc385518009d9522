"""The section of a page that shows two things varied at once: layers, sizes, hours."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.errors import FitError, VoxscaleWarning
from voxscale.reports._contours import contour_levels, exchange_contours
from voxscale.reports._depths import best_depths
from voxscale.reports._grid_tables import LayerGrid, layer_grids, size_grid
from voxscale.reports._heat_map import layer_size_heat_map
from voxscale.reports._left_out import told_of_apart
from voxscale.reports._size_laws import levels_of
from voxscale.reports._size_words import factor_text
from voxscale.reports._tables import Drawing, Section, as_text, plural, with_minus
from voxscale.scaling import ScalingSurface, fit_scaling_surface

if TYPE_CHECKING:
    from voxscale.reports._reading import Material

__all__ = ["in_two_sizes"]

_AXES = {"model": "parameters of the model", "context": "context (words at most)"}
_OF_TEN = {"model": "parameters", "context": "context"}
_HOURS = "training data (hours)"
_R = "test correlation r, mean over voxels"
_FEWEST_FOR_POWERS = 4
_CLEARLY = 2.0  # by which an AICc has to be smaller for a law with more parameters
_NO_LAYERS = (
    "No two layers were fitted at two sizes that subjects share, so there is no map of layers by "
    "size: a [[sweep]] with layers and hours (or training_stories, or contexts), or several "
    "models, would make one."
)
_NONE_SHARED = (
    "There is no map of layers by {by}: subjects share no layer at the same size so far; run the "
    "cells that are missing."
)
_NO_CONTOURS = (
    "There is no grid of models by hours, or of contexts by hours, of three sizes each, so there "
    "are no contours of equal score: a [[sweep]] with models or contexts, and with hours, three "
    "or more of each, would make them."
)


def in_two_sizes(material: Material) -> Section:
    """Show scores over layers and sizes, and what sizes are worth in hours."""
    section = Section("grids", "Layers, sizes and hours together")
    grids = layer_grids(material.results)
    for grid in grids:
        if len(grid.mean):
            section.drawings.append(_heat_map(grid))
        else:
            section.paragraphs.append(_NONE_SHARED.format(by=grid.name))
        if grid.apart:
            section.paragraphs.append(f"Layers by hours: {told_of_apart('n_stories', grid.apart)}")
    if not grids:
        section.paragraphs.append(_NO_LAYERS)
    depths = best_depths(material.results)
    if depths is not None:
        told, table = depths
        section.paragraphs.append(told)
        section.tables.append(table)
    n_drawn = 0
    for axis in ("model", "context"):
        units, left_out = size_grid(material.results, axis)
        if left_out:
            section.paragraphs.append(f"{_OF_TEN[axis].capitalize()} and hours: {left_out}")
        if units is None:
            continue
        n_drawn += 1
        surface = _surface(units)
        if isinstance(surface, str):
            section.paragraphs.append(f"{_OF_TEN[axis].capitalize()} and hours: {surface}")
            continue
        section.paragraphs.append(_told(surface, axis))
        section.drawings.append(_contours(surface, axis))
    if not n_drawn:
        section.paragraphs.append(_NO_CONTOURS)
    return section


def _heat_map(grid: LayerGrid) -> Drawing:
    mean = grid.mean
    by_depth = grid.by == "depth"
    ylabel = "relative depth (0: word embeddings, 1: last)" if by_depth else "layer"
    shown = mean if by_depth else mean.drop(columns="label")
    figure = layer_size_heat_map(
        shown,
        xlabel=f"{grid.xlabel}, by parameters" if by_depth else grid.xlabel,
        ylabel=ylabel,
        r_label=_R,
    )
    n = grid.table["subject"].nunique()
    over = f", then over {n} subjects" if n > 1 else ""
    where = {
        "hours": "Layers of the reference model by hours of training data, at the longest context",
        "context": "Layers of the reference model by context, with all training stories",
        "model": "Layers of each model of known size, at their depth relative to its last, with "
        "all training stories at the longest context; models in the order of their parameters",
    }[grid.name]
    caption = (
        f"{where}. Colour: {_R}, then over draws{over}. Ring: the layer that validation, which "
        f"knows no test story, chooses at that size{', by the mean over subjects' if n > 1 else ''}"
        ". The file has each subject's own choice too."
    )
    return Drawing(f"layers-by-{grid.name}", figure, caption, grid.table)


def _surface(units: Any) -> ScalingSurface | str:
    """Fit a log-linear surface, or one of powers where it is clearly better; or say why not."""
    x = {"size": units.index.get_level_values("size").to_numpy(dtype=np.float64)}
    x["hours"] = units.index.get_level_values("hours").to_numpy(dtype=np.float64)
    scores, levels = units.to_numpy(), levels_of(units)
    try:
        plain = fit_scaling_surface(x, scores, kind="log-linear", levels=levels)
    except FitError as error:
        return f"no surface could be fitted: {error}"
    if min(len(np.unique(one)) for one in x.values()) < _FEWEST_FOR_POWERS:
        return plain
    with warnings.catch_warnings():
        warnings.simplefilter("error", VoxscaleWarning)  # an exponent that the points cannot tell
        try:
            bent = fit_scaling_surface(x, scores, levels=levels)
        except (VoxscaleWarning, FitError):
            return plain
    return bent if _aicc(bent, 5) < _aicc(plain, 3) - _CLEARLY else plain


def _aicc(surface: ScalingSurface, n_parameters: int) -> float:
    """Compute Akaike's criterion for few points, the scatter being one more parameter."""
    left = surface.mean_scores - surface.predict(surface.x)
    n, k = len(left), n_parameters + 1
    if n - k - 1 < 1:
        return math.inf
    rss = max(float(left @ left), np.finfo(np.float64).tiny)
    return n * math.log(rss / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1)


def _told(surface: ScalingSurface, axis: str) -> str:
    """Say the slopes of a surface, and what ten times one size is worth in hours."""
    name = _OF_TEN[axis]
    n = [len(np.unique(surface.x[one])) for one in surface.axes]
    kind = (
        "a plane in the logarithms"
        if surface.kind == "log-linear"
        else "asymptote less a power of each, slopes as of the middle"
    )
    slopes = [
        f"{with_minus(f'{surface.slopes[one]:+.4f}')} per decade of {word}"
        f"{_ends(surface.slope_intervals[one])}"
        for one, word in (("size", name), ("hours", "hours"))
    ]
    left = surface.mean_scores - surface.predict(surface.x)
    worst = as_text(float(np.abs(left).max()), 4)
    return (
        f"{name.capitalize()} and hours together ({n[0]} by {n[1]}, {len(left)} points; {kind}): "
        f"{', '.join(slopes)}; the largest residual is {worst}. {_worth(surface, name)}"
    )


def _worth(surface: ScalingSurface, name: str) -> str:
    if not surface.slopes["hours"] > 0:
        return (
            f"What ten times the {name} would be worth in hours is not defined: scores do not rise "
            "with the hours."
        )
    found = surface.exchange("size", "hours")
    if math.isinf(found.value):
        return f"No amount of hours brings what ten times the {name} does, by this surface."
    told = f"Ten times the {name} is worth {factor_text(found.value)} times the hours"
    if math.isnan(found.low):
        return f"{told} (no interval: one test story)."
    n, over = surface.n_members, surface.interval_over
    many = {"story": "test stories"}.get(str(over), f"{over}s")
    ends = f"{factor_text(found.low)} to {factor_text(found.high)}"
    return f"{told} ({100 * surface.level:g} % interval {ends}, over {n} {many})."


def _ends(ends: tuple[float, float]) -> str:
    if math.isnan(ends[0]):
        return ""
    return with_minus(f" ({ends[0]:+.4f} to {ends[1]:+.4f})")


def _contours(surface: ScalingSurface, axis: str) -> Drawing:
    import pandas as pd

    figure = exchange_contours(
        surface, "size", "hours", xlabel=_AXES[axis], ylabel=_HOURS, r_label=_R
    )
    predicted = surface.predict(surface.x)
    measured = {**surface.x, "mean_r": surface.mean_scores, "surface": predicted}
    curves = surface.contours("size", "hours", contour_levels(surface))
    lines = [pd.DataFrame({"r": r, "size": x, "hours": y}) for r, (x, y) in curves.items()]
    also = pd.concat(lines) if lines else pd.DataFrame({"r": [], "size": [], "hours": []})
    own = "model" if axis == "model" else "context"
    caption = (
        f"Contours of equal score over {_AXES[axis]} and hours of training data, both on "
        f"logarithmic axes: along a line, one is exchanged for the other. Points: measured, each "
        f"{own} at its best layer by validation among those done with all its hours; "
        f"{plural(len(predicted), 'point')}. Lines and shade: the surface fitted to them."
    )
    numbers = pd.DataFrame(measured)
    name = f"exchange-{axis}-hours"
    return Drawing(name, figure, caption, numbers, also={f"{name}-lines": also})
