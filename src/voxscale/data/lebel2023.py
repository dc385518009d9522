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

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from voxscale.data._card import DatasetCard
from voxscale.data._card_counts import check_row_count, check_story_count
from voxscale.data._dataset import Dataset, check_subject
from voxscale.data._fetched import check_fetched, data_folder, datalad_line
from voxscale.data._files import FilePath, kind_of
from voxscale.data._lazy_runs import LazyRuns, shared_runs
from voxscale.data._lebel_stories import TR_S, Stories, read_json
from voxscale.data._pycortex_filestore import subject_folder
from voxscale.data._stored import hdf5_shapes
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
        "Transcripts have no punctuation; labels such as 'sp' and '{NS}' are left out as no words.",
        "Subjects' brains are their own: voxels of two subjects do not correspond, and files of "
        "one in the folder of another are told by their number of voxels.",
        "UTS01 to UTS03 heard about three times as many stories as the others: say which when "
        "you compare people.",
    ),
)


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
        self.root = data_folder(root, CARD, "ds003020", ("derivative", "derivatives"))
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
            ``trials`` holds the repeats of a test story, where its file has them; ``cortex`` the
            subject's folder in pycortex-db, where it is there.

        Raises
        ------
        DataError
            If files are absent or not fetched (one ``datalad get`` line fetches them all), or
            the responses have as many voxels as those of another subject. On reading a story: if
            its rows are not what respdict.json says.

        Warns
        -----
        VoxscaleWarning
            If stories lack words or responses, or the numbers of voxels, of stories, or of TRs of
            the test story are not the published ones.
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
            check_row_count(label, one, shape[0], CARD)
        reader = Stories(label, self._derivative, folder, self._respdict(), n_voxels)
        repeated = [run for run in runs if run in self._test and reader.has_repeats(run)]
        return Dataset(
            name=CARD.name,
            subject=subject,
            words=LazyRuns(runs, reader.words, keep=True),
            responses=LazyRuns(runs, reader.responses),
            trials=LazyRuns(repeated, reader.repeats),
            train=tuple(run for run in runs if run not in self._test),
            test=tuple(run for run in runs if run in self._test),
            tr_s=TR_S,
            audio={run: path for run in runs if (path := self._sound(run)) is not None},
            licence=CARD.licence,
            citation=CARD.citation,
            cortex=subject_folder(self.pycortex_db(), subject),
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
        if subject in SUBJECTS and subject not in DENSE:
            check_story_count(label, len(responses), CARD)
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
        found = read_json(path)
        if not isinstance(found, dict):
            msg = f"{path} holds no table; expected {{story: TRs scanned}}; fetch it again."
            raise DataError(msg)
        return found

    def _sound(self, run: str) -> Path | None:
        path = self.root / "stimuli" / f"{run}.wav"
        return path if kind_of(path)[1] in ("file", "link") else None


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
    found = read_json(path)
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
