"""What subjects share: how well the others tell the responses of each of them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import VoxscaleWarning
from voxscale.evaluate import leave_one_out
from voxscale.study._ceiling_cell import LEVEL
from voxscale.study._fit_cell import mean_over_voxels
from voxscale.study._subject_data import SubjectData

if TYPE_CHECKING:
    from voxscale.study._inputs import Inputs

__all__ = ["between_cell"]


def between_cell(inputs: Inputs, shared: SubjectData) -> tuple[dict[str, Array], dict[str, Any]]:
    """Correlate each subject's test responses with the mean of the others'.

    Returns
    -------
    arrays : dict of str to array
        ``each`` of shape (n_subjects, n_voxels); ``correlation``, their mean, with ``_low`` and
        ``_high``; ``correlation_of_all``, what it would be with any number of subjects: the best
        that a model of the stimulus can do for one of them; with limits too.
    meta : dict
    """
    study, test = inputs.study, shared.dataset.test
    own = {shared.dataset.subject: shared}
    responses = [
        (own.get(one) or SubjectData(inputs.dataset(one), shared.recipe)).joined_responses(test)
        for one in inputs.subjects
    ]
    stories = [np.stack([one[rows] for one in responses]) for rows in shared.rows(test).values()]
    with warnings.catch_warnings():  # voxels without an answer are counted below
        warnings.simplefilter("ignore", VoxscaleWarning)
        found = leave_one_out(
            stories, level=LEVEL, n_bootstraps=study.evaluate.n_bootstraps, seed=study.seed
        )
        named = {
            "correlation": found.correlation,
            "correlation_of_all": found.with_number(np.inf),
        }
    arrays: dict[str, Array] = {"each": found.correlations}
    for name, one in named.items():
        arrays |= {name: one.estimate, f"{name}_low": one.low, f"{name}_high": one.high}
    meta = {
        "subjects": list(inputs.subjects),
        "n_voxels": responses[0].shape[1],
        "n_test_trs": len(responses[0]),
        "n_without_ceiling": int(np.isnan(arrays["correlation"]).sum()),
        "level": LEVEL,
        **{f"mean_{name}": mean_over_voxels(arrays[name]) for name in named},
    }
    return arrays, meta
