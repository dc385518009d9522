"""What speech models are given: frames and convolutions, shared between windows or not."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import WhisperFeatureExtractor

from voxscale.features._speech_convolutions import can_convolve, convolve
from voxscale.features._speech_linear import linear
from voxscale.features._speech_mel import LogMel, MelClip
from voxscale.features._speech_models import wrap_speech_model

_spec = importlib.util.spec_from_file_location(
    "speech_models", Path(__file__).with_name("speech_models.py")
)
speech_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(speech_models)
tiny = speech_models.tiny

HZ = 16000
EXTRACTOR = WhisperFeatureExtractor(feature_size=80)
MEL = LogMel.of(EXTRACTOR, "cpu")


def noise(n_samples, seed=0):
    """Return a sound whose loudness comes and goes, with silences: floors differ by window."""
    made = np.random.default_rng(seed).standard_normal(n_samples).astype("f4")
    made *= np.sin(np.arange(n_samples) / 40_000).astype("f4") ** 4
    made[n_samples // 3 : n_samples // 3 + 3000] = 0
    return made


def of_transformers(window):
    return EXTRACTOR(np.array(window), sampling_rate=HZ, return_tensors="pt").input_features[0]


@settings(max_examples=40, deadline=None)
@given(
    start=st.integers(0, 30).map(lambda k: k * 160),
    n_samples=st.integers(400, 20_000),
    is_shared=st.booleans(),
)
def test_frames_are_those_of_the_window_alone(start, n_samples, is_shared):
    sound = noise(26_000)
    clip = MelClip(MEL, torch.from_numpy(sound), is_shared=is_shared)
    end = min(start + n_samples, len(sound))
    [found] = clip.windows(np.array([start]), np.array([end]))
    expected = of_transformers(sound[start:end])
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("n_samples", [479_000, 479_799, 479_801, 479_900, 480_000])
def test_a_window_of_nearly_30_s_is_mirrored_at_its_end_too(n_samples):
    sound = noise(480_160)
    clip = MelClip(MEL, torch.from_numpy(sound), is_shared=True)
    [found] = clip.windows(np.array([160]), np.array([160 + n_samples]))
    torch.testing.assert_close(
        found, of_transformers(sound[160 : 160 + n_samples]), rtol=0, atol=2e-5
    )


def test_windows_over_the_border_of_two_blocks_of_frames():
    """Blocks hold 60 s of frames; windows come in order, and two blocks are kept."""
    sound = noise(HZ * 130)
    clip = MelClip(MEL, torch.from_numpy(sound), is_shared=True)
    for second in (1, 58, 59, 61, 118, 121):
        start = second * HZ
        [found] = clip.windows(np.array([start]), np.array([start + 2 * HZ]))
        expected = of_transformers(sound[start : start + 2 * HZ])
        torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)
    assert len(clip._blocks) <= 2


def test_the_floor_is_that_of_each_window():
    """A loud window lifts its silence; its quiet neighbour does not."""
    loud = noise(64_000)[48_000:]
    sound = np.concatenate([loud * np.float32(1e-4), loud])
    clip = MelClip(MEL, torch.from_numpy(sound), is_shared=True)
    found = clip.windows(np.array([0, 16_000]), np.array([16_000, 32_000]))
    assert found[0].min() < found[1].min() - 0.5
    for row, start in enumerate((0, 16_000)):
        expected = of_transformers(sound[start : start + 16_000])
        torch.testing.assert_close(found[row], expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("family", ["hubert", "hubert-large", "data2vec-audio", "wavlm"])
@pytest.mark.parametrize("n_samples", [400, 719, 720, 5000, 90_000])
def test_convolutions_are_those_of_transformers(family, n_samples):
    extractor = tiny(family).feature_extractor
    sound = torch.from_numpy(noise(100_000)[5000 : 5000 + n_samples] + 0.01)
    assert can_convolve(extractor.conv_layers)
    with torch.inference_mode():
        found = convolve(extractor.conv_layers, sound)
        expected = extractor(sound[None])[0].T
    scale = float(expected.abs().max())
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=2e-5 * scale)


def test_convolutions_of_another_kind_are_left_to_transformers():
    layers = tiny("hubert").feature_extractor.conv_layers
    layers[2].conv.dilation = (2,)
    assert not can_convolve(layers)


def test_shared_convolutions_go_over_the_border_of_two_blocks():
    """Blocks hold 30 s."""
    model = wrap_speech_model(tiny("hubert-large"), normalize=False)
    sound = noise(HZ * 65)
    clip = model.front.clip(sound, 1600)
    assert clip.is_shared
    with torch.inference_mode():
        for second in (3, 29, 59):
            start = second * HZ
            found = clip.projected(np.array([start]), np.array([start + 2 * HZ]))
            alone = model.front.project(torch.from_numpy(sound[None, start : start + 2 * HZ]))
            torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("family", "options", "step", "is_shared"),
    [
        ("hubert-large", {"normalize": False}, 1600, True),
        ("hubert-large", {"normalize": True}, 1600, False),  # each window has its own scale
        ("hubert-large", {"normalize": False}, 1000, False),  # between two positions
        ("hubert", {"normalize": False}, 1600, False),  # normed over the window's time
    ],
)
def test_convolutions_are_shared_where_that_is_exact(family, options, step, is_shared):
    model = wrap_speech_model(tiny(family), **options)
    assert model.front.clip(noise(HZ), step).is_shared == is_shared


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("gelu", [False, True])
def test_products_are_those_of_torch(dtype, gelu):
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (
        torch.randn(shape, generator=generator).to(dtype) for shape in ((7, 5), (3, 5), (3,))
    )
    expected = torch.nn.functional.linear(x, weight, bias)
    if gelu:
        expected = torch.nn.functional.gelu(expected)
    found = linear(x, weight, bias, gelu=gelu)
    assert found.dtype == dtype
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(linear(x, weight, None), torch.nn.functional.linear(x, weight))
