"""Where torch computes and in which numbers; torch is imported when somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

__all__ = ["choose_device", "choose_dtype"]

_WITH_FLOAT64 = ("cpu", "cuda")
_SHORT = {
    "fp64": "float64",
    "fp32": "float32",
    "fp16": "float16",
    "half": "float16",
    "bf16": "bfloat16",
}


def choose_device(device: Any, *, float64: bool = False) -> torch.device:
    """Return the device asked for, once it is known to be here.

    Parameters
    ----------
    device : str, torch.device or None
        None is cuda where there is one, else cpu.
    float64 : bool
        Refuse devices that lack it.

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If the device is unknown, is not available here, or lacks float64 where it is needed.
    """
    import torch

    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        msg = f"device {device!r} is unknown; choose one of {_available()}, or leave it out."
        raise ValueError(msg) from error
    if float64 and chosen.type not in _WITH_FLOAT64:
        msg = (
            f"device {str(device)!r} cannot be used, since it lacks float64; "
            f"use {' or '.join(_WITH_FLOAT64)}."
        )
        raise ValueError(msg)
    n_here = _counts().get(chosen.type, 0)
    if (chosen.index or 0) >= n_here:
        msg = (
            f"device {str(device)!r} is not available, torch finds {_available()} here; "
            "choose one of these, or leave it out."
        )
        raise ValueError(msg)
    return chosen


def choose_dtype(dtype: Any, allowed: Sequence[str]) -> torch.dtype:
    """Return the torch dtype asked for.

    Parameters
    ----------
    dtype : str, torch.dtype, numpy dtype or None
        None is the first that is allowed; "fp32", "fp16", "half" and "bf16" are understood.
    allowed : sequence of str
        By their full names.

    Returns
    -------
    torch.dtype

    Raises
    ------
    ValueError
        If it is none of those that are allowed.
    """
    import torch

    name = allowed[0] if dtype is None else _name(dtype)
    if name not in allowed:
        msg = f"dtype {dtype!r} is unknown; choose one of {', '.join(allowed)}."
        raise ValueError(msg)
    chosen: torch.dtype = getattr(torch, name)
    return chosen


def _name(dtype: Any) -> str:
    """Full name of a dtype, or a text that is none."""
    import torch

    if isinstance(dtype, str | torch.dtype):
        name = str(dtype).removeprefix("torch.")
        return _SHORT.get(name, name)
    try:
        return str(np.dtype(dtype).name)
    except TypeError:
        return ""


def _counts() -> dict[str, int]:
    """How many devices of each kind torch finds."""
    import torch

    return {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
        "xpu": torch.xpu.device_count() if torch.xpu.is_available() else 0,
    }


def _available() -> str:
    names = []
    for kind, n_here in _counts().items():
        names += [kind] if n_here == 1 else [f"{kind}:{i}" for i in range(n_here)]
    return ", ".join(names)
