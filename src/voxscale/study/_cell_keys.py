"""What each cell is called in the store: a hash of everything that can change its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from voxscale.store import key_of
from voxscale.study._settings import BLOCK_TRS
from voxscale.study._split import split_of

if TYPE_CHECKING:
    from voxscale.study._cells import Cell
    from voxscale.study._config import Study
    from voxscale.study._inputs import SubjectFacts

__all__ = ["RECIPE", "SPEECH_RECIPE", "between_key", "cell_key", "min_context_of"]

SPEECH_RECIPE = 1  # raised by hand whenever stored features of speech would differ
RECIPE = 4  # raised by hand whenever the numbers of a cell would differ


def min_context_of(context: int) -> int:
    """Return the number of words that the model sees at least, but for a story's start."""
    return max(1, context // 2)


def between_key(study: Study, all_facts: Sequence[SubjectFacts]) -> str:
    """Name the cell of all subjects by their test stories."""
    rows = _design(study, {"trim", "test_trim", "protocol"})
    own = {"design": rows, "n_bootstraps": study.evaluate.n_bootstraps, "seed": study.seed}
    subjects = [
        {"subject": one.subject, "test": [one.inputs_of(run) for run in one.test]}
        for one in all_facts
    ]
    fields = {"dataset": study.dataset_name, "subjects": subjects, **own}
    return key_of({"recipe": RECIPE, "kind": "between", **fields})


def cell_key(
    study: Study,
    cell: Cell,
    facts: SubjectFacts,
    identity: Mapping[str, Any],
    speech: Mapping[str, Any] | None = None,
) -> str:
    """Name a cell by everything that can change its numbers.

    ``identity`` is that of the language model, ``speech`` that of the speech model, if the study
    has one.

    The device, the memory budget and the folder are not part of it; nor is the draw, which
    is a name for the stories.
    """
    fields = _fields(study, cell, facts, identity)
    if cell.kind == "stacking" and study.speech is not None:
        runs = (*cell.stories, *split_of(study, facts).validation, *facts.test)
        fields["speech"] = {
            "recipe": SPEECH_RECIPE,
            "extractor": dict(speech or {}),
            "layers": study.speech.layers,
            "sounds": {run: facts.sounds[run] for run in runs},
        }
    return key_of({"recipe": RECIPE, "kind": cell.kind, **fields})


def _fields(
    study: Study, cell: Cell, facts: SubjectFacts, identity: Mapping[str, Any]
) -> dict[str, Any]:
    data = {
        "dataset": study.dataset_name,
        "subject": cell.subject,
        "tr_s": facts.tr_s,
        "test": [facts.inputs_of(run) for run in facts.test],
        "design": _design(study),
    }
    if cell.kind == "ceiling":
        rows = _design(study, {"trim", "test_trim", "protocol"})
        own = study.evaluate.model_dump(include={"n_bootstraps", "ceiling_repeats"})
        return {**data, **own, "design": rows, "seed": study.seed}
    validation = split_of(study, facts).validation
    fields = {
        **data,
        "extractor": dict(identity),
        "layer": cell.layer,
        "context": cell.context,
        "min_context": min_context_of(cell.context),
        "train": [facts.inputs_of(run) for run in cell.stories],
        "validation": [facts.inputs_of(run) for run in validation],
        "alphas": study.fit.penalties,
        "scoring": study.fit.scoring,
        "cv": _cv(study),
        "seed": study.seed if _is_drawn(study, cell, facts) else None,
    }
    if not cell.has_language:
        fields |= {"extractor": None, "layer": None, "context": None, "min_context": None}
    if cell.bands != study.default_bands:
        fields["bands"] = cell.bands
    if "sound" in cell.bands.split("+"):
        runs = (*cell.stories, *validation, *facts.test)
        fields["sounds"] = {run: facts.sounds[run] for run in runs}
    if cell.kind == "fit":
        own = {"reference": cell.reference, "n_bootstraps": _n_bootstraps(study, cell, facts)}
        return {**fields, "null": _null(study, cell), **own}
    if cell.kind == "comparison":
        chosen = study.evaluate
        own = {"layers": chosen.compare_layers, "n_permutations": chosen.n_permutations}
        return {**fields, "layer": None, **own}
    spaces = [one for one in study.baselines.spaces if one != "sound" or facts.sounds]
    fields |= {"spaces": spaces, "sounds": dict(facts.sounds) if "sound" in spaces else {}}
    if cell.kind == "stacking":
        n_permutations = study.evaluate.n_permutations
        layers = study.layers_of(cell.model)
        return {**fields, "layer": None, "layers": layers, "n_permutations": n_permutations}
    if cell.kind == "product":
        return {**fields, "seed": study.seed, "scoring": "r2"}
    autocorrelation = study.baselines.autocorrelation
    return {**fields, "null": _null(study, cell), "autocorrelation": autocorrelation}


def _design(study: Study, only: set[str] | None = None) -> dict[str, Any]:
    """Return the settings of the design; a trim of test runs where there is one."""
    fields = study.design.model_dump(include=only)
    if study.design.test_trim is None:
        fields.pop("test_trim")
    return fields


def _cv(study: Study) -> Any:
    """Return the settings of the splits, and whether chunks lie as the published ones."""
    cv = study.fit.model_dump(exclude_none=True)["cv"]
    if isinstance(cv, dict) and study.design.protocol is not None:
        cv |= {"chunks": "across runs"}
    return cv


def _n_bootstraps(study: Study, cell: Cell, facts: SubjectFacts) -> int:
    """Return how many samples are behind the limits of a fit's scores; 0 where it has none."""
    is_centre = cell.reference and cell.layer == study.reference_layer
    return study.evaluate.n_bootstraps if is_centre and facts.repeated() else 0


def _null(study: Study, cell: Cell) -> dict[str, Any] | None:
    """Return the settings of the permutation test of a cell; None where it has none."""
    if not _permutes(study, cell):
        return None
    chosen = study.evaluate
    block_trs = (chosen.block_trs or BLOCK_TRS) if chosen.null == "block" else None
    return {"n_permutations": chosen.n_permutations, "null": chosen.null, "block_trs": block_trs}


def _permutes(study: Study, cell: Cell) -> bool:
    tested = cell.reference or cell.kind in ("baselines", "stacking", "comparison")
    return tested and study.evaluate.n_permutations > 0


def _is_drawn(study: Study, cell: Cell, facts: SubjectFacts) -> bool:
    """Tell whether chance has a part in a cell's numbers; its stories are named already."""
    has_limits = cell.kind == "fit" and _n_bootstraps(study, cell, facts) > 0
    return _permutes(study, cell) or has_limits or study.fit.cv != "leave-run-out"
