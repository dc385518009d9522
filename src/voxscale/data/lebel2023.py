"""The data set ``lebel2023``: people listening to stories of The Moth (OpenNeuro ds003020).

Folders, as its authors' loader reads them::

    ds003020/
        derivative/
            TextGrids/STORY.TextGrid                    words and phones
            respdict.json                               {story: TRs that were scanned}
            preprocessed_data/UTS01/STORY.hf5           "data", (n_trs, n_voxels)
                                                        "individual_repeats" of repeated stories
            pycortex-db/UTS01/                          surfaces, masks, transforms
        stimuli/STORY.wav
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from voxscale.arrays import Array, TRSeries
from voxscale.data._card import DatasetCard
from voxscale.data._dataset import Dataset, check_subject
from voxscale.data._fetched import check_fetched, data_folder, datalad_line
from voxscale.data._files import FilePath, kind_of, read_text
from voxscale.data._lazy_runs import LazyRuns, shared_runs
from voxscale.data._responses import check_responses, read_responses
from voxscale.data._stored import hdf5_shapes, open_repeats
from voxscale.data._tr_report import TRReport
from voxscale.data._transcript import Transcript, read_transcript
from voxscale.data._voxel_counts import check_voxel_count
from voxscale.errors import DataError

__all__ = ["CARD", "DENSE", "SESSIONS", "SUBJECTS", "TEST", "LeBel2023", "load"]

SUBJECTS = tuple(f"UTS0{i}" for i in range(1, 9))
DENSE = ("UTS01", "UTS02", "UTS03")  # who came for many more sessions
TEST = ("wheretheressmoke",)
SESSIONS = {  # the stories of the sessions that everybody came to; the test story is in each
    1: ("alternateithicatom", "souls", "avatar", "legacy", "odetostepfather"),
    2: ("undertheinfluence", "howtodraw", "myfirstdaywiththeyankees", "naked", "life"),
    3: ("stagefright", "tildeath", "fromboyhoodtofatherhood", "sloth", "exorcism"),
    4: (
        "haveyoumethimyet",
        "adollshouse",
        "inamoment",
        "theclosetthatateeverything",
        "adventuresinsayingyes",
        "buck",
    ),
    5: ("swimmingwithastronauts", "thatthingonmyarm", "eyespy", "itsabox", "hangtime"),
}
CARD = DatasetCard(
    name="lebel2023",
    title="A natural language fMRI dataset for voxelwise encoding models",
    licence="CC0",
    citation=(
        "LeBel, Wagner, Jain, Adhikari-Desai, Gupta, Morgenthal, Tang, Xu & Huth 2023, A natural "
        "language fMRI dataset for voxelwise encoding models, Scientific Data 10:555, "
        "doi:10.1038/s41597-023-02437-z; OpenNeuro ds003020"
    ),
    homepage="https://openneuro.org/datasets/ds003020",
    fetch="datalad clone https://github.com/OpenNeuroDatasets/ds003020.git",
    tr_s=2.0,
    n_subjects=8,
    n_stories=27,
    n_voxels={"UTS01": 81_126, "UTS02": 94_251, "UTS03": 95_556},
    n_trs={"wheretheressmoke": 291},
    faults=(
        "No log of the scanner is published: TRs are simulated, 2.0 s apart from 10 s before the "
        "sound, as the authors' scripts do it.",
        "Response files lack 10 TRs at each end of the scan, which they do not say; rows are "
        "placed by respdict.json.",
        "A clone holds links without content until they are fetched; a reader of TextGrids then "
        "says that the format is not known. Here all that is absent is told in one line.",
        "Transcripts have no punctuation and are upper or lower case by story; labels such as "
        "'sp' and '{NS}' are left out as no words.",
        "Subjects' brains are their own: voxels of two subjects do not correspond, and files of "
        "one in the folder of another are told by their number of voxels.",
        "UTS01 to UTS03 heard about three times as many stories as the others: say which when "
        "you compare people.",
    ),
)

# Where the rows of a response file lie, with n = respdict[story] TRs scanned at 2 s. The authors'
# loader simulates n - 5 TRs, of which the first starts 10 s before the sound, so that their
# middles are at -9, -7, ... s; the encoding script takes the feature rows [10:-5] of these and
# sets them beside the response file as it is. So row r of the file is TR r + 10 of n - 5, its
# middle is at 2 (r + 10) - 9 = 2 r + 11 s, and the file has n - 5 - 10 - 5 = n - 20 rows.
# (HuthLab/deep-fMRI-dataset: encoding/ridge_utils/stimulus_utils.py and encoding/encoding.py.)
_TR_S = 2.0
_START_S = -10.0
_PAD_TRS = 5  # at the end of a scan; not simulated
_FIRST_TR = 10
_LAST_TRS = 5  # simulated TRs after the last row


class LeBel2023:
    """People of LeBel et al. 2023, with a choice of stories.

    Parameters
    ----------
    root : path-like
        The folder ds003020, or the one that holds it.
    stories : sequence of str, optional
        To train on, beside the test stories. By default all that have words and responses.
    sessions : sequence of int, optional
        To train on the stories of these sessions: those of ``sess_to_story.json`` where the
        folder has it, or else `SESSIONS`.
    test : sequence of str, optional
        Stories to score; by default those that ``sess_to_story.json`` names, or `TEST`.

    Examples
    --------
    >>> from voxscale.data.lebel2023 import SESSIONS
    >>> sum(len(stories) for stories in SESSIONS.values())
    26
    """

    def __init__(
        self,
        root: FilePath | None,
        *,
        stories: Sequence[str] | None = None,
        sessions: Sequence[int] | None = None,
        test: Sequence[str] | None = None,
    ) -> None:
        self.root = data_folder(root, CARD.name, "ds003020", ("derivative", "derivatives"))
        is_folder = kind_of(self.root / "derivative")[1] == "folder"
        self._derivative = self.root / ("derivative" if is_folder else "derivatives")
        by_session, named_test = self._sessions()
        self._test = tuple(test if test is not None else named_test)
        self._asked = _asked(stories, sessions, by_session, self._test)

    def pycortex_db(self) -> Path:
        """Return the folder of surfaces, masks and transforms, whether it is there or not."""
        return self._derivative / "pycortex-db"

    def load(self, subject: str) -> Dataset:
        """Load one person; stories are read when they are asked for.

        Parameters
        ----------
        subject : str
            "UTS01" to "UTS08", or the name of a folder of responses laid out in the same way.

        Returns
        -------
        Dataset
            ``trials`` holds the repeats of a test story, where its file has them.

        Raises
        ------
        DataError
            If files are absent or not fetched (one ``datalad get`` line fetches them all), or
            the responses have as many voxels as those of another subject. On reading a story: if
            its rows are not what respdict.json says.

        Warns
        -----
        VoxscaleWarning
            If stories lack words or responses, or the number of voxels is not the published one.
        """
        folder = self._derivative / "preprocessed_data" / subject
        if kind_of(folder)[1] != "folder":
            line = datalad_line(self.root, self._wanted(subject))
            have = sorted(one.name for one in folder.parent.glob("*") if one.is_dir())
            msg = (
                f"lebel2023, {subject}: {folder} does not exist; expected a folder of responses "
                f"(there are: {', '.join(have) or 'none'}); run: {line}"
            )
            raise DataError(msg)
        label = f"lebel2023, {subject}"
        runs = self._runs(label, subject, folder)
        one = next((run for run in self._test if run in runs), runs[0])
        shape = hdf5_shapes(folder / f"{one}.hf5").get("data", ())
        n_voxels = shape[1] if len(shape) == 2 else None
        if n_voxels is not None:
            check_voxel_count(subject, one, n_voxels, CARD)
        reader = _Stories(label, self._derivative, folder, self._respdict(), n_voxels)
        repeated = [run for run in runs if run in self._test and reader.has_repeats(run)]
        return Dataset(
            name=CARD.name,
            subject=subject,
            words=LazyRuns(runs, reader.words, keep=True),
            responses=LazyRuns(runs, reader.responses),
            trials=LazyRuns(repeated, reader.repeats),
            train=tuple(run for run in runs if run not in self._test),
            test=tuple(run for run in runs if run in self._test),
            tr_s=_TR_S,
            audio={run: path for run in runs if (path := self._sound(run)) is not None},
            licence=CARD.licence,
            citation=CARD.citation,
        )

    def _runs(self, label: str, subject: str, folder: Path) -> tuple[str, ...]:
        """Return the stories with words and responses, once their files are known to be here."""
        responses = {path.stem for path in folder.glob("*.hf5")}
        words = {path.stem for path in (self._derivative / "TextGrids").glob("*.TextGrid")}
        everybody = {story for stories in SESSIONS.values() for story in stories} | set(TEST)
        # Others heard these and no more; of what they did not hear there are words too.
        expected = everybody if subject not in DENSE and everybody <= responses else None
        runs = shared_runs(label, responses, words, expected=expected, asked=self._asked)
        files = [self._derivative / "respdict.json"]
        files += [self._derivative / "TextGrids" / f"{run}.TextGrid" for run in runs]
        files += [folder / f"{run}.hf5" for run in runs]
        check_fetched(label, self.root, files, self._wanted(subject))
        return runs

    def _wanted(self, subject: str) -> list[str]:
        """List what of the folder one subject needs."""
        derivative = self._derivative.name
        wanted = [f"{derivative}/respdict.json"]
        if self._asked is None:
            return [
                *wanted,
                f"{derivative}/TextGrids",
                f"{derivative}/preprocessed_data/{subject}",
            ]
        wanted += [f"{derivative}/TextGrids/{run}.TextGrid" for run in self._asked]
        return wanted + [f"{derivative}/preprocessed_data/{subject}/{r}.hf5" for r in self._asked]

    def _sessions(self) -> tuple[dict[int, tuple[str, ...]], tuple[str, ...]]:
        """Return the stories of each session, and the test stories."""
        for folder in (self._derivative, self.root, self.root / "em_data"):
            path = folder / "sess_to_story.json"
            if kind_of(path)[1] in ("file", "link"):
                return _read_sessions(path)
        return SESSIONS, TEST

    def _respdict(self) -> dict[str, Any]:
        path = self._derivative / "respdict.json"
        found = _read_json(path)
        if not isinstance(found, dict):
            msg = f"{path} holds no table; expected {{story: TRs scanned}}; fetch it again."
            raise DataError(msg)
        return found

    def _sound(self, run: str) -> Path | None:
        path = self.root / "stimuli" / f"{run}.wav"
        return path if kind_of(path)[1] in ("file", "link") else None


class _Stories:
    """Reads the stories of one subject."""

    def __init__(
        self,
        label: str,
        derivative: Path,
        folder: Path,
        respdict: dict[str, Any],
        n_voxels: int | None,
    ) -> None:
        self._label, self._derivative, self._folder = label, derivative, folder
        self._respdict, self._n_voxels = respdict, n_voxels

    def words(self, run: str) -> Transcript:
        return read_transcript(self._derivative / "TextGrids" / f"{run}.TextGrid")

    def responses(self, run: str) -> TRSeries:
        n_trs = self._n_trs(run)
        path = self._folder / f"{run}.hf5"
        shape = hdf5_shapes(path).get("data", ())
        if len(shape) == 2:
            self._check_rows(run, shape[0], path)
        times = _tr_times(n_trs)
        return read_responses(
            path, run=run, first_tr=_FIRST_TR, tr_times=times, n_voxels=self._n_voxels
        )

    def has_repeats(self, run: str) -> bool:
        shape = hdf5_shapes(self._folder / f"{run}.hf5").get("individual_repeats", (0,))
        return shape[0] > 1

    def repeats(self, run: str) -> tuple[TRSeries, ...]:
        path = self._folder / f"{run}.hf5"
        times = _tr_times(self._n_trs(run))
        found = open_repeats(path, "individual_repeats")
        for one in found:
            self._check_rows(run, len(one), path)
        return tuple(check_responses(TRSeries(one, run, _FIRST_TR, times)) for one in found)

    def _n_trs(self, run: str) -> int:
        """Return the TRs that were scanned of a story."""
        n_trs = self._respdict.get(run)
        if not isinstance(n_trs, int) or isinstance(n_trs, bool) or n_trs <= 20:
            path = self._derivative / "respdict.json"
            msg = (
                f"{path}: the TRs of story {run!r} are {n_trs!r}; expected a whole number above "
                "20, or its rows cannot be placed; fetch the file again, or leave the story out."
            )
            raise DataError(msg)
        return n_trs

    def _check_rows(self, run: str, n_rows: int, path: Path) -> None:
        n_trs = self._n_trs(run)
        expected = n_trs - _PAD_TRS - _FIRST_TR - _LAST_TRS
        if n_rows != expected:
            msg = (
                f"{self._label}, story {run!r}: {path.name} has {n_rows} TRs; expected {expected}, "
                f"for respdict.json says that {n_trs} were scanned, of which the files lack 10 at "
                "each end; fetch both again, or read it yourself with read_responses."
            )
            raise DataError(msg)


def load(subject: str, root: Path | None = None) -> Dataset:
    """Load one person with all stories; see `LeBel2023` for a choice of them.

    Parameters
    ----------
    subject : str
    root : path
        The folder ds003020, or the one that holds it.
    """
    check_subject(CARD.name, subject, SUBJECTS)
    return LeBel2023(root).load(subject)


def _tr_times(n_trs: int) -> Array:
    """Return the middle of each TR that is simulated of ``n_trs`` that were scanned."""
    return TRReport.simulated(n_trs - _PAD_TRS, tr_s=_TR_S, start_s=_START_S).tr_times


def _asked(
    stories: Sequence[str] | None,
    sessions: Sequence[int] | None,
    by_session: dict[int, tuple[str, ...]],
    test: tuple[str, ...],
) -> tuple[str, ...] | None:
    """Return the stories that the user named, the test stories at the end."""
    if isinstance(stories, str):
        msg = f"stories is one string ({stories!r}); expected a sequence: [{stories!r}]."
        raise TypeError(msg)
    if stories is None and sessions is None:
        return None
    named = list(stories or ())
    for session in sessions or ():
        if session not in by_session:
            msg = f"session {session!r} is unknown; choose of {', '.join(map(str, by_session))}."
            raise ValueError(msg)
        named += by_session[session]
    return tuple(dict.fromkeys([one for one in named if one not in test] + list(test)))


def _read_sessions(path: Path) -> tuple[dict[int, tuple[str, ...]], tuple[str, ...]]:
    """Read {session: [[training story, …], test story]}."""
    found = _read_json(path)
    sessions: dict[int, tuple[str, ...]] = {}
    test: list[str] = []
    try:
        for session, (train, heard) in found.items():
            sessions[int(session)] = tuple(train)
            test += [heard] if isinstance(heard, str) else list(heard)
    except (AttributeError, TypeError, ValueError) as error:
        msg = (
            f"{path}: cannot be understood ({error}); expected {{session: [[story, …], test "
            "story]}; fetch it again."
        )
        raise DataError(msg) from error
    return sessions, tuple(dict.fromkeys(test))


def _read_json(path: Path) -> Any:
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        msg = f"{path}, line {error.lineno}: is no JSON ({error.msg}); fetch it again."
        raise DataError(msg) from error
