"""What is planted, without the model and on a dozen vertices: pinned, whole, or not there."""

import errno
import os

import numpy as np
import pytest

from voxscale.data import Transcript
from voxscale.errors import DataError, StoreError
from voxscale.features.echo import Echo
from voxscale.synthetic import demo

TR_TIMES = np.arange(40) * 2.0 + 1
LEFT = [[-52, -18, 6], [-60, -32, 6], [-46, -62, 26], [-50, 22, 12], [-6, -60, 36], [-30, 0, 70]]

# By recipe: TR 30 of a story and of the mean of the repeated one, and the truth, of "demo02".
# Where these change, so do everybody's planted brains: raise _RECIPE and pin what is planted then.
# fmt: off
PINNED = {
    2: {
        "hut": [
            0.84782, -0.75828, -1.36184, 1.02123, -0.54592, -1.09998,
            0.05613, -0.16083, -0.79593, -0.03216, -0.53987, -1.83334,
        ],
        "lighthouse": [
            -0.33925, 0.95536, 0.08483, 0.66706, -0.37951, -0.00580,
            1.28701, 0.77767, 0.09657, -0.57691, -0.25066, 0.08992,
        ],
        "lighthouse_repeat5": [
            -0.52110, 0.21031, -1.39834, 0.04459, -0.54956, -0.49187,
            1.44226, 1.11532, 0.43132, -0.80629, -0.69460, -0.23621,
        ],
        "accuracy": [
            0.84439, 0.81862, 0.83886, 0.80488, 0.83785, 0.00000,
            0.75882, 0.72735, 0.71598, 0.53243, 0.78715, 0.00000,
        ],
        "preferred_layer": [
            0, 0, 2, 1, 2, np.nan,
            0, 1, 2, 1, 2, np.nan,
        ],
        "signal_share": [
            0.62982, 0.57878, 0.61863, 0.55272, 0.61659, 0.00000,
            0.47113, 0.42037, 0.40299, 0.18731, 0.52027, 0.00000,
        ],
    },
}
# fmt: on


@pytest.fixture
def plant(tmp_path, monkeypatch):
    """Return a function that plants two short stories, and the folder where it does."""
    vertices = np.array(LEFT + [[-x, y, z] for x, y, z in LEFT], dtype=np.float64)
    monkeypatch.setattr(demo, "MODEL", "echo")
    monkeypatch.setattr(demo, "LAYERS", (0, 1, 2))
    monkeypatch.setattr(demo, "_N_COMPONENTS", 4)
    monkeypatch.setattr(demo, "fsaverage5_coordinates", lambda: vertices)
    words = {
        story: Transcript(
            [f"word{i * i % modulus}" for i in range(160)], np.arange(160) * 0.5 + 0.01 * modulus
        )
        for story, modulus in (("hut", 23), (demo.REPEATED, 31))
    }
    times = dict.fromkeys(words, TR_TIMES)
    return lambda: demo._planted(words, times, tmp_path / "planted"), tmp_path / "planted"


def test_planted_numbers_are_those_of_their_recipe(plant):
    folder = plant[0]() / "demo02"
    responses = ("hut", demo.REPEATED, f"{demo.REPEATED}_repeat{demo.N_REPEATS}")
    found = {name: np.load(folder / f"{name}.npy")[30] for name in responses}
    for name in ("accuracy", "preferred_layer", "signal_share"):
        found[name] = np.load(folder / f"truth_{name}.npy")
    expected = PINNED[demo._RECIPE]
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=2e-5, err_msg=name)


def test_regions_are_those_of_the_planted_signal_also_where_they_were_not_kept(plant, monkeypatch):
    folder = plant[0]() / "demo02"
    kept = demo._regions(folder, "demo02")
    assert kept.tolist() == [
        "left auditory", "left superior temporal", "left angular", "left inferior frontal",
        "left precuneus", "", "right auditory", "right superior temporal", "right angular",
        "right inferior frontal", "right precuneus", "",
    ]  # fmt: skip
    np.testing.assert_array_equal(kept == "", np.load(folder / "truth_signal_share.npy") == 0)
    path = folder / "region.npy"
    path.unlink()  # as a cache of an older version lacks it
    assert demo._regions(folder, "demo02").tolist() == kept.tolist()
    assert path.is_file()

    def missing():
        message = "nilearn is not installed"
        raise DataError(message)

    monkeypatch.setattr(demo, "fsaverage5_coordinates", missing)
    assert demo._regions(folder, "demo02").tolist() == kept.tolist()
    path.unlink()
    assert demo._regions(folder, "demo02") is None


def test_a_disk_that_fills_is_told_and_nothing_is_left(plant, monkeypatch):
    def full(path, array):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(demo, "write_npy", full)
    with pytest.raises(StoreError, match=r"cannot write .*planted.*: the disk is full"):
        plant[0]()
    assert list(plant[1].iterdir()) == []


def test_the_surface_is_loaded_once_and_before_the_model_reads(plant, monkeypatch):
    steps = []
    surface, extract = demo.fsaverage5_coordinates, Echo.extract
    monkeypatch.setattr(
        demo, "fsaverage5_coordinates", lambda: steps.append("surface") or surface()
    )
    monkeypatch.setattr(
        Echo, "extract", lambda *a, **options: steps.append("model") or extract(*a, **options)
    )
    plant[0]()
    assert steps == ["surface", "model"]


def test_without_the_surface_the_model_reads_nothing(plant, monkeypatch):
    def missing():
        message = "nilearn is not installed"
        raise DataError(message)

    monkeypatch.setattr(demo, "fsaverage5_coordinates", missing)
    monkeypatch.setattr(Echo, "extract", lambda *_, **options: pytest.fail("too late"))
    with pytest.raises(DataError, match="nilearn is not installed"):
        plant[0]()
    assert list(plant[1].iterdir()) == []
