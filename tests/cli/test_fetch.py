import hashlib

import pytest
from typer.testing import CliRunner

from voxscale.cli import app
from voxscale.data import _fetch_extras
from voxscale.data._fetch import FetchSummary
from voxscale.data._stop import Stop

pytestmark = pytest.mark.loopback

HF5 = "derivative/preprocessed_data/{}/story {}.hf5"
WORDS = "derivative/TextGrids/story.TextGrid"


@pytest.fixture
def contents(rng):
    paths = [HF5.format(subject, i) for subject in ("UTS01", "UTS02") for i in range(2)]
    return {path: rng.bytes(2000) for path in [*paths, WORDS, "derivative/respdict.json"]}


@pytest.fixture
def call(server, contents):
    """Return a function that runs voxscale fetch against a bucket of its own."""
    for path, content in contents.items():
        server.put(f"bucket/ds003020/{path}", content)

    def run(*arguments):
        return CliRunner().invoke(app, ["fetch", *map(str, arguments)])

    run.url = ["--base-url", f"{server.url}/bucket"]
    return run


def test_the_plan_comes_first_and_running_again_is_resuming(call, server, contents, tmp_path):
    root = tmp_path / "root"
    chosen = ["lebel2023", root, "--parts", "responses,words", *call.url]
    dry = call(*chosen, "--dry-run")
    assert dry.stdout == "lebel2023: 6 files, 12.0 kB: 0 there (0 bytes), 6 to fetch (12.0 kB)\n"
    assert not root.exists()
    done = call(*chosen)
    assert done.exit_code == 0, done.stderr
    lines = done.stderr.splitlines()
    assert lines[0] == dry.stdout.strip()
    assert sorted(lines[1:]) == sorted(f"{path}: 2,000 bytes" for path in contents)
    assert done.stdout == "fetched 6 files (12.0 kB), 0 were there\n"
    for path, content in contents.items():
        assert (root / path).read_bytes() == content
    again = call(*chosen)
    assert again.stdout == "fetched 0 files (0 bytes), 6 were there\n"


def test_subjects_and_parts(call, tmp_path):
    done = call("lebel2023", tmp_path, "--subject", "UTS02", "--parts", "responses", *call.url)
    assert done.stdout == "fetched 2 files (4.0 kB), 0 were there\n"
    assert not (tmp_path / "derivative" / "preprocessed_data" / "UTS01").exists()


def test_a_part_of_which_there_is_nothing_is_a_warning(call, tmp_path):
    done = call("lebel2023", tmp_path, *call.url)
    assert done.exit_code == 0
    assert "warning: lebel2023: nothing to fetch matches" in done.stderr
    assert "stimuli/*.wav (audio)" in done.stderr


def test_a_file_that_fails_is_told_and_ends_with_1(call, server, tmp_path):
    (tmp_path / WORDS).parent.mkdir(parents=True)
    (tmp_path / WORDS).write_text("mine")
    chosen = ["lebel2023", tmp_path, "--parts", "words", *call.url]
    done = call(*chosen)
    assert done.exit_code == 1
    assert f"{WORDS}: there is another file of this name" in done.stderr
    assert done.stdout == "fetched 1 files (2.0 kB), 0 were there; 1 failed\n"
    assert call(*chosen, "--replace").exit_code == 0


def test_verifying(call, contents, tmp_path):
    none = call("lebel2023", tmp_path, "--verify")
    assert none.exit_code == 2
    assert "has no record of a fetch" in none.stderr
    call("lebel2023", tmp_path, "--parts", "words", *call.url)
    fine = call("lebel2023", tmp_path, "--verify")
    assert (fine.exit_code, fine.stdout) == (0, "2 files are what they were, 0 are not.\n")
    (tmp_path / WORDS).write_bytes(b"?" * 2000)
    changed = call("lebel2023", tmp_path, "--verify")
    assert (changed.exit_code, changed.stdout) == (1, "1 files are what they were, 1 are not.\n")
    assert f"{WORDS} has changed" in changed.stderr


def test_files_known_by_size_alone_are_taken_only_on_demand(call, server, contents, tmp_path):
    server.tags[f"bucket/ds003020/{WORDS}"] = f'"{"0" * 32}-2"'
    chosen = ["lebel2023", tmp_path, "--parts", "words", *call.url]
    done = call(*chosen)
    assert done.exit_code == 1
    assert done.stdout == "fetched 1 files (2.0 kB), 0 were there; 1 not verified\n"
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"1 files (the first: {WORDS}) could be compared by their size alone")
    for way in ("a clone", "--with datalad", "--accept-size"):
        assert way in last
    assert not (tmp_path / WORDS).exists()
    taken = call(*chosen, "--accept-size")
    assert taken.exit_code == 0
    assert "of 1 files no more than the size could be compared" in taken.stderr
    assert (tmp_path / WORDS).read_bytes() == contents[WORDS]
    assert "no more than the size was compared" in call("lebel2023", tmp_path, "--verify").stderr


