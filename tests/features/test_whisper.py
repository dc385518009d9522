from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.errors import DataError
from voxscale.features import language_states, model_facts
from voxscale.features._ctranslate2 import read_ctranslate2
from voxscale.features._models import find_model, read_config
from voxscale.features._whisper import build_whisper, convert_whisper

TIED = [("decoder/projection/weight", "decoder/embeddings/weight")]
TOKENS = {"start": 2, "end": 1}


def _tiny():
    """Make a small random Whisper whose sizes all differ."""
    import torch
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    config = WhisperConfig(
        vocab_size=420, num_mel_bins=8, d_model=24, encoder_layers=3, decoder_layers=2,
        encoder_attention_heads=4, decoder_attention_heads=6, encoder_ffn_dim=20,
        decoder_ffn_dim=28, max_source_positions=10, max_target_positions=14,
        decoder_start_token_id=2, bos_token_id=1, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = WhisperForConditionalGeneration(config)
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=0.2)
    return model.eval()


def _arrays_of(model):
    """Name and stack a transformers Whisper's weights as CTranslate2 does."""
    state = {name: weight.numpy() for name, weight in model.model.state_dict().items()}
    config, arrays = model.config, {}

    def copy(target, source, weight="weight", bias="bias"):
        arrays[f"{target}/{weight}"] = state[f"{source}.weight"]
        arrays[f"{target}/{bias}"] = state[f"{source}.bias"]

    def stack(target, sources):
        n_dims = config.d_model
        arrays[f"{target}/weight"] = np.concatenate([state[f"{one}.weight"] for one in sources])
        arrays[f"{target}/bias"] = np.concatenate(
            [state.get(f"{one}.bias", np.zeros(n_dims, np.float32)) for one in sources]
        )

    for side in ("encoder", "decoder"):
        arrays[f"{side}/position_encodings/encodings"] = state[f"{side}.embed_positions.weight"]
        arrays[f"{side}/num_heads"] = np.int16(getattr(config, f"{side}_attention_heads"))
        copy(f"{side}/layer_norm", f"{side}.layer_norm", "gamma", "beta")
        for n in range(getattr(config, f"{side}_layers")):
            one, layer = f"{side}/layer_{n}", f"{side}.layers.{n}"
            own, norm = f"{one}/self_attention", ("gamma", "beta")
            copy(f"{own}/layer_norm", f"{layer}.self_attn_layer_norm", *norm)
            stack(f"{own}/linear_0", [f"{layer}.self_attn.{which}_proj" for which in "qkv"])
            copy(f"{own}/linear_1", f"{layer}.self_attn.out_proj")
            if side == "decoder":
                across = f"{one}/attention"
                copy(f"{across}/layer_norm", f"{layer}.encoder_attn_layer_norm", *norm)
                copy(f"{across}/linear_0", f"{layer}.encoder_attn.q_proj")
                stack(f"{across}/linear_1", [f"{layer}.encoder_attn.{kv}_proj" for kv in "kv"])
                copy(f"{across}/linear_2", f"{layer}.encoder_attn.out_proj")
            copy(f"{one}/ffn/layer_norm", f"{layer}.final_layer_norm", *norm)
            copy(f"{one}/ffn/linear_0", f"{layer}.fc1")
            copy(f"{one}/ffn/linear_1", f"{layer}.fc2")
    for n in (1, 2):
        copy(f"encoder/conv{n}", f"encoder.conv{n}")
    settings = {
        "pre_norm": 1, "activation": 3, "alibi": 0, "scale_embeddings": 0,
        "start_from_zero_embedding": 0,
    }  # fmt: skip
    arrays |= {f"decoder/{name}": np.int8(value) for name, value in settings.items()}
    arrays["decoder/alignment_heads"] = np.int16(1)
    arrays["decoder/alignment_layer"] = np.int16(-1)
    arrays["decoder/embeddings/weight"] = state["decoder.embed_tokens.weight"]
    return arrays


@pytest.fixture(scope="module")
def tiny():
    return _tiny()


@pytest.fixture(scope="module")
def arrays(tiny):
    """Return the arrays of the tiny Whisper, read-only, tied scores included."""
    made = _arrays_of(tiny)
    for name, values in made.items():
        made[name] = np.array(values)
        made[name].flags.writeable = False
    return made | {"decoder/projection/weight": made["decoder/embeddings/weight"]}


@pytest.fixture
def written(arrays, as_ctranslate2, bpe, tmp_path):
    """Write the tiny Whisper as a package has it, in one precision: model.bin, and a folder."""
    from tokenizers import Tokenizer

    def write(dtype):
        untied = {
            name: values.astype(dtype) if values.dtype == np.float32 else values
            for name, values in arrays.items()
            if name != "decoder/projection/weight"
        }
        (tmp_path / "model.bin").write_bytes(as_ctranslate2(untied, TIED))
        folder = tmp_path / "converted"
        folder.mkdir()
        tokenizer = Tokenizer.from_str(bpe.backend_tokenizer.to_str())
        tokenizer.add_special_tokens(["<|startoftranscript|>"])
        tokenizer.save(str(folder / "tokenizer.json"))
        return tmp_path / "model.bin", folder

    return write


