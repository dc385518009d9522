"""One file from a server that stalls, truncates, corrupts, lies and redirects."""

import errno
import hashlib
import os
import threading
import urllib.request
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxscale.data import _download
from voxscale.data._download import Unverified, download
from voxscale.data._http import Patience, _Redirects
from voxscale.data._part import part_of
from voxscale.data._remote import Remote, place
from voxscale.data._stop import Stop, Stopped
from voxscale.errors import DataError, StoreError

pytestmark = pytest.mark.loopback

QUICK = Patience(timeout_s=0.25, n_tries=4, wait_s=0.01)


@pytest.fixture
def content(rng):
    return rng.bytes(200_001)


@pytest.fixture
def remote(server, content):
    url = server.put("set/a b.hf5", content)
    return Remote("folder/a b.hf5", url, len(content), md5(content))


@pytest.fixture
def answer(server):
    """Return a function that plans answers to requests for the file, made as in the server."""
    kind = server.Answer

    def plan(*answers):
        server.answers["set/a b.hf5"] = [kind(**one) for one in answers]

    return plan


def md5(content):
    return f"md5:{hashlib.md5(content).hexdigest()}"


def names(folder):
    return sorted(one.name for one in folder.rglob("*") if one.is_file())


def test_a_file_is_fetched_whole(server, remote, content, tmp_path):
    told = []
    one = download(remote, tmp_path, patience=QUICK, tell=lambda *now: told.append(now))
    assert (tmp_path / "folder/a b.hf5").read_bytes() == content
    assert one == (
        "folder/a b.hf5", len(content), hashlib.sha256(content).hexdigest(), "md5"
    )  # fmt: skip
    assert names(tmp_path) == ["a b.hf5"]
    assert told[0] == ("folder/a b.hf5", 0)
    assert told[-1] == ("folder/a b.hf5", len(content))
    assert server.ranges("set/a b.hf5") == [None]


@pytest.mark.parametrize(
    ("bad", "n_kept"),
    [
        ({"cut": 70_000}, 70_000),
        ({"stall": 70_000}, 70_000),
        ({"cut": 0}, 0),
        ({"stall": 0}, 0),
        ({"status": 500, "body": b"broken"}, 0),
        ({"status": 503, "body": b"", "headers": {"Retry-After": "0"}}, 0),
        ({"status": 429, "body": b""}, 0),
    ],
)
def test_what_passes_is_tried_again_from_where_it_was(
    bad, n_kept, server, answer, remote, content, tmp_path
):
    answer(bad)
    download(remote, tmp_path, patience=QUICK)
    assert (tmp_path / remote.path).read_bytes() == content
    again = f"bytes={n_kept}-" if n_kept else None
    assert server.ranges("set/a b.hf5") == [None, again]
    if n_kept:
        assert server.asked[1][2] == server.tag_of("set/a b.hf5")


def test_a_server_that_goes_on_failing_is_given_up_and_what_came_is_kept(
    server, answer, remote, content, tmp_path
):
    answer({"cut": 1000}, *[{"status": 500, "body": b""}] * 2, {"status": 503, "body": b""})
    with pytest.raises(DataError, match=r"says 503 .* after 4 tries.*run the same command again"):
        download(remote, tmp_path, patience=QUICK)
    assert part_of(tmp_path / remote.path).stat().st_size == 1000
    assert not (tmp_path / remote.path).exists()
    download(remote, tmp_path, patience=QUICK)
    assert server.ranges("set/a b.hf5")[-1] == "bytes=1000-"


def test_tries_that_bring_much_do_not_count(server, answer, remote, content, tmp_path, monkeypatch):
    monkeypatch.setattr(_download, "_MUCH", 10_000)
    answer(*[{"cut": 20_000}] * 9)
    download(remote, tmp_path, patience=Patience(timeout_s=0.25, n_tries=2, wait_s=0))
    assert (tmp_path / remote.path).read_bytes() == content
    assert len(server.asked) == 10


def test_a_server_that_always_begins_anew_ends(server, answer, remote, tmp_path, monkeypatch):
    monkeypatch.setattr(_download, "_MUCH", 10_000)
    answer(*[{"cut": 20_000, "ignores_range": True}] * 50)
    with pytest.raises(DataError, match="broke off after 20000 of 200001 bytes"):
        download(remote, tmp_path, patience=Patience(timeout_s=0.25, n_tries=3, wait_s=0))
    assert len(server.asked) == 3


