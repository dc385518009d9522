"""What is converted is what was read, in files that anything reads."""

import contextlib
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

from voxscale.data import convert_released, read_released, read_textgrid, read_tr_report
from voxscale.data._stand_ins import textgrid_of, tr_report_of
from voxscale.errors import DataError, VoxscaleWarning
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


SHORT = (
    '"ooTextFile"\r\n"TextGrid"\r\n0\r\n1\r\n<exists>\r\n2\r\n"IntervalTier"\r\n"phone"\r\n0\r\n1'
    '\r\n2\r\n0\r\n0.1\r\n"HH"\r\n0.1\r\n1\r\n"AY"\r\n"TextTier"\r\n"none"\r\n0\r\n1\r\n0'
)


def test_what_is_converted_reads_as_the_data_set_reads_the_pickle(tmp_path):
    """TextGrids and TR times are equal to the last bit, from odd objects too."""
    third = 1 / 3
    entries = [(str(third), "1", 'two\r\nlines "q"'), (str(2 * third), "1.1", "")]
    with made.old_modules() as classes:
        tier, tr = classes["Tier"], classes["TRFile"]
        lost = [filled_tier(tier, [("0", "0.1", "HH")]), filled_tier(tier, [])]
        grids = {
            "plain": made.text_grid(classes, ["a", "b\rc", "café"]),
            "short": made.filled(classes["TextGrid"], read_file=SHORT, tiers=lost),
            "bytes": made.filled(classes["TextGrid"], tiers=[
                filled_tier(tier, [(b"0", b"1", "é".encode())]), filled_tier(tier, entries),
                filled_tier(tier, [], classid="TextTier"), filled_tier(tier, [("0.1", "x")]),
            ]),
        }  # fmt: skip
        even = (third + 2.0045 * np.arange(9)).tolist()
        others = [(5.0, "start of it"), (5.0, " two  words "), (4.0, ""), (1e-7, "first")]
        reports = {
            "even": [made.filled(
                tr, trtimes=even, soundstarttime=3 * third + 0.1, otherlabels=others)],
            "unsorted": [made.filled(
                tr, trtimes=[0.1, 2.1, 4.1, 6.1, 8.1, 12.1, 10.1, 14.1], soundstarttime=10.7,
                soundstoptime=12.0, expectedtr=2.0045, otherlabels=[])],
            "gap": [made.filled(tr, trtimes=[0, 2, 4, 10, 12], soundstarttime=2, soundstoptime=-1)],
            "first of two": [made.tr_file(classes, 5), made.tr_file(classes, 6)],
        }  # fmt: skip
        paths = [made.dump(grids, tmp_path / "grids.jbl"), made.dump(reports, tmp_path / "trs.jbl")]
    with pytest.warns(
        VoxscaleWarning, match=r"trs\.jbl, the TRFile at \['unsorted'\].*out of order"
    ):
        convert_released(paths, tmp_path / "out")
    for story, held in read_released(paths[0]).items():
        path = tmp_path / "out" / "grids" / f"{story}.TextGrid"
        with told_if(story == "bytes", "intervals start before"):
            assert read_textgrid(path) == textgrid_of(held, story)
    assert len(read_textgrid(tmp_path / "out" / "grids" / "short.TextGrid").tiers[0]) == 2
    for story, held in read_released(paths[1]).items():
        with told_if(story in ("unsorted", "gap"), "out of order|have no trigger"):
            theirs = tr_report_of(held, story)
        with told_if(story == "gap", "2 of 7 TRs have no trigger"):
            ours = read_tr_report(tmp_path / "out" / "trs" / f"{story}.report")
        assert ours.trigger_times.tolist() == theirs.trigger_times.tolist()
        assert ours.tr_times.tolist() == theirs.tr_times.tolist()
        for name in ("tr_s", "sound_start_s", "sound_stop_s", "other", "n_repaired"):
            assert getattr(ours, name) == getattr(theirs, name)
    even = read_tr_report(tmp_path / "out" / "trs" / "even.report")
    assert [label for _, label in even.other] == [
        "other first", "other", "other start of it", "two words",
    ]  # fmt: skip


def filled_tier(tier, entries, **held):
    own = {"classid": "IntervalTier", "nameid": b"a", "xmin": 0.0, "xmax": "1.1", **held}
    return made.filled(tier, simple_transcript=entries, **own)


def told_if(is_told, match):
    return pytest.warns(VoxscaleWarning, match=match) if is_told else contextlib.nullcontext()


def test_a_story_without_a_sound_is_named_and_nothing_is_written(tmp_path):
    with made.old_modules() as classes:
        silent = made.filled(classes["TRFile"], trtimes=[0.0, 2.0, 4.0], soundstarttime=-1)
        value = {"fox": [made.tr_file(classes, 5)], "hen": [silent]}
        path = made.dump(value, tmp_path / "trs.jbl")
    match = (
        r"trs\.jbl, the TRFile at \['hen'\]\[0\]: the log has no onset of the sound.*sound_start_s="
    )
    with pytest.raises(DataError, match=match):
        convert_released([path], tmp_path / "out")
    assert not (tmp_path / "out").exists()


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
    for one, words in (
        (path, r"grid\.jbl, the TextGrid at the top: this TextGrid holds size; expected tiers"),
        (tier, r"at the top cannot be converted.*read_released"),
    ):
        with pytest.raises(DataError, match=words):
            convert_released([one], tmp_path / "out")
        cut = tmp_path / "cut.jbl"
        cut.write_bytes(made.dump(np.ones(99), tmp_path / "whole.jbl", "zlib").read_bytes()[:-9])
        with pytest.raises(DataError, match=r"cut\.jbl, byte"):
            convert_released([cut], tmp_path / "out")
        with pytest.raises(DataError, match=r"cut\.jbl, byte"):
            convert_released([cut], tmp_path / "out" / "deep" / "er")
    assert not (tmp_path / "out").exists()
    (tmp_path / "mine").mkdir()
    with pytest.raises(DataError, match=r"cut\.jbl, byte"):
        convert_released([cut], tmp_path / "mine" / "deep")
    assert list((tmp_path / "mine").iterdir()) == []  # was there before
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
    assert not (tmp_path / "out").exists()


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
