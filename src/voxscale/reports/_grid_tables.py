"""The grids in a study's tables: layers by sizes, and models or contexts by hours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from voxscale.reports._left_out import told_of_left_out
from voxscale.study._common_sizes import (
    apart_of,
    common_sizes,
    own_sizes,
    pooled,
    standing_for_all,
)
from voxscale.study._sweep_points import chooses, facts_of, stories_of
from voxscale.study._tables import amounts

if TYPE_CHECKING:
    from voxscale.study import Results

__all__ = ["LayerGrid", "SizeGrid", "layer_grids", "short_names", "size_grid", "study_rows"]

_FEWEST = 2  # layers at a size, and sizes, that make a grid of layers
_FEWEST_SIZES = 3  # of both axes of a grid of sizes


class LayerGrid(NamedTuple):
    """Scores of layers at sizes, of each subject.

    ``table`` has columns subject, model, layer, depth, label, size, r, validation, is_chosen;
    ``apart`` are amounts of data that are no size of all subjects, with the hours of each.
    """

    name: str
    table: Any
    xlabel: str
    by: str  # "layer" or "depth"
    apart: Mapping[str, Mapping[str, float]] = MappingProxyType({})

    @property
    def mean(self) -> Any:
        """Mean over subjects, of the layers that all of them have; empty where they share none."""
        n_subjects = self.table["subject"].nunique()
        groups = self.table.groupby(["size", "label", self.by], as_index=False)
        whole = groups.agg(r=("r", "mean"), validation=("validation", "mean"), n=("r", "size"))
        whole = whole[whole["n"] == n_subjects].drop(columns="n")
        return whole.rename(columns={self.by: "layer"})


class SizeGrid(NamedTuple):
    """Scores of a grid of models, or contexts, by hours; and what is not in it, in words.

    ``units`` has index ``size`` and ``hours`` and columns ``subject`` and ``story``: mean_r, over
    draws, of those subjects' stories that have every point. It is None where there are fewer than
    three sizes by three amounts.
    """

    units: Any
    left_out: str


def study_rows(results: Results) -> Any:
    """Take the cells of the usual feature spaces, with the amount of data in words.

    The same stories are called the same, whatever the grids that share a cell ask for: as the
    sweep over amounts calls them, where it has them.
    """
    table = results.table.assign(amount=amounts(results.table))
    ordered = table.sort_values("in_n_stories_sweep", ascending=False, kind="stable")
    words = ordered.groupby(["subject", "n_stories", "draw"])["amount"].transform("first")
    return table.assign(amount=words)[table["bands"] == results.study.default_bands]


def layer_grids(results: Results) -> list[LayerGrid]:
    """Find grids of layers by hours, contexts and models; two layers at two sizes or more."""
    study, rows = results.study, study_rows(results)
    longest, is_all = max(study.contexts), rows["amount"] == "all"
    own, at_longest = rows["model"] == study.model, rows["context"] == longest
    by_hours = rows[own & at_longest]
    by_hours, apart = _with_hours(by_hours.assign(label=""))
    by_context = rows[own & is_all].assign(size=lambda one: one["context"] * 1.0, label="")
    found = [
        _layer_grid(results, "hours", by_hours, "training data (hours)", "layer"),
        _layer_grid(results, "context", by_context, "context (words at most)", "layer"),
        _layer_grid(results, "model", _by_model(rows[at_longest & is_all]), "model", "depth"),
    ]
    grids = [grid for grid in found if grid is not None]
    return [one._replace(apart=apart) if one.name == "hours" else one for one in grids]


def _with_hours(rows: Any) -> tuple[Any, Mapping[str, Mapping[str, float]]]:
    """Give each amount the hours that subjects have in common, NaN where they differ."""
    if not len(rows):
        return rows.assign(size=rows["hours"]), {}
    rows = standing_for_all(rows)
    own = own_sizes(rows, "amount", "hours")
    n_layers = rows.groupby("amount")["layer"].nunique()
    apart = {one: hours for one, hours in apart_of(own).items() if n_layers[one] >= _FEWEST}
    return rows.assign(size=rows["amount"].map(common_sizes(own))), apart


def _by_model(rows: Any) -> Any:
    """Keep models of known size, and say how deep their layers lie."""
    facts = {model: facts_of(model) for model in rows["model"].unique()}
    known = {model: one for model, one in facts.items() if one is not None}
    rows = rows[rows["model"].isin(list(known))]
    facts_of_rows = [known[model] for model in rows["model"]]
    deepest = np.array([one.n_layers - 1 for one in facts_of_rows], dtype=np.float64)
    return rows.assign(
        size=np.array([one.n_params for one in facts_of_rows], dtype=np.float64),
        label=rows["model"].map(short_names(known)),
        depth=rows["layer"].to_numpy() / deepest,
    )


def short_names(models: Iterable[str]) -> dict[str, str]:
    """Leave out who made a model, where that tells it from no other."""
    short = {model: model.rpartition("/")[2] for model in models}
    names = list(short.values())
    return {model: name if names.count(name) == 1 else model for model, name in short.items()}


def _layer_grid(results: Results, name: str, rows: Any, xlabel: str, by: str) -> LayerGrid | None:
    column = ["size", "label"]
    rows = rows.dropna(subset=["size"])
    rows = rows[rows.groupby(column)["layer"].transform("nunique") >= _FEWEST]
    if len(rows.drop_duplicates(column)) < _FEWEST:
        return None
    rows = rows if "depth" in rows else rows.assign(depth=np.nan)
    keys = ["subject", "model", "layer", "depth", "label", "size"]
    table = rows.groupby(keys, as_index=False, sort=False, dropna=False).agg(
        r=("mean_r", "mean"), validation=(chooses(results.study), "mean")
    )
    best = table.dropna(subset=["validation"]).groupby(["subject", *column])["validation"].idxmax()
    table["is_chosen"] = table.index.isin(best)
    return LayerGrid(name, table, xlabel, by)


def size_grid(results: Results, axis: str) -> SizeGrid:
    """Take the scores of a grid of models, or contexts, by hours.

    Each model, or context, stands at its best layer by validation, chosen anew for each subject
    and amount of data among the layers that all its amounts have.

    Parameters
    ----------
    results : Results
    axis : {"model", "context"}

    Returns
    -------
    SizeGrid
    """
    study, rows = results.study, study_rows(results)
    if axis == "model":
        rows = rows[rows["context"] == max(study.contexts)]
        facts = {model: facts_of(model) for model in rows["model"].unique()}
        sizes = {model: float(one.n_params) for model, one in facts.items() if one is not None}
        rows = rows[rows["model"].isin(list(sizes))]
    else:
        rows = rows[rows["model"] == study.model]
        sizes = {context: float(context) for context in rows["context"].unique()}
    rows = _trimmed(_with_common_layers(rows, axis), axis)
    if not len(rows):
        return SizeGrid(None, "")
    chosen = _best(rows, axis, chooses(study))
    return _pooled_grid(standing_for_all(stories_of(results, chosen)), axis, sizes)


def _pooled_grid(stories: Any, axis: str, sizes: Mapping[Any, float]) -> SizeGrid:
    """Put the points of a grid into a table, at hours that subjects have in common."""
    import pandas as pd

    groups = stories.groupby([axis, "amount"], sort=False)
    places = list(groups.groups)
    found = pooled(stories.assign(point=groups.ngroup(), size=stories["hours"]))
    names = {code: places[code][1] for code in range(len(places))}
    own = {names[code]: hours for code, hours in found.apart.items()}
    lost = {
        unit: list(dict.fromkeys(names[one] for one in codes)) for unit, codes in found.lost.items()
    }
    short = tuple(dict.fromkeys(names[one] for one in found.short))
    left_out = told_of_left_out("n_stories", found._replace(apart=own, lost=lost, short=short))
    values = [sizes[places[code][0]] for code in found.names]
    units = found.units.set_axis(
        pd.MultiIndex.from_arrays([values, found.units.index], names=["size", "hours"])
    ).sort_index()
    shape = [units.index.get_level_values(level).nunique() for level in ("size", "hours")]
    return SizeGrid(units if min(shape) >= _FEWEST_SIZES else None, left_out)


def _with_common_layers(rows: Any, axis: str) -> Any:
    """Keep, of each model or context, the layers that were done with the most amounts of data.

    Otherwise a point would be the best of more layers than its neighbours.
    """
    counts = rows.groupby([axis, "layer"])["amount"].transform("nunique")
    rows = rows[counts == counts.groupby(rows[axis]).transform("max")]
    n_layers = rows.groupby(axis)["layer"].transform("nunique")
    return rows[rows.groupby([axis, "amount"])["layer"].transform("nunique") == n_layers]


def _trimmed(rows: Any, axis: str) -> Any:
    """Leave out what has fewer than three partners, until all have."""
    while len(rows):
        amounts_of = rows.groupby(axis)["amount"].transform("nunique")
        values_of = rows.groupby("amount")[axis].transform("nunique")
        kept = (amounts_of >= _FEWEST_SIZES) & (values_of >= _FEWEST_SIZES)
        if kept.all():
            break
        rows = rows[kept]
    return rows


def _best(rows: Any, axis: str, chooses: str) -> Any:
    """Keep each subject's best layer at each point, by the mean of its draws."""
    point = ["subject", axis, "amount"]
    scores = rows.groupby([*point, "layer"], as_index=False)[chooses].mean().dropna()
    best = scores.loc[scores.groupby(point)[chooses].idxmax(), [*point, "layer"]]
    return rows.merge(best, on=[*point, "layer"])
