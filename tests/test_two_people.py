"""The page on two people tells what its study's results say, and the script that reads them."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "two-people.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.replace("**", "").split())
SUBJECTS = ("uts01", "uts02")


@pytest.fixture(scope="module")
def measured():
    path = ROOT / "benchmarks" / "results" / "lebel_scaling.json"
    return json.loads(path.read_text(encoding="utf-8"))


def tables():
    """Split the page's tables into cells: one list of rows for each, the header first."""
    found = re.findall(r"^\|.*\|\n\|[-|]+\|\n(?:\|.*\|\n)+", PAGE, re.MULTILINE)
    lines = [[one for one in table.splitlines() if not one.startswith("|-")] for table in found]
    return [[[c.strip() for c in row.strip("|").split("|")] for row in table] for table in lines]


def signed(value, digits):
    return f"{value:+.{digits}f}".replace("-", "−")


def test_the_page_has_five_tables_with_as_many_numbers_as_it_ought():
    assert [(len(table), len(table[0])) for table in tables()] == [
        (5, 7), (5, 4), (3, 8), (3, 5), (3, 7),
    ]  # fmt: skip


def test_the_table_of_hours(measured):
    header, *rows = tables()[0]
    ends = [measured["hours"][one][-1]["hours"] for one in SUBJECTS]
    assert header[1:] == ["0.5", "1", "2", "4", "8", "all ({:.1f}, {:.1f})".format(*ends)]
    for subject, means, ranges in zip(SUBJECTS, rows[::2], rows[1::2], strict=True):
        points = measured["hours"][subject]
        assert [one["asked"] for one in points] == [0.5, 1, 2, 4, 8, "all"]
        assert [one["n_draws"] for one in points] == [5, 5, 5, 5, 5, 1]
        scores = [one["by_story"] for one in points]
        assert means == [
            f"{subject.upper()}, mean of five draws", *(f"{one['mean']:.3f}" for one in scores)
        ]  # fmt: skip
        expected = [f"{one['low']:.3f}–{one['high']:.3f}" for one in scores[:-1]]
        assert ranges == ["lowest and highest draw", *expected, ""]


def test_the_table_of_slopes(measured):
    slopes = measured["axes"]["hours"]["slopes"]
    lines = [slopes["subjects"][one] for one in SUBJECTS]
    lines += [slopes["mean"][f"over {one}"] for one in ("story", "subject")]
    assert tables()[1][1:] == [
        [
            name,
            signed(line["slope"], 4),
            f"{signed(line['low'], 4)} to {signed(line['high'], 4)}",
            over,
        ]
        for name, line, over in zip(
            ("UTS01", "UTS02", "mean of both", "mean of both"),
            lines,
            ("3 test stories",) * 3 + ("2 subjects",),
            strict=True,
        )
    ]
    assert [(line["over"], line["n_members"]) for line in lines] == [("story", 3)] * 3 + [
        ("subject", 2)
    ]


@pytest.mark.parametrize(("model", "at"), [("smollm2", 2), ("gemma3-270m", 3)])
def test_the_tables_of_layers(measured, model, at):
    header, *rows = tables()[at]
    for subject, row in zip(SUBJECTS, rows, strict=True):
        told = measured["layers"][model][subject]
        assert header[1:] == [str(layer) for layer in told["layers"]]
        assert told["validation_r2"].index(max(told["validation_r2"])) == told["layers"].index(
            told["best_by_validation"]
        )
        assert row == [
            subject.upper(),
            *(
                f"**{score:.3f}**" if layer == told["best_by_validation"] else f"{score:.3f}"
                for layer, score in zip(told["layers"], told["by_story"], strict=True)
            ),
        ]


def test_the_table_of_contexts(measured):
    header, *rows = tables()[4]
    for subject, row in zip(SUBJECTS, rows, strict=True):
        points = measured["contexts"][subject]
        assert header[1:] == [f"{one['asked']}" for one in points]
        assert {one["n_draws"] for one in points} == {1}  # as the page says
        assert row == [subject.upper(), *(f"{one['by_story']['mean']:.3f}" for one in points)]


def test_what_the_page_says_of_scores(measured):
    at_15 = [measured["hours"][one][-1] for one in SUBJECTS]
    joined, apart = ([one[metric]["mean"] for one in at_15] for metric in ("joined", "by_story"))
    assert joined[0] > 0.134
    assert joined[1] > 0.213
    layers = measured["layers"]
    assert {one["best_by_validation"] for one in layers["smollm2"].values()} == {20}
    assert {one["best_by_validation"] for one in layers["gemma3-270m"].values()} == {9}
    more = [np.subtract(one["joined"], one["by_story"]).max() for one in layers["smollm2"].values()]
    hours = [measured["contexts"][one][0]["hours"] for one in SUBJECTS]
    at_4 = measured["hours"]["uts01"][3]["by_story"]
    for told in (
        "{:.4f} in UTS01 and {:.4f} in UTS02 (goals: 0.134 and 0.213)".format(*joined),
        "against {:.4f} and {:.4f}.".format(*apart),
        f"higher than the table by up to {max(more):.3f}.",
        "({:.2f} h of UTS01, {:.2f} h of UTS02)".format(*hours),
        f"lie between {at_4['low']:.3f} and {at_4['high']:.3f} in UTS01",
        f"8 more fits, {measured['median_fit_s']['gemma3-270m']:.0f} s each in the median",
    ):
        assert told in TEXT
    assert measured["study"]["n_cells"] == 76 + 8
    assert (measured["study"]["n_test_trs"], measured["study"]["n_scored"]) == ([910], [200])


