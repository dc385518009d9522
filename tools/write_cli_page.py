"""Write docs/cli.md from the commands' own help, so that the two cannot differ."""

from __future__ import annotations

from pathlib import Path

import click
import typer

from voxscale.cli import app

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cli.md"


def cli_page() -> str:
    """Return the page: the help of the program and of each command."""
    program = typer.main.get_command(app)
    parts = [
        "# Command line",
        "Written by `tools/write_cli_page.py` from `--help`. An error is one message on standard "
        "error and exit code 2; cells that failed, or some sounds that cannot be used, give exit "
        "code 1. `VOXSCALE_DEBUG=1` shows the traceback of an error.",
        _section("voxscale", program, None),
    ]
    with click.Context(program, info_name="voxscale") as parent:
        parts += _sections("voxscale", program, parent)
    return "\n\n".join(parts) + "\n"


def _sections(title: str, group: click.Group, parent: click.Context) -> list[str]:
    """Return a section for each command, those of a group after the group's own."""
    sections = []
    for name, command in group.commands.items():
        sections.append(_section(f"{title} {name}", command, parent))
        if hasattr(command, "commands"):
            with click.Context(command, info_name=name, parent=parent) as inner:
                sections += _sections(f"{title} {name}", command, inner)
    return sections


def _section(title: str, command: click.Command, parent: click.Context | None) -> str:
    name = title.split()[-1]
    with click.Context(command, info_name=name, parent=parent, terminal_width=80) as context:
        return f"## {title}\n\n```text\n{command.get_help(context)}\n```"


if __name__ == "__main__":
    PAGE.write_text(cli_page(), encoding="utf-8")
