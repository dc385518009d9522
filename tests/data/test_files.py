"""Files that are missing, empty, or pointers to content elsewhere."""

from __future__ import annotations

import bz2
import gzip
import lzma
import math

import pytest

from voxscale.data import read_textgrid
from voxscale.data._files import as_number, kind_of, present, read_text
from voxscale.errors import DataError


def test_a_file_with_content_is_returned(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("hello")
    assert present(str(path)) == path


def test_the_home_folder_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.txt").write_text("hello")
    assert read_text("~/a.txt") == "hello"


def test_a_missing_file_names_the_one_that_was_meant(tmp_path):
    (tmp_path / "adollshouse.TextGrid").write_text("x")
    with pytest.raises(DataError, match=r"adolshouse.*does not exist.*did you mean 'adollshouse"):
        present(tmp_path / "adolshouse.TextGrid")


def test_a_missing_folder_is_said_to_be_missing(tmp_path):
    with pytest.raises(DataError, match=r"the folder .*nowhere does not exist either"):
        present(tmp_path / "nowhere" / "a.txt")


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(DataError, match="is a folder; expected a file"):
        present(tmp_path)
    assert present(tmp_path, folder=True) == tmp_path


def test_an_empty_file_is_an_error(tmp_path):
    path = tmp_path / "a.txt"
    path.touch()
    with pytest.raises(DataError, match=r"is empty \(0 bytes\)"):
        present(path)


@pytest.mark.parametrize(
    "content",
    [
        "/annex/objects/MD5E-s123--0123abcd.TextGrid\n",
        "../../.git/annex/objects/Xq/9z/MD5E-s1--0/MD5E-s1--0",
        ".git/annex/objects/Xq/9z/SHA256E-s1--0.hf5/SHA256E-s1--0.hf5",
        "..\\.git\\annex\\objects\\Xq\\9z\\MD5E-s1--0",
    ],
)
def test_a_git_annex_pointer_says_how_to_fetch_it(tmp_path, content):
    path = tmp_path / "story.TextGrid"
    path.write_text(content)
    with pytest.raises(DataError, match=r"git-annex pointer.*not fetched.*datalad get.*story"):
        present(path)


def test_a_broken_link_into_the_annex_says_how_to_fetch_it(tmp_path):
    path = tmp_path / "story.hf5"
    path.symlink_to("../.git/annex/objects/Xq/9z/MD5E-s1--0.hf5/MD5E-s1--0.hf5")
    with pytest.raises(DataError, match=r"not fetched.*datalad get .*git annex get"):
        present(path)


def test_any_other_broken_link_names_its_target(tmp_path):
    path = tmp_path / "story.hf5"
    path.symlink_to("elsewhere.hf5")
    with pytest.raises(DataError, match=r"link to elsewhere\.hf5, which does not exist"):
        present(path)


def test_a_link_to_content_is_followed(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "b.txt").symlink_to("a.txt")
    assert read_text(tmp_path / "b.txt") == "hello"


def test_a_git_lfs_pointer_says_how_to_fetch_it(tmp_path):
    path = tmp_path / "story.npy"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n")
    with pytest.raises(DataError, match=r"Git LFS pointer.*git lfs pull --include 'story.npy'"):
        present(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_byte_order_marks_choose_the_encoding(tmp_path, encoding):
    path = tmp_path / "a.txt"
    path.write_bytes("naïve – ‘quoted’\r\nline\rlast".encode(encoding))
    assert read_text(path) == "naïve – ‘quoted’\nline\nlast"


def test_utf_16_in_either_order_needs_its_mark(tmp_path):
    path = tmp_path / "a.txt"
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        path.write_bytes(mark + "né".encode(encoding))
        assert read_text(path) == "né"


def test_bytes_that_are_not_utf_8_are_not_guessed(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\ntwo na\xefve\n")
    with pytest.raises(DataError, match=r"a\.txt, line 2: byte 10 \(0xef\) is not UTF-8"):
        read_text(path)
    assert read_text(path, "latin-1") == "one\ntwo naïve\n"


def test_an_unknown_encoding_is_a_bad_argument(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("x")
    for name in ("utf-9", "base64"):
        with pytest.raises(ValueError, match=f"encoding is '{name}', which is no known text enc"):
            read_text(path, name)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["word,onset\nnaïve,1\n", "word,onset\n日本,1\n"])
def test_utf_16_without_a_mark_is_said_to_be_that(tmp_path, encoding, text):
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode(encoding))
    message = f'a.txt looks like UTF-16 without a byte order mark.*pass encoding="{encoding}"'
    with pytest.raises(DataError, match=message):
        read_text(path)
    assert read_text(path, encoding) == text


@pytest.mark.parametrize("content", [" ", "\n\n", "\ufeff \t\r\n"])
def test_a_file_of_blanks_is_an_error(tmp_path, content):
    path = tmp_path / "a.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.txt holds only blanks"):
        read_text(path)


@pytest.mark.parametrize(
    ("pack", "name"), [(gzip.compress, "gzip"), (bz2.compress, "bzip2"), (lzma.compress, "xz")]
)
def test_a_compressed_file_is_said_to_be_that(tmp_path, pack, name):
    path = tmp_path / "a.txt"
    path.write_bytes(pack(b"word,onset\nhi,1\n"))
    with pytest.raises(DataError, match=rf"a\.txt is compressed \({name}\).*unpack it"):
        read_text(path, "latin-1")


@pytest.mark.parametrize("largest", [2, 256])
def test_a_binary_file_is_said_to_be_that(tmp_path, rng, largest):
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF" + rng.integers(0, largest, 4000, dtype="uint8").tobytes())
    with pytest.raises(DataError, match=r"a\.wav is binary"):
        read_text(path)


@pytest.mark.parametrize("text", ["1_0", "x", "", "0x10", "1,5"])
def test_what_is_no_number_in_a_file_is_none(text):
    assert math.isnan(as_number(text))


def test_a_file_that_may_not_be_read_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("x")

    def refuse(self, *args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(DataError, match=r"cannot be opened \(Permission denied\)"):
        present(path)


def refuse(self, *args, **options):
    raise PermissionError(13, "Permission denied")


def test_a_file_in_a_folder_that_may_not_be_entered_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("x")
    monkeypatch.setattr(type(path), "stat", refuse)  # root may enter every folder
    message = r"a\.txt' cannot be opened \(Permission denied\); expected the path of a file that"
    for read in (present, read_text, read_textgrid):
        with pytest.raises(DataError, match=message):
            read(path)


def test_a_file_that_breaks_off_while_it_is_read_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("x")
    monkeypatch.setattr(type(path), "read_bytes", refuse)
    with pytest.raises(DataError, match=r"a\.txt' cannot be opened \(Permission denied\)"):
        read_text(path)


def test_the_text_of_a_file_is_no_path():
    text = 'File type = "ooTextFile"\nObject class = "TextGrid"\n' * 200
    with pytest.raises(DataError, match=r"File name too long.*expected the path") as caught:
        read_textgrid(text)
    assert len(str(caught.value)) < 400


def test_a_path_with_a_zero_byte_is_an_error():
    with pytest.raises(DataError, match=r"'a\\x00b' cannot be opened"):
        present("a\0b")


def test_the_home_folder_of_nobody_is_an_error():
    with pytest.raises(DataError, match=r"'~nosuchuser/x' cannot be opened \(Could not determine"):
        present("~nosuchuser/x")


def test_a_folder_that_may_not_be_listed_gives_no_hint(tmp_path, monkeypatch):
    monkeypatch.setattr(type(tmp_path), "iterdir", refuse)
    with pytest.raises(DataError, match=r"a\.txt does not exist; expected a file; check the path"):
        present(tmp_path / "a.txt")


def test_what_is_at_a_path_is_told(tmp_path):
    file, link, loop = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    file.write_text("x")
    link.symlink_to("nowhere")
    loop.symlink_to("c")
    for path, kind in (
        (tmp_path, "folder"),
        (file, "file"),
        (link, "link"),
        (tmp_path / "d", "nothing"),
        (file / "d", "nothing"),
    ):
        assert kind_of(str(path)) == (path, kind)
    with pytest.raises(DataError, match=r"c' cannot be opened \(Too many levels"):
        kind_of(loop)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("n_cut", [1, 2, 3])
def test_a_file_cut_within_a_character_is_said_to_be_truncated(tmp_path, encoding, n_cut):
    path = tmp_path / "a.txt"
    path.write_bytes("word,onset\nhi 🙂".encode(encoding)[:-n_cut])
    message = r"a\.txt, line 2: the file ends within a character of UTF-\S+; .*: fetch it again\."
    with pytest.raises(DataError, match=message):
        read_text(path)


def test_a_file_cut_within_a_character_of_a_named_encoding_is_told(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("言葉".encode("shift_jis")[:-1])
    message = r"within a character of SHIFT_JIS.*fetch it again, or name another encoding\."
    with pytest.raises(DataError, match=message):
        read_text(path, "shift_jis")


def test_an_encoding_that_was_named_is_not_asked_for(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"na\xefve\n")
    message = r"byte 2 \(0xef\) is not ASCII, which encoding= names; expected text in it; name an"
    with pytest.raises(DataError, match=message) as caught:
        read_text(path, "ascii")
    assert "latin-1" not in str(caught.value)
