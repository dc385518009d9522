"""A study as callers give it: described, or the path of its file."""

from __future__ import annotations

from pathlib import Path

from voxscale.study._config import Study

__all__ = ["as_study"]


def as_study(study: Study | str | Path) -> Study:
    """Return a study, read from its file where a path is given.

    Raises
    ------
    TypeError
        If it is neither.
    ConfigError
        As :meth:`Study.from_toml`.
    """
    if isinstance(study, Study):
        return study
    if isinstance(study, str | Path):
        return Study.from_toml(study)
    msg = (
        f"study is {repr(study)[:60]}; expected a Study, or the path of a "
        'study file, such as "study.toml".'
    )
    raise TypeError(msg)
