"""Which speech sounds are heard, and how they are made."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Mapping
from typing import overload

import numpy as np

from voxscale.arrays import Array, EventSeries
from voxscale.data import BAD_WORDS, Transcript
from voxscale.errors import DataError, VoxscaleWarning
from voxscale.features._phone_table import ARTICULATIONS, MADE, PHONES
from voxscale.features._runs import ONLY, as_runs

__all__ = ["articulation", "phone_one_hot", "phone_rate"]

_SILENCES = BAD_WORDS | {
    *("", "#", "cg", "cough", "epi", "eps", "h#", "ig", "laughter", "noise", "nsn", "pau"),
    *("pause", "sil", "silence", "sl", "smack", "spn"),
}
_AROUND = "{}[]<>()+*|~ \t"  # what aligners put around labels that are no speech
_STRESS = re.compile(r"\d?(?:_[BIES])?$")  # and Kaldi's place in the word
_N_SHOWN = 5


@overload
def phone_rate(phones: Transcript) -> EventSeries: ...
@overload
def phone_rate(phones: Mapping[str, Transcript]) -> dict[str, EventSeries]: ...
def phone_rate(
    phones: Transcript | Mapping[str, Transcript],
) -> EventSeries | dict[str, EventSeries]:
    """Mark every phone with a one, so that resampling counts the phones of each TR.

    Silences and noises are not counted, unlike in the published code. Phones of any alphabet are.

    Parameters
    ----------
    phones : Transcript, or mapping of run to Transcript
        Labels of a phone tier: ``read_transcript(path, tier="phone")``.

    Returns
    -------
    EventSeries, or mapping of run to EventSeries
        ``values`` of shape (n_labels, 1), float32: 1, or 0 for a silence; ``times`` the middle of
        each label, in s.

    Raises
    ------
    DataError
        If a run holds nothing but silence.
    TypeError
        If it is neither a Transcript nor a mapping of run to Transcript.

    Warns
    -----
    VoxscaleWarning
        Once for all runs, if labels are neither phones of ARPAbet nor a silence: how many, and the
        most frequent. They are counted as phones.

    Examples
    --------
    >>> cat = Transcript(["K", "AE1", "T", "sp"], onset_s=[0.0, 0.1, 0.2, 0.3])
    >>> phone_rate(cat).values.ravel()
    array([1., 1., 1., 0.], dtype=float32)
    """
    known = np.ones((len(PHONES), 1), dtype=np.float32)
    return _looked_up(phones, known, 1.0, "counted as phones")


@overload
def phone_one_hot(phones: Transcript) -> EventSeries: ...
@overload
def phone_one_hot(phones: Mapping[str, Transcript]) -> dict[str, EventSeries]: ...
def phone_one_hot(
    phones: Transcript | Mapping[str, Transcript],
) -> EventSeries | dict[str, EventSeries]:
    """Mark which phone each label is, so that resampling counts each phone in each TR.

    Parameters
    ----------
    phones : Transcript, or mapping of run to Transcript
        Labels of a phone tier in ARPAbet, in any case, with or without digits for stress.

    Returns
    -------
    EventSeries, or mapping of run to EventSeries
        ``values`` of shape (n_labels, 39), float32: a one in the column of the phone, in the
        order of `PHONES`; zeros for a silence. ``times`` the middle of each label, in s.

    Raises
    ------
    DataError
        If not one label of a run is a phone of ARPAbet.
    TypeError
        If it is neither a Transcript nor a mapping of run to Transcript.

    Warns
    -----
    VoxscaleWarning
        Once for all runs, if labels are neither phones of ARPAbet nor a silence: how many, and the
        most frequent. They get zeros.

    Examples
    --------
    >>> cat = Transcript(["K", "AE1", "T", "sp"], onset_s=[0.0, 0.1, 0.2, 0.3])
    >>> values = phone_one_hot(cat).values
    >>> [PHONES[row.argmax()] if row.any() else None for row in values]
    ['K', 'AE', 'T', None]
    """
    return _looked_up(phones, np.eye(len(PHONES), dtype=np.float32), 0.0, "given zeros")


@overload
def articulation(phones: Transcript) -> EventSeries: ...
@overload
def articulation(phones: Mapping[str, Transcript]) -> dict[str, EventSeries]: ...
def articulation(
    phones: Transcript | Mapping[str, Transcript],
) -> EventSeries | dict[str, EventSeries]:
    """Describe how each phone is made: where, in what manner, and with the voice or without.

    Parameters
    ----------
    phones : Transcript, or mapping of run to Transcript
        Labels of a phone tier in ARPAbet, in any case, with or without digits for stress.

    Returns
    -------
    EventSeries, or mapping of run to EventSeries
        ``values`` of shape (n_labels, 22), float32: ones and zeros, in the order of
        `ARTICULATIONS`; zeros for a silence. ``times`` the middle of each label, in s.

    Raises
    ------
    DataError
        If not one label of a run is a phone of ARPAbet.
    TypeError
        If it is neither a Transcript nor a mapping of run to Transcript.

    Warns
    -----
    VoxscaleWarning
        Once for all runs, if labels are neither phones of ARPAbet nor a silence: how many, and the
        most frequent. They get zeros.

    Notes
    -----
    The columns are those of the published code, where "affricative" is 0 for every phone; here CH
    and JH are affricative. Vowels are not marked as voiced, though they are.

    References
    ----------
    de Heer et al. 2017, Journal of Neuroscience 37:6539, doi:10.1523/JNEUROSCI.3267-16.2017.

    Examples
    --------
    >>> chin = Transcript(["CH", "IH1", "N"], onset_s=[0.0, 0.1, 0.2])
    >>> for row in articulation(chin).values:
    ...     print([name for name, value in zip(ARTICULATIONS, row, strict=True) if value])
    ['postalveolar', 'affricative', 'unvoiced']
    ['mid', 'front']
    ['alveolar', 'nasal', 'voiced']
    """
    made = [[name in words.split() for name in ARTICULATIONS] for words in MADE.values()]
    return _looked_up(phones, np.array(made, dtype=np.float32), 0.0, "given zeros")


def _looked_up(
    phones: Transcript | Mapping[str, Transcript], known: Array, unknown: float, fate: str
) -> EventSeries | dict[str, EventSeries]:
    """Give each label its phone's row of ``known``; ``unknown`` is the value of other labels."""
    runs = as_runs(phones)
    # Two rows more: of labels that are not known, and, last, of silence.
    others = np.array([[unknown], [0.0]], dtype=np.float32)
    table = np.vstack([known, np.broadcast_to(others, (2, known.shape[1]))])
    row_of = {label: _row(label) for one in runs.values() for label in one.words}
    series, strange = {}, Counter[str]()
    for run, one in runs.items():
        rows = np.array([row_of[label] for label in one.words])
        if not table[rows].any():
            raise _no_phones(run if run == ONLY else f"run {run!r}", one)
        series[run] = EventSeries(table[rows], one.times)
        strange.update(label for label in one.words if row_of[label] == len(PHONES))
    if strange:
        n_labels = sum(map(len, runs.values()))
        warnings.warn(_note(strange, n_labels, fate), VoxscaleWarning, stacklevel=3)
    return series if isinstance(phones, Mapping) else series[ONLY]


def _row(label: str) -> int:
    """Find the row of a label: of its phone, or after them, of the unknown, or of silence."""
    phone = _STRESS.sub("", label.strip().upper())
    if phone in MADE:
        return PHONES.index(phone)
    return len(PHONES) + (label.lower().strip(_AROUND) in _SILENCES)


def _no_phones(where: str, one: Transcript) -> DataError:
    return DataError(
        f"{where}: not one of its {len(one)} labels is a phone (its first is {one.words[0]!r}); "
        "expected ARPAbet, such as 'AE1' or 't'; check the tier that was read."
    )


def _note(strange: Counter[str], n_labels: int, fate: str) -> str:
    often = ", ".join(repr(label) for label, _ in strange.most_common(_N_SHOWN))
    return (
        f"{strange.total():,} of {n_labels:,} labels are neither phones of ARPAbet nor a silence "
        f"known here, most often {often}; they are {fate}."
    )
