"""``voxscale flatmap``."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from voxscale.cli import _flatmap_options as option
from voxscale.cli._given import mistakes
from voxscale.cli._plainly import plainly
from voxscale.errors import ConfigError, VoxscaleWarning

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from voxscale.cli._study_map import StudyMaps

__all__ = ["flatmap"]

_FORMATS = (".png", ".svg", ".pdf")
_AS_OPTIONS = {
    "pass transform=": "give --transform",
    "name one with subject=": "name one with --subject",
    "name the filestore": "give --filestore",
    "cmap is": "--cmap is",
    "vmin2": "--vmin2",
    "vmax2": "--vmax2",
    "vmin": "--vmin",
    "vmax": "--vmax",
    "outlines=None": "--no-outlines",
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
    stat: option.Stat = None,
) -> None:
    """Draw values on the flattened cortex, or export them.

    One a voxel; prints where the files are. Values are those of a subject of pycortex, or 20,484
    of fsaverage5; those of a study are drawn on the cortex that its data set names. Where there is
    none the folds show.
    """
    import numpy as np

    from voxscale.cli._map_files import read_map
    from voxscale.cli._study_map import study_maps

    _check(out, export, mask_column, above)
    with mistakes(_AS_OPTIONS):
        found = study_maps(scores, subject, study_out) if scores.suffix.lower() == ".toml" else None
        read = partial(read_map, scores) if found is None else found.values
        values, other = read(column), None if second is None else read(second)
        stats = _stats(stat, column, second) if export is not None else ()
        if mask_column is not None:
            values = _shown(values, read(mask_column), f"{mask_column} > {above:g}", above)
        whose = _whose(subject, filestore, found)
        where: dict[str, Any] = {"transform": transform, "mask": mask}
        if found is not None:
            typer.echo(f"{found.title}: {' and '.join([column or 'r', *_some(second)])}.", err=True)
            title = found.title if title is None else title
        if out is not None:
            drawn: dict[str, Any] = {"outlines": "rois" if outlines else None, "labels": labels}
            drawn |= {"title": title, "vmin": vmin, "vmax": vmax, "label": label or column or "r"}
            drawn |= {"cmap": cmap}
            if second is not None:
                drawn |= {"vmin2": vmin2, "vmax2": vmax2, "label2": label2 or second}
                drawn["cmap"] = cmap or "plasma_alpha"
            _draw(values, other, whose, out, **where, **drawn)
        elif not np.isfinite(values).any():
            warnings.warn("no voxel has a value: all are NaN.", VoxscaleWarning, stacklevel=1)
        for name, of_what in zip(stats, (values, other), strict=False):
            for path in _export(of_what, whose, export, stat=name, **where):
                typer.echo(path)


def _some(name: str | None) -> list[str]:
    return [] if name is None else [name]


def _whose(subject: str | None, filestore: Path | None, found: StudyMaps | None) -> Any:
    """Find what to draw on: the filestore's, or what the data set of a study names."""
    from voxscale.data import read_pycortex_subject

    if filestore is not None:
        return read_pycortex_subject(filestore, subject)
    return (subject or "fsaverage5") if found is None else found.surface()


def _draw(values: Any, other: Any, whose: Any, out: Path, **drawn: Any) -> None:
    from voxscale import reports

    if other is None:
        _save(reports.flatmap(values, whose, **drawn), out)
    else:
        _save(reports.flatmap_2d(values, other, whose, **drawn), out)


def _export(*args: Any, **options: Any) -> Any:
    from voxscale import reports

    return reports.export_map(*args, **options)


def _stats(stat: str | None, column: str | None, second: str | None) -> tuple[str, ...]:
    """Name what is exported: as by --stat, or the letters and digits of the columns."""
    own, *more = ("".join(filter(str.isalnum, one)) for one in [column or "r", *_some(second)])
    names = (stat or own, *more)
    if len(set(names)) < len(names):
        msg = (
            f"--export would write {second!r} over the first, as both are called {names[0]!r}; "
            "expected two names; give another --stat."
        )
        raise ConfigError(msg)
    return names


def _check(
    out: Path | None, export: Path | None, mask_column: str | None, above: float | None
) -> None:
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
