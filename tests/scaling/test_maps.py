import numpy as np
import pytest
import scipy.stats

from voxscale.errors import AlignmentError, FitError, VoxscaleWarning
from voxscale.evaluate import fdr
from voxscale.scaling import _law_map, _map_fits, fit_scaling_law, law_map, slope_map
from voxscale.scaling._kinds import KINDS

X = np.geomspace(1e8, 3e10, 6)
LEVELS = {"subject": np.repeat([0, 1, 2], 4), "story": np.tile([0, 0, 1, 1], 3)}
WEIGHTS = np.tile([30.0, 30, 20, 25], 3)


def maps(rng, n_voxels=7, noise=0.004):
    exponents = rng.uniform(0.2, 0.5, n_voxels)
    curves = 0.2 - 0.1 * (X[:, None] / X[0]) ** -exponents
    own = 0.01 * rng.standard_normal((3, n_voxels)).repeat(4, axis=0)
    return curves[:, None] + own + noise * rng.standard_normal((6, 12, n_voxels))


def test_slopes_are_those_of_each_voxel_by_itself(rng, frozen):
    scores = frozen(maps(rng))
    found = slope_map(X, scores, levels=LEVELS, unit_weights=WEIGHTS)
    for voxel in range(7):
        law = fit_scaling_law(X, scores[:, :, voxel], levels=LEVELS, unit_weights=WEIGHTS)
        assert found.slopes[voxel] == pytest.approx(law.slope)
        assert found.intercepts[voxel] == pytest.approx(law.intercept)
        ends = found.low[voxel], found.high[voxel]
        assert ends == pytest.approx(law.slope_interval, rel=1e-6)
        slopes = np.polyfit(np.log10(X), law.evidence.curves, 1)[0]
        theirs = scipy.stats.ttest_1samp(slopes, 0).pvalue
        assert found.p_values[voxel] == pytest.approx(theirs, rel=1e-6)
    np.testing.assert_array_equal(found.q_values, fdr(found.p_values))
    np.testing.assert_array_equal(found.q_values_by, fdr(found.p_values, method="by"))
    assert (found.over, found.n_members, found.n_undefined) == ("subject", 3, 0)


def test_p_values_are_uniform_where_nothing_grows(rng):
    noise = rng.standard_normal((6, 3, 3000))
    p_values = slope_map(X, noise, levels={"subject": [0, 1, 2]}).p_values
    assert scipy.stats.kstest(p_values, "uniform").pvalue > 0.01


@pytest.mark.parametrize("kind", ["log-linear", "power", "saturating", "broken"])
def test_laws_are_those_of_each_voxel_by_itself(rng, frozen, kind):
    scores = frozen(maps(rng))
    ceilings = rng.uniform(0.22, 0.3, 7) if kind == "saturating" else None
    found = law_map(
        X, scores, kind=kind, ceiling=ceilings, levels=LEVELS, unit_weights=WEIGHTS, n_threads=1
    )
    for voxel in range(7):
        law = fit_scaling_law(
            X, scores[:, :, voxel], kind=kind, levels=LEVELS, unit_weights=WEIGHTS,
            ceiling=None if ceilings is None else float(ceilings[voxel]),
        )  # fmt: skip
        for name, one in (
            ("slope", "slopes"), ("exponent", "exponents"), ("asymptote", "asymptotes"),
            ("break_x", "breaks"),
        ):  # fmt: skip
            value = getattr(law, name)
            assert getattr(found, one)[voxel] == pytest.approx(value, rel=1e-6, nan_ok=True)
            if name == "slope":  # of maps by derivatives, which are not tested one by one
                ends = by_derivative(law)
                np.testing.assert_allclose(found.intervals[one][:, voxel], ends, rtol=1e-4)
            elif name != "asymptote":
                ends = getattr(law, f"{name.removesuffix('_x')}_interval")
                mine = tuple(found.intervals[one][:, voxel])
                assert mine == pytest.approx(ends, rel=1e-4, abs=1e-7, nan_ok=True)
        assert found.predict([1e9, 1e12])[:, voxel] == pytest.approx(law.predict([1e9, 1e12]))
    assert "exponents" not in repr(found)


