from __future__ import annotations

import gzip
import json
import pickle
import re
import tempfile
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.data import Transcript
from voxscale.errors import AlignmentError, DataError, VoxscaleWarning
from voxscale.features._static import Embedding, read_embedding, static_embeddings

PETS = ["cat", "dog", "guinea pig", "Écureuil", "🐟"]


def rows_of(words, vectors, *, end=""):
    # repr of a float32 as Python's float gives the same float32 back.
    return "".join(
        f"{word} {' '.join(map(repr, map(float, row)))}{end}\n"
        for word, row in zip(words, vectors, strict=True)
    )


def write_glove(path, words, vectors):
    path.write_bytes(rows_of(words, vectors).encode())


def write_word2vec(path, words, vectors):
    n_words, n_dims = np.shape(vectors)
    text = f"{n_words} {n_dims}\n" + rows_of(words, vectors, end=" ")  # as word2vec itself ends
    path.write_bytes(text.encode())


def write_fasttext_gz(path, words, vectors):
    n_words, n_dims = np.shape(vectors)
    path.write_bytes(gzip.compress(f"{n_words} {n_dims}\n{rows_of(words, vectors)}".encode()))


def write_tabs(path, words, vectors):
    lines = ["\t".join([w, *map(repr, map(float, v))]) for w, v in zip(words, vectors, strict=True)]
    path.write_bytes("\r\n".join(lines).encode())


def as_mapping(words, vectors):
    return {w: [float(one) for one in row] for w, row in zip(words, vectors, strict=True)}


def write_json(path, words, vectors):
    path.write_text(json.dumps(as_mapping(words, vectors)))


def write_json_gz(path, words, vectors):
    text = json.dumps(as_mapping(words, vectors), ensure_ascii=False, indent=1)
    path.write_bytes(gzip.compress(text.encode()))


def write_wink(path, words, vectors):
    n_dims = np.shape(vectors)[1]
    norms = np.linalg.norm(np.asarray(vectors, np.float64), axis=1)
    rows = {
        word: [*map(float, row), float(norm), number]
        for number, (word, row, norm) in enumerate(zip(words, vectors, norms, strict=True))
    }
    facts = {"precision": 8, "l2NormIndex": n_dims, "wordIndex": n_dims + 1, "size": len(rows)}
    facts |= {"dimensions": n_dims, "words": list(words), "vectors": rows}
    facts |= {"unkVector": [0] * (n_dims + 1) + [-1]}
    path.write_text(json.dumps(facts, separators=(",", ":"), ensure_ascii=False))


def write_hdf5(path, words, vectors):
    with h5py.File(path, "w") as file:
        file["data"] = np.asarray(vectors).T
        file["vocab"] = np.array([word.encode() for word in words])


def write_hdf5_text(path, words, vectors):
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=np.asarray(vectors).T, chunks=True, compression="gzip")
        file.create_dataset("vocab", data=list(words), dtype=h5py.string_dtype())


WRITERS = {
    "glove.txt": write_glove,
    "word2vec.txt": write_word2vec,
    "fasttext.vec.gz": write_fasttext_gz,
    "tabs.txt": write_tabs,
    "map.json": write_json,
    "map.json.gz": write_json_gz,
    "wink.json": write_wink,
    "english1000.hf5": write_hdf5,
    "text.h5": write_hdf5_text,
}


@pytest.fixture
def pets(rng, frozen):
    """Return the vectors of PETS, read-only."""
    return frozen(rng.standard_normal((len(PETS), 4)).astype(np.float32))


@pytest.fixture
def write(tmp_path):
    """Return a function that writes bytes or text and returns the path."""

    def write(content, name="vectors.txt"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_words_and_vectors_back(tmp_path, pets, name):
    path = tmp_path / name
    WRITERS[name](path, PETS, pets)
    whole = read_embedding(path)
    assert whole.words == tuple(PETS)
    np.testing.assert_array_equal(whole.vectors, pets)
    assert whole.vectors.dtype == np.float32
    assert not whole.vectors.flags.writeable
    assert whole.name == name.split(".")[0]

    some = read_embedding(str(path), words={"🐟", "guinea pig", "horse", "écureuil"})
    assert some.words == ("guinea pig", "🐟")
    np.testing.assert_array_equal(some.vectors, pets[[2, 4]])
    assert read_embedding(path, words=[]).vectors.shape == (0, 4)


# What may stand in a word: in a text file anything but what separates fields.
SEPARATORS = " \t\n\r\x0b\x0c\x00\ufeff"
PART = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=SEPARATORS), min_size=1)
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1)
SPACED = st.lists(st.text("abcdé'", min_size=1), min_size=2, max_size=3).map(" ".join)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def embeddings(draw, word):
    words = draw(st.lists(word, min_size=1, max_size=6, unique=True))
    n_dims = draw(st.integers(1, 4))
    row = st.lists(FLOATS, min_size=n_dims, max_size=n_dims)
    vectors = draw(st.lists(row, min_size=len(words), max_size=len(words)))
    return words, np.array(vectors, dtype=np.float32), draw(st.sets(st.sampled_from(words)))


