"""Whisper models as CTranslate2 keeps them, turned into those of transformers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import DataError
from voxscale.features._ctranslate2 import read_ctranslate2
from voxscale.features._third_party import disk_errors, quiet

__all__ = ["build_whisper", "convert_whisper"]

_START, _END = "<|startoftranscript|>", "<|endoftext|>"
# A row per module: its name in transformers, its name in CTranslate2, and which of how many
# parts of that it is: there the matrices of one input are stacked.
_ATTENTION = (
    ("self_attn_layer_norm", "self_attention/layer_norm", 0, 1),
    ("self_attn.q_proj", "self_attention/linear_0", 0, 3),
    ("self_attn.k_proj", "self_attention/linear_0", 1, 3),
    ("self_attn.v_proj", "self_attention/linear_0", 2, 3),
    ("self_attn.out_proj", "self_attention/linear_1", 0, 1),
    ("final_layer_norm", "ffn/layer_norm", 0, 1),
    ("fc1", "ffn/linear_0", 0, 1),
    ("fc2", "ffn/linear_1", 0, 1),
)
_CROSS_ATTENTION = (
    ("encoder_attn_layer_norm", "attention/layer_norm", 0, 1),
    ("encoder_attn.q_proj", "attention/linear_0", 0, 1),
    ("encoder_attn.k_proj", "attention/linear_1", 0, 2),
    ("encoder_attn.v_proj", "attention/linear_1", 1, 2),
    ("encoder_attn.out_proj", "attention/linear_2", 0, 1),
)
_BLOCK = {"encoder": _ATTENTION, "decoder": _ATTENTION + _CROSS_ATTENTION}
_AROUND = {
    "encoder": (("conv1", "conv1", 0, 1), ("conv2", "conv2", 0, 1)),
    "decoder": (),
}
_EMBEDDINGS = {
    "encoder.embed_positions": "encoder/position_encodings/encodings",
    "decoder.embed_positions": "decoder/position_encodings/encodings",
    "decoder.embed_tokens": "decoder/embeddings/weight",
}
_SCORES = "decoder/projection/weight"  # the embeddings of tokens once more
# What transformers takes for granted in a Whisper: norms first, the exact GELU (number 3).
_GRANTED = {
    "decoder/pre_norm": 1, "decoder/activation": 3, "decoder/alibi": 0,
    "decoder/scale_embeddings": 0, "decoder/start_from_zero_embedding": 0,
}  # fmt: skip
_UNUSED = ("decoder/alignment_heads", "decoder/alignment_layer")  # for times of words
_FLOATS = (np.dtype("<f2"), np.dtype("<f4"))


def convert_whisper(path: Path, folder: Path) -> None:
    """Save a Whisper model of CTranslate2 as transformers does, its weights as they are.

    Parameters
    ----------
    path : Path
        A ``model.bin``.
    folder : Path
        Where to save; the model's tokenizer.json lies there.

    Raises
    ------
    DataError
        If the file is damaged, or no Whisper, or one with quantised weights.
    OSError
        If the folder cannot be written.
    """
    from transformers import WhisperFeatureExtractor, WhisperTokenizerFast

    arrays = read_ctranslate2(path, "WhisperSpec")
    with quiet(), disk_errors():
        tokenizer = WhisperTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
        start, end = tokenizer.convert_tokens_to_ids([_START, _END])
        model = build_whisper(arrays, start=start, end=end, source=str(path))
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        hears = WhisperFeatureExtractor(feature_size=model.config.num_mel_bins)
        hears.save_pretrained(folder)


def build_whisper(arrays: Mapping[str, Array], *, start: int, end: int, source: str) -> Any:
    """Build a transformers Whisper from the arrays of CTranslate2.

    Parameters
    ----------
    arrays : mapping
        By CTranslate2's names; none may be missing or left over.
    start, end : int
        The tokens that a transcript starts and ends with.
    source : str
        What errors call the arrays.

    Returns
    -------
    WhisperForConditionalGeneration
        Its weights are copies, of the dtype that they had.

    Raises
    ------
    DataError
        If they are not those of a Whisper.
    """
    import torch
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    found = _Found(arrays, source)
    weights = dict(found.weights())
    found.check_rest()
    config = WhisperConfig(
        **found.sizes(max(start, end)),
        decoder_start_token_id=start,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        begin_suppress_tokens=None,  # its default knows one vocabulary only
    )
    with torch.device("meta"):  # no weight is made
        model = WhisperForConditionalGeneration(config)
    expected = {name: tuple(weight.shape) for name, weight in model.model.state_dict().items()}
    for name in sorted(expected | weights):
        shape = weights[name].shape if name in weights else None
        if shape != expected.get(name):
            found.fail(f"the shape of {name} is {shape} where {expected.get(name)} belongs")
    state = {
        name: torch.from_numpy(np.array(weight, weight.dtype.newbyteorder("=")))
        for name, weight in weights.items()
    }
    model.model.load_state_dict(state, assign=True)
    model.tie_weights()
    return model.eval()


class _Found:
    """The arrays of a file, and those of them that have not been asked for."""

    def __init__(self, arrays: Mapping[str, Array], source: str) -> None:
        self.arrays, self.source = arrays, source
        self.left = set(arrays)

    def array(self, name: str) -> Array:
        if name not in self.arrays:
            self.fail(f"{name!r} is not there")
        self.left.discard(name)
        return self.arrays[name]

    def weight(self, name: str) -> Array:
        values = self.array(name)
        if values.dtype not in _FLOATS:
            self.fail(f"{name!r} is {values.dtype.name}, where float16 or float32 belongs")
        return values

    def scalar(self, name: str) -> int:
        values = self.array(name)
        if values.shape or values.dtype.kind != "i":
            self.fail(f"{name!r} is {values.dtype.name} of shape {values.shape}, not a number")
        return int(values)

    def n_blocks(self, side: str) -> int:
        n_blocks = 0
        while f"{side}/layer_{n_blocks}/ffn/linear_0/weight" in self.arrays:
            n_blocks += 1
        return n_blocks

    def sizes(self, last_token: int) -> dict[str, int]:
        """Find what WhisperConfig is told; the shapes are checked against the model itself."""
        n_dims, n_bands = self.shape("encoder/conv1/weight", 3)[:2]
        n_tokens = self.shape(_EMBEDDINGS["decoder.embed_tokens"], 2)[0]
        if last_token >= n_tokens:
            self.fail(f"it knows {n_tokens} tokens, and its tokenizer token {last_token}")
        sizes = {"d_model": n_dims, "num_mel_bins": n_bands, "vocab_size": n_tokens}
        for side, which in (("encoder", "source"), ("decoder", "target")):
            n_heads = self.scalar(f"{side}/num_heads")
            if n_heads < 1 or n_dims % n_heads:
                self.fail(f"{n_dims} dimensions cannot be shared by {n_heads} heads")
            sizes |= {
                f"{side}_layers": self.n_blocks(side),
                f"{side}_attention_heads": n_heads,
                f"{side}_ffn_dim": self.shape(f"{side}/layer_0/ffn/linear_0/weight", 2)[0],
                f"max_{which}_positions": self.shape(_EMBEDDINGS[f"{side}.embed_positions"], 2)[0],
            }
        return sizes

    def shape(self, name: str, n_axes: int) -> tuple[int, ...]:
        shape = self.array(name).shape
        if len(shape) != n_axes:
            self.fail(f"{name!r} has {len(shape)} axes where {n_axes} belong")
        return tuple(shape)

    def weights(self) -> Iterator[tuple[str, Array]]:
        """Yield weights by their names in transformers."""
        for target, source in _EMBEDDINGS.items():
            yield f"{target}.weight", self.weight(source)
        for side, rows in _BLOCK.items():
            for row in (*_AROUND[side], ("layer_norm", "layer_norm", 0, 1)):
                yield from self.module(side, side, *row)
            for block in range(self.n_blocks(side)):
                for row in rows:
                    yield from self.module(f"{side}.layers.{block}", f"{side}/layer_{block}", *row)

    def module(
        self, into: str, out_of: str, target: str, source: str, part: int, n_parts: int
    ) -> Iterator[tuple[str, Array]]:
        """Yield the weight and the bias of one module."""
        names = ("gamma", "beta") if source.endswith("layer_norm") else ("weight", "bias")
        for name, own in zip(names, ("weight", "bias"), strict=True):
            whole = f"{out_of}/{source}/{name}"
            values = self.weight(whole)
            if not values.ndim or len(values) % n_parts:
                self.fail(f"{whole!r} of shape {values.shape} is not {n_parts} parts")
            n_rows = len(values) // n_parts
            values = values[part * n_rows : (part + 1) * n_rows]
            if target.endswith("k_proj") and own == "bias":
                if np.any(values):
                    self.fail(f"{whole!r} has a bias for keys, where zeros belong")
                continue  # transformers has none
            yield f"{into}.{target}.{own}", values

    def check_rest(self) -> None:
        """Check what transformers takes for granted, and that nothing else is there."""
        for name, granted in _GRANTED.items():
            if name in self.arrays and (value := self.scalar(name)) != granted:
                self.fail(f"{name!r} is {value} where {granted} belongs")
        tokens = self.array(_EMBEDDINGS["decoder.embed_tokens"])
        if (scores := self.array(_SCORES)) is not tokens and not np.array_equal(scores, tokens):
            self.fail(f"{_SCORES!r} differs from the embeddings of tokens")
        self.left.difference_update(_UNUSED, ("encoder/num_heads", "decoder/num_heads"))
        if self.left:
            self.fail(f"{min(self.left)!r} is there, which no Whisper has")

    def fail(self, what: str) -> NoReturn:
        msg = (
            f"{self.source}: {what}; expected the arrays of a Whisper model in float16 or "
            "float32; convert the original model again."
        )
        raise DataError(msg)
