"""The report of a study: one page that needs nothing but itself, and files beside it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from voxscale._version import __version__
from voxscale.reports import _sections as sections
from voxscale.reports._reading import Material, read_material
from voxscale.reports._size import by_size
from voxscale.reports._style import PAGE_WIDTH, png
from voxscale.reports._tables import Drawing, Section
from voxscale.reports._what_ran import what_ran
from voxscale.store import folder_aside, write_aside
from voxscale.study import results

if TYPE_CHECKING:
    from voxscale.study import Results, Study

__all__ = ["report", "write_report"]

_PAGE_PIXELS = 960  # width of a figure as wide as the page

# A row per section, in their order.
_SECTIONS: tuple[Callable[[Material], Section], ...] = (
    what_ran,
    sections.by_layer,
    by_size,
    sections.against_ceiling,
    sections.on_cortex,
    sections.single_voxels,
    sections.found_and_planted,
)


class _Image(NamedTuple):
    base64: str
    width: int
    height: int


def report(study: Study, *, out: str | Path | None = None) -> Path:
    """Write a page that shows what a study found, and the numbers behind its figures.

    A study that is not finished has a report too: of the cells that are done. What cannot be
    shown, for want of repeats or of a second layer, is said in a sentence.

    Parameters
    ----------
    study : Study
    out : path, optional
        Folder to write into. Default: the folder of the study's results.

    Returns
    -------
    Path
        ``report.html`` in that folder: figures and style are inside, and no network is needed.
        Beside it lies ``figures/`` with each figure as png and its numbers as csv, or as
        parquet where there is one row per voxel. That folder is replaced as a whole: what an
        earlier report left there goes.

    Raises
    ------
    StoreError
        If nothing is done yet, a result is damaged, or the folder cannot be written to.
    ConfigError, DataError
        As :func:`voxscale.plan`.
    """
    return write_report(results(study), study.out if out is None else out)


def write_report(found: Results, out: str | Path) -> Path:
    """Write the report of results at hand; see :func:`report`.

    Parameters
    ----------
    found : Results
    out : path

    Returns
    -------
    Path
        ``out/report.html``.
    """
    folder = Path(out)
    material = read_material(found)
    made = [make(material) for make in _SECTIONS]
    with folder_aside(folder / "figures") as figures:
        text = _render(found.study, made, _write_files(made, figures))
    page = folder / "report.html"
    with write_aside(page) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return page


def _write_files(made: Sequence[Section], folder: Path) -> dict[str, _Image]:
    """Write figures and numbers, and return the figures as they go into the page."""
    images = {}
    for section in made:
        for table in section.tables:
            if table.name:
                _write_numbers(table.numbers, folder / f"{table.name}.csv")
        for drawing in section.drawings:
            picture = png(drawing.figure)
            (folder / f"{drawing.name}.png").write_bytes(picture)
            _write_numbers(drawing.numbers, folder / drawing.numbers_file)
            for name, numbers in drawing.also.items():
                _write_numbers(numbers, folder / f"{name}.csv")
            images[drawing.name] = _image_of(drawing, picture)
    return images


def _write_numbers(numbers: Any, path: Path) -> None:
    if path.suffix == ".csv":
        numbers.to_csv(path, index=False)
    else:
        numbers.to_parquet(path, index=False)


def _image_of(drawing: Drawing, picture: bytes) -> _Image:
    width_in, height_in = drawing.figure.get_size_inches()
    width = round(_PAGE_PIXELS * width_in / PAGE_WIDTH)
    return _Image(base64.b64encode(picture).decode(), width, round(width * height_in / width_in))


def _render(study: Study, made: Sequence[Section], images: dict[str, _Image]) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=False)
    source = (files("voxscale.reports") / "page.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source).render(
        title=study.name,
        lead=f"Encoding models of the data set {study.dataset!r} from {study.model!r}.",
        sections=made,
        images=images,
        version=__version__,
    )
