"""What the page on performance says of published files and flat maps is what was measured."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")


def results_of(benchmark):
    path = ROOT / "benchmarks" / "results" / f"{benchmark}.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", ["raw, C order", "raw, Fortran order", "zlib, C order"])
def test_predictions_from_published_weights(kind):
    measured = results_of("released_predictions")
    assert measured["shape"] == [28_672, 95_556]
    row = measured["kinds"][kind]
    told = "| {} | {:.1f} GiB | {:.2f} GiB | {:.0f} s |"
    assert told.format(kind, row["file_gib"], row["peak_gib"], row["seconds"]) in PAGE
    assert row["peak_gib"] * 1.0737 < 2.5  # GB
    assert row["largest_relative_error"] < 2e-6


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("noise", "random noise, a voxel each"),
        ("smooth", "a smooth field"),
        ("vertices", "random noise, a vertex each"),
    ],
)
def test_pixels_agree_with_pycortex(what, words):
    found = results_of("flatmaps")["agreement"][what]
    either = [100 * found["inside_either"][one] for one in ("0.01", "0.02")]
    assert either[0] >= 98
    assert "| {} | {:.1f} % | {:.1f} % |".format(words, *either) in PAGE


def test_seconds_of_flat_maps():
    found = results_of("flatmaps")["voxscale"]
    s1, fsaverage = (found[one]["figure_again_median"] for one in ("S1", "fsaverage5"))
    assert s1["figure_s"] <= 3
    assert fsaverage["figure_s"] <= 1
    told = "| ≤ 3 s, ≤ 1 s | {:.1f} s | {:.2f} s |"
    assert told.format(s1["figure_s"], fsaverage["figure_s"]) in PAGE
    told = "| {:.1f} s | {:.1f} s |".format(s1["process_s"], fsaverage["process_s"])
    assert f"with Python's start and all imports | – {told}" in PAGE
