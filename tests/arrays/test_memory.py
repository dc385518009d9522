"""Free memory: as the system tells it, all there is where it does not, or a job's limit."""

from __future__ import annotations

import pytest
import torch

from voxscale.arrays import _memory
from voxscale.arrays._memory import available_bytes, host_bytes

CPU = torch.device("cpu")


def test_available_memory_is_read_from_meminfo(monkeypatch, tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  100 kB\nMemFree:  10 kB\nMemAvailable:   2048 kB\n")
    monkeypatch.setattr(_memory, "_MEMINFO", meminfo)
    monkeypatch.setattr(_memory, "_GROUPS", tmp_path / "none")
    assert available_bytes(CPU) == host_bytes() == 2048 * 1024


@pytest.mark.parametrize("text", [None, "MemTotal: 100 kB\n"])
def test_available_memory_where_meminfo_does_not_tell(monkeypatch, tmp_path, text):
    meminfo = tmp_path / "meminfo"
    if text is not None:
        meminfo.write_text(text)
    monkeypatch.setattr(_memory, "_MEMINFO", meminfo)
    monkeypatch.setattr(_memory, "_GROUPS", tmp_path / "none")
    monkeypatch.setattr(_memory.os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 10}.get)
    assert available_bytes(CPU) == 40960


def test_memory_of_an_accelerator_is_asked_of_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (123, 456))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 50)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 20)
    assert available_bytes(torch.device("cuda")) == 153


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with 1,000 kB free, and no groups."""
    (tmp_path / "meminfo").write_text("MemTotal: 9999 kB\nMemAvailable: 1000 kB\n")
    monkeypatch.setattr(_memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(_memory, "_GROUPS", tmp_path / "groups")
    files = tuple(
        (tmp_path / root.relative_to("/"), *names) for root, *names in _memory._GROUP_FILES
    )
    monkeypatch.setattr(_memory, "_GROUP_FILES", files)
    return tmp_path


def limited(folder, names, limit, taken, cached):
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in zip(names[:2], (limit, taken), strict=True):
        (folder / name).write_text(f"{value}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{names[2]} {cached}\n")


def test_without_groups_it_is_the_machines(machine):
    assert available_bytes(CPU) == 1000 * 1024
    (machine / "groups").write_text("0::/\n")
    assert available_bytes(CPU) == 1000 * 1024


@pytest.mark.parametrize("version", [0, 1])
def test_a_limit_of_a_job_counts_and_its_file_cache_does_not(machine, version):
    root, *names = _memory._GROUP_FILES[version]
    line = ("0::/job/step", "4:cpu,cpuacct:/elsewhere\n7:memory:/job/step")[version]
    (machine / "groups").write_text(f"{line}\n")
    limited(root / "job", names, 500_000, 200_000, 50_000)
    assert available_bytes(CPU) == 350_000  # of the group that it lies in
    limited(root / "job" / "step", names, 300_000, 250_000, 0)
    assert available_bytes(CPU) == 50_000
    limited(root / "job" / "step", names, 300_000, 350_000, 0)
    assert available_bytes(CPU) == 0
    limited(root / "job" / "step", names, 2**60, 250_000, 0)
    limited(root / "job", names, 2**60, 250_000, 0)
    assert available_bytes(CPU) == 1000 * 1024


def test_a_group_without_a_limit_is_the_machines(machine):
    root, *names = _memory._GROUP_FILES[0]
    (machine / "groups").write_text("0::/job\n")
    limited(root / "job", names, "max", 250_000, 0)
    assert available_bytes(CPU) == 1000 * 1024
