"""What a study would do, and how far it is; no weights are loaded for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from voxscale.store import LayerStore, Store
from voxscale.study._cell_keys import between_key, cell_key
from voxscale.study._cells import Cell, cells_of, training_pool
from voxscale.study._checks import check_evaluation, check_rows, check_words
from voxscale.study._costs import Costs, costs_of
from voxscale.study._features import FeaturePass, missing_passes, passes_for, recipe_of
from voxscale.study._inputs import Inputs
from voxscale.study._orphans import Orphans, find_orphans
from voxscale.study._owner import check_owner
from voxscale.study._progress import size
from voxscale.study._speech_features import (
    SpeechPass,
    missing_speech_passes,
    speech_passes_for,
)
from voxscale.study._speech_inputs import check_speech
from voxscale.study._sweeps import AXES

if TYPE_CHECKING:
    from voxscale.study._config import Study
    from voxscale.study._settings import Speech

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

    def __str__(self) -> str:
        study = self.study
        subjects = list(dict.fromkeys(cell.subject for cell in self.cells))
        sizes = sorted({cell.n_stories for cell in self.cells if cell.kind != "between"})
        contexts = sorted({cell.context for cell in self.cells})
        at = "" if study.sweep else f" (layer {study.reference_layer})"
        counts = Counter(one.context for one in self.passes)
        stories = ", ".join(f"{n} at context {context}" for context, n in counts.items())
        n_sounds = len(self.speech_passes)
        rows = [
            ("study", study.name),
            ("results", str(study.out)),
            ("data set", f"{study.dataset_name}: {', '.join(subjects)}"),
            *_models_of(study),
            ("contexts", f"{_listed(contexts)} words{at}"),
            ("stories", f"{_listed(sizes)} to train on{at}"),
            ("cells", f"{len(self.cells)}: {len(self.done)} done, {len(self.missing)} to do"),
            (
                "features",
                ": ".join(filter(None, (f"{len(self.passes)} passes over a story", stories)))
                + _POLICIES.get(study.features.policy, "")
                + (f"; {n_sounds} passes over a sound" if study.speech else ""),
            ),
            ("disk", f"about {size(self.bytes_needed)}" + _unsure(self)),
            *(self.costs.rows() if self.costs else ()),
        ]
        if self.failed:
            rows.insert(_place(rows, "cells"), ("failed", f"{len(self.failed)}, to be tried again"))
        if study.speech:
            rows.insert(_place(rows, "contexts") - 1, ("speech", _windows_of(study.speech)))
        if self.orphans:
            rows.append(("orphans", _of_orphans(self.orphans)))
        return "\n".join(f"{name:>9}  {text}" for name, text in rows)


_POLICIES = {
    "sliding": "; sliding contexts: a window for every word of it",
    "full": "; each from its start",
    "sentence": "; a window for every sentence of it",
}


def _place(rows: list[tuple[str, str]], name: str) -> int:
    """Return the place behind a row."""
    return [row for row, _ in rows].index(name) + 1


def _models_of(study: Study) -> list[tuple[str, str]]:
    """List each model with its layers."""
    rows = []
    for model in study.models:
        rows += [("model", model), ("layers", _listed(study.layers_of(model)))]
    return rows


def _windows_of(speech: Speech) -> str:
    window_s = speech.context_s + speech.stride_s
    every = f"{window_s:g} s every {speech.stride_s:g} s"
    return f"{speech.model}, layers {_listed(speech.layers)}, {every}"


@dataclass(frozen=True)
class Status:
    """How far a study is.

    ``str(status)`` is a page for people.

    Parameters
    ----------
    plan : Plan
    by_axis : dict
        ``by_axis[axis][value]`` is (done, total), for the axes "subject", "layer", "context"
        and "n_stories".
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
        plan = self.plan
        lines = [f"{len(plan.done)} of {len(plan.cells)} cells done in {plan.study.out}"]
        for axis, counts in self.by_axis.items():
            told = ", ".join(f"{value}: {done}/{total}" for value, (done, total) in counts.items())
            lines.append(f"{axis:>9}  {told}")
        if self.failures:
            lines.append(f"{len(self.failures)} failed:")
            lines += [f"  {cell.label}: {error}" for cell, error in self.failures]
            where = f"{plan.study.out}/cells/*.failed.json"
            if self.n_failed_features:
                where += f", those of features in {plan.study.out}/features/*.failed.json"
            lines.append(f"The tracebacks are in {where}")
        if plan.orphans:
            lines.append(f"orphans: {_of_orphans(plan.orphans)}")
        return "\n".join(lines)


