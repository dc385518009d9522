"""Open files that may be missing, empty, or a stand-in for content that was never fetched."""

from __future__ import annotations

import codecs
import difflib
import os
import re
from pathlib import Path

from voxscale.errors import DataError

__all__ = ["FilePath", "present", "read_text"]

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
_POINTER_LENGTH = 4096  # bytes; a pointer is one or a few short lines


def present(path: FilePath, *, folder: bool = False) -> Path:
    """Return ``path`` once it is known to hold content.

    Parameters
    ----------
    path : path-like
        ``~`` is the home folder.
    folder : bool
        Accept a folder too.

    Raises
    ------
    DataError
        If nothing is there, it is a folder, it is empty, it cannot be opened, or it is a
        git-annex or Git LFS pointer whose content was not fetched.
    """
    path = Path(path).expanduser()
    if path.is_symlink() and not path.exists():
        target = str(path.readlink())
        if "annex/objects" in target.replace("\\", "/"):
            raise DataError(_not_fetched(path, "a git-annex link to content that is not here"))
        msg = f"{path} is a link to {target}, which does not exist; expected a file; mend the link."
        raise DataError(msg)
    if not path.exists():
        msg = f"{path} does not exist; expected a file{_hint(path)}; check the path."
        raise DataError(msg)
    if path.is_dir():
        if folder:
            return path
        msg = f"{path} is a folder; expected a file; name the file inside it."
        raise DataError(msg)
    try:
        with path.open("rb") as file:
            head = file.read(_POINTER_LENGTH)
    except OSError as error:
        msg = f"{path} cannot be opened ({error.strerror}); expected a file that you may read."
        raise DataError(msg) from error
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
        If there is no content (see `present`) or a byte cannot be decoded.
    """
    path = present(path)
    data = path.read_bytes()
    if data.startswith(_BINARY_PRAAT):
        msg = (
            f"{path} is in Praat's binary format; expected one of its text formats; open it in "
            "Praat and use Save as text file."
        )
        raise DataError(msg)
    if encoding is None:
        encoding = "utf-8"
        for mark, name in _BYTE_ORDER_MARKS:
            if data.startswith(mark):
                encoding = name
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        msg = (
            f"{path}, line {line}: byte {error.start} (0x{data[error.start]:02x}) is not "
            f"{encoding.upper()}; expected UTF-8, or UTF-16 with a byte order mark; save the "
            "file as UTF-8, or name its encoding, for instance encoding='latin-1'."
        )
        raise DataError(msg) from error
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _not_fetched(path: Path, what: str) -> str:
    return (
        f"{path} is {what}: its content is not fetched; expected the data themselves; "
        f"run: datalad get '{path}' (or: git annex get '{path}')."
    )


def _hint(path: Path) -> str:
    try:
        beside = sorted(one.name for one in path.parent.iterdir())
    except OSError:
        return f" (the folder {path.parent} does not exist either)"
    close = difflib.get_close_matches(path.name, beside, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
