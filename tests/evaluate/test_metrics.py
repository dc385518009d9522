import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.errors import AlignmentError
from voxscale.evaluate import (
    METRICS,
    STORY_MODES,
    Metric,
    correlation,
    noise_ceiling,
    r2,
    score_voxels,
    signed_r2,
)

OVER_A_CEILING = [name for name, row in METRICS.items() if row.ceiling_power]


@pytest.fixture
def example(rng, frozen):
    Y = rng.standard_normal((60, 5)) + rng.standard_normal(5)
    return frozen(Y), frozen(0.6 * Y + rng.standard_normal((60, 5)))


@pytest.mark.parametrize(
    ("metric", "function"), [("r", correlation), ("r2", r2), ("signed_r2", signed_r2)]
)
def test_a_metric_is_the_function_it_names(example, metric, function):
    np.testing.assert_array_equal(score_voxels(*example, metric), function(*example))


def test_by_story_is_each_story_alone(example):
    Y, guess = example
    for metric in ("r", "r2", "signed_r2"):
        scores = score_voxels(Y, guess, metric, stories="by_story", run_lengths=[10, 30, 20])
        for found, rows in zip(scores, np.split(np.arange(60), [10, 40]), strict=True):
            np.testing.assert_array_equal(found, score_voxels(Y[rows], guess[rows], metric))


@pytest.mark.parametrize("metric", OVER_A_CEILING)
def test_a_ceiling_divides(example, frozen, metric):
    ceiling = frozen([0.1, 0.5, 1.0, 0.8, np.nan])
    raw = score_voxels(*example, metric.removesuffix("_norm").replace("cc", "r"))
    power = {"cc_norm": 1, "r2_norm": 2, "signed_r2_norm": 2}[metric]
    free = score_voxels(*example, metric, cc_max=ceiling)
    floored = score_voxels(*example, f"{metric}(0.25)", cc_max=ceiling)
    for voxel, (score, most) in enumerate(zip(raw, ceiling, strict=True)):
        expected = score / (0.25 if most != most else max(most, 0.25)) ** power
        assert floored[voxel] == pytest.approx(expected, rel=1e-14)
        if most == most:
            assert free[voxel] == pytest.approx(score / most**power, rel=1e-14)
    np.testing.assert_array_equal(np.isnan(free), [False] * 4 + [True])


def test_cc_norm_is_that_of_the_noise_ceiling(rng, frozen):
    signal = rng.standard_normal((80, 6))
    ceiling = noise_ceiling(signal + 2 * rng.standard_normal((3, 80, 6)))
    guess = frozen(signal + rng.standard_normal((80, 6)))
    for metric, floor in (("cc_norm", None), ("cc_norm(0.25)", 0.25)):
        ours = score_voxels(ceiling.mean_response, guess, metric, cc_max=ceiling.cc_max)
        np.testing.assert_allclose(ours, ceiling.cc_norm(guess, floor), rtol=1e-14)


def test_the_same_ceiling_serves_every_story(example):
    Y, guess = example
    ceiling = np.full(5, 0.5)
    options = {"stories": "by_story", "run_lengths": [30, 30]}
    halves = score_voxels(Y, guess, "cc_norm", cc_max=ceiling, **options)
    np.testing.assert_allclose(halves, 2 * score_voxels(Y, guess, "r", **options))


def test_a_ceiling_of_zero_is_none(example):
    scores = score_voxels(*example, "cc_norm", cc_max=[0.0, -0.1, 0.5, 0.5, 0.5])
    np.testing.assert_array_equal(np.isnan(scores), [True, True, False, False, False])


def test_tables_have_words_for_every_row():
    for row in METRICS.values():
        assert row.unit
        assert row.meaning
    assert set(STORY_MODES) == {"concatenated", "by_story"}
    assert {name for name, row in METRICS.items() if not row.is_variance} == {"r", "cc_norm"}


@settings(deadline=None)
@given(
    st.sampled_from(sorted(METRICS)),
    st.none() | st.floats(0, 1, exclude_min=True),
)
def test_a_metric_is_read_as_it_is_written(name, floor):
    metric = Metric(name, floor if name in OVER_A_CEILING else None)
    assert Metric.parse(str(metric)) == metric
    assert Metric.parse(metric) is metric
    assert metric.needs_ceiling == (name in OVER_A_CEILING)
    assert metric.unit == METRICS[name].unit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pearson", "metric 'pearson' is unknown; choose one of r, r2, signed_r2, cc_norm"),
        ("signed_r", r"did you mean 'signed_r2'\?"),
        ("r(0.25)", "takes none; write r"),
        ("cc_norm(0)", "floor of metric 'cc_norm' is 0.0; expected a correlation above 0"),
        ("r2_norm(1.5)", "expected a correlation above 0 and at most 1, such as 0.25"),
    ],
)
def test_metrics_that_are_none(example, text, message):
    with pytest.raises(ValueError, match=message):
        score_voxels(*example, text)


def test_a_floor_is_for_ceilings():
    with pytest.raises(ValueError, match="metric 'r2' is not over a ceiling; it takes no floor"):
        Metric("r2", 0.25)


def test_what_is_missing_is_told(example):
    with pytest.raises(ValueError, match=r"'cc_norm\(0.25\)' is over a ceiling; give cc_max"):
        score_voxels(*example, "cc_norm(0.25)")
    with pytest.raises(ValueError, match="run_lengths is None; give the TRs of each story"):
        score_voxels(*example, stories="by_story")
    with pytest.raises(
        ValueError, match=r"stories 'bystory' is unknown; .*did you mean 'by_story'"
    ):
        score_voxels(*example, stories="bystory")
    with pytest.raises(AlignmentError, match=r"cc_max has shape \(4,\) but there are 5 voxels"):
        score_voxels(*example, "cc_norm", cc_max=np.ones(4))
    with pytest.raises(AlignmentError, match="59 TRs in all, but Y has 60"):
        score_voxels(*example, stories="by_story", run_lengths=[30, 29])
    with pytest.raises(ValueError, match="at least 2 TRs"):
        score_voxels(*example, stories="by_story", run_lengths=[59, 1])
