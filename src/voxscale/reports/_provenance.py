"""Where the numbers of a page come from: versions, models, inputs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from voxscale.reports._tables import as_text
from voxscale.store import key_of

if TYPE_CHECKING:
    from voxscale.study import Results

__all__ = ["provenance_of"]

_HASH_DIGITS = 12
_PACKAGES = ("scipy", "scikit-learn", "nilearn")  # whose versions no cell holds


def provenance_of(results: Results) -> list[tuple[str, Any]]:
    """List versions, what tells models apart, and a hash of each subject's inputs."""
    metas = [results.meta(cell) for cell in results.cells]
    fields: list[tuple[str, Any]] = []
    for package in metas[0].get("versions", {}):
        versions = sorted({str(meta["versions"].get(package) or "absent") for meta in metas})
        fields.append((package, versions))
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            fields.append((f"{package} (of this page)", version(package)))
    fields += _models(results)
    mixes = [results.meta(cell) for cell in results.beside if cell.kind == "stacking"]
    if mixes and "speech_extractor" in mixes[0]:
        fields += _leaves("speech model", mixes[0]["speech_extractor"])
    for subject in results.subjects:
        cells = results.select(subject=subject)
        inputs = {one["run"]: one for cell in cells for one in results.meta(cell).get("inputs", [])}
        name = f"inputs of {subject} ({len(inputs)} stories)"
        fields.append((name, key_of(inputs)[:_HASH_DIGITS]))
    return fields


def _models(results: Results) -> list[tuple[str, Any]]:
    """List what tells apart the weights of each model that some cell is about."""
    cells = {cell.model: cell for cell in reversed(results.cells) if cell.has_language}
    names = [model for model in results.study.models if model in cells]
    return [
        leaf
        for model in names
        for leaf in _leaves(
            f"model {model}" if len(names) > 1 else "model",
            results.meta(cells[model]).get("extractor", {}),
        )
    ]


def _leaves(name: str, value: Any) -> list[tuple[str, Any]]:
    """Flatten a mapping; long hashes are cut to what tells them apart."""
    if isinstance(value, Mapping):
        return [leaf for key, one in value.items() for leaf in _leaves(f"{name}: {key}", one)]
    text = as_text(value) if not isinstance(value, int) else str(value)
    is_hash = len(text) in (32, 40, 64) and set(text) <= set("0123456789abcdef")
    return [(name, text[:_HASH_DIGITS] if is_hash else text)]
