"""The data set narratives, on a miniature of its folders with planted responses."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import voxscale as vs
from voxscale import plugins
from voxscale.data import Narratives, dataset_card, dataset_subjects, narratives
from voxscale.errors import DataError, VoxscaleWarning

nibabel = pytest.importorskip("nibabel")

TR_S, N_TRS = 1.5, 90
MUSIC_S = 15.0  # at the start of each sound


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(plugins._registered["datasets"], "narratives", narratives)


def planted(seed, start_s, n_columns=6):
    """Words from the onset of the sound; responses follow them by two TRs of the scan."""
    rng = np.random.default_rng(seed)
    room = int((N_TRS * TR_S - start_s - MUSIC_S - 3) * 100)
    onset_s = MUSIC_S + np.sort(rng.choice(np.arange(room), 150, replace=False)) / 100
    count = np.histogram(onset_s + start_s, np.arange(N_TRS + 1) * TR_S)[0].astype(float)
    late = np.concatenate([[0.0, 0.0], count[:-2]])
    noise = 0.1 * rng.standard_normal((N_TRS, n_columns))
    return onset_s, (late[:, None] * np.arange(1, n_columns + 1) + noise).astype(np.float32)


def save_surface(func, stem, values, *, desc="_desc-clean", n_left=3):
    func.mkdir(parents=True, exist_ok=True)
    for hemi, columns in (("L", values[:, :n_left]), ("R", values[:, n_left:])):
        arrays = [nibabel.gifti.GiftiDataArray(row) for row in columns]
        path = func / f"{stem}_space-fsaverage6_hemi-{hemi}{desc}.func.gii"
        nibabel.save(nibabel.gifti.GiftiImage(darrays=arrays), path)


def write_story(root, story, onset_s):
    folder = root / "stimuli/gentle" / story
    folder.mkdir(parents=True, exist_ok=True)
    rows = [f"w{i},w{i},{on:.2f},{on + 0.002:.3f}" for i, on in enumerate(onset_s)]
    (folder / "align.csv").write_text("\n".join(rows) + "\n")


def write_events(root, subject, stem, sound, start_s):
    func = root / subject / "func"
    func.mkdir(parents=True, exist_ok=True)
    (func / f"{stem}_events.tsv").write_text(
        "onset\tduration\ttrial_type\tstim_file\n"
        f"{start_s}\t13.0\tmusic\t{sound}_audio.wav\n"
        f"{start_s + MUSIC_S}\t90.0\tstory\t{sound}_audio.wav\n"
    )


SCANS = {  # stem without the subject: gentle folder, onset of the sound
    "task-bronx": ("bronx", 12.0),
    "task-milkyway": ("milkywayvodka", 0.0),
    "task-pieman_run-1": ("pieman", 0.0),
    "task-pieman_run-2": ("pieman", 0.0),
    "task-slumlordreach": ("slumlordreach", 4.5),
}


def write(parent):
    """Write a folder ds002345; return the one that holds it."""
    folder = parent / "ds002345"
    for number, (stem, (story, start_s)) in enumerate(SCANS.items()):
        onset_s, values = planted(10 if story == "pieman" else number, start_s)
        if stem.endswith("2"):
            values = values + 0.5
        func = folder / "derivatives/afni-nosmooth/sub-001/func"
        save_surface(func, f"sub-001_{stem}", values)
        write_story(folder, story, onset_s)
        write_events(folder, "sub-001", f"sub-001_{stem}", story, start_s)
    (folder / "code").mkdir()
    (folder / "code/scan_exclude.json").write_text("{}")
    return parent


@pytest.fixture
def root(tmp_path):
    return write(tmp_path)


def best_lag(data, story):
    """Return the lag in TRs, and r at it, of responses behind words, each on its own clock."""
    one = data.responses[story]
    rows = one.tr_times[one.trs.start : one.trs.stop]
    onset_s = data.words[story].onset_s
    found = []
    for lag in range(5):
        edges = np.append(rows - TR_S / 2, rows[-1] + TR_S / 2) - lag * TR_S
        found.append(np.corrcoef(np.histogram(onset_s, edges)[0], one.values[:, 1])[0, 1])
    return int(np.argmax(found)), max(found)


def test_a_person_is_loaded(root):
    assert dataset_subjects("narratives", root) == ("sub-001",)
    for one in (root, root / "ds002345"):
        data = vs.load("narratives", root=one)
        assert data.split() == (["bronx", "milkywayvodka", "slumlordreach"], ["pieman"])
        assert (data.tr_s, data.space, data.n_voxels) == (1.5, "fsaverage6", 6)
    assert "10.1038/s41597-021-01033-3" in data.citation


def test_words_and_trs_share_the_clock_of_the_sound(root):
    """Sounds begin 0, 4.5 or 12 s into the scan; alignments count from there, music included."""
    data = vs.load("narratives", root=root)
    for story in data.responses:
        lag, r = best_lag(data, story)
        assert lag == 2
        assert r > 0.95
    assert data.responses["bronx"].tr_times[0] == 0.75 - 12.0
    assert data.responses["slumlordreach"].tr_times[0] == 0.75 - 4.5
    assert data.responses["pieman"].tr_times[0] == 0.75


def test_an_onset_that_is_off_by_a_tr_is_found_out(root):
    write_events(root / "ds002345", "sub-001", "sub-001_task-bronx", "bronx", 12.0 + TR_S)
    assert best_lag(vs.load("narratives", root=root), "bronx")[0] == 1


def test_onsets_are_known_where_there_are_no_events(root):
    func = root / "ds002345/sub-001/func"
    for path in func.glob("*bronx*"):
        path.unlink()
    data = vs.load("narratives", root=root)
    assert best_lag(data, "bronx")[0] == 2
    (func / "sub-001_task-milkyway_events.tsv").unlink()
    write_story(root / "ds002345", "milkyway", [1.0, 2.0])
    with pytest.raises(DataError, match=r"when the sound of sub-001_task-milkyway began is not"):
        vs.load("narratives", root=root)


def test_a_story_heard_twice_has_trials(root):
    data = vs.load("narratives", root=root)
    first, second = data.trials["pieman"]
    np.testing.assert_allclose(second.values, first.values + 0.5, atol=1e-5)
    np.testing.assert_allclose(data.responses["pieman"].values, first.values + 0.25, atol=1e-5)


def test_from_folder_to_scores(root):
    data = vs.load("narratives", root=root)
    rates = vs.word_rate(dict(data.words))
    recipe = vs.DesignRecipe(delays=(1, 2, 3), trim=(12, 5))
    X, Y = recipe.join(rates, data.responses, data.train)
    X_test, Y_test = recipe.join(rates, data.responses, data.test)
    cv = vs.chunk_holdout(len(X), chunk_len=10, n_chunks=3, n_repeats=2, seed=0)
    r = vs.correlation(Y_test, vs.RidgeCV([0.1, 10.0], cv).fit(X, Y).predict(X_test))
    assert r.min() > 0.8


def test_scans_that_its_authors_exclude(root):
    code = root / "ds002345/code"
    excluded = {"pieman": {"sub-001": ["sub-001_task-pieman_run-2"]}, "lucy": {},
                "bronx": {"sub-001": ["sub-001_task-bron"]}}  # fmt: skip
    (code / "scan_exclude.json").write_text(json.dumps(excluded))
    message = (
        r"1 of 5 scans are left out, as code/scan_exclude\.json says: sub-001_task-pieman_run-2"
    )
    with pytest.warns(VoxscaleWarning, match=message):
        data = vs.load("narratives", root=root)
    assert "pieman" in data.responses
    assert "bronx" in data.responses  # names are compared whole
    assert list(data.trials) == []
    assert list(Narratives(root, excluded=True).load("sub-001").trials) == ["pieman"]
    every = {"any": {"sub-001": [f"sub-001_{stem}" for stem in SCANS]}}
    (code / "scan_exclude.json").write_text(json.dumps(every))
    with pytest.raises(DataError, match=r"all of its scans are excluded .*excluded=True"):
        vs.load("narratives", root=root)
    (code / "scan_exclude.json").write_text("[1]")
    with pytest.raises(DataError, match=r"scan_exclude\.json: cannot be understood"):
        vs.load("narratives", root=root)


def test_without_the_list_of_excluded_scans_that_is_said(root):
    (root / "ds002345/code/scan_exclude.json").unlink()
    said = r"no code/scan_exclude\.json: no scan is excluded; fetch it with: voxscale fetch narr"
    with pytest.warns(VoxscaleWarning, match=said) as told:
        assert len(vs.load("narratives", root=root).responses) == 4
    assert len(told) == 1
    assert len(Narratives(root, excluded=True).load("sub-001").responses) == 4


def test_more_people_or_stories_than_the_card_counts(root, monkeypatch):
    monkeypatch.setattr(narratives, "CARD", replace(narratives.CARD, n_subjects=0, n_stories=3))
    with pytest.warns(VoxscaleWarning) as told:
        vs.load("narratives", root=root)
    assert "the folder has 1 people; 0 are published" in str(told[0].message)
    assert "sub-001: responses to 4 stories; 3 are published (in all)" in str(told[1].message)


def test_scans_without_words_are_listed(root):
    folder = root / "ds002345"
    func = folder / "derivatives/afni-nosmooth/sub-001/func"
    for task in ("notthefalllongscram", "schema"):
        save_surface(func, f"sub-001_task-{task}", planted(1, 0.0)[1])
    write_events(folder, "sub-001", "sub-001_task-notthefalllongscram", "notthefall", 4.5)
    (folder / "sub-001/func/sub-001_task-schema_events.tsv").write_text(
        "onset\tduration\ttrial_type\tstim_file\n"
        "3\t180\tstory\tsanta_audio.wav\n200\t180\tstory\tvinny_audio.wav\n400\t10\tmovie\tn/a\n"
    )
    write_story(folder, "santa", [1.0])
    message = (
        r"responses of 7 scans where alignments have 5; left out: "
        r"sub-001_task-notthefalllongscram, sub-001_task-schema\."
    )
    with pytest.warns(VoxscaleWarning, match=message):
        data = vs.load("narratives", root=root)
    assert set(data.responses) == {story for story, _ in SCANS.values()}


def test_words_that_were_not_found_are_told_when_they_are_read(root):
    path = root / "ds002345/stimuli/gentle/bronx/align.csv"
    path.write_text("Hm,,,\n" + path.read_text().replace("w7,w7,", "w7,,,X").split("X")[0]
                    + "\n" + path.read_text().split("\n", 8)[8])  # fmt: skip
    data = vs.load("narratives", root=root)
    with pytest.warns(VoxscaleWarning, match=r"2 of 151 words have no time of their own"):
        assert len(data.words["bronx"]) == 150
    dropped = Narratives(root, missing="drop").load("sub-001")
    with pytest.warns(VoxscaleWarning, match=r"2 are left out"):
        assert len(dropped.words["bronx"]) == 149


def test_pipelines_and_spaces_are_chosen(root):
    folder = root / "ds002345/derivatives"
    save_surface(folder / "fmriprep/sub-002/func", "sub-002_task-bronx",
                 planted(0, 12.0)[1], desc="")  # fmt: skip
    raw = Narratives(root, pipeline="fmriprep")
    assert raw.SUBJECTS == ("sub-002",)
    data = raw.load("sub-002")
    assert data.split() == (["bronx"], [])
    assert best_lag(data, "bronx")[0] == 2
    with pytest.raises(DataError, match=r"has no pipeline 'fmripep'.*did you mean 'fmriprep'"):
        Narratives(root, pipeline="fmripep")
    with pytest.raises(DataError, match=r"no recordings with space 'fsaverage5'"):
        Narratives(root, space="fsaverage5").load("sub-001")
    with pytest.raises(DataError, match=r"test names 'lucy'; expected one of bronx, milkywayvodka"):
        Narratives(root, test=["lucy"]).load("sub-001")


def test_volumes_and_the_masks_of_its_authors(root):
    space = "MNI152NLin2009cAsym"
    derivatives = root / "ds002345/derivatives"
    mask = np.zeros((2, 3, 2), np.uint8)
    mask[0, :, 1] = mask[1, :, 0] = 1
    _, values = planted(0, 12.0)
    grid = np.zeros((2, 3, 2, N_TRS), np.float32)
    grid[mask != 0] = values.T
    stem = f"sub-001_task-bronx_space-{space}_res-native_desc-clean_bold.nii.gz"
    nibabel.save(
        nibabel.Nifti1Image(grid, np.eye(4)), derivatives / "afni-nosmooth/sub-001/func" / stem
    )
    volumes = Narratives(root, space=space)
    with pytest.raises(DataError, match=r"no mask; expected .*tpl-MNI152NLin2009cAsym_res-bronx"):
        volumes.load("sub-001")
    tpl = derivatives / f"afni-smooth/tpl-{space}"
    tpl.mkdir(parents=True)
    name = f"tpl-{space}_res-bronx_desc-brain_mask.nii.gz"
    nibabel.save(nibabel.Nifti1Image(mask, np.eye(4)), tpl / name)
    data = volumes.load("sub-001")
    np.testing.assert_allclose(data.responses["bronx"].values, values, rtol=1e-6)
    assert best_lag(data, "bronx")[0] == 2


def test_what_is_not_fetched_is_told_in_one_line(root):
    folder = root / "ds002345"
    for path in folder.glob("derivatives/*/*/func/*.gii"):
        path.unlink()
        path.symlink_to("../../../.git/annex/objects/aa/bb/MD5E.gii")
    with pytest.raises(DataError, match=r"sub-001: 10 of 14 files are not fetched") as told:
        vs.load("narratives", root=root)
    assert str(told.value).count("datalad get -d ") == 1
    assert "task-bronx_space-fsaverage6_hemi-L_desc-clean.func.gii" in str(told.value)


def test_a_folder_that_is_another(tmp_path):
    message = r"is not ds002345: it has no derivatives/ or stimuli/"
    with pytest.raises(DataError, match=message) as told:
        vs.load("narratives", root=tmp_path)
    assert str(told.value).endswith(f"get one with: {narratives.CARD.fetch}")
    with pytest.raises(DataError, match="needs root=") as told:
        vs.load("narratives")
    assert str(told.value).endswith(f"get it with: {narratives.CARD.fetch}")
    (tmp_path / "narratives/stimuli").mkdir(parents=True)
    with pytest.raises(DataError, match=r"derivatives has none of afni-nosmooth, .*datalad get -n"):
        vs.load("narratives", root=tmp_path)
    (tmp_path / "narratives/derivatives/afni-smooth").mkdir(parents=True)
    with pytest.raises(DataError, match=r"'narratives': .* has recordings of no subject"):
        vs.load("narratives", root=tmp_path)


def test_sounds_are_named_where_they_are(root):
    folder = root / "ds002345/stimuli"
    (folder / "audio").mkdir()
    (folder / "audio/bronx_audio.wav").write_bytes(b"RIFF")
    (folder / "pieman_audio.wav").write_bytes(b"RIFF")
    audio = vs.load("narratives", root=root).audio
    assert audio == {
        "bronx": folder / "audio/bronx_audio.wav", "pieman": folder / "pieman_audio.wav"
    }  # fmt: skip


def test_the_card_is_complete():
    card = dataset_card("narratives")
    shown = str(card)
    for part in ("CC0", "10.1038/s41597-021-01033-3", "345", "TR (s): 1.5", "datalad"):
        assert part in shown
    assert len(narratives.SUBJECTS) == card.n_subjects
    assert len(card.faults) >= 5
