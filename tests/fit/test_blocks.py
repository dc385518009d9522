from __future__ import annotations

from itertools import pairwise

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
from voxscale.fit._samples import Samples

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


def read_all(blocks, width):
    return np.hstack([values.numpy() for _, values in blocks.read(blocks.slices(width))])


@pytest.mark.parametrize(("dtype", "n_bad"), [(torch.float64, 2), (torch.float32, 3)])
def test_voxels_that_cannot_be_fitted_are_found_while_they_are_read(responses, dtype, n_bad):
    blocks = VoxelBlocks.of(responses, dtype, CPU)
    assert (blocks.state == -1).all()  # nothing has been read yet
    assert not blocks.undefined.any()
    list(blocks.read([slice(0, 4)]))
    assert (blocks.state[4:] == -1).all()
    list(blocks.read([slice(4, 7)]))
    assert np.flatnonzero(blocks.not_finite).tolist() == [1, 2, 5][:n_bad]
    assert np.flatnonzero(blocks.constant).tolist() == [4]
    assert np.flatnonzero(blocks.undefined).tolist() == sorted([*[1, 2, 5][:n_bad], 4])


@pytest.mark.parametrize("width", [1, 3, 7, 100])
def test_blocks_put_together_are_the_responses(responses, width):
    blocks = VoxelBlocks.of(responses, torch.float64, CPU)
    assert blocks.n_voxels == 7
    assert blocks.dtype_name == "float64"
    pieces = list(blocks.read(blocks.slices(width)))
    assert all(values.shape[1] <= width for _, values in pieces)
    assert [place.start for place, _ in pieces] == list(range(0, 7, width))
    joined = np.hstack([values.numpy() for _, values in pieces])
    np.testing.assert_array_equal(joined, np.where(blocks.undefined, 0, responses))


def test_rows_of_no_weight_are_left_out_and_others_weigh(responses):
    w = np.array([1, 1, 1, 0, 4, 1, 1, 1, 1, 0])
    blocks = VoxelBlocks.of(responses, torch.float64, CPU, Samples.of(w, 10))
    joined = read_all(blocks, 3)
    # The bad numbers of voxels 1 and 2 were in rows that do not count.
    assert np.flatnonzero(blocks.undefined).tolist() == [4]
    expected = responses[w > 0] * np.sqrt(w[w > 0])[:, None]
    expected[:, 4] = 0
    np.testing.assert_allclose(joined, expected)


def test_a_voxel_may_vary_in_rows_of_no_weight_alone():
    Y = np.ones((5, 2))
    Y[2, 1] = 7
    blocks = VoxelBlocks.of(Y, torch.float64, CPU, Samples.of([1, 1, 0, 1, 1], 5))
    read_all(blocks, 2)
    assert blocks.constant.tolist() == [True, True]


def test_blocks_hold_whole_chunks_and_whole_multiples(counting):
    def starts(width, chunk, multiple=1):
        Y = counting(np.zeros((4, 40)), chunks=(4, chunk))
        blocks = VoxelBlocks.of(Y, torch.float64, CPU).slices(width, multiple)
        assert blocks[0].start == 0
        assert blocks[-1].stop == 40
        assert all(one.stop == two.start for one, two in pairwise(blocks))
        return [block.start for block in blocks]

    assert starts(15, chunk=5) == [0, 15, 30]
    assert starts(14, chunk=5) == [0, 10, 20, 30]
    assert starts(20, chunk=5, multiple=4) == [0, 20]
    # What is written together comes before what is read together; then memory decides.
    assert starts(13, chunk=5, multiple=4) == [0, 12, 24, 36]
    assert starts(3, chunk=5, multiple=4) == list(range(0, 40, 3))
    assert starts(100, chunk=7, multiple=3) == [0]


def test_responses_are_never_written_to(responses):
    blocks = VoxelBlocks.of(responses, torch.float64, CPU, Samples.of(np.arange(10), 10))
    before = responses.copy()
    for _, values in blocks.read(blocks.slices(3)):
        values += 1
    np.testing.assert_array_equal(responses, before)


@pytest.mark.parametrize("Y", [np.zeros(3), np.zeros((3, 2), complex), np.array([["a"]])])
def test_responses_are_a_matrix_of_numbers(Y):
    with pytest.raises(ValueError, match=r"Y has shape .* expected \(n_rows, n_columns\) numbers"):
        VoxelBlocks.of(Y, torch.float64, CPU)
