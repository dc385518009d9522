"""Noise ceilings against the old code's, as intended and as it was.

The old code could not run without ``max_flooring``, ignored its value, and gave ±inf, 1.8e308
or |cc_norm| far above 1 where there is no signal. Ours floors, and has NaN where there is none.
"""

import numpy as np
import pytest

from voxscale.errors import AlignmentError
from voxscale.evaluate import noise_ceiling, noise_ceiling_huth2023

CLOSE = {"rtol": 1e-7, "atol": 1e-7}


@pytest.fixture
def recorded(golden):
    with np.load(golden / "noise_ceiling.npz") as file:
        return dict(file)


def test_z_scored_trials_as_intended(recorded):
    ceiling = noise_ceiling(recorded["trials_z"], total_power=1)
    guess = recorded["pred"]
    np.testing.assert_allclose(ceiling.signal_power, recorded["z/SP"], **CLOSE)
    np.testing.assert_allclose(ceiling.cc_abs(guess), recorded["z/corrs"], **CLOSE)
    np.testing.assert_allclose(ceiling.cc_norm(guess), recorded["z/cc_norm_direct"], **CLOSE)
    np.testing.assert_allclose(
        ceiling.cc_norm(guess, floor=0.25), recorded["z/cc_norm_floored0.25"], **CLOSE
    )
    np.testing.assert_allclose(
        np.fmax(ceiling.cc_max, 0.25), recorded["z/cc_max_floored0.25"], **CLOSE
    )


@pytest.mark.parametrize(
    ("kind", "trials", "total_power"), [("z", "trials_z", 1), ("raw", "trials", None)]
)
def test_where_there_is_signal_the_source_is_reproduced(recorded, kind, trials, total_power):
    ceiling = noise_ceiling(recorded[trials], total_power=total_power)
    guess = recorded["pred"]
    signal = ceiling.signal_power > 0
    assert 7 <= signal.sum() < 9
    ours = {"cc_max": ceiling.cc_max, "SPE": ceiling.spe(guess), "cc_norm": ceiling.cc_norm(guess)}
    for name, values in ours.items():
        np.testing.assert_allclose(values[signal], recorded[f"{kind}/{name}"][signal], **CLOSE)
        assert np.isnan(values[~signal]).all()
    np.testing.assert_allclose(ceiling.cc_abs(guess), recorded[f"{kind}/corrs"], **CLOSE)
    # What the source had instead of "no answer":
    assert np.isinf(recorded[f"{kind}/cc_norm"][~signal]).all()
    assert (recorded[f"{kind}/cc_max"][~signal] == 0).all()


def test_the_source_ignored_its_floor(recorded):
    low = recorded["z/cc_max"] < 0.25
    np.testing.assert_array_equal(low, [True, True, *[False] * 7])
    assert recorded["z/cc_norm"][1] > 1.9  # cc_abs / 0.17, although the floor was 0.25
    ours = noise_ceiling(recorded["trials_z"], total_power=1).cc_norm(recorded["pred"], floor=0.25)
    assert ours[1] == pytest.approx(recorded["z/corrs"][1] / 0.25)
    assert ours[0] == pytest.approx(recorded["z/corrs"][0] / 0.25)  # no signal power at all


def test_bad_voxels_have_no_answer(recorded):
    ceiling = noise_ceiling(recorded["trials_z_bad"], total_power=1)
    guess = recorded["pred_bad"]
    good = np.arange(9) > 3
    # 0 and 1: no signal power; 2: silent; 3: constant prediction.
    np.testing.assert_array_equal(np.isnan(ceiling.cc_max), [1, 1, 1, *[0] * 6])
    np.testing.assert_array_equal(np.isnan(ceiling.spe(guess)), [1, 1, 1, *[0] * 6])
    np.testing.assert_array_equal(np.isnan(ceiling.cc_norm(guess)), [1, 1, 1, 1, *[0] * 5])
    floored = ceiling.cc_norm(guess, floor=0.25)
    np.testing.assert_array_equal(np.isnan(floored), [0, 0, 1, 1, *[0] * 5])
    for name, ours in (
        ("cc_max", ceiling.cc_max),
        ("SPE", ceiling.spe(guess)),
        ("cc_norm", ceiling.cc_norm(guess)),
    ):
        np.testing.assert_allclose(ours[good], recorded[f"bad/{name}"][good], **CLOSE)
    assert ceiling.spe(guess)[3] == pytest.approx(recorded["bad/SPE"][3], abs=1e-12)
    # The source: a silent voxel had a ceiling of 1.8e308, one without signal scored ±inf.
    assert recorded["bad/cc_max"][2] > 1e308
    assert np.isinf(recorded["bad/cc_norm"][:2]).all()


def test_the_source_needed_a_floor_to_run(recorded):
    assert "corrs" in str(recorded["no_flooring_ERROR"])
    assert np.isfinite(noise_ceiling(recorded["trials"]).cc_norm(recorded["pred"])).any()


@pytest.mark.parametrize(
    ("kind", "trials", "guess", "unit_variance"),
    [
        ("z", "trials_z", "pred", True),
        ("raw", "trials", "pred", False),
        ("bad", "trials_z_bad", "pred_bad", True),
    ],
)
def test_the_published_arithmetic(recorded, kind, trials, guess, unit_variance):
    """Infinities, zeros and 1.8e308 included."""
    ours = noise_ceiling_huth2023(recorded[trials], recorded[guess], unit_variance=unit_variance)
    theirs = {"spe": "SPE", "cc_norm": "cc_norm", "cc_max": "cc_max", "correlation": "corrs"}
    for name, their_name in theirs.items():
        np.testing.assert_allclose(getattr(ours, name), recorded[f"{kind}/{their_name}"], **CLOSE)


def test_the_published_arithmetic_refuses_what_does_not_match(recorded):
    with pytest.raises(AlignmentError, match=r"trials have shape \(5, 60, 9\), predictions \(59"):
        noise_ceiling_huth2023(recorded["trials_z"], recorded["pred"][1:])
    with pytest.raises(ValueError, match="1 trial; expected two"):
        noise_ceiling_huth2023(recorded["trials_z"][:1], recorded["pred"])
