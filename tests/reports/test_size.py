from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from voxscale.reports._size import _exchange_interval, by_size
from voxscale.scaling import fit_scaling_law

HOURS = {1: 0.1, 2: 0.2, 4: 0.4}


def material(scores_of_hours, scores_of_context, *, cv="leave-run-out"):
    """Return what by_size reads: scores (n_sizes, n_subjects, n_stories) of both sweeps."""
    rows = []
    sweeps = {
        "n_stories": [(n, 512, hours) for n, hours in HOURS.items()],
        "context": [(4, context, 0.4) for context in (2, 32, 512)],
    }
    for axis, scores in (("n_stories", scores_of_hours), ("context", scores_of_context)):
        for (n, context, hours), of_size in zip(sweeps[axis], scores, strict=True):
            for s, of_subject in enumerate(of_size):
                for i, r in enumerate(of_subject):
                    rows.append(
                        (f"s{s}", f"story {i}", context, 0, n, hours, r, f"{axis} {n} {context}")
                    )
    columns = ["subject", "story", "context", "draw", "n_stories", "hours", "mean_r", "key"]
    stories = pd.DataFrame(rows, columns=columns)
    table = stories[["key", "n_stories"]].drop_duplicates("key").reset_index(drop=True)
    table = table.assign(asked_hours=np.nan, reference=False)
    for axis in sweeps:
        table[f"in_{axis}_sweep"] = table["key"].str.startswith(axis)
    results = SimpleNamespace(
        table=table,
        story_table=stories,
        study=SimpleNamespace(fit=SimpleNamespace(cv=cv)),
        sweep=lambda axis: [SimpleNamespace(n_stories=n) for n in HOURS],
    )
    return SimpleNamespace(results=results)


def lines(rng, n_subjects=2, n_stories=4, slope=0.05):
    """Return scores of three sizes, a factor apart, on a line but for each story's own level."""
    steps = np.arange(3.0)[:, None, None]
    levels = rng.normal(0.1, 0.02, (1, n_subjects, n_stories))
    rises = slope * rng.uniform(0.8, 1.2, (1, n_subjects, n_stories))
    return levels + steps * rises


def said(section):
    return " ".join([section.headline, *section.paragraphs])


def test_a_unit_is_a_story_whatever_the_number_of_subjects(rng):
    scores = lines(rng)
    table = by_size(material(scores, scores)).drawings[0].also["size-law"]
    law = fit_scaling_law(list(HOURS.values()), scores.mean(axis=1))
    doubled = by_size(material(np.repeat(scores, 3, axis=1), scores)).drawings[0].also["size-law"]
    for one in (table, doubled):
        row = one[one["sweep"] == "n_stories"].iloc[0]
        assert row["n_stories"] == 4
        np.testing.assert_allclose([row["slope_low"], row["slope_high"]], law.slope_interval)


def test_the_line_is_kept_as_numbers(rng):
    scores = lines(rng)
    table = by_size(material(scores, scores)).drawings[0].also["size-law"]
    of_hours = table[table["sweep"] == "n_stories"]
    law = fit_scaling_law(list(HOURS.values()), scores.mean(axis=1))
    assert of_hours["x"].iloc[[0, -1]].tolist() == pytest.approx([0.1, 0.4])
    np.testing.assert_allclose(
        of_hours["line"], law.intercept + law.slope * np.log10(of_hours["x"])
    )
    np.testing.assert_allclose(of_hours[["low", "high"]].T, law.interval(of_hours["x"]))
    assert set(table["sweep"]) == {"n_stories", "context"}


@pytest.mark.parametrize(("n_stories", "is_few"), [(9, True), (10, False)])
def test_few_stories_are_called_too_few(rng, n_stories, is_few):
    scores = lines(rng, n_stories=n_stories)
    told = by_size(material(scores, scores)).headline
    assert f"{n_stories} test stories" in told
    assert ("too few for a trustworthy interval" in told) == is_few


def test_a_curve_that_is_no_line_is_called_so_and_not_exchanged(rng):
    straight = lines(rng)
    bent = straight.copy()
    bent[2] = bent[1] + 0.001
    section = by_size(material(straight, bent))
    hours, context = section.headline.split("; ")
    assert "not a straight line over this range" not in hours
    assert "not a straight line over this range" in context
    assert "R² of the line 0.7" in context
    assert "largest residual" in section.paragraphs[1]
    assert len(section.paragraphs) == 2  # no word of an exchange
    assert "ten times the context" in said(by_size(material(straight, straight)))


