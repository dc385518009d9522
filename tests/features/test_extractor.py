from __future__ import annotations

import json

import pytest

from voxscale import plugins
from voxscale.features import Extractor, LanguageExtractor, extractor
from voxscale.features.echo import Echo


def test_echo_is_found_as_a_plugin():
    found = extractor("echo", device="cpu", batch_size=3)
    assert isinstance(found, Echo)
    assert isinstance(found, Extractor)
    assert found.identity == {"model": "echo", "recipe": 1}
    assert json.loads(json.dumps(found.identity)) == found.identity


def test_plugin_goes_before_a_model_and_takes_no_options(monkeypatch):
    monkeypatch.setitem(plugins._registered["extractors"], "smollm2", Echo)
    assert isinstance(extractor("smollm2"), Echo)
    for option in ({"protocol": "huth2023"}, {"dtype": "float16"}):
        with pytest.raises(ValueError, match=f"is a plugin, which takes no {next(iter(option))}"):
            extractor("smollm2", **option)


def test_other_names_are_language_models(tiny_model, tmp_path):
    tiny_model("gpt2").save_pretrained(tmp_path)
    for name in (tmp_path, str(tmp_path)):
        found = extractor(name, dtype="fp16", batch_size=2, protocol="huth2023")
        assert isinstance(found, LanguageExtractor)
        assert isinstance(found, Extractor)
        assert (found.n_layers, found.n_dims) == (3, 16)
    with pytest.raises(ValueError, match="protocol 'huth' is unknown"):
        extractor(tmp_path, protocol="huth")
