"""Moments in time → vectors: states of language models at words, and how fast words come.

Importing this folder loads neither torch nor transformers; a model does, when it is used.
"""

from voxscale.features._context import Contexts, Window, plan_windows
from voxscale.features._extractor import Extractor, extractor
from voxscale.features._language import LanguageExtractor, language_states
from voxscale.features._model_table import ModelFacts, known_models, model_facts
from voxscale.features._word_rate import word_rate

__all__ = [
    "Contexts",
    "Extractor",
    "LanguageExtractor",
    "ModelFacts",
    "Window",
    "extractor",
    "known_models",
    "language_states",
    "model_facts",
    "plan_windows",
    "word_rate",
]
