"""Which windows of a story to run so that every word is seen once, in a long enough context."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from voxscale.errors import did_you_mean

__all__ = [
    "POLICIES",
    "PROTOCOLS",
    "Contexts",
    "Fits",
    "Window",
    "check_sizes",
    "ends_sentence",
    "plan_huth2023",
    "plan_windows",
    "whole",
]

Fits = Callable[[int, int], bool]


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


@dataclass(frozen=True)
class Contexts:
    """Which words a word is read after.

    Parameters
    ----------
    policy : {"growing", "sliding", "full", "sentence"}
        growing: from ``min_context`` to ``max_context`` words, then back. sliding: always
        ``max_context`` words, one pass a word. full: from the story's first word for as long
        as the model has positions, then growing from ``min_context`` words until they are
        full again. sentence: growing, but never across the end of a sentence.
    min_context, max_context : int
        In words, the current one included.
    protocol : {None, "huth2023"}
        "huth2023" is the growing window of the published code.

    Raises
    ------
    ValueError
        Unless ``1 <= min_context <= max_context``, and if the policy or the protocol is
        unknown, or they do not go together.
    TypeError
        If a context is no whole number.
    """

    policy: str = "growing"
    min_context: int = 256
    max_context: int = 512
    protocol: str | None = None

    def __post_init__(self) -> None:
        _check_name("policy", self.policy, POLICIES)
        _check_name("protocol", self.protocol, PROTOCOLS)
        sizes = list(self.sizes.values())
        check_sizes(sizes[0], sizes[-1])
        if self.protocol is not None and self.policy != "growing":
            msg = (
                f"protocol {self.protocol!r} and policy {self.policy!r} do not go together; the "
                "protocol is a growing window: leave one of them out."
            )
            raise ValueError(msg)

    @property
    def sizes(self) -> dict[str, int]:
        """The sizes that this policy looks at; the other changes no number."""
        unused = _NOT_LOOKED_AT.get(self.policy)
        sizes = {"min_context": self.min_context, "max_context": self.max_context}
        return {name: size for name, size in sizes.items() if name != unused}

    def plan(self, words: Sequence[str], fits: Fits) -> tuple[list[Window], list[int]]:
        """Plan a story's windows.

        Parameters
        ----------
        words : sequence of str
            The words of one story.
        fits : callable
            Tells whether the words from the first number to before the second fit into the
            model's positions; only the full policy asks.

        Returns
        -------
        windows : list of Window
        read_at : list of int, one for each word
            The word at which its vector is read.
        """
        if self.protocol == "huth2023":
            return plan_huth2023(words, self.min_context, self.max_context)
        return POLICIES[self.policy](words, self, fits), list(range(len(words)))


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


def _check_name(what: str, name: str | None, known: Iterable[str | None]) -> None:
    if name not in known:
        hint = did_you_mean(str(name), [one for one in known if one])
        choices = ", ".join(repr(one) for one in known if one)
        msg = f"{what} {name!r} is unknown; choose one of {choices}{hint}."
        raise ValueError(msg)


def whole(name: str, number: Any) -> int:
    """Return an argument as an int, or raise TypeError if it is no whole number."""
    try:
        return operator.index(number)
    except TypeError as error:
        msg = f"{name} is {number!r}; expected a whole number of type int."
        raise TypeError(msg) from error


def ends_sentence(word: str) -> bool:
    """Tell whether a word ends with a full stop, a question or exclamation mark, or an ellipsis.

    Closing quotes and brackets after the mark do not matter.
    """
    return word.rstrip("\"'”’»)]}").endswith((".", "?", "!", "…", "。", "？", "！"))


def _growing(words: Sequence[str], contexts: Contexts, fits: Fits) -> list[Window]:
    return plan_windows(len(words), contexts.min_context, contexts.max_context)


def _sliding(words: Sequence[str], contexts: Contexts, fits: Fits) -> list[Window]:
    return plan_windows(len(words), contexts.max_context, contexts.max_context)


def _full(words: Sequence[str], contexts: Contexts, fits: Fits) -> list[Window]:
    windows, first_new = [], 0
    while first_new < len(words):
        start = 0 if first_new == 0 else max(0, first_new + 1 - contexts.min_context)
        while start < first_new and not fits(start, first_new + 1):
            start += 1
        stop = _longest(start, first_new + 1, len(words), fits)
        windows.append(Window(start, stop, first_new))
        first_new = stop
    return windows


def _longest(start: int, least: int, most: int, fits: Fits) -> int:
    """Return the last stop up to which a window fits; at least ``least``."""
    while most > least:
        middle = (least + most + 1) // 2
        if fits(start, middle):
            least = middle
        else:
            most = middle - 1
    return least


def _sentence(words: Sequence[str], contexts: Contexts, fits: Fits) -> list[Window]:
    stops = [i + 1 for i, word in enumerate(words) if ends_sentence(word)]
    windows, start = [], 0
    for stop in dict.fromkeys([*stops, len(words)]):
        windows += [
            Window(start + one.start, start + one.stop, start + one.first_new)
            for one in plan_windows(stop - start, contexts.min_context, contexts.max_context)
        ]
        start = stop
    return windows


def _joins_previous(word: str) -> bool:
    return word == "'s" or not word.strip()


_NOT_LOOKED_AT = {"sliding": "min_context", "full": "max_context"}
PROTOCOLS = (None, "huth2023")
POLICIES: dict[str, Callable[[Sequence[str], Contexts, Fits], list[Window]]] = {
    "growing": _growing,
    "sliding": _sliding,
    "full": _full,
    "sentence": _sentence,
}
