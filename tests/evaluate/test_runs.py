import numpy as np
import pytest

from voxscale.errors import AlignmentError
from voxscale.evaluate._runs import checked_lengths, run_rows


def test_rows_follow_each_other():
    rows = run_rows(np.array([3, 1, 2]), 6)
    assert [list(range(6))[one] for one in rows] == [[0, 1, 2], [3], [4, 5]]


def test_rows_that_are_not_there():
    with pytest.raises(
        AlignmentError, match=r"run_lengths are \[3, 1\], 4 TRs in all, but Y has 6"
    ):
        run_rows([3, 1], 6)


@pytest.mark.parametrize("lengths", [[], [3, 0], [-1]])
def test_a_run_has_a_tr(lengths):
    with pytest.raises(ValueError, match="expected one positive number of TRs per run"):
        checked_lengths(lengths)


@pytest.mark.parametrize("lengths", [5, "12", [2.5], ["a"]])
def test_lengths_are_whole_numbers(lengths):
    with pytest.raises(TypeError):
        checked_lengths(lengths)
