"""How far an extraction is: a bar in a terminal, elsewhere a line for each story."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxscale.study import Extracted

__all__ = ["extraction_progress"]


@contextmanager
def extraction_progress() -> Iterator[Any]:
    """Yield what shows a bar in a terminal, elsewhere a line for each story."""
    from rich import progress as rich
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(bar_width=30),
        rich.TextColumn("{task.fields[rate]}"),
    )
    with rich.Progress(*columns, console=console) as bars:
        task = bars.add_task("loading the model", total=None, rate="")

        def tell(one: Extracted) -> None:
            bars.update(
                task,
                description=f"{one.n_stories_done}/{one.n_stories} stories",
                total=one.n_words,
                completed=one.n_words_done,
                rate=_rate(one),
            )

        yield tell


class _Lines:
    """Writes a line when a story is done."""

    def __init__(self) -> None:
        self._done = -1

    def __call__(self, one: Extracted) -> None:
        if self._done < 0:
            self._done = one.n_stories_done
        if one.n_stories_done > self._done:
            self._done = one.n_stories_done
            line = f"[stories {one.n_stories_done}/{one.n_stories}] {one.story}: {_rate(one)}\n"
            sys.stderr.write(line)
            sys.stderr.flush()


def _rate(one: Extracted) -> str:
    from voxscale.study import duration

    left = one.seconds_left
    rest = "" if not left else f"; {duration(left)} left"
    return f"{one.tokens_per_s:,.0f} tokens/s{rest}"
