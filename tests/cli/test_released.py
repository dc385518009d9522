"""``voxscale inspect`` and ``voxscale convert``."""

import json

import joblib
import numpy as np
from typer.testing import CliRunner

from voxscale.cli import app


def invoke(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


def test_inspect_prints_a_table_or_json(tmp_path):
    path = tmp_path / "x.jbl"
    joblib.dump({"fox": np.zeros((300, 10), "f4"), "n": 3}, path, compress=3)
    done = invoke("inspect", path)
    assert done.exit_code == 0
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["where", "what", "type", "shape", "bytes"],
        ["['fox']", "array", "float32", "300", "×", "10", "12,000"],
        ["['n']", "number", "8"],
    ]
    rows = json.loads(invoke("inspect", path, "--json").stdout)
    assert rows[0] == {
        "name": "['fox']", "kind": "array", "dtype": "float32", "shape": [300, 10],
        "n_bytes": 12000, "number": 0, "keys": ["fox"],
    }  # fmt: skip


def test_convert_says_what_it_wrote_and_where(tmp_path):
    path, out = tmp_path / "x.jbl", tmp_path / "out"
    joblib.dump({"fox": np.zeros(3), "n": 3}, path)
    done = invoke("convert", path, out)
    assert done.exit_code == 0
    assert f"in {out / 'x'} and {out / 'x.zarr'}" in done.stdout
    assert (out / "manifest.json").exists()
    assert "already there" not in done.stdout
    again = invoke("convert", path, out)
    assert again.stdout == done.stdout.replace(f"{path}: ", f"{path}: already there: ")
    alone = invoke("convert", path)
    assert alone.exit_code == 2
    assert "expected one file or more, and then the folder" in alone.stderr


def test_what_would_be_run_is_refused_without_a_traceback(tmp_path):
    path = tmp_path / "evil.jbl"
    path.write_bytes(b"cos\nsystem\n(S'touch canary'\ntR.")
    for done in (invoke("inspect", path), invoke("convert", path, tmp_path / "out")):
        assert done.exit_code == 2
        assert "the file names 'os.system', which was not run" in done.stderr
        assert "Traceback" not in done.output
    bomb = tmp_path / "bomb.jbl"
    joblib.dump(np.zeros(10**6), bomb, compress=3)
    assert "raise max_gib" in invoke("inspect", bomb, "--max-gib", "0.001").stderr
