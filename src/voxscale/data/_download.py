"""Fetch one file: resumed, hashed, and only then given its name."""

from __future__ import annotations

import re
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

from voxscale.data._hashes import SIZE_ONLY, Compared, compare
from voxscale.data._http import OutOfRange, Passing, Patience, patiently, request
from voxscale.data._part import Part
from voxscale.data._remote import Remote, as_count, place
from voxscale.data._stop import Stop
from voxscale.errors import DataError
from voxscale.store._aside import told

__all__ = ["Fetched", "Tell", "Unverified", "download"]

# Called with the path of a file and how many of its bytes have arrived.
Tell = Callable[[str, int], None]

_BLOCK = 1 << 16  # bytes; a file cut off loses no more than what was on its way
_MUCH = 1 << 20  # a try that brought as many bytes was not in vain
_WHOLE_TRIES = 2
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class Fetched(NamedTuple):
    """A file that was fetched; ``verified_by`` is the kind of hash, or ``"size"``."""

    path: str
    n_bytes: int
    sha256: str
    verified_by: str


class Unverified(DataError):
    """A file has arrived of which only the size could be compared; it has not got its name."""


class _Wrong(Exception):
    """What arrives is not what was expected, whole though it may be."""


def download(
    remote: Remote,
    root: str | Path,
    *,
    patience: Patience | None = None,
    tell: Tell | None = None,
    stop: Stop | None = None,
    accept_size: bool = False,
) -> Fetched:
    """Fetch one file into a folder; running again is resuming.

    It grows under another name, ``.NAME.part``, is compared with the expected size and hash, and
    then renamed: under its own name it is complete and verified, or absent. A file that is whole
    but wrong is removed and fetched once more. One of which only the size can be compared stays
    ``.NAME.part``, unless that is accepted.

    Parameters
    ----------
    remote : Remote
        The file.
    root : path
        The folder of the data set.
    patience : Patience, optional
        How long to wait for the server.
    tell : callable, optional
        Called as ``tell(path, n_bytes)`` with the bytes that are there.
    stop : Stop, optional
        Ends it at the next block; what has arrived is kept.
    accept_size : bool
        Give a file its name where no more than its size can be compared.

    Returns
    -------
    Fetched

    Raises
    ------
    DataError
        If there is no such file, the server fails again and again, or the file is not what was
        expected, twice.
    Unverified
        If no more than its size could be compared, and that was not accepted.
    StoreError
        If the disk is full, or not ours to write.
    Stopped
        If ``stop`` was set.
    """
    patience, stop = patience or Patience(), stop or Stop()
    part = Part(place(Path(root), remote.path))
    wrong = _Wrong()
    for _ in range(_WHOLE_TRIES):
        try:
            _fill(remote, part, patience, tell or _nobody, stop)
            compared = _compared(remote, part, stop)
        except _Wrong as error:
            wrong = error
            part.remove()
            continue
        if compared.verified_by == SIZE_ONLY and not accept_size:
            msg = (
                f"{remote.path}: no more than its size could be compared; expected a hash of it; "
                f"it is kept as {part.path.name}; accept its size, or fetch it in a clone, which "
                "knows hashes."
            )
            raise Unverified(msg)
        part.put_in_place()
        return Fetched(remote.path, compared.n_bytes, compared.sha256, compared.verified_by)
    msg = (
        f"{remote.url} is not the file that was expected, twice: {wrong}; it was removed. The "
        "listing may be older than the file: list anew, or tell those who keep the data set."
    )
    raise DataError(msg) from wrong


def _fill(remote: Remote, part: Part, patience: Patience, tell: Tell, stop: Stop) -> None:
    """Try until as many bytes are there as were expected."""
    n_counted = 0

    def size() -> int:
        return part.path.stat().st_size if part.path.is_file() else 0

    def went_on() -> bool:
        # Counted from the furthest: a server that always begins anew gets no further.
        nonlocal n_counted
        if size() < n_counted + _MUCH:
            return False
        n_counted = size()
        return True

    patiently(
        lambda: _attempt(remote, part, patience.timeout_s, tell, stop),
        remote.url,
        patience,
        stop,
        went_on,
    )


