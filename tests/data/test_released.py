"""Files of joblib and pickle, read as data: what joblib.load gives, without what it would run."""

import importlib.util
import pickle
import subprocess
import sys
import textwrap
from collections import OrderedDict, defaultdict
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

from voxscale.data import StandIn, inspect_released, read_released, stream_released
from voxscale.errors import DataError

_spec = importlib.util.spec_from_file_location(
    "released_files", Path(__file__).with_name("released_files.py")
)
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)
every_way = [
    pytest.param(compression, protocol, id=f"{compression or 'raw'}-{protocol}")
    for compression in made.COMPRESSIONS
    for protocol in range(6)
]


def assert_same(got, expected):
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(got, expected)
    elif isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(got, expected)
    elif isinstance(expected, pd.Index):
        pd.testing.assert_index_equal(got, expected)
    elif isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(got, expected)
        assert got.dtype.newbyteorder("=") == expected.dtype.newbyteorder("=")
        assert got.flags.writeable is False
        assert got.flags.f_contiguous == expected.flags.f_contiguous
    else:
        assert got == expected
        assert type(got) is type(expected)


@pytest.mark.parametrize(("compression", "protocol"), every_way)
def test_what_joblib_wrote_is_what_joblib_loads(tmp_path, compression, protocol):
    value = {**made.arrays(), **made.tables(), **made.plain()}
    path = made.dump(value, tmp_path / "all.jbl", compression, protocol)
    loaded = joblib.load(path)
    for mmap in (True, False):
        got = read_released(path, mmap=mmap)
        assert list(got) == list(loaded)
        for key, expected in loaded.items():
            assert_same(got[key], expected)


@pytest.mark.parametrize("protocol", range(6))
def test_what_pickle_wrote_is_what_pickle_loads(tmp_path, protocol):
    value = {**made.arrays(), **made.tables(), **made.plain()}
    path = tmp_path / "all.pkl"
    path.write_bytes(pickle.dumps(value, protocol))
    got = read_released(path)
    for key, expected in value.items():
        assert_same(got[key], expected)
    assert got["again"] is got[1, "key"]
    assert {entry.number for entry in inspect_released(path)} >= set(range(len(made.arrays())))


