"""What a page says of the sizes that shares of the noise ceiling would need."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from voxscale.reports._law_words import is_near_line, line_fit, size_text
from voxscale.reports._size_words import MOST_TIMES, UNITS
from voxscale.reports._tables import with_minus

if TYPE_CHECKING:
    from voxscale.reports._size_laws import Sweep
    from voxscale.scaling import Needed

__all__ = ["told_of_needs"]

SHARES = (0.5, 0.75, 0.9)  # of the ceiling
MOST_BEYOND = 30.0  # times the largest size that was measured; farther a law is not trusted


def told_of_needs(sweep: Sweep) -> str:
    """Say which size would be needed for shares of the ceiling; scores are such shares."""
    law = sweep.law
    doubt = _doubt(sweep)
    if doubt:
        return f"What shares of the noise ceiling would need of {sweep.what} is not told: {doubt}."
    needs = {share: law.needed(share, ceiling=1.0) for share in SHARES}
    if not law.slope > 0:
        told = (
            f"What shares of the noise ceiling would need of {sweep.what} is not told: by the law "
            "that was chosen, scores do not rise at the largest size."
        )
        exceeded = [_percent(share) for share, one in needs.items() if _is_exceeded(sweep, one)]
        return (
            f"{told} Every size that was measured exceeds {', '.join(exceeded)}."
            if exceeded
            else told
        )
    parts = [f"{_percent(share)} {_needed(sweep, one)}" for share, one in needs.items()]
    return (
        f"Needed of {sweep.what} for shares of the noise ceiling, by the law that was chosen: "
        f"{'; '.join(parts)}."
    )


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _doubt(sweep: Sweep) -> str:
    """Say why a line that was chosen cannot be drawn on; empty where nothing speaks against it."""
    if sweep.law.kind != "log-linear":
        return ""
    if sweep.bends:
        return "the curve bends, and the law that was chosen is a line"
    is_only = sum(row.law is not None for row in sweep.comparison.rows) == 1
    if is_only and not is_near_line(sweep.line):
        return (
            "the points are far from their line (R² "
            f"{line_fit(sweep.line).r2:.2f}), and too few for another law"
        )
    return ""


def _is_exceeded(sweep: Sweep, found: Needed) -> bool:
    """Tell whether every size that was measured has a higher score."""
    return bool(sweep.law.mean_scores.min() > found.score)


def _needed(sweep: Sweep, found: Needed) -> str:
    first, last = float(sweep.law.x.min()), float(sweep.law.x.max())
    unit = UNITS[sweep.axis]
    if _is_exceeded(sweep, found):
        return "is exceeded at every size that was measured"
    if not found.is_reached:
        return "is not reached by this law"
    if found.x > MOST_BEYOND * last:
        return f"is not reached within {MOST_BEYOND:.0f} times the largest size"
    if found.x < first:
        return f"is reached below the smallest size, {unit.format(size_text(first))}"
    told = f"at {unit.format(size_text(found.x))}"
    low, high = found.interval
    if not math.isnan(low):
        top = "∞" if high > MOST_TIMES * last else size_text(high)
        bottom = "0" if low < first / MOST_TIMES else size_text(low)
        told += f" ({100 * found.level:g} % interval {bottom} to {top})"
    if found.x > last:
        times = size_text(found.x / last)
        told += f", {times} times the largest size that was measured ({_error(found)})"
    return told


def _error(found: Needed) -> str:
    """Say by how much the law misses the largest size when fitted without it."""
    if math.isnan(found.held_out_error):
        return "too few sizes to try the law on the largest"
    error = with_minus(f"{found.held_out_error:+.4f}")
    return f"fitted without this, the law errs there by {error}"
