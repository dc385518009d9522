"""What docstrings tell of false positives is what was measured."""

import inspect
import json
from pathlib import Path

import pytest

from voxscale.evaluate import compare_models, permutation_test

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "false_positives.json"


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("permutation_test, min_shift", permutation_test),
        ("permutation_test, kinds", permutation_test),
        ("compare_models", compare_models),
    ],
)
def test_tables_of_docstrings_are_those_of_the_benchmark(name, function):
    if not RESULTS.exists():
        pytest.skip("the results of benchmarks are not beside these tests")
    lines = json.loads(RESULTS.read_text())["tables"][name]
    assert len(lines) > 6
    assert "\n".join(lines) in inspect.getdoc(function)


def test_every_cell_rests_on_enough_voxels():
    if not RESULTS.exists():
        pytest.skip("the results of benchmarks are not beside these tests")
    problem = json.loads(RESULTS.read_text())["problem"]
    assert problem["n_batches"] * problem["n_voxels"] >= 20_000
    assert problem["n_permutations"] >= 200
