"""The speech model of a study: found and checked before any work, its sounds too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voxscale.errors import ConfigError
from voxscale.features import SpeechExtractor, SpeechWindows
from voxscale.features._models import read_config
from voxscale.study._checks import blamed

if TYPE_CHECKING:
    from voxscale.data import Dataset
    from voxscale.study._config import Study
    from voxscale.study._inputs import Inputs

__all__ = ["check_speech", "load_speech", "n_dims_of", "need_sounds", "speech_extractor"]

_TABLE = "speech"
_WHISPER_STEP_S = 0.02  # of its positions: two frames of 10 ms


def speech_extractor(study: Study, device: str | None) -> SpeechExtractor | None:
    """Return what turns sounds into features, not loaded yet; None without the table [speech].

    Raises
    ------
    ConfigError
        If the model does not exist or is no speech model, or a layer does not exist.
    """
    chosen = study.speech
    if chosen is None:
        return None
    windows = SpeechWindows(chosen.stride_s, chosen.context_s)
    with blamed(study, "model", _TABLE):
        found = SpeechExtractor(chosen.model, windows, device=device, dtype=chosen.dtype)
        n_layers = _n_layers_of(found)
    if max(chosen.layers) >= n_layers:
        msg = (
            f"{study.where('layers', _TABLE)}[speech] layers has {max(chosen.layers)}; model "
            f"{chosen.model!r} has layers 0 to {n_layers - 1}; leave out those above."
        )
        raise ConfigError(msg)
    return found


def need_sounds(study: Study, dataset: Dataset, why_none: str) -> None:
    """Raise ConfigError since some run of a subject has no sound that can be read."""
    msg = (
        f"{study.where('model', _TABLE)}[speech] model hears sounds, but data set "
        f"{dataset.name!r}, subject {dataset.subject!r}: {why_none or 'no run has audio'}; "
        "expected the sound of every run; leave [speech] out, or mend the data set."
    )
    raise ConfigError(msg)


def check_speech(inputs: Inputs) -> None:
    """Find out whether the model is here and hears whole windows, without its weights.

    Raises
    ------
    ConfigError
        If a packaged model is not installed, or windows are longer than Whisper hears.
    """
    study, extractor = inputs.study, inputs.speech
    if extractor is None or extractor.files is None or study.speech is None:
        return
    with blamed(study, "model", _TABLE):
        config = read_config(extractor.files)
    if config.model_type != "whisper":
        return
    most_s = _WHISPER_STEP_S * config.max_source_positions
    if extractor.windows.window_s > most_s * (1 + 1e-9):
        msg = (
            f"{study.where('context_s', _TABLE)}[speech] context_s is {study.speech.context_s:g}: "
            f"with stride_s a window lasts {extractor.windows.window_s:g} s; model "
            f"{study.speech.model!r} hears {most_s:g} s at most; lower context_s."
        )
        raise ConfigError(msg)


def load_speech(inputs: Inputs) -> None:
    """Load the weights, and try a window.

    Raises
    ------
    ConfigError
        If they are damaged, or the model cannot hear such windows.
    """
    extractor = inputs.speech
    if extractor is None:
        return
    with blamed(inputs.study, "model", _TABLE):
        hz = extractor.load().hz
    with blamed(inputs.study, "context_s", _TABLE):
        n_samples = max(1, round(extractor.windows.window_s * hz))
        extractor.read((np.ones(n_samples, dtype=np.float32), hz))


def n_dims_of(extractor: SpeechExtractor) -> int:
    """Return the size of a layer; of a packaged model, also where it is not installed."""
    row = None if extractor.files is None else extractor.files.packaged
    return extractor.n_dims if row is None else row.n_dims


def _n_layers_of(extractor: SpeechExtractor) -> int:
    row = None if extractor.files is None else extractor.files.packaged
    return extractor.n_layers if row is None else row.n_layers
