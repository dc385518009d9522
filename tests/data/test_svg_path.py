"""Lines of SVG paths, against matplotlib's curves and formulae."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path

from voxscale.data._svg_path import affine_of, lines_of
from voxscale.errors import DataError


def only(path):
    [(points, is_closed)] = lines_of(path)
    return points, is_closed


def test_absolute_and_relative_lines_are_the_same():
    points, is_closed = only("M 1,2 L 4,2 4,6 H 0 V 1 Z")
    np.testing.assert_allclose(points, [[1, 2], [4, 2], [4, 6], [0, 6], [0, 1], [1, 2]])
    again, closed_again = only("m1,2 3,0 l0 4h-4v-5z")
    np.testing.assert_allclose(again, points)
    assert is_closed
    assert closed_again


def test_an_open_line_is_not_closed():
    points, is_closed = only("M0 0L1-1")
    np.testing.assert_allclose(points, [[0, 0], [1, -1]])
    assert not is_closed


def test_parts_begin_where_the_last_ended():
    (first, _), (second, is_closed) = lines_of("m 1,1 2,0 0,2 z m 5,5 1,0")
    np.testing.assert_allclose(first[-1], [1, 1])
    np.testing.assert_allclose(second, [[6, 6], [7, 6]])  # from the begin of the first, not its end
    assert not is_closed


def test_after_closing_lines_go_on_from_the_begin():
    (_, _), (second, _) = lines_of("M 1,1 L 3,1 3,3 Z L 0,0")
    np.testing.assert_allclose(second, [[1, 1], [0, 0]])


@pytest.mark.parametrize(
    ("path", "vertices", "code"),
    [
        ("M 0,0 C 0,10 10,10 10,0", [[0, 0], [0, 10], [10, 10], [10, 0]], Path.CURVE4),
        ("m 1,2 c 0,10 10,10 10,0", [[1, 2], [1, 12], [11, 12], [11, 2]], Path.CURVE4),
        ("M 0,0 Q 5,9 10,0", [[0, 0], [5, 9], [10, 0]], Path.CURVE3),
    ],
)
def test_curves_are_those_of_matplotlib(path, vertices, code):
    points, _ = only(path)
    degree = len(vertices) - 1
    _, (bezier, _) = Path(vertices, [Path.MOVETO] + [code] * degree).iter_bezier()
    np.testing.assert_allclose(points, [bezier(t) for t in np.linspace(0, 1, 13)], atol=1e-12)


def test_smooth_curves_mirror_the_last_handle():
    smooth, _ = only("M 0,0 C 0,5 5,5 5,0 S 10,-5 10,0")
    told, _ = only("M 0,0 C 0,5 5,5 5,0 C 5,-5 10,-5 10,0")
    np.testing.assert_allclose(smooth, told)
    smooth, _ = only("M 0,0 q 5,5 10,0 t 10,0")
    told, _ = only("M 0,0 Q 5,5 10,0 Q 15,-5 20,0")
    np.testing.assert_allclose(smooth, told)
    alone, _ = only("M 1,1 S 5,5 9,1")  # no curve before it: the handle is the pen
    told, _ = only("M 1,1 C 1,1 5,5 9,1")
    np.testing.assert_allclose(alone, told)


@pytest.mark.parametrize("is_large", [0, 1])
@pytest.mark.parametrize("is_forward", [0, 1])
def test_arcs_lie_on_their_ellipse(is_large, is_forward):
    points, _ = only(f"M 3,1 A 4 2 30 {is_large} {is_forward} 5,2")
    np.testing.assert_allclose(points[-1], [5, 2])
    turn = np.deg2rad(30)
    axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    plane = points @ axes.T / [4, 2]
    # Least squares: |p|² = 2 p·c + (1 − |c|²) holds for every point of a unit circle at c.
    unknowns, *_ = np.linalg.lstsq(
        np.column_stack([2 * plane, np.ones(len(plane))]), (plane**2).sum(axis=1), rcond=None
    )
    centre = unknowns[:2]
    np.testing.assert_allclose(np.linalg.norm(plane - centre, axis=1), 1.0, atol=1e-9)
    angles = np.unwrap(np.arctan2(*(plane - centre).T[::-1]))
    assert (angles[-1] > angles[0]) == bool(is_forward)
    assert (abs(angles[-1] - angles[0]) > np.pi) == bool(is_large)


def test_an_arc_too_small_for_its_ends_is_made_larger():
    points, _ = only("M 0,0 A 1 1 0 0 1 10,0")
    np.testing.assert_allclose(np.linalg.norm(points - [5, 0], axis=1), 5.0)
    np.testing.assert_allclose(only("M 0,0 A 0 1 0 0 1 10,0")[0], [[0, 0], [10, 0]])


@pytest.mark.parametrize(
    ("path", "told"),
    [("M 0,0 L 1", "L 1"), ("M 0,0 B 1,1", "B 1"), ("1,2 L 3,4", "1 2"), ("M 0,0 Z 3 4", "Z 3")],
)
def test_what_is_no_path_is_told(path, told):
    with pytest.raises(DataError, match=f"path has '{told}.*which is no command"):
        lines_of(path)


@given(st.text("MmLlHhVvCcSsQqTtAaZz0123456789-+., e", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_gives_lines_or_an_error(text):
    try:
        lines = lines_of(text)
    except DataError:
        return
    assert all(points.ndim == 2 and points.shape[1] == 2 for points, _ in lines)


@pytest.mark.parametrize(
    ("text", "point"),
    [
        (None, [2, 3]),
        ("translate(5)", [7, 3]),
        ("translate(5,-1)", [7, 2]),
        ("scale(2)", [4, 6]),
        ("scale(2 3)", [4, 9]),
        ("matrix(1 2 3 4 5 6)", [2 + 9 + 5, 4 + 12 + 6]),
        ("rotate(90)", [-3, 2]),
        ("rotate(90, 2, 2)", [1, 2]),
        ("skewX(45)", [5, 3]),
        ("skewY(45)", [2, 5]),
        ("translate(1,1) scale(2)", [5, 7]),
    ],
)
def test_transforms_are_applied_from_the_right(text, point):
    np.testing.assert_allclose((affine_of(text) @ [2, 3, 1])[:2], point, atol=1e-12)


@pytest.mark.parametrize("text", ["spin(3)", "scale(1,2,3)", "rotate(1,2)"])
def test_what_is_no_transform_is_told(text):
    with pytest.raises(DataError, match="is not known; expected one of matrix, translate"):
        affine_of(text)
