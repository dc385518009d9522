"""What a page says of sizes and subjects that are in no law."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from voxscale.reports._tables import plural

if TYPE_CHECKING:
    from voxscale.study._common_sizes import Pooled

__all__ = ["told_of_apart", "told_of_left_out"]


def told_of_left_out(axis: str, found: Pooled) -> str:
    """Name sizes that are no point of the law, and subjects and stories that are not in it."""
    told = [told_of_apart(axis, found.apart)] if found.apart else []
    lost: dict[str, list[str]] = {}
    for (subject, story), points in found.lost.items():
        lost.setdefault(subject, []).append(f"{story!r} ({_names(axis, points)})")
    if lost:
        each = [
            f"of {subject} test story {', '.join(stories)}" for subject, stories in lost.items()
        ]
        told.append(f"Left out for want of a size: {'; '.join(each)}.")
    if found.short:
        told.append(f"Left out, since a test story lacks it: {_names(axis, found.short)}.")
    return " ".join(told)


def told_of_apart(axis: str, apart: Mapping[Any, Mapping[str, float]]) -> str:
    """Name amounts of data that are different hours for different subjects."""
    each = [
        f"{_name(axis, point)}: "
        + ", ".join(f"{hours:.3g} h of {subject}" for subject, hours in sizes.items())
        for point, sizes in apart.items()
    ]
    return f"Left out, since too different to be one point of all: {'; '.join(each)}."


def _names(axis: str, points: Any) -> str:
    return ", ".join(_name(axis, point) for point in points)


def _name(axis: str, point: Any) -> str:
    """Write a point as it was asked for."""
    if axis == "context":
        return plural(point, "word")
    if axis == "n_stories" and str(point).isdecimal():
        return plural(int(point), "story", "stories")
    return str(point)
