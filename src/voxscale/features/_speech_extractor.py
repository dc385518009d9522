"""A speech model as an extractor: what it depends on, and its states clip by clip."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.arrays._device import choose_dtype
from voxscale.data import read_audio
from voxscale.errors import DataError
from voxscale.features._layers import choose_layers
from voxscale.features._models import find_model, identify, read_config
from voxscale.features._reading import check_devices, checked_batch_size
from voxscale.features._speech_config import (
    HZ,
    check_speech_kind,
    n_dims_of,
    n_speech_layers_of,
    window_limits_of,
)
from voxscale.features._speech_execute import SpeechRead, read_sound
from voxscale.features._speech_models import (
    SPEECH_DTYPES,
    SpeechModel,
    open_speech_models,
    read_hz,
)
from voxscale.features._speech_windows import SpeechWindows, WindowPlan

if TYPE_CHECKING:
    import torch

    from voxscale.data import Audio
    from voxscale.features._reading import Devices, Layers

__all__ = ["SpeechClip", "SpeechExtractor"]

RECIPE = 1  # raise it when the numbers change


@dataclass(frozen=True, eq=False)
class SpeechClip:
    """A sound at the rate of a model, and the windows over it.

    Parameters
    ----------
    waveform : array of shape (n_samples,), float32
        With silence before it, where the windows have some.
    plan : WindowPlan
    """

    waveform: Array = field(repr=False)
    plan: WindowPlan

    @property
    def times(self) -> Array:
        """End of each window, (n_windows,), in seconds from the beginning of the sound."""
        return self.plan.times


class SpeechExtractor:
    """A speech model that slides over sounds; it is loaded when first used, and then kept.

    Parameters
    ----------
    model : str, path, or loaded transformers model
    windows : SpeechWindows, optional
    device, dtype, batch_size, normalize, trim_padding, resample
        As in `speech_states`.
    """

    def __init__(
        self,
        model: Any,
        windows: SpeechWindows | None = None,
        *,
        device: Devices = None,
        dtype: str | torch.dtype | None = None,
        batch_size: int | None = None,
        normalize: bool | None = None,
        trim_padding: bool = False,
        resample: bool = True,
    ) -> None:
        check_devices(device)
        self.windows = SpeechWindows() if windows is None else windows
        self._given = model
        self._is_named = isinstance(model, str | os.PathLike)
        self.files = find_model(model, "speech") if self._is_named else None
        self._device, self._dtype = device, dtype
        self._batch_size = checked_batch_size(batch_size)
        self._normalize, self._trim_padding = normalize, trim_padding
        self.resamples = resample

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What the numbers depend on, beside the sound; found without loading the weights.

        Raises
        ------
        DataError
            If the model has no files, since it was loaded by somebody else.
        """
        if self.files is None:
            msg = "a loaded model has no files to be known by; name its folder instead."
            raise DataError(msg)
        dtype = str(choose_dtype(self._dtype, SPEECH_DTYPES)).removeprefix("torch.")
        windows = self.windows
        told = {
            "full_context": windows.full_context,
            "pad_silence": windows.pad_silence,
            "normalize": self._normalize,
            "trim_padding": self._trim_padding,
        }
        unusual = {name: value for name, value in told.items() if value not in (None, False)}
        if self._normalize is False:
            unusual["normalize"] = False
        return {
            **identify(self.files),
            "dtype": dtype,
            "recipe": RECIPE,
            "stride_s": windows.stride_s,
            "context_s": windows.context_s,
            **unusual,
        }

    @property
    def n_layers(self) -> int:
        """Layers, the input of the first block included; found without loading the weights."""
        row = None if self.files is None else self.files.packaged
        return n_speech_layers_of(self._config) if row is None else row.n_layers

    @property
    def n_dims(self) -> int:
        """Dimensions of a layer; found without loading the weights."""
        row = None if self.files is None else self.files.packaged
        return n_dims_of(self._config) if row is None else row.n_dims

    @cached_property
    def hz(self) -> int:
        """Sampling rate of what it hears; found without loading the weights."""
        return self.load().hz if self.files is None else read_hz(self.files)

    @property
    def layer_prefix(self) -> str:
        """What the published scripts call its layers: "encoder" or "layer"."""
        return "encoder" if self._config.model_type == "whisper" else "layer"

    def choose_layers(self, layers: Layers) -> list[int]:
        """Return the layers asked for as numbers; errors as `speech_states`."""
        return self._layers_of(layers, self.n_layers)

    def check_window(self) -> None:
        """Raise ValueError if the model cannot hear such windows; its weights are not loaded."""
        stride, context = self.windows.sizes(HZ)
        fewest, most = window_limits_of(self._config)
        lasts = f"a window lasts {self.windows.window_s:g} s (stride_s and context_s together)"
        if most is not None and stride + context > most:
            msg = f"{lasts}; {self._label} hears {most / HZ:g} s at most; lower context_s."
            raise ValueError(msg)
        if stride + context < fewest:
            msg = f"{lasts}; {self._label} needs {fewest / HZ:g} s at least; raise context_s."
            raise ValueError(msg)

    def _layers_of(self, layers: Layers, n_layers: int) -> list[int]:
        return choose_layers(
            layers, n_layers, first="the input of the first block", model=self._label
        )

    @property
    def _label(self) -> str:
        name = self.load().name if self.files is None else self.files.name
        return f"model {name!r}"

    def load(self) -> SpeechModel:
        """Load the weights, once, and return the model; errors as `speech_states`."""
        return self._models[0]

    def read(self, audio: Audio) -> SpeechClip:
        """Read a sound, and lay windows over it; errors as `speech_states`."""
        model = self.load()
        self.check_window()
        waveform = read_audio(audio, model.hz, resample=self.resamples)
        plan = self.windows.plan(len(waveform), model.hz, model.front.fewest)
        if not len(plan):
            raise self._too_short(audio, len(waveform) / model.hz, model)
        if plan.n_before:
            waveform = np.concatenate([np.zeros(plan.n_before, np.float32), waveform])
        return SpeechClip(waveform, plan)

    def stream(self, clip: SpeechClip, layers: Layers = "all") -> Iterator[SpeechRead]:
        """Read a clip batch by batch, in order, so that no more than a batch is held.

        Parameters
        ----------
        clip : SpeechClip
        layers : "all" or sequence of int

        Yields
        ------
        SpeechRead
            Which windows, and the states of each layer at their ends, (n_windows, n_dims).
        """
        model = self.load()
        stride, _ = self.windows.sizes(model.hz)
        yield from read_sound(
            self._models,
            clip.waveform,
            clip.plan,
            self._layers_of(layers, model.n_layers),
            step=stride,
            batch_size=self._batch_size,
        )

    @cached_property
    def _config(self) -> Any:
        if self.files is None:
            return self.load().config
        config = read_config(self.files)
        check_speech_kind(self.files.name, config)
        return config

    @cached_property
    def _models(self) -> list[SpeechModel]:
        return open_speech_models(
            self._given if self.files is None else self.files,
            device=self._device,
            dtype=self._dtype,
            normalize=self._normalize,
            trim_padding=self._trim_padding,
        )

    def _too_short(self, audio: Audio, seconds: float, model: SpeechModel) -> DataError:
        label = "the waveform" if isinstance(audio, tuple) else str(audio)
        windows = self.windows
        least = windows.stride_s if windows.pad_silence else model.front.fewest / model.hz
        remedy = "give a longer sound, or lower stride_s"
        if windows.full_context and not windows.pad_silence:
            least, remedy = windows.window_s, "leave out full_context, or use pad_silence"
        msg = (
            f"{label} lasts {seconds:g} s, too short for a window; expected {least:g} s and a "
            f"whole stride of {windows.stride_s:g} s at least; {remedy}."
        )
        return DataError(msg)
