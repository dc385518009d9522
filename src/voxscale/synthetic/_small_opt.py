"""A language model of the OPT family with random weights, for examples that need no download."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from voxscale.store import folder_aside

__all__ = ["write_small_opt"]

_BEGIN = "</s>"  # with which OPT's tokenizer begins every text
_N_LAYERS, _N_DIMS, _N_POSITIONS = 4, 32, 1024


def write_small_opt(folder: Path, texts: Sequence[str], *, seed: int = 0) -> Path:
    """Write a folder that `voxscale.language_states` takes for a model.

    Parameters
    ----------
    folder : Path
    texts : sequence of str
        What the tokenizer is trained on.
    seed : int
        Of the weights.

    Returns
    -------
    Path
        The folder.
    """
    import torch
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import OPTConfig, OPTModel, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<pad>", _BEGIN],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{_BEGIN} $A", special_tokens=[(_BEGIN, tokenizer.token_to_id(_BEGIN))]
    )
    config = OPTConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=_N_DIMS,
        word_embed_proj_dim=_N_DIMS,
        ffn_dim=2 * _N_DIMS,
        num_attention_heads=4,
        num_hidden_layers=_N_LAYERS,
        max_position_embeddings=_N_POSITIONS,
        bos_token_id=tokenizer.token_to_id(_BEGIN),
        eos_token_id=tokenizer.token_to_id(_BEGIN),
        pad_token_id=tokenizer.token_to_id("<pad>"),
    )
    with torch.random.fork_rng(), folder_aside(folder) as aside:
        torch.manual_seed(seed)
        weights = OPTModel(config).state_dict()
        save_file(weights, aside / "model.safetensors", metadata={"format": "pt"})
        config.save_pretrained(aside)
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, bos_token=_BEGIN, eos_token=_BEGIN, pad_token="<pad>"
        ).save_pretrained(aside)
    return folder
