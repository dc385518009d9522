"""The page on public data sets runs, on miniatures of them, and tells what the cards tell."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from voxscale import plugins
from voxscale.data import antonello2023, bids, lebel2023, littleprince, narratives

pytest.importorskip("nibabel")
pytest.importorskip("nilearn")
ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "data-sets.md").read_text(encoding="utf-8")
MODULES = (lebel2023, antonello2023, narratives, littleprince, bids)


@pytest.fixture(autouse=True)
def shorter(monkeypatch):
    """The test story of the miniature is shorter than the card says."""
    monkeypatch.setattr(lebel2023, "CARD", replace(lebel2023.CARD, n_trs={}))


def miniature(name):
    """Load a test module, which knows how to write the folder of its data set."""
    path = ROOT / "tests" / "data" / f"test_{name}.py"
    spec = importlib.util.spec_from_file_location(f"miniature_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for module in MODULES:
        monkeypatch.setitem(plugins._registered["datasets"], module.CARD.name, module)
    session = dict.fromkeys([*lebel2023.SESSIONS[1], *lebel2023.SESSIONS[2]], 60)
    miniature("lebel2023").write(tmp_path, stories={**session, "wheretheressmoke": 70})
    for name in ("narratives", "littleprince", "bids"):
        miniature(name).write(tmp_path)
    names = {}
    exec("\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)), names)
    assert names["one"].trs == range(10, 60)
    assert set(names["first"].train) == set(lebel2023.SESSIONS[1])
    assert names["data"].test == ("hare",)
    shown = capsys.readouterr().out
    assert "81,126" in shown
    assert "numbers as they are stored" in shown
    assert "a linear trend and drift slower than 0.01 Hz" in shown


def test_the_lines_on_the_published_folder_run(tmp_path, monkeypatch):
    from voxscale.errors import VoxscaleWarning
    from voxscale.synthetic import write_antonello2023

    monkeypatch.chdir(tmp_path)
    write_antonello2023("box", n_across=15)
    names = {}
    text = re.search(r'```python title="published.py"\n(.*?)```', PAGE, re.DOTALL).group(1)
    with pytest.warns(VoxscaleWarning, match="without words: canplanet"):
        exec(text, names)
    assert names["data"].test == antonello2023.TEST
    assert "souls" in names["features"]


def test_the_file_that_the_page_shows_is_a_data_set(tmp_path):
    import voxscale as vs

    text = re.search(r'```python title="sessions.py"\n(.*?)```', PAGE, re.DOTALL).group(1)
    (tmp_path / "sessions.py").write_text(text)
    stories = {s: 40 for i in (1, 2, 3) for s in lebel2023.SESSIONS[i]} | {"wheretheressmoke": 44}
    miniature("lebel2023").write(tmp_path, stories=stories)
    data = vs.load(tmp_path / "sessions.py", root=tmp_path / "ds003020")
    assert set(data.train) == {*lebel2023.SESSIONS[1], *lebel2023.SESSIONS[2]}


def test_the_options_that_the_page_shows_are_known():
    import inspect

    table = tomllib.loads(re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL).group(1))["bids"]
    assert set(table) <= set(inspect.signature(bids.BIDS).parameters)


@pytest.mark.parametrize("module", MODULES)
def test_the_page_tells_what_the_card_tells(module):
    told = " ".join(PAGE.split())
    for fault in module.CARD.faults:
        assert f"- {fault}" in told
    assert f"{module.CARD.fetch}\n" in PAGE
    for doi in re.findall(r"doi:(10\.\S+?)(?:;|$)", module.CARD.citation):
        assert doi in told or module is bids
