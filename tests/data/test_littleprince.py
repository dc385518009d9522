"""The data set littleprince, on a miniature of its folders with planted responses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import voxscale as vs
from voxscale import plugins
from voxscale.data import LittlePrince, dataset_card, dataset_subjects, littleprince
from voxscale.errors import DataError, VoxscaleWarning

nibabel = pytest.importorskip("nibabel")

N_TRS, TR_S = 50, 2.0
RUNS = (8, 9, 10, 11, 12, 15, 16, 17, 20)  # as text, 10 comes before 8
MASK = np.zeros((3, 3, 2), np.uint8)
MASK[0, :, 0] = MASK[1:, 2, 1] = 1


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(plugins._registered["datasets"], "littleprince", littleprince)


def planted(section, n_voxels=5):
    rng = np.random.default_rng(section)
    onset_s = np.sort(rng.choice(np.arange(9400), 110, replace=False)) / 100
    count = np.histogram(onset_s, np.arange(N_TRS + 1) * TR_S)[0].astype(float)
    late = np.concatenate([[0.0, 0.0], count[:-2]])
    noise = 0.1 * rng.standard_normal((N_TRS, n_voxels))
    return onset_s, (100 + late[:, None] * np.arange(1, n_voxels + 1) + noise).astype(np.float32)


def table(language):
    """Return the word table; some rows of it have faults, as the published ones have."""
    lines = [",word,lemma,onset,offset,section"]
    for section in range(1, 10):
        onset_s, _ = planted(section)
        for i, on in enumerate(onset_s):
            word = {"CN": "王子", "FR": "été"}.get(language, f'"w{i}, {section}"')
            lines.append(f"{len(lines)},{word},x,{on:.2f},{on + 0.01:.2f},{section}")
    return lines


def write(folder, subject="sub-EN057", runs=RUNS, mask=True):
    root = folder / "ds003643"
    language = subject[4:6]
    func = root / "derivatives" / subject / "func"
    func.mkdir(parents=True)
    (root / f"annotation/{language}").mkdir(parents=True)
    path = root / f"annotation/{language}/lpp{language}_word_information.csv"
    path.write_text("\n".join(table(language)) + "\n", encoding="utf-8")
    for section, run in enumerate(runs, start=1):
        grid = np.zeros((*MASK.shape, N_TRS), np.float32)
        grid[MASK != 0] = planted(section)[1].T
        stem = f"{subject}_task-lpp{language}_run-{run:02}_space-MNIColin27"
        nibabel.save(
            nibabel.Nifti1Image(grid, np.eye(4)), func / f"{stem}_desc-preproc_bold.nii.gz"
        )
        if mask:
            nibabel.save(
                nibabel.Nifti1Image(MASK, np.eye(4)), func / f"{stem}_desc-brain_mask.nii.gz"
            )
    return root


def best_lag(data, run):
    one = data.responses[run]
    rows = one.tr_times[one.trs.start : one.trs.stop]
    found = []
    for lag in range(5):
        edges = np.append(rows - 1, rows[-1] + 1) - lag * TR_S
        count = np.histogram(data.words[run].onset_s, edges)[0]
        found.append(np.corrcoef(count, one.values[:, 1])[0, 1])
    return int(np.argmax(found)), max(found)


@pytest.mark.parametrize("subject", ["sub-EN057", "sub-CN001", "sub-FR001"])
def test_a_person_is_loaded_in_each_language(tmp_path, subject):
    root = write(tmp_path, subject)
    assert dataset_subjects("littleprince", tmp_path) == (subject,)
    data = vs.load("littleprince", root=tmp_path)
    assert data.split() == ([f"section{i}" for i in range(1, 9)], ["section9"])
    assert (data.tr_s, data.space, data.n_voxels) == (2.0, "MNIColin27", 5)
    assert data.words["section2"].words[0] == {
        "EN": "w0, 2", "CN": "王子", "FR": "été"
    }[subject[4:6]]  # fmt: skip
    assert vs.load("littleprince", subject, root).train == data.train


def test_the_lowest_run_is_section_one_and_words_share_its_clock(tmp_path):
    """Runs 8 to 20, sorted as numbers: another section's words would not fit."""
    write(tmp_path)
    data = vs.load("littleprince", root=tmp_path)
    for run in (*data.train, *data.test):
        lag, r = best_lag(data, run)
        assert lag == 2
        assert r > 0.98
    assert data.responses["section1"].tr_times[0] == 1.0
    late = LittlePrince(tmp_path, sound_start_s=TR_S).load("sub-EN057")
    assert best_lag(late, "section1")[0] == 1


