"""When nothing is said, and how far a story has come."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import overload

import numpy as np

from voxscale.arrays import Array, EventSeries
from voxscale.data import Transcript
from voxscale.errors import DataError, did_you_mean
from voxscale.features._runs import ONLY, as_runs

__all__ = ["pauses", "story_position"]

_AT = ("words", "pauses")


@overload
def pauses(transcript: Transcript, *, at: str = ..., min_s: float = ...) -> EventSeries: ...
@overload
def pauses(
    transcript: Mapping[str, Transcript], *, at: str = ..., min_s: float = ...
) -> dict[str, EventSeries]: ...
def pauses(
    transcript: Transcript | Mapping[str, Transcript], *, at: str = "words", min_s: float = 0.001
) -> EventSeries | dict[str, EventSeries]:
    """Measure the silences between words.

    A pause lasts from the end of the words before it to the onset of the next. Silence before the
    first word, or after the last, is no pause.

    Parameters
    ----------
    transcript : Transcript, or mapping of run to Transcript
        With offsets, and without labels of silence, as `read_transcript` leaves them out.
    at : {"words", "pauses"}
        One row for each word, with the pause before it, or one for each pause.
    min_s : float
        Silences shorter than this, in s, are no pauses. By default what rounding leaves between
        words.

    Returns
    -------
    EventSeries, or mapping of run to EventSeries
        ``values`` float32, in s. At words: of shape (n_words, 1), 0 where there is no pause;
        ``times`` the middle of each word. At pauses: of shape (n_pauses, 1), which may be no
        rows; ``times`` the middle of each pause.

    Raises
    ------
    DataError
        If a transcript has no offsets.
    TypeError
        If it is neither a Transcript nor a mapping of run to Transcript.
    ValueError
        If ``at`` is neither, or ``min_s`` is negative.

    Examples
    --------
    >>> story = Transcript(["once", "upon"], onset_s=[0.25, 1.0], offset_s=[0.5, 1.5])
    >>> pauses(story).values.ravel()
    array([0. , 0.5], dtype=float32)
    >>> pauses(story, at="pauses").times
    array([0.75])
    """
    if at not in _AT:
        msg = f"at is {at!r}; choose one of {', '.join(_AT)}{did_you_mean(str(at), _AT)}."
        raise ValueError(msg)
    if not 0 <= min_s < math.inf:
        msg = f"min_s is {min_s}; expected seconds, 0 or more."
        raise ValueError(msg)
    series = {}
    for run, one in as_runs(transcript).items():
        from_s, length_s = _silences(one, run if run == ONLY else f"run {run!r}")
        is_pause = (length_s >= min_s) & (length_s > 0)
        if at == "words":
            values, times = np.where(is_pause, length_s, 0.0), one.times
        else:
            values = length_s[is_pause]
            times = from_s[is_pause] + values / 2
        series[run] = EventSeries(values[:, None].astype(np.float32), times)
    return series if isinstance(transcript, Mapping) else series[ONLY]


@overload
def story_position(transcript: Transcript) -> EventSeries: ...
@overload
def story_position(transcript: Mapping[str, Transcript]) -> dict[str, EventSeries]: ...
def story_position(
    transcript: Transcript | Mapping[str, Transcript],
) -> EventSeries | dict[str, EventSeries]:
    """Tell how far a story has come at every word.

    A story begins with the onset of its first word, and ends with its last. To resample, pass
    ``normalize=True`` to `lanczos`: a sum would grow with the word rate. For the positions of TRs,
    see `voxscale.evaluate.position_features`.

    Parameters
    ----------
    transcript : Transcript, or mapping of run to Transcript

    Returns
    -------
    EventSeries, or mapping of run to EventSeries
        ``values`` of shape (n_words, 2), float32: the share of the story that has passed, 0 to 1,
        and the seconds since it began; ``times`` the middle of each word.

    Raises
    ------
    TypeError
        If it is neither a Transcript nor a mapping of run to Transcript.

    Examples
    --------
    >>> story = Transcript(["once", "upon"], onset_s=[2.0, 4.0], offset_s=[3.0, 6.0])
    >>> story_position(story).values
    array([[0.125, 0.5  ],
           [0.75 , 3.   ]], dtype=float32)
    """
    series = {}
    for run, one in as_runs(transcript).items():
        end_s = one.onset_s[-1] if one.offset_s is None else one.offset_s.max()
        elapsed_s = one.times - one.onset_s[0]
        share = elapsed_s / (end_s - one.onset_s[0] or 1.0)  # a single moment is its beginning
        values = np.stack([share, elapsed_s], axis=1).astype(np.float32)
        series[run] = EventSeries(values, one.times)
    return series if isinstance(transcript, Mapping) else series[ONLY]


def _silences(one: Transcript, where: str) -> tuple[Array, Array]:
    """Return when the silence before each word begins, and how long it is; 0 or less for none."""
    if one.offset_s is None:
        msg = (
            f"{where}: its words have no offsets, so that nobody knows where a pause begins; "
            "expected a transcript with offset_s; read one that has them."
        )
        raise DataError(msg)
    ended_s = np.maximum.accumulate(one.offset_s)  # words may overlap
    from_s = np.append(one.onset_s[0], ended_s[:-1])
    return from_s, one.onset_s - from_s
