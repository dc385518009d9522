"""The report of a study: one page that needs nothing but itself, and files beside it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from voxscale._version import __version__
from voxscale.reports import _sections as sections
from voxscale.reports._baselines import beyond_baselines
from voxscale.reports._grids import in_two_sizes
from voxscale.reports._layer_comparison import two_layers
from voxscale.reports._reading import Material, read_material
from voxscale.reports._scores import numbers_to_report
from voxscale.reports._size import by_size
from voxscale.reports._slopes import voxel_slopes
from voxscale.reports._stacking import mixed_layers
from voxscale.reports._style import PAGE_WIDTH, encoded, rendered
from voxscale.reports._tables import Drawing, Section
from voxscale.reports._what_ran import what_ran
from voxscale.store import write_aside
from voxscale.study import results

if TYPE_CHECKING:
    from voxscale.study import Results, Study

__all__ = ["report", "write_report"]

_PAGE_PIXELS = 960  # width of a figure as wide as the page
_LIST = ".written.json"  # in figures/: names of the files that a report wrote there

# A row per section, in their order.
_SECTIONS: tuple[Callable[[Material], Section], ...] = (
    what_ran,
    numbers_to_report,
    sections.by_layer,
    by_size,
    in_two_sizes,
    voxel_slopes,
    beyond_baselines,
    mixed_layers,
    two_layers,
    sections.against_ceiling,
    sections.on_cortex,
    sections.single_voxels,
    sections.found_and_planted,
)


class _Image(NamedTuple):
    base64: str
    width: int
    height: int


def report(study: Study | str | Path, *, out: str | Path | None = None) -> Path:
    """Write a page that shows what a study found, and the numbers behind its figures.

    A study that is not finished has a report too: of the cells that are done. What cannot be
    shown, for want of repeats or of a second layer, is said in a sentence.

    Parameters
    ----------
    study : Study, or path of a study file
    out : path, optional
        Folder to write into. Default: the folder of the study's results.

    Returns
    -------
    Path
        ``report.html`` in that folder: figures and style are inside, and no network is needed.
        Beside it lies ``figures/`` with each figure as png and its numbers as csv, or as
        parquet where there is one row per voxel, and the table of all cells as ``cells.csv``.
        What an earlier report wrote there and this one does not, goes; other files stay.

    Raises
    ------
    StoreError
        If nothing is done yet, a result is damaged, or the folder cannot be written to.
    ConfigError, DataError
        As :func:`voxscale.plan`.
    """
    found = results(study)
    return write_report(found, found.study.out if out is None else out)


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
    files, images = _files_of(made)
    text = _render(found.study, made, images)
    _write(folder, text, files)
    return folder / "report.html"


def _write(folder: Path, text: str, files: Mapping[str, bytes]) -> None:
    """Write the page and the files in figures/; nothing is put in place before all is written.

    Whose folder figures/ is cannot be known: ``out`` may be any. So files are replaced one by one,
    and only those go that an earlier report has on its list.
    """
    figures = folder / "figures"
    stale = _listed(figures) - set(files)
    listed = json.dumps(sorted(files), indent=1).encode()
    with ExitStack() as stack:  # the last to come is the first in place
        for path, content in (
            (folder / "report.html", text.encode()),
            (figures / _LIST, listed),
            *((figures / name, content) for name, content in files.items()),
        ):
            stack.enter_context(write_aside(path)).write_bytes(content)
    for name in stale:
        with suppress(OSError):  # gone already, or no longer a file
            (figures / name).unlink()


def _listed(figures: Path) -> set[str]:
    """Read which files an earlier report wrote; none, where no list can be read."""
    try:
        names = json.loads((figures / _LIST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    if not isinstance(names, list):
        return set()
    return {name for name in names if isinstance(name, str) and name and Path(name).name == name}


def _files_of(made: Sequence[Section]) -> tuple[dict[str, bytes], dict[str, _Image]]:
    """Return figures and numbers as files, and the figures as they go into the page.

    A second thread writes what the first one draws: compression does without the interpreter.
    """
    with ThreadPoolExecutor(1) as pool:
        later = {name: pool.submit(write, of) for name, write, of in _tasks(made)}
        files = {name: one.result() for name, one in later.items()}
    drawings = [drawing for section in made for drawing in section.drawings]
    images = {one.name: _image_of(one, files[f"{one.name}.png"]) for one in drawings}
    return files, images


def _tasks(made: Sequence[Section]) -> Iterator[tuple[str, Callable[[Any], bytes], Any]]:
    """Name each file, what writes it, and of what."""
    for section in made:
        for table in section.tables:
            if table.name:
                yield f"{table.name}.csv", _csv, table.numbers
        for drawing in section.drawings:
            yield f"{drawing.name}.png", encoded, rendered(drawing.figure)
            write = _parquet if drawing.is_per_voxel else _csv
            yield drawing.numbers_file, write, drawing.numbers
            for name, numbers in drawing.also.items():
                yield f"{name}.csv", _csv, numbers


def _parquet(numbers: Any) -> bytes:
    return bytes(numbers.to_parquet(index=False))


def _csv(numbers: Any) -> bytes:
    return bytes(numbers.to_csv(index=False).encode())


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
        lead=_lead(study),
        sections=made,
        images=images,
        version=__version__,
    )


def _lead(study: Study) -> str:
    """Name the data set and every model."""
    models = [*study.models, *([study.speech.model] if study.speech else [])]
    named = ", ".join(map(repr, models[:-1])) + " and " if len(models) > 1 else ""
    return f"Encoding models of the data set {study.dataset_name!r} from {named}{models[-1]!r}."
