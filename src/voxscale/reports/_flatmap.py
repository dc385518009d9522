"""Values of a cortical surface on its flattened sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import VoxscaleError
from voxscale.reports._style import DPI, WIDTH, layer_colours, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["N_VERTICES", "draw_flatmap", "flat_axes", "flatmap"]

N_VERTICES = 20_484  # of fsaverage5, both hemispheres
_LONGEST_EDGE = 30.0  # triangles with a longer one bridge a cut of the sheet
_N_PIXELS = 700  # of the longer side of a sheet's grid
_SIDES = ("left", "right")
# Where the flat sheets of fsaverage5 lie: the medial wall is at the top, faces point outwards.
_DIRECTIONS = {"left": "← front · back →", "right": "← back · front →"}


class _Sheet(NamedTuple):
    """The flattened surface of one hemisphere, and a grid of pixels on it.

    Which triangle a pixel lies in is looked up once: maps then are pictures, not 20,000 polygons.
    """

    xy: Array  # (n_vertices, 2)
    faces: Array  # (n_faces, 3), without those across a cut
    sulcal_depth: Array  # (n_vertices,), positive in sulci
    face_at: Array  # (n_rows, n_columns), from the lower left; -1 outside
    extent: tuple[float, float, float, float]  # left, right, bottom, top of the grid


@styled
def flatmap(
    values: ArrayLike,
    subject: str = "fsaverage5",
    *,
    title: str | None = None,
    label: str | None = None,
    cmap: str | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
    levels: Sequence[float] | None = None,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Draw one value per vertex of fsaverage5 on its two flattened hemispheres.

    The value of a triangle is the mean of its vertices that have one; where none has, the folds
    of the cortex show through, so that NaN reads as "no answer" and never as 0.

    Parameters
    ----------
    values : array of shape (20484,)
        The left hemisphere's 10,242 vertices first. NaN is transparent.
    subject : str
        "fsaverage5", or the name of anyone whose values are given on fsaverage5: it is their
        number that decides, and the name serves as the title unless ``title`` is given.
    title : str, optional
    label : str, optional
        Of the colour bar: what the values are, and their unit.
    cmap : str, optional
        A colour map of matplotlib's. By default viridis, or plasma for ``levels``.
    vmin, vmax : float, optional
        Ends of the colour bar. By default the smallest and the largest value. Arrows show
        where values lie beyond.
    levels : sequence of float, optional
        The only values there are, such as layers; each has its own colour, and a triangle
        takes the middle one of its vertices instead of their mean.
    axes : sequence of two matplotlib Axes, optional
        Draw here, left hemisphere first, instead of in a new figure.

    Returns
    -------
    matplotlib Figure
        Not in pyplot's list; save it with ``.savefig(path)``.

    Raises
    ------
    ValueError
        If there are not 20,484 values, or one is not among the ``levels``.
    VoxscaleError
        If nilearn, which brings the surface, is not installed.

    References
    ----------
    Fischl, Sereno & Dale 1999, NeuroImage 9:195, doi:10.1006/nimg.1998.0396 (the surface).

    Examples
    --------
    >>> r = np.full(20484, np.nan)
    >>> r[:100] = 0.3
    >>> figure = flatmap(r, label="correlation")
    >>> [axes.get_title() for axes in figure.axes[:2]]
    ['left hemisphere', 'right hemisphere']
    """
    from matplotlib.figure import Figure

    numbers = _checked(values, subject)
    bar = None
    if axes is None:
        figure = Figure(figsize=(WIDTH, 0.5 * WIDTH), dpi=DPI)
        axes, bar = flat_axes(figure)
        heading = title if title is not None else (subject if subject != "fsaverage5" else None)
    else:
        figure, heading = axes[0].figure.figure, title
    if heading:
        figure.suptitle(heading, x=0.01, ha="left", fontsize=11, fontweight="bold")
    options: dict[str, Any] = {"cmap": cmap, "vmin": vmin, "vmax": vmax, "levels": levels}
    draw_flatmap(axes, numbers, bar=bar, label=label, titled=True, **options)
    return figure


