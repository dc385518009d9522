"""The data set ``bids``: any folder of BIDS derivatives, with events or TextGrids for words.

Options lie in a file ``voxscale.toml`` in the folder, or are given to `BIDS` in Python::

    [bids]
    task = "story"
    space = "MNI152NLin2009cAsym"
    confounds = ["motion", "wm_csf", "high_pass"]
    words = "stimuli/{task}.TextGrid"
    test = ["story_run-3"]
"""

from __future__ import annotations

import inspect
import tomllib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxscale.data._bids_folders import common_tr_s, pipeline_of, places_of
from voxscale.data._bids_names import Recording, choose, find_recordings, subjects_in
from voxscale.data._card import DatasetCard
from voxscale.data._chosen_tests import chosen_tests
from voxscale.data._dataset import Dataset, check_subject
from voxscale.data._events import events_file, read_sounds
from voxscale.data._fetched import check_fetched
from voxscale.data._files import FilePath, kind_of, read_text
from voxscale.data._scans import Cleaning, Scan, lazy_scans
from voxscale.data._transcript import Transcript, read_transcript
from voxscale.errors import DataError, VoxscaleWarning, did_you_mean

__all__ = ["BIDS", "CARD", "SUBJECTS", "load", "subjects"]

SUBJECTS: tuple[str, ...] = ()  # those of the folder: see subjects
CARD = DatasetCard(
    name="bids",
    title="Any folder of BIDS derivatives",
    licence="that of the data set: see its dataset_description.json",
    citation="that of the data set: see its dataset_description.json; doi of BIDS: "
    "doi:10.1038/sdata.2016.44",
    homepage="https://bids-specification.readthedocs.io",
    faults=(
        "events.tsv may hold conditions, not words: then name the words with words=.",
        "Events count from the first TR that is stored, alignments from the start of the sound: "
        "a stim_file in events.tsv, or sound_start_s, joins the two.",
        "fMRIPrep marks TRs before a steady state; with confounds they are left out, and rows "
        "are placed after them.",
        "Nothing is cleaned unless it is asked for.",
    ),
)
_OPTIONS_FILE = "voxscale.toml"


@dataclass(frozen=True)
class _Heard:
    """What one recording is of, and how it lies in the scan."""

    recording: Recording
    words: Transcript
    sound_start_s: float
    sound: Path | None