def test_the_exchange_has_an_interval(rng):
    hours = fit_scaling_law([0.1, 0.2, 0.4], lines(rng)[:, 0])
    context = fit_scaling_law([2, 32, 512], lines(rng)[:, 0])
    low, high = _exchange_interval(context, hours)
    factors = [10 ** (a / b) for a, b in zip(context.draws[1], hours.draws[1], strict=True)]
    np.testing.assert_allclose([low, high], np.quantile(factors, [0.025, 0.975]), rtol=0.01)
    assert low < context.exchange(hours) < high


def test_draws_that_do_not_rise_need_endless_hours():
    hours = fit_scaling_law([1, 10, 100], [[0.1, 0.1], [0.2, 0.05], [0.3, 0.0]])
    context = fit_scaling_law([1, 10, 100], [[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]])
    low, high = _exchange_interval(context, hours)
    assert low == pytest.approx(10.0)
    assert high == np.inf


def test_how_a_single_story_is_validated_is_said(rng):
    scores = lines(rng)
    caption = by_size(material(scores, scores)).drawings[0].caption
    assert "with one training story chosen by five contiguous folds with a gap" in caption
    other = by_size(material(scores, scores, cv=SimpleNamespace())).drawings[0].caption
    assert "contiguous" not in other


def test_one_test_story_has_neither_a_band_nor_a_word_of_one(rng):
    scores = lines(rng, n_stories=1)
    section = by_size(material(scores, scores))
    (drawing,) = section.drawings
    assert "Band" not in drawing.caption
    assert "too narrow" not in drawing.caption
    assert "There is no interval: one test story cannot be resampled." in drawing.caption
    for ax in drawing.figure.axes:
        assert not ax.collections
        (told,) = [t.get_text() for t in ax.get_legend().get_texts() if "decade" in t.get_text()]
        assert told.endswith("(no interval: one test story)")


def test_single_draws_are_told_of_where_they_are_drawn(rng):
    scores = lines(rng)
    one = material(scores, scores)
    assert "single draws" not in by_size(one).drawings[0].caption
    stories = one.results.story_table
    fewest = stories[stories["key"] == "n_stories 1 512"]
    again = fewest.assign(draw=1, mean_r=fewest["mean_r"] + 0.1)
    one.results.story_table = pd.concat([stories, again], ignore_index=True)
    (drawing,) = by_size(one).drawings
    assert "Grey rings, moved to the right to be seen: single draws" in drawing.caption
    (rings,) = [
        line for line in drawing.figure.axes[0].get_lines() if line.get_label() == "one draw"
    ]
    r = fewest["mean_r"].mean()
    np.testing.assert_allclose(rings.get_xydata(), [[0.1, r], [0.1, r + 0.1]])  # only at one story


def test_the_caption_says_what_is_resampled(rng):
    scores = lines(rng)
    caption = by_size(material(scores, scores)).drawings[0].caption
    assert "resampling the test stories 2000 times" in caption
    assert "each subject's test stories" not in caption


def test_the_exchange_is_told_in_hours_for_ten_times_the_context():
    # Per decade 0.2 with hours and 0.1 with context: ten times the context is half a decade.
    levels = np.array([0.10, 0.12, 0.15])
    by_hours = 0.2 * np.log10([0.1, 0.2, 0.4])[:, None, None] + levels
    by_context = 0.1 * np.log10([2, 32, 512])[:, None, None] + levels
    told = by_size(material(by_hours, by_context)).paragraphs[-1]
    assert "ten times the context brings as much as 3.2 times the hours" in told
    assert "(95 % interval 3.2 to 3.2)" in told


def test_hours_of_a_size_are_the_mean_over_subjects(rng):
    scores = lines(rng)
    one = material(scores, scores)
    stories = one.results.story_table
    more = stories["hours"].where(stories["subject"] == "s0", 3 * stories["hours"])
    one.results.story_table = stories.assign(hours=more)
    (drawing,) = by_size(one).drawings
    line = drawing.also["size-law"]
    x = line.loc[line["sweep"] == "n_stories", "x"]
    assert [x.iloc[0], x.iloc[-1]] == pytest.approx([0.2, 0.8])
