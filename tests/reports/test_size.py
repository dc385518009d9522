from types import SimpleNamespace

import numpy as np
import pytest

from voxscale.reports._size import by_size
from voxscale.scaling import bending, compare_laws, fit_scaling_law

N_PARAMS = {"gpt2": 124439808, "gpt2-medium": 354823168, "gpt2-large": 774030080}
AMOUNTS, CONTEXTS = (1, 2, 4, 8, 16, 32), (2, 8, 32, 128)
HOURS = [0.5 * n for n in AMOUNTS]


def level(subject, story):
    """Return what a subject's story scores at half an hour, read off its name."""
    return 0.05 + 0.01 * int(subject[1:]) + 0.004 * (ord(story) - ord("x"))


def rising(cell, subject, story):
    """Return scores that rise by 0.05 a decade of hours and by half of it with context."""
    own = 1 + 0.1 * int(subject[1:]) + 0.05 * (ord(story) - ord("x"))
    gain = 0.05 * np.log10(cell["hours"] / 0.5) + 0.025 * np.log10(cell["context"] / 2)
    return level(subject, story) + own * gain


def saturating(cell, subject, story):
    return level(subject, story) + 0.3 - 0.2 * (cell["hours"] / 0.5) ** -0.5


def said(section):
    return " ".join([section.headline, *section.paragraphs]).replace("−", "-")


def units_of(score, amounts=AMOUNTS, subjects=("s0", "s1"), stories=("x", "y")):
    cells = [{"hours": 0.5 * n, "context": 128} for n in amounts]
    return np.array([[score(c, s, t) for s in subjects for t in stories] for c in cells])


def section_of(planted_results, score=rising, **options):
    options = {"amounts": AMOUNTS, "contexts": CONTEXTS, **options}
    return by_size(planted_results(score, **options).material)


def test_slopes_are_told_per_decade_and_per_doubling_with_an_interval_over_subjects(
    planted_results,
):
    told = said(section_of(planted_results))
    scores = units_of(rising)
    levels = {"subject": ["s0", "s0", "s1", "s1"], "story": list("xyxy")}
    law = fit_scaling_law(HOURS, scores, levels=levels)
    low, high = law.slope_interval
    assert f"Hours of training data: {law.slope:+.4f} per decade" in told
    assert f"interval {low:+.4f} to {high:+.4f} (over 2 subjects, too few to rest" in told
    assert f"Per doubling: {law.slope * np.log10(2):+.4f}," in told
    assert "6 sizes, mean over 2 subjects" in told


def test_subjects_who_heard_the_same_add_no_stories(planted_results):
    caption = section_of(planted_results).drawings[0].caption
    assert "over subjects, by Student's t with 1 degree of freedom" in caption
    assert "no independent draws for each subject" in caption


def test_stories_of_one_subject_make_the_interval_and_it_says_so(planted_results):
    section = section_of(planted_results, subjects=("s0",), stories=tuple("xyz"))
    assert "(over 3 test stories, too few" in said(section)
    caption = section.drawings[0].caption
    assert "over test stories, by Student's t with 2 degrees of freedom" in caption
    assert "not for other subjects" in caption


def test_ten_subjects_are_not_called_few(planted_results):
    told = said(section_of(planted_results, subjects=[f"s{i}" for i in range(10)]))
    assert "over 10 subjects)" in told
    assert "too few to rest" not in told


def test_one_test_story_of_one_subject_has_no_interval_but_scatter(planted_results):
    section = section_of(planted_results, subjects=("s0",), stories=("x",))
    (drawing,) = section.drawings
    assert "Band" not in drawing.caption
    assert "as far as sizes scatter about the law." in drawing.caption
    assert "no interval: one test story of one subject has no spread" in drawing.caption
    for ax in drawing.figure.axes:
        (hatched,) = ax.collections  # of the scatter about the law alone; there is no other band
        assert hatched.get_hatch()
        texts = [text.get_text() for text in ax.get_legend().get_texts()]
        assert "(no interval: one test story)" in " ".join(texts)


