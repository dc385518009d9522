"""What was found against what was planted, where the data are simulated."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.reports._hexagons import draw_hexagons
from voxscale.reports._style import FOUND, MUTED, PAGE_WIDTH, colour_of, panel_grid, styled
from voxscale.reports._tables import as_text, with_minus

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["accuracy_found", "found_table", "layers_found", "nothing_found"]

LEAST_SHARE = 0.2  # of signal, for a vertex to count in the comparison of layers
P_LEVEL = 0.05
# A row per number: what it is, the goal in words, what meets it; some are only told.
_GOALS: tuple[tuple[str, str, Callable[[float], bool] | None], ...] = (
    (
        "accuracy: correlation of planted with found r, all vertices",
        "at least 0.9",
        lambda v: v >= 0.9,
    ),
    (
        f"layer: Spearman of planted with found, signal share > {LEAST_SHARE}",
        "at least 0.7",
        lambda v: v >= 0.7,
    ),
    ("no signal: mean r", "within 0.01 of 0", lambda v: abs(v) <= 0.01),
    (f"no signal: share with p < {P_LEVEL}", "at most 0.07", lambda v: v <= 0.07),
    ("accuracy: correlation of planted with found r, vertices with signal", "", None),
    ("ceiling: correlation of planted with found cc_max, vertices with signal", "", None),
)


def found_table(found: Any) -> Any:
    """Compare what was found with what was planted, in six numbers per subject.

    Parameters
    ----------
    found : DataFrame
        One row per subject and vertex, with columns ``subject``; planted ``signal_share``,
        ``accuracy`` (the correlation that the true signal would reach) and
        ``preferred_layer`` (NaN without signal); found ``r``, ``best_layer`` and ``p_value``.
        Optional: planted ``planted_cc_max`` and found ``cc_max``.

    Returns
    -------
    DataFrame
        Columns ``subject``, ``quantity``, ``goal``, ``found``, ``is_met`` ("yes", "no", or ""
        where there is no number or no goal) and ``n_vertices``, those that the number rests on.
    """
    import pandas as pd

    rows = []
    for subject, of_subject in found.groupby("subject", sort=False):
        numbers = _numbers(of_subject)
        for (quantity, goal, meets), (value, n) in zip(_GOALS, numbers, strict=True):
            met = "" if meets is None or math.isnan(value) else "yes" if meets(value) else "no"
            rows.append((subject, quantity, goal, value, met, n))
    columns = ["subject", "quantity", "goal", "found", "is_met", "n_vertices"]
    return pd.DataFrame(rows, columns=columns)


@styled
def accuracy_found(found: Any) -> Figure:
    """Draw the found correlation against the planted one, a panel per subject.

    Parameters
    ----------
    found : DataFrame
        As for :func:`found_table`.

    Returns
    -------
    matplotlib Figure
        Vertices with signal as hexagons; those without, which were all planted at 0, as a bar
        from the 5th to the 95th percentile of what was found.
    """
    figure, axes, groups = _panels(found, height=3.7)
    for ax, (subject, rows) in zip(axes, groups, strict=True):
        known = rows.dropna(subset=["accuracy", "r"])
        value, _ = _correlation(known["accuracy"], known["r"])
        ax.set_title(f"{subject}: correlation {as_text(value)}")
        ax.plot([0, 1], [0, 1], "--", color="#4b5058", lw=1, label="found = planted")
        planted = known[known["signal_share"] > 0]
        nothing = known.loc[known["signal_share"] <= 0, "r"]
        lowest = min(-0.3, float(known["r"].min()) if len(known) else 0.0)
        if len(planted):
            draw_hexagons(ax, planted["accuracy"], planted["r"], lowest=lowest, what="vertices")
        if len(nothing):
            low, middle, high = np.percentile(nothing, [5, 50, 95])
            label = f"no signal ({len(nothing):,}): 5 to 95 %"
            ax.plot([0, 0], [low, high], color=FOUND, lw=5, solid_capstyle="butt", label=label)
            ax.plot(0, middle, "o", color="white", mec=FOUND, ms=5)
        ax.set(xlim=(-0.03, 1), ylim=(lowest, 1))
        ax.set(xlabel="planted: correlation of the true signal", ylabel="found: test correlation r")
        ax.legend(loc="upper left")
    return figure


@styled
def layers_found(found: Any) -> Figure:
    """Draw which layer was found where which was planted, a panel per subject.

    Parameters
    ----------
    found : DataFrame
        As for :func:`found_table`; only vertices with a signal share above 0.2 are drawn.

    Returns
    -------
    matplotlib Figure
        Each column is a planted layer; its cells are the shares of the layers found there.
    """
    figure, axes, groups = _panels(found, height=3.9)
    layers = np.unique(found["best_layer"].dropna())
    for ax, (subject, rows) in zip(axes, groups, strict=True):
        known = _with_layers(rows)
        rho, n = _spearman(known["preferred_layer"], known["best_layer"])
        ax.set_title(f"{subject}: Spearman {as_text(rho, 2)} ({n:,} vertices)")
        ax.set(xlabel="planted layer", ylabel="found layer (best by validation)")
        ax.grid(visible=False)
        if not n:
            continue
        planted = np.unique(known["preferred_layer"])
        percent = 100 * _shares(known, planted, layers)
        drawn = ax.imshow(percent, origin="lower", aspect="auto", cmap="Blues", vmin=0, vmax=100)
        for (row, column), value in np.ndenumerate(percent):
            if value >= 0.5:
                ink = "white" if value > 55 else "#1c1f24"
                text = f"{value:.0f}"
                ax.text(column, row, text, ha="center", va="center", color=ink, fontsize=8)
        ax.set_xticks(range(len(planted)), labels=[f"{one:g}" for one in planted])
        ax.set_yticks(range(len(layers)), labels=[f"{one:g}" for one in layers])
        bar = figure.colorbar(drawn, ax=ax, shrink=0.85, pad=0.02)
        bar.set_label("% of the planted layer's vertices")
        bar.outline.set_visible(False)
    return figure


@styled
def nothing_found(found: Any) -> Figure:
    """Draw the correlations found where no signal was planted, a panel per subject.

    Parameters
    ----------
    found : DataFrame
        As for :func:`found_table`.

    Returns
    -------
    matplotlib Figure
        A histogram of r, and on it the vertices that the test calls significant.
    """
    figure, axes, groups = _panels(found, height=3.2)
    for ax, (subject, rows) in zip(axes, groups, strict=True):
        known = rows[rows["signal_share"] <= 0].dropna(subset=["r"])
        ax.set_title(f"{subject}: {len(known):,} vertices without signal")
        if len(known):
            _draw_null(ax, known["r"].to_numpy(), known["p_value"].to_numpy())
        ax.set(xlabel="found: test correlation r", ylabel="vertices")
    return figure


def _draw_null(ax: Axes, r: Array, p: Array) -> None:
    edges = list(np.linspace(r.min(), r.max() + 1e-9, 61))
    ax.hist(r, edges, color=colour_of(4), label="all")
    if np.isfinite(p).any():
        share = np.mean(p[np.isfinite(p)] < P_LEVEL)
        ax.hist(r[p < P_LEVEL], edges, color=FOUND, label=f"p < {P_LEVEL}: {100 * share:.1f} %")
    ax.axvline(0, color=MUTED, lw=0.8)
    mean = with_minus(f"mean {r.mean():+.4f}")
    ax.axvline(r.mean(), color="#1c1f24", lw=1.2, ls="--", label=mean)
    ax.margins(y=0.28)
    ax.legend(loc="upper left")


def _panels(found: Any, *, height: float) -> tuple[Figure, list[Any], list[Any]]:
    groups = list(found.groupby("subject", sort=False))
    figure, axes = panel_grid(len(groups), 2, width=0.6 * PAGE_WIDTH, height=height)
    return figure, axes, groups


def _numbers(rows: Any) -> list[tuple[float, int]]:
    known = rows.dropna(subset=["accuracy", "r"])
    signal = known[known["signal_share"] > 0]
    both = ["planted_cc_max", "cc_max"]
    ceilings = rows[rows["signal_share"] > 0].reindex(columns=both).dropna()
    layered = _with_layers(rows)
    silent = rows[rows["signal_share"] <= 0]
    r = silent["r"].dropna()
    p = silent["p_value"].dropna()
    return [
        _correlation(known["accuracy"], known["r"]),
        _spearman(layered["preferred_layer"], layered["best_layer"]),
        (float(r.mean()) if len(r) else math.nan, len(r)),
        (float((p < P_LEVEL).mean()) if len(p) else math.nan, len(p)),
        _correlation(signal["accuracy"], signal["r"]),
        _correlation(ceilings["planted_cc_max"], ceilings["cc_max"]),
    ]


def _with_layers(rows: Any) -> Any:
    return rows[rows["signal_share"] > LEAST_SHARE].dropna(subset=["preferred_layer", "best_layer"])


def _correlation(planted: Any, found: Any) -> tuple[float, int]:
    n = len(planted)
    if n < 2 or planted.nunique() < 2 or found.nunique() < 2:
        return math.nan, n
    return float(np.corrcoef(planted, found)[0, 1]), n


def _spearman(planted: Any, found: Any) -> tuple[float, int]:
    """Correlate ranks; tied values share their mean rank."""
    return _correlation(planted.rank(), found.rank())


def _shares(known: Any, planted: Array, layers: Array) -> Array:
    """Count found layers (rows) for each planted layer (columns), as shares of the column."""
    pairs = known["preferred_layer"].to_numpy(), known["best_layer"].to_numpy()
    counts = np.zeros((len(layers), len(planted)))
    np.add.at(counts, (np.searchsorted(layers, pairs[1]), np.searchsorted(planted, pairs[0])), 1)
    return np.asarray(counts / np.maximum(counts.sum(axis=0), 1))
