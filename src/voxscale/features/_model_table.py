"""How large a model is, by its name: from a table, or from its configuration."""

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
from voxscale.features._third_party import quiet

__all__ = ["ModelFacts", "known_models", "model_facts"]


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
        Every weight with the head, embeddings included, shared ones counted once.
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


def known_models() -> dict[str, ModelFacts]:
    """List the models of the table.

    Returns
    -------
    dict of ModelFacts by id
        By family, then by parameters, then by id.

    Examples
    --------
    >>> known_models()["facebook/opt-125m"].n_params
    125239296
    """
    return dict(_table())


def model_facts(model: str | os.PathLike[str]) -> ModelFacts:
    """Say how large a model is, without its weights.

    A model of the table is found by its hub name, or by the part of it after the slash; case
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
    files = find_model(model)
    if files.packaged is not None:
        return replace(_table()[files.packaged.like], id=files.name)
    if files.hub is None:
        return _from_config(files)
    if (row := _row(files.hub)) is not None:
        return row
    try:
        return _from_config(files)
    except DataError as error:
        names = [name for id in _table() for name in (id, _short(id))]
        msg = (
            f"{str(error).rstrip('.')}; the table of models has none of this name"
            f"{did_you_mean(files.hub, names)}."
        )
        raise DataError(msg) from error


@cache
def _table() -> dict[str, ModelFacts]:
    text = (package_files("voxscale.features") / "models.toml").read_text(encoding="utf-8")
    rows = [ModelFacts(**row) for row in tomllib.loads(text)["models"]]
    return {row.id: row for row in rows}


def _row(name: str) -> ModelFacts | None:
    """Find a model of the table; a short name that two models have is no name."""
    name = name.lower()
    found = [row for id, row in _table().items() if name in (id.lower(), _short(id).lower())]
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
