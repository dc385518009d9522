"""``voxscale power``: a table of widths, from assumptions or from a study."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from voxscale.cli import app
from voxscale.scaling import slope_interval_width, slope_power
from voxscale.study import Study, results, run, story_scores_along


def invoke(*arguments):
    return CliRunner().invoke(app, ["power", *(str(one) for one in arguments)])


def test_widths_come_from_what_was_given_and_what_is_assumed_is_said(tmp_path):
    path = tmp_path / "power.csv"
    done = invoke(
        "--subjects", "3,8", "--stories", "2,4", "--sizes", "5", "--subject-sd", "0.01",
        "--decades", "2", "--story-minutes", "15", "--csv", path,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "--subject-sd      0.01 (given)" in done.output
    assert "--story-sd        0.002 (assumed)" in done.output
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


def test_the_smallest_that_is_narrow_enough_is_named():
    grid = ("--subjects", "1,4,16", "--stories", "1,2", "--sizes", "3,5")
    done = invoke(*grid, "--width", "0.012")
    # 4 subjects are never narrow enough, and one subject is not asked about.
    assert "smallest for a width of 0.012: 16 subjects, 1 test stories each" in done.output
    none = invoke(*grid, "--width", "0.0001")
    assert "no combination of several subjects above has a width of 0.0001" in none.output
    alone = invoke("--subjects", "1", "--stories", "1,9", "--sizes", "5", "--width", "0.02")
    assert "smallest for a width of 0.02: 1 subjects, 9 test stories each" in alone.output
    assert "9 test stories each (1.50 test hours, 1.50 in all)" in alone.output
    assert " - " in alone.output  # one subject with one story has no interval


def test_a_study_tells_what_varies(tiny, tmp_path):
    path = tiny.write_study(tmp_path, layers="[2]", contexts="[32]")
    study = Study.from_toml(path)
    run(study, progress=False, device="cpu")
    parts = story_scores_along(results(study)).components
    done = invoke(path, "--size-sd", "0.5")
    assert done.exit_code == 0, done.output
    assert "2 subject(s), 2 test story(ies) in common, 3 sizes of hours" in done.output
    assert "; crossed analysis of variance" in done.output
    assert f"--shared-story-sd {parts.shared_story_sd:.4g} (from the study)" in done.output
    assert f"--subject-sd      {parts.subject_sd:.4g} (from the study)" in done.output
    assert f"--slope           {parts.slope:.4g} (from the study)" in done.output
    assert "--size-sd         0.5 (given)" in done.output
    bad = invoke(path, "--axis", "layer")
    assert bad.exit_code == 2
    assert "--axis is 'layer'; choose one of n_params, hours, context" in bad.stderr
    none = invoke(path, "--axis", "context")
    assert none.exit_code == 2
    assert "has no two sizes along context" in none.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--subjects", "3,x"), "--subjects is '3,x'; expected whole numbers above 0"),
        (("--stories", "0"), "--stories is '0'"),
        (("--story-sd", "-1"), "--story-sd is -1.0; expected a standard deviation"),
        (("--decades", "0"), "--decades is 0.0; expected a number above 0"),
        (("--level", "95"), "--level is 95.0; expected a probability"),
        (("--story-minutes", "0"), "--story-minutes is 0.0"),
    ],
)
def test_mistakes_are_told_with_code_2(arguments, said):
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert said in done.stderr
