"""The designs of a family of fits: made run by run, multiplied out once for all their subsets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.fit import Gram
from voxscale.fit._design import bytes_needed
from voxscale.study._jobs import Job, family_of, signature_of
from voxscale.study._subject_data import SubjectData, design_of

if TYPE_CHECKING:
    from voxscale.store import LayerStore
    from voxscale.study._cells import Cell
    from voxscale.study._inputs import Inputs

__all__ = ["FamilyDesigns"]

_ITEMSIZE = 4  # designs are float32

Signature = tuple[Any, ...]


class FamilyDesigns:
    """Designs of one family at a time; those of the family asked for last are kept.

    Rows of a design depend on their own run alone (but for the published protocol, which delays
    across runs), so that fits that train on some of the runs take their rows, and their products,
    from those of all runs.

    Parameters
    ----------
    inputs : Inputs
    store : LayerStore
        Of features.
    shared : mapping of subject to SubjectData
    jobs : sequence of Job
        All that will be asked for; their training runs are multiplied out together.
    room : int, in bytes
        For designs and products. Without enough of it each design is made alone.
    device : str, optional
    """

    def __init__(
        self,
        inputs: Inputs,
        store: LayerStore,
        shared: Mapping[str, SubjectData],
        jobs: Sequence[Job],
        room: int,
        device: str | None = None,
    ) -> None:
        self._inputs, self._store, self._shared = inputs, store, shared
        self._fits = [job.cells[0] for job in jobs if job.cells[0].kind == "fit"]
        self._room, self._device = room, device
        self._family: tuple[Any, ...] = ()
        self._blocks: dict[Signature, Array] = {}
        self._places: dict[Signature, tuple[int, int]] = {}  # first row, and the one behind
        self._products: Gram | None = None

    def rows(self, cell: Cell, runs: Sequence[str]) -> Array:
        """Make the design of some runs, (n_trs, n_features)."""
        if self._inputs.study.design.protocol is not None:
            return design_of(self._inputs, cell, self._store, self._shared[cell.subject], runs)
        self._enter(cell)
        return np.vstack([self._block(cell, run) for run in runs])

    def training(self, cell: Cell) -> Array | Gram:
        """Make the design of a cell's training stories, with its products if they are at hand."""
        if self._inputs.study.design.protocol is not None:
            return self.rows(cell, cell.stories)
        self._enter(cell)
        if self._products is None:
            return self.rows(cell, cell.stories)
        places = [self._place(cell, run) for run in cell.stories]
        return self._products.of_rows(np.concatenate([np.arange(*place) for place in places]))

    def _enter(self, cell: Cell) -> None:
        """Let go of another family's designs, and multiply out those of this one."""
        family = family_of(cell)
        if family == self._family:
            return
        self._family, self._blocks, self._places, self._products = family, {}, {}, None
        members = [one for one in self._fits if family_of(one) == family]
        if len(members) > 1 and self._has_room(members):
            self._products = self._multiplied(members)

    def _block(self, cell: Cell, run: str) -> Array:
        """Make the rows of one run; once where the family has products, which had room."""
        signature = signature_of(self._inputs.facts(cell.subject), run)
        if signature in self._blocks:
            return self._blocks[signature]
        block = design_of(self._inputs, cell, self._store, self._shared[cell.subject], [run])
        if self._products is not None and signature not in self._places:
            self._blocks[signature] = block
        return block

    def _place(self, cell: Cell, run: str) -> tuple[int, int]:
        """Return the first row of a run among all, and the one behind its last."""
        return self._places[signature_of(self._inputs.facts(cell.subject), run)]

    def _has_room(self, members: Sequence[Cell]) -> bool:
        """Estimate what all runs take, by the width of the first."""
        n_features = self._block(members[0], members[0].stories[0]).shape[1]
        n_rows: dict[Signature, int] = {}
        for cell in members:
            lengths = self._shared[cell.subject].lengths(cell.stories)
            for run, n_trs in lengths.items():
                n_rows[signature_of(self._inputs.facts(cell.subject), run)] = n_trs
        n_trs = sum(n_rows.values())
        rows = _ITEMSIZE * n_trs * n_features  # joined, beside those that are multiplied
        return bool(2 * rows + bytes_needed(n_trs, n_features, _ITEMSIZE) < self._room)

    def _multiplied(self, members: Sequence[Cell]) -> Gram:
        """Join the training runs of all members, and sum their products."""
        first, blocks = 0, []
        for cell in members:
            facts = self._inputs.facts(cell.subject)
            for run in cell.stories:
                signature = signature_of(facts, run)
                if signature not in self._places:
                    blocks.append(self._block(cell, run))
                    self._places[signature] = first, first + len(blocks[-1])
                    first += len(blocks[-1])
        X = np.vstack(blocks)
        del blocks
        memory_gib = self._inputs.study.fit.memory_gib
        return Gram.of(X, device=self._device, memory_gib=memory_gib)
