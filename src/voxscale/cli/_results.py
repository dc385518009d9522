"""``voxscale results``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxscale.cli._options import Out, StudyFile
from voxscale.cli._plainly import plainly

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["results"]

_SHOWN = (
    "subject", "kind", "model", "layer", "context", "bands", "n_stories", "asked_hours",
    "hours", "draw", "what", "on", "metric", "unit", "stories", "reducer", "value", "n_voxels",
)  # fmt: skip
_NUMBERS = ("value", "n_voxels")
_STDOUT = "-"


@plainly
def results(
    study: StudyFile,
    out: Out = None,
    subject: Annotated[
        str | None, typer.Option("--subject", metavar="NAME", help="Of one subject alone.")
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            "--where",
            metavar="CONDITIONS",
            help="Rows for which all are true: 'layer == 9 and metric == \"r\"'.",
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv", metavar="FILE", help="Write all columns there instead; - for standard output."
        ),
    ] = None,
) -> None:
    """List every score with its metric, unit, stories and reducer."""
    from voxscale.cli._where import choose_rows
    from voxscale.study import Study
    from voxscale.study import results as collect

    found = collect(Study.from_toml(study, out=out))
    table = found.scores
    if subject is not None:
        _check(subject, found.subjects)
        table = table[table["subject"] == subject]
    if where is not None:
        table = choose_rows(table, where)
    if csv is None:
        typer.echo(_as_text(table))
    elif str(csv) == _STDOUT:
        typer.echo(table.to_csv(index=False), nl=False)
    else:
        _write(table, csv)
        typer.echo(csv)


def _write(table: pd.DataFrame, path: Path) -> None:
    from voxscale.store import write_aside

    with write_aside(path) as temporary:
        table.to_csv(temporary, index=False)


def _check(subject: str, known: tuple[str, ...]) -> None:
    from voxscale.errors import ConfigError, did_you_mean

    if subject not in known:
        hint = did_you_mean(subject, known)
        msg = f"no cell of subject {subject!r} is done{hint}; there are {', '.join(known)}."
        raise ConfigError(msg)


def _as_text(table: pd.DataFrame) -> str:
    """Write a row for each score; what is the same in all of them is said once."""
    if table.empty:
        return "no score is like that."
    shown = table[list(_SHOWN)].astype(object)
    shown["value"] = [f"{value:.4f}" for value in shown["value"]]
    shown["hours"] = table["hours"].map("{:.3g}".format, na_action="ignore")
    shown = shown.where(shown.notna(), "")
    same = [name for name in _SHOWN if name not in _NUMBERS and shown[name].nunique() == 1]
    told = [f"{name} {shown[name].iloc[0]}" for name in same if shown[name].iloc[0] != ""]
    rows = str(shown.drop(columns=same).to_string(index=False))
    return f"all rows: {', '.join(told)}\n{rows}" if told else rows
