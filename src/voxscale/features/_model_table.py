"""How large a model is, by its name: from its table, or from its configuration."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files as package_files
from typing import Any

from voxscale.errors import DataError, did_you_mean
from voxscale.features._models import (
    ModelFiles,
    find_model,
    n_layers_of,
    n_positions_of,
    read_config,
    text_config,
    told,
)
from voxscale.features._packaged import PACKAGED, Kind
from voxscale.features._third_party import quiet

__all__ = ["ModelFacts", "known_models", "model_facts"]

_TABLES: dict[Kind, str] = {"language": "models.toml", "speech": "speech_models.toml"}


@dataclass(frozen=True)
class ModelFacts:
    """How large a model is, and what it was trained on.

    Parameters
    ----------
    id : str
        Its name on the hub, or that of its folder or file.
    family : str
        Models of one kind, which differ above all in size, such as "opt". For a model that is
        not in the table, the ``model_type`` of its configuration.
    n_params : int
        Every weight with the head, embeddings included, shared ones counted once. Of a speech
        model, every weight of the part that hears; of Whisper, that is its encoder.
    n_layers : int
        The embeddings included.
    n_dims : int
        Of a layer.
    n_positions : int, optional
        Tokens that a text may have. None if there is no limit.
    n_tokens : int, optional
        Tokens it was trained on, repeats included. None if nobody says.
    """

    id: str
    family: str
    n_params: int
    n_layers: int
    n_dims: int
    n_positions: int | None = None
    n_tokens: int | None = None


def known_models(kind: Kind = "language") -> dict[str, ModelFacts]:
    """List the models of a table.

    Parameters
    ----------
    kind : "language" or "speech"

    Returns
    -------
    dict of ModelFacts by id
        By family, then by parameters, then by id.

    Raises
    ------
    ValueError
        If there is no such kind.

    Examples
    --------
    >>> known_models()["facebook/opt-125m"].n_params
    125239296
    """
    if kind not in _TABLES:
        msg = f"kind is {kind!r}; expected one of {', '.join(map(repr, _TABLES))}."
        raise ValueError(msg)
    return dict(_table(kind))


def model_facts(model: str | os.PathLike[str]) -> ModelFacts:
    """Say how large a model is, without its weights.

    A model of either table is found by its hub name, or by the part of it after the slash; case
    does not matter. Any other is read from its configuration, which a hub name may fetch. A
    file or folder of that name goes first, as it does when states are extracted.

    Parameters
    ----------
    model : str or path
        Hub name, folder, GGUF file or packaged model, as in ``language_states``.

    Returns
    -------
    ModelFacts

    Raises
    ------
    DataError
        If it is not in the table, and its configuration cannot be had, or is not that of a
        causal language model.

    Examples
    --------
    >>> model_facts("gpt2-xl").n_layers
    49
    """
    if isinstance(model, str) and model in PACKAGED:
        packaged = PACKAGED[model]
        return replace(_table(packaged.kind)[packaged.like], id=model)
    files = find_model(model)
    if files.hub is None:
        return _from_config(files)
    if (row := _row(files.hub)) is not None:
        return row
    try:
        return _from_config(files)
    except DataError as error:
        names = [name for id in _every() for name in (id, _short(id))]
        msg = (
            f"{str(error).rstrip('.')}; the table of models has none of this name"
            f"{did_you_mean(files.hub, names)}."
        )
        raise DataError(msg) from error


@cache
def _table(kind: Kind) -> dict[str, ModelFacts]:
    text = (package_files("voxscale.features") / _TABLES[kind]).read_text(encoding="utf-8")
    rows = [ModelFacts(**row) for row in tomllib.loads(text)["models"]]
    return {row.id: row for row in rows}


def _every() -> dict[str, ModelFacts]:
    """Return the models of all tables; none is in two."""
    return {id: row for kind in _TABLES for id, row in _table(kind).items()}


def _row(name: str) -> ModelFacts | None:
    """Find a model of a table; a short name that two models have is no name."""
    name = name.lower()
    found = [row for id, row in _every().items() if name in (id.lower(), _short(id).lower())]
    return found[0] if len(found) == 1 else None


def _short(id: str) -> str:
    return id.rpartition("/")[2]


def _from_config(files: ModelFiles) -> ModelFacts:
    config = read_config(files)
    with told(files):
        return ModelFacts(
            id=files.name,
            family=str(config.model_type),
            n_params=_n_params(config),
            n_layers=n_layers_of(config),
            n_dims=int(text_config(config).hidden_size),
            n_positions=n_positions_of(config),
        )


def _n_params(config: Any) -> int:
    """Count the weights of the part that reads text, of which none is made."""
    import torch
    from transformers import AutoModelForCausalLM

    with quiet(), torch.device("meta"):
        model = AutoModelForCausalLM.from_config(text_config(config), trust_remote_code=False)
    return sum(weight.numel() for weight in model.parameters())
