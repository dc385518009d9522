"""The public names are those promised, and importing them costs next to nothing."""

import subprocess
import sys

import pytest

import voxscale as vs
from voxscale import errors

PROMISED = {
    # data
    "datasets", "load", "read_textgrid", "read_transcript", "Transcript", "read_tr_report",
    # features
    "language_states", "speech_states", "word_rate",
    # design
    "EventSeries", "lanczos", "delay", "zscore", "DesignRecipe",
    # fit
    "chunk_holdout", "RidgeCV", "BandedRidgeCV", "Stacking", "stacking_weights",
    # evaluate
    "correlation", "r2", "signed_r2", "noise_ceiling", "permutation_test",
    # scaling
    "fit_scaling_law",
    # study and report
    "Study", "plan", "run", "results", "flatmap", "scaling_curve", "report",
}  # fmt: skip
BESIDE = {
    "AlignmentError", "ConfigError", "DataError", "FitError", "StoreError", "VoxscaleError",
    "Dataset", "TRSeries", "read_responses", "__version__",
}  # fmt: skip


def test_the_surface_is_the_one_promised():
    assert set(vs.__all__) == PROMISED | BESIDE
    assert vs.__all__ == sorted(vs.__all__)
    assert dir(vs) == vs.__all__


@pytest.mark.parametrize("name", sorted(PROMISED | BESIDE))
def test_every_name_is_there_and_explained(name):
    value = getattr(vs, name)
    assert name == "__version__" or value.__doc__


def test_a_function_is_not_hidden_by_a_folder():
    """Whatever was imported before, ``vs.report`` is the function."""
    code = "import voxscale.reports, voxscale.study, voxscale as vs; assert callable(vs.report)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'ridge'"):
        _ = vs.ridge


def test_import_loads_nothing_heavy():
    heavy = ("torch", "transformers", "scipy", "sklearn", "pandas", "matplotlib", "pydantic")
    code = f"import voxscale, sys; print([m for m in {heavy} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "[]"


def test_the_exception_tree_is_as_drawn():
    assert errors.AlignmentError.__bases__ == (errors.DataError, ValueError)
    for name in ("ConfigError", "DataError", "FitError", "StoreError"):
        assert getattr(errors, name).__bases__ == (errors.VoxscaleError,)
        assert name in errors.__doc__
