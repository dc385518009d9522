"""Scores against the best that any model could do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.reports._style import FOUND, PAGE_WIDTH, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ceiling_density"]

_COLUMNS = 3  # panels beside each other
_FEWEST = 20  # voxels that a median is taken of


@styled
def ceiling_density(scores: Any) -> Figure:
    """Draw how many voxels reach which correlation, against their noise ceiling.

    Parameters
    ----------
    scores : DataFrame
        Columns ``subject``, ``r`` (correlation with the mean over repeats) and ``cc_max``; one
        row per voxel. Rows without either are left out and counted in the panel's title.

    Returns
    -------
    matplotlib Figure
        A panel per subject; on the dashed line a model is as good as noise lets it be.
    """
    groups = list(scores.groupby("subject", sort=False))
    n_columns = min(_COLUMNS, len(groups))
    n_rows = -(-len(groups) // n_columns)
    width = max(0.55, min(1.0, 0.5 * n_columns)) * PAGE_WIDTH
    figure, grid = new_figure(n_rows, n_columns, width=width, height=3.7 * n_rows)
    complete = scores.dropna(subset=["r", "cc_max"])
    lowest = min(-0.2, float(complete["r"].min()) - 0.02) if len(complete) else -0.2
    for ax, (subject, rows) in zip(grid.ravel(), groups, strict=False):
        known = rows.dropna(subset=["r", "cc_max"])
        ax.set_title(f"{subject}: {len(known):,} of {len(rows):,} voxels")
        ax.plot([0, 1], [0, 1], "--", color="#4b5058", lw=1, label="noise ceiling: r = cc_max")
        if len(known):
            _draw(ax, known["cc_max"].to_numpy(), known["r"].to_numpy(), lowest)
        ax.axhline(0, color="#4b5058", lw=0.6)
        ax.set(xlim=(0, 1), ylim=(lowest, 1), xlabel="noise ceiling cc_max (correlation)")
        ax.set_ylabel("correlation r with the mean over repeats")
        ax.legend(loc="upper left")
    for ax in grid.ravel()[len(groups) :]:
        ax.set_visible(False)
    return figure


def _draw(ax: Axes, ceiling: Any, r: Any, lowest: float) -> None:
    from matplotlib.colors import LogNorm

    density = ax.hexbin(
        ceiling, r, gridsize=(45, 30), extent=(0, 1, lowest, 1), mincnt=1, norm=LogNorm(), lw=0.1
    )
    bar = ax.figure.colorbar(density, ax=ax, shrink=0.85, pad=0.02)
    bar.set_label("voxels per hexagon")
    bar.outline.set_visible(False)
    edges = np.linspace(0, 1, 21)
    bins = np.digitize(ceiling, edges) - 1
    here = [b for b in range(20) if (bins == b).sum() >= _FEWEST]
    medians = [float(np.median(r[bins == b])) for b in here]
    middles = [edges[b] + 0.025 for b in here]
    ax.plot(middles, medians, "-", color="white", lw=3.2)
    ax.plot(middles, medians, "-", color=FOUND, lw=1.8, label="median voxel")
