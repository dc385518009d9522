"""Subjects who heard different amounts: what is one point of a law, and what the rest is."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from voxscale.reports._grids import in_two_sizes
from voxscale.reports._size import by_size
from voxscale.scaling import fit_scaling_law
from voxscale.study import Study
from voxscale.study._cells import AXES, cells_of, training_pool
from voxscale.study._inputs import SubjectFacts

STORIES = tuple(f"story{i:02d}" for i in range(32))  # of half an hour each
LEAST = {
    "name": "n", "dataset": "tiny", "model": "echo", "layers": [0, 1, 2], "contexts": [32],
    "design": {"trim": [10, 5]},
    "baselines": {"word_rate": False, "position": False, "sound": False, "autocorrelation": False},
}  # fmt: skip
SLOPE = {"s1": 0.05, "s2": 0.04}


def facts(subject, n_stories):
    train = STORIES[:n_stories]
    tr_times = {run: np.arange(915) * 2.0 for run in (*train, "x", "y")}
    hashes = {
        run: {"words": run, "tr_times": "t", "responses": run, "trials": None} for run in tr_times
    }
    return SubjectFacts(
        subject=subject, train=train, test=("x", "y"), tr_s=2.0, n_voxels=3, transcripts={},
        tr_times=tr_times, trs={}, hashes=hashes,
    )  # fmt: skip


def planted_score(subject, cell, hours):
    return (
        0.1 + SLOPE[subject] * np.log10(hours) + 0.01 * np.log10(cell.context) + 0.003 * cell.layer
    )


def material(fields, heard, score=planted_score, lost=lambda cell, story: False):
    """Return the tables of a study whose subjects heard so many stories, with planted scores."""
    study = Study(**{**LEAST, **fields})
    subjects = [facts(subject, n) for subject, n in heard.items()]
    pool = training_pool(study, subjects)
    rows, stories = [], []
    for one in subjects:
        for cell, axes in cells_of(study, one, pool).items():
            hours = len(cell.stories) * 0.5
            asked = np.nan if cell.asked_hours is None else cell.asked_hours
            named = {
                **{name: getattr(cell, name) for name in (
                    "subject", "model", "layer", "context", "bands", "n_stories", "draw")},
                "asked_hours": asked, "hours": hours, "key": str(len(rows)),
            }  # fmt: skip
            r = score(cell.subject, cell, hours)
            rows.append({
                **named, "mean_r": r, "mean_cv_score": r, "reference": cell.reference,
                **{f"in_{axis}_sweep": axis in axes for axis in AXES},
            })  # fmt: skip
            stories += [
                {**named, "story": story, "mean_r": r + 0.01 * (story == "y")}
                for story in "xy" if not lost(cell, story)
            ]  # fmt: skip
    results = SimpleNamespace(
        table=pd.DataFrame(rows), story_table=pd.DataFrame(stories), study=study,
        subjects=tuple(heard), sweep=lambda axis: [],
    )  # fmt: skip
    return SimpleNamespace(results=results, maps=())


def said(section):
    return " ".join(section.paragraphs).replace("−", "-")


def law_of_hours(section):
    (table, _) = section.tables
    return table.numbers.set_index(["sweep", "kind"]).loc[("n_stories", "log-linear")]


SAME_SLOPE = lambda subject, cell, hours: 0.1 + 0.05 * np.log10(hours) + 0.01 * (subject == "s2")  # noqa: E731


@pytest.mark.parametrize("total", [12, 8])  # 6 h; 4 h, which was also asked for
def test_subjects_of_different_totals_have_the_slope_that_both_have(total):
    fields = {"hours": [0.5, 1, 2, 4, "all"], "draws": 1}
    section = by_size(material(fields, {"s1": 32, "s2": total}, SAME_SLOPE))
    law = law_of_hours(section)
    assert law["slope"] == pytest.approx(0.05)
    assert (law["slope_low"], law["slope_high"]) == pytest.approx((0.05, 0.05))
    assert law["n_members"] == 2  # nobody was dropped
    assert law["n_sizes"] == 4
    assert (
        f"too different to be one point of all: all: 16 h of s1, {total / 2:g} h of s2."
    ) in said(section)
    assert "for want of a size" not in said(section)


@pytest.mark.parametrize("total", [12, 8])
def test_each_subject_has_the_line_of_its_own_hours_up_to_all_of_them(total):
    fields = {"hours": [0.5, 1, 2, 4, "all"], "draws": 1}
    section = by_size(material(fields, {"s1": 32, "s2": total}))
    numbers = section.tables[1].numbers.set_index("subject")
    assert numbers["slope"].to_dict() == pytest.approx(SLOPE)
    assert numbers["largest"].to_dict() == {"s1": 16.0, "s2": total / 2}
    assert numbers["n_sizes"].to_dict() == {"s1": 5, "s2": 5 if total == 12 else 4}
    np.testing.assert_allclose(numbers["r2"], 1.0)


def test_subjects_with_no_size_in_common_have_lines_of_their_own_and_no_law_of_all():
    section = by_size(material({"training_stories": [1, "all"]}, {"s1": 32, "s2": 12}))
    assert "no law can be fitted. Left out, since too different" in said(section)
    (table,) = section.tables
    assert table.numbers.set_index("subject")["slope"].to_dict() == pytest.approx(SLOPE)


def test_totals_that_are_nearly_the_same_are_one_point_at_their_geometric_mean():
    fields = {"hours": [0.5, 2, "all"], "draws": 1}
    (drawing,) = by_size(material(fields, {"s1": 32, "s2": 28})).drawings
    x = drawing.also["size-law"].query("not is_beyond")["x"]
    assert x.iloc[-1] == pytest.approx(np.sqrt(16 * 14))
    law = drawing.also["size-law"].query("not is_beyond")
    scores = [[0.1 + SLOPE[s] * np.log10(h) + 0.01 * np.log10(32) + 0.003 + 0.01 * (t == "y")
               for s, h in zip(("s1", "s2"), hours, strict=True) for t in "xy"]
              for hours in ((0.5, 0.5), (2, 2), (16, 14))]  # fmt: skip
    expected = fit_scaling_law([0.5, 2.0, np.sqrt(16 * 14)], scores)
    np.testing.assert_allclose(law["line"], expected.predict(law["x"]))


def test_a_size_is_of_the_subjects_that_are_in_the_law():
    # The third subject, whose total is another, lacks a score and is in no law.
    def lost(cell, story):
        return cell.subject == "s3" and cell.n_stories == 2

    fields = {"hours": [0.5, 1, 2, "all"], "draws": 1}
    heard = {"s1": 32, "s2": 32, "s3": 12}
    section = by_size(material(fields, heard, SAME_SLOPE, lost))
    assert law_of_hours(section)["n_sizes"] == 4
    x = section.drawings[0].also["size-law"].query("not is_beyond")["x"]
    assert x.iloc[-1] == pytest.approx(16.0)
    assert "Left out for want of a size: of s3 test story 'x' (1.0 h), 'y' (1.0 h)." in said(
        section
    )
    assert "too different" not in said(section)


def test_maps_of_layers_and_grids_of_sizes_pool_the_same_amounts():
    grid = {"contexts": [2, 8, 32], "layers": [0, 1, 2], "hours": [0.5, 1, 2, 4, "all"]}
    made = material({"contexts": [2, 8, 32], "sweep": [grid]}, {"s1": 32, "s2": 8}, SAME_SLOPE)
    section = in_two_sizes(made)
    drawings = {one.name: one for one in section.drawings}
    by_hours = drawings["layers-by-hours"].numbers
    assert sorted(by_hours["size"].unique()) == [0.5, 1.0, 2.0, 4.0]
    assert set(by_hours.loc[by_hours["size"] == 4.0, "subject"]) == {"s1", "s2"}
    assert "Layers by hours: Left out, since too different" in said(section)
    points = drawings["exchange-context-hours"].numbers
    assert sorted(points["hours"].unique()) == [0.5, 1.0, 2.0, 4.0]
    assert "+0.0500 per decade of hours (+0.0500 to +0.0500)" in said(section)
    assert "Context and hours: Left out, since too different" in said(section)


def test_a_context_sweep_at_other_hours_keeps_the_context_that_it_shares_with_the_star():
    # The same eight stories come closest to 4 h, which the star asks for, and to 4.2 h.
    fields = {"contexts": [512], "hours": [2, 4, "all"], "draws": 1}
    grid = {"contexts": [1, 16, 64, 512], "hours": [4.2]}
    section = by_size(material({**fields, "sweep": [grid]}, {"s1": 32, "s2": 32}))
    points = section.drawings[0].numbers
    swept = points[points["sweep"] == "context"]
    assert sorted(swept["size"].unique()) == [1, 16, 64, 512]
    assert "4 sizes, mean over 2 subjects" in said(section).partition("Context: ")[2]


def test_a_sweep_over_hours_has_its_own_words_where_another_grid_came_first():
    grids = [{"layers": [0, 1, 2], "hours": [4.2]}, {"hours": [1, 2, 4], "draws": 2}]
    section = by_size(material({"sweep": grids}, {"s1": 32, "s2": 32}))
    points = section.drawings[0].numbers
    points = points[points["sweep"] == "n_stories"]
    assert points.groupby("point")["draw"].nunique().to_dict() == {
        "1.0 h": 2, "2.0 h": 2, "4.0 h": 2
    }  # fmt: skip


def test_a_grid_of_sizes_has_the_cells_that_the_star_asks_for_in_other_words():
    fields = {"contexts": [32], "hours": [1, 2, 4], "draws": 1}
    grid = {"contexts": [2, 8, 32], "hours": [1.1, 2.1, 4.2]}
    made = material({**fields, "sweep": [grid]}, {"s1": 32, "s2": 32})
    numbers = {one.name: one for one in in_two_sizes(made).drawings}[
        "exchange-context-hours"
    ].numbers
    assert sorted(zip(numbers["size"], numbers["hours"], strict=True)) == [
        (context, hours) for context in (2, 8, 32) for hours in (1.0, 2.0, 4.0)
    ]
