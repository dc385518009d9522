"""Files against sizes and hashes, those of parts included."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.data import _hashes
from voxscale.data._hashes import compare, part_sizes

MIB = 2**20


def naive(content, size):
    """Hash as S3 does what was sent in parts of one size."""
    parts = [content[i : i + size] for i in range(0, len(content), size)]
    whole = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts))
    return f"etag:{whole.hexdigest()}-{len(parts)}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hashes")


@settings(max_examples=60, deadline=None)
@given(
    content=st.binary(min_size=1, max_size=300), size=st.integers(1, 40), block=st.integers(1, 50)
)
def test_hashes_of_parts_are_those_of_the_naive_loop(content, size, block, folder):
    path = folder / "x"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_hashes, "_PART_SIZES", (size,))
        patch.setattr(_hashes, "_BLOCK", block)
        right = compare(path, len(content), naive(content, size))
        wrong = compare(path, len(content), naive(content + b"x", size))
    assert right.verified_by == "etag"
    assert right.sha256 == hashlib.sha256(content).hexdigest()
    assert wrong.verified_by == "size"  # another size of parts would explain it


@pytest.mark.parametrize("kind", ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"])
def test_every_kind_of_hash_agrees_with_the_library(kind, folder):
    path = folder / kind
    path.write_bytes(b"voxels")
    digits = hashlib.new(kind, b"voxels").hexdigest()
    assert compare(path, 6, f"{kind}:{digits}").verified_by == kind
    assert compare(path, None, f"{kind}:{digits}").verified_by == kind
    other = compare(path, 6, f"{kind}:{hashlib.new(kind, b'voxel').hexdigest()}")
    assert other.verified_by == ""
    assert other.got == f"6 bytes, {kind}:{digits}"
    assert compare(path, 7, f"{kind}:{digits}").verified_by == ""


def test_without_a_hash_only_the_size_is_compared(folder):
    path = folder / "size"
    path.write_bytes(b"voxels")
    assert compare(path, 6, "").verified_by == "size"
    assert compare(path, 7, "").verified_by == ""
    assert compare(path, None, "").verified_by == ""


@given(st.integers(1, 5 * 2**40), st.integers(1, 10_000))
def test_only_sizes_that_make_as_many_parts_are_tried(n_bytes, n_parts):
    for size in part_sizes(n_bytes, n_parts):
        assert len(range(0, n_bytes, size)) == n_parts


def test_a_hash_of_impossible_parts_shows_nothing(folder):
    path = folder / "parts"
    path.write_bytes(b"voxels")
    assert part_sizes(6, 9) == []
    assert part_sizes(6, 1)[0] == 5 * MIB
    assert compare(path, 6, "etag:" + "0" * 32 + "-9").verified_by == "size"
