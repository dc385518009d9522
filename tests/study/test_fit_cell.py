from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from voxscale import plugins
from voxscale.data import Transcript
from voxscale.design import DesignRecipe, delay, lanczos, zscore
from voxscale.errors import DataError, VoxscaleWarning
from voxscale.evaluate import noise_ceiling, permutation_test
from voxscale.features import word_rate
from voxscale.features.echo import Echo
from voxscale.store import LayerStore
from voxscale.study import Study
from voxscale.study import _subject_data as reading
from voxscale.study._cells import REDUCERS, cells_of
from voxscale.study._compute import compute_cell
from voxscale.study._features import compute_pass, passes_for
from voxscale.study._fit_cell import mean_over_voxels
from voxscale.study._inputs import Inputs
from voxscale.study._subject_data import SubjectData, splits_of

RECIPE = DesignRecipe((1, 2), (5, 2))
LEAST = {"name": "n", "dataset": "tiny", "model": "echo", "layers": [2], "contexts": [8]}


class Fitted:
    """A cell fitted by the package, and its data joined by hand."""

    def __init__(self, tiny, folder, choose, **replaced):
        inputs = Inputs(Study.from_toml(tiny.write_study(folder, **replaced)))
        self.cell = next(c for c in cells_of(inputs.study, inputs.facts("s1")) if choose(c))
        store = LayerStore(folder / "features")
        for one in passes_for(inputs, [self.cell]):
            compute_pass(inputs, one, store)
        self.data = inputs.dataset("s1")
        shared = SubjectData(self.data, RECIPE)
        self.arrays, self.meta = compute_cell(inputs, self.cell, store, shared, "cpu")

    def joined(self, run):
        words = self.data.words[run]
        states = Echo().extract(
            {run: words},
            [self.cell.layer],
            min_context=self.cell.context // 2,
            max_context=self.cell.context,
        )
        spaces = [states[self.cell.layer][run], word_rate(words)]
        times = self.data.responses[run].tr_times
        X = np.hstack([zscore(lanczos(space, times)[5:-2]) for space in spaces])
        heard = self.data.trials.get(run, (self.data.responses[run],))
        mean = np.mean([zscore(one.values[5:-2].astype(float)) for one in heard], axis=0)
        return delay(X, (1, 2)), zscore(mean)

    def by_hand(self, alphas, score=None):
        """Leave one story out, refit with the best alpha: voxel by voxel, with scikit-learn."""
        score = score or explained
        runs = [self.joined(run) for run in self.cell.stories]
        X_test, Y_test = map(np.vstack, zip(*map(self.joined, self.data.test), strict=True))
        cv = np.empty((len(alphas), len(runs), Y_test.shape[1]))
        for i, alpha in enumerate(alphas):
            for j, (X, Y) in enumerate(runs):
                others = [runs[k] for k in range(len(runs)) if k != j]
                model = Ridge(alpha, fit_intercept=False).fit(
                    np.vstack([one[0] for one in others]), np.vstack([one[1] for one in others])
                )
                cv[i, j] = score(Y, model.predict(X))
        best = cv.mean(1).argmax(0)
        X, Y = map(np.vstack, zip(*runs, strict=True))
        prediction = np.stack(
            [
                Ridge(alphas[best[v]], fit_intercept=False).fit(X, Y[:, v]).predict(X_test)
                for v in range(Y.shape[1])
            ],
            axis=1,
        )
        return cv.mean(1).max(0), np.asarray(alphas)[best], Y_test, prediction


@pytest.fixture(scope="module")
def reference(tiny, tmp_path_factory):
    return Fitted(tiny, tmp_path_factory.mktemp("r"), lambda c: c.layer == 2 and c.reference)


def pearson(Y, P):
    return np.array([np.corrcoef(Y[:, v], P[:, v])[0, 1] for v in range(Y.shape[1])])


def explained(Y, P):
    return 1 - ((Y - P) ** 2).sum(0) / ((Y - Y.mean(0)) ** 2).sum(0)


def test_scores_are_those_of_scikit_learn(reference):
    cv_score, alphas, Y, prediction = reference.by_hand([1.0, 30.0, 1000.0])
    arrays = reference.arrays
    np.testing.assert_allclose(arrays["cv_score"], cv_score, atol=2e-4)
    np.testing.assert_array_equal(arrays["best_alpha"], alphas)
    np.testing.assert_allclose(arrays["r"], pearson(Y, prediction), atol=2e-4)
    by_story = [pearson(Y[:53], prediction[:53]), pearson(Y[53:], prediction[53:])]
    np.testing.assert_allclose(arrays["r_by_story"], by_story, atol=2e-4)
    np.testing.assert_allclose(arrays["r2"], explained(Y, prediction), atol=5e-4)
    np.testing.assert_allclose(arrays["prediction_x"], prediction[:53], atol=2e-3)


