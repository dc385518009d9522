"""What a study would do, and how far it is; no weights are loaded for it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from voxscale.store import LayerStore, Store
from voxscale.study._as_study import as_study
from voxscale.study._cell_keys import between_key, cell_key
from voxscale.study._cells import Cell, cells_of, training_pool
from voxscale.study._checks import check_evaluation, check_rows, check_words
from voxscale.study._costs import Costs, costs_of
from voxscale.study._features import FeaturePass, missing_passes, passes_for, recipe_of
from voxscale.study._inputs import Inputs
from voxscale.study._orphans import Orphans, find_orphans
from voxscale.study._owner import check_owner
from voxscale.study._plan_grids import (
    ALL_HOURS,
    GridCount,
    LongestStory,
    count_grids,
    hours_came_to,
    longest_story,
)
from voxscale.study._plan_page import plan_page, status_page
from voxscale.study._speech_features import (
    SpeechPass,
    missing_speech_passes,
    speech_passes_for,
)
from voxscale.study._speech_inputs import check_speech
from voxscale.study._sweeps import AXES

if TYPE_CHECKING:
    from pathlib import Path

    from voxscale.study._config import Study

__all__ = [
    "Plan",
    "Status",
    "cell_store",
    "checked_plan",
    "feature_store",
    "make_plan",
    "plan",
    "status",
]

_ARRAYS_PER_CELL = 8  # r, r2, cv_score, best_alpha, cc_max, cc_norm, spe, p_value
_SAVED_PER_FIT = 9  # those that arrays.zarr holds once more


@dataclass(frozen=True)
class Plan:
    """The cells of a study, and which of them are there.

    ``str(plan)`` is a page for people.

    Parameters
    ----------
    study : Study
    cells : tuple of Cell
        All of them, by subject.
    keys : dict of Cell to str
        Their names in the store.
    done, missing, failed : tuple of Cell
        Those with a result; those without; and those of the latter that failed last time.
    passes : tuple of FeaturePass
        Stories to run through the model, one entry for each story and context.
    bytes_needed : int
        About how much the missing results and features will take on disk.
    is_exact : bool
        False when the size of the features is not known before the first of them is there.
    speech_passes : tuple of SpeechPass
        Sounds to run through the speech model.
    axes : dict of Cell to tuple of str
        The sweeps that a fit is part of: among "layer", "context", "n_stories", "model", "bands".
    orphans : Orphans
        What the folder holds that no cell names any more; :func:`plan` and :func:`status` look.
    costs : Costs, optional
        What the missing part will take; of :func:`plan` alone.
    grids : tuple of GridCount
        The cells of each grid; of :func:`plan` and :func:`status` alone, as the next two.
    hours : dict
        What was asked for in hours, and what it came to: ``hours[0.5]["S1"]`` is (fewest, most)
        over draws, in hours of TRs after trimming; ``hours["all"]`` likewise.
    longest_story : LongestStory, optional
        The story with the most words.
    """

    study: Study
    cells: tuple[Cell, ...]
    keys: dict[Cell, str] = field(repr=False)
    done: tuple[Cell, ...]
    missing: tuple[Cell, ...]
    failed: tuple[Cell, ...]
    passes: tuple[FeaturePass, ...]
    bytes_needed: int
    is_exact: bool
    speech_passes: tuple[SpeechPass, ...] = ()
    axes: dict[Cell, tuple[str, ...]] = field(default_factory=dict, repr=False)
    orphans: Orphans = field(default_factory=Orphans)
    costs: Costs | None = field(default=None, repr=False)
    grids: tuple[GridCount, ...] = ()
    hours: dict[float | str, dict[str, tuple[float, float]]] = field(default_factory=dict)
    longest_story: LongestStory | None = None

    def __str__(self) -> str:
        return plan_page(self)


@dataclass(frozen=True)
class Status:
    """How far a study is.

    ``str(status)`` is a page for people.

    Parameters
    ----------
    plan : Plan
    by_axis : dict
        ``by_axis[axis][value]`` is (done, total), for the axes "subject", "layer", "context",
        "model", "bands", and "n_stories" or, where hours were asked for, "hours" (with "all").
    failures : tuple of (Cell, str)
        The first line of each error.
    n_failed_features : int
        Features of runs that failed; so did their cells.
    """

    plan: Plan
    by_axis: dict[str, dict[Any, tuple[int, int]]]
    failures: tuple[tuple[Cell, str], ...]
    n_failed_features: int

    def __str__(self) -> str:
        return status_page(self)


def plan(study: Study | str | Path) -> Plan:
    """Count what a study would compute, and check its inputs; no cell is computed.

    The weights of the model are not loaded. A data set may have to be made, though: the first
    plan of the demo plants its responses, which takes a model and some minutes.

    Parameters
    ----------
    study : Study, or path of a study file

    Returns
    -------
    Plan

    Raises
    ------
    ConfigError
        If the data set, a subject, a layer, a model or a number of stories does not exist; if
        ``out`` holds the results of a study of another name; if the model lacks a tokenizer or
        has too few positions for a context; if a speech model is not installed, hears too little
        for its windows, or a run has no sound; or if trimming or cross-validation leave a cell
        without rows.
    DataError
        If the data cannot be read, a run's words and responses do not belong together, or a
        word gives no token.
    StoreError
        If a result that is there was cut short.
    TypeError
        If ``study`` is neither.
    """
    inputs = Inputs(as_study(study))
    made, n_tokens = checked_plan(inputs)
    made = replace(made, costs=costs_of(inputs, made, n_tokens))
    return _with_counts(inputs, made)


def status(study: Study | str | Path) -> Status:
    """Count what is done along each axis, and list what failed.

    Parameters
    ----------
    study : Study, or path of a study file

    Returns
    -------
    Status

    Raises
    ------
    ConfigError, DataError, StoreError
        As :func:`plan`, but for what only missing cells would meet.
    """
    study = as_study(study)
    inputs = Inputs(study)
    made = _with_counts(inputs, make_plan(inputs))
    store = cell_store(study)
    failures = []
    for cell in made.failed:
        failure = store.failure(made.keys[cell]) or {}
        first = (str(failure.get("message", "")).splitlines() or [""])[0]
        failures.append((cell, f"{failure.get('error', '')}: {first}"))
    features = feature_store(study)
    keys = [key for one in made.passes for _, key in one.keys]
    keys += [key for one in made.speech_passes for _, key in one.keys]
    n_failed_features = sum(features.failure_path(key).is_file() for key in keys)
    return Status(made, _counted(made), tuple(failures), n_failed_features)


def checked_plan(inputs: Inputs) -> tuple[Plan, dict[FeaturePass, int]]:
    """Make a plan, and find out whether what is missing can be computed at all.

    With it come the tokens that each pass runs, where they are known.
    """
    made = make_plan(inputs)
    all_facts = [inputs.facts(subject) for subject in inputs.subjects]
    check_evaluation(made.study, all_facts, made.missing)
    of_one = (cell for cell in made.missing if cell.kind != "between")
    for subject, cells in groupby(of_one, key=lambda cell: cell.subject):
        facts = inputs.facts(subject)
        check_rows(made.study, recipe_of(made.study, facts.test), facts, cells)
    n_tokens = check_words(inputs, made.passes)
    if made.speech_passes:
        check_speech(inputs)
    return made, n_tokens


def make_plan(inputs: Inputs) -> Plan:
    """Make the plan of a study whose inputs are at hand."""
    study, store = inputs.study, cell_store(inputs.study)
    check_owner(study)
    inputs.check_model()
    cells, keys = [], {}
    all_facts = [inputs.facts(subject) for subject in inputs.subjects]
    pool = training_pool(study, all_facts)
    axes: dict[Cell, tuple[str, ...]] = {}
    for facts in all_facts:
        for cell, of_cell in cells_of(study, facts, pool).items():
            cells.append(cell)
            axes[cell] = of_cell
            identity = inputs.identity(cell.model)
            keys[cell] = cell_key(study, cell, facts, identity, inputs.speech_identity)
    if study.evaluate.between_subjects:
        cell = replace(cells[0], stories=(), kind="between", reference=False)
        cells.append(cell)
        keys[cell] = between_key(study, all_facts)
    done = tuple(cell for cell in cells if keys[cell] in store)
    is_done = set(done)
    missing = tuple(cell for cell in cells if cell not in is_done)
    failed = tuple(cell for cell in missing if store.failure_path(keys[cell]).is_file())
    features = feature_store(study)
    passes = tuple(missing_passes(passes_for(inputs, missing), features))
    sounds = tuple(missing_speech_passes(speech_passes_for(inputs, missing), features))
    n_bytes, is_exact = _bytes_needed(inputs, missing, passes)
    n_bytes += _speech_bytes(inputs, sounds)
    return Plan(
        study, tuple(cells), keys, done, missing, failed, passes, n_bytes, is_exact, sounds, axes
    )


def cell_store(study: Study) -> Store:
    """Return where a study keeps the results of its cells."""
    return Store(study.out / "cells")


def feature_store(study: Study) -> LayerStore:
    """Return where a study keeps features at TR rate."""
    return LayerStore(study.out / "features")


def _with_counts(inputs: Inputs, made: Plan) -> Plan:
    """Count what a page tells beside the cells: grids, hours, the longest story, orphans."""
    stores = cell_store(inputs.study), feature_store(inputs.study)
    return replace(
        made,
        orphans=find_orphans(inputs, made.cells, made.keys.values(), *stores),
        grids=count_grids(inputs, made.done),
        hours=hours_came_to(inputs),
        longest_story=longest_story(inputs),
    )


def _counted(made: Plan) -> dict[str, dict[Any, tuple[int, int]]]:
    """Count done and all cells along each axis; amounts in hours where hours were asked for."""
    done = set(made.done)
    in_hours = any(cell.asked_hours for cell, axes in made.axes.items() if "n_stories" in axes)
    counts: dict[str, dict[Any, tuple[int, int]]] = {"subject": {}, **{axis: {} for axis in AXES}}
    for cell in made.cells:
        for axis in ("subject", *made.axes.get(cell, ())):
            value = getattr(cell, axis)
            name: str = axis
            if axis == "n_stories" and in_hours:
                name, value = "hours", cell.asked_hours or ALL_HOURS
            of_axis = counts.setdefault(name, {})
            n_done, total = of_axis.get(value, (0, 0))
            of_axis[value] = n_done + (cell in done), total + 1
    return {
        axis: dict(sorted(of_axis.items(), key=_numbers_first))
        for axis, of_axis in counts.items()
        if of_axis
    }


def _numbers_first(counted: tuple[Any, Any]) -> tuple[bool, Any]:
    return isinstance(counted[0], str), counted[0]


def _bytes_needed(
    inputs: Inputs, missing: tuple[Cell, ...], passes: tuple[FeaturePass, ...]
) -> tuple[int, bool]:
    needed = 0
    for cell in missing:
        facts = inputs.facts(cell.subject)
        n_arrays = _ARRAYS_PER_CELL + len(facts.test)
        n_arrays += _SAVED_PER_FIT if cell.kind == "fit" else 0
        if cell.reference:
            n_arrays += sum(len(facts.tr_times[run]) for run in facts.repeated())
        needed += 4 * facts.n_voxels * n_arrays
    is_exact = True
    for one in passes:
        n_dims = getattr(inputs.extractor(one.model), "n_dims", None)
        is_exact &= n_dims is not None
        needed += 4 * (n_dims or 0) * sum(len(t.keys) * t.n_trs for t in one.targets)
    return needed, is_exact


def _speech_bytes(inputs: Inputs, passes: tuple[SpeechPass, ...]) -> int:
    if inputs.speech is None or not passes:
        return 0
    return (
        4
        * inputs.speech.n_dims
        * sum(len(target.keys) * target.n_trs for one in passes for target in one.targets)
    )
