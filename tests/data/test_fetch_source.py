"""Where lists of files come from: pointers of git-annex, a bucket's listing, a registry."""

import hashlib
import json
import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxscale.data import narratives
from voxscale.data._annex_keys import AnnexKey, annex_key, parse_key
from voxscale.data._bucket import list_bucket
from voxscale.data._fetch import fetch
from voxscale.data._fetch_record import FetchRecord
from voxscale.data._fetch_source import remotes_of
from voxscale.data._http import Patience
from voxscale.data._openneuro import PUBLISHED, matches, wanted_patterns
from voxscale.data._registry import read_registry
from voxscale.data._remote import HASH_LENGTHS, Remote
from voxscale.errors import DataError, VoxscaleWarning

pytestmark = pytest.mark.loopback

QUICK = Patience(timeout_s=0.25, n_tries=2, wait_s=0.01)
HF5 = "derivative/preprocessed_data/UTS01/{}.hf5"


def md5(content):
    return hashlib.md5(content).hexdigest()


# Keys ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f"MD5E-s12345--{'a' * 32}.hf5", (12345, "md5:" + "a" * 32)),
        (f"SHA256E-s7--{'0' * 64}.nii.gz", (7, "sha256:" + "0" * 64)),
        (f"SHA256-s7-m99--{'0' * 64}", (7, "sha256:" + "0" * 64)),
        (f"SHA1--{'b' * 40}", (None, "sha1:" + "b" * 40)),
        (f"MD5E-s9--{'F' * 32}", (9, "md5:" + "f" * 32)),
        ("WORM-s3-m1290853106--some file.dat", (3, "")),
        ("URL-s10--http&c%%example.org%x", (10, "")),
        (f"MD5E-s1--{'a' * 31}.hf5", (1, "")),
        (f"MD5E-s1--{'z' * 32}.hf5", (1, "")),
        (f"BLAKE2B256E-s1--{'a' * 64}", (1, "")),
    ],
)
def test_a_key_tells_size_and_hash(text, key):
    assert parse_key(text) == AnnexKey(*key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "MD5E-s1",
        "MD5-s" + "9" * 5000 + "--x",
        f"SHA256-s9-S4-C1--{'0' * 64}",
        "md5-s1--x",
        "MD5-s--x",
        "A--b/c",
    ],
)
def test_what_is_no_key_is_none(text):
    assert parse_key(text) is None


@given(st.text(max_size=80))
def test_any_text_is_a_key_or_none(text):
    key = parse_key(text)
    assert key is None or key.n_bytes is None or key.n_bytes >= 0


@given(st.sampled_from(sorted(HASH_LENGTHS)), st.integers(0, 10**15 - 1), st.data(), st.booleans())
def test_the_key_of_content_has_its_hash(kind, n_bytes, data, with_ending):
    length = HASH_LENGTHS[kind]
    digits = data.draw(st.text("0123456789abcdef", min_size=length, max_size=length))
    ending = ("E", ".hf5") if with_ending else ("", "")
    key = parse_key(f"{kind.upper()}{ending[0]}-s{n_bytes}--{digits}{ending[1]}")
    assert key == (n_bytes, f"{kind}:{digits}")


@pytest.mark.parametrize("n_up", [1, 3])
def test_links_and_pointers_are_read(n_up, tmp_path):
    key = f"MD5E-s5--{'a' * 32}.hf5"
    target = "../" * n_up + f".git/annex/objects/aB/cD/{key}/{key}"
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "pointer").write_text(f"/annex/objects/{key}\n")
    (tmp_path / "on a disk without links").write_text(target)
    for name in ("link", "pointer", "on a disk without links"):
        assert annex_key(tmp_path / name) == (5, "md5:" + "a" * 32)
    (tmp_path / "text").write_text("of /annex/objects/ we tell later")
    (tmp_path / "elsewhere").symlink_to("other/file")
    (tmp_path / "large").write_bytes(b"/annex/objects/MD5-s1--x" + b"\n" * 40_000)
    for name in ("text", "elsewhere", "large", "absent"):
        assert annex_key(tmp_path / name) is None


# A clone ---------------------------------------------------------------------------------------


@pytest.fixture
def contents(rng):
    paths = [HF5.format("adollshouse"), HF5.format("wheretheressmoke"), "stimuli/adollshouse.wav"]
    return {path: rng.bytes(30_000) for path in paths}


@pytest.fixture
def bucket(server, contents):
    for path, content in contents.items():
        server.put(f"openneuro/ds003020/{path}", content)
    return f"{server.url}/openneuro"


