from importlib.metadata import version
from types import SimpleNamespace

import pytest

from voxscale.fit import contiguous_folds
from voxscale.reports._what_ran import what_ran
from voxscale.study import Study, _cells, _fit_cell, results, run


@pytest.fixture(scope="module")
def found(tiny, tmp_path_factory):
    path = tiny.write_study(
        tmp_path_factory.mktemp("tiny"), layers="[2]", contexts="[4]", training_stories="[3]"
    )
    study = Study.from_toml(path)
    run(study, progress=False)
    return results(study)


def tables_of(found):
    section = what_ran(SimpleNamespace(results=found, maps=()))
    return {table.columns[0]: dict(row[:2] for row in table.rows) for table in section.tables}


def test_the_settings_that_the_file_does_not_hold_are_those_of_the_code(found):
    settings = tables_of(found)["setting"]
    assert settings["words of context at least"].startswith("half of the most")
    assert _cells.min_context_of(512) == 256
    assert settings["shift of a permutation (TRs)"].startswith(f"{_fit_cell._MIN_SHIFT} or more")
    assert settings["bootstrap draws of a law"] == "2,000"


def test_the_validation_of_one_story_is_told_as_it_is_done(found):
    told = tables_of(found)["setting"]["validation"]
    assert told == "leave-run-out; one training story: five contiguous folds with a gap of 2 TRs"
    splits = _fit_cell.splits_of(found.study, [50])
    assert len(splits) == len(contiguous_folds(50)) == 5
    assert all(abs(train[:, None] - held).min() == 3 for train, held in splits)


def test_only_the_means_that_the_page_shows_are_explained(found):
    assert list(tables_of(found)["mean"]) == ["mean_r", "mean_cv_score"]


def test_versions_are_those_installed(found):
    sources = tables_of(found)["source"]
    assert sources["scipy (of this page)"] == version("scipy")
    assert sources["numpy"] == version("numpy")
