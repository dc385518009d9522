import numpy as np
import pytest

from voxscale.fit import RidgeCV, leave_run_out
from voxscale.study import Study, plan
from voxscale.study import _costs as costs
from voxscale.study._cells import Cell
from voxscale.study._features import FeaturePass, Target
from voxscale.study._inputs import Inputs
from voxscale.study._plan import make_plan


@pytest.fixture
def study(tiny, tmp_path):
    return Study.from_toml(tiny.write_study(tmp_path))


@pytest.fixture(autouse=True)
def a_rate(monkeypatch):
    monkeypatch.setattr(costs, "product_rate", lambda: 1e9)


def test_fits_cost_what_their_estimator_plans(study, tiny):
    made = plan(study)
    (fits,) = made.costs.terms
    assert fits.what == "fits to language + word rate"
    expected = 0.0
    alphas, n_features = [1.0, 30.0, 1000.0], 2 * (8 + 1)
    of_both = [cell for cell in made.missing if cell.subject == "s1"]  # who heard the same
    for cell in of_both:
        n_trs = 53 * cell.n_stories
        X, Y = np.zeros((n_trs, n_features)), np.zeros((n_trs, 2 * tiny.N_VOXELS))
        cv = leave_run_out([53] * cell.n_stories) if cell.n_stories > 1 else None
        if cv is not None:
            expected += RidgeCV(alphas, cv, device="cpu").plan(X, Y).flop
    single = sum(cell.n_stories == 1 for cell in of_both)
    assert single == 2
    assert expected < fits.flop < 1.5 * expected
    assert made.costs.seconds == pytest.approx(fits.flop / 1e9)
    assert made.costs.n_uncounted == len(made.passes)  # echo says no number of tokens


def test_tokens_cost_two_operations_for_each_weight(study):
    inputs = Inputs(study)
    target = Target("s1", "a", 60, ((1, "key"),))
    passes = {FeaturePass("echo", 32, f"w{i}", (target,)): n for i, n in enumerate((70, 30))}
    made = make_plan(inputs)
    made = costs.costs_of(inputs, type(made)(**{**vars(made), "passes": tuple(passes)}), passes)
    of_model = next(one for one in made.terms if one.what == "echo at context 32")
    of_block = 12 * 8**2  # of width 8; the first of two is run, and both are in memory
    assert of_model.flop == 2 * of_block * 100
    assert of_model.n_bytes == 4 * 2 * of_block
    assert made.n_uncounted == 0


def test_nothing_is_said_where_nothing_is_missing():
    assert costs.Costs((), 1.0, 0).rows() == []
    assert costs.Costs((), 1.0, 0).largest is None


def test_the_largest_part_is_named():
    terms = (costs.Term("one", 1e12, 10), costs.Term("two", 3e12, 20_000_000))
    told = str(costs.Costs(terms, 1e10, 2))
    assert "4.0e+12 FLOP, 75 % of it two; 2 of unknown size not counted" in told
    assert "about 6 min 40 s at 10 GFLOP/s" in told
    assert "about 20 MB at once" in told


def test_a_fit_without_language_needs_no_model(study):
    inputs = Inputs(study)
    planner = costs._FitPlanner(inputs)
    cell = Cell("s1", "echo", 2, 32, ("a", "b"), bands="word_rate+position")
    assert planner._n_features(cell) == 2


def test_the_rate_is_measured_once(monkeypatch):
    monkeypatch.undo()
    assert costs.product_rate() == costs.product_rate() > 1e6
