from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.errors import DataError
from voxscale.features import LanguageExtractor, language_states
from voxscale.features._tokens import start_tokens, tokenize_story

MODELS = [
    "gpt2", "llama", "opt", "mamba", "rwkv", "mistral", "gemma2", "gemma3", "qwen3", "pythia",
    "gptj", "gpt_neo",
]  # fmt: skip
TEXT = (
    "the quick brown fox jumps over the lazy dog and then it's 1997 in a café — did the "
    "unbelievable dog believe никто не знал почему 東京 🙂 so we walked home and talked about it"
)


@pytest.fixture(scope="module")
def models(tiny_model):
    return {kind: tiny_model(kind) for kind in MODELS}


def states_of_own_context_alone(words, model, tokenizer, min_context, max_context):
    """Run every word's own context by itself, with the whole model: (n_layers, n_words, n_dims)."""
    import torch

    found = tokenize_story(words, tokenizer, "story")
    start, rows, size = list(start_tokens(tokenizer)), [], 0
    was_training = model.training
    model.eval()
    for i in range(len(words)):
        size = min_context if size == max_context else size + 1
        ids = start + found.ids[found.first[i - size + 1] : found.last[i] + 1].tolist()
        with torch.no_grad():
            output = model(torch.tensor([ids]), output_hidden_states=True)
            layers = list(output.hidden_states)
            if model.config.model_type in ("mamba", "rwkv"):  # without the embeddings there
                layers = [
                    model.get_input_embeddings()(torch.tensor([ids])),
                    *layers[:-2],
                    layers[-1],
                ]
        rows.append([layer[0, -1].numpy() for layer in layers])
    model.train(was_training)
    return np.array(rows).swapaxes(0, 1)


def as_array(states):
    return np.array([series.values for series in states.values()])


letters = st.characters(categories=["L", "N", "P", "S"])
odd = ["it's", "'cause", "...", "—", "1997", "A.M.", "café", "🙂", "👩‍👩‍👧", "東京", "никто", "'s"]
word = st.one_of(
    st.sampled_from([*odd, "the", "dog", "jumps"]), st.text(letters, min_size=1, max_size=6)
)


