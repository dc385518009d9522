"""The commands, a row each."""

from __future__ import annotations

from typing import Annotated

import typer

from voxscale._version import __version__
from voxscale.cli._convert import convert
from voxscale.cli._demo import demo
from voxscale.cli._features import features
from voxscale.cli._fetch import fetch
from voxscale.cli._flatmap import flatmap
from voxscale.cli._inspect import inspect
from voxscale.cli._plan import plan
from voxscale.cli._power import power
from voxscale.cli._prune import prune
from voxscale.cli._report import report
from voxscale.cli._results import results
from voxscale.cli._run import run
from voxscale.cli._status import status

__all__ = ["app", "main"]

_HELP = "Voxelwise encoding models of fMRI from the hidden states of language and speech models."

# Plain text and plain tracebacks: rich would be imported for every --help.
app = typer.Typer(
    name="voxscale",
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
_COMMANDS = (
    demo, plan, run, status, results, report, power, prune, fetch, inspect, convert, flatmap,
)  # fmt: skip
for command in _COMMANDS:
    app.command()(command)
app.add_typer(features, name="features")


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"voxscale {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line."""
    app(prog_name="voxscale")
