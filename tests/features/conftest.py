"""Tokenizers of every kind, trained here on a few lines, and tiny random models."""

from __future__ import annotations

import struct
from functools import partial

import numpy as np
import pytest

from voxscale.data import Transcript

CORPUS = [
    "the quick brown fox jumps over the lazy dog and then the dog sleeps while the fox runs",
    "it's not what i'd call an unbelievable story, she said, but they didn't believe me",
    "in 1997 we walked home and talked about rivers; nobody ever locked a door, did they?",
    "das café am straßenrand war geschlossen, и никто не знал почему — 東京 の 夜 🙂 🙃",
]


def _wrap(tokenizer, **special):
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def _byte_bpe(*, trimmed):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=trimmed)
    tokenizer.decoder = decoders.ByteLevel()
    if trimmed:
        tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return _wrap(tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>")


def _tiktoken_like():
    """Split as Llama 3 and Qwen do: words in one piece where known, digits by threes."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors, trainers

    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|begin_of_text|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", 0)]
    )
    return _wrap(tokenizer, bos_token="<|begin_of_text|>")


def _word_piece():
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=300, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return _wrap(tokenizer, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]")


def _unigram(*, dummy_prefix):
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.Unigram())
    scheme = "always" if dummy_prefix else "never"
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    trainer = trainers.UnigramTrainer(
        vocab_size=200, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return _wrap(tokenizer, unk_token="<unk>")


def _llama_like():
    from tokenizers import Tokenizer, models, normalizers, processors, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=tokens, show_progress=False)
    lines = [word for line in CORPUS for word in line.split()]  # no merge crosses a space
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    return _wrap(tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def _crossing():
    """Train merges that cross spaces, so that words share tokens; there is no start token."""
    from tokenizers import Tokenizer, models, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    trainer = trainers.BpeTrainer(vocab_size=250, special_tokens=["<unk>"], show_progress=False)
    tokenizer.train_from_iterator(CORPUS * 2, trainer)
    return _wrap(tokenizer, unk_token="<unk>")


_TOKENIZERS = {
    "byte-level BPE": partial(_byte_bpe, trimmed=False),
    "byte-level BPE, trimmed offsets": partial(_byte_bpe, trimmed=True),
    "WordPiece": _word_piece,
    "tiktoken-style BPE": _tiktoken_like,
    "Unigram": partial(_unigram, dummy_prefix=True),
    "Unigram without a dummy prefix": partial(_unigram, dummy_prefix=False),
    "BPE with byte fallback": _llama_like,
    "BPE across spaces": _crossing,
}


@pytest.fixture(scope="session")
def tokenizers():
    """Return one tokenizer of each kind by name."""
    return {kind: made() for kind, made in _TOKENIZERS.items()}


@pytest.fixture(scope="session", params=_TOKENIZERS)
def tokenizer_kind(request):
    """Return the name of each kind in turn."""
    return request.param


@pytest.fixture(scope="session")
def bpe(tokenizers):
    """Return a GPT-2-like tokenizer."""
    return tokenizers["byte-level BPE"]


_SMALL = {
    "vocab_size": 512, "hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2,
    "num_hidden_layers": 3,
}  # fmt: skip
_KINDS = {
    "gpt2": ("gpt2", {"vocab_size": 512, "n_embd": 16, "n_layer": 2, "n_head": 2}),
    "llama": ("llama", {**_SMALL, "num_key_value_heads": 1}),
    "opt": ("opt", {**_SMALL, "num_hidden_layers": 2, "ffn_dim": 24, "word_embed_proj_dim": 16}),
    "mamba": ("mamba", {**_SMALL, "num_hidden_layers": 2, "state_size": 4}),
    "rwkv": (
        "rwkv", {**_SMALL, "num_hidden_layers": 2, "attention_hidden_size": 16},
    ),
    "mistral": ("mistral", {**_SMALL, "num_key_value_heads": 1, "sliding_window": 8}),
    "gemma3": (
        "gemma3_text",
        {
            **_SMALL, "num_key_value_heads": 1, "head_dim": 8, "sliding_window": 8,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        },
    ),
    "pythia": ("gpt_neox", _SMALL),
    "qwen3": ("qwen3", {**_SMALL, "num_key_value_heads": 1, "head_dim": 8}),
    "gemma2": (
        "gemma2", {**_SMALL, "num_key_value_heads": 1, "head_dim": 8, "sliding_window": 8},
    ),
    "unused window": ("llama", {**_SMALL, "num_key_value_heads": 1, "sliding_window": 8}),
    "gptj": ("gptj", {"vocab_size": 512, "n_embd": 16, "n_layer": 3, "n_head": 2, "rotary_dim": 4}),
    "gpt_neo": (
        "gpt_neo",
        {
            "vocab_size": 512, "hidden_size": 16, "num_layers": 2, "num_heads": 2,
            "window_size": 8, "attention_types": [[["global", "local"], 1]],
        },
    ),
}  # fmt: skip


def _config(kind, n_positions):
    from transformers import AutoConfig

    name, sizes = _KINDS[kind]
    positions = {} if kind in ("mamba", "rwkv") else {"max_position_embeddings": n_positions or 512}
    return AutoConfig.for_model(name, **sizes, **positions)


@pytest.fixture(scope="module")
def tiny_model():
    """Return a maker of small random causal models, dropout included, in training mode."""
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # such small sums are faster alone

    def make(kind="gpt2", n_positions=None, seed=0):
        from transformers import AutoModelForCausalLM

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = AutoModelForCausalLM.from_config(_config(kind, n_positions))
            for parameter in model.parameters():  # larger than usual: differences show
                torch.nn.init.normal_(parameter, std=0.3)
        return model.train()

    yield make
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="session")
def story():
    """Return a maker of transcripts with a word every 0.4 s."""

    def make(words):
        words = words.split() if isinstance(words, str) else list(words)
        onset_s = 0.4 * np.arange(len(words))
        return Transcript(words, onset_s, onset_s + 0.3)

    return make


def _as_ctranslate2(arrays, aliases=(), *, spec="WhisperSpec", version=6, revision=3):
    """Write arrays as CTranslate2 does, written from the description of its format."""
    numbers = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}

    def text(value):
        return struct.pack("<H", len(value.encode()) + 1) + value.encode() + b"\0"

    parts = [struct.pack("<I", version), text(spec), struct.pack("<II", revision, len(arrays))]
    for name, values in arrays.items():
        values = np.asarray(values)
        shape = struct.pack(f"<B{values.ndim}I", values.ndim, *values.shape)
        kind = struct.pack("<BI", numbers[values.dtype.name], values.nbytes)
        parts += [text(name), shape, kind, values.tobytes()]
    parts.append(struct.pack("<I", len(aliases)))
    parts += [text(name) + text(target) for name, target in aliases]
    return b"".join(parts)


@pytest.fixture(scope="session")
def as_ctranslate2():
    """Return a writer of CTranslate2's model.bin: the bytes of named arrays and aliases."""
    return _as_ctranslate2
