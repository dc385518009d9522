"""One run at a time fills a folder, whatever becomes of the process that does."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from voxscale.errors import StoreError
from voxscale.store import check_idle, one_run

HOLD = """
import sys, time
from voxscale.store import one_run
with one_run(sys.argv[1]):
    print("held", flush=True)
    time.sleep(100)
"""


@pytest.fixture
def held_elsewhere(tmp_path):
    """Let another process hold a folder; it is killed at the end if it still lives."""
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"held\n"
    yield other
    other.kill()
    other.wait()
    other.stdout.close()


def test_another_process_is_named_with_what_to_do(held_elsewhere, tmp_path):
    message = (
        rf"^{tmp_path} is being filled by another run: process {held_elsewhere.pid} on \S+, since "
        rf"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d \(UTC[+-]\d\d:\d\d\); .*voxscale status "
        rf".*stop it \(kill {held_elsewhere.pid} there\), or choose another out\.$"
    )
    for attempt in (lambda: check_idle(tmp_path), one_run(tmp_path).__enter__):
        with pytest.raises(StoreError, match=message):
            attempt()


def test_a_lock_ends_with_its_process_even_if_killed(held_elsewhere, tmp_path):
    os.kill(held_elsewhere.pid, signal.SIGKILL)
    held_elsewhere.wait()
    check_idle(tmp_path)
    with one_run(tmp_path):
        assert json.loads((tmp_path / ".run.json").read_text())["process"] == os.getpid()
    check_idle(tmp_path)


def test_a_folder_is_given_back_when_the_block_fails(tmp_path):
    with pytest.raises(KeyError), one_run(tmp_path):
        raise KeyError
    check_idle(tmp_path)
    with one_run(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [".run.lock"]


def test_another_run_of_this_process_is_refused_too(tmp_path):
    told = []

    def attempt():
        try:
            with one_run(tmp_path):
                told.append("both")
        except StoreError as error:
            told.append(str(error))

    with one_run(tmp_path):
        attempt()
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
    assert len(told) == 2
    assert all(f"process {os.getpid()} on" in text for text in told)


def test_a_run_that_has_not_said_who_it_is_is_told_of(tmp_path):
    with one_run(tmp_path):
        for text in ("", "{}", "[]", '{"since": 3}'):
            (tmp_path / ".run.json").write_text(text)
            with pytest.raises(StoreError, match=r"by another run: it has only just begun; one"):
                check_idle(tmp_path)


def test_nothing_is_written_by_looking(tmp_path):
    check_idle(tmp_path)
    check_idle(tmp_path / "absent")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="permission denied"), one_run(tmp_path):
        pass


def test_a_lock_that_is_not_ours_to_take_tells_nothing(tmp_path, monkeypatch):
    with one_run(tmp_path):
        with pytest.raises(StoreError, match="another run"):
            check_idle(tmp_path)
        monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
        check_idle(tmp_path)
