"""Is a file what was expected: its size, and its hash of whatever kind."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["SIZE_ONLY", "Compared", "compare", "part_sizes"]

SIZE_ONLY = "size"

_BLOCK = 1 << 20
_MIB = 1 << 20
# What programs that upload in parts take for a part: s3cmd, the aws command line, libraries,
# git-annex. Only those are tried that make as many parts as the hash says.
_PART_SIZES = tuple(
    n * _MIB for n in (5, 8, 10, 15, 16, 20, 25, 32, 50, 64, 100, 128, 250, 256, 500, 512, 1024)
)


class Compared(NamedTuple):
    """What a file is; ``verified_by`` is empty where it is not what was expected."""

    n_bytes: int
    sha256: str
    verified_by: str
    got: str


def compare(
    path: Path, n_bytes: int | None, expected: str, going: Callable[[], None] = lambda: None
) -> Compared:
    """Hash a file once, and say by what it is known to be the one that was expected.

    Parameters
    ----------
    path : Path
    n_bytes : int or None
        The expected size, where known.
    expected : str
        A hash as `Remote` has it. An ``etag`` that no usual size of parts explains shows nothing:
        then, and where there is no hash, the size alone is compared.
    going : callable
        Called at every block; may raise to stop.

    Returns
    -------
    Compared
        ``verified_by``: the kind of the hash, ``"etag"``, or ``"size"``; empty if it differs.
    """
    kind, _, wanted = expected.partition(":")
    sha256 = hashlib.sha256()
    others: list[Any] = []
    if kind == "etag":
        size, n_parts = path.stat().st_size, int(wanted.partition("-")[2])
        others = [_Parts(part) for part in part_sizes(size, n_parts)]
    elif kind not in ("", "sha256"):
        others = [hashlib.new(kind, usedforsecurity=False)]
    n_read = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            going()
            n_read += len(block)
            for digest in (sha256, *others):
                digest.update(block)
    found = [one.hexdigest() for one in (others if kind not in ("", "sha256") else [sha256])]
    is_size = n_bytes is None or n_read == n_bytes
    if not is_size:
        verified_by = ""
    elif kind in ("", "etag"):
        is_known = wanted in found if kind else False
        verified_by = kind if is_known else SIZE_ONLY if n_bytes is not None else ""
    else:
        verified_by = kind if found == [wanted] else ""
    named = f"{kind}:{found[0]}" if kind not in ("", "etag") else f"sha256:{sha256.hexdigest()}"
    return Compared(n_read, sha256.hexdigest(), verified_by, f"{n_read} bytes, {named}")


def part_sizes(n_bytes: int, n_parts: int) -> list[int]:
    """List the usual sizes of parts that make ``n_parts`` of a file of ``n_bytes``.

    Examples
    --------
    >>> part_sizes(20 * 2**20, 3)
    [8388608, 7340032]
    """
    # Some choose the smallest whole number of MiB that makes few enough parts.
    whole = -(-n_bytes // (n_parts * _MIB)) * _MIB
    sizes = dict.fromkeys([*_PART_SIZES, whole])
    return [size for size in sizes if size and -(-n_bytes // size) == n_parts]


class _Parts:
    """The hash that S3 gives to a file that came in parts: md5 of the md5s of the parts."""

    def __init__(self, size: int) -> None:
        self._size, self._n_in_part, self._n_parts = size, 0, 0
        self._part = hashlib.md5(usedforsecurity=False)
        self._whole = hashlib.md5(usedforsecurity=False)

    def update(self, block: bytes) -> None:
        while block:
            taken = block[: self._size - self._n_in_part]
            self._part.update(taken)
            self._n_in_part += len(taken)
            block = block[len(taken) :]
            if self._n_in_part == self._size:
                self._end_part()

    def _end_part(self) -> None:
        self._whole.update(self._part.digest())
        self._part = hashlib.md5(usedforsecurity=False)
        self._n_in_part = 0
        self._n_parts += 1

    def hexdigest(self) -> str:
        if self._n_in_part:
            self._end_part()
        return f"{self._whole.hexdigest()}-{self._n_parts}"
