import dataclasses

import numpy as np
import pytest

from voxscale.errors import AlignmentError
from voxscale.evaluate import (
    BestModels,
    StoryScores,
    choose_best,
    correlation,
    r2,
    signed_r2,
    story_scores,
)

STORIES = {"avatar": 60, "buck": 50, "souls": 70}


@pytest.fixture
def told(rng, frozen):
    """Return responses, and predictions of three layers, none of which predicts anything."""
    Y, *guesses = rng.standard_normal((4, 180, 200))
    return frozen(Y), {f"layer {i}": frozen(guess) for i, guess in enumerate(guesses)}


def test_scores_are_those_of_the_rows_of_the_stories(told):
    Y, guesses = told
    for name, score in (("correlation", correlation), ("r2", r2), ("signed_r2", signed_r2)):
        some = story_scores(Y, guesses, STORIES, only=["souls", "avatar"], statistic=name)
        assert some.stories == ("souls", "avatar")
        assert some.models == tuple(guesses)
        rows = np.r_[110:180, 0:60]
        expected = [score(Y[rows], guess[rows]) for guess in guesses.values()]
        np.testing.assert_allclose(some.scores, expected, atol=1e-12)
    whole = story_scores(Y, guesses, STORIES)
    assert whole.stories == tuple(STORIES)
    np.testing.assert_allclose(whole.scores[1], correlation(Y, guesses["layer 1"]), atol=1e-12)


def test_the_best_is_that_of_a_loop(told):
    Y, guesses = told
    validation = story_scores(Y, guesses, STORIES, only=["avatar"])
    test = story_scores(Y, guesses, STORIES, only=["buck", "souls"])
    best = choose_best(validation)
    scores = best.scores(test)
    for voxel in range(200):
        layer = max(range(3), key=lambda one, v=voxel: validation.scores[one, v])
        assert best.chosen[voxel] == layer
        assert scores[voxel] == test.scores[layer, voxel]
    np.testing.assert_array_equal(best.map(), best.chosen)
    np.testing.assert_array_equal(best.map([5, 10, 20]), np.array([5, 10, 20])[best.chosen])


def test_a_story_that_chose_cannot_report(told):
    Y, guesses = told
    validation = story_scores(Y, guesses, STORIES, only=["avatar", "buck"])
    best = choose_best(validation)
    for only in (["avatar"], ["buck", "souls"], None):
        with pytest.raises(ValueError, match=r"stories \['(avatar|buck)'.* cannot report on them"):
            best.scores(story_scores(Y, guesses, STORIES, only=only))
    with pytest.raises(ValueError, match="cannot report on them"):
        best.scores(validation)
    # Why: nothing can be predicted here, and the stories that chose tell otherwise.
    looks = np.take_along_axis(validation.scores, best.chosen[None], axis=0)
    assert looks.mean() > 0.05
    honest = best.scores(story_scores(Y, guesses, STORIES, only=["souls"]))
    assert abs(honest.mean()) < 4 / np.sqrt(200 * 70)


def test_a_story_under_another_name_cannot_report_either(told):
    Y, guesses = told
    best = choose_best(story_scores(Y, guesses, STORIES, only=["buck"]))
    renamed = {"avatar": 60, "buck, again": 50, "souls": 70}
    with pytest.raises(
        ValueError, match=r"\['buck, again'\] hold the very responses of \['buck'\]"
    ):
        best.scores(story_scores(Y, guesses, renamed, only=["buck, again"]))
    other = story_scores(Y, guesses, renamed, only=["buck, again"])
    with pytest.raises(ValueError, match="hold the very responses"):
        best.scores(dataclasses.replace(other, stories=("souls",)))
    low = story_scores(Y.astype(np.float32), guesses, renamed, only=["buck, again"])
    with pytest.raises(ValueError, match="hold the very responses"):
        best.scores(low)


@pytest.mark.parametrize("n_voxels", [1, 200])
def test_stories_that_are_cut_otherwise_cannot_report_either(told, n_voxels):
    Y, guesses = told[0][:, :n_voxels], {k: v[:, :n_voxels] for k, v in told[1].items()}
    best = choose_best(story_scores(Y, guesses, {"all of them": 180}))
    with pytest.raises(ValueError, match="hold the very responses"):
        best.scores(story_scores(Y, guesses, STORIES, only=["souls"]))
    best = choose_best(story_scores(Y, guesses, STORIES, only=["buck"]))
    trimmed = {name: one[63:107] for name, one in guesses.items()}
    with pytest.raises(ValueError, match="hold the very responses"):
        best.scores(story_scores(Y[63:107], trimmed, {"buck, trimmed": 44}))


