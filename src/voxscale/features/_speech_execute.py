"""All windows of a sound through one speech model, or through copies of it on several devices."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING

import numpy as np

from voxscale.arrays import Array
from voxscale.arrays._memory import available_bytes
from voxscale.errors import DataError
from voxscale.features._execute import ran_out
from voxscale.features._speech_forward import read_windows

if TYPE_CHECKING:
    from voxscale.features._speech_models import SpeechModel
    from voxscale.features._speech_windows import WindowPlan

__all__ = ["SpeechRead", "read_sound"]

# More positions at once gain no speed; memory bounds them too.
_COMFORTABLE_POSITIONS = {"cpu": 1536, "cuda": 65536}
_SHARE = 0.5  # of the free memory


@dataclass(frozen=True, eq=False)
class SpeechRead:
    """What one batch of windows gave.

    Parameters
    ----------
    rows : range
        Which windows of the sound.
    states : dict of layer to array of shape (n_windows, n_dims), float32
    """

    rows: range
    states: dict[int, Array]


def read_sound(
    models: Sequence[SpeechModel],
    waveform: Array,
    plan: WindowPlan,
    layers: Sequence[int],
    *,
    step: int,
    batch_size: int | None = None,
) -> Iterator[SpeechRead]:
    """Read the states at the end of every window, batch by batch, in order.

    Parameters
    ----------
    models : sequence of SpeechModel
        Copies of one model on several devices share the batches.
    waveform : array of shape (n_samples,), float32
        With the silence before it, if the plan has some.
    plan : WindowPlan
    layers : sequence of int
    step : int
        Samples that all windows begin at multiples of, where they are not cut short.
    batch_size : int, optional
        Windows at once. Default: as many as memory and speed suggest, halved where memory runs
        out. States do not depend on it but for rounding.

    Yields
    ------
    SpeechRead

    Raises
    ------
    DataError
        If a state is not finite, or a single window does not fit into memory.
    """
    workers = [_Worker(model, waveform, step, batch_size) for model in models]
    if len(workers) == 1:
        for group in plan.groups():
            for rows in _batches(group, workers[0].n_windows(plan, group)):
                yield SpeechRead(rows, workers[0](plan, rows, layers))
        return
    idle: SimpleQueue[_Worker] = SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def run(rows: range) -> SpeechRead:
        worker = idle.get()
        try:
            return SpeechRead(rows, worker(plan, rows, layers))
        finally:
            idle.put(worker)

    with ThreadPoolExecutor(len(workers)) as pool:
        running: deque[Future[SpeechRead]] = deque()
        for group in plan.groups():
            size = min(worker.n_windows(plan, group) for worker in workers)
            for rows in _batches(group, size):
                running.append(pool.submit(run, rows))
                if len(running) > 2 * len(workers):
                    yield running.popleft().result()
        while running:
            yield running.popleft().result()


def _batches(group: range, size: int) -> Iterator[range]:
    for at in range(group.start, group.stop, size):
        yield range(at, min(at + size, group.stop))


class _Worker:
    """One model with a sound; remembers how many windows were too many."""

    def __init__(
        self, model: SpeechModel, waveform: Array, step: int, batch_size: int | None
    ) -> None:
        self._model, self._batch_size = model, batch_size
        self._clip = model.front.clip(waveform, step)
        self._most = np.inf

    def n_windows(self, plan: WindowPlan, group: range) -> int:
        """Choose how many windows of a group to run at once."""
        if self._batch_size is not None:
            return self._batch_size
        n_samples = int(plan.ends[group.start] - plan.starts[group.start])
        n_positions = self._model.front.n_positions(n_samples)
        device = self._model.device
        comfortable = _COMFORTABLE_POSITIONS.get(device.type, _COMFORTABLE_POSITIONS["cpu"])
        n_windows = max(1, comfortable // n_positions)
        if device.type == "cuda":
            per_window = self._probed(plan, group.start, n_positions)
            n_windows = min(n_windows, int(_SHARE * available_bytes(device) / per_window))
        return max(1, int(min(n_windows, self._most)))

    def __call__(self, plan: WindowPlan, rows: range, layers: Sequence[int]) -> dict[int, Array]:
        """Read some windows, in halves where memory runs out."""
        if len(rows) < self._most or len(rows) == 1:
            try:
                return self._read(plan, rows, layers)
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
                if len(rows) == 1:
                    raise self._too_large(plan, rows) from error
                self._most = len(rows)
            self._release()
        half = (len(rows) + 1) // 2
        parts = [self(plan, part, layers) for part in (rows[:half], rows[half:])]
        return {layer: np.concatenate([part[layer] for part in parts]) for layer in layers}

    def _read(self, plan: WindowPlan, rows: range, layers: Sequence[int]) -> dict[int, Array]:
        chosen = slice(rows.start, rows.stop)
        return read_windows(self._model, self._clip, plan.starts[chosen], plan.ends[chosen], layers)

    def _probed(self, plan: WindowPlan, row: int, n_positions: int) -> float:
        """Measure the bytes that a window takes on a GPU."""
        import torch

        held: tuple[int, float] = self._model.tried.get("bytes", (0, 1.0))
        if n_positions > held[0]:
            device = self._model.device
            torch.cuda.reset_peak_memory_stats(device)
            before = torch.cuda.memory_allocated(device)
            self._read(plan, range(row, row + 1), [self._model.n_layers - 1])
            used = max(1, torch.cuda.max_memory_allocated(device) - before)
            held = n_positions, used / n_positions
            self._model.tried["bytes"] = held
        return held[1] * n_positions

    def _release(self) -> None:
        import torch

        if self._model.device.type == "cuda":
            torch.cuda.empty_cache()

    def _too_large(self, plan: WindowPlan, rows: range) -> DataError:
        seconds = (plan.ends[rows.start] - plan.starts[rows.start]) / plan.hz
        msg = (
            f"a window of {seconds:g} s does not fit into the memory of {self._model.device} "
            f"beside model {self._model.name!r}; lower context_s, or use dtype='bfloat16'."
        )
        return DataError(msg)