def test_the_law_is_the_one_that_the_comparison_chooses_and_all_are_in_the_table(planted_results):
    section = section_of(planted_results, saturating, contexts=(32,))
    table = section.tables[0]
    found = compare_laws(HOURS, units_of(saturating).mean(axis=1))
    assert found.chosen == "power"
    rows = {row[1]: row for row in table.rows if row[0] == "hours of training data"}
    assert set(rows) == {"log-linear", "power", "broken"}  # no ceiling: nothing to tend to
    assert [kind for kind, row in rows.items() if row[-1] == "yes"] == ["power"]
    numbers = table.numbers.set_index("kind")
    assert numbers.loc["power", "exponent"] == pytest.approx(0.5)
    assert "has no ceiling" in numbers.loc["saturating", "reason"]
    for row in found.rows:
        if row.law is not None:
            assert numbers.loc[row.kind, "held_out_1"] == pytest.approx(row.held_out[0], abs=1e-12)
    assert "its exponent is 0.50" in said(section)


def test_a_bend_is_told_with_its_p(planted_results):
    told = said(section_of(planted_results, saturating_unevenly))
    scores = units_of(saturating_unevenly)
    levels = {"subject": ["s0", "s0", "s1", "s1"], "story": list("xyxy")}
    bend = bending(HOURS, scores, levels=levels)
    assert bend.verdict == "bends down"
    assert f"The curve bends down: its slope per decade changes by {bend.curvature:+.4f}" in told
    by_sizes = f"against the scatter of the sizes p = {bend.p_value_sizes:.2g}"
    assert f"p = {bend.p_value:.2g}; {by_sizes})" in told
    assert "No bend is found" in said(section_of(planted_results, wobbling))


def saturating_unevenly(cell, subject, story):
    own = 1 + 0.02 * int(subject[1:])
    return own * saturating(cell, subject, story)


def wobbling(cell, subject, story):
    side = 1 if subject == "s0" else -1
    return rising(cell, subject, story) + side * 0.004 * np.log10(cell["hours"]) ** 2


def maps_with(ceiling, stories=("x", "y"), subjects=("s0", "s1")):
    """Let 30 of 40 voxels have a ceiling."""
    cc_max = np.r_[np.full(30, ceiling), np.full(10, np.nan)].astype(np.float32)
    runs = dict.fromkeys(stories, 5)
    return [SimpleNamespace(subject=one, cc_max=cc_max, ceiling_runs=runs) for one in subjects]


def against_hours(score):
    return units_of(lambda cell, *who: score({**cell, "context": 32}, *who))


def labels(drawing):
    return {line.get_label() for line in drawing.figure.axes[0].get_lines()}


def test_what_shares_of_the_ceiling_need_is_solved_from_the_line(planted_results):
    section = section_of(planted_results, contexts=(32,), maps=maps_with(0.25))
    told = said(section)
    assert "noise ceiling is 0.250, the mean of cc_max over the 60 of 80 voxels" in told
    assert "('x', 'y')" in told
    law = fit_scaling_law(HOURS, against_hours(rising).mean(axis=1) / 0.25)
    for share in (0.5, 0.75):
        hours = 10 ** ((share - law.intercept) / law.slope)
        assert hours > HOURS[0]
        assert f"{100 * share:g} % at {hours:.3g} h" in told
    error = law.needed_for(0.9).held_out_error
    assert (
        "times the largest size that was measured (fitted without this, the law errs there by "
        f"{error:+.4f})"
    ) in told
    assert told.count("errs there") == told.count("times the largest size that was measured")


@pytest.mark.parametrize(("near", "stories"), [(1.0, "xy"), (1.2, "xy"), (1.0, "y"), (1.2, "x")])
def test_a_ceiling_is_set_against_the_voxels_and_stories_that_have_it(
    planted_results, near, stories
):
    maps = maps_with(0.25, stories)
    section = section_of(planted_results, contexts=(32,), maps=maps, near=near)
    kept = [s in stories for _ in ("s0", "s1") for s in ("x", "y")]
    law = fit_scaling_law(HOURS, near * against_hours(rising)[:, kept].mean(axis=1) / 0.25)
    hours = 10 ** ((0.75 - law.intercept) / law.slope)
    assert f"75 % at {hours:.3g} h" in said(section)
    whole, part = section.drawings
    assert not any("ceiling" in one for one in labels(whole))
    assert any(one.startswith("noise ceiling 1.000") for one in labels(part))
    assert "Share of the noise ceiling against size" in part.caption
    shares = part.numbers.groupby(["size", "story"])["share_of_ceiling"].mean().unstack()
    assert list(shares.columns) == sorted(stories)
    np.testing.assert_allclose(shares.mean(axis=1).loc[HOURS], law.mean_scores, rtol=1e-6)
    assert "log-linear" in {row[1] for row in section.tables[-1].rows}
    assert section.tables[-1].name == "size-ceiling-laws"


