"""Load a speech encoder, and take of it what reads a sound."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxscale.arrays._device import choose_device, choose_dtype
from voxscale.errors import DataError
from voxscale.features._models import ModelFiles, locate, read_config, told
from voxscale.features._speech_blocks import Block, blocks_of
from voxscale.features._speech_config import HZ, KINDS, check_speech_kind, n_dims_of
from voxscale.features._speech_fronts import BertFront, Front, WhisperFront
from voxscale.features._speech_mel import LogMel
from voxscale.features._speech_waves import WaveformFront
from voxscale.features._third_party import quiet

if TYPE_CHECKING:
    import torch

__all__ = [
    "SPEECH_DTYPES",
    "SpeechModel",
    "load_speech_model",
    "open_speech_models",
    "read_hz",
    "wrap_speech_model",
]

SPEECH_DTYPES = ("float32", "float16", "bfloat16", "float64")
_EXTRACTORS = ("preprocessor_config.json", "processor_config.json")  # the latter may hold it


@dataclass(frozen=True, eq=False)
class SpeechModel:
    """A loaded speech encoder.

    Parameters
    ----------
    name : str
    whole : transformers model
        Of which no more is used than reads a sound.
    encoder : torch.nn.Module
        With ``layers``.
    config : transformers configuration
    front : Front
    hz : int
        Sampling rate of what it hears.
    prefix : str
        What its layers were called in the published scripts: "encoder" or "layer".
    tried : dict
        What has been found out by running it.
    """

    name: str
    whole: Any = field(repr=False)
    encoder: Any = field(repr=False)
    config: Any = field(repr=False)
    front: Front = field(repr=False)
    hz: int = HZ
    prefix: str = "layer"
    tried: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def n_layers(self) -> int:
        """Layers, the input of the first block included."""
        return len(self.encoder.layers) + 1

    @property
    def n_dims(self) -> int:
        """Size of each layer."""
        return n_dims_of(self.config)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        found: torch.device = next(self.encoder.parameters()).device
        return found

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        found: torch.dtype = next(self.encoder.parameters()).dtype
        return found

    @cached_property
    def blocks(self) -> list[Block] | None:
        """The parts of its blocks; None where they are run by transformers."""
        return blocks_of(self.config, self.encoder.layers)

    @property
    def norms_at_the_end(self) -> bool:
        """Whether the last layer is normed after its block."""
        if self.config.model_type == "whisper":
            return True
        return bool(getattr(self.config, "do_stable_layer_norm", False))


def load_speech_model(
    files: ModelFiles,
    *,
    device: Any = None,
    dtype: Any = None,
    normalize: bool | None = None,
    trim_padding: bool = False,
) -> SpeechModel:
    """Load a speech encoder and put it on a device.

    Only safetensors are read, and no code that comes with a model is run.

    Parameters
    ----------
    files : ModelFiles
    device : str or torch.device, optional
        Default: cuda where there is one, else cpu.
    dtype : str or torch.dtype, optional
        One of SPEECH_DTYPES; by default the first.
    normalize : bool, optional
        Whether each window is brought to mean 0 and variance 1. Default: as the model was
        trained.
    trim_padding : bool
        For Whisper: leave out what is heard after the window's end.

    Returns
    -------
    SpeechModel

    Raises
    ------
    DataError
        If it cannot be loaded, lacks weights, or is no speech encoder that can be read.
    ValueError
        If the device, the dtype or an option does not exist for it.
    """
    from transformers import AutoModel

    device, dtype = choose_device(device), choose_dtype(dtype, SPEECH_DTYPES)
    if files.gguf is not None:
        msg = f"{files.label} is a GGUF file, which holds no speech encoder; name a folder."
        raise DataError(msg)
    where, local = locate(files)
    config = read_config(files)
    check_speech_kind(files.name, config)
    with told(files), quiet(keep_bars=not local):
        model, report = AutoModel.from_pretrained(
            where,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=local,
            trust_remote_code=False,
            output_loading_info=True,
        )
    _check_complete(files, report["missing_keys"], model)
    extractor = _read_extractor(files, where, local=local)
    whole = _without_head(model).to(device=device, dtype=dtype).eval()
    return _made(files.name, whole, extractor, normalize=normalize, trim_padding=trim_padding)


def wrap_speech_model(
    model: Any,
    extractor: Any = None,
    *,
    normalize: bool | None = None,
    trim_padding: bool = False,
) -> SpeechModel:
    """Use a model that is already loaded, where it is and as it is.

    Parameters
    ----------
    model : transformers model
    extractor : transformers feature extractor, optional
    normalize, trim_padding
        As for :func:`load_speech_model`.

    Raises
    ------
    TypeError
        If it is no transformers model.
    DataError
        If it is no speech encoder that can be read.
    """
    if not hasattr(model, "config") or not hasattr(model, "parameters"):
        msg = (
            f"model is of type {type(model).__name__}; expected a name, a path, or a loaded "
            "transformers model."
        )
        raise TypeError(msg)
    name = type(model).__name__
    check_speech_kind(name, model.config)
    return _made(name, model, extractor, normalize=normalize, trim_padding=trim_padding)


def _made(
    name: str, model: Any, extractor: Any, *, normalize: bool | None, trim_padding: bool
) -> SpeechModel:
    whole = _without_head(model)
    front = _front(name, whole, extractor, normalize=normalize, trim_padding=trim_padding)
    encoder = whole if isinstance(front, WhisperFront) else whole.encoder
    hz = _hz_of(extractor)
    prefix = "encoder" if isinstance(front, WhisperFront) else "layer"
    return SpeechModel(name, whole, encoder, whole.config, front, hz, prefix)


def _without_head(model: Any) -> Any:
    """Return the part of a model that reads a sound."""
    base = getattr(model, "base_model", model)
    if base.config.model_type == "whisper":
        return base if hasattr(base, "conv1") else base.get_encoder()
    if not hasattr(base, "encoder") or not hasattr(base.encoder, "layers"):
        msg = (
            f"model {type(model).__name__} has no encoder of blocks; this kind of model cannot be "
            f"read; expected {KINDS}."
        )
        raise DataError(msg)
    return base


def _front(
    name: str, whole: Any, extractor: Any, *, normalize: bool | None, trim_padding: bool
) -> Front:
    config = whole.config
    if trim_padding and config.model_type != "whisper":
        msg = f"trim_padding is for Whisper; model {name!r} pads nothing; leave it out."
        raise ValueError(msg)
    if config.model_type == "whisper":
        if normalize is not None:
            msg = (
                f"normalize is for models of waveforms; model {name!r} hears frames; leave it out."
            )
            raise ValueError(msg)
        device = whole.conv1.weight.device
        mel = LogMel.of(extractor or _whisper_extractor(config), device)
        return WhisperFront(whole, mel, trim_padding)
    if config.model_type == "wav2vec2-bert":
        if normalize is not None:
            msg = f"model {name!r} always normalises its frames; leave normalize out."
            raise ValueError(msg)
        return BertFront(whole, extractor or _bert_extractor())
    if normalize is None:
        normalize = getattr(extractor, "do_normalize", None)
    if normalize is None:
        msg = (
            f"model {name!r} comes without {_EXTRACTORS[0]}, which says whether it hears waveforms "
            "of mean 0 and variance 1; copy it there, or say normalize=True or False."
        )
        raise DataError(msg)
    return WaveformFront(
        whole, bool(normalize), tuple(config.conv_kernel), tuple(config.conv_stride)
    )


def _whisper_extractor(config: Any) -> Any:
    from transformers import WhisperFeatureExtractor

    return WhisperFeatureExtractor(feature_size=int(config.num_mel_bins))


def _bert_extractor() -> Any:
    from transformers import SeamlessM4TFeatureExtractor

    return SeamlessM4TFeatureExtractor()


def _read_extractor(files: ModelFiles, where: str, *, local: bool) -> Any:
    """Read how a model wants its sound; None where nothing says so."""
    from transformers import AutoFeatureExtractor

    if not any(_has_file(where, name, local=local) for name in _EXTRACTORS):
        return None
    with told(files, f"{_EXTRACTORS[0]} of "), quiet(keep_bars=not local):
        return AutoFeatureExtractor.from_pretrained(
            where, local_files_only=local, trust_remote_code=False
        )


def read_hz(files: ModelFiles) -> int:
    """Read which sampling rate a model hears, without its weights."""
    where, local = locate(files)
    return _hz_of(_read_extractor(files, where, local=local))


def _hz_of(extractor: Any) -> int:
    return int(getattr(extractor, "sampling_rate", None) or HZ)


def _has_file(where: str, name: str, *, local: bool) -> bool:
    if local:
        return Path(where, name).is_file()
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    try:
        with quiet(keep_bars=True):
            hf_hub_download(where, name)
    except EntryNotFoundError:  # of the hub, or of the cache where there is no network
        return False
    return True


def _check_complete(files: ModelFiles, missing: Any, model: Any) -> None:
    """Refuse a model whose encoder would have random numbers for weights."""
    unused = ("decoder.", "masked_spec_embed", "adapter.", "quantizer.", "project_")
    prefix = f"{model.base_model_prefix}."
    lost = sorted(name for name in missing if not name.removeprefix(prefix).startswith(unused))
    if lost:
        msg = (
            f"{files.label} lacks {len(lost)} of its weights ({lost[0]} for one), which would be "
            "random numbers; expected a complete model; save or download it again."
        )
        raise DataError(msg)


def open_speech_models(
    model: Any,
    *,
    device: Any = None,
    dtype: Any = None,
    normalize: bool | None = None,
    trim_padding: bool = False,
) -> list[SpeechModel]:
    """Load a model onto one device or several, or take one that is loaded."""
    if isinstance(model, SpeechModel):
        return [model]
    if not isinstance(model, ModelFiles):
        if device is not None or dtype is not None:
            msg = "device and dtype are for models named or on disk; move a loaded one yourself."
            raise ValueError(msg)
        return [wrap_speech_model(model, normalize=normalize, trim_padding=trim_padding)]
    files = model
    options: dict[str, Any] = {
        "dtype": dtype, "normalize": normalize, "trim_padding": trim_padding,
    }  # fmt: skip
    if device is None or isinstance(device, str) or not isinstance(device, list | tuple):
        return [load_speech_model(files, device=device, **options)]
    if not device:
        msg = "device is an empty list; name at least one, or leave it out."
        raise ValueError(msg)
    return [load_speech_model(files, device=one, **options) for one in device]
