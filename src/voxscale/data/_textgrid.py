"""Read Praat TextGrid files: long, short and chronological."""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from voxscale.data._files import FilePath, read_text
from voxscale.data._praat import Tokens
from voxscale.errors import DataError, VoxscaleWarning

__all__ = [
    "Interval",
    "Point",
    "TextGrid",
    "Tier",
    "looks_like_textgrid",
    "note_on",
    "parse",
    "read_textgrid",
]

_CLASSES = ("IntervalTier", "TextTier")
_ROUNDING_S = 1e-6  # times are rounded where they are written


class Interval(NamedTuple):
    """A stretch of time with a label; seconds."""

    onset_s: float
    offset_s: float
    text: str


class Point(NamedTuple):
    """A moment with a label; seconds."""

    time_s: float
    text: str


@dataclass(frozen=True)
class Tier:
    """One row of annotation: intervals, or points.

    Parameters
    ----------
    name : str
    start_s, end_s : float, in seconds
    intervals : tuple of Interval
        Empty for a tier of points. Empty labels are kept.
    points : tuple of Point
        Empty for a tier of intervals.
    is_interval_tier : bool
    """

    name: str
    start_s: float
    end_s: float
    intervals: tuple[Interval, ...] = ()
    points: tuple[Point, ...] = ()
    is_interval_tier: bool = True

    def __len__(self) -> int:
        return len(self.intervals) if self.is_interval_tier else len(self.points)


@dataclass(frozen=True)
class TextGrid:
    """Annotation of a sound, in tiers.

    Parameters
    ----------
    start_s, end_s : float, in seconds
    tiers : tuple of Tier
    """

    start_s: float
    end_s: float
    tiers: tuple[Tier, ...]

    def tier(self, name: str) -> Tier:
        """Return the tier called ``name``.

        Raises
        ------
        DataError
            If there is none, or more than one; the message lists the tiers.
        """
        found = [tier for tier in self.tiers if tier.name == name]
        if len(found) != 1:
            have = ", ".join(repr(tier.name) for tier in self.tiers) or "none"
            msg = f"{len(found)} tiers are called {name!r}; expected one; the tiers are: {have}."
            raise DataError(msg)
        return found[0]


def read_textgrid(path: FilePath, *, encoding: str | None = None) -> TextGrid:
    r"""Read a TextGrid in any of Praat's three text formats.

    Counts in the file are held against what is there, so a truncated file is an error and
    never a shorter story. The chronological format has no counts, but Praat fills tiers of
    intervals: there, one that stops early is an error, and gaps in one are warned of. Intervals
    that overlap are kept. One warning counts both.

    Parameters
    ----------
    path : path-like
    encoding : str, optional
        By default UTF-8, or UTF-16 where a byte order mark says so. Anything else is an error
        rather than a guess, because a wrong guess changes words: name it here.

    Returns
    -------
    TextGrid
        ``.tiers[i].name``, ``.intervals`` (onset_s, offset_s, text), ``.points`` (time_s, text).

    Raises
    ------
    DataError
        If the file is missing, empty, truncated, a git-annex or Git LFS pointer, not a
        TextGrid, or cannot be decoded.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", "1.5",
    ...          "<exists>", "1", '"IntervalTier"', '"word"', "0", "1.5", "2",
    ...          "0", "0.5", '"hello"', "0.5", "1.5", '"world"']
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "story.TextGrid")
    ...     _ = path.write_text("\n".join(lines))
    ...     grid = read_textgrid(path)
    >>> grid.tiers[0].intervals[1]
    Interval(onset_s=0.5, offset_s=1.5, text='world')
    """
    grid, is_chronological = parse(read_text(path, encoding), path)
    note = note_on(grid.tiers, path, gaps=is_chronological)
    if note:
        warnings.warn(note, VoxscaleWarning, stacklevel=2)
    return grid


def looks_like_textgrid(text: str) -> bool:
    """Tell whether a text starts as a TextGrid does."""
    return bool(re.match(r'[^"\n]*"(?:ootextfile|praat chronological)', text.lstrip().lower()))