def test_from_folder_to_scores(tmp_path):
    write(tmp_path)
    data = vs.load("littleprince", root=tmp_path)
    rates = vs.word_rate(data.words)
    recipe = vs.DesignRecipe(delays=(1, 2, 3), trim=(3, 2))
    X, Y = recipe.join(rates, data.responses, data.train)
    X_test, Y_test = recipe.join(rates, data.responses, data.test)
    cv = vs.chunk_holdout(len(X), chunk_len=10, n_chunks=5, n_repeats=2, seed=0)
    r = vs.correlation(Y_test, vs.RidgeCV([0.1, 10.0], cv).fit(X, Y).predict(X_test))
    assert r.min() > 0.8


def test_a_run_that_is_missing(tmp_path):
    root = write(tmp_path)
    for path in root.glob("derivatives/*/func/*run-12*"):
        path.unlink()
    with pytest.raises(DataError, match=r"8 runs \(08, 09, 10, 11, 15.*\); expected 9, since"):
        vs.load("littleprince", root=tmp_path)
    sections = {f"{run:02}": section for section, run in enumerate(RUNS, start=1) if run != 12}
    data = LittlePrince(tmp_path, sections=sections).load("sub-EN057")
    assert "section5" not in data.responses
    assert best_lag(data, "section6") [0] == 2  # fmt: skip
    for wrong in ({"08": 1}, {**sections, "09": 1}, {**sections, "09": 10}):
        with pytest.raises(DataError, match=r"expected one section of 1 to 9 for every run"):
            LittlePrince(tmp_path, sections=wrong).load("sub-EN057")


def test_faults_of_the_word_table_are_counted(tmp_path):
    root = write(tmp_path)
    path = root / "annotation/EN/lppEN_word_information.csv"
    lines = path.read_text().splitlines()
    lines[5], lines[6] = lines[6], lines[5]  # out of order
    lines.insert(9, "x, ,x,1.0,2.0,1")
    lines.insert(9, "x,word,x,,,1")
    path.write_text("\n".join(lines) + "\n")
    message = r"of 992 rows 2 have no word or time and are left out, 1 begin before the one before"
    with pytest.warns(VoxscaleWarning, match=message):
        data = vs.load("littleprince", root=tmp_path)
    assert data.words["section1"].words[:6] == tuple(f"w{i}, 1" for i in range(6))
    assert len(data.words["section1"]) == 110


def test_word_tables_that_cannot_be_used(tmp_path):
    root = write(tmp_path)
    path = root / "annotation/EN/lppEN_word_information.csv"
    whole = path.read_text()
    path.write_text(whole.replace("section", "chapter", 1))
    with pytest.raises(DataError, match=r"no column section; expected word, onset, offset and"):
        vs.load("littleprince", root=tmp_path)
    kept = [line for line in whole.splitlines() if not line.endswith(",4")]
    path.write_text("\n".join(kept))
    with pytest.raises(DataError, match=r"no words of sections \[4\]"):
        vs.load("littleprince", root=tmp_path)
    on = [
        [i, f"w{i}", "x", 100 * s + i, 100 * s + i + 0.5, s] for s in range(1, 10) for i in (1, 2)
    ]
    path.write_text(whole.split("\n")[0] + "\n" + "\n".join(",".join(map(str, r)) for r in on))
    with pytest.raises(DataError, match=r"onsets go on from section to section \(section 2 .* 201"):
        vs.load("littleprince", root=tmp_path)


