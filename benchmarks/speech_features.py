"""Cost of speech features: windows a second against the published loop and a bare one, and memory.

python benchmarks/speech_features.py [--quick] [--repeats 3] [--device cpu] [--dtype float32]
                                     [--out benchmarks/results/speech.json]

Contenders take turns within each repeat; medians are reported. The published loop is written anew
from a description of it; it runs at the best of several batch sizes, found beforehand. HuBERT has
the geometry of hubert-base and random weights.
"""

import argparse
import gc
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _machine import machine_facts

from voxscale.data import read_audio
from voxscale.features import SpeechExtractor, SpeechWindows
from voxscale.features._models import find_model, locate
from voxscale.features._speech_models import wrap_speech_model

Array = np.ndarray
HZ = 16000
STRIDE_S, CONTEXT_S = 0.1, 16.0
BATCH_SIZES = {"cpu": (1, 2, 4), "cuda": (1, 8, 16, 64)}
TOLERANCE = 2e-5  # of single precision, as a share of the largest state of a layer
MODELS = ("whisper-tiny.en", "hubert-base")


def sound_of(seconds: float) -> Array:
    """Return the beginning of one of the demo's stories."""
    path = Path(str(files("voxscale.synthetic") / "stories" / "lighthouse.ogg"))
    return read_audio(path)[: round(seconds * HZ)]


def load(name: str, device: str, dtype: str) -> tuple[Any, Any]:
    """Return a transformers model and its feature extractor."""
    from transformers import (
        HubertConfig,
        HubertModel,
        Wav2Vec2FeatureExtractor,
        WhisperFeatureExtractor,
        WhisperModel,
    )

    kind = getattr(torch, dtype)
    if name == "whisper-tiny.en":
        folder, _ = locate(find_model(name, "speech"))
        model = WhisperModel.from_pretrained(folder, dtype=kind, local_files_only=True)
        return model.to(device).eval(), WhisperFeatureExtractor.from_pretrained(folder)
    torch.manual_seed(0)
    model = HubertModel(HubertConfig())
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=False)
    return model.to(device=device, dtype=kind).eval(), extractor


