"""States of speech models, against transformers window by window."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from voxscale import speech_states
from voxscale.errors import DataError
from voxscale.features import SpeechExtractor, SpeechWindows
from voxscale.features._speech_models import wrap_speech_model

_spec = importlib.util.spec_from_file_location(
    "speech_models", Path(__file__).with_name("speech_models.py")
)
speech_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(speech_models)
FAMILIES, tiny = list(speech_models.FAMILIES), speech_models.tiny

HZ = 16000
OPTIONS = {"stride_s": 0.1, "context_s": 0.6}
WAVES = [one for one in FAMILIES if one not in ("whisper", "wav2vec2-bert")]


def noise(seconds, seed=0):
    made = np.random.default_rng(seed).standard_normal(round(seconds * HZ)).astype("f4") * 0.1
    made *= 1 + np.sin(np.arange(len(made)) / 3000).astype("f4")
    made.flags.writeable = False
    return made


def given_to(family, model, window, normalize):
    """Return what transformers says of one window: hidden states at its end."""
    with torch.inference_mode():
        if family == "whisper":
            from transformers import WhisperFeatureExtractor

            features = WhisperFeatureExtractor(feature_size=80)(
                window, sampling_rate=HZ, return_tensors="pt"
            ).input_features
            output = model.encoder(features, output_hidden_states=True)
            at = min(1499, (min(3000, -(-len(window) // 160)) + 1) // 2)
        elif family == "wav2vec2-bert":
            from transformers import SeamlessM4TFeatureExtractor

            found = SeamlessM4TFeatureExtractor()(window, sampling_rate=HZ, return_tensors="pt")
            output = model(**found, output_hidden_states=True)
            at = int(found.attention_mask.sum()) - 1
        else:
            if normalize:
                window = (window - window.mean()) / np.sqrt(window.var() + 1e-7)
            output = model(torch.from_numpy(window)[None], output_hidden_states=True)
            at = -1
    states = [hidden[0, at].numpy() for hidden in output.hidden_states]
    states[-1] = output.last_hidden_state[0, at].numpy()
    if family == "sew":  # fills up what it gives with zeros, where an odd position is left over
        n_positions = output.last_hidden_state.shape[1]
        states[-1] = output.last_hidden_state[0, n_positions // 2 * 2 - 1].numpy()
    return states


@pytest.mark.parametrize("normalize", [None, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_states_are_those_of_transformers_run_window_by_window(family, normalize):
    if normalize and family not in WAVES:
        pytest.skip("hears frames")
    model, sound = tiny(family), noise(1.35)
    options = {"normalize": bool(normalize)} if family in WAVES else {}
    states = speech_states((sound, HZ), wrap_speech_model(model, **options), **OPTIONS)
    assert sorted(states) == [0, 1, 2, 3]
    times = states[0].times
    np.testing.assert_allclose(times, np.arange(1, 14) * 0.1, rtol=0, atol=1e-12)
    assert times.dtype == np.float64
    for row, end in enumerate(np.round(times * HZ).astype(int)):
        window = sound[max(0, end - 11200) : end]
        expected = given_to(family, model, np.array(window), normalize)
        for layer in range(4):
            np.testing.assert_allclose(
                states[layer].values[row], expected[layer], rtol=2e-4, atol=2e-5
            )


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_state_knows_nothing_of_what_comes_after_it(family, normalize):
    """Other sound after 1 s changes nothing up to there, and something after.

    Without normalising, some families share what they compute of the whole sound.
    """
    if not normalize and family not in WAVES:
        pytest.skip("hears frames")
    options = {"normalize": normalize} if family in WAVES else {}
    model = wrap_speech_model(tiny(family), **options)
    before, after = noise(1.0), noise(1.0, seed=5)
    one = speech_states((np.concatenate([before, noise(1.0, seed=6)]), HZ), model, **OPTIONS)
    other = speech_states((np.concatenate([before, after]), HZ), model, **OPTIONS)
    is_before = one[0].times <= 1.0
    assert is_before.sum() == 10
    for layer, series in one.items():
        differ = np.abs(series.values - other[layer].values).max(axis=1)
        assert differ[is_before].max() <= 1e-6, layer
        assert differ[~is_before].min() > 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_batches_and_chosen_layers_change_nothing(family):
    options = {"normalize": False} if family in WAVES else {}
    model, sound = wrap_speech_model(tiny(family), **options), (noise(1.5), HZ)
    together = speech_states(sound, model, **OPTIONS)
    for size in (1, 3):
        some = speech_states(sound, model, layers=[2, 0], batch_size=size, **OPTIONS)
        assert list(some) == [2, 0]
        for layer in (0, 2):
            np.testing.assert_allclose(
                some[layer].values, together[layer].values, rtol=1e-4, atol=1e-5
            )
    (last,) = speech_states(sound, model, layers=[3], **OPTIONS).values()
    np.testing.assert_allclose(last.values, together[3].values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", ["whisper", "hubert", "hubert-large", "wav2vec2-bert"])
@pytest.mark.parametrize("stride_s", [0.1, 0.0333])
def test_what_is_shared_between_windows_is_shared_exactly(family, stride_s):
    """Windows that begin off the grid of frames share nothing, and give the same answer."""
    options = {"normalize": False} if family in WAVES else {}
    model, sound = wrap_speech_model(tiny(family), **options), noise(2.0)
    alone = SpeechExtractor(model, SpeechWindows(stride_s, 0.5, full_context=True))
    clip = alone.read((sound, HZ))
    states = {layer: [] for layer in range(4)}
    for read in alone.stream(clip):
        for layer, rows in read.states.items():
            states[layer].append(rows)
    starts, ends = clip.plan.starts, clip.plan.ends
    for row in (0, 7, len(ends) - 1):
        window = np.array(sound[starts[row] : ends[row]])
        expected = given_to(family, tiny(family), window, normalize=False)
        for layer in range(4):
            found = np.concatenate(states[layer])[row]
            np.testing.assert_allclose(found, expected[layer], rtol=2e-4, atol=2e-5)


def test_whisper_without_padding_hears_only_the_window():
    model, sound = tiny("whisper"), noise(1.0)
    trimmed = wrap_speech_model(model, trim_padding=True)
    states = speech_states((sound, HZ), trimmed, stride_s=0.1, context_s=0.9)
    padded = speech_states((sound, HZ), model, stride_s=0.1, context_s=0.9)
    np.testing.assert_allclose(states[0].values, padded[0].values, rtol=1e-5, atol=1e-5)
    assert np.abs(states[3].values - padded[3].values).max() > 1e-3
    encoder = model.encoder
    from transformers import WhisperFeatureExtractor

    frames = WhisperFeatureExtractor(feature_size=80)(
        np.array(sound), sampling_rate=HZ, return_tensors="pt"
    ).input_features
    with torch.inference_mode():
        gelu = torch.nn.functional.gelu
        hidden = gelu(encoder.conv2(gelu(encoder.conv1(frames)))).transpose(1, 2)
        hidden = hidden[:, :51] + encoder.embed_positions.weight[:51]
        for layer in encoder.layers:
            hidden = layer(hidden, None)
        expected = encoder.layer_norm(hidden)[0, -1].numpy()
    np.testing.assert_allclose(states[3].values[-1], expected, rtol=1e-4, atol=2e-5)


def test_silence_before_makes_every_window_whole():
    model, sound = wrap_speech_model(tiny("hubert"), normalize=True), noise(1.0)
    padded = np.concatenate([np.zeros(9600, "f4"), sound])
    states = speech_states((sound, HZ), model, pad_silence=True, **OPTIONS)
    by_hand = speech_states((padded, HZ), model, full_context=True, **OPTIONS)
    np.testing.assert_allclose(states[3].values, by_hand[3].values, atol=1e-6)
    np.testing.assert_allclose(states[3].times, by_hand[3].times - 0.6, atol=1e-12)
    assert len(states[3].times) == 10


def test_several_runs_load_the_model_once(tmp_path):
    model = tiny("hubert")
    model.save_pretrained(tmp_path / "hubert")
    (tmp_path / "hubert" / "preprocessor_config.json").write_text(
        '{"feature_extractor_type": "Wav2Vec2FeatureExtractor", "do_normalize": false, '
        '"sampling_rate": 16000, "feature_size": 1, "padding_value": 0.0}'
    )
    runs = {"a": (noise(0.8), HZ), "b": (noise(1.1, seed=3), HZ)}
    calls = []
    states = speech_states(
        runs, tmp_path / "hubert", device="cpu", progress=lambda *one: calls.append(one), **OPTIONS
    )
    alone = speech_states(runs["b"], wrap_speech_model(model, normalize=False), **OPTIONS)
    assert list(states[1]) == ["a", "b"]
    np.testing.assert_allclose(states[1]["b"].values, alone[1].values, atol=1e-5)
    assert calls[-1] == (11, 11)


@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_is_near(family):
    options = {"normalize": True} if family in WAVES else {}
    model = tiny(family)
    whole = speech_states((noise(1.0), HZ), wrap_speech_model(model, **options), **OPTIONS)
    half = wrap_speech_model(model.to(torch.bfloat16), **options)
    states = speech_states((noise(1.0), HZ), half, **OPTIONS)
    for layer in range(4):
        far = np.abs(states[layer].values - whole[layer].values).mean()
        assert far < 0.1 * np.abs(whole[layer].values).mean()


def naive_ends(n, stride, context, *, full):
    """Say which windows there are by the words of the rule."""
    ends = []
    if not full:
        ends = [k * stride for k in range(1, 10**4) if k * stride < stride + context]
    whole = stride + context
    while whole <= n:
        ends.append(whole)
        whole += stride
    return [end for end in ends if end <= n]


@given(
    n=st.integers(0, 3000),
    stride=st.integers(1, 400),
    context=st.integers(0, 1500),
    full=st.booleans(),
    fewest=st.integers(1, 500),
)
def test_windows_are_those_of_the_rule(n, stride, context, full, fewest):
    windows = SpeechWindows(stride / 1000, context / 1000, full_context=full)
    plan = windows.plan(n, 1000, fewest)
    ends = [
        end
        for end in naive_ends(n, stride, context, full=full)
        if end - max(0, end - stride - context) >= fewest
    ]
    assert plan.ends.tolist() == ends
    assert plan.starts.tolist() == [max(0, end - stride - context) for end in ends]
    covered = [row for group in plan.groups() for row in group]
    assert covered == list(range(len(ends)))
    for group in plan.groups():
        assert len({int(plan.ends[row] - plan.starts[row]) for row in group}) == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"stride_s": 0}, "stride_s is 0; expected seconds above 0"),
        ({"context_s": -1}, "context_s is -1"),
        ({"layers": [9]}, "layer 9 does not exist"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"stride_s": 0.01, "context_s": 0.01}, "needs 0.025 s at least"),
        ({"device": "quantum"}, "device"),
    ],
)
def test_impossible_arguments_are_refused(options, told):
    model = tiny("hubert")
    with pytest.raises(ValueError, match=told):
        speech_states(
            (noise(1.0), HZ), wrap_speech_model(model, normalize=True), **OPTIONS | options
        )


def test_whisper_hears_no_more_than_30_s():
    with pytest.raises(ValueError, match="hears 30 s at most"):
        speech_states((noise(1.0), HZ), tiny("whisper"), context_s=30.0)
    with pytest.raises(ValueError, match="normalize is for models of waveforms"):
        wrap_speech_model(tiny("whisper"), normalize=True)
    with pytest.raises(ValueError, match="always normalises"):
        wrap_speech_model(tiny("wav2vec2-bert"), normalize=False)
    with pytest.raises(ValueError, match="trim_padding is for Whisper"):
        wrap_speech_model(tiny("hubert"), normalize=True, trim_padding=True)


def test_a_sound_too_short_for_a_window_is_said():
    model = wrap_speech_model(tiny("hubert"), normalize=True)
    with pytest.raises(DataError, match=r"lasts 0\.05 s, too short for a window"):
        speech_states((noise(0.05), HZ), model, **OPTIONS)
    with pytest.raises(DataError, match="leave out full_context"):
        speech_states((noise(0.5), HZ), model, full_context=True, **OPTIONS)
    states = speech_states((noise(0.5), HZ), model, **OPTIONS)
    assert states[0].times[-1] <= 0.5


def test_what_is_no_speech_model_is_refused(tmp_path):
    from transformers import GPT2Config, GPT2Model

    small = GPT2Model(GPT2Config(n_layer=1, n_head=1, n_embd=8, vocab_size=10))
    with pytest.raises(DataError, match=r"no speech encoder .* language_states"):
        speech_states((noise(1.0), HZ), small)
    small.save_pretrained(tmp_path)
    with pytest.raises(DataError, match="no speech encoder that can be read"):
        speech_states((noise(1.0), HZ), tmp_path)
    with pytest.raises(TypeError, match="expected a name, a path, or a loaded"):
        speech_states((noise(1.0), HZ), 3)


def test_a_model_that_does_not_say_how_it_hears_is_refused(tmp_path):
    tiny("hubert").save_pretrained(tmp_path)
    with pytest.raises(DataError, match=r"comes without preprocessor_config\.json"):
        speech_states((noise(1.0), HZ), tmp_path, device="cpu")
    states = speech_states((noise(1.0), HZ), tmp_path, device="cpu", normalize=False, **OPTIONS)
    assert len(states) == 4


def test_a_model_without_all_weights_is_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    tiny("hubert").save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    weights = load_file(path)
    del weights["encoder.layers.1.feed_forward.output_dense.weight"]
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(DataError, match="lacks 1 of its weights"):
        speech_states((noise(1.0), HZ), tmp_path, device="cpu", normalize=True)


def test_states_that_are_no_numbers_are_told_of():
    model = tiny("hubert")
    with torch.no_grad():
        model.encoder.layers[1].final_layer_norm.weight[0] = float("nan")
    with pytest.raises(DataError, match="states of layer 2 are not finite"):
        speech_states((noise(1.0), HZ), wrap_speech_model(model, normalize=True), **OPTIONS)


def test_memory_that_runs_out_halves_the_batch(monkeypatch):
    from voxscale.features import _speech_execute as execute

    model, sound = wrap_speech_model(tiny("hubert"), normalize=True), (noise(1.5), HZ)
    expected = speech_states(sound, model, **OPTIONS)
    sizes = []
    whole = execute.read_windows

    def small(model, clip, starts, ends, layers):
        sizes.append(len(starts))
        if len(starts) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(model, clip, starts, ends, layers)

    monkeypatch.setattr(execute, "read_windows", small)
    states = speech_states(sound, model, batch_size=8, **OPTIONS)
    np.testing.assert_allclose(states[3].values, expected[3].values, rtol=1e-4, atol=1e-5)
    assert sizes.count(8) == 1  # what was too much once is not tried again

    monkeypatch.setattr(execute, "read_windows", lambda *a: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(DataError, match="does not fit into the memory"):
        speech_states(sound, model, **OPTIONS)


def test_several_devices_share_the_windows():
    model = wrap_speech_model(tiny("hubert"), normalize=True)
    from voxscale.features._speech_execute import read_sound

    sound = noise(1.5)
    windows = SpeechWindows(0.1, 0.6)
    plan = windows.plan(len(sound), HZ, 400)
    twins = [model, wrap_speech_model(tiny("hubert"), normalize=True)]
    reads = list(read_sound(twins, sound, plan, [1, 3], step=1600, batch_size=2))
    rows = [row for read in reads for row in read.rows]
    assert rows == list(range(15))
    expected = speech_states((sound, HZ), model, **OPTIONS)
    found = np.concatenate([read.states[3] for read in reads])
    np.testing.assert_allclose(found, expected[3].values, rtol=1e-4, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
def test_a_gpu_gives_the_same_states():
    """In single precision to rounding; in half precision, with a batch found by probe, nearly."""
    for family in FAMILIES:
        options = {"normalize": True} if family in WAVES else {}
        expected = speech_states(
            (noise(1.5), HZ), wrap_speech_model(tiny(family), **options), **OPTIONS
        )
        there = wrap_speech_model(tiny(family).to("cuda"), **options)
        found = speech_states((noise(1.5), HZ), there, **OPTIONS)
        for layer in expected:
            np.testing.assert_allclose(
                found[layer].values, expected[layer].values, rtol=1e-3, atol=1e-3
            )
        half = wrap_speech_model(tiny(family).to("cuda", torch.float16), **options)
        found = speech_states((noise(1.5), HZ), half, **OPTIONS)
        for layer in expected:
            far = np.abs(found[layer].values - expected[layer].values).mean()
            assert far < 0.05 * np.abs(expected[layer].values).mean()


def test_blocks_with_more_than_their_weights_are_left_to_transformers():
    """A low-rank adapter has the base weight under the same name."""
    model = tiny("hubert")

    class Adapted(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x) + x.mean(dim=-1, keepdim=True)

    old = model.encoder.layers[1].attention.q_proj
    new = Adapted(16, 16)
    new.load_state_dict(old.state_dict())
    model.encoder.layers[1].attention.q_proj = new
    wrapped = wrap_speech_model(model, normalize=False)
    assert wrapped.blocks is None
    sound = noise(1.0)
    states = speech_states((sound, HZ), wrapped, **OPTIONS)
    window = np.array(sound[-11200:])
    expected = given_to("hubert", model, window, normalize=False)
    for layer in range(4):
        np.testing.assert_allclose(states[layer].values[-1], expected[layer], rtol=2e-4, atol=2e-5)
    assert wrap_speech_model(tiny("hubert"), normalize=False).blocks is not None
