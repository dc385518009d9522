"""Cost of language features: tokens, time against the published loop and a bare one, and memory.

python benchmarks/language_features.py [--quick] [--repeats 3] [--device cpu] [--dtype float32]
                                       [--model smollm2] [--out benchmarks/results/language.json]

Contenders take turns within each repeat; medians are reported. With ``--device cuda`` the bare loop
is also run with a model of a billion random parameters.
"""

import argparse
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _machine import machine_facts

from voxscale.data import Transcript, read_transcript
from voxscale.features import Contexts, LanguageExtractor
from voxscale.features._batch_size import tokens_per_batch
from voxscale.features._context import plan_huth2023
from voxscale.features._execute import read_batches
from voxscale.features._loading import LanguageModel
from voxscale.features._passes import batches
from voxscale.features._tokens import start_tokens, tokenize_story
from voxscale.features._windows import StoryPlanner

Array = np.ndarray
LAYER = 15
SEED_SIZES = (256, 512)


def story_of(n_words: int) -> Transcript:
    """Join the words of the demo's stories, again and again, to one of any length."""
    grids = sorted(Path(str(files("voxscale.synthetic") / "stories")).glob("*.TextGrid"))
    words = [word for grid in grids for word in read_transcript(grid).words]
    words = [words[i % len(words)] for i in range(n_words)]
    return Transcript(words, 0.35 * np.arange(n_words))


def count_tokens(loaded: LanguageModel, lengths: list[int]) -> list[dict[str, float]]:
    """Tokens run at 256 to 512 words, per token of the text and against a pass a word."""
    planner, rows = StoryPlanner(loaded), []
    for n_words in lengths:
        story = {"story": story_of(n_words)}
        [passes] = planner.plan(story, Contexts("growing", 256, 512))
        [sliding] = planner.plan(story, Contexts("sliding", 512, 512))
        run = sum(map(len, passes))
        # A pass a word: each word's own prefix of its window.
        own, full = (
            sum(int(one.positions.sum() + len(one.positions)) for one in some)
            for some in (passes, sliding)
        )
        text = len(tokenize_story(story["story"].words, loaded.tokenizer, "story").ids)
        rows.append(
            {
                "n_words": n_words,
                "tokens_in_text": text,
                "tokens_run": run,
                "run_per_token_of_text": run / text,
                "pass_a_word_same_contexts_per_ours": own / run,
                "pass_a_word_512_words_per_ours": full / run,
            }
        )
    return rows


def published_loop(loaded: LanguageModel, words: list[str], layer: int) -> Array:
    """Do as the published notebook does: batch 1, one layer, every prefix looked up in a dict.

    Planning is part of the time, here by our own re-implementation of its rule.
    """
    windows, read_at = plan_huth2023(words, *SEED_SIZES)
    tokens = tokenize_story(words, loaded.tokenizer, "story")
    start = list(start_tokens(loaded.tokenizer))
    stops = [window.first_new for window in windows[1:]] + [len(words)]
    contexts, runs, wanted = [], [], {}
    for window, stop in zip(windows, stops, strict=True):
        begin = int(tokens.first[window.start])
        for word in range(window.first_new, stop):
            end = int(tokens.last[read_at[word]]) + 1
            contexts.append(tuple(start + tokens.ids[begin:end].tolist()))
            wanted[contexts[-1]] = False
        end = int(tokens.last[window.stop - 1]) + 1
        runs.append(tuple(start + tokens.ids[begin:end].tolist()))
    device = loaded.device
    for context in runs:
        ids = torch.tensor([context], dtype=torch.int32, device=device)
        with torch.no_grad():
            output = loaded.whole(
                input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True
            )
        states = output.hidden_states[layer][0].float().cpu().numpy()
        for n_tokens in range(1, len(context) + 1):
            prefix = context[:n_tokens]
            if prefix in wanted:
                wanted[prefix] = states[n_tokens - 1]
    return np.stack([wanted[context] for context in contexts])


