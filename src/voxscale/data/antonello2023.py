"""The data set ``antonello2023``: what was published with the scaling laws (Box folder).

Folders, as the published README and notebook name them::

    root/
        story_data/grids_huge.jbl                                {story: TextGrid}
        story_data/trfiles_huge.jbl                              {story: [TRFile]}
        story_data/story_audio/STORY.wav
        story_responses/UTS03_responses.jbl                      {story: (n_trs, n_voxels)}
        responses/tensessions_wheretheressmoke_S03.jbl           (10, n_trs, n_voxels)
        semantic_features/NAME.jbl                               {story: (n_run_trs, n_dims)}
        ridge_weights/NAME.jbl                                   (4 n_dims, n_voxels)
        stacked_regression/NAME.jbl                              see `Antonello2023.stacking`
        converted/story_data/ …                                  the same, by voxscale convert
        pycortex-db/UTS03/                                       of ds003020, put beside it

Any part will do, and what was converted may lie beside its ``.jbl`` as well. Every ``.jbl`` is
read as data: nothing that it names is run.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.arrays import TRSeries
from voxscale.data._card import DatasetCard
from voxscale.data._card_counts import check_row_count
from voxscale.data._dataset import Dataset, check_subject
from voxscale.data._files import FilePath
from voxscale.data._lazy_runs import LazyRuns, shared_runs
from voxscale.data._pycortex_filestore import subject_folder
from voxscale.data._released import read_released
from voxscale.data._released_folder import HOME, ReleasedFolder, bare_name
from voxscale.data._responses import check_responses
from voxscale.data._stand_ins import textgrid_of, tr_report_of
from voxscale.data._stored_weights import StoredWeights
from voxscale.data._textgrid import TextGrid, read_textgrid
from voxscale.data._tr_report import TRReport, read_tr_report
from voxscale.data._transcript import Transcript, transcript_of
from voxscale.data._voxel_counts import check_voxel_count
from voxscale.errors import AlignmentError, DataError, VoxscaleWarning

__all__ = ["CARD", "REPEATED", "SUBJECTS", "TEST", "Antonello2023", "StackingFiles", "load"]

SUBJECTS = ("UTS01", "UTS02", "UTS03")
TEST = ("wheretheressmoke", "fromboyhoodtofatherhood", "onapproachtopluto")
REPEATED = "wheretheressmoke"
CARD = DatasetCard(
    name="antonello2023",
    title="Features, weights and responses of Scaling laws for language encoding models in fMRI",
    licence="none is stated; the responses are those of ds003020 (CC0)",
    citation=(
        "Antonello, Vaidya & Huth 2023, Scaling laws for language encoding models in fMRI, "
        "Advances in Neural Information Processing Systems 36, arXiv:2305.11863; responses: LeBel "
        "et al. 2023, Scientific Data 10:555, doi:10.1038/s41597-023-02437-z"
    ),
    homepage=HOME,
    tr_s=2.0,
    n_subjects=3,
    n_voxels={"UTS01": 81_126, "UTS02": 94_251, "UTS03": 95_556},
    n_trs={REPEATED: 291},
    faults=(
        "Files are pickles, which run code when they are loaded: here they are read as data.",
        "Responses lack the first 10 TRs of a story and the last 5; nothing in the file says so.",
        "There are responses to more stories (101) than the paper has (about 95); which were left "
        "out is not published, nor is which file has how many, so that no number of stories is "
        "checked. Stories without words are left out here, and listed.",
        "Some matrices for stacking hold NaN: such voxels get no weights, and are counted.",
        "The notebook says S02 where its file is of S03, and mixes speech predictions in the place "
        "of the language model's; protocol='huth2023' repeats its numbers.",
        "The repeats are of one test story; the other two were heard five times, and only their "
        "means are published.",
    ),
)
_TR_S = 2.0
# The notebook sets feature rows [10:-5] beside whole responses.
_FIRST_TR, _LAST_TRS = 10, 5


@dataclass(frozen=True)
class StackingFiles:
    """Where one subject's files of the stacked regression are; see `read_released`.

    Parameters
    ----------
    residual_covariances : Path
        (n_voxels, n_models, n_models); the first model, an embedding, the notebook leaves out.
    speech : tuple of Path
        (n_trs, n_voxels) each, shallow layers first.
    language : Path
    responses : Path
        (n_trs, n_voxels): the test story, then the validation stories.
    """

    residual_covariances: Path
    speech: tuple[Path, ...]
    language: Path
    responses: Path


class Antonello2023:
    """The published folder, or a part of it.

    Parameters
    ----------
    root : path-like

    Raises
    ------
    DataError
        If it holds none of the published folders.
    """

    def __init__(self, root: FilePath | None) -> None:
        self.folder = ReleasedFolder.at(root)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Subjects whose responses are here."""
        return tuple(one for one in SUBJECTS if self.folder.files("responses", one))

    @cached_property
    def words(self) -> Mapping[str, Transcript]:
        """Words of each story that has a TextGrid; read when they are asked for."""
        return LazyRuns(self._grids, self._words_of, keep=True)

    @cached_property
    def reports(self) -> Mapping[str, TRReport]:
        """TR times of each story that has them; read when they are asked for."""
        return LazyRuns(self._tr_files, self._report_of, keep=True)

    def load(self, subject: str) -> Dataset:
        """Load one person; responses are read story by story, when they are asked for.

        Parameters
        ----------
        subject : {"UTS01", "UTS02", "UTS03"}

        Returns
        -------
        Dataset
            Tested on `TEST`; ``trials`` holds the ten repeats, where their file is here.

        Raises
        ------
        DataError
            If a file is absent, not fetched, or not what it says; or if responses are of another
            subject.
        AlignmentError
            If a story has not 15 rows less than it has TRs.

        Warns
        -----
        VoxscaleWarning
            If stories lack words or responses; all are listed. If the number of voxels, or of TRs
            of the repeated story, is not the published one.
        """
        check_subject(CARD.name, subject, SUBJECTS)
        label = f"{CARD.name}, {subject}"
        stored = _stories(self.folder.file("responses", subject))
        heard = self._timed(label, sorted(set(self._grids) & set(self._tr_files)))
        runs = shared_runs(label, list(stored), heard)
        self._check_shapes(label, subject, {run: stored[run].shape for run in runs})
        trials = self._trials(label, subject) if REPEATED in runs else {}
        return Dataset(
            name=CARD.name,
            subject=subject,
            words=LazyRuns(runs, self.words.__getitem__),
            responses=LazyRuns(runs, lambda run: self._series(label, run, stored[run])),
            trials=trials,
            train=tuple(run for run in runs if run not in TEST),
            test=tuple(run for run in TEST if run in runs),
            tr_s=_TR_S,
            audio={run: path for run, path in self._sounds.items() if run in runs},
            licence="made up, by voxscale" if self._is_made_up else CARD.licence,
            citation=_MADE_UP if self._is_made_up else CARD.citation,
            cortex=subject_folder(self.folder.root / "pycortex-db", subject),
        )

    def features(self, name: str | None = None) -> Mapping[str, TRSeries]:
        """Return published features, story by story, on every TR of the run.

        Parameters
        ----------
        name : str, optional
            Of the file in ``semantic_features``, without its ending, where there are several.

        Returns
        -------
        mapping of story to TRSeries
            Of (n_run_trs, n_dims), as :meth:`voxscale.DesignRecipe.join` takes them.

        Raises
        ------
        DataError
            If there is no such file.
        AlignmentError
            If a story has other TRs than its report; on reading it.

        Warns
        -----
        VoxscaleWarning
            If stories have no TR times, without which their rows have no place; all are listed.
        """
        path = self.folder.file("features", name=name)
        stored = _stories(path)
        runs = [run for run in stored if run in self._tr_files]
        left_out = sorted(set(stored) - set(runs))
        if left_out:
            note = (
                f"{CARD.name}: {path.name} has features of {len(stored)} stories, of which "
                f"{len(left_out)} have no TR file and are left out: {', '.join(left_out)}."
            )
            warnings.warn(note, VoxscaleWarning, stacklevel=2)

        def series(run: str) -> TRSeries:
            tr_times = self.reports[run].tr_times
            if stored[run].shape[0] != len(tr_times):
                msg = (
                    f"{path.name}: features of story {run!r} have {stored[run].shape[0]} rows, its "
                    f"report {len(tr_times)} TRs; expected the same; they may have been trimmed: "
                    "fetch the file again, or make the features anew."
                )
                raise AlignmentError(msg)
            return TRSeries(np.asarray(stored[run]), run, 0, tr_times)

        return LazyRuns(runs, series)

    def weights(self, subject: str, name: str | None = None) -> StoredWeights:
        """Return published weights, which are read in blocks, when they are multiplied.

        Parameters
        ----------
        subject : str
        name : str, optional
            Of the file, without its ending, where there are several of the subject.

        Returns
        -------
        StoredWeights
            (4 n_dims, n_voxels), for :func:`voxscale.fit.predict_streamed`.

        Raises
        ------
        DataError
            If there is no such file, or several would do.
        """
        return StoredWeights(self.folder.file("weights", subject, name))

    def repeats(self, subject: str) -> Path:
        """Return the file of the ten repeats, (10, n_trs, n_voxels)."""
        return self.folder.file("repeats", subject)

    def stacking(self, subject: str) -> StackingFiles:
        """Find one subject's files of the stacked regression, by the words in their names.

        Their names are not in the published README; where they hold other words than expected,
        the error says what lies there, and `read_released` reads any of them by its path.

        Raises
        ------
        DataError
            If one is absent, or several would do.
        """
        speech = tuple(self.folder.files("speech predictions", subject))
        if not speech:
            self.folder.file("speech predictions", subject)  # raises, and says what lies there
        return StackingFiles(
            self.folder.file("residual covariances", subject),
            speech,
            self.folder.file("language predictions", subject),
            self.folder.file("test responses", subject),
        )

    @cached_property
    def _is_made_up(self) -> bool:
        return (self.folder.root / _MINIATURE).is_file()

    @cached_property
    def _grids(self) -> Mapping[str, Any]:
        return _stories(self.folder.file("grids"))

    @cached_property
    def _tr_files(self) -> Mapping[str, Any]:
        return _stories(self.folder.file("tr files"))

    @cached_property
    def _sounds(self) -> dict[str, Path]:
        return {bare_name(path): path for path in self.folder.files("audio")}

    def _words_of(self, run: str) -> Transcript:
        held, label = self._grids[run], f"{CARD.name}, story {run!r}"
        grid = read_textgrid(held) if isinstance(held, Path) else textgrid_of(held, label)
        return transcript_of(grid, label, _word_tier(grid))

    def _report_of(self, run: str) -> TRReport:
        held, label = self._tr_files[run], f"{CARD.name}, story {run!r}"
        return read_tr_report(held) if isinstance(held, Path) else tr_report_of(held, label)

    def _timed(self, label: str, stories: Sequence[str]) -> list[str]:
        """Leave out stories whose TR times cannot be had, aloud: one bad log is not all of them."""
        timed, reason = [], ""
        for story in stories:
            try:
                _ = self.reports[story]
            except DataError as error:
                reason = reason or str(error)
            else:
                timed.append(story)
        if reason:
            lost = [story for story in stories if story not in timed]
            note = (
                f"{label}: {len(lost)} of {len(stories)} stories have no TR times that can be used "
                f"and are left out: {', '.join(lost)}. The first: {reason}"
            )
            warnings.warn(note, VoxscaleWarning, stacklevel=3)
        return timed

    def _check_shapes(
        self, label: str, subject: str, shapes: Mapping[str, tuple[int, ...]]
    ) -> None:
        """Check rows and voxels of every story, before any is read."""
        odd = {run: shape for run, shape in shapes.items() if len(shape) != 2}
        if odd:
            run, shape = next(iter(odd.items()))
            msg = f"{label}: story {run!r} has shape {shape}; expected (n_trs, n_voxels)."
            raise DataError(msg)
        first = next(iter(shapes))
        if not self._is_made_up:
            check_voxel_count(subject, first, shapes[first][1], CARD)
            for run, shape in shapes.items():
                check_row_count(label, run, shape[0], CARD)
        for run, shape in shapes.items():
            n_trs = len(self.reports[run])
            if shape[0] != n_trs - _FIRST_TR - _LAST_TRS:
                msg = (
                    f"{label}: story {run!r} has {shape[0]} rows, and {n_trs} TRs by its report; "
                    f"expected {_FIRST_TR + _LAST_TRS} rows less than TRs ({_FIRST_TR} cut at the "
                    f"start, {_LAST_TRS} at the end); one of the two files is of another story."
                )
                raise AlignmentError(msg)

    def _series(self, label: str, run: str, stored: Any) -> TRSeries:
        values = check_responses(np.asarray(stored), run=f"{label}, {run}")
        return TRSeries(values, run, _FIRST_TR, self.reports[run].tr_times)

    def _trials(self, label: str, subject: str) -> dict[str, tuple[TRSeries, ...]]:
        if not self.folder.files("repeats", subject):
            return {}
        path = self.folder.file("repeats", subject)
        trials = one_array(path)
        if trials.ndim != 3 or len(trials) < 2:
            msg = f"{path}: has shape {trials.shape}; expected (n_repeats, n_trs, n_voxels)."
            raise DataError(msg)
        return {REPEATED: tuple(self._series(label, REPEATED, one) for one in trials)}