def test_a_registry(call, server, contents, tmp_path):
    content = contents[WORDS]
    url = f"{server.url}/bucket/ds003020/{WORDS}"
    table = tmp_path / "list.tsv"
    row = f"a.jbl\t{url}\t{len(content)}\t{hashlib.sha256(content).hexdigest()}"
    table.write_text(f"path\turl\tn_bytes\tsha256\n{row}\n")
    done = call("antonello2023", tmp_path / "root", "--registry", table)
    assert done.stdout == "fetched 1 files (2.0 kB), 0 were there\n"
    by_hand = call("antonello2023", tmp_path / "root")
    assert by_hand.exit_code == 2
    assert "error: antonello2023: the released files lie in a folder of Box" in by_hand.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lebel"], "choose one of lebel2023, narratives, littleprince, antonello2023"),
        (["lebel2023", "--parts", "sounds"], "--parts has 'sounds'"),
        (["lebel2023", "--subject", "../x"], "--subject is '../x'"),
        (["lebel2023", "--subject", "S03"], "the 8 of lebel2023, UTS01 to UTS08 (did you mean 'U"),
        (["lebel2023", "--with", "wget"], "--with is 'wget'"),
        (["lebel2023", "--with", "datalad", "--dry-run"], "--with stands alone"),
        (["lebel2023", "--base-url", "file:///etc"], "expected http or https"),
        (["lebel2023", "--registry", "absent.tsv"], "absent.tsv does not exist"),
    ],
)
def test_mistakes_are_one_message(arguments, said, call, tmp_path):
    done = call(arguments[0], tmp_path, *arguments[1:])
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("error:") == 1


def test_another_try_is_told(call, server, contents, tmp_path, monkeypatch):
    monkeypatch.setattr(Stop, "wait", lambda *_: False)
    busy = server.Answer(status=503, body=b"")
    server.answers[f"bucket/ds003020/{WORDS}"] = [busy, busy]
    chosen = ["lebel2023", tmp_path, "--parts", "words", *call.url]
    told = [one for one in call(*chosen).stderr.splitlines() if "trying again" in one]
    url = f"{server.url}/bucket/ds003020/{WORDS}"
    assert [one.partition("; ")[2] for one in told] == [
        "trying again in 1 s (2 of 6)", "trying again in 2 s (3 of 6)",
    ]  # fmt: skip
    assert all(one.startswith(f"{url}: the server says 503") for one in told)


def test_a_list_that_cannot_be_had_is_told_as_such(call, tmp_path, monkeypatch):
    monkeypatch.setattr(Stop, "wait", lambda *_: False)
    url = "http://127.0.0.1:1/bucket"  # where nothing listens
    done = call("lebel2023", tmp_path, "--base-url", url)
    *told, error = done.stderr.splitlines()
    assert done.exit_code == 2
    assert len(told) == 5
    assert told[-1].startswith(f"{url}: no answer (")
    assert told[-1].endswith("; trying again in 16 s (6 of 6)")
    assert error.startswith(f"error: the list of files at {url}?list-type=2")
    assert "cannot be had: no answer (" in error
    assert "use --with datalad" in error
    assert "what has arrived" not in error


def test_another_program_fetches(call, tmp_path, monkeypatch):
    asked = []

    def through(*given):
        asked.append(given[:4])
        given[4]("datalad get …")
        return FetchSummary((), 3, ())

    monkeypatch.setitem(_fetch_extras.PROGRAMS, "datalad", through)
    done = call("lebel2023", tmp_path, "--with", "datalad", "--subject", "UTS01")
    assert asked == [("lebel2023", tmp_path, ["UTS01"], [])]
    assert done.stderr == "datalad get …\n"
    assert done.stdout == "fetched 0 files (0 bytes), 3 were there\n"


def test_a_bar_in_a_terminal(call, tmp_path, monkeypatch):
    from rich import console

    monkeypatch.setattr(console.Console, "is_terminal", True)
    done = call("lebel2023", tmp_path, "--parts", "words", *call.url)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.endswith("fetched 2 files (4.0 kB), 0 were there\n")
