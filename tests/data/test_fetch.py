"""Many files into a folder: what is there, what is fetched, what fails, who may."""

import hashlib
import json
import shutil
import threading
from collections import namedtuple

import pytest

from voxscale.data import _fetch
from voxscale.data._fetch import check_fetched, fetch, one_fetch
from voxscale.data._fetch_plan import plan_fetch
from voxscale.data._fetch_record import RECORD_NAME, FetchRecord
from voxscale.data._http import Patience
from voxscale.data._part import Part, part_of
from voxscale.data._remote import Remote
from voxscale.errors import DataError, StoreError, VoxscaleWarning

pytestmark = pytest.mark.loopback

QUICK = Patience(timeout_s=0.25, n_tries=2, wait_s=0.01)
N_FILES = 6


@pytest.fixture
def contents(rng):
    return {f"sub-{i}/run {i}.hf5": rng.bytes(50_000 + i) for i in range(N_FILES)}


@pytest.fixture
def remotes(server, contents):
    return [
        Remote(path, server.put(path, content), len(content), sha256(content))
        for path, content in contents.items()
    ]


@pytest.fixture
def answers(server):
    """Return a function that plans answers to requests for a file."""
    kind = server.Answer

    def plan(path, *answers):
        server.answers[path] = [kind(**one) for one in answers]

    return plan


def sha256(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def written(root):
    return {
        one.relative_to(root).as_posix(): one.read_bytes()
        for one in root.rglob("*")
        if one.is_file() and not one.name.startswith(".voxscale-")
    }


def lines(root):
    return [json.loads(line) for line in (root / RECORD_NAME).read_text().splitlines()]


def test_all_files_are_fetched_and_recorded(server, remotes, contents, tmp_path):
    plans = []
    summary = fetch(remotes, tmp_path / "new", patience=QUICK, announce=plans.append)
    assert written(tmp_path / "new") == contents
    assert {one.path for one in summary.fetched} == set(contents)
    assert str(summary) == "fetched 6 files (300.0 kB), 0 were there"
    assert str(plans[0]) == "6 files, 300.0 kB: 0 there (0 bytes), 6 to fetch (300.0 kB)"
    last = {row["path"]: row for row in lines(tmp_path / "new")}
    for path, content in contents.items():
        assert last[path]["sha256"] == hashlib.sha256(content).hexdigest()
        assert last[path]["verified_by"] == "sha256"
        assert last[path]["n_bytes"] == len(content)
        assert last[path]["when"]


def test_running_again_asks_for_nothing_and_hashes_nothing(
    server, remotes, contents, tmp_path, monkeypatch
):
    fetch(remotes, tmp_path, patience=QUICK)
    server.asked.clear()
    monkeypatch.setattr("voxscale.data._fetch_plan.compare", None)
    summary = fetch(remotes, tmp_path, patience=QUICK)
    assert (summary.fetched, summary.n_there, summary.failed) == ((), N_FILES, ())
    assert server.asked == []


def test_files_that_were_there_are_hashed_before_they_count(server, remotes, contents, tmp_path):
    first, second = list(contents)[:2]
    for path in (first, second):
        (tmp_path / path).parent.mkdir()
    (tmp_path / first).write_bytes(contents[first])
    (tmp_path / second).write_bytes(contents[second][:-1] + b"?")
    summary = fetch(remotes, tmp_path, patience=QUICK)
    assert summary.n_there == 1
    [(path, why)] = summary.failed
    assert path == second
    assert "there is another file of this name" in why
    assert "replace it with --replace" in why
    assert (tmp_path / second).read_bytes().endswith(b"?")  # it may be somebody's work
    assert not server.ranges(first)
    assert FetchRecord(tmp_path).entries[first].verified_by == "sha256"
    assert FetchRecord(tmp_path).entries[second].verified_by == ""
    assert not fetch(remotes, tmp_path, patience=QUICK, replace=True).failed
    assert written(tmp_path) == contents


def test_a_file_that_was_touched_is_hashed_again(server, remotes, contents, tmp_path):
    fetch(remotes, tmp_path, patience=QUICK)
    path = next(iter(contents))
    (tmp_path / path).write_bytes(contents[path])
    assert len(plan_fetch(remotes, tmp_path).found) == 1
    (tmp_path / path).write_bytes(contents[path][:-1] + b"?")
    assert [one.path for one, _ in plan_fetch(remotes, tmp_path).differing] == [path]


def test_what_was_fetched_and_has_a_newer_version_is_replaced(server, remotes, tmp_path, rng):
    fetch(remotes, tmp_path, patience=QUICK)
    newer = rng.bytes(60_000)
    path = remotes[0].path
    remotes[0] = Remote(path, server.put(path, newer), len(newer), sha256(newer))
    assert not fetch(remotes, tmp_path, patience=QUICK).failed
    assert (tmp_path / path).read_bytes() == newer


def test_a_plan_writes_nothing(remotes, tmp_path):
    plan = plan_fetch(remotes, tmp_path / "absent")
    assert (len(plan.there), len(plan.missing)) == (0, N_FILES)
    assert list(tmp_path.iterdir()) == []


def test_a_plan_counts_what_has_arrived(answers, remotes, tmp_path):
    answers(remotes[0].path, {"cut": 20_000})
    with pytest.raises(DataError, match="broke off"):
        _fetch.download(remotes[0], tmp_path, patience=Patience(n_tries=1))
    plan = plan_fetch(remotes[:1], tmp_path)
    assert plan.n_bytes_missing == 30_000
    assert str(plan) == (
        "1 files, 50.0 kB: 0 there (0 bytes), 1 to fetch (50.0 kB, 20.0 kB of them arrived)"
    )


def test_one_file_that_fails_does_not_stop_the_others(server, answers, remotes, contents, tmp_path):
    answers(remotes[2].path, {"status": 404, "body": b""})
    summary = fetch(remotes, tmp_path, patience=QUICK)
    assert [path for path, _ in summary.failed] == [remotes[2].path]
    assert str(summary).endswith("0 were there; 1 failed")
    assert len(written(tmp_path)) == N_FILES - 1


def test_a_server_that_has_lost_all_is_not_asked_for_each(server, tmp_path):
    remotes = [Remote(f"{i}", f"{server.url}/lost/{i}", 1, sha256(b"x")) for i in range(40)]
    summary = fetch(remotes, tmp_path, patience=QUICK, n_at_once=1)
    assert len(summary.failed) == 8
    assert 30 <= summary.n_left <= 32
    assert len(server.asked) <= 10
    assert f"{summary.n_left} not tried after these" in str(summary)


@pytest.mark.parametrize("n_at_once", [1, 3])
def test_so_many_are_fetched_side_by_side(n_at_once, server, answers, remotes, contents, tmp_path):
    fetch(remotes, tmp_path, patience=QUICK, n_at_once=n_at_once)
    assert 1 <= server.most_at_once <= n_at_once
    assert written(tmp_path) == contents


def test_a_disk_with_too_little_space_is_told_before(server, remotes, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 299_999))
    said = r"300\.0 kB are to be fetched, 300\.0 kB are free on its disk; free some space, choose"
    with pytest.raises(StoreError, match=said):
        fetch(remotes, tmp_path, patience=QUICK)
    assert server.asked == []


