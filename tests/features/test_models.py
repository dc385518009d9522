from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from voxscale.errors import DataError
from voxscale.features import LanguageExtractor, extractor, language_states
from voxscale.features import _models as models_module
from voxscale.features._models import find_model, find_tokenizer, identify


@pytest.fixture
def folder(tiny_model, bpe, tmp_path):
    """Return a complete model folder."""
    path = tmp_path / "tiny"
    tiny_model("gpt2").save_pretrained(path)
    bpe.save_pretrained(path)
    return path


def test_folder_is_loaded_by_path_or_text_with_its_own_tokenizer(folder, bpe, story, tiny_model):
    transcript = story("the quick fox")
    expected = language_states(transcript, tiny_model("gpt2"), tokenizer=bpe)
    for name in (folder, str(folder)):
        states = language_states(transcript, name)
        np.testing.assert_allclose(states[2].values, expected[2].values, atol=1e-6)


def test_folder_of_a_model_without_a_head_is_loaded(tiny_model, bpe, story, tmp_path):
    model = tiny_model("gpt2")
    model.base_model.save_pretrained(tmp_path)
    bpe.save_pretrained(tmp_path)
    states = language_states(story("the fox"), tmp_path)
    expected = language_states(story("the fox"), model, tokenizer=bpe)
    np.testing.assert_allclose(states[2].values, expected[2].values, atol=1e-6)


def test_loading_says_nothing_and_leaves_transformers_as_talkative_as_it_was(
    folder, story, capfd, caplog
):
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )
    from transformers.utils import logging

    def settings():
        bars = logging.is_progress_bar_enabled(), are_progress_bars_disabled()
        return logging.get_verbosity(), *bars

    before = settings()
    language_states(story("the fox"), folder)
    assert settings() == before
    disable_progress_bars()
    before = settings()
    language_states(story("the fox"), folder)
    assert settings() == before
    enable_progress_bars()
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_pickled_weights_are_refused_unread(folder, story):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")
    with pytest.raises(
        DataError, match=r"no safetensors weights \(weights only as \*\.bin.*convert"
    ):
        language_states(story("the fox"), folder)


def test_code_that_comes_with_a_model_is_not_run(folder, story, tmp_path):
    owned = tmp_path / "owned"
    (folder / "evil.py").write_text(f"import pathlib; pathlib.Path({str(owned)!r}).touch()")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Evil",
               "AutoModelForCausalLM": "evil.Evil"}}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match=r"model 'tiny' in .* cannot be loaded"):
        language_states(story("the fox"), folder)
    assert not owned.exists()


def test_folder_without_weights_is_told(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(DataError, match=r"no safetensors weights \(none\)"):
        find_model(folder)


def test_folder_without_a_model_is_told(tmp_path):
    with pytest.raises(DataError, match=r"has no config\.json.*check the path"):
        find_model(tmp_path)
    (tmp_path / "a.gguf").touch()
    with pytest.raises(DataError, match=r"has no config\.json.*name the file .*a\.gguf"):
        find_model(tmp_path)


def test_folder_without_a_tokenizer_needs_one(tiny_model, bpe, story, tmp_path):
    tiny_model("gpt2").save_pretrained(tmp_path)
    with pytest.raises(DataError, match=r"has no tokenizer.*pass tokenizer="):
        language_states(story("the fox"), tmp_path)
    assert len(language_states(story("the fox"), tmp_path, tokenizer=bpe)) == 3


def test_truncated_weights_are_told(folder, story):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"model 'tiny' in .* cannot be loaded: .*may be damaged"):
        language_states(story("the fox"), folder)


