"""Open files that may be missing, empty, or a stand-in for content that was never fetched."""

from __future__ import annotations

import codecs
import math
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from voxscale.errors import DataError, did_you_mean

__all__ = ["FilePath", "as_number", "kind_of", "present", "read_text"]

FilePath = str | os.PathLike[str]

# git-annex leaves either a short text file or, where links are not possible, the link's target.
_ANNEX = re.compile(rb"\s*(?:/annex/objects/|(?:\.\.?[/\\])*\.git[/\\]annex[/\\]objects[/\\])")
_LFS = b"version https://git-lfs.github.com/spec/"
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BINARY_PRAAT = b"ooBinaryFile"
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_POINTER_LENGTH = 4096  # bytes; a pointer is one or a few short lines
_CUT_SHORT = ("unexpected end of data", "truncated data", "incomplete multibyte sequence")


def kind_of(path: FilePath) -> tuple[Path, str]:
    """Find out what is at a path.

    Parameters
    ----------
    path : path-like
        ``~`` is the home folder.

    Returns
    -------
    path : Path
        Without ``~``.
    kind : {"file", "folder", "link", "nothing"}
        A link is one that leads nowhere.

    Raises
    ------
    DataError
        If that cannot be told: a folder on the way may not be entered, the home folder is not
        known, or this is no path at all.
    """
    with _opening(path):
        whole = Path(path).expanduser()
        try:
            mode = whole.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return whole, "link" if whole.is_symlink() else "nothing"
        return whole, "folder" if stat.S_ISDIR(mode) else "file"


def present(path: FilePath, *, folder: bool = False, expected: str = "a file") -> Path:
    """Return ``path`` once it is known to hold content.

    Parameters
    ----------
    path : path-like
        ``~`` is the home folder.
    folder : bool
        Accept a folder too.
    expected : str
        What an error says was expected where nothing is.

    Raises
    ------
    DataError
        If nothing is there, it is a folder, a pipe or a device, it is empty, it cannot be opened,
        or it is a git-annex or Git LFS pointer whose content was not fetched.
    """
    path, kind = kind_of(path)
    if kind == "link":
        target = str(path.readlink())
        if "annex/objects" in target.replace("\\", "/"):
            raise DataError(_not_fetched(path, "a git-annex link to content that is not here"))
        msg = f"{path} is a link to {target}, which does not exist; expected a file; mend the link."
        raise DataError(msg)
    if kind == "nothing":
        msg = f"{path} does not exist; expected {expected}{_hint(path)}; check the path."
        raise DataError(msg)
    if kind == "folder":
        if folder:
            return path
        msg = f"{path} is a folder; expected a file; name the file inside it."
        raise DataError(msg)
    with _opening(path):
        is_regular = stat.S_ISREG(path.stat().st_mode)
    if not is_regular:  # one may wait for ever, or give bytes for ever
        msg = f"{path} is a pipe or a device; expected a file; write what it gives to one."
        raise DataError(msg)
    with _opening(path), path.open("rb") as file:
        head = file.read(_POINTER_LENGTH)
    if not head:
        msg = f"{path} is empty (0 bytes); expected data; fetch or copy it again."
        raise DataError(msg)
    if _ANNEX.match(head):
        raise DataError(_not_fetched(path, "a git-annex pointer"))
    if head.startswith(_LFS):
        msg = (
            f"{path} is a Git LFS pointer, not the file: its content is not fetched; "
            f"expected the data themselves; run: git lfs pull --include '{path.name}'."
        )
        raise DataError(msg)
    return path


