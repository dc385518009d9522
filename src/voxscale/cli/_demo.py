"""``voxscale demo``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxscale.cli._options import Device
from voxscale.cli._plainly import plainly
from voxscale.cli._run import tell

if TYPE_CHECKING:
    from voxscale.study import Study

__all__ = ["demo"]

_FIRST_TIME = (
    "The demo takes some minutes the first time: it converts the packaged model and plants "
    "the responses (a minute or two), then shows its progress."
)


_SPEECH_MODEL = "whisper-tiny.en"
_SPEECH = f"""
[speech]                          # layers that are mixed with those of the language model
model = "{_SPEECH_MODEL}"
layers = [1, 2, 3, 4]             # 0 is the input of the first block
stride_s = 4.0                    # a window every second TR; the paper has 0.1
context_s = 16.0                  # of sound in a window, beside the stride
"""
_SPEECH_TIME = "Whisper hears the stories too, which takes some minutes more the first time."
_SPEECH_THERE = "Whisper has heard the stories already; only the mix of layers is left."


@plainly
def demo(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for everything it makes.")
    ] = Path("voxscale-demo"),
    device: Device = None,
    speech: Annotated[
        bool,
        typer.Option(
            "--speech",
            help=(
                "Mix layers of Whisper tiny.en with those of the language model, voxel by voxel. "
                "Keeps what an earlier demo computed."
            ),
        ),
    ] = False,
) -> None:
    """Run the packaged study and write its report; prints where it is."""
    from voxscale import reports
    from voxscale.study import Study, run
    from voxscale.study._plan import cell_store

    path = _study_file(out)
    is_added = speech and _add_speech(path)
    study = Study.from_toml(path)
    if is_added:
        typer.echo(_SPEECH_THERE if _has_heard(study) else _SPEECH_TIME, err=True)
    if not cell_store(study).keys():
        typer.echo(_FIRST_TIME, err=True)
    tell(run(study, device=device))
    typer.echo(reports.report(study))


def _has_heard(study: Study) -> bool:
    """Tell whether all features of the speech model are there, from an earlier demo."""
    from voxscale.study import plan
    from voxscale.study._plan import feature_store

    # A plan needs the planted responses: it is not made where nothing can be there.
    return bool(feature_store(study).keys()) and not plan(study).speech_passes


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


def _add_speech(path: Path) -> bool:
    """Add the table [speech] to a study file that has none; tell whether it had none."""
    from voxscale.features._models import find_model, locate
    from voxscale.store import write_aside
    from voxscale.study import Study
    from voxscale.study._toml import read_study_file

    text, tables = read_study_file(path)
    if "speech" in tables:
        return False
    locate(find_model(_SPEECH_MODEL, "speech"))
    with write_aside(path) as temporary:  # an error up to here leaves the file as it is
        temporary.write_text(text.rstrip() + "\n" + _SPEECH, encoding="utf-8")
        Study.from_toml(temporary)
    return True
