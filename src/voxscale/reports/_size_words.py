"""What a page says of the laws of a study's sweeps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.reports._law_words import (
    described_members,
    described_slope,
    line_fit,
    size_text,
)
from voxscale.reports._left_out import told_of_left_out
from voxscale.reports._size_draws import told_of_draws
from voxscale.reports._tables import Table, as_text, with_minus

if TYPE_CHECKING:
    from voxscale.reports._size_laws import Sweep, Worth
    from voxscale.scaling import Bending, LawRow

__all__ = [
    "MOST_TIMES",
    "NAMES",
    "UNITS",
    "factor_text",
    "in_short",
    "laws_table",
    "told_of_law",
    "told_of_sweep",
    "told_of_worth",
]

FEW_MEMBERS = 10  # below which an interval rests on few
MOST_TIMES = 1e4  # a larger factor is not a number that anyone could act on

NAMES = {
    "n_stories": "hours of training data",
    "context": "context",
    "model": "parameters of the model",
}
UNITS = {"n_stories": "{} h", "context": "{} words", "model": "{} parameters"}
_OF_TEN = {"context": "context", "model": "parameters"}
# Which way each size is told apart in the laws' table.
_COLUMNS = (
    "sweep", "law", "parameters", "AICc", "weight", "error at the largest size",
    "at the two largest", "chosen",
)  # fmt: skip


def in_short(sweep: Sweep) -> str:
    """Say the slope, what its interval rests on, and how well a line describes the points."""
    line = sweep.line
    told = described_slope(line, unit="test story")
    if line.interval_over is not None:
        few = ", too few to rest much on" if line.n_members < FEW_MEMBERS else ""
        told += f" (over {described_members(line)}{few})"
    if len(line.x) > 2:
        told += f", R² of the line {as_text(line_fit(line).r2)}"
    if sweep.law.kind != "log-linear":
        return f"{told}; the law that was chosen is no line ({sweep.law.kind})"
    return told + ("; the curve bends" if sweep.bends else "")


def told_of_sweep(sweep: Sweep) -> str:
    """Say how fast scores grow, per decade and per doubling, and what that rests on."""
    line = sweep.line
    low, high = line.slope_per_doubling_interval
    doubling = with_minus(f"{line.slope_per_doubling:+.4f}")
    ends = "" if math.isnan(low) else with_minus(f", {low:+.4f} to {high:+.4f}")
    told = (
        f"{in_short(sweep)}.{_over_stories(sweep)} Per doubling: {doubling}{ends}. {_sizes(sweep)}"
    )
    draws = told_of_draws(sweep)
    told += f" {draws}" if draws else ""
    if sweep.n_sizes == 2:
        told += " Two sizes cannot show whether the line is straight."
    left = told_of_left_out(sweep.axis, sweep.pooled)
    return f"{told} {left}" if left else told


def _over_stories(sweep: Sweep) -> str:
    """Say how sure the slope of these subjects is, for other stories that they could hear."""
    law = sweep.over_stories
    if law is None:
        return ""
    low, high = (with_minus(f"{end:+.4f}") for end in law.slope_interval)
    return (
        f" For these {len(sweep.subjects)} subjects and other stories: {low} to {high} (over "
        f"{described_members(law)})."
    )


def _sizes(sweep: Sweep) -> str:
    line = sweep.line
    what = "models" if sweep.axis == "model" else "sizes"
    worst = ""
    if len(line.x) > 2:
        _, residual, x = line_fit(line)
        worst = f", largest residual {as_text(residual, 4)} at {size_text(x)}"
    several = f"mean over {len(sweep.subjects)} subjects"
    of = several if len(sweep.subjects) > 1 else f"of {sweep.subjects[0]}"
    return f"{len(line.x)} {what}, {of}{worst}."


def told_of_law(sweep: Sweep) -> str:
    """Say which law was chosen, why, and whether the curve bends."""
    law = sweep.law
    judged = [row for row in sweep.comparison.rows if row.is_judged]
    why = sweep.comparison.why
    if len(judged) == sum(row.law is not None for row in sweep.comparison.rows) == 1:
        why = f"{judged[0].kind}: the only one that so few sizes can judge by AICc"
    told = f"law of {sweep.what}: {why}"
    ends = law.exponent_interval
    if not math.isnan(law.exponent):
        told += f"; its exponent is {law.exponent:.2f}{_ends(ends)}"
    told += "."
    bend = sweep.bend
    if bend is None or math.isnan(bend.p_value):
        return told
    verdict = {
        "bends down": "The curve bends down",
        "bends up": "The curve bends up",
    }.get(bend.verdict, "No bend is found")
    change = with_minus(f"{bend.curvature:+.4f}")
    low, high = (with_minus(f"{end:+.4f}") for end in bend.interval)
    return (
        f"{told} {verdict}: its slope per decade changes by {change} each decade "
        f"({100 * bend.level:g} % interval {low} to {high}, p = {bend.p_value:.2g}"
        f"{_by_sizes(bend)})."
    )


def _by_sizes(bend: Bending) -> str:
    """Say how surely the sizes' own scatter does not make the bend."""
    if math.isnan(bend.p_value_sizes):
        return ""
    return f"; against the scatter of the sizes p = {bend.p_value_sizes:.2g}"


def _ends(ends: tuple[float, float]) -> str:
    if math.isnan(ends[0]):
        return ""
    return f" ({ends[0]:.2f} to {'∞' if math.isinf(ends[1]) else f'{ends[1]:.2f}'})"


