"""Every policy, every way to read a word: as if each word's own context had been run alone."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.errors import DataError, VoxscaleWarning
from voxscale.features import Contexts, language_states
from voxscale.features._context import ends_sentence
from voxscale.features._tokens import start_tokens, tokenize_story

LIMIT = 22
odd = ["it's", "...", "1997", "café.", "🙂", "東京", "'s", "dog?", 'said."', "unbelievable"]
words_of = st.lists(st.sampled_from([*odd, "the", "dog", "jumps"]), min_size=1, max_size=14)


@pytest.fixture(scope="module")
def model(tiny_model):
    return tiny_model("llama", LIMIT).eval()


def contexts_by_hand(words, policy, low, high, n_tokens):
    """First word of each word's context, from the words of the policies' descriptions."""
    starts, start = [], 0
    for i in range(len(words)):
        if policy == "sentence" and i and ends_sentence(words[i - 1]):
            start = i
        if policy == "full":
            if i and n_tokens(start, i + 1) > LIMIT:
                start = max(0, i + 1 - low)
                while start < i and n_tokens(start, i + 1) > LIMIT:
                    start += 1
        elif policy == "sliding":
            start = max(0, i + 1 - high)
        elif i + 1 - start > high:
            start = i + 1 - low
        starts.append(start)
    return starts


@pytest.mark.filterwarnings("ignore:policy 'sentence'")
@pytest.mark.parametrize("policy", ["growing", "sliding", "full", "sentence"])
@settings(max_examples=8, deadline=None)
@given(
    words=words_of,
    sizes=st.sampled_from([(1, 2), (2, 4), (3, 3)]),
    word_vector=st.sampled_from(["last", "first", "mean"]),
)
def test_each_word_is_as_if_alone(
    tokenizer_kind, policy, words, sizes, word_vector, model, tokenizers, story
):
    import torch

    tokenizer, (low, high) = tokenizers[tokenizer_kind], sizes
    try:
        found = tokenize_story(words, tokenizer, "story")
        states = language_states(
            story(words), model, tokenizer=tokenizer, min_context=low, max_context=high,
            policy=policy, word_vector=word_vector,
            extras=["surprisal", "entropy", "context_length"],
        )  # fmt: skip
    except DataError:  # a word without a token, or one that alone is too long
        return
    start = list(start_tokens(tokenizer))

    def n_tokens(first, stop):
        return len(start) + int(found.last[stop - 1] + 1 - found.first[first])

    begins = contexts_by_hand(words, policy, low, high, n_tokens)
    before = -1
    for i, begin in enumerate(begins):
        own_context = found.ids[found.first[begin] : found.last[i] + 1].tolist()
        with torch.no_grad():
            output = model(torch.tensor([start + own_context]), output_hidden_states=True)
        hidden = np.array([layer[0].numpy() for layer in output.hidden_states])
        n_own = int(found.last[i] + 1 - found.own[i])
        expected = {
            "last": hidden[:, -1],
            "first": hidden[:, -n_own],
            "mean": hidden[:, -n_own:].mean(axis=1),
        }[word_vector]
        got = [states[layer].values[i] for layer in range(4)]
        np.testing.assert_allclose(got, expected, atol=1e-5, rtol=1e-4)
        assert states["context_length"].values[i] == i + 1 - begin
        bits = -output.logits[0].double().log_softmax(-1).numpy() / np.log(2)
        ids = start + own_context
        new = range(max(found.first[i], before + 1), found.last[i] + 1)
        places = [len(ids) - 1 - (int(found.last[i]) - token) for token in new]
        before = int(found.last[i])
        if 0 in places:
            assert np.isnan(states["surprisal"].values[i, 0])
            continue
        surprisal = sum(bits[place - 1, ids[place]] for place in places)
        entropy = sum((2.0 ** -bits[place - 1] * bits[place - 1]).sum() for place in places)
        np.testing.assert_allclose(states["surprisal"].values[i, 0], surprisal, rtol=1e-3)
        np.testing.assert_allclose(states["entropy"].values[i, 0], entropy, rtol=1e-3)


@given(
    n_words=st.integers(1, 60),
    sizes=st.sampled_from([(1, 1), (1, 4), (3, 7), (5, 5)]),
    policy=st.sampled_from(["growing", "sliding", "full", "sentence"]),
    room=st.integers(1, 30),
    seed=st.integers(0, 99),
)
def test_every_word_is_read_in_exactly_one_window(n_words, sizes, policy, room, seed):
    rng = np.random.default_rng(seed)
    words = ["end." if one < 0.2 else "w" for one in rng.uniform(size=n_words)]
    contexts = Contexts(policy, *sizes)
    windows, read_at = contexts.plan(words, lambda start, stop: stop - start <= room)
    stops = [window.first_new for window in windows[1:]] + [n_words]
    read = []
    for window, stop in zip(windows, stops, strict=True):
        assert window.start <= window.first_new < stop <= window.stop
        read += range(window.first_new, stop)
        if policy == "full":
            assert window.stop - window.start <= room
        elif policy == "sentence":
            assert not any(ends_sentence(word) for word in words[window.start : window.stop - 1])
    assert read == read_at == list(range(n_words))


def test_unknown_names_and_pairs_are_told(model, bpe, story):
    text = story("the dog")
    with pytest.raises(ValueError, match=r"policy 'slidng' is unknown.*did you mean 'sliding'"):
        language_states(text, model, tokenizer=bpe, policy="slidng")
    with pytest.raises(ValueError, match=r"word_vector 'frst' is unknown.*did you mean 'first'"):
        language_states(text, model, tokenizer=bpe, word_vector="frst")
    with pytest.raises(ValueError, match=r"extra 'loss' is unknown; choose from surprisal"):
        language_states(text, model, tokenizer=bpe, extras=["loss"])
    with pytest.raises(TypeError, match=r"expected a list of names, such as \['surprisal'\]"):
        language_states(text, model, tokenizer=bpe, extras="entropy")
    with pytest.raises(TypeError, match=r"expected a list of names, such as \['surprisal'\]"):
        language_states(text, model, tokenizer=bpe, extras=None)
    with pytest.raises(ValueError, match=r"'surprise' is unknown; .*did you mean 'surprisal'"):
        language_states(text, model, tokenizer=bpe, extras=["surprise"])
    with pytest.raises(ValueError, match=r"protocol 'huth2023' and policy 'full' do not go"):
        language_states(text, model, tokenizer=bpe, policy="full", protocol="huth2023")
    with pytest.raises(ValueError, match="reads every word at its last token"):
        language_states(text, model, tokenizer=bpe, word_vector="mean", protocol="huth2023")


def test_extras_alone_need_no_layer(model, bpe, story):
    text = story("the dog jumps over the fox")
    alone = language_states(text, model, tokenizer=bpe, layers=[], extras=["entropy"])
    both = language_states(text, model, tokenizer=bpe, extras=["entropy"])
    assert list(alone) == ["entropy"]
    np.testing.assert_array_equal(alone["entropy"].values, both["entropy"].values)


def test_surprisal_needs_a_head(model, bpe, story):
    with pytest.raises(DataError, match="has no language-modelling head"):
        language_states(story("the dog"), model.model, tokenizer=bpe, extras=["surprisal"])


def test_scores_that_are_made_in_an_unknown_way_are_refused(tiny_model, bpe, story, monkeypatch):
    odd = tiny_model("llama")
    forward = type(odd).forward

    def scaled(self, *args, **kwargs):
        output = forward(self, *args, **kwargs)
        output.logits = output.logits * 3
        return output

    monkeypatch.setattr(type(odd), "forward", scaled)
    with pytest.raises(DataError, match="in a way that is not known here"):
        language_states(story("the dog"), odd, tokenizer=bpe, extras=["surprisal"])


def test_capped_scores_are_capped(bpe, story):
    """Gemma 2 caps its scores; surprisal must be that of the model's own."""
    import torch
    from transformers import AutoModelForCausalLM, Gemma2Config

    config = Gemma2Config(
        vocab_size=512, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8, final_logit_softcapping=2.0,
    )  # fmt: skip
    torch.manual_seed(0)
    gemma = AutoModelForCausalLM.from_config(config).eval()
    for parameter in gemma.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    text = story("the dog jumps")
    found = tokenize_story(text.words, bpe, "story")
    ids = torch.tensor([[*start_tokens(bpe), *found.ids.tolist()]])
    with torch.no_grad():
        bits = -gemma(ids).logits[0].double().log_softmax(-1) / np.log(2)
    total = sum(float(bits[k - 1, ids[0, k]]) for k in range(1, ids.shape[1]))
    states = language_states(text, gemma, tokenizer=bpe, layers=[], extras=["surprisal"])
    np.testing.assert_allclose(states["surprisal"].values.sum(), total, rtol=1e-4)


