"""``voxscale run``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from voxscale.cli._options import Device, Out, StudyFile
from voxscale.cli._plainly import plainly

if TYPE_CHECKING:
    from voxscale.study import RunSummary

__all__ = ["run", "tell"]

_SOME_FAILED = 1


@plainly
def run(study: StudyFile, out: Out = None, device: Device = None) -> None:
    """Compute what a study still lacks; running again is resuming."""
    from voxscale.study import Study
    from voxscale.study import run as fill

    tell(fill(Study.from_toml(study, out=out), device=device))


def tell(summary: RunSummary) -> None:
    """Print what a run did; where cells failed, say where the tracebacks are and end there."""
    typer.echo(summary)
    if summary.failed:
        typer.echo(f"The tracebacks are in {summary.out}/cells/*.failed.json", err=True)
        raise typer.Exit(_SOME_FAILED)
