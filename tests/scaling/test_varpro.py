import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from voxscale.scaling._form import Form
from voxscale.scaling._kinds import KINDS, curve, slope, tangent
from voxscale.scaling._varpro import fit_curves

X = np.geomspace(1e8, 3e10, 8)
V = np.log(X / X[0])
STARTS = {
    "power": [(0.1, 0.05, a) for a in (0.02, 0.1, 0.5, 1.5)],
    "saturating": [(0.1, a) for a in (0.05, 0.2, 1.0)],
    "broken": [(0.1, 0.01, -0.01, k) for k in V[1:-1] + 0.1],
}
PLANTED = {
    "log-linear": (0.1, 0.02),
    "power": (0.08, 0.03, 0.3),
    "saturating": (0.12, 0.25),
    "broken": (0.08, 0.02, -0.015, 0.6 * V[-1]),
}


def planted(kind, offset=0.0):
    parameters = np.array(PLANTED[kind])[:, None]
    return curve(KINDS[kind], parameters, V[:, None], offset)


@pytest.mark.parametrize("kind", KINDS)
def test_planted_parameters_come_back_where_there_is_no_noise(kind):
    offset = 0.2 if kind == "saturating" else 0.0
    fitted = fit_curves(KINDS[kind], V, planted(kind, offset), offset)
    np.testing.assert_allclose(fitted.parameters[:, 0], PLANTED[kind], rtol=1e-7)
    assert fitted.bound[0] == 0


@pytest.mark.parametrize("kind", STARTS)
def test_no_start_of_scipy_finds_a_better_fit(kind, rng):
    offset = 0.2 if kind == "saturating" else 0.0
    row = KINDS[kind]
    curves = planted(kind, offset) + 0.006 * rng.standard_normal((8, 12))
    fitted = fit_curves(row, V, curves, offset)
    ours = ((curve(row, fitted.parameters, V[:, None], offset) - curves) ** 2).sum(axis=0)
    nodes = row.nodes(V)
    low, high = nodes[0], nodes[-1]
    for column, mine in zip(curves.T, ours, strict=True):
        best = np.inf
        for start in STARTS[kind]:
            bounds = (
                [-np.inf] * (len(start) - 1) + [low - 1e-12],
                [np.inf] * (len(start) - 1) + [high],
            )
            theirs = least_squares(
                lambda p, y=column: curve(row, p[:, None], V[:, None], offset)[:, 0] - y,
                np.clip(start, bounds[0], bounds[1]), bounds=bounds, xtol=1e-12, ftol=1e-12,
            )  # fmt: skip
            best = min(best, 2 * theirs.cost)
        assert mine <= best * (1 + 1e-8)
        if kind != "broken":  # whose derivative jumps, so that theirs may stop short
            assert mine == pytest.approx(best, rel=1e-5)


def test_the_best_exponent_is_that_of_a_fine_grid(rng):
    curves = planted("power") + 0.01 * rng.standard_normal((8, 40))
    row = KINDS["power"]
    fitted = fit_curves(row, V, curves)
    nodes = row.nodes(V)
    grid = np.linspace(nodes[0], nodes[-1], 20_001)
    shapes = row.shape(grid, V[:, None])
    shapes = shapes - shapes.mean(axis=0)
    units = shapes / np.linalg.norm(shapes, axis=0)
    centred = curves - curves.mean(axis=0)
    explained = (units.T @ centred) ** 2
    best = grid[explained.argmax(axis=0)]
    np.testing.assert_allclose(fitted.parameters[2], best, atol=2 * (grid[1] - grid[0]))
    assert set(fitted.bound) == {-1, 0} or set(fitted.bound) == {-1, 0, 1}
    assert (fitted.bound == -1).tolist() == (best == grid[0]).tolist()
    assert (fitted.bound == 1).tolist() == (best == grid[-1]).tolist()


def test_a_line_is_a_power_law_at_its_bound():
    fitted = fit_curves(KINDS["power"], V, planted("log-linear"))
    assert fitted.parameters[2, 0] == 0
    assert fitted.bound[0] == -1
    np.testing.assert_allclose(fitted.parameters[:2, 0], PLANTED["log-linear"], rtol=1e-12)
    upwards = fit_curves(KINDS["power"], V, (0.1 + 0.002 * V**2)[:, None])
    assert upwards.bound[0] == -1
    step = fit_curves(KINDS["power"], V, np.r_[0.1, np.full(7, 0.2)][:, None])
    assert step.bound[0] == 1


