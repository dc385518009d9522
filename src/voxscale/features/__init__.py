"""Moments in time → vectors: states of language models at words, and what is simpler than they.

That is what a sound is like, which phones are heard, and how long and how frequent words are.

Importing this folder loads neither torch nor transformers; a model does, when it is used.
"""

from voxscale.features._context import Contexts, Window, plan_windows
from voxscale.features._cost import LanguageCost, plan_language_states
from voxscale.features._extractor import Extractor, extractor
from voxscale.features._flux import spectral_flux
from voxscale.features._language import language_states
from voxscale.features._language_extractor import LanguageExtractor
from voxscale.features._model_table import ModelFacts, known_models, model_facts
from voxscale.features._modulation import modulation_power
from voxscale.features._phone_table import ARTICULATIONS, PHONES
from voxscale.features._phones import articulation, phone_one_hot, phone_rate
from voxscale.features._pitch import pitch
from voxscale.features._sound import envelope, mel_bands, sound_features
from voxscale.features._speech import speech_states
from voxscale.features._speech_extractor import SpeechClip, SpeechExtractor
from voxscale.features._speech_windows import SpeechWindows
from voxscale.features._static import Embedding, read_embedding, static_embeddings
from voxscale.features._word_rate import word_rate
from voxscale.features._word_timing import pauses, story_position
from voxscale.features._words import word_length, zipf_frequency

__all__ = [
    "ARTICULATIONS",
    "PHONES",
    "Contexts",
    "Embedding",
    "Extractor",
    "LanguageCost",
    "LanguageExtractor",
    "ModelFacts",
    "SpeechClip",
    "SpeechExtractor",
    "SpeechWindows",
    "Window",
    "articulation",
    "envelope",
    "extractor",
    "known_models",
    "language_states",
    "mel_bands",
    "model_facts",
    "modulation_power",
    "pauses",
    "phone_one_hot",
    "phone_rate",
    "pitch",
    "plan_language_states",
    "plan_windows",
    "read_embedding",
    "sound_features",
    "spectral_flux",
    "speech_states",
    "static_embeddings",
    "story_position",
    "word_length",
    "word_rate",
    "zipf_frequency",
]
