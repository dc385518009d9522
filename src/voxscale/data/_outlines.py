"""Outlines that were drawn on a flat map: regions, sulci, cut-outs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from voxscale.arrays import Array
from voxscale.data._files import present
from voxscale.data._label_position import label_position
from voxscale.data._svg_path import affine_of, lines_of
from voxscale.errors import DataError

__all__ = ["Outline", "read_outlines"]

_SVG = "{http://www.w3.org/2000/svg}"
_INKSCAPE_LABEL = "{http://www.inkscape.org/namespaces/inkscape}label"
_NOT_DRAWN = ("data", "roilabels")  # layers that hold pictures, and labels in older files
_NEAR = 100.0  # mm: a label belongs to a line if it is nearer than this to where it fits
_NUMBER = re.compile(r"\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*(?:px)?\s*")


@dataclass(frozen=True, eq=False)
class Outline:
    """What was drawn under one name, usually once in each hemisphere.

    Parameters
    ----------
    name : str
        Such as "FFA".
    lines : tuple of arrays of shape (n_points, 2), in mm
        In the coordinates of the flat map. A closed line ends where it began.
    label_positions : array of shape (n_lines, 2), in mm
        Where the drawing has the name near a line, or else where it fits: of a closed line, the
        point inside that is farthest from it; of an open one, its middle.
    is_hidden : bool
        Whether the drawing says that it shall not be shown.
    """

    name: str
    lines: tuple[Array, ...]
    label_positions: Array
    is_hidden: bool = False


def read_outlines(
    path: Path, bounds: tuple[float, float, float, float]
) -> dict[str, tuple[Outline, ...]]:
    """Read a drawing over a flat map, as pycortex and Inkscape write it.

    Parameters
    ----------
    path : Path
        ``overlays.svg``, or ``rois.svg`` of older versions.
    bounds : left, right, bottom and top, in mm
        Of the flat map, which the drawing covers exactly, with y downwards.

    Returns
    -------
    dict of str to tuple of Outline
        By layer. Names without any path are left out.

    Raises
    ------
    DataError
        If the file has no content, or is no such drawing.
    """
    try:
        root = ElementTree.parse(present(path)).getroot()
        to_flat = _to_flat(root, bounds)
        layers = {}
        for layer, place in _groups(root, to_flat):
            name = layer.get(_INKSCAPE_LABEL, "")
            if name not in _NOT_DRAWN:
                layers[name] = tuple(_drawn(layer, place))
    except (ElementTree.ParseError, LookupError, DataError) as error:  # of an unknown encoding, too
        if str(error).startswith(str(path)):  # it says which file it is about already
            raise
        why = str(error)
        for todo in ("; save it again.", "; save the drawing again."):  # said once, at the end
            why = why.removesuffix(todo)
        msg = (
            f"{path} is no drawing of outlines: {why}; "
            "expected an SVG of pycortex or Inkscape; save it again in Inkscape, or leave outlines "
            "out with outlines=None."
        )
        raise DataError(msg) from error
    return layers


def _to_flat(root: ElementTree.Element, bounds: tuple[float, float, float, float]) -> Array:
    """Return the affine from the drawing's units to flat coordinates."""
    left, right, bottom, top = bounds
    box = [float(one) for one in re.split(r"[\s,]+", root.get("viewBox", "").strip()) if one]
    if len(box) != 4:
        sizes = [_NUMBER.fullmatch(root.get(name, "")) for name in ("width", "height")]
        if root.tag != f"{_SVG}svg" or sizes[0] is None or sizes[1] is None:
            msg = "it has no size; expected an svg element with width and height; save it again."
            raise DataError(msg)
        box = [0.0, 0.0, float(sizes[0][1]), float(sizes[1][1])]
    x, y, width, height = box
    if not (width > 0 and height > 0):
        msg = f"its size is {width} by {height}; expected more than 0; save it again."
        raise DataError(msg)
    across, up = (right - left) / width, (top - bottom) / height
    return np.array([[across, 0.0, left - across * x], [0.0, -up, top + up * y], [0.0, 0.0, 1.0]])


def _groups(
    parent: ElementTree.Element, place: Array
) -> Iterator[tuple[ElementTree.Element, Array]]:
    for group in parent.findall(f"{_SVG}g"):
        if group.get(_INKSCAPE_LABEL) is not None:
            yield group, place @ affine_of(group.get("transform"))


def _drawn(layer: ElementTree.Element, place: Array) -> Iterator[Outline]:
    """Yield the outlines of a layer: below "shapes", or, as older files have them, in it."""
    shapes = [one for one in _groups(layer, place) if one[0].get(_INKSCAPE_LABEL) == "shapes"]
    parent, inside = shapes[0] if shapes else (layer, place)
    texts = list(_texts(layer, place))
    for group, its_place in _groups(parent, inside):
        name = group.get(_INKSCAPE_LABEL, "")
        lines = [line for path in _paths(group, its_place) for line in path]
        if name == "labels" or not lines:
            continue
        positions = np.array([label_position(points, is_closed) for points, is_closed in lines])
        for position in (where for text, where in texts if text == name):
            away = np.linalg.norm(positions - position, axis=1)
            if away.min() < _NEAR:
                positions[away.argmin()] = position
        yield Outline(name, tuple(points for points, _ in lines), positions, _is_hidden(group))


def _texts(parent: ElementTree.Element, place: Array) -> Iterator[tuple[str, Array]]:
    """Yield what is written below an element, and where, in flat coordinates."""
    for one in parent:
        inside = place @ affine_of(one.get("transform"))
        if one.tag == f"{_SVG}g":
            yield from _texts(one, inside)
        elif one.tag == f"{_SVG}text":
            place_of_text = [_NUMBER.fullmatch(one.get(axis, "")) for axis in "xy"]
            x, y = (float(found[1]) if found else np.nan for found in place_of_text)
            if np.isfinite([x, y]).all():
                yield "".join(one.itertext()).strip(), (inside @ [x, y, 1.0])[:2]


def _paths(group: ElementTree.Element, place: Array) -> Iterator[list[tuple[Array, bool]]]:
    """Yield the lines of each path below a group, in flat coordinates."""
    for one in group:
        inside = place @ affine_of(one.get("transform"))
        if one.tag == f"{_SVG}g":
            yield from _paths(one, inside)
        elif one.tag == f"{_SVG}path" and one.get("d"):
            lines = lines_of(one.get("d", ""))
            yield [
                (points @ inside[:2, :2].T + inside[:2, 2], is_closed)
                for points, is_closed in lines
            ]


def _is_hidden(group: ElementTree.Element) -> bool:
    return "display:none" in group.get("style", "").replace(" ", "")
