"""The language model and its baselines as bands of one fit, and what each adds to its score."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from voxscale.arrays import Array
from voxscale.errors import VoxscaleWarning
from voxscale.evaluate import product_measure
from voxscale.fit import BandedRidgeCV
from voxscale.study._baselines import LANGUAGE, baseline_designs, baselines_of
from voxscale.study._features import read_features
from voxscale.study._fit_cell import facts_of, mean_over_voxels
from voxscale.study._subject_data import splits_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxscale.store import LayerStore
    from voxscale.study._cells import Cell
    from voxscale.study._inputs import Inputs
    from voxscale.study._subject_data import SubjectData

__all__ = ["product_cell"]


def product_cell(
    inputs: Inputs, cell: Cell, store: LayerStore, shared: SubjectData, device: str | None = None
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Fit a banded ridge, and split its test R² by the product measure.

    Returns
    -------
    arrays : dict of str to array of shape (n_voxels,)
        ``language``, ``word_rate`` and so on: parts that add up to the R² of the fit.
    meta : dict
    """
    study = inputs.study
    spaces = baselines_of(inputs, cell.subject)

    def designs(runs: Sequence[str]) -> tuple[dict[str, Array], Array]:
        states = read_features(inputs, store, cell, runs)
        X, Y = shared.recipe.join(states, shared.responses, runs)
        return {LANGUAGE: X, **baseline_designs(shared, spaces, runs)}, Y

    bands, Y = designs(cell.stories)
    model = BandedRidgeCV(
        study.fit.penalties,
        splits_of(study, list(shared.lengths(cell.stories).values())),
        seed=study.seed,
        device=device,
        memory_gib=study.fit.memory_gib,
    ).fit(bands, Y)
    n_train_trs = len(Y)
    bands, Y = designs(shared.dataset.test)
    with warnings.catch_warnings():  # of voxels without an answer, the fits tell
        warnings.simplefilter("ignore", VoxscaleWarning)
        measure = product_measure(model, bands, Y)
    meta = {
        "spaces": list(measure.names),
        "mean_parts": {name: mean_over_voxels(part) for name, part in measure.parts.items()},
        "n_negative": measure.n_negative,
    }
    return measure.parts, {**facts_of(shared, n_train_trs, Y.shape[1]), **meta}
