"""Which layers of a model are asked for."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Literal

__all__ = ["choose_layers"]


def choose_layers(
    layers: Sequence[int] | Literal["all"],
    n_layers: int,
    *,
    may_be_empty: bool = False,
    first: str = "the embeddings",
    model: str = "",
) -> list[int]:
    """Return the layers asked for as plain numbers.

    Parameters
    ----------
    layers : sequence of int, or "all"
    n_layers : int
        How many there are, layer 0 included.
    may_be_empty : bool
        Whether there is something else to read.
    first : str
        What layer 0 is.
    model : str
        What errors call the model, such as "model 'gpt2'".

    Raises
    ------
    ValueError
        If none is asked for, or one does not exist.
    TypeError
        If it is no sequence, or a layer is not a whole number.
    """
    if isinstance(layers, str):
        if layers == "all":
            return list(range(n_layers))
        msg = f"layers is {layers!r}; expected 'all' or a list of layers 0 to {n_layers - 1}."
        raise ValueError(msg)
    if not isinstance(layers, Iterable):
        msg = f"layers is {layers!r}; expected 'all' or a list such as [1]."
        raise TypeError(msg)
    chosen = []
    for layer in layers:
        try:
            number = operator.index(layer)
        except TypeError as error:
            msg = f"layer {layer!r} is of type {type(layer).__name__}; expected a whole number."
            raise TypeError(msg) from error
        if not 0 <= number < n_layers:
            where = f" in {model}" if model else ""
            msg = (
                f"layer {number} does not exist{where}; expected 0 ({first}) to {n_layers - 1} "
                "(the last); negative numbers are not counted from the end."
            )
            raise ValueError(msg)
        chosen.append(number)
    if not chosen and not may_be_empty:
        msg = f"layers is empty; name at least one of 0 to {n_layers - 1}, or say 'all'."
        raise ValueError(msg)
    return list(dict.fromkeys(chosen))
