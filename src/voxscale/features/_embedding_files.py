"""Word vectors in files: GloVe and word2vec text, JSON, and the HDF5 layout of English1000."""

from __future__ import annotations

import gzip
import math
import mmap
import re
import zlib
from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.data._files import FilePath, as_number, present
from voxscale.errors import DataError
from voxscale.features._embedding_json import read_json
from voxscale.features._embedding_rows import AGAIN, FORMATS, Rows

__all__ = ["Table", "read_table"]

_CONVERT = (
    "convert it to text where you trust it, for instance with gensim: "
    "KeyedVectors.load_word2vec_format(path, binary=True).save_word2vec_format('vectors.txt')"
)
_UNPACK = "unpack it (gzip alone is read as it is)"
_GZIP, _HDF5 = b"\x1f\x8b", b"\x89HDF\r\n\x1a\n"
_PICKLE = "a pickle, which can run code and is never opened"
_REFUSED = (  # how a file starts, what it is then, and what to do
    (rb"\x80[\x02-\x05]", _PICKLE, _CONVERT),
    (rb"\x93NUMPY", "an npy file, which has no words", "write its words and rows as text"),
    (rb"PK\x03\x04", "compressed (zip)", _UNPACK),
    (rb"BZh[1-9]1AY|\xfd7zXZ\x00|\x28\xb5\x2f\xfd", "compressed (bzip2, xz or zstd)", _UNPACK),
    (rb"\xff\xfe|\xfe\xff", "UTF-16 text", "save it as UTF-8"),
    (rb"\xba\x16\x4f\x2f", "fastText's binary format", "use its .vec file, which is text"),
    (rb"\d+ \d+\r?\n[\s\S]*\x00", "word2vec's binary format", _CONVERT),
    (rb"[\s\S]*\x00", "binary (it holds zero bytes)", _CONVERT),
)
_UNITS = {"text": "line", "JSON": "entry", "HDF5": "word"}
_HEAD_BYTES = 1 << 20  # looked at to tell the format; a first line is shorter
_BLOCK_BYTES = 1 << 25  # of an HDF5 array read at a time


@dataclass(frozen=True)
class Table:
    """Words, their vectors (n_words, n_dims) as float32, and what to warn of, if anything."""

    words: tuple[str, ...]
    vectors: Array
    note: str


def read_table(path: FilePath, wanted: Set[str] | None) -> Table:
    """Read the vectors of all words, or of the wanted ones that are there.

    Raises
    ------
    DataError
        If the file cannot be read; see `voxscale.features.read_embedding`.
    """
    path = present(path)
    with _telling(path, EOFError, OSError, RuntimeError, zlib.error):
        kind = _kind(path)
        rows = Rows(path, wanted, _UNITS[kind])
        if kind == "HDF5":
            with _telling(path, KeyError, TypeError, ValueError):  # h5py, of damaged parts
                vectors = _read_hdf5(path, rows)
        elif kind == "text":
            with _open(path) as file:
                vectors = _read_text(file, rows)
        else:
            with _bytes_of(path) as data:
                vectors = read_json(data, rows)
    rows.check(vectors)
    vectors.flags.writeable = False
    return Table(tuple(rows.words), vectors, rows.note())


def _kind(path: Path) -> str:
    """Tell the format by the first bytes, and by the ending where these leave it open."""
    ending = Path(path.name.lower().removesuffix(".gz")).suffix
    with path.open("rb") as file:
        start = file.read(len(_HDF5))
    if start == _HDF5:
        return "HDF5"
    if ending in (".hf5", ".h5", ".hdf5"):
        msg = f"{path} is not HDF5 inside; expected what its ending says; {AGAIN}, or rename it."
        raise DataError(msg)
    with _open(path) as file:
        head = file.read(_HEAD_BYTES)
    if ending in (".pkl", ".pickle"):
        raise DataError(_refusal(path, _PICKLE, _CONVERT))
    for pattern, what, do in _REFUSED:
        if re.match(pattern, head):
            raise DataError(_refusal(path, what, do))
    if ending == ".json" or re.match(rb'(?:\xef\xbb\xbf)?\s*\{\s*["}]', head):
        return "JSON"
    if b"\n" not in head and len(head) == _HEAD_BYTES:
        what = f"no table of words: its first line is longer than {_HEAD_BYTES} bytes"
        raise DataError(_refusal(path, what, "name another file"))
    return "text"


def _refusal(path: Path, what: str, do: str) -> str:
    return f"{path} is {what}; expected {FORMATS}; {do}."


def _open(path: Path) -> gzip.GzipFile | BufferedReader:
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    return gzip.open(path) if packed else path.open("rb")


@contextmanager
def _bytes_of(path: Path) -> Iterator[bytes | mmap.mmap]:
    with _open(path) as file:
        if isinstance(file, gzip.GzipFile):
            yield file.read()
        else:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                yield data


@contextmanager
def _telling(path: Path, *errors: type[Exception]) -> Iterator[None]:
    """Say of a damaged file that it is one."""
    try:
        yield
    except errors as error:
        msg = (
            f"{path}: cannot be read to its end ({error}); expected a whole file; it may be "
            f"truncated: {AGAIN}."
        )
        raise DataError(msg) from error


