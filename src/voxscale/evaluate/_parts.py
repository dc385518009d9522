"""Parts of a score, their table, and how many of them are below zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from voxscale.arrays import Array

__all__ = ["count_negative", "part_rows", "text_of"]

# Below zero by no more than this many rounding units of the score is not below zero.
_ROUNDING_UNITS = 32


def count_negative(part: Array, size: Array) -> int:
    """Count the voxels in which a part is below zero by more than the rounding of a score."""
    tolerance = _ROUNDING_UNITS * np.finfo(np.float64).eps * size
    return int(np.count_nonzero(part < -tolerance))  # NaN is below nothing


def part_rows(
    parts: Mapping[Any, Array], total: Array, size: Array, *, kind: str = ""
) -> list[dict[str, Any]]:
    """Return a row for each part, and one for the total.

    Parameters
    ----------
    parts : mapping of tuple of str to array of shape (n_voxels,)
        By the names of the spaces.
    total : array of shape (n_voxels,)
    size : array of shape (n_voxels,)
        Of the largest score that the parts are made of.
    kind : str, optional
        What all parts are. Default: "unique" those of one space, "shared" the others.

    Returns
    -------
    list of dict
        ``part``, ``kind``, ``mean`` over voxels with an answer, how many parts are below zero
        (``n_negative``), and the ``lowest`` of all.
    """
    rows = [
        _row(" & ".join(key), kind or ("unique" if len(key) == 1 else "shared"), part, size)
        for key, part in parts.items()
    ]
    return [*rows, _row("all", "total", total, size)]


def text_of(title: str, rows: Sequence[Mapping[str, Any]], note: str = "") -> str:
    """Write rows as lines of a table."""
    width = max(len("part"), *(len(row["part"]) for row in rows))
    lines = [title, f"{'part':<{width}}  kind         mean  n_negative    lowest"]
    lines += [
        f"{row['part']:<{width}}  {row['kind']:<6}  {row['mean']:>9.4f}  {row['n_negative']:>10,}"
        f"  {row['lowest']:>8.4f}"
        for row in rows
    ]
    return "\n".join([*lines, note] if note else lines)


def _row(name: str, kind: str, part: Array, size: Array) -> dict[str, Any]:
    known = part[np.isfinite(part)]
    return {
        "part": name,
        "kind": kind,
        "mean": float(known.mean()) if known.size else float("nan"),
        "n_negative": count_negative(part, size),
        "lowest": float(known.min()) if known.size else float("nan"),
    }