def test_a_disk_that_fills_up_stops_all(server, remotes, tmp_path, monkeypatch):
    def full(self):
        raise StoreError("the disk is full")

    monkeypatch.setattr(Part, "put_in_place", full)
    with pytest.raises(StoreError, match="the disk is full"):
        fetch(remotes, tmp_path, patience=QUICK, n_at_once=1)
    assert len(server.asked) < N_FILES


def test_an_interruption_ends_the_others_and_gives_the_folder_back(
    server, answers, remotes, contents, tmp_path, monkeypatch
):
    def interrupted(waiting):
        raise KeyboardInterrupt

    for one in remotes[:2]:
        answers(one.path, {"stall": 20_000})
    with monkeypatch.context() as patch:
        patch.setattr(_fetch, "as_completed", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch(remotes, tmp_path, patience=QUICK)
    assert not [one for one in threading.enumerate() if one.name.startswith("fetch")]
    fetch(remotes, tmp_path, patience=QUICK)
    assert written(tmp_path) == contents


def test_two_fetches_do_not_fill_one_folder(remotes, tmp_path):
    said = r"being filled by another fetch.*wait for it, or stop it and run this again"
    with one_fetch(tmp_path), pytest.raises(StoreError, match=said):
        fetch(remotes, tmp_path, patience=QUICK)
    assert fetch(remotes, tmp_path, patience=QUICK).fetched


def known_by_size(server, contents):
    path, content = next(iter(contents.items()))
    tag = "etag:" + "0" * 32 + "-2"
    url = server.put(path, content)
    return [Remote("a", url, len(content)), Remote("b", url, len(content), tag)], content


def test_files_that_are_known_by_size_alone_are_kept_aside(server, remotes, contents, tmp_path):
    by_size, content = known_by_size(server, contents)
    fetched = dict(contents)
    for _ in range(2):
        summary = fetch([*by_size, *remotes], tmp_path, patience=QUICK)
        assert summary.unverified == ("a", "b")
        assert summary.failed == ()
        assert str(summary).endswith("; 2 not verified")
        assert written(tmp_path) == {**fetched, ".a.part": content, ".b.part": content} | {
            f".{one}.part.json": (tmp_path / f".{one}.part.json").read_bytes() for one in "ab"
        }
        assert all(not FetchRecord(tmp_path).entries[one].verified_by for one in "ab")


def test_a_size_that_is_accepted_is_said_aloud(server, contents, tmp_path):
    remotes, content = known_by_size(server, contents)
    with pytest.warns(VoxscaleWarning, match="of 2 files no more than the size could be compared"):
        summary = fetch(remotes, tmp_path, patience=QUICK, accept_size=True)
    assert summary.unverified == ()
    assert written(tmp_path) == {"a": content, "b": content}
    assert {one.verified_by for one in FetchRecord(tmp_path).entries.values()} == {"size"}
    again = fetch(remotes, tmp_path, patience=QUICK)  # what was accepted stays so
    assert (again.n_there, again.unverified) == (2, ())
    with pytest.warns(VoxscaleWarning, match="of 2 files no more than the size was compared"):
        assert check_fetched(tmp_path) == (2, [])


def test_a_file_of_others_that_has_the_size_does_not_count(server, contents, tmp_path):
    remotes, content = known_by_size(server, contents)
    (tmp_path / "a").write_bytes(b"?" * len(content))
    plan = plan_fetch(remotes, tmp_path)
    assert [one.path for one in plan.unverified] == ["a"]
    assert "1 there, known by size alone" in str(plan)
    summary = fetch(remotes[:1], tmp_path, patience=QUICK)
    assert (summary.n_there, summary.unverified) == (0, ("a",))
    assert (tmp_path / "a").read_bytes() == b"?" * len(content)
    assert not FetchRecord(tmp_path).entries["a"].verified_by


def test_verifying_finds_what_has_changed(remotes, contents, tmp_path):
    fetch(remotes, tmp_path, patience=QUICK)
    assert check_fetched(tmp_path) == (N_FILES, [])
    gone, other, *_ = contents
    (tmp_path / gone).unlink()
    status = (tmp_path / other).stat()
    (tmp_path / other).write_bytes(contents[other][:-1] + b"?")
    import os

    os.utime(tmp_path / other, ns=(status.st_atime_ns, status.st_mtime_ns))  # as a bad disk does
    n_fine, changed = check_fetched(tmp_path)
    assert n_fine == N_FILES - 2
    assert changed[0] == f"{gone} is gone"
    assert f"{other} has changed: it was" in changed[1]
    assert [one.path for one, _ in plan_fetch(remotes, tmp_path).differing] == [other]
    fetch(remotes, tmp_path, patience=QUICK, replace=True)
    assert check_fetched(tmp_path) == (N_FILES, [])


def test_there_must_be_something_to_verify(tmp_path):
    with pytest.raises(DataError, match="has no record of a fetch"):
        check_fetched(tmp_path)


def test_lines_of_the_record_that_are_cut_off_or_foreign_are_dropped(remotes, contents, tmp_path):
    fetch(remotes, tmp_path, patience=QUICK)
    record = tmp_path / RECORD_NAME
    whole = record.read_text()
    row = json.loads(whole.splitlines()[-1])
    bad = [
        "[]", "{}", "3", "nonsense", "\x00", json.dumps({**row, "path": "../../x"}),
        json.dumps({**row, "sha256": None}), json.dumps({**row, "mtime_ns": "x"}),
        json.dumps({**row, "more": 1}), json.dumps({**row, "path": 5}),
    ]  # fmt: skip
    record.write_text(whole + "\n".join(bad) + "\n" + whole.splitlines()[-1][:40])
    assert set(FetchRecord(tmp_path).entries) == set(contents)
    assert fetch(remotes, tmp_path, patience=QUICK).n_there == N_FILES
    assert len(lines(tmp_path)) == N_FILES


def test_left_parts_of_files_in_place_are_cleared(remotes, contents, tmp_path):
    fetch(remotes, tmp_path, patience=QUICK)
    part = part_of(tmp_path / remotes[0].path)
    part.write_bytes(b"x")
    part.with_name(part.name + ".json").write_text("{}")
    fetch(remotes, tmp_path, patience=QUICK)
    assert written(tmp_path) == contents


def test_a_folder_of_a_files_name_and_a_count_that_is_none(remotes, tmp_path):
    (tmp_path / remotes[0].path).mkdir(parents=True)
    with pytest.raises(DataError, match="is a folder; expected a file"):
        fetch(remotes, tmp_path, patience=QUICK)
    with pytest.raises(ValueError, match="n_at_once is 0"):
        fetch(remotes, tmp_path, n_at_once=0)


def test_a_reader_sees_all_of_a_file_or_nothing(server, answers, remotes, contents, tmp_path):
    for one in remotes:
        answers(one.path, {"cut": 10_000}, {"corrupt": 40_000}, {"cut": 30_000})
    seen, over = set(), threading.Event()

    def read():
        while not over.is_set():
            for path, content in contents.items():
                try:
                    seen.add((tmp_path / path).read_bytes() == content)
                except FileNotFoundError:
                    seen.add("absent")

    reader = threading.Thread(target=read)
    reader.start()
    try:
        summary = fetch(remotes, tmp_path, patience=Patience(0.25, 4, 0.01))
    finally:
        over.set()
        reader.join()
    assert not summary.failed
    assert seen <= {True, "absent"}
    assert written(tmp_path) == contents
