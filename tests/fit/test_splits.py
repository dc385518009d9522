from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold, TimeSeriesSplit

from voxscale.errors import FitError
from voxscale.fit import as_splits, chunk_holdout, contiguous_folds, leave_run_out


@st.composite
def holdouts(draw):
    chunk_len = draw(st.integers(1, 7))
    lengths = draw(st.lists(st.integers(chunk_len, 40), min_size=1, max_size=5))
    n_fitting = sum(length // chunk_len for length in lengths)
    n_chunks = draw(st.integers(1, max(1, n_fitting // 2)))
    return {
        "n_trs": sum(lengths),
        "chunk_len": chunk_len,
        "n_chunks": n_chunks,
        "n_repeats": draw(st.integers(1, 4)),
        "seed": draw(st.integers(0, 2**32)),
        "run_lengths": lengths,
        "gap": draw(st.integers(0, 5)),
    }


def splits_or_nothing_left(options):
    try:
        return chunk_holdout(**options)
    except ValueError as error:
        if "leaves nothing to train on" not in str(error):
            raise
        return []


def runs_of(options):
    return np.repeat(np.arange(len(options["run_lengths"])), options["run_lengths"])


@settings(deadline=None)
@given(holdouts())
def test_parts_are_sorted_disjoint_and_of_the_asked_size(options):
    for train, validation in splits_or_nothing_left(options):
        assert len(validation) == options["chunk_len"] * options["n_chunks"]
        assert (np.diff(train) > 0).all()
        assert (np.diff(validation) > 0).all()
        assert not set(train) & set(validation)
        assert min(train.min(), validation.min()) >= 0
        assert max(train.max(), validation.max()) < options["n_trs"]


@settings(deadline=None)
@given(holdouts())
def test_a_row_trains_unless_it_is_within_the_gap_of_a_chunk_of_its_run(options):
    runs = runs_of(options)
    for train, validation in splits_or_nothing_left(options):
        for row in range(options["n_trs"]):
            same_run = validation[runs[validation] == runs[row]]
            near = len(same_run) > 0 and np.abs(same_run - row).min() <= options["gap"]
            assert (row in train) == (not near)


@settings(deadline=None)
@given(holdouts())
def test_chunks_are_contiguous_and_never_cross_a_run(options):
    # Tile each held-out stretch of each run with whole chunks: lengths must be multiples.
    runs = runs_of(options)
    for _, validation in splits_or_nothing_left(options):
        for run in np.unique(runs[validation]):
            rows = validation[runs[validation] == run]
            stretches = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
            assert all(len(stretch) % options["chunk_len"] == 0 for stretch in stretches)


@settings(deadline=None)
@given(holdouts())
def test_the_same_seed_gives_the_same_splits(options):
    first, second = splits_or_nothing_left(options), splits_or_nothing_left(options)
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_another_seed_gives_other_splits():
    options = {"chunk_len": 5, "n_chunks": 3, "n_repeats": 3}
    one = chunk_holdout(200, seed=1, **options)
    other = chunk_holdout(200, seed=2, **options)
    assert any(not np.array_equal(a[1], b[1]) for a, b in zip(one, other, strict=True))


def test_every_row_is_held_out_sooner_or_later_the_tail_too():
    # The old code never held out the last 23 % 10 rows of a run.
    splits = chunk_holdout(
        46, chunk_len=10, n_chunks=2, n_repeats=200, seed=0, run_lengths=[23, 23]
    )
    held_out = np.unique(np.concatenate([validation for _, validation in splits]))
    np.testing.assert_array_equal(held_out, np.arange(46))


def test_chunks_are_drawn_evenly():
    splits = chunk_holdout(40, chunk_len=10, n_chunks=1, n_repeats=2000, seed=3)
    starts = [validation[0] for _, validation in splits]
    counts = np.bincount(np.array(starts) // 10, minlength=4)
    assert counts.min() > 400  # 500 expected, standard deviation 19


def test_a_generator_goes_on_where_it_was():
    rng = np.random.default_rng(0)
    options = {"chunk_len": 5, "n_chunks": 1, "n_repeats": 5}
    one, other = (chunk_holdout(100, seed=rng, **options) for _ in range(2))
    assert any(not np.array_equal(a[1], b[1]) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_chunks": 11}, "n_chunks is 11, but only 10 chunks of 10 TRs fit into 1 run"),
        ({"n_chunks": 9, "run_lengths": [39, 39, 22]}, "only 8 chunks of 10 TRs fit into 3 run"),
        ({"run_lengths": [50, 49]}, "run_lengths add up to 99 TRs; expected n_trs = 100"),
        ({"n_chunks": 10}, "holding out 100 TRs with a gap of 0 leaves nothing to train on"),
        ({"gap": 100}, "with a gap of 100 leaves nothing to train on"),
        ({"chunk_len": 0}, "chunk_len is 0; expected 1 or more"),
        ({"n_chunks": 0}, "n_chunks is 0"),
        ({"n_repeats": 0}, "n_repeats is 0"),
        ({"gap": -1}, "gap is -1; expected 0 or more"),
        ({"run_lengths": [100, 0]}, "a run's length is 0"),
        ({"seed": None}, "seed is None; give an int"),
    ],
)
def test_what_cannot_be_held_out_is_said(options, message):
    asked = {"chunk_len": 10, "n_chunks": 2, "n_repeats": 1, "seed": 0} | options
    with pytest.raises(ValueError, match=message):
        chunk_holdout(100, **asked)


def test_fractions_are_refused():
    with pytest.raises(TypeError, match=r"chunk_len is 2\.5; expected a whole number"):
        chunk_holdout(100, chunk_len=2.5, n_chunks=1, n_repeats=1, seed=0)


@settings(deadline=None)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=6))
def test_leave_run_out_holds_out_each_run_once(lengths):
    runs = np.repeat(np.arange(len(lengths)), lengths)
    splits = leave_run_out(lengths)
    assert len(splits) == len(lengths)
    for run, (train, validation) in enumerate(splits):
        np.testing.assert_array_equal(validation, np.flatnonzero(runs == run))
        np.testing.assert_array_equal(train, np.flatnonzero(runs != run))


def test_leave_run_out_with_a_gap_drops_the_neighbouring_rows():
    (_, (train, validation), _) = leave_run_out([4, 3, 4], gap=2)
    assert validation.tolist() == [4, 5, 6]
    assert train.tolist() == [0, 1, 9, 10]


def test_leave_run_out_says_what_is_wrong():
    with pytest.raises(ValueError, match="there is 1 run; leaving one out needs two"):
        leave_run_out([10])
    with pytest.raises(ValueError, match="leaves nothing to train on"):
        leave_run_out([2, 2], gap=2)


@pytest.mark.parametrize(("n_trs", "n_folds"), [(10, 2), (11, 3), (7, 7)])
def test_contiguous_folds_are_those_of_scikit_learn(n_trs, n_folds):
    expected = KFold(n_folds).split(np.zeros(n_trs))
    for ours, theirs in zip(contiguous_folds(n_trs, n_folds), expected, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


def test_contiguous_folds_need_rows():
    with pytest.raises(ValueError, match="3 rows cannot be cut into 5 folds"):
        contiguous_folds(3)
    with pytest.raises(ValueError, match="n_folds is 1; expected 2"):
        contiguous_folds(3, 1)


def test_cv_may_be_nothing_a_number_pairs_or_a_splitter(frozen):
    expected = contiguous_folds(20, 5)
    pairs = [(frozen(train), frozen(validation)) for train, validation in expected]
    for cv in (None, 5, np.int64(5), pairs, iter(pairs), KFold(5)):
        for ours, theirs in zip(as_splits(cv, 20), expected, strict=True):
            np.testing.assert_array_equal(ours[0], theirs[0])
            np.testing.assert_array_equal(ours[1], theirs[1])
    assert len(as_splits(TimeSeriesSplit(3), 20)) == 3


@pytest.mark.parametrize(
    ("cv", "error", "message"),
    [
        (
            [([0, 1], [2, 10])],
            ValueError,
            "validation rows run from 2 to 10, but X has rows 0 to 9",
        ),
        ([([-1, 1], [2, 3])], ValueError, "split 0: train rows run from -1 to 1"),
        (
            [([0, 1], [2, 3]), ([0, 1], [1, 2])],
            ValueError,
            "split 1: 1 row.s. both train and valid",
        ),
        ([([0, 0], [2, 3])], ValueError, "train rows name a row more than once"),
        ([([], [2, 3])], FitError, "split 0 has 0 train row"),
        ([([0, 1], [])], FitError, "split 0 has 0 validation row"),
        ([([0, 1], [2])], FitError, "split 0 has 1 validation row.s.; expected 2 or more"),
        ([], FitError, "cv holds no split"),
        ([np.zeros(3, int)], TypeError, "split 0 is no pair"),
        ([([True, False], [False, True])], TypeError, "dtype bool; expected a list of row numbers"),
        ([([0.0, 1.0], [2, 3])], TypeError, "dtype float64"),
        ("kfold", TypeError, "cv is 'kfold'; expected None, a number of folds"),
        (1.5, TypeError, "cv is 1.5"),
        (1, ValueError, "n_folds is 1"),
    ],
)
def test_bad_splits_are_named(cv, error, message):
    with pytest.raises(error, match=message):
        as_splits(cv, 10)