def test_what_the_page_says_of_hours(measured):
    hours = measured["axes"]["hours"]
    line, bend = hours["slopes"]["mean"]["over subject"], hours["bending"]
    by_kind = {one["kind"]: one for one in hours["laws"]}
    draws = [measured["slopes_of_draws"][one] for one in SUBJECTS]
    assert [len(one) for one in draws] == [5, 5]
    ends = [end for one in draws for end in (min(one), max(one))]
    for told in (
        f"chooses the line (R² {line['r2']:.3f}; a power law errs as much, "
        f"{by_kind['power']['error_at_the_largest']:.3f}, with one parameter more, "
        "and six sizes are too few for AICc to judge it)",
        f"changes by {signed(bend['curvature'], 3)} each decade (95 % interval over two subjects "
        f"{signed(bend['low'], 3)} to {signed(bend['high'], 3)})",
        f"Twice the hours bring {np.log10(2) * line['slope']:+.3f}.",
        "a slope of {:.3f} to {:.3f} in UTS01 and of {:.3f} to {:.3f} in UTS02.".format(*ends),
    ):
        assert told in TEXT
    assert hours["chosen"] == "log-linear"
    assert by_kind["log-linear"]["aicc"] < by_kind["power"]["aicc"]
    assert by_kind["log-linear"]["error_at_the_largest"] == pytest.approx(
        by_kind["power"]["error_at_the_largest"], rel=1e-6
    )
    assert (bend["over"], bend["verdict"]) == ("subject", "straight within error")


def test_what_the_page_says_of_a_second_model(measured):
    line = measured["axes"]["n_params"]["slopes"]["mean"]["over story"]
    gains = [
        float(np.diff(measured["axes"]["n_params"]["slopes"]["subjects"][one]["mean_scores"])[0])
        for one in SUBJECTS
    ]
    for told in (
        f"bring {signed(gains[0], 4)} in UTS01 and {signed(gains[1], 4)} in UTS02: a slope of "
        f"{signed(line['slope'], 4)} per decade with an interval over stories from "
        f"{signed(line['low'], 4)} to {signed(line['high'], 4)}.",
    ):
        assert told in TEXT


def test_what_the_page_says_of_context(measured):
    context = measured["axes"]["context"]
    line, bend = context["slopes"]["mean"]["over subject"], context["bending"]
    by_kind = {one["kind"]: one for one in context["laws"]}
    power, straight = by_kind["power"], by_kind["log-linear"]
    for told in (
        f"This curve is no line (R² {line['r2']:.2f}). A power law is chosen, which errs by "
        f"{power['error_at_the_largest']:.3f} at the largest context, left out, where the line "
        f"errs by {straight['error_at_the_largest']:.3f}; it tends to {power['asymptote']:.3f} in "
        f"the mean of both (at 512 words it is {line['mean_scores'][-1]:.3f}).",
        f"the change of slope is {signed(bend['curvature'], 3)} per decade (95 % interval over two "
        f"subjects {signed(bend['low'], 3)} to {signed(bend['high'], 3)}).",
    ):
        assert told in TEXT
    assert context["chosen"] == "power"
    assert bend["over"] == "subject"


def test_what_the_page_says_is_worth_in_hours(measured):
    worth = [measured["exchange"]["context"][one]["chosen"] for one in ("mean", *SUBJECTS)]
    assert {tuple(one["kinds"]) for one in worth} == {("power", "log-linear")}
    gains = {
        what: [measured["gains_in_hours"][what][one] for one in SUBJECTS]
        for what in ("layers", "context")
    }
    one, other = gains["layers"]
    first, second = gains["context"]
    for told in (
        "as much as {:.1f} times the hours ({:.1f} in UTS01, {:.1f} in UTS02).".format(
            *(some["factor"] for some in worth)
        ),
        f"the score grows by {one['gain']:.3f} and {other['gain']:.3f}: as much as it would with "
        f"{one['factor']:.0f} times the hours of UTS01 and {other['factor']:.1f} times those",
        f"brings {first['gain']:.3f} and {second['gain']:.3f}, as much as {first['factor']:.0f} "
        f"and {second['factor']:.0f} times the hours",
    ):
        assert told in TEXT


