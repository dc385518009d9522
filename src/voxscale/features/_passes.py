"""From stories to the token windows that a model is run on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import DataError, did_you_mean
from voxscale.features._context import Contexts, Fits, Window
from voxscale.features._tokens import StoryTokens

__all__ = [
    "WORD_VECTORS",
    "Pass",
    "StoryWords",
    "batches",
    "check_fits",
    "check_word_vector",
    "in_story_order",
    "plan_passes",
]

_BATCHES_AT_ONCE = 4
WORD_VECTORS = ("last", "first", "mean")  # which of a word's tokens its vector is read at


@dataclass(frozen=True, eq=False)
class StoryWords:
    """One story, its words and its tokens."""

    story: str
    words: Sequence[str]
    tokens: StoryTokens


@dataclass(frozen=True, eq=False)
class Pass:
    """One window of tokens to run, and where the words to be read are in it.

    Parameters
    ----------
    story : str
    ids : array of shape (n_tokens,)
        Start tokens, then a slice of the story's tokens.
    words : range
        Words of the story that are read in this pass.
    positions : array of shape (sum of counts,)
        Positions in ``ids`` at which the words are read, word by word.
    counts : array of shape (len(words),)
        Positions of each word; a word's vector is the mean over them.
    told : array of shape (n_told,)
        Positions in ``ids`` of the tokens that belong to these words and to no earlier one.
    told_counts : array of shape (len(words),)
        How many of them each word has.
    n_before : array of shape (len(words),)
        Words of context before each word.
    """

    story: str
    ids: Array
    words: range
    positions: Array
    counts: Array
    told: Array
    told_counts: Array
    n_before: Array

    def __len__(self) -> int:
        return len(self.ids)


def plan_passes(
    story: StoryWords,
    start: Sequence[int],
    contexts: Contexts,
    *,
    limit: int | None = None,
    word_vector: str = "last",
) -> list[Pass]:
    """Turn the windows of a story's words into windows of its tokens.

    Parameters
    ----------
    story : StoryWords
    start : sequence of int
        Tokens put before every window.
    contexts : Contexts
    limit : int, optional
        Tokens that the model has positions for.
    word_vector : {"last", "first", "mean"}
        Of the tokens that hold a word's own characters.

    Returns
    -------
    list of Pass
        In the story's order. Every word of the story is read in one of them.

    Raises
    ------
    DataError
        If a word must be read at the start token, and there is none.
    """
    windows, read_at = contexts.plan(story.words, _fits(story.tokens, len(start), limit))
    stops = [window.first_new for window in windows[1:]] + [len(story.words)]
    return [
        _pass(story, start, window, range(window.first_new, stop), read_at, word_vector)
        for window, stop in zip(windows, stops, strict=True)
    ]


def check_fits(
    stories: Sequence[StoryWords], n_start: int, limit: int | None, contexts: Contexts
) -> None:
    """Raise DataError if a window holds more tokens than the model has positions.

    The message names the story, the tokens it needs, the limit, and a ``max_context`` with
    which every story fits; with one word more some story does not.
    """
    if limit is None:
        return
    for story in stories:
        _check_words_fit(story, n_start, limit)
    needed = _needed(stories, n_start, limit, contexts)
    worst = max(needed, key=lambda story: needed[story])
    if needed[worst] <= limit:
        return
    largest, too_large = 0, contexts.max_context
    while too_large - largest > 1:
        middle = (largest + too_large) // 2
        fewer = replace(contexts, min_context=min(contexts.min_context, middle), max_context=middle)
        smaller = _needed(stories, n_start, limit, fewer)
        if max(smaller.values()) <= limit:
            largest = middle
        else:
            too_large = middle
    shorter = f"lower max_context to {largest}, which fits, or " if largest else ""
    msg = (
        f"story {worst!r}: a context of {contexts.max_context} words needs {needed[worst]} "
        f"tokens; this model has positions for {limit}; {shorter}choose a model with more "
        "positions."
    )
    raise DataError(msg)


def _check_words_fit(story: StoryWords, n_start: int, limit: int) -> None:
    counts = n_start + story.tokens.last - story.tokens.first + 1
    if counts.max(initial=0) > limit:
        i = int(counts.argmax())
        msg = (
            f"story {story.story!r}: word {i} ({story.words[i]!r}) alone needs {counts[i]} tokens; "
            f"this model has positions for {limit}; mend the word, or choose a model with more "
            "positions."
        )
        raise DataError(msg)


def batches(passes: Sequence[Pass], batch_size: int | None, *, n_tokens: int) -> list[list[Pass]]:
    """Group passes of like length, the longest first.

    Parameters
    ----------
    passes : sequence of Pass
    batch_size : int, optional
        Passes in a batch. By default as many as hold ``n_tokens`` tokens once padded to
        the longest, and at least one.
    n_tokens : int

    Returns
    -------
    list of list of Pass
    """
    groups: list[list[Pass]] = []
    for one in sorted(passes, key=len, reverse=True):
        room = batch_size or max(1, n_tokens // max(1, len(groups[-1][0]) if groups else 1))
        if groups and len(groups[-1]) < room:
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


def in_story_order(
    passes: Sequence[Pass], batch_size: int | None, *, n_tokens: int
) -> Iterator[list[Pass]]:
    """Group passes of like length among a few batches at a time, in the story's order.

    Parameters
    ----------
    passes : sequence of Pass
    batch_size : int, optional
    n_tokens : int
        As in :func:`batches`.

    Yields
    ------
    list of Pass
    """
    some: list[Pass] = []
    for one in passes:
        some.append(one)
        is_enough = (
            len(some) >= _BATCHES_AT_ONCE * batch_size
            if batch_size
            else sum(map(len, some)) >= _BATCHES_AT_ONCE * n_tokens
        )
        if is_enough:
            yield from batches(some, batch_size, n_tokens=n_tokens)
            some = []
    yield from batches(some, batch_size, n_tokens=n_tokens)


def check_word_vector(word_vector: str, protocol: str | None) -> None:
    """Raise ValueError for a way to read a word that is unknown, or not the protocol's."""
    if word_vector not in WORD_VECTORS:
        hint = did_you_mean(str(word_vector), WORD_VECTORS)
        known = ", ".join(WORD_VECTORS)
        msg = f"word_vector {word_vector!r} is unknown; choose one of {known}{hint}."
        raise ValueError(msg)
    if protocol is not None and word_vector != "last":
        msg = f"protocol {protocol!r} reads every word at its last token; leave word_vector out."
        raise ValueError(msg)


