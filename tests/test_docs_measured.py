"""What the pages on power and on surfaces say was measured is what the files of numbers hold."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from voxscale.cli._power_assumed import COMPONENTS

ROOT = Path(__file__).resolve().parents[1]


def text_of(page):
    return " ".join((ROOT / "docs" / page).read_text(encoding="utf-8").split())


def results_of(benchmark):
    path = ROOT / "benchmarks" / "results" / f"{benchmark}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_page_on_power_tells_the_deviations_that_were_simulated():
    measured = results_of("power_defaults")
    found = {name: np.array(values) for name, values in measured["components"].items()}
    assert {values.shape for values in found.values()} == {(10,)}
    words = ("subjects", "stories", "what stories share", "sizes")
    told = ", ".join(
        f"{word} {np.sqrt(np.mean(found[name] ** 2)):.3f} "
        f"({found[name].min():.3f} to {found[name].max():.3f})"
        for word, name in zip(words, COMPONENTS, strict=True)
    )
    page = text_of("power.md")
    assert f"as root mean squares and from the least to the most: {told}." in page
    means = np.mean(measured["mean_r"]), found["slope"].mean()
    assert "mean r {:.2f}, mean slope {:.3f})".format(*means) in page


@pytest.mark.parametrize("name", COMPONENTS)
def test_what_power_assumes_is_the_root_mean_square_of_what_was_simulated(name):
    values = np.array(results_of("power_defaults")["components"][name])
    flag = f"--{name.replace('_', '-')}"
    row = rf"^\| `{flag}` \|.*\| ([\d.]+) \|$"  # tests/test_docs_scaling.py asks the command
    page = (ROOT / "docs" / "power.md").read_text(encoding="utf-8")
    assumed = float(re.search(row, page, re.MULTILINE).group(1))
    assert assumed == round(float(np.sqrt(np.mean(values**2))), 3)


def per_cent(rates):
    return f"{100 * min(rates):.1f} to {100 * max(rates):.1f} %"


def test_the_page_on_surfaces_tells_the_coverage_that_was_measured():
    measured = results_of("surface_coverage")
    rates, page = measured["rates"], text_of("surfaces.md")
    assert measured["repeats"] == 1000

    def parameters(name):
        return [one for what, one in rates[name].items() if what not in ("exchange", "needed")]

    three, eight = rates["t, 3 units"], rates["t, 8 units"]
    assert three["exchange"] == eight["exchange"]
    differ = [
        one for name, some in rates.items() if name.endswith("who differ") for one in some.values()
    ]
    for told in (
        f"by t held each parameter in {per_cent(parameters('t, 3 units'))} with three units and in "
        f"{per_cent(parameters('t, 8 units'))} with eight, an exchange in "
        f"{100 * three['exchange']:.1f} %, and a size needed in {100 * three['needed']:.1f} and "
        f"{100 * eight['needed']:.1f} %; by residuals all of these in "
        f"{per_cent(rates['residual, 8 units'].values())}; percentile bootstraps of eight units "
        f"held them in {per_cent(rates['percentile, 8 units'].values())}, of twenty in "
        f"{per_cent(rates['percentile, 20 units'].values())}.",
        f"t held those of the mean subject in {per_cent(differ)}",
    ):
        assert told in page


def test_the_page_on_surfaces_tells_how_sure_its_shares_are():
    page = text_of("surfaces.md")
    told = re.search(
        r"in about (\d+) %, and the one over stories in about (\d+) % "
        r"\(`(.*?)`: (\d+) and (\d+) of 200, which tells such shares to within (\d) and (\d) %\)",
        page,
    )
    assert (ROOT / told.group(3)).exists()
    numbers = zip(told.groups()[:2], told.groups()[3:5], told.groups()[5:], strict=True)
    for about, n, within in numbers:
        share = int(n) / 200
        half = 1.96 * np.sqrt(share * (1 - share) / 200)
        assert f"{100 * half:.0f}" == within
        assert abs(100 * share - int(about)) < 100 * half