def test_a_server_that_ignores_ranges_is_read_from_the_beginning(
    server, answer, remote, content, tmp_path
):
    answer({"cut": 70_000}, {"ignores_range": True})
    download(remote, tmp_path, patience=QUICK)
    assert (tmp_path / remote.path).read_bytes() == content
    assert server.ranges("set/a b.hf5") == [None, "bytes=70000-"]


def test_a_file_that_changed_meanwhile_is_begun_anew(server, answer, content, tmp_path, rng):
    """Also where no hash is known: the server says that it is another."""
    later = rng.bytes(len(content))
    url = server.put("set/a b.hf5", content)
    remote = Remote("a", url, len(content))
    answer({"cut": 70_000})
    with pytest.raises(DataError, match="broke off"):
        download(remote, tmp_path, patience=Patience(timeout_s=0.25, n_tries=1))
    server.put("set/a b.hf5", later)
    one = download(remote, tmp_path, patience=QUICK, accept_size=True)
    assert (tmp_path / "a").read_bytes() == later
    assert one.verified_by == "size"


def test_a_server_that_overlooks_if_range_is_found_out(server, answer, content, tmp_path):
    url = server.put("set/a b.hf5", content)
    remote = Remote("a", url, len(content))
    other = {"Content-Range": f"bytes 70000-200000/{len(content)}", "ETag": '"other"'}
    answer(
        {"cut": 70_000},
        {"status": 206, "body": content[70_000:], "headers": other},
    )
    download(remote, tmp_path, patience=QUICK, accept_size=True)
    assert (tmp_path / "a").read_bytes() == content
    assert server.ranges("set/a b.hf5") == [None, "bytes=70000-", None]


@pytest.mark.parametrize("tag", ["", "etag:" + "0" * 32 + "-2"])
def test_a_file_known_by_its_size_alone_gets_no_name(tag, server, content, tmp_path):
    """Nobody reads it before somebody says so; then it is not fetched again."""
    remote = Remote("folder/a", server.put("a", content), len(content), tag)
    for _ in range(2):
        with pytest.raises(Unverified, match=r"its size could be compared.*kept as \.a\.part"):
            download(remote, tmp_path, patience=QUICK)
        assert not (tmp_path / "folder/a").exists()
        assert part_of(tmp_path / "folder/a").read_bytes() == content
    one = download(remote, tmp_path, patience=QUICK, accept_size=True)
    assert one.verified_by == "size"
    assert names(tmp_path) == ["a"]
    assert server.ranges("a") == [None]


def test_another_part_than_was_asked_for_is_not_appended(server, answer, remote, content, tmp_path):
    wrong = {"Content-Range": f"bytes 60000-200000/{len(content)}"}
    other = {"status": 206, "body": content[60_000:], "headers": wrong}
    answer({"cut": 70_000}, other, {"cut": 70_000}, other)
    download(remote, tmp_path, patience=Patience(timeout_s=0.25, n_tries=9, wait_s=0.01))
    assert (tmp_path / remote.path).read_bytes() == content
    assert server.ranges("set/a b.hf5") == [None, "bytes=70000-"] * 2 + [None]


@pytest.mark.parametrize(
    "bad",
    [
        {"corrupt": 100_000},
        {"headers": {"Content-Length": "200000"}},
        {"headers": {"Content-Length": "200101"}, "more": b"x" * 100},
        {"headers": {"Content-Length": None}, "more": b"x" * 100},
    ],
)
def test_a_wrong_file_is_removed_and_fetched_once_more(
    bad, server, answer, remote, content, tmp_path
):
    answer(bad)
    download(remote, tmp_path, patience=QUICK)
    assert (tmp_path / remote.path).read_bytes() == content
    assert server.ranges("set/a b.hf5") == [None, None]
    assert names(tmp_path) == ["a b.hf5"]


def test_a_file_that_is_wrong_twice_names_both_hashes(server, answer, remote, content, tmp_path):
    answer({"corrupt": 5}, {"corrupt": 5})
    bad = bytearray(content)
    bad[5] ^= 1
    with pytest.raises(DataError, match=f"twice: expected .*{remote.hash}.*got.*{md5(bad)}"):
        download(remote, tmp_path, patience=QUICK)
    assert names(tmp_path) == []
    assert len(server.asked) == 2


