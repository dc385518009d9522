"""How much memory is free."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["available_bytes", "host_bytes"]

_MEMINFO = Path("/proc/meminfo")
# Of each version of control groups: where they are, and the names of limit, use, and what of the
# use is a cache of files that gives way.
_GROUPS = Path("/proc/self/cgroup")
_GROUP_FILES = (
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current", "inactive_file"),
    (
        Path("/sys/fs/cgroup/memory"),
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
)


def available_bytes(device: torch.device) -> int:
    """Measure the memory that is free on a device.

    On a CPU, no more than what a job's or container's limit leaves; on a GPU with what torch
    holds, but does not use.
    """
    if device.type == "cuda":
        import torch

        spare = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + spare
    return host_bytes()


def host_bytes() -> int:
    """Measure the memory of this machine that is free to this process; without torch."""
    return min([_of_machine(), *_of_groups()])


def _of_machine() -> int:
    if _MEMINFO.exists():
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _of_groups() -> list[int]:
    """Give what each control group of this process leaves, and each that it lies in."""
    if not _GROUPS.exists():
        return []
    left = []
    for line in _GROUPS.read_text().splitlines():
        _, controllers, own = line.split(":", 2)
        if controllers in ("", "memory"):
            root, *names = _GROUP_FILES[controllers == "memory"]
            folder = root / own.lstrip("/")
            groups = [folder, *folder.parents]
            left += [_of_group(one, *names) for one in groups if one.is_relative_to(root)]
    return [one for one in left if one is not None]


def _of_group(folder: Path, limit: str, use: str, cache: str) -> int | None:
    """Give what a group may still take; None without a limit."""
    try:
        most, taken = (folder / limit).read_text().strip(), int((folder / use).read_text())
        held = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except OSError:  # the root has no such files; a container may not see those above it
        return None
    return None if most == "max" else max(0, int(most) - taken + int(held.get(cache, 0)))