def load(subject: str, root: Path | None = None) -> Dataset:
    """Load one person of the published folder; see `Antonello2023`."""
    return Antonello2023(root).load(subject)


_MADE_UP = "nobody: a miniature of antonello2023 with made-up content, no person was scanned"
_MINIATURE = "miniature.json"  # written by voxscale.synthetic.write_antonello2023


def one_array(path: Path, *, lazy: bool = False) -> Any:
    """Read a file that holds one array: a ``.jbl``, mapped where it can be, or a zarr array.

    Parameters
    ----------
    path : Path
    lazy : bool
        Leave a zarr array on disk: it is read where it is sliced.

    Returns
    -------
    array, or zarr Array

    Raises
    ------
    DataError
        If it holds something else.
    """
    found = _zarr_arrays(path) if path.suffix == ".zarr" else read_released(path)
    if isinstance(found, Mapping) and len(found) == 1:
        found = next(iter(found.values()))
    if not hasattr(found, "shape"):
        msg = (
            f"{path}: holds a {type(found).__name__}; expected one array; look what is in it with: "
            f"voxscale inspect '{path}'"
        )
        raise DataError(msg)
    return found if lazy else np.asarray(found)


def _stories(path: Path) -> Mapping[str, Any]:
    """Open what belongs to each story: of a dict in a ``.jbl``, or of a converted folder."""
    if path.suffix == ".zarr":
        found: Any = _zarr_arrays(path)
    elif path.is_dir():
        found = {one.stem: one for one in sorted(path.iterdir()) if one.suffix in _TEXT}
    else:
        found = read_released(path)
    if not isinstance(found, Mapping) or not found or not all(isinstance(k, str) for k in found):
        msg = (
            f"{path}: holds a {type(found).__name__}; expected a dict with stories for names; look "
            f"what is in it with: voxscale inspect '{path}'"
        )
        raise DataError(msg)
    return found


_TEXT = (".TextGrid", ".report")


def _zarr_arrays(path: Path) -> Any:
    import zarr

    stored = zarr.open(path, mode="r")
    return dict(stored.arrays()) if isinstance(stored, zarr.Group) else stored


def _word_tier(grid: TextGrid) -> int | None:
    """Say which tier the published code read: the second, where none is called words."""
    named = [tier for tier in grid.tiers if tier.name.strip().lower() in ("word", "words")]
    return None if len(named) == 1 or len(grid.tiers) < 2 else 1