class BIDS:
    """A folder of BIDS derivatives.

    Parameters
    ----------
    root : path-like
        Folder of one pipeline (``derivatives/fmriprep``), or a BIDS folder with
        ``derivatives/`` of one pipeline.
    task, space, desc, session : str, optional
        Which recordings; needed where there are several spaces or kinds.
    mask : path-like, optional
        Of volumes; relative to ``root``; ``{sub}``, ``{task}`` and other entities are filled in.
        By default ``desc-brain_mask`` beside each recording; of the first where runs differ.
    confounds : sequence of str, optional
        Strategy of ``nilearn.interfaces.fmriprep.load_confounds``; by default none is taken out.
    detrend : bool
    high_pass_hz : float, optional
    words : str, optional
        Path of words, relative to ``root`` or the BIDS folder, with entities in braces, such as
        "stimuli/{task}_run-{run}.TextGrid"; their times count from the onset of the sound. By
        default the rows of ``events.tsv``, whose times count from the start of the scan.
    word_column : str, optional
        See :func:`read_transcript`.
    sound_start_s : float, optional, in seconds
        Onset of the sound in the scan, for ``words``; by default the first ``stim_file`` of
        ``events.tsv``.
    test : sequence of str, optional
        Runs to score. By default those that were repeated, or else the last of two or more.
    tr_s : float, optional, in seconds
        By default that of the side files of json, or of the header.
    name, licence, citation : str
        Of the data set.

    Notes
    -----
    Recordings with the same words at the same times are repeats of one run, which is called after
    its task where the task has no other words, or else after task and run: "story_run-2".
    """

    def __init__(
        self,
        root: FilePath,
        *,
        task: str | None = None,
        space: str | None = None,
        desc: str | None = None,
        session: str | None = None,
        mask: str | None = None,
        confounds: Sequence[str] | None = None,
        detrend: bool = False,
        high_pass_hz: float | None = None,
        words: str | None = None,
        word_column: str | None = None,
        sound_start_s: float | None = None,
        test: Sequence[str] | None = None,
        tr_s: float | None = None,
        name: str = "bids",
        licence: str = "",
        citation: str = "",
    ) -> None:
        self.root = Path(root).expanduser()
        self.pipeline = pipeline_of(self.root)
        self._places = places_of(self.root, self.pipeline)
        self._task = task
        self._wanted = {"space": space, "desc": desc}
        self._session, self._mask = session, mask
        for option, value in (("confounds", confounds), ("test", test)):
            if isinstance(value, str):
                msg = f"{option} is one string ({value!r}); expected a list: [{value!r}]."
                raise TypeError(msg)
        self.cleaning = Cleaning(tuple(confounds or ()), detrend, high_pass_hz)
        self._words, self._word_column = words, word_column
        self._sound_start_s = sound_start_s
        self._tr_s = None if tr_s is None else float(tr_s)
        self._test = None if test is None else tuple(test)
        self._name, self._licence, self._citation = name, licence, citation

    def __repr__(self) -> str:
        return f"BIDS({str(self.pipeline)!r}; {self.cleaning})"

    @property
    def SUBJECTS(self) -> tuple[str, ...]:
        """Subjects with recordings, such as "sub-01"."""
        return subjects_in(self.pipeline)

    def load(self, subject: str, root: Path | None = None) -> Dataset:
        """Load one subject; recordings are read when they are asked for, words at once.

        Parameters
        ----------
        subject : str
            Such as "sub-01".
        root
            Left aside: it was given when this was made.

        Raises
        ------
        DataError
            If files are absent or not fetched, several spaces or kinds of recordings are there
            and none was chosen, the TR is not known, or there are no words.

        Warns
        -----
        VoxscaleWarning
            If the onset of the sound in the scan is not known, and taken as 0 s.
        """
        del root
        check_subject(self._name, subject, self.SUBJECTS)
        label = f"{self._name}, {subject}"
        recordings = self._recordings(label, subject)
        heard = [self._heard(label, subject, one) for one in recordings]
        groups = _grouped(heard)
        tr_s = self._tr_s or common_tr_s(label, recordings, self._places)
        mask = self._mask_of(label, recordings)
        scans = {
            run: [
                Scan(run, one.recording.files, mask, tr_s, one.sound_start_s, self.cleaning)
                for one in some
            ]
            for run, some in groups.items()
        }
        responses, trials = lazy_scans(scans)
        test = chosen_tests(label, groups, self._test, next(reversed(groups), ""))
        return Dataset(
            name=self._name,
            subject=subject,
            words={run: some[0].words for run, some in groups.items()},
            responses=responses,
            trials=trials,
            train=tuple(run for run in groups if run not in test),
            test=test,
            tr_s=tr_s,
            audio={r: some[0].sound for r, some in groups.items() if some[0].sound is not None},
            space=recordings[0].entities.get("space"),
            licence=self._licence,
            citation=self._citation,
        )

    def _recordings(self, label: str, subject: str) -> list[Recording]:
        found = find_recordings(self.pipeline, subject)
        if self._task is not None:
            found = choose(found, label, task=self._task)
        if self._session is not None:
            found = choose(found, label, ses=self._session)
        if not found:
            msg = (
                f"{label}: no recordings in {self.pipeline / subject}; expected "
                "…_space-…_desc-preproc_bold.nii.gz or …_hemi-L_space-…_bold.func.gii; fetch them."
            )
            raise DataError(msg)
        found = choose(found, label, **self._wanted)
        if len({one.is_surface for one in found}) > 1:
            msg = f"{label}: both volumes and surfaces; expected one kind; pass space=."
            raise DataError(msg)
        stems = [one.stem for one in found]
        twice = sorted({stem for stem in stems if stems.count(stem) > 1})
        if twice:
            names = ", ".join(one.files[0].name for one in found if one.stem == twice[0])
            msg = (
                f"{label}: {twice[0]} was processed in several ways ({names}); expected one file "
                "of each recording; pass space= or desc=, or move the others away."
            )
            raise DataError(msg)
        files = [file for one in found for file in one.files]
        wanted = [str(one.relative_to(self.pipeline)) for one in files]
        check_fetched(label, self.pipeline, files, wanted)
        return found

    def _heard(self, label: str, subject: str, one: Recording) -> _Heard:
        """Find the words of a recording, and the onset of their clock in the scan."""
        events = events_file(self._places, subject, one.stem)
        if self._words is None:
            if events is None:
                msg = (
                    f"{label}: no words of {one.stem}; expected {one.stem}_events.tsv in "
                    f"{' or '.join(map(str, self._places))}, with a row for each word; or pass "
                    "words= the path of TextGrids or tables."
                )
                raise DataError(msg)
            return _Heard(one, read_transcript(events, word_column=self._word_column), 0.0, None)
        path = self._filled(self._words, one, "words")
        words = read_transcript(path, word_column=self._word_column)
        sounds = [] if events is None else read_sounds(events)
        start_s = self._sound_start_s
        if start_s is None:
            start_s = min((sound.onset_s for sound in sounds), default=None)
        if start_s is None:
            note = (
                f"{label}: the onset of the sound in {one.stem} is not known (no stim_file in "
                "its events.tsv) and taken as 0 s; pass sound_start_s= what it is."
            )
            warnings.warn(note, VoxscaleWarning, stacklevel=4)
            start_s = 0.0
        return _Heard(one, words, start_s, self._sound(sounds[0].file) if sounds else None)

    def _sound(self, file: str) -> Path | None:
        places = (folder / part / file for folder in self._places for part in ("stimuli", "."))
        return next((one for one in places if kind_of(one)[1] in ("file", "link")), None)

    def _filled(self, template: str, one: Recording, option: str) -> Path:
        """Fill entities into a path, and find it in one of the folders."""
        try:
            relative = template.format(**one.entities)
        except (KeyError, IndexError, ValueError) as error:
            msg = (
                f"{option} is {template!r}, and {one.stem} has no {error}; expected entities that "
                f"it has, in braces: {', '.join(one.entities)}."
            )
            raise DataError(msg) from error
        paths = [folder / relative for folder in self._places]
        return next((p for p in paths if kind_of(p)[1] in ("file", "link")), paths[0])

    def _mask_of(self, label: str, recordings: Sequence[Recording]) -> Path | None:
        """Choose one mask for all runs, so that voxels correspond."""
        first = recordings[0]
        if first.is_surface:
            return None
        if self._mask is not None:
            return self._filled(self._mask, first, "mask")
        path = first.files[0]
        desc = first.entities.get("desc")
        name = path.name.replace(f"desc-{desc}_bold", "desc-brain_mask")
        beside = path.with_name(name)
        if name == path.name or kind_of(beside)[1] not in ("file", "link"):
            msg = (
                f"{label}: no mask beside {path.name}; expected …_desc-brain_mask.nii.gz; pass "
                "mask= one of this space and resolution."
            )
            raise DataError(msg)
        return beside