@pytest.mark.parametrize("n_extra", [0, 5])
def test_a_part_that_is_longer_or_not_ours_is_begun_anew(
    n_extra, server, remote, content, tmp_path
):
    part = part_of(tmp_path / remote.path)
    part.parent.mkdir()
    part.write_bytes(b"x" * (70_000 if not n_extra else len(content) + n_extra))
    download(remote, tmp_path, patience=QUICK)
    assert (tmp_path / remote.path).read_bytes() == content
    assert server.ranges("set/a b.hf5") == [None]


def test_a_part_of_the_wrong_bytes_is_noticed(server, answer, remote, content, tmp_path):
    answer({"cut": 70_000})
    with pytest.raises(DataError, match="broke off"):
        download(remote, tmp_path, patience=Patience(n_tries=1))
    part = part_of(tmp_path / remote.path)
    part.write_bytes(b"x" * 70_000)
    download(remote, tmp_path, patience=QUICK)
    assert (tmp_path / remote.path).read_bytes() == content
    assert server.ranges("set/a b.hf5") == [None, "bytes=70000-", None]


def test_a_server_that_has_no_such_range_is_asked_for_all(
    server, answer, remote, content, tmp_path
):
    answer({"cut": 70_000}, {"status": 416, "body": b""})
    download(remote, tmp_path, patience=QUICK)
    assert (tmp_path / remote.path).read_bytes() == content
    assert server.ranges("set/a b.hf5") == [None, "bytes=70000-", None]


def test_a_file_of_unknown_size_that_is_complete_already(server, content, tmp_path, monkeypatch):
    url = server.put("x", content)
    remote = Remote("x", url, None, md5(content))

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_download, "compare", killed)
        with pytest.raises(KeyboardInterrupt):
            download(remote, tmp_path, patience=QUICK)
    download(remote, tmp_path, patience=QUICK)
    assert (tmp_path / "x").read_bytes() == content
    assert server.ranges("x") == [None, f"bytes={len(content)}-"]


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_what_does_not_pass_is_not_tried_again(code, server, answer, remote, tmp_path):
    answer({"status": code, "body": b""})
    with pytest.raises(DataError, match=f"the server says {code}.*check the name"):
        download(remote, tmp_path, patience=QUICK)
    assert len(server.asked) == 1
    assert names(tmp_path) == []


def test_a_redirection_over_http_is_followed_with_its_range(
    server, answer, remote, content, tmp_path
):
    there = server.put("elsewhere", content)
    to = {"status": 302, "body": b"", "headers": {"Location": there}}
    answer({"cut": 70_000}, to)
    download(remote, tmp_path, patience=QUICK)
    assert (tmp_path / remote.path).read_bytes() == content
    assert server.ranges("elsewhere") == ["bytes=70000-"]


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "gopher:x"])
def test_a_redirection_to_another_kind_of_address_is_refused(to, server, answer, remote, tmp_path):
    answer({"status": 302, "body": b"", "headers": {"Location": to}})
    with pytest.raises(DataError, match=r"is redirected to.*nothing was read"):
        download(remote, tmp_path, patience=QUICK)
    assert names(tmp_path) == []


def test_a_redirection_to_a_less_safe_address_is_refused():
    asked = urllib.request.Request("https://example.org/x")
    answer = (None, 302, "Found", {}, "http://example.org/x")
    with pytest.raises(DataError, match="or a safer one; nothing was read"):
        _Redirects().redirect_request(asked, *answer)
    safer = (*answer[:-1], "https://example.org/y")
    assert _Redirects().redirect_request(asked, *safer).full_url == "https://example.org/y"


