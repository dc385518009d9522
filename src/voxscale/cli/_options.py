"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Device", "Out", "StudyFile"]

StudyFile = Annotated[
    Path, typer.Argument(metavar="STUDY", help="The study file, such as study.toml.")
]
Out = Annotated[
    str | None,
    typer.Option("--out", metavar="DIR", help="Folder of the results, instead of the file's."),
]
Device = Annotated[
    str | None,
    typer.Option("--device", metavar="NAME", help="cpu or cuda. Default: cuda if there is one."),
]
