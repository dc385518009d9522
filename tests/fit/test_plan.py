from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from voxscale.errors import AlignmentError, FitError
from voxscale.fit import Gram, RidgeCV, _plan, contiguous_folds
from voxscale.fit._blocks import GIB, VoxelBlocks
from voxscale.fit._costs import RATES
from voxscale.fit._plan import device_kind, plan_fit, work_of
from voxscale.fit._solvers import SOLVERS, cheapest

ALPHAS = np.logspace(0, 4, 6)
SHAPES = [(90, 20), (40, 120)]


def ridge(**options):
    return RidgeCV(ALPHAS, 4, **({"device": "cpu"} | options))


@pytest.fixture(params=SHAPES, ids=["primal", "dual"])
def data(request, rng):
    n_trs, n_features = request.param
    return rng.standard_normal((n_trs, n_features)), rng.standard_normal((n_trs, 30))


@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
@pytest.mark.parametrize("weights", ["primal", "dual", None])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_plan_is_what_the_fit_then_does(data, solver, weights, dtype):
    X, Y = data
    model = ridge(solver=solver, weights=weights, dtype=dtype)
    plan = model.plan(X, Y)
    model.fit(X, Y)
    assert (plan.solver, plan.form) == (model.solver_, model.form_)
    assert plan.score_bytes == model.cv_scores_.nbytes
    kept = {"primal": "coef_", "dual": "dual_coef_"}
    assert plan.weight_bytes == (getattr(model, kept[weights]).nbytes if weights else 0)
    assert plan.design_bytes == Gram.of(X, device="cpu", dtype=dtype).held_bytes
    assert (plan.n_trs, plan.n_features) == X.shape
    assert (plan.n_voxels, plan.n_alphas, plan.n_splits) == (30, 6, 4)
    assert plan.block_voxels == 30
    assert plan.peak_bytes == plan.design_bytes + plan.solver_bytes + plan.block_bytes
    assert plan.peak_bytes < plan.budget_bytes
    assert plan.flop > 2 * X.size * 30


def test_nothing_but_shapes_is_looked_at(counting):
    X, Y = counting(np.zeros((90, 20))), counting(np.zeros((90, 7)))
    plan = ridge().plan(X, Y)
    assert plan.n_voxels == 7
    assert not X.asked
    assert not Y.asked
    assert ridge().plan(X, np.zeros(90)).n_voxels == 1


def test_it_says_so_in_lines():
    plan = ridge(memory_gib=2).plan(np.zeros((300, 100)), np.zeros((300, 5000)))
    lines = str(plan).splitlines()
    assert lines[0] == "300 TRs × 100 features × 5000 voxels, 6 alphas, 4 splits"
    assert re.match(rf"solver +{plan.solver}, primal form, .* operations", lines[1])
    assert re.match(r"memory +[0-9.]+ MiB of 2 GiB", lines[2])
    assert len(lines) == 8
    assert f"{plan.block_voxels} voxels at a time" in lines[5]


def test_blocks_use_the_memory_that_is_left():
    X, Y = np.zeros((300, 100)), np.zeros((300, 200_000))
    plenty = ridge(memory_gib=8).plan(X, Y)
    scarce = ridge(memory_gib=0.01).plan(X, Y)
    assert 0 < scarce.block_voxels < plenty.block_voxels
    assert scarce.peak_bytes <= scarce.budget_bytes == int(0.01 * GIB)
    # As many as fit: one voxel more would not.
    per_voxel = scarce.block_bytes // scarce.block_voxels
    assert scarce.peak_bytes + per_voxel > scarce.budget_bytes


@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
def test_a_fit_keeps_to_a_budget_that_the_plan_has_made(rng, solver, monkeypatch):
    X, Y = rng.standard_normal((120, 80)), rng.standard_normal((120, 500))
    widths, read = [], VoxelBlocks.read

    def record(self, blocks):
        for block, values in read(self, blocks):
            widths.append(values.shape[1])
            yield block, values

    monkeypatch.setattr(VoxelBlocks, "read", record)
    roomy = ridge(solver=solver).plan(X, Y)
    tight = (roomy.design_bytes + roomy.solver_bytes) * 1.5 / GIB
    model = ridge(solver=solver, memory_gib=tight)
    plan = model.plan(X, Y)
    model.fit(X, Y)
    assert model.solver_ == plan.solver
    assert plan.block_voxels < 500
    np.testing.assert_allclose(model.cv_scores_, ridge().fit(X, Y).cv_scores_, atol=2e-4)
    assert max(widths[: len(widths) // 2]) < 500


@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
def test_too_small_a_budget_is_said_with_both_numbers(solver):
    X, Y = np.zeros((1200, 800)), np.zeros((1200, 500))
    named = solver if solver != "auto" else "[a-z]+"
    message = (
        rf"decomposing X \(1200 × 800, solver '{named}'\) needs [0-9.]+ MiB, 5\.12 MiB may be used"
    )
    with pytest.raises(FitError, match=message):
        ridge(solver=solver, memory_gib=0.005).plan(X, Y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alphas": [0.0]}, r"alphas hold 0\.0"),
        ({"scoring": "r"}, "scoring 'r' is unknown"),
        ({"solver": "svd"}, "solver 'svd' is unknown"),
        ({"tolerance": 2.0}, r"tolerance is 2\.0"),
        ({"weights": "none"}, "weights is 'none'; expected one of primal, dual, or None"),
        ({"cv": 1000}, "cannot be cut into 1000 folds"),
    ],
)
def test_parameters_are_checked(data, options, message):
    with pytest.raises(ValueError, match=message):
        ridge().set_params(**options).plan(*data)


def test_rows_must_match(data):
    X, Y = data
    with pytest.raises(AlignmentError, match="expected as many rows in both"):
        ridge().plan(X, Y[1:])


def test_a_device_that_decomposes_badly_has_rates_of_its_own(monkeypatch):
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    for place, kind in (("device", "cuda"), ("cpu", "cuda, eigh on cpu")):
        monkeypatch.setattr(_plan, "eigh_place", lambda device, place=place: place)
        assert device_kind(cpu) == "cpu"
        assert device_kind(cuda) == kind
        assert kind in RATES
    work = work_of(
        (300, 400),
        10,
        contiguous_folds(300, 5),
        6,
        tolerance=1e-6,
        itemsize=4,
        kind=kind,
        weights=None,
    )
    assert cheapest(work, 2**40) != "split"


def test_work_is_summed_up_from_splits():
    splits = [(np.arange(10, 30), np.arange(5)), (np.arange(20), np.arange(25, 30))]
    work = work_of((30, 8), 100, splits, 5, tolerance=0.0, itemsize=4, kind="cpu", weights=None)
    assert work.parts == ((20, 5), (20, 5))
    assert work.n_left_out == 20  # rows 0..9 and 20..29
    assert work.is_exact
    assert work.rank == 8
    plan = plan_fit(work, solver="auto", budget=2**30, n_weight_rows=8, device=torch.device("cpu"))
    assert plan.weight_bytes == 100 * 8 * 4
    assert not work_of(
        (30, 8), 1, contiguous_folds(30, 3), 5, tolerance=1e-6, itemsize=4, kind="cpu", weights=None
    ).is_exact
