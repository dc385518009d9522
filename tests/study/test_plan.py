import re
import subprocess
import sys

import numpy as np
import pytest

from voxscale.errors import ConfigError
from voxscale.features.echo import Echo
from voxscale.study import Study, plan, run, status
from voxscale.study._plan import cell_store, feature_store
from voxscale.study._progress import size


@pytest.fixture
def study(tiny, tmp_path):
    return Study.from_toml(tiny.write_study(tmp_path))


def test_a_plan_counts_and_does_nothing(study, tmp_path, monkeypatch):
    def refuse(*args, **options):
        message = "the model was used"
        raise AssertionError(message)

    monkeypatch.setattr(Echo, "extract", refuse)
    made = plan(study)
    assert len(made.cells) == len(made.missing) == len(set(made.keys.values())) == 16
    assert made.done == made.failed == ()
    assert len(made.passes) == 10
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.toml"]


def test_a_plan_is_the_same_every_time(study):
    assert plan(study).cells == plan(study).cells
    assert plan(study).keys == plan(study).keys


def test_a_plan_sees_what_is_done_and_what_failed(study):
    made = plan(study)
    done, broken = made.cells[3], made.cells[5]
    cell_store(study).put(made.keys[done], {"r": np.zeros(1)}, {})
    cell_store(study).fail(made.keys[broken], {}, ValueError("no\nmore"))
    after = plan(study)
    assert after.done == (done,)
    assert after.failed == (broken,)
    assert set(after.missing) == set(made.cells) - {done}
    assert "16: 1 done, 15 to do" in str(after)
    assert "1, to be tried again" in str(after)
    told = status(study)
    assert told.failures == ((broken, "ValueError: no"),)
    assert "1 failed:\n  s1, layer 2, context 32, 1 story (draw 1): ValueError: no" in str(told)


def test_features_of_done_cells_are_not_needed(study):
    made = plan(study)
    for cell in made.cells:
        if cell.context == 4:
            cell_store(study).put(made.keys[cell], {"r": np.zeros(1)}, {})
    assert {one.context for one in plan(study).passes} == {32}


def test_a_plan_reads_as_a_page(study):
    lines = dict(line.strip().split("  ", 1) for line in str(plan(study)).splitlines())
    assert lines["study"] == "tiny"
    assert lines["results"] == str(study.out)
    assert lines["data set"] == "tiny: s1, s2"
    assert lines["layers"] == "0, 1, 2"
    assert lines["contexts"] == "4, 32 words (layer 2)"
    assert lines["stories"] == "1, 2, 3 to train on (layer 2)"
    assert lines["cells"] == "16: 0 done, 16 to do"
    assert lines["features"] == "10 passes over a story: 5 at context 32, 5 at context 4"
    assert re.fullmatch(r"about \d+ kB", lines["disk"])


def test_a_model_that_does_not_tell_its_size_is_no_hindrance(study, monkeypatch):
    monkeypatch.delattr(Echo, "n_dims")
    made = plan(study)
    assert not made.is_exact
    assert str(made).endswith("kB, and the features")


def test_the_estimate_of_bytes_is_about_right(study):
    made = plan(study)
    assert made.is_exact
    run(study, progress=False, device="cpu")
    # Without names, metadata and the folders of the zip files, which dwarf 40 voxels.
    written = 0
    cells, features = cell_store(study), feature_store(study)
    for key in cells.keys():  # noqa: SIM118 - a store is no mapping
        written += sum(array.nbytes for array in cells.get(key)[0].values())
    for key in features.keys():  # noqa: SIM118
        written += sum(features.get(key, name).nbytes for name in features.names(key))
    assert written <= made.bytes_needed <= 1.2 * written
    assert plan(study).bytes_needed == 0


def test_status_counts_along_each_axis(study):
    made = plan(study)
    for cell in made.cells[:3]:
        cell_store(study).put(made.keys[cell], {"r": np.zeros(1)}, {})
    told = status(study)
    assert told.by_axis == {
        "subject": {"s1": (3, 8), "s2": (0, 8)},
        "layer": {0: (1, 2), 1: (1, 2), 2: (1, 2)},
        "context": {4: (0, 2), 32: (1, 2)},
        "n_stories": {1: (0, 4), 2: (0, 4), 3: (1, 2)},
    }
    assert str(told).startswith("3 of 16 cells done in ")


def test_an_unknown_model_is_told_before_the_data_are_read(tiny, tmp_path, monkeypatch):
    def refuse(*args):
        message = "the data were read"
        raise AssertionError(message)

    study = Study.from_toml(tiny.write_study(tmp_path, model='"./none"'))
    monkeypatch.setattr(tiny, "load", refuse)
    with pytest.raises(
        ConfigError, match=r"tiny\.toml, line 5: \[study\] model: there is no model"
    ):
        plan(study)


@pytest.mark.parametrize(
    ("n", "text"), [(0, "0 B"), (999, "999 B"), (1e4, "10 kB"), (3.2e9, "3 GB"), (2e13, "20.0 TB")]
)
def test_sizes_are_for_people(n, text):
    assert size(n) == text


def test_studies_are_described_without_torch():
    code = (
        "import sys, voxscale.study\n"
        "print([m for m in ('torch', 'pandas', 'transformers', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
