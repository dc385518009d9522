"""``voxscale flatmap``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from voxscale.cli import _flatmap_options as option
from voxscale.cli._given import mistakes
from voxscale.cli._plainly import plainly

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["flatmap"]

_FORMATS = (".png", ".svg", ".pdf")
_AS_OPTIONS = {
    "pass transform=": "give --transform",
    "name one with subject=": "name one with --subject",
    "name the filestore": "give --filestore",
    "cmap is": "--cmap is",
    "vmin is": "--vmin is",
    "vmin2 is": "--vmin2 is",
    "stat is": "--stat is",
}


@plainly
def flatmap(
    scores: option.Scores,
    subject: option.Subject = None,
    filestore: option.Filestore = None,
    transform: option.Transform = None,
    mask: option.Mask = "thick",
    column: option.Column = None,
    second: option.Second = None,
    mask_column: option.MaskColumn = None,
    above: option.Above = None,
    cmap: option.Cmap = None,
    vmin: option.Vmin = None,
    vmax: option.Vmax = None,
    vmin2: option.Vmin2 = None,
    vmax2: option.Vmax2 = None,
    label: option.Label = None,
    label2: option.Label2 = None,
    title: option.Title = None,
    outlines: option.Outlines = True,
    labels: option.Labels = True,
    study_out: option.StudyOut = None,
    out: option.Picture = None,
    export: option.Export = None,
    stat: option.Stat = "r",
) -> None:
    """Draw values on the flattened cortex, or export them.

    One a voxel; prints where the files are. Values are those of a subject of pycortex, or 20,484
    of fsaverage5. Where there is none the folds show.
    """
    from voxscale import reports
    from voxscale.cli._map_files import read_map
    from voxscale.data import read_pycortex_subject

    _check(out, export, mask_column, above)
    with mistakes(_AS_OPTIONS):
        whose: Any = subject or "fsaverage5"
        if filestore is not None:
            whose = read_pycortex_subject(filestore, subject)
        values = read_map(scores, column, subject, study_out)
        if mask_column is not None:
            judge = read_map(scores, mask_column, subject, study_out)
            values = _shown(values, judge, f"{mask_column} > {above:g}", above)
        where: dict[str, Any] = {"transform": transform, "mask": mask}
        if out is not None:
            drawn: dict[str, Any] = {"outlines": "rois" if outlines else None, "labels": labels}
            drawn |= {"title": title, "vmin": vmin, "vmax": vmax, "label": label or column or "r"}
            if second is None:
                figure = reports.flatmap(values, whose, cmap=cmap, **where, **drawn)
            else:
                other = read_map(scores, second, subject, study_out)
                drawn |= {"vmin2": vmin2, "vmax2": vmax2, "label2": label2 or second}
                drawn["cmap"] = cmap or "plasma_alpha"
                figure = reports.flatmap_2d(values, other, whose, **where, **drawn)
            _save(figure, out)
        if export is not None:
            for path in reports.export_map(values, whose, export, stat=stat, **where):
                typer.echo(path)


def _check(
    out: Path | None, export: Path | None, mask_column: str | None, above: float | None
) -> None:
    from voxscale.errors import ConfigError

    if out is None and export is None:
        msg = "nothing is asked for; give --out FILE.png, --export DIR, or both."
        raise ConfigError(msg)
    if out is not None and out.suffix.lower() not in _FORMATS:
        msg = f"--out is {out}; expected a file that ends in {', '.join(_FORMATS)}."
        raise ConfigError(msg)
    if (mask_column is None) != (above is None):
        msg = "--mask-column and --above go together; give both, or neither."
        raise ConfigError(msg)


def _shown(values: Any, judge: Any, condition: str, above: float | None) -> Any:
    """Leave values out by another column, and say how many are left."""
    import numpy as np

    from voxscale.errors import AlignmentError

    if judge.shape != values.shape:
        msg = (
            f"there are {values.size:,} values and {judge.size:,} of {condition.split()[0]}; "
            "expected as many; they are of different voxels."
        )
        raise AlignmentError(msg)
    is_shown = np.isfinite(values) & (judge > above)
    typer.echo(f"{is_shown.sum():,} of {values.size:,} values have {condition}.", err=True)
    return np.where(is_shown, values, np.nan)


def _save(figure: Figure, path: Path) -> None:
    from voxscale.store import write_aside

    with write_aside(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower())
    typer.echo(path)