def test_subjects_tend_to_ceilings_of_their_own(planted_results):
    ceilings = {"s0": 0.25, "s1": 0.5}

    def to_the_ceiling(cell, subject, story):
        return ceilings[subject] * (1 - 0.6 * (cell["hours"] / 0.5) ** -0.4) / 1.25

    maps = [maps_with(one, subjects=(subject,))[0] for subject, one in ceilings.items()]
    options = {"contexts": (32,), "maps": maps, "near": 1.25}
    section = section_of(planted_results, to_the_ceiling, **options)
    numbers = section.tables[-1].numbers.set_index("kind")
    assert numbers["is_chosen"].idxmax() == "saturating"
    ends = numbers.loc["saturating", ["exponent_low", "exponent", "exponent_high", "asymptote"]]
    np.testing.assert_allclose(ends.astype(float), [0.4, 0.4, 0.4, 1.0], atol=1e-4)
    of_all = section.tables[0].numbers.set_index("kind")
    assert "has no ceiling" in of_all.loc["saturating", "reason"]
    assert "90 % at 44.1 h" in said(section)  # 0.5 h · 6^2.5


def test_a_share_that_a_law_never_reaches_is_said_not_to_be_reached(planted_results):
    told = said(section_of(planted_results, saturating, maps=maps_with(0.7), contexts=(32,)))
    assert "its exponent is 0.50" in told
    assert "90 % is not reached by this law" in told


def test_each_draw_has_a_slope_of_its_own(planted_results):
    steeper = {0: -0.01, 1: 0.0, 2: 0.02}

    def drawn(cell, subject, story):
        own = steeper[cell["draw"]] * np.log10(16 / cell["hours"])  # all agree on all stories
        return rising(cell, subject, story) - own

    section = section_of(planted_results, drawn, contexts=(32,), draws=3)
    slopes = {
        draw: np.polyfit(np.log10(HOURS), [
            np.mean([drawn({"hours": h, "context": 32, "draw": draw}, who, story)
                     for who in ("s0", "s1") for story in "xy"])
            for h in HOURS], 1)[0]
        for draw in steeper
    }  # fmt: skip
    assert slopes[2] - slopes[0] == pytest.approx(0.03)
    told = said(section)
    assert (
        f"Of the 3 draws of training stories alone: {slopes[0]:+.4f} to {slopes[2]:+.4f};" in told
    )
    assert "draws of training stories" not in said(section_of(planted_results, contexts=(32,)))


def test_points_that_scatter_about_a_line_are_no_curve(planted_results):
    def scattered(cell, subject, story):
        side = 0.004 * (-1) ** round(np.log2(2 * cell["hours"]))
        return level(subject, story) + 0.002 * np.log10(cell["hours"]) + side

    section = section_of(planted_results, scattered, contexts=(2, 8, 32, 128))
    told = said(section)
    assert "no line" not in told
    assert "R² of the line" in told
    assert "(no interval: it depends on where it starts)" not in told


def test_a_share_far_beyond_what_was_measured_has_no_size(planted_results):
    # A line that reaches everything, in the end: from 0.5 to 16 h it rises by 0.08.
    told = said(section_of(planted_results, contexts=(32,), maps=maps_with(0.28)))
    law = fit_scaling_law(HOURS, against_hours(rising).mean(axis=1))
    beyond = [10 ** ((share * 0.28 - law.intercept) / law.slope) / 16 for share in (0.75, 0.9)]
    assert beyond[0] < 30 < beyond[1] < 10_000
    assert "90 % is not reached within 30 times the largest size" in told
    assert told.count("is not reached within") == 1


def test_a_line_through_a_bent_curve_tells_no_size(planted_results):
    few = {"amounts": AMOUNTS[::2], "contexts": (32,), "maps": maps_with(0.3)}  # no other law
    told = said(section_of(planted_results, saturating_unevenly, **few))
    assert "is not told: the curve bends, and the law that was chosen is a line." in told
    assert "Needed of" not in told


def test_a_line_far_from_its_points_tells_no_size(planted_results):
    def steps(cell, subject, story):
        up = {0.5: 0.0, 2.0: 0.06, 8.0: 0.03}[cell["hours"]]
        return level(subject, story) + up + 0.02 * int(subject[1:]) * (up > 0.04)

    few = {"amounts": AMOUNTS[::2], "contexts": (32,), "maps": maps_with(0.3)}
    told = said(section_of(planted_results, steps, **few))
    assert "is not told: the points are far from their line (R² " in told
    assert "Needed of" not in told


