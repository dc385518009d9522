"""How many tokens to run at once: as many as gain speed, and fit into memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voxscale.arrays._memory import available_bytes
from voxscale.features._forward import evaluating
from voxscale.features._models import text_config
from voxscale.features._parts import can_split

if TYPE_CHECKING:
    from voxscale.features._loading import LanguageModel

__all__ = ["LEAST_TOKENS", "tokens_per_batch"]

LEAST_TOKENS = 8  # of a window's part; where not even these fit, nothing does
# More tokens at once gain no speed, on a CPU they lose some; memory bounds them too.
_COMFORTABLE_TOKENS = {"cpu": 1024, "cuda": 65536}
_SHARE = 0.5  # of the free memory


def tokens_per_batch(loaded: LanguageModel, longest: int) -> int:
    """Choose how many tokens to run at once.

    On a GPU the longest window is run once, and the memory it takes is measured; elsewhere
    it is reckoned from the width of the model.

    Parameters
    ----------
    loaded : LanguageModel
    longest : int
        Tokens of the longest window.

    Returns
    -------
    int
        A power of two windows of that length; less than one window where one does not seem to
        fit, and can be run in parts.
    """
    device = loaded.device
    comfortable = _COMFORTABLE_TOKENS.get(device.type, _COMFORTABLE_TOKENS["cpu"])
    known_up_to, per_token = loaded.tried.get("bytes", (0, 0.0))
    if longest > known_up_to:
        per_token = (_probe if device.type == "cuda" else _reckon)(loaded, longest)
        loaded.tried["bytes"] = longest, per_token
    fits = max(2 * LEAST_TOKENS, int(_SHARE * available_bytes(device) / per_token))
    if fits < longest:
        return fits if can_split(loaded) else longest
    n_windows = max(1, min(fits, comfortable) // longest)
    return longest * (1 << (n_windows.bit_length() - 1))


def _probe(loaded: LanguageModel, longest: int) -> float:
    """Measure the bytes that a token of a long window takes on a GPU."""
    import torch

    device, n_tokens = loaded.device, longest
    while True:
        ids = torch.zeros((1, n_tokens), dtype=torch.long, device=device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        try:
            with torch.inference_mode(), evaluating(loaded.base):
                loaded.base(input_ids=ids, use_cache=False, return_dict=True)
        except torch.OutOfMemoryError:
            if n_tokens <= LEAST_TOKENS:
                raise
            n_tokens //= 2
        else:
            used = torch.cuda.max_memory_allocated(device) - before
            return max(1, used) / n_tokens
        torch.cuda.empty_cache()


def _reckon(loaded: LanguageModel, longest: int) -> float:
    """Bytes of a token: a dozen vectors, and its scores of attention where kept whole."""
    config = text_config(loaded.config)
    width = int(config.hidden_size)
    inner = int(np.max(getattr(config, "intermediate_size", None) or 4 * width))
    per_token = 12 * width + 3 * inner
    if getattr(config, "_attn_implementation", "") == "eager":
        per_token += 2 * longest * int(getattr(config, "num_attention_heads", 1))
    return per_token * int(loaded.base.dtype.itemsize)
