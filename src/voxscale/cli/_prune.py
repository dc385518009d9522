"""``voxscale prune``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from voxscale.cli._options import Out, StudyFile
from voxscale.cli._plainly import plainly
from voxscale.errors import ConfigError

if TYPE_CHECKING:
    from voxscale.study import Orphans

__all__ = ["prune"]


@plainly
def prune(
    study: StudyFile,
    out: Out = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them without asking.")] = False,
) -> None:
    """Remove what the study file no longer names, after asking.

    That is results and features.
    """
    from voxscale.study import Study
    from voxscale.study import prune as remove

    listed: list[Orphans] = []

    def confirm(found: Orphans) -> bool:
        listed.append(found)
        typer.echo(found)
        return yes or _asked()

    removed = remove(Study.from_toml(study, out=out), confirm=confirm)
    if removed:
        typer.echo(f"removed {removed.summary}")
    else:
        typer.echo("nothing was removed." if listed else "there is nothing to remove.")


def _asked() -> bool:
    if not sys.stdin.isatty():
        msg = "nothing was removed: there is no terminal to ask in; add --yes to remove these."
        raise ConfigError(msg)
    return typer.confirm("Remove them?")
