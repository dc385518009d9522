import numpy as np
import pytest

from voxscale.evaluate._parts import count_negative, part_rows, text_of
from voxscale.evaluate._unions import check_names, listed, subsets_of


@pytest.mark.parametrize("n", [2, 3, 4])
def test_every_subset_comes_once_and_small_ones_first(n):
    names = tuple("abcd"[:n])
    subsets = subsets_of(names)
    assert len(subsets) == len(set(subsets)) == 2**n - 1
    sizes = [len(subset) for subset in subsets]
    assert sizes == sorted(sizes)
    assert subsets[:n] == [(name,) for name in names]
    assert subsets[-1] == names


def test_a_name_is_no_empty_string():
    with pytest.raises(TypeError, match="a feature space is called ''; expected a name"):
        check_names(["a", ""])


def test_unions_are_written_as_they_are_given():
    assert listed(("a", "b")) == "('a', 'b')"


def test_below_zero_is_more_than_rounding():
    part = np.array([-1e-16, -1e-10, 0.0, 0.1, np.nan])
    assert count_negative(part, np.ones(5)) == 1
    assert count_negative(part, np.full(5, 1e6)) == 0


def test_a_table_without_a_voxel():
    none = np.zeros(0)
    rows = part_rows({("a",): none, ("a", "b"): none}, none, none)
    assert [row["kind"] for row in rows] == ["unique", "shared", "total"]
    assert all(np.isnan(row["mean"]) and np.isnan(row["lowest"]) for row in rows)
    assert "a & b" in text_of("title", rows, "note")
