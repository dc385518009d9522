"""Score against size: points, the law through them, how sure it is, and what it bets on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from textwrap import fill
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.reports._law_words import (
    described_law,
    described_members,
    grid_of,
    is_near_line,
    line_fit,
)
from voxscale.reports._size_axis import name_sizes
from voxscale.reports._style import INK, MUTED, PAGE_WIDTH, colour_of, new_figure, styled
from voxscale.reports._tables import with_minus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from voxscale.scaling import ScalingLaw

__all__ = ["LawPanel", "scaling_curve", "scaling_curves"]

_ASIDE = 7.0  # points that single draws are moved to the right
_FARTHEST_CEILING = 1.5  # times the largest score; a higher one would flatten the curve
_MOST_NAMED = 5  # members with a colour and a line in the legend
_LEGEND_LETTERS = 52
_ROOM = 0.75  # of the height of points and curves, above and below them, that bands may take
_LINE_IN = 0.15  # inches, of a line of the legend


class LawPanel(NamedTuple):
    """What one panel of :func:`scaling_curves` shows; ``unit`` is what the scores are of.

    The other fields are as the options of :func:`scaling_curve`.
    """

    law: ScalingLaw
    xlabel: str
    draws: tuple[Array, Array] | None = None
    title: str | None = None
    unit: str = "unit"
    members: Mapping[str, Array] = MappingProxyType({})
    ceiling: float | None = None
    beyond: float = 0.0


def scaling_curve(
    law: ScalingLaw,
    *,
    xlabel: str = "size",
    ylabel: str = "score",
    title: str | None = None,
    draws: tuple[ArrayLike, ArrayLike] | None = None,
    members: Mapping[str, ArrayLike] | None = None,
    ceiling: float | None = None,
    beyond: float = 0.0,
) -> Figure:
    """Draw a scaling law: its points, its curve, and the interval around it.

    Parameters
    ----------
    law : ScalingLaw
        From :func:`voxscale.fit_scaling_law`, of any kind.
    xlabel, ylabel : str
        What was varied and what was scored, each with its unit: "training data (hours)".
    title : str, optional
    draws : tuple of two arrays of shape (n_draws,), optional
        x and score of single draws, shown as rings a little to the right of their x: at it,
        the points of the law would hide them.
    members : mapping of name to array of shape (n_points,), optional
        Scores of each subject at the x of the law, drawn thin; of more than five, in grey.
    ceiling : float, optional
        The best score there can be, drawn dashed; where it is more than half as high again as
        all scores, the legend says so instead. Default: that of a saturating law.
    beyond : float
        Decades that the law is drawn beyond its last point, dotted, with the band in which it
        expects one new size, hatched; the legend tells its error where the largest size was
        left out. By default nothing is drawn there: it is a bet, not a measurement.

    Returns
    -------
    matplotlib Figure
        Not in pyplot's list; save it with ``.savefig(path)``.

    Raises
    ------
    ValueError
        If ``beyond`` is negative, or a member has not one score for each point.

    Examples
    --------
    >>> from voxscale.scaling import fit_scaling_law
    >>> law = fit_scaling_law([1.0, 10.0], [[0.10, 0.12], [0.13, 0.17]])
    >>> figure = scaling_curve(law, xlabel="training data (hours)", ylabel="correlation")
    >>> figure.axes[0].get_xlabel()
    'training data (hours)'
    """
    points = None if draws is None else (np.asarray(draws[0]), np.asarray(draws[1]))
    own = {name: np.asarray(scores) for name, scores in (members or {}).items()}
    wrong = [name for name, scores in own.items() if scores.shape != law.x.shape]
    if wrong:
        msg = (
            f"members[{wrong[0]!r}] has shape {own[wrong[0]].shape}; expected {law.x.shape}, a "
            "score at each x of the law."
        )
        raise ValueError(msg)
    if not beyond >= 0:
        msg = f"beyond is {beyond}; expected decades, 0 or more."
        raise ValueError(msg)
    panel = LawPanel(law, xlabel, points, title, members=own, ceiling=ceiling, beyond=beyond)
    return scaling_curves([panel], ylabel=ylabel)


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
    n_columns = min(2, len(panels))
    n_rows = -(-len(panels) // 2)
    width = PAGE_WIDTH if n_columns > 1 else 0.6 * PAGE_WIDTH
    figure, grid = new_figure(n_rows, n_columns, width=width, height=1.0, sharey="all")
    n_lines = []
    for ax, panel in zip(grid.ravel(), panels, strict=False):
        _draw(ax, panel)
        ax.set_ylabel(ylabel)
        ax.yaxis.set_tick_params(labelleft=True)
        texts = [text.get_text() for text in ax.get_legend().get_texts()]
        n_lines.append(sum(1 + text.count("\n") for text in texts))
    for ax in grid.ravel()[len(panels) :]:
        ax.set_visible(False)
    _frame(grid.ravel()[: len(panels)])
    figure.set_size_inches(width, n_rows * (3.1 + _LINE_IN * max(n_lines)))
    return figure


def _draw(ax: Axes, panel: LawPanel) -> None:
    law = panel.law
    x = grid_of(law)
    low, high = law.interval(x)
    has_band = bool(np.isfinite(low).all())
    _draw_members(ax, law.x, panel.members)
    if has_band:
        told = f"{100 * law.level:g} % interval over {described_members(law, panel.unit)}"
        ax.fill_between(x, low, high, color=INK, alpha=0.14, lw=0, label=told)
    ax.plot(x, law.predict(x), color=INK, lw=1.8, label=_law_label(panel, has_band=has_band))
    ax.plot(law.x, law.mean_scores, "o", color=INK, ms=6, mec="white", label="mean")
    if panel.draws is not None:
        _draw_rings(ax, *panel.draws)
    if panel.beyond:
        _draw_beyond(ax, law, panel.beyond)
    _draw_ceiling(ax, panel)
    width = math.log10(law.x.max() / law.x.min()) + panel.beyond
    name_sizes(ax, law.x, width=width)
    ax.set_xlabel(panel.xlabel)
    ax.set_title(panel.title or "")
    _put_legend(ax)


def _frame(axes: Sequence[Axes]) -> None:
    """Keep points and curves as large as can be read, however wide the bands about them."""
    drawn = [np.asarray(line.get_ydata(), np.float64) for ax in axes for line in ax.lines]
    known = np.concatenate(drawn)
    known = known[np.isfinite(known)]
    room = _ROOM * max(float(np.ptp(known)), 0.01)
    low, high = axes[0].get_ylim()
    for ax in axes:
        ax.set_ylim(max(low, known.min() - room), min(high, known.max() + room))


def _draw_members(ax: Axes, x: Array, members: Mapping[str, Array]) -> None:
    """Draw each member thin; many are not named one by one."""
    named = len(members) <= _MOST_NAMED
    for i, (name, scores) in enumerate(members.items()):
        label = name if named else "one subject" if i == 0 else None
        colour = colour_of(i) if named else MUTED
        ax.plot(x, scores, "o-", color=colour, lw=0.8, ms=3, label=label)


def _put_legend(ax: Axes) -> None:
    """Put the legend under the axis' label, where it hides nothing."""
    from matplotlib.transforms import ScaledTranslation

    figure: Any = ax.get_figure(root=True)
    below = ax.transAxes + ScaledTranslation(0.0, -0.42, figure.dpi_scale_trans)
    ax.legend(loc="upper left", bbox_to_anchor=(0.0, 0.0), bbox_transform=below, borderaxespad=0.0)