def _hear(model):
    """Return the states of the encoder, and scores of the next token."""
    import torch

    bands, n_frames = model.config.num_mel_bins, 2 * model.config.max_source_positions
    rng = np.random.default_rng(3)
    sound = torch.from_numpy(rng.standard_normal((1, bands, n_frames), np.float32))
    with torch.no_grad():
        output = model(
            sound, decoder_input_ids=torch.tensor([[2, 5, 7]]), output_hidden_states=True
        )
    return [states.numpy() for states in output.encoder_hidden_states], output.logits.numpy()


def test_single_precision_round_trips_exactly(tiny, written):
    path, _ = written(np.float32)
    model = build_whisper(read_ctranslate2(path, "WhisperSpec"), source="it", **TOKENS)
    expected = tiny.state_dict()
    assert set(model.state_dict()) == set(expected)
    for name, weight in model.state_dict().items():
        np.testing.assert_array_equal(weight.numpy(), expected[name].numpy())
    (states, scores), (expected_states, expected_scores) = _hear(model), _hear(tiny)
    np.testing.assert_array_equal(states, expected_states)
    np.testing.assert_array_equal(scores, expected_scores)
    for name in ("encoder_attention_heads", "decoder_attention_heads", "pad_token_id"):
        assert getattr(model.config, name) == getattr(tiny.config, name)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_converted_folder_loads_whole(dtype, tiny, written):
    import torch
    from transformers import (
        AutoFeatureExtractor,
        AutoTokenizer,
        WhisperForConditionalGeneration,
        WhisperModel,
    )

    path, folder = written(dtype)
    before = torch.random.get_rng_state()
    convert_whisper(path, folder)
    assert torch.equal(torch.random.get_rng_state(), before)

    for kind in (WhisperModel, WhisperForConditionalGeneration):
        model, report = kind.from_pretrained(
            folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
        assert not any(report.values())
    rounded = {
        name: weight.numpy().astype(dtype).astype(np.float32)
        for name, weight in tiny.state_dict().items()
    }
    for name, weight in model.state_dict().items():
        np.testing.assert_array_equal(weight.numpy(), rounded[name])
    states, scores = _hear(model)
    expected_states, expected_scores = _hear(tiny)
    assert len(states) == 4
    assert states[0].shape == (1, 10, 24)
    tolerance = 0 if dtype == np.float32 else 0.01
    for got, expected in zip([*states, scores], [*expected_states, expected_scores], strict=True):
        assert np.linalg.norm(got - expected) <= tolerance * np.linalg.norm(expected)

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    assert tokenizer.convert_tokens_to_ids("<|startoftranscript|>") == (
        model.config.decoder_start_token_id
    )
    assert AutoFeatureExtractor.from_pretrained(folder, local_files_only=True).feature_size == 8


def test_an_alias_may_stand_for_any_array(arrays, tiny, as_ctranslate2, tmp_path):
    import torch

    name, twin = "encoder/layer_0/ffn/linear_1/bias", "encoder/layer_2/ffn/linear_1/bias"
    first = {key: values for key, values in arrays.items() if key != twin}
    (tmp_path / "model.bin").write_bytes(as_ctranslate2(first, [(twin, name)]))
    found = read_ctranslate2(tmp_path / "model.bin", "WhisperSpec")
    model = build_whisper(found, source="it", **TOKENS)
    layers = model.model.encoder.layers
    np.testing.assert_array_equal(layers[2].fc2.bias.detach().numpy(), arrays[name])
    with torch.no_grad():
        layers[2].fc2.bias.zero_()  # each has its own copy
    np.testing.assert_array_equal(layers[0].fc2.bias.detach().numpy(), arrays[name])


_QKV = "encoder/layer_1/self_attention/linear_0"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"encoder/conv1/bias": None}, "'encoder/conv1/bias' is not there"),
        ({"encoder/num_heads": None}, "'encoder/num_heads' is not there"),
        ({"decoder/projection/weight": None}, "'decoder/projection/weight' is not there"),
        ({"encoder/extra": np.float32(1)}, "'encoder/extra' is there, which no Whisper has"),
        ({"encoder/layer_9/ffn/linear_0/weight": np.ones(2, np.float32)}, "layer_9.* is there"),
        ({"encoder/conv1/bias": np.zeros(24, np.int8)}, "is int8, where float16 or float32"),
        ({"decoder/pre_norm": np.int8(0)}, "'decoder/pre_norm' is 0 where 1 belongs"),
        ({"decoder/activation": np.int8(0)}, "'decoder/activation' is 0 where 3 belongs"),
        ({"decoder/alibi": np.zeros(2, np.int8)}, r"'decoder/alibi' is int8 of shape \(2,\)"),
        ({"encoder/num_heads": np.float32(4)}, "'encoder/num_heads' is float32 of shape"),
        ({"encoder/num_heads": np.int16(5)}, "24 dimensions cannot be shared by 5 heads"),
        ({"encoder/num_heads": np.int16(0)}, "24 dimensions cannot be shared by 0 heads"),
        ({f"{_QKV}/bias": np.ones(72, np.float32)}, "linear_0/bias' has a bias for keys"),
        ({f"{_QKV}/bias": np.ones(71, np.float32)}, r"of shape \(71,\) is not 3 parts"),
        ({f"{_QKV}/weight": np.float32(1)}, r"of shape \(\) is not 3 parts"),
        ({f"{_QKV}/weight": np.ones((72, 23), np.float32)}, "shape of encoder.layers.1.self_attn"),
        ({"encoder/conv1/weight": np.ones((24, 8), np.float32)}, "has 2 axes where 3 belong"),
        (
            {"decoder/projection/weight": np.ones((420, 24), np.float32)},
            "differs from the embeddings of tokens",
        ),
        (
            {
                "decoder/projection/weight": np.ones((2, 24), np.float32),
                "decoder/embeddings/weight": np.ones((2, 24), np.float32),
            },
            "it knows 2 tokens, and its tokenizer token 2",
        ),
    ],
)
def test_what_is_no_whisper_is_told(change, told, arrays):
    changed = {name: values for name, values in (arrays | change).items() if values is not None}
    with pytest.raises(DataError, match=rf"a model: .*{told}.*expected the arrays of a Whisper"):
        build_whisper(changed, source="a model", **TOKENS)


