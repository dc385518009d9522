"""Fetching through other programs, which stand-ins play here."""

import hashlib
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from voxscale.data import narratives
from voxscale.data._fetch_extras import fetch_with
from voxscale.data._fetch_record import FetchRecord
from voxscale.errors import DataError, VoxscaleWarning

PATH = "derivative/preprocessed_data/UTS01/{}.hf5"


@pytest.fixture
def contents(rng):
    return {PATH.format(story): rng.bytes(1000) for story in ("life", "souls", "naked")}


@pytest.fixture
def clone(contents, tmp_path):
    root = tmp_path / "clone"
    (root / ".git").mkdir(parents=True)
    for path, content in contents.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        key = f"MD5E-s{len(content)}--{hashlib.md5(content).hexdigest()}.hf5"
        (root / path).symlink_to(f"../../../.git/annex/objects/x/{key}")
    return root


@pytest.fixture
def datalad(contents, tmp_path, monkeypatch):
    """Put a datalad on the path that brings all but "naked", and damages "souls"."""
    for path, content in contents.items():
        held = tmp_path / "held" / Path(path).name
        held.parent.mkdir(exist_ok=True)
        held.write_bytes(content if "souls" not in path else b"?" * len(content))
    program = tmp_path / "bin" / "datalad"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\nshift 3\nfor one in \"$@\"; do\n  name=$(basename \"$one\")\n"
        f"  [ $name = naked.hf5 ] || cp --remove-destination '{tmp_path}/held/'$name \"$one\"\n"
        "done\n[ ! -e \"$FAILS\" ]\n"
    )  # fmt: skip
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def test_what_datalad_brings_is_hashed(clone, datalad, contents):
    said = []
    summary = fetch_with("datalad", "lebel2023", clone, parts=["responses"], say=said.append)
    [line] = said
    life, souls, naked = (PATH.format(story) for story in ("life", "souls", "naked"))
    assert line.startswith(f"datalad get -d {clone} {clone}/")
    assert line.count(".hf5") == 3
    assert [one.path for one in summary.fetched] == [life]
    failed = dict(summary.failed)
    assert failed[naked] == "datalad has not brought it"
    assert "is not what its key says" in failed[souls]
    assert FetchRecord(clone).entries[life].verified_by == "md5"
    assert FetchRecord(clone).entries[souls].verified_by == ""


def test_datalad_clones_what_the_card_names(tmp_path, monkeypatch):
    """And the subdataset of the derivatives, before it is asked what is in it."""
    root, program = tmp_path / "root", tmp_path / "bin" / "datalad"
    program.parent.mkdir()
    key = f"../../../.git/annex/objects/MD5E-s1--{hashlib.md5(b'?').hexdigest()}"
    words = root / "stimuli/gentle/a/align.csv"
    program.write_text(
        f"#!/bin/sh\ncase $1$2 in\n"
        f"  clone*) mkdir -p '{root}/.git' '{words.parent}'; ln -s {key} '{words}';;\n"
        f"  get-n) mkdir -p '{root}/derivatives/afni-nosmooth/.git';;\n"
        f"  *) rm '{words}'; printf '?' > '{words}';;\nesac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    said = []
    with pytest.warns(VoxscaleWarning, match="nothing to fetch matches"):
        fetch_with("datalad", "narratives", root, say=said.append)
    assert said[0] == f"{narratives.CARD.fetch} {root}"
    assert said[1] == f"datalad get -n -d {root} {root}/derivatives/afni-nosmooth"
    assert said[2] == f"datalad get -d {root} {root}/stimuli/gentle/a/align.csv"


def test_datalad_that_fails_is_told(clone, datalad, monkeypatch):
    monkeypatch.setenv("FAILS", str(clone))
    with pytest.raises(DataError, match="datalad get ended with code 1"):
        fetch_with("datalad", "lebel2023", clone, parts=["responses"], say=str)


def test_without_the_programs_the_install_line_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "openneuro", None)
    with pytest.raises(DataError, match=r"pip install 'voxscale\[datalad\]' \(and git-annex"):
        fetch_with("datalad", "lebel2023", tmp_path)
    with pytest.raises(DataError, match=r"openneuro-py is not .* 'voxscale\[openneuro\]'"):
        fetch_with("openneuro", "lebel2023", tmp_path)
    with pytest.raises(ValueError, match="expected one of datalad, openneuro"):
        fetch_with("wget", "lebel2023", tmp_path)
    with pytest.raises(DataError, match="EncodingModelScalingLaws"):
        fetch_with("openneuro", "antonello2023", tmp_path)


def test_what_openneuro_py_brings_is_recorded(tmp_path, contents, monkeypatch):
    asked, said = [], []

    def download(**options):
        asked.append(options)
        for path, content in contents.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content)
        (tmp_path / "README").write_text("it brings this always")

    module = ModuleType("openneuro")
    module.download = download
    monkeypatch.setitem(sys.modules, "openneuro", module)
    options = {"subjects": ["UTS01"], "parts": ["responses"], "say": said.append}
    summary = fetch_with("openneuro", "lebel2023", tmp_path, **options)
    assert asked == [
        {"dataset": "ds003020", "target_dir": str(tmp_path), "include": [PATH.format("*")]}
    ]
    assert said[0].startswith("openneuro.download(dataset='ds003020', target_dir=")
    assert {one.path for one in summary.fetched} == set(contents)
    entries = FetchRecord(tmp_path).entries
    assert {one.verified_by for one in entries.values()} == {"openneuro-py"}
    for path, content in contents.items():
        assert entries[path].sha256 == hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(module, "download", lambda **_: None)
    assert fetch_with("openneuro", "lebel2023", tmp_path, **options).n_there == 3

    def fail(**_):
        raise RuntimeError("no such data set")

    monkeypatch.setattr(module, "download", fail)
    with pytest.raises(DataError, match=r"openneuro-py failed \(no such data set\)"):
        fetch_with("openneuro", "lebel2023", tmp_path, **options)