@settings(max_examples=25, deadline=None)
@given(
    words=st.lists(word, min_size=1, max_size=9),
    sizes=st.sampled_from([(1, 1), (1, 4), (2, 3), (3, 3), (2, 6), (256, 512)]),
)
def test_each_word_is_as_if_its_own_context_had_been_run_alone(
    tokenizer_kind, words, sizes, models, tokenizers, story
):
    low, high = sizes
    model, tokenizer = models["gpt2"], tokenizers[tokenizer_kind]
    try:
        expected = states_of_own_context_alone(words, model, tokenizer, low, high)
    except DataError:  # a word this tokenizer has no token for
        return
    states = language_states(
        story(words), model, tokenizer=tokenizer, min_context=low, max_context=high
    )
    np.testing.assert_allclose(as_array(states), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", MODELS)
def test_every_kind_of_model_gives_all_its_layers(kind, models, bpe, story):
    transcript = story(TEXT)
    model = models[kind]
    states = language_states(transcript, model, tokenizer=bpe, min_context=3, max_context=7)
    assert list(states) == list(range(model.config.num_hidden_layers + 1))
    expected = states_of_own_context_alone(transcript.words, model, bpe, 3, 7)
    np.testing.assert_allclose(as_array(states), expected, atol=1e-5, rtol=1e-4)
    for series in states.values():
        assert series.values.shape == (len(transcript), 16)
        assert series.values.dtype == np.float32
        np.testing.assert_array_equal(series.times, transcript.times)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_batch_size_changes_nothing(kind, batch_size, models, bpe, story):
    options = {"tokenizer": bpe, "min_context": 2, "max_context": 5}
    transcripts = {"one": story(TEXT), "two": story("the dog"), "three": story("🙂 it's late")}
    alone = language_states(transcripts, models[kind], **options, batch_size=batch_size)
    default = language_states(transcripts, models[kind], **options)
    for layer in default:
        for run, transcript in transcripts.items():
            assert alone[layer][run].values.shape == (len(transcript), 16)
            np.testing.assert_allclose(
                alone[layer][run].values, default[layer][run].values, atol=1e-5, rtol=1e-4
            )


def test_runs_together_are_as_runs_alone(models, bpe, story):
    options = {"tokenizer": bpe, "min_context": 2, "max_context": 5, "layers": [1]}
    transcripts = {"one": story(TEXT), "two": story("the dog sleeps")}
    together = language_states(transcripts, models["gpt2"], **options)
    for run, transcript in transcripts.items():
        alone = language_states(transcript, models["gpt2"], **options)
        np.testing.assert_allclose(together[1][run].values, alone[1].values, atol=1e-5)
        np.testing.assert_array_equal(together[1][run].times, transcript.times)


def test_only_the_layers_asked_for_are_returned_in_their_order(models, bpe, story):
    every = language_states(story(TEXT), models["llama"], tokenizer=bpe)
    some = language_states(story(TEXT), models["llama"], tokenizer=bpe, layers=np.array([3, 0]))
    assert list(some) == [3, 0]
    for layer, series in some.items():
        np.testing.assert_array_equal(series.values, every[layer].values)


def test_last_layer_is_after_the_final_norm(models, bpe, story):
    import torch

    base = models["llama"].base_model
    transcript = story("the quick brown fox")
    ids = [*start_tokens(bpe), *tokenize_story(transcript.words, bpe, "s").ids.tolist()]
    with torch.no_grad():
        expected = base(torch.tensor([ids])).last_hidden_state[0, -1].numpy()
    states = language_states(transcript, models["llama"], tokenizer=bpe)
    np.testing.assert_allclose(states[3].values[-1], expected, atol=1e-5)


def test_model_is_left_as_it_was_found(models, bpe, story):
    model = models["gpt2"]
    first = language_states(story(TEXT), model, tokenizer=bpe, layers=[2])
    assert model.training
    assert model.base_model.training
    again = language_states(story(TEXT), model, tokenizer=bpe, layers=[2])
    np.testing.assert_array_equal(first[2].values, again[2].values)  # no dropout


def test_no_scores_over_the_vocabulary_are_computed(tiny_model, bpe, story):
    model = tiny_model("gpt2")

    def refuse(*_):
        message = "the head was run"
        raise AssertionError(message)

    model.lm_head.register_forward_hook(refuse)
    language_states(story(TEXT), model, tokenizer=bpe)


def test_base_model_without_a_head_will_do(models, bpe, story):
    whole = language_states(story(TEXT), models["opt"], tokenizer=bpe)
    base = language_states(story(TEXT), models["opt"].base_model, tokenizer=bpe)
    np.testing.assert_array_equal(as_array(whole), as_array(base))


def test_progress_counts_passes(models, bpe, story):
    told = []
    language_states(
        {"one": story(TEXT), "two": story("the dog")},
        models["gpt2"],
        tokenizer=bpe,
        layers=[0],
        min_context=4,
        max_context=8,
        batch_size=3,
        progress=lambda done, total: told.append((done, total)),
    )
    n_passes = 1 + -(-(len(TEXT.split()) - 8) // 5) + 1
    assert told == [(min(3 * n, n_passes), n_passes) for n in range(1, -(-n_passes // 3) + 1)]


@pytest.mark.parametrize(("kind", "n_positions"), [("gpt2", 24), ("opt", 24), ("llama", 24)])
def test_window_longer_than_the_model_is_refused_before_anything_is_run(
    kind, n_positions, tiny_model, bpe, story
):
    model = tiny_model(kind, n_positions)
    transcripts = {"short": story("the dog"), "alice": story(TEXT)}
    told = []
    expected = (
        r"story 'alice': a context of 30 words needs \d+ tokens; this model has positions for 24; "
        r"lower max_context to (\d+), which fits"
    )
    options = {"tokenizer": bpe, "min_context": 2}
    with pytest.raises(DataError, match=expected) as caught:
        language_states(transcripts, model, **options, max_context=30, progress=told.append)
    assert not told
    largest = int(str(caught.value).split("max_context to ")[1].split(",")[0])
    language_states(transcripts, model, **options, max_context=largest)  # it does fit
    with pytest.raises(DataError, match="which fits"):
        language_states(transcripts, model, **options, max_context=largest + 1)


@pytest.mark.parametrize("kind", ["gpt2", "opt", "llama"])
def test_window_that_fills_every_position_is_run(kind, tiny_model, bpe, story):
    words = TEXT.split()[:10]
    n_tokens = 1 + len(tokenize_story(words, bpe, "s").ids)
    language_states(story(words), tiny_model(kind, n_tokens), tokenizer=bpe)
    with pytest.raises(
        DataError, match=f"needs {n_tokens} tokens; .* positions for {n_tokens - 1}"
    ):
        language_states(story(words), tiny_model(kind, n_tokens - 1), tokenizer=bpe)


def test_short_story_may_have_a_context_it_never_fills(tiny_model, bpe, story):
    states = language_states(story("the dog"), tiny_model("gpt2", 24), tokenizer=bpe)
    assert len(states[0]) == 2


@pytest.mark.parametrize(
    ("options", "error", "expected"),
    [
        ({"layers": [0, 3]}, ValueError, r"layer 3 does not exist; expected 0 .* to 2"),
        ({"layers": [-1]}, ValueError, "layer -1 does not exist.*not counted from the end"),
        ({"layers": []}, ValueError, "layers is empty; name at least one of 0 to 2"),
        ({"layers": "last"}, ValueError, "layers is 'last'; expected 'all'"),
        ({"layers": [0.5]}, TypeError, "layer 0.5 is of type float"),
        ({"min_context": 0}, ValueError, "min_context is 0"),
        ({"min_context": 9, "max_context": 8}, ValueError, "min_context is 9 and max_context 8"),
        ({"protocol": "huth"}, ValueError, "protocol 'huth' is unknown"),
        ({"min_context": 2.5}, TypeError, "min_context is 2.5; expected a whole number"),
        ({"max_context": "9"}, TypeError, "max_context is '9'; expected a whole number"),
        ({"batch_size": 2.5}, TypeError, "batch_size is 2.5; expected a whole number"),
        ({"layers": 1}, TypeError, r"layers is 1; expected 'all' or a list such as \[1\]"),
        ({"tokenizer": {}}, TypeError, "tokenizer is of type dict; expected a transformers"),
        ({"batch_size": 0}, ValueError, "batch_size is 0; expected 1 or more"),
        ({"device": "cpu"}, ValueError, "move a loaded one yourself"),
        ({"tokenizer": None}, ValueError, "GPT2LMHeadModel, which has no tokenizer"),
    ],
)
def test_bad_arguments_are_named(options, error, expected, models, bpe, story):
    with pytest.raises(error, match=expected):
        language_states(story("the dog"), models["gpt2"], **{"tokenizer": bpe, **options})


def test_something_that_is_no_model_is_named(story):
    with pytest.raises(TypeError, match="model is of type dict; expected a name, a path"):
        language_states(story("the dog"), {})


@pytest.mark.parametrize("kind", ["gpt2", "opt", "llama"])
@pytest.mark.parametrize("n_positions", [1, 2, 3, 5])
def test_model_with_hardly_a_position_is_run(kind, n_positions, tiny_model, tokenizers, story):
    tokenizer = tokenizers["BPE across spaces"]  # it has no start token
    model = tiny_model(kind, n_positions)
    states = language_states(story("a"), model, tokenizer=tokenizer, min_context=1, max_context=1)
    assert len(states[0]) == 1


def test_model_with_few_positions_that_sees_the_future_is_refused(bpe, story):
    from transformers import BertConfig, BertLMHeadModel

    config = BertConfig(
        vocab_size=512, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=24, max_position_embeddings=2,
    )  # fmt: skip
    with pytest.raises(DataError, match="'BertLMHeadModel' is not causal"):
        language_states(story("the dog"), BertLMHeadModel(config), tokenizer=bpe)


@pytest.mark.parametrize(
    ("transcript", "expected"),
    [
        (["a", "b"], "transcript is of type list; expected a Transcript or a mapping"),
        ("a b", "transcript is of type str; expected a Transcript or a mapping"),
        ({"alice": ["a"]}, "transcript of run 'alice' is of type list; expected a Transcript"),
    ],
)
def test_what_is_no_transcript_is_named_before_anything_is_loaded(transcript, expected):
    with pytest.raises(TypeError, match=expected):
        language_states(transcript, "./nowhere")


def test_no_run_at_all_is_an_error(models, bpe):
    with pytest.raises(DataError, match="no transcript; name at least one run"):
        language_states({}, models["gpt2"], tokenizer=bpe)


def test_tokenizer_of_another_model_is_told(story, models):
    class Far:
        is_fast, bos_token_id = False, None

        def __call__(self, text, **_):
            return {"input_ids": [5000 for _ in text.split()]}

    with pytest.raises(DataError, match="gives token 5000, but model 'GPT2LMHeadModel' has 512"):
        language_states(story("the dog"), models["gpt2"], tokenizer=Far())


def test_model_that_sees_the_future_is_refused(bpe, story):
    from transformers import BertConfig, BertLMHeadModel

    config = BertConfig(
        vocab_size=512, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=24, is_decoder=False,
    )  # fmt: skip
    with pytest.raises(DataError, match="'BertLMHeadModel' is not causal"):
        language_states(story("the dog"), BertLMHeadModel(config), tokenizer=bpe)


def test_states_that_are_not_finite_are_told(tiny_model, bpe, story):
    import torch

    model = tiny_model("gpt2")
    with torch.no_grad():
        model.transformer.h[1].ln_1.weight.fill_(torch.inf)
    with pytest.raises(DataError, match="layer 2 are not finite in story 'transcript'"):
        language_states(story("the dog"), model, tokenizer=bpe)
    language_states(story("the dog"), model, tokenizer=bpe, layers=[0, 1])


def test_half_precision_that_overflows_is_told_with_a_remedy(tiny_model, bpe, story, tmp_path):
    import torch

    model = tiny_model("llama").eval()
    with torch.no_grad():
        model.model.layers[0].mlp.down_proj.weight.mul_(3e5)
    model.save_pretrained(tmp_path)
    bpe.save_pretrained(tmp_path)
    remedy = r"layer 1 are not finite .*in float16\); .* use dtype='bfloat16' or 'float32'"
    for options in ({}, {"layers": [], "extras": ["surprisal"]}):
        told = remedy if not options else "layer 3 are not finite"
        with pytest.raises(DataError, match=told):
            language_states(story("the dog jumps"), tmp_path, dtype="float16", **options)
    for dtype in ("bfloat16", "float32"):
        language_states(story("the dog jumps"), tmp_path, dtype=dtype, extras=["surprisal"])


def test_model_that_says_another_number_of_layers_is_refused(tiny_model, bpe, story):
    model = tiny_model("gpt2")
    model.config.n_layer = 3
    with pytest.raises(DataError, match="has no list of 3 blocks"):
        language_states(story("the dog"), model, tokenizer=bpe)


def test_huth2023_gives_a_blank_word_the_vector_of_the_word_before(models, bpe, story):
    words = ["", "the", "", "dog", "'s", "tail"]
    states = language_states(story(words), models["gpt2"], tokenizer=bpe, protocol="huth2023")
    values = states[2].values
    np.testing.assert_allclose(values[1], values[2], atol=1e-5)
    np.testing.assert_allclose(values[3], values[4], atol=1e-5)
    assert np.abs(values[0] - values[1]).max() > 0.1
    with pytest.raises(DataError, match=r"word 0 \(''\) is blank"):
        language_states(story(words), models["gpt2"], tokenizer=bpe)


def test_huth2023_is_ours_with_other_sizes_after_the_start(models, bpe, story):
    options = {"tokenizer": bpe, "layers": [1]}
    theirs = language_states(
        story(TEXT), models["gpt2"], **options, min_context=4, max_context=8, protocol="huth2023"
    )
    ours = language_states(story(TEXT), models["gpt2"], **options, min_context=6, max_context=9)
    np.testing.assert_allclose(theirs[1].values, ours[1].values, atol=1e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [("fp16", 0.05), ("bfloat16", 0.4)])
def test_half_precision_is_near_and_says_so(
    dtype, tolerance, tiny_model, bpe, story, tmp_path, monkeypatch
):
    model = tiny_model("llama").eval()
    model.save_pretrained(tmp_path)
    bpe.save_pretrained(tmp_path)
    exact = language_states(story(TEXT), tmp_path)
    half = language_states(story(TEXT), tmp_path, dtype=dtype)
    assert half[1].values.dtype == np.float32
    difference = np.abs(as_array(half) - as_array(exact)).max()
    assert 0 < difference < tolerance * np.abs(as_array(exact)).max()


def test_extractor_gives_what_the_function_gives(tiny_model, bpe, story, tmp_path):
    tiny_model("gpt2").save_pretrained(tmp_path)
    bpe.save_pretrained(tmp_path)
    runs = {"one": story(TEXT), "two": story("the dog")}
    extractor = LanguageExtractor(tmp_path)
    assert extractor.n_layers == 3
    states = extractor.extract(runs, [2], min_context=3, max_context=5)
    expected = language_states(runs, tmp_path, layers=[2], min_context=3, max_context=5)
    for run in runs:
        np.testing.assert_array_equal(states[2][run].values, expected[2][run].values)
