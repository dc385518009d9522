"""Read, check and name what was heard and how the brain responded.

TextGrids, word tables, TR reports and responses are read into a `Transcript`, a `TRReport`
and a `TRSeries`; a `Dataset` holds them for one subject. A file that is missing, truncated or
not what it says raises a `DataError` that names the place and what to do.
"""

from voxscale.data._audio import Audio, audio_duration_s, read_audio
from voxscale.data._dataset import Dataset, check_heard, check_run, check_subject, datasets, load
from voxscale.data._dataset_file import dataset_name, find_dataset, is_dataset_file
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
from voxscale.data._textgrid import Interval, Point, TextGrid, Tier, read_textgrid
from voxscale.data._tr_report import TRReport, read_tr_report
from voxscale.data._transcript import BAD_WORDS, Transcript, read_transcript

__all__ = [
    "BAD_WORDS",
    "Audio",
    "Dataset",
    "Entry",
    "Interval",
    "Point",
    "StandIn",
    "StreamedArray",
    "TRReport",
    "TextGrid",
    "Tier",
    "Transcript",
    "audio_duration_s",
    "check_heard",
    "check_responses",
    "check_run",
    "check_subject",
    "convert_released",
    "dataset_name",
    "datasets",
    "find_dataset",
    "inspect_released",
    "is_dataset_file",
    "load",
    "read_audio",
    "read_released",
    "read_responses",
    "read_textgrid",
    "read_tr_report",
    "read_transcript",
    "stream_released",
]