@pytest.fixture
def clone(contents, tmp_path):
    """Make what git clone leaves: links for two files, a pointer for one, and a text of git's."""
    root = tmp_path / "clone"
    (root / ".git").mkdir(parents=True)
    for i, (path, content) in enumerate(contents.items()):
        key = f"MD5E-s{len(content)}--{md5(content)}.hf5"
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if i == 1:
            (root / path).write_text(f"/annex/objects/{key}\n")
        else:
            (root / path).symlink_to(f"../../../.git/annex/objects/X/Y/{key}/{key}")
    (root / "derivative" / "respdict.json").write_text("{}")
    return root


def test_a_clone_needs_no_listing(server, bucket, clone, contents):
    remotes = remotes_of("lebel2023", clone, parts=["responses", "audio"], base_url=bucket)
    assert {one.path: one.hash for one in remotes} == {
        path: f"md5:{md5(content)}" for path, content in contents.items()
    }
    assert server.asked == []
    summary = fetch(remotes, clone, patience=QUICK)
    assert {one.verified_by for one in summary.fetched} == {"md5"}
    for path, content in contents.items():
        assert not (clone / path).is_symlink()
        assert (clone / path).read_bytes() == content


def test_what_a_pointer_told_is_known_when_its_file_is_there(bucket, clone, contents, monkeypatch):
    """Also where the fetch was killed between putting it in place and saying so."""
    chosen = {"parts": ["responses", "audio"], "base_url": bucket}
    with monkeypatch.context() as patch:
        patch.setattr(FetchRecord, "add", lambda *_: None)
        fetch(remotes_of("lebel2023", clone, **chosen), clone, patience=QUICK)
    before = FetchRecord(clone).entries
    assert {one.verified_by for one in before.values()} == {""}
    again = remotes_of("lebel2023", clone, **chosen)
    assert len(again) == len(contents)
    assert fetch(again, clone, patience=QUICK).n_there == len(contents)
    assert {one.verified_by for one in FetchRecord(clone).entries.values()} == {"md5"}


def test_content_that_git_annex_has_is_hashed_and_kept(bucket, clone, contents):
    path, content = next(iter(contents.items()))
    target = (clone / path).parent / (clone / path).readlink()
    held = clone / ".git" / "annex" / "objects" / "X" / "Y" / target.name / target.name
    held.parent.mkdir(parents=True)
    held.write_bytes(content)
    (clone / path).unlink()
    (clone / path).symlink_to(os.path.relpath(held, (clone / path).parent))
    remotes = remotes_of("lebel2023", clone, parts=["responses"], base_url=bucket)
    summary = fetch(remotes, clone, patience=QUICK)
    assert (len(summary.fetched), summary.n_there) == (1, 1)
    assert (clone / path).is_symlink()


def test_a_clone_of_git_itself(server, bucket, contents, tmp_path):
    """With links as git makes them."""
    path, content = next(iter(contents.items()))
    first, root = tmp_path / "first", tmp_path / "root"
    key = f"MD5E-s{len(content)}--{md5(content)}.hf5"
    (first / path).parent.mkdir(parents=True)
    (first / path).symlink_to(f"../../../.git/annex/objects/X/Y/{key}/{key}")
    config = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for line in (["init", "-q", str(first)], ["-C", str(first), "add", "."],
                 ["-C", str(first), *config, "commit", "-qm", "x"],
                 ["clone", "-q", str(first), str(root)]):  # fmt: skip
        subprocess.run(["git", *line], check=True)
    with pytest.warns(VoxscaleWarning, match="nothing to fetch matches"):
        remotes = remotes_of("lebel2023", root, base_url=bucket)
    fetch(remotes, root, patience=QUICK)
    assert (root / path).read_bytes() == content


def test_a_clone_without_such_files_is_told(clone, bucket):
    with pytest.raises(DataError, match=r"has no file of lebel2023.*UTS07.*\(responses\)"):
        remotes_of("lebel2023", clone, subjects=["UTS07"], parts=["responses"], base_url=bucket)


# A bucket --------------------------------------------------------------------------------------


@pytest.mark.parametrize("page_length", [1, 2, 1000])
def test_a_bucket_is_listed_page_by_page(page_length, server, bucket, contents, tmp_path):
    server.page_length = page_length
    root = tmp_path / "root"
    remotes = remotes_of("lebel2023", root, parts=["responses", "audio"], base_url=bucket)
    assert [one.path for one in remotes] == sorted(contents)
    assert not fetch(remotes, root, patience=QUICK).failed
    for path, content in contents.items():
        assert (root / path).read_bytes() == content
    listed = [path for path, *_ in server.asked if path == "openneuro"]
    assert len(listed) == (1 + 2 if page_length == 1 else 2)


