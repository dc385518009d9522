from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.fit import _products
from voxscale.fit._products import AlphaSums, Products, Workspace, as_tensor, tiles, voxel_tiles
from voxscale.fit._shrinkage import Curves, Stretch, curves, shrinkages, stretches

CPU = torch.device("cpu")


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 60), st.sampled_from([0, 1e-6])
)
def test_products_are_rows_times_every_shrinkage_of_the_inputs(seed, n_alphas, rank, tolerance):
    rng = np.random.default_rng(seed)
    table, _ = shrinkages(np.sort(10 ** rng.uniform(-1, 4, rank)), np.logspace(0, 4, n_alphas))
    rows, inputs = rng.standard_normal((7, rank)), rng.standard_normal((rank, 3))
    weights = np.linalg.norm(rows, axis=0)
    made = Products.of(torch.tensor(rows), stretches(table, weights, tolerance), torch.float64)
    inputs = torch.tensor(inputs)
    found = made(inputs, Workspace(inputs))
    assert found.shape == (n_alphas, 7, 3)
    expected = np.einsum("ir,ar,rv->aiv", rows, table, inputs)
    np.testing.assert_allclose(found, expected, atol=1e-4 if tolerance else 1e-11)


def test_a_product_for_each_alpha_is_mixed_with_no_other(rng):
    table = rng.random((4, 9))
    rows = torch.tensor(rng.standard_normal((5, 9)))
    direct = Products.of(rows, [Stretch(slice(0, 9), np.eye(4), table)], torch.float64)
    assert direct.mixing is None
    assert direct.n_products == 4
    assert direct.flop_per_voxel == 2 * 4 * 5 * 9
    assert direct.n_bytes == 4 * 5 * 9 * 8
    mixed = Products.of(rows, [Stretch(slice(0, 9), table[:, :4], table)], torch.float32)
    assert mixed.mixing.dtype == torch.float32
    assert mixed.flop_per_voxel == 2 * 4 * 5 * 9 + 2 * 4 * 4 * 5


def test_a_workspace_is_used_again_and_grows():
    workspace = Workspace(torch.zeros(1, dtype=torch.float64))
    first = workspace.take("a", 2, 3)
    assert (first.shape, first.dtype) == ((2, 3), torch.float64)
    assert workspace.take("a", 5).data_ptr() == first.data_ptr()
    assert workspace.take("b", 5).data_ptr() != first.data_ptr()
    assert workspace.take("a", 4, 3).shape == (4, 3)


def test_stretches_use_their_own_columns(rng):
    rows, inputs = rng.standard_normal((5, 9)), rng.standard_normal((9, 2))
    cuts = [
        Stretch(slice(1, 4), rng.random((3, 2)), rng.random((2, 3))),
        Stretch(slice(6, 9), rng.random((3, 1)), rng.random((1, 3))),
    ]
    inputs = torch.tensor(inputs)
    found = Products.of(torch.tensor(rows), cuts, torch.float64)(inputs, Workspace(inputs))
    table = np.zeros((3, 9))
    for cut in cuts:
        table[:, cut.columns] = cut.mixing @ cut.factors
    np.testing.assert_allclose(found, np.einsum("ir,ar,rv->aiv", rows, table, inputs))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sums_are_gathered_over_tiles_of_rows_and_voxels(rng, dtype):
    n_alphas, n_rows, n_voxels = 3, 11, 7
    predictions = torch.tensor(rng.standard_normal((n_alphas, n_rows, n_voxels)), dtype=dtype)
    y = torch.tensor(rng.standard_normal((n_rows, n_voxels)), dtype=dtype)
    every = Curves(np.arange(n_alphas), np.eye(n_alphas), np.eye(n_alphas))
    sums = AlphaSums(n_alphas, n_voxels, CPU)
    for voxels in (slice(0, 4), slice(4, 7)):
        for rows in (slice(0, 5), slice(5, 11)):
            sums.add(voxels, predictions[:, rows, voxels].clone(), y[rows, voxels])
    yp, pp = sums.along(every)
    assert yp.dtype == pp.dtype == torch.float64
    rtol = 1e-5 if dtype == torch.float32 else 1e-12
    np.testing.assert_allclose(yp, (predictions * y).sum(1), rtol=rtol, atol=rtol)
    np.testing.assert_allclose(pp, predictions.square().sum(1), rtol=rtol, atol=rtol)


def test_sums_at_few_alphas_give_those_at_all(rng):
    table, _ = shrinkages(np.logspace(-1, 4, 30), np.logspace(0, 4, 60))
    along = curves(table, np.ones(30), 1e-9)
    assert len(along.at) < 30
    rows, inputs = rng.standard_normal((8, 30)), rng.standard_normal((30, 5))
    predictions = np.einsum("ir,ar,rv->aiv", rows, table, inputs)
    y = rng.standard_normal((8, 5))
    sums = AlphaSums(len(along.at), 5, CPU)
    sums.add(slice(0, 5), torch.tensor(predictions[along.at]), torch.tensor(y))
    yp, pp = sums.along(along)
    np.testing.assert_allclose(yp, (predictions * y).sum(axis=1), atol=1e-6)
    np.testing.assert_allclose(pp, (predictions**2).sum(axis=1), rtol=1e-6)
    assert (pp >= 0).all()


@pytest.mark.parametrize("n_rows", [0, 1, 511, 512, 513, 2000])
def test_tiles_of_rows_follow_each_other(n_rows):
    found = [row for part in tiles(n_rows, CPU) for row in range(part.start, part.stop)]
    assert found == list(range(n_rows))


@pytest.mark.parametrize("n_voxels", [0, 1, 300, 5000])
@pytest.mark.parametrize("bytes_per_voxel", [0, 1, 2**15, 2**40])
def test_tiles_of_voxels_follow_each_other_within_their_bounds(n_voxels, bytes_per_voxel):
    parts = list(voxel_tiles(n_voxels, bytes_per_voxel, CPU))
    assert [v for part in parts for v in range(part.start, part.stop)] == list(range(n_voxels))
    least, most = _products._TILE_VOXELS["cpu"]
    assert all(least <= part.stop - part.start <= most for part in parts[:-1])


def test_arrays_go_where_tensors_are():
    like = torch.zeros(2, dtype=torch.float32)
    found = as_tensor(np.arange(6.0).reshape(2, 3).T[::-1], like)
    assert found.dtype == torch.float32
    np.testing.assert_array_equal(found, [[2, 5], [1, 4], [0, 3]])
    assert as_tensor(np.arange(3), like, torch.float64).dtype == torch.float64
