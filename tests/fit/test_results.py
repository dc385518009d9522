"""A fit whose results outlive it goes on where it was."""

from __future__ import annotations

import numpy as np
import pytest

from voxscale.errors import DataError, VoxscaleWarning
from voxscale.fit import Gram, RidgeCV, _blocks, cv_scores, cv_scores_of_designs, solve
from voxscale.fit._results import InMemory
from voxscale.fit._solvers import SOLVERS
from voxscale.store import FitStore

ALPHAS = np.logspace(-1, 4, 8)


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """Work on four voxels at a time: six blocks."""
    monkeypatch.setattr(_blocks, "_COMFORTABLE_BYTES", {"cpu": 1})
    monkeypatch.setattr(_blocks, "_NARROWEST_COMFORTABLE", 4)

    def set_width(width):
        monkeypatch.setattr(_blocks, "_NARROWEST_COMFORTABLE", width)

    return set_width


@pytest.fixture
def data(rng, frozen):
    X = rng.standard_normal((40, 7))
    Y = X @ rng.standard_normal((7, 22)) + 3 * rng.standard_normal((40, 22))
    return frozen(X), frozen(Y)


def ridge(solver="split", **options):
    return RidgeCV(
        ALPHAS, 3, device="cpu", dtype="float64", fit_intercept=True, solver=solver, **options
    )


def names_of(model):
    return [name for name in vars(model) if name.endswith("_") and name != "X_fit_"]


def same(one, other):
    assert names_of(one) == names_of(other)
    for name in names_of(one):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_nothing_is_done_in_memory():
    results = InMemory()
    scores = results.array("scores", shape=(2, 3), dtype="float32", voxel_axis=1)
    assert scores.dtype == np.float32
    assert scores.shape == (2, 3)
    assert (results.array("state", shape=(3,), dtype="int8", voxel_axis=0) == -1).all()
    assert results.arrays["scores"] is scores
    results.mark_done("scores", 0, 3)
    assert not results.is_done("scores", 0, 3)
    assert results.block_multiple == 1
    results.finish()


@pytest.mark.parametrize("solver", SOLVERS)
def test_results_are_where_they_were_told_to_go(data, kept, solver):
    results = kept()
    model = ridge(solver).fit(*data, results=results)
    same(model, ridge(solver).fit(*data))
    assert results.is_finished
    np.testing.assert_array_equal(results.arrays["cv_scores"], model.cv_scores_)
    np.testing.assert_array_equal(results.arrays["intercept"], model.intercept_)
    assert model.coef_ is results.arrays["coef"]
    for stage in ("scores of split 0", "scores of split 1", "scores of split 2", "weights"):
        assert results.is_done(stage, 0, 22)
    blocks = [(start, min(start + 4, 22)) for start in range(0, 22, 4)]
    for stage in results.done:
        assert [mark[1:] for mark in results.marks if mark[0] == stage] == blocks


@pytest.mark.parametrize("n_until_failure", [0, 1, 2, 7, 17, 18, 20, 23])
@pytest.mark.parametrize("solver", SOLVERS)
def test_an_interrupted_fit_goes_on_behind_what_is_done(
    data, kept, counting, solver, n_until_failure
):
    X, Y = data
    expected, whole = kept(), ridge(solver).fit(X, Y)
    ridge(solver).fit(X, Y, results=expected)
    results = kept(n_until_failure)
    with pytest.raises(KeyboardInterrupt):
        ridge(solver).fit(X, Y, results=results)
    assert not results.is_finished
    before, results.n_until_failure = list(results.marks), None
    assert len(before) == n_until_failure
    told_of_what_is_there(results)
    again = counting(Y)
    same(ridge(solver).fit(X, again, results=results), whole)
    for name, values in expected.arrays.items():
        np.testing.assert_array_equal(results.arrays[name], values)
    # A block that is done in all splits is not even read again, but for the weights.
    n_solved = sum(stage == "weights" for stage, *_ in before)
    n_scored = (len(before) - n_solved) // 3
    assert len(again.asked) == (6 - n_scored) + (6 - n_solved)
    assert results.is_finished


