"""Every error that voxscale raises for something its user can mend.

::

    VoxscaleError
    ├── ConfigError          the study file; names the field and the line
    ├── DataError            a file is missing, truncated, or not what it says
    │   └── AlignmentError   two things do not share time, runs or voxels   (also ValueError)
    ├── FitError             the numbers cannot be had: not finite, no validation data
    └── StoreError           a result exists but cannot be read, or cannot be written

Bad *arguments* of a function stay ``ValueError`` and ``TypeError``.
A message says what is wrong with the value, what was expected, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "AlignmentError",
    "ConfigError",
    "DataError",
    "FitError",
    "StoreError",
    "VoxscaleError",
    "VoxscaleWarning",
    "did_you_mean",
]


class VoxscaleError(Exception):
    """Base of every error that voxscale raises on purpose."""


class ConfigError(VoxscaleError):
    """A study file has a field that cannot be used; names the field and the line."""


class DataError(VoxscaleError):
    """A file is missing, truncated, or not what it says it is."""


class AlignmentError(DataError, ValueError):
    """Two things do not share time, runs or voxels."""


class FitError(VoxscaleError):
    """The numbers cannot be had: not finite, or no data to choose by."""


class StoreError(VoxscaleError):
    """A result exists but cannot be read, or cannot be written."""


class VoxscaleWarning(UserWarning):
    """Something was left out or repaired, counted once and aloud."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a message that names the closest of the known names.

    Parameters
    ----------
    name : str
        What was asked for.
    known : iterable of str

    Returns
    -------
    str
        Such as ``" (did you mean 'demo01'?)"``; empty where none is close.
    """
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
