"""The planted network lies where it says, on the sheet that it says."""

import numpy as np
import pytest

from voxscale.synthetic import fsaverage5_coordinates, language_network
from voxscale.synthetic._cortex import REGION_NAMES

pytest.importorskip("nilearn")


@pytest.fixture(scope="module")
def coordinates():
    return fsaverage5_coordinates()


def test_left_hemisphere_comes_first(coordinates):
    assert coordinates.shape == (20484, 3)
    assert coordinates[:10242, 0].mean() < -20
    assert coordinates[10242:, 0].mean() > 20


def test_depth_grows_from_sound_to_the_ends_of_the_network(coordinates):
    layout = language_network(coordinates)

    def near(x, y, z):
        return ((coordinates - [x, y, z]) ** 2).sum(axis=1).argmin()

    auditory, angular = near(-52, -18, 6), near(-46, -62, 26)
    assert layout.signal_share[[auditory, angular]].min() > 0.3
    assert layout.depth[auditory] < 0.2
    assert layout.depth[angular] > 0.7


def test_most_of_the_cortex_is_noise_alone(coordinates):
    layout = language_network(coordinates, jitter_mm=3, seed=1)
    silent = layout.signal_share == 0
    assert 0.4 < silent.mean() < 0.8
    assert np.isnan(layout.depth[silent]).all()
    assert np.isfinite(layout.depth[~silent]).all()
    assert (layout.signal_share > 0.2).mean() > 0.1
    assert layout.signal_share.max() <= 0.8


def test_a_vertex_is_in_the_region_whose_bump_is_highest_there(coordinates):
    layout = language_network(coordinates)
    np.testing.assert_array_equal(layout.region == -1, layout.signal_share == 0)
    assert set(layout.region) == set(range(-1, len(REGION_NAMES)))
    for number, name in enumerate(REGION_NAMES):
        side = coordinates[layout.region == number, 0]
        assert (side < 5).all() if name.startswith("left") else (side > -5).all()
    nearest = ((coordinates - [-46, -62, 26]) ** 2).sum(axis=1).argmin()
    assert REGION_NAMES[layout.region[nearest]] == "left angular"


def test_people_differ_and_a_person_does_not(coordinates):
    one, same, other = (
        language_network(coordinates, jitter_mm=3, seed=seed).signal_share for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert 0.7 < np.corrcoef(one, other)[0, 1] < 0.999
