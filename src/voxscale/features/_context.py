"""Which windows of a story to run so that every word is seen once, in a long enough context."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "PROTOCOLS",
    "Window",
    "check_protocol",
    "check_sizes",
    "plan",
    "plan_huth2023",
    "plan_windows",
    "whole",
]


@dataclass(frozen=True)
class Window:
    """A run of consecutive words that the model sees in one pass.

    Parameters
    ----------
    start, stop : int
        The window holds words ``start`` to ``stop - 1`` of the story.
    first_new : int
        First word whose vector is read in this pass. Words from here to the next
        window's ``first_new - 1`` are read here; those before it are context alone.
    """

    start: int
    stop: int
    first_new: int


def plan_windows(n_words: int, min_context: int, max_context: int) -> list[Window]:
    """Cut a story into overlapping windows that give every word a long context.

    A causal model's state at a word depends on nothing after it, so that one pass over
    a window serves every shorter context that starts where the window starts. The first
    window starts at the story's first word and grows until it holds ``max_context``
    words. The next word starts a new window that holds ``min_context`` words, its own
    included, and grows to ``max_context`` again; and so on to the end.

    Parameters
    ----------
    n_words : int
        Words of the story.
    min_context, max_context : int
        Sizes in words, the current word included. Words after the first ``max_context``
        see at least ``min_context`` and at most ``max_context`` words. Equal sizes give a
        sliding window, one pass a word.

    Returns
    -------
    list of Window
        One if ``n_words <= max_context``, otherwise
        ``1 + ceil((n_words - max_context) / (max_context - min_context + 1))``.

    Raises
    ------
    ValueError
        Unless ``1 <= min_context <= max_context``.

    Examples
    --------
    >>> plan_windows(10, min_context=3, max_context=6)
    [Window(start=0, stop=6, first_new=0), Window(start=4, stop=10, first_new=6)]
    """
    check_sizes(min_context, max_context)
    windows = []
    first_new = 0
    while first_new < n_words:
        start = 0 if first_new == 0 else first_new + 1 - min_context
        stop = min(n_words, start + max_context)
        windows.append(Window(start, stop, first_new))
        first_new = stop
    return windows


def plan_huth2023(
    words: Sequence[str], min_context: int, max_context: int
) -> tuple[list[Window], list[int]]:
    """Cut a story into windows by the rule of the published code.

    Sizes differ from :func:`plan_windows`: the first window grows to ``max_context + 1``
    words, later ones start at ``min_context + 2`` words and grow to ``max_context + 1``.
    Blank words and words that are exactly ``'s`` belong to the word before them, end a
    pass, and lengthen the next context by one word.

    Parameters
    ----------
    words : sequence of str
        The words of one story, blank ones included.
    min_context, max_context : int
        The two "look-backs" of the published code, 256 and 512 there.

    Returns
    -------
    windows : list of Window
        In the order of the published code, those it runs twice included.
    read_at : list of int
        For each word, the word at whose last token its vector is read: the last of the
        blank ones that follow it, if any. -1 means the start token: nothing came before.

    Raises
    ------
    ValueError
        Unless ``1 <= min_context <= max_context``.

    Notes
    -----
    Where the published code stops (a blank word when the window is full, equal sizes),
    the window stays at its largest size.

    References
    ----------
    Antonello, Vaidya & Huth 2023, Scaling laws for language encoding models in fMRI,
    NeurIPS 36.
    """
    check_sizes(min_context, max_context)
    anchors = [i for i, word in enumerate(words) if not _joins_previous(word)]
    ends = [*anchors[1:], len(words)]  # each anchor's group reaches to the next anchor
    windows, read_at = [], []
    look_back, group = 0, -1
    start, stop, first_new = 0, 0, 0
    for i, word in enumerate(words):
        joins = _joins_previous(word)
        if not joins:
            group += 1
            start, stop = anchors[max(0, group - look_back)], ends[group]
        read_at.append(stop - 1)
        is_full = not joins and look_back == max_context
        if joins or is_full or i == len(words) - 1:
            windows.append(Window(start, stop, first_new))
            first_new = i + 1
        look_back = min((min_context if is_full else look_back) + 1, max_context)
    return windows, read_at


def plan(
    words: Sequence[str], min_context: int, max_context: int, protocol: str | None = None
) -> tuple[list[Window], list[int]]:
    """Plan a story's windows by the named protocol, ours by default.

    Parameters
    ----------
    words : sequence of str
        The words of one story.
    min_context, max_context : int
        In words; what they count is the protocol's.
    protocol : {None, "huth2023"}

    Returns
    -------
    windows : list of Window
    read_at : list of int, one for each word
        The word at whose last token its vector is read.

    Raises
    ------
    ValueError
        Unless ``1 <= min_context <= max_context``, and if the protocol is unknown.
    """
    check_protocol(protocol)
    return PROTOCOLS[protocol](words, min_context, max_context)


def check_sizes(min_context: int, max_context: int) -> None:
    """Raise ValueError unless ``1 <= min_context <= max_context``, TypeError unless whole."""
    whole("min_context", min_context)
    whole("max_context", max_context)
    if not 1 <= min_context <= max_context:
        msg = (
            f"min_context is {min_context} and max_context {max_context} (words, the current "
            "one included); expected 1 <= min_context <= max_context."
        )
        raise ValueError(msg)


def check_protocol(protocol: str | None) -> None:
    """Raise ValueError for a protocol that nobody has described."""
    if protocol not in PROTOCOLS:
        known = ", ".join(map(repr, PROTOCOLS))
        msg = f"protocol {protocol!r} is unknown; choose one of {known}."
        raise ValueError(msg)


def whole(name: str, number: Any) -> int:
    """Return an argument as an int, or raise TypeError if it is no whole number."""
    try:
        return operator.index(number)
    except TypeError as error:
        msg = f"{name} is {number!r}; expected a whole number of type int."
        raise TypeError(msg) from error


def _plan_ours(
    words: Sequence[str], min_context: int, max_context: int
) -> tuple[list[Window], list[int]]:
    n_words = len(words)
    return plan_windows(n_words, min_context, max_context), list(range(n_words))


def _joins_previous(word: str) -> bool:
    return word == "'s" or not word.strip()


PROTOCOLS: dict[str | None, Callable[[Sequence[str], int, int], tuple[list[Window], list[int]]]] = {
    None: _plan_ours,
    "huth2023": plan_huth2023,
}
