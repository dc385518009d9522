"""A fetch that is killed at any line of it goes on from there."""

import hashlib
import json
import multiprocessing
import random
import signal

import pytest

from voxscale.data._fetch import fetch
from voxscale.data._fetch_record import RECORD_NAME, FetchRecord
from voxscale.data._http import Patience
from voxscale.data._part import part_of
from voxscale.data._remote import Remote

pytestmark = pytest.mark.loopback

N_KILLS = 60
SIZES = (300_000, 0, 70_001)
KILLED_AT = range(100, 1200, 100)
N_SURE = 6  # of these, before the line to which a fetch comes that finds all files in place

# Runs in a process of its own, which kills itself before the Nth line of what fetches.
PROGRAM = """
import os, signal, sys, threading, warnings
from voxscale.data import _fetch
from voxscale.data._remote import Remote

count = [0]

def lines(frame, event, argument):
    if event == "line":
        count[0] += 1
        if count[0] == {at}:
            os.kill(os.getpid(), signal.SIGKILL)
    return lines

def trace(frame, event, argument):
    name = frame.f_code.co_filename
    is_ours = "voxscale" in name and ("/data/_" in name or "/store/_aside" in name)
    return lines if is_ours else None

os.environ["no_proxy"] = "127.0.0.1"
threading.settrace(trace)
sys.settrace(trace)
_fetch.fetch([Remote(*one) for one in {remotes!r}], {root!r}, n_at_once={n_at_once})
sys.settrace(None)
open({report!r}, "w").write(str(count[0]))
"""


@pytest.fixture(scope="module")
def processes():
    """Return processes that begin with the modules imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["voxscale.data._fetch", "filelock"])
    return context


@pytest.fixture
def contents(rng):
    return {f"folder {i}/file {i}.hf5": rng.bytes(size) for i, size in enumerate(SIZES)}


@pytest.fixture
def remotes(server, contents):
    return [
        Remote(path, server.put(path, one), len(one), f"md5:{hashlib.md5(one).hexdigest()}")
        for path, one in contents.items()
    ]


def run(processes, remotes, root, at, n_at_once=1):
    """Fetch in another process until line ``at``; return its exit code and how many it ran."""
    rows = [(one.path, one.url, one.n_bytes, one.hash) for one in remotes]
    report = root.parent / "n_lines"
    program = PROGRAM.format(
        at=at, remotes=rows, root=str(root), n_at_once=n_at_once, report=str(report)
    )
    process = processes.Process(target=exec, args=(program, {"__name__": "killed"}))
    process.start()
    process.join(20)
    code = process.exitcode
    process.close()
    return code, int(report.read_text()) if report.is_file() else 0


def others(root, contents):
    """List what is below a folder that is neither a file of the data set nor kept by a fetch."""
    kept = {root / path for path in contents} | {root / RECORD_NAME, root / ".voxscale-fetch.lock"}
    return [one for one in root.rglob("*") if one.is_file() and one not in kept]


def check_and_resume(server, remotes, contents, root):
    """Check what a killed fetch has left; resume; check that nothing is fetched twice."""
    expected = {}
    for one in remotes:
        target, part = root / one.path, part_of(root / one.path)
        if target.exists():
            assert target.read_bytes() == contents[one.path]  # never a part of it
            expected[one.path] = []
        else:
            size = part.stat().st_size if part.exists() else 0
            about = part.with_name(part.name + ".json")
            assert part.exists() <= about.exists()
            asked = [f"bytes={size}-"] if size else [None]
            expected[one.path] = [] if size and size == one.n_bytes else asked
    for path, entry in FetchRecord(root).entries.items():
        if entry.verified_by:
            assert (root / path).read_bytes() == contents[path]
    server.asked.clear()
    summary = fetch(remotes, root, patience=Patience(1.0, 3, 0.01))
    assert not summary.failed
    assert {path: server.ranges(path) for path in contents} == expected
    assert {path: (root / path).read_bytes() for path in contents} == contents
    assert {one.verified_by for one in FetchRecord(root).entries.values()} == {"md5"}
    assert others(root, contents) == []
    assert all(json.loads(line) for line in (root / RECORD_NAME).read_text().splitlines())


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a system that can kill")
def test_a_fetch_that_is_killed_at_any_line_goes_on(processes, server, remotes, contents, tmp_path):
    code, n_lines = run(processes, remotes, tmp_path / "whole", at=0)
    assert code == 0
    assert n_lines > 300
    chooser = random.Random(8)
    points = sorted(chooser.sample(range(1, n_lines - 5), N_KILLS))
    codes = []
    for i, at in enumerate(points):
        root = tmp_path / f"killed {i}"
        codes.append(run(processes, remotes, root, at)[0])
        root.mkdir(exist_ok=True)
        check_and_resume(server, remotes, contents, root)
    # Blocks arrive in other sizes each time, so that the last lines may not be reached.
    assert codes.count(-signal.SIGKILL) >= N_KILLS - 5


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a system that can kill")
def test_a_fetch_that_is_killed_again_and_again_ends(
    processes, server, remotes, contents, tmp_path
):
    """Each time a little later; several files side by side."""
    root = tmp_path / "root"
    for n_killed, at in enumerate(KILLED_AT):
        code, _ = run(processes, remotes, root, at, n_at_once=3)
        if code == 0 and n_killed >= N_SURE:  # the one before was killed with little left to do
            break
        assert code == -signal.SIGKILL
    check_and_resume(server, remotes, contents, root)