def ours(extractor: LanguageExtractor, story: Transcript, layers: Any) -> dict[int, Array]:
    """Read the same states as the published loop does."""
    low, high = SEED_SIZES
    states = extractor.extract({"story": story}, layers, min_context=low, max_context=high)
    return {layer: of_run["story"].values for layer, of_run in states.items()}


def against_published(
    model: str, device: str, dtype: str, n_words: int, repeats: int
) -> dict[str, Any]:
    """Time one layer, the last layer and all layers, in turns."""
    extractor = LanguageExtractor(model, device=device, dtype=dtype, protocol="huth2023")
    loaded, story = extractor.load(), story_of(n_words)
    loaded.whole.eval()
    words, n_layers = list(story.words), loaded.n_layers
    ours(extractor, story_of(64), "all")
    published_loop(loaded, words[:64], 1)
    contenders: dict[str, Callable[[], Any]] = {
        "published_one_layer": lambda: published_loop(loaded, words, LAYER),
        "ours_one_layer": lambda: ours(extractor, story, [LAYER]),
        "ours_last_layer": lambda: ours(extractor, story, [n_layers - 1]),
        "ours_all_layers": lambda: ours(extractor, story, "all"),
    }
    seconds = in_turns(contenders, repeats)
    started = time.perf_counter()
    published = np.stack([published_loop(loaded, words, layer) for layer in range(n_layers)])
    all_layers = time.perf_counter() - started
    found = np.stack(list(ours(extractor, story, "all").values()))
    error = np.abs(found - published).max(axis=(1, 2)) / np.abs(published).max(axis=(1, 2))
    middle = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        "model": model,
        "n_words": n_words,
        "n_layers": n_layers,
        "layer": LAYER,
        "seconds": seconds,
        "published_all_layers_seconds": all_layers,
        "all_layers_speedup": all_layers / middle["ours_all_layers"],
        "one_layer_speedup": middle["published_one_layer"] / middle["ours_one_layer"],
        "last_layer_speedup": middle["published_one_layer"] / middle["ours_last_layer"],
        "largest_relative_difference_of_a_layer": float(error.max()),
    }


def against_bare(loaded: LanguageModel, story: Transcript, repeats: int) -> dict[str, Any]:
    """Compare tokens a second with a loop that only runs the model, on the same batches."""
    [passes] = StoryPlanner(loaded).plan({"story": story}, Contexts("growing", 256, 512))
    grouped = batches(passes, None, n_tokens=tokens_per_batch(loaded, max(map(len, passes))))
    # Whole batches of one length alone: a bare loop has no padding.
    longest = min(len(one) for one in grouped[0])
    ids = np.stack([one.ids[:longest] for one in grouped[0]])
    on_device = torch.from_numpy(ids).to(loaded.device)
    layers = list(range(loaded.n_layers))
    batch = [_cut(one, longest) for one in grouped[0]]

    def bare() -> None:
        with torch.inference_mode():
            loaded.base(input_ids=on_device)
        _wait(loaded)

    def read() -> None:
        list(read_batches([loaded], [batch], layers))
        _wait(loaded)

    bare()
    read()
    seconds = in_turns({"bare": bare, "ours": read}, repeats * 3)
    middle = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        "model": loaded.name,
        "shape": list(ids.shape),
        "seconds": seconds,
        "bare_tokens_per_s": ids.size / middle["bare"],
        "ours_tokens_per_s": ids.size / middle["ours"],
        "share_of_bare": middle["bare"] / middle["ours"],
    }


def _cut(one: Any, n_tokens: int) -> Any:
    """Cut a pass to its first tokens, and the words read to those within."""
    kept = int((one.positions < n_tokens).sum())
    return replace(
        one,
        ids=one.ids[:n_tokens],
        words=one.words[:kept],
        positions=one.positions[:kept],
        counts=one.counts[:kept],
        told=one.told[: int(one.told_counts[:kept].sum())],
        told_counts=one.told_counts[:kept],
        n_before=one.n_before[:kept],
    )


def _wait(loaded: LanguageModel) -> None:
    if loaded.device.type == "cuda":
        torch.cuda.synchronize(loaded.device)


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


