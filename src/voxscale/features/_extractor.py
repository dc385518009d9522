"""What turns transcripts into features, found by name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from voxscale import plugins
from voxscale.arrays import EventSeries
from voxscale.data import Transcript
from voxscale.errors import DataError
from voxscale.features._language_extractor import LanguageExtractor

if TYPE_CHECKING:
    import torch

__all__ = ["Extractor", "extractor"]


@runtime_checkable
class Extractor(Protocol):
    """What an extractor must offer; plugins of the group "extractors" are such classes."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """Everything that can change the numbers, beside words and contexts; JSON-able."""
        ...

    def extract(
        self,
        transcripts: Mapping[str, Transcript],
        layers: Sequence[int],
        *,
        min_context: int,
        max_context: int,
    ) -> Mapping[Any, Mapping[str, EventSeries]]:
        """Return the states of each layer for each run.

        Parameters
        ----------
        transcripts : mapping of run to Transcript
        layers : sequence of int
            0 is the first.
        min_context, max_context : int
            In words, the current one included.

        Returns
        -------
        mapping of layer to mapping of run to EventSeries
            ``values`` of shape (n_words, n_dims), float32; ``times`` of shape (n_words,), the
            middle of each word, in seconds.

        Raises
        ------
        ValueError
            If a layer does not exist, or the contexts are impossible.
        DataError
            If a word gives no vector, or a context is longer than the model can take.
        """
        ...


def extractor(
    model: str | os.PathLike[str],
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    batch_size: int | None = None,
    policy: str = "growing",
    word_vector: str = "last",
    protocol: str | None = None,
) -> Extractor:
    """Find an extractor: a plugin of that name, else a language model.

    Parameters
    ----------
    model : str or path
        Name of a plugin ("echo" is a tiny one for tests), or a model as in
        `language_states`.
    device, dtype, batch_size, policy, word_vector, protocol
        For a language model; see `language_states`. A plugin is made without arguments:
        ``device`` and ``batch_size``, which change no numbers, are left aside, the others
        are refused.

    Returns
    -------
    Extractor

    Raises
    ------
    DataError
        If ``model`` is a path and nothing usable is there, or a plugin is no extractor.
    ValueError
        If a plugin is given anything else.

    Examples
    --------
    >>> extractor("echo").identity
    {'model': 'echo', 'recipe': 1}
    """
    if isinstance(model, str) and model in plugins.names("extractors"):
        given = {
            "dtype": dtype is not None,
            "policy": policy != "growing",
            "word_vector": word_vector != "last",
            "protocol": protocol is not None,
        }
        refused = [name for name, is_given in given.items() if is_given]
        if refused:
            msg = (
                f"extractor {model!r} is a plugin, which takes no {' or '.join(refused)}; "
                "leave it out."
            )
            raise ValueError(msg)
        return _made(model)
    return LanguageExtractor(
        model if isinstance(model, str) else Path(model),
        device=device,
        dtype=dtype,
        batch_size=batch_size,
        policy=policy,
        word_vector=word_vector,
        protocol=protocol,
    )


def _made(name: str) -> Extractor:
    plugin = plugins.find("extractors", name)
    made = plugin() if callable(plugin) else None
    if not isinstance(made, Extractor):
        msg = (
            f"extractor {name!r} is not one: {plugin!r} is no class, or its objects lack identity "
            "or extract; expected a class, called with no arguments, whose objects have both (see "
            "voxscale.features.Extractor); mend the plugin."
        )
        raise DataError(msg)
    return made
