from __future__ import annotations

import numpy as np
import pytest
import torch

from voxscale.errors import FitError
from voxscale.fit import _blocks
from voxscale.fit._blocks import (
    GIB,
    VoxelBlocks,
    block_width,
    budget_bytes,
    check_budget,
    resolve_device,
    resolve_dtype,
)

CPU = torch.device("cpu")


def test_the_default_budget_is_a_share_of_what_is_free(monkeypatch):
    monkeypatch.setattr(_blocks, "available_bytes", lambda device: 1000)
    assert budget_bytes(None, CPU) == 700
    assert budget_bytes(0.5, CPU) == GIB // 2


@pytest.mark.parametrize("memory_gib", [0, -1, float("nan"), float("inf")])
def test_a_budget_is_positive(memory_gib):
    with pytest.raises(ValueError, match="expected a positive number of GiB"):
        budget_bytes(memory_gib, CPU)


def test_too_small_a_budget_is_said_in_numbers():
    with pytest.raises(FitError, match=r"decomposing X needs 4 GiB, 512 MiB may be used"):
        check_budget(4 * GIB, GIB // 2, "decomposing X")
    with pytest.raises(FitError, match=r"needs 1\.5 MiB, 0 KiB may be used"):
        check_budget(3 * 2**19, -2048, "decomposing X")


def test_width_follows_the_budget_up_to_what_is_comfortable():
    assert block_width(1000, 10_000, CPU) == 10
    assert block_width(1000, 1000 * GIB, CPU) == 64 * 2**20 // 1000
    assert block_width(GIB, 2000 * GIB, CPU) == 1024
    with pytest.raises(FitError, match="working on one voxel"):
        block_width(1000, 999, CPU)


def test_devices():
    assert resolve_device("cpu") == resolve_device(CPU) == CPU
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert resolve_device(None).type == expected
    with pytest.raises(ValueError, match="device 'mps' cannot be used, since it lacks float64"):
        resolve_device("mps")
    for unknown in ("foo", 2.5):
        with pytest.raises(ValueError, match=rf"device {unknown!r} is unknown; choose one of cpu"):
            resolve_device(unknown)


@pytest.mark.parametrize(
    ("n_gpus", "device", "expected"),
    [
        (0, "cuda", "'cuda' is not available, torch finds cpu here; choose one of these"),
        (1, "cuda:1", "'cuda:1' is not available, torch finds cpu, cuda here"),
        (2, torch.device("cuda:2"), "'cuda:2' is not available, torch finds cpu, cuda:0, cuda:1"),
    ],
)
def test_device_that_is_not_here_is_told(monkeypatch, n_gpus, device, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: n_gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_gpus)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.xpu, "is_available", lambda: False)
    with pytest.raises(ValueError, match=expected):
        resolve_device(device)
    assert resolve_device(None).type == ("cuda" if n_gpus else "cpu")
    for i in range(n_gpus):
        assert resolve_device(f"cuda:{i}") == torch.device("cuda", i)


def test_dtypes():
    for same in ("float64", "fp64", torch.float64, np.float64, np.dtype("<f8"), float):
        assert resolve_dtype(same) is torch.float64
    assert resolve_dtype(None) is resolve_dtype("fp32") is torch.float32
    for bad in ("float16", torch.float16, np.int32, "nothing", 3):
        with pytest.raises(ValueError, match="is unknown; choose one of float32, float64"):
            resolve_dtype(bad)


@pytest.fixture
def responses(rng, frozen):
    Y = rng.standard_normal((10, 7))
    Y[3, 1] = np.nan
    Y[9, 2] = -np.inf
    Y[:, 4] = 0.1
    Y[0, 5] = 1e200  # finite in float64 alone
    return frozen(Y)


@pytest.mark.parametrize(("dtype", "n_bad"), [(torch.float64, 2), (torch.float32, 3)])
def test_voxels_that_cannot_be_fitted_are_found(responses, dtype, n_bad):
    blocks = VoxelBlocks.of(responses, dtype, CPU)
    assert np.flatnonzero(blocks.not_finite).tolist() == [1, 2, 5][:n_bad]
    assert np.flatnonzero(blocks.constant).tolist() == [4]


@pytest.mark.parametrize("width", [1, 3, 7, 100])
def test_blocks_put_together_are_the_responses(responses, width):
    blocks = VoxelBlocks.of(responses, torch.float64, CPU)
    read = list(blocks.read(width))
    assert all(values.shape[1] <= width for _, values in read)
    joined = np.concatenate([values.numpy() for _, values in read], axis=1)
    expected = np.where(blocks.undefined, 0, responses)
    np.testing.assert_array_equal(joined, expected)


@pytest.mark.parametrize("Y", [np.zeros(3), np.zeros((3, 2), complex), np.array([["a"]])])
def test_responses_are_a_matrix_of_numbers(Y):
    with pytest.raises(ValueError, match=r"expected \(n_trs, n_voxels\) numbers"):
        VoxelBlocks.of(Y, torch.float64, CPU)
