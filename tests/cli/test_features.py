"""``voxscale features language``, on a tiny model in a folder."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from voxscale.cli._app import app
from voxscale.store import LayerStore

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Save a tiny random GPT-2 and a tokenizer of letters."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import AutoModelForCausalLM, GPT2Config, PreTrainedTokenizerFast

    vocabulary = {letter: i for i, letter in enumerate("abcdefghijklmnopqrstuvwxyz ")}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    config = GPT2Config(vocab_size=27, n_embd=8, n_layer=2, n_head=2, n_positions=64,
                        bos_token_id=0, eos_token_id=0)  # fmt: skip
    path = tmp_path_factory.mktemp("models") / "tiny"
    AutoModelForCausalLM.from_config(config).save_pretrained(path)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(path)
    return path


@pytest.fixture
def stories(tmp_path):
    for name, n_words in (("hut", 20), ("chess", 12)):
        rows = [f"word,{i / 2},{i / 2 + 0.4}" for i in range(n_words)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["word,onset,offset", *rows]))
    return [str(tmp_path / "hut.csv"), str(tmp_path / "chess.csv")]


def invoke(*arguments):
    return CliRunner().invoke(app, ["features", "language", *map(str, arguments)])


def test_stories_become_groups_and_running_again_is_resuming(stories, folder, tmp_path):
    options = ["--model", folder, "--out", tmp_path / "out", "--max-context", 6,
               "--min-context", 3, "--layers", "0,2", "--extras", "context_length"]  # fmt: skip
    first = invoke(*stories, *options)
    assert first.exit_code == 0, first.output
    assert "[stories 1/2] hut:" in first.stderr
    assert "tokens/s" in first.stderr
    store = LayerStore(tmp_path / "out")
    paths = first.stdout.split()
    assert [path.rsplit("/", 1)[1].split("-")[0] for path in paths] == ["hut", "chess"]
    key = next(key for key in store.keys() if key.startswith("hut"))  # noqa: SIM118
    assert store.names(key) == ["context_length", "layer_0", "layer_2"]
    assert store.get(key, "layer_2").shape == (5, 8)
    again = invoke(*stories, *options)
    assert (again.exit_code, again.stdout, again.stderr) == (0, first.stdout, "")


def test_plan_says_what_it_costs_and_runs_nothing(stories, folder, tmp_path):
    told = invoke(*stories, "--model", folder, "--out", tmp_path / "out", "--plan",
                  "--policy", "sliding", "--max-context", 4)  # fmt: skip
    assert told.exit_code == 0, told.output
    assert "2, 32 words" in told.stdout
    assert "sliding: 26 passes" in told.stdout  # 1 + 20 - 4, and 1 + 12 - 4
    assert "from a short probe" in told.stdout
    assert not (tmp_path / "out").exists()


def test_reports_give_the_trs(stories, folder, tmp_path):
    lines = ["0.0 init-trigger", *(f"{2.0 * i} trigger" for i in range(1, 9)), "1.0 sound-start"]
    for story in ("hut", "chess"):
        (tmp_path / f"{story}.report").write_text("\n".join(lines) + "\n")
    ran = invoke(stories[0], "--model", folder, "--out", tmp_path / "out", "--max-context", 6,
                 "--min-context", 3, "--tr-reports", tmp_path)  # fmt: skip
    assert ran.exit_code == 0, ran.output
    store = LayerStore(tmp_path / "out")
    assert len(store.get(store.keys()[0], "layer_0")) == 9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--policy", "slidng"], "policy 'slidng' is unknown"),
        (["--layers", "first"], "--layers is 'first'; expected all, or numbers"),
        (["--layers", "7"], "layer 7 does not exist"),
        (["--extras", "loss"], "extra 'loss' is unknown"),
        (["--word-vector", "middle"], "error: --word-vector 'middle' is unknown"),
        (["--dtype", "int8"], "dtype 'int8' is unknown"),
        (["--tr", "0"], "error: --tr is 0.0"),
        (["--tr", "nan"], "expected finite seconds above 0"),
        (["--tr", "1e-9"], "would have over a million TRs; raise it"),
        (["--tr-reports", __file__], "which is no folder"),
        (["--max-context", "-5"], "--max-context -5 (words"),
        (["--tr", "0", "--plan"], "error: --tr is 0.0"),
        (["--protocol", "foo"], "protocol 'foo' is unknown; choose one of 'huth2023'"),
        (["--batch-size", "0"], "error: --batch-size is 0"),
        (["--max-context", "60"], "positions for 64"),
        (["--min-context", "9"], "expected 1 <= --min-context <= --max-context."),
        (["--device", "abacus"], "device 'abacus' is unknown"),
        (["--tr-reports", "."], "hut.report"),
    ],
)
def test_mistakes_are_one_message(options, message, stories, folder, tmp_path):
    given = ["--model", folder, "--out", tmp_path / "out", "--max-context", 8]
    ran = invoke(*stories, *given, *options)
    assert ran.exit_code == 2
    assert message in ran.stderr
    assert "Traceback" not in ran.output
    assert not list((tmp_path / "out").glob("*"))


def test_two_files_of_one_name_are_refused(stories, folder, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "hut.csv").write_text("word,onset,offset\na,0,1\n")
    ran = invoke(stories[0], tmp_path / "other" / "hut.csv", "--model", folder, "--out", tmp_path)
    assert ran.exit_code == 2
    assert "would both be story 'hut'" in ran.stderr


def test_the_numbers_are_those_of_python(stories, folder, tmp_path):
    import voxscale as vs
    from voxscale.design import DesignRecipe

    invoke(stories[1], "--model", folder, "--out", tmp_path / "out", "--max-context", 8,
           "--min-context", 4, "--keep-words")  # fmt: skip
    words = vs.read_transcript(stories[1])
    states = vs.language_states(words, folder, min_context=4, max_context=8)
    store = LayerStore(tmp_path / "out")
    key = store.keys()[0]
    tr_times = 2.0 * np.arange(3) + 1
    for layer, series in states.items():
        np.testing.assert_allclose(store.get(key, f"words_layer_{layer}"), series.values, atol=1e-5)
        expected = DesignRecipe().downsample(series, tr_times, "chess").values
        np.testing.assert_allclose(store.get(key, f"layer_{layer}"), expected, atol=1e-5)


def groups_of(stories, folder, tmp_path, *options):
    ran = invoke(stories[0], "--model", folder, "--out", tmp_path / "out", "--max-context", 6,
                 "--layers", "1", *options)  # fmt: skip
    assert ran.exit_code == 0, ran.output
    return ran.stdout.split()


def test_every_option_that_can_change_the_numbers_does(stories, folder, tmp_path):
    """Each makes a group of its own."""
    some = [
        [], ["--tr", 1.5], ["--protocol", "huth2023"], ["--word-vector", "first"], ["--normalize"],
        ["--policy", "sentence"], ["--dtype", "bfloat16"], ["--min-context", 2], ["--keep-words"],
        ["--extras", "surprisal"],
    ]  # fmt: skip
    kept = [tuple(groups_of(stories, folder, tmp_path, *options)) for options in some]
    assert len(set(kept)) == len(some)
    store = LayerStore(tmp_path / "out")
    metas = [store.meta(path.rsplit("/", 1)[1].removesuffix(".zarr")) for [path] in kept]
    assert len(metas[1]["tr_times"]) > len(metas[0]["tr_times"])
    assert metas[4]["normalize"]


def test_the_tier_is_the_one_asked_for(folder, tmp_path):
    tiers = "".join(
        f'"IntervalTier"\n"{name}"\n0\n4\n2\n0\n2\n"{word}"\n2\n4\n"{word}"\n'
        for name, word in (("phone", "ab"), ("lexicon", "word"))
    )
    text = f'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n4\n<exists>\n2\n{tiers}'
    (tmp_path / "hut.TextGrid").write_text(text)
    [path] = groups_of([tmp_path / "hut.TextGrid"], folder, tmp_path, "--tier", "lexicon",
                       "--keep-words")  # fmt: skip
    key = path.rsplit("/", 1)[1].removesuffix(".zarr")
    assert LayerStore(tmp_path / "out").meta(key)["words"] == ["word", "word"]


def test_a_plan_counts_what_is_there(stories, folder, tmp_path):
    groups_of(stories, folder, tmp_path)
    options = ["--model", folder, "--out", tmp_path / "out", "--max-context", 6, "--layers", "1"]
    told = invoke(*stories, *options, "--plan")
    assert "done  1 of 2" in told.stdout
    assert "1, 12 words" in told.stdout
    told = invoke(stories[0], *options, "--plan")
    assert "nothing is missing" in told.stdout


def test_a_terminal_shows_a_bar(stories, folder, tmp_path, monkeypatch):
    from rich import console

    monkeypatch.setattr(console.Console, "is_terminal", True)
    ran = invoke(*stories, "--model", folder, "--out", tmp_path / "out", "--max-context", 6)
    assert ran.exit_code == 0, ran.output
    assert "2/2 stories" in ran.stderr
    assert "tokens/s" in ran.stderr