def test_a_server_that_is_not_there_is_asked_a_few_times(tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr(threading.Event, "wait", lambda self, s: waits.append(s))
    remote = Remote("x", "http://127.0.0.1:9/x", 1, md5(b"x"))
    with pytest.raises(DataError, match="also after 4 tries"):
        download(remote, tmp_path, patience=Patience(n_tries=4, wait_s=1, longest_wait_s=3))
    assert waits == [1, 2, 3]


def test_an_empty_file(server, tmp_path):
    url = server.put("empty", b"")
    assert download(Remote("e", url, 0, md5(b"")), tmp_path).n_bytes == 0
    assert (tmp_path / "e").read_bytes() == b""


def test_a_full_disk_is_told_and_the_part_is_kept(server, remote, content, tmp_path, monkeypatch):
    n_left = 150_000

    def write(file, block):
        if file.tell() + len(block) > n_left:
            raise OSError(errno.ENOSPC, "No space left on device")
        file.write(block)

    with monkeypatch.context() as patch:
        patch.setattr(_download, "_write", write)
        said = r"cannot write .*a b\.hf5: the disk is full.*; free some space, or choose another"
        with pytest.raises(StoreError, match=said):
            download(remote, tmp_path, patience=QUICK)
    size = part_of(tmp_path / remote.path).stat().st_size
    assert 0 < size <= n_left
    download(remote, tmp_path, patience=QUICK)
    assert (tmp_path / remote.path).read_bytes() == content
    assert server.ranges("set/a b.hf5") == [None, f"bytes={size}-"]


def test_it_stops_at_once_and_goes_on_later(server, answer, remote, content, tmp_path):
    stop = Stop()

    def tell(path, n_bytes):
        if n_bytes:
            stop.set()

    with pytest.raises(Stopped):
        download(remote, tmp_path, patience=QUICK, tell=tell, stop=stop)
    size = part_of(tmp_path / remote.path).stat().st_size
    assert 0 < size < len(content)
    download(remote, tmp_path, patience=QUICK)
    assert server.ranges("set/a b.hf5") == [None, f"bytes={size}-"]


def test_what_waits_for_a_silent_server_stops_too(server, answer, remote, tmp_path):
    """With a timeout longer than a test may take."""
    stop, waits = Stop(), threading.Event()
    answer({"stall": 70_000})

    def end():
        waits.wait()
        stop.set()

    def tell(path, n_bytes):
        if n_bytes == 70_000:
            waits.set()

    ender = threading.Thread(target=end)
    ender.start()
    server.patience_s = 1000
    with pytest.raises(Stopped):
        download(remote, tmp_path, patience=Patience(timeout_s=1000), tell=tell, stop=stop)
    ender.join()
    assert part_of(tmp_path / remote.path).stat().st_size == 70_000
    with pytest.raises(Stopped):
        download(remote, tmp_path, stop=stop)


def test_a_link_on_the_way_is_not_followed(server, remote, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "folder").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="is a link; expected a folder"):
        download(remote, tmp_path / "root", patience=QUICK)
    assert names(tmp_path) == []
    assert server.asked == []


def test_a_broken_link_of_the_files_name_is_replaced(server, remote, content, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a b.hf5").symlink_to("../.git/annex/objects/x")
    download(remote, tmp_path, patience=QUICK)
    assert not (tmp_path / remote.path).is_symlink()
    assert (tmp_path / remote.path).read_bytes() == content


@pytest.mark.parametrize(
    "path",
    ["../x", "a/../../x", "/etc/x", "a//b", "a/./b", "", ".git/hooks/post-checkout", "a/.GIT/x",
     "C:/x", "a\\b", "a\0b", "a\nb", ".voxscale-fetched.jsonl", "x" * 2000],
)  # fmt: skip
def test_paths_that_lead_elsewhere_are_refused(path):
    with pytest.raises(DataError, match="cannot be put below a folder"):
        Remote(path, "https://example.org/x", 1)


@given(st.text(st.sampled_from("./\\:ab~ \0é"), max_size=12))
def test_a_path_that_is_taken_is_below_the_folder(path):
    root = Path("/data/set")
    try:
        one = Remote(path, "https://example.org/x", 1)
    except DataError:
        return
    target = place(root, one.path)
    assert Path(os.path.normpath(target)) == target
    assert root in target.parents
    assert target.relative_to(root).as_posix() == path


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x/y", "x", "", "http://", "https://x/ y", "http://[x"]
)
def test_addresses_that_are_no_http_are_refused(url):
    with pytest.raises(DataError, match="expected one that begins with https"):
        Remote("x", url, 1)


@pytest.mark.parametrize("text", ["md5:12", "sha256:" + "g" * 64, "crc:1", "etag:" + "0" * 32])
def test_hashes_that_are_none_are_refused(text):
    with pytest.raises(DataError, match="its hash is"):
        Remote("x", "https://x/y", 1, text)
    with pytest.raises(DataError, match="its size is -1"):
        Remote("x", "https://x/y", -1)


def test_patience_that_cannot_be_had():
    with pytest.raises(ValueError, match="cannot be waited"):
        Patience(timeout_s=0)
    with pytest.raises(ValueError, match="n_tries is 0"):
        Patience(n_tries=0)
