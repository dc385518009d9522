"""Flat maps, masks, curvature and outlines of S1, which pycortex brings, against pycortex itself.

Runs where pycortex is installed; it is no requirement of voxscale.
"""

import warnings

import numpy as np
import pytest

from voxscale.data import read_pycortex_subject
from voxscale.reports import flat_picture

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]
N_ROWS = 1024  # both have by default
TOLERANCE = 0.02  # of the picture's range: five shades of 256


@pytest.fixture(scope="module")
def cortex():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("cortex", exc_type=ImportError)
    if "S1" not in module.db.subjects:
        pytest.skip("the subject S1 is not in pycortex's filestore")
    return module


@pytest.fixture(scope="module")
def subject(cortex):
    return read_pycortex_subject(cortex.db.filestore, "S1")


def share_alike(ours, theirs):
    """Return the share of pixels inside either cortex that agree."""
    either = np.isfinite(ours) | np.isfinite(theirs)
    alike = np.abs(ours - theirs) < TOLERANCE * np.ptp(theirs[np.isfinite(theirs)])
    return alike[either].mean()


def test_the_mask_is_pycortexs(cortex, subject):
    mask = cortex.db.get_mask("S1", "fullhead", "thick")
    assert mask.sum() == 80_615
    np.testing.assert_array_equal(subject.mask("fullhead"), mask)


def test_pictures_of_voxels_agree(cortex, subject, rng):
    mask = subject.mask("fullhead")
    noise = rng.standard_normal(mask.sum())
    z, y, x = np.nonzero(mask)
    for values in (noise, np.sin(x / 7) + np.cos(y / 9) + np.sin(z / 5)):
        volume = cortex.Volume(values, "S1", "fullhead", mask=mask)
        theirs, extent = cortex.quickflat.utils.make_flatmap_image(volume, height=N_ROWS)
        ours, pixels = flat_picture(values, subject, transform="fullhead", n_rows=N_ROWS)
        assert ours.shape == theirs.shape
        left, right, bottom, top = pixels.extent  # edges, where pycortex tells outer centres
        across, up = (right - left) / ours.shape[1] / 2, (top - bottom) / ours.shape[0] / 2
        centres = left + across, right - across, bottom + up, top - up
        np.testing.assert_allclose(centres, extent, atol=1e-3)
        assert share_alike(ours, theirs) > 0.98


def test_pictures_of_vertices_and_of_curvature_agree(cortex, subject, rng):
    values = rng.standard_normal(subject.n_vertices)
    draw = cortex.quickflat.utils.make_flatmap_image
    theirs, _ = draw(cortex.Vertex(values, "S1"), height=N_ROWS)
    ours, pixels = flat_picture(values, subject, n_rows=N_ROWS)
    both = np.isfinite(ours) & np.isfinite(theirs)
    assert (ours == theirs)[both].mean() > 0.999
    folds, _ = draw(cortex.db.get_surfinfo("S1"), height=N_ROWS)
    assert ((pixels.curvature > 0) == (folds > 0))[both].mean() > 0.999


def test_outlines_hold_the_vertices_that_pycortex_finds_in_them(cortex, subject):
    from matplotlib.path import Path

    drawn = cortex.db.get_overlay("S1", modify_svg_file=False)
    points = subject.flat.points
    n_wrong = n_all = 0
    for outline in subject.outlines("rois"):
        ours = np.any([Path(line).contains_points(points) for line in outline.lines], axis=0)
        theirs = np.zeros(len(points), bool)
        theirs[drawn.rois.get_mask(outline.name).astype(int)] = True
        n_wrong += (ours != theirs).sum()
        n_all += theirs.sum()
    assert n_wrong < 0.005 * n_all
