"""The figure of a study's sweeps: a panel for each, with what is drawn as numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.reports._curves import LawPanel, scaling_curves
from voxscale.reports._law_words import grid_of
from voxscale.reports._tables import Drawing, plural

if TYPE_CHECKING:
    from voxscale.reports._size_laws import Sweep

__all__ = ["drawing_of"]

_BEYOND = 0.5  # decades that a law of three sizes or more is drawn beyond them
_XLABELS = {
    "n_stories": "training data (hours)",
    "context": "context (words at most)",
    "model": "parameters of the model",
}


def drawing_of(
    name: str, sweeps: Sequence[Sweep], points: Any, *, ceiling: float | None = None, note: str = ""
) -> Drawing:
    """Draw sweeps side by side.

    Parameters
    ----------
    name : str
        Of the files.
    sweeps : sequence of Sweep
    points : DataFrame
        The scores behind them, for the file.
    ceiling : float, optional
        Where scores are shares of the noise ceiling: 1.
    note : str
        What else the caption says.
    """
    import pandas as pd

    ylabel = "test correlation r, mean over voxels" if ceiling is None else "share of the ceiling"
    panels = [_panel(sweep, ceiling) for sweep in sweeps]
    caption = f"{_caption(sweeps, panels)}{note}"
    also = {f"{name}-law": pd.concat([_curve_table(sweep) for sweep in sweeps])}
    return Drawing(name, scaling_curves(panels, ylabel=ylabel), caption, points, also=also)


def _panel(sweep: Sweep, ceiling: float | None) -> LawPanel:
    law, subjects = sweep.law, sweep.subjects
    return LawPanel(
        law,
        _XLABELS[sweep.axis],
        _draws_of(sweep),
        title=subjects[0] if len(subjects) == 1 else None,
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


def _caption(sweeps: Sequence[Sweep], panels: Sequence[LawPanel]) -> str:
    """Explain what is drawn, and nothing else."""
    several = any(panel.members for panel in panels)
    is_share = panels[0].ceiling is not None
    what = "Share of the noise ceiling" if is_share else "Test correlation"
    where = "noise ceiling" if is_share else "score"
    layers = "at the reference layer"
    if any(sweep.axis == "model" for sweep in sweeps):
        layers += ", or, against parameters, at each model's best layer by validation"
    parts = [
        f"{what} against size, on a logarithmic axis, {layers}. Large points: mean over "
        f"voxels with a {where}, then over draws, then over test stories"
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
    return " ".join(parts)


def _about_band(sweeps: Sequence[Sweep]) -> str:
    """Say what the intervals are over, and what they do not know."""
    over = {sweep.line.interval_over for sweep in sweeps}
    if "subject" in over:
        return (
            f"Band: interval of the law over subjects, {_by_t(sweeps, 'subject')}: for other "
            "subjects who hear these test stories, which are no independent draws for each subject "
            "and are kept, as are the sizes."
        )
    if "story" in over:
        return (
            f"Band: interval of the law over test stories, {_by_t(sweeps, 'story')}: for other "
            "stories that this one subject could hear, not for other subjects."
        )
    return "There is no interval: one test story of one subject has no spread."


def _by_t(sweeps: Sequence[Sweep], over: str) -> str:
    n = max(sweep.line.n_members for sweep in sweeps if sweep.line.interval_over == over)
    return f"by Student's t with {plural(n - 1, 'degree')} of freedom"


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
