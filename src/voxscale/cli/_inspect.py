"""``voxscale inspect``."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from voxscale.cli._plainly import plainly

__all__ = ["inspect"]


@plainly
def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of joblib or pickle.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    max_gib: Annotated[
        float | None,
        typer.Option("--max-gib", metavar="X", help="Most that the file may unpack to, in GiB."),
    ] = None,
) -> None:
    """List what a .jbl or .pkl file holds, running nothing.

    Nor is anything of it held: arrays are passed over.
    """
    from voxscale.data import inspect_released

    entries = inspect_released(file, max_gib=max_gib)
    if as_json:
        rows = [dataclasses.asdict(one) for one in entries]
        typer.echo(json.dumps(rows, indent=1, default=str))
        return
    cells = [("where", "what", "type", "shape", "bytes")]
    for one in entries:
        shape = " × ".join(map(str, one.shape))
        cells.append((one.name or "(the whole)", one.kind, one.dtype, shape, f"{one.n_bytes:,}"))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        *texts, size = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        typer.echo("  ".join([*texts, size.strip().rjust(widths[-1])]))
