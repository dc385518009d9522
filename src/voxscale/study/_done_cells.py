"""The cells of a study that are done: which there are, and what each holds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from voxscale.arrays import Array, TRSeries
from voxscale.errors import StoreError
from voxscale.store import Store
from voxscale.study._cells import Cell
from voxscale.study._plan import cell_store
from voxscale.study._sweeps import AXES

if TYPE_CHECKING:
    from pathlib import Path

    from voxscale.study._config import Study

__all__ = ["DoneCells"]


@dataclass(frozen=True, eq=False)
class DoneCells:
    """Cells of a study that are done, chosen by their fields or sweeps, and read one by one.

    Parameters as of :class:`Results`, which tells what arrays there are.
    """

    study: Study
    cells: tuple[Cell, ...]
    beside: tuple[Cell, ...]
    missing: tuple[Cell, ...]
    failed: tuple[tuple[Cell, dict[str, Any]], ...] = field(repr=False)
    _keys: dict[Cell, str] = field(repr=False)
    _axes: dict[Cell, tuple[str, ...]] = field(repr=False)

    @cached_property
    def _store(self) -> Store:
        return cell_store(self.study)

    @cached_property
    def _metas(self) -> dict[Cell, dict[str, Any]]:
        return {cell: self._store.meta(self._keys[cell]) for cell in self.cells}

    @property
    def subjects(self) -> tuple[str, ...]:
        """Subjects with a cell done, in the order of the study."""
        return tuple(dict.fromkeys(cell.subject for cell in self.cells))

    def select(self, **fields: Any) -> tuple[Cell, ...]:
        """Choose cells by their fields, such as ``layer=9, subject="S1", reference=True``.

        Parameters
        ----------
        **fields
            Names and values of :class:`Cell`; ``n_stories`` is one too.

        Returns
        -------
        tuple of Cell
        """
        return tuple(
            cell
            for cell in self.cells
            if all(getattr(cell, name) == value for name, value in fields.items())
        )

    def sweep(self, axis: str, subject: str | None = None) -> tuple[Cell, ...]:
        """List the cells of one sweep, along it.

        Parameters
        ----------
        axis : {"layer", "context", "n_stories", "model", "bands"}
            "layer" is about the reference model, "model" about the layers of all; "n_stories" is
            the amount of training data, in stories or hours.
        subject : str, optional
            Default: all, one after the other.

        Returns
        -------
        tuple of Cell
            Ordered by subject, value on the axis, and draw.
        """
        if axis not in AXES:
            msg = f"axis {axis!r} is unknown; choose one of {', '.join(AXES)}."
            raise ValueError(msg)
        chosen = [
            cell
            for cell in self.cells
            if axis in self.axes(cell) and subject in (None, cell.subject)
        ]
        order = {name: i for i, name in enumerate(self.subjects)}
        models = {name: i for i, name in enumerate(self.study.models)}

        def place(cell: Cell) -> tuple[Any, ...]:
            value = models[cell.model] if axis == "model" else getattr(cell, axis)
            return order[cell.subject], value, cell.layer, cell.draw

        return tuple(sorted(chosen, key=place))

    def reference(self, subject: str) -> Cell:
        """Return the cell where the sweeps meet: reference layer, longest context, all stories.

        Raises
        ------
        StoreError
            If it is not done.
        """
        found = self.reference_or_none(subject)
        if found is None:
            layer = self.study.reference_layer
            msg = f"subject {subject!r}: layer {layer} with all stories is not done; run the study."
            raise StoreError(msg)
        return found

    def reference_or_none(self, subject: str) -> Cell | None:
        """Return the same; None if it is not done."""
        layer = self.study.reference_layer
        found = self.select(subject=subject, layer=layer, reference=True, kind="fit")
        return found[0] if found else None

    def beside_cell(self, kind: str, subject: str) -> Cell | None:
        """Return the cell of something that is computed once for a subject, if it is done."""
        found = [one for one in self.beside if (one.kind, one.subject) == (kind, subject)]
        return found[0] if found else None

    def arrays(self, cell: Cell) -> dict[str, Array]:
        """Read all arrays of a cell; see the table above."""
        return self._store.get(self._key(cell))[0]

    def array(self, cell: Cell, name: str) -> Array:
        """Read one array of a cell.

        Raises
        ------
        StoreError
            If the cell has no such array.
        """
        return self._store.get(self._key(cell), [name])[0][name]

    def held(self, cell: Cell, names: Collection[str]) -> dict[str, Array]:
        """Read those of some arrays that a cell has; no error where it lacks one."""
        return self._store.get(self._key(cell), names, missing_ok=True)[0]

    def meta(self, cell: Cell) -> dict[str, Any]:
        """Return where a cell's numbers come from: settings, input hashes, versions, counts."""
        return self._metas[cell] if cell in self._metas else self._store.meta(self._key(cell))

    def by_story(self, cell: Cell) -> dict[str, Array]:
        """Read the correlations of each test story, (n_voxels,) each."""
        rows = self.array(cell, "r_by_story")
        return dict(zip(self.meta(cell)["test"], rows, strict=True))

    def prediction(self, cell: Cell, run: str | None = None) -> TRSeries:
        """Read the predicted responses of a repeated test run.

        Parameters
        ----------
        cell : Cell
            A reference cell.
        run : str, optional
            Default: the test run with the most repeats.

        Returns
        -------
        TRSeries of shape (n_trs, n_voxels)
            Its ``first_tr`` is where trimming left off.

        Raises
        ------
        StoreError
            If this cell keeps no predictions of that run.
        """
        if not cell.reference:
            msg = (
                f"{cell.label}: only reference cells keep predictions; ask for one of "
                "results.select(reference=True)."
            )
            raise StoreError(msg)
        meta = self.meta(cell)
        repeats = meta["ceiling_runs"]
        if not repeats:
            msg = f"{cell.label}: no test run was repeated, so no prediction is kept."
            raise StoreError(msg)
        run = run or max(repeats, key=lambda one: repeats[one])
        return TRSeries(self.array(cell, f"prediction_{run}"), run, meta["first_tr"][run])

    def key(self, cell: Cell) -> str:
        """Return what a cell is called in the store."""
        return self._key(cell)

    def path(self, cell: Cell) -> Path:
        """Return the file of a cell."""
        return self._store.path(self._key(cell))

    def axes(self, cell: Cell) -> tuple[str, ...]:
        """Tell which sweeps a cell is part of.

        Among "layer", "context", "n_stories" (the amount of training data, in stories or hours),
        "model" and "bands"; none for the cells of a grid.
        """
        return self._axes.get(cell, ())

    def _key(self, cell: Cell) -> str:
        if cell not in self._keys:
            msg = f"{cell.label} is not a cell of study {self.study.name!r}; see results.cells."
            raise StoreError(msg)
        return self._keys[cell]
