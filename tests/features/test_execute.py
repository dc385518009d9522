"""Batches that do not fit, several devices, and where the blocks stop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from voxscale.errors import DataError
from voxscale.features import LanguageExtractor, _batch_size, _loading, language_states
from voxscale.features._batch_size import tokens_per_batch
from voxscale.features._execute import copies_on, read_batches
from voxscale.features._loading import wrap_model

TEXT = "the quick brown fox jumps over the lazy dog and then the dog sleeps while the fox runs"
SIZES = {"min_context": 2, "max_context": 5}


@pytest.fixture(scope="module")
def model(tiny_model):
    return tiny_model("llama").eval()


@pytest.fixture
def folder(model, bpe, tmp_path):
    model.save_pretrained(tmp_path / "tiny")
    bpe.save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


def assert_same(one, other):
    assert list(one) == list(other)
    for layer in one:
        np.testing.assert_allclose(one[layer].values, other[layer].values, atol=1e-6)


def running_out(model, monkeypatch, most_windows, error):
    """Let a model run out of memory on wider batches, in its second block; return the widths."""
    widths = []
    forward = model.model.layers[1].forward

    def narrow(hidden, *args, **kwargs):
        widths.append(len(hidden))
        if len(hidden) > most_windows:
            raise error
        return forward(hidden, *args, **kwargs)

    monkeypatch.setattr(model.model.layers[1], "forward", narrow)
    return widths


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_batches_are_halved_when_memory_runs_out(error, model, bpe, story, monkeypatch):
    expected = language_states(story(TEXT), model, tokenizer=bpe, **SIZES)
    loaded = [wrap_model(model, bpe)]
    widths = running_out(model, monkeypatch, 1, error)
    found = language_states(story(TEXT), loaded[0], batch_size=4, **SIZES)
    assert_same(found, expected)
    assert max(widths) == 4
    assert sum(width > 1 for width in widths) <= 3  # learned: what is too many is not tried again


def test_a_single_window_that_does_not_fit_is_told(model, bpe, story, monkeypatch):
    loaded = [wrap_model(model, bpe)]
    running_out(model, monkeypatch, 0, MemoryError())
    with pytest.raises(DataError, match=r"a window of \d+ tokens does not fit.*device='auto'"):
        language_states(story(TEXT), loaded[0], **SIZES)


def test_other_errors_pass(model, bpe, story, monkeypatch):
    loaded = [wrap_model(model, bpe)]
    running_out(model, monkeypatch, 0, RuntimeError("illegal instruction"))
    with pytest.raises(RuntimeError, match="illegal instruction"):
        language_states(story(TEXT), loaded[0], **SIZES)


def test_nothing_above_the_highest_layer_is_run(model, bpe, story, monkeypatch):
    loaded = [wrap_model(model, bpe)]
    every = language_states(story(TEXT), loaded[0], **SIZES)
    monkeypatch.setattr(
        model.model.layers[2], "forward", lambda *_, **__: pytest.fail("block 3 was run")
    )
    some = language_states(story(TEXT), loaded[0], layers=[0, 2], **SIZES)
    assert_same(some, {layer: every[layer] for layer in (0, 2)})
    assert not any(block._forward_pre_hooks for block in model.model.layers)


def test_hooks_are_gone_after_an_error(model, bpe, story, monkeypatch):
    loaded = [wrap_model(model, bpe)]
    running_out(model, monkeypatch, 0, RuntimeError("no"))
    with pytest.raises(RuntimeError, match="no"):
        language_states(story(TEXT), loaded[0], **SIZES)
    assert not any(block._forward_pre_hooks for block in model.model.layers)


@pytest.mark.parametrize("batch_size", [1, 2, None])
def test_devices_share_the_windows(folder, story, batch_size):
    options = {**SIZES, "batch_size": batch_size, "extras": ["surprisal"]}
    alone = language_states(story(TEXT), folder, device="cpu", **options)
    shared = language_states(story(TEXT), folder, device=["cpu", "cpu", "cpu"], **options)
    assert_same(shared, alone)


def test_an_empty_list_of_devices_is_refused(folder, story):
    with pytest.raises(ValueError, match="device is an empty list"):
        language_states(story(TEXT), folder, device=[])


def test_an_error_on_one_of_several_devices_arrives(folder, story):
    extractor = LanguageExtractor(folder, device=["cpu", "cpu"], batch_size=1)
    with torch.no_grad():
        extractor.ready("all")[0][1].base.layers[1].mlp.down_proj.weight.fill_(float("nan"))
    with pytest.raises(DataError, match="states of layer 2 are not finite"):
        extractor.extract({"story": story(TEXT)}, **SIZES)


def test_a_model_may_be_spread(folder, story):
    """With one device there is nothing to spread over; the states are the same."""
    pytest.importorskip("accelerate")
    alone = language_states(story(TEXT), folder, device="cpu", **SIZES)
    assert_same(language_states(story(TEXT), folder, device="auto", **SIZES), alone)


def test_spreading_needs_accelerate_and_safetensors(folder, story, monkeypatch, tmp_path):
    monkeypatch.setattr(_loading, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"accelerate.*pip install 'voxscale\[large\]'"):
        language_states(story(TEXT), folder, device="auto", **SIZES)
    (tmp_path / "some.gguf").write_bytes(b"GGUF")
    with pytest.raises(DataError, match=r"some.gguf.* cannot spread; name a device"):
        language_states(story(TEXT), tmp_path / "some.gguf", device="auto", **SIZES)


def test_a_stream_gives_the_same_states_in_the_storys_order(folder, story):
    extractor = LanguageExtractor(folder, device="cpu", batch_size=2)
    text = story(" ".join([TEXT] * 4))
    whole = extractor.extract({"story": text}, **SIZES)
    found = {layer: np.full_like(of["story"].values, np.nan) for layer, of in whole.items()}
    n_seen = []
    for read in extractor.stream(text, **SIZES):
        row = 0
        for one in read.batch:
            for layer, values in read.states.items():
                found[layer][one.words.start : one.words.stop] = values[row : row + len(one.words)]
            row += len(one.words)
        n_seen.append(read.batch[0].words.start)
    for layer, values in found.items():
        np.testing.assert_allclose(values, whole[layer]["story"].values, atol=1e-6)
    assert max(np.maximum.accumulate(n_seen) - n_seen) < 40  # no farther back than a few batches


def test_the_batch_follows_the_memory(model, bpe, monkeypatch):
    loaded = wrap_model(model, bpe)
    widths = []
    for free in (10**6, 10**7, 10**12):
        monkeypatch.setattr(_batch_size, "available_bytes", lambda device, free=free: free)
        widths.append(tokens_per_batch(loaded, 64) // 64)
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]
    assert widths[-1] * 64 == 1024
    assert all(width & (width - 1) == 0 for width in widths)
    assert tokens_per_batch(loaded, 10**5) == 10**5
    monkeypatch.setattr(_batch_size, "available_bytes", lambda device: 10**5)
    assert 1 <= tokens_per_batch(loaded, 10**5) < 10**5  # less than a window: it is run in parts


def test_copies_are_copies(model, bpe):
    first, second = copies_on(wrap_model(model, bpe), [torch.device("cpu")] * 2)
    assert first.base is model.base_model
    assert second.base is not first.base
    weights = zip(first.base.parameters(), second.base.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in weights)
    assert second.head is not None


def test_no_batch_gives_nothing(model, bpe):
    loaded = wrap_model(model, bpe)
    assert list(read_batches([loaded], [], [0])) == []
    assert list(read_batches([loaded, loaded], [], [0])) == []
