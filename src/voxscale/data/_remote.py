"""One file of a data set, as a listing tells of it: what is where, how long, with which hash."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urlsplit

from voxscale.errors import DataError

__all__ = ["HASH_LENGTHS", "OWN_PREFIX", "Remote", "amount", "as_count", "join_url", "place"]

HASH_LENGTHS = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}
OWN_PREFIX = ".voxscale-"  # of the files that a fetch keeps for itself in the folder

_HASH = re.compile(r"(?P<kind>[a-z0-9]+):(?P<digits>[0-9a-f]+)(?:-(?P<n_parts>[1-9][0-9]{0,4}))?")
_NEVER = re.compile(r"[\x00-\x1f\x7f\\:]")  # no path holds these; some systems read more into them
_LONGEST = 1024  # characters of a path; keys of a bucket are no longer
_DIGITS = 15  # of a size; a thousand TB
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class Remote:
    """One file of a data set that can be fetched.

    Parameters
    ----------
    path : str
        Where it belongs, below the data set's folder, with ``/``.
    url : str
        Where it is; http or https.
    n_bytes : int or None
        Its size, where that is known.
    hash : str
        ``"sha256:…"``, ``"md5:…"`` (also sha1, sha224, sha384, sha512), or ``"etag:…-N"``, the
        hash of the hashes of N parts; empty where none is known.

    Raises
    ------
    DataError
        If the path leads out of the folder or into ``.git``, the address is no http, or the hash
        is none.
    """

    path: str
    url: str
    n_bytes: int | None
    hash: str = ""

    def __post_init__(self) -> None:
        _check_path(self.path)
        _check_url(self.url, self.path)
        if self.n_bytes is not None and self.n_bytes < 0:
            msg = f"{self.path}: its size is {self.n_bytes}; expected bytes, 0 or more."
            raise DataError(msg)
        if self.hash and not _is_hash(self.hash):
            msg = (
                f"{self.path}: its hash is {self.hash[:80]!r}; expected such as sha256: and 64 "
                "hexadecimal digits, or md5: and 32."
            )
            raise DataError(msg)


def place(root: Path, path: str) -> Path:
    """Say where a file belongs; no folder on the way there may be a link.

    Raises
    ------
    DataError
        If one is, or there is a folder of the file's name.
    """
    target = root.joinpath(*PurePosixPath(path).parts)
    way = root
    for part in PurePosixPath(path).parts[:-1]:
        way = way / part
        if way.is_symlink():
            msg = (
                f"{way} is a link; expected a folder: files are fetched into {root} alone; "
                "replace the link by a folder."
            )
            raise DataError(msg)
    if target.is_dir() and not target.is_symlink():
        msg = f"{target} is a folder; expected a file, or nothing; move it away."
        raise DataError(msg)
    return target


def join_url(base: str, path: str) -> str:
    """Append a path to an address, its characters quoted."""
    return f"{base.rstrip('/')}/{quote(path)}"


def amount(n_bytes: int) -> str:
    """Write a number of bytes for people.

    Examples
    --------
    >>> amount(7), amount(1500), amount(23_400_000_000)
    ('7 bytes', '1.5 kB', '23.4 GB')
    """
    power = 0
    while n_bytes >= 1000 ** (power + 1) and power < len(_UNITS) - 1:
        power += 1
    return f"{n_bytes / 1000**power:.{1 if power else 0}f} {_UNITS[power]}"


def as_count(text: str | None) -> int | None:
    """Read a count as servers and listings write it; None where it is none, or beyond belief.

    Examples
    --------
    >>> as_count("12"), as_count("-1"), as_count("²"), as_count(None)
    (12, None, None, None)
    """
    is_count = text is not None and text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return int(text) if text is not None and is_count else None


def _check_path(path: str) -> None:
    parts = path.split("/")
    names = {part.casefold() for part in parts}
    if (
        not path
        or len(path) > _LONGEST
        or _NEVER.search(path)
        or names & {"", ".", "..", ".git"}  # hooks in .git are programs that git runs
        or any(name.startswith(OWN_PREFIX) for name in names)
    ):
        msg = (
            f"the listing names the file {path[:200]!r}, which cannot be put below a folder; "
            "expected a plain relative path; this listing is not to be trusted."
        )
        raise DataError(msg)


def _check_url(url: str, path: str) -> None:
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        fine = False
    if not fine or not url.isascii() or re.search(r"[\x00-\x20\x7f]", url):
        msg = f"{path}: its address is {url[:200]!r}; expected one that begins with https://."
        raise DataError(msg)


def _is_hash(text: str) -> bool:
    match = _HASH.fullmatch(text)
    if match is None:
        return False
    kind = match["kind"]
    if kind == "etag":
        return len(match["digits"]) == HASH_LENGTHS["md5"] and match["n_parts"] is not None
    return HASH_LENGTHS.get(kind) == len(match["digits"]) and match["n_parts"] is None
