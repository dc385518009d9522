"""Read the stories of one person of lebel2023, and say which TRs their rows are."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from voxscale.arrays import Array, TRSeries
from voxscale.data._files import read_text
from voxscale.data._responses import check_responses, read_responses
from voxscale.data._stored import hdf5_shapes, open_repeats
from voxscale.data._tr_report import TRReport
from voxscale.data._transcript import Transcript, read_transcript
from voxscale.errors import DataError, VoxscaleWarning

__all__ = ["TR_S", "Stories", "read_json"]

# Where the rows of a response file lie, with n = respdict[story] TRs scanned at 2 s. The authors'
# loader simulates n - 5 TRs, of which the first starts 10 s before the sound, so that their
# middles are at -9, -7, ... s; the encoding script takes the feature rows [10:-5] of these and
# sets them beside the response file as it is. So row r of the file is TR r + 10 of n - 5, its
# middle is at 2 (r + 10) - 9 = 2 r + 11 s, and the file has n - 5 - 10 - 5 = n - 20 rows.
# (HuthLab/deep-fMRI-dataset: encoding/ridge_utils/stimulus_utils.py and encoding/encoding.py.)
TR_S = 2.0
_START_S = -10.0
_PAD_TRS = 5  # at the end of a scan; not simulated
_FIRST_TR = 10
_LAST_TRS = 5  # simulated TRs after the last row


class Stories:
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
        """Read the words of a story, on the clock of its sound."""
        return read_transcript(self._derivative / "TextGrids" / f"{run}.TextGrid")

    def responses(self, run: str) -> TRSeries:
        """Open the responses to a story, once their number is what respdict.json says."""
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
        """Tell whether the file holds repeats on the TRs of its mean; say if it has others."""
        shapes = hdf5_shapes(self._folder / f"{run}.hf5")
        found, mean = shapes.get("individual_repeats", ()), shapes.get("data", ())
        if len(found) != 3 or found[0] < 2:
            return False
        if found[1:] == mean:
            return True
        note = (
            f"{self._label}, story {run!r}: its repeats are {found[1]} TRs × {found[2]} voxels, "
            f"its responses {' × '.join(map(str, mean))}; they are left out, so that it has no "
            "noise ceiling."
        )
        warnings.warn(note, VoxscaleWarning, stacklevel=4)
        return False

    def repeats(self, run: str) -> tuple[TRSeries, ...]:
        """Open each repeat of a story."""
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


def _tr_times(n_trs: int) -> Array:
    """Return the middle of each TR that is simulated of ``n_trs`` that were scanned."""
    return TRReport.simulated(n_trs - _PAD_TRS, tr_s=TR_S, start_s=_START_S).tr_times


def read_json(path: Path) -> Any:
    """Read a file of json; DataError where it is none."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        msg = f"{path}, line {error.lineno}: is no JSON ({error.msg}); fetch it again."
        raise DataError(msg) from error
