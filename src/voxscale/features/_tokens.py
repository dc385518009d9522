"""Words ↔ tokens, by the character offsets that the tokenizer reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import DataError

__all__ = ["StoryTokens", "start_tokens", "tokenize_story"]


@dataclass(frozen=True, eq=False)
class StoryTokens:
    """The tokens of a whole story, and where each word lies among them.

    Parameters
    ----------
    ids : array of shape (n_tokens,)
        Without start tokens.
    first, last : array of shape (n_words,)
        First and last token of each word; the space before a word is the word's.
        Two words may share a token.
    own : array of shape (n_words,)
        First token that holds one of the word's own characters, and not its space alone.
    """

    ids: Array
    first: Array
    last: Array
    own: Array


def tokenize_story(
    words: Sequence[str], tokenizer: Any, story: str, *, allow_blank: bool = False
) -> StoryTokens:
    """Tokenise a story once, and find each word's tokens by character offsets.

    The words are joined with single spaces. A tokenizer that knows no offsets is asked
    word by word, and believed only if that gives the ids of the whole text.

    Parameters
    ----------
    words : sequence of str
    tokenizer : transformers tokenizer
    story : str
        Named in errors.
    allow_blank : bool
        Let a blank word take the tokens up to the next word's first, or none of its own.

    Returns
    -------
    StoryTokens

    Raises
    ------
    DataError
        If a word is blank or gives no token, or the words cannot be found in the text.
    """
    blank = [i for i, word in enumerate(words) if not word.strip()]
    if blank and not allow_blank:
        raise _no_token(words, blank[0], story, "is blank")
    text = " ".join(words)
    spans = _word_spans(words)
    ids, offsets = _encode_with_offsets(text, tokenizer)
    if offsets is None:
        ids, offsets = _encode_word_by_word(words, spans, ids, tokenizer, story)
    first, last, has_tokens = _align(spans, offsets)
    own = np.searchsorted(offsets[:, 1], spans[:, 0], side="right")
    for i in np.flatnonzero(~has_tokens).tolist():
        if words[i].strip():
            raise _no_token(words, i, story, "gives no token")
        following = int(first[i + 1]) if i + 1 < len(words) else len(ids)
        last[i] = max(following - 1, int(last[i - 1]) if i else -1)
    return StoryTokens(np.asarray(ids, dtype=np.int64), first, last, own)


def start_tokens(tokenizer: Any) -> tuple[int, ...]:
    """Return the tokens that every window starts with.

    Those the tokenizer itself puts before a text; else its ``bos_token_id``; else none.
    """
    probe = "a"
    bare = _ids(tokenizer, probe, add_special_tokens=False)
    whole = _ids(tokenizer, probe, add_special_tokens=True)
    for n_before in range(1, len(whole) - len(bare) + 1):
        if bare and whole[n_before : n_before + len(bare)] == bare:
            return tuple(whole[:n_before])
    bos = getattr(tokenizer, "bos_token_id", None)
    return () if bos is None else (int(bos),)


def _align(spans: Array, offsets: Array) -> tuple[Array, Array, Array]:
    """First and last token of each word, and whether any is the word's own, not its space."""
    starts, ends = offsets[:, 0], offsets[:, 1]
    word_starts, word_ends = spans[:, 0], spans[:, 1]
    spaces = np.maximum(word_starts - 1, 0)
    # Where two tokens claim the space before a word, one is a dummy that the tokenizer put
    # before the text: the later one is the space.
    covering = np.searchsorted(starts, spaces, side="right") - 1
    covers = (covering >= 0) & (np.append(ends, 0)[covering] > spaces)
    first = np.where(covers, covering, covering + 1)
    last = np.searchsorted(starts, word_ends, side="left") - 1
    has_tokens = (last >= 0) & (np.append(ends, 0)[last] > word_starts)
    if len(first) and has_tokens[0]:
        first[0] = 0  # the story's first word takes whatever the tokenizer puts before it
    return first, last, has_tokens


def _word_spans(words: Sequence[str]) -> Array:
    """Character span of each word in the joined text, shape (n_words, 2)."""
    lengths = np.array([len(word) for word in words], dtype=np.int64)
    ends = np.cumsum(lengths + 1) - 1
    return np.stack([ends - lengths, ends], axis=1)


def _encode_with_offsets(text: str, tokenizer: Any) -> tuple[list[int], Array | None]:
    """Ids of the whole text; offsets of shape (n_tokens, 2), or None where there are none."""
    if not getattr(tokenizer, "is_fast", False):
        return _ids(tokenizer, text, add_special_tokens=False), None
    encoded = tokenizer(
        text, add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False
    )
    offsets = np.asarray(encoded["offset_mapping"], dtype=np.int64).reshape(-1, 2)
    in_order = bool((np.diff(offsets, axis=0) >= 0).all())
    return list(encoded["input_ids"]), offsets if in_order else None


def _encode_word_by_word(
    words: Sequence[str], spans: Array, whole: list[int], tokenizer: Any, story: str
) -> tuple[list[int], Array]:
    """Offsets from each word's own ids, for a tokenizer that reports none."""
    offsets: list[tuple[int, int]] = []
    ids: list[int] = []
    for i, word in enumerate(words):
        own = _ids(tokenizer, f" {word}" if i else word, add_special_tokens=False)
        ids += own
        offsets += [(int(spans[i, 0]), int(spans[i, 1]))] * len(own)
    if ids != whole:
        msg = (
            f"story {story!r}: the tokenizer reports no character offsets, and its words one by "
            f"one give other tokens ({len(ids)}) than the whole text ({len(whole)}), so that "
            "words cannot be found among tokens; pass tokenizer= a fast one "
            "(AutoTokenizer.from_pretrained(..., use_fast=True))."
        )
        raise DataError(msg)
    return ids, np.asarray(offsets, dtype=np.int64).reshape(-1, 2)


def _ids(tokenizer: Any, text: str, *, add_special_tokens: bool) -> list[int]:
    encoded = tokenizer(
        text, add_special_tokens=add_special_tokens, truncation=False, verbose=False
    )
    return list(encoded["input_ids"])


def _no_token(words: Sequence[str], index: int, story: str, what: str) -> DataError:
    msg = (
        f"story {story!r}: word {index} ({words[index]!r}) {what}, so that it has no vector; "
        "expected at least one token a word; drop it from the transcript, or mend its spelling."
    )
    return DataError(msg)
