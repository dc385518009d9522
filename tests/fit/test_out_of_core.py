"""Where X and Y are makes no difference: in memory, in a memory map, in HDF5 or in zarr."""

from __future__ import annotations

import itertools

import h5py
import numpy as np
import pytest
import zarr

from voxscale.errors import DataError
from voxscale.fit import RidgeCV, _blocks, _fit_each
from voxscale.store import FitStore

ALPHAS = np.logspace(-1, 3, 5)
KINDS = ["numpy", "memmap", "hdf5", "zarr"]


def ridge(**options):
    return RidgeCV(ALPHAS, 3, **({"device": "cpu", "fit_intercept": True} | options))


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """Work on four voxels at a time, as many as a chunk has."""
    monkeypatch.setattr(_blocks, "_COMFORTABLE_BYTES", {"cpu": 1})
    monkeypatch.setattr(_blocks, "_NARROWEST_COMFORTABLE", 4)


@pytest.fixture
def stored(tmp_path):
    """Return a function that puts an array somewhere else."""
    files = []

    def store(kind, name, values):
        if kind == "numpy":
            return values
        path = tmp_path / f"{name}.{kind}"
        if kind == "memmap":
            np.save(path.with_suffix(".npy"), values)
            return np.load(path.with_suffix(".npy"), mmap_mode="r")
        chunks = tuple(min(pair) for pair in zip((9, 4), values.shape, strict=False))
        if kind == "hdf5":
            files.append(h5py.File(path, "w"))
            return files[-1].create_dataset(name, data=values, chunks=chunks)
        return zarr.create_array(path, data=values, chunks=chunks)

    yield store
    for file in files:
        file.close()


@pytest.fixture(params=[(60, 8), (30, 50)], ids=["primal", "dual"])
def data(request, rng, frozen):
    X = rng.standard_normal(request.param)
    Y = X @ rng.standard_normal((X.shape[1], 11)) + 3 * rng.standard_normal((len(X), 11))
    return frozen(X), frozen(Y)


def test_every_place_of_x_and_y_gives_the_same_numbers(data, stored, rng):
    X, Y = data
    w = rng.uniform(0.1, 1, len(X)) * (rng.random(len(X)) > 0.2)
    expected = ridge().fit(X, Y, w)
    for of_x, of_y in itertools.product(KINDS, repeat=2):
        kept_x, kept_y = stored(of_x, f"x{of_y}", X), stored(of_y, f"y{of_x}", Y)
        model = ridge().fit(kept_x, kept_y, w)
        for name in ("cv_scores_", "best_alphas_", "coef_", "intercept_"):
            np.testing.assert_array_equal(getattr(model, name), getattr(expected, name))
        np.testing.assert_array_equal(model.predict(kept_x), expected.predict(X))
        np.testing.assert_array_equal(model.score(kept_x, kept_y), expected.score(X, Y))


@pytest.mark.parametrize("kind", KINDS[1:])
def test_everything_else_takes_them_too(data, stored, kind):
    X, Y = data
    kept_x, kept_y = stored(kind, "x", X), stored(kind, "y", Y)
    half = len(X) // 2
    model, other = ridge(weights="dual"), ridge(weights="dual")
    np.testing.assert_array_equal(
        model.fit(kept_x, kept_y).predict(kept_x), other.fit(X, Y).predict(X)
    )
    designs = [kept_x, stored(kind, "second", X[:, :3])]
    for one, two in zip(
        ridge().fit_designs(designs, kept_y), ridge().fit_designs([X, X[:, :3]], Y), strict=True
    ):
        np.testing.assert_array_equal(one.coef_, two.coef_)
    test = stored(kind, "x_test", X[:half]), stored(kind, "y_test", Y[:half])
    found = ridge().path(kept_x, kept_y, *test)
    np.testing.assert_array_equal(found, ridge().path(X, Y, X[:half], Y[:half]))
    plans = [ridge(memory_gib=1).plan(*pair) for pair in ((kept_x, kept_y), (X, Y))]
    assert plans[0] == plans[1]
    assert model.fingerprint(kept_x, kept_y) == other.fingerprint(X, Y)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_single_voxel_may_be_on_disk(data, stored, kind):
    X, Y = data
    model = ridge().fit(X, stored(kind, "y", Y[:, 0]))
    assert model.coef_.shape == (X.shape[1],)
    np.testing.assert_array_equal(model.coef_, ridge().fit(X, Y[:, 0]).coef_)


