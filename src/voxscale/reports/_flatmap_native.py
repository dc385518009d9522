"""Values of a subject of pycortex on the flat map that was made for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.data import Outline, PycortexSubject
from voxscale.reports._colour_scale import colour_scale, draw_colour_bar
from voxscale.reports._flat_painting import painted
from voxscale.reports._flat_values import (
    FlatValues,
    checked_alpha,
    flat_values,
    shown_outlines,
    warn_without_values,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from voxscale.arrays import Array
    from voxscale.reports._colour_scale import ColourScale

__all__ = ["draw_native", "one_of", "paint_native"]

_STRIP = 0.95  # inches


def draw_native(
    values: ArrayLike,
    subject: PycortexSubject,
    *,
    transform: str | None,
    mask: str,
    n_rows: int,
    alpha: ArrayLike | None,
    outlines: str | None,
    labels: bool,
    curvature: bool,
    title: str | None,
    label: str | None,
    axes: Axes | Sequence[Axes] | None,
    **options: Any,
) -> Figure:
    """Draw what `voxscale.reports.flatmap` takes for a subject of pycortex."""
    from voxscale.reports._flat_figure import flat_figure

    drawn = shown_outlines(subject, outlines)
    shown = flat_values(values, subject, transform, mask, n_rows)
    warn_without_values(np.isfinite(shown.numbers), stacklevel=5)
    opacity = None if alpha is None else checked_alpha(alpha, np.shape(values))
    heading = subject.name if title is None else title
    figure: Figure
    if axes is None:
        figure, ax = flat_figure(shown.pixels, heading, _STRIP)
        box = ax.get_position()
        bar = figure.add_axes(
            (box.x1 + 0.012, box.y0 + 0.16 * box.height, 0.014, 0.68 * box.height)
        )
        place: dict[str, Any] = {"cax": bar}
    else:
        ax = one_of(axes)
        figure = ax.figure.figure
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        place = {"ax": ax, "shrink": 0.7, "aspect": 22, "pad": 0.015}
    options |= {"alpha": opacity, "labels": labels, "curvature": curvature, "label": label}
    paint_native(ax, place, shown, drawn, **options)
    return figure


def paint_native(
    ax: Axes,
    bar: dict[str, Any],
    shown: FlatValues,
    drawn: Sequence[Outline],
    *,
    alpha: Array | None = None,
    labels: bool = True,
    curvature: bool = True,
    label: str | None = None,
    **options: Any,
) -> None:
    """Paint values and outlines into axes; ``bar`` tells matplotlib where the colour bar goes."""
    from voxscale.reports._flat_figure import show_picture
    from voxscale.reports._flat_outlines import draw_outlines

    scale = colour_scale(shown.numbers, **options)
    show_picture(ax, _coloured(shown, scale, alpha, curvature=curvature), shown.pixels)
    draw_outlines(ax, drawn, shown.pixels, labels=labels)
    draw_colour_bar(ax.figure.figure, scale, label, bar)


def _coloured(
    shown: FlatValues, scale: ColourScale, alpha: Array | None, *, curvature: bool
) -> Array:
    """Colour each pixel by the mean of its values, or by the middle one where there are levels."""
    if scale.levels is None:
        picture = shown.pixels.picture(scale.values)
    else:
        picture = shown.middle(scale.values, len(scale.levels))
    is_known = np.isfinite(picture)
    colours = np.array(scale.cmap(scale.norm(picture[is_known])), dtype=np.float64)
    if alpha is not None:
        opacity = shown.beside("alpha", alpha)
        of_known = shown.pixels.picture(np.where(np.isfinite(shown.numbers), opacity, np.nan))
        colours[:, 3] *= np.nan_to_num(of_known[is_known], nan=0.0)
    return painted(colours, is_known, shown.pixels, curvature=curvature)


def one_of(axes: Axes | Sequence[Axes]) -> Axes:
    """Take the one axes that both hemispheres are drawn into."""
    several = list(axes) if isinstance(axes, Sequence | np.ndarray) else [axes]
    if len(several) != 1:
        msg = (
            f"axes are {len(several)}; expected one, as both hemispheres of a subject of pycortex "
            "are drawn into the same."
        )
        raise ValueError(msg)
    return several[0]
