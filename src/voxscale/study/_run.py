"""Fill the cells of a study that are missing."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voxscale.errors import ConfigError, VoxscaleWarning
from voxscale.store import check_idle, check_writable, one_run
from voxscale.study._as_study import as_study
from voxscale.study._cells import Cell
from voxscale.study._checks import load_model
from voxscale.study._collect import are_saved, save_done
from voxscale.study._fill import fill_features
from voxscale.study._inputs import Inputs
from voxscale.study._owner import check_owner, claim
from voxscale.study._plan import Plan, checked_plan, make_plan
from voxscale.study._progress import Progress, Steps, duration, reporting
from voxscale.study._speech_inputs import load_speech

if TYPE_CHECKING:
    from pathlib import Path

    from voxscale.study._config import Study

__all__ = ["RunSummary", "run"]


@dataclass(frozen=True)
class RunSummary:
    """What a run did.

    ``str(summary)`` is a page for people.

    Parameters
    ----------
    n_cells : int
        Cells of the study.
    computed : tuple of Cell
        Those that this run computed.
    failed : tuple of (Cell, str)
        Those that failed, with the first line of the error. They are tried again next time.
    n_passes : int
        Stories that were run through the model.
    n_failed_passes : int
        Those that failed there; their cells fail too.
    seconds : float
    out : str
        Where the results are.
    warnings : dict of str to int
        What was warned of, and how many times.
    n_sounds : int
        Sounds that were run through the speech model.
    n_failed_sounds : int
        Those that failed there; so did the mix of layers.
    """

    n_cells: int
    computed: tuple[Cell, ...]
    failed: tuple[tuple[Cell, str], ...]
    n_passes: int
    n_failed_passes: int
    seconds: float
    out: str
    warnings: dict[str, int]
    n_sounds: int = 0
    n_failed_sounds: int = 0

    @property
    def n_done(self) -> int:
        """Cells that have a result now."""
        return self.n_cells - len(self.failed)

    def __str__(self) -> str:
        already = self.n_done - len(self.computed)
        lines = [
            f"{self.n_done} of {self.n_cells} cells done ({len(self.computed)} now, {already} "
            f"before; {self.n_passes} passes over a story{self._sounds}) in "
            f"{duration(self.seconds)}: {self.out}"
        ]
        if self.failed:
            cells, them = ("cell", "it") if len(self.failed) == 1 else ("cells", "them")
            lines.append(f"{len(self.failed)} {cells} failed; running again tries {them} again:")
            lines += [f"  {cell.label}: {error}" for cell, error in self.failed]
        for n, what in ((self.n_failed_passes, "story"), (self.n_failed_sounds, "sound")):
            if n:
                passes, their = ("pass", "its") if n == 1 else ("passes", "their")
                lines.append(
                    f"{n} {passes} over a {what} failed; {their} tracebacks are in "
                    f"{self.out}/features/*.failed.json"
                )
        return "\n".join(lines)

    @property
    def _sounds(self) -> str:
        n_tried = self.n_sounds + self.n_failed_sounds
        return f", {self.n_sounds} over a sound" if n_tried else ""


def run(
    study: Study | str | Path,
    *,
    progress: bool | Callable[[Progress], None] = True,
    device: str | None = None,
) -> RunSummary:
    """Compute what a study still lacks; running again is resuming.

    A cell that fails is recorded with its traceback, and the run goes on. Interrupting it
    loses nothing but the cell at work.

    Parameters
    ----------
    study : Study, or path of a study file
    progress : bool or callable
        True: a bar in a terminal, lines elsewhere, on stderr. A callable is given a
        :class:`Progress` at every step.
    device : str, optional
        For the model and the fits. Default: cuda when there is one, else cpu.

    Returns
    -------
    RunSummary

    Raises
    ------
    ConfigError, DataError
        As :func:`plan`, before any work; or if the device is not here, or the model's weights
        are damaged.
    StoreError
        If results cannot be written, before any work where that can be known; or if another run
        is filling the same folder.
    TypeError
        If ``study`` is neither.

    Warns
    -----
    VoxscaleWarning
        Once at the end for each thing that the cells warned of.
    """
    began = time.monotonic()
    study = as_study(study)
    _check_device(device)
    check_idle(study.out)
    inputs = Inputs(study, device)
    warned: Counter[str] = Counter()
    with _counted(warned):
        made, _ = checked_plan(inputs)
        if made.passes:
            load_model(inputs, made.passes[0].model)
        if made.speech_passes:
            load_speech(inputs)
        writes = bool(made.missing) or not are_saved(inputs, made)
        with _alone(study) if writes else nullcontext(), reporting(progress) as tell:
            if made.missing:
                made = make_plan(inputs)  # others may have filled some of it by now
            n_passes, n_sounds = fill_features(inputs, made, tell)
            computed, failed = _fill_cells(inputs, made, tell, device) if made.missing else ([], [])
            if computed or (writes and not are_saved(inputs, made)):
                save_done(inputs)
    for text, count in warned.items():
        times = f" ({count} times)" if count > 1 else ""
        warnings.warn(f"{text}{times}", VoxscaleWarning, stacklevel=2)
    return RunSummary(
        n_cells=len(made.cells),
        computed=tuple(computed),
        failed=tuple(failed),
        n_passes=n_passes,
        n_failed_passes=len(made.passes) - n_passes,
        seconds=time.monotonic() - began,
        out=str(study.out),
        warnings=dict(warned),
        n_sounds=n_sounds,
        n_failed_sounds=len(made.speech_passes) - n_sounds,
    )


@contextmanager
def _alone(study: Study) -> Iterator[None]:
    """Let nobody else fill the study's folder."""
    check_writable(study.out)
    with one_run(study.out):
        check_owner(study)
        claim(study)
        yield


def _check_device(device: str | None) -> None:
    """Find out whether a device that was asked for is here; fits are the more particular."""
    if device is None:
        return
    from voxscale.arrays._device import choose_device

    try:
        choose_device(device, float64=True)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _fill_cells(
    inputs: Inputs, made: Plan, tell: Callable[[Progress], None], device: str | None
) -> tuple[list[Cell], list[tuple[Cell, str]]]:
    from voxscale.study._fill_cells import Filling  # brings torch

    filling = Filling(inputs, made.keys, Steps("cells", len(made.missing), tell), device)
    filling.fill(made.missing)
    return filling.computed, filling.failed


@contextmanager
def _counted(counter: Counter[str]) -> Iterator[None]:
    """Count our own warnings instead of showing each of them; others pass."""
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Any, category: Any, *rest: Any, **named: Any) -> None:
            if issubclass(category, VoxscaleWarning):
                counter[str(message)] += 1
            else:
                shown(message, category, *rest, **named)

        warnings.simplefilter("always", VoxscaleWarning)
        warnings.showwarning = show
        yield