def flat_axes(figure: Figure | SubFigure) -> tuple[list[Axes], Axes]:
    """Make axes for both hemispheres and for a colour bar, where they fit into any figure."""
    import matplotlib as mpl

    with mpl.rc_context({"axes.grid": False}):  # making a grid and hiding it takes longer
        sheets = [figure.add_axes((left, 0.09, 0.415, 0.73)) for left in (0.005, 0.43)]
        return sheets, figure.add_axes((0.86, 0.16, 0.017, 0.6))


def draw_flatmap(
    axes: Sequence[Axes],
    values: Array,
    *,
    bar: Axes | None = None,
    label: str | None = None,
    cmap: str | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
    levels: Sequence[float] | None = None,
    titled: bool = False,
) -> None:
    """Draw both hemispheres into two axes, with one colour bar, beside them or in ``bar``."""
    from matplotlib.cm import ScalarMappable

    scale = _scale(values, cmap, vmin, vmax, levels)
    halves = np.split(scale.values, 2)
    reach = 1.02 * np.max([np.abs(_sheet(side).xy).max(axis=0) for side in _SIDES], axis=0)
    for ax, side, half in zip(axes, _SIDES, halves, strict=True):
        _draw_sheet(ax, _sheet(side), half, scale)
        ax.set(xlim=(-reach[0], reach[0]), ylim=(-reach[1], reach[1]))
        heading = f"{side} hemisphere" if titled else side
        # With y given, no room is looked for above ticks that are not there.
        ax.set_title(heading, loc="center", y=1.0, fontweight="normal")
        below: dict[str, Any] = {"ha": "center", "va": "top", "transform": ax.transAxes}
        ax.text(0.5, -0.02, _DIRECTIONS[side], fontsize=7, color="#6b7079", **below)
    place: dict[str, Any] = {"cax": bar}
    if bar is None:
        place = {"ax": list(axes), "shrink": 0.8, "aspect": 22, "pad": 0.015}
    shades = ScalarMappable(scale.norm, scale.cmap)
    colours = axes[0].figure.colorbar(shades, extend=scale.extend, **place)
    if scale.levels is not None:
        names = [f"{one:g}" for one in scale.levels]
        colours.set_ticks(list(range(len(names))), labels=names)
        colours.ax.tick_params(which="both", length=0)
    colours.outline.set_visible(False)
    colours.set_label(label or "value")


def _checked(values: ArrayLike, subject: str) -> Array:
    numbers = np.ma.filled(np.ma.masked_invalid(np.asarray(values, dtype=np.float64)), np.nan)
    if numbers.shape != (N_VERTICES,):
        whose = "" if subject == "fsaverage5" else f" of subject {subject!r}"
        msg = (
            f"values{whose} have shape {numbers.shape}; expected ({N_VERTICES},), the vertices of "
            "fsaverage5 with the left hemisphere first; it is the one surface that is known, so "
            "project the values onto it first."
        )
        raise ValueError(msg)
    return np.asarray(numbers)


class _Scale(NamedTuple):
    """How numbers become colours; ``values`` are positions where there are levels."""

    values: Array
    cmap: Any
    norm: Any
    extend: str
    levels: list[float] | None


def _scale(
    values: Array,
    cmap: str | None,
    vmin: float | None,
    vmax: float | None,
    levels: Sequence[float] | None,
) -> _Scale:
    import matplotlib as mpl
    from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize

    known = values[np.isfinite(values)]
    if levels is not None:
        ordered = sorted({float(level) for level in levels})
        stray = np.setdiff1d(known, ordered)
        if stray.size:
            msg = f"values hold {stray[0]:g}; expected only the levels {ordered}, or NaN."
            raise ValueError(msg)
        n = len(ordered)
        own = layer_colours(n) if cmap is None else list(mpl.colormaps[cmap](np.linspace(0, 1, n)))
        norm = BoundaryNorm(np.arange(n + 1) - 0.5, n)
        places = np.where(np.isfinite(values), np.searchsorted(ordered, values), np.nan)
        return _Scale(places, ListedColormap(own), norm, "neither", ordered)
    low = vmin if vmin is not None else float(known.min()) if known.size else 0.0
    high = vmax if vmax is not None else float(known.max()) if known.size else 1.0
    beyond = bool((known < low).any()), bool((known > high).any())
    extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[beyond]
    return _Scale(values, mpl.colormaps[cmap or "viridis"], Normalize(low, high), extend, None)


