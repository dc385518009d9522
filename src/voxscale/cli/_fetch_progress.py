"""How far a fetch is: a bar of bytes in a terminal, elsewhere a line for each file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voxscale.data._fetch_plan import FetchPlan

__all__ = ["fetch_progress"]


@contextmanager
def fetch_progress() -> Iterator[tuple[Callable[[FetchPlan], None], Callable[[str, int], None]]]:
    """Yield what takes the plan, and what takes a file's path and its bytes that are there."""
    from rich import progress as rich
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        lines = _Lines()
        yield lines.begin, lines
        return
    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(bar_width=30),
        rich.DownloadColumn(),
        rich.TransferSpeedColumn(),
        rich.TimeRemainingColumn(),
    )
    arrived: dict[str, int] = {}
    with rich.Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task("", total=None, visible=False)

        def begin(plan: FetchPlan) -> None:
            n_bytes = sum(one.n_bytes or 0 for one in plan.missing)
            bars.update(task, total=n_bytes, visible=bool(plan.missing))

        def tell(path: str, n_bytes: int) -> None:
            arrived[path] = n_bytes
            bars.update(task, description=path[-40:], completed=sum(arrived.copy().values()))

        yield begin, tell


class _Lines:
    """Writes a line when all of a file has arrived."""

    def __init__(self) -> None:
        self._n_bytes: dict[str, int | None] = {}

    def begin(self, plan: FetchPlan) -> None:
        """Take down how large the files are."""
        self._n_bytes = {one.path: one.n_bytes for one in plan.missing}

    def __call__(self, path: str, n_bytes: int) -> None:
        if n_bytes and n_bytes == self._n_bytes.get(path):
            del self._n_bytes[path]
            sys.stderr.write(f"{path}: {n_bytes:,} bytes\n")
            sys.stderr.flush()
