"""The page on scaling laws runs, and says what the program does."""

import json
import re
from pathlib import Path

import numpy as np

from voxscale.scaling._kinds import KINDS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scaling.md"


def test_the_page_on_scaling_laws_runs(capsys):
    names = {}
    exec("\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)), names)
    law = names["law"]
    low, high = law.exponent_interval
    assert low < 0.3 < high
    assert law.interval_over == "subject"
    assert names["found"].chosen in {"power", "broken"}
    assert names["exponents"].exponents.shape == (500,)
    assert np.isfinite(names["slopes"].q_values).all()
    low, high = names["by_size"].exchange_interval(names["by_hours"])
    assert low < 10**0.4 < high
    said = capsys.readouterr().out
    for part in ("95 % intervals (t) over 3 subjects", "bends down", "AICc", "decades beyond"):
        assert part in said


def test_the_table_of_laws_is_that_of_the_program():
    rows = dict(re.findall(r'^\| `"([a-z-]+)"` \|.*?\| (\d) \|', PAGE.read_text(), re.MULTILINE))
    assert rows == {name: str(kind.least_sizes) for name, kind in KINDS.items()}


def test_the_tables_of_choices_and_of_harder_studies_are_what_was_measured():
    results = PAGE.parents[1] / "benchmarks" / "results"
    harder = [
        f"| {one['study']['name']} | {name} | "
        + " | ".join(f"{100 * one[by][name]['coverage']:.1f}" for by in ("t", "percentile", "bca"))
        + f" | {one['t'][name]['median_width']:.3g} | {100 * one['t'][name]['endless']:.1f} |"
        for one in json.loads((results / "scaling_coverage_harder.json").read_text())["results"]
        for name in one["truth"]
    ]
    cells = {}
    for one in json.loads((results / "scaling_choice.json").read_text())["results"]:
        ours, aicc = (100 * one[rule][one["kind"]] for rule in ("chosen", "by_aicc_alone"))
        cells.setdefault((one["n_sizes"], one["scatter"]), []).append(f"{ours:.0f} ({aicc:.0f})")
    choices = [f"| {n} | {scatter} | {' | '.join(c)} |" for (n, scatter), c in cells.items()]
    assert min(len(harder), len(choices)) > 10
    for rows in (harder, choices):
        assert "\n".join(rows) in PAGE.read_text()


def test_the_table_of_coverage_is_what_was_measured():
    path = PAGE.parents[1] / "benchmarks" / "results" / "scaling_coverage.json"
    rows = [
        f"| {one['study']['name']} | {name} | "
        + " | ".join(f"{100 * one[by][name]['coverage']:.1f}" for by in ("t", "percentile", "bca"))
        + " |"
        for one in json.loads(path.read_text())["results"]
        for name in one["truth"]
    ]
    assert len(rows) > 20
    assert "\n".join(rows) in PAGE.read_text()
