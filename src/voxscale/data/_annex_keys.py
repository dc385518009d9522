"""What git-annex says of content that is not here: its size and hash are in its key."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from voxscale.data._remote import HASH_LENGTHS

__all__ = ["AnnexKey", "annex_key", "files_below", "parse_key"]

_KEY = re.compile(r"(?P<backend>[A-Z0-9_]+)(?P<fields>(?:-[a-zA-Z][0-9]{1,15})*)--(?P<name>[^/]+)")
_OBJECTS = "annex/objects/"
_LONGEST_POINTER = 32 * 1024  # bytes; git-annex itself takes nothing longer for a pointer
# Backends whose name is a hash of the whole content; a final E adds the file's ending.
_BACKENDS = {kind.upper(): kind for kind in HASH_LENGTHS}


class AnnexKey(NamedTuple):
    """What a key tells: ``n_bytes`` may be unknown, ``hash`` empty (WORM, URL)."""

    n_bytes: int | None
    hash: str


def parse_key(text: str) -> AnnexKey | None:
    """Read the key of a file; None if this is none, or one of a chunk of a file.

    Examples
    --------
    >>> parse_key("MD5E-s12--5eb63bbbe01eeed093cb22bb8f5acdc3.hf5")
    AnnexKey(n_bytes=12, hash='md5:5eb63bbbe01eeed093cb22bb8f5acdc3')
    """
    match = _KEY.fullmatch(text)
    if match is None:
        return None
    fields = {field[0]: int(field[1:]) for field in match["fields"].split("-")[1:]}
    if "S" in fields or "C" in fields:
        return None
    kind = _BACKENDS.get(match["backend"].removesuffix("E"), "")
    digits = match["name"].split(".")[0].lower() if kind else ""
    is_hash = len(digits) == HASH_LENGTHS.get(kind) and not set(digits) - set("0123456789abcdef")
    return AnnexKey(fields.get("s"), f"{kind}:{digits}" if is_hash else "")


def annex_key(path: Path) -> AnnexKey | None:
    """Read the key that a link into git-annex's objects, or a pointer, names; None otherwise."""
    if path.is_symlink():
        text = str(path.readlink())
    elif path.is_file() and path.stat().st_size <= _LONGEST_POINTER:
        with path.open("rb") as file:
            text = file.read(_LONGEST_POINTER).split(b"\n")[0].decode("utf-8", "replace").strip()
        if not text.startswith(("/" + _OBJECTS, "../", ".git")):
            return None
    else:
        return None
    text = text.replace("\\", "/")
    return parse_key(PurePosixPath(text).name) if _OBJECTS in text else None


def files_below(root: Path) -> Iterator[tuple[str, Path]]:
    """List the files below a folder but those of git itself: relative paths, and whole ones."""
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if name != ".git")
        for name in sorted(names):
            path = Path(folder) / name
            yield path.relative_to(root).as_posix(), path
