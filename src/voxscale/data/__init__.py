"""Read, check and name what was heard and how the brain responded.

TextGrids, word tables, TR reports and responses are read into a `Transcript`, a `TRReport`
and a `TRSeries`; a `Dataset` holds them for one subject. A file that is missing, truncated or
not what it says raises a `DataError` that names the place and what to do.
"""

from voxscale.data._audio import Audio, audio_duration_s, read_audio
from voxscale.data._card import DatasetCard
from voxscale.data._dataset import Dataset, check_subject
from voxscale.data._dataset_file import dataset_name, find_dataset, is_dataset_file
from voxscale.data._gentle import read_gentle
from voxscale.data._heard import check_heard, check_run
from voxscale.data._known_datasets import dataset_card, dataset_subjects, datasets, load
from voxscale.data._outlines import Outline
from voxscale.data._pycortex import PycortexSubject
from voxscale.data._pycortex_filestore import read_pycortex_subject
from voxscale.data._pycortex_volume import VoxelTransform
from voxscale.data._released import (
    Entry,
    StandIn,
    StreamedArray,
    convert_released,
    inspect_released,
    read_released,
    stream_released,
)
from voxscale.data._responses import check_responses, read_responses
from voxscale.data._shared_stories import with_stories_of
from voxscale.data._surface_mesh import FlatSurface, SurfaceMesh, read_surface, side_by_side
from voxscale.data._textgrid import Interval, Point, TextGrid, Tier, read_textgrid
from voxscale.data._tr_report import TRReport, read_tr_report
from voxscale.data._transcript import BAD_WORDS, Transcript, read_transcript
from voxscale.data.bids import BIDS
from voxscale.data.lebel2023 import LeBel2023
from voxscale.data.littleprince import LittlePrince
from voxscale.data.narratives import Narratives

__all__ = [
    "BAD_WORDS",
    "BIDS",
    "Audio",
    "Dataset",
    "DatasetCard",
    "Entry",
    "FlatSurface",
    "Interval",
    "LeBel2023",
    "LittlePrince",
    "Narratives",
    "Outline",
    "Point",
    "PycortexSubject",
    "StandIn",
    "StreamedArray",
    "SurfaceMesh",
    "TRReport",
    "TextGrid",
    "Tier",
    "Transcript",
    "VoxelTransform",
    "audio_duration_s",
    "check_heard",
    "check_responses",
    "check_run",
    "check_subject",
    "convert_released",
    "dataset_card",
    "dataset_name",
    "dataset_subjects",
    "datasets",
    "find_dataset",
    "inspect_released",
    "is_dataset_file",
    "load",
    "read_audio",
    "read_gentle",
    "read_pycortex_subject",
    "read_released",
    "read_responses",
    "read_surface",
    "read_textgrid",
    "read_tr_report",
    "read_transcript",
    "side_by_side",
    "stream_released",
    "with_stories_of",
]