def test_every_test_story_counts_the_same_whatever_its_repeats(reference):
    """Mean responses are z-scored again for r and r2, but not for spe; see Results."""
    _, _, Y, prediction = reference.by_hand([1.0, 30.0, 1000.0])
    np.testing.assert_allclose([Y[:53].std(0), Y[53:].std(0)], 1)
    of_stories = [explained(Y[:53], prediction[:53]), explained(Y[53:], prediction[53:])]
    np.testing.assert_allclose(reference.arrays["r2"], np.mean(of_stories, axis=0), atol=5e-4)
    trials = np.stack([zscore(o.values[5:-2].astype(float)) for o in reference.data.trials["x"]])
    once = np.vstack([trials.mean(0), Y[53:]])
    assert once[:53].std(0).max() < 0.95
    assert np.abs(explained(once, prediction) - reference.arrays["r2"]).max() > 0.02


def test_alphas_are_chosen_by_the_scoring_that_is_asked_for(tiny, tmp_path):
    alphas = [1.0, 30.0, 1000.0]
    fitted = Fitted(
        tiny, tmp_path, lambda c: c.reference, alphas=f'{alphas}\nscoring = "correlation"'
    )
    cv_score, chosen, Y, prediction = fitted.by_hand(alphas, pearson)
    assert (chosen != fitted.by_hand(alphas)[1]).sum() >= 3
    np.testing.assert_array_equal(fitted.arrays["best_alpha"], chosen)
    np.testing.assert_allclose(fitted.arrays["cv_score"], cv_score, atol=2e-4)
    np.testing.assert_allclose(fitted.arrays["r"], pearson(Y, prediction), atol=2e-4)


def test_scores_without_a_word_rate_and_with_fewer_stories(tiny, tmp_path):
    fitted = Fitted(tiny, tmp_path, lambda c: c.n_stories == 2, alphas="[30.0]")
    assert len(fitted.cell.stories) == 2
    cv_score, _, Y, prediction = fitted.by_hand([30.0])
    np.testing.assert_allclose(fitted.arrays["cv_score"], cv_score, atol=2e-4)
    np.testing.assert_allclose(fitted.arrays["r"], pearson(Y, prediction), atol=2e-4)
    assert fitted.meta["n_features"] == 2 * (8 + 1)
    bare = Fitted(tiny, tmp_path, lambda c: c.n_stories == 2, delays="[1, 2]\nword_rate = false")
    assert bare.meta["n_features"] == 2 * 8


def test_correlations_and_ceilings_are_about_the_same_response(reference):
    arrays = reference.arrays
    r = arrays["r_by_story"][reference.data.test.index("x")]
    has = np.isfinite(arrays["cc_max"])
    assert has.sum() >= 30
    np.testing.assert_allclose((r / arrays["cc_max"])[has], arrays["cc_norm"][has], rtol=1e-5)


def test_ceilings_follow_the_formulas(reference):
    """Schoppe et al. 2016, equations 3 to 6, from trials z-scored one by one."""
    trials = np.stack([one.values[5:-2] for one in reference.data.trials["x"]]).astype(float)
    trials = (trials - trials.mean(1, keepdims=True)) / trials.std(1, keepdims=True)
    y, prediction = trials.mean(0), reference.arrays["prediction_x"].astype(float)
    K = len(trials)
    TP = trials.var(1, ddof=1).mean(0)
    SP = (K * y.var(0, ddof=1) - TP) / (K - 1)
    has = SP > 0
    cc_max = np.sqrt(SP[has] / y.var(0, ddof=1)[has])
    arrays = reference.arrays
    np.testing.assert_allclose(arrays["cc_max"][has], cc_max, rtol=1e-3)
    cc_norm = pearson(y, prediction)[has] / cc_max
    np.testing.assert_allclose(arrays["cc_norm"][has], cc_norm, rtol=1e-3, atol=1e-4)
    explained = y.var(0, ddof=1) - (y - prediction).var(0, ddof=1)
    np.testing.assert_allclose(arrays["spe"][has], explained[has] / SP[has], rtol=1e-2, atol=1e-3)
    for name in ("cc_max", "cc_norm", "spe"):
        assert np.isnan(arrays[name][~has]).all()
    np.testing.assert_allclose(arrays["cc_abs"], pearson(y, prediction), atol=1e-4)
    assert reference.meta["ceiling_runs"] == {"x": 3}