def told_of_what_is_there(results):
    """What claims to be done is there, and what is not done is not half there."""
    scores = results.arrays["cv_scores"]
    for stage, done in results.done.items():
        written = results.arrays["coef"] if stage == "weights" else scores[:, :, int(stage[-1])]
        assert np.isfinite(written[:, done]).all()
    for split in range(scores.shape[2]):
        done = results.done.get(f"scores of split {split}", np.zeros(22, dtype=bool))
        # The block that was being worked on was written before it would have been marked.
        assert np.isfinite(scores[:, ~done, split]).any(axis=0).sum() <= 4


def test_a_fit_that_is_finished_computes_nothing(data, kept, counting):
    X, Y = data
    results = kept()
    first = ridge().fit(X, Y, results=results)
    again, marks = counting(Y), list(results.marks)
    same(ridge().fit(X, again, results=results), first)
    assert again.asked == []
    assert results.marks == marks


@pytest.mark.parametrize("width", [1, 3, 7, 100])
@pytest.mark.parametrize("solver", SOLVERS)
def test_the_width_of_blocks_may_change_meanwhile(data, kept, narrow, solver, width):
    results, expected = kept(8), ridge(solver).fit(*data)
    with pytest.raises(KeyboardInterrupt):
        ridge(solver).fit(*data, results=results)
    results.n_until_failure = None
    narrow(width)
    model = ridge(solver).fit(*data, results=results)
    for name in ("cv_scores_", "coef_", "best_alphas_"):
        np.testing.assert_allclose(getattr(model, name), getattr(expected, name), rtol=1e-9)


def test_undefined_voxels_are_counted_as_what_they_are_after_an_interruption(data, kept):
    X, clean = data
    Y = clean.copy()
    Y[3, [0, 9]] = np.nan
    Y[:, 21] = 2.0
    message = r"3 of 22 voxels could not be fitted \(2 hold NaN or infinity, 1 are constant\)"
    results = kept(10)
    with pytest.raises(KeyboardInterrupt):
        ridge().fit(X, Y, results=results)
    results.n_until_failure = None
    for _ in range(2):  # the second time, nothing is read at all
        with pytest.warns(VoxscaleWarning, match=message):
            model = ridge().fit(X, Y, results=results)
        assert np.flatnonzero(np.isnan(model.best_alphas_)).tolist() == [0, 9, 21]


def test_blocks_are_multiples_of_what_is_stored_together(data, kept):
    for multiple, starts in ((2, [0, 4, 8, 12, 16, 20]), (3, list(range(0, 22, 3)))):
        results = kept(block_multiple=multiple)
        ridge().fit(*data, results=results)
        assert sorted({start for _, start, _ in results.marks}) == starts


@pytest.mark.parametrize("solver", SOLVERS)
def test_several_designs_have_results_of_their_own(data, rng, kept, counting, solver):
    X, Y = data
    designs = [X, rng.standard_normal((40, 60)), X[:, :3]]
    whole = ridge(solver).fit_designs(designs, Y)
    results = [kept(), kept(5), kept()]
    with pytest.raises(KeyboardInterrupt):
        ridge(solver).fit_designs(designs, Y, results=results)
    results[1].n_until_failure = None
    again = counting(Y)
    models = ridge(solver).fit_designs(designs, again, results=results)
    for model, expected in zip(models, whole, strict=True):
        same(model, expected)
    # Six blocks for the scores, less one or more; six for the weights of all designs.
    assert 6 < len(again.asked) < 6 * 2
    assert all(one.is_finished for one in results)


