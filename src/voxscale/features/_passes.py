"""From stories to the token windows that a model is run on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import DataError
from voxscale.features._context import Window, plan
from voxscale.features._tokens import StoryTokens

__all__ = ["Pass", "StoryWords", "batches", "check_fits", "plan_passes"]

TOKENS_PER_BATCH = 4096  # padded; keeps the states of every layer of one batch in memory


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
    positions : array of shape (len(words),)
        Position in ``ids`` of each word's last token.
    """

    story: str
    ids: Array
    words: range
    positions: Array

    def __len__(self) -> int:
        return len(self.ids)


def plan_passes(
    story: StoryWords,
    start: Sequence[int],
    min_context: int,
    max_context: int,
    protocol: str | None = None,
) -> list[Pass]:
    """Turn the windows of a story's words into windows of its tokens.

    Parameters
    ----------
    story : StoryWords
    start : sequence of int
        Tokens put before every window.
    min_context, max_context : int
        In words, the current one included.
    protocol : {None, "huth2023"}

    Returns
    -------
    list of Pass
        Every word of the story is read in one of them.

    Raises
    ------
    DataError
        If a word must be read at the start token, and there is none.
    """
    windows, read_at = plan(story.words, min_context, max_context, protocol)
    tokens = story.tokens
    stops = [window.first_new for window in windows[1:]] + [len(story.words)]
    passes = []
    for window, stop in zip(windows, stops, strict=True):
        words = range(window.first_new, stop)
        begin, end = _slice(tokens, window)
        read = np.asarray(read_at[words.start : words.stop], dtype=np.int64)
        positions = len(start) + np.where(read < 0, -1, tokens.last[read] - begin)
        if (positions < 0).any():
            msg = (
                f"story {story.story!r}: word {words.start} "
                f"({story.words[words.start]!r}) comes before any token and this tokenizer has "
                "no start token to read it at; drop blank words at the start of the transcript."
            )
            raise DataError(msg)
        ids = np.concatenate([np.asarray(start, dtype=np.int64), tokens.ids[begin:end]])
        passes.append(Pass(story.story, ids, words, positions))
    return passes


def check_fits(
    stories: Sequence[StoryWords],
    n_start: int,
    limit: int | None,
    min_context: int,
    max_context: int,
    protocol: str | None = None,
) -> None:
    """Raise DataError if a window holds more tokens than the model has positions.

    The message names the story, the tokens it needs, the limit, and a ``max_context`` with
    which every story fits; with one word more some story does not.
    """
    if limit is None:
        return
    needed = _needed(stories, n_start, min_context, max_context, protocol)
    worst = max(needed, key=lambda story: needed[story])
    if needed[worst] <= limit:
        return
    largest, too_large = 0, max_context
    while too_large - largest > 1:
        middle = (largest + too_large) // 2
        smaller = _needed(stories, n_start, min(min_context, middle), middle, protocol)
        if max(smaller.values()) <= limit:
            largest = middle
        else:
            too_large = middle
    remedy = (
        f"lower max_context to {largest}, which fits, or choose a model with more positions"
        if largest
        else "choose a model with more positions: not one word fits"
    )
    msg = (
        f"story {worst!r}: a context of {max_context} words needs {needed[worst]} tokens; this "
        f"model has positions for {limit}; {remedy}."
    )
    raise DataError(msg)


def batches(
    passes: Sequence[Pass], batch_size: int | None, *, n_tokens: int = TOKENS_PER_BATCH
) -> list[list[Pass]]:
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


def _slice(tokens: StoryTokens, window: Window) -> tuple[int, int]:
    """First token of a window, and the one after its last."""
    if window.stop == window.start:
        return 0, 0
    return int(tokens.first[window.start]), int(tokens.last[window.stop - 1]) + 1


def _needed(
    stories: Sequence[StoryWords],
    n_start: int,
    min_context: int,
    max_context: int,
    protocol: str | None,
) -> Mapping[str, int]:
    """Tokens of each story's longest window."""
    needed = {}
    for story in stories:
        windows, _ = plan(story.words, min_context, max_context, protocol)
        slices = [_slice(story.tokens, window) for window in windows]
        needed[story.story] = n_start + max(end - begin for begin, end in slices)
    return needed
