"""Write files and folders so that they are complete or absent."""

from __future__ import annotations

import errno
import glob
import os
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from voxscale.errors import StoreError

__all__ = [
    "check_writable",
    "folder_aside",
    "lives",
    "machine_name",
    "remove_left",
    "remove_whole",
    "told",
    "write_aside",
]

# A row per way in which a disk says no: what it means, and what to do about it.
_TROUBLES = {
    errno.ENOSPC: ("the disk is full", "free some space, or choose another folder"),
    errno.EDQUOT: ("your disk quota is used up", "free some space, or choose another folder"),
    errno.EFBIG: ("the file is larger than is allowed here", "raise the limit (ulimit -f)"),
    errno.EACCES: ("permission denied", "choose a folder that you may write to"),
    errno.EPERM: ("permission denied", "choose a folder that you may write to"),
    errno.EROFS: ("the disk is read-only", "choose another folder"),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "choose another folder"),
    errno.EEXIST: ("a part of the path is a file, not a folder", "choose another folder"),
    errno.EISDIR: ("there is a folder of that name", "move it away, or choose another name"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter one"),
    errno.EIO: ("the disk reports an error", "check the disk"),
}


@contextmanager
def write_aside(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; put it in place once all is written.

    The file is forced to disk and then renamed, so that a reader sees the old file,
    or none, until the new one is complete. Folders above it are made as needed.

    Parameters
    ----------
    path : path
        Where the file shall be.

    Yields
    ------
    Path
        Write here. It is removed if the block raises.

    Raises
    ------
    StoreError
        If the file cannot be written there: the disk is full, read-only, not ours to write, …
    """
    path = Path(path)
    with told(path):
        temporary = _beside(path)
        try:
            yield temporary
            _force(temporary)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        _force_folder(path.parent)


@contextmanager
def folder_aside(path: str | Path, *, replace: bool = True) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``; put it in place once it is complete.

    Parameters
    ----------
    path : path
        Where the folder shall be.
    replace : bool
        Replace a folder that is there by then; otherwise it is kept, and the new one dropped.

    Yields
    ------
    Path
        An empty folder. It is removed with all it holds if the block raises.

    Raises
    ------
    StoreError
        If the folder cannot be written there: the disk is full, read-only, not ours to write, …
    """
    path = Path(path)
    with told(path):
        temporary = _beside(path)
        try:
            temporary.mkdir()
            yield temporary
            for file in temporary.rglob("*"):
                if file.is_file():
                    _force(file)
            _swap(temporary, path, replace=replace)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        _force_folder(path.parent)


def check_writable(folder: str | Path) -> None:
    """Make a folder and write one file in it, which is removed again.

    So is what processes of this machine that were killed have left there.

    Raises
    ------
    StoreError
        If that cannot be done; the message says why.
    """
    folder = Path(folder)
    probe = folder / f".{uuid.uuid4().hex}.probe"
    with told(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(b"voxscale")
        finally:
            with suppress(OSError):
                probe.unlink(missing_ok=True)
        _remove_left(folder, f".*.{machine_name()}.")


def remove_whole(path: str | Path) -> None:
    """Remove a file, or a folder with all it holds, so that no part of it is ever seen.

    Of a link only the link goes.

    Raises
    ------
    StoreError
        If it cannot be removed: the disk is read-only, not ours to write, …
    """
    path = Path(path)
    with told(path):
        gone = _beside(path)  # what is left if we are killed is cleared away like any temporary
        path.replace(gone)
        if gone.is_dir() and not gone.is_symlink():
            shutil.rmtree(gone)
        else:
            gone.unlink()


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what a disk says into a StoreError that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno is None or not _is_about(error, path):
            raise
        if error.errno in _TROUBLES:
            what, remedy = _TROUBLES[error.errno]
            msg = f"cannot write {path}: {what} ({error.strerror}); {remedy}."
        else:
            msg = f"cannot write {path}: {error.strerror}; choose another folder."
        raise StoreError(msg) from error


def _is_about(error: OSError, path: Path) -> bool:
    """Tell whether an error names no file, or ``path``, a folder above it, or what stands in.

    Of the two files of a copy that fills the disk, the first is the source.
    """
    named = [name for name in (error.filename, error.filename2) if isinstance(name, str | Path)]
    path = path.absolute()
    above = (path, *path.parents)
    return not named or any(
        one in above or any(_stands_for(part, path) for part in (one, *one.parents))
        for one in (Path(name).absolute() for name in named)
    )


def _stands_for(part: Path, path: Path) -> bool:
    """Tell whether this is ``path``, or a temporary name of it."""
    is_temporary = part.parent == path.parent and part.name.startswith(f".{path.name}.")
    return part == path or is_temporary


def _beside(path: Path) -> Path:
    """Choose a temporary name; the dot, the machine and the process are part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mine = f".{path.name}.{machine_name()}."
    _remove_left(path.parent, glob.escape(mine))
    return path.with_name(f"{mine}{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp")


def remove_left(folder: str | Path) -> None:
    """Remove what processes of this machine that were killed left in a folder and those below.

    Raises
    ------
    StoreError
        If it cannot be removed.
    """
    folder = Path(folder)
    begin = f".*.{machine_name()}."
    with told(folder):
        for holder in {left.parent for left in folder.rglob(f"{begin}*.tmp")}:
            _remove_left(holder, begin)


def _remove_left(folder: Path, begin: str) -> None:
    """Remove temporaries whose process is no more; others may be at it too."""
    for left in folder.glob(f"{begin}*.tmp"):
        if lives(left.name.rsplit(".", 3)[1]):
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def machine_name() -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in socket.gethostname())


def lives(process: str) -> bool:
    """Tell whether a process of this machine may still be writing."""
    if os.name == "nt" or not process.isdigit():  # os.kill(…, 0) is no question on Windows
        return True
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _swap(temporary: Path, path: Path, *, replace: bool) -> None:
    try:
        temporary.replace(path)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES) or not path.is_dir():
            raise
        if not replace:
            shutil.rmtree(temporary)
            return
        old = _beside(path)
        path.replace(old)
        temporary.replace(path)
        shutil.rmtree(old, ignore_errors=True)


def _force(file: Path) -> None:
    with file.open("r+b") as handle:
        os.fsync(handle.fileno())


def _force_folder(folder: Path) -> None:
    """Make the renaming itself last; not every system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