@pytest.mark.parametrize("kind", STARTS)
def test_derivatives_are_those_of_differences(kind):
    row, parameters = KINDS[kind], np.array(PLANTED[kind])
    at = V[1:] + 0.05
    for one, h in enumerate(1e-6 * np.maximum(np.abs(parameters), 1)):
        by = np.zeros_like(parameters)
        by[one] = h
        rise = curve(row, parameters + by, at) - curve(row, parameters - by, at)
        np.testing.assert_allclose(tangent(row, parameters, at)[one], rise / (2 * h), atol=1e-8)
    rise = curve(row, parameters, at + 1e-6) - curve(row, parameters, at - 1e-6)
    np.testing.assert_allclose(slope(row, parameters, at), rise / 2e-6 * np.log(10), atol=1e-8)


@pytest.mark.parametrize("alpha", [0.0, 1e-9, 1e-5, 1e-3, 0.03, 0.3, 2.0])
def test_the_rise_is_exact_for_every_exponent(alpha):
    mpmath = pytest.importorskip("mpmath")
    row = KINDS["power"]
    with mpmath.workdps(60):
        a, vs = mpmath.mpf(alpha), [mpmath.mpf(float(one)) for one in V]
        shape = [(1 - mpmath.exp(-a * v)) / a if a else v for v in vs]
        by = [
            ((v * mpmath.exp(-a * v)) - z) / a if a else -(v**2) / 2
            for v, z in zip(vs, shape, strict=True)
        ]
    theta = np.array([alpha])
    for found, derivative in (
        (row.shape(theta, V), row.by_theta(theta, V)),
        (one[:, 0] for one in row.both(theta, V[:, None])),
    ):
        np.testing.assert_allclose(found, [float(one) for one in shape], rtol=1e-13)
        np.testing.assert_allclose(derivative, [float(one) for one in by], rtol=1e-10)


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(list(STARTS)), st.integers(0, 1000), st.sampled_from([-3.0, -0.5, 2.0, 1e3]))
def test_scores_in_another_unit_leave_the_exponent_or_break(kind, seed, factor):
    offset = 0.2 if kind == "saturating" else 0.0
    noise = 0.004 * np.random.default_rng(seed).standard_normal((8, 1))
    curves = planted(kind, offset) + noise
    row = KINDS[kind]
    fitted = fit_curves(row, V, curves, offset)
    shift = 0.7
    moved = fit_curves(row, V, factor * curves + shift, factor * offset + shift)
    assert moved.bound == fitted.bound
    np.testing.assert_allclose(moved.parameters[-1], fitted.parameters[-1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        curve(row, moved.parameters, V[:, None], factor * offset + shift),
        factor * curve(row, fitted.parameters, V[:, None], offset) + shift,
        rtol=1e-7,
    )


def test_many_curves_at_once_are_each_curve_by_itself(rng, frozen):
    curves = frozen(planted("power") + 0.01 * rng.standard_normal((8, 30)))
    row = KINDS["power"]
    together = fit_curves(row, V, curves)
    for number in range(30):
        alone = fit_curves(row, V, curves[:, [number]])
        np.testing.assert_allclose(
            alone.parameters[:, 0], together.parameters[:, number], rtol=1e-9, atol=1e-12
        )
    quick = fit_curves(row, V, curves, nodes=row.nodes(V)[::2], most_steps=3)
    np.testing.assert_allclose(quick.parameters, together.parameters, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", STARTS)
@pytest.mark.parametrize("most_steps", [1, 3, 80])
def test_a_polish_is_never_worse_than_the_grid(kind, most_steps):
    row = KINDS[kind]
    curves = planted(kind) + 0.03 * np.random.default_rng(0).standard_normal((8, 400))
    nodes = row.nodes(V)[::8]
    fitted = fit_curves(row, V, curves, nodes=nodes, most_steps=most_steps)
    ours = ((curve(row, fitted.parameters, V[:, None]) - curves) ** 2).sum(axis=0)
    base = [V**power for power in range(row.n_base)]
    of_nodes = []
    for node in nodes:
        terms = np.stack([*base, row.shape(node, V)], axis=1)
        rest = curves - terms @ np.linalg.lstsq(terms, curves)[0]
        of_nodes.append((rest**2).sum(axis=0))
    assert (ours <= np.min(of_nodes, axis=0) * (1 + 1e-9)).all()


def test_a_size_is_found_again_by_its_score():
    x = np.array([5e7, 1e8, 2e9, 1e11])
    for kind, row in KINDS.items():
        form = Form(row, 1e8, 0.2 if kind == "saturating" else 0.0)
        parameters = np.array(PLANTED[kind])[:, None]
        for one in x:
            score = float(form.predict(parameters, np.array([one]))[0])
            assert form.x_of(parameters, score)[0] == pytest.approx(one, rel=1e-9)
