"""The data set bids: folders of derivatives, made with nibabel, with planted responses."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import voxscale as vs
from voxscale import plugins
from voxscale.data import bids, dataset_card, dataset_subjects
from voxscale.data._brain_images import read_images
from voxscale.data.bids import BIDS
from voxscale.errors import DataError, VoxscaleWarning

nibabel = pytest.importorskip("nibabel")
pytest.importorskip("nilearn")

TR_S, N_TRS = 1.5, 80
GRID = (3, 4, 2)
MASK = np.zeros(GRID, np.uint8)
MASK[1, 1:3] = 1
MASK[2, 0, 1] = 1  # five voxels
AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(plugins._registered["datasets"], "bids", bids)


def planted(seed, sound_start_s=0.0, n_voxels=5, n_trs=N_TRS):
    """Make words on the clock of the sound, and what follows the TR in which they begin by two."""
    rng = np.random.default_rng(seed)
    length_s = n_trs * TR_S - sound_start_s - 3
    onset_s = np.sort(rng.choice(np.arange(int(length_s * 100)), 160, replace=False)) / 100
    scan_s = onset_s + sound_start_s
    count = np.array(
        [np.sum((scan_s >= TR_S * k) & (scan_s < TR_S * (k + 1))) for k in range(n_trs)], float
    )
    late = np.concatenate([[0.0, 0.0], count[:-2]])
    values = late[:, None] * np.arange(1, n_voxels + 1) + 0.1 * rng.standard_normal(
        (n_trs, n_voxels)
    )
    return onset_s, 100 + values.astype(np.float32)


def save_volume(path, values, *, tr_s=TR_S, mask=MASK):
    grid = np.full((*mask.shape, len(values)), 7.0, np.float32)
    grid[mask != 0] = values.T
    image = nibabel.Nifti1Image(grid, AFFINE)
    image.header.set_zooms((3.0, 3.0, 3.0, tr_s))
    image.header.set_xyzt_units("mm", "sec")
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image, path)


def save_mask(path, mask=MASK, affine=AFFINE):
    nibabel.save(nibabel.Nifti1Image(mask, affine), path)


def save_surface(path, values):
    arrays = [nibabel.gifti.GiftiDataArray(row.astype(np.float32)) for row in values]
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.gifti.GiftiImage(darrays=arrays), path)


def events(onset_s, words=None):
    rows = [f"{on}\t0.01\t{f'w{i}' if words is None else words[i]}" for i, on in enumerate(onset_s)]
    return "onset\tduration\ttrial_type\n" + "\n".join(rows) + "\n"


SPACE = "space-MNI152NLin2009cAsym"


def write(parent):
    """Write a BIDS folder: two tasks of one run, one of two runs that are the same story."""
    folder = parent / "study"
    func = folder / "derivatives/fmriprep/sub-01/func"
    raw = folder / "sub-01/func"
    raw.mkdir(parents=True)
    (folder / "dataset_description.json").write_text("{}")
    stems = ("task-fox", "task-hare", "task-owl_run-2", "task-owl_run-10")
    for stem, seed in zip(stems, (1, 2, 3, 3), strict=True):
        onset_s, values = planted(seed)
        if stem.endswith("10"):
            values = values + 1
        save_volume(func / f"sub-01_{stem}_{SPACE}_desc-preproc_bold.nii.gz", values)
        save_mask(func / f"sub-01_{stem}_{SPACE}_desc-brain_mask.nii.gz")
        (raw / f"sub-01_{stem}_events.tsv").write_text(events(onset_s))
        (raw / f"sub-01_{stem}_bold.nii.gz").write_bytes(b"raw, not read")
    return folder


@pytest.fixture
def root(tmp_path):
    return write(tmp_path)


def best_lag(one, onset_s, voxel=0):
    """Return how many TRs a response follows the words by, on their clocks."""
    rows = one.tr_times[one.trs.start : one.trs.stop]
    found = []
    for lag in range(5):
        t = rows - lag * TR_S
        half = TR_S / 2
        count = [np.sum((onset_s >= at - half) & (onset_s < at + half)) for at in t]
        found.append(np.corrcoef(count, one.values[:, voxel])[0, 1])
    return int(np.argmax(found)), max(found)


def test_a_folder_is_loaded(root):
    assert dataset_subjects("bids", root) == ("sub-01",)
    data = vs.load("bids", root=root)
    assert data.split() == (["fox", "hare"], ["owl"])
    assert (data.subject, data.n_voxels, data.tr_s) == ("sub-01", 5, TR_S)
    assert data.space == "MNI152NLin2009cAsym"
    fox = data.responses["fox"]
    assert fox.trs == range(N_TRS)
    np.testing.assert_allclose(fox.tr_times[:2], [0.75, 2.25])
    np.testing.assert_allclose(fox.values, planted(1)[1], rtol=1e-6)
    np.testing.assert_array_equal(data.words["fox"].onset_s, planted(1)[0])
    assert vs.load("bids", root=root / "derivatives/fmriprep").train == data.train


def test_recordings_of_the_same_words_are_trials(root):
    data = vs.load("bids", root=root)
    assert list(data.trials) == ["owl"]
    first, second = data.trials["owl"]
    np.testing.assert_allclose(second.values, first.values + 1, rtol=1e-6)
    np.testing.assert_allclose(data.responses["owl"].values, first.values + 0.5, rtol=1e-6)


def test_voxels_are_in_the_order_of_niftimasker(root):
    from nilearn.maskers import NiftiMasker

    func = root / "derivatives/fmriprep/sub-01/func"
    path = func / f"sub-01_task-fox_{SPACE}_desc-preproc_bold.nii.gz"
    mask = func / f"sub-01_task-fox_{SPACE}_desc-brain_mask.nii.gz"
    masker = NiftiMasker(mask_img=str(mask), standardize=None)
    np.testing.assert_allclose(read_images([path], mask), masker.fit_transform(str(path)))
    assert read_images([path]).shape == (N_TRS, np.prod(GRID))


@pytest.mark.parametrize("start_s", [0.0, 6.0, 7.4])
def test_words_on_the_clock_of_the_sound(root, start_s):
    """TextGrids and tables count from the onset of the sound, which the events tell."""
    data = write_with_alignment(root, start_s).load("sub-02")
    onset_s, _ = planted(5, start_s)
    assert data.train == ("fox",)
    lag, r = best_lag(data.responses["fox"], data.words["fox"].onset_s)
    assert lag == 2
    assert r > 0.95
    np.testing.assert_allclose(data.responses["fox"].tr_times[0], 0.75 - start_s)
    np.testing.assert_array_equal(data.words["fox"].onset_s, onset_s)
    assert data.audio == {"fox": root / "stimuli/fox.wav"}


def write_with_alignment(root, start_s):
    func = root / "derivatives/fmriprep/sub-02/func"
    onset_s, values = planted(5, start_s)
    stem = "sub-02_task-fox"
    save_volume(func / f"{stem}_{SPACE}_desc-preproc_bold.nii.gz", values)
    save_mask(func / f"{stem}_{SPACE}_desc-brain_mask.nii.gz")
    (root / "stimuli").mkdir()
    (root / "stimuli/fox.wav").write_bytes(b"RIFF")
    (root / "stimuli/fox.csv").write_text(
        "word,onset,offset\n" + "".join(f"w{i},{on},{on + 0.002}\n" for i, on in enumerate(onset_s))
    )
    (root / "sub-02/func").mkdir(parents=True)
    (root / f"sub-02/func/{stem}_events.tsv").write_text(
        f"onset\tduration\ttrial_type\tstim_file\n{start_s}\t90\tstory\tfox.wav\n"
    )
    return BIDS(root, words="stimuli/{task}.csv", test=())


def test_a_sound_whose_onset_is_not_known(root):
    data_set = write_with_alignment(root, 6.0)
    (root / "sub-02/func/sub-02_task-fox_events.tsv").unlink()
    with pytest.warns(VoxscaleWarning, match=r"onset of the sound in sub-02_task-fox is not known"):
        data_set.load("sub-02")
    told = BIDS(root, words="stimuli/{task}.csv", sound_start_s=6.0, test=()).load("sub-02")
    assert best_lag(told.responses["fox"], told.words["fox"].onset_s)[0] == 2


def test_a_shift_of_one_tr_is_found_out(root):
    """What the tests on clocks rest on: one TR off, and another lag is found."""
    write_with_alignment(root, 6.0)
    moved = BIDS(root, words="stimuli/{task}.csv", sound_start_s=6.0 + TR_S, test=())
    data = moved.load("sub-02")
    assert best_lag(data.responses["fox"], data.words["fox"].onset_s)[0] != 2


def test_from_folder_to_scores(root):
    data = vs.load("bids", root=root)
    rates = vs.word_rate(data.words)
    recipe = vs.DesignRecipe(delays=(1, 2, 3), trim=(5, 5))
    X, Y = recipe.join(rates, data.responses, data.train)
    X_test, Y_test = recipe.join(rates, data.responses, data.test)
    cv = vs.chunk_holdout(len(X), chunk_len=10, n_chunks=3, n_repeats=2, seed=0)
    r = vs.correlation(Y_test, vs.RidgeCV([0.1, 10.0], cv).fit(X, Y).predict(X_test))
    assert r.min() > 0.8


def test_surfaces(tmp_path):
    """GIFTI has no TR: it comes from a side file. The left hemisphere's vertices come first."""
    func = tmp_path / "derivatives/fmriprep/sub-03/func"
    onset_s, values = planted(4, n_voxels=7)
    stem = "sub-03_ses-1_task-fox"
    for hemi, columns in (("L", values[:, :4]), ("R", values[:, 4:])):
        save_surface(func / f"{stem}_hemi-{hemi}_space-fsaverage5_bold.func.gii", columns)
    (func / f"{stem}_events.tsv").write_text(events(onset_s))
    with pytest.raises(DataError, match=r"TR of its recordings is not known.*pass tr_s="):
        vs.load("bids", root=tmp_path)
    (tmp_path / "task-fox_bold.json").write_text(json.dumps({"RepetitionTime": TR_S}))
    data = vs.load("bids", root=tmp_path)
    assert (data.space, data.tr_s) == ("fsaverage5", TR_S)
    np.testing.assert_allclose(data.responses["fox"].values, values, rtol=1e-6)
    assert best_lag(data.responses["fox"], data.words["fox"].onset_s)[0] == 2
    (func / f"{stem}_hemi-R_space-fsaverage5_bold.func.gii").unlink()
    with pytest.raises(DataError, match=r"hemispheres L are there; expected L and R"):
        vs.load("bids", root=tmp_path)


