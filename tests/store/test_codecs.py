import numpy as np
import pytest

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
