"""Times of triggers: those that a log misses are filled in, and those that jitter evened out."""

from __future__ import annotations

import numpy as np

from voxscale.arrays import Array
from voxscale.data._files import FilePath
from voxscale.errors import DataError

__all__ = ["UNEVEN", "is_even", "line_through", "repaired_triggers"]

UNEVEN = 0.1  # of a TR: what logs jitter by, and scanners do not
_NEAR = 1.5  # times the smallest gap between triggers: up to it, a gap may be one TR
_FEWEST = 0.25  # of all triggers must be there, or no gap is taken for a TR
_LEAST_SHARE = 0.05  # of gaps that are one TR: below it, a trigger too many is likelier
_EVEN = 0.009  # of a TR: just under what `voxscale.lanczos` allows


def repaired_triggers(triggers: Array, expected_tr_s: float | None, path: FilePath) -> Array:
    """Fill every gap with as many triggers as it holds, evenly."""
    gaps = np.diff(triggers)
    tr_s = _tr(gaps) if expected_tr_s is None else _tr_near(gaps, expected_tr_s, path)
    tr_s = _refined(tr_s, gaps)
    close = np.flatnonzero(gaps <= 0.5 * tr_s)
    if close.size:
        i = int(close[0])
        msg = (
            f"{path}: triggers at {triggers[i]} and {triggers[i + 1]} s are {gaps[i]:.4g} s apart, "
            f"where a TR is {tr_s:.4g} s; expected one trigger for each TR; remove the one that "
            "is too many, or pass expected_tr_s= if the TR is another."
        )
        raise DataError(msg)
    n_steps = _n_trs(gaps, tr_s)
    off_s = np.abs(gaps - n_steps * tr_s)
    if off_s.max() > UNEVEN * tr_s:
        i = int(off_s.argmax())
        msg = (
            f"{path}: triggers at {triggers[i]} and {triggers[i + 1]} s are {gaps[i]:.4g} s apart; "
            f"expected a multiple of the TR, which seems to be {tr_s:.4g} s; pass expected_tr_s= "
            "if the TR is another, or mend these lines."
        )
        raise DataError(msg)
    pieces = [
        start + gap * np.arange(steps) / steps
        for start, gap, steps in zip(triggers[:-1], gaps, n_steps, strict=True)
    ]
    return np.concatenate([*pieces, triggers[-1:]])


def _tr(gaps: Array) -> float:
    """Find the TR among gaps that may each be several."""
    plausible = gaps[gaps > _FEWEST * gaps.mean()]
    if not plausible.size:  # all triggers at one time
        return 0.0
    single = gaps[(gaps >= plausible.min()) & (gaps <= _NEAR * plausible.min())]
    return float(np.median(single if len(single) >= _LEAST_SHARE * len(gaps) else gaps))


def _tr_near(gaps: Array, expected_tr_s: float, path: FilePath) -> float:
    """Measure the TR where it is about known, on the gaps that hold the fewest."""
    n_steps = _n_trs(gaps, expected_tr_s)
    fewest = int(n_steps.min())
    tr_s = float(np.median(gaps[n_steps == fewest])) / fewest
    if not abs(tr_s - expected_tr_s) <= 0.05 * expected_tr_s:
        msg = (
            f"{path}: the median time between triggers is {np.median(gaps):.4g} s; expected "
            f"{expected_tr_s} s, or a multiple of it; check that this is the log of the run."
        )
        raise DataError(msg)
    return tr_s


def _refined(tr_s: float, gaps: Array) -> float:
    """Average over more and more TRs, so that jitter does not add up over a long gap."""
    total_s, n_trs = tr_s, 1
    for gap in np.sort(gaps[gaps > 0.5 * tr_s]):
        n_steps = round(gap * n_trs / total_s)
        if abs(gap - n_steps * total_s / n_trs) <= UNEVEN * tr_s:
            total_s, n_trs = total_s + float(gap), n_trs + n_steps
    return total_s / n_trs


def _n_trs(gaps: Array, tr_s: float) -> Array:
    return np.maximum(np.rint(gaps / tr_s), 1).astype(int)


def is_even(times: Array) -> bool:
    """Tell whether times are as even as interpolation needs them."""
    steps = np.diff(times)
    return not steps.size or bool(np.abs(steps - steps.mean()).max() <= _EVEN * steps.mean())


def line_through(times: Array) -> Array:
    """Fit a straight line to times by least squares."""
    number = np.arange(len(times)) - (len(times) - 1) / 2
    line: Array = times.mean() + number * (number @ times / (number @ number))
    return line
