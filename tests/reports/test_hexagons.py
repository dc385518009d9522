import numpy as np

from voxscale.reports._hexagons import draw_hexagons
from voxscale.reports._style import new_figure


def test_every_point_is_counted_once_and_the_bar_says_what_is(rng):
    figure, grid = new_figure()
    x, y = rng.uniform(size=500), rng.uniform(-0.4, 1, size=500)
    draw_hexagons(grid[0, 0], x, y, lowest=-0.4, what="vertices")
    counts = grid[0, 0].collections[0].get_array()
    assert np.sum(counts) == 500
    assert figure.axes[1].get_ylabel() == "vertices per hexagon"