def _attempt(remote: Remote, part: Part, timeout_s: float, tell: Tell, stop: Stop) -> None:
    n_there = part.take_up(remote)
    tell(remote.path, n_there)
    if n_there and n_there == remote.n_bytes:
        return
    try:
        response = request(remote.url, _headers(n_there, part.version), timeout_s)
    except OutOfRange as error:
        if n_there and n_there == error.n_bytes and remote.n_bytes is None:
            return
        part.remove()
        msg = f"the server has no bytes after {n_there}"
        raise Passing(msg) from error
    with response, stop.holding(response):
        goes_on = _goes_on(response, n_there, part)
        _check_length(response, remote, n_there if goes_on else 0)
        if not goes_on:
            n_there = 0
            part.begin(remote, _version_of(response))
        left = as_count(response.headers.get("Content-Length"))
        whole = None if left is None else n_there + left
        whole = whole if remote.n_bytes is None else remote.n_bytes
        n_there = _copy(response, part, remote, n_there, tell, stop)
    if whole is not None and n_there < whole:
        msg = f"it broke off after {n_there} of {whole} bytes"
        raise Passing(msg)


def _headers(n_there: int, version: str) -> dict[str, str]:
    if not n_there:
        return {}
    same = {"If-Range": version} if version else {}  # else all of it is sent, from the beginning
    return {"Range": f"bytes={n_there}-", **same}


def _goes_on(response: Any, n_there: int, part: Part) -> bool:
    """Tell whether the answer goes on from what is there, or begins at the beginning."""
    if response.status != 206:
        return False
    match = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    is_asked = match is not None and as_count(match[1]) == n_there and n_there > 0
    version = _version_of(response)
    if is_asked and (not version or not part.version or version == part.version):
        return True
    part.remove()
    msg = "the server sent another part than was asked for, or one of another file"
    raise Passing(msg)


def _check_length(response: Any, remote: Remote, n_there: int) -> None:
    left = as_count(response.headers.get("Content-Length"))
    if remote.n_bytes is None or left is None:
        return
    if n_there + left != remote.n_bytes:
        msg = f"expected {remote.n_bytes} bytes, the server has {n_there + left} of it"
        raise _Wrong(msg)


def _version_of(response: Any) -> str:
    """Return what names the version of a file, if the server compares byte by byte."""
    tag: str = response.headers.get("ETag", "")
    modified: str = response.headers.get("Last-Modified", "")
    return tag if tag.startswith('"') else modified


def _copy(response: Any, part: Part, remote: Remote, n_there: int, tell: Tell, stop: Stop) -> int:
    """Write what arrives, as it arrives; return how many bytes are there."""
    with told(part.target):
        file = part.path.open("ab", buffering=0)
    with file:
        while True:
            try:
                block = response.read1(_BLOCK)
            except TimeoutError as error:
                msg = f"the server is silent after {n_there} bytes"
                raise Passing(msg) from error
            except (OSError, HTTPException) as error:
                msg = f"the connection broke after {n_there} bytes"
                raise Passing(msg) from error
            stop.check()
            if not block:
                return n_there
            if remote.n_bytes is not None and n_there + len(block) > remote.n_bytes:
                msg = f"expected {remote.n_bytes} bytes, the server sends more"
                raise _Wrong(msg)
            with told(part.target):
                _write(file, block)
            n_there += len(block)
            tell(remote.path, n_there)


def _write(file: Any, block: bytes) -> None:
    """Write all of a block: a disk that fills up takes some of it first."""
    left = memoryview(block)
    while left:
        left = left[file.write(left) :]


def _compared(remote: Remote, part: Part, stop: Stop) -> Compared:
    compared = compare(part.path, remote.n_bytes, remote.hash, stop.check)
    if not compared.verified_by:
        size = "any number of" if remote.n_bytes is None else remote.n_bytes
        msg = f"expected {size} bytes, {remote.hash or 'no hash'}; got {compared.got}"
        raise _Wrong(msg)
    stop.check()
    return compared


def _nobody(path: str, n_bytes: int) -> None:
    """Tell nobody."""