def test_empty_and_whole_numbers_are_alike_by_chance_alone(rng):
    Y = rng.integers(0, 3, (180, 1)).astype(float)
    Y[[10, 100]] = 0.0
    guesses = {"a": rng.standard_normal((180, 1)), "b": rng.standard_normal((180, 1))}
    best = choose_best(story_scores(Y, guesses, STORIES, only=["avatar"]))
    assert best.scores(story_scores(Y, guesses, STORIES, only=["souls"])).shape == (1,)


def test_plain_arrays_do_not_say_where_they_are_from(told):
    scores = np.zeros((2, 3))
    with pytest.raises(TypeError, match="ndarray, which does not say which stories"):
        choose_best(scores)
    best = choose_best(StoryScores(("buck",), ("a", "b"), scores))
    with pytest.raises(TypeError, match="make them with story_scores"):
        best.scores(scores)


def test_an_answer_holds_no_score_of_the_selection(told):
    Y, guesses = told
    best = choose_best(story_scores(Y, guesses, STORIES, only=["buck"]))
    fields = {field.name for field in dataclasses.fields(BestModels)}
    assert fields == {"stories", "models", "chosen", "fingerprints"}
    with pytest.raises(dataclasses.FrozenInstanceError):
        best.stories = ()
    with pytest.raises(ValueError, match="read-only"):
        best.chosen[0] = 1


def test_scores_cannot_be_changed_after_they_were_named(rng):
    values = rng.standard_normal((2, 3))
    named = StoryScores(("buck",), ("a", "b"), values)
    with pytest.raises(ValueError, match="read-only"):
        named.scores[0, 0] = 9.0
    values[0, 0] = 9.0
    assert named.scores[0, 0] != 9.0


def test_voxels_and_models_without_a_score_are_passed_over():
    nan = np.nan
    validation = StoryScores(
        ["buck"],
        ["a", "b", "c"],
        [[nan, nan, 0.5, 0.2], [nan, -0.1, 0.5, nan], [nan, nan, 0.4, 0.3]],
    )
    best = choose_best(validation)
    np.testing.assert_array_equal(best.chosen, [-1, 1, 0, 2])
    np.testing.assert_array_equal(best.map([1, 2, 3]), [nan, 2, 1, 3])
    test = StoryScores(
        ["souls"], ["c", "a", "b"], [[1, 2, 3, nan], [5, 6, 7, 8], [9, 10, 11, 12]]
    )  # fmt: skip
    np.testing.assert_array_equal(best.scores(test), [nan, 10, 7, nan])


def test_scores_must_match_the_selection():
    best = choose_best(StoryScores(["buck"], ["layer 1", "layer 2"], np.zeros((2, 3))))
    with pytest.raises(
        AlignmentError, match=r"no scores of \['layer 2'\] .*did you mean 'layer 3'"
    ):
        best.scores(StoryScores(["souls"], ["layer 1", "layer 3"], np.zeros((2, 3))))
    with pytest.raises(AlignmentError, match="the test has 4 voxels, the selection 3"):
        best.scores(StoryScores(["souls"], ["layer 1", "layer 2"], np.zeros((2, 4))))
    with pytest.raises(AlignmentError, match="expected one for each of 2 models"):
        best.map([1, 2, 3])


def test_bad_input_is_refused(told):
    Y, guesses = told
    with pytest.raises(ValueError, match=r"story 'bukc' is unknown \(did you mean 'buck'\?\)"):
        story_scores(Y, guesses, STORIES, only=["bukc"])
    with pytest.raises(TypeError, match="stories are 'buck'; expected names, as a sequence"):
        story_scores(Y, guesses, STORIES, only="buck")
    with pytest.raises(AlignmentError, match=r"\[60, 50\], 110 TRs in all, but Y has 180"):
        story_scores(Y, guesses, {"avatar": 60, "buck": 50})
    with pytest.raises(AlignmentError, match=r"prediction of 'layer 9' has shape \(179, 200\)"):
        story_scores(Y, {"layer 9": Y[1:]}, STORIES)
    with pytest.raises(ValueError, match=r"models are \[\]; expected at least one"):
        story_scores(Y, {}, STORIES)
    with pytest.raises(ValueError, match=r"stories are \[\]; expected at least one"):
        story_scores(Y, guesses, STORIES, only=[])
    with pytest.raises(ValueError, match="statistic 'rank' is unknown"):
        story_scores(Y, guesses, STORIES, statistic="rank")
    with pytest.raises(ValueError, match=r"Y has shape \(180,\)"):
        story_scores(Y[:, 0], {"a": Y[:, 0]}, STORIES)
    with pytest.raises(ValueError, match="none of them twice"):
        StoryScores(["buck", "buck"], ["a"], np.zeros((1, 2)))
    with pytest.raises(AlignmentError, match=r"\(n_models, n_voxels\) for 1 models"):
        StoryScores(["buck"], ["a"], np.zeros((2, 2)))