def check_a_round_trip(name, words, vectors, wanted):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        WRITERS[name](path, words, vectors)
        whole, some = read_embedding(path), read_embedding(path, words=wanted)
    assert whole.words == tuple(words)
    np.testing.assert_array_equal(whole.vectors, vectors)
    kept = [word in wanted for word in words]
    assert some.words == tuple(word for word in words if word in wanted)
    np.testing.assert_array_equal(some.vectors, vectors[kept])


@settings(deadline=None, max_examples=60)
@given(embeddings(st.one_of(PART, SPACED)))
def test_random_words_come_back_from_text(embedding):
    words, vectors, wanted = embedding
    for name in ("glove.txt", "word2vec.txt", "fasttext.vec.gz", "tabs.txt"):
        check_a_round_trip(name, words, vectors, wanted)


@settings(deadline=None, max_examples=60)
@given(embeddings(ANY))
def test_random_words_come_back_from_json_and_hdf5(embedding):
    words, vectors, wanted = embedding
    for name in ("map.json", "map.json.gz", "wink.json", "english1000.hf5", "text.h5"):
        check_a_round_trip(name, words, vectors, wanted)


def test_other_readers_find_the_same_numbers(tmp_path, rng):
    words = [f"w{i}" for i in range(30)]
    vectors = rng.standard_normal((30, 7))  # float64: more digits than are kept
    write_glove(tmp_path / "a.txt", words, vectors)
    table = np.loadtxt(tmp_path / "a.txt", dtype=str)
    np.testing.assert_allclose(
        read_embedding(tmp_path / "a.txt").vectors, table[:, 1:].astype(float), rtol=1e-6
    )
    write_wink(tmp_path / "a.json", words, vectors)
    parsed = json.loads((tmp_path / "a.json").read_text())
    ours = read_embedding(tmp_path / "a.json")
    for word, row in zip(ours.words, ours.vectors, strict=True):
        np.testing.assert_allclose(row, parsed["vectors"][word][: parsed["dimensions"]], rtol=1e-6)
    write_hdf5(tmp_path / "a.hf5", words, vectors)
    with h5py.File(tmp_path / "a.hf5") as file:
        np.testing.assert_allclose(
            read_embedding(tmp_path / "a.hf5").vectors, file["data"][()].T, rtol=1e-6
        )


def test_the_content_tells_the_format_where_the_ending_does_not(write, pets):
    for name, writer in [("a.bin", write_word2vec), ("b", write_wink), ("c.dat", write_hdf5)]:
        path = write("", name)
        writer(path, PETS, pets)
        np.testing.assert_array_equal(read_embedding(path).vectors, pets)
    assert read_embedding(write("{ 0.5 1\n} 2 3\n")).words == ("{", "}")  # words of GloVe
    assert read_embedding(write(b"\xef\xbb\xbfcat 1 2\n")).words == ("cat",)


def test_what_follows_a_vector_does_not_count(write):
    # The norm, in the layout of wink: too large for float32 here.
    path = write('{"dimensions": 2, "vectors": {"a": [3e38, 3e38, 4.3e38, 0]}}', "a.json")
    np.testing.assert_array_equal(read_embedding(path).vectors, np.float32([[3e38, 3e38]]))


def test_words_end_at_ascii_blanks_alone(write):
    text = "a\u00a0b 1 2\nc\u2028d 3 4\n\u0085 5 6\n. . . 7 8\nto infinity 1 1\n"
    assert read_embedding(write(text)).words == (
        "a\u00a0b", "c\u2028d", "\u0085", ". . .", "to infinity",
    )  # fmt: skip