def test_where_scores_fall_no_size_is_needed(planted_results):
    def falling(cell, subject, story):
        return 0.25 + level(subject, story) - 0.02 * np.log10(cell["hours"])

    told = said(section_of(planted_results, falling, contexts=(32,), maps=maps_with(0.32)))
    assert "shares of the noise ceiling would need of hours of training data is not told" in told
    assert "scores do not rise at the largest size" in told
    lowest = units_of(falling).mean(axis=1).min()
    assert 0.75 * 0.32 < lowest < 0.9 * 0.32
    assert "Every size that was measured exceeds 50 %, 75 %." in told
    assert "Needed of" not in told


def test_a_share_below_every_score_is_said_to_be_exceeded(planted_results):
    told = said(section_of(planted_results, contexts=(32,), maps=maps_with(0.12)))
    lowest = against_hours(rising).mean(axis=1).min()
    assert 0.06 < lowest < 0.09
    assert "50 % is exceeded at every size that was measured; 75 % at " in told


def test_the_table_says_how_the_law_was_chosen(planted_results):
    note = section_of(planted_results).tables[0].note
    assert "AICc, which needs three sizes more than the law has parameters" in note
    assert "than the law has parameters, and judges from four more on" in note
    assert "Chosen of these, from the fewest parameters up" in note
    few = compare_laws(HOURS[:5], units_of(saturating, AMOUNTS[:5]).mean(axis=1))
    needs = {row.kind: row for row in few.rows if row.law is not None}
    assert needs["log-linear"].n_parameters + 3 == 5
    assert np.isfinite(needs["log-linear"].aicc)
    assert np.isnan(needs["power"].aicc)
    assert not needs["log-linear"].is_judged
    six = compare_laws(HOURS, units_of(saturating).mean(axis=1))
    assert {row.kind: row.is_judged for row in six.rows}["log-linear"]


def test_without_repeats_there_is_no_word_of_a_ceiling(planted_results):
    section = section_of(planted_results)
    assert "ceiling" not in said(section)
    assert "ceiling" not in section.drawings[0].caption


def test_the_exchange_is_told_in_hours_for_ten_times_the_context(planted_results):
    # Per decade 0.05 with hours and 0.025 with context: ten times the context is half a decade.
    told = said(section_of(planted_results))
    assert "ten times the context brings as much as 3.2 times the hours" in told
    assert "(95 % interval 3.2 to 3.2)" in told


def test_an_exchange_with_hours_that_may_not_matter_has_no_end(planted_results):
    def opposed(cell, subject, story):
        side = {"s0": 0.05, "s1": -0.03}[subject]
        return 0.1 + side * np.log10(cell["hours"]) + 0.02 * np.log10(cell["context"])

    told = said(section_of(planted_results, opposed))
    assert "its 95 % interval has no end: the slope with hours is not surely" in told


@pytest.mark.parametrize(
    ("gain", "why"),
    [
        (lambda hours: -0.05 * np.log10(hours), "scores do not rise with the hours"),
        (lambda hours: 0.1 * (hours > 0.6), "scores do not rise with the hours there"),
    ],
)
def test_an_exchange_that_is_not_defined_says_why(planted_results, gain, why):
    def score(cell, subject, story):
        return level(subject, story) + gain(cell["hours"]) + 0.02 * np.log10(cell["context"])

    told = said(section_of(planted_results, score))
    assert "ten times the context would be worth in hours of training data is not defined" in told
    assert why in told


def test_an_exchange_with_a_curve_is_told_of_its_last_tenfold(planted_results):
    def curved(cell, subject, story):
        with_context = 0.4 - 0.3 * cell["context"] ** -0.5
        return level(subject, story) + with_context + 0.1 * np.log10(cell["hours"])

    section = section_of(planted_results, curved, contexts=(1, 4, 16, 64, 256, 512))
    factor = 10 ** (0.3 * (51.2**-0.5 - 512**-0.5) / 0.1)
    assert factor == pytest.approx(1.93, abs=0.01)
    assert (
        "By the laws that were chosen (power of context, log-linear of hours of training data), "
        f"ten times the context from 51.2 words on brings as much as {factor:.2g} times the hours "
        "of training data, counted from 2.83 h"
    ) in said(section)
    numbers = section.tables[1].numbers.set_index(["sweep", "subject"])
    assert numbers.loc[("context", "s1"), "factor"] == pytest.approx(factor, rel=1e-6)


