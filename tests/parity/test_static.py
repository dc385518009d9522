"""Vectors of words against the published code: English1000, and its two ways of losing words."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from voxscale.data import Transcript, TRReport, read_transcript
from voxscale.design import lanczos
from voxscale.errors import VoxscaleWarning
from voxscale.features._static import Embedding, read_embedding, static_embeddings

STORIES = ("s1a", "s1b", "s2a", "tst")


@pytest.fixture
def english1000(golden):
    """Return the path of the miniature of english1000sm.hf5."""
    return golden / "dataset" / "english1000sm.hf5"


@pytest.fixture
def words_of(golden):
    """Return a function that reads the words of a story, blanks kept, as the old code does."""

    def read(story):
        path = golden / "dataset" / "derivative" / "TextGrids" / f"{story}.TextGrid"
        return read_transcript(path, "word", lower=True, drop_blank=False)

    return read


@pytest.mark.parametrize("story", STORIES)
def test_english1000_features_of_a_story(golden, english1000, words_of, story):
    n_scanned = json.loads((golden / "dataset" / "derivative" / "respdict.json").read_text())
    with pytest.warns(VoxscaleWarning, match=r" are not in english1000sm, most often "):
        series = static_embeddings(words_of(story), english1000)
    report = TRReport.simulated(n_scanned[story] - 5, tr_s=2.0, start_s=-10.0)
    ours = lanczos(series, report.tr_times)
    with np.load(golden / "dataset" / "features.npz") as recorded:
        old = recorded[f"eng1000/{story}"]
    assert ours.shape == (len(old), 985)
    np.testing.assert_allclose(ours[:, : old.shape[1]], old, rtol=2e-5, atol=2e-5)  # float32


def as_the_old_code(words, vectors, vocabulary):
    """Look words up as ``make_semantic_model`` does, of bytes in lower case."""
    row_of = {word: row for row, word in enumerate(vocabulary)}
    rows = [row_of.get(word.lower().encode()) for word in words]
    return np.array([np.zeros(985) if row is None else vectors[row] for row in rows])


def test_words_get_the_rows_of_the_old_lookup_and_unknown_ones_zeros(english1000):
    with h5py.File(english1000) as file:
        vectors, vocabulary = file["data"][()].T, list(file["vocab"][()])
    words = ["The", "CAT", "blorp", "", "mat", "{BOY}", "yes"]
    transcript = Transcript(words, np.arange(7.0))
    with pytest.warns(VoxscaleWarning, match=r"2 of 7 words \(28.6 %, 2 different\) are not in"):
        ours = static_embeddings(transcript, english1000).values
    old = as_the_old_code(words, vectors, vocabulary)
    differs = words.index("{BOY}")  # on purpose: marks around a word do not hide it
    assert not old[differs].any()
    np.testing.assert_array_equal(ours[differs], vectors[vocabulary.index(b"boy")])
    np.testing.assert_array_equal(np.delete(ours, differs, 0), np.delete(old, differs, 0))


def test_a_vocabulary_of_text_no_longer_loses_every_word(english1000, tmp_path):
    # Q31: the old code looked up bytes, so that of a vocabulary of str it found nothing.
    with h5py.File(english1000) as file:
        vectors, vocabulary = file["data"][()].T, [word.decode() for word in file["vocab"][()]]
    assert not as_the_old_code(["the", "cat"], vectors, vocabulary).any()
    with h5py.File(tmp_path / "text.hf5", "w") as file:
        file["data"] = vectors.T
        file.create_dataset("vocab", data=vocabulary, dtype=h5py.string_dtype())
    story = Transcript(["the", "cat"], [0.0, 1.0])
    for embedding in (tmp_path / "text.hf5", Embedding("text", vocabulary, vectors)):
        np.testing.assert_array_equal(static_embeddings(story, embedding).values, vectors[:2])


def test_vectors_are_the_columns_of_the_old_model(golden):
    with np.load(golden / "semantic_model.npz") as recorded:
        ours = Embedding("model", [str(word) for word in recorded["vocab"]], recorded["data"].T)
        np.testing.assert_allclose(ours.vectors[ours.index["w3"]], recorded["get_w3"], rtol=1e-6)


def test_the_file_is_read_whole(english1000):
    embedding = read_embedding(english1000)
    with h5py.File(english1000) as file:
        np.testing.assert_array_equal(embedding.vectors, file["data"][()].T)
        assert [word.encode() for word in embedding.words] == list(file["vocab"][()])
    assert (embedding.name, embedding.n_dims) == ("english1000sm", 985)