def write_confounds(root, n_first=0, n_trs=N_TRS):
    """Write what load_confounds reads, and a recording that they explain in part."""
    rng = np.random.default_rng(9)
    names = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    table = {name: rng.standard_normal(n_trs) for name in names}
    columns = {**table}
    for name, series in table.items():
        columns[f"{name}_derivative1"] = np.concatenate([[np.nan], np.diff(series)])
        columns[f"{name}_power2"] = series**2
        columns[f"{name}_derivative1_power2"] = columns[f"{name}_derivative1"] ** 2
    for i in range(n_first):
        columns[f"non_steady_state_outlier{i:02}"] = (np.arange(n_trs) == i).astype(float)
    func = root / "derivatives/fmriprep/sub-01/func"
    rows = ["\t".join(columns)]
    for k in range(n_trs):
        rows.append("\t".join("n/a" if np.isnan(c[k]) else repr(float(c[k]))
                              for c in columns.values()))  # fmt: skip
    for stem in ("task-fox", "task-hare", "task-owl_run-2", "task-owl_run-10"):
        (func / f"sub-01_{stem}_desc-confounds_timeseries.tsv").write_text("\n".join(rows) + "\n")
        (func / f"sub-01_{stem}_desc-confounds_timeseries.json").write_text("{}")
    _, values = planted(1)
    noisy = values + 5 * table["trans_x"][:, None]
    save_volume(func / f"sub-01_task-fox_{SPACE}_desc-preproc_bold.nii.gz", noisy)
    return values, noisy


