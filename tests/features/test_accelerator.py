"""On an accelerator the states are those of the CPU; without one these tests are skipped."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from voxscale.features import LanguageExtractor, language_states
from voxscale.features._batch_size import tokens_per_batch

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator"),
]

TEXT = " ".join(["the quick brown fox jumps over the lazy dog and then the dog sleeps"] * 9)
OPTIONS = {"min_context": 8, "max_context": 16, "extras": ["surprisal", "entropy"]}


@pytest.fixture(scope="module")
def folder(tiny_model, bpe, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tiny"
    tiny_model("llama").save_pretrained(path)
    bpe.save_pretrained(path)
    return path


@pytest.mark.parametrize("device", ["cuda", ["cuda", "cuda"], ["cuda", "cpu"], "auto"])
def test_states_are_those_of_the_cpu(device, folder, story):
    here = language_states(story(TEXT), folder, device="cpu", **OPTIONS)
    there = language_states(story(TEXT), folder, device=device, **OPTIONS)
    for name, states in here.items():
        np.testing.assert_allclose(there[name].values, states.values, atol=1e-3, err_msg=str(name))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_near(dtype, folder, story):
    here = language_states(story(TEXT), folder, device="cpu", layers=[3])[3].values
    there = language_states(story(TEXT), folder, device="cuda", dtype=dtype, layers=[3])[3].values
    assert np.corrcoef(here.ravel(), there.ravel())[0, 1] > 0.99


def test_the_probe_bounds_the_batch(folder):
    loaded = LanguageExtractor(folder, device="cuda").load()
    n_tokens = tokens_per_batch(loaded, 64)
    assert n_tokens % 64 == 0
    assert 64 <= n_tokens <= 65536
