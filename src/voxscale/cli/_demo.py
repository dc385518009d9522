"""``voxscale demo``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from voxscale.cli._options import Device
from voxscale.cli._plainly import plainly
from voxscale.cli._run import tell

__all__ = ["demo"]

_FIRST_TIME = (
    "The demo takes some minutes the first time: it converts the packaged model and plants "
    "the responses (about a minute without a word), then shows its progress."
)


@plainly
def demo(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for everything it makes.")
    ] = Path("voxscale-demo"),
    device: Device = None,
) -> None:
    """Run the packaged study and write its report; prints where it is."""
    from voxscale import reports
    from voxscale.study import Study, run
    from voxscale.study._plan import cell_store

    study = Study.from_toml(_study_file(out))
    if not cell_store(study).keys():
        typer.echo(_FIRST_TIME, err=True)
    tell(run(study, device=device))
    typer.echo(reports.report(study))


def _study_file(folder: Path) -> Path:
    """Copy the packaged study file, to run in its own folder; keep one that is there."""
    from importlib.resources import files

    from voxscale.store import write_aside

    path = folder / "demo.toml"
    if not path.exists():
        text = (files("voxscale.synthetic") / "demo.toml").read_text(encoding="utf-8")
        here = re.sub(r'(?m)^out = ".*"', 'out = "."', text)
        with write_aside(path) as temporary:
            temporary.write_text(here, encoding="utf-8")
    return path
