"""What a study's folder holds that no cell of the study names any more."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from voxscale.errors import StoreError
from voxscale.study._features import passes_for
from voxscale.study._progress import size
from voxscale.study._speech_features import speech_passes_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from voxscale.store import LayerStore, Store
    from voxscale.study._cells import Cell
    from voxscale.study._inputs import Inputs

__all__ = ["Orphan", "Orphans", "find_orphans"]

OrphanKind = Literal["result", "features", "failure"]

# What each kind is called: one of them, several.
_CALLED = {
    "result": ("result", "results"),
    "features": ("set of features", "sets of features"),
    "failure": ("record of a failure", "records of failures"),
}
_SHOWN = 10  # of each kind, the largest first


@dataclass(frozen=True)
class Orphan:
    """One result, set of features or record of a failure that no cell names.

    Parameters
    ----------
    kind : {"result", "features", "failure"}
    path : Path
        A file; the folder of a zarr group where it is features.
    n_bytes : int
    what : str
        What it is about, in words, as far as it says.
    """

    kind: OrphanKind
    path: Path
    n_bytes: int
    what: str


@dataclass(frozen=True)
class Orphans:
    """All of them; ``str(orphans)`` lists them by kind, the largest first.

    Parameters
    ----------
    items : tuple of Orphan
    """

    items: tuple[Orphan, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    @property
    def n_bytes(self) -> int:
        """How much they take on disk."""
        return sum(one.n_bytes for one in self.items)

    @property
    def by_kind(self) -> dict[str, tuple[Orphan, ...]]:
        """Those of each kind that there is, the largest first."""
        found = {kind: [one for one in self.items if one.kind == kind] for kind in _CALLED}
        return {
            kind: tuple(sorted(some, key=lambda one: (-one.n_bytes, one.what, one.path)))
            for kind, some in found.items()
            if some
        }

    @property
    def summary(self) -> str:
        """How many of each kind, and how much they take together; empty for none."""
        parts = [_counted(kind, len(some)) for kind, some in self.by_kind.items()]
        return f"{', '.join(parts)}: {size(self.n_bytes)}" if parts else ""

    def __str__(self) -> str:
        lines = []
        for kind, some in self.by_kind.items():
            n_bytes = sum(one.n_bytes for one in some)
            lines.append(f"{_counted(kind, len(some))}, {size(n_bytes)}")
            lines += [f"  {size(one.n_bytes):>7}  {one.what}" for one in some[:_SHOWN]]
            if len(some) > _SHOWN:
                lines.append(f"           and {len(some) - _SHOWN} more")
        return "\n".join(lines)


def find_orphans(
    inputs: Inputs,
    cells: Iterable[Cell],
    keys: Collection[str],
    results: Store,
    features: LayerStore,
) -> Orphans:
    """List what is in a study's stores beside the results of its cells, and their features.

    Features of cells that are done are no orphans: another penalty would need them again.

    Parameters
    ----------
    inputs : Inputs
    cells : iterable of Cell
        All of the study.
    keys : collection of str
        Their names in the store.
    results, features : Store, LayerStore
    """
    cells = tuple(cells)
    needed = {key for made in passes_for(inputs, cells) for _, key in made.keys}
    needed |= {key for made in speech_passes_for(inputs, cells) for _, key in made.keys}
    return Orphans((*_of_store(results, "result", keys), *_of_store(features, "features", needed)))


def _of_store(
    store: Store | LayerStore, kind: OrphanKind, named: Collection[str]
) -> Iterator[Orphan]:
    named = set(named)
    for key in store.keys():  # noqa: SIM118 - a store is no mapping
        if key not in named:
            path = store.path(key)
            yield Orphan(kind, path, _bytes_of(path), _what(store, key))
    for key in store.failed_keys():
        if key not in named:
            path = store.failure_path(key)
            yield Orphan("failure", path, _bytes_of(path), _what_failed(store, key))


def _bytes_of(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        return sum(one.stat().st_size for one in path.rglob("*") if not one.is_dir())
    return path.lstat().st_size


def _what(store: Store | LayerStore, key: str) -> str:
    try:
        meta = store.meta(key)
    except StoreError:
        return f"damaged ({store.path(key).name})"
    return _told(meta) or store.path(key).name


def _what_failed(store: Store | LayerStore, key: str) -> str:
    try:
        record = store.failure(key) or {}
    except StoreError:
        return f"damaged ({store.failure_path(key).name})"
    what = _told(record.get("meta") or {}) or store.failure_path(key).name
    return f"{what}: {record.get('error', '')}"


def _told(meta: dict[str, Any]) -> str:
    """Say in words what metadata tell of, whatever version wrote them."""
    cell = meta.get("cell")
    if not isinstance(cell, dict):
        story = meta.get("story", meta.get("run"))
        parts = [] if story is None else [f"story {story}"]
        return ", ".join([*parts, *_fields(meta, "context", "layers", "layer", "speech_layer")])
    parts = [str(cell.get("subject", ""))]
    parts += [] if cell.get("kind", "fit") == "fit" else [str(cell["kind"])]
    parts += _fields(cell, "model", "layer", "context")
    return ", ".join([*parts, f"{len(cell.get('stories', []))} stories"])


def _fields(held: dict[str, Any], *names: str) -> list[str]:
    return [f"{name.replace('_', ' ')} {held[name]}" for name in names if name in held]


def _counted(kind: str, n: int) -> str:
    return f"{n} {_CALLED[kind][n > 1]}"
