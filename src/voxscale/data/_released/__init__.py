"""Files that joblib and pickle wrote, read as data: nothing that they name is run."""

from voxscale.data._released._convert import convert_released
from voxscale.data._released._inspect import Entry, inspect_released
from voxscale.data._released._read import read_released
from voxscale.data._released._stream import StreamedArray, stream_released
from voxscale.data._released._values import StandIn

__all__ = [
    "Entry",
    "StandIn",
    "StreamedArray",
    "convert_released",
    "inspect_released",
    "read_released",
    "stream_released",
]