def subjects(root: Path | None) -> tuple[str, ...]:
    """List the subjects that a folder has recordings of."""
    return _of_folder(root).SUBJECTS


def load(subject: str, root: Path | None = None) -> Dataset:
    """Load one subject, with the options of ``voxscale.toml`` in the folder."""
    return _of_folder(root).load(subject)


def _of_folder(root: Path | None) -> BIDS:
    """Return the data set of a folder and its options."""
    if root is None:
        msg = "dataset 'bids' needs root=, a folder of BIDS derivatives; expected its path."
        raise DataError(msg)
    path = Path(root) / _OPTIONS_FILE
    if kind_of(path)[1] != "file":
        return BIDS(root)
    try:
        table = tomllib.loads(read_text(path)).get("bids", {})
    except tomllib.TOMLDecodeError as error:
        msg = f"{path}: cannot be read as TOML ({error}); expected a table [bids]; mend it."
        raise DataError(msg) from error
    known = [one for one in inspect.signature(BIDS).parameters if one != "root"]
    for option in table:
        if option not in known:
            msg = (
                f"{path}: option {option!r} is unknown; expected one of {', '.join(known)}"
                f"{did_you_mean(option, known)}."
            )
            raise DataError(msg)
    options: dict[str, Any] = dict(table)
    try:
        return BIDS(root, **options)
    except TypeError as error:
        msg = f"{path}: {error}"
        raise DataError(msg) from error


def _grouped(heard: Sequence[_Heard]) -> dict[str, list[_Heard]]:
    """Put recordings of the same words together, and name them."""
    groups: list[list[_Heard]] = []
    for one in heard:
        same = [some for some in groups if some[0].words == one.words]
        if same:
            same[0].append(one)
        else:
            groups.append([one])
    named: dict[str, list[_Heard]] = {}
    for some in groups:
        first = some[0].recording
        alone = sum(first.task in {one.recording.task for one in other} for other in groups) == 1
        name = first.task if alone else first.stem.split("_", 1)[1].removeprefix("task-")
        named[name] = some
    return named
