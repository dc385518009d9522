"""Values of a cortical surface on its flattened sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.data import PycortexSubject
from voxscale.data._files import FilePath
from voxscale.reports._colour_scale import ColourScale, colour_scale, draw_colour_bar
from voxscale.reports._flat_painting import GYRI, SULCI, over
from voxscale.reports._flat_sheet import FlatSheet, face_values
from voxscale.reports._flat_values import (
    FSAVERAGE,
    checked_alpha,
    shown_outlines,
    warn_without_values,
    whose,
)
from voxscale.reports._flatmap_native import draw_native
from voxscale.reports._fsaverage_sheets import fsaverage_sheets
from voxscale.reports._style import DPI, WIDTH, styled
from voxscale.reports._surface import N_VERTICES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["N_VERTICES", "draw_flatmap", "flat_axes", "flatmap"]

_SIDES = ("left", "right")
# Where the flat sheets of fsaverage5 lie: the medial wall is at the top, faces point outwards.
_DIRECTIONS = {"left": "← front · back →", "right": "← back · front →"}


@styled
def flatmap(
    values: ArrayLike,
    subject: str | PycortexSubject = "fsaverage5",
    *,
    title: str | None = None,
    label: str | None = None,
    cmap: str | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
    levels: Sequence[float] | None = None,
    alpha: ArrayLike | None = None,
    filestore: FilePath | None = None,
    transform: str | None = None,
    mask: str = "thick",
    outlines: str | None = "rois",
    labels: bool = True,
    curvature: bool = True,
    n_rows: int = 1024,
    axes: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Draw values on the flattened cortex of a subject of pycortex, or of fsaverage5.

    A pixel, or a triangle of fsaverage5, shows the mean of its values that are an answer; where
    none is, the folds of the cortex show through (gyri light, sulci dark), so that NaN reads as
    "no answer" and never as 0.

    Parameters
    ----------
    values : array of shape (n_voxels,), (z, y, x), (n_vertices,) or (20484,)
        Of a subject of pycortex: one for each voxel of the mask, in its C order over (z, y, x); a
        volume; or one for each vertex. Of fsaverage5: 20,484. Of vertices, those of the left
        hemisphere come first. NaN is transparent.
    subject : str or PycortexSubject
        What `voxscale.data.read_pycortex_subject` returns, or the name of a subject in
        ``filestore``. Without: "fsaverage5", or the name of anyone whose values are given on
        fsaverage5. A subject's name serves as the title unless ``title`` is given.
    title : str, optional
    label : str, optional
        Of the colour bar: what the values are, and their unit.
    cmap : str, optional
        A colour map of matplotlib's. By default viridis, or plasma for ``levels``.
    vmin, vmax : float, optional
        Ends of the colour bar. By default the smallest and the largest value. Arrows show
        where values lie beyond.
    levels : sequence of float, optional
        The only values there are, such as layers; each has its own colour, and a pixel or a
        triangle takes the middle one of its values instead of their mean.
    alpha : array of the shape of values, or a number, optional
        Opacity, from 0, where only the folds show, to 1. NaN is 0.
    filestore : path-like, optional
        A folder of subjects of pycortex, such as a pycortex-db.
    transform : str, optional
        Of a subject of pycortex whose values are of voxels. By default the only one, or
        ``<subject>_auto``.
    mask : str
        Of which the values are, where they are of voxels.
    outlines : str or None
        Layer of outlines, "rois" or another that was drawn for the subject, without those that
        are hidden. "rois" may be missing, and is on fsaverage5.
    labels : bool
        Whether outlines have their names, once in each hemisphere.
    curvature : bool
        Whether the folds are drawn.
    n_rows : int
        Rows of pixels of the map of a subject of pycortex, 16 or more.
    axes : matplotlib Axes, or a sequence of two, optional
        Draw here instead of in a new figure: one for a subject of pycortex, whose hemispheres
        lie side by side; two for fsaverage5, the left hemisphere first.

    Returns
    -------
    matplotlib Figure
        Not in pyplot's list; save it with ``.savefig(path)``, as PNG or SVG. In an SVG text is
        text, outlines are lines, and the map is a picture.

    Warns
    -----
    VoxscaleWarning
        If all values are NaN.

    Raises
    ------
    AlignmentError
        If the values of a subject of pycortex are neither as many as the mask has voxels nor as
        there are vertices; the message has all counts. Or if ``alpha`` has another shape.
    DataError
        If there is no such subject, transform, mask or layer, or a file has no content.
    ValueError
        If there are not 20,484 values on fsaverage5, one is not among the ``levels``, an opacity
        is below 0 or above 1, the colour map is none of matplotlib's, ``vmin`` is above ``vmax``,
        or the axes are too many or too few.
    VoxscaleError
        If nilearn, which brings fsaverage5, or nibabel is not installed.

    References
    ----------
    Fischl, Sereno & Dale 1999, NeuroImage 9:195, doi:10.1006/nimg.1998.0396 (fsaverage5).
    Gao, Huth, Lescroart & Gallant 2015, Frontiers in Neuroinformatics 9:23,
    doi:10.3389/fninf.2015.00023 (pycortex).

    Examples
    --------
    >>> r = np.full(20484, np.nan)
    >>> r[:100] = 0.3
    >>> figure = flatmap(r, label="correlation")
    >>> [axes.get_title() for axes in figure.axes[:2]]
    ['left hemisphere', 'right hemisphere']
    """
    options: dict[str, Any] = {"cmap": cmap, "vmin": vmin, "vmax": vmax, "levels": levels}
    options |= {"alpha": alpha, "curvature": curvature, "label": label}
    somebody = whose(subject, filestore)
    if isinstance(somebody, PycortexSubject):
        places: dict[str, Any] = {"transform": transform, "mask": mask, "n_rows": n_rows}
        drawn: dict[str, Any] = {
            "outlines": outlines,
            "labels": labels,
            "title": title,
            "axes": axes,
        }
        return draw_native(values, somebody, **places, **drawn, **options)
    shown_outlines(somebody, outlines)
    numbers = _checked(values, somebody)
    warn_without_values(np.isfinite(numbers))
    return _draw_fsaverage(numbers, somebody, title, axes, **options)


