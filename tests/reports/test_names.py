"""The folder's promise: every name is there, and none is fetched before it is used."""

import subprocess
import sys

import pytest

from voxscale import reports


@pytest.mark.parametrize("name", reports.__all__)
def test_every_name_is_there_and_explained(name):
    assert getattr(reports, name).__doc__


def test_the_names_are_sorted_and_listed():
    assert reports.__all__ == sorted(reports._HOMES)
    assert dir(reports) == reports.__all__


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match=r"'voxscale.reports' has no attribute 'flatmaps'"):
        _ = reports.flatmaps


def test_a_flat_map_does_not_wait_for_the_report():
    heavy = ("torch", "pandas", "matplotlib", "pydantic", "sklearn", "voxscale.study")
    code = "from voxscale.reports import flat_picture; import sys; "
    code += f"print([m for m in {heavy} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "[]"