def by_derivative(law):
    form, largest = law.evidence.form, law.x.max()
    return law.evidence.interval(lambda parameters: form.slope(parameters, largest))


@pytest.mark.parametrize("interval", ["percentile", "bca"])
@pytest.mark.parametrize("kind", ["log-linear", "power"])
def test_bootstraps_are_those_of_each_voxel_by_itself(rng, kind, interval):
    scores = maps(rng, n_voxels=3, noise=0.002)
    options = {"kind": kind, "interval": interval, "levels": LEVELS, "n_bootstrap": 200, "seed": 3}
    found = law_map(X, scores, crossed=True, **options)
    for voxel in range(3):
        law = fit_scaling_law(X, scores[:, :, voxel], crossed=True, **options)
        np.testing.assert_allclose(
            found.intervals["slopes"][:, voxel], law.slope_interval, rtol=1e-2
        )
        np.testing.assert_allclose(
            found.intervals["exponents"][:, voxel], law.exponent_interval, rtol=5e-3
        )


def test_blocks_and_threads_change_nothing(rng, monkeypatch):
    scores = maps(rng, n_voxels=9)
    options = {"levels": LEVELS, "interval": "bca", "n_bootstrap": 50}
    whole = law_map(X, scores, n_threads=1, **options)
    monkeypatch.setattr(_map_fits, "_VOXELS_OF_DRAWS", 2)
    monkeypatch.setattr(_map_fits, "_CHUNK", 33)
    monkeypatch.setattr(_law_map, "_MOST_VOXELS", 4)
    monkeypatch.setattr("voxscale.evaluate._columns.BLOCK_BYTES", 6000)
    blocks = law_map(X, scores, n_threads=3, **options)
    np.testing.assert_allclose(blocks.exponents, whole.exponents, rtol=1e-9)
    for name, ends in whole.intervals.items():
        np.testing.assert_allclose(blocks.intervals[name], ends, rtol=1e-6)
    np.testing.assert_allclose(
        slope_map(X, scores).slopes, law_map(X, scores, kind="log-linear").slopes
    )


def test_voxels_without_a_score_are_not_numbers_and_counted_once(rng):
    scores = maps(rng)
    scores[2, 3, 1] = np.nan
    scores[0, 0, 4] = np.inf
    for call in (slope_map, law_map):
        with pytest.warns(VoxscaleWarning, match="2 of 7 voxels lack a finite score") as caught:
            found = call(X, scores)
        assert len(caught) == 1
        assert caught[0].filename == __file__
        assert np.isnan(found.slopes[[1, 4]]).all()
        assert np.isfinite(found.slopes[[0, 2, 3, 5, 6]]).all()
        assert found.n_undefined == 2
    assert np.isfinite(slope_map(X, maps(rng)).q_values).all()


def test_a_thinned_grid_keeps_its_ends_and_the_sizes():
    for n_sizes in (5, 6, 7, 8, 11):
        v = np.log(np.geomspace(1, 100, n_sizes))
        for kind in ("power", "broken"):
            row = KINDS[kind]
            all_nodes, nodes = row.nodes(v), _map_fits._every_other(row, v)
            assert (nodes[0], nodes[-1]) == (all_nodes[0], all_nodes[-1])
            assert len(nodes) < 0.75 * len(all_nodes)
            assert np.isin(nodes, all_nodes).all()
            if kind == "broken":
                assert np.isin(v[1:-1], nodes).all()


def test_voxels_that_are_equal_but_for_rounding_have_no_law(rng):
    scores = maps(rng)
    scores[:, :, 2] = 0.1 + 1e-17 * rng.standard_normal((6, 12))
    scores[1, 0, 2] = np.nextafter(0.1, 1)
    with pytest.warns(VoxscaleWarning, match="1 of 7 voxels score the same at every size"):
        found = law_map(X, scores)
    assert np.isnan(found.exponents[2])
    with pytest.raises(FitError, match="no exponent exists"):
        fit_scaling_law(X, scores[:, :, 2], kind="power")