def test_uncompressed_arrays_are_mapped_and_others_held(tmp_path):
    value = made.arrays()
    mapped = read_released(made.dump(value, tmp_path / "raw.jbl"))
    assert isinstance(mapped["C"], np.memmap)
    assert isinstance(mapped["F"], np.memmap)
    held = read_released(tmp_path / "raw.jbl", mmap=False)
    packed = read_released(made.dump(value, tmp_path / "packed.jbl", "zlib"))
    assert not isinstance(held["C"], np.memmap)
    assert not isinstance(packed["C"], np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        packed["C"][0, 0] = 1


@pytest.mark.parametrize(("compression", "protocol"), every_way)
def test_the_published_classes_are_stand_ins(tmp_path, compression, protocol):
    with made.old_modules() as classes:
        value = {
            "fox": made.text_grid(classes, ["a", "b"]),
            "trs": [made.tr_file(classes, 4)],
            "words": made.sequence(classes, ["a", "b", "c"]),
        }
        path = made.dump(value, tmp_path / "grids.jbl", compression, protocol)
    got = read_released(path)
    assert isinstance(got["fox"], StandIn)
    assert (got["fox"].kind, got["fox"].module) == ("TextGrid", "ridge_utils.textgrid")
    assert got["fox"].tiers[0].simple_transcript == [("0.0", "0.5", "a"), ("0.5", "1.0", "b")]
    assert got["trs"][0].trtimes == [10.0, 12.0, 14.0, 16.0]
    np.testing.assert_array_equal(got["words"].split_inds, [1, 2])
    assert "ridge_utils" not in sys.modules
    kinds = {entry.name: entry.kind for entry in inspect_released(path)}
    assert kinds == {"['fox']": "TextGrid", "['trs'][0]": "TRFile", "['words']": "DataSequence"}
    with pytest.raises(AttributeError, match="this TRFile holds no 'avgtr', only trtimes"):
        got["trs"][0].avgtr  # noqa: B018
    assert repr(got["fox"]).startswith("StandIn('TextGrid': read_file")


def test_classes_of_python_2_and_its_text(tmp_path):
    path = tmp_path / "old.pkl"
    path.write_bytes(
        b"(dp0\nS'fox'\np1\n(imy.own\nTextGrid\np2\n(dp3\nS'size'\np4\nI1\nsS'label'\n"
        b"S'caf\\xc3\\xa9'\nsbs."
    )
    grid = read_released(path)["fox"]
    assert (grid.kind, grid.module, grid.size) == ("TextGrid", "my.own", 1)
    assert grid.label == "café".encode()  # Python 2 does not say whether it is text


def test_dicts_of_other_kinds_are_dicts(tmp_path):
    value = {"o": OrderedDict(b=1, a=2), "d": defaultdict(list, {"q": [1]})}
    got = read_released(made.dump(value, tmp_path / "dicts.jbl"))
    assert got == {"o": {"b": 1, "a": 2}, "d": {"q": [1]}}
    assert [type(one) for one in got.values()] == [dict, dict]


def test_inspect_names_what_is_where(tmp_path):
    value = {"a": np.zeros((3, 4), "f4"), "b": {"c": [np.ones(2), "x"]}, "n": 1, "w": ["p", "q"]}
    value["again"] = value["b"]
    got = inspect_released(made.dump(value, tmp_path / "x.jbl", "gzip"))
    rows = [(one.name, one.kind, one.dtype, one.shape, one.n_bytes, one.number) for one in got]
    assert rows == [
        ("['a']", "array", "float32", (3, 4), 48, 0),
        ("['b']['c'][0]", "array", "float64", (2,), 16, 1),
        ("['b']['c'][1]", "text", "", (), 1, None),
        ("['n']", "number", "", (), 8, None),
        ("['w']", "list", "", (2,), 2, None),
        ("['again']", "the same as ['b']", "", (), 0, None),
    ]
    assert [one.name for one in inspect_released(made.dump(value["a"], tmp_path / "y.jbl"))] == [""]


def test_a_list_within_itself_is_listed_once(tmp_path):
    value = [np.ones(2)]
    value.append(value)
    got = inspect_released(made.dump(value, tmp_path / "x.jbl"))
    assert [one.kind for one in got] == ["array", "the same as the whole"]
    assert read_released(tmp_path / "x.jbl")[1][1][0].shape == (2,)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("compression", made.COMPRESSIONS)
def test_streamed_products_are_those_of_the_whole(tmp_path, rng, frozen, order, compression):
    weights = np.asarray(rng.standard_normal((40, 30)).astype("f4"), order=order)
    X = frozen(rng.standard_normal((5, 40)).astype("f4"))
    path = made.dump({"first": np.ones(3), "weights": weights}, tmp_path / "w.jbl", compression)
    got = np.zeros((5, 30), "f4")
    n_blocks = 0
    for array in stream_released(path, block_mib=1000 / 2**20):
        if array.number == 0:
            continue  # passed over
        assert (array.shape, array.dtype, array.axis) == ((40, 30), weights.dtype, order == "F")
        for start, block in array.blocks():
            n_blocks += 1
            assert block.nbytes <= 1000
            if array.axis:
                got[:, start : start + block.shape[1]] = X @ block
            else:
                got += X[:, start : start + len(block)] @ block
    assert n_blocks == 5
    np.testing.assert_allclose(got, X @ weights, rtol=1e-5, atol=1e-5)


def test_caps_are_named_and_can_be_raised(tmp_path):
    path = made.dump(np.zeros(2**21), tmp_path / "zeros.jbl", "zlib")  # 16 MiB
    with pytest.raises(DataError, match=r"at most 0\.00977 GiB .*raise max_gib"):
        read_released(path, max_gib=0.01 / 1.024)
    with pytest.raises(DataError, match=r"raise max_gib"):
        inspect_released(path, max_gib=0.01)
    assert read_released(path, max_gib=0.02).shape == (2**21,)
    for limit in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="expected GiB above 0"):
            read_released(path, max_gib=limit)
    with pytest.raises(ValueError, match="block_mib is 0; expected MiB above 0"):
        stream_released(path, block_mib=0)


