"""Mistakes that a study meets inside are told before any work, by plan and by run alike."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest

from voxscale import plugins
from voxscale.data import Transcript
from voxscale.errors import ConfigError, DataError
from voxscale.features import LanguageExtractor
from voxscale.study import Study, plan, results, run, status
from voxscale.study._plan import feature_store

N_POSITIONS = 16


@pytest.fixture(scope="module")
def saved(tiny, tmp_path_factory):
    """Return the folder of a random GPT-2 that knows the tiny data set's words by heart."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("models") / "small"
    tokenizer = Tokenizer(models.BPE({word: i for i, word in enumerate(tiny.VOCABULARY)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_tokens(tiny.VOCABULARY)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        sizes = {"n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": N_POSITIONS}
        GPT2LMHeadModel(GPT2Config(vocab_size=40, **sizes)).save_pretrained(folder)
    return folder


@pytest.fixture
def model(saved, tmp_path):
    """Return a copy of the model, beside the study file."""
    folder = tmp_path / "model"
    folder.mkdir()
    for file in saved.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


@pytest.fixture
def study(tiny, tmp_path, model):
    def make(**replaced):
        fields = {"model": '"./model"', "contexts": "[4, 8]", "training_stories": "[3]"}
        return Study.from_toml(tiny.write_study(tmp_path, **{**fields, **replaced}))

    return make


def fill(study):
    return run(study, progress=False, device="cpu")


def assert_told(made, error, match, ways=(plan, fill)):
    for way in ways:
        with pytest.raises(error, match=match) as caught:
            way(made)
        assert len(str(caught.value).splitlines()) == 1
        assert not made.out.exists()


def test_a_language_model_runs_and_its_weights_wait_for_the_run(study, monkeypatch):
    made = study()
    with monkeypatch.context() as patch:
        patch.setattr(LanguageExtractor, "load", lambda self: pytest.fail("loaded"))
        assert len(plan(made).passes) == 10
    assert fill(made).failed == ()
    assert results(made).failed == ()


def test_a_model_without_a_tokenizer(study, model):
    for file in model.glob("*token*"):
        file.unlink()
    assert_told(study(), ConfigError, r"tiny\.toml, line 5: \[study\] model: .*has no tokenizer")


def test_damaged_weights(study, model):
    file = model / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    match = r"tiny\.toml, line 5: \[study\] model: model 'model' .*cannot be loaded"
    assert_told(study(), ConfigError, match, ways=[fill])


def test_a_context_that_is_too_long(study):
    match = (
        r"tiny\.toml, line 7: \[study\] contexts: story '\w': a context of 32 words needs 32 "
        r"tokens; this model has positions for 16; lower max_context to 16"
    )
    assert_told(study(contexts="[4, 8, 32]"), ConfigError, match)


def test_a_tokenizer_of_another_model(study, model):
    config = model / "config.json"
    config.write_text(config.read_text().replace('"vocab_size": 40', '"vocab_size": 30'))
    match = r"line 5: \[study\] model: the tokenizer gives token 39, but model .* has 30 of them"
    assert_told(study(), ConfigError, match)


def test_a_word_without_a_token(study, tiny, monkeypatch):
    def load(subject, root):
        data = tiny.load(subject)
        b = data.words["b"]
        words = [*b.words[:3], "unheard", *b.words[4:]]
        return replace(data, words={**data.words, "b": Transcript(words, b.onset_s, b.offset_s)})

    plugin = SimpleNamespace(SUBJECTS=tiny.SUBJECTS, load=load)
    monkeypatch.setitem(plugins._registered["datasets"], "tiny", plugin)
    match = r"line 4: \[study\] dataset: story 'b': word 3 \('unheard'\) gives no token"
    assert_told(study(), DataError, match)


def test_only_what_is_missing_is_checked(study, monkeypatch):
    made = study()
    fill(made)
    monkeypatch.setattr(LanguageExtractor, "planner", lambda self: pytest.fail("no"))
    assert plan(made).passes == ()
    shutil.rmtree(feature_store(made).path(feature_store(made).keys()[0]))
    assert plan(made).passes == ()  # no cell lacks it


def test_what_is_done_can_be_seen_without_these_checks(study):
    made = study()
    fill(made)
    more = study(contexts="[4, 8, 32]")
    with pytest.raises(ConfigError, match="positions for 16"):
        plan(more)
    assert len(status(more).plan.done) == 2
    assert len(results(more).cells) == 2


@pytest.mark.parametrize("trim", ["[40, 20]", "[40, 19]"])
def test_a_trim_that_leaves_nothing(study, trim):
    match = r"tiny\.toml, line 16: \[design\] trim: run 'a' has 60 TRs; trimming 40 at the start"
    assert_told(study(model='"echo"', trim=trim), ConfigError, match)


@pytest.mark.parametrize(("delays", "trim"), [("[1, 200]", "[5, 2]"), ("[1, 4]", "[30, 26]")])
def test_delays_that_reach_too_far(study, delays, trim):
    match = r"tiny\.toml, line 15: \[design\] delays: run 'a' has 60 TRs; .*and delays reach "
    assert_told(study(model='"echo"', delays=delays, trim=trim), ConfigError, match)


def test_a_trim_that_the_responses_do_not_cover(study, tiny, monkeypatch):
    def load(subject, root):
        data = tiny.load(subject)
        held = {run: one.between(6, 60) for run, one in data.responses.items()}
        return replace(data, responses=held, trials={})

    plugin = SimpleNamespace(SUBJECTS=tiny.SUBJECTS, load=load)
    monkeypatch.setitem(plugins._registered["datasets"], "tiny", plugin)
    match = r"line 16: \[design\] trim: run 'a': responses cover TRs 6\.\.59, but after trimming "
    assert_told(study(model='"echo"'), ConfigError, match)


@pytest.mark.parametrize(
    ("cv", "match"),
    [
        ("{ chunk_len = 50, n_chunks = 4, n_repeats = 1 }", "n_chunks is 4, but only 3 chunks"),
        ("{ chunk_len = 50, n_chunks = 3, n_repeats = 1, gap = 9 }", "leaves nothing to train on"),
    ],
)
def test_a_cross_validation_that_cannot_be(study, cv, match):
    made = study(model='"echo"', alphas=f"[1.0]\ncv = {cv}")
    match = rf"tiny\.toml, line 20: \[fit\] cv: s1, layer 0, context 8, 3 stories: .*{match}"
    assert_told(made, ConfigError, match)


def test_a_protocol_is_that_of_the_model_and_the_design(study):
    ours, published = plan(study()), plan(study(delays='[1, 2]\nprotocol = "huth2023"'))
    assert not {one.keys for one in ours.passes} & {one.keys for one in published.passes}
    assert not set(ours.keys.values()) & set(published.keys.values())
    assert len(fill(published.study).computed) == len(published.cells)


def test_a_plugin_takes_the_protocol_of_the_design_alone(study):
    made = study(model='"echo"', delays='[1, 2]\nprotocol = "huth2023"')
    ours = plan(study(model='"echo"'))
    assert [one.keys for one in plan(made).passes] == [one.keys for one in ours.passes]
    assert len(fill(made).computed) == len(ours.cells)


@pytest.mark.parametrize(
    "setting", ['policy = "sliding"', 'word_vector = "mean"', 'dtype = "bfloat16"']
)
def test_how_a_model_is_read_is_part_of_every_key(study, setting):
    ours, other = plan(study()), plan(study(stack=f"false\n[features]\n{setting}"))
    assert not {one.keys for one in ours.passes} & {one.keys for one in other.passes}
    assert not set(ours.keys.values()) & set(other.keys.values())
    assert len(fill(other.study).computed) == len(other.cells)


def test_a_plugin_is_read_in_its_own_way(study):
    made = study(model='"echo"', stack='false\n[features]\npolicy = "sliding"')
    assert_told(made, ConfigError, "extractor 'echo' is a plugin, which takes no policy")