def test_only_the_subjects_and_parts_that_are_named(server, bucket, rng, tmp_path):
    for name in ("UTS02/a.hf5", "UTS02/a.txt", "UTS02/deeper/a.hf5"):
        server.put(f"openneuro/ds003020/derivative/preprocessed_data/{name}", rng.bytes(9))
    server.put("openneuro/ds003020/derivative/pycortex-db/UTS02/a/b & ü.gii", rng.bytes(9))
    one = remotes_of(
        "lebel2023", tmp_path, subjects=["UTS02"], parts=["responses", "surfaces"], base_url=bucket
    )
    assert [remote.path for remote in one] == [
        "derivative/preprocessed_data/UTS02/a.hf5",
        "derivative/pycortex-db/UTS02/a/b & ü.gii",
    ]
    assert not fetch(one, tmp_path, patience=QUICK).failed


def test_a_hash_of_hashes_of_parts_is_checked(server, bucket, tmp_path, rng):
    content = rng.bytes(2 * 8 * 2**20 + 5)
    size = 8 * 2**20
    parts = [hashlib.md5(content[i : i + size]).digest() for i in range(0, len(content), size)]
    tag = f"{md5(b''.join(parts))}-{len(parts)}"
    path = HF5.format("large")
    url = f"{server.url}/x"
    server.put("x", content)
    summary = fetch([Remote(path, url, len(content), f"etag:{tag}")], tmp_path, patience=QUICK)
    assert [one.verified_by for one in summary.fetched] == ["etag"]


STORY = "stimuli/gentle/pieman/align.csv"
HEMI = "sub-001/func/sub-001_task-pieman_space-fsaverage6_hemi-L_desc-clean.func.gii"


def test_what_the_bucket_lacks_is_in_the_clone_that_the_card_names(server, tmp_path, rng):
    """OpenNeuro may not hold derivatives; those of narratives lie elsewhere."""
    line = f"{narratives.CARD.fetch} {tmp_path}, and then this --with datalad"
    chosen = {"parts": ["responses"], "base_url": f"{server.url}/bucket"}
    with pytest.raises(DataError, match="has no file of narratives") as told:
        remotes_of("narratives", tmp_path, **chosen)
    assert line in str(told.value)
    server.put("bucket/ds002345/code/scan_exclude.json", b"{}")
    with pytest.warns(VoxscaleWarning, match="nothing to fetch matches derivatives/afni-") as told:
        [one] = remotes_of("narratives", tmp_path, **chosen)
    assert one.path == "code/scan_exclude.json"
    assert line in str(told[0].message)


def test_a_clone_says_what_clones_the_derivatives(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / "code").mkdir()
    (tmp_path / "code/scan_exclude.json").write_text("{}")
    (tmp_path / STORY).parent.mkdir(parents=True)
    (tmp_path / STORY).symlink_to(f"../../../.git/annex/objects/MD5E-s1--{'a' * 32}")
    inside = tmp_path / "derivatives/afni-nosmooth"
    chosen = {"parts": ["responses", "words"]}
    with pytest.warns(VoxscaleWarning, match="Run: datalad get -n -d") as told:
        assert len(remotes_of("narratives", tmp_path, **chosen)) == 1
    assert f"get -n -d {tmp_path} {inside}, and" in str(told[0].message)
    assert "scan_exclude" not in str(told[0].message)  # git has it
    (inside / HEMI).parent.mkdir(parents=True)
    (inside / ".git").write_text("gitdir: elsewhere")
    (inside / HEMI).symlink_to(f"../../.git/annex/objects/MD5E-s1--{'b' * 32}")
    with pytest.warns(VoxscaleWarning, match="nothing to fetch matches") as told:
        assert len(remotes_of("narratives", tmp_path, **chosen)) == 2
    assert "datalad" not in str(told[0].message)


