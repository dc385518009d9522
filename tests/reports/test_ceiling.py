import numpy as np
import pandas as pd
import pytest

from voxscale.reports import ceiling_density
from voxscale.reports._ceiling import ceiling_medians
from voxscale.reports._style import png


def scores(rng, n_subjects=2, n=400):
    tables = []
    for i in range(n_subjects):
        ceiling = rng.uniform(0.1, 1, n)
        ceiling[:7] = np.nan
        r = 0.5 * ceiling + 0.02 * rng.normal(size=n)
        tables.append(pd.DataFrame({"subject": f"s{i}", "r": r, "cc_max": ceiling}))
    return pd.concat(tables)


def test_panels_are_labelled_and_count_voxels_with_a_ceiling(rng):
    figure = ceiling_density(scores(rng))
    panels = [ax for ax in figure.axes if ax.get_title(loc="left")]
    assert [ax.get_title(loc="left") for ax in panels] == [
        "s0: 393 of 400 voxels",
        "s1: 393 of 400 voxels",
    ]
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in panels)
    bars = [ax for ax in figure.axes if ax not in panels]
    assert {bar.get_ylabel() for bar in bars} == {"voxels per hexagon"}


def test_every_voxel_with_a_ceiling_is_in_a_hexagon(rng):
    figure = ceiling_density(scores(rng, n_subjects=1))
    assert figure.axes[0].collections[0].get_array().sum() == 393


def test_the_median_follows_what_was_planted(rng):
    ax = ceiling_density(scores(rng, n_subjects=1, n=5000)).axes[0]
    (median,) = [line for line in ax.get_lines() if line.get_label() == "median voxel"]
    x, y = median.get_data()
    np.testing.assert_allclose(y, 0.5 * np.asarray(x), atol=0.02)


def test_the_median_line_can_be_had_as_numbers(rng):
    table = scores(rng, n_subjects=2, n=900)
    medians = ceiling_medians(table)
    ax = ceiling_density(table).axes[1]
    (line,) = [line for line in ax.get_lines() if line.get_label() == "median voxel"]
    of_one = medians[medians["subject"] == "s1"]
    np.testing.assert_array_equal(line.get_xydata(), of_one[["cc_max", "median_r"]])
    own = table[table["subject"] == "s1"]
    for row in of_one.itertuples():
        here = own[(own["cc_max"] - row.cc_max).abs() < 0.025]["r"]
        assert len(here) == row.n_voxels
        assert row.median_r == pytest.approx(here.median())
    assert medians["n_voxels"].min() >= 20


def test_the_identity_line_is_there(rng):
    ax = ceiling_density(scores(rng, n_subjects=1)).axes[0]
    (line,) = [line for line in ax.get_lines() if "cc_max" in line.get_label()]
    np.testing.assert_array_equal(*np.asarray(line.get_data(), dtype=float))


@pytest.mark.parametrize("n_subjects", [1, 3, 4, 8])
def test_any_number_of_subjects_can_be_drawn(rng, n_subjects):
    assert png(ceiling_density(scores(rng, n_subjects, n=30)))


def test_no_voxel_with_a_ceiling_and_a_single_one_are_no_errors(rng):
    table = scores(rng, n_subjects=1)
    table["cc_max"] = np.nan
    assert png(ceiling_density(table))
    table.loc[0, "cc_max"] = 0.5
    assert png(ceiling_density(table))