def _pass(
    story: StoryWords,
    start: Sequence[int],
    window: Window,
    words: range,
    read_at: Sequence[int],
    word_vector: str,
) -> Pass:
    tokens, n_start = story.tokens, len(start)
    begin, end = _slice(tokens, window)
    read = np.asarray(read_at[words.start : words.stop], dtype=np.int64)
    # The word "-1": nothing was said yet, so that it is read at the start token.
    last = np.where(read < 0, n_start - 1, n_start + np.append(tokens.last, -1)[read] - begin)
    own = np.where(read < 0, last, n_start + np.append(tokens.own, -1)[read] - begin)
    own = np.minimum(own, last)  # a blank word may have no token of its own
    if (last < 0).any():
        msg = (
            f"story {story.story!r}: word {words.start} "
            f"({story.words[words.start]!r}) comes before any token and this tokenizer has "
            "no start token to read it at; drop blank words at the start of the transcript."
        )
        raise DataError(msg)
    firsts, lasts = {"last": (last, last), "first": (own, own), "mean": (own, last)}[word_vector]
    before = np.append(-1, tokens.last)[words.start : words.stop]
    of_words = slice(words.start, words.stop)
    new = np.maximum(tokens.first[of_words], before + 1)
    # A word that is read at the start token is told by nothing: its tokens may not be here.
    told_last = np.where(read < 0, new - 1, np.maximum(tokens.last[of_words], new - 1))
    return Pass(
        story.story,
        np.concatenate([np.asarray(start, dtype=np.int64), tokens.ids[begin:end]]),
        words,
        _spans(firsts, lasts),
        lasts - firsts + 1,
        n_start - begin + _spans(new, told_last),
        told_last - new + 1,
        np.asarray(words) - window.start,
    )


def _spans(firsts: Array, lasts: Array) -> Array:
    """Every number from each first to its last, both included."""
    counts = lasts - firsts + 1
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    spans: Array = np.repeat(firsts, counts) + within
    return spans


def _fits(tokens: StoryTokens, n_start: int, limit: int | None) -> Fits:
    def fits(start: int, stop: int) -> bool:
        begin, end = _slice(tokens, Window(start, stop, start))
        return limit is None or n_start + end - begin <= limit

    return fits


def _slice(tokens: StoryTokens, window: Window) -> tuple[int, int]:
    """First token of a window, and the one after its last."""
    if window.stop == window.start:
        return 0, 0
    return int(tokens.first[window.start]), int(tokens.last[window.stop - 1]) + 1


def _needed(
    stories: Sequence[StoryWords], n_start: int, limit: int, contexts: Contexts
) -> Mapping[str, int]:
    """Tokens of each story's longest window."""
    needed = {}
    for story in stories:
        windows, _ = contexts.plan(story.words, _fits(story.tokens, n_start, limit))
        slices = [_slice(story.tokens, window) for window in windows]
        needed[story.story] = n_start + max(end - begin for begin, end in slices)
    return needed
