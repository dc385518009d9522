"""Language models in GGUF files: read, and converted to safetensors."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from voxscale.errors import DataError
from voxscale.features._third_party import disk_errors, quiet

__all__ = ["convert_gguf", "read_gguf", "read_gguf_tokenizer"]


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


def convert_gguf(path: Path, folder: Path) -> None:
    """Save a GGUF model as half-precision safetensors, with its tokenizer.

    They load in a second where the GGUF takes a quarter of a minute.

    Parameters
    ----------
    path : Path
        The GGUF file.
    folder : Path
        Where to save.

    Raises
    ------
    DataError
        If the packages that read GGUF are not installed.
    OSError
        If the folder cannot be written.
    """
    import torch
    from transformers import AutoModelForCausalLM

    loaded, tokenizer = read_gguf(path)
    # A model loaded from GGUF counts as quantised and refuses to be saved; its twin does not.
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with quiet(), torch.random.fork_rng(devices=[]), disk_errors():
        twin = AutoModelForCausalLM.from_config(config)
        twin.load_state_dict(loaded.state_dict())
        twin.half().save_pretrained(folder)
        tokenizer.save_pretrained(folder)


@contextmanager
def _gguf_quiet() -> Iterator[None]:
    # This one progress bar heeds no setting of transformers.
    with quiet(), redirect_stderr(io.StringIO()):
        yield


def _gguf_arguments(path: Path) -> dict[str, Any]:
    return {"gguf_file": path.name, "local_files_only": True, "trust_remote_code": False}
