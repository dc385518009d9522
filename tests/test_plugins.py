"""Plugins: how they are found, and what is said of those that cannot be."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

import voxscale as vs
from voxscale import plugins
from voxscale.errors import DataError
from voxscale.features import Extractor, extractor
from voxscale.features.echo import Echo


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch):
    monkeypatch.setattr(plugins, "_registered", {"datasets": {}, "extractors": {}})


@pytest.fixture
def install(monkeypatch):
    """Return a function that installs entry points and nothing else."""

    def install_them(kind, **values):
        group = f"voxscale.{kind}"
        entries = [EntryPoint(name, value, group) for name, value in values.items()]
        monkeypatch.setattr(
            plugins, "entry_points", lambda *, group: [one for one in entries if one.group == group]
        )

    return install_them


def test_what_comes_with_the_package_is_installed():
    assert "demo" in plugins.names("datasets")
    assert "echo" in plugins.names("extractors")
    assert plugins.find("extractors", "echo") is Echo


def test_names_are_sorted_and_given_once(install):
    install("datasets", moth="json", alice="json")
    plugins.register("datasets", "moth", object())
    plugins.register("datasets", "bee", object())
    assert plugins.names("datasets") == ["alice", "bee", "moth"]
    assert plugins.names("extractors") == []


def test_an_entry_point_may_name_a_module_or_something_in_it(install):
    install("datasets", module="json", function="json:dumps", method="json:JSONEncoder.encode")
    import json

    assert plugins.find("datasets", "module") is json
    assert plugins.find("datasets", "function") is json.dumps
    assert plugins.find("datasets", "method") is json.JSONEncoder.encode


def test_only_the_plugin_that_is_asked_for_is_imported(install):
    install("datasets", bad="no_such_module", good="json")
    assert plugins.find("datasets", "good").__name__ == "json"


def test_what_is_registered_goes_before_what_is_installed(install):
    install("datasets", moth="no_such_module")
    mine = object()
    plugins.register("datasets", "moth", mine)
    assert plugins.find("datasets", "moth") is mine


def test_a_plugin_of_one_kind_is_none_of_the_other():
    plugins.register("extractors", "mine", Echo)
    with pytest.raises(DataError, match=r"dataset 'mine' is unknown"):
        plugins.find("datasets", "mine")


def test_an_unknown_name_lists_those_that_exist(install):
    install("extractors", moth="json")
    plugins.register("extractors", "bee", Echo)
    message = r"^extractor 'mothh' is unknown; choose one of bee, moth \(did you mean 'moth'\?\)\.$"
    with pytest.raises(DataError, match=message):
        plugins.find("extractors", "mothh")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_module", "No module named 'no_such_module'"),
        ("no_such_module.stories:load", "No module named 'no_such_module'"),
        ("json:no_such_name", "module 'json' has no attribute 'no_such_name'"),
        ("needy", "No module named 'what_needy_needs'"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_named(install, tmp_path, monkeypatch, value, reason):
    (tmp_path / "needy.py").write_text("import what_needy_needs")
    monkeypatch.syspath_prepend(tmp_path)
    install("datasets", bad=value)
    message = (
        rf"dataset 'bad' cannot be imported from '{value}' \({reason}\); .*'voxscale\.datasets'"
    )
    with pytest.raises(DataError, match=message) as caught:
        vs.load("bad")
    assert isinstance(caught.value.__cause__, ImportError | AttributeError)
    assert "needy" not in sys.modules


class NoIdentity:
    def extract(self, transcripts, layers, *, min_context, max_context):
        return {}


@pytest.mark.parametrize("plugin", [dict, NoIdentity, "echo", Echo(), lambda: None])
def test_an_extractor_that_is_none_is_said_to_be_none(plugin):
    plugins.register("extractors", "mine", plugin)
    message = (
        r"extractor 'mine' is not one: .*expected a class, called with no arguments, .*Extractor"
    )
    with pytest.raises(DataError, match=message):
        extractor("mine")


def test_an_extractor_may_be_any_class_that_offers_what_is_needed():
    class Mine(NoIdentity):
        identity = {"model": "mine"}  # noqa: RUF012

    plugins.register("extractors", "mine", Mine)
    assert isinstance(extractor("mine"), Mine)
    assert isinstance(extractor("mine"), Extractor)