def test_nothing_is_cleaned_unless_asked_for(root):
    clean, noisy = write_confounds(root)
    plain = BIDS(root)
    assert "as they are stored" in repr(plain)
    np.testing.assert_allclose(plain.load("sub-01").responses["fox"].values, noisy, rtol=1e-5)
    asked = BIDS(root, confounds=["motion"])
    assert "taken out: confounds motion" in repr(asked)
    found = asked.load("sub-01").responses["fox"].values
    r = [np.corrcoef(found[:, i], clean[:, i])[0, 1] for i in range(5)]
    assert min(r) > 0.8
    assert np.corrcoef(noisy[:, 0], clean[:, 0])[0, 1] < 0.5


def test_cleaning_is_that_of_niftimasker(root):
    from nilearn.interfaces.fmriprep import load_confounds
    from nilearn.maskers import NiftiMasker

    write_confounds(root)
    func = root / "derivatives/fmriprep/sub-01/func"
    path = str(func / f"sub-01_task-fox_{SPACE}_desc-preproc_bold.nii.gz")
    confounds, kept = load_confounds(path, ("motion",))
    assert kept is None
    masker = NiftiMasker(
        mask_img=path.replace("desc-preproc_bold", "desc-brain_mask"),
        standardize=None, detrend=True, high_pass=0.01, t_r=TR_S,
    )  # fmt: skip
    wanted = masker.fit_transform(path, confounds=confounds.fillna(0))
    data = BIDS(root, confounds=["motion"], detrend=True, high_pass_hz=0.01).load("sub-01")
    np.testing.assert_allclose(data.responses["fox"].values, wanted, rtol=1e-3, atol=1e-3)