def test_without_a_mask_the_brain_is_found_and_said_so(tmp_path):
    """A brain of voxels that are bright, in a grid large enough for nilearn to find it."""
    pytest.importorskip("nilearn")
    root = write(tmp_path, mask=False)
    for path in root.glob("derivatives/*/func/*_bold.nii.gz"):
        rng = np.random.default_rng(1)
        grid = rng.uniform(0, 5, (20, 20, 20, N_TRS)).astype(np.float32)
        grid[5:15, 5:15, 5:15] += 1000
        nibabel.save(nibabel.Nifti1Image(grid, np.diag([3, 3, 3, 1])), path)
    with pytest.warns(VoxscaleWarning, match=r"no mask was found; its voxels are the [\d,]+ that"):
        data = vs.load("littleprince", root=tmp_path)
    from nilearn.masking import compute_epi_mask

    first = min(root.glob("derivatives/*/func/*run-08*_bold.nii.gz"))
    assert data.n_voxels == np.count_nonzero(compute_epi_mask(str(first)).dataobj)
    assert 1000 <= data.n_voxels < 2000
    nibabel.save(nibabel.Nifti1Image(grid[..., 0], np.diag([3, 3, 3, 1])), root / "own.nii.gz")
    assert LittlePrince(root, mask="own.nii.gz").load("sub-EN057").n_voxels == 8000


def test_what_is_not_fetched_is_told_in_one_line(tmp_path):
    root = write(tmp_path)
    for path in [*root.glob("derivatives/*/func/*bold.nii.gz"), *root.glob("annotation/*/*")]:
        path.unlink()
        path.symlink_to("../../.git/annex/objects/aa/bb/MD5E")
    with pytest.raises(DataError, match=r"sub-EN057: 10 of 10 files are not fetched") as told:
        vs.load("littleprince", root=tmp_path)
    assert str(told.value).count("datalad get -d ") == 1


def test_sounds_and_splits(tmp_path):
    root = write(tmp_path)
    (root / "stimuli").mkdir()
    (root / "stimuli/task-lppEN_section-1.wav").write_bytes(b"RIFF")
    (root / "stimuli/task-lppEN_section_2.wav").write_bytes(b"RIFF")
    data = LittlePrince(root, test=("section3", "section1")).load("sub-EN057")
    assert data.test == ("section1", "section3")
    assert sorted(data.audio) == ["section1", "section2"]
    with pytest.raises(DataError, match=r"test names 'section10'; expected of section1"):
        LittlePrince(root, test=("section10",)).load("sub-EN057")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"is not ds003643: it has no annotation/ or derivatives/"):
        vs.load("littleprince", root=tmp_path / "empty")


def test_more_people_than_the_card_counts(tmp_path, monkeypatch):
    write(tmp_path)
    card = replace(littleprince.CARD, n_subjects_of={"English": 0, "French": 0})
    monkeypatch.setattr(littleprince, "CARD", card)
    with pytest.warns(VoxscaleWarning, match="has 1 people of English; 0 are published"):
        vs.load("littleprince", root=tmp_path)


def test_nine_runs_are_those_of_the_card(tmp_path):
    assert littleprince.CARD.n_stories == 9
    write(tmp_path, runs=(*RUNS, 21))
    with pytest.raises(DataError, match=r"10 runs \(08, .*21\); expected 9, since"):
        vs.load("littleprince", root=tmp_path)


def test_a_subject_of_no_language(tmp_path):
    write(tmp_path, "sub-XX001")
    with pytest.raises(DataError, match="its language is not known"):
        vs.load("littleprince", root=tmp_path)


def test_the_card_is_complete():
    shown = str(dataset_card("littleprince"))
    for part in ("CC0", "10.1038/s41597-022-01625-7", "subjects: 112", "TR (s): 2.0", "datalad"):
        assert part in shown
