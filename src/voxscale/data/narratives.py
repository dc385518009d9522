"""The data set ``narratives``: 345 people listening to 27 stories (OpenNeuro ds002345).

Folders, as its authors' scripts write them::

    ds002345/
        sub-001/func/sub-001_task-pieman_run-1_events.tsv          onset, stim_file
        stimuli/gentle/pieman/align.csv, align.json
        stimuli/audio/pieman_audio.wav                             or stimuli/pieman_audio.wav
        code/scan_exclude.json
        derivatives/afni-nosmooth/sub-001/func/
            sub-001_task-pieman_run-1_space-fsaverage6_hemi-L_desc-clean.func.gii
            sub-001_task-pieman_run-1_space-MNI152NLin2009cAsym_res-native_desc-clean_bold.nii.gz
            …/tpl-MNI152NLin2009cAsym/tpl-MNI152NLin2009cAsym_res-pieman_desc-brain_mask.nii.gz
        derivatives/afni-smooth/                                   the same, smoothed
        derivatives/fmriprep/                                      not cleaned

Read off the scripts of snastase/narratives; whether ``stimuli/`` has a folder ``audio`` was not
verified, and both places are looked in.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from voxscale.data._bids_names import Recording, choose, find_recordings, subjects_in
from voxscale.data._card import DatasetCard
from voxscale.data._card_counts import check_story_count, check_subject_count
from voxscale.data._chosen_tests import chosen_tests
from voxscale.data._dataset import Dataset, check_subject
from voxscale.data._events import events_file, read_sounds
from voxscale.data._fetched import check_fetched, data_folder
from voxscale.data._files import FilePath, kind_of, read_text
from voxscale.data._gentle import read_gentle
from voxscale.data._lazy_runs import LazyRuns
from voxscale.data._scans import Cleaning, Scan, lazy_scans
from voxscale.data._transcript import Transcript
from voxscale.errors import DataError, VoxscaleWarning, did_you_mean

__all__ = ["CARD", "SOUND_START_S", "SUBJECTS", "Narratives", "load", "subjects"]

SUBJECTS = tuple(f"sub-{i:03}" for i in range(1, 346))
CARD = DatasetCard(
    name="narratives",
    title="Narratives: fMRI data for evaluating models of naturalistic language comprehension",
    licence="CC0 (OpenNeuro); its authors' repository says PDDL",
    citation=(
        "Nastase, Liu, Hillman et al. 2021, The 'Narratives' fMRI dataset for evaluating models "
        "of naturalistic language comprehension, Scientific Data 8:250, "
        "doi:10.1038/s41597-021-01033-3; OpenNeuro ds002345"
    ),
    homepage="https://openneuro.org/datasets/ds002345",
    fetch="datalad clone https://datasets.datalad.org/labs/hasson/narratives",
    tr_s=1.5,
    n_subjects=345,
    n_stories=27,
    stories_are="in all",
    faults=(
        "Sounds begin 0 to 12 s after the first TR and open with music in some tasks: alignments "
        "count from the start of the sound, so events.tsv places them.",
        "align.csv has no header, and words that gentle did not find have empty cells; they are "
        "counted and spread between their neighbours.",
        "Some scans failed the authors' checks: those of code/scan_exclude.json are left out. "
        "Their own function matches parts of names, so that excluding task-pieman of a subject "
        "excludes task-piemanpni too; here names are compared whole.",
        "The two scrambled versions of notthefall have no alignment of their own; the words of the "
        "intact one are not theirs.",
        "milkyway was heard in three versions; which one, stim_file says.",
        "Scans of task schema hold several stories and films; they are left out.",
        "Most people heard one or two stories, so that few can be trained and tested alone.",
        "fMRIPrep's own responses are not cleaned; those of afni-smooth and afni-nosmooth are.",
    ),
)
SOUND_START_S = {  # onset of the sound in the scan, where there are no events (compile_events.py)
    "pieman": 0.0,
    "tunnel": 3.0,
    "lucy": 2.0,
    "prettymouth": 0.0,
    "slumlordreach": 4.5,
    "notthefallintact": 4.5,
    "merlin": 4.5,
    "sherlock": 4.5,
    "shapesphysical": 4.5,
    "shapessocial": 4.5,
    "21styear": 0.0,
    "piemanpni": 12.0,
    "bronx": 12.0,
    "black": 12.0,
    "forgot": 12.0,
}
_PIPELINES = ("afni-nosmooth", "afni-smooth", "fmriprep")
_TR_S = 1.5


@dataclass(frozen=True)
class _Heard:
    """One scan of a story."""

    story: str
    recording: Recording
    sound_start_s: float


class Narratives:
    """People of Nastase et al. 2021.

    Parameters
    ----------
    root : path-like
        The folder ds002345 (or narratives), or the one that holds it.
    pipeline : {"afni-nosmooth", "afni-smooth", "fmriprep"}, optional
        By default the first of these that is there.
    space : str
        "fsaverage6", "fsaverage5", or a volume, "MNI152NLin2009cAsym".
    mask : path-like, optional
        Of a volume, relative to ``root``; by default that of the first task, in ``tpl-…``.
    missing : {"interpolate", "drop"}
        Words that gentle did not find; see `read_gentle`.
    excluded : bool
        Load the scans of ``code/scan_exclude.json`` too.
    confounds, detrend, high_pass_hz
        As in `BIDS`; nothing is taken out by default.
    test : sequence of str, optional
        Stories to score. By default those that were repeated, or else the last by name of two
        or more; none of a person who heard one.
    """

    def __init__(
        self,
        root: FilePath | None,
        *,
        pipeline: str | None = None,
        space: str = "fsaverage6",
        mask: str | None = None,
        missing: str = "interpolate",
        excluded: bool = False,
        confounds: Sequence[str] | None = None,
        detrend: bool = False,
        high_pass_hz: float | None = None,
        test: Sequence[str] | None = None,
    ) -> None:
        inside = ("derivatives", "stimuli")
        self.root = data_folder(root, CARD, "ds002345", inside, others=("narratives",))
        self.pipeline = self._pipeline(pipeline)
        self._space, self._mask, self._missing = space, mask, missing
        self._excluded = excluded
        self._cleaning = Cleaning(tuple(confounds or ()), detrend, high_pass_hz)
        self._test = None if test is None else tuple(test)

    def __repr__(self) -> str:
        return f"Narratives({str(self.pipeline)!r}, {self._space}; {self._cleaning})"

    @property
    def SUBJECTS(self) -> tuple[str, ...]:
        """Subjects with recordings of the pipeline, such as "sub-001"."""
        return subjects_in(self.pipeline)

    def load(self, subject: str, root: Path | None = None) -> Dataset:
        """Load one person; scans are read when they are asked for.

        Raises
        ------
        DataError
            If files are absent or not fetched (one ``datalad get`` line fetches them all), every
            scan is excluded, or the onset of a sound is not known.

        Warns
        -----
        VoxscaleWarning
            If scans are excluded, or have no alignment; all are listed. If no file says which
            scans are excluded.
        """
        del root
        check_subject(CARD.name, subject, self.SUBJECTS)
        check_subject_count(len(self.SUBJECTS), CARD)
        label = f"narratives, {subject}"
        recordings = self._recordings(label, subject)
        groups: dict[str, list[_Heard]] = {}
        for one in self._heard(label, subject, recordings):
            groups.setdefault(one.story, []).append(one)
        check_story_count(label, len(groups), CARD)
        self._check_fetched(label, groups)
        mask = self._mask_of(label, recordings[0])
        scans = {
            story: [
                Scan(story, one.recording.files, mask, _TR_S, one.sound_start_s, self._cleaning)
                for one in some
            ]
            for story, some in groups.items()
        }
        responses, trials = lazy_scans(scans)
        test = chosen_tests(label, groups, self._test, max(groups, default=""))
        return Dataset(
            name=CARD.name,
            subject=subject,
            words=LazyRuns(groups, self._words, keep=True),
            responses=responses,
            trials=trials,
            train=tuple(story for story in groups if story not in test),
            test=test,
            tr_s=_TR_S,
            audio={story: path for story in groups if (path := self._sound(story)) is not None},
            space=self._space,
            licence=CARD.licence,
            citation=CARD.citation,
        )

    def _pipeline(self, name: str | None) -> Path:
        derivatives = self.root / "derivatives"
        have = [one for one in _PIPELINES if kind_of(derivatives / one)[1] == "folder"]
        if name is not None and name not in have:
            msg = (
                f"{derivatives} has no pipeline {name!r}; expected one of "
                f"{', '.join(have) or 'none'}{did_you_mean(name, have)}."
            )
            raise DataError(msg)
        if not have:
            msg = (
                f"{derivatives} has none of {', '.join(_PIPELINES)}; expected one; run: datalad "
                f"get -n {derivatives}/afni-nosmooth"
            )
            raise DataError(msg)
        return derivatives / (name or have[0])

    def _recordings(self, label: str, subject: str) -> list[Recording]:
        """Return the scans of the space, less those that are excluded."""
        found = choose(find_recordings(self.pipeline, subject), label, space=self._space)
        if self.pipeline.name != "fmriprep":
            found = choose(found, label, desc="clean")
        excluded = set() if self._excluded else self._named_excluded()
        left_out = [
            one.stem
            for one in found
            if any(one.stem == name or one.stem.startswith(f"{name}_") for name in excluded)
        ]
        kept = [one for one in found if one.stem not in left_out]
        if not kept:
            msg = (
                f"{label}: all of its scans are excluded ({', '.join(left_out)}) by "
                "code/scan_exclude.json; choose another subject, or pass excluded=True."
            )
            raise DataError(msg)
        if left_out:
            note = (
                f"{label}: {len(left_out)} of {len(found)} scans are left out, as "
                f"code/scan_exclude.json says: {', '.join(left_out)}."
            )
            warnings.warn(note, VoxscaleWarning, stacklevel=4)
        return kept

    def _named_excluded(self) -> set[str]:
        path = self.root / "code" / "scan_exclude.json"
        if kind_of(path)[1] not in ("file", "link"):
            note = (
                f"{self.root}: no code/scan_exclude.json: no scan is excluded; fetch it with: "
                f"voxscale fetch narratives {self.root} --parts responses, or pass excluded=True."
            )
            warnings.warn(note, VoxscaleWarning, stacklevel=5)
            return set()
        try:
            found = json.loads(read_text(path))
            return {
                scan for people in found.values() for scans in people.values() for scan in scans
            }
        except (json.JSONDecodeError, AttributeError, TypeError) as error:
            msg = (
                f"{path}: cannot be understood ({error}); expected {{task: {{subject: [scan, …]}}}}"
                "; fetch it again."
            )
            raise DataError(msg) from error

    def _heard(self, label: str, subject: str, recordings: Sequence[Recording]) -> list[_Heard]:
        """Find the story of each scan and where it begins; list the scans without one."""
        heard, silent = [], []
        for one in recordings:
            path = events_file((self.root,), subject, one.stem)
            sounds = [] if path is None else read_sounds(path)
            stems = list(dict.fromkeys(sound.stem for sound in sounds))
            names = [*stems, one.task] if len(stems) < 2 else []
            story = next((name for name in names if self._alignment(name) is not None), None)
            if story is None:
                silent.append(one.stem)
                continue
            start_s = min((s.onset_s for s in sounds), default=SOUND_START_S.get(one.task))
            if start_s is None:
                msg = (
                    f"{label}: when the sound of {one.stem} began is not known; expected its "
                    f"events.tsv with stim_file in {self.root / subject / 'func'}; fetch it."
                )
                raise DataError(msg)
            heard.append(_Heard(story, one, start_s))
        if not heard:
            msg = (
                f"{label}: none of its scans ({', '.join(silent)}) has an alignment; expected "
                f"{self.root / 'stimuli' / 'gentle'}/STORY/align.csv; run: datalad get -d "
                f"{self.root} {self.root / 'stimuli' / 'gentle'}"
            )
            raise DataError(msg)
        if silent:
            note = (
                f"{label}: responses of {len(recordings)} scans where alignments have "
                f"{len(heard)}; left out: {', '.join(silent)}."
            )
            warnings.warn(note, VoxscaleWarning, stacklevel=3)
        return heard

    def _alignment(self, story: str) -> Path | None:
        folder = self.root / "stimuli" / "gentle" / story
        paths = (folder / "align.csv", folder / "align.json")
        return next((one for one in paths if kind_of(one)[1] in ("file", "link")), None)

    def _words(self, story: str) -> Transcript:
        path = self._alignment(story)
        if path is None:
            msg = f"{self.root / 'stimuli' / 'gentle' / story} is gone; expected align.csv in it."
            raise DataError(msg)
        return read_gentle(path, missing=self._missing)

    def _sound(self, story: str) -> Path | None:
        places = (self.root / "stimuli" / "audio", self.root / "stimuli")
        paths = (place / f"{story}_audio.wav" for place in places)
        return next((one for one in paths if kind_of(one)[1] in ("file", "link")), None)

    def _check_fetched(self, label: str, groups: dict[str, list[_Heard]]) -> None:
        files = [path for story in groups if (path := self._alignment(story)) is not None]
        files += [f for some in groups.values() for one in some for f in one.recording.files]
        check_fetched(label, self.root, files, [str(one.relative_to(self.root)) for one in files])

    def _mask_of(self, label: str, first: Recording) -> Path | None:
        """Return the mask of a volume: its authors', or fMRIPrep's."""
        if first.is_surface:
            return None
        if self._mask is not None:
            return self.root / self._mask
        tpl = f"tpl-{self._space}"
        name = f"{tpl}_res-{first.task}_desc-brain_mask.nii.gz"
        beside = first.files[0].name.replace("desc-preproc_bold", "desc-brain_mask")
        paths = [
            self.pipeline.parent / one / tpl / name for one in ("afni-nosmooth", "afni-smooth")
        ]
        if self.pipeline.name == "fmriprep":
            paths.insert(0, first.files[0].with_name(beside))
        for path in paths:
            if kind_of(path)[1] in ("file", "link"):
                return path
        msg = f"{label}: no mask; expected {' or '.join(map(str, paths))}; fetch it, or pass mask=."
        raise DataError(msg)


def subjects(root: Path | None) -> tuple[str, ...]:
    """List the people whose recordings are in a folder."""
    return Narratives(root).SUBJECTS


def load(subject: str, root: Path | None = None) -> Dataset:
    """Load one person on fsaverage6; see `Narratives` for other choices.

    Parameters
    ----------
    subject : str
        Such as "sub-001".
    root : path
        The folder ds002345, or the one that holds it.
    """
    return Narratives(root).load(subject)
