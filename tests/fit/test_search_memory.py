from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.errors import FitError
from voxscale.fit._search_memory import Sizes, gradient_bytes, plan_batches, search_bytes

CPU = torch.device("cpu")
SIZES = Sizes(
    n_trs=300, n_features=80, n_bands=2, n_alphas=10, n_rows=100, n_splits=5, n_train=240,
    n_held_out=60, itemsize=4, fit_intercept=False,
)  # fmt: skip


def taken(needed, batches):
    working = needed.worked_on + batches.alphas * needed.per_alpha
    return (
        needed.fixed
        + batches.alphas * needed.alpha
        + batches.voxels * working
        + batches.width * needed.held
    )


@settings(max_examples=200, deadline=None)
@given(
    needed=st.sampled_from([search_bytes, gradient_bytes]),
    budget=st.integers(2**20, 2**33),
    fit_intercept=st.booleans(),
    n_trs=st.integers(10, 2000),
)
def test_blocks_stay_within_the_budget(needed, budget, fit_intercept, n_trs):
    sizes = replace(
        SIZES, fit_intercept=fit_intercept, n_trs=n_trs, n_train=n_trs - 2, n_held_out=n_trs // 3
    )
    try:
        batches = plan_batches(needed(sizes), sizes, budget, CPU)
    except FitError:
        least = plan_batches(needed(sizes), sizes, 2**40, CPU)._replace(alphas=1, voxels=1, width=1)
        assert taken(needed(sizes), least) > budget
    else:
        assert taken(needed(sizes), batches) <= budget
        assert 1 <= batches.alphas <= 10
        assert 1 <= batches.voxels <= batches.width


def test_all_alphas_go_at_once_where_there_is_room():
    assert plan_batches(search_bytes(SIZES), SIZES, 2**34, CPU).alphas == 10


def test_more_voxels_are_held_than_worked_on():
    batches = plan_batches(search_bytes(SIZES), SIZES, 2**34, CPU)
    assert batches.width > 10 * batches.voxels


def test_a_hyper_gradient_takes_more():
    search, gradient = search_bytes(SIZES), gradient_bytes(SIZES)
    assert gradient.worked_on > search.worked_on
    assert gradient.fixed >= search.fixed


def test_the_search_as_it_was_measured():
    """Peak of the process over what it was before: 98 MiB for 1300 TRs and next to no voxel."""
    sizes = replace(
        SIZES, n_trs=1300, n_features=200, n_splits=3, n_rows=3, n_train=867, n_held_out=434
    )
    needed = search_bytes(sizes)
    assert 98 < (needed.fixed + 10 * needed.alpha) / 2**20 < 2 * 98


def test_too_little_is_told_with_both_numbers():
    message = r"2 band\(s\) of X \(300 × 80\) needs \d\.\d+ MiB, 1 MiB may be used; use fewer TRs"
    with pytest.raises(FitError, match=message):
        plan_batches(search_bytes(SIZES), SIZES, 2**20, CPU)
