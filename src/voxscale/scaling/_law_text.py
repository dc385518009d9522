"""A law in a few lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from voxscale.scaling._law import ScalingLaw

__all__ = ["told"]


def told(law: ScalingLaw) -> str:
    """Write a law as a few lines."""
    lines = [f"{law.kind}: {law.evidence.form.kind.formula}, {len(law.x)} sizes"]
    for name in ("slope", "slope_before", "slope_after", "exponent", "asymptote", "break_x"):
        value = getattr(law, name)
        if not np.isnan(value):
            interval = getattr(law, f"{name.removesuffix('_x')}_interval")
            unit = " per decade" if name.startswith("slope") else ""
            ends = "" if np.isnan(interval[0]) else f", {interval[0]:.4g} to {interval[1]:.4g}"
            lines.append(f"  {name} {value:.4g}{unit}{ends}")
    if law.at_bound:
        what = law.evidence.form.kind.theta
        lines.append(f"  the {what} is at its {law.at_bound}est value that these sizes can tell")
    lines.append(f"  {_stands_on(law)}")
    return "\n".join(lines)


def _stands_on(law: ScalingLaw) -> str:
    names = law.evidence.units.names
    if law.interval_over is None:
        return f"no interval: one {names[-1]}"
    many = {"story": "stories"}.get(law.interval_over, f"{law.interval_over}s")
    text = f"{100 * law.level:g} % intervals ({law.interval_by}) over {law.n_members} {many}"
    if names[0] == "subject" and law.interval_over != "subject":
        one = len(np.unique(law.evidence.units.labels[0])) == 1
        text += ": of one subject, not of subjects" if one else ": of these subjects"
    return text
