"""Recordings in a BIDS folder: what their names say, and which files belong together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxscale.errors import DataError, did_you_mean

__all__ = ["Recording", "choose", "entities_of", "find_recordings", "subjects_in"]

_ENDINGS = (".nii.gz", ".nii", ".func.gii")
_OF_THE_RUN = ("sub", "ses", "task", "acq", "ce", "rec", "dir", "run")


@dataclass(frozen=True)
class Recording:
    """One scan of one subject: a volume in one file, or a surface in two, left first."""

    files: tuple[Path, ...]
    entities: Mapping[str, str]

    @property
    def task(self) -> str:
        """What the subject did."""
        return self.entities.get("task", "")

    @property
    def stem(self) -> str:
        """Its name without space, desc and all else that processing added."""
        parts = [f"{one}-{self.entities[one]}" for one in _OF_THE_RUN if one in self.entities]
        return "_".join(parts)

    @property
    def is_surface(self) -> bool:
        """Whether it lies on the two hemispheres."""
        return len(self.files) == 2

    def order(self) -> tuple[str, str, int, str]:
        """Sort by session, task and number of the run: 2 comes before 10."""
        run = self.entities.get("run", "0")
        number = int(run) if run.isdigit() else 0
        return self.entities.get("ses", ""), self.task, number, run


def entities_of(path: Path) -> tuple[dict[str, str], str, str]:
    """Return the entities of a name, its suffix and its ending.

    Examples
    --------
    >>> entities_of(Path("sub-01_task-pieman_run-2_space-MNI_desc-preproc_bold.nii.gz"))[1:]
    ('bold', '.nii.gz')
    >>> entities_of(Path("sub-01_task-pieman_hemi-L_desc-clean.func.gii"))[0]["desc"]
    'clean'
    """
    ending = next((one for one in _ENDINGS if path.name.endswith(one)), path.suffix)
    parts = path.name.removesuffix(ending).split("_")
    suffix = "" if "-" in parts[-1] else parts.pop()
    entities = dict(part.split("-", 1) for part in parts if "-" in part)
    return entities, suffix, ending


def subjects_in(folder: Path) -> tuple[str, ...]:
    """List the subjects that have functional recordings in a folder, such as "sub-01"."""
    found = {one.name for one in folder.glob("sub-*") if any(_functional(one))}
    return tuple(sorted(found))


def find_recordings(folder: Path, subject: str) -> list[Recording]:
    """Find what was processed of a subject, both hemispheres of a surface together.

    Parameters
    ----------
    folder : Path
        Of one pipeline, such as ``derivatives/fmriprep``.
    subject : str
        Such as "sub-01".

    Raises
    ------
    DataError
        If one hemisphere is there and the other is not.
    """
    volumes: list[Recording] = []
    halves: dict[tuple[tuple[str, str], ...], dict[str, Path]] = {}
    for path in sorted(_functional(folder / subject)):
        entities, suffix, ending = entities_of(path)
        if suffix not in ("bold", "") or "task" not in entities:
            continue
        if ending == ".func.gii":
            key = tuple(sorted((k, v) for k, v in entities.items() if k != "hemi"))
            halves.setdefault(key, {})[entities.get("hemi", "?")] = path
        elif "space" in entities or "desc" in entities:  # or else it is a raw recording
            volumes.append(Recording((path,), entities))
    surfaces = []
    for key, files in halves.items():
        if set(files) != {"L", "R"}:
            one = next(iter(files.values()))
            msg = (
                f"{one}: hemispheres {', '.join(sorted(files))} are there; expected L and R; "
                "fetch the other one."
            )
            raise DataError(msg)
        surfaces.append(Recording((files["L"], files["R"]), dict(key)))
    return sorted(volumes + surfaces, key=Recording.order)


def choose(found: Sequence[Recording], label: str, **wanted: str | None) -> list[Recording]:
    """Keep the recordings with given entities; of one that is not given, only one may be there.

    Raises
    ------
    DataError
        If none has a wanted value, or several values are there and none was chosen.
    """
    kept = list(found)
    for entity, value in wanted.items():
        have = sorted({one.entities.get(entity, "") for one in kept})
        if value is None and len(have) > 1:
            msg = (
                f"{label}: recordings of several {entity}s ({', '.join(map(repr, have))}); "
                f"expected one, so that voxels correspond; pass {entity}= one of them."
            )
            raise DataError(msg)
        if value is not None:
            kept = [one for one in kept if one.entities.get(entity, "") == value]
            if not kept:
                msg = (
                    f"{label}: no recordings with {entity} {value!r}; expected one of "
                    f"{', '.join(map(repr, have)) or 'none'}{did_you_mean(value, have)}."
                )
                raise DataError(msg)
    return kept


def _functional(subject: Path) -> Iterator[Path]:
    folders: Iterable[Path] = (subject / "func", *sorted(subject.glob("ses-*/func")))
    for folder in folders:
        yield from (one for one in folder.glob("*") if one.name.endswith(_ENDINGS))
