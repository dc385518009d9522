"""Remove what a study's folder holds that the study no longer names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from voxscale.errors import DataError, StoreError
from voxscale.store import one_run, remove_whole
from voxscale.study._as_study import as_study
from voxscale.study._inputs import Inputs
from voxscale.study._orphans import Orphan, Orphans, find_orphans
from voxscale.study._owner import check_owned
from voxscale.study._plan import cell_store, feature_store, make_plan

if TYPE_CHECKING:
    from pathlib import Path

    from voxscale.study._config import Study

__all__ = ["orphans", "prune"]


def orphans(study: Study | str | Path) -> Orphans:
    """List what a study's folder holds that no cell of the study names any more.

    A study file that changes leaves the results of cells that it no longer has, and features
    that none of its cells needs. They would be used again if it changed back.

    Parameters
    ----------
    study : Study, or path of a study file

    Returns
    -------
    Orphans
        Results, sets of features, and records of failures; ``str(orphans)`` lists them.

    Raises
    ------
    ConfigError, DataError, StoreError
        As :func:`voxscale.study.status`.
    """
    return _orphans_of(Inputs(as_study(study)))


def prune(
    study: Study | str | Path, *, confirm: Callable[[Orphans], bool] | None = None
) -> Orphans:
    """Remove what a study's folder holds that no cell of the study names any more.

    Only results, features and records of failures in its ``cells`` and ``features`` are ever
    removed. No run fills the folder meanwhile.

    Parameters
    ----------
    study : Study, or path of a study file
    confirm : callable, optional
        Is given what would be removed; nothing is unless it returns True. Default: all is.

    Returns
    -------
    Orphans
        What was removed.

    Raises
    ------
    ConfigError
        As :func:`voxscale.study.status`; or if the folder does not say that it is this study's.
    DataError
        If sound that the study asks for cannot be read: what was made of it would seem to be left
        over.
    StoreError
        If a run is filling the folder, or something cannot be removed.
    """
    study = as_study(study)
    if not study.out.is_dir():
        return Orphans()
    check_owned(study)
    with one_run(study.out):
        inputs = Inputs(study)
        found = _orphans_of(inputs)
        _check_sounds(inputs, found)
        if not found or not (confirm is None or confirm(found)):
            return Orphans()
        for one in found.items:
            remove_whole(one.path)
    return found


def _orphans_of(inputs: Inputs) -> Orphans:
    made = make_plan(inputs)
    stores = cell_store(inputs.study), feature_store(inputs.study)
    return find_orphans(inputs, made.cells, made.keys.values(), *stores)


def _check_sounds(inputs: Inputs, found: Orphans) -> None:
    """Refuse to remove what was made of sound where the study asks for it and cannot have it."""
    silent = [one for one in inputs.subjects if not inputs.facts(one).sounds]
    if not inputs.study.baselines.sound or not silent:
        return
    of_sound = [one for one in found.items if one.kind == "result" and _is_of_sound(inputs, one)]
    if of_sound:
        why = inputs.facts(silent[0]).no_sound or "no run has audio"
        msg = (
            f"subject {silent[0]!r}: {why}; but {of_sound[0].what} was made of sound and would be "
            "taken for left over. Nothing is removed: bring the sound back, or set sound = false "
            "in [baselines]."
        )
        raise DataError(msg)


def _is_of_sound(inputs: Inputs, one: Orphan) -> bool:
    try:
        meta = cell_store(inputs.study).meta(one.path.stem)
    except StoreError:  # damaged: nobody could use it
        return False
    heard = any("sound" in run for run in meta.get("inputs", []))
    return heard or "sound" in meta.get("spaces", [])
