"""How well predictions do, voxel by voxel, from sums over TRs: a row of a table per scoring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from voxscale.errors import did_you_mean

__all__ = [
    "SCORINGS",
    "Errors",
    "Moments",
    "correlation",
    "huth2023",
    "needs_only_errors",
    "r2",
    "scoring_function",
]


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over the TRs of a validation part, float64, for any number of alphas.

    Parameters
    ----------
    n_trs : int
    yy : tensor of shape (n_voxels,)
        Sum of squares of the responses about their mean.
    yp, pp : tensor of shape (..., n_voxels)
        Sum of products of responses and predictions, and of squares of predictions, about
        their means.
    y_mean : tensor of shape (n_voxels,)
    p_mean : tensor of shape (..., n_voxels)
    noise : tensor of shape (..., n_voxels)
        What ``pp`` of a constant prediction can be by rounding alone.
    """

    n_trs: int
    yy: Tensor
    yp: Tensor
    pp: Tensor
    y_mean: Tensor
    p_mean: Tensor
    noise: Tensor

    @classmethod
    def of(cls, Y: Tensor, Y_pred: Tensor) -> Moments:
        """Sum over the rows of responses and predictions of shape (n_trs, n_voxels)."""
        y, y_mean = centred(Y)
        p, p_mean = centred(Y_pred)
        noise = rounding_noise(len(Y), p_mean, Y_pred.dtype)
        yy, yp, pp = y.square().sum(0), (y * p).sum(0), p.square().sum(0)
        return cls(len(Y), yy, yp, pp, y_mean, p_mean, noise)

    @property
    def residual(self) -> Tensor:
        """Sum of squares of response minus prediction, about its mean."""
        return (self.yy - 2 * self.yp + self.pp).clamp_min(0)

    @property
    def error(self) -> Tensor:
        """Sum of squares of response minus prediction; an offset counts."""
        return self.residual + self.n_trs * (self.y_mean - self.p_mean).square()


@dataclass(frozen=True, eq=False)
class Errors:
    """As :class:`Moments`, for scorings that ask for no more.

    Parameters
    ----------
    yy : tensor of shape (n_voxels,)
    error : tensor of shape (..., n_voxels)
    """

    yy: Tensor
    error: Tensor


def centred(values: Tensor) -> tuple[Tensor, Tensor]:
    """Subtract the mean of each column in float64; a constant column becomes exactly 0."""
    exact = values.double()
    first = exact[0]
    exact = exact - first  # without this, the mean of equal numbers may be off by a rounding
    mean = exact.mean(0)
    return exact - mean, first + mean


def rounding_noise(n_trs: int, mean: Tensor, dtype: torch.dtype) -> Tensor:
    """Sum of squares that a constant prediction of that mean may leave after centring."""
    return n_trs * (10 * torch.finfo(dtype).eps * mean).square()


def r2(sums: Moments | Errors) -> Tensor:
    """Share of the variance explained, 1 at best, unbounded below; an offset counts as error."""
    return _where_responses_vary(sums, 1 - sums.error / sums.yy)


def correlation(sums: Moments) -> Tensor:
    """Pearson correlation over TRs; NaN where the prediction is constant."""
    r = (sums.yp / (sums.yy.sqrt() * sums.pp.sqrt())).clamp(-1, 1)
    return _where_responses_vary(sums, torch.where(sums.pp > sums.noise, r, torch.nan))


def huth2023(sums: Moments) -> Tensor:
    """Signed root of variance explained, as the code published with Antonello et al. 2023 has it.

    The variance explained is taken of (1 + variance of the responses) / 2, the average of the
    variance that z-scored responses should have and the one that they have; an offset of the
    predictions does not count.

    References
    ----------
    Antonello, Vaidya & Huth 2023, NeurIPS, arXiv:2305.11863.
    """
    explained = 1 - (sums.residual / sums.n_trs) / ((1 + sums.yy / sums.n_trs) / 2)
    return _where_responses_vary(sums, explained.sign() * explained.abs().sqrt())


SCORINGS: dict[str, Callable[[Moments], Tensor]] = {
    "correlation": correlation,
    "huth2023": huth2023,
    "r2": r2,
}


def scoring_function(name: str) -> Callable[[Moments], Tensor]:
    """Look a scoring up by name.

    Raises
    ------
    ValueError
        If no scoring has that name; the message lists those that exist.

    Examples
    --------
    >>> scoring_function("r2").__name__
    'r2'
    """
    if name not in SCORINGS:
        hint = did_you_mean(str(name), SCORINGS)
        msg = f"scoring {name!r} is unknown; choose one of {', '.join(SCORINGS)}{hint}."
        raise ValueError(msg)
    return SCORINGS[name]


def needs_only_errors(scoring: Callable[..., Tensor]) -> bool:
    """Tell whether a scoring takes :class:`Errors`."""
    return scoring is r2


def _where_responses_vary(sums: Moments | Errors, scores: Tensor) -> Tensor:
    return torch.where(sums.yy > 0, scores, torch.nan)
