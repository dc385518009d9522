"""Pages of the published tutorial, run on a miniature; what was planted in it is found."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import voxscale as vs
from voxscale.data.antonello2023 import Antonello2023, one_array
from voxscale.errors import VoxscaleWarning
from voxscale.fit import center_of_mass
from voxscale.synthetic import write_antonello2023

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("predictions", "ceiling", "time_course", "stacking", "center_of_mass", "features", "fit")
FIGURES = {
    "predictions": {"predictions-r"}, "ceiling": {"ceiling-r", "ceiling-room"},
    "time_course": {"time-course"},
    "stacking": {"stacking-attribution", "stacking-gain-intended", "stacking-gain-published"},
    "center_of_mass": {"center-of-mass", "center-of-mass-published"}, "features": set(),
    "fit": {"fit-r", "fit-r2"},
}  # fmt: skip
MOST_LINES = 66


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("pages", ROOT / "tools" / "tutorial_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Run every page on one miniature; return what they printed, and where figures are."""
    pytest.importorskip("nibabel")
    folder = tmp_path_factory.mktemp("tutorial")
    truth = write_antonello2023(folder / "box", n_across=21)

    def run(page):
        script = str(ROOT / "examples" / f"tutorial_{page}.py")
        command = [sys.executable, script, str(folder / "box"), str(folder / page)]
        quiet = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default"}
        done = subprocess.run(command, capture_output=True, text=True, env=quiet)
        assert done.returncode == 0, done.stderr
        return " ".join(done.stdout.split())

    with ThreadPoolExecutor(2) as pool:
        printed = dict(zip(PAGES, pool.map(run, PAGES), strict=True))
    return folder, printed, truth


def number(text, pattern):
    return float(re.search(pattern, text)[1])


@pytest.mark.parametrize("page", PAGES)
def test_every_page_draws_its_figures(ran, page):
    folder = ran[0]
    assert {path.stem for path in (folder / page).glob("*.png")} == FIGURES[page]


def test_stories_without_words_are_listed_where_responses_are_read(ran):
    told = r"Warning: .* responses of 30 stories where words have 28.*canplanetearthfeedten"
    assert all(re.search(told, text) for page, text in ran[1].items() if page != "center_of_mass")


def test_every_page_says_whose_content_it_shows(ran):
    for page, text in ran[1].items():
        assert f"made-up content of {ran[0] / 'box'} figures go to {ran[0] / page}" in text


def test_a_page_needs_only_what_it_reads(ran, tmp_path):
    for part in ("stacked_regression", "pycortex-db"):
        shutil.copytree(ran[0] / "box" / part, tmp_path / "box" / part)
    script = str(ROOT / "examples" / "tutorial_center_of_mass.py")
    command = [sys.executable, script, str(tmp_path / "box"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "published files of" in done.stdout


def test_a_wrong_folder_is_one_line(tmp_path):
    script = str(ROOT / "examples" / "tutorial_ceiling.py")
    command = [sys.executable, script, str(tmp_path), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {tmp_path} has none of the folders")
    assert "Traceback" not in done.stderr


def test_predictions_find_what_was_planted(ran):
    text = ran[1]["predictions"]
    assert number(text, r"best r = ([\d.]+)") > 0.6
    assert number(text, r"([\d.]+): mean_voxels of r,") > 0.15
    assert number(text, r"([\d.]+): mean_voxels of signed_r2") > 0.05


def test_ceilings_are_those_of_the_published_arithmetic_where_there_is_one(ran):
    text = ran[1]["ceiling"]
    assert number(text, r"both have a number: ([\d.e+-]+)") < 1e-6
    n_with, n_voxels = (int(n) for n in re.search(r"(\d+) of (\d+) voxels have", text).groups())
    assert 0.5 * n_voxels < n_with < n_voxels


def test_the_voxel_that_is_shown_is_predicted(ran):
    assert number(ran[1]["time_course"], r"r = ([\d.]+) with the mean of 10") > 0.8


def test_the_mix_gains_where_language_has_its_own_predictions(ran):
    text = ran[1]["stacking"]
    assert "5 of " in text
    assert "voxels have no stacking weights" in text
    found = dict(re.findall(r"(as \w+): the mix .*? gain there ([-\d.]+)", text))
    assert float(found["as intended"]) > float(found["as published"]) + 0.02


def test_the_published_centre_is_pulled_to_the_shallow_layers(ran):
    text = ran[1]["center_of_mass"]
    ours, theirs = re.search(r"median centre: ([\d.]+) of 15, as published ([\d.]+)", text).groups()
    assert float(theirs) < float(ours) - 2


def test_the_centre_lies_at_the_layer_that_was_planted(ran):
    """Where speech has most of the weight; elsewhere the weights of layers say little."""
    from scipy.stats import spearmanr

    box, truth = Antonello2023(ran[0] / "box"), ran[2]
    R = one_array(box.stacking("UTS03").residual_covariances)
    with pytest.warns(VoxscaleWarning, match="5 of"):
        weights = vs.stacking_weights(R[:, 1:, 1:])
    centre = center_of_mass(weights, slice(0, 16))
    sure = (truth.signal_sd > 0.5) & (truth.speech_share > 0.5) & np.isfinite(centre)
    assert sure.sum() > 50
    assert spearmanr(centre[sure], truth.speech_layer[sure]).statistic > 0.9
    assert np.abs(centre[sure] - truth.speech_layer[sure]).mean() < 2


def test_features_of_every_word(ran):
    text = ran[1]["features"]
    n_words = re.search(r"25 stories, ([\d,]+) words, 32 numbers each", text)[1]
    assert int(n_words.replace(",", "")) > 25 * 300
    assert number(text, r"(\d+)% of the words of souls have other states") > 30
    assert re.search(r"on TRs: \(1\d\d, 32\)", text)


def test_a_fit_tells_what_the_protocol_chose(ran):
    text = ran[1]["fit"]
    assert "TRs cut: (10, 5) in training, (50, 5) in test" in text
    assert "alphas: 15, 100 to 1e+08" in text
    assert re.search(r"24 training stories, \d+ TRs, 128 columns", text)
    assert number(text, r"([\d.]+): mean_voxels of r,") > 0.2
    assert number(text, r"mean of voxels: ([\d.]+)") > 0.1
    counts = [int(n) for n in re.findall(r"theirs: [\d.e+]+\): (\d+) voxels", text)]
    assert sum(counts) > 200


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_short_and_made_of_cells(maker, page):
    assert tuple(maker.PAGES) == PAGES
    script = (ROOT / "examples" / f"tutorial_{page}.py").read_text(encoding="utf-8")
    assert len(script.splitlines()) <= MOST_LINES
    title, text, cells = maker.cells_of(script)
    assert title[0].isupper()
    assert text
    for prose, code in cells:
        assert prose.rstrip(")").endswith(".")
        compile(code, page, "exec")
    lines = "\n".join(code for _, code in cells).splitlines()
    own = [line for line in script.split("\n# %%\n", 1)[1].splitlines() if line in lines]
    assert [one for one in lines if one] == [one for one in own if one]
