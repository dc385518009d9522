"""Read a table of words and times: csv, tsv, or the events of a BIDS data set."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from voxscale.data._files import FilePath, as_number
from voxscale.errors import DataError

__all__ = ["Row", "read_word_table"]

_WORD = ("word", "text")
_WORD_IN_BIDS = ("trial_type", "value")
_ONSET = ("onset", "onset_s", "start")
_OFFSET = ("offset", "offset_s", "end", "stop")
_DURATION = ("duration",)
_NOT_AVAILABLE = "n/a"
_TAB_CELL = re.compile(r'"(?:[^"]|"")*"(?=\t|\Z)|[^\t]*')  # a quoted cell may hold tabs


class Row(NamedTuple):
    """One word; ``offset_s`` is None where it is not known; ``place`` is for messages."""

    word: str
    onset_s: float
    offset_s: float | None
    place: str


def read_word_table(text: str, path: FilePath, word_column: str | None = None) -> list[Row]:
    """Read the rows of a table whose word is given; columns are known by their names.

    Raises
    ------
    DataError
        If a column is missing, or a line is not what the header says.
    """
    lines = list(_lines(text, path))
    _, header = lines.pop(0) if lines else (1, [])
    names = [name.strip().lower() for name in header]
    onset, offset, duration = (_column(names, known) for known in (_ONSET, _OFFSET, _DURATION))
    known: Sequence[str] = _WORD if word_column is None else (word_column.strip().lower(),)
    word = _column(names, known)
    if word is None and word_column is None and duration is not None:
        word = _bids_word_column(names, [cells for _, cells in lines if len(cells) == len(names)])
    if word is None or onset is None:
        missing, known = ("onset", _ONSET) if word is not None else ("word", known)
        msg = (
            f"{path}: no {missing} column; expected one called {' or '.join(known)}; its columns "
            f"are {', '.join(header)[:200]!r}: name them in the first line"
            f"{', or pass word_column= one of them' if missing == 'word' else ''}."
        )
        raise DataError(msg)
    end = offset if offset is not None else duration
    rows: list[Row] = []
    for line, cells in lines:
        if len(cells) != len(header):
            msg = (
                f"{path}, line {line}: {len(cells)} cells; expected {len(header)}, as in the "
                "header; a word that holds the separator must stand in double quotes."
            )
            raise DataError(msg)
        if cells[word].strip().lower() == _NOT_AVAILABLE:
            continue
        onset_s = _seconds(cells[onset], "onset", path, line)
        offset_s = None
        if end is not None and cells[end].strip().lower() not in ("", _NOT_AVAILABLE):
            offset_s = _seconds(cells[end], names[end], path, line)
            if end == duration:
                offset_s += onset_s
        if end is not None and rows and (offset_s is None) != (rows[-1].offset_s is None):
            msg = (
                f"{path}, line {line}: {names[end]} is {cells[end]!r}, unlike the line before; "
                "expected one for every word, or for none; fill the column or remove it."
            )
            raise DataError(msg)
        rows.append(Row(cells[word], onset_s, offset_s, f"line {line}"))
    return rows


def _column(names: Sequence[str], known: Sequence[str]) -> int | None:
    return next((names.index(name) for name in known if name in names), None)


def _bids_word_column(names: Sequence[str], rows: Sequence[Sequence[str]]) -> int | None:
    """Choose between the columns of BIDS: numbers, or one label for all rows, are no words."""

    def is_unlikely(column: int) -> tuple[bool, bool]:
        cells = {row[column].strip().lower() for row in rows} - {"", _NOT_AVAILABLE}
        return all(math.isfinite(as_number(cell)) for cell in cells), len(cells) == 1

    present = [names.index(name) for name in _WORD_IN_BIDS if name in names]
    return min(present, key=is_unlikely, default=None)


def _lines(text: str, path: FilePath) -> Iterator[tuple[int, list[str]]]:
    """Yield each line that is not blank, with its number."""
    first = text.lstrip().split("\n", 1)[0]
    separator = max("\t,;", key=first.count)  # the first one where none occurs
    if separator == "\t":
        yield from _tab_lines(text)
        return
    reader = csv.reader(text.split("\n"), delimiter=separator, strict=True)
    line = 0
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            msg = (
                f"{path}, line {line + 1}: a double quote opens a cell here and does not close "
                f"it ({error}); write a quote inside a cell twice."
            )
            raise DataError(msg) from error
        if cells is None:
            return
        if reader.line_num > line + 1:
            msg = (
                f"{path}, line {line + 1}: a double quote opens a cell here and closes it on line "
                f"{reader.line_num}; expected it on the same line; write a quote inside a "
                "cell twice."
            )
            raise DataError(msg)
        line = reader.line_num
        if any(cell.strip() for cell in cells):
            yield line, cells


def _tab_lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines of a table with tabs, where a lone quote is part of a word.

    BIDS encloses a cell that holds a tab in double quotes. Aligners write quotes as they are: so
    where the tabs alone give as many cells as the header has, they are what separates.
    """
    n_columns = 0
    for number, line in enumerate(text.split("\n"), start=1):
        cells = line.split("\t")
        if len(cells) != n_columns and '"' in line:
            cells = _quoted_cells(line)
        if any(map(str.strip, cells)):
            n_columns = n_columns or len(cells)
            yield number, [_unquoted(cell) for cell in cells]


def _quoted_cells(line: str) -> list[str]:
    cells, start = [], 0
    while start <= len(line):
        found = _TAB_CELL.match(line, start)
        cells.append(found[0] if found else "")
        start += len(cells[-1]) + 1
    return cells


def _unquoted(cell: str) -> str:
    inner = cell[1:-1]
    is_quoted = len(cell) >= 2 and cell[0] == cell[-1] == '"'
    if is_quoted and '"' not in inner.replace('""', ""):
        return inner.replace('""', '"')
    return cell


def _seconds(cell: str, name: str, path: FilePath, line: int) -> float:
    value = as_number(cell)
    if not math.isfinite(value):
        msg = (
            f"{path}, line {line}: {name} is {cell!r}; expected finite seconds, written with a "
            "decimal point; mend the line."
        )
        raise DataError(msg)
    return value
