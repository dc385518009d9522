"""What a pickle names, as plain records: none of them can be called, and none runs anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

__all__ = [
    "Begun",
    "Blob",
    "FrameOnDisk",
    "Global",
    "Name",
    "StandIn",
    "StoredArray",
    "Wrong",
    "printable",
    "refuse",
]

Name = tuple[str, str]  # module and name, as the file writes them


class Wrong(Exception):
    """What a value should not be; the reader adds the file and the byte.

    Parameters
    ----------
    what, expected, remedy : str
    """

    def __init__(self, what: str, expected: str, remedy: str = "fetch the file again") -> None:
        super().__init__(what)
        self.what, self.expected, self.remedy = what, expected, remedy


def refuse(what: str, expected: str, remedy: str = "fetch the file again") -> NoReturn:
    """Raise `Wrong`."""
    raise Wrong(what, expected, remedy)


def printable(text: str) -> str:
    """Return text that does nothing to the terminal on which it is shown."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


class Global:
    """The name of a class or function that the table knows: a word, not the thing."""

    __slots__ = ("known", "name")

    def __init__(self, known: Name, name: str) -> None:
        self.known, self.name = known, name


class Begun:
    """An object whose contents are still to come; ``places`` are where the memo holds it."""

    __slots__ = ("known", "parts", "places")

    def __init__(self, known: Name, *parts: Any) -> None:
        self.known, self.parts = known, parts
        self.places: list[int] = []


@dataclass(frozen=True)
class Blob:
    """Bytes that were passed over.

    Parameters
    ----------
    n_bytes, n_letters : int
        As stored, and as letters where they are text.
    """

    n_bytes: int
    n_letters: int


@dataclass(frozen=True)
class StoredArray:
    """An array that was passed over.

    Parameters
    ----------
    number : int
        Which array of the file it is, from 0.
    dtype : numpy.dtype
    shape : tuple of int
    n_bytes : int
    """

    number: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    n_bytes: int


@dataclass(frozen=True)
class FrameOnDisk:
    """A table that was passed over.

    Parameters
    ----------
    kind : str
        DataFrame, Series or Index.
    shape : tuple of int
    n_bytes : int
    """

    kind: str
    shape: tuple[int, ...]
    n_bytes: int


@dataclass(frozen=True, eq=False, repr=False)
class StandIn:
    """The data of an object whose class is not trusted: its attributes, and no code.

    Attributes are read as of the object itself, ``grid.tiers``, or by name from
    ``attributes``.

    Parameters
    ----------
    kind : {"TextGrid", "Tier", "TRFile", "DataSequence"}
    module : str
        Where the class was defined when it was saved; it is not imported.
    attributes : mapping of str to value
    """

    kind: str
    module: str
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self.attributes:
            msg = f"this {self.kind} holds no {name!r}, only {', '.join(self.attributes)}."
            raise AttributeError(msg)
        return self.attributes[name]

    def __repr__(self) -> str:
        return f"StandIn({self.kind!r}: {', '.join(self.attributes)})"
