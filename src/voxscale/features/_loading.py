"""Load a language model, and check that it is one."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from voxscale.arrays._device import choose_device, choose_dtype
from voxscale.errors import DataError
from voxscale.features._gguf import read_gguf, read_gguf_tokenizer
from voxscale.features._models import (
    TOKENIZER_FILES,
    ModelFiles,
    find_tokenizer,
    locate,
    n_layers_of,
    n_positions_of,
    read_config,
    told,
)
from voxscale.features._third_party import quiet

__all__ = [
    "DTYPES",
    "SPREAD",
    "LanguageModel",
    "device_of",
    "load_model",
    "load_tokenizer",
    "wrap_model",
]

_LEAST_VOCABULARY = 2  # transformers makes up a lone "▁" for some that have none
SPREAD = "auto"  # the device that is all devices
DTYPES = ("float32", "float16", "bfloat16", "float64")


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A loaded model and its tokenizer.

    Parameters
    ----------
    name : str
    base : transformers model
        Without its head: scores over the vocabulary cost more than a layer.
    tokenizer : transformers tokenizer
    config : transformers configuration
    whole : transformers model, optional
        With its head.
    tried : dict
        What has been found out by running it, so that it is run for that once.
    """

    name: str
    base: Any
    tokenizer: Any
    config: Any = field(repr=False)
    whole: Any = field(default=None, repr=False)
    tried: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def n_layers(self) -> int:
        """Layers, the embeddings included."""
        return n_layers_of(self.config)

    @property
    def limit(self) -> int | None:
        """Tokens that the model has positions for; None if there is no limit."""
        return n_positions_of(self.config)

    @property
    def device(self) -> Any:
        """Where tokens enter the model."""
        return device_of(self.base.get_input_embeddings())

    @property
    def head(self) -> Any:
        """What turns the last layer into scores over the vocabulary, or None."""
        return None if self.whole is None else self.whole.get_output_embeddings()

    @cached_property
    def blocks(self) -> list[Any]:
        """The model's blocks, whose inputs are its hidden states.

        Raises
        ------
        DataError
            If there is no list of as many as the configuration says.
        """
        from torch.nn import ModuleList

        for module in self.base.modules():
            if isinstance(module, ModuleList) and len(module) == self.n_layers - 1:
                return list(module)
        msg = (
            f"model {self.name!r} has no list of {self.n_layers - 1} blocks, which its "
            "configuration speaks of; this kind of model cannot be read."
        )
        raise DataError(msg)


def device_of(module: Any) -> Any:
    """Return where a module computes; its weights may wait elsewhere until they are needed."""
    import torch

    told = getattr(getattr(module, "_hf_hook", None), "execution_device", None)
    return module.weight.device if told is None else torch.device(told)


def load_model(
    files: ModelFiles, *, device: Any = None, dtype: Any = None, tokenizer: Any = None
) -> LanguageModel:
    """Load a model, put it on a device, and check that it is a causal language model.

    Only safetensors and GGUF are read, and no code that comes with a model is run.

    Parameters
    ----------
    files : ModelFiles
    device : str or torch.device, optional
        Default: cuda where there is one, else cpu. "auto" spreads the layers over all GPUs
        and what does not fit over the memory of the machine.
    dtype : str or torch.dtype, optional
        One of DTYPES; by default the first.
    tokenizer : transformers tokenizer, str or path, optional
        Default: the model's own.

    Returns
    -------
    LanguageModel

    Raises
    ------
    DataError
        If it cannot be loaded, lacks weights or a tokenizer, or is not causal.
    ValueError
        If the device or the dtype is unknown here.
    TypeError
        If the tokenizer is none.
    """
    spread = device == SPREAD
    if spread:
        _check_spread(files)
    device, dtype = None if spread else choose_device(device), choose_dtype(dtype, DTYPES)
    tokenizer = _checked_tokenizer(tokenizer)
    if files.gguf is not None:
        with told(files):
            model, own_tokenizer = read_gguf(files.gguf)
        tokenizer = own_tokenizer if tokenizer is None else tokenizer
    else:
        where, local = locate(files)
        read_config(files)  # first: without it transformers blames the tokenizer
        if tokenizer is None:
            tokenizer = load_tokenizer(files)
        with told(files):
            model = _load_weights(files, where, dtype, local=local, spread=spread)
    if device is not None:
        model = model.to(device=device, dtype=dtype)
    model = model.eval()
    return _checked(files.name, model, tokenizer)


def wrap_model(model: Any, tokenizer: Any) -> LanguageModel:
    """Use a model that is already loaded, where it is and as it is.

    Parameters
    ----------
    model : transformers model
    tokenizer : transformers tokenizer, str or path

    Returns
    -------
    LanguageModel

    Raises
    ------
    TypeError
        If it is no transformers model, or the tokenizer is none.
    ValueError
        If no tokenizer is given.
    DataError
        If it is not causal, or the tokenizer belongs to another model.
    """
    if not hasattr(model, "config") or not hasattr(model, "get_input_embeddings"):
        msg = (
            f"model is of type {type(model).__name__}; expected a name, a path, or a loaded "
            "transformers model."
        )
        raise TypeError(msg)
    name = type(model).__name__
    if tokenizer is None:
        msg = f"model is a loaded {name}, which has no tokenizer; pass tokenizer= its own."
        raise ValueError(msg)
    return _checked(name, model, _checked_tokenizer(tokenizer))


