import base64
import dataclasses
import errno
import html
import re
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from voxscale import plugins
from voxscale.arrays import TRSeries
from voxscale.data import Dataset, Transcript
from voxscale.errors import StoreError, VoxscaleError
from voxscale.reports import _flatmap, _page, _sections, report, write_report
from voxscale.reports._reading import read_material
from voxscale.scaling import fit_scaling_law
from voxscale.study import Study, results, run
from voxscale.study._sweep_points import sweep_points

TR_S = 2.0
N_TRS = 50
N_VERTICES = 20_484
VOCABULARY = ("the", "keeper", "lit", "a", "lamp", "and", "heard", "sea", "wind", "old")
ANCHORS = (
    "what-was-run", "scores", "layers", "size", "grids", "slopes", "baselines", "stacking",
    "comparison", "ceiling", "cortex", "courses", "found",
)  # fmt: skip


def heard(seed):
    """Return a story of random words, two a second."""
    rng = np.random.default_rng(seed)
    onset_s = np.sort(rng.uniform(0, N_TRS * TR_S - 1, 2 * N_TRS))
    return Transcript([str(word) for word in rng.choice(VOCABULARY, len(onset_s))], onset_s)


def responses(run, n_voxels, seed):
    values = np.random.default_rng(seed).normal(size=(N_TRS, n_voxels)).astype(np.float32)
    values.flags.writeable = False
    return TRSeries(values, run, 0, TR_S * (np.arange(N_TRS) + 0.5))


def bare_dataset(subject, root=None):
    """Return a dataset without repeats, truth or space."""
    runs = ("one", "two", "three", "last")
    return Dataset(
        name="bare",
        subject=subject,
        words={name: heard(i) for i, name in enumerate(runs)},
        responses={name: responses(name, 6, 10 + i) for i, name in enumerate(runs)},
        trials={},
        train=runs[:3],
        test=runs[3:],
        tr_s=TR_S,
        licence="<CC0> & no strings",
    )


def planted_dataset(subject, root=None):
    """Return a dataset on fsaverage5 with repeats, and numbers that pass for planted ones."""
    runs = ("one", "two", "again", "last")
    rng = np.random.default_rng(5)
    repeats = tuple(responses("again", N_VERTICES, 20 + i) for i in range(3))
    mean = dataclasses.replace(
        repeats[0], values=np.mean([one.values for one in repeats], axis=0, dtype=np.float32)
    )
    share = np.where(rng.random(N_VERTICES) < 0.5, rng.uniform(0.05, 0.8, N_VERTICES), 0.0)
    single = {name: responses(name, N_VERTICES, 30 + i) for i, name in enumerate(runs)}
    return Dataset(
        name="planted",
        subject=subject,
        words={name: heard(i) for i, name in enumerate(runs)},
        responses={**single, "again": mean},
        trials={"again": repeats},
        train=runs[:2],
        test=runs[2:],
        tr_s=TR_S,
        space="fsaverage5",
        licence="CC0",
        citation="Nobody 2024, doi:10.1000/nothing",
        truth={
            "signal_share": share,
            "accuracy": np.sqrt(share),
            "preferred_layer": np.where(share > 0, rng.choice([0, 2], N_VERTICES), np.nan),
            "cc_max": np.sqrt(share),
        },
    )


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Run a study of two subjects and six voxels; return it."""
    plugin = SimpleNamespace(SUBJECTS=("s1", "s2"), load=bare_dataset)
    plugins.register("datasets", "bare", plugin)
    study = Study(
        name="bare",
        dataset="bare",
        model="echo",
        layers=[0, 1, 2],
        contexts=[2, 16],
        training_stories=[1, 2, 3],
        draws=2,
        out=tmp_path_factory.mktemp("bare"),
        design={"trim": [4, 2]},
        fit={"alphas": [10.0, 1000.0]},
        evaluate={"n_permutations": 19},
    )
    run(study, progress=False)
    return study


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Run a study of one subject on fsaverage5, two layers and nothing else; return it."""
    plugin = SimpleNamespace(SUBJECTS=("s1",), load=planted_dataset)
    plugins.register("datasets", "planted", plugin)
    study = Study(
        name="planted",
        dataset="planted",
        model="echo",
        layers=[0, 2],
        contexts=[16],
        out=tmp_path_factory.mktemp("planted"),
        design={"trim": [4, 2]},
        fit={"alphas": [10.0, 1000.0]},
        evaluate={"n_permutations": 39},
    )
    run(study, progress=False)
    return study


