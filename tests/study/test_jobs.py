import numpy as np
import pytest

from voxscale.fit import Gram, RidgeCV
from voxscale.study import Study, plan, results, run
from voxscale.study import _fill_cells as filling
from voxscale.study._designs import FamilyDesigns
from voxscale.study._features import recipe_of
from voxscale.study._fill import fill_features
from voxscale.study._inputs import Inputs
from voxscale.study._jobs import batches_of
from voxscale.study._plan import feature_store, make_plan
from voxscale.study._subject_data import SubjectData, design_of

PLENTY = 10**9


def numbers(study):
    found = results(study)
    return {cell: found.arrays(cell) for cell in found.cells}


@pytest.fixture
def study(tiny, tmp_path):
    return Study.from_toml(tiny.write_study(tmp_path))


@pytest.fixture
def inputs(study):
    return Inputs(study)


def test_every_cell_is_in_one_job_and_a_job_is_one_design(inputs):
    made = make_plan(inputs)
    (batch,) = batches_of(inputs, made.missing, PLENTY)
    assert batch.subjects == ("s1", "s2")
    cells = [cell for job in batch.jobs for cell in job.cells]
    assert sorted(map(str, cells)) == sorted(map(str, made.missing))
    for job in batch.jobs:
        assert [cell.subject for cell in job.cells] == ["s1", "s2"]
        designs = {(c.model, c.layer, c.context, c.bands, c.stories) for c in job.cells}
        assert len(designs) == 1
    families = [(job.cells[0].layer, job.cells[0].context) for job in batch.jobs]
    assert [one for i, one in enumerate(families) if one not in families[:i]] == [
        (0, 32), (1, 32), (2, 32), (2, 4),
    ]  # fmt: skip
    assert families == sorted(families, key=[(0, 32), (1, 32), (2, 32), (2, 4)].index)


def test_without_room_each_subject_is_alone(inputs):
    made = make_plan(inputs)
    batches = batches_of(inputs, made.missing, 0)
    assert [batch.subjects for batch in batches] == [("s1",), ("s2",)]
    assert all(len(job.cells) == 1 for batch in batches for job in batch.jobs)


def test_subjects_whose_responses_cover_other_trs_share_nothing(inputs):
    facts = inputs.facts("s2")
    facts.trs["b"] = (range(1, 60),)
    (batch,) = batches_of(inputs, make_plan(inputs).missing, PLENTY)
    for job in batch.jobs:
        assert len(job.cells) == (1 if "b" in job.cells[0].stories else 2)


def test_numbers_do_not_depend_on_the_company(tiny, tmp_path, monkeypatch, study):
    run(study, progress=False, device="cpu")
    monkeypatch.setattr(filling, "_SHARE_OF_RESPONSES", 0)
    monkeypatch.setattr(filling, "_SHARE_OF_DESIGNS", 0)
    fits = []
    fit = RidgeCV.fit

    def counted(self, X, Y):
        fits.append(isinstance(X, Gram))
        return fit(self, X, Y)

    monkeypatch.setattr(RidgeCV, "fit", counted)
    (tmp_path / "alone").mkdir()
    alone = Study.from_toml(tiny.write_study(tmp_path / "alone"))
    run(alone, progress=False, device="cpu")
    assert fits == [False] * 16
    together, apart = numbers(study), numbers(alone)
    assert together.keys() == apart.keys()
    for cell, arrays in together.items():
        for name, array in arrays.items():
            # Products of other shapes round their float32 in other ways.
            np.testing.assert_allclose(array, apart[cell][name], atol=2e-6, err_msg=name)


@pytest.mark.parametrize("protocol", ["", 'protocol = "huth2023"\n'])
@pytest.mark.parametrize("room", [0, PLENTY])
def test_designs_of_runs_are_those_of_the_recipe(tiny, tmp_path, protocol, room):
    path = tiny.write_study(tmp_path)
    path.write_text(path.read_text().replace("[design]", f"[design]\n{protocol}"))
    inputs = Inputs(Study.from_toml(path))
    made = make_plan(inputs)
    fill_features(inputs, made, lambda _: None)
    (batch,) = batches_of(inputs, made.missing, PLENTY)
    store, recipe = feature_store(inputs.study), recipe_of(inputs.study)
    shared = {one: SubjectData(inputs.dataset(one), recipe) for one in batch.subjects}
    designs = FamilyDesigns(inputs, store, shared, batch.jobs, room, "cpu")
    seen = set()
    for job in batch.jobs:
        for cell in job.cells:
            whole = design_of(inputs, cell, store, shared[cell.subject], cell.stories)
            found = designs.training(cell)
            seen.add(type(found))
            X = found.X.numpy() if isinstance(found, Gram) else found
            np.testing.assert_array_equal(X, whole)
            test = design_of(inputs, cell, store, shared[cell.subject], inputs.facts("s1").test)
            np.testing.assert_array_equal(designs.rows(cell, inputs.facts("s1").test), test)
    assert (Gram in seen) == (room > 0 and not protocol)


def test_what_fails_for_one_subject_alone_is_recorded_for_that_one(study, monkeypatch):
    joined = SubjectData.joined_responses

    def broken(self, runs):
        if self.dataset.subject == "s2":
            message = "s2 has no responses today"
            raise OSError(message)
        return joined(self, runs)

    monkeypatch.setattr(SubjectData, "joined_responses", broken)
    summary = run(study, progress=False, device="cpu")
    assert {cell.subject for cell in summary.computed} == {"s1"}
    assert {cell.subject for cell, _ in summary.failed} == {"s2"}
    assert all("s2 has no responses today" in text for _, text in summary.failed)
    assert len(plan(study).done) == 8
