"""What can be said of words without a language model: how long, and how frequent, they are."""

from __future__ import annotations

import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from typing import overload

import numpy as np

from voxscale.arrays import EventSeries
from voxscale.data import Transcript
from voxscale.errors import VoxscaleWarning
from voxscale.features._runs import ONLY, as_runs

__all__ = ["word_length", "zipf_frequency"]

_N_SHOWN = 5


@overload
def word_length(transcript: Transcript) -> EventSeries: ...
@overload
def word_length(transcript: Mapping[str, Transcript]) -> dict[str, EventSeries]: ...
def word_length(
    transcript: Transcript | Mapping[str, Transcript],
) -> EventSeries | dict[str, EventSeries]:
    """Count the letters of every word.

    Digits count, punctuation does not. Resampled, it is the number of letters in each TR, which
    grows with the word rate; ``lanczos(…, normalize=True)`` makes it a mean.

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
    >>> story = Transcript(["Don't", "go!"], onset_s=[0.2, 0.6])
    >>> word_length(story).values.ravel()
    array([4., 2.], dtype=float32)
    """
    return _of_each_word(transcript, _n_letters)


@overload
def zipf_frequency(transcript: Transcript, *, language: str = ...) -> EventSeries: ...
@overload
def zipf_frequency(
    transcript: Mapping[str, Transcript], *, language: str = ...
) -> dict[str, EventSeries]: ...
def zipf_frequency(
    transcript: Transcript | Mapping[str, Transcript], *, language: str = "en"
) -> EventSeries | dict[str, EventSeries]:
    """Look up how frequent every word is in its language, on the Zipf scale.

    Needs wordfreq: ``pip install 'voxscale[words]'``.

    Parameters
    ----------
    transcript : Transcript, or mapping of run to Transcript
    language : str
        Code of the language, such as "en", "de" or "fr".

    Returns
    -------
    EventSeries, or mapping of run to EventSeries
        ``values`` of shape (n_words, 1), float32: the logarithm to base 10 of how often the word
        comes in a billion words, about 1 (rare) to 8; 0 for a word that is not known. ``times``
        the middle of each word, in s.

    Raises
    ------
    ImportError
        If wordfreq is not installed, or what it needs for a language written without spaces.
    TypeError
        If it is neither a Transcript nor a mapping of run to Transcript.
    ValueError
        If wordfreq has no such language.

    Warns
    -----
    VoxscaleWarning
        Once for all runs, if words are not known: how many, their share, the most frequent.

    Notes
    -----
    Case and the punctuation around a word do not matter. wordfreq takes a label of several words
    apart: its frequency is one over the sum of one over theirs.

    References
    ----------
    van Heuven et al. 2014, Quarterly Journal of Experimental Psychology 67:1176,
    doi:10.1080/17470218.2013.850521 (the Zipf scale). Speer 2022, doi:10.5281/zenodo.7199437
    (wordfreq).

    Examples
    --------
    >>> story = Transcript(["the", "lighthouse"], onset_s=[0.2, 0.6])
    >>> zipf_frequency(story).values.ravel()
    array([7.73, 3.55], dtype=float32)
    """
    runs = as_runs(transcript)
    look_up = _wordfreq(language)
    frequency = {word: look_up(word) for one in runs.values() for word in one.words}
    absent = Counter(word for one in runs.values() for word in one.words if not frequency[word])
    if absent:
        n_words = sum(map(len, runs.values()))
        often = ", ".join(repr(word) for word, _ in absent.most_common(_N_SHOWN))
        msg = (
            f"{absent.total():,} of {n_words:,} words ({absent.total() / n_words:.1%}) have no "
            f"frequency in {language!r}, most often {often}; they are given 0."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=2)
    return _of_each_word(transcript, frequency.__getitem__)


def _of_each_word(
    transcript: Transcript | Mapping[str, Transcript], measure: Callable[[str], float]
) -> EventSeries | dict[str, EventSeries]:
    series = {
        run: EventSeries(np.array([[measure(word)] for word in one.words], np.float32), one.times)
        for run, one in as_runs(transcript).items()
    }
    return series if isinstance(transcript, Mapping) else series[ONLY]


def _n_letters(word: str) -> int:
    """Count letters and digits; a letter with an accent is one, however it is written."""
    return sum(letter.isalnum() for letter in unicodedata.normalize("NFC", word))


def _wordfreq(language: str) -> Callable[[str], float]:
    try:
        import wordfreq
    except ImportError as error:
        msg = (
            "zipf_frequency needs wordfreq, which is not installed; run: "
            "pip install 'voxscale[words]'."
        )
        raise ImportError(msg) from error
    if language not in wordfreq.available_languages():
        known = ", ".join(sorted(wordfreq.available_languages()))
        msg = f"language is {language!r}; expected a code that wordfreq knows: {known}."
        raise ValueError(msg)
    return lambda word: float(wordfreq.zipf_frequency(word, language))
