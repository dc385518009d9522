"""How unexpected each word is, from a model's output, a few rows of its vocabulary at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import DataError, did_you_mean
from voxscale.features._forward import evaluating, not_finite
from voxscale.features._loading import device_of
from voxscale.features._models import text_config

if TYPE_CHECKING:
    import torch

    from voxscale.features._loading import LanguageModel
    from voxscale.features._passes import Pass

__all__ = [
    "EXTRAS",
    "OF_THE_HEAD",
    "check_extras",
    "check_head",
    "context_lengths",
    "word_information",
]

OF_THE_HEAD = ("surprisal", "entropy")
EXTRAS = (*OF_THE_HEAD, "context_length")
# What configurations call the ways in which some models change their scores.
_TIMES = ("logit_scale", "lm_head_multiplier")  # Cohere, Falcon-H1
_DIVIDED_BY = ("logits_scaling",)  # Granite
_CAPPED_AT = ("final_logit_softcapping", "logits_soft_cap", "output_logit_soft_cap")  # Gemma, …
_ROWS = 128  # tokens whose scores over the vocabulary are held at once


def check_extras(extras: Sequence[str]) -> tuple[str, ...]:
    """Return the names of features beside the layers, each once.

    Raises
    ------
    ValueError
        If one is unknown.
    TypeError
        If they are not a sequence of names.
    """
    if isinstance(extras, str) or not isinstance(extras, Iterable):
        msg = f"extras is {extras!r}; expected a list of names, such as ['surprisal']."
        raise TypeError(msg)
    for name in extras:
        if name not in EXTRAS:
            hint = did_you_mean(str(name), EXTRAS)
            msg = f"extra {name!r} is unknown; choose from {', '.join(EXTRAS)}{hint}."
            raise ValueError(msg)
    return tuple(dict.fromkeys(extras))


def check_head(loaded: LanguageModel) -> None:
    """Raise DataError unless our scores over the vocabulary are those of the model itself.

    Two tokens are run through the whole model: some models scale their scores, or cap them.
    Raises it too if the model's scores are not finite.
    """
    import torch

    if loaded.head is None:
        msg = (
            f"model {loaded.name!r} has no language-modelling head, from which surprisal comes; "
            "pass the causal model itself (AutoModelForCausalLM), or leave extras out."
        )
        raise DataError(msg)
    if "head" in loaded.tried:
        return
    ids = torch.zeros((1, 2), dtype=torch.long, device=loaded.device)
    with torch.inference_mode(), evaluating(loaded.whole):
        theirs = loaded.whole(input_ids=ids, use_cache=False, return_dict=True).logits[0].float()
        hidden = loaded.base(input_ids=ids, use_cache=False, return_dict=True).last_hidden_state[0]
        ours = _scores(loaded, hidden)
    if not bool(theirs.isfinite().all()):
        raise not_finite(loaded, loaded.n_layers - 1)
    wide = max(1e-3, 10 * torch.finfo(hidden.dtype).eps) * theirs.abs().max()
    if not bool((ours - theirs.to(ours.device)).abs().max() <= wide):
        msg = (
            f"model {loaded.name!r} makes its scores over the vocabulary in a way that is not "
            "known here, so that surprisal would be wrong; leave extras out."
        )
        raise DataError(msg)
    loaded.tried["head"] = True


def context_lengths(batch: Sequence[Pass]) -> Array:
    """Return how many words each word is read after, itself included; (n_words, 1) float32."""
    lengths = np.concatenate([one.n_before for one in batch]) + 1
    return lengths.astype(np.float32)[:, None]


def word_information(
    loaded: LanguageModel, batch: Sequence[Pass], output: torch.Tensor
) -> dict[str, Array]:
    """Sum surprisal and entropy over the tokens of each word.

    Parameters
    ----------
    loaded : LanguageModel
    batch : sequence of Pass
    output : tensor of shape (n_windows, n_tokens, n_dims)
        What the model gave for the batch.

    Returns
    -------
    dict of name to array of shape (n_words, 1), float32
        In bits. A token that two words share counts for the first of them. NaN for a word
        that no token comes before.

    Raises
    ------
    DataError
        If the output is not finite.
    """
    import torch

    rows = np.concatenate([np.full(len(one.told), row) for row, one in enumerate(batch)])
    columns = np.concatenate([one.told for one in batch])
    targets = np.concatenate([one.ids[one.told] for one in batch])
    counts = np.concatenate([one.told_counts for one in batch])
    bits = np.full((2, len(rows)), np.nan)
    with torch.inference_mode():
        for first in range(0, len(rows), _ROWS):
            some = slice(first, first + _ROWS)
            where = [
                torch.from_numpy(index).to(output.device)
                for index in (rows[some], np.maximum(columns[some] - 1, 0))
            ]
            log_p = _scores(loaded, output[where[0], where[1]]).log_softmax(-1)
            target = torch.from_numpy(targets[some]).to(log_p.device)
            bits[0, some] = -log_p.gather(1, target[:, None])[:, 0].cpu().numpy()
            bits[1, some] = -(log_p.exp() * log_p).nan_to_num(0).sum(-1).cpu().numpy()
    bits[:, columns == 0] = 0
    if not np.isfinite(bits).all():
        raise not_finite(loaded, loaded.n_layers - 1, batch)
    bits[:, columns == 0] = np.nan
    word = np.repeat(np.arange(len(counts)), counts)
    found = {}
    for name, one in zip(OF_THE_HEAD, bits, strict=True):
        sums = np.bincount(word, weights=one, minlength=len(counts)) / np.log(2)
        found[name] = sums.astype(np.float32)[:, None]
    return found


def _scores(loaded: LanguageModel, hidden: torch.Tensor) -> torch.Tensor:
    """Scores over the vocabulary, (n_tokens, n_vocabulary) float32."""
    head: Any = loaded.head
    scores: torch.Tensor = head(hidden.to(device_of(head))).float()
    config = text_config(loaded.config)
    for name in _TIMES:
        scores = scores * (getattr(config, name, None) or 1)
    for name in _DIVIDED_BY:
        scores = scores / (getattr(config, name, None) or 1)
    for name in _CAPPED_AT:
        if cap := getattr(config, name, None):
            scores = cap * (scores / cap).tanh()
    return scores
