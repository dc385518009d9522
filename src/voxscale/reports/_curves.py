"""Score against size: points, the law through them, and how sure it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.reports._style import MUTED, PAGE_WIDTH, colour_of, new_figure, styled
from voxscale.reports._tables import with_minus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from voxscale.scaling import ScalingLaw

__all__ = [
    "LawPanel",
    "described_slope",
    "grid_of",
    "is_straight",
    "line_fit",
    "scaling_curve",
    "scaling_curves",
]

LEAST_R2 = 0.9  # of a line, for the points to be called one

_ASIDE = 7.0  # points that single draws are moved to the right
_MOST_TICKS = 9  # sizes that are named one by one on the axis
_CLOSEST_TICKS = 0.08  # of its width; closer ones would run into each other


class LawPanel(NamedTuple):
    """What one panel of :func:`scaling_curves` shows; ``unit`` is what the law resamples."""

    law: ScalingLaw
    xlabel: str
    draws: tuple[Array, Array] | None = None
    title: str | None = None
    unit: str = "unit"


class LineFit(NamedTuple):
    """How well the line of a law describes its points."""

    r2: float
    largest_residual: float
    at: float


def scaling_curve(
    law: ScalingLaw,
    *,
    xlabel: str = "size",
    ylabel: str = "score",
    title: str | None = None,
    draws: tuple[ArrayLike, ArrayLike] | None = None,
) -> Figure:
    """Draw a scaling law: its points, its line, and the interval around it.

    The line ends where the points end; what lies beyond is not drawn.

    Parameters
    ----------
    law : ScalingLaw
        From :func:`voxscale.fit_scaling_law`.
    xlabel, ylabel : str
        What was varied and what was scored, each with its unit: "training data (hours)".
    title : str, optional
    draws : tuple of two arrays of shape (n_draws,), optional
        x and score of single draws, shown as rings a little to the right of their x: at it,
        the points of the law would hide them.

    Returns
    -------
    matplotlib Figure
        Not in pyplot's list; save it with ``.savefig(path)``.

    Examples
    --------
    >>> from voxscale.scaling import fit_scaling_law
    >>> law = fit_scaling_law([1.0, 10.0], [[0.10, 0.12], [0.13, 0.17]])
    >>> figure = scaling_curve(law, xlabel="training data (hours)", ylabel="correlation")
    >>> figure.axes[0].get_xlabel()
    'training data (hours)'
    """
    points = None if draws is None else (np.asarray(draws[0]), np.asarray(draws[1]))
    return scaling_curves([LawPanel(law, xlabel, points, title)], ylabel=ylabel)


@styled
def scaling_curves(panels: Sequence[LawPanel], *, ylabel: str) -> Figure:
    """Draw several laws of one score side by side, on one scale of scores.

    Parameters
    ----------
    panels : sequence of LawPanel
    ylabel : str
        The score, with its unit and reducer.

    Returns
    -------
    matplotlib Figure
    """
    width = PAGE_WIDTH if len(panels) > 1 else 0.6 * PAGE_WIDTH
    figure, grid = new_figure(1, len(panels), width=width, height=3.6, sharey=True)
    for i, (ax, panel) in enumerate(zip(grid[0], panels, strict=True)):
        _draw(ax, panel, colour_of(i))
        ax.set_ylabel(ylabel)
        ax.yaxis.set_tick_params(labelleft=True)
    return figure


def described_slope(law: ScalingLaw, *, digits: int = 4, unit: str = "unit") -> str:
    """Say the slope of a law with its interval.

    Parameters
    ----------
    law : ScalingLaw
    digits : int
        Decimals.
    unit : str
        What the law resamples.

    Returns
    -------
    str

    Examples
    --------
    >>> from voxscale.scaling import fit_scaling_law
    >>> described_slope(fit_scaling_law([1.0, 10.0], [0.10, 0.125]), digits=3)
    '+0.025 per decade (no interval: one unit)'
    """
    slope, low, high = (
        with_minus(f"{one:+.{digits}f}") for one in (law.slope, *law.slope_interval)
    )
    if math.isnan(law.slope_interval[0]):
        return f"{slope} per decade (no interval: one {unit})"
    return f"{slope} per decade, {100 * law.level:g} % interval {low} to {high}"


def line_fit(law: ScalingLaw) -> LineFit:
    """Compare the points of a law, means over units, with its line.

    Parameters
    ----------
    law : ScalingLaw

    Returns
    -------
    LineFit
        Share of the variance of the points that the line explains (NaN where they are all
        equal), the residual that is largest in size, and its x.

    Examples
    --------
    >>> from voxscale.scaling import fit_scaling_law
    >>> fit = line_fit(fit_scaling_law([1.0, 10.0, 100.0], [0.1, 0.2, 0.2]))
    >>> [round(one, 4) for one in fit]
    [0.75, 0.0333, 10.0]
    """
    residuals = law.mean_scores - law.predict(law.x)
    rises = law.mean_scores - law.mean_scores[0]  # exactly 0 where all points are equal
    total = np.sum((rises - rises.mean()) ** 2)
    r2 = 1 - np.sum(residuals**2) / total if total > 0 else math.nan
    worst = np.argmax(np.abs(residuals))
    return LineFit(float(r2), float(residuals[worst]), float(law.x[worst]))


def is_straight(law: ScalingLaw) -> bool:
    """Tell whether nothing speaks against a line: an R² of 0.9 or more, or points all equal."""
    return not line_fit(law).r2 < LEAST_R2


def grid_of(law: ScalingLaw) -> Array:
    """Return the x at which a law is drawn: from its first to its last point."""
    return np.geomspace(law.x.min(), law.x.max(), 100)


def _draw(ax: Axes, panel: LawPanel, colour: str) -> None:
    law = panel.law
    x = grid_of(law)
    low, high = law.interval(x)
    has_band = bool(np.isfinite(low).all())
    if has_band:
        share = f"{100 * law.level:g} % interval of the line"
        ax.fill_between(x, low, high, color=colour, alpha=0.16, lw=0, label=share)
    slope = described_slope(law, unit=panel.unit).split(",")[0]
    if not is_straight(law):
        slope += (", " if has_band else ",\n") + f"R² only {line_fit(law).r2:.2f}"
    ax.plot(x, law.predict(x), color=colour, label=slope)
    ax.plot(law.x, law.mean_scores, "o", color=colour, ms=6, mec="white", label="mean")
    if panel.draws is not None:
        _draw_rings(ax, *panel.draws)
    ax.set_xscale("log")
    _name_sizes(ax, law.x)
    ax.set_xlabel(panel.xlabel)
    ax.set_title(panel.title or "")
    ax.legend(loc="best")


def _draw_rings(ax: Axes, x: Array, scores: Array) -> None:
    """Draw single draws beside the points of a law, moved on the paper and not in the data."""
    from matplotlib.transforms import offset_copy

    aside = offset_copy(ax.transData, ax.get_figure(root=True), _ASIDE, units="points")
    ring: Any = {"mfc": "white", "mec": MUTED, "mew": 1.0, "ms": 4}
    ax.plot(x, scores, "o", transform=aside, label="one draw", **ring)
    ax.update_datalim(np.column_stack([x, scores]))  # what is moved sets no limits by itself
    ax.autoscale_view()


def _name_sizes(ax: Axes, sizes: Array) -> None:
    """Write the sizes themselves on the axis where they are few."""
    from matplotlib.ticker import EngFormatter, NullFormatter, NullLocator

    different: list[float] = np.unique(sizes).tolist()
    if len(different) > _MOST_TICKS:
        return
    closest = _CLOSEST_TICKS * math.log10(different[-1] / different[0])
    shown = different[:1]
    for size in different[1:]:
        if math.log10(size / shown[-1]) > closest:
            shown.append(size)
    large = EngFormatter(sep="")
    ax.set_xticks(shown, labels=[large(s) if s >= 1e4 else _size_text(s) for s in shown])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())


def _size_text(size: float) -> str:
    if size == round(size):
        return f"{size:.0f}"
    return f"{size:.3g}" if size >= 1 else f"{size:.2g}"
