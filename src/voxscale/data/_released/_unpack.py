"""Open a file that may be compressed, as one stream that never gives more than is allowed."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from voxscale.data._released._limits import Budget
from voxscale.data._released._values import refuse

__all__ = ["compression_of", "unpacked"]

_PIECE = 1 << 20
_PACKED_PIECE = 1 << 15
_LZMA_MEMORY = 1 << 28  # a dictionary of 64 MiB, as xz -9 has, needs a quarter of it

_MAGIC = {  # what a file begins with → how it is compressed
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x5d\x00\x00": "lzma",
    b"\x78\x01": "zlib",
    b"\x78\x5e": "zlib",
    b"\x78\x9c": "zlib",
    b"\x78\xda": "zlib",
}
_MAKERS: dict[str, Callable[[], Any]] = {
    "zlib": lambda: zlib.decompressobj(15),
    "gzip": lambda: zlib.decompressobj(31),
    "bz2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY),
    "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_LZMA_MEMORY),
}
_MAGIC_OF_STREAMS = {  # kinds that may follow themselves, as parallel packers write them
    kind: start for start, kind in _MAGIC.items() if kind in ("gzip", "bz2", "xz")
}
_OTHERS = {  # what a file begins with → what it is, and what to do
    b"\x04\x22\x4d\x18": ("is compressed with lz4", "unpack it first (lz4 -d)"),
    b"\x28\xb5\x2f\xfd": ("is compressed with zstd", "unpack it first (zstd -d)"),
    b"ZF": ("is of joblib before 0.10", "load and dump it with a newer joblib where it is trusted"),
    b"\x93NUMPY": ("is an array of numpy (npy)", "read it with numpy.load"),
    b"PK\x03\x04": ("is a zip archive, such as npz", "read what it holds by itself"),
    b"\x89HDF": ("is an HDF5 file", "read it with read_responses or h5py"),
}


def compression_of(head: bytes) -> str | None:
    """Tell how a file is compressed by its first bytes; None where it is not.

    Raises
    ------
    Wrong
        If it is another kind of file, or one that needs a package that is not there.
    """
    for start, (what, remedy) in _OTHERS.items():
        if head.startswith(start):
            refuse(f"the file {what}", "a pickle of joblib's or Python's", remedy)
    return next((kind for start, kind in _MAGIC.items() if head.startswith(start)), None)


def unpacked(path: Path, budget: Budget) -> tuple[BinaryIO, bool]:
    """Open a file; return the stream, and whether it is the file itself, uncompressed."""
    file = path.open("rb")
    try:
        kind = compression_of(file.peek(8)[:8])
    except BaseException:
        file.close()
        raise
    if kind is None:
        return file, True
    return io.BufferedReader(_Unpacked(file, kind, budget), _PIECE), False


class _Unpacked(io.RawIOBase):
    """The contents of a compressed file, a piece at a time."""

    def __init__(self, file: BinaryIO, kind: str, budget: Budget) -> None:
        self._file, self._kind, self._budget = file, kind, budget
        self._engine: Any = _MAKERS[kind]()
        self._input, self._given = b"", 0
        self._read, self._at = b"", 0  # what was read of the file, and how far it is unpacked
        self._is_over = False

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._given

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; 0 where the contents end, and only there."""
        view = memoryview(buffer).cast("B")
        while not self._engine.eof or self._is_followed():
            try:
                piece = self._piece(len(view))
            except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError) as error:
                what = f"the {self._kind} data are damaged ({error})"
                refuse(what, "what was compressed")
            if piece:
                return self._give(view, piece)
        return 0

    def _piece(self, most: int) -> bytes:
        if not self._input and getattr(self._engine, "needs_input", True):
            self._input = self._packed()
        is_end = not self._input
        piece: bytes = self._engine.decompress(self._input, most)
        self._input = getattr(self._engine, "unconsumed_tail", b"")  # only zlib hands it back
        if not piece and is_end and not self._engine.eof:
            msg = "they end early"
            raise EOFError(msg)
        return piece

    def _packed(self) -> bytes:
        """Return the next of the packed bytes, few at a time: what is left over is handed back."""
        if self._at == len(self._read):
            self._read, self._at = self._file.read(_PIECE), 0
        found = self._read[self._at : self._at + _PACKED_PIECE]
        self._at += len(found)
        return found

    def _is_followed(self) -> bool:
        """Begin the next of several streams that were packed one by one, if there is one."""
        start = _MAGIC_OF_STREAMS.get(self._kind)
        if start is None or self._is_over:
            return False
        self._at -= len(self._engine.unused_data)
        if len(self._read) - self._at < len(start):
            self._read, self._at = self._read[self._at :] + self._file.read(_PIECE), 0
        self._is_over = not self._read.startswith(start, self._at)
        if self._is_over:
            return False
        self._engine, self._input = _MAKERS[self._kind](), b""
        return True

    def _give(self, view: memoryview, piece: bytes) -> int:
        self._given += len(piece)
        if self._given > self._budget.unpacked:
            limit = self._budget.unpacked
            what = f"the {self._kind} data unpack to more than {limit / 2**30:.3g} GiB"
            refuse(what, *self._budget.remedy(limit, "from a file of this size"))
        view[: len(piece)] = piece
        return len(piece)
