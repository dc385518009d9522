from types import SimpleNamespace

import numpy as np
import pytest

from voxscale.reports import _cortex
from voxscale.reports._cortex import RELIABLE_CC_MAX, subject_maps
from voxscale.reports._style import png
from voxscale.reports._surface import MapSurface

N = 20_484


@pytest.fixture
def maps(rng, frozen):
    return SimpleNamespace(
        subject="s1",
        is_shown=frozen(rng.random(N) < 0.5),
        r=frozen(rng.uniform(-0.1, 0.6, N)),
        r_repeated=frozen(rng.uniform(-0.1, 0.6, N)),
        cc_max=frozen(rng.uniform(0, 1, N)),
        cc_norm=frozen(rng.uniform(0, 1, N)),
        best_layer=frozen(rng.choice([0.0, 3.0], N)),
        surface=MapSurface("fsaverage5"),
    )


def test_each_map_shows_its_own_numbers_where_it_may(maps, monkeypatch):
    drawn = {}
    monkeypatch.setattr(
        _cortex,
        "draw_flatmap",
        lambda axes, values, **named: drawn.update({named["label"]: values}),
    )
    subject_maps(maps, [0, 3])
    r, norm, layer, room = drawn.values()
    assert list(drawn) == ["r", "cc_norm = r / cc_max", "layer", "cc_max − r"]
    np.testing.assert_array_equal(r, maps.r)
    np.testing.assert_array_equal(norm, np.where(maps.is_shown, maps.cc_norm, np.nan))
    np.testing.assert_array_equal(np.isfinite(layer), maps.is_shown)
    known = maps.cc_max > RELIABLE_CC_MAX
    np.testing.assert_array_equal(room[known], (maps.cc_max - maps.r_repeated)[known])
    assert np.isnan(room[~known]).all()


def test_four_titles_say_whose_map_of_which_story(maps):
    pytest.importorskip("nilearn")
    figure = subject_maps(maps, [0, 3], r_end=0.6)
    titles = [part.get_suptitle() for part in figure.subfigs]
    assert [title.split(":")[0] for title in titles] == ["s1"] * 4
    assert titles[0].endswith("all test stories")
    assert titles[1].endswith("repeated story")
    assert png(figure)
