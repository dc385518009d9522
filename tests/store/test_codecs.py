import subprocess
import sys

import numpy as np
import pytest

from voxscale.store import write_npy
from voxscale.store._codecs import read_meta, read_result, write_result


def test_numpy_can_read_it_too(tmp_path, rng, frozen):
    r = frozen(rng.standard_normal(7))
    write_result(tmp_path / "a.npz", {"r": r}, {"layer": 3})
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["r"], r)
        assert bytes(archive["__meta__"]) == b'{"layer": 3}'


def test_equal_results_are_equal_files(tmp_path, frozen):
    for name in ("a", "b"):
        write_result(tmp_path / name, {"r": frozen([1.0, 2.0])}, {"layer": 3})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_metadata_are_read_alone(tmp_path, frozen):
    meta = {"mean": float("nan"), "n": np.int32(3), "runs": ("a", "b")}
    write_result(tmp_path / "a", {"r": frozen([1.0])}, meta)
    read = read_meta(tmp_path / "a")
    assert np.isnan(read.pop("mean"))
    assert read == {"n": 3, "runs": ["a", "b"]}


def test_only_the_arrays_asked_for_are_read(tmp_path, frozen):
    write_result(tmp_path / "a", {"r": frozen([1.0]), "p": frozen([2.0])}, {})
    assert list(read_result(tmp_path / "a", ["p"])[0]) == ["p"]
    with pytest.raises(KeyError, match="no array 'q', only p, r"):
        read_result(tmp_path / "a", ["q"])


@pytest.mark.parametrize(
    ("arrays", "meta", "error", "match"),
    [
        ({"__meta__": np.zeros(1)}, {}, ValueError, "kept for the metadata"),
        ({"r": np.array([None])}, {}, TypeError, "array 'r' has dtype object"),
        ({}, {"path": {1, 2}}, TypeError, r"meta\.path is of type set"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, arrays, meta, error, match):
    with pytest.raises(error, match=match):
        write_result(tmp_path / "a", arrays, meta)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.asfortranarray(np.arange(12).reshape(3, 4)),
        np.arange(12.0)[::3],
        np.zeros((0, 3)),
        np.float64(3),
        np.array(["a", "äß"]),
        np.zeros(3, [("a field of a record", "f8")]),
    ],
    ids=["2-d", "Fortran", "strided", "empty", "0-d", "text", "records"],
)
def test_an_array_is_the_file_that_numpy_saves(tmp_path, frozen, array):
    np.save(tmp_path / "numpy.npy", array)
    write_npy(tmp_path / "ours.npy", array)
    assert (tmp_path / "ours.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()


def test_an_array_of_objects_is_refused_before_a_file_is_made(tmp_path):
    with pytest.raises(TypeError, match="the array has dtype object; expected numbers or text"):
        write_npy(tmp_path / "a.npy", np.array([None]))
    assert not (tmp_path / "a.npy").exists()


FULL = """
import resource, signal, sys
import numpy as np
from voxscale.errors import StoreError
from voxscale.store import folder_aside, write_npy

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with folder_aside(sys.argv[1]) as folder:
        write_npy(folder / "small.npy", np.zeros(10))
        write_npy(folder / "large.npy", np.zeros((1000, 1000)))
except StoreError as error:
    print(error)
"""


def test_an_array_that_does_not_fit_is_told_and_leaves_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "arrays")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "arrays: the file is larger than is allowed here (File too large)" in done.stdout
    assert list(tmp_path.iterdir()) == []