def parse(text: str, path: FilePath) -> tuple[TextGrid, bool]:
    """Read the text of a TextGrid; return it, and whether it is in the chronological format."""
    tokens = Tokens(text, path)
    if not looks_like_textgrid(text):
        start = text.lstrip()[:40].split("\n")[0]
        msg = (
            f"{path}, line 1: starts with {start!r}, which is not a TextGrid; expected "
            '\'File type = "ooTextFile"\' or "Praat chronological TextGrid text file"; '
            "name the TextGrid, or save it from Praat as a text file."
        )
        raise DataError(msg)
    if tokens.text("the file type").lower().startswith("praat"):
        grid = _chronological(tokens)
        _check_filled(grid, path)
        return grid, True
    return _by_tier(tokens), False


def note_on(tiers: Sequence[Tier], path: FilePath, *, gaps: bool) -> str:
    """Say in what the intervals of some tiers are odd, if in anything.

    Parameters
    ----------
    tiers : sequence of Tier
    path : path-like
    gaps : bool
        Count the gaps between intervals too.
    """
    notes = " ".join(filter(None, (_overlaps(tiers), _gaps(tiers) if gaps else "")))
    return f"{path}: {notes}" if notes else ""


def _by_tier(tokens: Tokens) -> TextGrid:
    """Read the long or the short format: the long one only adds names that are skipped."""
    kind = tokens.text("the object class")
    if kind.split()[:1] != ["TextGrid"]:
        msg = f"{tokens.path}: holds a {kind!r} of Praat; expected a TextGrid; name another file."
        raise DataError(msg)
    start_s, end_s = tokens.number("the grid's xmin"), tokens.number("the grid's xmax")
    flag = tokens.take("flag", "<exists>") if tokens.next_is("flag") else "exists"
    n_tiers = tokens.count("the number of tiers") if flag == "exists" else 0
    tiers: list[Tier] = []
    while not tokens.next_is("end"):
        tiers.append(_tier(tokens, len(tiers) + 1))
    if len(tiers) != n_tiers:
        have = ", ".join(repr(tier.name) for tier in tiers) or "none"
        msg = (
            f"{tokens.path}: its size says {n_tiers} tiers, {len(tiers)} found ({have}); "
            "the file is truncated or was edited by hand; fetch or export it again."
        )
        raise DataError(msg)
    return TextGrid(start_s, end_s, tuple(tiers))


def _tier(tokens: Tokens, number: int) -> Tier:
    tier = _tier_header(tokens, number)
    n_entries = tokens.count(f"the size of tier {tier.name!r}")
    what = "intervals" if tier.is_interval_tier else "points"
    entries: list[Interval | Point] = []
    # A label ends the tier; if it is no class either, the entry that it stands in is damaged.
    while tokens.next_is("number", "bad number") or (
        len(entries) < n_entries and tokens.next_is("label") and tokens.value() not in _CLASSES
    ):
        counts = f"({n_entries} {what} expected, {len(entries)} found)"
        entries.append(_entry(tokens, tier, counts))
    if len(entries) != n_entries:
        msg = (
            f"{tokens.path}, line {tokens.line()}: tier {tier.name!r} says {n_entries} {what}, "
            f"{len(entries)} found; the file is truncated or was edited by hand; "
            "fetch or export it again."
        )
        raise DataError(msg)
    return _with_entries(tier, entries)


def _chronological(tokens: Tokens) -> TextGrid:
    """Read the format that lists the entries of all tiers in order of time."""
    start_s, end_s = tokens.number("the grid's start"), tokens.number("the grid's end")
    n_tiers = tokens.count("the number of tiers")
    tiers = [_tier_header(tokens, number) for number in range(1, n_tiers + 1)]
    entries: list[list[Interval | Point]] = [[] for _ in tiers]
    while not tokens.next_is("end"):
        number = tokens.count("the number of a tier")
        if not 1 <= number <= n_tiers:
            msg = (
                f"{tokens.path}, line {tokens.line(back=1)}: an entry of tier {number}; expected "
                f"a tier from 1 to {n_tiers}; save the file from Praat again."
            )
            raise DataError(msg)
        own = entries[number - 1]
        own.append(_entry(tokens, tiers[number - 1], f"({len(own)} entries found)"))
    return TextGrid(start_s, end_s, tuple(map(_with_entries, tiers, entries)))


