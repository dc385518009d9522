"""Whose results a folder holds: two studies in one would overwrite each other's report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from voxscale.errors import ConfigError, StoreError
from voxscale.store import write_aside

if TYPE_CHECKING:
    from pathlib import Path

    from voxscale.study._config import Study

__all__ = ["check_owned", "check_owner", "claim"]

_FILE = "study.json"


def check_owner(study: Study) -> None:
    """Find out whether another study keeps its results in the same folder.

    A folder that does not say whose it is, is anybody's.

    Raises
    ------
    ConfigError
        If the folder holds the results of a study of another name.
    StoreError
        If what it says cannot be read.
    """
    owner = _owner_of(study.out)
    if owner not in (None, study.name):
        msg = (
            f"{study.where('out')}[study] out: {study.out} holds the results of study {owner!r}; "
            f"choose another out, or name this study {owner!r} too."
        )
        raise ConfigError(msg)


def check_owned(study: Study) -> None:
    """Find out whether a study's folder is known to be its own.

    Raises
    ------
    ConfigError
        If it holds the results of a study of another name, or does not say whose.
    StoreError
        If what it says cannot be read.
    """
    check_owner(study)
    if _owner_of(study.out) is None:
        msg = (
            f"{study.where('out')}[study] out: {study.out} does not say whose results it holds "
            f"(there is no {_FILE} in it), so that nothing is removed there; if it is "
            f"this study's, write {json.dumps({'name': study.name})} into that file."
        )
        raise ConfigError(msg)


def claim(study: Study) -> None:
    """Keep the study's name in its folder.

    Raises
    ------
    StoreError
        If it cannot be written there.
    """
    if _owner_of(study.out) is None:
        with write_aside(study.out / _FILE) as temporary:
            temporary.write_text(json.dumps({"name": study.name}), encoding="utf-8")


def _owner_of(folder: Path) -> str | None:
    path = folder / _FILE
    try:
        name = json.loads(path.read_text(encoding="utf-8"))["name"]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (KeyError, TypeError, ValueError, OSError) as error:
        msg = f"{path} cannot be read ({error}); delete it and run again."
        raise StoreError(msg) from error
    return str(name)
