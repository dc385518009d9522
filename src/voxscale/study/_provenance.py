"""Where the numbers of a cell come from: settings, inputs, versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import TYPE_CHECKING, Any

from voxscale._version import __version__
from voxscale.study._cell_keys import RECIPE, min_context_of
from voxscale.study._cells import REDUCERS
from voxscale.study._split import split_of

if TYPE_CHECKING:
    from voxscale.study._cells import Cell
    from voxscale.study._inputs import Inputs

__all__ = ["provenance", "shared_provenance"]

# Of what is told of a cell: all but its labels and its runs.
_FIELDS = (
    "dataset", "extractor", "min_context", "design", "features", "fit", "validation", "baselines",
    "evaluate", "seed", "recipe", "reducers", "versions",
)  # fmt: skip


def provenance(inputs: Inputs, cell: Cell) -> dict[str, Any]:
    """Say where numbers come from: settings, inputs, versions."""
    study, facts = inputs.study, inputs.facts(cell.subject)
    return {
        "cell": cell.as_dict(),
        "study": study.name,
        "dataset": study.dataset_name,
        "extractor": dict(inputs.identity(cell.model)),
        "min_context": min_context_of(cell.context),
        "design": study.design.model_dump(),
        "features": study.features.model_dump(),
        "fit": study.fit.model_dump(exclude={"memory_gib"}),
        "validation": list(split_of(study, facts).validation),
        "baselines": study.baselines.model_dump(),
        "evaluate": study.evaluate.model_dump(),
        **_speech_provenance(inputs, cell),
        "seed": study.seed,
        "recipe": RECIPE,
        "reducers": REDUCERS,
        "inputs": _inputs_of(inputs, cell),
        "versions": {
            "voxscale": __version__,
            "python": python_version(),
            **{name: _version(name) for name in ("numpy", "torch", "transformers")},
        },
    }


def shared_provenance(metas: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Say what cells have in common of settings, versions, seed and reducers.

    Parameters
    ----------
    metas : sequence of mapping
        With the fields of :func:`provenance`, among others.

    Returns
    -------
    dict
        ``provenance``, the fields that are the same in all, and ``differs``, the names of those
        that are not, such as the extractor where there are several models.
    """
    told = [field for field in _FIELDS if any(field in meta for meta in metas)]
    first = metas[0]
    same = [field for field in told if all(meta.get(field) == first.get(field) for meta in metas)]
    return {
        "provenance": {field: first[field] for field in same},
        "differs": [field for field in told if field not in same],
    }


def _speech_provenance(inputs: Inputs, cell: Cell) -> dict[str, Any]:
    """Say which speech model has a part in a cell, if one has."""
    chosen = inputs.study.speech
    if chosen is None or cell.kind != "stacking":
        return {}
    return {"speech": chosen.model_dump(), "speech_extractor": dict(inputs.speech_identity or {})}


def _inputs_of(inputs: Inputs, cell: Cell) -> list[dict[str, Any]]:
    """Return the hashes of the runs that a cell is about."""
    facts = inputs.facts(cell.subject)
    if cell.kind != "between":
        runs = (*cell.stories, *split_of(inputs.study, facts).validation, *facts.test)
        sounds = facts.sounds if _hears(inputs, cell) else {}
        heard = {run: {"sound": sounds[run]} if sounds else {} for run in runs}
        return [{**facts.inputs_of(run), **heard[run]} for run in runs]
    return [
        {"subject": subject, **inputs.facts(subject).inputs_of(run)}
        for subject in inputs.subjects
        for run in facts.test
    ]


def _hears(inputs: Inputs, cell: Cell) -> bool:
    """Tell whether sound has a part in a cell's numbers."""
    if cell.kind == "fit":
        return "sound" in cell.bands.split("+")
    beside = "sound" in inputs.study.baselines.spaces
    is_mixed = cell.kind == "stacking" and inputs.study.speech is not None
    return is_mixed or (beside and cell.kind in ("baselines", "product", "stacking"))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