def test_files_of_other_kinds_are_named(tmp_path):
    rows = {
        b"\x04\x22\x4d\x18rest": "compressed with lz4.*lz4 -d",
        b"\x28\xb5\x2f\xfdrest": "compressed with zstd",
        b"ZF0x10": "joblib before 0.10",
        b"\x93NUMPY": "array of numpy",
        b"PK\x03\x04": "zip archive",
        b"\x89HDF\r\n": "HDF5",
        b"": "is empty",
        b"version https://git-lfs.github.com/spec/v1\n": "git lfs pull",
        b"/annex/objects/MD5E-s1--0.jbl\n": "datalad get",
        b"hello there": "no pickle has a step|is empty",
    }
    for content, words in rows.items():
        path = tmp_path / "file.jbl"
        path.write_bytes(content)
        for read in (read_released, inspect_released, lambda one: list(stream_released(one))):
            with pytest.raises(DataError, match=words):
                read(path)


@pytest.mark.parametrize("compression", made.COMPRESSIONS)
def test_a_truncated_file_says_so(tmp_path, compression):
    whole = made.dump(made.arrays(), tmp_path / "whole.jbl", compression).read_bytes()
    path = tmp_path / "cut.jbl"
    for n in [*range(1, 40), *range(40, len(whole) - 1, 97), len(whole) - 1]:
        path.write_bytes(whole[:n])
        for read in (read_released, inspect_released, lambda one: list(stream_released(one))):
            with pytest.raises(DataError, match=r"cut\.jbl, byte"):
                read(path)


def test_memory_of_inspect_does_not_go_with_the_arrays(tmp_path):
    made.dump({"zeros": np.zeros((1000, 25_000))}, tmp_path / "zeros.jbl", "zlib")  # 200 MB
    code = f"""
        import resource
        from voxscale.data import inspect_released, stream_released
        path = {str(tmp_path / "zeros.jbl")!r}
        inspect_released({str(made.dump(np.zeros(3), tmp_path / "small.jbl", "zlib"))!r})
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert inspect_released(path)[0].n_bytes == 200_000_000
        for array in stream_released(path, block_mib=4):
            assert sum(len(block) for _, block in array.blocks()) == 1000
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    shown = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert int(shown.stdout) < 30_000  # kB


@pytest.mark.parametrize("compression", [0, "zlib"])
def test_blocks_are_taken_once_and_while_they_are_there(tmp_path, compression):
    value = [np.arange(12.0).reshape(4, 3), np.ones((2, 2))]
    path = made.dump(value, tmp_path / "two.jbl", compression)
    message = r"two\.jbl: array 0 is not what comes next any more.*or call stream_released again"
    with pytest.raises(ValueError, match=message):  # the generator is gone, and the file closed
        list(next(iter(stream_released(path))).blocks())
    arrays = stream_released(path, block_mib=1e-6)
    first = next(arrays)
    blocks = first.blocks()
    np.testing.assert_array_equal(next(blocks)[1], value[0][:1])
    with pytest.raises(ValueError, match=message):  # it would begin in the middle
        next(first.blocks())
    second = next(arrays)
    for late in (blocks, first.blocks()):  # these would be the numbers of the second
        with pytest.raises(ValueError, match=message):
            next(late)
    np.testing.assert_array_equal(np.concatenate([one for _, one in second.blocks()]), value[1])
    with pytest.raises(ValueError, match="array 1 is not what comes next"):
        next(second.blocks())
    arrays.close()