def test_each_subject_has_its_own_slope_with_an_interval_over_its_stories(planted_results):
    section = section_of(planted_results)
    table = section.tables[1]
    assert [row[:3] for row in table.rows] == [
        (sweep, subject, "2")
        for sweep in ("hours of training data", "context")
        for subject in ("s0", "s1")
    ]
    numbers = table.numbers.set_index(["sweep", "subject"])
    scores = units_of(rising)
    for i, subject in enumerate(("s0", "s1")):
        own = fit_scaling_law(HOURS, scores[:, 2 * i : 2 * i + 2])
        row = numbers.loc[("n_stories", subject)]
        assert row["slope"] == pytest.approx(own.slope)
        assert (row["low"], row["high"]) == pytest.approx(own.slope_interval)
        assert np.isnan(row["factor"])
    # Half as much per decade of context as of hours, in every story.
    assert numbers.loc[("context", "s0"), "factor"] == pytest.approx(10**0.5)
    assert len(section_of(planted_results, subjects=("s0",)).tables) == 1


def test_several_subjects_have_an_interval_over_stories_too(planted_results):
    told = said(section_of(planted_results))
    of_stories = units_of(rising).reshape(6, 2, 2).mean(axis=1)
    low, high = fit_scaling_law(HOURS, of_stories).slope_interval
    assert f"For these 2 subjects and other stories: {low:+.4f} to {high:+.4f}" in told
    assert "(over 2 test stories)" in told
    assert "other stories" not in said(section_of(planted_results, stories=("x",)))


def test_models_stand_at_their_number_of_parameters_and_best_layer_by_validation(planted_results):
    def score(cell, subject, story):  # the first story is also what validation knows
        best = {"gpt2": 1, "gpt2-medium": 2, "gpt2-large": 3}[cell["model"]]
        decades = np.log10(N_PARAMS[cell["model"]] / 1e8)
        return level(subject, story) + 0.02 * decades - 0.01 * (cell["layer"] != best)

    section = section_of(planted_results, score, models=tuple(N_PARAMS), layers=(1, 2, 3))
    assert "Parameters of the model: +0.0200 per decade" in said(section)
    points = section.drawings[0].numbers
    points = points[points["sweep"] == "model"]
    assert points.groupby("model")["layer"].unique().str[0].to_dict() == {
        "gpt2": 1, "gpt2-medium": 2, "gpt2-large": 3
    }  # fmt: skip
    assert points.groupby("model")["size"].first().to_dict() == N_PARAMS
    xlabels = [ax.get_xlabel() for ax in section.drawings[0].figure.axes]
    assert "parameters of the model" in xlabels
    assert "each model's best layer by validation" in section.drawings[0].caption


def test_models_of_one_size_are_points_of_their_own(planted_results):
    models = ("EleutherAI/pythia-70m", "EleutherAI/pythia-160m", "EleutherAI/pythia-160m-deduped")
    gains = dict(zip(models, (0.0, 0.02, 0.05), strict=True))

    def score(cell, subject, story):
        own = 1 + 0.1 * int(subject[1:])
        return level(subject, story) + own * gains[cell["model"]]

    section = section_of(planted_results, score, models=models)
    sizes = [70426624, 162322944, 162322944]
    law = fit_scaling_law(
        sizes, [level("s0", "x"), *[level("s0", "x") + one for one in (0.02, 0.05)]]
    )
    assert f"Parameters of the model: {1.05 * law.slope:+.4f} per decade" in said(section)
    assert "3 models, mean over 2 subjects" in said(section)
    assert "Two sizes cannot show whether the line is straight." in said(section)
    assert not section.drawings[0].also["size-law"].query("sweep == 'model'")["is_beyond"].any()
    (ax,) = [one for one in section.drawings[0].figure.axes if "parameters" in one.get_xlabel()]
    (points,) = [line for line in ax.get_lines() if line.get_label() == "mean"]
    assert points.get_xdata().tolist() == sizes
    told = said(section_of(planted_results, score, models=models[1:]))
    assert "All models that are done are of one size, so no law can be fitted." in told


def test_a_model_that_no_table_knows_is_left_out_and_named(planted_results):
    told = said(section_of(planted_results, models=("gpt2", "gpt2-medium", "mine")))
    assert "Left out, since the table of models has no size of them: 'mine'." in told
    assert "2 models, mean over 2 subjects" in told
    told = said(section_of(planted_results, models=("gpt2", "mine")))
    assert "Parameters of the model: Only one model of known size is done" in told


