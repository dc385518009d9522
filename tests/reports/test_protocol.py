"""The page of a study that follows the published protocol, with trims of its own for test runs."""

import html
import re

import numpy as np
import pandas as pd
import pytest

from voxscale.reports import report
from voxscale.study import Study, results, run

TRIM = (8, 3)


@pytest.fixture(scope="module")
def study(tiny, tmp_path_factory):
    text = tiny.STUDY.replace(
        "trim = [5, 2]", f'trim = [5, 2]\ntest_trim = {list(TRIM)}\nprotocol = "huth2023"'
    ).replace("[fit]", "[fit]\ncv = { chunk_len = 5, share = 0.25, n_repeats = 2 }")
    fields = {"contexts": "[32]", "training_stories": "[3]", "n_permutations": "0"}
    made = Study.from_toml(tiny.write_study(tmp_path_factory.mktemp("study"), text, **fields))
    run(made, progress=False)
    return made


@pytest.fixture(scope="module")
def page(study):
    return report(study)


def told(page, anchor):
    text = page.read_text(encoding="utf-8")
    inside = re.search(rf'<section id="{anchor}">(.*?)</section>', text, re.DOTALL)[1]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", inside)).split())


def test_time_courses_begin_where_test_runs_do_and_are_what_was_scored(study, page, tiny):
    shown = pd.read_csv(page.parent / "figures" / "time-courses.csv")
    data, found = tiny.load("s1"), results(study)
    for name, rows in shown.groupby("example"):
        voxel, layer = map(int, re.search(r"number (\d+), layer (\d+)", name).groups())
        np.testing.assert_allclose(rows["time_s"], tiny.TR_TIMES[TRIM[0] : -TRIM[1]])
        stored = [one.values[TRIM[0] : -TRIM[1], voxel] for one in data.trials["x"]]
        mean = np.mean(stored, axis=0, dtype=np.float64)  # not z-scored: as they are stored
        np.testing.assert_allclose(rows["mean"], mean - mean.mean(), atol=1e-6)
        (cell,) = found.select(subject="s1", layer=layer)
        r = np.corrcoef(rows["mean"], rows["prediction"])[0, 1]
        assert r == pytest.approx(found.by_story(cell)["x"][voxel], abs=1e-5)
    caption = told(page, "courses")
    assert "without the 8 TRs at its start and 3 at its end that were trimmed" in caption
    assert "Grey: single repeats, as they are stored." in caption
    assert "standard deviations" not in caption


def test_settings_and_scores_are_told_as_they_were_made(page, tiny):
    ran = told(page, "what-was-run")
    assert "trimmed (TRs at start, end) 5, 2 trimmed in test runs 8, 3" in ran
    assert "25 % of the TRs held out 2 times, in random chunks of 5 TRs, no gap" in ran
    assert f" {2 * (tiny.N_TRS - sum(TRIM))} 2.0 x, y " in ran  # test TRs, TR, test stories
    layers = told(page, "layers")
    assert "comes from chunks of the training stories, held out at random, and is" in layers
