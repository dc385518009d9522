"""How deep in each model its best layer lies, and whether that moves with the model's size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.errors import FitError
from voxscale.reports._grid_tables import short_names, study_rows
from voxscale.reports._law_words import size_text
from voxscale.reports._tables import Table, as_text, plural, with_minus
from voxscale.scaling import best_relative_depth
from voxscale.study._sweep_points import chooses, facts_of

if TYPE_CHECKING:
    from voxscale.features import ModelFacts
    from voxscale.scaling import RelativeDepths
    from voxscale.study import Results

__all__ = ["best_depths"]

_FEWEST = 2  # layers of a model, and models
_FEWEST_FOR_SLOPE = 3  # different sizes
_COLUMNS = ("model", "parameters", "layers fitted", "best layer", "relative depth")
_NOTE = (
    "The layer with the best validation score, which knows no test story, of those fitted with all "
    "training stories at the longest context; of several subjects, the mean of their best layers. "
    "Relative depth: 0 is the word embeddings, 1 the last layer. The file has each subject's."
)


def best_depths(results: Results) -> tuple[str, Table] | None:
    """Say the relative depth of each model's best layer by validation, and its slope.

    Parameters
    ----------
    results : Results

    Returns
    -------
    tuple of str and Table, or None
        None where fewer than two models of known size have two layers or more.
    """
    scores = _validation_scores(results)
    facts = {model: one for model in scores if (one := facts_of(model)) is not None}
    if len(facts) < _FEWEST or len({one.n_params for one in facts.values()}) < _FEWEST:
        return None
    try:
        found = best_relative_depth(
            {model: scores[model].to_numpy() for model in facts},
            {model: one.n_layers for model, one in facts.items()},
            {model: one.n_params for model, one in facts.items()},
            layers={model: scores[model].index.tolist() for model in facts},
        )
    except FitError:  # no subject has two of the models yet
        return None
    return _told(found), _table(found, facts, scores)


def _validation_scores(results: Results) -> dict[str, Any]:
    """Tabulate the score that chooses, (n_layers, n_subjects), of each model of several layers.

    Layers are those that all subjects have who have the model.
    """
    study, rows = results.study, study_rows(results)
    rows = rows[(rows["context"] == max(study.contexts)) & (rows["amount"] == "all")]
    subjects = list(dict.fromkeys(rows["subject"]))
    found = {}
    for model, own in rows.groupby("model", sort=False):
        scores = own.pivot_table(index="layer", columns="subject", values=chooses(study))
        scores = scores.dropna(axis="columns", how="all").dropna(axis="index")
        if len(scores) >= _FEWEST:
            found[model] = scores.reindex(columns=subjects)
    return found


def _told(found: RelativeDepths) -> str:
    names = short_names(found.models)
    depths = ", ".join(
        f"{names[model]} {depth:.2f}"
        for model, depth in zip(found.models, _means(found.depths), strict=True)
    )
    over = f", mean over {plural(found.depths.shape[1], 'subject')}" if _is_many(found) else ""
    told = (
        "Relative depth of the best layer by validation (0: word embeddings, 1: last; among those "
        f"fitted), from the smallest model to the largest: {depths}{over}."
    )
    if not _has_slope(found):
        return f"{told} Two sizes are too few for a slope."
    slope = with_minus(f"{found.slope:+.3f}")
    ends = "no interval: one subject"
    if not math.isnan(found.low):
        low, high = (with_minus(f"{end:+.3f}") for end in (found.low, found.high))
        ends = f"{100 * found.level:g} % interval {low} to {high}, over {found.n_subjects} subjects"
    return f"{told} It changes by {slope} per decade of parameters ({ends})."


def _has_slope(found: RelativeDepths) -> bool:
    return len(np.unique(found.n_params)) >= _FEWEST_FOR_SLOPE


def _is_many(found: RelativeDepths) -> bool:
    return bool(found.depths.shape[1] > 1)


def _means(values: Any) -> list[float]:
    """Average over the subjects that have the model."""
    return [float(np.mean(row[np.isfinite(row)])) for row in values]


def _table(found: RelativeDepths, facts: dict[str, ModelFacts], scores: dict[str, Any]) -> Table:
    import pandas as pd

    layers, depths = _means(found.best_layers), _means(found.depths)
    rows = [
        (model, size_text(facts[model].n_params), as_text(len(scores[model])),
         as_text(layer, 1), as_text(depth, 2))
        for model, layer, depth in zip(found.models, layers, depths, strict=True)
    ]  # fmt: skip
    numbers = pd.DataFrame([
        {"model": model, "n_params": facts[model].n_params, "n_layers": facts[model].n_layers,
         "subject": subject, "best_layer": found.best_layers[i, j], "depth": found.depths[i, j],
         "slope_of_subject": found.slopes[j], "slope": found.slope, "low": found.low,
         "high": found.high, "level": found.level}
        for i, model in enumerate(found.models)
        for j, subject in enumerate(scores[model].columns)
    ])  # fmt: skip
    if not _has_slope(found):
        numbers[["slope_of_subject", "slope", "low", "high"]] = np.nan
    return Table(_COLUMNS, rows, _NOTE, "best-depths", numbers)