def test_a_design_that_is_done_is_not_made_again(data, rng, kept, monkeypatch):
    X, Y = data
    first, second = kept(), kept()
    gram, other = (
        Gram.of(one, device="cpu", dtype="float64") for one in (X, rng.standard_normal((40, 60)))
    )
    cv_scores_of_designs([gram], Y, 3, ALPHAS, solver="split", results=[first])
    n_marks = len(first.marks)
    scored = cv_scores_of_designs(
        [gram, other], Y, 3, ALPHAS, solver="split", results=[first, second]
    )
    assert len(first.marks) == n_marks
    assert scored[0].flop == 0
    np.testing.assert_array_equal(scored[1].scores, cv_scores(other, Y, 3, ALPHAS, solver="split"))


@pytest.mark.parametrize("kind", ["primal", "dual"])
def test_weights_alone_go_on_too(data, kept, kind):
    X, Y = data
    gram = Gram.of(X, device="cpu", dtype="float64", fit_intercept=True)
    results, expected = kept(2), solve(gram, Y, 3.0, kind=kind)
    with pytest.raises(KeyboardInterrupt):
        solve(gram, Y, 3.0, kind=kind, results=results)
    written = np.isfinite(results.arrays["coef"]).all(axis=0)
    assert results.done["weights"].sum() == 8
    assert written[:8].all()
    assert not written[12:].any()
    results.n_until_failure = None
    found = solve(gram, Y, 3.0, kind=kind, results=results)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert [start for _, start, _ in results.marks] == [0, 4, 8, 12, 16, 20]


class Shrinking:
    """Responses of which the columns from ``n_left`` on are gone, once some have been read."""

    chunks = None

    def __init__(self, values, n_reads):
        self._values, self._n_reads = values, n_reads
        self.shape, self.dtype = values.shape, values.dtype

    def __getitem__(self, place):
        self._n_reads -= 1
        if self._n_reads < 0:
            self.shape = (self._values.shape[0], 9)
        return self._values[place]


@pytest.mark.parametrize("solver", SOLVERS)
def test_responses_that_shrink_are_told_and_nothing_half_written_claims_to_be_done(
    data, kept, solver
):
    X, Y = data
    results = kept()
    with pytest.raises(DataError, match=r"Y: columns 8\.\.11 .* \(40, 9\) now, \(40, 22\) when"):
        ridge(solver).fit(X, Shrinking(Y, 2), results=results)
    assert not results.is_finished
    told_of_what_is_there(results)
    assert all(done[:8].all() and not done[8:].any() for done in results.done.values())
    same(ridge(solver).fit(X, Y, results=results), ridge(solver).fit(X, Y))


def test_a_file_that_is_cut_short_is_told(data, kept, tmp_path):
    X, Y = data
    path = tmp_path / "Y.npy"
    np.save(path, Y)
    mapped = np.load(path, mmap_mode="r")
    results = kept()
    mark = results.mark_done

    def cut(*stage):
        mark(*stage)
        with path.open("r+b") as file:
            file.truncate(200)

    results.mark_done = cut
    with pytest.raises(DataError, match=r"Y: columns .*the file has 200 bytes"):
        ridge().fit(X, mapped, results=results)
    told_of_what_is_there(results)
    assert not results.is_finished


def test_a_store_on_disk_takes_up_a_fit(data, tmp_path, monkeypatch):
    X, Y = data
    model = ridge()
    expected = ridge().fit(X, Y)
    store = FitStore(tmp_path / "fit.zarr")
    with store.open(model.fingerprint(X, Y)) as run:
        mark, n_marks = run.mark_done, []

        def stop(*stage):
            n_marks.append(stage)
            if len(n_marks) > 4:
                raise KeyboardInterrupt
            mark(*stage)

        monkeypatch.setattr(run, "mark_done", stop)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, Y, results=run)
    assert not store.is_finished
    with store.open(model.fingerprint(X, Y)) as run:
        model.fit(X, Y, results=run)
    assert store.is_finished
    np.testing.assert_allclose(store.array("coef")[:], expected.coef_, rtol=1e-10)
    np.testing.assert_allclose(store.array("cv_scores")[:], expected.cv_scores_, rtol=1e-10)
    np.testing.assert_allclose(model.predict(X), expected.predict(X), rtol=1e-10)
