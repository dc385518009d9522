"""Score by layer of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voxscale.reports._style import PAGE_WIDTH, colour_of, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["layer_curves"]


@styled
def layer_curves(
    scores: Any, *, cv_label: str = "validation score", r_label: str = "test correlation r"
) -> Figure:
    """Draw the score on validation data and on test data against the layer.

    Parameters
    ----------
    scores : DataFrame
        Columns ``subject``, ``layer``, ``cv_score`` and ``r``; one row per subject and layer.
    cv_label, r_label : str
        The scores, with their reducers.

    Returns
    -------
    matplotlib Figure
        Two panels; a line per subject. In both the layer is ringed that validation chooses.
    """
    figure, grid = new_figure(1, 2, width=PAGE_WIDTH, height=3.5)
    panels = (("cv_score", cv_label, "Validation"), ("r", r_label, "Test"))
    for ax, (column, label, title) in zip(grid[0], panels, strict=True):
        for i, (subject, rows) in enumerate(scores.groupby("subject", sort=False)):
            ordered = rows.dropna(subset=[column]).sort_values("layer")
            ax.plot(ordered["layer"], ordered[column], "o-", color=colour_of(i), label=subject)
            if rows["cv_score"].notna().any():
                best = rows.loc[rows["cv_score"].idxmax()]
                ring = {"mfc": "none", "mec": colour_of(i), "ms": 10}
                ax.plot(best["layer"], best[column], "o", **ring)
        ax.set(xlabel="layer (0 = word embeddings)", ylabel=label)
        ax.set_title(title)
        ax.set_xticks(sorted(scores["layer"].unique()))
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=max(1, len(labels)))
    return figure
