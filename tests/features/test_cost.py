"""The plan counts what is then run."""

from __future__ import annotations

import pytest
import torch

from voxscale.errors import DataError
from voxscale.features import LanguageExtractor, plan_language_states
from voxscale.features._context import POLICIES

TEXT = "the quick brown fox jumps over the lazy dog . and then the dog sleeps while the fox runs"
SIZES = {"min_context": 3, "max_context": 6}


@pytest.fixture(scope="module")
def folder(tiny_model, bpe, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tiny"
    tiny_model("llama", n_positions=64).save_pretrained(path)
    bpe.save_pretrained(path)
    return path


@pytest.mark.filterwarnings("ignore:policy 'sentence'")
@pytest.mark.parametrize("policy", POLICIES)
def test_what_is_planned_is_run(policy, folder, story):
    stories = {"hut": story(TEXT), "chess": story(TEXT[:40])}
    extractor = LanguageExtractor(folder, device="cpu", policy=policy)
    cost = plan_language_states(stories, extractor, **SIZES, probe=False)
    assert (cost.tokens_per_s, cost.seconds) == (None, None)
    passes = [
        one
        for run, words in stories.items()
        for read in extractor.stream(words, run=run, **SIZES)
        for one in read.batch
    ]
    assert cost.n_passes == len(passes)
    assert cost.n_tokens == sum(map(len, passes))
    assert cost.n_words == sum(map(len, stories.values())) == sum(len(one.words) for one in passes)
    assert (cost.policy, cost.n_stories) == (policy, 2)


def test_tokens_of_a_pass_for_every_word(folder, story, bpe):
    """By hand: every word's own context, tokenised as the story is, after the start token."""
    words = TEXT.split()
    extractor = LanguageExtractor(folder, device="cpu", policy="sliding")
    cost = plan_language_states(story(TEXT), extractor, min_context=4, max_context=4, probe=False)
    pieces = [len(bpe(f" {word}" if i else word)["input_ids"]) for i, word in enumerate(words)]
    alone = sum(1 + sum(pieces[max(0, i - 3) : i + 1]) for i in range(len(words)))
    assert cost.n_tokens_alone == alone
    assert cost.n_text_tokens == sum(pieces)


def test_the_probe_says_how_long_it_takes(folder, story):
    extractor = LanguageExtractor(folder, device="cpu")
    cost = plan_language_states(story(TEXT), extractor, **SIZES, extras=["surprisal"])
    assert cost.tokens_per_s > 0
    assert cost.seconds == cost.n_tokens / cost.tokens_per_s
    told = str(cost)
    assert "1, 19 words" in told
    assert f"growing: {cost.n_passes} passes" in told
    assert f"{cost.n_tokens:,} to run" in told
    assert "from a short probe" in told


def test_nothing_is_loaded_without_a_probe(folder, story, monkeypatch):
    extractor = LanguageExtractor(folder, device="cpu")
    monkeypatch.setattr(torch.nn.Module, "__call__", lambda *_: pytest.fail("the model was run"))
    cost = plan_language_states(story(TEXT), extractor, **SIZES, probe=False)
    assert "time" not in str(cost)
    assert cost.n_tokens > 0


def test_a_protocol_is_planned_under_its_name(folder, story):
    extractor = LanguageExtractor(folder, device="cpu", protocol="huth2023")
    cost = plan_language_states(story(TEXT), extractor, **SIZES, probe=False)
    assert cost.policy == "huth2023"


def test_mistakes_are_told_before_anything_runs(folder, story):
    extractor = LanguageExtractor(folder, device="cpu")
    with pytest.raises(DataError, match=r"positions for 64; lower max_context to \d+"):
        plan_language_states(story(" ".join([TEXT] * 9)), extractor, max_context=150, min_context=9)
    with pytest.raises(ValueError, match="layer 7"):
        plan_language_states(story(TEXT), extractor, layers=[7], **SIZES)