def test_flat_voxels_have_no_law_but_a_slope(rng):
    scores = maps(rng)
    scores[:, :, 2] = 0.1
    with pytest.warns(VoxscaleWarning, match="1 of 7 voxels score the same at every size"):
        found = law_map(X, scores)
    assert np.isnan(found.exponents[2])
    assert np.isnan(found.intervals["exponents"][:, 2]).all()
    assert found.n_undefined == 1
    with pytest.warns(VoxscaleWarning, match="1 of 7 slopes are exactly 0 in all members"):
        assert slope_map(X, scores).slopes[2] == 0


def test_a_voxel_without_a_ceiling_has_no_law(rng):
    ceilings = np.full(7, 0.3)
    ceilings[5] = np.nan
    with pytest.warns(VoxscaleWarning, match="1 of 7 voxels have no finite ceiling"):
        found = law_map(X, maps(rng), kind="saturating", ceiling=ceilings)
    assert np.flatnonzero(np.isnan(found.exponents)).tolist() == [5]


def test_voxels_above_their_ceiling_are_counted(rng):
    ceilings = np.full(7, 0.4)
    ceilings[[1, 4]] = 0.02  # a correlation that the scores are all above
    with pytest.warns(VoxscaleWarning, match="2 of 7 voxels score above their ceiling"):
        found = law_map(X, maps(rng), kind="saturating", ceiling=ceilings)
    assert found.n_above_ceiling == 2
    assert (found.predict(1e14)[[1, 4]] >= 0.02).all()
    with pytest.warns(VoxscaleWarning, match="the mean scores are above the ceiling 0.02"):
        law = fit_scaling_law(X, maps(rng)[:, :, 1], kind="saturating", ceiling=0.02)
    assert law.coefficient < 0


def test_a_map_without_any_score_is_one_of_nothing():
    for call in (slope_map, law_map):
        with pytest.warns(VoxscaleWarning, match="3 of 3 voxels lack a finite score"):
            found = call(X, np.full((6, 4, 3), np.nan))
        assert np.isnan(found.slopes).all()


def test_one_unit_has_no_intervals(rng):
    found = law_map(X, maps(rng)[:, :1])
    assert np.isfinite(found.exponents).all()
    assert all(np.isnan(ends).all() for ends in found.intervals.values())
    drawn = law_map(X, maps(rng)[:, :1], interval="percentile")
    assert all(np.isnan(ends).all() for ends in drawn.intervals.values())
    slopes = slope_map(X, maps(rng)[:, :1])
    assert np.isnan(slopes.p_values).all()
    assert np.isnan(slopes.q_values).all()


def test_bad_maps_are_refused(rng):
    scores = maps(rng)
    for call in (slope_map, law_map):
        with pytest.raises(AlignmentError, match=r"of one column see fit_scaling_law"):
            call(X, scores[:, :, 0])
        with pytest.raises(AlignmentError, match=r"x has 5 points"):
            call(X[:5], scores)
        with pytest.raises(FitError, match="x holds -1"):
            call([-1.0, *X[1:]], scores)
        with pytest.raises(ValueError, match="level is 2; expected a probability"):
            call(X, scores, level=2)
        with pytest.raises(ValueError, match="over is 'story'; expected one of the levels: unit"):
            call(X, scores, over="story")
    with pytest.raises(FitError, match="needs at least 4"):
        law_map(X[:3], scores[:3])
    with pytest.raises(AlignmentError, match=r"ceiling has shape \(3,\); expected \(7,\)"):
        law_map(X, scores, kind="saturating", ceiling=[0.3] * 3)
    with pytest.raises(ValueError, match="n_bootstrap is 0"):
        law_map(X, scores, n_bootstrap=0)
    with pytest.raises(ValueError, match="expected positive, finite numbers"):
        law_map(X, scores).predict(-1.0)
