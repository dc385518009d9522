"""``voxscale status``."""

from __future__ import annotations

import typer

from voxscale.cli._options import Out, StudyFile
from voxscale.cli._plainly import plainly

__all__ = ["status"]


@plainly
def status(study: StudyFile, out: Out = None) -> None:
    """Count what is done along each axis, and list what failed."""
    from voxscale.study import Study
    from voxscale.study import status as made

    typer.echo(made(Study.from_toml(study, out=out)))