@pytest.fixture(scope="module")
def planted_page(planted, tmp_path_factory):
    pytest.importorskip("nilearn")
    return report(planted, out=tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def bare_page(bare):
    return report(bare)


def text_of(page):
    return page.read_text(encoding="utf-8")


def section_of(page, anchor):
    """Return a section's text, without tags."""
    inside = re.search(rf'<section id="{anchor}">(.*?)</section>', text_of(page), re.DOTALL)[1]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", inside)).split())


def test_the_page_is_in_the_folder_of_the_study_unless_another_is_named(bare, bare_page, tmp_path):
    assert bare_page == bare.out / "report.html"
    assert (
        report(bare, out=tmp_path / "deep" / "down") == tmp_path / "deep" / "down" / "report.html"
    )


@pytest.mark.parametrize("which", ["bare_page", "planted_page"])
def test_the_page_needs_nothing_but_itself(request, which):
    page = request.getfixturevalue(which)
    text = text_of(page)
    assert "<script" not in text
    assert "@import" not in text
    assert "url(" not in text
    assert not re.findall(r'(?:src|href)\s*=\s*"(?:https?:)?//', text)
    assert all(
        one.startswith("data:image/png;base64,") for one in re.findall(r'src="([^"]*)', text)
    )
    for target in re.findall(r'href="([^"]*)"', text):
        if target.startswith("#"):
            assert f'id="{target[1:]}"' in text
        else:
            assert (page.parent / target).is_file()


@pytest.mark.parametrize("which", ["bare_page", "planted_page"])
def test_every_section_is_there_and_in_the_contents(request, which):
    text = text_of(request.getfixturevalue(which))
    assert re.findall(r'<section id="([^"]*)">', text) == list(ANCHORS)
    assert re.findall(r'<li><a href="#([^"]*)">', text) == list(ANCHORS)


@pytest.mark.parametrize("which", ["bare_page", "planted_page"])
def test_the_figures_of_the_page_are_the_files_beside_it(request, which):
    page = request.getfixturevalue(which)
    inside = {base64.b64decode(one) for one in re.findall(r'base64,([^"]+)"', text_of(page))}
    beside = {file.read_bytes() for file in (page.parent / "figures").glob("*.png")}
    assert inside == beside
    assert len(beside) == len(list((page.parent / "figures").glob("*.png")))


@pytest.mark.parametrize("which", ["bare_page", "planted_page"])
def test_every_figure_has_numbers_a_caption_and_words_for_who_cannot_see(request, which):
    page = request.getfixturevalue(which)
    for file in (page.parent / "figures").glob("*.png"):
        assert any(file.with_suffix(end).is_file() for end in (".csv", ".parquet"))
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", text_of(page), re.DOTALL)
    alts = re.findall(r' alt="([^"]*)"', text_of(page))
    assert len(captions) == len(alts) == len(list((page.parent / "figures").glob("*.png")))
    assert all(len(one) > 20 for one in alts)
    assert not list(page.parent.rglob("*.tmp"))


def test_the_same_results_make_the_same_files(planted, planted_page, tmp_path):
    again = report(planted, out=tmp_path)
    for file in sorted(planted_page.parent.rglob("*.*")):
        if file.is_file():
            assert (
                file.read_bytes()
                == (again.parent / file.relative_to(planted_page.parent)).read_bytes()
            )


def test_what_was_run_is_told(planted_page):
    told = section_of(planted_page, "what-was-run")
    assert "4 of 4 cells are done" in told  # two fits, ceilings, baselines
    assert "Licence of the data: CC0." in told
    assert "Nobody 2024, doi:10.1000/nothing" in told
    assert "mean of r over voxels with a score" in told
    for word in ("echo", "seed", "alpha", "leave-run-out", "trimmed", "4, 2", "numpy", "torch"):
        assert word in told
    assert np.__version__ in told


def test_the_note_under_a_table_does_not_scroll_away_with_it(planted_page):
    text = text_of(planted_page)
    boxes = re.findall(r'<div class="scroll">(.*?)</div>', text, re.DOTALL)
    assert len(boxes) == text.count("<table") >= 5
    for box in boxes:
        assert box.strip().startswith("<table")
        assert box.strip().endswith("</table>")
        assert "<caption" not in box
        (note,) = re.findall(r'aria-describedby="([^"]*)"', box)
        assert text.count(f'<p class="note" id="{note}">') == 1


def test_what_others_wrote_cannot_become_markup(bare_page):
    assert "<CC0>" not in text_of(bare_page)
    assert "&lt;CC0&gt; &amp; no strings" in text_of(bare_page)


def test_what_is_missing_is_said_in_a_sentence(bare_page):
    assert "no noise ceiling" in section_of(bare_page, "ceiling")
    assert "flat maps exist for 'fsaverage5'" in section_of(bare_page, "cortex")
    assert "no predicted time courses" in section_of(bare_page, "courses")
    assert "names no planted truth" in section_of(bare_page, "found")
    for anchor in ("ceiling", "cortex", "courses", "found"):
        assert "Files" not in section_of(bare_page, anchor)


def test_an_axis_with_one_point_is_said_in_a_sentence(planted_page):
    told = section_of(planted_page, "size")
    assert "Only one size is done, so no law can be fitted" in told
    assert "Only one context is done, so no law can be fitted" in told
    assert not (planted_page.parent / "figures" / "size.csv").exists()


def test_scores_by_layer_are_those_of_the_table(bare, bare_page):
    shown = pd.read_csv(bare_page.parent / "figures" / "layers.csv")
    found = results(bare)
    assert len(shown) == 6
    for row in shown.itertuples():
        (cell,) = found.select(subject=row.subject, layer=row.layer, reference=True)
        r, cv = found.array(cell, "r"), found.array(cell, "cv_score")
        assert row.r == pytest.approx(r.astype(float).mean(), rel=1e-6)
        assert row.cv_score == pytest.approx(cv.astype(float).mean(), rel=1e-6)


def test_the_law_rests_on_every_story_averaged_over_draws(bare, bare_page):
    found = results(bare)
    units, hours = {}, {}
    for subject in found.subjects:
        for n in (1, 2, 3):
            cells = [c for c in found.sweep("n_stories", subject) if c.n_stories == n]
            assert len(cells) == (2 if n < 3 else 1)
            means = [found.array(cell, "r_by_story").mean(axis=1, dtype=float) for cell in cells]
            units.setdefault(subject, []).append(np.mean(means, axis=0))
            table = found.table.set_index("key")["hours"]
            hours.setdefault(n, []).append(np.mean([table[found._keys[c]] for c in cells]))
    scores = np.concatenate([units[subject] for subject in found.subjects], axis=1)
    assert scores.shape == (3, 2)  # one test story of each subject
    law = fit_scaling_law([np.mean(hours[n]) for n in (1, 2, 3)], scores)
    low, high = law.slope_interval
    told = section_of(bare_page, "size").replace("−", "-")
    assert (
        f"{law.slope:+.4f} per decade, 95 % interval {low:+.4f} to {high:+.4f} (over 2 subj" in told
    )
    assert "3 sizes, mean over 2 subjects" in told


def test_the_numbers_of_the_laws_are_those_of_the_stories(bare, bare_page):
    shown = pd.read_csv(bare_page.parent / "figures" / "size.csv")
    stories = sweep_points(results(bare), "context")
    on_page = shown[shown["sweep"] == "context"]
    np.testing.assert_allclose(on_page["mean_r"], stories["mean_r"], rtol=1e-12)
    assert set(on_page["context"]) == {2, 16}
    assert set(shown.loc[shown["sweep"] == "n_stories", "n_stories"]) == {1, 2, 3}


def test_maps_hold_what_a_loop_over_voxels_finds(planted, planted_page):
    found = results(planted)
    cells = found.sweep("layer", "s1")
    held = [found.arrays(cell) for cell in cells]
    maps = pd.read_parquet(planted_page.parent / "figures" / "flatmaps-s1.parquet")
    assert maps["voxel"].tolist() == list(range(N_VERTICES))
    for voxel in range(0, N_VERTICES, 997):
        best = max(range(len(cells)), key=lambda i: held[i]["cv_score"][voxel])
        row = maps.iloc[voxel]
        again = held[best]["r_by_story"][0, voxel]  # of the repeated story, the first test run
        expected = {
            "best_layer": cells[best].layer,
            "r": held[best]["r"][voxel],
            "cc_norm": held[best]["cc_norm"][voxel],
            "cc_max": held[best]["cc_max"][voxel],
            "p_value": held[best]["p_value"][voxel],
            "r_repeated": again,
            "room": held[best]["cc_max"][voxel] - again,
        }
        for name, value in expected.items():
            np.testing.assert_allclose(row[name], value, rtol=1e-5, err_msg=name)


def test_found_numbers_come_from_the_results(planted, planted_page):
    shown = pd.read_csv(planted_page.parent / "figures" / "found.csv", keep_default_na=False)
    maps = pd.read_parquet(planted_page.parent / "figures" / "flatmaps-s1.parquet")
    truth = planted_dataset("s1").truth
    silent = truth["signal_share"] == 0
    numbers = shown["found"].astype(float).to_numpy()
    assert numbers[0] == pytest.approx(np.corrcoef(truth["accuracy"], maps["r"])[0, 1])
    assert numbers[2] == pytest.approx(maps["r"][silent].mean())
    assert numbers[3] == pytest.approx((maps["p_value"][silent] < 0.05).mean())
    assert shown["is_met"].tolist()[:2] == ["no", "no"]  # these responses are noise
    n_met = (shown["is_met"] == "yes").sum()
    assert f"{n_met} of 4 goals of the planted data are met" in text_of(planted_page)


def test_time_courses_are_those_of_the_data_and_the_prediction(planted, planted_page):
    shown = pd.read_csv(planted_page.parent / "figures" / "time-courses.csv")
    names = list(dict.fromkeys(shown["example"]))
    assert [name.split(":")[0] for name in names] == [
        "Best voxel by validation",
        "Middle of the voxels with a validation score above 0",
        "A voxel without signal",
    ]
    data, found = planted_dataset("s1"), results(planted)
    for name in names:
        voxel, layer = map(int, re.search(r"number (\d+), layer (\d+)", name).groups())
        rows = shown[shown["example"] == name]
        np.testing.assert_allclose(rows["time_s"], data.responses["again"].tr_times[4:-2])
        repeats = [one.values[4:-2, voxel].astype(float) for one in data.trials["again"]]
        mean = np.mean([(one - one.mean()) / one.std() for one in repeats], axis=0)
        np.testing.assert_allclose(rows["mean"], mean, atol=1e-6)  # in SDs of one run, as below
        (cell,) = found.select(layer=layer)
        prediction = found.prediction(cell, "again").values[:, voxel]
        np.testing.assert_allclose(rows["prediction"], prediction - prediction.mean(), atol=1e-6)
        shown_r = float(re.search(r"r = (\S+)", name)[1].replace("−", "-"))
        assert shown_r == pytest.approx(np.corrcoef(mean, prediction)[0, 1], abs=0.006)
    silent = int(re.search(r"number (\d+)", names[2])[1])
    assert data.truth["signal_share"][silent] == 0
    told = section_of(planted_page, "courses")
    assert "without the 4 TRs at its start and 2 at its end that were trimmed" in told
    assert "Grey: single repeats, each z-scored." in told
    assert "All in standard deviations of a single run" in told


def test_cells_that_failed_or_are_missing_are_listed(bare, tmp_path):
    found = results(bare)
    lost = [c for c in found.cells if c.subject == "s2" and c.layer == 2]
    rest = tuple(cell for cell in found.cells if cell not in lost)
    failure = {"error": "FitError", "message": "no <validation> data\nsecond line"}
    partial = dataclasses.replace(
        found, cells=rest, missing=tuple(lost), failed=((lost[0], failure),)
    )
    page = write_report(partial, tmp_path)
    told = section_of(page, "what-was-run")
    n_done, n_cells = (len(some) + len(found.beside) for some in (rest, found.cells))
    assert f"{n_done} of {n_cells} cells are done; 1 failed and 0 were not run" in told
    assert f"{lost[0].label} FitError no <validation> data" in told
    assert "second line" not in told
    assert len(pd.read_csv(tmp_path / "figures" / "layers.csv")) == 5


def test_a_unit_without_one_size_is_left_out_and_counted(bare, tmp_path):
    found = results(bare)
    lost = [c for c in found.cells if c.subject == "s2" and c.context == 2]
    rest = tuple(cell for cell in found.cells if cell not in lost)
    partial = dataclasses.replace(found, cells=rest, missing=tuple(lost))
    told = section_of(write_report(partial, tmp_path), "size")
    assert "2 sizes, of s1." in told
    assert "Two sizes cannot show whether the line is straight." in told
    assert "Left out for want of a size: of s2 test story" in told
    assert "(2 words)." in told


def test_a_study_with_one_cell_has_a_page(bare, tmp_path):
    found = results(bare)
    one = dataclasses.replace(
        found, cells=found.cells[:1], beside=(), missing=(*found.cells[1:], *found.beside)
    )
    page = write_report(one, tmp_path)
    told = section_of(page, "layers")
    assert "Only one layer is done" in told
    (row,) = pd.read_csv(tmp_path / "figures" / "layers.csv").itertuples()
    held = found.arrays(found.cells[0])
    assert row.r == pytest.approx(held["r"].astype(float).mean(), rel=1e-6)
    assert row.cv_score == pytest.approx(held["cv_score"].astype(float).mean(), rel=1e-6)
    shown = f"{row.subject} {row.layer} {row.cv_score:.3f} {row.r:.3f}".replace("-", "−")
    assert f"subject layer cv_score r {shown} Means over voxels" in told


@pytest.mark.parametrize("which", ["bare", "planted"])
def test_the_table_of_all_cells_is_a_file_that_the_page_names(request, which):
    page = request.getfixturevalue(f"{which}_page")
    cells = pd.read_csv(page.parent / "figures" / "cells.csv")
    table = results(request.getfixturevalue(which)).table
    pd.testing.assert_frame_equal(cells, table, check_dtype=False)
    assert 'href="figures/cells.csv"' in text_of(page)
    assert "a row for every cell" in section_of(page, "what-was-run")


def test_without_p_values_the_page_does_not_speak_of_them(planted, tmp_path):
    material = read_material(results(planted))
    (maps,) = material.maps
    blind = dataclasses.replace(maps, p_value=np.full(N_VERTICES, np.nan))
    assert not blind.has_p_values
    assert blind.is_shown.all()
    material = dataclasses.replace(material, maps=(blind,))
    (drawing,) = _sections.on_cortex(material).drawings
    assert "q < 0.05" not in drawing.caption
    assert "the study has no p-values" in drawing.caption


def test_without_nilearn_the_maps_are_missing_and_nothing_else(planted, monkeypatch):
    def refuse():
        message = "flat maps need nilearn"
        raise VoxscaleError(message)

    monkeypatch.setattr(_flatmap, "fsaverage_sheets", refuse)
    section = _sections.on_cortex(read_material(results(planted)))
    assert section.paragraphs == ["There are no flat maps: flat maps need nilearn"]
    assert not section.drawings


def names_in(folder):
    return {file.name for file in folder.iterdir() if file.name != ".written.json"}


def linked_from(page):
    return set(re.findall(r'href="figures/([^"]*)"', text_of(page)))


def test_what_an_earlier_report_drew_goes_and_files_of_others_stay(bare, tmp_path):
    figures = tmp_path / "figures"
    report(bare, out=tmp_path)
    assert {"size.png", "layers.png"} <= names_in(figures)
    (figures / "mine.png").write_bytes(b"for the paper")
    (figures / "mine.png").chmod(0o444)
    (figures / "talk").mkdir()
    (figures / "talk" / "layers.png").write_bytes(b"another")
    (figures / "link.png").symlink_to(figures / "nowhere")

    found = results(bare)
    one = dataclasses.replace(
        found, cells=found.cells[:1], beside=(), missing=(*found.cells[1:], *found.beside)
    )
    page = write_report(one, tmp_path)
    strangers = {"mine.png", "talk", "link.png"}
    assert names_in(figures) == linked_from(page) | strangers
    assert linked_from(page) == {"cells.csv", "layers.csv", "scores.csv"}
    assert (figures / "mine.png").read_bytes() == b"for the paper"
    assert (figures / "talk" / "layers.png").read_bytes() == b"another"
    assert (figures / "link.png").is_symlink()

    page = report(bare, out=tmp_path)
    assert names_in(figures) == linked_from(page) | strangers


@pytest.mark.parametrize(
    "listed", [None, "{", '{"mine.csv": 1}', '["../notes.txt", "", "..", "talk", 3]']
)
def test_without_a_list_that_names_them_files_stay(bare, tmp_path, listed):
    figures = tmp_path / "figures"
    (figures / "talk").mkdir(parents=True)
    (tmp_path / "notes.txt").write_text("mine")
    (figures / "mine.csv").write_text("mine")
    (figures / "layers.csv").write_text("of an earlier version")
    if listed is not None:
        (figures / ".written.json").write_text(listed)
    page = report(bare, out=tmp_path)
    assert names_in(figures) == linked_from(page) | {"mine.csv", "talk"}
    assert (tmp_path / "notes.txt").read_text() == (figures / "mine.csv").read_text() == "mine"
    assert len(pd.read_csv(figures / "layers.csv")) == 6


def test_a_file_that_cannot_be_written_leaves_the_earlier_report(bare, tmp_path, monkeypatch):
    report(bare, out=tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.*") if file.is_file()}
    real = _page.write_aside

    @contextmanager
    def full(path):
        with real(path) as temporary:
            yield temporary
            if path.name == "size.png":
                raise OSError(errno.ENOSPC, "No space left on device", str(temporary))

    monkeypatch.setattr(_page, "write_aside", full)
    found = results(bare)
    some = dataclasses.replace(found, cells=found.cells[1:], missing=found.cells[:1])
    with pytest.raises(StoreError, match="disk is full"):
        write_report(some, tmp_path)
    left = {file: file.read_bytes() for file in tmp_path.rglob("*.*") if file.is_file()}
    assert set(left) == set(before)
    assert left[tmp_path / "report.html"] == before[tmp_path / "report.html"]


def test_a_report_that_fails_leaves_the_earlier_one(bare, tmp_path, monkeypatch):
    page = report(bare, out=tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.*")}

    def refuse(*parts):
        message = "no page"
        raise VoxscaleError(message)

    monkeypatch.setattr(_page, "_render", refuse)
    with pytest.raises(VoxscaleError, match="no page"):
        report(bare, out=tmp_path)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*.*")} == before
    assert page in before


def test_a_study_that_was_not_run_says_so(bare, tmp_path):
    study = bare.model_copy(update={"out": tmp_path})
    with pytest.raises(StoreError, match="run it first"):
        report(study)
    assert not (tmp_path / "report.html").exists()


def test_a_folder_that_cannot_be_written_to_says_so(bare, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StoreError, match="a part of the path is a file"):
        report(bare, out=tmp_path / "taken")


def test_a_grid_of_layers_with_fewer_stories_is_no_part_of_the_layers_of_the_page(tiny, tmp_path):
    text = tiny.STUDY + "[[sweep]]\nlayers = [0, 2]\ntraining_stories = [1, 2]\n"
    text += "[[sweep]]\nlayers = [0, 1]\ntraining_stories = [1]\n"
    fields = {"contexts": "[32]", "training_stories": '["all"]', "draws": "1"}
    study = Study.from_toml(tiny.write_study(tmp_path, text, **fields))
    run(study, progress=False)
    page = report(study)
    shown = pd.read_csv(page.parent / "figures" / "layers.csv")
    assert len(shown) == 6  # three layers of two subjects
    found = results(study)
    for subject in found.subjects:
        assert found.best_layer(subject).chosen.max() < 3
    assert "layers-by-hours.csv" in names_in(page.parent / "figures")
    numbers = pd.read_csv(page.parent / "figures" / "layers-by-hours.csv")
    assert set(zip(numbers["layer"], numbers["size"].round(3), strict=True)) == {
        *((layer, 0.029) for layer in (0, 1, 2)),
        *((layer, 0.059) for layer in (0, 2)),
        *((layer, 0.088) for layer in (0, 1, 2)),
    }
