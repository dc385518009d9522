"""What is typed on the command line, as functions take it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from voxscale.cli._option_names import as_options
from voxscale.errors import ConfigError, VoxscaleError

__all__ = ["as_devices", "as_layers", "mistakes", "tr_times_of"]

_MOST_TRS = 10**6


@contextmanager
def mistakes(also: Mapping[str, str] | None = None) -> Iterator[None]:
    """Turn what a function says of its arguments into a message of the command line.

    ``also`` has more phrases for :func:`as_options`.
    """
    try:
        yield
    except VoxscaleError as error:
        raise type(error)(as_options(str(error), also)) from error
    except (TypeError, ValueError) as error:
        raise ConfigError(as_options(str(error), also)) from error


def as_layers(text: str) -> Any:
    """Read layers: all, or numbers with commas."""
    if text in ("all", ""):
        return text or []
    try:
        return [int(one) for one in text.split(",")]
    except ValueError as error:
        msg = f"--layers is {text!r}; expected all, or numbers with commas, such as 0,9,15."
        raise ConfigError(msg) from error


def as_devices(text: str | None) -> Any:
    """Read a device, or several with commas."""
    if text is None or "," not in text:
        return text
    return [one.strip() for one in text.split(",")]


def tr_times_of(story: str, end_s: float, tr_s: float, folder: Path | None) -> Any:
    """Take a story's TRs from its report, or make them up, from the onset of the sound on."""
    from voxscale.data import TRReport, read_tr_report

    if not 0 < tr_s < math.inf:
        msg = f"--tr is {tr_s}; expected finite seconds above 0, such as 2."
        raise ConfigError(msg)
    if folder is not None and not folder.is_dir():
        msg = f"--tr-reports is {folder}, which is no folder; expected one of STORY.report files."
        raise ConfigError(msg)
    if folder is not None:
        return read_tr_report(folder / f"{story}.report").tr_times
    if end_s / tr_s > _MOST_TRS:
        msg = f"--tr is {tr_s} s, so that story {story!r} would have over a million TRs; raise it."
        raise ConfigError(msg)
    return TRReport.simulated(max(2, math.ceil(end_s / tr_s)), tr_s=tr_s).tr_times
