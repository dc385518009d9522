"""The embedded data set: eight spoken stories, two planted brains.

Stories, word times and audio are files of this package. Responses are planted when they are first
loaded and kept in the cache folder: hidden states of SmolLM2 and word rate, through a double-gamma
haemodynamic response and smooth weight maps on fsaverage5, plus autocorrelated noise and drift.
"""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.arrays import Array, TRSeries
from voxscale.data import Dataset, Transcript, TRReport, read_textgrid, read_transcript
from voxscale.errors import DataError, StoreError, VoxscaleWarning
from voxscale.features import extractor
from voxscale.store import (
    cache_folder,
    check_writable,
    folder_aside,
    hash_array,
    key_of,
    write_aside,
    write_npy,
)
from voxscale.synthetic._cortex import (
    REGION_NAMES,
    Layout,
    fsaverage5_coordinates,
    language_network,
)
from voxscale.synthetic._planting import (
    expected_correlation,
    planted_signal,
    principal_components,
    slow_noise,
)

__all__ = ["LAYERS", "SUBJECTS", "load"]

SUBJECTS = ("demo01", "demo02")
TRAIN = ("chess", "hut", "kitchen", "market", "radio")
TEST = ("lighthouse", "piano", "sleeper")
REPEATED = "lighthouse"
N_REPEATS = 5
TR_S = 2.0
MODEL = "smollm2"
LAYERS = (3, 9, 15, 21, 27)  # those whose states drive the planted brains

_STORIES = Path(str(files("voxscale.synthetic") / "stories"))
_TRUTH = ("accuracy", "cc_max", "preferred_layer", "signal_share")
_N_COMPONENTS = 10
_JITTER_MM = 3.0
_RECIPE = 2  # raised by hand whenever planted numbers would differ
_NOISE_SEED = 1
_PLANTING = "planting the responses of the demo, once: a minute or two; they are kept in {base}"


def load(subject: str, root: Path | None = None) -> Dataset:
    """Load one planted person; plant both first if this was not done before.

    Parameters
    ----------
    subject : {"demo01", "demo02"}
    root : path, optional
        Where planted responses are kept. Default: the user's cache folder.

    Returns
    -------
    Dataset
        ``truth`` holds signal_share, preferred_layer, cc_max (of the mean of five repeats) and
        accuracy (expected test correlation of the true signal), each (20484,). ``regions`` names
        the bump of signal that each vertex lies on.
    """
    words = {story: read_transcript(_STORIES / f"{story}.TextGrid") for story in TRAIN + TEST}
    tr_times = {story: _tr_times(story) for story in words}
    folder = _planted(words, tr_times, root) / subject
    trials = tuple(
        TRSeries(_map(folder, f"{REPEATED}_repeat{i + 1}"), REPEATED, 0, tr_times[REPEATED])
        for i in range(N_REPEATS)
    )
    truth = {name: np.array(_map(folder, f"truth_{name}")) for name in _TRUTH}
    return Dataset(
        name="demo",
        subject=subject,
        words=words,
        responses={s: TRSeries(_map(folder, s), s, 0, tr_times[s]) for s in words},
        trials={REPEATED: trials},
        train=TRAIN,
        test=TEST,
        tr_s=TR_S,
        audio={story: _STORIES / f"{story}.ogg" for story in words},
        space="fsaverage5",
        licence="MIT (stories, speech and planted responses are part of voxscale)",
        citation="voxscale demo: synthetic responses, no person was scanned",
        truth=truth,
        regions=_regions(folder, subject),
    )


