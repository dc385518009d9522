"""The speech model of a study: found and checked before any work, its sounds too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voxscale.errors import ConfigError
from voxscale.features import SpeechExtractor, SpeechWindows
from voxscale.study._checks import blamed

if TYPE_CHECKING:
    from voxscale.data import Dataset
    from voxscale.study._config import Study
    from voxscale.study._inputs import Inputs

__all__ = ["check_speech", "load_speech", "need_sounds", "speech_extractor"]

_TABLE = "speech"


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
        n_layers = found.n_layers
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
        If a packaged model is not installed, or it cannot hear such windows.
    """
    if inputs.speech is not None:
        with blamed(inputs.study, "model", _TABLE):
            _ = inputs.speech.layer_prefix  # reads the configuration
        with blamed(inputs.study, "context_s", _TABLE):
            inputs.speech.check_window()


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
