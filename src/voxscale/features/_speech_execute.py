"""All windows of a sound through one speech model, or through copies of it on several devices."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
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
    with _exact(models):
        workers = [_Worker(model, waveform, step, batch_size, plan) for model in models]
        yield from _in_turns(workers, plan, layers)


def _in_turns(
    workers: Sequence[_Worker], plan: WindowPlan, layers: Sequence[int]
) -> Iterator[SpeechRead]:
    if len(workers) == 1:
        for group in plan.groups():
            for rows in _batches(group, workers[0].n_windows(group)):
                yield SpeechRead(rows, workers[0](rows, layers))
        return
    idle: SimpleQueue[_Worker] = SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def run(rows: range) -> SpeechRead:
        worker = idle.get()
        try:
            return SpeechRead(rows, worker(rows, layers))
        finally:
            idle.put(worker)

    with ThreadPoolExecutor(len(workers)) as pool:
        running: deque[Future[SpeechRead]] = deque()
        for group in plan.groups():
            size = min(worker.n_windows(group) for worker in workers)
            for rows in _batches(group, size):
                running.append(pool.submit(run, rows))
                if len(running) > 2 * len(workers):
                    yield running.popleft().result()
        while running:
            yield running.popleft().result()


def _batches(group: range, size: int) -> Iterator[range]:
    for at in range(group.start, group.stop, size):
        yield range(at, min(at + size, group.stop))


@contextmanager
def _exact(models: Sequence[SpeechModel]) -> Iterator[None]:
    """Keep convolutions of single precision on a GPU from being rounded to 10 bits."""
    import torch

    was_allowed = torch.backends.cudnn.allow_tf32
    if any(model.dtype == torch.float32 and model.device.type == "cuda" for model in models):
        torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = was_allowed


class _Worker:
    """One model with a sound; remembers how many windows were too many."""

    def __init__(
        self,
        model: SpeechModel,
        waveform: Array,
        step: int,
        batch_size: int | None,
        plan: WindowPlan,
    ) -> None:
        self._model, self._batch_size, self._plan = model, batch_size, plan
        self._clip = model.front.clip(waveform, step)
        self._most = np.inf
        self._bytes_per_position = 0.0
        if model.device.type == "cuda" and batch_size is None:
            self._bytes_per_position = self._probed()

    def n_windows(self, group: range) -> int:
        """Choose how many windows of a group to run at once."""
        if self._batch_size is not None:
            return self._batch_size
        device, n_positions = self._model.device, self._n_positions(group.start)
        comfortable = _COMFORTABLE_POSITIONS.get(device.type, _COMFORTABLE_POSITIONS["cpu"])
        n_windows: float = comfortable // n_positions
        if self._bytes_per_position:
            per_window = self._bytes_per_position * n_positions
            n_windows = min(n_windows, _SHARE * available_bytes(device) // per_window)
        return max(1, int(min(n_windows, self._most)))

    def __call__(self, rows: range, layers: Sequence[int]) -> dict[int, Array]:
        """Read some windows, in halves where memory runs out."""
        if len(rows) < self._most or len(rows) == 1:
            try:
                return self._read(rows, layers)
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
                if len(rows) == 1:
                    raise self._too_large(rows.start) from error
                self._most = len(rows)
            self._release()
        half = (len(rows) + 1) // 2
        parts = [self(part, layers) for part in (rows[:half], rows[half:])]
        return {layer: np.concatenate([part[layer] for part in parts]) for layer in layers}

    def _read(self, rows: range, layers: Sequence[int]) -> dict[int, Array]:
        chosen = slice(rows.start, rows.stop)
        starts, ends = self._plan.starts[chosen], self._plan.ends[chosen]
        return read_windows(self._model, self._clip, starts, ends, layers)

    def _n_positions(self, row: int) -> int:
        n_samples = int(self._plan.ends[row] - self._plan.starts[row])
        return self._model.front.n_positions(n_samples)

    def _probed(self) -> float:
        """Measure the bytes that a position of the longest window takes on a GPU."""
        import torch

        row = int(np.argmax(self._plan.ends - self._plan.starts))
        device, last = self._model.device, self._model.n_layers - 1
        self(range(row, row + 1), [last])  # what every first use takes
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        self(range(row, row + 1), [last])
        used = max(1, torch.cuda.max_memory_allocated(device) - before)
        return used / self._n_positions(row)

    def _release(self) -> None:
        import torch

        if self._model.device.type == "cuda":
            torch.cuda.empty_cache()

    def _too_large(self, row: int) -> DataError:
        seconds = (self._plan.ends[row] - self._plan.starts[row]) / self._plan.hz
        msg = (
            f"a window of {seconds:g} s does not fit into the memory of {self._model.device} "
            f"beside model {self._model.name!r}; lower context_s, or use dtype='bfloat16'."
        )
        return DataError(msg)
