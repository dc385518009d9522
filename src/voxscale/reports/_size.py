"""The section of a page that shows how scores grow with hours of data and with context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from voxscale.arrays import Array
from voxscale.reports._curves import (
    LawPanel,
    described_slope,
    grid_of,
    is_straight,
    line_fit,
    scaling_curves,
)
from voxscale.reports._reading import sweep_points
from voxscale.reports._tables import Drawing, Section, as_text, plural
from voxscale.scaling import ScalingLaw, fit_scaling_law

if TYPE_CHECKING:
    from voxscale.reports._reading import Material

__all__ = ["N_BOOTSTRAP", "by_size"]

N_BOOTSTRAP = 2000
_FEWEST_STORIES = 10  # whose intervals can be trusted
_MOST_TIMES = 1e4  # a larger factor is not a number that anyone could act on


class _Sweep(NamedTuple):
    """A law with the stories that it rests on."""

    law: ScalingLaw
    stories: tuple[str, ...]


def by_size(material: Material) -> Section:
    """Show the score against hours of training data and against context, with laws."""
    import pandas as pd

    sweeps: dict[str, _Sweep] = {}
    panels: list[LawPanel] = []
    paragraphs: list[str] = []
    tables = []
    lines = []
    for axis, what, xlabel in (
        ("n_stories", "hours of training data", "training data (hours)"),
        ("context", "context", "context (words at most)"),
    ):
        points = sweep_points(material.results, axis)
        tables.append(points.assign(sweep=axis))
        sweep, told = _law_of(points, axis)
        paragraphs.append(f"{what[0].upper()}{what[1:]}: {told}")
        if sweep is None:
            continue
        sweeps[what] = sweep
        lines.append(_line_table(sweep, axis))
        x = "hours" if axis == "n_stories" else "context"
        draws = _draws_of(points, x)
        panels.append(LawPanel(sweep.law, xlabel, draws, unit="test story"))
    told = "; ".join(f"{what}: {_in_short(sweep)}" for what, sweep in sweeps.items())
    section = Section(
        "size",
        "Score against hours and context",
        headline=f"Test r against {told}." if told else "",
        paragraphs=paragraphs + _exchange(sweeps),
    )
    if panels:
        figure = scaling_curves(panels, ylabel="test correlation r, mean over voxels")
        also = {"size-law": pd.concat(lines)}
        caption = _law_caption(panels) + _validation_note(material)
        section.drawings.append(Drawing("size", figure, caption, pd.concat(tables), also=also))
    return section


def _law_caption(panels: list[LawPanel]) -> str:
    """Explain what is drawn, and nothing else."""
    parts = [
        "Test correlation against size, on a logarithmic axis, at the reference layer. Large "
        "points: mean over voxels with a score, then over draws, then over subjects, then over "
        "test stories."
    ]
    if any(panel.draws is not None for panel in panels):
        parts.append(
            "Grey rings, moved to the right to be seen: single draws of training stories, where "
            "there are several."
        )
    parts.append("Line: least squares of score on log10 of size.")
    if any(np.isfinite(panel.law.slope_interval[0]) for panel in panels):
        parts.append(
            "Band: percentile interval of the line, from resampling the test stories "
            f"{N_BOOTSTRAP} times with replacement; a story is drawn with all subjects, who heard "
            "the same, and the sizes are kept as they are. With fewer than about ten stories the "
            "interval is too narrow."
        )
    else:
        parts.append("There is no interval: one test story cannot be resampled.")
    return " ".join(parts)


def _draws_of(points: Any, x: str) -> tuple[Array, Array] | None:
    """Average each draw over subjects and stories; a draw alone at its size is the mean itself."""
    of_draws = points.groupby(["size", "draw"], as_index=False)[[x, "mean_r"]].mean()
    several = of_draws[of_draws.groupby("size")["draw"].transform("size") > 1]
    return (several[x].to_numpy(), several["mean_r"].to_numpy()) if len(several) else None


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


def _law_of(points: Any, axis: str) -> tuple[_Sweep | None, str]:
    """Fit the law of a sweep, or say why there is none."""
    n_sizes = points["size"].nunique()
    if n_sizes < 2:
        what = "size" if axis == "n_stories" else "context"
        done = f"No {what} is" if n_sizes == 0 else f"Only one {what} is"
        return None, f"{done} done, so no law can be fitted."
    units = points.pivot_table(
        index="size", columns=["subject", "story"], values="mean_r", aggfunc="mean", dropna=False
    )
    complete = units.dropna(axis="index", how="all").dropna(axis="columns", how="any")
    if complete.shape[0] < 2 or not complete.shape[1]:
        return None, "no test story has a score at two sizes or more, so no law can be fitted."
    # Subjects who heard the same story are not independent of each other: one unit per story.
    of_stories = complete.T.groupby(level="story").mean().T
    stories = tuple(of_stories.columns)
    sizes = complete.index.to_numpy(dtype=np.float64)
    law = fit_scaling_law(sizes, of_stories.to_numpy(), n_bootstrap=N_BOOTSTRAP)
    sweep = _Sweep(law, stories)
    n_subjects = complete.columns.get_level_values("subject").nunique()
    told = (
        f"{_in_short(sweep)}; {len(sizes)} sizes, "
        f"mean over {plural(n_subjects, 'subject')}{_worst(law)}."
    )
    if len(sizes) == 2:
        told += " Two sizes cannot show whether the line is straight."
    left = units.shape[1] - complete.shape[1]
    lost = f" Left out for want of a size: {plural(left, 'story', 'stories')} of a subject."
    return sweep, told + (lost if left else "")


def _in_short(sweep: _Sweep) -> str:
    """Say the slope, what its interval rests on, and how well a line describes the points."""
    law, n = sweep.law, len(sweep.stories)
    told = described_slope(law, unit="test story")
    if n > 1:
        few = ", too few for a trustworthy interval" if n < _FEWEST_STORIES else ""
        told += f" ({n} test stories{few})"
    if len(law.x) > 2:
        told += f", R² of the line {as_text(line_fit(law).r2)}"
    return told + ("" if is_straight(law) else ": not a straight line over this range")


def _worst(law: ScalingLaw) -> str:
    if len(law.x) < 3:
        return ""
    _, residual, x = line_fit(law)
    return f", largest residual {as_text(residual, 4)} at {x:.3g}"


def _line_table(sweep: _Sweep, axis: str) -> Any:
    """Tabulate the line as it is drawn, with the numbers of its law in every row."""
    import pandas as pd

    law = sweep.law
    x = grid_of(law)
    low, high = law.interval(x)
    fit = line_fit(law)
    numbers: dict[str, Any] = {"sweep": axis, "x": x, "line": law.predict(x)}
    numbers |= {"low": low, "high": high, "slope": law.slope, "intercept": law.intercept}
    numbers |= {"slope_low": law.slope_interval[0], "slope_high": law.slope_interval[1]}
    numbers |= {"r2": fit.r2, "largest_residual": fit.largest_residual}
    return pd.DataFrame({**numbers, "level": law.level, "n_stories": len(sweep.stories)})


def _exchange(sweeps: dict[str, _Sweep]) -> list[str]:
    """Say what ten times the context is worth in hours, where both are lines that surely rise."""
    if len(sweeps) < 2:
        return []
    hours, context = sweeps.values()
    is_sure = hours.stories == context.stories and all(
        len(law.x) > 2 and law.slope_interval[0] > 0 and is_straight(law)
        for law in (hours.law, context.law)
    )
    if not is_sure:
        return []
    factor = context.law.exchange(hours.law)
    low, high = _exchange_interval(context.law, hours.law)
    most = f"more than {_MOST_TIMES:.0f}" if high > _MOST_TIMES else f"{high:.2g}"
    return [
        f"Within these ranges, ten times the context brings as much as {factor:.2g} times the "
        f"hours of training data ({100 * hours.law.level:g} % interval {low:.2g} to {most})."
    ]


def _exchange_interval(one: ScalingLaw, other: ScalingLaw) -> tuple[float, float]:
    """Compute the interval of ``one.exchange(other)`` from draws of the same stories.

    Both laws were fitted with the same seed on the same stories, so that their draws go in
    pairs. A draw in which the other does not rise has no finite factor.
    """
    slopes, others = one.draws[1], other.draws[1]
    rises = others > 0
    decades = np.divide(slopes, others, out=np.full(len(slopes), np.inf), where=rises)
    ends = [(1 - one.level) / 2, (1 + one.level) / 2]
    low, high = np.quantile(decades, ends, method="inverted_cdf")
    with np.errstate(over="ignore"):
        return float(np.float64(10.0) ** low), float(np.float64(10.0) ** high)
