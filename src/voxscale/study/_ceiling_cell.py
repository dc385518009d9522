"""The noise ceilings of a subject: how well any model could do, and how sure that is."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import VoxscaleWarning
from voxscale.evaluate import ceiling_intervals, leave_one_out, split_half
from voxscale.study._fit_cell import mean_over_voxels

if TYPE_CHECKING:
    from voxscale.study._config import Study
    from voxscale.study._subject_data import SubjectData

__all__ = ["LEVEL", "ceiling_cell"]

LEVEL = 0.95
_WITH_LIMITS = ("cc_max", "signal_power", "noise_power", "explainable_variance")


def ceiling_cell(study: Study, shared: SubjectData) -> tuple[dict[str, Array], dict[str, Any]]:
    """Compute the ceilings of the repeated test runs together, with limits.

    Returns
    -------
    arrays : dict of str to array of shape (n_voxels,)
        ``cc_max``, ``signal_power``, ``noise_power`` and ``explainable_variance`` of all
        repeated runs; ``split_half``, the ceiling from halves of the repeats, and
        ``leave_one_out``, the correlation of a repeat with the mean of the others, of the runs
        with most repeats; ``cc_max_with_20`` and so on, the ceiling with as many repeats, where
        the study asks for it. And the limits of each: ``cc_max_low``, ``cc_max_high`` and so on.
    meta : dict
        ``n_without_ceiling`` counts voxels without, by reason.
    """
    with warnings.catch_warnings():  # voxels without a ceiling are to be expected; see the counts
        warnings.simplefilter("ignore", VoxscaleWarning)
        options: dict[str, Any] = {
            "level": LEVEL,
            "n_bootstraps": study.evaluate.n_bootstraps,
            "seed": study.seed,
        }
        found = ceiling_intervals(shared.trials, **options)
        most = _most_repeated(shared.trials)
        others = {
            "split_half": split_half(most, **options).cc_max,
            "leave_one_out": leave_one_out(most, **options).correlation,
            **{f"cc_max_with_{n}": found.cc_max_with(n) for n in study.evaluate.ceiling_repeats},
        }
    arrays: dict[str, Array] = {}
    for name, one in ({name: getattr(found, name) for name in _WITH_LIMITS} | others).items():
        arrays |= {name: one.estimate, f"{name}_low": one.low, f"{name}_high": one.high}
    why = found.cc_max.why_undefined
    reasons, counts = np.unique(why[why != ""], return_counts=True)
    meta = {
        "n_voxels": len(why),
        "ceiling_runs": {run: len(one) for run, one in shared.trials.items()},
        "n_without_ceiling": dict(zip(reasons.tolist(), counts.tolist(), strict=True)),
        "block_trs": found.block_trs,
        "level": LEVEL,
        "most_repeated": list(most),
        **{f"mean_{name}": mean_over_voxels(arrays[name]) for name in (*_WITH_LIMITS, *others)},
    }
    return arrays, meta


def _most_repeated(trials: Mapping[str, Array]) -> dict[str, Array]:
    """Keep the runs with as many repeats as any: halves and others need the same in all."""
    most = max(len(one) for one in trials.values())
    return {run: one for run, one in trials.items() if len(one) == most}
