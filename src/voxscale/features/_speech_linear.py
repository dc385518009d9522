"""Products with weights, by the fastest routine at hand."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["linear"]


def linear(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, *, gelu: bool = False
) -> torch.Tensor:
    """Return x · weightᵀ + bias, and its GELU where asked for.

    On CPUs oneDNN's product is taken: on some it is more than twice as fast as the library behind
    ``torch.nn.functional.linear``.

    Parameters
    ----------
    x : tensor of shape (n_rows, n_in)
    weight : tensor of shape (n_out, n_in)
    bias : tensor of shape (n_out,), optional
    gelu : bool
        The exact one, by the error function.
    """
    import torch

    if x.device.type == "cpu" and x.dtype == torch.float32 and _has_onednn():
        after = ("gelu", "none") if gelu else ("none", "")
        made: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
            x, weight, bias, after[0], [], after[1]
        )
        return made
    made = torch.nn.functional.linear(x, weight, bias)
    return torch.nn.functional.gelu(made) if gelu else made


@cache
def _has_onednn() -> bool:
    """Tell whether the product is there and right; it is no promised part of torch."""
    import torch

    is_built: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not is_built or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    x = torch.linspace(-1, 1, 20).as_strided((5, 8), (3, 1))
    weight, bias = torch.linspace(-1, 2, 24).view(3, 8), torch.tensor([0.5, -1.0, 2.0])
    expected = torch.nn.functional.gelu(torch.nn.functional.linear(x, weight, bias))
    try:
        found = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "gelu", [], "none")
    except (RuntimeError, TypeError):  # of another version, with other arguments
        return False
    return bool(torch.allclose(found, expected, atol=1e-5))
