"""What functions call their arguments, said as the options of ``voxscale features``."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["as_options"]

# Where more than a name differs; the first that fits counts.
_PHRASES = {
    "pass resample=True": "give --resample",
    "say normalize=True or False": "give --normalize or --no-normalize",
    "normalize is for models": "--normalize is for models",
    "leave normalize out": "leave --normalize out",
    "1 or more windows, or None": "1 or more windows",
    "layers is empty": "--layers is empty",
    "pass tier= its name or number": "give --tier its name",
    "pass tier= one of": "give --tier one of",
    "tier is": "--tier is",
    "leave tier out": "leave --tier out",
    "for this one use language_states": "for this one use voxscale features language",
    "for this one use speech_states": "for this one use voxscale features speech",
    "for a model of speech use speech_states": "for a model of speech use voxscale features speech",
    "are read by language_states": "are read by voxscale features language",
}
_NAMES = {
    "batch_size": "--batch-size",
    "chunk_s": "--chunk",
    "context_s": "--context",
    "full_context": "--full-context",
    "max_context": "--max-context",
    "min_context": "--min-context",
    "pad_silence": "--pad-silence",
    "stride_s": "--stride",
    "trim_padding": "--trim-padding",
    "word_vector": "--word-vector",
}
_NO_PATH = r"(?<![\w/\\.'\"-]){}(?![\w/\\.'\"=-]\w)"  # neither part of a name nor of a path
_VALUES = re.compile(r"(?<![\w/])(dtype|device)='(\w+)'")


def as_options(message: str, also: Mapping[str, str] | None = None) -> str:
    """Say in options what a function says of its arguments.

    Parameters
    ----------
    message : str
    also : mapping of str to str, optional
        More phrases, which come before the others.

    Returns
    -------
    str
        Parts of paths are left as they are.
    """
    for phrase, said in {**(also or {}), **_PHRASES, **_NAMES}.items():
        message = re.sub(_NO_PATH.format(re.escape(phrase)), said, message)
    return _VALUES.sub(r"--\1 \2", message)
