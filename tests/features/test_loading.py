from __future__ import annotations

import json

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
