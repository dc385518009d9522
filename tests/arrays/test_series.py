"""Series refuse to be out of step with their time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxscale.arrays import EventSeries, TRSeries, concatenate, on_shared_trs
from voxscale.errors import AlignmentError


def test_events_need_a_finite_time_each():
    with pytest.raises(AlignmentError, match="expected one time for each of the 3 events"):
        EventSeries(np.ones((3, 1)), [0.0, 1.0])
    with pytest.raises(AlignmentError, match=r"expected \(n_events, n_features\)"):
        EventSeries(np.ones(3), [0.0, 1.0, 2.0])
    with pytest.raises(AlignmentError, match="time 1 is nan"):
        EventSeries(np.ones((2, 1)), [0.0, np.nan])


@given(first_tr=st.integers(0, 20), n=st.integers(1, 20), data=st.data())
def test_between_counts_in_the_run(first_tr, n, data):
    series = TRSeries(np.arange(first_tr, first_tr + n)[:, None], "run", first_tr)
    start = data.draw(st.integers(first_tr, first_tr + n - 1))
    stop = data.draw(st.integers(start + 1, first_tr + n))
    part = series.between(start, stop)
    assert list(part.values[:, 0]) == list(part.trs) == list(range(start, stop))


def test_between_refuses_what_is_not_held():
    with pytest.raises(AlignmentError, match=r"asked for TRs 0\.\.9.*covers TRs 5\.\.9"):
        TRSeries(np.ones((5, 1)), "run", 5).between(0, 10)


def test_shared_trs():
    early, late = TRSeries(np.ones((10, 1)), "a", 0), TRSeries(np.ones((10, 2)), "a", 4)
    assert [one.trs for one in on_shared_trs(early, late)] == [range(4, 10)] * 2
    with pytest.raises(AlignmentError, match="share none"):
        on_shared_trs(early, TRSeries(np.ones((3, 1)), "a", 20))
    with pytest.raises(AlignmentError, match="one run at a time"):
        on_shared_trs(early, TRSeries(np.ones((3, 1)), "b"))


def test_shared_trs_need_one_clock():
    times = np.arange(10) * 2.0 + 1
    ours = TRSeries(np.ones((10, 1)), "a", 0, times)
    near = TRSeries(np.ones((6, 1)), "a", 4, times + 0.01)
    timeless = TRSeries(np.ones((10, 1)), "a")
    assert [one.trs for one in on_shared_trs(timeless, ours, near)] == [range(4, 10)] * 3
    for other, told in (
        (times + 0.03, r"10 TRs of 2\.000 s at 1\.03\.\.19\.03 s"),
        (times * 0.75, r"10 TRs of 1\.500 s at 0\.75\.\.14\.25 s"),
        (times[:1], r"1 TR at 1\.00 s"),
    ):
        theirs = TRSeries(np.ones((1, 1)), "a", 0, other)
        told = rf"series 1 and its series 2 .* 10 TRs of 2\.000 s at 1\.00\.\.19\.00 s, .* {told}"
        with pytest.raises(AlignmentError, match=rf"run 'a': its {told}\. Give both"):
            on_shared_trs(timeless, ours, theirs)
    one = TRSeries(np.ones((1, 1)), "a", 0, [1.0])
    assert len(on_shared_trs(one, one)) == 2
    with pytest.raises(AlignmentError, match=r"1 TR at 1\.00 s, the latter 1 TR at 2\.00 s"):
        on_shared_trs(one, TRSeries(np.ones((1, 1)), "a", 0, [2.0]))


def test_rows_must_lie_within_the_run():
    with pytest.raises(AlignmentError, match=r"rows cover TRs 3\.\.7, but the run has TRs 0\.\.5"):
        TRSeries(np.ones((5, 1)), "run", 3, np.arange(6.0))
    with pytest.raises(AlignmentError, match="first_tr is -1"):
        TRSeries(np.ones((5, 1)), "run", -1)
    with pytest.raises(AlignmentError, match=r"expected \(n_trs, n\)"):
        TRSeries(np.ones(5), "run")


def test_concatenate_needs_equal_columns():
    a, b = TRSeries(np.ones((2, 3)), "a"), TRSeries(np.zeros((4, 3)), "b")
    assert concatenate([a, b]).shape == (6, 3)
    with pytest.raises(AlignmentError, match="run 'c' has 2 columns, run 'a' has 3"):
        concatenate([a, TRSeries(np.ones((2, 2)), "c")])


def test_lists_are_taken_and_what_is_no_number_is_not():
    assert TRSeries([[1.0], [2.0]], "a").values.shape == (2, 1)
    with pytest.raises(TypeError, match="expected real numbers"):
        EventSeries([["a"]], [0.0])
    with pytest.raises(TypeError):
        TRSeries(np.ones((5, 1)), "a", 1.5)
    with pytest.raises(AlignmentError, match="expected finite seconds"):
        TRSeries(np.ones((2, 1)), "a", 0, [0.0, np.nan])
