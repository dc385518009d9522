"""A conversion that is killed, or finds the disk full, at any moment."""

import errno
import importlib.util
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from voxscale.data import convert_released
from voxscale.errors import StoreError
from voxscale.store import hash_file

_spec = importlib.util.spec_from_file_location(
    "released_files", Path(__file__).with_name("released_files.py")
)
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)

# Converts, and kills itself with signal 9 at the n-th event of those that touch OUT.
KILLED = """
    import os, signal, sys
    from voxscale.cli import main
    import zarr, pandas, pyarrow.parquet
    out, at, n = sys.argv[1], int(sys.argv[2]), 0
    watched = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"}

    def hook(event, args):
        global n
        if event in watched and args and str(args[0]).startswith(out):
            n += 1
            if n == at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.argv[:] = ["voxscale", "convert", *sys.argv[3:], out]
    sys.addaudithook(hook)
    try:
        main()
    finally:
        print(n)
"""


@pytest.fixture
def paths(tmp_path, rng):
    with made.old_modules() as classes:
        grids = {name: made.text_grid(classes, ["a", "b"]) for name in ("fox", "hen")}
        grids = made.dump(grids, tmp_path / "grids.jbl", "zlib")
    arrays = {name: rng.standard_normal((30, 4)) for name in ("fox", "hen", "owl")}
    table = pd.DataFrame({"a": [1.0, 2.0]})
    return [grids, made.dump({**arrays, "table": table}, tmp_path / "arrays.jbl")]


def contents(folder):
    """Return the names and hashes of all files; of parquet and zarr they do not vary."""
    return {
        str(one.relative_to(folder)): hash_file(one)
        for one in folder.rglob("*")
        if one.is_file()
    }  # fmt: skip


def converting(out, at, paths):
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(out), str(at), *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True)


def test_killed_at_any_moment_and_run_again(tmp_path, paths, rng):
    convert_released(paths, tmp_path / "whole")
    whole = contents(tmp_path / "whole")
    counted = converting(tmp_path / "counted", 0, paths)
    n_events = int(counted.stdout.split()[-1])
    assert contents(tmp_path / "counted") == whole
    assert n_events > 40
    for place in sorted(rng.choice(np.arange(1, n_events + 1), 8, replace=False).tolist()):
        out = tmp_path / f"out{place}"
        killed = converting(out, place, paths)
        assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
        if (out / "manifest.json").exists():  # what it says is done is whole
            for record in json.loads((out / "manifest.json").read_text()).values():
                for one in record["written"]:
                    assert hash_file(out / one["name"]) == one["sha256"]
        convert_released(paths, out)
        assert contents(out) == whole
        assert not list(out.rglob(".*"))


def test_killed_from_outside(tmp_path, paths, rng):
    """By the clock, wherever it then is."""
    large = made.dump(rng.standard_normal((400, 20_000)), tmp_path / "large.jbl")
    convert_released([large], tmp_path / "whole")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "voxscale", "convert", str(large), str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(2000):
        if list(out.glob(".large.zarr.*/array/c")) or process.poll() is not None:
            break
        time.sleep(0.005)
    process.kill()
    process.wait()
    convert_released([large], out)
    assert contents(out) == contents(tmp_path / "whole")
    assert not list(out.rglob(".*"))


@pytest.mark.parametrize("at", range(1, 9))
def test_a_disk_that_is_full_at_any_moment(tmp_path, paths, monkeypatch, at):
    """The at-th file that is forced to the disk, or put in place, finds no space."""
    out, n = tmp_path / "out", 0

    def full(*args, **options):
        nonlocal n
        n += stat.S_ISREG(os.fstat(args[0]).st_mode)
        if n == at:
            n += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return fsync(*args, **options)

    fsync = os.fsync
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match=r"the disk is full.*free some space"):
            convert_released(paths, out)
    assert not list(out.rglob(".*"))
    held = {one.name for one in out.iterdir()} if out.exists() else set()  # no empty folder is left
    record = json.loads((out / "manifest.json").read_text()) if held else {}
    expected = {one["name"].split("/")[0] for r in record.values() for one in r["written"]}
    assert held - {"manifest.json"} == expected
    convert_released(paths, out)
    convert_released(paths, tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")