def _draw_sheet(ax: Axes, sheet: _Sheet, values: Array, scale: _Scale) -> None:
    """Paint the values over the folds, which show where there is none."""
    import matplotlib as mpl

    depth = np.clip(0.5 + sheet.sulcal_depth[sheet.faces].mean(axis=1) / 1.6, 0.0, 1.0)
    greys = mpl.colors.LinearSegmentedColormap.from_list("folds", ["#e6e6e6", "#b9bbbf"])
    of_faces = face_values(values[sheet.faces], is_discrete=scale.levels is not None)
    over = np.isfinite(of_faces)
    colours = np.zeros((len(of_faces) + 1, 4), np.uint8)  # the last, which -1 picks, is clear
    colours[:-1] = greys(depth, bytes=True)
    colours[:-1][over] = scale.cmap(scale.norm(of_faces[over]), bytes=True)
    ax.imshow(colours[sheet.face_at], origin="lower", extent=sheet.extent, interpolation="nearest")
    ax.set_aspect("equal")
    ax.set_axis_off()  # quicker than an axis without ticks


def face_values(corners: Array, *, is_discrete: bool) -> Array:
    """Reduce (n_faces, 3) corner values to one per face; NaN where no corner has one."""
    count = np.isfinite(corners).sum(axis=1)
    if is_discrete:  # a mean of layers would be a layer that nobody found
        middle = np.maximum(count - 1, 0) // 2
        return np.asarray(np.sort(corners, axis=1)[np.arange(len(corners)), middle])
    total = np.nansum(corners, axis=1)
    nothing = np.full(len(corners), math.nan)
    return np.asarray(np.divide(total, count, out=nothing, where=count > 0))


@cache
def _sheet(side: str) -> _Sheet:
    try:
        from nilearn import datasets
    except ImportError as error:
        msg = (
            "flat maps need the surface fsaverage5, which nilearn brings and which is not "
            "installed; run: pip install 'voxscale[brain]'."
        )
        raise VoxscaleError(msg) from error
    mesh = datasets.load_fsaverage("fsaverage5")["flat"].parts[side]
    folds = datasets.load_fsaverage_data("fsaverage5", mesh_type="flat", data_type="sulcal")
    xy = np.asarray(mesh.coordinates, dtype=np.float64)[:, :2]
    corners = xy[mesh.faces]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    faces = np.asarray(mesh.faces)[edges.max(axis=1) <= _LONGEST_EDGE]
    depth = np.asarray(folds.data.parts[side], dtype=np.float64).ravel()
    return _Sheet(xy, faces, depth, *_grid_on(xy, faces))


def _grid_on(xy: Array, faces: Array) -> tuple[Array, tuple[float, float, float, float]]:
    """Find the triangle of every pixel of a grid over all of them."""
    from matplotlib.tri import Triangulation

    corners = xy[np.unique(faces)]
    low, high = corners.min(axis=0), corners.max(axis=0)
    step = (high - low).max() / _N_PIXELS
    n_columns, n_rows = np.ceil((high - low) / step).astype(int)
    x = low[0] + step * (np.arange(n_columns) + 0.5)
    y = low[1] + step * (np.arange(n_rows) + 0.5)
    find = Triangulation(xy[:, 0], xy[:, 1], faces).get_trifinder()
    face_at = np.asarray(find(*np.meshgrid(x, y)))
    top_right = low + step * np.array([n_columns, n_rows])
    return face_at, (float(low[0]), float(top_right[0]), float(low[1]), float(top_right[1]))
