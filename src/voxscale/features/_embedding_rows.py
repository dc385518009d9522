"""Words and vectors as they are read from a file, whatever its format."""

from __future__ import annotations

from array import array
from collections.abc import Set
from pathlib import Path
from typing import NoReturn

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import DataError

__all__ = ["AGAIN", "FORMATS", "Rows"]

AGAIN = "fetch or copy it again"
FORMATS = (
    "GloVe or word2vec text ('word v1 v2 …' on each line), JSON ({\"word\": [v1, v2, …]}), or HDF5 "
    "with /data (features × words) and /vocab"
)


_N_CHECKED = 1 << 14  # vectors at a time


class Rows:
    """Words in the order of a file, and their vectors; the first row of a word counts.

    Parameters
    ----------
    path : Path
        Named in errors.
    wanted : set of str, optional
        Take these words alone.
    unit : str
        What a row is called in errors.
    """

    def __init__(self, path: Path, wanted: Set[str] | None, unit: str) -> None:
        self.path, self.unit = path, unit
        self.words: dict[str, int] = {}  # and the number of their row
        self._wanted = wanted
        self._numbers = array("f")
        self._n_repeated = self._n_nameless = 0
        self._repeated = self._nameless = ""  # the first of each

    def take(self, name: bytes, number: int) -> str | None:
        """Return the word of a row that is to be read, noting the row; else None."""
        try:
            word = name.decode()
        except UnicodeDecodeError:
            word = ""
        if not word:
            self._nameless = self._nameless or f"{self.unit} {number}"
            self._n_nameless += 1
            return None
        if self._wanted is not None and word not in self._wanted:
            return None
        if word in self.words:
            self._repeated = self._repeated or f"{word!r}, {self.unit} {number}"
            self._n_repeated += 1
            return None
        self.words[word] = number
        return word

    def add(self, values: list[float]) -> None:
        """Keep the vector of the word just taken."""
        self._numbers.fromlist(values)

    def vectors(self, n_dims: int) -> Array:
        """Return what was added, (n_words, n_dims) float32, without a copy."""
        return np.frombuffer(self._numbers, dtype=np.float32).reshape(-1, n_dims)

    def check(self, vectors: Array) -> None:
        """Refuse vectors of the words taken, of which one holds a value that is not finite."""
        for start in range(0, len(vectors), _N_CHECKED):  # flags of all would need much memory
            bad = np.argwhere(~np.isfinite(vectors[start : start + _N_CHECKED]))
            if len(bad):
                row, place = start + int(bad[0, 0]), int(bad[0, 1])
                self.refuse_value(list(self.words)[row], place, float(vectors[row, place]))

    def note(self) -> str:
        """Return what was left out, for one warning; empty if nothing was."""
        parts = []
        if self._n_repeated:
            parts.append(
                f"{self._n_repeated} rows repeat a word (first {self._repeated}), and only its "
                "first row counts"
            )
        if self._n_nameless:
            parts.append(
                f"{self._n_nameless} rows have no word, or one that is not UTF-8 (first "
                f"{self._nameless}), and are left out"
            )
        return f"{self.path}: {'; '.join(parts)}." if parts else ""

    def refuse_value(self, word: str, place: int, value: object) -> NoReturn:
        """Raise for a value that is no finite number."""
        what = f"value {place + 1} of {word!r} is {value!r}"
        self.fail(self.words[word], what, "finite numbers that float32 holds")

    def fail(self, number: int, what: str, expected: str, do: str = AGAIN) -> NoReturn:
        """Raise for one row."""
        msg = f"{self.path}, {self.unit} {number}: {what}; expected {expected}; {do}."
        raise DataError(msg)

    def fail_whole(self, what: str, expected: str = FORMATS, do: str = AGAIN) -> NoReturn:
        """Raise for the file."""
        msg = f"{self.path}: {what}; expected {expected}; {do}."
        raise DataError(msg)
