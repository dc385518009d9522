"""How far a run has come: to a callable, to a bar in a terminal, or line by line."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Progress", "duration", "reporting", "size"]


@dataclass(frozen=True)
class Progress:
    """One thing begun, done or failed; what a progress callable is given.

    Parameters
    ----------
    phase : {"features", "cells"}
    state : {"start", "done", "failed"}
    done : int
        How many of this phase are behind us, failed ones included.
    total : int
    label : str
        What it is, in words.
    seconds : float
        Since the phase began.
    """

    phase: Literal["features", "cells"]
    state: Literal["start", "done", "failed"]
    done: int
    total: int
    label: str
    seconds: float

    @property
    def seconds_left(self) -> float | None:
        """How long the rest of the phase may take; None before the first is done."""
        return self.seconds / self.done * (self.total - self.done) if self.done else None


class Steps:
    """Counts the steps of one phase and tells somebody."""

    def __init__(
        self, phase: Literal["features", "cells"], total: int, tell: Callable[[Progress], None]
    ) -> None:
        self._phase, self._total, self._tell = phase, total, tell
        self._done, self._began = 0, time.monotonic()

    def start(self, label: str) -> None:
        """Say what is begun."""
        self._say("start", label)

    def end(self, label: str, *, is_failed: bool = False) -> None:
        """Say that it is over."""
        self._done += 1
        self._say("failed" if is_failed else "done", label)

    def _say(self, state: Literal["start", "done", "failed"], label: str) -> None:
        seconds = time.monotonic() - self._began
        self._tell(Progress(self._phase, state, self._done, self._total, label, seconds))


@contextmanager
def reporting(
    progress: bool | Callable[[Progress], None],  # noqa: FBT001 - one option, given by keyword
) -> Iterator[Callable[[Progress], None]]:
    """Yield whom to tell: the callable given, nobody, or a bar or lines on stderr."""
    if callable(progress):
        yield progress
    elif not progress:
        yield lambda _: None
    else:
        from rich.console import Console

        console = Console(stderr=True)
        if console.is_terminal or console.is_jupyter:
            with _bar(console) as tell:
                yield tell
        else:
            yield _line


@contextmanager
def _bar(console: Any) -> Iterator[Callable[[Progress], None]]:
    from rich import progress as rich

    columns = (
        rich.TextColumn("{task.description:>8}"),
        rich.BarColumn(bar_width=30),
        rich.MofNCompleteColumn(),
        rich.TextColumn("{task.fields[left]}"),
        rich.TextColumn("{task.fields[label]}", style="dim"),
    )
    with rich.Progress(*columns, console=console) as bars:
        tasks: dict[str, Any] = {}

        def tell(step: Progress) -> None:
            if step.phase not in tasks:
                tasks[step.phase] = bars.add_task(step.phase, total=None, label="", left="")
            left = step.seconds_left
            bars.update(
                tasks[step.phase],
                total=step.total,
                completed=step.done,
                left="" if left is None or step.done == step.total else f"{duration(left)} left",
                label="" if step.done == step.total else step.label,
            )
            if step.state == "failed":
                bars.console.print(f"failed: {step.label}", markup=False, highlight=False)

        yield tell


def _line(step: Progress) -> None:
    if step.state == "start":
        return
    note = "failed: " if step.state == "failed" else ""
    left = step.seconds_left
    rest = f"; {duration(left)} left" if left is not None and step.done < step.total else ""
    sys.stderr.write(f"[{step.phase} {step.done}/{step.total}] {note}{step.label}{rest}\n")
    sys.stderr.flush()


def size(n_bytes: float) -> str:
    """Tell a number of bytes as people do.

    Examples
    --------
    >>> size(999), size(45_300_000)
    ('999 B', '45 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"


def duration(seconds: float) -> str:
    """Write a length of time for people.

    Examples
    --------
    >>> duration(0.4), duration(75), duration(7300)
    ('0 s', '1 min 15 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
