"""Two layers set against each other on the same test stories."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from voxscale.arrays import Array
from voxscale.errors import VoxscaleWarning
from voxscale.evaluate import compare_models, correlation, noise_normalized_difference
from voxscale.study._fit_cell import facts_of, mean_over_voxels, ridge_of
from voxscale.study._subject_data import joined

if TYPE_CHECKING:
    from voxscale.store import LayerStore
    from voxscale.study._cells import Cell
    from voxscale.study._config import Study
    from voxscale.study._inputs import Inputs
    from voxscale.study._subject_data import SubjectData

__all__ = ["comparison_cell", "p_of_difference"]

_BLOCK_TRS, _LEAST_BLOCK_TRS = 40, 10


def comparison_cell(
    inputs: Inputs, cell: Cell, store: LayerStore, shared: SubjectData, device: str | None = None
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Fit two layers, and test where their predictions differ.

    Returns
    -------
    arrays : dict of str to array of shape (n_voxels,)
        ``r_first`` and ``r_second``, the test correlations; ``difference``, first less second;
        ``p_difference``; ``difference_norm``, the difference in the repeated test stories over
        the ceiling, where there are some.
    meta : dict
        ``layers`` are the two.
    """
    study = inputs.study
    test, train_lengths = shared.dataset.test, list(shared.lengths(cell.stories).values())
    predictions = []
    for layer in study.evaluate.compare_layers:
        of_layer = replace(cell, layer=layer)
        X, Y = joined(inputs, of_layer, store, shared, cell.stories)
        n_train_trs = len(Y)
        model = ridge_of(study, train_lengths, device).fit(X, Y)
        X, Y = joined(inputs, of_layer, store, shared, test)
        predictions.append(model.predict(X))
    first, second = predictions
    arrays = {"r_first": correlation(Y, first), "r_second": correlation(Y, second)}
    arrays["difference"] = arrays["r_first"] - arrays["r_second"]
    p_values = p_of_difference(study, Y, first, second, list(shared.lengths(test).values()))
    if p_values is not None:
        arrays["p_difference"] = p_values
    if shared.ceiling is not None:
        rows, ceiling = shared.repeated_rows(), shared.ceiling
        pair = ceiling.cc_abs(first[rows]), ceiling.cc_abs(second[rows])
        arrays["difference_norm"] = noise_normalized_difference(*pair, ceiling.cc_max)
    meta = {
        "layers": list(study.evaluate.compare_layers),
        **{f"mean_{name}": mean_over_voxels(arrays[name]) for name in ("r_first", "r_second")},
    }
    return arrays, {**facts_of(shared, n_train_trs, Y.shape[1]), **meta}


def p_of_difference(
    study: Study, Y: Array, first: Array, second: Array, run_lengths: Sequence[int]
) -> Array | None:
    """Test whether two predictions of the test stories differ, by swapping blocks of TRs.

    Returns
    -------
    array of shape (n_voxels,), or None
        None where no permutations were asked for, or a story is too short for three blocks.
    """
    if not study.evaluate.n_permutations or min(run_lengths) < 3 * _LEAST_BLOCK_TRS:
        return None
    with warnings.catch_warnings():  # of voxels without an answer, the fits tell
        warnings.simplefilter("ignore", VoxscaleWarning)
        return compare_models(
            Y,
            first,
            second,
            block_trs=min(_BLOCK_TRS, min(run_lengths) // 3),
            n_permutations=study.evaluate.n_permutations,
            run_lengths=run_lengths,
            seed=study.seed,
        ).p_values
