"""Options of ``voxscale flatmap``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "Above", "Cmap", "Column", "Export", "Filestore", "Label", "Label2", "Labels", "Mask",
    "MaskColumn", "Outlines", "Picture", "Scores", "Second", "Stat", "StudyOut", "Subject",
    "Title", "Transform", "Vmax", "Vmax2", "Vmin", "Vmin2",
]  # fmt: skip


def _text(name: str, metavar: str, told: str) -> Any:
    return Annotated[str | None, typer.Option(name, metavar=metavar, help=told)]


def _number(name: str, told: str) -> Any:
    return Annotated[float | None, typer.Option(name, metavar="NUMBER", help=told)]


Scores = Annotated[
    Path,
    typer.Argument(
        metavar="SCORES",
        help="One value a voxel: .npy, .npz, .parquet, .csv, .tsv, NIfTI, GIFTI, or a study file.",
    ),
]
Filestore = Annotated[
    Path | None,
    typer.Option(
        "--filestore",
        metavar="DIR",
        help="Subjects of pycortex, such as a pycortex-db folder. A study's data set may name one.",
    ),
]
Picture = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Draw there: .png or .svg (or .pdf)."),
]
Export = Annotated[
    Path | None,
    typer.Option("--export", metavar="DIR", help="Write NIfTI or GIFTI there, named as by BIDS."),
]
Labels = Annotated[
    bool, typer.Option("--labels/--no-labels", help="Names of the outlines.", show_default=False)
]
Outlines = Annotated[
    bool,
    typer.Option("--outlines/--no-outlines", help="Outlines of regions.", show_default=False),
]
Mask = Annotated[
    str, typer.Option("--mask", metavar="NAME", help="Of the transform: whose voxels they are.")
]
Subject = _text("--subject", "NAME", "Whose values they are. Default: the only one.")
Transform = _text("--transform", "NAME", "Of the subject. Default: the only one, or NAME_auto.")
Column = _text(
    "--column",
    "NAME",
    "Column, key, or array of a study. Default: r, or the only column of numbers.",
)
Second = _text(
    "--second",
    "COLUMN",
    "Draw this column, too, as the second side of a 2-D colour map; it is exported, too.",
)
MaskColumn = _text(
    "--mask-column",
    "NAME",
    "Show only voxels where this column, such as cc_max, is more than --above.",
)
Above = _number("--above", "What --mask-column must exceed for a voxel to be shown.")
Cmap = _text("--cmap", "NAME", "Of matplotlib; with --second plasma_alpha, red_blue, …")
Vmin = _number("--vmin", "Lower end of the colour bar.")
Vmax = _number("--vmax", "Upper end of the colour bar.")
Vmin2 = _number("--vmin2", "Lower end of the second side.")
Vmax2 = _number("--vmax2", "Upper end of the second side.")
Label = _text("--label", "TEXT", "Of the colour bar. Default: the column.")
Label2 = _text("--label2", "TEXT", "Of its second side. Default: the second column.")
Stat = _text("--stat", "NAME", "What exported file names call the values. Default: the column.")
Title = _text("--title", "TEXT", "Default: the subject; of a study its model, layer and context.")
StudyOut = _text("--study-out", "DIR", "Folder of a study's results, instead of the file's.")
