"""Compute a cell, whatever its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.study._baselines import baselines_cell
from voxscale.study._between_cell import between_cell
from voxscale.study._ceiling_cell import ceiling_cell
from voxscale.study._comparison_cell import comparison_cell
from voxscale.study._fit_cell import Fitted, fit_cell
from voxscale.study._product_cell import product_cell
from voxscale.study._stacking_cell import stacking_cell

if TYPE_CHECKING:
    from voxscale.arrays import Array
    from voxscale.store import LayerStore
    from voxscale.study._cells import Cell
    from voxscale.study._inputs import Inputs
    from voxscale.study._subject_data import SubjectData

__all__ = ["compute_cell"]

_COMPUTE = {
    "baselines": baselines_cell,
    "product": product_cell,
    "stacking": stacking_cell,
    "comparison": comparison_cell,
}


def compute_cell(
    inputs: Inputs,
    cell: Cell,
    store: LayerStore,
    shared: SubjectData,
    device: str | None = None,
    fitted: Fitted | None = None,
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Compute the arrays of a cell, float32, and what its metadata say of them.

    ``fitted`` is what a fit learnt together with others, if it did.
    """
    if cell.kind == "fit":
        arrays, meta = fit_cell(inputs, cell, store, shared, device, fitted)
    elif cell.kind == "ceiling":
        arrays, meta = ceiling_cell(inputs.study, shared)
    elif cell.kind == "between":
        arrays, meta = between_cell(inputs, shared)
    else:
        arrays, meta = _COMPUTE[cell.kind](inputs, cell, store, shared, device)
    return {name: np.asarray(one, dtype=np.float32) for name, one in arrays.items()}, meta