def read_text(path: FilePath, encoding: str | None = None) -> str:
    r"""Read a text file, every line ending as ``\n``.

    Parameters
    ----------
    path : path-like
    encoding : str, optional
        By default UTF-8, or UTF-16 where a byte order mark says so. No other encoding is
        guessed: Latin-1 or Mac Roman accept any byte, and the wrong one changes words.

    Raises
    ------
    DataError
        If there is no content (see `present`) or only blanks, the file is compressed or
        binary, or a byte cannot be decoded.
    ValueError
        If ``encoding`` is not known.
    """
    path = present(path)
    with _opening(path):
        data = path.read_bytes()
    if data.startswith(_BINARY_PRAAT):
        msg = (
            f"{path} is in Praat's binary format; expected one of its text formats; open it in "
            "Praat and use Save as text file."
        )
        raise DataError(msg)
    for start, kind in _COMPRESSED.items():
        if data.startswith(start):
            msg = f"{path} is compressed ({kind}); expected plain text; unpack it first."
            raise DataError(msg)
    chosen = _encoding(data, path) if encoding is None else encoding
    try:
        text = data.decode(chosen)
    except LookupError as error:
        msg = (
            f"encoding is {encoding!r}, which is no known text encoding; expected a name such as "
            "'utf-8', 'latin-1' or 'utf-16-le'."
        )
        raise ValueError(msg) from error
    except UnicodeDecodeError as error:
        if 0 in data and chosen == "utf-8":
            raise DataError(_binary(path)) from error
        raise DataError(_undecodable(path, error, is_named=encoding is not None)) from error
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        msg = f"{path} holds only blanks; expected text; fetch or write it again."
        raise DataError(msg)
    return text


def as_number(text: str) -> float:
    """Read a number as data files write it; NaN where it is none (Python's ``1_0`` is none).

    Examples
    --------
    >>> as_number(" 1.5"), as_number("1_0")
    (1.5, nan)
    """
    try:
        return math.nan if "_" in text else float(text)
    except ValueError:
        return math.nan


def _encoding(data: bytes, path: Path) -> str:
    """Choose UTF-8 or UTF-16 by the mark; refuse what is neither, as many zero bytes show."""
    for mark, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return name
    n_first, n_second = data[::2].count(0), data[1::2].count(0)
    if max(n_first, n_second) < len(data) / 8:
        return "utf-8"
    if min(n_first, n_second) > 0:
        raise DataError(_binary(path))
    # Half of the bytes of Latin text in UTF-16 are zero, all in the same place of their pair.
    name = "utf-16-le" if n_second else "utf-16-be"
    msg = (
        f"{path} looks like UTF-16 without a byte order mark; expected UTF-8, or a mark; "
        f'pass encoding="{name}".'
    )
    raise DataError(msg)


@contextmanager
def _opening(path: FilePath) -> Iterator[None]:
    """Turn whatever stops a path from being looked at into one error."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        msg = (
            f"{str(path)[:200]!r} cannot be opened ({reason}); expected the path of a file that "
            "you may read."
        )
        raise DataError(msg) from error


def _undecodable(path: Path, error: UnicodeDecodeError, *, is_named: bool) -> str:
    data, encoding = error.object, error.encoding.upper()
    line = data.count(b"\n", 0, error.start) + 1
    place = f"{path}, line {line}"
    if error.reason in _CUT_SHORT:
        other = ", or name another encoding" if is_named else ""
        return (
            f"{place}: the file ends within a character of {encoding}; expected all of it; it is "
            f"truncated: fetch it again{other}."
        )
    what = f"byte {error.start} (0x{data[error.start]:02x}) is not {encoding}"
    if is_named:
        return f"{place}: {what}, which encoding= names; expected text in it; name another."
    return (
        f"{place}: {what}; expected UTF-8, or UTF-16 with a byte order mark; save the file as "
        "UTF-8, or name its encoding, for instance encoding='latin-1'."
    )


def _binary(path: Path) -> str:
    return (
        f"{path} is binary (it holds zero bytes); expected text; name another file, or export "
        "this one as text."
    )


def _not_fetched(path: Path, what: str) -> str:
    return (
        f"{path} is {what}: its content is not fetched; expected the data themselves; "
        f"run: datalad get '{path}' (or: git annex get '{path}')."
    )


def _hint(path: Path) -> str:
    try:
        beside = sorted(one.name for one in path.parent.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return f" (the folder {path.parent} does not exist either)"
    except OSError:  # may be entered but not listed
        return ""
    return did_you_mean(path.name, beside)
