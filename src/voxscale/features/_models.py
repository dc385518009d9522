"""Find a model by what its user calls it, and say which one it is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from voxscale.data._files import kind_of, present
from voxscale.errors import DataError, VoxscaleError, did_you_mean
from voxscale.features._packaged import PACKAGED, Kind, Packaged, packaged_names, prepare
from voxscale.features._third_party import quiet
from voxscale.store import hash_file, key_of

__all__ = [
    "TOKENIZER_FILES",
    "ModelFiles",
    "find_model",
    "find_tokenizer",
    "identify",
    "locate",
    "n_layers_of",
    "n_positions_of",
    "read_config",
    "short_name",
    "size_of",
    "text_config",
    "told",
]

# What configurations call the number of positions; rotary and learned ones alike.
_LIMITS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")
_SCALED_BY_LENGTH = ("longrope", "dynamic")
_UNSCALED = "original_max_position_embeddings"
_WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model",
    "sentencepiece.bpe.model", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "merges.txt",
)  # fmt: skip
# What the published scripts called models of the hub.
_SPEECH_NAMES = {
    "hubert-base": "facebook/hubert-base-ls960",
    "hubert-large": "facebook/hubert-large-ll60k",
    "hubert-xlarge": "facebook/hubert-xlarge-ll60k",
    **{f"wavlm-{size}": f"microsoft/wavlm-{size}" for size in ("base", "base-plus", "large")},
    **{
        f"whisper-{size}": f"openai/whisper-{size}"
        for size in ("tiny", "small", "medium", "large")  # whisper-base is packaged
    },
}
# They can change the numbers.
_THAT_COUNT: dict[Kind, tuple[str, ...]] = {
    "language": ("config.json", *TOKENIZER_FILES, *_WEIGHTS),
    "speech": ("config.json", "preprocessor_config.json", "processor_config.json", *_WEIGHTS),
}


@dataclass(frozen=True)
class ModelFiles:
    """Where a model is.

    Parameters
    ----------
    name : str
        For errors and identities.
    folder, gguf : Path, optional
        A local folder, or a GGUF file.
    packaged : Packaged, optional
    hub : str, optional
        Name on the Hugging Face hub. Exactly one of these four is given.
    kind : "language" or "speech"
        What it is asked to read.
    """

    name: str
    folder: Path | None = None
    gguf: Path | None = None
    packaged: Packaged | None = None
    hub: str | None = None
    kind: Kind = "language"

    @property
    def label(self) -> str:
        """What errors call it: its name, and where it lies."""
        place = self.folder or self.gguf
        return f"model {self.name!r} in {place.parent}" if place else f"model {self.name!r}"


def find_model(model: str | os.PathLike[str], kind: Kind = "language") -> ModelFiles:
    """Find a model by packaged name, GGUF file, local folder or hub name, in this order.

    Parameters
    ----------
    model : str or path
    kind : "language" or "speech"
        What it shall read; a packaged model of the other kind is refused.

    Returns
    -------
    ModelFiles

    Raises
    ------
    DataError
        If it is a path and nothing usable is there, pointers of git-annex and Git LFS
        included, or it cannot be looked at; or a packaged model is of the other kind.
    """
    name = os.fspath(model)
    if isinstance(model, str) and name in PACKAGED:
        row = PACKAGED[name]
        if row.kind != kind:
            msg = (
                f"model {name!r} is a {row.kind} model; expected a {kind} model, such as "
                f"{packaged_names(kind)[0]!r}; for this one use {row.kind}_states."
            )
            raise DataError(msg)
        return ModelFiles(name, packaged=row, kind=kind)
    path, there = kind_of(name or "no name")
    if there == "link":
        present(path)  # says where the link leads
    if there == "file":
        if path.suffix.lower() != ".gguf":
            expected = "a GGUF file (*.gguf) or a model's folder"
            if kind == "speech":
                expected = "a model's folder"
            msg = f"model {name!r} is a file; expected {expected}; name that."
            raise DataError(msg)
        return ModelFiles(path.name, gguf=present(path).absolute(), kind=kind)
    if there == "folder":
        _check_folder(path, kind)
        return ModelFiles(path.resolve().name, folder=path.absolute(), kind=kind)
    looks_like_a_path = (
        not isinstance(model, str)
        or name.startswith((".", "~", os.sep))
        or name.lower().endswith(".gguf")
        or name.count("/") > 1
    )
    if looks_like_a_path or not name:
        msg = (
            f"there is no model at {name!r}; expected a folder with config.json and safetensors, "
            f"{_gguf(kind)}a hub name, or a packaged model ({', '.join(packaged_names(kind))}); "
            "check the path."
        )
        raise DataError(msg)
    name = _SPEECH_NAMES.get(name, name) if kind == "speech" else name
    return ModelFiles(name, hub=name, kind=kind)


def short_name(model: str) -> str:
    """Return what the published scripts called a speech model: for others, the name's last part."""
    short = {hub: name for name, hub in _SPEECH_NAMES.items()}
    return short.get(model, Path(model).name or "model")


