"""``voxscale plan``."""

from __future__ import annotations

import typer

from voxscale.cli._options import Out, StudyFile
from voxscale.cli._plainly import plainly

__all__ = ["plan"]


@plainly
def plan(study: StudyFile, out: Out = None) -> None:
    """Check a study file and its data, and count what there is to do."""
    from voxscale.study import Study
    from voxscale.study import plan as made

    typer.echo(made(Study.from_toml(study, out=out)))