def _law_label(panel: LawPanel, *, has_band: bool) -> str:
    law = panel.law
    told = described_law(law)
    if not has_band:
        told += f" (no interval: one {panel.unit})"
    told = fill(told, _LEGEND_LETTERS)
    if law.kind == "log-linear" and not is_near_line(law):
        told += f",\nR² only {line_fit(law).r2:.2f}"
    return told


def _draw_beyond(ax: Axes, law: ScalingLaw, decades: float) -> None:
    """Draw what a law bets on beyond its points, lighter than what was measured."""
    x = grid_of(law, beyond=decades)
    found = [law.extrapolate(float(one)) for one in x]
    low, high = np.array([one.band for one in found]).T
    error = found[-1].held_out_error
    told = "extrapolation, not measured"
    if math.isfinite(error):
        told += with_minus(f"; without the largest size the law errs there by {error:+.4f}")
    ax.plot(x, law.predict(x), ":", color=INK, lw=1.8, label=fill(told, _LEGEND_LETTERS))
    if np.isfinite(low).all():
        share = f"{100 * law.level:g} % band of one new size"
        hatched: dict[str, Any] = {"facecolor": "none", "edgecolor": MUTED, "lw": 0.0}
        ax.fill_between(x, low, high, hatch="////", label=share, **hatched)


def _draw_ceiling(ax: Axes, panel: LawPanel) -> None:
    law, ceiling = panel.law, panel.ceiling
    if ceiling is None and law.kind == "saturating":
        ceiling = law.asymptote
    if ceiling is None or not math.isfinite(ceiling):
        return
    told = f"noise ceiling {ceiling:.3f}"
    tops = [law.mean_scores, *panel.members.values()]
    highest = max(float(np.nanmax(one)) for one in tops)
    style: dict[str, Any] = {"color": "#4b5058", "lw": 1.2, "ls": "--"}
    if ceiling <= _FARTHEST_CEILING * highest:
        ax.axhline(ceiling, label=told, **style)
    else:
        ax.plot([], [], label=f"{told}, above what is shown", **style)


def _draw_rings(ax: Axes, x: Array, scores: Array) -> None:
    """Draw single draws beside the points of a law, moved on the paper and not in the data."""
    from matplotlib.transforms import offset_copy

    aside = offset_copy(ax.transData, ax.get_figure(root=True), _ASIDE, units="points")
    ring: Any = {"mfc": "white", "mec": MUTED, "mew": 1.0, "ms": 4}
    ax.plot(x, scores, "o", transform=aside, label="one draw", **ring)
    ax.update_datalim(np.column_stack([x, scores]))  # what is moved sets no limits by itself
    ax.autoscale_view()
