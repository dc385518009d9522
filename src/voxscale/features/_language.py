"""States of a causal language model at every word of a story, all layers in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from voxscale.arrays import EventSeries
from voxscale.data import Transcript
from voxscale.features._context import Contexts
from voxscale.features._passes import check_word_vector
from voxscale.features._reading import Asked, Layers, Progress, open_models, read_states
from voxscale.features._runs import ONLY, as_runs

if TYPE_CHECKING:
    import torch

    from voxscale.features._reading import Devices

__all__ = ["language_states"]


@overload
def language_states(
    transcript: Transcript,
    model: Any,
    *,
    layers: Layers = ...,
    min_context: int = ...,
    max_context: int = ...,
    device: Devices = ...,
    dtype: str | torch.dtype | None = ...,
    batch_size: int | None = ...,
    tokenizer: Any = ...,
    policy: str = ...,
    word_vector: str = ...,
    extras: Sequence[str] = ...,
    protocol: str | None = ...,
    progress: Progress | None = ...,
) -> dict[int | str, EventSeries]: ...
@overload
def language_states(
    transcript: Mapping[str, Transcript],
    model: Any,
    *,
    layers: Layers = ...,
    min_context: int = ...,
    max_context: int = ...,
    device: Devices = ...,
    dtype: str | torch.dtype | None = ...,
    batch_size: int | None = ...,
    tokenizer: Any = ...,
    policy: str = ...,
    word_vector: str = ...,
    extras: Sequence[str] = ...,
    protocol: str | None = ...,
    progress: Progress | None = ...,
) -> dict[int | str, dict[str, EventSeries]]: ...
def language_states(
    transcript: Transcript | Mapping[str, Transcript],
    model: Any,
    *,
    layers: Layers = "all",
    min_context: int = 256,
    max_context: int = 512,
    device: Devices = None,
    dtype: str | torch.dtype | None = None,
    batch_size: int | None = None,
    tokenizer: Any = None,
    policy: str = "growing",
    word_vector: str = "last",
    extras: Sequence[str] = (),
    protocol: str | None = None,
    progress: Progress | None = None,
) -> dict[int | str, EventSeries] | dict[int | str, dict[str, EventSeries]]:
    """Read the hidden states of a causal language model at every word of a story.

    Each word is read in a context of the words before it. By default the context starts at
    the story's first word and grows until it holds ``max_context`` words, the current one
    included; the next word starts over with ``min_context`` words, and the context grows
    again. So every word after the first ``max_context`` sees between ``min_context`` and
    ``max_context`` words, and a story of N words costs
    ``1 + ceil((N - max_context) / (max_context - min_context + 1))`` passes, or one.

    Parameters
    ----------
    transcript : Transcript, or mapping of run to Transcript
        A mapping loads the model once.
    model : str, path, or loaded transformers model
        Name on the Hugging Face hub, local folder, GGUF file, or the short name of a
        packaged model ("smollm2", "gemma3-270m"). Only safetensors and GGUF are read, no
        code of the model's own is run, and the network is used for hub names alone.
    layers : "all" or sequence of int
        0 is the embeddings; there are one more than the model has layers. The last is
        taken after the final norm, as transformers counts. Blocks above the highest one
        asked for are not run. May be empty where there are extras.
    min_context, max_context : int
        In words, the current one included.
    device : str, torch.device or sequence of them, optional
        Default: cuda where there is one, else cpu. Several share the windows, each with a
        copy of the model. "auto" spreads one model over all GPUs and the machine's memory.
    dtype : str or torch.dtype, optional
        For the computation; float32 by default; float16 and bfloat16 save memory,
        float64 takes twice as much.
    batch_size : int, optional
        Windows in a batch. By default as many as memory and speed suggest; halved where
        memory runs out. It does not change the states beyond rounding.
    tokenizer : transformers tokenizer, str or path, optional
        Default: the model's own. Needed for a loaded model. A name or a path is found as
        that of a model is; a folder need hold no more than the tokenizer.
    policy : {"growing", "sliding", "full", "sentence"}
        growing: as above. sliding: every word after exactly ``max_context - 1`` others, at
        the cost of a pass a word. full: from the story's first word for as long as the model
        has positions, then growing from ``min_context`` words until they are full again.
        sentence: growing, but from the sentence's first word (. ? ! … end one).
    word_vector : {"last", "first", "mean"}
        Read a word at the last or the first of the tokens that hold its characters, or take
        their mean.
    extras : sequence of {"surprisal", "entropy", "context_length"}
        From the same passes: the sum over each word's tokens of how unexpected they were,
        and of how uncertain the model was, in bits (NaN for a word that begins its context,
        where the tokenizer has no start token); and how many words a word was read after,
        itself included.
    protocol : {None, "huth2023"}
        "huth2023": contexts of the published code, which are one or two words longer
        and count blank words and a lone ``'s`` as parts of the word before them.
    progress : callable, optional
        Called with the passes done and their total after every batch.

    Returns
    -------
    mapping of layer (and extra) to EventSeries, or to mapping of run to EventSeries
        ``values`` of shape (n_words, n_dims), float32, one column for an extra; ``times``
        the middle of each word, in seconds.

    Raises
    ------
    DataError
        If the model cannot be loaded or is not causal, a window holds more tokens than
        it has positions or than fit into memory, a word gives no token, or a state is not
        finite.
    ValueError
        If a layer, the contexts, the policy, the protocol, the device or the dtype do not
        exist.
    TypeError
        If an argument is of a kind that cannot be used, such as a list of words.

    Notes
    -----
    The words are joined with single spaces and tokenised once, without special tokens.
    A token belongs to the word or words whose characters it covers; the space before a
    word is the word's. Windows are slices of these tokens, each after the tokens that the
    tokenizer puts at the start of a text, or else its ``bos`` token, if it has one.

    References
    ----------
    Antonello, Vaidya & Huth 2023, Scaling laws for language encoding models in fMRI,
    NeurIPS 36.
    """
    contexts = Contexts(policy, min_context, max_context, protocol)
    check_word_vector(word_vector, protocol)
    asked = Asked(layers, extras, batch_size)
    runs = as_runs(transcript)
    models = open_models(model, device=device, dtype=dtype, tokenizer=tokenizer)
    states = read_states(models, runs, asked, contexts, word_vector, progress)
    if isinstance(transcript, Mapping):
        return states
    return {name: by_run[ONLY] for name, by_run in states.items()}
