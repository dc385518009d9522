"""``voxscale report``."""

from __future__ import annotations

import typer

from voxscale.cli._options import Out, StudyFile
from voxscale.cli._plainly import plainly

__all__ = ["report"]


@plainly
def report(study: StudyFile, out: Out = None) -> None:
    """Draw the figures and write report.html; prints where it is."""
    from voxscale import reports
    from voxscale.study import Study

    typer.echo(reports.report(Study.from_toml(study, out=out)))
