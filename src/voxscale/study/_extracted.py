"""How far an extraction of features has come."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voxscale.data import Transcript

__all__ = ["Extracted", "Told"]


@dataclass(frozen=True)
class Extracted:
    """How far an extraction is; what a progress callable is given after every batch.

    Parameters
    ----------
    story : str
    n_stories_done, n_stories : int
    n_words_done, n_words : int
        Of all stories that had to be run.
    n_tokens : int
        Run so far.
    seconds : float
        Since the first batch began.
    """

    story: str
    n_stories_done: int
    n_stories: int
    n_words_done: int
    n_words: int
    n_tokens: int
    seconds: float

    @property
    def tokens_per_s(self) -> float:
        """Tokens run in a second."""
        return self.n_tokens / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long the rest may take; None before the first batch is done."""
        if not self.n_words_done:
            return None
        return self.seconds / self.n_words_done * (self.n_words - self.n_words_done)


class Told:
    """Counts what is read and tells somebody."""

    def __init__(
        self,
        progress: Callable[[Extracted], None] | None,
        n_stories: int,
        n_done: int,
        missing: Mapping[str, Transcript],
    ) -> None:
        self._progress, self._n_stories, self._n_done = progress, n_stories, n_done
        self._n_words = sum(map(len, missing.values()))
        self._n_words_done = self._n_tokens = 0
        self._began = time.monotonic()

    def add(self, story: str, n_words: int, n_tokens: int) -> None:
        self._n_words_done += n_words
        self._n_tokens += n_tokens
        self._tell(story)

    def end(self, story: str) -> None:
        self._n_done += 1
        self._tell(story)

    def _tell(self, story: str) -> None:
        if self._progress is not None:
            self._progress(
                Extracted(
                    story,
                    self._n_done,
                    self._n_stories,
                    self._n_words_done,
                    self._n_words,
                    self._n_tokens,
                    time.monotonic() - self._began,
                )
            )
