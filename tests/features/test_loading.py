from __future__ import annotations

import json

import numpy as np
import pytest

from voxscale.errors import DataError
from voxscale.features import language_states


@pytest.mark.parametrize(
    "kind", ["GemmaTokenizer", "BertTokenizer", "T5Tokenizer", "GPT2Tokenizer", "LlamaTokenizer"]
)
def test_tokenizer_without_a_vocabulary_is_told(kind, tiny_model, story, tmp_path):
    """Every word would be unknown: the same vector for all of them."""
    tiny_model("gpt2").save_pretrained(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": kind}))
    with pytest.raises(DataError, match=r"no tokenizer, or one without a vocabulary; expected"):
        language_states(story("one two three"), tmp_path)


def test_positions_that_stretch_with_the_text_count_as_unstretched():
    """Beyond them the length of a text would change the states of its first words."""
    from transformers import AutoConfig

    from voxscale.features._models import n_positions_of

    factors = {"short_factor": [1.0] * 4, "long_factor": [4.0] * 4}
    config = AutoConfig.for_model(
        "phi3", hidden_size=16, num_attention_heads=2, max_position_embeddings=128,
        original_max_position_embeddings=32, pad_token_id=0,
        rope_parameters={"rope_type": "longrope", "rope_theta": 10000.0, **factors},
    )  # fmt: skip
    assert n_positions_of(config) == 32
    plain = AutoConfig.for_model("llama", max_position_embeddings=64)
    assert n_positions_of(plain) == 64


def test_a_head_may_wait_on_disk(tiny_model, bpe, story, tmp_path):
    """As accelerate leaves it where memory is short: its weights are elsewhere until needed."""
    accelerate = pytest.importorskip("accelerate")
    text, options = story("the dog jumps over the lazy fox"), {"extras": ["surprisal", "entropy"]}
    model = tiny_model("llama").eval()
    expected = language_states(text, model, tokenizer=bpe, **options)
    places = {"model.embed_tokens": "disk", "lm_head": "disk", "model.norm": "cpu",
              "model.layers": "cpu", "model.rotary_emb": "cpu"}  # fmt: skip
    spread = accelerate.dispatch_model(
        model, places, main_device="cpu", offload_dir=tmp_path, force_hooks=True
    )
    found = language_states(text, spread, tokenizer=bpe, **options)
    for name, states in expected.items():
        np.testing.assert_allclose(found[name].values, states.values, atol=1e-5)


def test_a_model_whose_blocks_hold_other_things_is_refused(tiny_model, bpe, story, monkeypatch):
    model = tiny_model("llama").eval()
    first, second = model.model.layers[:2]
    before, after = first.forward, second.forward
    monkeypatch.setattr(first, "forward", lambda *args, **kwargs: before(*args, **kwargs)[None])
    monkeypatch.setattr(second, "forward", lambda held, *args, **kw: after(held[0], *args, **kw))
    with pytest.raises(DataError, match="not handed states of shape"):
        language_states(story("the dog"), model, tokenizer=bpe, layers=[0, 1])