def _tier_header(tokens: Tokens, number: int) -> Tier:
    kind = tokens.text(f"the class of tier {number}")
    if kind not in _CLASSES:
        msg = (
            f"{tokens.path}, line {tokens.line(back=1)}: tier {number} is of class {kind!r}; "
            f"expected {' or '.join(map(repr, _CLASSES))}; save the file from Praat again."
        )
        raise DataError(msg)
    name = tokens.text(f"the name of tier {number}")
    start_s, end_s = (tokens.number(f"{what} of tier {name!r}") for what in ("xmin", "xmax"))
    return Tier(name, start_s, end_s, is_interval_tier=kind == "IntervalTier")


def _entry(tokens: Tokens, tier: Tier, counts: str) -> Interval | Point:
    place = f"in tier {tier.name!r} {counts}"
    if tier.is_interval_tier:
        onset_s, offset_s = tokens.number(f"an onset {place}"), tokens.number(f"an offset {place}")
        return Interval(onset_s, offset_s, tokens.text(f"a label {place}"))
    return Point(tokens.number(f"a time {place}"), tokens.text(f"a label {place}"))


def _with_entries(tier: Tier, entries: list[Interval | Point]) -> Tier:
    return replace(
        tier,
        intervals=tuple(entry for entry in entries if isinstance(entry, Interval)),
        points=tuple(entry for entry in entries if isinstance(entry, Point)),
    )


def _overlaps(tiers: Sequence[Tier]) -> str:
    pairs = [
        (tier.name, before, after)
        for tier in tiers
        for before, after in itertools.pairwise(tier.intervals)
        if after.onset_s < before.offset_s - _ROUNDING_S
    ]
    backward = [(tier.name, one) for tier in tiers for one in tier.intervals if one[1] < one[0]]
    notes = []
    if pairs:
        name, before, after = pairs[0]
        notes.append(
            f"{len(pairs)} intervals start before the one before them ends; kept (first in tier "
            f"{name!r}: {before.text!r} ends at {before.offset_s} s, {after.text!r} starts at "
            f"{after.onset_s} s)."
        )
    if backward:
        name, one = backward[0]
        notes.append(
            f"{len(backward)} intervals end before they start; kept (first in tier {name!r}: "
            f"{one.text!r}, {one.onset_s} to {one.offset_s} s)."
        )
    return " ".join(notes)


def _gaps(tiers: Sequence[Tier]) -> str:
    found = [
        (tier.name, before_s, one.onset_s)
        for tier in tiers
        if tier.intervals
        for before_s, one in zip(
            (tier.start_s, *(one.offset_s for one in tier.intervals)), tier.intervals, strict=False
        )
        if one.onset_s > before_s + _ROUNDING_S
    ]
    if not found:
        return ""
    name, from_s, to_s = found[0]
    return (
        f"{len(found)} gaps between intervals, which Praat would have filled (first in tier "
        f"{name!r}, {from_s} to {to_s} s): are lines missing?"
    )


def _check_filled(grid: TextGrid, path: FilePath) -> None:
    """Refuse tiers that stop early: this format has no counts, but Praat fills interval tiers."""
    early = []
    for tier in grid.tiers:
        end_s = max((one.offset_s for one in tier.intervals), default=tier.start_s)
        if tier.is_interval_tier and end_s < tier.end_s - _ROUNDING_S:
            early.append(f"{tier.name!r} at {end_s} of {tier.end_s} s")
    if early:
        msg = (
            f"{path}: {len(early)} tiers stop early ({', '.join(early)}); expected intervals up to "
            "the end, as Praat writes them; the file is truncated: fetch or save it again."
        )
        raise DataError(msg)