def test_sizes_that_a_policy_does_not_look_at_are_not_asked_for(model, bpe, story):
    text = story("the dog jumps over the lazy fox and runs")
    few = language_states(text, model, tokenizer=bpe, policy="sliding", max_context=3)
    same = language_states(
        text, model, tokenizer=bpe, policy="sliding", min_context=2, max_context=3
    )
    np.testing.assert_array_equal(few[3].values, same[3].values)
    assert Contexts("sliding", 2, 5).sizes == {"max_context": 5}
    assert Contexts("full", 2, 1).sizes == {"min_context": 2}
    with pytest.raises(ValueError, match="expected 1 <= min_context <= max_context"):
        Contexts("sliding", 1, 0)
    with pytest.raises(ValueError, match="expected 1 <= min_context <= max_context"):
        Contexts("full", 0, 512)


def test_sentences_without_an_end_are_told(model, bpe, story):
    options = {"tokenizer": bpe, "policy": "sentence", "min_context": 2, "max_context": 4}
    with pytest.warns(VoxscaleWarning, match=r"no word ends a sentence .* in 1 of 1 stories"):
        language_states(story("the dog jumps"), model, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        language_states(story("the dog . jumps"), model, **options)


@pytest.mark.parametrize("words", [["'s", "fox", "runs"], ["", "", "fox"], ["", ""], ["", "fox"]])
def test_words_before_any_token_have_no_surprisal_of_their_own(
    words, tiny_model, tokenizers, story
):
    tokenizer = tokenizers["BPE with byte fallback"]
    states = language_states(
        story(words), tiny_model("gpt2").eval(), tokenizer=tokenizer, protocol="huth2023",
        min_context=2, max_context=4, extras=["surprisal", "entropy"],
    )  # fmt: skip
    bits = states["surprisal"].values[:, 0]
    blank = [not word.strip() or word == "'s" for word in words]
    leading = blank.index(False) if False in blank else len(words)
    assert (bits[:leading] == 0).all()
    assert (bits[leading:] > 0).all()


def test_a_model_in_training_mode_gives_its_surprisal(tiny_model, bpe, story):
    model = tiny_model("gpt2")
    assert model.training
    text = story("the dog jumps over the lazy fox")
    found = language_states(text, model, tokenizer=bpe, extras=["surprisal"])["surprisal"]
    assert model.training
    expected = language_states(text, model.eval(), tokenizer=bpe, extras=["surprisal"])["surprisal"]
    np.testing.assert_array_equal(found.values, expected.values)
