"""Score by layer and size at once, as colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.reports._law_words import size_text
from voxscale.reports._style import PAGE_WIDTH, panel_grid, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["layer_size_heat_map"]

_NEEDED = ("size", "layer", "r")
_MOST_WRITTEN = 80  # cells whose numbers are written into them


@styled
def layer_size_heat_map(
    scores: Any,
    *,
    xlabel: str = "size",
    ylabel: str = "layer",
    r_label: str = "test correlation r",
    title: str | None = None,
) -> Figure:
    """Draw the score of each layer at each size as a colour, and mark the layers chosen.

    Parameters
    ----------
    scores : DataFrame
        A row for each layer and size: columns ``size`` (hours, words, parameters), ``layer`` (its
        number, or its relative depth from 0 to 1) and ``r``. Optional: ``validation``, the score
        that chooses, of which the best layer of each size is ringed; and ``label``, what to write
        under a size instead of the number. Sizes of several labels have a column for each.
    xlabel, ylabel, r_label : str
        Of the axes and of the colour bar, with units.
    title : str, optional

    Returns
    -------
    matplotlib Figure
        A column for each size and label, of equal widths. Numbers of layers are rows of equal
        height, blank where a size lacks them; relative depths stand at their place, and each
        reaches half-way to its neighbours in that column.

    Raises
    ------
    ValueError
        If a column lacks, or a layer comes twice at a size and label.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [(1.0, 0, 0.10), (1.0, 6, 0.12), (8.0, 0, 0.13), (8.0, 6, 0.18)]
    >>> scores = pd.DataFrame(rows, columns=["size", "layer", "r"])
    >>> figure = layer_size_heat_map(scores, xlabel="training data (hours)")
    >>> [text.get_text() for text in figure.axes[0].get_xticklabels()]
    ['1', '8']
    """
    _check(scores)
    layers = np.unique(scores["layer"].to_numpy(dtype=np.float64))
    is_grid = bool((layers == np.round(layers)).all())
    groups = dict(list(scores.groupby(_place(scores), dropna=False)))
    columns = [_column(some, layers if is_grid else None) for some in groups.values()]
    n_rows = max(map(len, columns))
    height = 1.6 + min(5.0, 0.32 * max(n_rows, 6))
    figure, (ax,) = panel_grid(
        1, 1, width=min(PAGE_WIDTH, 2.4 + 0.85 * len(columns)), height=height
    )
    limits = _limits(scores["r"])
    painted: Any = None
    for i, column in enumerate(columns):
        places = np.arange(len(layers)) if is_grid else column["layer"].to_numpy()
        edges = _edges(places, width=1.0 if is_grid else 0.1)
        values = column["r"].to_numpy(dtype=np.float64)[:, None]
        painted = ax.pcolormesh([i - 0.47, i + 0.47], edges, values, vmin=limits[0], vmax=limits[1])
        _mark(ax, i, column, 0.5 * (edges[1:] + edges[:-1]))
    if len(scores) <= _MOST_WRITTEN and is_grid:
        _write(ax, columns, layers, limits)
    _label(ax, list(groups))
    if is_grid:
        ax.set_yticks(range(len(layers)), labels=[f"{one:g}" for one in layers])
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.set_title(title or "")
    bar = figure.colorbar(painted, ax=ax, pad=0.02)
    bar.set_label(r_label)
    bar.outline.set_visible(False)
    return figure


def _check(scores: Any) -> None:
    lacking = [name for name in _NEEDED if name not in scores]
    if lacking:
        msg = f"scores lack {', '.join(lacking)}; expected columns {', '.join(_NEEDED)}."
        raise ValueError(msg)
    if scores.duplicated([*_place(scores), "layer"]).any() or not len(scores):
        msg = (
            f"scores have {len(scores)} rows, and a layer more than once at a size, or none at "
            "all; average over subjects, draws and models first."
        )
        raise ValueError(msg)


def _place(scores: Any) -> list[str]:
    """Say what tells columns apart."""
    return ["size", "label"] if "label" in scores else ["size"]


def _column(some: Any, layers: Array | None) -> Any:
    """Take the layers of a column in their order; a row for each of ``layers``, done or not."""
    if layers is None:
        return some.sort_values("layer")
    return some.set_index("layer").reindex(layers).rename_axis("layer").reset_index()


def _edges(places: ArrayLike, *, width: float) -> Array:
    """Put edges half-way between neighbours; the outermost as far out as they are in."""
    at = np.asarray(places, dtype=np.float64)
    if len(at) == 1:
        return np.array([at[0] - 0.5 * width, at[0] + 0.5 * width])
    middles = 0.5 * (at[1:] + at[:-1])
    ends = [2 * at[0] - middles[0]], [2 * at[-1] - middles[-1]]
    return np.concatenate([ends[0], middles, ends[1]])


def _limits(r: Any) -> tuple[float, float]:
    known = r.to_numpy(dtype=np.float64)
    known = known[np.isfinite(known)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)


def _mark(ax: Axes, i: int, column: Any, centres: Array) -> None:
    """Ring the layer that validation chooses at a size."""
    if "validation" not in column or not column["validation"].notna().any():
        return
    best = int(np.nanargmax(column["validation"].to_numpy(dtype=np.float64)))
    ring: dict[str, Any] = {"mfc": "none", "mec": "white", "ms": 9, "mew": 2.6}
    ax.plot(i + 0.33, centres[best], "o", **ring)
    label = "chosen by validation" if i == 0 else None
    ax.plot(i + 0.33, centres[best], "o", **{**ring, "mec": "#D55E00", "mew": 1.4}, label=label)
    if label:
        ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)


def _write(ax: Axes, columns: list[Any], layers: Array, limits: tuple[float, float]) -> None:
    """Write the numbers into the cells, dark on light and light on dark."""
    middle = 0.5 * sum(limits)
    for i, column in enumerate(columns):
        for layer, r in zip(column["layer"], column["r"], strict=True):
            if np.isfinite(r):
                colour = "black" if r > middle else "white"
                place = int(np.searchsorted(layers, layer))
                text = f"{r:.3f}".replace("-", "−")
                ax.text(i - 0.1, place, text, ha="center", va="center", fontsize=7, color=colour)


def _label(ax: Axes, places: list[tuple[Any, ...]]) -> None:
    """Write sizes, or labels where there are some, under the columns."""
    names = [str(label[0]) if label else size_text(float(size)) for size, *label in places]
    ax.set_xticks(range(len(names)), labels=names)
    ax.set_xlim(-0.55, len(names) - 0.45)
    ax.grid(visible=False)
    ax.tick_params(length=0)
