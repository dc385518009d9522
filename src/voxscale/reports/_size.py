"""The section of a page that shows how scores grow with hours of data, context and parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voxscale.reports._size_ceiling import add_ceiling
from voxscale.reports._size_drawing import drawing_of
from voxscale.reports._size_laws import Sweep, fitted_sweep, worth
from voxscale.reports._size_subjects import subjects_table
from voxscale.reports._size_words import (
    NAMES,
    in_short,
    laws_table,
    told_of_law,
    told_of_sweep,
    told_of_worth,
)
from voxscale.reports._tables import Section
from voxscale.study._sweep_points import facts_of, model_points, sweep_points

if TYPE_CHECKING:
    from voxscale.reports._reading import Material

__all__ = ["by_size"]


def by_size(material: Material) -> Section:
    """Show the score against hours, context and parameters, with laws."""
    import pandas as pd

    every = _points(material)
    sweeps: dict[str, Sweep] = {}
    paragraphs: list[str] = []
    tables = []
    for axis, points in every.items():
        what = NAMES[axis]
        found = fitted_sweep(axis, what, points)
        shown = points if isinstance(found, str) else found.points
        tables.append(shown.drop(columns="key").assign(sweep=axis))
        if isinstance(found, str):
            paragraphs.append(f"{_capital(what)}: {found}")
            continue
        sweeps[axis] = found
        paragraphs.append(f"{_capital(what)}: {told_of_sweep(found)}")
        paragraphs.append(_capital(told_of_law(found)))
    told = "; ".join(f"{one.what}: {in_short(one)}" for one in sweeps.values())
    section = Section(
        "size",
        "Score against hours, context and model size",
        headline=f"Test r against {told}." if told else "",
        paragraphs=[*paragraphs, *_without_size(material), *_exchanges(sweeps)],
    )
    if sweeps:
        section.tables.append(laws_table(list(sweeps.values())))
    section.tables.extend(subjects_table(every, NAMES, sweeps))
    if sweeps:
        points, note = pd.concat(tables), _validation_note(material)
        section.drawings.append(drawing_of("size", [*sweeps.values()], points, note=note))
    add_ceiling(section, material, every)
    return section


def _points(material: Material) -> dict[str, Any]:
    """Read the scores along each sweep; models only where there are several."""
    results = material.results
    points = {axis: sweep_points(results, axis) for axis in ("n_stories", "context")}
    if len(results.study.models) > 1:
        points["model"] = model_points(results)
    return points


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _validation_note(material: Material) -> str:
    """Say that a single training story is validated in another way than several."""
    sizes = {cell.n_stories for cell in material.results.sweep("n_stories")}
    if 1 not in sizes or material.results.study.fit.cv != "leave-run-out":
        return ""
    several = ", with more by leaving out one story at a time" if len(sizes) > 1 else ""
    return (
        " Penalties: with one training story chosen by five contiguous folds with a gap of the "
        f"longest delay{several}."
    )


def _without_size(material: Material) -> list[str]:
    """Name the models that the table of models does not know."""
    models = material.results.study.models
    unknown = [model for model in models if facts_of(model) is None]
    if len(models) < 2 or not unknown:
        return []
    named = ", ".join(repr(model) for model in unknown)
    return [f"Left out, since the table of models has no size of them: {named}."]


def _exchanges(sweeps: dict[str, Sweep]) -> list[str]:
    """Say what ten times the context, or the parameters, are worth in hours."""
    hours = sweeps.get("n_stories")
    if hours is None:
        return []
    others = [sweep for axis, sweep in sweeps.items() if axis != "n_stories"]
    return [told_of_worth(one, hours, worth(one, hours)) for one in others]
