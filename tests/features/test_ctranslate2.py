from __future__ import annotations

import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxscale.errors import DataError
from voxscale.features._ctranslate2 import read_ctranslate2

ARRAYS = {
    "a/weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a/number": np.int16(-3),
    "b": np.array([[[1, -2]]], np.int8),
    "c": np.array([2**31 - 1, -(2**31)], np.int32),
    "d": np.array([0.5, -65504], np.float16),
}
ALIASES = [("e", "a/weight"), ("f", "e")]
WRONG = r"expected a whole model\.bin as CTranslate2 writes it.*install or copy it again"


@pytest.fixture
def read(tmp_path):
    """Return a reader of bytes."""

    def read(content):
        (tmp_path / "model.bin").write_bytes(content)
        return read_ctranslate2(tmp_path / "model.bin", "WhisperSpec")

    return read


@pytest.mark.parametrize("version", [4, 5, 6])
def test_arrays_come_back_as_they_were(version, read, as_ctranslate2):
    found = read(as_ctranslate2(ARRAYS, ALIASES, version=version))
    assert list(found) == [*ARRAYS, "e", "f"]
    for name, values in ARRAYS.items():
        np.testing.assert_array_equal(found[name], values)
        assert found[name].dtype == values.dtype
        assert found[name].shape == values.shape
        assert not found[name].flags.writeable
    assert found["e"] is found["f"] is found["a/weight"]


def test_every_shorter_file_is_refused(read, as_ctranslate2):
    content = as_ctranslate2(ARRAYS, ALIASES)
    for length in range(1, len(content)):
        with pytest.raises(DataError, match=rf"ends at byte {length}, within .*{WRONG}"):
            read(content[:length])


def test_longer_file_is_refused(read, as_ctranslate2):
    with pytest.raises(DataError, match=f"goes on for 3 bytes after its end; {WRONG}"):
        read(as_ctranslate2(ARRAYS, ALIASES) + b"two")


def test_no_file_and_an_empty_one_are_told(tmp_path):
    with pytest.raises(DataError, match=r"model\.bin does not exist"):
        read_ctranslate2(tmp_path / "model.bin", "WhisperSpec")
    (tmp_path / "model.bin").touch()
    with pytest.raises(DataError, match=r"model\.bin is empty"):
        read_ctranslate2(tmp_path / "model.bin", "WhisperSpec")


_HEAD = struct.pack("<I", 6) + b"\x0c\0WhisperSpec\0" + struct.pack("<I", 3)
_ONE = _HEAD + struct.pack("<I", 1)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"GGUF" + bytes(64), r"byte 4: version \d+ where one of 4, 5, 6 belongs"),
        (struct.pack("<I", 3) + _HEAD[4:], "version 3 where"),
        (struct.pack("<I", 7) + _HEAD[4:], "version 7 where"),
        (_HEAD[:6] + b"Transformer\0", "'Transformer' where 'WhisperSpec' belongs"),
        (_HEAD[:6] + b"WhisperSpecx", "where the kind of model belongs, and a zero"),
        (_HEAD[:6] + b"Whi\0perSpec\0", "where the kind of model belongs, and a zero"),
        (_HEAD[:6] + b"Whi\xff\xfeerSpec\0", "where the kind of model belongs"),
        (_ONE + b"\0\0", "b'' where the name of an array belongs"),
        (_ONE + b"\2\0a\0\x09", "'a' has 9 axes where at most 8 belong"),
        (_ONE + b"\2\0a\0\0\5\2\0\0\0ab", "'a' is of type 5, which is none of float32, int8"),
        (_ONE + b"\2\0a\0\0\0\2\0\0\0ab", r"'a' of shape \(\), float32, has 2 bytes"),
        # No memory is taken for what a shape says.
        (
            _ONE + b"\2\0a\0\2" + struct.pack("<IIBI", 65536, 65536, 0, 0),
            r"'a' of shape \(65536, 65536\), float32, has 0 bytes",
        ),
        (
            _ONE + b"\2\0a\0\2" + struct.pack("<IIBI", 2**31, 2**31, 1, 0),
            "has 0 bytes",
        ),
        (_ONE + b"\2\0a\0\1" + struct.pack("<IBI", 0, 0, 0), r"shape \(0,\), float32, has 0"),
        (
            _ONE + b"\2\0a\0\1" + struct.pack("<IBI", 2**32 - 1, 1, 2**32 - 1) + b"few",
            "within the values of 'a'",
        ),
        (_HEAD + b"\xff\xff\xff\xff", "within the length of the name of an array"),
        (_HEAD + bytes(4) + b"\xff\xff\xff\xff", "within the length of the name of an array"),
        (
            _HEAD + bytes(4) + b"\1\0\0\0\2\0a\0\2\0b\0",
            "'a' stands for 'b', which is not there",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(content, told, read):
    with pytest.raises(DataError, match=f"{told}.*{WRONG}"):
        read(content)


def test_names_that_come_twice_are_refused(read, as_ctranslate2):
    once = as_ctranslate2({"a": np.int8(1)})
    one = once[len(_ONE) : -4]
    with pytest.raises(DataError, match="'a' is there twice"):
        read(_HEAD + struct.pack("<I", 2) + 2 * one + bytes(4))
    with pytest.raises(DataError, match="'a' is there twice"):
        read(as_ctranslate2({"a": np.int8(1)}, [("a", "a")]))


@given(data=st.data())
def test_damaged_bytes_are_refused_or_read_within_the_file(data, as_ctranslate2):
    content = bytearray(as_ctranslate2(ARRAYS, ALIASES))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content) - 1))
    content = content[:cut] + data.draw(st.binary(max_size=9)) + content[cut:]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.bin")
        path.write_bytes(content)
        try:
            found = read_ctranslate2(path, "WhisperSpec")
        except DataError:
            return
        owned = {id(values): values.nbytes for values in found.values()}
        assert 0 < sum(owned.values()) < len(content)
