"""What is converted is what was read, in files that anything reads."""

import importlib.util
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr

from voxscale.data import convert_released, read_textgrid, read_tr_report
from voxscale.errors import DataError
from voxscale.store import hash_file

_spec = importlib.util.spec_from_file_location(
    "released_files", Path(__file__).with_name("released_files.py")
)
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


@pytest.mark.parametrize("compression", made.COMPRESSIONS)
def test_arrays_go_to_zarr_by_their_keys(tmp_path, rng, compression):
    value = {
        "fox": rng.standard_normal((300, 20)).astype("f4"),
        "nested": {"F": np.asfortranarray(rng.standard_normal((30, 40))), "1/2": np.arange(3)},
        1: [np.ones(2), np.zeros((0, 3))],
        "one": np.array(3.0),
        "swapped": np.arange(3, dtype=">i4"),
    }
    path = made.dump(value, tmp_path / "features.jbl", compression)
    manifest = convert_released([path], tmp_path / "out")
    group = zarr.open_group(tmp_path / "out" / "features.zarr", mode="r")
    for name, expected in {
        "fox": value["fox"], "nested/F": value["nested"]["F"], "nested/1%2F2": np.arange(3),
        "1/0": np.ones(2), "1/1": np.zeros((0, 3)), "one": np.array(3.0),
        "swapped": np.arange(3),
    }.items():  # fmt: skip
        np.testing.assert_array_equal(group[name][...], expected)
        assert group[name].dtype.newbyteorder("=") == expected.dtype or name == "swapped"
    assert manifest == json.loads((tmp_path / "out" / "manifest.json").read_text())
    record = manifest["features"]
    assert record["source"] == {
        "name": "features.jbl", "n_bytes": path.stat().st_size, "sha256": hash_file(path),
    }  # fmt: skip
    for one in record["written"]:
        assert hash_file(tmp_path / "out" / one["name"]) == one["sha256"]
    written = {
        str(one.relative_to(tmp_path / "out"))
        for one in (tmp_path / "out").rglob("*")
        if one.is_file()
    }
    assert written == {one["name"] for one in record["written"]} | {"manifest.json"}


def test_one_array_alone(tmp_path):
    weights = np.arange(12.0).reshape(3, 4)
    convert_released([made.dump(weights, tmp_path / "w.jbl", "gzip")], tmp_path)
    np.testing.assert_array_equal(zarr.open_group(tmp_path / "w.zarr")["array"][:], weights)


def test_the_published_classes_become_files_that_are_read(tmp_path):
    words = ["the", 'a "b"', "", "café"]
    with made.old_modules() as classes:
        grids = {"fox": made.text_grid(classes, words)}
        raw = '"ooTextFile" "TextGrid" 0 1 <exists> 1 "IntervalTier" "word" 0 1 1 0 1 "x"'
        grids["raw"] = made.filled(classes["TextGrid"], read_file=raw)
        value = {
            "grids": made.dump(grids, tmp_path / "grids.jbl", "zlib"),
            "trs": made.dump({"fox": [made.tr_file(classes, 6)]}, tmp_path / "trs.jbl"),
            "words": made.dump(
                {"fox": made.sequence(classes, words)}, tmp_path / "words.jbl", "xz"
            ),
        }
    convert_released(value.values(), tmp_path / "out")
    grid = read_textgrid(tmp_path / "out" / "grids" / "fox.TextGrid")
    assert [tier.name for tier in grid.tiers] == ["word", "beep"]
    assert [one.text for one in grid.tiers[0].intervals] == words
    assert grid.tiers[0].intervals[1][:2] == (0.5, 1.0)
    assert grid.tiers[1].points == ((0.25, 'a "b"'),)
    assert (
        read_textgrid(tmp_path / "out" / "grids" / "raw.TextGrid").tiers[0].intervals[0].text == "x"
    )
    report = read_tr_report(tmp_path / "out" / "trs" / "fox.report")
    np.testing.assert_allclose(report.trigger_times, np.arange(6) * 2 - 10.0)
    assert (report.sound_stop_s, report.other) == (60.0, ((5.0, "hello there"),))
    table = pd.read_parquet(tmp_path / "out" / "words" / "fox.words.parquet")
    assert table["value"].tolist() == words
    assert table["time_s"].tolist() == [0, 0.5, 1, 1.5]
    trs = pd.read_parquet(tmp_path / "out" / "words" / "fox.trs.parquet")
    assert trs["tr_time_s"].tolist() == [0, 2, 4, 6]
    assert trs["split_ind"].tolist() == [1, 2, 3, pd.NA]


def test_tables_and_the_rest(tmp_path):
    value = {**made.tables(), "alpha": 10.0, "names": ["a", "b"], "text": np.array(["p"])}
    convert_released([made.dump(value, tmp_path / "mixed.jbl", "bz2")], tmp_path / "out")
    folder = tmp_path / "out" / "mixed"
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "frame.parquet"), value["frame"])
    assert pd.read_parquet(folder / "series.parquet")["k"].tolist() == [1, 2]
    rest = {
        row["keys"][0]: row["value"] for row in json.loads((folder / "values.json").read_text())
    }
    assert rest == {"alpha": 10.0, "names": ["a", "b"], "text": ["p"]}
    assert not (tmp_path / "out" / "mixed.zarr").exists()


