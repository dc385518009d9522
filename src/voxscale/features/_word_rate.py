"""How fast somebody speaks: one for every word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import overload

import numpy as np

from voxscale.arrays import EventSeries
from voxscale.data import Transcript
from voxscale.features._runs import ONLY, as_runs

__all__ = ["word_rate"]


@overload
def word_rate(transcript: Transcript) -> EventSeries: ...
@overload
def word_rate(transcript: Mapping[str, Transcript]) -> dict[str, EventSeries]: ...
def word_rate(
    transcript: Transcript | Mapping[str, Transcript],
) -> EventSeries | dict[str, EventSeries]:
    """Mark every word with a one, so that resampling counts the words of each TR.

    Parameters
    ----------
    transcript : Transcript, or mapping of run to Transcript

    Returns
    -------
    EventSeries, or mapping of run to EventSeries
        ``values`` of shape (n_words, 1), float32; ``times`` the middle of each word, in s.

    Raises
    ------
    TypeError
        If it is neither a Transcript nor a mapping of run to Transcript.

    Examples
    --------
    >>> story = Transcript(["once", "upon"], onset_s=[0.2, 0.6], offset_s=[0.6, 0.8])
    >>> word_rate(story).values
    array([[1.],
           [1.]], dtype=float32)
    """
    rates = {
        run: EventSeries(np.ones((len(one), 1), dtype=np.float32), one.times)
        for run, one in as_runs(transcript).items()
    }
    return rates if isinstance(transcript, Mapping) else rates[ONLY]
