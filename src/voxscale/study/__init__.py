"""A sweep over layers, contexts and training stories: described, planned, run, collected.

A study is a table of cells; running it fills those that are missing. Only this folder reads
and writes results.
"""

from voxscale.study._along import ScoresAlong
from voxscale.study._cells import Cell
from voxscale.study._collect import results
from voxscale.study._config import Study
from voxscale.study._extract import LanguageExtraction, extract_language, read_extracted
from voxscale.study._extract_speech import (
    extract_speech,
    extract_speech_npz,
    read_extracted_speech,
)
from voxscale.study._extracted import Extracted
from voxscale.study._fit_settings import AlphaRange, ChunkCV, Fit
from voxscale.study._orphans import Orphan, Orphans
from voxscale.study._plan import Plan, Status, plan, status
from voxscale.study._power import POWER_AXES, StoryScores, story_scores_along
from voxscale.study._progress import Progress, duration
from voxscale.study._protocol import Protocol
from voxscale.study._prune import orphans, prune
from voxscale.study._results import Results
from voxscale.study._run import RunSummary, run
from voxscale.study._settings import (
    Baselines,
    Design,
    Evaluate,
    Features,
    Speech,
    StoryLists,
    Sweep,
)
from voxscale.study._sounds import SpeechProgress
from voxscale.study._speech_extraction import SpeechExtraction
from voxscale.study._speech_npz import SpeechNpz

__all__ = [
    "POWER_AXES",
    "AlphaRange",
    "Baselines",
    "Cell",
    "ChunkCV",
    "Design",
    "Evaluate",
    "Extracted",
    "Features",
    "Fit",
    "LanguageExtraction",
    "Orphan",
    "Orphans",
    "Plan",
    "Progress",
    "Protocol",
    "Results",
    "RunSummary",
    "ScoresAlong",
    "Speech",
    "SpeechExtraction",
    "SpeechNpz",
    "SpeechProgress",
    "Status",
    "StoryLists",
    "StoryScores",
    "Study",
    "Sweep",
    "duration",
    "extract_language",
    "extract_speech",
    "extract_speech_npz",
    "orphans",
    "plan",
    "prune",
    "read_extracted",
    "read_extracted_speech",
    "results",
    "run",
    "status",
    "story_scores_along",
]