def told_of_worth(sweep: Sweep, hours: Sweep, found: Worth) -> str:
    """Say what ten times a size is worth in hours, or why that is not defined."""
    what, level = _OF_TEN[sweep.axis], sweep.line.level
    if found.why_not:
        return (
            f"What ten times the {what} would be worth in hours of training data is not defined: "
            f"{found.why_not}."
        )
    if found.at:
        unit, (size, h) = UNITS[sweep.axis], found.at
        kinds = f"{sweep.law.kind} of {sweep.what}, {hours.law.kind} of {hours.what}"
        return (
            f"By the laws that were chosen ({kinds}), ten times the {what} from "
            f"{unit.format(size_text(size))} on brings as much as {factor_text(found.factor)} "
            f"times the hours of training data, counted from {size_text(h)} h (no interval: it "
            "depends on where it starts)."
        )
    told = (
        f"Within these ranges, ten times the {what} brings as much as {factor_text(found.factor)} "
        "times the hours of training data"
    )
    if math.isnan(found.low):
        return f"{told} (no interval: one test story).{_where(sweep, hours)}"
    if found.low == 0 and math.isinf(found.high):
        return (
            f"{told}, but its {100 * level:g} % interval has no end: the slope with hours is not "
            f"surely different from 0.{_where(sweep, hours)}"
        )
    ends = f"{factor_text(found.low)} to {factor_text(found.high)}"
    return f"{told} ({100 * level:g} % interval {ends}).{_where(sweep, hours)}"


def _where(*sweeps: Sweep) -> str:
    """Say where an exchange by straight lines holds, if one of them surely bends."""
    bent = [one.what for one in sweeps if one.bends]
    if not bent:
        return ""
    told = " and ".join(bent)
    return f" The curve against {told} bends, so that this holds in mid-range alone."


def factor_text(factor: float) -> str:
    """Write a factor with two digits; one that nobody could act on, as more than so much.

    Examples
    --------
    >>> [factor_text(one) for one in (0.96, 1.0, 3.16, 4512.0, 2e6)]
    ['0.96', '1.0', '3.2', '4,500', 'more than 10,000']
    """
    if factor > MOST_TIMES:
        return f"more than {MOST_TIMES:,.0f}"
    if 1 <= factor < 10:
        return f"{factor:.1f}"
    return f"{factor:.2g}" if factor < 100 else f"{float(f'{factor:.2g}'):,.0f}"


def laws_table(sweeps: Sequence[Sweep], name: str = "size-laws", note: str = "") -> Table:
    """Tabulate every law of every sweep, the chosen one and why others could not be fitted.

    By default the note says how to read the table.
    """
    import pandas as pd

    rows, numbers = [], []
    for sweep in sweeps:
        for row in sweep.comparison.rows:
            is_chosen = row.kind == sweep.comparison.chosen
            numbers.append(_numbers(sweep, row, is_chosen=is_chosen))
            if row.law is None:
                continue
            held = [as_text(one, 4) for one in row.held_out]
            rows.append(
                (sweep.what, row.kind, as_text(row.n_parameters), as_text(row.aicc, 1),
                 _weight(row.weight), *held, "yes" if is_chosen else "")
            )  # fmt: skip
    return Table(_COLUMNS, rows, note or _LAWS_NOTE, name, pd.DataFrame(numbers))


_LAWS_NOTE = (
    "Laws of the mean scores, where there are enough sizes. Weight: share of the support by AICc, "
    "which needs three sizes more than the law has parameters, and judges from four more on. "
    "Errors: root mean square, at the largest sizes, of the law fitted without them. Candidates "
    "are the laws that AICc judges and that are within 2 of the smallest, and all that it cannot "
    "judge. Chosen of these, from the fewest parameters up: a law takes the place of the one kept "
    "so far if its error at the two largest sizes (at the largest, where one of the two cannot do "
    "without two) is less by more than a tenth, and by more than twice the scatter of the sizes "
    "about it; with as many parameters, if it is less at all. The file has laws that could not be "
    "fitted too, with the reason."
)


def _weight(weight: float) -> str:
    return f"{weight:.2f}" if not math.isnan(weight) else "–"


def _numbers(sweep: Sweep, row: LawRow, *, is_chosen: bool) -> dict[str, Any]:
    law = row.law
    told: dict[str, Any] = {
        "sweep": sweep.axis, "kind": row.kind, "is_chosen": is_chosen, "reason": row.reason,
        "n_parameters": row.n_parameters, "rss": row.rss, "aicc": row.aicc, "weight": row.weight,
        "held_out_1": row.held_out[0], "held_out_2": row.held_out[1],
    }  # fmt: skip
    names = ("intercept", "slope", "exponent", "asymptote", "coefficient", "break_x",
             "slope_before", "slope_after")  # fmt: skip
    told |= {name: np.nan if law is None else getattr(law, name) for name in names}
    for name in ("slope", "exponent", "asymptote"):
        ends = (np.nan, np.nan) if law is None else getattr(law, f"{name}_interval")
        told |= {f"{name}_low": ends[0], f"{name}_high": ends[1]}
    if law is not None:
        told |= {"interval_over": law.interval_over, "n_members": law.n_members}
        told |= {"level": law.level, "n_sizes": len(law.x)}
    return told
