"""Scores against the best that any model could do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.reports._hexagons import draw_hexagons
from voxscale.reports._style import FOUND, PAGE_WIDTH, panel_grid, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ceiling_density", "ceiling_medians"]

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
    figure, axes = panel_grid(len(groups), _COLUMNS, width=0.55 * PAGE_WIDTH, height=3.7)
    complete = scores.dropna(subset=["r", "cc_max"])
    lowest = min(-0.2, float(complete["r"].min()) - 0.02) if len(complete) else -0.2
    for ax, (subject, rows) in zip(axes, groups, strict=True):
        known = rows.dropna(subset=["r", "cc_max"])
        ax.set_title(f"{subject}: {len(known):,} of {len(rows):,} voxels")
        ax.plot([0, 1], [0, 1], "--", color="#4b5058", lw=1, label="noise ceiling: r = cc_max")
        if len(known):
            draw_hexagons(ax, known["cc_max"], known["r"], lowest=lowest, what="voxels")
            medians = ceiling_medians(known)
            line = medians["cc_max"], medians["median_r"]
            ax.plot(*line, "-", color="white", lw=3.2)
            ax.plot(*line, "-", color=FOUND, lw=1.8, label="median voxel")
        ax.axhline(0, color="#4b5058", lw=0.6)
        ax.set(xlim=(0, 1), ylim=(lowest, 1), xlabel="noise ceiling cc_max (correlation)")
        ax.set_ylabel("correlation r with the mean over repeats")
        ax.legend(loc="upper left")
    return figure


def ceiling_medians(scores: Any) -> Any:
    """Reduce voxels of similar ceilings to their median score.

    Parameters
    ----------
    scores : DataFrame
        As for :func:`ceiling_density`.

    Returns
    -------
    DataFrame
        Columns ``subject``, ``cc_max`` (the middle of a bin of 0.05), ``median_r`` and
        ``n_voxels``; bins of fewer than 20 voxels are left out.
    """
    import pandas as pd

    rows = []
    edges = np.linspace(0, 1, 21)
    for subject, known in scores.dropna(subset=["r", "cc_max"]).groupby("subject", sort=False):
        r = known["r"].to_numpy()
        bins = np.digitize(known["cc_max"], edges) - 1
        for i in range(20):
            here = r[bins == i]
            if len(here) >= _FEWEST:
                rows.append((subject, edges[i] + 0.025, float(np.median(here)), len(here)))
    return pd.DataFrame(rows, columns=["subject", "cc_max", "median_r", "n_voxels"])