def listing(rows, more=""):
    return (
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"{rows}{more}</ListBucketResult>"
    ).encode()


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (b"not xml", "is no listing of S3"),
        (b"\xff\xfe<\x00", "is no listing of S3"),
        (b"<html></html>", "expected ListBucketResult"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "declares entities"),
        (b"<!doctype html><html></html>", "declares entities"),
        (listing("<Contents><Key>set/x</Key><Size>-1</Size></Contents>"), "expected files of set/"),
        (listing("<Contents><Key>set/x</Key></Contents>"), "expected files of set/"),
        (listing(f"<Contents><Key>set/x</Key><Size>{'9' * 5000}</Size></Contents>"), "their sizes"),
        (listing("<Contents><Key>other/x</Key><Size>1</Size></Contents>"), "expected files of"),
        (listing("<Contents><Key>set/../../x</Key><Size>1</Size></Contents>"), "not to be trusted"),
        (listing("<Contents><Key>set/.git/hooks/x</Key><Size>1</Size></Contents>"), "be trusted"),
        (listing("", "<IsTruncated>true</IsTruncated>"), "has no end"),
        (b"x" * (2**24 + 1), "expected a page of a listing"),
    ],
)
def test_a_page_that_is_no_listing_is_refused(page, said, server):
    kind = server.Answer
    server.answers["bucket"] = [kind(body=page)]
    with pytest.raises(DataError, match=said):
        list(list_bucket(f"{server.url}/bucket", "set", "", patience=QUICK))


def test_a_listing_that_repeats_itself_ends(server):
    kind = server.Answer
    more = "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
    server.answers["bucket"] = [kind(body=listing("", more)) for _ in range(9)]
    with pytest.raises(DataError, match="has no end"):
        list(list_bucket(f"{server.url}/bucket", "set", "", patience=QUICK))
    assert len(server.asked) == 2


def test_a_listing_is_asked_for_again(server):
    kind = server.Answer
    rows = (
        "<Contents><Key>set/</Key><Size>0</Size></Contents>"
        f'<Contents><Key>set/a</Key><Size>3</Size><ETag>"{"a" * 32}-2"</ETag></Contents>'
        "<Contents><Key>set/b%20c</Key><Size>3</Size><ETag>opaque</ETag></Contents>"
    )
    page = listing(rows)
    server.answers["bucket"] = [
        kind(status=503, body=b""), kind(body=page), kind(cut=50, body=page), kind(body=page),
    ]  # fmt: skip
    url = f"{server.url}/bucket"
    for _ in range(2):
        assert list(list_bucket(url, "set", "", patience=QUICK)) == [
            Remote("a", f"{url}/set/a", 3, "etag:" + "a" * 32 + "-2"),
            Remote("b%20c", f"{url}/set/b%2520c", 3, ""),  # the page does not say that it quotes
        ]


# A registry ------------------------------------------------------------------------------------

TABLE = """# made by hand
path\turl\tn_bytes\tsha256
a/b.jbl\thttps://example.org/b?x=1\t12\t{}

c d.jbl\thttps://example.org/c\t0\t{}
"""


def test_a_table_is_read(tmp_path):
    path = tmp_path / "list.tsv"
    path.write_text(TABLE.format("A" * 64, "b" * 64))
    assert read_registry(path) == [
        Remote("a/b.jbl", "https://example.org/b?x=1", 12, "sha256:" + "a" * 64),
        Remote("c d.jbl", "https://example.org/c", 0, "sha256:" + "b" * 64),
    ]


def test_json_with_a_base_is_read(tmp_path):
    path = tmp_path / "list.json"
    rows = [{"path": "c d.jbl", "n_bytes": 3, "md5": "b" * 32}]
    path.write_text(json.dumps({"base": "https://example.org/x/", "files": rows}))
    one = Remote("c d.jbl", "https://example.org/x/c%20d.jbl", 3, "md5:" + "b" * 32)
    assert read_registry(path) == [one]
    path.write_text(json.dumps([{**rows[0], "base": "https://example.org/x"}]))
    assert read_registry(path) == [one]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path\tcolour\nx\ty\n", "its columns are 'path, colour'"),
        ("url\nx\n", "its columns are 'url'"),
        ("path\turl\tn_bytes\tmd5\nx\thttps://x/y\t1\n", "line 2: 3 columns; expected 4"),
        ("path\turl\tn_bytes\tmd5\nx\thttps://x/y\tone\t" + "a" * 32, "line 2: 'x' has no size"),
        ("path\turl\tn_bytes\tmd5\nx\thttps://x/y\t1\t", "line 2: 'x' has no size or no hash"),
        ("path\turl\tn_bytes\tmd5\nx\t\t1\t" + "a" * 32, "line 2: x: its address is ''"),
        ("path\turl\tn_bytes\tmd5\n../x\thttps://x/y\t1\t" + "a" * 32, "line 2: .*trusted"),
        ("path\turl\tn_bytes\tmd5\n", "names no file"),
        ("path\turl\tn_bytes\tmd5" + "\nx\thttps://x/y\t1\t" + "a" * 32 + "\n#"
         + "\nx\thttps://x/y\t1\t" + "a" * 32, "line 4: x was there before"),
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ('{"files": 3}', "is no list of files"),
        ("[3]", "is no list of files"),
        ('[{"path": 3}]', "file 1: .* are text"),
        ('[{"path": "x", "url": "https://x/y", "n_bytes": -1, "md5": "a"}]', "no size"),
    ],
)  # fmt: skip
def test_what_is_no_registry_is_told_where(text, said, tmp_path):
    path = tmp_path / "list"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        read_registry(path)