def test_numbers_of_words_that_are_not_wanted_are_not_looked_at(write):
    path = write("cat 1 2\ndog x nan\nfish 3 4\n")
    assert read_embedding(path, words={"cat", "fish"}).words == ("cat", "fish")
    with pytest.raises(DataError, match=r"line 2: value 1 of 'dog' is 'x'; expected finite num"):
        read_embedding(path)


def test_words_that_come_again_are_counted_and_the_first_counts(write):
    path = write("cat 1 2\ndog 3 4\ncat 5 6\ncat 7 8\ndog 9 9\n")
    with pytest.warns(VoxscaleWarning, match=r"3 rows repeat a word \(first 'cat', line 3\)") as w:
        whole = read_embedding(path)
    assert len(w) == 1
    assert w[0].filename == __file__
    np.testing.assert_array_equal(whole.vectors, [[1, 2], [3, 4]])
    with pytest.warns(VoxscaleWarning, match="1 rows repeat"):
        assert len(read_embedding(path, words=["dog"])) == 1
    path = write('{"a": [1, 2], "\\u0061": [3, 4]}', "a.json")
    with pytest.warns(VoxscaleWarning, match=r"first 'a', entry 2"):
        np.testing.assert_array_equal(read_embedding(path).vectors, [[1, 2]])


def test_rows_without_a_readable_word_are_counted(write):
    path = write(b"cat 1 2\ncaf\xe9 3 4\n 5 6\n  7 8\n")
    with pytest.warns(VoxscaleWarning, match=r"3 rows have no word, or .* UTF-8 \(first line 2\)"):
        assert read_embedding(path).words == ("cat",)
    path = write(r'{"\ud800": [1, 2], "": [1, 2], "b": [3, 4]}', "a.json")
    with pytest.warns(VoxscaleWarning, match="2 rows have no word"):
        assert read_embedding(path).words == ("b",)