def test_a_side_without_blocks_is_told(arrays):
    blocks = ("decoder/layer_0", "decoder/layer_1")
    some = {name: values for name, values in arrays.items() if not name.startswith(blocks)}
    with pytest.raises(DataError, match="'decoder/layer_0/ffn/linear_0/weight' is not there"):
        build_whisper(some, source="a model", **TOKENS)


@given(
    number=st.integers(0, 10**4),
    axis=st.integers(0, 3),
    how=st.sampled_from(["lost", "renamed", "longer", "flat", "whole numbers"]),
)
@settings(max_examples=60, deadline=None)
def test_an_array_lost_renamed_or_of_another_shape_is_refused(number, axis, how, arrays):
    needed = sorted(name for name in arrays if arrays[name].ndim or name.endswith("num_heads"))
    name = needed[number % len(needed)]
    changed = dict(arrays)
    values = changed.pop(name)
    if how == "renamed":
        changed[f"{name}_scale"] = values
    elif how == "longer":
        values = np.atleast_1d(values)
        changed[name] = np.concatenate([values, values], axis % values.ndim)
    elif how == "flat":
        changed[name] = values.reshape(1, -1)
    elif how == "whole numbers":
        changed[name] = np.zeros(values.shape or (1,), np.int8)
    with pytest.raises(DataError, match="a model: "):
        build_whisper(changed, source="a model", **TOKENS)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_file_is_refused_or_is_still_a_whisper(data, arrays, as_ctranslate2):
    untied = {name: values for name, values in arrays.items() if "projection" not in name}
    small = {name: values.astype(np.float16) for name, values in untied.items() if values.ndim}
    content = bytearray(as_ctranslate2(untied | small, TIED))
    # Where names and shapes are: most of the file is values, which may be any.
    places = [found.start() for found in re.finditer(rb"[en]coder/", content)]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.sampled_from(places)) + data.draw(st.integers(-2, 60))
        content[min(at, len(content) - 1)] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.bin")
        path.write_bytes(content)
        try:
            found = read_ctranslate2(path, "WhisperSpec")
            model = build_whisper(found, source=str(path), **TOKENS)
        except DataError:
            return
        assert model.config.d_model == 24


def test_a_folder_with_a_whisper_is_no_language_model(written, story):
    path, folder = written(np.float16)
    convert_whisper(path, folder)
    told = r"\(whisper\) is an encoder with a decoder; .*for a model of speech use speech_states"
    for use in (lambda: language_states(story("the fox"), folder), lambda: model_facts(folder)):
        with pytest.raises(DataError, match=told):
            use()
    assert read_config(find_model(folder, "speech")).model_type == "whisper"


def test_truncated_file_leaves_the_folder_alone(written):
    path, folder = written(np.float16)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="ends at byte"):
        convert_whisper(path, folder)
    assert [file.name for file in folder.iterdir()] == ["tokenizer.json"]