def plan(study: Study) -> Plan:
    """Count what a study would compute, and check its inputs; no cell is computed.

    The weights of the model are not loaded. A data set may have to be made, though: the first
    plan of the demo plants its responses, which takes a model and some minutes.

    Parameters
    ----------
    study : Study

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
    """
    inputs = Inputs(study)
    made, n_tokens = checked_plan(inputs)
    made = replace(made, costs=costs_of(inputs, made, n_tokens))
    return _with_orphans(inputs, made)


def status(study: Study) -> Status:
    """Count what is done along each axis, and list what failed.

    Parameters
    ----------
    study : Study

    Returns
    -------
    Status

    Raises
    ------
    ConfigError, DataError, StoreError
        As :func:`plan`, but for what only missing cells would meet.
    """
    inputs = Inputs(study)
    made = _with_orphans(inputs, make_plan(inputs))
    done = set(made.done)
    by_axis: dict[str, dict[Any, tuple[int, int]]] = {"subject": {}, **{axis: {} for axis in AXES}}
    for cell in made.cells:
        for axis in ("subject", *made.axes.get(cell, ())):
            value = getattr(cell, axis)
            n_done, total = by_axis[axis].get(value, (0, 0))
            by_axis[axis][value] = n_done + (cell in done), total + 1
    store = cell_store(study)
    failures = []
    for cell in made.failed:
        failure = store.failure(made.keys[cell]) or {}
        first = (str(failure.get("message", "")).splitlines() or [""])[0]
        failures.append((cell, f"{failure.get('error', '')}: {first}"))
    ordered = {axis: dict(sorted(counts.items())) for axis, counts in by_axis.items() if counts}
    features = feature_store(study)
    keys = [key for one in made.passes for _, key in one.keys]
    keys += [key for one in made.speech_passes for _, key in one.keys]
    n_failed_features = sum(features.failure_path(key).is_file() for key in keys)
    return Status(made, ordered, tuple(failures), n_failed_features)


def checked_plan(inputs: Inputs) -> tuple[Plan, dict[FeaturePass, int]]:
    """Make a plan, and find out whether what is missing can be computed at all.

    With it come the tokens that each pass runs, where they are known.
    """
    made = make_plan(inputs)
    recipe = recipe_of(made.study)
    all_facts = [inputs.facts(subject) for subject in inputs.subjects]
    check_evaluation(made.study, all_facts, made.missing)
    of_one = (cell for cell in made.missing if cell.kind != "between")
    for subject, cells in groupby(of_one, key=lambda cell: cell.subject):
        check_rows(made.study, recipe, inputs.facts(subject), cells)
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


def _with_orphans(inputs: Inputs, made: Plan) -> Plan:
    stores = cell_store(inputs.study), feature_store(inputs.study)
    return replace(made, orphans=find_orphans(inputs, made.cells, made.keys.values(), *stores))


def _of_orphans(orphans: Orphans) -> str:
    return f"{orphans.summary}, which no cell names any more; voxscale prune removes them"


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


def _listed(values: Any) -> str:
    return ", ".join(map(str, values))


def _unsure(made: Plan) -> str:
    return "" if made.is_exact else ", and the features"