def random_billion(device: str, dtype: str) -> LanguageModel:
    """Build a Llama of 1.2 billion random parameters; its tokenizer is that of SmolLM2."""
    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig(
        vocab_size=49152, hidden_size=2048, intermediate_size=8192, num_hidden_layers=16,
        num_attention_heads=32, num_key_value_heads=8, max_position_embeddings=8192,
    )  # fmt: skip
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype)).eval()
    tokenizer = LanguageExtractor("smollm2").load().tokenizer
    return LanguageModel("random-1.2B", model.base_model, tokenizer, config, model)


def peak_memory(model: str, device: str, dtype: str, n_words: int) -> dict[str, float]:
    """Stream a long story to disk in a process of its own; peak memory above the model's own."""
    command = [sys.executable, __file__, "--memory-of", model, "--words", str(n_words)]
    command += ["--device", device, "--dtype", dtype]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(told.splitlines()[-1]))


def stream_and_tell(model: str, device: str, dtype: str, n_words: int) -> None:
    """Print the peak memory of streaming all layers of a story."""
    from voxscale.design import DesignRecipe
    from voxscale.store import LayerStore
    from voxscale.study._stream import Grid, stream_story

    extractor = LanguageExtractor(model, device=device, dtype=dtype)
    loaded, story = extractor.load(), story_of(n_words)
    tr_times = np.arange(1.0, story.times[-1], 2.0)
    list(extractor.stream(story_of(20)))  # what every first use takes
    before, _ = _memory(loaded)
    _forget_peak(loaded)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        stream_story(
            extractor, story,
            [Grid(dict.fromkeys(range(loaded.n_layers), "story"), "story", tr_times)],
            LayerStore(folder), DesignRecipe(), min_context=256, max_context=512, meta={},
        )  # fmt: skip
    seconds = time.perf_counter() - started
    _, peak = _memory(loaded)
    facts = {
        "n_words": n_words,
        "n_layers": loaded.n_layers,
        "seconds": seconds,
        "model_gib": before / 2**30,
        "above_the_model_gib": (peak - before) / 2**30,
    }
    print(json.dumps(facts))


def _memory(loaded: LanguageModel) -> tuple[int, int]:
    """Memory in use now and at its peak, in bytes: the device's own, or that of the process."""
    if loaded.device.type == "cuda":
        return torch.cuda.memory_allocated(), torch.cuda.max_memory_allocated()
    facts = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    now, peak = (int(facts[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    return now, peak


def _forget_peak(loaded: LanguageModel) -> None:
    if loaded.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    Path("/proc/self/clear_refs").write_text("5")


def main() -> None:
    """Measure, print and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--memory-of")
    parser.add_argument("--words", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/language.json"))
    asked = parser.parse_args()
    if asked.memory_of:
        stream_and_tell(asked.memory_of, asked.device, asked.dtype, asked.words)
        return
    loaded = LanguageExtractor(asked.model, device=asked.device, dtype=asked.dtype).load()
    lengths = [600, 3000] if asked.quick else [600, 1000, 1500, 2000, 2500, 3000]
    n_words = 300 if asked.quick else 2000
    found: dict[str, Any] = {
        "machine": machine_facts(),
        "device": torch.cuda.get_device_name() if asked.device == "cuda" else asked.device,
        "dtype": asked.dtype,
        "tokens": count_tokens(loaded, lengths),
        "bare": [against_bare(loaded, story_of(n_words), asked.repeats)],
    }
    if asked.device == "cuda":
        billion = random_billion(asked.device, asked.dtype)
        found["bare"].append(against_bare(billion, story_of(n_words), asked.repeats))
    del loaded
    gc.collect()
    found["memory"] = peak_memory(
        asked.model, asked.device, asked.dtype, 600 if asked.quick else asked.words
    )
    found["published"] = against_published(
        asked.model, asked.device, asked.dtype, n_words, asked.repeats
    )
    print(json.dumps(found, indent=1))
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