def test_weights_that_are_missing_are_not_made_up(folder, story):
    from safetensors.numpy import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["transformer.h.1.mlp.c_fc.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"lacks 1 of its weights \(transformer\.h\.1\.mlp"):
        language_states(story("the fox"), folder)


@pytest.mark.parametrize(
    "name", ["./nowhere", "/no/where", "~/nowhere-at-all", "model.gguf", "a/b/c", ""]
)
def test_path_with_nothing_there_is_told(name):
    with pytest.raises(DataError, match=r"no model at .*smollm2.*check the path"):
        find_model(name)
    with pytest.raises(DataError, match="no model at"):
        find_model(Path("nowhere"))


def test_path_that_cannot_be_looked_at_is_told(tmp_path, monkeypatch):
    for find in (find_model, find_tokenizer):
        with pytest.raises(DataError, match=r"'~nosuchuser/x' cannot be opened \(Could not determ"):
            find("~nosuchuser/x")
        with pytest.raises(DataError, match=r"cannot be opened \(File name too long\)") as caught:
            find("once upon a time " * 100)
        assert len(str(caught.value)) < 400

    def refuse(self, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "stat", refuse)  # root may enter every folder
    for find in (find_model, find_tokenizer):
        with pytest.raises(DataError, match=r"tiny' cannot be opened \(Permission denied\)"):
            find(tmp_path / "tiny")


def test_file_that_is_no_gguf_is_told(tmp_path):
    (tmp_path / "model.bin").touch()
    with pytest.raises(DataError, match=r"is a file; expected a GGUF file"):
        find_model(tmp_path / "model.bin")


def write_gguf(path, model, tokenizer):
    """Write a Llama as llama.cpp would: float32, its rotary halves interleaved."""
    import gguf

    config = model.config
    n_heads, n_key_heads = config.num_attention_heads, config.num_key_value_heads
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(n_heads)
    writer.add_head_count_kv(n_key_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(config.hidden_size // n_heads)
    writer.add_vocab_size(config.vocab_size)
    written = json.loads(tokenizer.backend_tokenizer.to_str())
    tokens = sorted(written["model"]["vocab"], key=written["model"]["vocab"].get)
    tokens += [f"<unused{i}>" for i in range(config.vocab_size - len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token == "<|endoftext|>" else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in written["model"]["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)

    def interleaved(weights, heads):
        half = weights.shape[0] // heads // 2
        return weights.reshape(heads, 2, half, -1).swapaxes(1, 2).reshape(weights.shape)

    names = {
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
    }  # fmt: skip
    weights = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    writer.add_tensor("token_embd.weight", weights["model.embed_tokens.weight"])
    writer.add_tensor("output_norm.weight", weights["model.norm.weight"])
    writer.add_tensor("output.weight", weights["lm_head.weight"])
    for layer in range(config.num_hidden_layers):
        for theirs, ours in names.items():
            tensor = weights[f"model.layers.{layer}.{theirs}.weight"]
            if ours in ("attn_q", "attn_k"):
                tensor = interleaved(tensor, n_heads if ours == "attn_q" else n_key_heads)
            writer.add_tensor(f"blk.{layer}.{ours}.weight", np.ascontiguousarray(tensor))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_gguf_file_gives_the_states_of_the_model_it_was_made_from(tiny_model, bpe, story, tmp_path):
    pytest.importorskip("gguf")
    model = tiny_model("llama")
    write_gguf(tmp_path / "tiny.gguf", model, bpe)
    transcript = story("the quick brown fox — it's 1997 — jumps over 🙂 and then sleeps")
    options = {"min_context": 2, "max_context": 6}
    found = LanguageExtractor(tmp_path / "tiny.gguf")
    assert (found.n_layers, found.n_dims) == (4, 16)
    states = found.extract({"run": transcript}, **options)
    expected = language_states(transcript, model, tokenizer=bpe, **options)
    for layer in range(4):
        np.testing.assert_allclose(
            states[layer]["run"].values, expected[layer].values, atol=1e-5, rtol=1e-4
        )


def test_damaged_gguf_is_told(tmp_path, story):
    pytest.importorskip("gguf")
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + bytes(64))
    with pytest.raises(DataError, match=r"model 'model\.gguf' in .* cannot be loaded"):
        language_states(story("the fox"), tmp_path / "model.gguf")


def test_gguf_without_its_readers_says_what_to_install(tmp_path, story, monkeypatch):
    from voxscale.features import _gguf

    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    monkeypatch.setattr(_gguf, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"needs gguf and accelerate.*'voxscale\[gguf\]'"):
        language_states(story("the fox"), tmp_path / "model.gguf")


@pytest.fixture
def offline_hub(tmp_path, monkeypatch):
    """Give the hub's client an empty cache and no network; return the cache folder."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_hub_model_that_cannot_be_had_says_what_to_do(story, offline_hub):
    expected = r"model 'nobody/nothing' cannot be loaded: .*connection, or name a local.*smollm2"
    with pytest.raises(DataError, match=expected):
        language_states(story("the fox"), "nobody/nothing")
    with pytest.raises(DataError, match=expected):
        identify(find_model("nobody/nothing"))


@pytest.mark.parametrize("name", ["nobody/nothing", "./nothing", __file__])
def test_for_a_speech_model_no_gguf_file_is_offered(name, offline_hub):
    with pytest.raises(DataError, match=r"folder") as raised:
        identify(find_model(name, "speech"))
    assert "GGUF" not in str(raised.value)


def test_what_the_hub_tells_of_trying_again_is_silenced_for_a_while():
    from huggingface_hub.utils import logging

    from voxscale.features._third_party import quiet

    told = logging.get_logger("huggingface_hub.utils._http")
    before = logging.get_verbosity()
    with quiet(keep_bars=True):
        assert not told.isEnabledFor(30)  # a warning
        assert told.isEnabledFor(40)
    assert logging.get_verbosity() == before


def test_hub_model_in_the_cache_is_named_by_its_commit(folder, story, offline_hub):
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = offline_hub / "models--someone--tiny"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(commit)
    shutil.copytree(folder, cached / "snapshots" / commit)
    found = extractor("someone/tiny")
    assert found.identity == {
        "model": "someone/tiny", "commit": commit, "dtype": "float32", "recipe": 2,
    }  # fmt: skip
    assert found.n_layers == 3
    assert len(found.extract({"run": story("the fox")}, [2])[2]["run"]) == 2


def test_identity_is_by_content_not_by_place(folder, tmp_path):
    identity = LanguageExtractor(folder).identity
    assert identity["model"] == "tiny"
    assert identity["dtype"] == "float32"
    assert identity["recipe"] == 2
    assert json.loads(json.dumps(identity)) == identity
    shutil.copytree(folder, tmp_path / "elsewhere" / "tiny")
    assert LanguageExtractor(tmp_path / "elsewhere" / "tiny").identity == identity
    assert LanguageExtractor(folder, dtype="fp16").identity["dtype"] == "float16"
    assert LanguageExtractor(folder, protocol="huth2023").identity["protocol"] == "huth2023"


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_identity_changes_with_every_file_that_changes_numbers(folder, name):
    before = identify(find_model(folder))
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert identify(find_model(folder)) != before


def test_identity_leaves_other_files_aside(folder):
    before = identify(find_model(folder))
    (folder / "README.md").write_text("a model")
    assert identify(find_model(folder)) == before


def test_files_are_hashed_once(folder, monkeypatch):
    hashed = []
    monkeypatch.setattr(models_module, "hash_file", lambda path: hashed.append(path) or "0")
    models_module._hash_of.cache_clear()
    identify(find_model(folder))
    n_files = len(hashed)
    identify(find_model(folder))
    assert len(hashed) == n_files >= 3
    (folder / "config.json").write_text("{}")
    identify(find_model(folder))
    assert hashed[n_files:] == [str(folder / "config.json")]
    models_module._hash_of.cache_clear()


def test_gguf_is_known_by_its_hash(tmp_path):
    (tmp_path / "some.gguf").write_bytes(b"GGUF and more")
    expected = hashlib.sha256(b"GGUF and more").hexdigest()
    assert identify(find_model(tmp_path / "some.gguf")) == {
        "model": "some.gguf",
        "sha256": expected,
    }


def test_file_that_went_away_is_told(tmp_path):
    (tmp_path / "some.gguf").write_bytes(b"GGUF")
    found = find_model(tmp_path / "some.gguf")
    (tmp_path / "some.gguf").unlink()
    with pytest.raises(DataError, match=r"some\.gguf cannot be read \(No such file.*was it moved"):
        identify(found)


def test_folder_that_went_away_is_told(folder):
    found = find_model(folder)
    shutil.rmtree(folder)
    with pytest.raises(DataError, match=r"tiny cannot be read \(No such file.*was it moved"):
        identify(found)


def test_dtypes_of_models(folder, story):
    assert LanguageExtractor(folder, dtype=np.float16).identity["dtype"] == "float16"
    for bad in ("int8", "nothing"):
        with pytest.raises(ValueError, match="choose one of float32, float16, bfloat16, float64"):
            language_states(story("the fox"), folder, dtype=bad)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        (b"/annex/objects/SHA256E-s9--abc.json\n", "git-annex pointer.*datalad get"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS.*git lfs pull"),
        (None, "git-annex link to content that is not here.*datalad get"),
    ],
)
def test_file_of_a_folder_that_was_not_fetched_is_named(folder, story, name, pointer, expected):
    file = folder / name
    file.unlink()
    if pointer is None:
        file.symlink_to(".git/annex/objects/x/y/SHA256E-s9--abc")
    else:
        file.write_bytes(pointer)
    with pytest.raises(DataError, match=rf"{name} is a {expected}"):
        language_states(story("the fox"), folder)


def test_gguf_that_was_not_fetched_is_named(tmp_path):
    (tmp_path / "link.gguf").symlink_to(".git/annex/objects/x/y/SHA256E-s9--abc")
    (tmp_path / "text.gguf").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid 0\n")
    with pytest.raises(DataError, match=r"link\.gguf is a git-annex link.*datalad get"):
        find_model(str(tmp_path / "link.gguf"))
    with pytest.raises(DataError, match=r"text\.gguf is a Git LFS pointer.*git lfs pull"):
        find_model(tmp_path / "text.gguf")


def test_damaged_configuration_is_not_blamed_on_the_tokenizer(folder, story):
    (folder / "config.json").write_text("{")
    with pytest.raises(DataError, match=r"^model 'tiny' in .*config") as caught:
        language_states(story("the fox"), folder)
    assert str(folder.parent) in str(caught.value)


def test_tokenizer_by_name_is_found_as_a_model_is(folder, bpe, story, tiny_model, tmp_path):
    transcript = story("the quick fox")
    expected = language_states(transcript, tiny_model("gpt2"), tokenizer=bpe)[2].values
    bpe.save_pretrained(tmp_path / "tokens")  # it and nothing else
    for name in (folder, str(folder), str(tmp_path / "tokens")):
        states = language_states(transcript, tiny_model("gpt2"), tokenizer=name)
        np.testing.assert_array_equal(states[2].values, expected)
    (tmp_path / "tokens" / "model.safetensors").symlink_to(".git/annex/objects/x")  # not needed
    states = language_states(transcript, folder, tokenizer=tmp_path / "tokens")
    np.testing.assert_allclose(states[2].values, expected, atol=1e-6)


def test_tokenizer_of_a_gguf_file(tiny_model, bpe, story, tmp_path):
    pytest.importorskip("gguf")
    model = tiny_model("llama")
    write_gguf(tmp_path / "tiny.gguf", model, bpe)
    by_path = language_states(story("the fox"), model, tokenizer=tmp_path / "tiny.gguf")
    expected = language_states(story("the fox"), model, tokenizer=bpe)
    np.testing.assert_array_equal(by_path[3].values, expected[3].values)


def test_tokenizer_that_is_not_there_is_told(tiny_model, story, tmp_path):
    with pytest.raises(DataError, match=r"no model at '\./nowhere'"):
        language_states(story("the fox"), tiny_model("gpt2"), tokenizer="./nowhere")
    with pytest.raises(DataError, match=r"no tokenizer, or .*; expected tokenizer\.json"):
        language_states(story("the fox"), tiny_model("gpt2"), tokenizer=tmp_path)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("smolm2", "smollm2"), ("SmolLM2", "smollm2"), ("gemma3_270m", "gemma3-270m")],
)
def test_packaged_name_nearly_right_is_hinted_at(name, hint, story, offline_hub):
    with pytest.raises(DataError, match=rf"'{name}' cannot be loaded \(did you mean '{hint}'\?\)"):
        language_states(story("the fox"), name)


@pytest.mark.parametrize(
    ("name", "hub"),
    [
        ("whisper-tiny", "openai/whisper-tiny"),
        ("whisper-large", "openai/whisper-large"),
        ("hubert-base", "facebook/hubert-base-ls960"),
        ("wavlm-base-plus", "microsoft/wavlm-base-plus"),
        ("facebook/wav2vec2-base", "facebook/wav2vec2-base"),
    ],
)
def test_speech_models_are_known_by_their_published_short_names(name, hub):
    assert find_model(name, "speech").hub == hub


def test_a_packaged_speech_model_goes_before_the_hub():
    assert find_model("whisper-base", "speech").packaged is not None
