from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxscale.arrays._columns import Columns
from voxscale.arrays._stacked import Stacked


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.integers(1, 4),
    st.data(),
)
def test_slices_are_those_of_the_concatenated_array(lengths, n_columns, data):
    parts = [
        (100 * i + np.arange(n * n_columns, dtype=float)).reshape(n, n_columns)
        for i, n in enumerate(lengths)
    ]
    together, stacked = np.concatenate(parts), Stacked([Columns.of(part) for part in parts])
    assert (stacked.shape, stacked.dtype) == (together.shape, together.dtype)
    start = data.draw(st.integers(0, len(together) - 1))
    stop = data.draw(st.integers(start + 1, len(together)))
    left = data.draw(st.integers(0, n_columns - 1))
    places = (slice(start, stop), slice(left, n_columns))
    np.testing.assert_array_equal(stacked[places], together[places])
    everything = Columns.of(stacked).read(slice(left, n_columns), "float64")
    np.testing.assert_array_equal(everything, together[:, left:])
    rows = data.draw(st.permutations(range(len(together))))
    np.testing.assert_array_equal(Columns.of(stacked).rows(rows, "float32"), together[rows])


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        (("float32", "float32"), "float32"),
        (("float32", "float64"), "float64"),
        (("int16", "int16"), "float64"),
    ],
)
def test_its_numbers_hold_those_of_every_part(dtypes, expected):
    parts = [Columns.of(np.ones((2, 3), dtype=dtype)) for dtype in dtypes]
    stacked = Stacked(parts)
    assert stacked.dtype == stacked[0:4, 0:3].dtype == expected


def test_only_what_is_asked_for_is_read():
    class Untouched:
        shape, dtype = (3, 2), np.dtype("float64")

        def __getitem__(self, place):
            raise AssertionError

    stacked = Stacked([Columns.of(np.ones((2, 2))), Columns.of(Untouched())])
    np.testing.assert_array_equal(stacked[0:2, 0:1], np.ones((2, 1)))


def test_it_is_not_read_whole_by_accident():
    with pytest.raises(TypeError, match="stacked arrays are read by slices"):
        np.asarray(Stacked([Columns.of(np.ones((2, 2)))]))
