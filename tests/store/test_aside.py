import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from voxscale.errors import StoreError
from voxscale.store import check_writable, folder_aside, remove_whole, write_aside


def everything_in(folder):
    return sorted(path.name for path in folder.rglob("*"))


def write_half(path, error):
    with write_aside(path) as temporary:
        temporary.write_bytes(b"half")
        raise error


def test_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "deep" / "er" / "r.bin"
    with write_aside(path) as temporary:
        temporary.write_bytes(b"new")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert path.read_bytes() == b"new"
    assert everything_in(tmp_path) == ["deep", "er", "r.bin"]


def test_old_file_stays_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "r.bin"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError):
        write_half(path, ZeroDivisionError())
    assert path.read_bytes() == b"old"
    assert everything_in(tmp_path) == ["r.bin"]
    with write_aside(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_interruption_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_half(tmp_path / "r", KeyboardInterrupt())
    assert everything_in(tmp_path) == []


def test_file_is_forced_to_disk_before_it_is_renamed(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (calls.append("fsync"), fsync(handle)))
    monkeypatch.setattr(
        Path, "replace", lambda self, to: (calls.append("rename"), replace(self, to))
    )
    with write_aside(tmp_path / "r") as temporary:
        temporary.write_bytes(b"x")
    assert calls[:2] == ["fsync", "rename"]


@pytest.mark.parametrize(
    ("number", "match"),
    [
        (errno.ENOSPC, r"cannot write .*r\.bin: the disk is full .*free some space"),
        (errno.EDQUOT, "quota is used up"),
        (errno.EACCES, "permission denied .*choose a folder that you may write to"),
        (errno.EROFS, "read-only .*choose another folder"),
        (errno.EFBIG, "larger than is allowed"),
    ],
)
def test_what_the_disk_says_is_told(tmp_path, number, match):
    with pytest.raises(StoreError, match=match):
        write_half(tmp_path / "r.bin", OSError(number, os.strerror(number)))
    assert everything_in(tmp_path) == []


def test_errors_about_other_files_pass(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write_half(tmp_path / "r", FileNotFoundError(errno.ENOENT, "not there", "nowhere"))
    source = str(tmp_path / "source")  # beside it, but another
    with pytest.raises(PermissionError, match=r"Permission denied: '.*source'"):
        write_half(tmp_path / "r", PermissionError(errno.EACCES, "Permission denied", source))
    assert everything_in(tmp_path) == []


def test_a_copy_that_fills_the_disk_is_told_though_it_names_its_source_first(tmp_path):
    full = OSError(errno.ENOSPC, "No space left on device", "source", None, str(tmp_path / "r"))
    with pytest.raises(StoreError, match=r"cannot write .*r: the disk is full"):
        write_half(tmp_path / "r", full)


def test_errors_about_the_temporary_file_are_told_wherever_we_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def refused():
        with folder_aside("model") as temporary:
            inner = str((temporary / "inner").absolute())  # as a library may name it
            raise PermissionError(errno.EACCES, "Permission denied", inner)

    with pytest.raises(StoreError, match="cannot write model: permission denied"):
        refused()


@pytest.mark.parametrize("named", [True, False])
def test_error_without_a_row_of_its_own_is_told_in_the_words_of_the_system(tmp_path, named):
    path = tmp_path / "out" / "r.bin"
    error = OSError(errno.ELOOP, "Too many links", *([str(path.parent)] if named else []))
    with pytest.raises(StoreError, match=r"r\.bin: Too many links; choose another folder"):
        write_half(path, error)


def test_folder_that_the_system_refuses_to_make_is_told(tmp_path, monkeypatch):
    def refuse(self, *args, **options):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(tmp_path / "nope"))

    monkeypatch.setattr(Path, "mkdir", refuse)  # as /proc does
    with pytest.raises(StoreError, match=r"No such file or directory; choose another folder"):
        check_writable(tmp_path / "nope" / "out")


def test_folder_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="a part of the path is a file"):
        check_writable(tmp_path / "file" / "out")
    with pytest.raises(StoreError, match="a part of the path is a file"):
        check_writable(tmp_path / "file")


def test_folder_that_is_not_ours_is_found(tmp_path, monkeypatch):
    def refuse(self, *args, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StoreError, match=r"cannot write .*out.*: permission denied"):
        check_writable(tmp_path / "out")


def test_full_disk_is_told_of_the_folder_and_not_of_the_file_that_tried(tmp_path, monkeypatch):
    def refuse(self, data):
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(StoreError, match=r"cannot write \S*/out: the disk is full"):
        check_writable(tmp_path / "out")


def test_checking_a_folder_leaves_it_empty(tmp_path):
    check_writable(tmp_path / "a" / "b")
    assert everything_in(tmp_path) == ["a", "b"]


def test_folder_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "model"
    with folder_aside(path) as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "weights").write_bytes(b"w")
        assert not path.exists()
    assert (path / "inner" / "weights").read_bytes() == b"w"
    assert everything_in(tmp_path) == ["inner", "model", "weights"]


def test_folder_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "old").write_bytes(b"o")
    with folder_aside(path) as temporary:
        (temporary / "new").write_bytes(b"n")
        assert everything_in(path) == ["old"]
    assert everything_in(tmp_path) == ["model", "new"]


def test_failed_folder_leaves_nothing(tmp_path):
    def fail():
        with folder_aside(tmp_path / "model") as temporary:
            (temporary / "half").write_bytes(b"h")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert everything_in(tmp_path) == []


KILLED = """
import os, signal, sys
from voxscale.store import write_aside
with write_aside(sys.argv[1]) as temporary:
    temporary.write_bytes(b"half")
    print("ready", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_is_cleared_by_the_next(tmp_path):
    path = tmp_path / "r.bin"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], capture_output=True)
    assert killed.returncode == -9
    assert killed.stdout == b"ready\n"
    assert not path.exists()
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".r.bin.")
    with write_aside(path) as temporary:
        temporary.write_bytes(b"whole")
    assert everything_in(tmp_path) == ["r.bin"]


def test_a_writer_at_work_is_left_alone(tmp_path):
    path = tmp_path / "r.bin"
    code = (
        "import sys\nfrom voxscale.store import write_aside\n"
        "with write_aside(sys.argv[1]) as temporary:\n"
        "    temporary.write_bytes(b'slow'); print('ready', flush=True); sys.stdin.readline()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, str(path)], **pipes) as slow:
        assert slow.stdout.readline() == b"ready\n"
        with write_aside(path) as temporary:
            temporary.write_bytes(b"quick")
        assert path.read_bytes() == b"quick"
        slow.communicate(b"go on\n")
    assert slow.returncode == 0
    assert path.read_bytes() == b"slow"


def test_a_folder_goes_as_a_whole_even_if_removing_it_is_cut_short(tmp_path, monkeypatch):
    group = tmp_path / "a1.zarr"
    (group / "layer_0").mkdir(parents=True)
    (group / "layer_0" / "c0").write_bytes(b"0")

    def interrupted(path, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            remove_whole(group)
    assert not group.exists()
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".a1.zarr.")
    assert left.name.endswith(".tmp")


def test_files_and_folders_are_removed_and_links_are_not_followed(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_bytes(b"0")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"0")
    for name in ("link", "folder", "file"):
        remove_whole(tmp_path / name)
    assert everything_in(tmp_path) == ["file", "kept"]
