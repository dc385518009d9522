import re
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from voxscale.errors import ConfigError
from voxscale.features.echo import Echo
from voxscale.study import Study, plan, results, run, status
from voxscale.study._costs import Costs, Term
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
    assert lines["cells"] == ("16: 0 done, 16 to do; one that several grids share is computed once")
    assert lines["features"] == "10 passes over a story: 5 at context 4, 5 at context 32"
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
    for subject in ("s1", "s2"):
        saved = xr.open_zarr(study.out / "arrays.zarr", group=subject)
        written += sum(saved[name].nbytes for name in saved.data_vars)
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


def test_status_counts_each_grid(tiny, tmp_path):
    grids = "\n[[sweep]]\ncontexts = [4, 32]\ntraining_stories = [1]\n"
    grids += "[[sweep]]\nlayers = [0, 1]\ncontexts = [4, 8]\nhours = [0.03]\n"
    study = Study.from_toml(tiny.write_study(tmp_path, tiny.STUDY + grids, n_bootstraps="20"))
    made = plan(study)
    for cell in made.cells:
        if cell.n_stories == 3 and cell.kind == "fit":
            cell_store(study).put(made.keys[cell], {"r": np.zeros(1)}, {})
    told = status(study)
    assert [(one.heading, one.what, one.done, one.total) for one in told.plan.grids] == [
        ("[study]", "layer at context 32, all stories", 6, 6),
        ("[study]", "context at layer 2, all stories", 4, 4),
        ("[study]", "stories at layer 2, context 32, 2 draws", 2, 10),
        ("[[sweep]] no. 1", "context at layer 2, 1 story", 0, 4),
        ("[[sweep]] no. 2", "layer × context at 0.03 hours", 0, 8),
    ]
    lines = str(told).splitlines()
    assert "  [study]  stories at layer 2, context 32, 2 draws: 2/10" in lines
    assert "[[sweep]] no. 2  layer × context at 0.03 hours: 0/8" in lines
    assert "   beside  noise ceilings: 0/2" in lines
    page = str(plan(study)).splitlines()
    assert "[[sweep]] no. 1  4 cells: context at layer 2, 1 story" in page
    assert "   beside  2 cells: noise ceilings" in page


def test_a_study_of_one_cell_has_one_grid(tiny, tmp_path):
    one = {"layers": "[2]", "contexts": "[32]", "training_stories": '["all"]'}
    made = plan(Study.from_toml(tiny.write_study(tmp_path, **one)))
    assert [(one.what, one.total) for one in made.grids] == [
        ("one cell at layer 2, context 32, all stories", 2)
    ]
    assert "    cells  2: 0 done, 2 to do\n" in str(made)


def test_a_plan_tells_what_hours_came_to(tiny, tmp_path):
    text = tiny.STUDY.replace("training_stories = [1, 2, 3]", 'hours = [0.02, 0.05, "all"]')
    study = Study.from_toml(tiny.write_study(tmp_path, text))
    made = plan(study)
    assert list(made.hours) == [0.02, 0.05, "all"]
    run(study, progress=False, device="cpu")
    table = results(study).table.fillna({"asked_hours": -1})
    for asked, by_subject in made.hours.items():
        for subject, ends in by_subject.items():
            here = (table["subject"] == subject) & table["in_n_stories_sweep"]
            own = table[here & (table["asked_hours"] == (-1 if asked == "all" else asked))]
            assert ends == pytest.approx((own["hours"].min(), own["hours"].max()))
    assert f"  all: s1 {3 * 53 * 2 / 3600:.2f}, s2 {3 * 53 * 2 / 3600:.2f}\n" in str(made)
    assert "    hours  0.02 h: s1 0.03, s2 0.03 (whole stories" in str(made)
    assert list(status(study).by_axis["hours"].items()) == [
        (0.02, (4, 4)), (0.05, (4, 4)), ("all", (2, 2)),
    ]  # fmt: skip
    assert "n_stories" not in status(study).by_axis
    assert "    hours  0.02: 4/4, 0.05: 4/4, all: 2/2\n" in str(status(study))


@pytest.mark.parametrize(
    ("contexts", "told"),
    [
        ("[4, 200]", None),
        ("[4, 201]", "context 201 is longer than every story (the longest, 'a', has 200 words); "
         "it gives the same features as 200 would"),
        ("[4, 300, 400]", "contexts 300, 400 are longer than every story (the longest, 'a', has "
         "200 words); each gives the same features as 200 would"),
    ],
)  # fmt: skip
def test_a_plan_warns_of_contexts_that_no_story_fills(tiny, tmp_path, contexts, told):
    page = str(plan(Study.from_toml(tiny.write_study(tmp_path, contexts=contexts))))
    warnings = [line.strip() for line in page.splitlines() if "warning" in line]
    assert warnings == ([] if told is None else [f"warning  {told}"])


def test_a_time_is_that_of_idle_cores():
    told = str(Costs((Term("fits", 6e11, 10**9),), 1e10, 0))
    assert "about 1 min 0 s at 10 GFLOP/s, as just measured here, if nothing else runs" in told


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
