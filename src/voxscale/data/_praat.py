"""The values of a Praat text file, one after the other, each knowing its line."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from voxscale.data._files import FilePath
from voxscale.errors import DataError

__all__ = ["Tokens"]

# Anything else (names of fields, colons, indices in brackets, comments) says nothing new.
_TOKEN = re.compile(
    r"""
      "(?P<label>[^"]*+(?:""[^"]*+)*+)(?P<close>"?)
    | <(?P<flag>[^<>\n]*)>
    | !.*
    | \[[^\]\n]*\]:?
    | (?P<word>[^\s"<!\[\]=]+)
    """,
    re.VERBOSE,
)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_MEANT_AS_NUMBER = re.compile(
    r"[+-]?\.?\d.*|[+-]?(?:nan|inf|infinity)|--undefined--", re.IGNORECASE
)


class _Token(NamedTuple):
    kind: str  # label, open label, flag, number, bad number, end
    value: str
    start: int


@dataclass
class Tokens:
    """Values of a Praat text, taken one after the other; a wrong one raises with its line."""

    source: str
    path: FilePath
    tokens: list[_Token] = field(default_factory=list)
    position: int = 0

    def __post_init__(self) -> None:
        for match in _TOKEN.finditer(self.source):
            kind, value = match.lastgroup or "", match[0]
            if kind == "close":
                kind = "label" if match["close"] else "open label"
                value = match["label"].replace('""', '"')
            elif kind == "flag":
                value = match["flag"].strip().lower()
            elif _NUMBER.fullmatch(value):
                kind = "number"
            elif _MEANT_AS_NUMBER.fullmatch(value):
                kind = "bad number"
            else:
                continue
            self.tokens.append(_Token(kind, value, match.start()))
        self.tokens.append(_Token("end", "", len(self.source.rstrip())))

    def line(self, back: int = 0) -> int:
        start = self.tokens[self.position - back].start
        return self.source.count("\n", 0, start) + 1

    def value(self) -> str:
        return self.tokens[self.position].value

    def next_is(self, *kinds: str) -> bool:
        return self.tokens[self.position].kind in kinds

    def take(self, kind: str, expected: str) -> str:
        token = self.tokens[self.position]
        if token.kind == kind:
            self.position += 1
            return token.value
        place = f"{self.path}, line {self.line()}"
        if token.kind == "end":
            msg = f"{place}: the file ends; expected {expected}; it is truncated: fetch it again."
        elif token.kind == "open label":
            msg = (
                f"{place}: a label opens here and never closes; expected {expected}; "
                "the file is truncated: fetch it again."
            )
        else:
            msg = (
                f"{place}: found {token.kind} {token.value!r}; expected {expected}; the file is "
                'damaged, or a quote inside a label is not written twice (""): mend the line.'
            )
        raise DataError(msg)

    def text(self, expected: str) -> str:
        return self.take("label", expected)

    def number(self, expected: str) -> float:
        value = float(self.take("number", expected))
        if not math.isfinite(value):
            self._refuse(value, f"{expected}, finite seconds")
        return value

    def count(self, expected: str) -> int:
        value = self.number(expected)
        if value < 0 or not value.is_integer():
            self._refuse(value, f"{expected}, a whole number")
        return int(value)

    def _refuse(self, value: float, expected: str) -> NoReturn:
        line = self.line(back=1)
        msg = f"{self.path}, line {line}: {value} found; expected {expected}; mend the line."
        raise DataError(msg)