BAD = {
    "blank": ("\n \n", "a.txt", "holds only blanks"),
    "no numbers": ("once upon a time\n", "a.txt", r"line 1: 'once upon a time' ends with no num"),
    "comma": ("cat,1,2\n", "a.txt", "ends with no number; expected GloVe or word2vec text"),
    "first row": ("cat 0.1 0.x 0.3\n", "a.txt", "line 1: 'cat 0.1 0.x 0.3' ends with 1 numbers in"),
    "short row": ("cat 1 2\ndog 3\nfox 4 5\n", "a.txt", r"line 2: 2 fields, from 'dog'; exp"),
    "long row": ("cat 1 2\ndog 3 4 5\n", "a.txt", r"line 2: 4 fields, from 'dog'; expected a word"),
    "cut": ("cat 1 2\ndog 3", "a.txt", "the file ends after 2 fields, from 'dog'.*truncated"),
    "letters": ("cat 1 2\ndog 3 4z\n", "a.txt", "line 2: value 2 of 'dog' is '4z'; expected fin"),
    "underscore": ("cat 1 2\ndog 3 1_0\n", "a.txt", "line 2: value 2 of 'dog' is '1_0'"),
    "other digits": ("cat 1 2\ndog 3 ４\n", "a.txt", "line 2: value 2 of 'dog' is '４'"),
    "double blank": ("cat 1 2 3\ndog 3  4\n", "a.txt", "line 2: 'dog' has 2 numbers; expected a w"),
    "nan": ("cat 1 2\ndog 3 nan\n", "a.txt", "line 2: value 2 of 'dog' is nan"),
    "too large": ("cat 1 2\ndog 1e39 3\n", "a.txt", "line 2: value 1 of 'dog' is inf; expected f"),
    "fewer": ("3 2\ncat 1 2\ndog 3 4\n", "a.txt", "line promises 3 words.*truncated"),
    "more": ("1 2\ncat 1 2\ndog 3 4\n", "a.txt", "first line promises 1 words, and 2 follow"),
    "header alone": ("3 2\n", "a.vec", "first line promises 3 words, and 0 follow"),
    "other width": ("2 3\ncat 1 2\ndog 3 4\n", "a.txt", "line 2: 3 fields.*a word and 3 numbers"),
    "pickle": (pickle.dumps({"cat": [1.0]}), "a.txt", "is a pickle, which can run code and is ne"),
    "pickle 0": (pickle.dumps({"cat": [1.0]}, 0), "a.pkl", "is a pickle, which can run code"),
    "kv": (pickle.dumps({"cat": [1.0]}), "a.kv", r"KeyedVectors.load_word2vec_format\(path, bin"),
    "word2vec.bin": (b"1 2\ncat \0\0\x80?\0\0\0@", "a.bin", "is word2vec's binary format.*convert"),
    "fasttext.bin": (b"\xba\x16\x4f\x2f\x0c\0\0\0", "a.bin", "fastText's binary.*use its .vec"),
    "npy": (b"\x93NUMPY\x01\0", "a.npy", "is an npy file, which has no words"),
    "zip": (b"PK\x03\x04...", "glove.zip", r"is compressed \(zip\).*unpack it"),
    "bzip2": (b"BZh91AY&SY", "glove.bz2", r"is compressed \(bzip2, xz or zstd\)"),
    "UTF-16": ("cat 1 2\n".encode("utf-16"), "a.txt", "is UTF-16 text; .*; save it as UTF-8"),
    "zeros": (b"cat\0 1 2\n", "a.txt", r"is binary \(it holds zero bytes\)"),
    "gzip cut": (gzip.compress(b"cat 1 2\n" * 99)[:-9], "a.gz", "cannot be read to its end.*"),
    "gzip broken": (b"\x1f\x8b\x08\0\0\0\0\0\0\0\xff\xff", "a.gz", "cannot be read to its end"),
    "gzip of nothing": (gzip.compress(b""), "a.gz", "holds only blanks"),
    "one long line": (b"x" * (1 << 20), "a.txt", "its first line is longer than 1048576 bytes"),
    "no HDF5": ("cat 1 2\n", "a.hf5", "is not HDF5 inside; expected what its ending says"),
    "HDF5 cut": (b"\x89HDF\r\n\x1a\n" + bytes(90), "a.hf5", "cannot be read to its end.*truncated"),
    "JSON cut": ('{"cat": [1, 2], "dog": [3', "a.json", "ends before its JSON does.*truncated"),
    "JSON cut after": ('{"cat": [1, 2]', "a.json", "ends before its JSON does"),
    "JSON empty": ("{}", "a.json", "holds no words"),
    "JSON list": ("[1, 2]}", "a.json", r"line 1: '\[1, 2\]\}' where '\{' belongs; expected JSON"),
    "JSON comma": ('{"a": [1],\n}', "a.json", "line 1: .* where a name and a colon, such as"),
    "JSON number": ('{\n"a": 3}', "a.json", "line 2: '3}' where a list of numbers belongs"),
    "JSON nested": ('{"a": [[1], [2]]}', "a.json", "where a list of numbers belongs"),
    "JSON text": ('{"a": ["1"]}', "a.json", "where a list of numbers belongs"),
    "JSON truth": ('{"a": [1, true]}', "a.json", "entry 1: value 2 of 'a' is True"),
    "JSON nan": ('{"a": [1], "b": [NaN]}', "a.json", "entry 2: value 1 of 'b' is nan; expected fi"),
    "JSON letters": ('{"a": [1, x]}', "a.json", r"entry 1: the list of 'a' is no JSON \(Expecting"),
    "JSON ragged": ('{"a": [1, 2], "b": [3]}', "a.json", "entry 2: 1 numbers; expected 2, as in t"),
    "JSON no numbers": ('{"a": []}', "a.json", "entry 1: 0 numbers; expected at least 1"),
    "JSON more": ('{"a": [1]} {"b": [1]}', "a.json", "where the end of the file belongs"),
    "wink size": ('{"size": 2, "dimensions": 1, "vectors": {"a": [1]}}', "a.json", "holds 1 words"),
    "wink wide": ('{"dimensions": 3, "vectors": {"a": [1]}}', "a.json", '"dimensions" are 3; exp'),
    "wink bare": ('{"vectors": {"a": [1, 2]}}', "a.json", 'its "dimensions" are none; expected'),
    "wink other": ('{"a": [["b"]], "vectors": {}}', "a.json", "a number, text, or a list of these"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_with_a_file_is_said(write, case):
    content, name, message = BAD[case]
    path = write(content, name)
    with pytest.raises(DataError, match=message) as raised:
        read_embedding(path)
    assert str(path) in str(raised.value)
    assert re.search(r"expected .*;|expected .*, or", str(raised.value))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"data": np.ones((2, 3))}, r"no arrays /data and /vocab \(it has: /data\)"),
        ({"data": np.ones((2, 3)), "vocab": [b"a", b"b"]}, r"a column of /data for each .*.*2\)"),
        ({"data": np.ones((2, 3)), "vocab": np.arange(3)}, "/vocab has type int64"),
        ({"data": np.ones(3), "vocab": [b"a", b"b", b"c"]}, r"/data has type float64 and shape"),
        ({"data": [b"a"], "vocab": [b"a"]}, r"/data has type \|S1"),
        ({"data": [[1.0], [np.nan]], "vocab": [b"a"]}, "word 0: value 2 of 'a' is nan; exp"),
        ({"data": [[1e300]], "vocab": [b"a"]}, "word 0: value 1 of 'a' is inf"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_hdf5_file_is_said(tmp_path, arrays, message):
    path = tmp_path / "a.hf5"
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = np.array(values)
    with pytest.raises(DataError, match=message):
        read_embedding(path)


def test_only_the_wanted_words_of_an_hdf5_file_must_be_numbers(tmp_path):
    path = tmp_path / "a.hf5"
    write_hdf5(path, ["a", "b"], np.array([[1, 2], [np.nan, 3]], np.float32))
    np.testing.assert_array_equal(read_embedding(path, words={"a"}).vectors, [[1, 2]])


def test_files_that_are_not_there_are_told_apart(write, tmp_path):
    write("cat 1\n", "glove.txt")
    with pytest.raises(DataError, match=r"does not exist.*did you mean 'glove.txt'"):
        read_embedding(tmp_path / "glov.txt")
    with pytest.raises(DataError, match="is empty"):
        read_embedding(write("", "empty.txt"))
    with pytest.raises(DataError, match="is a folder"):
        read_embedding(tmp_path)
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    with pytest.raises(DataError, match="is a Git LFS pointer"):
        read_embedding(write(pointer, "lfs.txt"))
    with pytest.raises(DataError, match="is a git-annex pointer"):
        read_embedding(write("/annex/objects/MD5-s9--0\n", "english1000sm.hf5"))


def prefixes(path, step):
    content = path.read_bytes()
    for length in range(1, len(content), step):
        path.write_bytes(content[:length])
        yield length


@pytest.mark.parametrize("name", ["fasttext.vec.gz", "map.json", "wink.json", "english1000.hf5"])
def test_a_file_cut_anywhere_is_never_read(tmp_path, pets, name):
    path = tmp_path / name
    WRITERS[name](path, PETS, pets)
    for _ in prefixes(path, 1 if path.stat().st_size < 1000 else 13):
        with pytest.raises(DataError):
            read_embedding(path)


@pytest.mark.parametrize("name", ["glove.txt", "word2vec.txt"])
def test_text_cut_anywhere_is_told_but_inside_a_last_number(tmp_path, pets, name):
    path = tmp_path / name
    WRITERS[name](path, PETS, pets)
    for _ in prefixes(path, 1):
        try:
            found = read_embedding(path)
        except DataError:
            continue
        values = found.vectors.ravel()
        np.testing.assert_array_equal(values[:-1], pets.ravel()[: values.size - 1])
        assert name == "glove.txt" or found.words == tuple(PETS)


def test_memory_is_that_of_the_wanted_words(tmp_path, rng):
    numbers = rng.standard_normal(100).round(5)
    line = " ".join(map(str, numbers))
    rows = ",".join(f'"w{i}":[{line.replace(" ", ",")}]' for i in range(8000))
    (tmp_path / "a.txt").write_text("".join(f"w{i} {line}\n" for i in range(8000)))
    (tmp_path / "a.json").write_text(f'{{"dimensions":100,"vectors":{{{rows}}}}}')
    for name, most in [("a.txt", 3e6), ("a.json", 3e6)]:
        tracemalloc.start()
        found = read_embedding(tmp_path / name, words={"w1", "w7999", "x"})
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found.words == ("w1", "w7999")
        np.testing.assert_allclose(found.vectors[1], numbers, rtol=1e-6)
        assert (tmp_path / name).stat().st_size > 6e6
        assert peak < most


def test_an_embedding_is_checked_and_kept(frozen, pets):
    embedding = Embedding("pets", PETS, pets)
    assert embedding.vectors is pets or embedding.vectors.base is pets  # read-only: no copy
    assert (len(embedding), embedding.n_dims) == (5, 4)
    assert embedding.index["guinea pig"] == 2
    with pytest.raises(TypeError):
        embedding.index["horse"] = 5
    assert repr(embedding) == "Embedding(pets: 5 words × 4 dimensions)"
    own = np.ones((1, 2), np.float32)
    kept = Embedding("one", ["a"], own)
    own[:] = 7
    np.testing.assert_array_equal(kept.vectors, [[1, 1]])
    with pytest.raises(DataError, match="pets: 'cat' comes 2 times; expected each word once"):
        Embedding("pets", ["cat", "dog", "cat"], np.ones((3, 2)))
    with pytest.raises(DataError, match="value 2 of 'dog' is nan"):
        Embedding("pets", ["cat", "dog"], [[1, 2], [3, np.nan]])
    with pytest.raises(AlignmentError, match=r"2 words but vectors have shape \(1, 2\)"):
        Embedding("pets", ["cat", "dog"], [[1, 2]])
    with pytest.raises(TypeError, match=r"words is one string \('cat'\)"):
        Embedding("pets", "cat", np.ones((3, 2)))
    with pytest.raises(TypeError, match=r"words hold b'cat' \(bytes\); expected text"):
        Embedding("pets", [b"cat"], np.ones((1, 2)))
    with pytest.raises(TypeError, match="expected real numbers"):
        Embedding("pets", ["cat"], [["a"]])


def test_the_hash_is_that_of_words_and_numbers_alone(pets, tmp_path):
    hashes = set()
    for name, writer in WRITERS.items():
        writer(tmp_path / name, PETS, pets)
        hashes.add(read_embedding(tmp_path / name).content_hash)
    embedding = Embedding("other name", PETS, pets)
    assert hashes == {embedding.content_hash}
    others = [
        Embedding("a", PETS[::-1], pets),
        Embedding("a", PETS, pets[::-1]),
        Embedding("a", PETS[:4], pets[:4]),
        Embedding("a", [*PETS[:3], "Écureui", "l🐟"], pets),
    ]
    assert len({embedding.content_hash, *(one.content_hash for one in others)}) == 5
    again = pickle.loads(pickle.dumps(embedding))
    assert again.content_hash == embedding.content_hash
    assert again.index == embedding.index


@pytest.fixture
def cased():
    """Return an embedding whose words differ in case and marks alone; values are row numbers."""
    words = ["cat", "Cat", "dog", "paris", "Paris", "'s", "s", "u.s.", "c++", "¿qué"]
    return Embedding("cased", words, np.arange(len(words), dtype=float)[:, None])


@pytest.mark.parametrize(
    ("word", "lower", "found"),
    [
        ("cat", True, "cat"),
        ("Cat", True, "Cat"),  # as it is comes first
        ("CAT", True, "cat"),
        ("CAT", False, None),
        ("dog,", True, "dog"),
        ("“Dog!”", True, "dog"),
        ("“Dog!”", False, None),
        ("(Cat)", False, "Cat"),
        ("(Paris", True, "Paris"),
        ("{PARIS}", True, "paris"),
        ("'s", True, "'s"),
        ("s'", True, "s"),
        ("U.S.", True, "u.s."),  # lower case comes before marks are stripped
        (" u.s. ", True, None),  # then both marks go: u.s
        ("c++", True, "c++"),
        ("cat+", True, None),  # a symbol is no punctuation
        ("¿QUÉ?", True, None),
        ("...", True, None),
        ("", True, None),
    ],
)
def test_how_a_word_is_looked_up(cased, word, lower, found):
    story = Transcript(["dog", word], [0.0, 1.0])
    if found is None:
        with pytest.warns(VoxscaleWarning, match="1 of 2 words"):
            values = static_embeddings(story, cased, lower=lower, missing="nan").values
        assert np.isnan(values[1, 0])
    else:
        values = static_embeddings(story, cased, lower=lower).values
        assert cased.words[int(values[1, 0])] == found
    assert cased.words[int(values[0, 0])] == "dog"


def test_each_word_gets_its_row_at_its_time(story, pets):
    transcript = story("the Dog saw the cat")
    embedding = Embedding("pets", PETS, pets)
    with pytest.warns(VoxscaleWarning) as caught:
        series = static_embeddings(transcript, embedding)
    np.testing.assert_array_equal(series.values[[1, 4]], pets[[1, 0]])
    assert not series.values[[0, 2, 3]].any()
    assert series.values.dtype == np.float32
    np.testing.assert_array_equal(series.times, transcript.times)
    assert [str(one.message) for one in caught] == [
        "3 of 5 words (60.0 %, 2 different) are not in pets, most often 'the' (2), 'saw' (1); "
        "their vectors are zero, which adds nothing to their TRs."
    ]
    assert caught[0].filename == __file__


def test_words_that_are_absent_are_counted_once_over_all_runs(story, pets):
    words = "uh uh uh um um er hm oh ah cat"
    runs = {"one": story(words), "two": story("dog UH")}
    with pytest.warns(VoxscaleWarning) as caught:
        series = static_embeddings(runs, Embedding("pets", PETS, pets), missing="nan")
    assert len(caught) == 1
    said = str(caught[0].message)
    assert said.startswith("10 of 12 words (83.3 %, 6 different) are not in pets, most often ")
    assert "'uh' (4), 'um' (2), 'er' (1), 'hm' (1), 'oh' (1); their vectors are NaN." in said
    assert {run: len(one) for run, one in series.items()} == {"one": 10, "two": 2}
    np.testing.assert_array_equal(np.isnan(series["one"].values).all(axis=1), [True] * 9 + [False])
    np.testing.assert_array_equal(series["two"].values[0], pets[1])


@pytest.mark.parametrize("name", WRITERS)
def test_a_path_gives_what_the_embedding_gives(tmp_path, story, pets, name):
    path = tmp_path / name
    WRITERS[name](path, PETS, pets)
    runs = {
        "a": story("Dog, CAT"),
        "b": Transcript(["guinea pig", "écureuil", "Écureuil"], [0, 1, 2]),
    }
    with pytest.warns(VoxscaleWarning, match="1 of 5 words"):
        ours = static_embeddings(runs, path)
    with pytest.warns(VoxscaleWarning, match="1 of 5 words"):
        whole = static_embeddings(runs, read_embedding(path))
    for run in runs:
        np.testing.assert_array_equal(ours[run].values, whole[run].values)
    np.testing.assert_array_equal(ours["a"].values, pets[[1, 0]])


def test_of_a_path_only_the_words_heard_are_read(write, story):
    path = write("cat 1 2\ndog x y\ncat 3 4\n")  # the row of dog would be an error
    with pytest.warns(VoxscaleWarning, match="1 rows repeat a word") as caught:
        assert static_embeddings(story("Cat cat"), path).values.tolist() == [[1, 2], [1, 2]]
    assert caught[0].filename == __file__


def test_not_a_single_word_is_an_error(story, pets):
    embedding = Embedding("pets", PETS, pets)
    with pytest.raises(DataError, match=r"transcript: not one of its 2 words is in pets \(its f"):
        static_embeddings(story("le chat"), embedding)
    with pytest.raises(DataError, match="run 'two': not one of its 1 words is in pets"):
        static_embeddings({"one": story("cat"), "two": story("chat")}, embedding)


def test_arguments_of_the_wrong_kind_are_named(story, pets):
    embedding = Embedding("pets", PETS, pets)
    with pytest.raises(ValueError, match=r"missing is 'zeros'.*did you mean 'zero'"):
        static_embeddings(story("cat"), embedding, missing="zeros")
    with pytest.raises(TypeError, match="of type dict; expected the path of a file of word vect"):
        static_embeddings(story("cat"), {"cat": [1, 2]})
    with pytest.raises(TypeError, match="expected a Transcript or a mapping of run to Transcript"):
        static_embeddings(["cat"], embedding)
    with pytest.raises(TypeError, match=r"words is one string \('cat'\)"):
        read_embedding("pets.txt", words="cat")


def test_the_page_runs(tmp_path, monkeypatch, story, pets):
    """On a made-up file of the name that it uses."""
    page = Path(__file__).parents[2] / "docs" / "static-embeddings.md"
    code = "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
    monkeypatch.chdir(tmp_path)
    write_glove(tmp_path / "glove.6B.300d.txt", PETS, pets)
    names = {"words": {"one": story("cat dog"), "two": story("dog")}}
    exec(code, names)
    np.testing.assert_array_equal(names["events"]["one"].values, pets[:2])
