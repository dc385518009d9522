"""Fill the cells of a study that are missing, those of one design together."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from voxscale.arrays._device import choose_device
from voxscale.fit._blocks import budget_bytes
from voxscale.study._compute import compute_cell
from voxscale.study._designs import FamilyDesigns
from voxscale.study._features import recipe_of
from voxscale.study._fill import FATAL
from voxscale.study._fit_cell import Fitted, fit_together
from voxscale.study._jobs import Batch, Job, batches_of
from voxscale.study._plan import cell_store, feature_store
from voxscale.study._provenance import provenance
from voxscale.study._subject_data import SubjectData

if TYPE_CHECKING:
    from voxscale.study._cells import Cell
    from voxscale.study._inputs import Inputs
    from voxscale.study._progress import Steps

__all__ = ["Filling"]

# Of the memory that may be used: responses of subjects together, and the designs of a family.
_SHARE_OF_RESPONSES = 0.5
_SHARE_OF_DESIGNS = 0.25


class Filling:
    """The cells that a run computes, and those that fail.

    Parameters
    ----------
    inputs : Inputs
    keys : mapping of Cell to str
    steps : Steps
    device : str, optional
    """

    def __init__(
        self, inputs: Inputs, keys: Mapping[Cell, str], steps: Steps, device: str | None
    ) -> None:
        self.computed: list[Cell] = []
        self.failed: list[tuple[Cell, str]] = []
        self._inputs, self._keys, self._steps, self._device = inputs, keys, steps, device
        self._store, self._features = cell_store(inputs.study), feature_store(inputs.study)

    def fill(self, missing: Sequence[Cell]) -> None:
        """Compute cells; one that fails is recorded, and the others go on."""
        memory_gib = self._inputs.study.fit.memory_gib
        budget = budget_bytes(memory_gib, choose_device("cpu"))
        room = int(_SHARE_OF_RESPONSES * budget)
        for batch in batches_of(self._inputs, missing, room):
            self._fill_batch(batch, int(_SHARE_OF_DESIGNS * budget))

    def _fill_batch(self, batch: Batch, room: int) -> None:
        inputs = self._inputs
        shared = {one: self._data_of(one) for one in batch.subjects}
        designs = FamilyDesigns(inputs, self._features, shared, batch.jobs, room, self._device)
        for job in batch.jobs:
            self._steps.start(job.cells[0].label)
            began = time.monotonic()
            fitted = self._fitted(job, shared, designs)
            seconds = (time.monotonic() - began) / len(job.cells)
            for i, cell in enumerate(job.cells):
                if i:
                    self._steps.start(cell.label)
                self._fill_cell(cell, shared[cell.subject], fitted.pop(cell, None), seconds)

    def _data_of(self, subject: str) -> SubjectData:
        dataset = self._inputs.dataset(subject)
        return SubjectData(dataset, recipe_of(self._inputs.study, dataset.test))

    def _fitted(
        self, job: Job, shared: Mapping[str, SubjectData], designs: FamilyDesigns
    ) -> dict[Cell, Fitted]:
        """Fit the cells of a job together; nothing where that fails, which each then tells."""
        failed = {cell.subject for cell, _ in self.failed}
        cells = [cell for cell in job.cells if cell.kind == "fit" and cell.subject not in failed]
        if not cells:
            return {}
        try:
            return fit_together(self._inputs, cells, shared, designs, self._device)
        except FATAL:
            raise
        except Exception:  # each is tried alone, and its own error is recorded
            return {}

    def _fill_cell(
        self, cell: Cell, shared: SubjectData, fitted: Fitted | None, seconds: float
    ) -> None:
        key, began = self._keys[cell], time.monotonic()
        try:
            arrays, meta = compute_cell(
                self._inputs, cell, self._features, shared, self._device, fitted
            )
        except FATAL:
            raise
        except Exception as error:
            first = (str(error).splitlines() or [""])[0]
            self._store.fail(key, {"cell": cell.as_dict()}, error)
            self.failed.append((cell, f"{type(error).__name__}: {first}"))
            self._steps.end(cell.label, is_failed=True)
        else:
            seconds += time.monotonic() - began
            self._store.put(
                key, arrays, meta | provenance(self._inputs, cell) | {"seconds": seconds}
            )
            self.computed.append(cell)
            self._steps.end(cell.label)