def test_trs_before_a_steady_state_are_left_out_and_rows_stay_where_they_are(root):
    write_confounds(root, n_first=3)
    one = BIDS(root, confounds=["motion"]).load("sub-01").responses["fox"]
    assert one.trs == range(3, N_TRS)
    assert len(one.tr_times) == N_TRS
    assert best_lag(one, planted(1)[0])[0] == 2


def test_confounds_that_are_not_there(root):
    data = BIDS(root, confounds=["motion"]).load("sub-01")
    with pytest.raises(DataError, match=r"no confounds motion .*pass\s+confounds=None"):
        data.responses["fox"]


def test_options_lie_in_a_file_of_the_folder(root):
    path = root / "voxscale.toml"
    path.write_text('[bids]\ntask = "hare"\nname = "mine"\nlicence = "CC0"\ntest = []\n')
    data = vs.load("bids", root=root)
    assert (data.name, data.licence, data.split()) == ("mine", "CC0", (["hare"], []))
    for text, message in (
        ("[bids]\nspcae = 'x'", r"option 'spcae' is unknown.*did you mean 'space'"),
        ("[bids", r"cannot be read as TOML"),
        ("[bids]\nconfounds = 'motion'", r"voxscale\.toml: confounds is one string"),
        ("[bids]\ntest = ['fix']", r"test names 'fix'; expected one of fox, hare, owl"),
        ("[bids]\ntask = 'fix'", r"no recordings with task 'fix'; expected one of 'fox'"),
        ("[bids]\nspace = 'T1w'", r"no recordings with space 'T1w'"),
        ("[bids]\nwords = '{acq}.csv'", r"has no 'acq'; expected entities that it has"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            vs.load("bids", root=root)


def test_several_spaces_must_be_chosen_from(root):
    func = root / "derivatives/fmriprep/sub-01/func"
    save_volume(func / "sub-01_task-fox_space-T1w_desc-preproc_bold.nii.gz", planted(1)[1])
    with pytest.raises(DataError, match=r"several spaces \('MNI152NLin2009cAsym', 'T1w'\)"):
        vs.load("bids", root=root)
    assert BIDS(root, space="MNI152NLin2009cAsym").load("sub-01").n_voxels == 5
    save_volume(func / f"sub-01_task-fox_{SPACE}_res-2_desc-preproc_bold.nii.gz", planted(1)[1])
    with pytest.raises(DataError, match=r"sub-01_task-fox was processed in several ways"):
        BIDS(root, space="MNI152NLin2009cAsym").load("sub-01")


def test_several_pipelines_must_be_chosen_from(root):
    other = root / "derivatives/xcpd/sub-01/func"
    save_volume(other / f"sub-01_task-fox_{SPACE}_desc-preproc_bold.nii.gz", planted(1)[1])
    with pytest.raises(DataError, match=r"several pipelines in derivatives \(fmriprep, xcpd\)"):
        vs.load("bids", root=root)


def test_masks(root):
    func = root / "derivatives/fmriprep/sub-01/func"
    mask = func / f"sub-01_task-fox_{SPACE}_desc-brain_mask.nii.gz"
    less = MASK.copy()
    less[2, 0, 1] = 0
    save_mask(root / "less.nii.gz", less)
    assert BIDS(root, mask="less.nii.gz").load("sub-01").n_voxels == 4
    for wrong, affine, message in (
        (np.ones((3, 4, 3), np.uint8), AFFINE, r"has shape \(3, 4, 3\); expected that of"),
        (MASK, np.diag([2.0, 3, 3, 1]), "at another place in space"),
        (MASK * 0, AFFINE, "is 0 everywhere"),
    ):
        save_mask(mask, wrong, affine)
        data = vs.load("bids", root=root)
        with pytest.raises(DataError, match=message):
            data.responses["hare"]
    mask.unlink()
    with pytest.raises(DataError, match=r"no mask beside sub-01_task-fox.*pass mask="):
        vs.load("bids", root=root)


def test_what_is_absent_or_damaged(root, tmp_path, monkeypatch):
    func = root / "derivatives/fmriprep/sub-01/func"
    with pytest.raises(DataError, match="needs root="):
        vs.load("bids")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: no recordings of subjects"):
        vs.load("bids", root=tmp_path / "empty")
    with pytest.raises(DataError, match=r"no subject 'sub-1'; choose one of sub-01"):
        vs.load("bids", "sub-1", root)
    (root / "sub-01/func/sub-01_task-fox_events.tsv").rename(root / "kept.tsv")
    with pytest.raises(DataError, match=r"no words of sub-01_task-fox; expected sub-01_task-fox"):
        vs.load("bids", root=root)
    (root / "kept.tsv").rename(root / "task-fox_events.tsv")  # as BIDS inherits
    path = func / f"sub-01_task-fox_{SPACE}_desc-preproc_bold.nii.gz"
    data = vs.load("bids", root=root)
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(DataError, match=r"fox.*bold\.nii\.gz: cannot be read"):
        data.responses["fox"]
    path.unlink()
    path.symlink_to(".git/annex/objects/aa/bb/MD5E.nii.gz")
    with pytest.raises(DataError, match=r"1 of 4 files are not fetched.*datalad get -d .*fox"):
        vs.load("bids", root=root)


def test_repeats_of_other_lengths_are_cut_aloud(root):
    func = root / "derivatives/fmriprep/sub-01/func"
    path = func / f"sub-01_task-owl_run-10_{SPACE}_desc-preproc_bold.nii.gz"
    save_volume(path, planted(3)[1][:70])
    data = vs.load("bids", root=root)
    with pytest.warns(VoxscaleWarning, match=r"'owl': its repeats cover TRs 0\.\.79, 0\.\.69; cut"):
        repeats = data.trials["owl"]
    assert [one.trs for one in repeats] == [range(70)] * 2


def test_recordings_of_several_trs(root):
    func = root / "derivatives/fmriprep/sub-01/func"
    save_volume(func / f"sub-01_task-fox_{SPACE}_desc-preproc_bold.nii.gz", planted(1)[1], tr_s=2.0)
    with pytest.raises(DataError, match=r"several TRs \(sub-01_task-fox: 2\.0"):
        vs.load("bids", root=root)


def test_a_package_that_is_not_installed(root, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(DataError, match=r"nibabel, which is not installed.*voxscale\[brain\]"):
        vs.load("bids", root=root)


def test_a_data_set_survives_a_process(root):
    data = pickle.loads(pickle.dumps(vs.load("bids", root=root)))
    assert data.responses["fox"].values.shape == (N_TRS, 5)


def test_a_study_file_of_a_folder(root, tmp_path):
    """The subjects of a study are those that its folder has."""
    from voxscale import study

    (tmp_path / "mine.toml").write_text(
        f'[study]\nname = "mine"\ndataset = "bids"\nroot = "{root}"\nmodel = "echo"\n'
        "layers = [1]\ncontexts = [8]\n[evaluate]\nn_permutations = 20\n"
    )
    one = study.Study.from_toml(tmp_path / "mine.toml")
    assert not study.run(one).failed
    assert study.results(one).subjects == ("sub-01",)


def test_the_card():
    card = dataset_card("bids")
    assert card.licence
    assert "10.1038/sdata.2016.44" in card.citation
    assert Path(bids.__file__).name == "bids.py"