def _draw_fsaverage(
    values: Array, name: str, title: str | None, axes: Any, **options: Any
) -> Figure:
    from voxscale.reports._flat_figure import FlatFigure

    bar = None
    if axes is None:
        figure: Figure = FlatFigure(figsize=(WIDTH, 0.5 * WIDTH), dpi=DPI)
        axes, bar = flat_axes(figure)
        heading = title if title is not None else (name if name != FSAVERAGE else None)
    else:
        if not hasattr(axes, "__len__") or len(axes) != len(_SIDES):
            msg = "axes are not two; expected one for each hemisphere of fsaverage5, left first."
            raise ValueError(msg)
        figure, heading = axes[0].figure.figure, title
    if heading:
        figure.suptitle(heading, x=0.01, ha="left", fontsize=11, fontweight="bold")
    draw_flatmap(axes, values, bar=bar, titled=True, **options)
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
    alpha: ArrayLike | None = None,
    curvature: bool = True,
    titled: bool = False,
) -> None:
    """Draw both hemispheres into two axes, with one colour bar, beside them or in ``bar``."""
    scale = colour_scale(values, cmap, vmin, vmax, levels)
    halves = np.split(scale.values, 2)
    opacities = [None, None] if alpha is None else np.split(checked_alpha(alpha, values.shape), 2)
    sheets = fsaverage_sheets()
    reach = 1.02 * np.max([np.abs(one.xy).max(axis=0) for one in sheets.values()], axis=0)
    for ax, side, half, opacity in zip(axes, _SIDES, halves, opacities, strict=True):
        _draw_sheet(ax, sheets[side], half, scale, alpha=opacity, curvature=curvature)
        ax.set(xlim=(-reach[0], reach[0]), ylim=(-reach[1], reach[1]))
        heading = f"{side} hemisphere" if titled else side
        # With y given, no room is looked for above ticks that are not there.
        ax.set_title(heading, loc="center", y=1.0, fontweight="normal")
        below: dict[str, Any] = {"ha": "center", "va": "top", "transform": ax.transAxes}
        ax.text(0.5, -0.02, _DIRECTIONS[side], fontsize=7, color="#6b7079", **below)
    place: dict[str, Any] = {"cax": bar}
    if bar is None:
        place = {"ax": list(axes), "shrink": 0.8, "aspect": 22, "pad": 0.015}
    draw_colour_bar(axes[0].figure, scale, label, place)


def _checked(values: ArrayLike, subject: str) -> Array:
    numbers = np.ma.filled(np.ma.masked_invalid(np.asarray(values, dtype=np.float64)), np.nan)
    if numbers.shape != (N_VERTICES,):
        whose = "" if subject == "fsaverage5" else f" of subject {subject!r}"
        msg = (
            f"values{whose} have shape {numbers.shape}; expected ({N_VERTICES},), the vertices of "
            "fsaverage5 with the left hemisphere first; project the values onto it first, or name "
            "the filestore with the subject's own surface."
        )
        raise ValueError(msg)
    return np.asarray(numbers)


def _draw_sheet(
    ax: Axes,
    sheet: FlatSheet,
    values: Array,
    scale: ColourScale,
    *,
    alpha: Array | None,
    curvature: bool,
) -> None:
    """Paint the values over the folds, which show where there is none."""
    import matplotlib as mpl

    of_faces = face_values(values[sheet.faces], is_discrete=scale.levels is not None)
    known = np.isfinite(of_faces)
    colours = np.zeros((len(of_faces) + 1, 4), np.uint8)  # the last, which -1 picks, is clear
    if curvature:
        depth = np.clip(0.5 + sheet.sulcal_depth[sheet.faces].mean(axis=1) / 1.6, 0.0, 1.0)
        greys = mpl.colors.LinearSegmentedColormap.from_list("folds", [str(GYRI), str(SULCI)])
        colours[:-1] = greys(depth, bytes=True)
    if alpha is None:
        colours[:-1][known] = scale.cmap(scale.norm(of_faces[known]), bytes=True)
    else:
        corners = np.where(np.isfinite(values), alpha, np.nan)[sheet.faces]
        above = np.array(scale.cmap(scale.norm(of_faces[known])), dtype=np.float64)
        above[:, 3] *= np.nan_to_num(face_values(corners, is_discrete=False)[known])
        mixed = over(above, colours[:-1][known] / 255)
        colours[:-1][known] = np.rint(255 * mixed).astype(np.uint8)
    ax.imshow(colours[sheet.face_at], origin="lower", extent=sheet.extent, interpolation="nearest")
    ax.set_aspect("equal")
    ax.set_axis_off()  # quicker than an axis without ticks
