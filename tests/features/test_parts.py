"""A window that does not fit is run in parts, and gives what it gives as a whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.errors import DataError
from voxscale.features import LanguageExtractor, _batch_size, _execute, language_states
from voxscale.features._context import Contexts
from voxscale.features._loading import wrap_model
from voxscale.features._parts import can_split, split
from voxscale.features._passes import StoryWords, plan_passes
from voxscale.features._tokens import start_tokens, tokenize_story

TEXT = "the quick brown fox jumps over the lazy dog and then the dog sleeps while the fox runs"
OPTIONS = {
    "policy": "full",
    "min_context": 2,
    "max_context": 5,
    "extras": ["surprisal", "entropy", "context_length"],
}
KINDS = [
    "llama", "gpt2", "opt", "mistral", "gemma3", "pythia", "gptj", "gpt_neo", "qwen3", "gemma2",
    "unused window",
]  # fmt: skip


def only_so_many(loaded, monkeypatch, most_tokens):
    """Let a model run out of memory in its second block, on more tokens; return the lengths."""
    lengths = []
    block = loaded.blocks[1]
    forward = block.forward

    def narrow(hidden, *args, **kwargs):
        lengths.append(hidden.shape[1])
        if hidden.shape[0] * hidden.shape[1] > most_tokens:
            raise torch.OutOfMemoryError
        return forward(hidden, *args, **kwargs)

    monkeypatch.setattr(block, "forward", narrow)
    return lengths


@pytest.mark.parametrize("word_vector", ["last", "first", "mean"])
@pytest.mark.parametrize("kind", KINDS)
def test_parts_give_the_same_states(kind, word_vector, tiny_model, bpe, story, monkeypatch):
    model = tiny_model(kind).eval()
    loaded = [wrap_model(model, bpe)]
    options = {**OPTIONS, "word_vector": word_vector}
    expected = language_states(story(TEXT), loaded[0], **options)
    done = []
    lengths = only_so_many(loaded[0], monkeypatch, 14)
    told = {"progress": lambda n, total: done.append((n, total))}
    found = language_states(story(TEXT), loaded[0], **options, **told)
    assert max(lengths) > 14
    assert 14 >= lengths[-1] > 0
    assert list(found) == list(expected)
    for name, states in expected.items():
        np.testing.assert_allclose(found[name].values, states.values, atol=2e-5, err_msg=str(name))
    assert done[-1][0] == done[-1][1]


def test_parts_are_used_before_memory_runs_out(tiny_model, bpe, story, monkeypatch):
    model = tiny_model("llama").eval()
    loaded = [wrap_model(model, bpe)]
    expected = language_states(story(TEXT), loaded[0], **OPTIONS)
    free = int(20 * _batch_size._reckon(loaded[0], 20) / _batch_size._SHARE)
    monkeypatch.setattr(_batch_size, "available_bytes", lambda device: free)
    lengths = only_so_many(loaded[0], monkeypatch, 10**6)
    found = language_states(story(TEXT), loaded[0], **OPTIONS)
    assert max(lengths) <= 20
    np.testing.assert_allclose(found[3].values, expected[3].values, atol=2e-5)


def test_layers_below_the_top_stop_early_in_parts_too(tiny_model, bpe, story, monkeypatch):
    model = tiny_model("llama").eval()
    loaded = [wrap_model(model, bpe)]
    expected = language_states(story(TEXT), loaded[0], **OPTIONS)
    only_so_many(loaded[0], monkeypatch, 14)
    monkeypatch.setattr(_execute, "can_split", lambda loaded: True)  # it runs a few tokens
    monkeypatch.setattr(
        loaded[0].blocks[2], "forward", lambda *_, **__: pytest.fail("block 3 was run")
    )
    options = {**OPTIONS, "extras": [], "layers": [0, 2]}
    found = language_states(story(TEXT), loaded[0], **options)
    for layer in (0, 2):
        np.testing.assert_allclose(found[layer].values, expected[layer].values, atol=2e-5)


def test_a_stream_of_parts(tiny_model, bpe, story, monkeypatch, tmp_path):
    model = tiny_model("llama").eval()
    model.save_pretrained(tmp_path)
    bpe.save_pretrained(tmp_path)
    extractor = LanguageExtractor(tmp_path, device="cpu", policy="full")
    expected = extractor.extract({"story": story(TEXT)}, [3])[3]["story"].values
    only_so_many(extractor.load(), monkeypatch, 14)
    reads = list(extractor.stream(story(TEXT), [3]))
    assert [read.n_passes for read in reads] == [0] * (len(reads) - 1) + [1]
    found = np.concatenate([read.states[3] for read in reads])
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_model_that_forgets_has_no_parts(dtype, tiny_model, bpe, monkeypatch):
    base = tiny_model("llama").to(dtype).eval()
    loaded = wrap_model(base, bpe)
    assert can_split(loaded)
    forward = loaded.base.forward

    def forget(past_key_values=None, **options):
        return forward(**options)

    monkeypatch.setattr(loaded.base, "forward", forget)
    assert not can_split(loaded)


def test_a_recurrent_model_has_no_parts(tiny_model, bpe, story, monkeypatch):
    loaded = [wrap_model(tiny_model("mamba").eval(), bpe)]
    assert not can_split(loaded[0])
    only_so_many(loaded[0], monkeypatch, 14)
    with pytest.raises(DataError, match=r"a window of \d+ tokens does not fit"):
        language_states(story(TEXT), loaded[0], **{**OPTIONS, "extras": []})


WORDS = st.lists(st.sampled_from([*TEXT.split(), "unbelievable", "東京", "🙂", "x"]), min_size=1)


@settings(max_examples=40, deadline=None)
@given(words=WORDS, n_tokens=st.integers(1, 20), vector=st.sampled_from(["last", "first", "mean"]))
def test_parts_hold_every_token_and_read_every_word_once(bpe, words, n_tokens, vector):
    tokens = tokenize_story(words, bpe, "story")
    [whole] = plan_passes(
        StoryWords("story", words, tokens), start_tokens(bpe), Contexts("full"), word_vector=vector
    )
    parts = split(whole, n_tokens)
    assert np.concatenate([part.ids for part in parts]).tolist() == whole.ids.tolist()
    assert [word for part in parts for word in part.words] == list(whole.words)
    begins = np.cumsum([0, *map(len, parts)])
    for name in ("positions", "told"):
        joined = [getattr(part, name) + begin for part, begin in zip(parts, begins, strict=False)]
        assert np.concatenate(joined).tolist() == getattr(whole, name).tolist()
    for part in parts:
        assert (part.positions >= 0).all()
        assert (part.positions < len(part)).all()
        assert len(part) <= n_tokens or len(part.words) <= 1


def test_why_sliding_keeps_no_cache(tiny_model):
    """Without the oldest word's keys and values only the first block is right."""
    from transformers import DynamicCache

    base = tiny_model("llama").eval().base_model
    ids = torch.arange(1, 10)[None]
    with torch.inference_mode():
        exact = base(ids[:, 1:], output_hidden_states=True).hidden_states
        cache = DynamicCache(config=base.config)
        base(ids[:, :-1], past_key_values=cache, use_cache=True)
        for layer in cache.layers:
            layer.keys, layer.values = layer.keys[:, :, 1:], layer.values[:, :, 1:]
        position = torch.tensor([[8]])
        kept = base(
            ids[:, -1:], position_ids=position, past_key_values=cache, output_hidden_states=True
        ).hidden_states
    far = [
        float((one[0, -1] - other[0, -1]).abs().max())
        for one, other in zip(exact, kept, strict=True)
    ]
    assert max(far[:2]) < 1e-5
    assert min(far[2:]) > 1e-2
