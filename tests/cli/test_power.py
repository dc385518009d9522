"""``voxscale power``: a table of widths, from assumptions or from a study."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from voxscale.cli import app
from voxscale.cli._power_assumed import COMPONENTS
from voxscale.scaling import slope_interval_width, slope_power
from voxscale.study import StoryScores, Study, results, run, story_scores_along
from voxscale.synthetic import planted_scores


def invoke(*arguments):
    return CliRunner().invoke(app, ["power", *(str(one) for one in arguments)])


def test_widths_come_from_what_was_given_and_what_is_assumed_is_said(tmp_path):
    path = tmp_path / "power.csv"
    done = invoke(
        "--subjects", "3,8", "--stories", "2,4", "--sizes", "5", "--subject-sd", "0.01",
        "--decades", "2", "--story-minutes", "15", "--csv", path,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "--subject-sd      0.01 r per decade (given)" in done.output
    assert "--story-sd        0.002 r per decade (assumed)" in done.output
    table = pd.read_csv(path)
    assert table[["subjects", "stories", "sizes"]].to_numpy().tolist() == [
        [3, 2, 5], [3, 4, 5], [8, 2, 5], [8, 4, 5],
    ]  # fmt: skip
    assert table["test_hours"].tolist() == [0.5, 1.0, 0.5, 1.0]
    parts = {"decades": 2, "subject_sd": 0.01, "story_sd": 0.002, "size_sd": 0.01}
    columns = table[["subjects", "stories", "sizes"]].to_numpy().T
    np.testing.assert_allclose(table["width"], slope_interval_width(*columns, **parts))
    np.testing.assert_allclose(table["power"], slope_power(0.01, *columns, **parts))
    assert "test hours: of test stories, per subject; training hours are sizes" in done.output
    assert f"{table['width'][0]:.5f}" in done.output


def lines_of(done):
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def test_the_fewest_test_hours_in_all_that_are_narrow_enough_are_named():
    grid = ("--subjects", "1,4,16", "--stories", "1,2", "--sizes", "3,5")
    lines = lines_of(invoke(*grid, "--width", "0.012"))
    # 4 subjects are never narrow enough, and one subject is not asked about.
    assert lines[-2:] == [
        "fewest test hours in all, of the combinations of several subjects above with a width of "
        "0.012 or less:",
        "16 subjects, 1 test story each (0.17 test hours per subject, 2.67 in all), 3 sizes: "
        "0.00724.",
    ]
    several = lines_of(invoke("--subjects", "16,5", "--width", "0.012", "--stories", "2,5"))
    assert "of the combinations above with a width" in several[-2]  # none of them of one subject
    assert several[-1] == (
        "5 subjects, 2 test stories each (0.33 test hours per subject, 1.67 in all), 5 sizes: "
        "0.01165."
    )
    none = lines_of(invoke(*grid, "--width", "0.0001"))
    assert none[-1] == (
        "no combination of several subjects above has a width of 0.0001 or less; the narrowest is "
        "16 subjects, 2 test stories each (0.33 test hours per subject, 5.33 in all), 5 sizes: "
        "0.00523."
    )


def test_equal_hours_are_told_apart_by_sizes():
    grid = ("--subjects", "8", "--stories", "2", "--sizes", "8,5,3", "--width", "0.01")
    assert ", 3 sizes: " in lines_of(invoke(*grid))[-1]


def test_that_all_combinations_are_of_one_subject_is_said():
    alone = "All combinations above are of one subject: the width is of its own slope"
    grid = ("--subjects", "1", "--stories", "1,9", "--sizes", "5")
    done = lines_of(invoke(*grid, "--width", "0.02"))
    assert done[-3].startswith("fewest test hours in all, of the combinations above with")
    assert done[-2].startswith("1 subject, 9 test stories each (1.50 test hours per subject, 1.50")
    assert done[-1].startswith(alone)
    assert any(line.rstrip().endswith("-     -") for line in done)  # one story has no interval
    assert "-: no interval (one subject with one test story, or one size)." in done
    none = lines_of(invoke(*grid, "--width", "0.0001"))
    assert none[-2].startswith("no combination above has a width of 0.0001 or less; the narrowest")
    assert none[-1].startswith(alone)
    empty = lines_of(invoke("--subjects", "1", "--stories", "1", "--width", "1"))
    assert empty[-2] == "no combination above has an interval."
    assert "no interval" not in invoke("--subjects", "2").output


@pytest.fixture(scope="module")
def path(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("power")
    path = tiny.write_study(folder, layers="[2]", contexts="[32]")
    run(Study.from_toml(path), progress=False, device="cpu")
    return path


def test_a_study_tells_what_varies(path, tmp_path):
    parts = story_scores_along(results(Study.from_toml(path))).components
    table = tmp_path / "power.csv"
    done = invoke(path, "--size-sd", "0.5", "--csv", table)
    assert done.exit_code == 0, done.output
    assert "2 subjects, 2 test stories in common, 3 sizes of hours" in done.output
    assert "; crossed analysis of variance" in done.output
    told = f"--shared-story-sd {parts.shared_story_sd:.4g} r per decade (from the study)"
    assert told in done.output
    assert f"--subject-sd      {parts.subject_sd:.4g} r per decade (from the study)" in done.output
    assert f"--slope           {parts.slope:.4g} r per decade (from the study)" in done.output
    assert "--size-sd         0.5 r (given)" in done.output
    # 60 TRs of 2 s, of which 7 are trimmed.
    assert "--story-minutes   1.767 minutes (from the study)" in done.output
    assert "heard more than once, but counted once in test hours: x (3 times)" in done.output
    hours = pd.read_csv(table).query("stories == 20")["test_hours"]
    np.testing.assert_allclose(hours, 20 * 53 * 2 / 3600)
    assert "--story-minutes   12 minutes (given)" in invoke(path, "--story-minutes", "12").output
    assert "--story-minutes   10 minutes (assumed)" in invoke().output
    bad = invoke(path, "--axis", "layer")
    assert bad.exit_code == 2
    assert "--axis is 'layer'; choose one of n_params, hours, context" in bad.stderr
    none = invoke(path, "--axis", "context")
    assert none.exit_code == 2
    assert "has no two sizes along context" in none.stderr


def test_deviations_of_two_subjects_are_doubted_unless_given(path):
    done = invoke(path)
    assert done.stderr.splitlines() == [
        "warning: --subject-sd is estimated from only 2 subjects: the widths below may be far too "
        "narrow, and the power too high; give what you expect (--subject-sd X), or a study of more "
        "subjects."
    ]
    assert invoke(path, "--subject-sd", "0.01").stderr == ""
    assert invoke().stderr == ""


SIZES = np.array([1.0, 10.0, 100.0])


def scores_of(n_subjects, **changed):
    """Scores along hours, of planted components."""
    parts = {"subject_sd": 0.02, "story_sd": 0.01, "shared_story_sd": 0.02, "size_sd": 0.005}
    scores = planted_scores(n_subjects, 4, SIZES, seed=3, **{**parts, **changed})
    subjects = tuple(f"s{i}" for i in range(n_subjects))
    return StoryScores("hours", SIZES, scores, subjects, tuple("abcd"), 5.0)


@pytest.fixture
def told(monkeypatch):
    """Return a function that runs the command on scores, and returns what it prints."""
    monkeypatch.setattr(Study, "from_toml", lambda path, out=None: None)
    monkeypatch.setattr("voxscale.study.results", lambda study: None)

    def invoked(scores, *options):
        monkeypatch.setattr("voxscale.study.story_scores_along", lambda found, axis: scores)
        done = invoke("study.toml", *options)
        assert done.exit_code == 0, done.output
        return done

    return invoked


def test_four_subjects_are_not_doubted_and_three_are(told):
    assert all(getattr(scores_of(4).components, name) > 0 for name in COMPONENTS)
    assert told(scores_of(4)).stderr == ""
    assert "--subject-sd is estimated from only 3 subjects: the widths" in told(scores_of(3)).stderr


def test_one_subject_tells_nothing_of_subjects(told):
    done = told(scores_of(1))
    assert "warning: --subject-sd is assumed, since one subject tells nothing of it: the" in (
        done.stderr
    )
    assert "study.toml: 1 subject, 4 test stories, 3 sizes of hours (1 … 100); nested" in (
        done.stdout
    )
    assert "--subject-sd      0.003 r per decade (assumed)" in done.stdout


def test_components_of_nothing_are_doubted_unless_given(told):
    nothing = scores_of(6, subject_sd=0.0, shared_story_sd=0.0, story_sd=0.0, size_sd=0.02)
    flags = [
        "--" + name.replace("_", "-") for name in COMPONENTS
        if getattr(nothing.components, name) == 0
    ]  # fmt: skip
    assert flags == ["--subject-sd", "--shared-story-sd"]
    (line,) = told(nothing).stderr.splitlines()
    assert line.startswith(
        "warning: --subject-sd and --shared-story-sd came out as 0, as does every "
        "estimate below 0: the widths below may be far too narrow"
    )
    assert "(--subject-sd X --shared-story-sd X)" in line
    given = ("--subject-sd", "0.01")
    (line,) = told(nothing, *given).stderr.splitlines()
    assert "--shared-story-sd came out as 0" in line
    assert "the widths of one subject below may be" in line
    assert told(nothing, *given, "--shared-story-sd", "0.01").stderr == ""


def test_sizes_that_are_left_out_are_told_in_a_line_each(told):
    left_out = replace(
        scores_of(4), apart={"all": {"s0": 16.0, "s1": 6.25}, "3": {"s0": 1.5, "s1": 2.0}},
        lacking={"4.0 h": ("s2", "s3")},
    )  # fmt: skip
    lines = told(left_out).stdout.splitlines()
    assert (
        "  left out, since subjects differ by more than 10 % in hours: "
        "all (16 h of s0, 6.25 h of s1); 3 stories (1.5 h of s0, 2 h of s1)"
    ) in lines
    assert "  left out, since a subject has no results of it: 4.0 h (s2, s3)" in lines
    assert not any("left out" in line for line in told(scores_of(4)).stdout.splitlines())
    contexts = replace(scores_of(4), axis="context", lacking={64: ("s1",)})
    assert "since a subject has no results of it: 64 (s1)" in told(contexts).stdout


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--axis", "hours", "expected an axis of sizes that a study swept over"),
        ("--out", "there", "expected a folder of a study's results"),
    ],
)
def test_options_of_a_study_are_refused_without_one(option, value, expected):
    done = invoke(option, value)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert f"error: {option} is {value!r} without a study; {expected}" in done.stderr
    assert f"voxscale power study.toml {option} {value}, or drop {option}" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--subjects", "3,x"), "--subjects is '3,x'; expected whole numbers above 0"),
        (("--stories", "0"), "--stories is '0'"),
        (("--story-sd", "-1"), "--story-sd is -1.0; expected a standard deviation"),
        (("--decades", "0"), "--decades is 0.0; expected a number above 0"),
        (("--level", "95"), "--level is 95.0; expected a probability"),
        (("--story-minutes", "0"), "--story-minutes is 0.0; expected minutes above 0"),
        (("--width", "0"), "--width is 0.0; expected a width above 0"),
        (("--slope", "nan"), "--slope is nan; expected a number, in r per decade"),
    ],
)
def test_mistakes_are_told_with_code_2(arguments, said):
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert said in done.stderr
