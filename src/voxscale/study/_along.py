"""From a study's results to scores along one axis, as laws, maps and bootstraps take them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import ConfigError, VoxscaleWarning
from voxscale.study._common_sizes import Pooled, own_pooled, pooled
from voxscale.study._sweep_points import model_points, n_params_of, same_place, sweep_points
from voxscale.study._tables import one_subject

if TYPE_CHECKING:
    from voxscale.study._results import Results

__all__ = ["ScoresAlong", "scores_along"]

_SWEEPS = {"hours": "n_stories", "context": "context", "n_params": "model"}  # as a study has them
_UNITS = ("story", "block")
_MOST_NAMED = 5


@dataclass(frozen=True, eq=False)
class ScoresAlong:
    """Scores along one axis of a study; made by :meth:`Results.along`.

    Parameters
    ----------
    axis : {"hours", "context", "n_params"}
    unit : {"story", "block"}
        A unit is a test story of a subject, or a block of TRs of one.
    x : array of shape (n_sizes,), float64
        Hours of training data, words of context, or numbers of parameters; ascending.
    names : tuple
        What each size is called: an amount ("2.5 h", "3" stories, "all"), a context, or a model.
    scores : array of shape (n_sizes, n_units) or (n_sizes, n_units, n_voxels), float64
        Correlations: means over voxels with a score; or of each voxel, NaN where it has none.
    levels : dict of name to labels of shape (n_units,)
        ``"subject"`` and ``"story"`` of each unit. The unit itself is the innermost level, which
        the functions of :mod:`voxscale.scaling` call "block".
    unit_weights : array of shape (n_units,), float64
        TRs of each block; 1 of each story: stories count the same, however long they are.
    blocks : array of int of shape (n_units,), or None
        Number of each block among those of its subject; None of stories.
    """

    axis: str
    unit: str
    x: Array
    names: tuple[Any, ...]
    scores: Array = field(repr=False)
    levels: dict[str, Array] = field(repr=False)
    unit_weights: Array = field(repr=False)
    blocks: Array | None = field(repr=False)

    @property
    def columns(self) -> Array:
        """The scores as :func:`voxscale.scaling.fit_pooled_law` takes them.

        Of shape (n_sizes, n_voxels, n_units); one column where scores are means over voxels.
        """
        by_voxel = self.scores if self.scores.ndim == 3 else self.scores[:, :, None]
        return np.moveaxis(by_voxel, 1, 2)


def scores_along(
    results: Results,
    axis: str,
    subject: str | None,
    *,
    unit: str,
    voxels: bool,
    n_params: Mapping[str, float] | None,
) -> ScoresAlong:
    """Collect scores along an axis; see :meth:`Results.along`."""
    _check_options(axis, unit, voxels=voxels)
    if voxels or subject is not None:
        subject = one_subject(results, subject)
    points = _points(results, axis, unit, n_params or {})
    points = points if subject is None else points[points["subject"] == subject]
    told: list[str] = []
    if axis == "n_params":
        told += _models_left_out(results, points, subject, n_params or {})
    if not len(points):
        found = None
    elif subject is None:
        found = pooled(points, unit)
    else:
        found = own_pooled(points, subject, unit)
    if found is not None:
        told += _left_out(found, points, unit, axis)
    if found is None or found.units.index.nunique() < 2:
        raise ConfigError(_too_few(results, axis, subject, found, told))
    if told:
        warnings.warn(f"along {axis}, left out: {'; '.join(told)}.", VoxscaleWarning, stacklevel=3)
    columns = found.units.columns
    levels = {name: np.array([*columns.get_level_values(name)]) for name in ("subject", "story")}
    is_block = unit == "block"
    return ScoresAlong(
        axis=axis,
        unit=unit,
        x=found.units.index.to_numpy(np.float64),
        names=found.names,
        scores=_of_voxels(results, points, found) if voxels else found.units.to_numpy(np.float64),
        levels=levels,
        unit_weights=_n_trs(points, columns) if is_block else np.ones(len(columns)),
        blocks=columns.get_level_values("block").to_numpy(np.int64) if is_block else None,
    )


def _check_options(axis: str, unit: str, *, voxels: bool) -> None:
    for name, value, known in (("axis", axis, tuple(_SWEEPS)), ("unit", unit, _UNITS)):
        if value not in known:
            msg = f"{name} {value!r} is unknown; choose one of {', '.join(known)}."
            raise ValueError(msg)
    if voxels and unit == "block":
        msg = (
            "a study keeps the scores of voxels by whole test story, and of blocks the mean over "
            'voxels alone; expected unit="story" with voxels=True.'
        )
        raise ValueError(msg)


def _points(results: Results, axis: str, unit: str, n_params: Mapping[str, float]) -> Any:
    if axis == "n_params":
        return model_points(results, unit, n_params)
    return sweep_points(results, _SWEEPS[axis], unit)


def _n_trs(points: Any, columns: Any) -> Array:
    """Look up how many TRs each block has: the same in all cells of a subject."""
    own = points.drop_duplicates(columns.names).set_index(columns.names)["n_trs"]
    return np.asarray(own.reindex(columns), np.float64)


def _of_voxels(results: Results, points: Any, found: Pooled) -> Array:
    """Average each voxel's correlations over draws, (n_sizes, n_stories, n_voxels)."""
    cells = {results.key(one): one for one in results.select(subject=points["subject"].iloc[0])}
    stories = found.units.columns.get_level_values("story")
    scores = []
    for name in found.names:
        keys = points.loc[points["source"] == name, "key"].unique()
        draws = [results.by_story(cells[key]) for key in keys]
        scores.append(
            [np.mean([one[story] for one in draws], axis=0, dtype=np.float64) for story in stories]
        )
    return np.array(scores)


