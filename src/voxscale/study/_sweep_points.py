"""Scores along the sweeps of a study, from its tables alone: no array of a cell is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.features import ModelFacts, known_models, model_facts
from voxscale.features._packaged import PACKAGED
from voxscale.study._common_sizes import own_sizes, standing_for_all
from voxscale.study._tables import amounts

if TYPE_CHECKING:
    from voxscale.study._config import Study
    from voxscale.study._results import Results

__all__ = [
    "best_layers",
    "chooses",
    "facts_of",
    "model_points",
    "n_params_of",
    "same_place",
    "stories_of",
    "sweep_points",
]

_COLUMNS = [
    "subject",
    "story",
    "context",
    "n_stories",
    "hours",
    "draw",
    "mean_r",
    "point",
    "source",
]
_OF_UNIT = {"story": [], "block": ["block", "n_trs"]}
_CELL = ["subject", "model", "layer", "context", "bands", "n_stories", "draw", "key"]
# What stays the same along a sweep. A study has one sweep over contexts and one over models, each
# at one amount of data; its words may differ, for a cell keeps those of the grid that first has it.
_FIXED = {
    "context": ["model", "layer", "bands"],
    "n_stories": ["model", "layer", "context", "bands"],
    "model": ["context", "bands"],
}
_SWEPT = {"context": "context", "n_stories": "amount", "model": "model"}


def sweep_points(results: Results, axis: str, unit: str = "story") -> Any:
    """List the mean score of every draw along a sweep, for each subject and test story.

    Parameters
    ----------
    results : Results
    axis : {"context", "n_stories"}
    unit : {"story", "block"}

    Returns
    -------
    DataFrame
        Columns ``subject``, ``story``, ``context``, ``n_stories``, ``hours``, ``draw`` and
        ``mean_r``, the mean over voxels with a score; ``point``, the context or the amount of data
        in words; ``source``, the amount that the row was fitted for, which may stand for another;
        ``size``, where the point lies for this subject: its context, or its own mean hours over
        draws; and ``key``. Of several sweeps over the axis, the one through the cell where the
        study's sweeps meet. Of blocks there are columns ``block`` and ``n_trs`` too.
    """
    points = stories_of(results, same_place(results, axis), unit)
    if axis == "context":
        sizes = points["context"].astype(np.float64)
        points = points.assign(point=points["context"], source=points["context"], size=sizes)
    else:
        points = standing_for_all(points)
        points = points.assign(point=points["amount"])
        points = points.assign(size=_own_hours(points))
    return points[[*_COLUMNS, *_OF_UNIT[unit], "size", "key"]]


def _own_hours(points: Any) -> Any:
    """Look up the mean hours of a subject's draws at each amount."""
    if not len(points):
        return points["hours"]
    own = own_sizes(points, "amount", "hours").stack()
    return own.reindex([*zip(points["amount"], points["subject"], strict=True)]).to_numpy()


def model_points(
    results: Results, unit: str = "story", n_params: Mapping[str, float] | None = None
) -> Any:
    """List the same of each model of known size, at each subject's best layer by validation.

    Parameters
    ----------
    results : Results
    unit : {"story", "block"}
    n_params : mapping of model to number, optional
        Of models that the tables of models do not have.

    Returns
    -------
    DataFrame
        Columns as of :func:`sweep_points`, with ``model`` and ``layer``; the size is the model's
        number of parameters.
    """
    table = same_place(results, "model")
    sizes = n_params_of(table["model"].unique(), n_params or {})
    known = table[table["model"].isin(list(sizes))]
    chosen = best_layers(known, results.study, ["subject", "model"])
    points = stories_of(results, chosen, unit)
    n_each = points["model"].map(sizes).astype(np.float64)
    points = points.assign(point=points["model"], source=points["model"], size=n_each)
    return points[[*_COLUMNS, *_OF_UNIT[unit], "model", "layer", "size", "key"]]


def n_params_of(models: Iterable[str], given: Mapping[str, float]) -> dict[str, float]:
    """Look up how large models are; those of unknown size are not among them."""
    facts = {model: facts_of(model) for model in models if model not in given}
    known = {model: float(one.n_params) for model, one in facts.items() if one is not None}
    return {model: float(given[model]) for model in models if model in given} | known


def same_place(results: Results, axis: str) -> Any:
    """Take the rows of one sweep: where the study's own sweeps meet, or the one with most sizes."""
    table = results.table.assign(amount=amounts(results.table))
    table = table[table[f"in_{axis}_sweep"]]
    if not len(table):
        return table
    groups = [rows for _, rows in table.groupby(_FIXED[axis], sort=False)]
    n_sizes = [rows[_SWEPT[axis]].nunique() for rows in groups]
    at_centre = [bool(rows["reference"].any()) for rows in groups]
    ranks = [(n > 1 and centre, n) for n, centre in zip(n_sizes, at_centre, strict=True)]
    return groups[ranks.index(max(ranks))]


def best_layers(table: Any, study: Study, by: list[str]) -> Any:
    """Keep the row of the layer with the best validation score in each group."""
    known = table.dropna(subset=[chooses(study)])
    return known.loc[known.groupby(by, sort=False)[chooses(study)].idxmax()]


def chooses(study: Study) -> str:
    """Name the column of the score that chooses layers: it knows no test story."""
    return "mean_r_validation" if study.validation_stories else "mean_cv_score"


def facts_of(model: str) -> ModelFacts | None:
    """Look a model up in the tables of models; None where they do not have it."""
    return model_facts(model) if model in PACKAGED or model.lower() in _names() else None


@cache
def _names() -> set[str]:
    ids = [*known_models("language"), *known_models("speech")]
    short = [one.rpartition("/")[2].lower() for one in ids]
    return {one.lower() for one in ids} | {one for one in short if short.count(one) == 1}


def stories_of(results: Results, table: Any, unit: str = "story") -> Any:
    """Take the scores of each test story, or block, of some cells, with their amounts of data.

    A key is no name of a cell: it is made of contents, which two models may share.
    """
    units = results.story_table if unit == "story" else results.block_table
    return units.drop(columns="hours").merge(
        table[[*_CELL, "hours", "amount"]], on=_CELL, validate="many_to_one"
    )
