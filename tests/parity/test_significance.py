"""False discovery rates against the old code's thresholds."""

import numpy as np
import pytest

from voxscale.evaluate import fdr, fdr_threshold


@pytest.fixture
def recorded(golden):
    with np.load(golden / "significance.npz") as file:
        return {name: file[name] for name in file.files if name.startswith("fdr")}


@pytest.mark.parametrize("q", ["0.05", "0.01", "0.2"])
@pytest.mark.parametrize(("place", "method"), [(0, "bh"), (1, "by")])
def test_thresholds_are_those_recorded(recorded, q, place, method):
    p = recorded["fdr_p"]
    expected = recorded[f"fdr_{q}"][place]
    found = fdr_threshold(p, float(q), method=method)
    if np.isfinite(expected):
        assert found == pytest.approx(expected, rel=1e-12)
        np.testing.assert_array_equal(
            fdr(p, method=method) <= float(q) * (1 + 1e-12), p <= expected
        )
    else:  # the old code's answer for none is -inf, ours NaN
        assert np.isnan(found)
