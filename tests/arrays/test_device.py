"""Devices that are here and numbers that are allowed; all others are told what there is."""

import numpy as np
import pytest
import torch

from voxscale.arrays._device import choose_device, choose_dtype

ALLOWED = ("float32", "float16", "bfloat16")


@pytest.fixture
def machine(monkeypatch):
    """Pretend that a machine has so many devices of each kind."""

    def has(cuda=0, mps=0, xpu=0):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps > 0)
        monkeypatch.setattr(torch.xpu, "is_available", lambda: xpu > 0)
        monkeypatch.setattr(torch.xpu, "device_count", lambda: xpu)

    return has


def test_by_default_cuda_where_there_is_one(machine):
    machine()
    assert choose_device(None) == torch.device("cpu")
    machine(cuda=1, mps=1)
    assert choose_device(None) == torch.device("cuda")


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:1", "mps", torch.device("cuda", 0)])
def test_a_device_that_is_here_is_taken(machine, device):
    machine(cuda=2, mps=1)
    assert choose_device(device) == torch.device(device)


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "mps", "xpu", "meta", "cpu:1"])
def test_a_device_that_is_not_here_is_refused(machine, device):
    machine()
    with pytest.raises(ValueError, match=f"'{device}' is not available, torch finds cpu here"):
        choose_device(device)


def test_all_devices_here_are_named(machine):
    machine(cuda=2, mps=1)
    with pytest.raises(ValueError, match=r"'cuda:2' .* torch finds cpu, cuda:0, cuda:1, mps here"):
        choose_device("cuda:2")
    machine(cuda=1, xpu=2)
    with pytest.raises(ValueError, match="torch finds cpu, cuda, xpu:0, xpu:1 here"):
        choose_device("cuda:1")


@pytest.mark.parametrize("device", ["gpu", "", ["cpu"], 1.5])
def test_what_is_no_device_is_refused(machine, device):
    machine()
    with pytest.raises(ValueError, match="is unknown; choose one of cpu, or leave it out"):
        choose_device(device)


def test_a_device_without_float64_is_refused_where_that_is_needed(machine):
    machine(cuda=1, mps=1)
    with pytest.raises(ValueError, match=r"'mps' .* lacks float64; use cpu or cuda"):
        choose_device("mps", float64=True)
    assert choose_device("cuda", float64=True).type == "cuda"
    assert choose_device("cpu", float64=True).type == "cpu"


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (None, torch.float32),
        ("float16", torch.float16),
        ("torch.bfloat16", torch.bfloat16),
        (torch.bfloat16, torch.bfloat16),
        (np.float32, torch.float32),
        (np.dtype("float16"), torch.float16),
        ("fp32", torch.float32),
        ("fp16", torch.float16),
        ("half", torch.float16),
        ("bf16", torch.bfloat16),
    ],
)
def test_a_dtype_by_any_of_its_names(asked, given):
    assert choose_dtype(asked, ALLOWED) is given


@pytest.mark.parametrize("dtype", ["float64", "fp64", "int8", torch.int8, np.int8, "foo", 3, [2]])
def test_a_dtype_that_is_not_allowed_is_refused(dtype):
    with pytest.raises(
        ValueError, match=r"is unknown; choose one of float32, float16, bfloat16\.$"
    ):
        choose_dtype(dtype, ALLOWED)
