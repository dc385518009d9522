"""The data set ``littleprince``: one audiobook in three languages (OpenNeuro ds003643).

Folders::

    ds003643/
        annotation/EN/lppEN_word_information.csv          word, onset, offset, section, …
        derivatives/sub-EN057/func/
            sub-EN057_task-lppEN_run-15_space-MNIColin27_desc-preproc_bold.nii.gz
        stimuli/task-lppEN_section-1.wav                  or task-lppCN_section_1.wav

The nine runs of a person bear the numbers of the scanner's protocol, such as 15 and more: the
lowest is section 1. These names, the columns, and that onsets count from the start of each section
are read off public scripts that use the data. What could not be verified: that the first TR that
is stored begins with the sound (pass ``sound_start_s`` if yours does not), and whether every
language has all columns; so columns are known by their names alone.
"""

from __future__ import annotations

import csv
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from voxscale.arrays import Array
from voxscale.data._bids_names import Recording, choose, find_recordings, subjects_in
from voxscale.data._brain_images import epi_mask
from voxscale.data._card import DatasetCard
from voxscale.data._card_counts import check_subject_count
from voxscale.data._dataset import Dataset, check_subject
from voxscale.data._fetched import check_fetched, data_folder
from voxscale.data._files import FilePath, as_number, kind_of, read_text
from voxscale.data._scans import Cleaning, Scan, lazy_scans
from voxscale.data._transcript import Transcript
from voxscale.errors import DataError, VoxscaleWarning, did_you_mean

__all__ = ["CARD", "LANGUAGES", "SUBJECTS", "LittlePrince", "load", "subjects"]

SUBJECTS: tuple[str, ...] = ()  # those of the folder: see subjects
LANGUAGES = {"EN": "English", "CN": "Chinese", "FR": "French"}
CARD = DatasetCard(
    name="littleprince",
    title="Le Petit Prince multilingual naturalistic fMRI corpus",
    licence="CC0",
    citation=(
        "Li, Bhattasali, Zhang, Franzluebbers, Luh, Spreng, Brennan, Yang, Pallier & Hale 2022, Le "
        "Petit Prince multilingual naturalistic fMRI corpus, Scientific Data 9:530, "
        "doi:10.1038/s41597-022-01625-7; OpenNeuro ds003643"
    ),
    homepage="https://openneuro.org/datasets/ds003643",
    fetch="datalad clone https://github.com/OpenNeuroDatasets/ds003643.git",
    tr_s=2.0,
    n_subjects=112,
    n_stories=9,
    stories_are="(sections) that every subject heard",
    n_subjects_of={"English": 49, "Chinese": 35, "French": 28},
    faults=(
        "Runs are not numbered 1 to 9: the lowest number is section 1, and so on. Where one of "
        "the nine is missing, sections= must say which is which.",
        "Word tables hold rows without a word, which are left out; rows without a time are too, "
        "rows out of order are sorted, and all are counted.",
        "Where no brain mask lies beside the first run, it is found in that run, or named by "
        "mask=.",
        "During section 1 English and Chinese listeners were shown pictures.",
        "Each section was heard once, so that there is no noise ceiling of repeats.",
        "112 people are 49 English, 35 Chinese and 28 French listeners: compare within a language.",
    ),
)
_SECTIONS = range(1, 1 + (CARD.n_stories or 0))
_TR_S = 2.0
# What the files of a language and section may be called; {l} is EN, CN or FR, {s} the section.
_TABLES = ("annotation/{l}/lpp{l}_word_information.csv", "annotation/lpp{l}_word_information.csv")
_SOUNDS = (
    "stimuli/task-lpp{l}_section-{s}.wav",
    "stimuli/task-lpp{l}_section_{s}.wav",
    "stimuli/{l}/task-lpp{l}_section-{s}.wav",
)