def _tr_times(story: str) -> Array:
    """Return the TRs that the sound of a story fills."""
    end_s = read_textgrid(_STORIES / f"{story}.TextGrid").tiers[0].end_s
    return TRReport.simulated(int(end_s // TR_S), tr_s=TR_S).tr_times


def _map(folder: Path, name: str) -> Array:
    values: Array = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    return values


def _regions(folder: Path, subject: str) -> Array | None:
    """Return the planted region of each vertex; "" outside the network."""
    path = folder / "region.npy"
    try:
        numbers: Array = np.load(path, allow_pickle=False)
    except (OSError, ValueError):  # planted before regions were kept
        try:
            coordinates = fsaverage5_coordinates()
        except DataError:
            return None
        numbers = _layout(coordinates, SUBJECTS.index(subject) + 1).region
        with suppress(StoreError), write_aside(path) as aside:
            write_npy(aside, numbers)
    names: Array = np.array([*REGION_NAMES, ""])
    return np.asarray(names[numbers])


def _layout(coordinates: Array, seed: int) -> Layout:
    return language_network(coordinates, jitter_mm=_JITTER_MM, seed=seed)


def _planted(words: dict[str, Transcript], tr_times: dict[str, Array], root: Path | None) -> Path:
    """Return the folder of planted responses, made if it is not there or not whole."""
    model = extractor(MODEL)
    fields = {
        "recipe": _RECIPE,
        "model": model.identity,
        "layers": LAYERS,
        "words": {s: [list(t.words), hash_array(t.times)] for s, t in words.items()},
        "tr_times": {story: hash_array(times) for story, times in tr_times.items()},
    }
    base = Path(root) if root is not None else cache_folder("demo")
    target = base / key_of(fields)
    if not _is_whole(target):
        check_writable(base)  # before minutes of work
        sys.stderr.write(f"{_PLANTING.format(base=base)}\n")
        sys.stderr.flush()
        coordinates = fsaverage5_coordinates()
        states = model.extract(words, LAYERS, min_context=256, max_context=512)
        components = [principal_components(states[layer], _N_COMPONENTS) for layer in LAYERS]
        with folder_aside(target) as folder:
            for number, subject in enumerate(SUBJECTS):
                _plant(folder / subject, components, tr_times, coordinates, seed=number + 1)
    return target


def _is_whole(target: Path) -> bool:
    """Tell whether every planted file is there and as long as its header says."""
    repeats = [f"{REPEATED}_repeat{i + 1}" for i in range(N_REPEATS)]
    names = [*TRAIN, *TEST, *repeats, *(f"truth_{name}" for name in _TRUTH)]
    try:
        for subject in SUBJECTS:
            for name in names:
                _map(target / subject, name)
    except (OSError, ValueError) as error:
        if target.is_dir():
            warnings.warn(
                f"planted responses in {target} are damaged ({error}); planting them anew.",
                VoxscaleWarning,
                stacklevel=4,
            )
        return False
    return True


def _plant(
    folder: Path,
    components: list[Any],
    tr_times: dict[str, Array],
    coordinates: Array,
    *,
    seed: int,
) -> None:
    """Write one person's responses and the truth behind them."""
    folder.mkdir()
    layout = _layout(coordinates, seed)
    steps = np.nan_to_num(layout.depth, nan=-1) * (len(LAYERS) - 1)
    preferred = np.where(layout.signal_share > 0, np.rint(steps), -1).astype(int)
    signal = planted_signal(components, tr_times, coordinates, preferred, seed=seed)
    rng = np.random.default_rng([seed, _NOISE_SEED])
    for story, clean in signal.items():
        if story != REPEATED:
            write_npy(folder / f"{story}.npy", _noisy(clean, layout, rng))
            continue
        total = np.zeros_like(clean)
        for repeat in range(N_REPEATS):
            one = _noisy(clean, layout, rng)
            write_npy(folder / f"{story}_repeat{repeat + 1}.npy", one)
            total += one
        write_npy(folder / f"{story}.npy", total / N_REPEATS)
    for name, values in _truth(layout, preferred).items():
        write_npy(folder / f"truth_{name}.npy", values)
    write_npy(folder / "region.npy", layout.region)


def _noisy(clean: Array, layout: Layout, rng: np.random.Generator) -> Array:
    n_trs, n_vertices = clean.shape
    noise = slow_noise(n_trs, n_vertices, rng)
    share: Array = layout.signal_share.astype(np.float32)
    noisy: Array = np.sqrt(share) * clean + np.sqrt(1 - share) * noise
    return noisy


def _truth(layout: Layout, preferred: Array) -> dict[str, Array]:
    repeats = [N_REPEATS if story == REPEATED else 1 for story in TEST]
    by_story = [expected_correlation(layout.signal_share, n) for n in repeats]
    layers = np.where(preferred >= 0, np.array(LAYERS)[preferred], np.nan)
    ceiling = expected_correlation(layout.signal_share, N_REPEATS)
    values = (np.mean(by_story, axis=0), ceiling, layers, layout.signal_share)
    return dict(zip(_TRUTH, values, strict=True))
