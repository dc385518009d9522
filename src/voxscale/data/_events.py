"""When sounds began in a scan, from the events of a BIDS data set."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from voxscale.data._files import as_number, kind_of, read_text
from voxscale.errors import DataError

__all__ = ["SoundEvent", "events_file", "read_sounds"]


@dataclass(frozen=True)
class SoundEvent:
    """A stimulus file and when it began, in seconds from the start of the scan.

    ``label`` is what the events call it, such as "story" or "music".
    """

    file: str
    onset_s: float
    label: str

    @property
    def stem(self) -> str:
        """Name of the file without folder, ending and "_audio".

        Examples
        --------
        >>> SoundEvent("pieman_audio.wav", 15.0, "story").stem
        'pieman'
        """
        return PurePosixPath(self.file).stem.removesuffix("_audio")


def read_sounds(path: Path) -> list[SoundEvent]:
    """Read the rows of an ``events.tsv`` that name a stimulus file; none without that column.

    Raises
    ------
    DataError
        If the file cannot be read, or an onset is no number.
    """
    lines = [line.split("\t") for line in read_text(path).split("\n") if line.strip()]
    names = [name.strip().lower() for name in lines[0]]
    if "stim_file" not in names or "onset" not in names:
        return []
    label = names.index("trial_type") if "trial_type" in names else None
    found = []
    for number, cells in enumerate(lines[1:], start=2):
        if len(cells) != len(names):
            msg = (
                f"{path}, line {number}: {len(cells)} cells; expected {len(names)}; mend the line."
            )
            raise DataError(msg)
        file = cells[names.index("stim_file")].strip()
        if file.lower() in ("", "n/a"):
            continue
        onset_s = as_number(cells[names.index("onset")])
        if not math.isfinite(onset_s):
            msg = (
                f"{path}, line {number}: onset is {cells[names.index('onset')]!r}; expected finite "
                "seconds; mend the line."
            )
            raise DataError(msg)
        found.append(SoundEvent(file, onset_s, "" if label is None else cells[label].strip()))
    return found


def events_file(folders: Iterable[Path], subject: str, stem: str) -> Path | None:
    """Find the events of a recording: beside it, of its subject, or of the task as a whole.

    BIDS lets a file at the top hold for all recordings of a task.

    Parameters
    ----------
    folders : iterable of Path
        Roots of BIDS folders to look in.
    subject : str
        Such as "sub-01".
    stem : str
        Such as "sub-01_ses-2_task-x_run-1".
    """
    parts = stem.split("_")
    session = [part for part in parts if part.startswith("ses-")]
    no_run = [part for part in parts if not part.startswith("run-")]
    task = [part for part in no_run if part.startswith("task-")]
    names = [parts, no_run, [subject, *task], task]
    for folder in folders:
        inside = [folder / subject / one / "func" for one in session]
        for place in (*inside, folder / subject / "func", folder / subject, folder):
            for name in names:
                path = place / f"{'_'.join(name)}_events.tsv"
                if kind_of(path)[1] in ("file", "link"):
                    return path
    return None
