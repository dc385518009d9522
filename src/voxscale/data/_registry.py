"""A list of files in a file: paths, addresses, sizes, hashes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from voxscale.data._files import FilePath, read_text
from voxscale.data._remote import HASH_LENGTHS, Remote, as_count, join_url
from voxscale.errors import DataError

__all__ = ["read_registry"]

_COLUMNS = ("path", "url", "base", "n_bytes")


def read_registry(path: FilePath) -> list[Remote]:
    r"""Read a list of files: a table with tabs, or JSON.

    A table has a header. Its columns are ``path``; ``url``, or ``base``, to which the path is
    appended; ``n_bytes``; and a hash, under the name of its kind: ``sha256``, ``md5``, … Lines
    that begin with ``#`` are left out. JSON is a list of such rows, or
    ``{"base": …, "files": [rows]}``.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    list of Remote

    Raises
    ------
    DataError
        If the file is no such list, or names a file twice, without a size or without a hash.
    """
    text = read_text(path)
    is_json = text.lstrip().startswith(("{", "["))
    rows = _json_rows(text, path) if is_json else _table_rows(text, path)
    remotes: dict[str, Remote] = {}
    for place, row in rows:
        try:
            one = _remote(row)
        except (DataError, ValueError) as error:
            msg = f"{path}, {place}: {error}"
            raise DataError(msg) from error
        if one.path in remotes:
            msg = f"{path}, {place}: {one.path} was there before; expected every file once."
            raise DataError(msg)
        remotes[one.path] = one
    if not remotes:
        msg = f"{path} names no file; expected a line for each."
        raise DataError(msg)
    return list(remotes.values())


def _table_rows(text: str, path: FilePath) -> Iterable[tuple[str, dict[str, str]]]:
    lines = [
        (i, line)
        for i, line in enumerate(text.split("\n"), 1)
        if line.strip() and not line.startswith("#")
    ]
    cells = [line.split("\t") for _, line in lines]
    header = [name.strip().lower() for name in cells[0]] if cells else []
    unknown = sorted(set(header) - {*_COLUMNS, *HASH_LENGTHS})
    if "path" not in header or unknown or len(set(header)) < len(header):
        msg = (
            f"{path}: its columns are {', '.join(header)[:200]!r}; expected, with tabs between "
            f"them, path, url or base, n_bytes, and {' or '.join(HASH_LENGTHS)}."
        )
        raise DataError(msg)
    for (number, _), row in zip(lines[1:], cells[1:], strict=True):
        if len(row) != len(header):
            msg = f"{path}, line {number}: {len(row)} columns; expected {len(header)}."
            raise DataError(msg)
        yield f"line {number}", dict(zip(header, map(str.strip, row), strict=True))


def _json_rows(text: str, path: FilePath) -> Iterable[tuple[str, dict[str, Any]]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"{path} is no JSON ({error}); expected a list of files."
        raise DataError(msg) from error
    base = {}
    if isinstance(found, dict):
        base = {"base": found["base"]} if "base" in found else {}
        found = found.get("files")
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        msg = f'{path}: this is no list of files; expected [{{"path": …}}, …], or it as "files".'
        raise DataError(msg)
    for i, row in enumerate(found, 1):
        yield f"file {i}", {**base, **row}


def _remote(row: dict[str, Any]) -> Remote:
    path, url, base = (row.get(name) or "" for name in ("path", "url", "base"))
    hashes = [(kind, row[kind]) for kind in reversed(HASH_LENGTHS) if row.get(kind)]
    if not all(isinstance(one, str) for one in (path, url, base, *dict(hashes).values())):
        msg = "path, url, base and hash are text; expected such."
        raise DataError(msg)
    n_bytes = as_count(str(row.get("n_bytes", "")))
    if n_bytes is None or not hashes:
        msg = f"{path[:200]!r} has no size or no hash; expected n_bytes and sha256 or md5."
        raise DataError(msg)
    kind, digits = hashes[0]  # the longest
    address = url or (join_url(base, path) if base else "")
    return Remote(path, address, n_bytes, f"{kind}:{digits.lower()}")
