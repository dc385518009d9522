"""Free memory: as the system tells it, or all there is where it does not."""

from __future__ import annotations

import pytest
import torch

from voxscale.arrays import _memory
from voxscale.arrays._memory import available_bytes

CPU = torch.device("cpu")


def test_available_memory_is_read_from_meminfo(monkeypatch, tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  100 kB\nMemFree:  10 kB\nMemAvailable:   2048 kB\n")
    monkeypatch.setattr(_memory, "_MEMINFO", meminfo)
    assert available_bytes(CPU) == 2048 * 1024


@pytest.mark.parametrize("text", [None, "MemTotal: 100 kB\n"])
def test_available_memory_where_meminfo_does_not_tell(monkeypatch, tmp_path, text):
    meminfo = tmp_path / "meminfo"
    if text is not None:
        meminfo.write_text(text)
    monkeypatch.setattr(_memory, "_MEMINFO", meminfo)
    monkeypatch.setattr(_memory.os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 10}.get)
    assert available_bytes(CPU) == 40960


def test_memory_of_an_accelerator_is_asked_of_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (123, 456))
    assert available_bytes(torch.device("cuda")) == 123
