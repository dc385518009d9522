"""From a study's results to the variance components of a slope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import ConfigError
from voxscale.features import model_facts
from voxscale.scaling import SlopeComponents, slope_components
from voxscale.study._tables import amounts

if TYPE_CHECKING:
    import pandas as pd

    from voxscale.study._results import Results

__all__ = ["POWER_AXES", "StoryScores", "story_scores_along"]

_VALIDATION = ("mean_r_validation", "mean_cv_score")  # what chooses a model's layer: the first had


@dataclass(frozen=True, eq=False)
class StoryScores:
    """Correlations of test stories along one axis of a study.

    Parameters
    ----------
    axis : {"n_params", "hours", "context"}
    x : array of shape (n_sizes,)
        Of hours, the mean over subjects.
    scores : array of shape (n_sizes, n_subjects, n_stories)
        Mean correlation over voxels.
    subjects, stories : tuple of str
        Stories are those that every subject was tested on at every size.
    """

    axis: str
    x: Array
    scores: Array = field(repr=False)
    subjects: tuple[str, ...]
    stories: tuple[str, ...]

    @property
    def components(self) -> SlopeComponents:
        """What makes slopes differ, by :func:`voxscale.scaling.slope_components`.

        Crossed: all subjects heard these stories.
        """
        return slope_components(self.x, self.scores, design="crossed")

    @property
    def decades(self) -> float:
        """From the smallest size to the largest."""
        return float(np.log10(self.x.max() / self.x.min()))


def story_scores_along(
    found: Results, axis: str | None = None, *, n_params: Mapping[str, float] | None = None
) -> StoryScores:
    """Collect the scores of test stories along model size, hours or context.

    Parameters
    ----------
    found : Results
    axis : {"n_params", "hours", "context"}, optional
        Default: the first of these along which the study has two sizes. Models are taken at the
        layer with the best validation score of each subject or, where some layer has none, the
        best cross-validated one; draws of training stories are averaged.
    n_params : mapping of model to number, optional
        Of models that :func:`voxscale.features.model_facts` does not know.

    Returns
    -------
    StoryScores

    Raises
    ------
    ConfigError
        If the study has fewer than two sizes along the axis, subjects share no test story, or
        the layers of a model have no validation score to choose by.
    ValueError
        If the axis is unknown.
    """
    if axis is not None and axis not in POWER_AXES:
        msg = f"axis {axis!r} is unknown; choose one of {', '.join(POWER_AXES)}."
        raise ValueError(msg)
    for name in POWER_AXES if axis is None else (axis,):
        chosen = POWER_AXES[name](found)
        if chosen["size"].nunique() > 1:
            return _stacked(found, name, chosen, n_params or {})
    what = "n_params, hours or context" if axis is None else axis
    msg = (
        f"study {found.study.name!r} has no two sizes along {what} that are done; run a study that "
        "sweeps over it, or give the components themselves (voxscale power without a study)."
    )
    raise ConfigError(msg)


def _by_model(found: Results) -> pd.DataFrame:
    """Take each subject's best layer of each model, all stories, the longest context."""
    rows = found.table[found.table["in_model_sweep"]]
    best = [_best_layer(layers) for _, layers in rows.groupby(["subject", "model"])]
    return rows.loc[best].assign(size=lambda one: one["model"])


def _best_layer(layers: pd.DataFrame) -> Any:
    """Find the index of a model's best layer in a subject, by one measure for all its layers."""
    if len(layers) == 1:
        return layers.index[0]
    for measure in _VALIDATION:
        if np.isfinite(layers[measure].to_numpy(np.float64)).all():
            return layers[measure].idxmax()
    first = layers.iloc[0]
    msg = (
        f"the {len(layers)} layers of model {first['model']!r} in subject {first['subject']!r} do "
        f"not all have a finite {' or '.join(_VALIDATION)}; a layer cannot be chosen without test "
        "scores: run all layers with validation or cross-validation, or study one layer."
    )
    raise ConfigError(msg)


def _by_hours(found: Results) -> pd.DataFrame:
    table = found.table.assign(size=amounts(found.table))
    return table[table["in_n_stories_sweep"]].sort_values("hours")


def _by_context(found: Results) -> pd.DataFrame:
    rows = found.table[found.table["in_context_sweep"]]
    return rows.assign(size=rows["context"]).sort_values("context")


# A row per axis: which cells lie along it, with a column that names their size.
POWER_AXES = {"n_params": _by_model, "hours": _by_hours, "context": _by_context}


def _stacked(
    found: Results, axis: str, chosen: pd.DataFrame, n_params: Mapping[str, float]
) -> StoryScores:
    """Put scores into an array, over the sizes that every subject has."""
    scores = found.story_table.merge(chosen[["key", "size"]], on="key")
    table = scores.pivot_table("mean_r", ["size", "subject"], "story", dropna=False)
    subjects = tuple(one for one in found.subjects if one in set(scores["subject"]))
    sizes = [
        size for size in dict.fromkeys(chosen["size"])
        if set(chosen.loc[chosen["size"] == size, "subject"]) >= set(subjects)
    ]  # fmt: skip
    if len(sizes) < 2:
        msg = f"subjects share fewer than two sizes along {axis}; run the cells that are missing."
        raise ConfigError(msg)
    wanted = table.loc[[(size, subject) for size in sizes for subject in subjects]]
    wanted = wanted.dropna(axis="columns")
    if not len(wanted.columns):
        msg = "subjects were tested on no story in common; variance between stories is unknown."
        raise ConfigError(msg)
    if axis == "n_params":
        x = [n_params[one] if one in n_params else model_facts(one).n_params for one in sizes]
    else:
        column = "hours" if axis == "hours" else "context"
        x = [chosen.loc[chosen["size"] == size, column].mean() for size in sizes]
    order = np.argsort(x, kind="stable")
    values = wanted.to_numpy(np.float64).reshape(len(sizes), len(subjects), -1)
    return StoryScores(
        axis, np.array(x, np.float64)[order], values[order], subjects, tuple(wanted.columns)
    )
