"""Which amounts of data are one size for all subjects."""

import numpy as np
import pandas as pd
import pytest

from voxscale.study._common_sizes import common_sizes, pooled, standing_for_all


def rows(*places):
    table = pd.DataFrame(places, columns=["subject", "amount", "hours"])
    return table.assign(draw=table.groupby(["subject", "amount"]).cumcount())


def test_a_cell_stands_for_every_amount_that_it_comes_to():
    table = rows(("a", "1 h", 1.0), ("a", "4 h", 4.0), ("a", "all", 16.0),
                 ("b", "1 h", 1.0), ("b", "all", 4.2))  # fmt: skip
    found = standing_for_all(table)
    more = found[found["amount"] != found["source"]]
    assert more[["subject", "amount", "source", "hours"]].to_numpy().tolist() == [
        ["b", "4 h", "all", 4.2]
    ]
    # An amount of the same cells in other words is one point.
    twice = standing_for_all(rows(("a", "32", 16.0), ("a", "1", 0.5), ("b", "all", 16.0)))
    assert set(twice["subject"]) == {"a", "b"}
    assert twice["amount"].nunique() == 2


def test_draws_and_subjects_are_averaged_as_logarithms():
    points = rows(
        ("a", "1 h", 0.8), ("a", "1 h", 1.25), ("b", "1 h", 1.08), ("a", "x", 2.0), ("b", "x", 2.5)
    )
    points = points.assign(point=points["amount"], size=points["hours"], story="s", mean_r=0.1)
    found = pooled(points)
    assert found.units.index.tolist() == pytest.approx([np.sqrt(1.08)])
    assert found.apart == {"x": {"a": 2.0, "b": 2.5}}
    own = pd.DataFrame(
        {"a": [1.0, 1.0], "b": [1.2, 1.22]}
    )  # factors of 1.1 about the mean, or more
    assert common_sizes(own).isna().tolist() == [False, True]
