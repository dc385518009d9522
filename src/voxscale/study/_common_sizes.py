"""Sizes that subjects have in common: which amounts of training data are one point for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = ["SAME", "Pooled", "apart_of", "common_sizes", "geometric_mean", "own_pooled",
           "own_sizes", "own_units", "pooled", "standing_for_all"]  # fmt: skip

SAME = 1.1  # times their geometric mean, or a share of it: sizes so far apart still are one


class Pooled(NamedTuple):
    """Scores of subjects at the sizes that they have in common, and what was left out.

    ``units`` has a row for each point, by its size, and a column for each subject and story
    (and block);
    ``names`` are its points. ``apart`` are points at which subjects' sizes differ, with the sizes;
    ``lost`` are units without a score at some point, and ``short`` points that a unit lacks.
    """

    units: Any
    names: tuple[Any, ...]
    apart: Mapping[Any, Mapping[str, float]]
    lost: Mapping[tuple[Any, ...], Sequence[Any]]
    short: Sequence[Any]


def standing_for_all(rows: Any) -> Any:
    """Let a subject's cells stand for every amount of data that they come to.

    A cell that two amounts reach is listed once: of who heard 4 h in all, 4 h and "all" are one.
    An amount that a subject lacks is answered by the one of its own whose hours are nearest, if
    they agree with the hours of the others.

    Parameters
    ----------
    rows : DataFrame
        With columns subject, draw, amount and hours (h).

    Returns
    -------
    DataFrame
        Further rows, and a column ``source``, the amount that was asked for.
    """
    import pandas as pd

    rows = rows.assign(source=rows["amount"])
    if not len(rows):
        return rows
    own = own_sizes(rows, "amount", "hours")
    more = []
    for amount, hours in own.iterrows():
        middle = np.log(hours).mean()
        for subject in hours.index[hours.isna()]:
            away = (np.log(own[subject]) - middle).abs()
            if away.min() <= np.log(SAME):
                is_it = (rows["subject"] == subject) & (rows["amount"] == away.idxmin())
                more.append(rows[is_it].assign(amount=amount))
    rows = pd.concat([rows, *more], ignore_index=True)
    found = {
        amount: frozenset(zip(some["subject"], some["source"], strict=True))
        for amount, some in rows.groupby("amount", sort=False)
    }
    first = {cells: amount for amount, cells in reversed(found.items())}
    return rows[rows["amount"].isin(list(first.values()))]


def own_sizes(points: Any, point: str = "point", size: str = "size") -> Any:
    """Average the size of each point in each subject, over draws, as log-linear laws do.

    Returns
    -------
    DataFrame of shape (n_points, n_subjects)
    """
    columns = [point, "subject", "draw", size]
    groups = points[columns].drop_duplicates().groupby([point, "subject"], sort=False)[size]
    return groups.agg(geometric_mean).unstack("subject").astype(np.float64)


def common_sizes(own: Any) -> Any:
    """Average the sizes of each point over subjects; NaN where they are too far apart."""
    middle = own.agg(geometric_mean, axis="columns")
    away = np.log(own).sub(np.log(middle), axis="index").abs().max(axis="columns")
    return middle.where(away <= np.log(SAME))


def apart_of(own: Any) -> dict[Any, dict[str, float]]:
    """List the points at which subjects' sizes are too far apart, with those sizes."""
    is_apart = common_sizes(own).isna() & own.notna().any(axis="columns")
    return {point: sizes.dropna().to_dict() for point, sizes in own[is_apart].iterrows()}


def geometric_mean(values: Any) -> float:
    """Take the geometric mean of what is known; of equal numbers, that number itself."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not known.size:
        return float("nan")
    return float(known[0] * np.exp(np.log(known / known[0]).mean()))


def pooled(points: Any, unit: str = "story") -> Pooled:
    """Put the scores of all subjects into a table, at the sizes that they have in common.

    Units that lack a score at such a size are left out, and sizes are averaged over the subjects
    that remain.

    Parameters
    ----------
    points : DataFrame
        With columns subject, story, draw, point, mean_r, and size: the subject's own; of blocks
        with their number, block.
    unit : {"story", "block"}
    """
    named = ["subject", "story", *(["block"] if unit == "block" else [])]
    units = points.pivot_table(
        index="point", columns=named, values="mean_r", aggfunc="mean", dropna=False
    )
    units = units.dropna(axis="columns", how="all").dropna(axis="index", how="all")
    own = own_sizes(points).reindex(units.index)
    is_whole = units[common_sizes(own).notna()].notna().all(axis="index")
    kept = units.loc[:, is_whole]
    lost = {unit: units.index[units[unit].isna()].tolist() for unit in units.columns[~is_whole]}
    subjects = list(dict.fromkeys(kept.columns.get_level_values("subject")))
    if not subjects:
        return Pooled(kept.iloc[:0], (), apart_of(own), lost, ())
    own = own[subjects]
    sizes, is_full = common_sizes(own), kept.notna().all(axis="columns")
    short = tuple(kept.index[sizes.notna() & ~is_full])
    sizes = sizes[sizes.notna() & is_full].sort_values(kind="stable")
    kept = kept.loc[sizes.index]
    names = tuple(sizes.index)
    kept.index = sizes.rename("size").array
    return Pooled(kept.rename_axis("size"), names, apart_of(own), lost, short)


def own_units(points: Any, subject: str) -> Any:
    """Put the scores of one subject into a table, at all sizes of its own.

    Returns
    -------
    DataFrame of shape (n_sizes, n_stories)
        By size; stories that lack a score at one of them are left out.
    """
    return own_pooled(points, subject).units


def own_pooled(points: Any, subject: str, unit: str = "story") -> Pooled:
    """Do the same, of stories or of blocks, and say what was left out."""
    own = points[points["subject"] == subject]
    once = ["source", "story", "draw", "key", *(["block"] if unit == "block" else [])]
    return pooled(own.assign(point=own["source"]).drop_duplicates(once), unit)
