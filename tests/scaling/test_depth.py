import numpy as np
import pytest
from scipy import stats

from voxscale.errors import AlignmentError, FitError
from voxscale.scaling import best_relative_depth

N_LAYERS = {"small": 5, "medium": 9, "large": 13}
N_PARAMS = {"large": 1e10, "small": 1e8, "medium": 1e9}


def planted(rng, n_subjects=4):
    """Scores that peak at a layer drawn for each subject and model."""
    peaks = {model: rng.integers(1, n, n_subjects) for model, n in N_LAYERS.items()}
    scores = {
        model: 0.3 - 0.01 * np.abs(np.arange(n)[:, None] - peaks[model])
        for model, n in N_LAYERS.items()
    }
    return scores, peaks


def test_planted_peaks_and_their_line_are_found(rng, frozen):
    scores, peaks = planted(rng)
    found = best_relative_depth({m: frozen(one) for m, one in scores.items()}, N_LAYERS, N_PARAMS)
    assert found.models == ("small", "medium", "large")
    depths = np.array([peaks[model] / (N_LAYERS[model] - 1) for model in found.models])
    np.testing.assert_array_equal(found.best_layers, [peaks[model] for model in found.models])
    np.testing.assert_allclose(found.depths, depths)
    slopes = np.polyfit([8, 9, 10], depths, 1)[0]
    np.testing.assert_allclose(found.slopes, slopes)
    ends = stats.t.interval(0.95, 3, slopes.mean(), slopes.std(ddof=1) / 2)
    assert (found.slope, found.low, found.high) == pytest.approx((slopes.mean(), *ends))


def test_layers_that_were_scored_are_named(rng):
    scores, _ = planted(rng)
    rows = {"small": [4, 2], "large": [1, 12, 6]}
    some = {
        model: scores[model][rows[model]] if model in rows else scores[model] for model in scores
    }
    found = best_relative_depth(some, N_LAYERS, N_PARAMS, layers=rows)
    for i, model in enumerate(found.models):
        for subject in range(4):
            of_layers = {
                layer: scores[model][layer, subject]
                for layer in sorted(rows.get(model, range(N_LAYERS[model])))
            }
            assert found.best_layers[i, subject] == max(of_layers, key=of_layers.get)


def test_no_score_is_no_depth(rng):
    scores, _ = planted(rng)
    scores["medium"][:, 0] = np.nan
    scores["large"][:, 1] = scores["small"][:, 1] = np.nan
    scores["small"][2, 2] = np.inf
    found = best_relative_depth(scores, N_LAYERS, N_PARAMS)
    assert np.isnan(found.depths[1, 0])
    assert np.isfinite(found.slopes).tolist() == [True, False, True, True]
    assert found.n_subjects == 3
    assert found.slope == pytest.approx(np.nanmean(found.slopes))
    one = best_relative_depth({m: s[:, 3:] for m, s in scores.items()}, N_LAYERS, N_PARAMS)
    assert np.isnan([one.low, one.high]).all()


def test_what_does_not_match_is_refused(rng):
    scores, _ = planted(rng)
    with pytest.raises(ValueError, match="n_params lacks medium, large; give it for every model"):
        best_relative_depth(scores, N_LAYERS, {"small": 1e8})
    with pytest.raises(AlignmentError, match=r"'small' have shape \(5, 4\); expected \(6, n_subj"):
        best_relative_depth(scores, N_LAYERS | {"small": 6}, N_PARAMS)
    with pytest.raises(ValueError, match="layers of 'small' hold a number outside 0 … 4"):
        best_relative_depth(scores, N_LAYERS, N_PARAMS, layers={"small": [1, 2, 3, 4, 5]})
    with pytest.raises(ValueError, match=r"'small' has 1 layer\(s\)"):
        best_relative_depth(scores | {"small": [[0.1]]}, N_LAYERS | {"small": 1}, N_PARAMS)
    with pytest.raises(AlignmentError, match="small 2, medium 4, large 4; give the same subjects"):
        best_relative_depth(scores | {"small": scores["small"][:, :2]}, N_LAYERS, N_PARAMS)
    with pytest.raises(FitError, match="in models of two different sizes; add a model"):
        best_relative_depth({"small": scores["small"]}, N_LAYERS, N_PARAMS)
    with pytest.raises(ValueError, match="not positive and finite"):
        best_relative_depth(scores, N_LAYERS, N_PARAMS | {"small": 0})
    with pytest.raises(ValueError, match="level is 2"):
        best_relative_depth(scores, N_LAYERS, N_PARAMS, level=2)