def test_planted_voxels_are_significant_and_noise_is_not(reference, tiny):
    p = reference.arrays["p_value"]
    assert (p[: tiny.N_PLANTED] <= 0.05).mean() > 0.95
    assert (p[tiny.N_PLANTED :] > 0.05).mean() >= 0.7
    assert p.min() >= 1 / 31 - 1e-6


def test_the_permutations_that_there_were_are_counted(tiny, tmp_path, reference):
    assert reference.meta["n_permutations"] == 30
    with pytest.warns(VoxscaleWarning, match="only 2704 different shifts"):
        few = Fitted(tiny, tmp_path, lambda c: c.reference, n_permutations="3000")
    assert few.meta["n_permutations"] == 52 * 52  # the test runs have 53 TRs each
    assert few.arrays["p_value"].min() == pytest.approx(1 / 2705)
    for other in (
        Fitted(tiny, tmp_path, lambda c: not c.reference),
        Fitted(tiny, tmp_path, lambda c: c.reference, n_permutations="0"),
    ):
        assert other.meta["n_permutations"] == 0


def test_every_test_story_is_shifted_by_itself(reference):
    _, _, Y, prediction = reference.by_hand([1.0, 30.0, 1000.0])
    drawn = permutation_test(
        Y, prediction, n_permutations=30, run_lengths=[53, 53], min_shift=1, seed=1
    ).shifts
    n_above = np.zeros(Y.shape[1])
    for shift_x, shift_y in drawn:
        moved = [np.roll(prediction[:53], shift_x, 0), np.roll(prediction[53:], shift_y, 0)]
        n_above += pearson(Y, np.vstack(moved)) >= pearson(Y, prediction)
    np.testing.assert_allclose(reference.arrays["p_value"], (1 + n_above) / 31, rtol=1e-6)


def test_only_reference_cells_keep_time_courses_and_p_values(tiny, tmp_path, reference):
    other = Fitted(tiny, tmp_path, lambda c: not c.reference)
    assert set(reference.arrays) - set(other.arrays) == {"prediction_x", "p_value", "p_family"}
    none = Fitted(tiny, tmp_path, lambda c: c.reference, n_permutations="0")
    assert set(reference.arrays) - set(none.arrays) == {"p_value", "p_family"}


def test_arrays_are_float32_of_the_promised_shapes(reference):
    shapes = {name: array.shape for name, array in reference.arrays.items()}
    assert shapes.pop("r_by_story") == (2, 40)
    assert shapes.pop("prediction_x") == (53, 40)
    assert set(shapes.values()) == {(40,)}
    assert {array.dtype for array in reference.arrays.values()} == {np.dtype(np.float32)}


def test_numbers_of_the_row_are_means_of_the_arrays(reference):
    arrays, meta = reference.arrays, reference.meta
    assert meta["mean_r"] == pytest.approx(arrays["r"].mean(), rel=1e-5)
    r = arrays["r"]
    assert meta["mean_signed_r2"] == pytest.approx((r * abs(r)).mean(), rel=1e-5)
    assert meta["mean_cc_norm"] == pytest.approx(np.nanmean(arrays["cc_norm"]), rel=1e-4)
    assert meta["mean_r_by_story"] == pytest.approx(arrays["r_by_story"].mean(1), rel=1e-5)
    assert set(REDUCERS) <= set(meta)
    assert (meta["n_train_trs"], meta["n_test_trs"], meta["n_voxels"]) == (159, 106, 40)
    assert meta["hours"] == pytest.approx(159 * 2.0 / 3600)
    assert meta["first_tr"] == {"x": 5, "y": 5}


def test_hours_count_the_trs_that_were_used(tiny, tmp_path, monkeypatch):
    def load(subject, root):
        data = tiny.load(subject)

        def slower(one):
            return replace(one, tr_times=one.tr_times * 0.75)

        words = {
            run: Transcript(one.words, one.onset_s * 0.75, one.offset_s * 0.75)
            for run, one in data.words.items()
        }
        responses = {run: slower(one) for run, one in data.responses.items()}
        trials = {run: tuple(map(slower, all_)) for run, all_ in data.trials.items()}
        return replace(data, words=words, responses=responses, trials=trials, tr_s=1.5)

    plugin = SimpleNamespace(SUBJECTS=tiny.SUBJECTS, load=load)
    monkeypatch.setitem(plugins._registered["datasets"], "tiny", plugin)
    meta = Fitted(tiny, tmp_path, lambda c: c.n_stories == 2).meta
    assert meta["hours"] == pytest.approx(2 * 53 * 1.5 / 3600)
    assert meta["tr_s"] == 1.5