def _checked(name: str, model: Any, tokenizer: Any) -> LanguageModel:
    base = _without_head(model)
    whole = model if base is not model else None
    loaded = LanguageModel(name, base, tokenizer, model.config, whole)
    if getattr(model.config, "is_encoder_decoder", False) or not _is_causal(base, loaded.limit):
        msg = (
            f"model {name!r} is not causal: what comes after a word changes its state; expected "
            "a decoder such as GPT-2, OPT or Llama."
        )
        raise DataError(msg)
    return loaded


def _without_head(model: Any) -> Any:
    """Return the part of a model that gives its last layer and not its scores."""
    base = getattr(model, "base_model", model)
    if base is model and getattr(model, "get_output_embeddings", lambda: None)() is not None:
        base = model.get_decoder() if hasattr(model, "get_decoder") else None
        if base is None or base is model:
            msg = (
                f"model {type(model).__name__} cannot be told from its head; this kind of model "
                "cannot be read."
            )
            raise DataError(msg)
    return base


def _is_causal(base: Any, limit: int | None) -> bool:
    """Run two tiny texts that differ in their last token: no state before it may differ."""
    import torch

    n_tokens = min(6, limit or 6)
    if n_tokens == 1:
        return True  # nothing can come after the only token
    device = device_of(base.get_input_embeddings())
    ids = torch.arange(n_tokens, device=device).remainder(2).repeat(2, 1)
    ids[:, -1] = torch.arange(2)
    was_training = base.training
    base.eval()
    try:
        with torch.inference_mode():
            last = base(input_ids=ids, use_cache=False, return_dict=True).last_hidden_state
    finally:
        base.train(was_training)
    first, second = last[:, :-1].float()
    # Said so that states that are not numbers pass: they are told of when words are read.
    tolerance = min(1e-3, 100 * torch.finfo(last.dtype).eps) * first.abs().max()
    return not bool((first - second).abs().max() > tolerance)


def _checked_tokenizer(tokenizer: Any) -> Any:
    """Load a tokenizer that is named; refuse what is none."""
    if isinstance(tokenizer, str | os.PathLike):
        return load_tokenizer(find_tokenizer(tokenizer))
    if tokenizer is not None and not callable(tokenizer):
        msg = (
            f"tokenizer is of type {type(tokenizer).__name__}; expected a transformers tokenizer, "
            "or the name or path of one; load it with AutoTokenizer.from_pretrained(...)."
        )
        raise TypeError(msg)
    return tokenizer


def load_tokenizer(files: ModelFiles) -> Any:
    """Load a model's own tokenizer; one without a vocabulary would call every word unknown.

    Raises
    ------
    DataError
        If there is none, or it cannot be loaded.
    """
    from transformers import AutoTokenizer

    with told(files, "the tokenizer of "):
        if files.gguf is not None:
            tokenizer = read_gguf_tokenizer(files.gguf)
        else:
            where, local = locate(files)
            if local and not any(Path(where, name).is_file() for name in TOKENIZER_FILES):
                raise _no_tokenizer(files)
            with quiet(keep_bars=not local):
                tokenizer = AutoTokenizer.from_pretrained(
                    where, local_files_only=local, trust_remote_code=False
                )
    ordinary = set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens)
    if len(ordinary) < _LEAST_VOCABULARY:
        raise _no_tokenizer(files)
    return tokenizer


def _no_tokenizer(files: ModelFiles) -> DataError:
    place = f"folder {files.folder}" if files.folder else files.label
    msg = (
        f"{place} has no tokenizer, or one without a vocabulary; expected tokenizer.json (or "
        "tokenizer.model, or vocab.json and merges.txt); copy it there, or pass tokenizer= one."
    )
    return DataError(msg)


def _check_spread(files: ModelFiles) -> None:
    if files.gguf is not None:
        msg = f"{files.label} is a GGUF file, which device='auto' cannot spread; name a device."
        raise DataError(msg)
    if find_spec("accelerate") is None:
        msg = (
            "device='auto' needs the package accelerate, which is not installed; run "
            "pip install 'voxscale[large]', or name a device."
        )
        raise DataError(msg)


def _load_weights(files: ModelFiles, where: str, dtype: Any, *, local: bool, spread: bool) -> Any:
    from transformers import AutoModelForCausalLM

    # Attention is left to transformers: scaled_dot_product_attention where a model has it.
    with quiet(keep_bars=not local):
        model, report = AutoModelForCausalLM.from_pretrained(
            where,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=local,
            trust_remote_code=False,
            output_loading_info=True,
            **({"device_map": "auto"} if spread else {}),
        )
    prefix = f"{model.base_model_prefix}."
    missing = sorted(name for name in report["missing_keys"] if name.startswith(prefix))
    if missing:
        msg = (
            f"{files.label} lacks {len(missing)} of its weights ({missing[0]} for one), "
            "which would be random numbers; expected a complete model; save or download it again."
        )
        raise DataError(msg)
    return model