def find_tokenizer(tokenizer: str | os.PathLike[str]) -> ModelFiles:
    """Find a tokenizer as `find_model` finds a model; a folder needs no weights.

    Parameters
    ----------
    tokenizer : str or path

    Returns
    -------
    ModelFiles

    Raises
    ------
    DataError
        If it is a path and nothing usable is there.
    """
    path, kind = kind_of(tokenizer)
    if tokenizer in PACKAGED or not os.fspath(tokenizer) or kind != "folder":
        return find_model(tokenizer)
    for file in _files(path, ("config.json", *TOKENIZER_FILES)):
        present(file)
    return ModelFiles(path.absolute().name, folder=path.absolute())


def identify(files: ModelFiles) -> dict[str, str]:
    """Say which model this is, by content: the same wherever its files lie.

    Parameters
    ----------
    files : ModelFiles

    Returns
    -------
    dict
        ``model``, the name; and ``sha256`` of config, tokenizer and weights, or for a hub
        model ``commit``, that of its snapshot.

    Raises
    ------
    DataError
        If the files, or the commit, cannot be had.
    """
    if files.packaged is not None:
        return {"model": files.name, "sha256": files.packaged.sha256}
    if files.gguf is not None:
        return {"model": files.name, "sha256": _hash_once(files.gguf)}
    if files.folder is not None:
        files_that_count = _files(files.folder, _THAT_COUNT[files.kind])
        hashes = {file.name: _hash_once(file) for file in files_that_count}
        return {"model": files.name, "sha256": key_of(hashes)}
    with told(files), quiet(keep_bars=True):
        from huggingface_hub import hf_hub_download

        # A hub file lies in a folder named after its commit; without a network, in the cache.
        commit = Path(hf_hub_download(str(files.hub), "config.json")).parent.name
    return {"model": files.name, "commit": commit}


def read_config(files: ModelFiles) -> Any:
    """Read a model's configuration without its weights.

    Parameters
    ----------
    files : ModelFiles

    Returns
    -------
    transformers configuration

    Raises
    ------
    DataError
        If it cannot be had, or is damaged, or a language model was asked for and it has an
        encoder.
    """
    from transformers import AutoConfig

    with told(files), quiet(keep_bars=files.hub is not None):
        if files.gguf is not None:
            return AutoConfig.from_pretrained(
                files.gguf.parent, gguf_file=files.gguf.name, local_files_only=True
            )
        where, local = locate(files)
        config = AutoConfig.from_pretrained(where, local_files_only=local, trust_remote_code=False)
    if files.kind == "language" and getattr(config, "is_encoder_decoder", False):
        # Its decoder alone would load, and give states though it hears and reads nothing.
        msg = (
            f"{files.label} ({config.model_type}) is an encoder with a decoder; expected a decoder "
            "alone, such as GPT-2, OPT or Llama; for a model of speech use speech_states."
        )
        raise DataError(msg)
    return config


def size_of(files: ModelFiles) -> tuple[int, int]:
    """Say how large a model's states are, without its weights.

    Parameters
    ----------
    files : ModelFiles

    Returns
    -------
    n_layers : int
        The embeddings included.
    n_dims : int
        Of every layer.

    Raises
    ------
    DataError
        If its configuration cannot be had.
    """
    if files.packaged is not None:
        return files.packaged.n_layers, files.packaged.n_dims
    config = read_config(files)
    return n_layers_of(config), int(text_config(config).hidden_size)