def _models_left_out(
    results: Results, points: Any, subject: str | None, n_params: Mapping[str, float]
) -> Iterator[str]:
    """Name models that are no size, since theirs is unknown or no layer can be chosen."""
    table = same_place(results, "model")
    table = table if subject is None else table[table["subject"] == subject]
    models = list(dict.fromkeys(table["model"]))
    sizes = n_params_of(models, n_params)
    unknown = [model for model in models if model not in sizes]
    if unknown:
        yield f"models of unknown size ({', '.join(unknown)}): give n_params="
    known = table[table["model"].isin(list(sizes))]
    has = set(zip(points["subject"], points["model"], strict=True)) if "model" in points else set()
    pairs = dict.fromkeys(zip(known["subject"], known["model"], strict=True))
    lacking = [f"{model} of {one}" for one, model in pairs if (one, model) not in has]
    if lacking:
        yield f"models without a validation score to choose a layer by ({_few(lacking)})"


def _left_out(found: Pooled, points: Any, unit: str, axis: str) -> Iterator[str]:
    """Name sizes that are no point for all, and count units that lack a score at one."""
    for name, sizes in found.apart.items():
        each = ", ".join(f"{size:.3g} h of {one}" for one, size in sizes.items())
        yield f"{_named(name, axis)}, which is not one size for all subjects ({each})"
    if found.short:
        short = _few([_named(name, axis) for name in found.short])
        yield f"{short}, where a {unit} that is kept has no score"
    named = list(found.units.columns.names)
    n_all, n_kept = len(points[named].drop_duplicates()), found.units.shape[1]
    if n_kept < n_all:
        lost = dict.fromkeys((one[0], name) for one, names in found.lost.items() for name in names)
        where = _few([f"{_named(name, axis)} of {one}" for one, name in lost])
        at = f" ({where})" if lost else ""
        yield f"{n_all - n_kept} of {n_all} {unit} units without a score at some size{at}"


def _too_few(
    results: Results, axis: str, subject: str | None, found: Pooled | None, told: list[str]
) -> str:
    whose = "that its subjects share" if subject is None else f"of subject {subject!r}"
    why = f"; left out: {'; '.join(told)}" if told else ""
    todo = f"run a study that sweeps over {axis}, to the end"
    if found is not None and found.apart:
        todo = "sweep over hours that every subject has, or name one subject with subject="
    return (
        f"study {results.study.name!r} has fewer than two sizes along {axis} {whose}, done and "
        f"with a score in some test story{why}; {todo}."
    )


def _named(name: Any, axis: str) -> str:
    """Call a size what it is: "3" is an amount of stories, 32 a context of words."""
    if axis == "context":
        return f"context {name}"
    if axis == "hours" and str(name).isdecimal():
        return f"{name} {'story' if str(name) == '1' else 'stories'}"
    return repr(name) if axis == "hours" else str(name)


def _few(names: list[str]) -> str:
    more = f", … {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