def _read_text(file: Iterable[bytes], rows: Rows) -> Array:
    """Read GloVe text, or word2vec text, which starts with the number of rows and columns."""
    # Lines end at line feeds alone: words may hold any other separator that Unicode knows.
    numbered = ((number, raw) for number, raw in enumerate(file, start=1) if raw.strip())
    number, raw = next(numbered, (0, b""))
    if not raw:
        rows.fail_whole("holds only blanks")
    first = raw.removeprefix(b"\xef\xbb\xbf")
    header = re.fullmatch(rb"(\d{1,18})\s+([1-9]\d{0,8})\s*", first)
    n_dims = int(header[2]) if header else _count_numbers(first)
    doubtful = [] if header else [one for one in first.split()[1:-n_dims] if _has_digits(one)]
    if not n_dims or doubtful:
        shown = first[:60].decode(errors="replace").rstrip()
        ends = f"ends with {n_dims} numbers in a row" if n_dims else "ends with no number"
        rows.fail(number, f"{shown!r} {ends}", FORMATS, "mend it, or name another file")
    n_rows = 0
    for line, row in chain([] if header else [(number, first)], numbered):
        n_rows += 1
        bare = row.rstrip()
        if bare.count(b" ") == n_dims and b"\t" not in bare:
            name, _, rest = bare.partition(b" ")
        else:
            name, rest = _cut(row, n_dims, line, rows)
        word = rows.take(name, line)
        if word is not None:
            rows.add(_floats(rest, word, n_dims, rows))
    if header and int(header[1]) != n_rows:
        rows.fail_whole(
            f"its first line promises {int(header[1])} words, and {n_rows} follow",
            "as many rows as it says",
            f"the file may be truncated: {AGAIN}",
        )
    return rows.vectors(n_dims)


def _count_numbers(line: bytes) -> int:
    """Count the numbers that a line ends with, after at least one word."""
    n_numbers = 0
    for field in reversed(line.split()[1:]):
        if not _is_number(field):
            break
        n_numbers += 1
    return n_numbers


def _cut(raw: bytes, n_dims: int, number: int, rows: Rows) -> tuple[bytes, bytes]:
    """Split a row whose word holds blanks, or whose fields are not one blank apart."""
    fields = raw.split()
    n_extra = len(fields) - n_dims
    if n_extra == 0 and raw[:1].isspace():
        return b"", b""  # the word is a blank
    # A word of several parts that are numbers but for the first is rather a row that is too long.
    if n_extra < 1 or (n_extra > 1 and all(map(_has_digits, fields[1:n_extra]))):
        what = f"{len(fields)} fields, from {fields[0].decode(errors='replace')!r}"
        do = AGAIN
        if n_extra < 1 and not raw.endswith(b"\n"):
            what, do = f"the file ends after {what}", f"it is truncated: {AGAIN}"
        rows.fail(number, what, _a_row(n_dims), do)
    return b" ".join(fields[:n_extra]), b" ".join(fields[n_extra:])


def _floats(rest: bytes, word: str, n_dims: int, rows: Rows) -> list[float]:
    fields = rest.split()
    try:
        values = list(map(float, fields))
    except ValueError:
        values = []
    if len(values) != n_dims or b"_" in rest:
        for place, field in enumerate(fields):
            if not _is_number(field):
                rows.refuse_value(word, place, field.decode(errors="replace"))
        rows.fail(rows.words[word], f"{word!r} has {len(fields)} numbers", _a_row(n_dims))
    return values


def _a_row(n_dims: int) -> str:
    return f"a word and {n_dims} numbers, as line 1 has or says"


def _is_number(field: bytes) -> bool:
    text = field.decode(errors="replace")
    is_nan = text.strip("+-").lower() == "nan"
    return text.isascii() and (is_nan or not math.isnan(as_number(text)))


def _has_digits(field: bytes) -> bool:
    return _is_number(field) and re.search(rb"\d", field) is not None  # "infinity" is a word


def _read_hdf5(path: Path, rows: Rows) -> Array:
    """Read /data (n_features, n_words) by blocks of features, and /vocab, text as bytes."""
    import h5py

    with h5py.File(path, "r") as file:
        data, vocab = file.get("data"), file.get("vocab")
        have = ", ".join(f"/{name}" for name in file) or "none"
        if not isinstance(data, h5py.Dataset) or not isinstance(vocab, h5py.Dataset):
            rows.fail_whole(
                f"has no arrays /data and /vocab (it has: {have})", do="name another file"
            )
        if h5py.check_string_dtype(vocab.dtype) is None or vocab.ndim != 1:
            rows.fail_whole(f"/vocab has type {vocab.dtype} and shape {vocab.shape}", "text, 1-D")
        if data.dtype.kind not in "fiu" or data.ndim != 2 or 0 in data.shape:
            rows.fail_whole(f"/data has type {data.dtype} and shape {data.shape}", "numbers, 2-D")
        if data.shape[1] != len(vocab):
            rows.fail_whole(
                f"/data has shape {data.shape} and /vocab {len(vocab)} words",
                f"a column of /data for each word, (n_features, {len(vocab)})",
                "transpose or mend it",
            )
        names = enumerate(vocab[()])
        columns = [i for i, name in names if rows.take(bytes(name), i) is not None]
        vectors = np.empty((len(columns), data.shape[0]), dtype=np.float32)
        step = max(1, _BLOCK_BYTES // (data.dtype.itemsize * data.shape[1]))
        for start in range(0, data.shape[0] if columns else 0, step):
            block: Any = data[start : start + step]
            with np.errstate(over="ignore"):
                vectors[:, start : start + len(block)] = block[:, columns].T
    return vectors
