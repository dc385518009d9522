"""How steeply the score of each voxel grows: on the flattened cortex, or as a histogram."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.data import PycortexSubject
from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.reports._flat_values import FSAVERAGE
from voxscale.reports._flatmap import N_VERTICES, flatmap
from voxscale.reports._style import FOUND, INK, MUTED, PAGE_WIDTH, panel_grid, styled
from voxscale.reports._surface import REPORT_ROWS
from voxscale.reports._tables import with_minus

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["slope_histograms", "slope_map_figure"]

_EXTREME = 99.0  # per cent of the values that colours tell apart
_BELOW_LEGEND = 0.74  # of the height of a histogram


@styled
def slope_map_figure(
    slopes: ArrayLike,
    *,
    shown: ArrayLike | None = None,
    label: str = "slope (score per decade)",
    shown_label: str = "shown",
    title: str | None = None,
    flat: bool | None = None,
    subject: PycortexSubject | str | None = None,
) -> Figure:
    """Draw the slope of each voxel, such as those of :func:`voxscale.scaling.slope_map`.

    Parameters
    ----------
    slopes : array of shape (n_voxels,)
        Gain in score for ten times the size. NaN where there is none.
    shown : array of bool of shape (n_voxels,), optional
        Which voxels a map shows, and a histogram colours: ``found.q_values < 0.05``, say.
        Default: all with a slope.
    label : str
        What slopes are of, with the unit.
    shown_label : str
        Why those are shown, for the legend of a histogram.
    title : str, optional
    flat : bool, optional
        Whether to draw on the flattened fsaverage5. Default: if there are as many voxels as it
        has vertices, 20,484.
    subject : PycortexSubject or "fsaverage5", optional
        Draw on the flattened cortex of this subject; ``flat`` is not looked at then.

    Returns
    -------
    matplotlib Figure
        Colours are red above 0 and blue below, of equal reach.

    Raises
    ------
    AlignmentError
        If ``shown`` has not one element for each voxel, or there are not as many as ``subject``
        has.
    ValueError
        If ``flat`` and there are not 20,484 voxels.
    VoxscaleError
        If nilearn, which brings fsaverage5, or nibabel is not installed.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> slopes = 0.02 * rng.standard_normal(300)
    >>> figure = slope_map_figure(slopes, shown=slopes > 0.03, label="r per decade of hours")
    >>> figure.axes[0].get_xlabel()
    'r per decade of hours'
    """
    values = np.array(slopes, dtype=np.float64)
    where = np.isfinite(values) if shown is None else np.asarray(shown, dtype=bool)
    if values.ndim != 1 or where.shape != values.shape:
        msg = (
            f"slopes have shape {values.shape} and shown {where.shape}; expected (n_voxels,) of "
            "both."
        )
        raise AlignmentError(msg)
    where = where & np.isfinite(values)
    if subject is not None or flat or (flat is None and len(values) == N_VERTICES):
        end = _end(values[where])
        masked = np.where(where, values, np.nan)
        options: dict[str, Any] = {
            "cmap": "coolwarm",
            "vmin": -end,
            "vmax": end,
            "n_rows": REPORT_ROWS,
        }
        options |= {"title": title or "", "label": label}
        with warnings.catch_warnings():  # that none is shown is for the caller to say
            warnings.filterwarnings("ignore", "no voxel has a value", VoxscaleWarning)
            return flatmap(masked, subject or FSAVERAGE, **options)
    return slope_histograms({title or "": (values, where)}, label=label, shown_label=shown_label)


@styled
def slope_histograms(
    slopes: Mapping[str, tuple[Array, Array]], *, label: str, shown_label: str
) -> Figure:
    """Draw the slopes of several subjects as histograms, a panel each.

    Parameters
    ----------
    slopes : mapping of title to (slopes, shown), arrays of shape (n_voxels,)
    label, shown_label : str
        As for :func:`slope_map_figure`.

    Returns
    -------
    matplotlib Figure
    """
    figure, axes = panel_grid(len(slopes), 2, width=0.6 * PAGE_WIDTH, height=3.3)
    for ax, (title, (values, where)) in zip(axes, slopes.items(), strict=True):
        _draw_histogram(ax, values, where, shown_label)
        ax.set(xlabel=label, ylabel="voxels")
        ax.set_title(title)
    return figure


def _draw_histogram(ax: Axes, values: Array, where: Array, shown_label: str) -> None:
    known = values[np.isfinite(values)]
    if known.size:
        edges = np.histogram_bin_edges(known, bins=min(60, max(8, known.size // 20)))
        bins: list[float] = edges.tolist()
        ax.hist(known, bins, color="#c9cdd4", label=f"all voxels with a slope ({known.size:,})")
        ax.hist(values[where], bins, color=FOUND, label=f"{shown_label} ({int(where.sum()):,})")
        median = float(np.median(known))
        told = with_minus(f"median {median:+.4f}")
        ax.axvline(median, ymax=_BELOW_LEGEND, color=INK, lw=1.2, ls="--", label=told)
        ax.margins(y=0.36)  # room for the legend above the bars
        ax.legend(loc="upper left")
    ax.axvline(0.0, ymax=_BELOW_LEGEND, color=MUTED, lw=0.8)


def _end(values: Array) -> float:
    """Return where the colours end: nearly the largest size of a slope that is shown."""
    if not values.size:
        return 1.0
    return float(np.percentile(np.abs(values), _EXTREME)) or 1.0
