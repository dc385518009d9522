"""The text of a TextGrid, in Praat's long format, from what the old reader left of it."""

from __future__ import annotations

from typing import Any

from voxscale.data._released._values import StandIn

__all__ = ["text_grid_text"]


def text_grid_text(grid: StandIn) -> str:
    """Return the text of a TextGrid from its tiers or, where it has none, as it was read.

    Raises
    ------
    ValueError
        If it has neither tiers nor text, or a tier has no entries.
    """
    tiers, held = grid.attributes.get("tiers"), grid.attributes.get("read_file")
    is_whole = tiers and all(_entries(tier) is not None for tier in tiers)
    if not is_whole and held:
        return _text(held)
    if not is_whole or not tiers:
        msg = "it has neither tiers with a simple_transcript nor the text it was read from"
        raise ValueError(msg)
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    lines += [*_ends(grid, ""), "tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, tier in enumerate(tiers, 1):
        lines.append(f"    item [{number}]:")
        lines += _tier_lines(tier)
    return "\n".join(lines) + "\n"


def _tier_lines(tier: StandIn) -> list[str]:
    kind, pad = _text(tier.classid), " " * 8
    is_points = kind == "TextTier"
    what = "points" if is_points else "intervals"
    entries = _entries(tier) or []
    lines = [f"{pad}class = {_quoted(kind)}", f"{pad}name = {_quoted(tier.nameid)}"]
    lines += [*_ends(tier, pad), f"{pad}{what}: size = {len(entries)}"]
    for number, entry in enumerate(entries, 1):
        *times, label = entry
        fields = ("number", "mark") if is_points else ("xmin", "xmax", "text")
        lines.append(f"{pad}{what} [{number}]:")
        lines += [
            f"{pad}    {field} = {_number(time)}"
            for field, time in zip(fields[:-1], times, strict=True)
        ]
        lines.append(f"{pad}    {fields[-1]} = {_quoted(label)}")
    return lines


def _entries(tier: StandIn) -> Any:
    found = tier.attributes.get("simple_transcript")
    return found if isinstance(found, list | tuple) else None


def _ends(of: StandIn, pad: str) -> list[str]:
    return [f"{pad}{name} = {_number(of.attributes[name])}" for name in ("xmin", "xmax")]


def _number(value: Any) -> str:
    """Return a time as it was written; a number of the old reader is text."""
    return str(float(_text(value))) if not isinstance(value, str) else value.strip()


def _text(value: Any) -> str:
    """Return text; that of Python 2 is bytes where it is not ASCII."""
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _quoted(value: Any) -> str:
    return '"' + _text(value).replace('"', '""') + '"'
