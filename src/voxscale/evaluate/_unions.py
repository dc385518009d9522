"""Unions of feature spaces: which there are, and one score for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError
from voxscale.evaluate._columns import as_numbers
from voxscale.evaluate._metrics import METRICS, Metric

__all__ = ["Union", "check_names", "check_variance", "checked_scores", "listed", "subsets_of"]

Union = tuple[str, ...]

_MOST_SPACES = 4  # of five there are 31 unions to fit, and 31 parts to tell apart


def subsets_of(names: Union) -> list[Union]:
    """List the non-empty subsets, small ones first, each in the order of the names."""
    sizes = range(1, len(names) + 1)
    return [subset for size in sizes for subset in combinations(names, size)]


def listed(names: Iterable[str]) -> str:
    """Write a union for a message."""
    return "(" + ", ".join(repr(name) for name in names) + ")"


def check_names(names: Sequence[Any]) -> None:
    """Refuse what is no set of 2 to 4 names."""
    for name in names:
        if not isinstance(name, str) or not name:
            msg = f"a feature space is called {name!r}; expected a name."
            raise TypeError(msg)
    if not 2 <= len(names) <= _MOST_SPACES:
        msg = (
            f"there are {len(names)} feature space(s) ({', '.join(names)}); expected 2 to "
            f"{_MOST_SPACES}: join those that belong together."
        )
        raise ValueError(msg)


def check_variance(metric: str) -> None:
    """Refuse a metric whose scores are no shares of variance."""
    if not Metric.parse(metric).is_variance:
        shares = ", ".join(name for name, row in METRICS.items() if row.is_variance)
        msg = (
            f"metric {metric!r} is no share of variance, so that it has no parts that add up; "
            f"use one of {shares}."
        )
        raise ValueError(msg)


def checked_scores(scores: Mapping[Any, ArrayLike]) -> tuple[Union, dict[Union, Array]]:
    """Return names in the order of the single spaces, and a score for each union, float64.

    Raises
    ------
    ValueError, TypeError, AlignmentError
        As :func:`voxscale.evaluate.partition`.
    """
    found = _by_members(scores)
    singles = [name for union in found if len(union) == 1 for name in union]
    others = {name for union in found for name in union} - set(singles)
    names = (*singles, *sorted(others, key=str))
    check_names(names)
    unions = subsets_of(names)
    if missing := [union for union in unions if frozenset(union) not in found]:
        msg = (
            f"scores lack {' and '.join(map(listed, missing))}; expected all {len(unions)} unions "
            f"of {', '.join(names)}: fit the missing ones too."
        )
        raise ValueError(msg)
    by_union = {union: _one_score(found[frozenset(union)], union) for union in unions}
    _check_same_voxels(by_union)
    return names, by_union


def _by_members(scores: Mapping[Any, ArrayLike]) -> dict[frozenset[Any], ArrayLike]:
    found: dict[frozenset[Any], ArrayLike] = {}
    for key, values in scores.items():
        if not isinstance(key, str | tuple | frozenset):
            msg = f"a union of feature spaces is {key!r}; expected a tuple of names."
            raise TypeError(msg)
        members = (key,) if isinstance(key, str) else tuple(key)
        union = frozenset(members)
        if not members or len(union) < len(members):
            msg = f"the union {key!r} names no space, or one twice; name each space once."
            raise ValueError(msg)
        if union in found:
            msg = f"the union {listed(members)} comes twice; give one score for each union."
            raise ValueError(msg)
        found[union] = values
    return found


def _one_score(values: ArrayLike, union: Union) -> Array:
    array = as_numbers(values, f"the score of {listed(union)}").astype(np.float64)
    if array.ndim != 1:
        msg = f"the score of {listed(union)} has shape {array.shape}; expected (n_voxels,)."
        raise ValueError(msg)
    return array


def _check_same_voxels(scores: Mapping[Union, Array]) -> None:
    first, *rest = scores
    for union in rest:
        if len(scores[union]) != len(scores[first]):
            msg = (
                f"the score of {listed(first)} has {len(scores[first])} voxels but that of "
                f"{listed(union)} has {len(scores[union])}; expected the same voxels in all."
            )
            raise AlignmentError(msg)