def test_gains_divide_scores_and_slopes_of_one_metric(measured):
    """Each ratio from the tables' own numbers, which are of each story alone."""
    for subject in SUBJECTS:
        points = measured["hours"][subject]
        scores = [one["by_story"]["mean"] for one in points]
        slope = np.polyfit(np.log10([one["hours"] for one in points]), scores, 1)[0]
        told = measured["axes"]["hours"]["slopes"]["subjects"][subject]
        assert told["slope"] == pytest.approx(slope, rel=1e-9)
        layers = measured["layers"]["smollm2"][subject]["by_story"]
        context = [one["by_story"]["mean"] for one in measured["contexts"][subject]]
        for what, gain in (
            ("layers", layers[4] - layers[0]),
            ("context", context[-1] - context[0]),
        ):
            found = measured["gains_in_hours"][what][subject]
            assert found["gain"] == pytest.approx(gain, rel=1e-6)
            assert found["factor"] == pytest.approx(10 ** (gain / slope), rel=1e-6)


@pytest.fixture(scope="module")
def script():
    folder = ROOT / "benchmarks"
    spec = importlib.util.spec_from_file_location("lebel_scaling", folder / "lebel_scaling.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        spec.loader.exec_module(module)
        for helper in ("_machine", "_timed_run"):
            sys.modules.pop(helper, None)
    return module


@pytest.fixture(scope="module")
def found(tiny, tmp_path_factory):
    from voxscale.study import Study, results, run

    path = tiny.write_study(
        tmp_path_factory.mktemp("study"), layers="[1, 2]", contexts="[32]",
        training_stories='["all"]\nhours = [0.03, 0.06, "all"]', n_permutations="0",
    )  # fmt: skip
    text = path.read_text().replace('training_stories = ["all"]\n', "")
    path.write_text(text + "\n[[sweep]]\ncontexts = [4, 8, 32]\nhours = [0.06]\n")
    study = Study.from_toml(path)
    run(study, progress=False)
    return results(study)


def test_the_script_takes_means_by_hand_from_the_arrays(script, found, tiny):
    told = script.plain(script.summary(found))
    for subject in tiny.SUBJECTS:
        for point in told["hours"][subject]:
            asked = None if point["asked"] == "all" else point["asked"]
            cells = sorted(
                found.select(subject=subject, layer=2, context=32, asked_hours=asked),
                key=lambda cell: cell.draw,
            )
            stories = [np.nanmean(found.array(cell, "r_by_story"), axis=1) for cell in cells]
            joined = [np.nanmean(found.array(cell, "r")) for cell in cells]
            np.testing.assert_allclose(
                point["by_story"]["draws"], np.mean(stories, axis=1), rtol=1e-6
            )
            np.testing.assert_allclose(point["joined"]["draws"], joined, rtol=1e-6)
            assert point["by_story"]["low"] == min(point["by_story"]["draws"])
        for i, layer in enumerate(told["layers"]["echo"][subject]["layers"]):
            (cell,) = found.select(subject=subject, layer=layer, asked_hours=None)
            r = np.nanmean(found.array(cell, "r"))
            assert told["layers"]["echo"][subject]["joined"][i] == pytest.approx(r, rel=1e-6)
        assert [one["asked"] for one in told["contexts"][subject]] == [4, 8, 32]
    json.dumps(told, allow_nan=False)


def test_the_script_finds_the_slopes_that_least_squares_do(script, found, tiny):
    told = script.summary(found)
    assert set(told["axes"]) == {"hours", "context"}
    for subject in tiny.SUBJECTS:
        points = told["hours"][subject]
        means = [one["by_story"]["mean"] for one in points]
        slope = np.polyfit(np.log10([one["hours"] for one in points]), means, 1)[0]
        line = told["axes"]["hours"]["slopes"]["subjects"][subject]
        assert line["slope"] == pytest.approx(slope, rel=1e-9)
        for draw, slope in enumerate(told["slopes_of_draws"][subject]):
            x = [one["hours_of_draws"][min(draw, one["n_draws"] - 1)] for one in points]
            y = [one["by_story"]["draws"][min(draw, one["n_draws"] - 1)] for one in points]
            assert slope == pytest.approx(np.polyfit(np.log10(x), y, 1)[0], rel=1e-9)


def test_the_script_writes_no_time_that_it_did_not_take(script, found, tmp_path, monkeypatch):
    written = tmp_path / "told.json"
    toml = next(found.study.out.parent.glob("*.toml"))
    monkeypatch.setattr(sys, "argv", ["lebel_scaling.py", str(toml), "--json", str(written)])
    script.main()
    assert json.loads(written.read_text())["run"] is None
    with pytest.raises(SystemExit, match="is not empty; --run expects a folder that is"):
        script.timed_run(toml, None, 1.0)
