"""A study is given as itself, or as the path of its file."""

import pytest

from voxscale import study as studies
from voxscale.errors import ConfigError
from voxscale.reports import report
from voxscale.study import Study


@pytest.fixture(scope="module")
def path(tiny, tmp_path_factory):
    fields = {"layers": "[1, 2]", "training_stories": "[3]", "contexts": "[8]"}
    return tiny.write_study(tmp_path_factory.mktemp("path"), **fields)


def test_a_path_is_read_wherever_a_study_is_taken(path):
    summary = studies.run(path, progress=False, device="cpu")
    assert summary.n_done == len(summary.computed) == 4
    assert studies.run(str(path), progress=False, device="cpu").computed == ()
    described = Study.from_toml(path)
    assert studies.plan(path).cells == studies.plan(str(path)).cells
    assert studies.plan(path).cells == studies.plan(described).cells
    assert str(studies.status(path)) == str(studies.status(described))
    found = studies.results(str(path))
    assert found.study.out == described.out
    assert found.cells == studies.results(described).cells
    assert report(path) == described.out / "report.html"
    assert not studies.orphans(path)
    path.write_text(path.read_text().replace("layers = [1, 2]", "layers = [2]"))
    left = studies.orphans(path)
    assert len(left.items) > 0
    assert studies.prune(str(path)).items == left.items
    assert not studies.orphans(path)


@pytest.mark.parametrize("name", ["plan", "run", "results", "status", "orphans", "prune"])
def test_what_is_neither_is_told(name):
    wanted = r'^study is {.*}; expected a Study, or the path of a study file, such as "study.toml".'
    with pytest.raises(TypeError, match=wanted):
        getattr(studies, name)({"name": "demo"})


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        studies.results(tmp_path / "absent.toml")