class LittlePrince:
    """People of Li et al. 2022.

    Parameters
    ----------
    root : path-like
        The folder ds003643, or the one that holds it.
    space : str, optional
        Needed where there are several.
    mask : path-like, optional
        Of volumes, relative to ``root``. By default ``desc-brain_mask`` beside the first run, or
        else what ``nilearn.masking.compute_epi_mask`` finds in it.
    sound_start_s : float, in seconds
        Onset of each section's sound, from the start of the first TR that is stored.
    sections : mapping of str to int, optional
        Number of a run, as in the file names, to section. By default in the order of runs.
    confounds, detrend, high_pass_hz
        As in `BIDS`; nothing is taken out by default.
    test : sequence of str
        Sections to score, of "section1" to "section9".
    """

    def __init__(
        self,
        root: FilePath | None,
        *,
        space: str | None = None,
        mask: str | None = None,
        sound_start_s: float = 0.0,
        sections: Mapping[str, int] | None = None,
        confounds: Sequence[str] | None = None,
        detrend: bool = False,
        high_pass_hz: float | None = None,
        test: Sequence[str] = ("section9",),
    ) -> None:
        inside = ("annotation", "derivatives")
        self.root = data_folder(root, CARD, "ds003643", inside)
        self._space, self._mask, self._sound_start_s = space, mask, float(sound_start_s)
        self._sections = None if sections is None else {str(k): v for k, v in sections.items()}
        self._cleaning = Cleaning(tuple(confounds or ()), detrend, high_pass_hz)
        self._test = tuple(test)

    def __repr__(self) -> str:
        return f"LittlePrince({str(self.root)!r}; {self._cleaning})"

    @property
    def SUBJECTS(self) -> tuple[str, ...]:
        """People with recordings, such as "sub-EN057"."""
        return subjects_in(self.root / "derivatives")

    def load(self, subject: str, root: Path | None = None) -> Dataset:
        """Load one person; runs are read when they are asked for, words at once.

        Raises
        ------
        DataError
            If files are absent or not fetched (one ``datalad get`` line fetches them all), runs
            cannot be told apart, or words have no section.

        Warns
        -----
        VoxscaleWarning
            If rows of the word table were left out or sorted, or there is no mask.
        """
        del root
        check_subject(CARD.name, subject, self.SUBJECTS)
        label = f"littleprince, {subject}"
        language = subject.removeprefix("sub-")[:2]
        if language not in LANGUAGES:
            msg = f"{label}: its language is not known; expected a name such as sub-EN057."
            raise DataError(msg)
        prefix = f"sub-{language}"
        n_found = sum(one.startswith(prefix) for one in self.SUBJECTS)
        check_subject_count(n_found, CARD, LANGUAGES[language])
        found = choose(
            find_recordings(self.root / "derivatives", subject), label, space=self._space, desc=None
        )
        sections = _sections_of(label, found, self._sections)
        table = self._first(_TABLES, language)
        files = [table, *(file for one in found for file in one.files)]
        check_fetched(label, self.root, files, [str(f.relative_to(self.root)) for f in files])
        words = _read_words(table)
        absent = sorted(set(sections) - set(words))
        if absent:
            msg = f"{table}: no words of sections {absent}; expected 1 to 9; fetch it again."
            raise DataError(msg)
        self._check_test(label, sections)
        mask = self._mask_of(label, found[0])
        make = partial(
            Scan,
            mask=mask,
            tr_s=_TR_S,
            sound_start_s=self._sound_start_s,
            cleaning=self._cleaning,
        )
        scans = {_name(s): [make(_name(s), one.files)] for s, one in sorted(sections.items())}
        responses, trials = lazy_scans(scans)
        sounds = {_name(section): self._first(_SOUNDS, language, section) for section in sections}
        return Dataset(
            name=CARD.name,
            subject=subject,
            words={_name(section): words[section] for section in sorted(sections)},
            responses=responses,
            trials=trials,
            train=tuple(run for run in scans if run not in self._test),
            test=tuple(run for run in scans if run in self._test),
            tr_s=_TR_S,
            audio={r: path for r, path in sounds.items() if kind_of(path)[1] in ("file", "link")},
            space=found[0].entities.get("space"),
            licence=CARD.licence,
            citation=CARD.citation,
        )

    def _first(self, patterns: Sequence[str], language: str, section: int = 0) -> Path:
        """Return the first of several names that is there, or else the first."""
        paths = [self.root / one.format(l=language, s=section) for one in patterns]
        return next((one for one in paths if kind_of(one)[1] in ("file", "link")), paths[0])

    def _check_test(self, label: str, sections: Mapping[int, Recording]) -> None:
        known = [_name(section) for section in sorted(sections)]
        for run in self._test:
            if run not in known:
                msg = (
                    f"{label}: test names {run!r}; expected of {', '.join(known)}"
                    f"{did_you_mean(run, known)}."
                )
                raise DataError(msg)

    def _mask_of(self, label: str, first: Recording) -> Path | Array | None:
        if first.is_surface:
            return None
        path = first.files[0]
        if self._mask is not None:
            return self.root / self._mask
        beside = path.with_name(re.sub(r"desc-[^_]+_bold", "desc-brain_mask", path.name))
        if beside != path and kind_of(beside)[1] in ("file", "link"):
            return beside
        mask = epi_mask(path)
        note = (
            f"{label}: no mask was found; its voxels are the {int(mask.sum()):,} that nilearn's "
            f"compute_epi_mask finds in {path.name}; pass mask= to choose others."
        )
        warnings.warn(note, VoxscaleWarning, stacklevel=3)
        return mask