@pytest.mark.parametrize("dtype", ["int16", "float16", ">f8", "bool"])
def test_numbers_of_any_real_dtype_are_taken(data, stored, dtype):
    X, Y = (one > 0 if dtype == "bool" else np.round(4 * one).astype(dtype) for one in data)
    expected = ridge().fit(X.astype(float), Y.astype(float))
    for kind in KINDS:
        model = ridge().fit(stored(kind, "x", X), stored(kind, "y", Y))
        np.testing.assert_array_equal(model.cv_scores_, expected.cv_scores_)


def test_a_closed_file_is_told(data, tmp_path):
    X, Y = data
    with h5py.File(tmp_path / "y.h5", "w") as file:
        dataset = file.create_dataset("y", data=Y)
    for x, y, name in ((X, dataset, "Y"), (dataset, Y, "X")):
        with pytest.raises(DataError, match=f"{name} cannot be opened"):
            ridge().fit(x, y)


def test_a_lost_chunk_is_told(data, tmp_path, monkeypatch):
    X, Y = data
    array = zarr.create_array(tmp_path / "y.zarr", data=Y, chunks=(len(Y), 4))
    model, summed = ridge(), _fit_each.gram_for

    def lose(*args):
        chunks = sorted(path for path in (tmp_path / "y.zarr" / "c").rglob("*") if path.is_file())
        chunks[1].unlink()
        return summed(*args)

    # After the array was opened, before it is read.
    monkeypatch.setattr(_fit_each, "gram_for", lose)
    with pytest.raises(DataError, match=r"Y: columns 4\.\.7 .*1 chunks are gone, such as c/0/1"):
        model.fit(X, array)


def test_a_file_that_is_cut_between_blocks_is_told_and_what_is_done_stays(data, tmp_path):
    X, Y = data
    path = tmp_path / "y.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("y", data=Y, chunks=(len(Y), 4), maxshape=Y.shape)
    store = FitStore(tmp_path / "fit.zarr")
    whole = ridge().fit(X, Y)

    class Cutting:
        """Cuts the file once the first block of weights is done."""

        def __init__(self, run, file):
            self._run, self._file = run, file

        def __getattr__(self, name):
            return getattr(self._run, name)

        def mark_done(self, stage, start, stop):
            self._run.mark_done(stage, start, stop)
            if stage == "weights":
                self._file["y"].resize((len(Y), 4))

    message = r"Y: columns \d+\.\.\d+ of .*y\.h5.* could not be read \(it has shape"
    with (
        h5py.File(path, "r+") as file,
        store.open({"fit": 1}) as run,
        pytest.raises(DataError, match=message),
    ):
        ridge().fit(X, file["y"], results=Cutting(run, file))
    with h5py.File(path, "r+") as file:
        file["y"].resize(Y.shape)
        file["y"][:] = Y
        with store.open({"fit": 1}) as run:
            assert run.is_done("weights", 0, 4)
            assert not run.is_done("weights", 0, Y.shape[1])
            model = ridge().fit(X, file["y"], results=run)
            np.testing.assert_array_equal(model.coef_[:], whole.coef_)


def test_predictions_may_go_to_disk(data, tmp_path):
    X, Y = data
    model = ridge().fit(X, Y)
    expected = model.predict(X)
    for out in (
        zarr.create_array(
            tmp_path / "out.zarr", shape=Y.shape, chunks=(9, 4), dtype="float32", fill_value=0
        ),
        np.empty(Y.shape, dtype="float32"),
    ):
        assert model.predict(X, out=out) is out
        np.testing.assert_array_equal(out[:], expected)
    with h5py.File(tmp_path / "out.h5", "w") as file:
        out = file.create_dataset("out", shape=Y.shape, dtype="float64")
        model.predict(X, out=out)
        np.testing.assert_array_equal(out[:], expected)


def test_weights_may_stay_on_disk(data, tmp_path):
    X, Y = data
    model = ridge().fit(X, Y)
    expected = model.predict(X), model.score(X, Y)
    model.coef_ = zarr.create_array(tmp_path / "coef.zarr", data=model.coef_, chunks=(9, 4))
    np.testing.assert_array_equal(model.predict(X), expected[0])
    np.testing.assert_array_equal(model.score(X, Y), expected[1])
