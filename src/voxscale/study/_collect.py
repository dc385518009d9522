"""The results of a study: those of the cells that are done by now, and their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxscale.errors import StoreError
from voxscale.study._as_study import as_study
from voxscale.study._inputs import Inputs
from voxscale.study._plan import Plan, cell_store, make_plan
from voxscale.study._results import Results
from voxscale.study._saved import is_saved

if TYPE_CHECKING:
    from pathlib import Path

    from voxscale.study._config import Study

__all__ = ["are_saved", "results", "save_done"]


def results(study: Study | str | Path) -> Results:
    """Collect what a study has computed so far.

    Parameters
    ----------
    study : Study, or path of a study file

    Returns
    -------
    Results

    Raises
    ------
    StoreError
        If nothing is done yet, everything failed, or a result is damaged.
    ConfigError, DataError
        As :func:`voxscale.plan`.
    TypeError
        If ``study`` is neither.
    """
    study = as_study(study)
    inputs = Inputs(study)
    made: Plan = make_plan(inputs)
    if not made.done and made.failed:
        msg = (
            f"study {study.name!r} has no results in {study.out}: every cell that was tried "
            f"({len(made.failed)}) failed; see why with voxscale status."
        )
        raise StoreError(msg)
    if not _has_fits(made):
        msg = f"study {study.name!r} has no results in {study.out}; run it first: voxscale run."
        raise StoreError(msg)
    return _collected(inputs, made)


def are_saved(inputs: Inputs, made: Plan) -> bool:
    """Tell whether the files of a study's results are about what is done by now, if anything is."""
    return not _has_fits(made) or is_saved(_collected(inputs, made))


def save_done(inputs: Inputs) -> None:
    """Write the files of a study's results, of what is done by now, if anything is."""
    made = make_plan(inputs)
    if _has_fits(made):
        _collected(inputs, made).save()


def _has_fits(made: Plan) -> bool:
    return any(cell.kind == "fit" for cell in made.done)


def _collected(inputs: Inputs, made: Plan) -> Results:
    study = inputs.study
    store = cell_store(study)
    failed = [(cell, store.failure(made.keys[cell]) or {}) for cell in made.failed]
    fits = tuple(cell for cell in made.done if cell.kind == "fit")
    beside = tuple(cell for cell in made.done if cell.kind != "fit")
    return Results(study, fits, beside, made.missing, tuple(failed), made.keys, made.axes)