def test_all_repeated_runs_make_the_ceiling_together(tiny):
    """Runs of different numbers of repeats: powers are averaged, weighted by TRs."""
    data = tiny.load("s1")
    rng = np.random.default_rng(0)
    y = data.responses["y"]
    noisy = [y.values + rng.standard_normal(y.values.shape).astype("f4") for _ in range(2)]
    trials = {"x": data.trials["x"], "y": tuple(replace(y, values=one) for one in noisy)}
    shared = SubjectData(replace(data, trials=trials), RECIPE)
    assert shared.repeated_runs == ["x", "y"]
    alone = [noise_ceiling(shared.trials[run]) for run in "xy"]
    power = np.mean([one.signal_power for one in alone], axis=0)  # as many TRs in both
    np.testing.assert_allclose(shared.ceiling.signal_power, power)
    assert shared.ceiling.n_repeats == (3, 2)
    assert shared.repeated_rows().tolist() == list(range(106))


def test_trials_need_no_tr_times_of_their_own(tiny):
    data = tiny.load("s1")
    timeless = {"x": tuple(replace(one, tr_times=None) for one in data.trials["x"])}
    np.testing.assert_array_equal(
        SubjectData(replace(data, trials=timeless), RECIPE).ceiling.cc_max,
        SubjectData(data, RECIPE).ceiling.cc_max,
    )


def test_without_repeats_there_is_no_ceiling(tiny):
    shared = SubjectData(replace(tiny.load("s1"), trials={}), RECIPE)
    assert shared.ceiling is None
    assert shared.repeated_runs == []


def test_stories_are_left_out_one_at_a_time():
    splits = splits_of(Study(**LEAST), [3, 2])
    assert [(t.tolist(), v.tolist()) for t, v in splits] == [
        ([3, 4], [0, 1, 2]),
        ([0, 1, 2], [3, 4]),
    ]


@pytest.mark.parametrize("delays", [[1, 2, 3], [-3, 1]])
def test_one_story_is_cut_into_five_with_a_gap(delays):
    splits = splits_of(Study(**LEAST, design={"delays": delays}), [52])
    assert np.concatenate([held for _, held in splits]).tolist() == list(range(52))
    assert len(splits) == 5
    for train, held in splits:
        far = [row for row in range(52) if min(abs(row - other) for other in held) > 3]
        assert train.tolist() == far


def test_chunks_can_be_held_out_instead():
    cv = {"chunk_len": 5, "n_chunks": 2, "n_repeats": 7, "gap": 1}
    splits = splits_of(Study(**LEAST, fit={"cv": cv}), [20, 20])
    assert len(splits) == 7
    assert all(len(held) == 10 for _, held in splits)
    again = splits_of(Study(**LEAST, fit={"cv": cv}), [20, 20])
    other = splits_of(Study(**LEAST, fit={"cv": cv}, seed=1), [20, 20])
    assert all((one[1] == two[1]).all() for one, two in zip(splits, again, strict=True))
    assert any((one[1] != two[1]).any() for one, two in zip(splits, other, strict=True))


def test_no_chunk_crosses_the_end_of_a_story():
    cv = {"chunk_len": 5, "n_chunks": 1, "n_repeats": 200}
    splits = splits_of(Study(**LEAST, fit={"cv": cv}), [13, 12, 14])
    ends = np.array([13, 25, 39])
    for _, held in splits:
        assert held.tolist() == list(range(held[0], held[0] + 5))
        assert len(set(np.searchsorted(ends, held, side="right"))) == 1
    assert len({held[0] for _, held in splits}) > 10


def test_means_are_over_voxels_with_a_score():
    assert mean_over_voxels(np.array([1.0, np.nan, 3.0, np.inf])) == 2.0
    assert np.isnan(mean_over_voxels(np.array([np.nan])))
    assert np.isnan(mean_over_voxels(np.array([])))


def test_a_feature_that_is_no_number_is_named_by_its_story(tiny, tmp_path, monkeypatch):
    honest = reading.read_features

    def spoilt(*arguments):
        found = dict(honest(*arguments))
        story = list(found)[1]
        values = np.array(found[story].values)
        values[9, 1] = np.nan
        found[story] = replace(found[story], values=values)
        return found

    monkeypatch.setattr(reading, "read_features", spoilt)
    with pytest.raises(DataError, match=r"run '\w+': feature 1.* is nan at TR 9 "):
        Fitted(tiny, tmp_path, lambda cell: cell.layer is not None)