def subjects(root: Path | None) -> tuple[str, ...]:
    """List the people whose recordings are in a folder."""
    return LittlePrince(root).SUBJECTS


def load(subject: str, root: Path | None = None) -> Dataset:
    """Load one person; see `LittlePrince` for choices.

    Parameters
    ----------
    subject : str
        Such as "sub-EN057".
    root : path
        The folder ds003643, or the one that holds it.
    """
    return LittlePrince(root).load(subject)


def _name(section: int) -> str:
    return f"section{section}"


def _sections_of(
    label: str, found: Sequence[Recording], given: Mapping[str, int] | None
) -> dict[int, Recording]:
    """Tell which run is which section."""
    by_run = {one.entities.get("run", ""): one for one in found}
    if len(by_run) < len(found):
        msg = f"{label}: several files of one run; expected one of each; move the others away."
        raise DataError(msg)
    if given is not None:
        unknown = sorted(set(by_run) - set(given))
        values = list(given.values())
        if unknown or len(set(values)) < len(values) or not set(values) <= set(_SECTIONS):
            msg = (
                f"{label}: sections is {dict(given)}, runs are {', '.join(sorted(by_run))}; "
                "expected one section of 1 to 9 for every run."
            )
            raise DataError(msg)
        return {given[run]: one for run, one in by_run.items()}
    if len(found) != len(_SECTIONS):
        runs = ", ".join(one.entities.get("run", "?") for one in found) or "none"
        msg = (
            f"{label}: {len(found)} runs ({runs}); expected {len(_SECTIONS)}, since their order "
            "says which section each is; fetch the others, or pass sections={'15': 1, …}."
        )
        raise DataError(msg)
    return dict(enumerate(sorted(found, key=Recording.order), start=1))


class _Row(NamedTuple):
    onset_s: float
    offset_s: float
    word: str


def _read_words(path: Path) -> dict[int, Transcript]:
    """Read the words of each section; rows that cannot be used are counted."""
    reader = csv.DictReader(read_text(path).split("\n"))
    columns = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    lacking = [one for one in ("word", "onset", "offset", "section") if one not in columns]
    if lacking:
        msg = (
            f"{path}: no column {', '.join(lacking)}; expected word, onset, offset and section; "
            f"its columns are {', '.join(map(str, columns))!r}."
        )
        raise DataError(msg)
    rows: dict[int, list[_Row]] = {}
    n_rows = n_left_out = n_sorted = 0
    for row in reader:
        cells = {one: (row[columns[one]] or "").strip() for one in columns}
        n_rows += 1
        onset, offset, section = (as_number(cells[one]) for one in ("onset", "offset", "section"))
        word = cells["word"]
        if word.lower() in ("", "nan", "#") or not all(map(math.isfinite, (onset, section))):
            n_left_out += 1
            continue
        offset = offset if math.isfinite(offset) and offset >= onset else onset
        some = rows.setdefault(int(section), [])
        n_sorted += bool(some) and onset < some[-1].onset_s
        some.append(_Row(onset, offset, word))
    if n_left_out or n_sorted:
        note = (
            f"{path}: of {n_rows} rows {n_left_out} have no word or time and are left out, "
            f"{n_sorted} begin before the one before them and are sorted."
        )
        warnings.warn(note, VoxscaleWarning, stacklevel=4)
    _check_clock(path, rows)
    return {section: _transcript(some) for section, some in rows.items()}


def _transcript(rows: list[_Row]) -> Transcript:
    some = sorted(rows, key=lambda row: row.onset_s)  # stable: words of one time stay in order
    onset_s, offset_s, words = zip(*some, strict=True)
    return Transcript(words, onset_s, offset_s)


def _check_clock(path: Path, rows: Mapping[int, Sequence[_Row]]) -> None:
    """Refuse onsets that go on from section to section: each sound starts at 0."""
    order = sorted(rows)
    if len(order) > 1 and all(
        rows[after][0].onset_s > rows[before][-1].onset_s for before, after in pairwise(order)
    ):
        first = rows[order[1]][0].onset_s
        msg = (
            f"{path}: onsets go on from section to section (section {order[1]} starts at {first} "
            "s); expected each to count from its own sound; subtract the onsets of the sections."
        )
        raise DataError(msg)