def n_layers_of(config: Any) -> int:
    """Layers of a model, the embeddings included."""
    return int(text_config(config).num_hidden_layers) + 1


def n_positions_of(config: Any) -> int | None:
    """Tokens that a model has positions for; None if there is no limit.

    Where rotary positions are scaled by the length of the text, a longer one would change the
    states of its first words: such a model has those positions that it has without.
    """
    config = text_config(config)
    rotary = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    if rotary.get("rope_type", rotary.get("type")) in _SCALED_BY_LENGTH:
        unscaled = getattr(config, _UNSCALED, None) or rotary.get(_UNSCALED)
        if isinstance(unscaled, int):
            return unscaled
    for name in _LIMITS:
        limit = getattr(config, name, None)
        if isinstance(limit, int) and limit > 0:
            return limit
    return None


def text_config(config: Any) -> Any:
    """Return the part of a configuration that is about text."""
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def _files(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """List files of a folder, links that lead nowhere included."""
    try:
        files = sorted(folder.iterdir())
    except OSError as error:
        msg = f"model folder {folder} cannot be read ({error.strerror}); was it moved?"
        raise DataError(msg) from error
    return [file for file in files if any(fnmatchcase(file.name, one) for one in patterns)]


def _check_folder(folder: Path, kind: Kind) -> None:
    for file in _files(folder, _THAT_COUNT[kind]):
        present(file)

    def has(pattern: str) -> bool:
        return any(folder.glob(pattern))

    if not has("config.json"):
        other = next(folder.glob("*.gguf"), None)
        hint = f"name the file {other}" if other else "check the path"
        msg = f"folder {folder} has no config.json; expected a saved transformers model; {hint}."
        raise DataError(msg)
    if not has("*.safetensors"):
        pickled = next((p for p in ("*.bin", "*.pt", "*.pth") if has(p)), None)
        found = f"weights only as {pickled}, which can run code when read" if pickled else "none"
        msg = (
            f"folder {folder} has no safetensors weights ({found}); convert them to safetensors: "
            "load where you trust them, then model.save_pretrained(folder)."
        )
        raise DataError(msg)


def locate(files: ModelFiles) -> tuple[str, bool]:
    """Find what from_pretrained is given, converting a packaged model the first time.

    Parameters
    ----------
    files : ModelFiles
        A folder, a packaged model or a hub name.

    Returns
    -------
    where : str
        A folder or a hub name.
    local : bool
        Whether the network must not be asked.

    Raises
    ------
    DataError
        If a packaged model is not installed.
    StoreError
        If it cannot be converted, because the cache cannot be written.
    """
    if files.hub is not None:
        return files.hub, False
    folder = prepare(files.packaged) if files.packaged is not None else files.folder
    return str(folder), True


@contextmanager
def told(files: ModelFiles, what: str = "") -> Iterator[None]:
    """Turn whatever stops a model from loading into an error that says what to do."""
    try:
        yield
    except (VoxscaleError, MemoryError):
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = lines[0].rstrip(".")
        remedy = (
            f"check the name and the connection, or name a local folder, {_gguf(files.kind)}or a "
            f"packaged model ({', '.join(packaged_names(files.kind))})"
            if files.hub is not None
            else "the files may be damaged, or of a kind that this version cannot read"
        )
        hint = did_you_mean((files.hub or "").lower(), packaged_names(files.kind))
        msg = f"{what}{files.label} cannot be loaded{hint}: {reason}; {remedy}."
        raise DataError(msg) from error


def _gguf(kind: Kind) -> str:
    """Offer what holds a language model alone, in a list."""
    return "a GGUF file, " if kind == "language" else ""


def _hash_once(file: Path) -> str:
    try:
        facts = file.stat()
    except OSError as error:
        msg = f"model file {file} cannot be read ({error.strerror}); was it moved?"
        raise DataError(msg) from error
    return _hash_of(str(file), facts.st_size, facts.st_mtime_ns)


@cache
def _hash_of(path: str, size: int, mtime_ns: int) -> str:
    return hash_file(path)
