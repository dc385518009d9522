"""What the pages on surfaces and on power show runs, and finds what was planted."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from voxscale.cli import app

ROOT = Path(__file__).resolve().parents[1]


def page_names(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    names = {}
    exec("\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL)), names)
    return names


def test_the_page_on_surfaces_runs():
    names = page_names("surfaces.md")
    surface = names["surface"]
    assert (surface.interval_over, surface.n_members) == ("subject", 3)
    low, high = surface.asymptote_interval
    assert low < 0.4 < high
    np.testing.assert_allclose(list(surface.exponents.values()), [0.2, 0.7], atol=0.03)
    assert names["need"].low < names["need"].value < names["need"].high
    sizes, hours = names["curves"][0.34]
    shown = np.isfinite(hours)
    there = surface.predict({"n_params": sizes[shown], "hours": hours[shown]})
    np.testing.assert_allclose(there, 0.34)
    voxels, regions = names["voxels"], names["regions"]
    np.testing.assert_allclose(voxels.slopes, np.linspace(0.01, 0.03, 40), atol=0.01)
    assert regions.groups == ("AC", "PFC")
    assert regions.differences[0] < 0 < regions.differences[1]
    law = names["law"]
    assert (law.exponent_low < [0.15, 0.25]).all()
    assert (law.exponent_high > [0.15, 0.25]).all()
    reached = names["r"].mean() / names["truth"].attainable(5)[3].mean()
    assert 0.8 < reached < 1.05


def test_the_page_on_power_runs():
    names = page_names("power.md")
    assert names["scores"].shape == (3, 5, 6)
    assert math.isfinite(names["parts"].subject_sd)


def test_the_page_on_power_tells_what_the_command_assumes():
    page = (ROOT / "docs" / "power.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(--[\w-]+)` \|.*\| ([\d.]+) \|$", page, re.MULTILINE))
    shown = CliRunner().invoke(app, ["power"]).output
    told = re.findall(r"^  (--[\w-]+) +([\d.]+) [a-z ]+ \(assumed\)$", shown, re.MULTILINE)
    assert rows == dict(told)
    first = re.search(r"^voxscale (power --subjects.*)$", page, re.MULTILINE).group(1)
    done = CliRunner().invoke(app, first.split())
    assert done.exit_code == 0
    assert "with a width of 0.01 or less:\n" in done.output


@pytest.mark.parametrize(("few", "many"), [((5, 1), (3, 20))])
def test_subjects_gain_more_than_stories_as_the_page_says(few, many):
    shown = CliRunner().invoke(app, ["power", "--sizes", "5"]).output
    widths = {
        (int(subjects), int(stories)): float(width)
        for subjects, stories, width in re.findall(
            r"^ +(\d+) +(\d+) +[\d.]+ +5 +([\d.]+)", shown, re.MULTILINE
        )
    }
    assert widths[few] == pytest.approx(widths[many], rel=0.1)
