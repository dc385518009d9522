"""Stacking against the published notebook, as intended and as it was."""

import numpy as np
import pytest

from voxscale.errors import VoxscaleWarning
from voxscale.evaluate import stacked_scores
from voxscale.fit import center_of_mass, stacked_prediction, stacking_weights

SMALL = ("identity3", "dominated", "psd5", "rankdef6", "asym_lower_sym")


@pytest.fixture
def recorded(golden):
    with np.load(golden / "stacking.npz") as file:
        return dict(file)


@pytest.fixture
def small(golden):
    with np.load(golden / "stacking_small_qp.npz") as file:
        return dict(file)


@pytest.mark.parametrize("name", SMALL)
def test_small_problems(small, name):
    R = small[f"{name}/R"]
    weights = stacking_weights(R)
    objective = weights @ R @ weights / 2
    expected = float(small[f"{name}/objective_half_aRa_lowertri"])
    assert objective <= expected * (1 + 1e-6) + 1e-12
    if name != "rankdef6":  # several mixes are equally good there
        np.testing.assert_allclose(weights, small[f"{name}/alpha"], atol=1e-4)


def test_the_source_read_the_lower_triangle_alone(small):
    with pytest.warns(VoxscaleWarning, match="not symmetric"):
        ours = stacking_weights(small["asymmetric/R"])
    np.testing.assert_allclose(ours, small["asym_mean_sym/alpha"], atol=1e-4)
    np.testing.assert_allclose(small["asymmetric/alpha"], small["asym_lower_sym/alpha"], atol=1e-6)


def test_weights_without_the_first_source(recorded):
    weights = stacking_weights(recorded["R"][:, 1:, 1:])
    np.testing.assert_allclose(weights, recorded["alphas"], atol=1e-4)


def test_centers_of_mass(recorded):
    speech = slice(0, 16)
    ours = center_of_mass(recorded["alphas"], speech)
    np.testing.assert_allclose(ours, recorded["com_normalised"], atol=1e-6)
    ours = center_of_mass(recorded["alphas"], speech, renormalize=False)
    np.testing.assert_allclose(ours, recorded["com"], atol=1e-6)


def test_predictions_as_intended(recorded):
    mix = stacked_prediction(recorded["layer_preds"], recorded["alphas"])
    np.testing.assert_allclose(mix, recorded["intended/pred"], atol=1e-7)


def test_predictions_and_scores_as_published(recorded):
    """The published code gave the language model's weight to the last layer of speech."""
    mix = stacked_prediction(recorded["layer_preds"], recorded["alphas"], protocol="huth2023")
    np.testing.assert_allclose(mix, recorded["as_source/pred"], atol=1e-7)
    check_scores(recorded, mix, "as_source")


def test_an_unknown_protocol(recorded):
    with pytest.raises(ValueError, match=r"protocol 'huth' is unknown; choose None or 'huth2023'"):
        stacked_prediction(recorded["layer_preds"], recorded["alphas"], protocol="huth")


def test_scores_as_intended(recorded):
    mix = stacked_prediction(recorded["layer_preds"], recorded["alphas"])
    check_scores(recorded, mix, "intended")


def check_scores(recorded, mix, kind):
    n_test = int(recorded["n_test"])
    stories = {"test": n_test, "validation": len(mix) - n_test}
    language = {"language": recorded["layer_preds"][16]}
    scores = stacked_scores(
        recorded["gt"], mix, language, stories, validation=["validation"], test=["test"]
    )
    ours = {
        "val_stacked": scores.validation_stacked,
        "val_semantic": scores.validation_single,
        "test_stacked": scores.test,  # of the notebook, after its mask
        "test_semantic": scores.test_single,
    }
    for name, values in ours.items():
        np.testing.assert_allclose(values, recorded[f"{kind}/{name}"], atol=1e-7, err_msg=name)
    np.testing.assert_array_equal(scores.is_stacked, recorded[f"{kind}/val_mask"])
