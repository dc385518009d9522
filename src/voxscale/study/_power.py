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
from voxscale.study._common_sizes import apart_of, common_sizes, own_sizes, standing_for_all
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
        Of hours, the geometric mean over subjects, who agree within 10 %.
    scores : array of shape (n_sizes, n_subjects, n_stories)
        Mean correlation over voxels.
    subjects, stories : tuple of str
        Stories are those that every subject was tested on at every size.
    story_minutes : float
        Mean length of these stories: the TRs that were scored, without those trimmed.
    times_heard : mapping of story to int
        Of those that were heard more than once; their responses are means over the repeats.
    apart : mapping of size to a mapping of subject to hours
        Amounts of data that are left out, since they are different hours for different subjects.
    lacking : mapping of size to tuple of str
        Sizes that are left out, and the subjects that have no cell of them.
    """

    axis: str
    x: Array
    scores: Array = field(repr=False)
    subjects: tuple[str, ...]
    stories: tuple[str, ...]
    story_minutes: float = float("nan")
    times_heard: Mapping[str, int] = field(default_factory=dict)
    apart: Mapping[Any, Mapping[str, float]] = field(default_factory=dict)
    lacking: Mapping[Any, tuple[str, ...]] = field(default_factory=dict)

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
        best cross-validated one; draws of training stories are averaged. An amount of training
        data is a size where subjects' hours agree within 10 %: "all" stories may be other hours
        for each.
    n_params : mapping of model to number, optional
        Of models that :func:`voxscale.features.model_facts` does not know.

    Returns
    -------
    StoryScores

    Raises
    ------
    ConfigError
        If the study has fewer than two sizes along the axis that subjects share, or no test story
        that they share, or the layers of a model have no validation score to choose by.
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
    table = found.table.assign(amount=amounts(found.table))
    rows = standing_for_all(table[table["in_n_stories_sweep"]])
    return rows.assign(size=rows["amount"]).sort_values("hours")


def _by_context(found: Results) -> pd.DataFrame:
    rows = found.table[found.table["in_context_sweep"]]
    return rows.assign(size=rows["context"]).sort_values("context")


# A row per axis: which cells lie along it, with a column that names their size.
POWER_AXES = {"n_params": _by_model, "hours": _by_hours, "context": _by_context}


def _stacked(
    found: Results, axis: str, chosen: pd.DataFrame, n_params: Mapping[str, float]
) -> StoryScores:
    """Put scores into an array, over the sizes that every subject has."""
    subjects = tuple(one for one in found.subjects if one in set(chosen["subject"]))
    lacking = _lacking(chosen, subjects)
    own = _own_sizes(axis, chosen[~chosen["size"].isin(list(lacking))], n_params)
    x = common_sizes(own).dropna().sort_values(kind="stable")
    apart = apart_of(own)
    if len(x) < 2:
        msg = f"subjects share fewer than two sizes along {axis}{_why(apart, lacking)}"
        raise ConfigError(msg)
    scores = found.story_table.merge(chosen[["key", "subject", "size"]], on=["key", "subject"])
    table = scores.pivot_table("mean_r", ["size", "subject"], "story", dropna=False)
    wanted = table.loc[[(size, subject) for size in x.index for subject in subjects]]
    wanted = wanted.dropna(axis="columns")
    if not len(wanted.columns):
        msg = "subjects were tested on no story in common; variance between stories is unknown."
        raise ConfigError(msg)
    values = wanted.to_numpy(np.float64).reshape(len(x), len(subjects), -1)
    stories = tuple(wanted.columns)
    minutes, heard = _of_stories(found, subjects, stories)
    return StoryScores(
        axis, x.to_numpy(), values, subjects, stories, minutes, heard, apart, lacking
    )


def _lacking(chosen: pd.DataFrame, subjects: tuple[str, ...]) -> dict[Any, tuple[str, ...]]:
    """List the sizes that not every subject has, and who lacks them."""
    had = chosen.groupby("size", sort=False)["subject"].agg(set)
    return {
        size: tuple(one for one in subjects if one not in some)
        for size, some in had.items()
        if len(some) < len(subjects)
    }


def _own_sizes(axis: str, rows: pd.DataFrame, n_params: Mapping[str, float]) -> pd.DataFrame:
    """Take each subject's own number of parameters, hours or words: (n_sizes, n_subjects)."""
    if axis == "n_params":
        models = rows["size"].unique()
        sizes = {
            one: float(n_params[one] if one in n_params else model_facts(one).n_params)
            for one in models
        }
        rows = rows.assign(n_params=rows["size"].map(sizes))
    return own_sizes(rows, "size", axis)


def _why(apart: Mapping[Any, Mapping[str, float]], lacking: Mapping[Any, tuple[str, ...]]) -> str:
    """Say why sizes are not shared, and what to do."""
    told = [
        f"{size} is " + ", ".join(f"{hours:.3g} h of {one}" for one, hours in each.items())
        for size, each in apart.items()
    ]
    told += [f"{size} is not done of {', '.join(who)}" for size, who in lacking.items()]
    todo = "run the cells that are missing" if lacking else ""
    if apart:
        todo = (
            "amounts of data are one size where subjects' hours agree within 10 %; sweep over "
            "hours that every subject has"
        )
    return f" ({'; '.join(told)}); {todo}."


def _of_stories(
    found: Results, subjects: tuple[str, ...], stories: tuple[str, ...]
) -> tuple[float, dict[str, int]]:
    """Average the minutes of test stories over stories and subjects, and count their repeats."""
    minutes, heard = [], dict.fromkeys(stories, 1)
    for subject in subjects:
        meta = found.meta(found.select(subject=subject)[0])
        blocks = zip(meta["blocks"]["story"], meta["blocks"]["n_trs"], strict=True)
        n_trs = sum(n for story, n in blocks if story in heard)
        minutes.append(n_trs * meta["tr_s"] / 60 / len(stories))
        for story, times in meta["ceiling_runs"].items():
            if story in heard:
                heard[story] = max(times, heard[story])
    return float(np.mean(minutes)), {one: times for one, times in heard.items() if times > 1}
