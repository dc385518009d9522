"""``voxscale convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxscale.cli._plainly import plainly
from voxscale.errors import ConfigError

__all__ = ["convert"]


@plainly
def convert(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE... OUT", help="Files of joblib or pickle, and a folder."),
    ],
    max_gib: Annotated[
        float | None,
        typer.Option("--max-gib", metavar="X", help="Most that a file may unpack to, in GiB."),
    ] = None,
) -> None:
    """Convert .jbl or .pkl files to Zarr, parquet and text.

    Nothing in them is run. Arrays are streamed. What is done is kept, so that the same command
    goes on.
    """
    from voxscale.data._released._convert import convert_and_tell

    *paths, out = files
    if not paths:
        msg = f"only {out} is named; expected one file or more, and then the folder to write to."
        raise ConfigError(msg)
    manifest, done = convert_and_tell(paths, out, max_gib=max_gib)
    for path in paths:
        written = manifest[path.stem]["written"]
        n_bytes = sum(one["n_bytes"] for one in written)
        tops = sorted({one["name"].split("/")[0] for one in written})
        places = " and ".join(str(out / top) for top in tops)
        there = "already there: " if path.stem in done else ""
        typer.echo(f"{path}: {there}{len(written)} files, {n_bytes:,} bytes in {places}")
