"""Words of a story and when each was heard."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.data._files import FilePath, read_text
from voxscale.data._textgrid import TextGrid, Tier, looks_like_textgrid, note_on, parse
from voxscale.data._word_table import Row, read_word_table
from voxscale.errors import AlignmentError, DataError, VoxscaleWarning

__all__ = ["BAD_WORDS", "Transcript", "read_transcript", "transcript_of"]

BAD_WORDS = frozenset({"sentence_start", "sentence_end", "br", "lg", "ls", "ns", "sp"})
"""Labels of a word tier that are no words: breaths, laughter, lip smacks, noise, silence."""


@dataclass(frozen=True, eq=False, repr=False)
class Transcript:
    """The words of one story, in the order they were heard.

    Words may overlap, as speech does, but none may start before the one before it.

    Parameters
    ----------
    words : sequence of str, length n_words
    onset_s : array of shape (n_words,), in seconds
        From the onset of the sound. Copied, and read-only from then on.
    offset_s : array of shape (n_words,), in seconds, optional
        When each word ends.

    Raises
    ------
    AlignmentError
        If the lengths differ.
    DataError
        If there are no words, a time is not finite, words are out of order, or one ends
        before it starts. The message names the word.
    TypeError
        If ``words`` is one string, or a word is not text.
    ValueError
        If a time is no number.

    Examples
    --------
    >>> story = Transcript(["once", "upon"], onset_s=[0.2, 0.6], offset_s=[0.6, 0.8])
    >>> story.times
    array([0.4, 0.7])
    >>> story
    Transcript(2 words, 0.20 to 0.80 s: once upon)
    """

    words: tuple[str, ...]
    onset_s: Array
    offset_s: Array | None

    def __init__(
        self, words: Sequence[str], onset_s: ArrayLike, offset_s: ArrayLike | None = None
    ) -> None:
        words = _as_words(words)
        object.__setattr__(self, "words", words)
        object.__setattr__(self, "onset_s", _as_times(onset_s, words, "onset"))
        offset_s = None if offset_s is None else _as_times(offset_s, words, "offset")
        object.__setattr__(self, "offset_s", offset_s)
        places = [f"word {i}" for i in range(len(words))]
        _check_order(words, self.onset_s, self.offset_s, places)

    @property
    def times(self) -> Array:
        """Middle of each word, (n_words,) in s; its onset where offsets are not known."""
        if self.offset_s is None:
            return self.onset_s
        return (self.onset_s + self.offset_s) / 2

    def __len__(self) -> int:
        return len(self.words)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Transcript):
            return NotImplemented
        if (self.offset_s is None) != (other.offset_s is None):
            return False
        return (
            self.words == other.words
            and np.array_equal(self.onset_s, other.onset_s)
            and (self.offset_s is None or np.array_equal(self.offset_s, other.offset_s))  # type: ignore[arg-type]
        )

    def __hash__(self) -> int:
        return hash((self.words, tuple(self.onset_s)))

    def __repr__(self) -> str:
        end_s = self.onset_s[-1] if self.offset_s is None else self.offset_s.max()
        start = " ".join(self.words[:6]) + (" …" if len(self) > 6 else "")
        return f"Transcript({len(self)} words, {self.onset_s[0]:.2f} to {end_s:.2f} s: {start})"

    def __reduce__(self) -> tuple[type[Transcript], tuple[Any, ...]]:
        return Transcript, (self.words, self.onset_s, self.offset_s)


def read_transcript(
    path: FilePath,
    tier: str | int | None = None,
    *,
    bad_words: Collection[str] = BAD_WORDS,
    drop_blank: bool = True,
    lower: bool = False,
    encoding: str | None = None,
    word_column: str | None = None,
) -> Transcript:
    r"""Read the words of a story from a TextGrid, a word table, or a BIDS ``events.tsv``.

    Words keep the case they have in the file, because a language model sees it.

    Parameters
    ----------
    path : path-like
        A TextGrid, or a table (comma, semicolon or tab) with a header: a column ``word`` or
        ``text`` (in a table with durations also ``trial_type`` or ``value``, as BIDS has it),
        a column ``onset``, ``onset_s`` or ``start``, and perhaps ``offset``, ``offset_s``,
        ``end``, ``stop`` or ``duration``; all in seconds. Rows whose word is ``n/a`` are left
        out. Double quotes enclose a cell, and a quote inside one is written twice; in a table
        with tabs a quote that encloses nothing is part of the word.
    tier : str or int, optional
        Name of the word tier of a TextGrid, or its number from 0. By default the tier called
        "word" or "words" in any case, or else the only tier of intervals.
    bad_words : collection of str
        Labels to leave out, in any case; both sides compared without surrounding braces and
        blanks.
    drop_blank : bool
        Leave out labels with no text, as aligners give to silence. The published code kept
        them as words: pass False for its numbers.
    lower : bool
        Turn words to lower case, as the published code did.
    encoding : str, optional
        See `read_textgrid`.
    word_column : str, optional
        Name of the column of words of a table, in any case. By default as above; of
        ``trial_type`` and ``value`` the first that holds words, and not only numbers or one
        label for all rows.

    Returns
    -------
    Transcript

    Raises
    ------
    DataError
        If the file cannot be read, has no word tier or column, a number is bad (the message
        names the line), words are out of order, or none is left.
    TypeError
        If ``bad_words`` is one string.
    ValueError
        If ``tier`` is given for a table, or ``word_column`` for a TextGrid.

    Warns
    -----
    VoxscaleWarning
        If intervals of the word tier of a TextGrid overlap; see `read_textgrid`.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "story.csv")
    ...     _ = path.write_text("word,onset,offset\nOnce,0.2,0.6\nsp,0.6,0.7\nupon,0.7,0.9\n")
    ...     read_transcript(path).words
    ('Once', 'upon')
    """
    if isinstance(bad_words, str):
        msg = f"bad_words is one string ({bad_words!r}); expected a collection: {{{bad_words!r}}}."
        raise TypeError(msg)
    rows, note = _read_rows(path, tier, encoding, word_column)
    made = _made(rows, path, bad_words, drop_blank=drop_blank, lower=lower)
    if note:
        warnings.warn(note, VoxscaleWarning, stacklevel=2)
    return made


def transcript_of(
    grid: TextGrid,
    label: FilePath,
    tier: str | int | None = None,
    *,
    bad_words: Collection[str] = BAD_WORDS,
    drop_blank: bool = True,
    lower: bool = False,
) -> Transcript:
    """Take the words of a TextGrid that is at hand, as :func:`read_transcript` does of a file.

    ``label`` is what errors call it.
    """
    rows = _rows_of(_word_tier(grid, tier, label))
    return _made(rows, label, bad_words, drop_blank=drop_blank, lower=lower)


def _made(
    rows: Sequence[Row],
    path: FilePath,
    bad_words: Collection[str],
    *,
    drop_blank: bool,
    lower: bool,
) -> Transcript:
    """Leave out what are no words, and check the others."""
    bad = {_bare(word) for word in bad_words}
    kept = [row for row in rows if not _is_dropped(row.word, bad, drop_blank=drop_blank)]
    if not kept:
        msg = (
            f"{path}: a story with no words; {len(rows)} labels were read and all left out as "
            "blank or bad words; expected speech; check the tier, bad_words and drop_blank."
        )
        raise DataError(msg)
    words = [row.word.strip().lower() if lower else row.word.strip() for row in kept]
    onset_s = np.array([row.onset_s for row in kept])
    offsets = [row.offset_s for row in kept if row.offset_s is not None]
    offset_s = np.array(offsets) if offsets else None
    _check_order(words, onset_s, offset_s, [row.place for row in kept], f"{path}, ")
    return Transcript(words, onset_s, offset_s)


def _read_rows(
    path: FilePath, tier: str | int | None, encoding: str | None, word_column: str | None
) -> tuple[list[Row], str]:
    """Read the labels of a file, and what its reader should be warned of, if anything."""
    text = read_text(path, encoding)
    if looks_like_textgrid(text) or Path(path).suffix.lower() == ".textgrid":
        if word_column is not None:
            msg = (
                f"word_column is {word_column!r}, but {path} is a TextGrid, which has no columns; "
                "pass tier= instead."
            )
            raise ValueError(msg)
        grid, is_chronological = parse(text, path)
        found = _word_tier(grid, tier, path)
        return _rows_of(found), note_on([found], path, gaps=is_chronological)
    if tier is not None:
        msg = f"tier is {tier!r}, but {path} is a table, which has no tiers; leave tier out."
        raise ValueError(msg)
    return read_word_table(text, path, word_column), ""


def _is_dropped(label: str, bad_words: Collection[str], *, drop_blank: bool) -> bool:
    bare = _bare(label)
    return bare in bad_words or (drop_blank and not bare)


def _bare(label: str) -> str:
    return re.sub(r"^[{}\s]+|[{}\s]+$", "", label.lower())


def _rows_of(tier: Tier) -> list[Row]:
    where = f"of tier {tier.name!r}"
    if tier.is_interval_tier:
        return [
            Row(one.text, one.onset_s, one.offset_s, f"interval {number} {where}")
            for number, one in enumerate(tier.intervals, start=1)
        ]
    return [
        Row(one.text, one.time_s, None, f"point {number} {where}")
        for number, one in enumerate(tier.points, start=1)
    ]


def _word_tier(grid: TextGrid, tier: str | int | None, path: FilePath) -> Tier:
    if isinstance(tier, int):
        found = [grid.tiers[tier]] if 0 <= tier < len(grid.tiers) else []
    elif tier is not None:
        found = [one for one in grid.tiers if one.name == tier]
    else:
        found = [one for one in grid.tiers if one.name.strip().lower() in ("word", "words")]
        found = found or [one for one in grid.tiers if one.is_interval_tier]
    if len(found) == 1:
        return found[0]
    have = ", ".join(f"{number}: {one.name!r}" for number, one in enumerate(grid.tiers)) or "none"
    wanted = "no word tier" if tier is None else f"no tier {tier!r}"
    expected = (
        f"a tier called 'word' or 'words', or a single tier of intervals; pass tier= one of the "
        f"tiers it has ({have})"
        if tier is None
        else f"one of the tiers it has ({have}); pass tier= its name or number, or leave it out"
    )
    if len(found) > 1:
        wanted = f"{wanted} that is the only one: {len(found)} would do"
    msg = f"{path}: {wanted}; expected {expected}."
    raise DataError(msg)


def _as_words(words: Sequence[str]) -> tuple[str, ...]:
    if isinstance(words, str):
        msg = f"words is one string ({words[:40]!r}); expected a sequence of words; split it."
        raise TypeError(msg)
    words = tuple(words)
    for i, word in enumerate(words):
        if not isinstance(word, str):
            msg = f"word {i} is {word!r} ({type(word).__name__}); expected text."
            raise TypeError(msg)
    if not words:
        msg = "a story with no words; expected at least one; check what was read."
        raise DataError(msg)
    return tuple(str(word) for word in words)


def _as_times(values: ArrayLike, words: tuple[str, ...], what: str) -> Array:
    times = np.array(values, dtype=np.float64)
    if times.shape != (len(words),):
        msg = (
            f"there are {len(words)} words but {what}s have shape {times.shape}; "
            f"expected one {what} (s) for each word."
        )
        raise AlignmentError(msg)
    bad = np.flatnonzero(~np.isfinite(times))
    if bad.size:
        i = int(bad[0])
        msg = f"word {i} ({words[i]!r}): its {what} is {times[i]}; expected finite seconds."
        raise DataError(msg)
    times.flags.writeable = False
    return times


def _check_order(
    words: Sequence[str],
    onset_s: Array,
    offset_s: Array | None,
    places: Sequence[str],
    prefix: str = "",
) -> None:
    """Refuse words that end before they start, or start before the word before them."""
    if offset_s is not None:
        negative = np.flatnonzero(offset_s < onset_s)
        if negative.size:
            i = int(negative[0])
            msg = (
                f"{prefix}{places[i]} ({words[i]!r}) starts at {onset_s[i]} s and ends at "
                f"{offset_s[i]} s; expected an offset at or after the onset; mend its times."
            )
            raise DataError(msg)
    backward = np.flatnonzero(np.diff(onset_s) < 0)
    if backward.size:
        i = int(backward[0]) + 1
        msg = (
            f"{prefix}{places[i]} ({words[i]!r}) starts at {onset_s[i]} s, {places[i - 1]} "
            f"({words[i - 1]!r}) at {onset_s[i - 1]} s; expected words in the order they were "
            "heard; sort them by onset."
        )
        raise DataError(msg)
