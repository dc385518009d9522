"""Whether the words of a run were heard while it was scanned, and are those of its sound."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from voxscale.arrays import TRSeries
from voxscale.data._audio import audio_duration_s
from voxscale.data._files import FilePath, present
from voxscale.data._transcript import Transcript
from voxscale.errors import AlignmentError, DataError, VoxscaleWarning

__all__ = ["SILENCE_S", "check_heard", "check_run"]

_APART_S = 1.0  # that words may go on after a sound that is listened to: transcripts are rounded
_BEYOND_S = 3.0  # words may end after the sound: aligners pad
SILENCE_S = 30.0  # a sound may go on after the last word, TRs after a sound: music, applause


def check_run(words: Transcript, responses: TRSeries, audio: FilePath | None = None) -> None:
    """Check that the words of a run were heard while it was scanned, and are those of its sound.

    A transcript of another story, or one on another clock, has the right type and shape; its
    times are what gives it away. Words and TRs are not compared where ``responses.tr_times`` is
    None.

    Parameters
    ----------
    words : Transcript
    responses : TRSeries
    audio : path-like, optional
        The sound; only its header is read. Left aside where it is not there or not fetched,
        since no number depends on it.

    Raises
    ------
    AlignmentError
        If no word was heard during the TRs that the responses cover.

    Warns
    -----
    VoxscaleWarning
        If the last word ends more than 3 s after the sound, or the sound more than 30 s after
        the last word; or if the sound is none. Of single words outside the run
        :class:`voxscale.DesignRecipe` warns, which loses them.
    """
    _check_heard(words, responses)
    note = "" if audio is None else _of_another_sound(words, audio)
    if note:
        warnings.warn(f"run {responses.run!r}: {note}", VoxscaleWarning, stacklevel=2)


def _check_heard(words: Transcript, responses: TRSeries) -> None:
    """Refuse words of which none was heard while the run was scanned."""
    tr_times = responses.tr_times
    if tr_times is None or len(tr_times) < 2:
        return
    half_s = float(np.diff(tr_times).mean()) / 2
    rows = tr_times[responses.trs.start : responses.trs.stop]
    times = words.times
    if not ((times >= rows[0] - half_s) & (times <= rows[-1] + half_s)).any():
        msg = (
            f"run {responses.run!r}: its words last from {times[0]:.2f} to {times[-1]:.2f} s, its "
            f"responses from {rows[0] - half_s:.2f} to {rows[-1] + half_s:.2f} s; expected them "
            "to overlap; check the story, its onset in the scan, and first_tr."
        )
        raise AlignmentError(msg)


def check_heard(story: str, words: Transcript, audio: FilePath) -> None:
    """Check that words lie within the sound that a model is to hear.

    Parameters
    ----------
    story : str
        For the error.
    words : Transcript
    audio : path-like

    Raises
    ------
    AlignmentError
        If words go on for more than a second after the sound. A sound may go on after its words.
    DataError
        If the sound cannot be read.
    """
    duration_s = audio_duration_s(audio)
    end_s = float((words.onset_s if words.offset_s is None else words.offset_s).max())
    if end_s - duration_s > _APART_S:
        msg = (
            f"story {story!r}: its last word ends at {end_s:.2f} s, the sound "
            f"{Path(audio).name} at {duration_s:.2f} s; expected words that end with the sound; "
            "check that both are of the same story."
        )
        raise AlignmentError(msg)


def _of_another_sound(words: Transcript, audio: FilePath) -> str:
    """Say that the words seem to be of another sound, if they do."""
    try:
        path = present(audio)
    except DataError:
        return ""
    try:
        duration_s = audio_duration_s(path)
    except DataError as error:
        return str(error)
    end_s = float((words.onset_s if words.offset_s is None else words.offset_s).max())
    if -SILENCE_S <= end_s - duration_s <= _BEYOND_S:
        return ""
    return (
        f"its last word ends at {end_s:.2f} s, the sound {path.name} at {duration_s:.2f} s; are "
        "they of the same story?"
    )
