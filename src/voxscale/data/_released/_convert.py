"""Turn files of joblib and pickle into files that anything reads, and nothing need trust."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.data._files import FilePath, present
from voxscale.data._released._arrays import FoundArray
from voxscale.data._released._inspect import leaves_of
from voxscale.data._released._names import Names
from voxscale.data._released._read import contents
from voxscale.data._released._source import Source
from voxscale.data._released._values import StoredArray
from voxscale.data._released._write_values import write_values
from voxscale.errors import DataError
from voxscale.store import folder_aside, hash_file, remove_whole, write_aside

__all__ = ["convert_and_tell", "convert_released"]

_MANIFEST = "manifest.json"
_CHUNK_BYTES = 8 * 2**20
_CHUNKS_HELD = 4
_MOST_PLACES = 100  # of one array, which is written to each


def convert_released(
    paths: Iterable[FilePath], out: FilePath, *, max_gib: float | None = None
) -> dict[str, Any]:
    """Convert files that joblib or pickle wrote, without running what they name.

    Arrays of numbers are streamed, so that memory does not go with their size. Each file is gone
    through twice: once for the names of its arrays, which come after them.

    Parameters
    ----------
    paths : iterable of path-like
        Of ``fox.jbl``, the arrays go to ``OUT/fox.zarr``, in groups as the dicts are nested, and
        the rest to ``OUT/fox/``: tables to ``.parquet``, TextGrids to ``.TextGrid``, TRFiles to
        ``.report``, DataSequences to a ``.words.parquet`` and a ``.trs.parquet``, anything else
        to ``values.json``.
    out : path-like
        Folder. What is done, and the same file, is kept.
    max_gib : float, optional
        As for `inspect_released`.

    Returns
    -------
    dict
        What ``OUT/manifest.json`` holds: for each file its name, size and sha256, and those of
        what was written.

    Raises
    ------
    DataError
        As `read_released`; or if two files have one name, something cannot be converted, or there
        is already something in its place that was not converted.
    StoreError
        If it cannot be written: the disk is full, …; nothing half-made is left.
    """
    return convert_and_tell(paths, out, max_gib=max_gib)[0]


def convert_and_tell(
    paths: Iterable[FilePath], out: FilePath, *, max_gib: float | None = None
) -> tuple[dict[str, Any], frozenset[str]]:
    """Convert as `convert_released`; also tell the stems of the files that were done already."""
    out = Path(out).expanduser()
    found = [present(path) for path in paths]
    _check_names(found, out)
    absent = [one for one in (out, *out.parents) if not one.exists()]
    try:
        return _convert_all(found, out, max_gib)
    except BaseException:
        for one in absent:  # the innermost first; one that holds something stays
            with suppress(OSError):
                one.rmdir()
        raise


def _convert_all(
    found: list[Path], out: Path, max_gib: float | None
) -> tuple[dict[str, Any], frozenset[str]]:
    manifest, done = _manifest(out), set()
    for path in found:
        source = {"name": path.name, "n_bytes": path.stat().st_size, "sha256": hash_file(path)}
        if _is_done(manifest.get(path.stem), source, out):
            done.add(path.stem)
            continue
        before = manifest.get(path.stem)
        if not before or before["source"]["name"] != path.name:
            _check_free(path, out)
        # So that what a killed process leaves is known to be ours.
        manifest[path.stem] = {"source": source, "written": []}
        _save(manifest, out)
        try:
            manifest[path.stem] = {"source": source, "written": _convert(path, out, max_gib)}
            _save(manifest, out)
        except BaseException:
            _take_back(manifest, path.stem, before, out)
            raise
    return manifest, frozenset(done)


def _take_back(manifest: dict[str, Any], stem: str, before: Any, out: Path) -> None:
    """Leave nothing of a conversion that failed, and what was there before it as it was."""
    del manifest[stem]
    if before and _is_done(before, before["source"], out):
        manifest[stem] = before
    else:
        for one in _tops(out, stem):
            if one.exists():
                remove_whole(one)
    _save(manifest, out)


def _tops(out: Path, stem: str) -> tuple[Path, Path]:
    """Return where the arrays of a file go, and where the rest does."""
    return out / f"{stem}.zarr", out / stem


def _check_free(path: Path, out: Path) -> None:
    """Refuse to replace what was not written by a conversion."""
    for one in _tops(out, path.stem):
        if one.exists() or one.is_symlink():
            msg = (
                f"{one} is there already, and {out / _MANIFEST} does not say that it was converted "
                f"from {path.name}; expected a free place; name another folder."
            )
            raise DataError(msg)


def _save(manifest: dict[str, Any], out: Path) -> None:
    if not manifest:
        (out / _MANIFEST).unlink(missing_ok=True)
        return
    with write_aside(out / _MANIFEST) as temporary:
        text = json.dumps(manifest, indent=1)  # names of files need not be Unicode
        temporary.write_text(text + "\n", encoding="utf-8")


def _check_names(paths: list[Path], out: Path) -> None:
    stems: dict[str, Path] = {}
    for path in paths:
        if path.stem.lower() in (".", "..", _MANIFEST):
            msg = (
                f"{path} would be written to {out / path.stem}; expected a file with a name of its "
                "own; rename it."
            )
            raise DataError(msg)
        before = stems.setdefault(path.stem, path)
        if before != path:
            msg = (
                f"{before} and {path} would both be written to {path.stem!r}; expected files of "
                "different names; convert them into two folders."
            )
            raise DataError(msg)


def _manifest(out: Path) -> dict[str, Any]:
    path = out / _MANIFEST
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        msg = f"{path} is damaged ({error}); expected JSON; delete it and convert again."
        raise DataError(msg) from error
    if not isinstance(found, dict) or not all(map(_is_record, found.values())):
        msg = f"{path} is no manifest of conversions; expected one; name another folder."
        raise DataError(msg)
    return found


def _is_record(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("source"), dict)
        and {"name", "sha256"} <= value["source"].keys()
        and isinstance(value.get("written"), list)
        and all(
            isinstance(one, dict) and {"name", "n_bytes"} <= one.keys() for one in value["written"]
        )
    )


def _is_done(record: Any, source: dict[str, Any], out: Path) -> bool:
    """Tell whether this very file was converted, and all that was written is there."""
    if record is None or record["source"]["sha256"] != source["sha256"]:
        return False
    return bool(record["written"]) and all(
        (out / one["name"]).is_file() and (out / one["name"]).stat().st_size == one["n_bytes"]
        for one in record["written"]
    )


def _convert(path: Path, out: Path, max_gib: float | None) -> list[dict[str, Any]]:
    names = _array_names(path, max_gib)
    arrays, others = _tops(out, path.stem)
    with ExitStack() as stack:
        beside = stack.enter_context(folder_aside(others))
        folder = stack.enter_context(folder_aside(arrays)) if names else None
        with closing(Source(path, max_gib)) as source:
            group = _Group(folder, names)
            value = contents(source, group.take)
        write_values(value, beside, path, source.budget.held)
        if not any(beside.iterdir()):
            (beside / "values.json").write_text("[]\n")
    return [
        {"name": str(one.relative_to(out)), "n_bytes": one.stat().st_size, "sha256": hash_file(one)}
        for top in (arrays, others)
        for one in sorted(top.rglob("*"))
        if one.is_file() and (top != arrays or names)
    ]


def _array_names(path: Path, max_gib: float | None) -> dict[int, list[str]]:
    """Return where in the Zarr group each array goes that is to be streamed."""
    names = Names()
    found: dict[int, list[str]] = {}
    with closing(Source(path, max_gib, passes=True)) as source:
        value = contents(source, FoundArray.passed)
    for _, keys, one, before in leaves_of(value):
        if before is None and isinstance(one, StoredArray) and _is_of_numbers(one.dtype):
            places = found.setdefault(one.number, [])
            places.append(names.of(keys or ("array",)))
            if len(places) > _MOST_PLACES:
                msg = (
                    f"{path}: array {one.number} is in more than {_MOST_PLACES} places, and would "
                    "be written as often; expected one place each; use stream_released instead."
                )
                raise DataError(msg)
    return found


def _is_of_numbers(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "biufc" and dtype.itemsize <= (16 if dtype.kind == "c" else 8)


class _Group:
    """A Zarr group that takes the arrays that have a name in it, and holds the others."""

    def __init__(self, folder: Path | None, names: dict[int, list[str]]) -> None:
        import zarr

        self._names = names
        self._group = zarr.open_group(folder, mode="w", zarr_format=3) if folder else None

    def take(self, found: FoundArray) -> Any:
        if found.number not in self._names:
            return found.held()
        is_f = found.order == "F" and len(found.shape) > 1
        axis = len(found.shape) - 1 if is_f else 0
        n_lines = found.shape[axis] if found.shape else 1
        n_line = max(1, found.n_bytes // max(1, n_lines))
        n_together = max(1, min(n_lines, _CHUNK_BYTES // n_line))
        chunks = [max(1, size) for size in found.shape]
        if chunks:
            chunks[axis] = n_together
        targets = [self._created(name, found, chunks) for name in self._names[found.number]]
        for start, block in found.blocks(_CHUNKS_HELD * n_together * n_line):
            for target in targets:
                _put(target, axis, start, block)
        return found.known()

    def _created(self, name: str, found: FoundArray, chunks: list[int]) -> Any:
        from zarr.codecs import ZstdCodec

        return self._group.create_array(  # type: ignore[union-attr]
            name,
            shape=found.shape,
            chunks=tuple(chunks),
            dtype=found.dtype.newbyteorder("="),
            compressors=ZstdCodec(checksum=True),
            config={"write_empty_chunks": True},  # a chunk that lacks is damage
        )


def _put(target: Any, axis: int, start: int, block: Any) -> None:
    if not block.size:
        return
    if not block.shape:
        target[...] = block
        return
    where = [slice(None)] * block.ndim
    where[axis] = slice(start, start + block.shape[axis])
    target[tuple(where)] = block