def test_a_registry_is_fetched_for_what_has_no_addresses(server, tmp_path, rng):
    content = rng.bytes(1000)
    url = server.put("box/x", content)
    table = tmp_path / "list.tsv"
    table.write_text(f"path\turl\tn_bytes\tmd5\nstory_data/x.jbl\t{url}\t1000\t{md5(content)}\n")
    with pytest.raises(DataError, match=r"v/EncodingModelScalingLaws.*story_data.*below .*root"):
        remotes_of("antonello2023", tmp_path / "root")
    remotes = remotes_of("antonello2023", tmp_path / "root", registry=table)
    fetch(remotes, tmp_path / "root", patience=QUICK)
    assert (tmp_path / "root" / "story_data" / "x.jbl").read_bytes() == content
    with pytest.raises(ValueError, match="has neither parts nor subjects"):
        remotes_of("antonello2023", tmp_path, registry=table, parts=["words"])
    assert remotes_of("lebel2023", tmp_path, registry=table) == remotes
    with pytest.raises(DataError, match="has no file of lebel2023"):
        remotes_of("lebel2023", tmp_path, registry=table, parts=["words"])


TPL, MASK = "tpl-MNI152NLin2009cAsym", "res-pieman_desc-brain_mask.nii.gz"

# The table of data sets ------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, one in PUBLISHED.items() if one.parts])
def test_every_data_set_has_responses_words_and_audio(name):
    one = PUBLISHED[name]
    assert one.accession.startswith("ds00")
    assert {"responses", "words", "audio"} <= set(one.parts)
    for some in wanted_patterns(one, ["sub-01"], []).values():
        assert all("{" not in pattern for pattern in some)
    assert any("sub-01" in one for one in wanted_patterns(one, ["sub-01"], [])["responses"])


@pytest.mark.parametrize(
    ("name", "part", "path"),
    [
        ("lebel2023", "responses", "derivative/preprocessed_data/UTS03/life.hf5"),
        ("lebel2023", "words", "derivative/TextGrids/life.TextGrid"),
        ("lebel2023", "words", "derivative/respdict.json"),
        ("lebel2023", "surfaces", "derivative/pycortex-db/UTS03/surfaces/flat_lh.gii"),
        ("narratives", "audio", "stimuli/pieman_audio.wav"),
        ("narratives", "audio", "stimuli/audio/pieman_audio.wav"),
        ("narratives", "words", "stimuli/gentle/pieman/align.csv"),
        ("narratives", "responses", "code/scan_exclude.json"),
        ("narratives", "responses", f"derivatives/afni-nosmooth/{HEMI}"),
        ("narratives", "responses", f"derivatives/afni-smooth/{TPL}/{TPL}_{MASK}"),
        ("littleprince", "words", "annotation/EN/lppEN_word_information.csv"),
    ],
)
def test_paths_of_published_files_are_wanted(name, part, path):
    wanted = wanted_patterns(PUBLISHED[name], [], [part])
    assert list(wanted) == [part]
    assert any(matches(pattern, path) for pattern in wanted[part])


def test_what_cannot_be_wanted():
    one = PUBLISHED["lebel2023"]
    with pytest.raises(ValueError, match="did you mean 'words'"):
        wanted_patterns(one, [], ["word"])
    with pytest.raises(ValueError, match=r"subject is '\.\./x'"):
        wanted_patterns(one, ["../x"], [])
    with pytest.raises(ValueError, match="did you mean 'lebel2023'"):
        remotes_of("lebel2032", ".")


@pytest.mark.parametrize(
    ("dataset", "subject", "said"),
    [
        ("lebel2023", "S03", r"UTS01 to UTS08 \(did you mean 'UTS03'\?\)"),
        ("narratives", "sub-346", "expected one of the 345 of narratives, sub-001 to sub-345"),
    ],
)
def test_subjects_are_checked_before_anything_is_asked(dataset, subject, said, server, tmp_path):
    with pytest.raises(ValueError, match=said):
        remotes_of(dataset, tmp_path, subjects=[subject], base_url=f"{server.url}/bucket")
    assert server.asked == []