def test_sizes_that_are_not_there_are_said_in_a_sentence(planted_results):
    told = said(section_of(planted_results, amounts=(4,), contexts=(32,)))
    assert "Hours of training data: Only one size is done, so no law can be fitted." in told
    assert "Context: Only one context is done, so no law can be fitted." in told
    assert "parameters" not in told
    told = said(section_of(planted_results, amounts=(2, 4), contexts=(32,)))
    assert "Two sizes cannot show whether the line is straight." in told
    assert "log-linear: the only law" in told


def test_the_curve_is_kept_as_numbers_and_told_from_what_lies_beyond(planted_results):
    table = section_of(planted_results).drawings[0].also["size-law"]
    of_hours = table[table["sweep"] == "n_stories"]
    scores = units_of(rising)
    levels = {"subject": ["s0", "s0", "s1", "s1"], "story": list("xyxy")}
    law = fit_scaling_law(HOURS, scores, levels=levels)
    inside = of_hours[~of_hours["is_beyond"]]
    assert inside["x"].iloc[[0, -1]].tolist() == pytest.approx([0.5, 16.0])
    np.testing.assert_allclose(inside["law"], law.predict(inside["x"]))
    np.testing.assert_allclose(inside[["low", "high"]].T, law.interval(inside["x"]))
    beyond = of_hours[of_hours["is_beyond"]]
    assert beyond["x"].max() == pytest.approx(16 * 10**0.5)
    last = law.extrapolate(beyond["x"].max())
    np.testing.assert_allclose(beyond[["band_low", "band_high"]].iloc[-1], last.band)
    assert beyond["low"].isna().all()
    assert set(table["sweep"]) == {"n_stories", "context"}


def test_single_draws_are_told_of_where_they_are_drawn(planted_results):
    assert "single draws" not in section_of(planted_results).drawings[0].caption

    def score(cell, subject, story):
        return rising(cell, subject, story) + 0.01 * cell["draw"]

    (drawing,) = section_of(planted_results, score, draws=2).drawings
    assert "Grey rings, moved to the right to be seen: single draws" in drawing.caption
    ax = drawing.figure.axes[0]
    (rings,) = [line for line in ax.get_lines() if line.get_label() == "one draw"]
    assert len(rings.get_xydata()) == 10  # two of each amount but the last
    first = units_of(rising)[0].mean()
    np.testing.assert_allclose(rings.get_xydata()[:2], [[0.5, first], [0.5, first + 0.01]])


def test_hours_of_a_size_are_the_geometric_mean_over_subjects(planted_results):
    one = planted_results(rising, amounts=AMOUNTS)
    more = one.table["hours"].where(one.table["subject"] == "s0", 1.1 * one.table["hours"])
    one.results.table = one.table.assign(hours=more)
    x = by_size(one.material).drawings[0].also["size-law"].query("not is_beyond")["x"]
    assert [x.iloc[0], x.iloc[-1]] == pytest.approx([0.5 * 1.1**0.5, 16 * 1.1**0.5])


def test_a_story_without_one_size_is_left_out_and_named(planted_results):
    one = planted_results(rising, amounts=AMOUNTS)
    stories = one.story_table
    lost = (stories["subject"] == "s1") & (stories["story"] == "y") & (stories["hours"] == 2.0)
    one.results.story_table = stories[~lost]
    told = said(by_size(one.material))
    assert "Left out for want of a size: of s1 test story 'y' (4 stories)." in told


def test_how_a_single_story_is_validated_is_said(planted_results):
    caption = section_of(planted_results).drawings[0].caption
    assert "with one training story chosen by five contiguous folds with a gap" in caption
    other = section_of(planted_results, cv=SimpleNamespace()).drawings[0].caption
    assert "contiguous" not in other


def test_models_that_share_a_key_are_still_two(planted_results):
    one = planted_results(rising, models=("gpt2", "gpt2-medium", "mine"))
    shared = {"key": "the same"}
    one.results.table = one.table.assign(**shared)
    one.results.story_table = one.story_table.assign(**shared)
    points = by_size(one.material).drawings[0].numbers
    points = points[points["sweep"] == "model"]
    assert points.groupby("model")["size"].unique().str[0].to_dict() == {
        name: N_PARAMS[name] for name in ("gpt2", "gpt2-medium")
    }
