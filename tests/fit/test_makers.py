"""Every way to the weights gives the same, and the cheapest is taken where it is exact."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.fit import Gram, solve
from voxscale.fit import _makers as making
from voxscale.fit import _solve as solving
from voxscale.fit._makers import Bordered, Factored, Rotated
from voxscale.fit._solvers import WeightsWork, cheapest_way, ways_to_weights

ALPHAS = np.array([0.5, 3.0, 200.0])


def naive(X, Y, alphas, weight, *, fit_intercept):
    """Solve the normal equations of each voxel in float64."""
    w = np.ones(len(X)) if weight is None else weight
    x_mean = np.average(X, axis=0, weights=w) if fit_intercept else np.zeros(X.shape[1])
    y_mean = np.average(Y, axis=0, weights=w) if fit_intercept else np.zeros(Y.shape[1])
    A = (X - x_mean) * np.sqrt(w)[:, None]
    B = (Y - y_mean) * np.sqrt(w)[:, None]
    coef = [
        np.linalg.solve(A.T @ A + alpha * np.eye(X.shape[1]), A.T @ b)
        for alpha, b in zip(alphas, B.T, strict=True)
    ]
    return np.stack(coef, axis=1)


def drawn(seed, shape, weighting, *, fit_intercept, dtype="float64"):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal(shape) + fit_intercept
    Y = X @ rng.standard_normal((shape[1], 8)) + rng.standard_normal((shape[0], 8)) + 3
    weight = None if weighting == "none" else rng.uniform(0.2, 2, shape[0])
    if weighting == "mask":
        weight = (weight > 0.6).astype(float)
    gram = Gram.of(X, fit_intercept=fit_intercept, sample_weight=weight, device="cpu", dtype=dtype)
    return X, Y, weight, gram, rng


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([(20, 30), (30, 30), (30, 12)]),
    st.sampled_from(["none", "mask", "weights"]),
    st.booleans(),
    st.sampled_from(["rotated", "bordered", "factored"]),
    st.sampled_from(["primal", "dual"]),
    st.sampled_from([1, 1000]),
)
def test_every_way_is_the_naive_one(seed, shape, weighting, fit_intercept, way, kind, n_voxels):
    X, Y, weight, gram, rng = drawn(seed, shape, weighting, fit_intercept=fit_intercept)
    alphas = rng.choice(ALPHAS, Y.shape[1])
    n_kept, unique = len(gram.X), torch.tensor(np.unique(alphas))
    if gram.form == "primal":
        if kind == "dual":
            return  # the primal form has but one way to dual coefficients
        made = Factored.of(gram, unique)
    else:
        train = np.sort(rng.permutation(n_kept)[: n_kept * 2 // 3])
        rows = torch.from_numpy(train if way == "bordered" else train[:0])
        made = Bordered.of(gram, rows, unique, kind, n_voxels)
    if way == "rotated":
        made = Rotated.of(gram, kind, n_voxels)
    blocks = solving.voxel_blocks(gram, Y)
    ((_, values),) = blocks.read(blocks.slices(8))
    coef, at_zero = solving._Solver(gram, made, kind).weights(values, torch.from_numpy(alphas))
    coef = coef.numpy()
    found = coef if kind == "primal" else X.T @ coef
    expected = naive(X, Y, alphas, weight, fit_intercept=fit_intercept)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)
    assert made.n_bytes > 0
    if fit_intercept:
        w = np.ones(len(X)) if weight is None else weight
        mean = np.average(Y - X @ expected, axis=0, weights=w)
        np.testing.assert_allclose(at_zero, mean, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("shape", [(60, 90), (90, 60)])
def test_rows_at_hand_change_the_way_and_not_the_weights(monkeypatch, shape, fit_intercept):
    _, Y, _, gram, rng = drawn(0, shape, "none", fit_intercept=fit_intercept, dtype="float32")
    alphas, train = rng.choice(ALPHAS * 10, 8), np.arange(15, shape[0])
    taken, found = [], {}
    for way in ("rotated", "factored", "bordered"):
        if way == "bordered" and gram.form == "primal":
            continue
        monkeypatch.setattr(making, "cheapest_way", lambda work, room, among, way=way: way)
        for name in ("Rotated", "Factored", "Bordered"):
            original = getattr(making, name)
            noted = type(name, (), {"of": staticmethod(note(original, taken))})
            monkeypatch.setattr(making, name, noted)
        found[way] = solve(gram, Y, alphas, train=train).coef
        monkeypatch.undo()
    expected = {"primal": ["Rotated", "Factored"], "dual": ["Rotated", "Bordered", "Bordered"]}
    assert taken == expected[gram.form]
    for coef in found.values():
        np.testing.assert_allclose(coef, found["rotated"], atol=1e-4)


def note(maker, taken):
    def of(*arguments, **options):
        taken.append(maker.__name__)
        return maker.of(*arguments, **options)

    return of


def test_voxels_without_an_alpha_get_no_weights(rng):
    X, Y = rng.standard_normal((20, 30)), rng.standard_normal((20, 3))
    gram = Gram.of(X, device="cpu", dtype="float64")
    coef = solve(gram, Y, np.array([1.0, np.nan, 2.0]), train=np.arange(14)).coef
    assert np.isnan(coef).all(axis=0).tolist() == [False, True, False]
    assert np.isnan(solve(gram, Y, np.full(3, np.nan), train=np.arange(14)).coef).all()


@pytest.mark.parametrize("transposed", [False, True])
def test_rows_that_depend_on_each_other_at_small_alphas_are_rotated(rng, transposed):
    """An inverse would enlarge what lies beside the design, and float32 would keep it."""
    X = rng.standard_normal((100, 160)) @ np.diag(10 ** np.linspace(0, 3, 160))
    X[1::2] = X[::2]
    X = X.T if transposed else X
    Y = rng.standard_normal((len(X), 4))
    gram, exact = (Gram.of(X, device="cpu", dtype=dtype) for dtype in ("float32", "float64"))
    assert gram.form == ("primal" if transposed else "dual")
    for alpha in (1e-2, 1.0, 1e6):
        expected = naive(X, Y, np.full(4, alpha), None, fit_intercept=False)
        scale = np.abs(expected).max()
        single = np.float64(alpha)
        taken = making.cheapest_maker(gram, np.full(4, alpha), "primal", None, 2**40)
        assert isinstance(taken, Rotated) == (alpha < 1e6)
        found = solve(gram, Y, single).coef
        np.testing.assert_allclose(found, expected, atol=1e-3 * scale)
        if not transposed:
            bordered = Bordered.of(
                gram, torch.arange(0), torch.tensor([alpha]).double(), "primal", 1
            )
            assert bordered.inverses.enlargement == pytest.approx(1 / alpha, rel=0.5)
        np.testing.assert_allclose(solve(exact, Y, single).coef, expected, atol=1e-6 * scale)


def test_small_penalties_are_left_to_a_rotation(rng, monkeypatch):
    X, Y = rng.standard_normal((20, 30)), rng.standard_normal((20, 3))
    monkeypatch.setattr(making, "Bordered", None)
    gram = Gram.of(X, device="cpu", dtype="float64")
    expected = np.linalg.pinv(X) @ Y
    for alpha in (0.0, 1e-12):
        np.testing.assert_allclose(solve(gram, Y, alpha).coef, expected, rtol=1e-8)


# Which way is taken.

WORK = WeightsWork(3000, 8192, 6000, 15, 4, "cpu", "primal", 2250)


@pytest.mark.parametrize(
    ("changes", "way"),
    [
        ({}, "bordered"),
        ({"n_known": 3000}, "rotated"),
        ({"n_known": 0}, "rotated"),
        ({"n_known": 0, "n_alphas": 1}, "factored"),
        ({"n_known": 0, "device": "cuda"}, "factored"),
        ({"n_features": 1000, "n_alphas": 1}, "factored"),
        ({"n_features": 1000, "n_alphas": 1, "kind": "dual"}, "rotated"),
        ({"n_features": 1000, "n_known": 2250}, "rotated"),
    ],
)
def test_the_cheapest_way_is_taken(changes, way):
    work = dataclasses.replace(WORK, **changes)
    assert cheapest_way(work, 2**60) == way


def test_a_way_that_does_not_fit_the_memory_is_not_taken():
    many = dataclasses.replace(WORK, n_voxels=100_000)
    ways = ways_to_weights(many)
    assert cheapest_way(many, ways["bordered"].held_bytes) == "bordered"
    assert cheapest_way(many, ways["bordered"].held_bytes - 1) == "rotated"
    assert cheapest_way(many, 0) == "rotated"  # it needs the least
    assert cheapest_way(many, 2**60, ("factored",)) == "factored"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
@pytest.mark.parametrize("way", ["rotated", "bordered", "factored"])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("shape", [(60, 90), (90, 60)])
def test_an_accelerator_gives_the_same(rng, monkeypatch, shape, fit_intercept, way):
    X, Y = rng.standard_normal(shape) + 1, rng.standard_normal((shape[0], 8))
    monkeypatch.setattr(making, "cheapest_way", lambda work, room, among: way)
    if way == "bordered" and shape[0] > shape[1]:
        pytest.skip("the primal form adds no rows")
    options = {"fit_intercept": fit_intercept, "sample_weight": rng.uniform(0.2, 2, shape[0])}
    alphas, train = rng.choice(ALPHAS * 10, 8), np.arange(15, shape[0])
    found = [
        solve(Gram.of(X, device=device, **options), Y, alphas, train=train)
        for device in ("cpu", "cuda")
    ]
    np.testing.assert_allclose(found[1].coef, found[0].coef, atol=1e-4)
    if fit_intercept:
        np.testing.assert_allclose(found[1].intercept, found[0].intercept, atol=1e-4)