def published_loop(
    model: Any, extractor: Any, sound: Array, plan: Any, batch_size: int
) -> list[Array]:
    """Do as the published script does: windows of a length in batches, all layers, last frame."""
    is_whisper = model.config.model_type == "whisper"
    kept: list[list[Array]] = []
    for group in plan.groups():
        for at in range(group.start, group.stop, batch_size):
            rows = range(at, min(at + batch_size, group.stop))
            windows = [sound[plan.starts[row] : plan.ends[row]] for row in rows]
            inputs = extractor(windows, sampling_rate=HZ, return_tensors="pt")
            with torch.no_grad():
                if is_whisper:
                    features = inputs.input_features.to(model.device, model.dtype)
                    output = model.encoder(features, output_hidden_states=True)
                    n_frames = min(3000, -(-len(windows[0]) // 160))
                    last = min(1499, (n_frames + 1) // 2)
                else:
                    values = inputs.input_values.to(model.device, model.dtype)
                    output = model(values, output_hidden_states=True)
                    last = -1
            states = [*output.hidden_states[:-1], output.last_hidden_state]
            kept.append([layer[:, last].float().cpu().numpy() for layer in states])
    return [np.concatenate(layers) for layers in zip(*kept, strict=True)]


def ours(extractor: SpeechExtractor, clip: Any) -> list[Array]:
    """Read the same states."""
    states: dict[int, list[Array]] = {}
    for read in extractor.stream(clip):
        for layer, rows in read.states.items():
            states.setdefault(layer, []).append(rows)
    return [np.concatenate(states[layer]) for layer in sorted(states)]


def against_published(
    name: str, device: str, dtype: str, seconds: float, n_windows: int | None, repeats: int
) -> dict[str, Any]:
    """Time all layers of a sound, in turns; or of its last windows alone."""
    model, transform = load(name, device, dtype)
    wrapped = wrap_speech_model(model, transform)
    windows = SpeechWindows(STRIDE_S, CONTEXT_S, full_context=n_windows is not None)
    if n_windows is not None:
        seconds = STRIDE_S * n_windows + CONTEXT_S
    sound = sound_of(seconds)
    extractor = SpeechExtractor(wrapped, windows)
    clip = extractor.read((sound, HZ))
    plan = clip.plan
    best = _best_batch_size(model, transform, BATCH_SIZES[device])
    found, expected = ours(extractor, clip), published_loop(model, transform, sound, plan, best)
    far = [float(np.abs(a - b).max()) for a, b in zip(found, expected, strict=True)]
    size = [float(np.abs(b).max()) for b in expected]
    if dtype == "float32" and any(a > TOLERANCE * b for a, b in zip(far, size, strict=True)):
        sys.exit(f"{name}: states differ from those of the published loop: {far} of {size}")
    runs = in_turns(
        {
            "published": lambda: published_loop(model, transform, sound, plan, best),
            "ours": lambda: ours(extractor, clip),
        },
        repeats,
    )
    middle = {one: statistics.median(times) for one, times in runs.items()}
    return {
        "model": name,
        "seconds_of_sound": seconds,
        "n_windows": len(plan),
        "n_layers": wrapped.n_layers,
        "published_batch_size": best,
        "seconds": runs,
        "published_windows_per_s": len(plan) / middle["published"],
        "ours_windows_per_s": len(plan) / middle["ours"],
        "speedup": middle["published"] / middle["ours"],
        "largest_difference_of_each_layer": far,
        "largest_state_of_each_layer": size,
    }


def _best_batch_size(model: Any, transform: Any, sizes: tuple[int, ...]) -> int:
    """Find the batch size at which the published loop is fastest."""
    sound = sound_of(STRIDE_S * max(sizes) + CONTEXT_S)
    plan = SpeechWindows(STRIDE_S, CONTEXT_S, full_context=True).plan(len(sound), HZ, 400)
    published_loop(model, transform, sound, plan, 1)
    seconds = {}
    for _ in range(2):
        for size in sizes:
            started = time.perf_counter()
            published_loop(model, transform, sound, plan, size)
            took = time.perf_counter() - started
            seconds[size] = min(seconds.get(size, took), took)
    return min(seconds, key=seconds.__getitem__)


def against_bare(name: str, device: str, dtype: str, repeats: int) -> dict[str, Any]:
    """Compare windows a second with a loop that only runs the encoder, on batches of one size."""
    model, transform = load(name, device, dtype)
    wrapped = wrap_speech_model(model, transform)
    n_windows = 256 if device == "cuda" else 8
    sound = sound_of(STRIDE_S * n_windows + CONTEXT_S)
    extractor = SpeechExtractor(wrapped, SpeechWindows(STRIDE_S, CONTEXT_S, full_context=True))
    clip = extractor.read((sound, HZ))
    size = next(iter(extractor.stream(clip))).rows.stop
    plan = clip.plan
    pairs = list(zip(plan.starts[:size].tolist(), plan.ends[:size].tolist(), strict=True))
    inputs = transform([sound[a:b] for a, b in pairs], sampling_rate=HZ, return_tensors="pt")
    values = next(iter(inputs.values())).to(device, model.dtype)
    encoder = model.encoder if name.startswith("whisper") else model

    def bare() -> None:
        with torch.inference_mode():
            for _ in range(-(-len(plan) // size)):
                encoder(values)
        _wait(device)

    def read() -> None:
        ours(extractor, clip)
        _wait(device)

    bare()
    runs = in_turns({"bare": bare, "ours": read}, repeats)
    middle = {one: statistics.median(times) for one, times in runs.items()}
    n_bare = -(-len(plan) // size) * size
    return {
        "model": name,
        "n_windows": len(plan),
        "batch_size": size,
        "seconds": runs,
        "bare_windows_per_s": n_bare / middle["bare"],
        "ours_windows_per_s": len(plan) / middle["ours"],
        "share_of_bare": len(plan) / middle["ours"] / (n_bare / middle["bare"]),
    }


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def in_turns(contenders: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Run every contender once in each repeat."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, run in contenders.items():
            gc.collect()
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def peak_memory(name: str, device: str, dtype: str) -> dict[str, Any]:
    """Read all layers of a sound in a process of its own, at the default batch."""
    command = [sys.executable, __file__, "--memory-of", name, "--device", device]
    command += ["--dtype", dtype]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(told.splitlines()[-1]))


def read_and_tell(name: str, device: str, dtype: str) -> None:
    """Print the peak memory of a process that reads all layers at the default batch."""
    model, transform = load(name, device, dtype)
    windows = SpeechWindows(STRIDE_S, CONTEXT_S, full_context=name != "whisper-tiny.en")
    extractor = SpeechExtractor(wrap_speech_model(model, transform), windows)
    sound = sound_of(60.0 if name == "whisper-tiny.en" else CONTEXT_S + 1)
    n_windows = sum(len(read.rows) for read in extractor.stream(extractor.read((sound, HZ))))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    facts = {"model": name, "n_windows": n_windows, "peak_gb": peak / 1e9}
    if device == "cuda":
        facts["peak_of_device_gb"] = torch.cuda.max_memory_allocated() / 1e9
    print(json.dumps(facts))


def main() -> None:
    """Measure, print and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--memory-of")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/speech.json"))
    asked = parser.parse_args()
    if asked.memory_of:
        read_and_tell(asked.memory_of, asked.device, asked.dtype)
        return
    where = (asked.device, asked.dtype)
    n_windows = 4 if asked.quick else 30
    found: dict[str, Any] = {
        "machine": machine_facts(),
        "device": torch.cuda.get_device_name() if asked.device == "cuda" else asked.device,
        "dtype": asked.dtype,
        "stride_s": STRIDE_S,
        "context_s": CONTEXT_S,
        "memory": [peak_memory(name, *where) for name in MODELS],
        "published": [
            against_published(MODELS[0], *where, 3.0 if asked.quick else 60.0, None, asked.repeats),
            against_published(MODELS[1], *where, 0.0, n_windows, asked.repeats),
        ],
        "bare": [against_bare(name, *where, asked.repeats) for name in MODELS],
    }
    print(json.dumps(found, indent=1))
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
