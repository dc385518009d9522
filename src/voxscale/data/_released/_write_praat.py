"""The texts of TextGrids, in Praat's long format, and of event logs."""

from __future__ import annotations

from collections.abc import Iterable

from voxscale.data._textgrid import TextGrid, Tier
from voxscale.data._tr_report import Event

__all__ = ["log_text", "text_grid_text"]


def text_grid_text(grid: TextGrid) -> str:
    """Return the text from which `voxscale.data.read_textgrid` reads the very same TextGrid."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", *_ends(grid, "")]
    lines += ["tiers? <exists>", f"size = {len(grid.tiers)}", "item []:"]
    for number, tier in enumerate(grid.tiers, 1):
        lines.append(f"    item [{number}]:")
        lines += _tier_lines(tier)
    return "\n".join(lines) + "\n"


def _tier_lines(tier: Tier) -> list[str]:
    pad, is_intervals = " " * 8, tier.is_interval_tier
    kind, what = ("IntervalTier", "intervals") if is_intervals else ("TextTier", "points")
    fields = ("xmin", "xmax", "text") if is_intervals else ("number", "mark")
    lines = [f"{pad}class = {_quoted(kind)}", f"{pad}name = {_quoted(tier.name)}"]
    lines += [*_ends(tier, pad), f"{pad}{what}: size = {len(tier)}"]
    for number, entry in enumerate(tier.intervals if is_intervals else tier.points, 1):
        lines.append(f"{pad}{what} [{number}]:")
        for name, value in zip(fields, entry, strict=True):
            shown = _quoted(value) if isinstance(value, str) else repr(value)
            lines.append(f"{pad}    {name} = {shown}")
    return lines


def _ends(of: TextGrid | Tier, pad: str) -> list[str]:
    return [f"{pad}xmin = {of.start_s!r}", f"{pad}xmax = {of.end_s!r}"]


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


def log_text(events: Iterable[Event]) -> str:
    """Return the log from which `voxscale.data.read_tr_report` reads these events."""
    return "".join(f"{one.time_s!r} {one.label}\n" for one in events)
