"""Files that are data, and odd: what lists or converts them ends, and writes nowhere else."""

import bz2
import gzip
import importlib.util
import itertools
import json
import lzma
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from voxscale.data import convert_released, inspect_released, read_released, stream_released
from voxscale.data._released._names import Names
from voxscale.errors import DataError

_spec = importlib.util.spec_from_file_location(
    "released_files", Path(__file__).with_name("released_files.py")
)
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


def pickled(value, path):
    path.write_bytes(pickle.dumps(value))
    return path


def doubled():
    value = [1]
    for _ in range(60):
        value = [value, value]
    return value


def in_itself():
    value = []
    value.append(value)
    return value


def in_itself_by_a_long_name():
    value = [{"x": None}]
    value.append(value)
    return {"a" * 250: value}


@pytest.mark.parametrize("make", [doubled, in_itself])
def test_what_would_never_be_written_out_is_refused(tmp_path, make):
    path = pickled(make(), tmp_path / "odd.jbl")
    assert len(inspect_released(path)) == 1
    with pytest.raises(DataError, match=r"odd\.jbl holds what is in itself, or what would be"):
        convert_released([path], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_list_in_itself_is_listed_once(tmp_path):
    path = pickled(in_itself_by_a_long_name(), tmp_path / "odd.jbl")
    kinds = [one.kind for one in inspect_released(path)]
    assert len(kinds) == 2
    assert kinds[1].startswith("the same as ['aaa")


def test_long_keys_are_not_shown_whole(tmp_path):
    value = {b"\xff" * 50_000: dict.fromkeys(range(2000)), ("b" * 50_000,): {1: 2, 3: 4}}
    found = inspect_released(pickled(value, tmp_path / "keys.jbl"))
    assert len(found) == 2002
    assert max(len(one.name) for one in found) <= 200


def test_one_array_in_a_great_many_places_is_not_written_to_each(tmp_path):
    array = np.ones(3)
    path = pickled({str(i): array for i in range(101)}, tmp_path / "many.jbl")
    with pytest.raises(DataError, match="array 0 is in more than 100 places"):
        convert_released([path], tmp_path / "out")


def test_one_long_text_in_many_places_is_not_written_to_each(tmp_path):
    text = "b" * 2**20
    with made.old_modules() as classes:
        tier = made.filled(classes["Tier"], simple_transcript=[("0", "1", text)] * 50)
        value = {"a": made.filled(classes["TextGrid"], tiers=[tier])}
        path = made.dump(value, tmp_path / "grids.jbl", "zlib")
        sequence = made.filled(classes["DataSequence"], data=["a", text] * 20, split_inds=[3])
        words = made.dump(sequence, tmp_path / "words.jbl", "zlib")
    with pytest.raises(DataError, match=r"would be 5\.24e\+07 bytes once written"):
        convert_released([path], tmp_path / "out", max_gib=1 / 32)
    convert_released([words], tmp_path / "out")


def test_several_packed_streams_are_one(tmp_path):
    """Programs that pack in parallel write them; Python's own readers join them too."""
    whole = pickle.dumps(list(range(5000)), 4)
    for name, pack in {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}.items():
        path = tmp_path / f"x.{name}"
        cuts = [0, 1, 5, 4000, len(whole)]
        pieces = [whole[a:b] for a, b in itertools.pairwise(cuts)]
        path.write_bytes(b"".join(map(pack, pieces)))
        assert read_released(path) == list(range(5000))
        path.write_bytes(b"".join(map(pack, [*pieces[:2], b"", *pieces[2:]])) + b"\0\0noise")
        assert read_released(path) == list(range(5000))
        path.write_bytes(b"".join(map(pack, pieces[:-1])))
        with pytest.raises(DataError, match="the file ends"):
            read_released(path)


def test_pipes_and_devices_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.jbl")
    (tmp_path / "link.jbl").symlink_to(tmp_path / "pipe.jbl")
    for path in (tmp_path / "pipe.jbl", tmp_path / "link.jbl", Path("/dev/zero")):
        for read in (read_released, inspect_released, stream_released):
            with pytest.raises(DataError, match="is a pipe or a device; expected a file"):
                read(path)
        with pytest.raises(DataError, match="is a pipe or a device"):
            convert_released([path], tmp_path / "out")


ODD_NAMES = [
    "../../x", "..", ".", "/etc/passwd", "CON", "nul.txt", "a/b", "", "é" * 300, "x" * 300, "a\0b",
    "Fox", "fox", "FOX", "a\\b", "zarr.json", "__a", "a.", "a ", "\ud800", "~", "a\nb", "%2E",
    "C:\\x", "values.json", "manifest.json", 1, "1", ("a", 1), b"\xff",
]  # fmt: skip


def test_odd_names_of_stories_stay_within_the_folder(tmp_path):
    import zarr

    home = tmp_path / "deep" / "er"
    home.mkdir(parents=True)
    with made.old_modules() as classes:
        logs = {name: [made.tr_file(classes, 5)] for name in ODD_NAMES}
        logs = made.dump(logs, home / "trs.jbl")
        arrays = {name: np.full(2, i) for i, name in enumerate(ODD_NAMES)}
        arrays = made.dump(arrays, home / "arrays.jbl")
        tables = made.dump({n: made.tables()["frame"] for n in ODD_NAMES}, home / "tables.jbl")
    texts = pickled(dict.fromkeys(ODD_NAMES, "text"), home / "texts.jbl")
    convert_released([logs, arrays, tables, texts], home / "out")
    assert [one.name for one in tmp_path.iterdir()] == ["deep"]
    assert [one.name for one in (tmp_path / "deep").iterdir()] == ["er"]
    assert len(list(home.iterdir())) == 5
    names = [one.name for one in (home / "out" / "trs").iterdir()]
    assert len({name.lower() for name in names}) == len(names) == len(ODD_NAMES)
    assert all(one.is_file() for one in (home / "out" / "trs").iterdir())
    group = zarr.open_group(home / "out" / "arrays.zarr", mode="r")
    assert sorted(int(one[0]) for _, one in group.arrays()) == list(range(len(ODD_NAMES)))
    rows = json.loads((home / "out" / "texts" / "values.json").read_text())
    assert [row["keys"][0] for row in rows] == [str(name) for name in ODD_NAMES]


def test_many_names_that_differ_in_case_alone_are_told_apart_in_little_time():
    letters = "abcdefghijklmno"
    names = Names()
    given = {
        names.of(("".join(c.upper() if k >> j & 1 else c for j, c in enumerate(letters)),)).lower()
        for k in range(20_000)
    }
    assert len(given) == 20_000


def test_names_of_the_files_themselves(tmp_path):
    for name, words in {"...jbl": "a name of its own", "manifest.json.jbl": "rename it"}.items():
        with pytest.raises(DataError, match=words):
            convert_released([pickled({"a": "b"}, tmp_path / name)], tmp_path / "out")
    odd = tmp_path / os.fsdecode(b"b[1]\xff**.jbl")
    convert_released([pickled({"a": 1}, odd)], tmp_path / "out")
    assert convert_released([odd], tmp_path / "out")[odd.stem]["source"]["name"] == odd.name


def test_words_and_a_table_that_would_share_a_file(tmp_path):
    with made.old_modules() as classes:
        value = {"a": made.sequence(classes, ["x"]), "a.words": made.tables()["frame"]}
        path = made.dump(value, tmp_path / "both.jbl")
    convert_released([path], tmp_path / "out")
    assert sorted(one.name for one in (tmp_path / "out" / "both").iterdir()) == [
        "a.trs.parquet", "a.words.parquet", "a.words~2.parquet",
    ]  # fmt: skip


def test_a_range_of_labels_alone_is_not_filled_in(tmp_path):
    import pandas as pd

    path = pickled(pd.RangeIndex(2**40), tmp_path / "labels.jbl")
    assert inspect_released(path)[0].shape == (2**40,)
    with pytest.raises(DataError, match=f"stands for {2**40} numbers"):
        convert_released([path], tmp_path / "out")


def test_frames_that_say_another_length_change_nothing(tmp_path):
    path = tmp_path / "frame.jbl"
    for n in (0, 2, 2**63):
        path.write_bytes(b"\x80\x04\x95" + struct.pack("<Q", n) + b"K\x01.")
        assert read_released(path) == 1
