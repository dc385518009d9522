"""What a page is made of, and numbers with as many digits as they deserve."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Drawing", "Section", "Table", "as_text", "fields_table", "plural", "with_minus"]

_NUMBER = re.compile(r"[+\-−]?[\d,]+(\.\d*)?(e[+\-−]?\d+)?")
_LONGEST_WHOLE = 16  # letters of a name that stays on one line


@dataclass(frozen=True)
class Table:
    """A small table, as text.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    rows : sequence of sequences of str
    note : str
        A caption that says what the numbers are and how they were reduced.
    name : str
        Of its csv file; none is written without one.
    numbers : DataFrame, optional
        What goes into that file: the same with all digits, or what the rows sum up.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    name: str = ""
    numbers: Any = None

    @property
    def is_number(self) -> list[bool]:
        """Which columns hold nothing but numbers, and are set flush right."""
        cells = [[row[i] for row in self.rows] for i in range(len(self.columns))]
        return [bool(column) and all(map(_is_number, column)) for column in cells]

    @property
    def is_whole(self) -> list[bool]:
        """Which columns hold short names alone, such as "signed_r2", which no line may cut."""
        cells = [[row[i] for row in self.rows] for i in range(len(self.columns))]
        return [all(len(one) <= _LONGEST_WHOLE for one in column) for column in cells]


@dataclass(frozen=True)
class Drawing:
    """A figure with its caption and the numbers behind it.

    Parameters
    ----------
    name : str
        Of its files.
    figure : matplotlib Figure
    caption : str
        What is seen and how it was computed.
    numbers : DataFrame
        What was drawn.
    is_per_voxel : bool
        A long table, kept as parquet and not as csv.
    also : mapping of str to DataFrame
        Lines that were computed from the numbers and drawn, by the name of their csv file.
    """

    name: str
    figure: Figure
    caption: str
    numbers: Any
    is_per_voxel: bool = False
    also: Mapping[str, Any] = field(default_factory=dict)

    @property
    def numbers_file(self) -> str:
        """Name of the file with the numbers."""
        return f"{self.name}.{'parquet' if self.is_per_voxel else 'csv'}"


@dataclass(frozen=True)
class Section:
    """One part of the page.

    Parameters
    ----------
    anchor, title : str
    headline : str
        What was found, in one sentence for the top of the page.
    paragraphs, tables, drawings : lists
        Shown in this order.
    """

    anchor: str
    title: str
    headline: str = ""
    paragraphs: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    drawings: list[Drawing] = field(default_factory=list)


def as_text(value: Any, digits: int = 3) -> str:
    """Write a value for a reader; "–" where there is none.

    Parameters
    ----------
    value : object
    digits : int
        Decimals of a number that is not whole.

    Returns
    -------
    str

    Examples
    --------
    >>> [as_text(one) for one in (0.12345, 20484, float("nan"), None, (1, 2), True)]
    ['0.123', '20,484', '–', '–', '1, 2', 'yes']
    >>> as_text(-0.5)
    '−0.500'
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(as_text(one, digits) for one in value)
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, int):
        return with_minus(f"{value:,}")
    if isinstance(value, float):
        return with_minus(_number(value, digits))
    return str(value)


def fields_table(
    fields: Iterable[tuple[str, Any]], note: str = "", *, heading: str = "setting"
) -> Table:
    """Put names and values into two columns."""
    return Table((heading, "value"), [(name, as_text(value)) for name, value in fields], note)


def with_minus(number: str) -> str:
    """Write the minus of a number as a minus, not as a hyphen."""
    return number.replace("-", "−")


def plural(n: int, one: str, many: str = "") -> str:
    """Count things in words.

    Examples
    --------
    >>> plural(1, "subject"), plural(2, "story", "stories")
    ('1 subject', '2 stories')
    """
    return f"{n} {one if n == 1 else many or f'{one}s'}"


def _is_number(text: str) -> bool:
    return text == "–" or _NUMBER.fullmatch(text) is not None


def _number(value: float, digits: int) -> str:
    if math.isnan(value):
        return "–"
    if value and not 10 ** (-digits) / 2 <= abs(value) < 1e5:
        return f"{value:.{max(1, digits - 1)}g}"
    return f"{value:,.{digits}f}"
