"""The laws of a study's sweeps: fitted, compared, and tested for a bend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from voxscale.arrays import Array
from voxscale.reports._left_out import told_of_apart
from voxscale.scaling import (
    Bending,
    LawComparison,
    ScalingLaw,
    bending,
    compare_laws,
    fit_scaling_law,
)
from voxscale.study._common_sizes import Pooled, pooled

_FEWEST = 2  # sizes of a law

__all__ = ["Sweep", "Worth", "fitted_sweep", "line_of", "worth"]


class Sweep(NamedTuple):
    """A sweep with its laws; ``points`` have a ``pooled_size``, NaN where they are in no law."""

    axis: str
    what: str
    points: Any
    pooled: Pooled
    comparison: LawComparison
    bend: Bending | None

    @property
    def units(self) -> Any:
        """Scores (n_sizes, n_units) by subject and story."""
        return self.pooled.units

    @property
    def law(self) -> ScalingLaw:
        """The law that the comparison chose."""
        return self.comparison.law

    @property
    def line(self) -> ScalingLaw:
        """The log-linear law, which there always is."""
        law = self.comparison.rows[0].law
        return self.comparison.law if law is None else law

    @property
    def bends(self) -> bool:
        """Whether the curve surely bends."""
        return self.bend is not None and self.bend.verdict.startswith("bends")

    @property
    def n_sizes(self) -> int:
        """How many different sizes there are; models may share one."""
        return int(self.units.index.nunique())

    @property
    def subjects(self) -> list[str]:
        """Subjects that have a score at every size."""
        return list(dict.fromkeys(self.units.columns.get_level_values("subject")))

    @property
    def n_stories(self) -> int:
        """How many test stories there are, whoever heard them."""
        return int(self.units.columns.get_level_values("story").nunique())

    @property
    def over_stories(self) -> ScalingLaw | None:
        """The line with an interval over the test stories of several subjects, if it has one."""
        if len(self.subjects) < 2 or self.n_stories < 2:
            return None
        return line_of(self.units, over="story")

    @property
    def member_scores(self) -> Mapping[str, Array]:
        """Mean over stories of each subject, (n_sizes,); empty where there is one subject."""
        if len(self.subjects) < 2:
            return {}
        return {one: self.units[one].mean(axis=1).to_numpy() for one in self.subjects}


class Worth(NamedTuple):
    """What ten times one size is worth in another; NaN where it is not defined, with the reason.

    ``at``, where a law is a curve, are the sizes of both that it is about; empty between lines.
    """

    factor: float
    low: float = np.nan
    high: float = np.nan
    why_not: str = ""
    at: tuple[float, ...] = ()


def fitted_sweep(axis: str, what: str, points: Any, ceiling: float | None = None) -> Sweep | str:
    """Fit the laws of a sweep, or say why there is none."""
    n_sizes = points.groupby("subject")["size"].nunique().max() if len(points) else 0
    if n_sizes < 2:
        one = {"n_stories": "size", "context": "context"}.get(axis, "model of known size")
        done = f"No {one} is" if n_sizes == 0 else f"Only one {one} is"
        if axis == "model" and points["point"].nunique() > 1:
            return "All models that are done are of one size, so no law can be fitted."
        return f"{done} done, so no law can be fitted."
    found = pooled(points)
    if found.units.index.nunique() < 2:
        apart = f" {told_of_apart(axis, found.apart)}" if found.apart else ""
        return (
            "no test story has a score at two sizes or more that subjects share, so no law can be "
            f"fitted.{apart}"
        )
    x = found.units.index.to_numpy(dtype=np.float64)
    scores, levels = found.units.to_numpy(), levels_of(found.units)
    comparison = compare_laws(x, scores, ceiling=ceiling, levels=levels)
    bend = bending(x, scores, levels=levels) if len(np.unique(x)) > 2 else None
    return Sweep(axis, what, _with_sizes(points, found), found, comparison, bend)


def _with_sizes(points: Any, found: Pooled) -> Any:
    """Say at which size of the law each point stands."""
    sizes = points["point"].map(dict(zip(found.names, found.units.index, strict=True)))
    units = zip(points["subject"], points["story"], strict=True)
    is_in = [unit in found.units.columns for unit in units]
    return points.assign(pooled_size=sizes.astype(np.float64).where(is_in))


def levels_of(units: Any) -> dict[str, Any]:
    """Label units by their subject and story; subjects count the same."""
    return {name: units.columns.get_level_values(name).to_numpy() for name in ("subject", "story")}


def worth(sweep: Sweep, hours: Sweep, units: tuple[Any, Any] | None = None) -> Worth:
    """Compute what ten times the size of a sweep is worth in hours.

    Of all subjects, or of the one whose ``units`` along both sweeps are given.

    By their lines, which have an interval; where one is a curve, by the laws that were chosen: the
    last tenfold of the size, set against hours from the middle of theirs. Members that only one
    of the two has are left out, so that slopes go in pairs.
    """
    both = [sweep.units, hours.units] if units is None else [*units]
    shared = both[0].columns.intersection(both[1].columns)
    if not len(shared) or min(units.index.nunique() for units in both) < _FEWEST:
        return Worth(np.nan, why_not="no test story of a subject is in both")
    both = [units[shared] for units in both]
    if not all(one.law.kind == "log-linear" for one in (sweep, hours)):
        return _worth_of_curves(_law_of(sweep, both[0]), _law_of(hours, both[1]))
    top, bottom = map(line_of, both)
    factor = top.exchange(bottom)
    if not np.isfinite(factor):
        return Worth(np.nan, why_not="scores do not rise with the hours")
    return Worth(factor, *top.exchange_interval(bottom))


def _worth_of_curves(top: ScalingLaw, bottom: ScalingLaw) -> Worth:
    at = max(top.x.min(), top.x.max() / 10), np.sqrt(bottom.x.min() * bottom.x.max())
    factor = top.exchange(bottom, at=at)
    if np.isnan(factor):
        return Worth(np.nan, why_not="scores do not rise with the hours there")
    return Worth(float(factor), at=tuple(map(float, at)))


def _law_of(sweep: Sweep, units: Any) -> ScalingLaw:
    """Fit the law that was chosen to some of the units."""
    ceiling = sweep.law.asymptote if sweep.law.kind == "saturating" else None
    x = units.index.to_numpy(dtype=np.float64)
    levels = levels_of(units)
    return fit_scaling_law(x, units.to_numpy(), kind=sweep.law.kind, ceiling=ceiling, levels=levels)


def line_of(units: Any, over: str | None = None) -> ScalingLaw:
    """Fit a line to units, with intervals over their subjects, or what ``over`` says."""
    x = units.index.to_numpy(dtype=np.float64)
    return fit_scaling_law(x, units.to_numpy(), levels=levels_of(units), over=over)
