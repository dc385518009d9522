"""The section of a page that shows how scores grow with hours of data, context and parameters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.reports._curves import LawPanel, scaling_curves
from voxscale.reports._law_words import grid_of
from voxscale.reports._size_laws import Sweep, ceiling_of, fitted_sweep, worth
from voxscale.reports._size_needs import about_ceiling, told_of_needs
from voxscale.reports._size_subjects import subjects_table
from voxscale.reports._size_words import (
    in_short,
    laws_table,
    told_of_law,
    told_of_sweep,
    told_of_worth,
)
from voxscale.reports._sweep_points import facts_of, model_points, sweep_points
from voxscale.reports._tables import Drawing, Section

if TYPE_CHECKING:
    from voxscale.reports._reading import Material

__all__ = ["by_size"]

_BEYOND = 0.5  # decades that a law of three sizes or more is drawn beyond them
_XLABELS = {
    "n_stories": "training data (hours)",
    "context": "context (words at most)",
    "model": "parameters of the model",
}
_NAMES = {
    "n_stories": "hours of training data",
    "context": "context",
    "model": "parameters of the model",
}


def by_size(material: Material) -> Section:
    """Show the score against hours, context and parameters, with laws."""
    import pandas as pd

    ceiling = ceiling_of(material)
    value = None if ceiling is None else ceiling.value
    sweeps: dict[str, Sweep] = {}
    paragraphs: list[str] = []
    tables = []
    every = _points(material)
    for axis, points in every.items():
        what = _NAMES[axis]
        found = fitted_sweep(axis, what, points, value)
        shown = points if isinstance(found, str) else found.points
        tables.append(shown.drop(columns="key").assign(sweep=axis))
        if isinstance(found, str):
            paragraphs.append(f"{_capital(what)}: {found}")
            continue
        sweeps[axis] = found
        paragraphs.append(f"{_capital(what)}: {told_of_sweep(found)}")
        paragraphs.append(told_of_law(found))
        if ceiling is not None:
            paragraphs.append(told_of_needs(found, ceiling))
    if sweeps and ceiling is not None:
        paragraphs.insert(0, about_ceiling(ceiling))
    told = "; ".join(f"{one.what}: {in_short(one)}" for one in sweeps.values())
    section = Section(
        "size",
        "Score against hours, context and model size",
        headline=f"Test r against {told}." if told else "",
        paragraphs=[*paragraphs, *_without_size(material), *_exchanges(sweeps)],
    )
    if sweeps:
        section.tables.append(laws_table(list(sweeps.values())))
    section.tables.extend(subjects_table(every, _NAMES, sweeps))
    if sweeps:
        panels = [_panel(sweep, value) for sweep in sweeps.values()]
        figure = scaling_curves(panels, ylabel="test correlation r, mean over voxels")
        also = {"size-law": pd.concat([_curve_table(sweep) for sweep in sweeps.values()])}
        caption = _caption(list(sweeps.values()), panels) + _validation_note(material)
        section.drawings.append(Drawing("size", figure, caption, pd.concat(tables), also=also))
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


def _panel(sweep: Sweep, ceiling: float | None) -> LawPanel:
    law = sweep.law
    return LawPanel(
        law,
        _XLABELS[sweep.axis],
        _draws_of(sweep),
        unit="test story",
        members=sweep.member_scores,
        ceiling=ceiling,
        beyond=_BEYOND if sweep.n_sizes > 2 else 0.0,
    )


def _draws_of(sweep: Sweep) -> tuple[Array, Array] | None:
    """Average each draw over subjects and stories; a draw alone at its size is the mean itself."""
    points = sweep.points[sweep.points["pooled_size"].notna()]
    x = "hours" if sweep.axis == "n_stories" else "size"
    of_draws = points.groupby(["point", "draw"], as_index=False)[[x, "mean_r"]].mean()
    several = of_draws[of_draws.groupby("point")["draw"].transform("size") > 1]
    return (several[x].to_numpy(), several["mean_r"].to_numpy()) if len(several) else None


def _caption(sweeps: list[Sweep], panels: list[LawPanel]) -> str:
    """Explain what is drawn, and nothing else."""
    several = any(panel.members for panel in panels)
    layers = "at the reference layer"
    if any(sweep.axis == "model" for sweep in sweeps):
        layers += ", or, against parameters, at each model's best layer by validation"
    parts = [
        f"Test correlation against size, on a logarithmic axis, {layers}. Large points: mean over "
        "voxels with a score, then over draws, then over test stories"
        + (", then over subjects, whose own means are the thin lines." if several else ".")
    ]
    if any(panel.draws is not None for panel in panels):
        parts.append(
            "Grey rings, moved to the right to be seen: single draws of training stories, where "
            "there are several."
        )
    parts.append("Thick line: the law that the table below the text marks as chosen.")
    parts.append(_about_band(sweeps))
    if any(sweep.line.interval_over is not None for sweep in sweeps):
        parts.append("The frame is about points and laws: wide bands go beyond it.")
    if any(panel.beyond for panel in panels):
        parts.append(
            "Dotted, beyond the last point: what the law bets on for half a decade more, where "
            "nothing was measured."
        )
        differ = any(sweep.law.interval_over is not None for sweep in sweeps)
        parts.append(
            "Hatched: where it expects the score of one new size, as far as sizes scatter "
            "about the law" + (" and members differ." if differ else ".")
        )
    if any(panel.ceiling is not None for panel in panels):
        parts.append("Dashed: the noise ceiling, a mean over voxels that have one.")
    return " ".join(parts)


def _about_band(sweeps: list[Sweep]) -> str:
    """Say what the intervals are over, and what they do not know."""
    over = {sweep.line.interval_over for sweep in sweeps}
    if "subject" in over:
        n = max(sweep.line.n_members for sweep in sweeps if sweep.line.interval_over == "subject")
        freedom = "1 degree" if n == 2 else f"{n - 1} degrees"
        return (
            f"Band: interval of the law over subjects, by Student's t with {freedom} of freedom: "
            "for other subjects who hear these test stories, which are no independent draws for "
            "each subject and are kept, as are the sizes."
        )
    if "story" in over:
        n = max(sweep.line.n_members for sweep in sweeps if sweep.line.interval_over == "story")
        freedom = "1 degree" if n == 2 else f"{n - 1} degrees"
        return (
            f"Band: interval of the law over test stories, by Student's t with {freedom} of "
            "freedom: for other stories that this one subject could hear, not for other subjects."
        )
    return "There is no interval: one test story of one subject has no spread."


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


def _curve_table(sweep: Sweep) -> Any:
    """Tabulate the law as it is drawn, and the log-linear one beside it."""
    import pandas as pd

    law, n = sweep.law, sweep.n_sizes
    inside, outside = grid_of(law), grid_of(law, beyond=_BEYOND) if n > 2 else np.empty(0)
    x = np.r_[inside, outside]
    low, high = (np.r_[end, np.full(len(outside), math.nan)] for end in law.interval(inside))
    bands = [law.extrapolate(float(one)).band for one in outside]
    nothing = [(math.nan, math.nan)] * len(inside)
    band_low, band_high = np.array([*nothing, *bands]).T
    numbers: dict[str, Any] = {
        "sweep": sweep.axis, "kind": law.kind, "x": x,
        "law": law.predict(x), "low": low, "high": high,
        "band_low": band_low, "band_high": band_high, "line": sweep.line.predict(x),
    }  # fmt: skip
    numbers["is_beyond"] = np.arange(len(x)) >= len(inside)
    return pd.DataFrame({**numbers, "level": law.level, "n_members": law.n_members})
