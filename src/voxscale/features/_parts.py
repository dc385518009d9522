"""One window in parts, each after the keys and values of the parts before it."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.features._forward import evaluating

if TYPE_CHECKING:
    import torch

    from voxscale.arrays import Array
    from voxscale.features._loading import LanguageModel
    from voxscale.features._passes import Pass

_PROBE = 8  # tokens

__all__ = ["Parts", "can_split", "split"]


def can_split(loaded: LanguageModel) -> bool:
    """Tell whether a model can go on from where it stopped, by keys and values.

    A few tokens are run as a whole and in two parts: models differ in what they keep.
    """
    import torch

    base, device = loaded.base, loaded.device
    if "past_key_values" not in inspect.signature(base.forward).parameters:
        return False
    ids = torch.arange(_PROBE, device=device).remainder(2)[None]
    cache = _cache()
    with torch.inference_mode(), evaluating(base):
        try:
            whole = base(input_ids=ids, use_cache=False, return_dict=True).last_hidden_state
            for part in ids.chunk(2, dim=1):
                last = base(input_ids=part, past_key_values=cache, use_cache=True, return_dict=True)
        except Exception:  # whatever a model says to a cache that is not its own
            return False
    second = whole[:, _PROBE // 2 :].float()
    far = (last.last_hidden_state.float() - second).abs().max()
    return bool(far <= min(0.1, 1000 * torch.finfo(whole.dtype).eps) * second.abs().max())


def split(one: Pass, n_tokens: int) -> list[Pass]:
    """Cut a pass between words, into parts of ``n_tokens`` where words allow it.

    Parameters
    ----------
    one : Pass
    n_tokens : int

    Returns
    -------
    list of Pass
        Together they hold the tokens of ``one``, in order, and read its words, each in one
        part. Parts of context alone read none.
    """
    first_of, last_of = _reach(one)
    uncut = np.zeros(len(one) + 1, dtype=np.int64)
    np.add.at(uncut, first_of + 1, 1)
    np.add.at(uncut, last_of + 1, -1)
    cuts = np.flatnonzero(np.cumsum(uncut) == 0)  # a cut at t: token t begins a part
    parts, begin = [], 0
    while begin < len(one):
        end = int(cuts[np.searchsorted(cuts, begin + n_tokens, side="right") - 1])
        if end <= begin:
            end = int(cuts[np.searchsorted(cuts, begin, side="right")])
        words = range(*np.searchsorted(first_of, [begin, end]).tolist())
        parts.append(_part(one, begin, end, words))
        begin = end
    return parts


class Parts:
    """What a model keeps between the parts of one window.

    Parameters
    ----------
    loaded : LanguageModel
    """

    def __init__(self, loaded: LanguageModel) -> None:
        self._cache = _cache()
        self._device = loaded.device
        self._n_tokens = 0
        self._before: torch.Tensor | None = None

    def arguments(self, part: Pass) -> dict[str, Any]:
        """Return what the model is called with beside the tokens of the next part."""
        import torch

        self._n_tokens += len(part)
        mask = torch.ones((1, self._n_tokens), dtype=torch.long, device=self._device)
        return {"attention_mask": mask, "past_key_values": self._cache, "use_cache": True}

    def joined(
        self, batch: Sequence[Pass], output: torch.Tensor
    ) -> tuple[Sequence[Pass], torch.Tensor]:
        """Put the token before a part, and the model's output at it, in front of the part.

        From that output the part's first token was to be guessed.
        """
        import torch

        [part] = batch
        before, self._before = self._before, output[:, -1:]
        if before is None:
            return batch, output
        ids = np.concatenate([[0], part.ids])
        longer = replace(part, ids=ids, positions=part.positions + 1, told=part.told + 1)
        return [longer], torch.cat([before.to(output.device), output], dim=1)


def _cache() -> Any:
    """Return an empty cache that keeps everything; the model's mask says what is seen of it."""
    from transformers import DynamicCache

    return DynamicCache()


def _reach(one: Pass) -> tuple[Array, Array]:
    """First and last token that each word of a pass is read at, or told by."""
    firsts, lasts = _ends(one.positions, one.counts)
    told = one.told_counts > 0
    told_firsts, told_lasts = _ends(one.told, one.told_counts[told])
    firsts[told] = np.minimum(firsts[told], told_firsts)
    lasts[told] = np.maximum(lasts[told], told_lasts)
    return firsts, lasts


def _ends(positions: Array, counts: Array) -> tuple[Array, Array]:
    stops = np.cumsum(counts)
    return positions[stops - counts].copy(), positions[stops - 1].copy()


def _part(one: Pass, begin: int, end: int, words: range) -> Pass:
    chosen = slice(words.start, words.stop)
    return replace(
        one,
        ids=one.ids[begin:end],
        words=one.words[chosen],
        positions=_of_words(one.positions, one.counts, words) - begin,
        counts=one.counts[chosen],
        told=_of_words(one.told, one.told_counts, words) - begin,
        told_counts=one.told_counts[chosen],
        n_before=one.n_before[chosen],
    )


def _of_words(positions: Array, counts: Sequence[int] | Array, words: range) -> Array:
    starts = np.concatenate([[0], np.cumsum(counts)])
    return positions[starts[words.start] : starts[words.stop]]
