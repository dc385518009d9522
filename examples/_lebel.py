"""Two people listening to Moth stories (LeBel et al. 2023), as principal components.

Row r of the responses is TR r + 10 of a story, and its text was heard in the TR before it.
"""

import gzip
import json
from pathlib import Path

import numpy as np

import voxscale as vs
from voxscale.errors import DataError

NAMES = SUBJECTS = ("uts01", "uts02")
TEXT = "lebel_tr_text.json.gz"
RESPONSES = {name: f"lebel_{name}_pc200_f16.npz" for name in NAMES}
TR_S, FIRST_TR, LAST_TRS = 2.0, 10, 5
RECIPE = vs.DesignRecipe(delays=(1, 2, 3, 4, 5), trim=(FIRST_TR, LAST_TRS))


def lacking(folder: Path, files: list[str]) -> str:
    """Say which file is not there; empty if all are."""
    absent = [folder / file for file in files if not (folder / file).is_file()]
    return f"there is no {absent[0]}; see 'Real recordings' in docs/data.md" if absent else ""


def transcripts(folder: Path) -> dict[str, vs.Transcript]:
    """Read the words of all stories."""
    with gzip.open(folder / TEXT) as text:
        return {story: _transcript(entry["trs"]) for story, entry in json.load(text).items()}


def responses(folder: Path, name: str) -> dict[str, dict[str, vs.TRSeries]]:
    """Read the components of one person: {"train" or "test": {story: TRSeries}}."""
    parts: dict[str, dict[str, vs.TRSeries]] = {"train": {}, "test": {}}
    with np.load(folder / RESPONSES[name]) as stored:
        for key in stored.files:
            part, story = key.split("/")
            values = stored[key].astype(np.float32)
            tr_times = TR_S * (np.arange(FIRST_TR + len(values) + LAST_TRS) + 0.5)
            parts[part][story] = vs.TRSeries(values, story, FIRST_TR, tr_times)
    return parts


def _transcript(trs: list[str]) -> vs.Transcript:
    """Spread the words of each TR evenly over it."""
    words, onset_s, offset_s = [], [], []
    for row, text in enumerate(trs):
        heard = text.split()
        edges = TR_S * (row + FIRST_TR - 1) + np.linspace(0, TR_S, len(heard) + 1)
        words, onset_s, offset_s = words + heard, [*onset_s, *edges[:-1]], [*offset_s, *edges[1:]]
    return vs.Transcript(words, onset_s, offset_s)


def load(subject: str, root: Path | None = None) -> vs.Dataset:
    """Read one person, as a study file asks for it: ``dataset = "./_lebel.py"``."""
    folder = Path() if root is None else Path(root)
    if complaint := lacking(folder, [TEXT, RESPONSES[subject]]):
        raise DataError(complaint)
    parts, words = responses(folder, subject), transcripts(folder)
    series = parts["train"] | parts["test"]
    return vs.Dataset(
        "lebel", subject, {run: words[run] for run in series}, series, {},
        train=tuple(parts["train"]), test=tuple(sorted(parts["test"])), tr_s=TR_S,
        licence="CC0", citation="LeBel et al. 2023, Scientific Data 10:555, ds003020",
    )  # fmt: skip