def test_what_is_done_is_kept_and_what_changed_is_done_again(tmp_path):
    one = made.dump(np.ones(3), tmp_path / "one.jbl")
    other = made.dump(np.ones(4), tmp_path / "other.jbl")
    out = tmp_path / "out"
    convert_released([one, other], out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.zarr/zarr.json")}
    assert len(times) == 2
    made.dump(np.zeros(4), other)
    convert_released([one, other], out)
    changed = {path.parent.name: path.stat().st_mtime_ns != times[path] for path in times}
    assert changed == {"one.zarr": False, "other.zarr": True}
    assert zarr.open_group(out / "other.zarr")["array"][0] == 0
    next((out / "one.zarr").rglob("c/0")).unlink()
    convert_released([one], out)
    assert zarr.open_group(out / "one.zarr")["array"][0] == 1


def test_what_is_in_the_way_is_not_replaced(tmp_path):
    path = made.dump({"fox": np.ones(3)}, tmp_path / "features.jbl")
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "mine.txt").write_text("years of work")
    with pytest.raises(DataError, match=r"features is there already, and .*name another folder"):
        convert_released([path], tmp_path)
    assert (tmp_path / "features" / "mine.txt").read_text() == "years of work"
    assert not (tmp_path / "manifest.json").exists()


def test_another_file_of_the_same_name_is_not_put_in_its_place(tmp_path):
    out = tmp_path / "out"
    convert_released([made.dump({"fox": np.ones(3)}, tmp_path / "features.jbl")], out)
    with pytest.raises(DataError, match=r"converted from features\.pkl; expected a free place"):
        convert_released([made.dump({"fox": np.zeros(3)}, tmp_path / "features.pkl")], out)
    assert zarr.open_group(out / "features.zarr")["fox"][0] == 1
    for text, words in (("{", "is damaged"), ("[1]", "is no manifest of conversions")):
        (out / "manifest.json").write_text(text)
        with pytest.raises(DataError, match=words):
            convert_released([tmp_path / "features.jbl"], out)


def test_what_a_killed_process_left_is_done_again(tmp_path):
    path, out = made.dump({"fox": np.ones(3)}, tmp_path / "features.jbl"), tmp_path / "out"
    whole = convert_released([path], out)
    begun = {"features": {**whole["features"], "written": []}}
    (out / "manifest.json").write_text(json.dumps(begun))
    (out / "features.zarr" / "zarr.json").unlink()
    again = convert_released([path], out)
    assert [one["name"] for one in again["features"]["written"]] == [
        one["name"] for one in whole["features"]["written"]
    ]


def test_what_cannot_be_converted_leaves_nothing(tmp_path):
    with made.old_modules() as classes:
        path = made.dump(made.filled(classes["TextGrid"], size=3), tmp_path / "grid.jbl")
        tier = made.dump(made.filled(classes["Tier"], size=3), tmp_path / "tier.jbl")
    for one in (path, tier):
        with pytest.raises(DataError, match=r"at the top cannot be converted.*read_released"):
            convert_released([one], tmp_path / "out")
        cut = tmp_path / "cut.jbl"
        cut.write_bytes(made.dump(np.ones(99), tmp_path / "whole.jbl", "zlib").read_bytes()[:-9])
        with pytest.raises(DataError, match=r"cut\.jbl, byte"):
            convert_released([cut], tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").glob("*")] == []
    (tmp_path / "b").mkdir()
    with pytest.raises(DataError, match="would both be written to 'grid'"):
        convert_released([path, made.dump(1, tmp_path / "b" / "grid.jbl")], tmp_path / "out")


@pytest.mark.parametrize("kind", ["array", "table", "text"])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, rng, kind):
    """A limit on the size of files stands for it: no file may grow beyond 20 kB."""
    value = {
        "array": rng.standard_normal(50_000),
        "table": pd.DataFrame({"a": rng.standard_normal(50_000)}),
        "text": "x" * 100_000,
    }[kind]
    path = made.dump(value, tmp_path / "large.jbl")
    code = f"""
        import resource, signal
        from voxscale.data import convert_released
        from voxscale.errors import StoreError
        import pandas, zarr, pyarrow.parquet
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            convert_released([{str(path)!r}], {str(tmp_path / "out")!r})
        except StoreError as error:
            print(error)
    """
    shown = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True
    )
    assert "cannot write" in shown.stdout, shown.stderr[-2000:]
    assert "raise the limit" in shown.stdout
    assert list((tmp_path / "out").iterdir()) == []


def test_memory_does_not_go_with_the_array(tmp_path):
    path = made.dump(np.zeros((1000, 25_000)), tmp_path / "zeros.jbl", "zlib")  # 200 MB
    small = made.dump(np.zeros((10, 3)), tmp_path / "small.jbl", "zlib")
    code = f"""
        import resource
        from voxscale.data import convert_released
        convert_released([{str(small)!r}], {str(tmp_path)!r})
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        convert_released([{str(path)!r}], {str(tmp_path)!r})
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    shown = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert int(shown.stdout) < 150_000  # kB
    assert zarr.open_group(tmp_path / "zeros.zarr")["array"].shape == (1000, 25_000)
