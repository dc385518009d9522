"""Find a language model by what its user calls it, and say which one it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from voxscale.errors import DataError, VoxscaleError
from voxscale.features._packaged import PACKAGED, Packaged, prepare, quiet
from voxscale.store import hash_file, key_of

__all__ = [
    "TOKENIZER_FILES",
    "ModelFiles",
    "find_model",
    "identify",
    "locate",
    "n_layers_of",
    "read_config",
    "size_of",
    "text_config",
    "told",
]

# Files of a folder that can change the numbers.
_WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model",
    "sentencepiece.bpe.model", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "merges.txt",
)  # fmt: skip


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
    """

    name: str
    folder: Path | None = None
    gguf: Path | None = None
    packaged: Packaged | None = None
    hub: str | None = None


def find_model(model: str | os.PathLike[str]) -> ModelFiles:
    """Find a model by packaged name, GGUF file, local folder or hub name, in this order.

    Raises
    ------
    DataError
        If it is a path and nothing usable is there.
    """
    name = os.fspath(model)
    if isinstance(model, str) and name in PACKAGED:
        return ModelFiles(name, packaged=PACKAGED[name])
    path = Path(name or "no name").expanduser()
    if path.is_file():
        if path.suffix.lower() != ".gguf":
            msg = f"model {name!r} is a file; expected a GGUF file (*.gguf) or a model's folder."
            raise DataError(msg)
        return ModelFiles(path.name, gguf=path.absolute())
    if path.is_dir():
        _check_folder(path)
        return ModelFiles(path.absolute().name, folder=path.absolute())
    looks_like_a_path = (
        not isinstance(model, str)
        or name.startswith((".", "~", os.sep))
        or name.lower().endswith(".gguf")
        or name.count("/") > 1
    )
    if looks_like_a_path or not name:
        msg = (
            f"there is no model at {name!r}; expected a folder with config.json and safetensors, "
            f"a GGUF file, a hub name, or a packaged model ({', '.join(PACKAGED)}); check the path."
        )
        raise DataError(msg)
    return ModelFiles(name, hub=name)


def identify(files: ModelFiles) -> dict[str, str]:
    """Say which model this is, by content: the same wherever its files lie.

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
        patterns = ("config.json", *TOKENIZER_FILES, *_WEIGHTS)
        found = sorted({file for pattern in patterns for file in files.folder.glob(pattern)})
        hashes = {file.name: _hash_once(file) for file in found}
        return {"model": files.name, "sha256": key_of(hashes)}
    with told(files):
        from huggingface_hub import hf_hub_download

        # A hub file lies in a folder named after its commit; without a network, in the cache.
        commit = Path(hf_hub_download(str(files.hub), "config.json")).parent.name
    return {"model": files.name, "commit": commit}


def read_config(files: ModelFiles) -> Any:
    """Read a model's configuration without its weights."""
    from transformers import AutoConfig

    with told(files), quiet(keep_bars=files.hub is not None):
        if files.gguf is not None:
            return AutoConfig.from_pretrained(
                files.gguf.parent, gguf_file=files.gguf.name, local_files_only=True
            )
        where, local = locate(files)
        return AutoConfig.from_pretrained(where, local_files_only=local, trust_remote_code=False)


def size_of(files: ModelFiles) -> tuple[int, int]:
    """Return the number of layers, the embeddings included, and of dimensions; load nothing."""
    if files.packaged is not None:
        return files.packaged.n_layers, files.packaged.n_dims
    config = read_config(files)
    return n_layers_of(config), int(text_config(config).hidden_size)


def n_layers_of(config: Any) -> int:
    """Layers of a model, the embeddings included."""
    return int(text_config(config).num_hidden_layers) + 1


def text_config(config: Any) -> Any:
    """Return the part of a configuration that is about text."""
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def _check_folder(folder: Path) -> None:
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
    """Return what from_pretrained is given, and whether it must not ask the network."""
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
        remedy = (
            "check the name and the connection, or name a local folder, a GGUF file, or a "
            f"packaged model ({', '.join(PACKAGED)})"
            if files.hub is not None
            else "the files may be damaged, or of a kind that this version cannot read"
        )
        msg = f"{what}model {files.name!r} cannot be loaded: {lines[0]}; {remedy}."
        raise DataError(msg) from error


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
