"""How far an extraction is: a bar in a terminal, elsewhere a line for each story."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxscale.study import Extracted, SpeechProgress

__all__ = ["extraction_progress", "of_windows", "of_words"]

# How much is done, of how much, and how fast.
Amount = Callable[[Any], tuple[int, int, str]]


def of_words(one: Extracted) -> tuple[int, int, str]:
    """Count the words of a language model, and the tokens that it is run on."""
    return one.n_words_done, one.n_words, f"{one.tokens_per_s:,.0f} tokens/s"


def of_windows(one: SpeechProgress) -> tuple[int, int, str]:
    """Count the windows of a speech model."""
    return one.n_windows_done, one.n_windows, f"{one.windows_per_s:,.1f} windows/s"


@contextmanager
def extraction_progress(amount: Amount = of_words) -> Iterator[Any]:
    """Yield what shows a bar in a terminal, elsewhere a line for each story."""
    from rich import progress as rich
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(amount)
        return
    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(bar_width=30),
        rich.TextColumn("{task.fields[rate]}"),
    )
    with rich.Progress(*columns, console=console) as bars:
        task = bars.add_task("loading the model", total=None, rate="")

        def tell(one: Any) -> None:
            n_done, n_all, _ = amount(one)
            bars.update(
                task,
                description=f"{one.n_stories_done}/{one.n_stories} stories",
                total=n_all,
                completed=n_done,
                rate=_rate(one, amount),
            )

        yield tell


class _Lines:
    """Writes a line when a story is done."""

    def __init__(self, amount: Amount) -> None:
        self._amount = amount
        self._done = -1

    def __call__(self, one: Any) -> None:
        if self._done < 0:
            self._done = one.n_stories_done
        if one.n_stories_done > self._done:
            self._done = one.n_stories_done
            line = f"[stories {one.n_stories_done}/{one.n_stories}] {one.story}: "
            sys.stderr.write(f"{line}{_rate(one, self._amount)}\n")
            sys.stderr.flush()


def _rate(one: Any, amount: Amount) -> str:
    from voxscale.study import duration

    left = one.seconds_left
    rest = "" if not left else f"; {duration(left)} left"
    return f"{amount(one)[2]}{rest}"
