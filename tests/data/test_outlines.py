"""Outlines over the miniature flat map, 48 mm wide from -24 and 16 mm high from -8."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.path import Path as Shape

from voxscale.data import read_pycortex_subject
from voxscale.data._label_position import label_position
from voxscale.data._outlines import read_outlines
from voxscale.errors import DataError

pytest.importorskip("nibabel")
BOUNDS = (-24.0, 24.0, -8.0, 8.0)


@pytest.fixture(scope="module")
def drawing(tiny_pycortex, tmp_path_factory):
    path = tmp_path_factory.mktemp("drawing") / "overlays.svg"
    path.write_text(tiny_pycortex.OVERLAYS)
    return path


@pytest.fixture
def written(tmp_path):
    """Return a function that writes a drawing, and reads it."""

    def write(text):
        path = tmp_path / "overlays.svg"
        path.write_text(text)
        return read_outlines(path, BOUNDS)

    return write


def test_outlines_lie_where_they_were_drawn(drawing):
    rois = {one.name: one for one in read_outlines(drawing, BOUNDS)["rois"]}
    assert list(rois) == ["A", "B", "hidden"]
    left, right = rois["A"].lines
    # 20 units from the left and the top of the drawing are 2 mm; 40 units are 4 mm.
    np.testing.assert_allclose(left, [[-22, 6], [-18, 6], [-18, 2], [-22, 2], [-22, 6]])
    np.testing.assert_allclose(right, [[6, 6], [10, 6], [10, 2], [6, 2], [6, 6]])
    np.testing.assert_allclose(rois["A"].label_positions, [[-20, 4], [8, 4]], atol=0.05)
    assert [one.is_hidden for one in rois.values()] == [False, False, True]


def test_transforms_of_groups_move_what_is_in_them(drawing):
    (line,) = read_outlines(drawing, BOUNDS)["rois"][1].lines
    np.testing.assert_allclose(line[0], [-24 + 10, 8 - 5])
    np.testing.assert_allclose(line[12], [-24 + 12, 8 - 5])  # the end of the curve
    # The middle of this curve is 3/4 of the way to its handles, 7.5 units down, twice.
    np.testing.assert_allclose(line[6], [-24 + 11, 8 - 5 - 1.5])


def test_the_label_of_an_open_line_is_in_the_middle_of_its_length(drawing):
    (sulcus,) = read_outlines(drawing, BOUNDS)["sulci"]
    np.testing.assert_allclose(sulcus.lines[0], [[-23, 0], [-19, 0], [-19, -6]])
    np.testing.assert_allclose(sulcus.label_positions, [[-19, -1]])


def test_a_view_box_is_what_the_flat_map_covers(written, tiny_pycortex):
    plain = written(tiny_pycortex.OVERLAYS)["rois"][0].lines[0]
    text = tiny_pycortex.OVERLAYS.replace(
        'width="480.0" height="160"', 'width="96mm" height="32mm" viewBox="0 0 480 160"'
    )
    np.testing.assert_allclose(written(text)["rois"][0].lines[0], plain)
    shifted = text.replace("0 0 480 160", "10 0 480 160")
    np.testing.assert_allclose(written(shifted)["rois"][0].lines[0], plain - [1.0, 0.0])


def test_older_files_have_shapes_in_the_layer_itself(written):
    text = """<svg xmlns="http://www.w3.org/2000/svg" width="480" height="160px"
      xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape">
      <g inkscape:label="rois"><g inkscape:label="V1"><g><path d="M 0,0 480,160"/></g></g></g>
      <g inkscape:label="roilabels"><text x="1" y="2">V1</text></g></svg>"""
    layers = written(text)
    assert list(layers) == ["rois"]
    np.testing.assert_allclose(layers["rois"][0].lines[0], [[-24, 8], [24, -8]])


def test_labels_that_were_moved_by_hand_stay_there(written, tiny_pycortex):
    labels = """<g inkscape:label="labels" transform="translate(10,0)">
      <text x="350" y="20px"><tspan>A</tspan></text><text x="1" y="1">C</text>
      <text x="none" y="1">A</text></g></g><g inkscape:label="sulci">"""
    text = tiny_pycortex.OVERLAYS.replace(
        '<g inkscape:label="labels"/>\n  </g>\n  <g inkscape:label="sulci">', labels
    )
    assert text != tiny_pycortex.OVERLAYS
    positions = written(text)["rois"][0].label_positions
    np.testing.assert_allclose(positions, [[-20, 4], [12, 6]], atol=0.05)


def test_a_subject_without_drawings_has_no_outlines(tiny_pycortex, tmp_path):
    folder = tiny_pycortex.write_subject(tmp_path)
    (folder / "overlays.svg").rename(folder / "rois.svg")
    assert len(read_pycortex_subject(folder).outlines()) == 3
    (folder / "rois.svg").unlink()
    subject = read_pycortex_subject(folder)
    assert subject.outline_layers == ()
    assert subject.outlines("rois") == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("</svg>", ""), "no element found"),
        (('encoding="UTF-8"', 'encoding="ETF-8"'), "unknown encoding"),
        (('width="480.0"', ""), "it has no size; expected an svg element"),
        (('width="480.0"', 'width="0"'), "its size is 0.0 by 160.0"),
        (("m 20,20 40,0", "m 20,20 40"), "path has 'l .*', which is no command of SVG"),
        (("scale(2)", "spin(2)"), r"transform spin\(2\) is not known"),
    ],
)
def test_what_is_no_drawing_is_told(written, tiny_pycortex, change, message):
    with pytest.raises(
        DataError, match=rf"overlays\.svg is no drawing of outlines: .*{message}"
    ) as said:
        written(tiny_pycortex.OVERLAYS.replace(*change))
    todo = "save it again in Inkscape, or leave outlines out with outlines=None."
    assert str(said.value).endswith(todo)
    assert str(said.value).count("again") == 1


def test_content_that_was_not_fetched_is_told(written):
    with pytest.raises(DataError, match=r"^[^:]*overlays\.svg is a git-annex pointer"):
        written("/annex/objects/MD5E-s1--00.svg\n")


def test_a_label_is_as_far_from_the_line_as_can_be(rng):
    """A crescent, whose centre of mass is outside: more room than at 2,000 places inside."""
    angles = np.linspace(0.2, 2 * np.pi - 0.2, 60)
    outer = 10 * np.column_stack([np.cos(angles), np.sin(angles)])
    ring = np.vstack([outer, 0.7 * outer[::-1], outer[:1]])
    place = label_position(ring, is_closed=True)
    shape = Shape(ring)
    assert shape.contains_point(place)
    assert not shape.contains_point(ring[:-1].mean(axis=0))
    dense = np.concatenate([np.linspace(a, b, 50) for a, b in pairwise(ring)])
    room = np.linalg.norm(dense - place, axis=1).min()
    others = rng.uniform(-10, 10, (6000, 2))
    others = others[shape.contains_points(others)]
    best = max(np.linalg.norm(dense - other, axis=1).min() for other in others)
    assert room > 0.97 * best


def test_a_line_that_holds_no_area_has_its_label_on_it():
    flat = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 0.0]])
    np.testing.assert_allclose(label_position(flat, is_closed=True), [4, 0])
    point = np.array([[1.0, 2.0], [1.0, 2.0]])
    np.testing.assert_allclose(label_position(point, is_closed=True), [1, 2])
