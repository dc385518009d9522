"""The published folder, by its miniature."""

import re
import shutil
import sys

import joblib
import numpy as np
import pytest

import voxscale as vs
from voxscale.data import (
    DatasetCard,
    check_heard,
    convert_released,
    dataset_card,
    read_audio,
)
from voxscale.data._released_folder import ROLES, ReleasedFolder
from voxscale.data.antonello2023 import CARD, REPEATED, TEST, Antonello2023, one_array
from voxscale.data.lebel2023 import SESSIONS
from voxscale.design import delay
from voxscale.errors import AlignmentError, DataError, VoxscaleWarning
from voxscale.fit import predict_streamed
from voxscale.synthetic import write_antonello2023

LISTED = r"responses of 30 stories where words have 28.*canplanetearthfeedtenbillionpeoplepart1, "


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    pytest.importorskip("nibabel")
    root = tmp_path_factory.mktemp("box")
    return root, write_antonello2023(root, n_across=15)


@pytest.fixture
def root(made, tmp_path):
    """Return a copy that a test may damage; large files are links to the first."""
    shutil.copytree(made[0], tmp_path / "box", copy_function=shutil.copy)
    return tmp_path / "box"


@pytest.fixture(scope="module")
def data(made):
    with pytest.warns(VoxscaleWarning, match=LISTED):
        return vs.load("antonello2023", "UTS03", made[0])


def test_the_classes_of_the_old_scripts_are_gone_again(made):
    assert "ridge_utils.textgrid" not in sys.modules
    with pytest.raises(ModuleNotFoundError, match="ridge_utils"):
        joblib.load(made[0] / "story_data" / "grids_huge.jbl")


def test_stories_and_rows(data):
    known = {story for session in SESSIONS.values() for story in session}
    assert set(data.train) | set(data.test) == known | set(TEST)
    assert data.test == TEST
    series = data.responses[REPEATED]
    assert series.trs == range(10, 155)  # 160 TRs, without 10 and 5
    assert len(series.tr_times) == 160
    np.testing.assert_allclose(np.diff(series.tr_times), 2.0045)
    np.testing.assert_allclose(series.tr_times[0], -5 * 2.0045 + 2.0045 / 2)
    assert len(data.trials[REPEATED]) == 10
    assert data.words["souls"].times[0] > 0
    assert not data.responses[REPEATED].values.flags.writeable


def test_a_miniature_says_that_it_is_one(data):
    assert "no person was scanned" in data.citation
    assert "made up" in data.licence


def test_sounds_are_those_of_the_words(data):
    assert set(data.audio) == set(data.responses)
    for run in ("life", REPEATED):
        check_heard(run, data.words[run], data.audio[run])
    sound = read_audio(data.audio["life"], hz=2000)
    words = data.words["life"]
    first = slice(int(words.onset_s[3] * 2000) + 10, int(words.offset_s[3] * 2000) - 10)
    assert np.abs(sound[first]).max() > 0.4


def test_weights_times_features_as_the_notebook_multiplies_them(data, made):
    """Slices, as there, beside a join by TR numbers."""
    box = Antonello2023(made[0])
    recipe = vs.DesignRecipe(trim=(50, 5), protocol="huth2023")
    X, Y = recipe.join(box.features(), data.responses, [REPEATED], dtype="float64")
    features = joblib.load(made[0] / "semantic_features" / "opt33b_layer33.jbl")[REPEATED][50:-5]
    by_hand = delay((features - features.mean(axis=0)) / features.std(axis=0), (1, 2, 3, 4))
    np.testing.assert_allclose(X, by_hand, atol=1e-9)
    stored = joblib.load(made[0] / "story_responses" / "UTS03_responses.jbl")[REPEATED]
    np.testing.assert_allclose(Y, stored[40:], atol=1e-9)
    r = vs.correlation(Y, X @ one_array(box.weights("UTS03").path))
    signal, speech = made[1].signal_sd, made[1].speech_share
    follows = (signal > 0.8) & (speech < 0.2)  # what was planted is found, and where
    assert follows.sum() > 20
    assert np.median(r[follows]) > 0.7
    assert abs(np.median(r[signal < 0.05])) < 0.1


def test_stacking_files_in_order(made):
    found = Antonello2023(made[0]).stacking("UTS03")
    assert [path.name.split("_")[1] for path in found.speech] == [
        f"encoder.{2 * i}" for i in range(1, 17)
    ]
    assert "llama" in found.language.name
    assert one_array(found.residual_covariances).shape[1:] == (18, 18)
    assert np.isnan(one_array(found.residual_covariances)).any(axis=(1, 2)).sum() == 5
    shapes = {one_array(path).shape for path in (*found.speech, found.language, found.responses)}
    assert len(shapes) == 1


def test_what_is_known_of_it():
    assert isinstance(dataset_card("antonello2023"), DatasetCard)
    assert dataset_card("antonello2023") is CARD
    assert CARD.n_voxels == {"UTS01": 81_126, "UTS02": 94_251, "UTS03": 95_556}
    assert "antonello2023" in vs.datasets()


def test_a_converted_folder_serves_without_the_pickles(root, data):
    pytest.importorskip("zarr")
    pickles = sorted(root.rglob("*.jbl"))
    for folder in {path.parent for path in pickles}:
        convert_released(sorted(folder.glob("*.jbl")), root / "converted" / folder.name)
    before = Antonello2023(root)
    stacking, weights = before.stacking("UTS03"), one_array(before.weights("UTS03").path)
    X = np.random.default_rng(0).standard_normal((3, len(weights))).astype("float32")
    predicted = predict_streamed(X, before.weights("UTS03"))
    np.testing.assert_allclose(predicted, X @ weights, rtol=1e-5, atol=1e-5)
    for path in pickles:
        path.unlink()
    with pytest.warns(VoxscaleWarning, match=LISTED):
        again = vs.load("antonello2023", "UTS03", root)
    assert again.split() == data.split()
    for run in ("life", REPEATED):
        assert again.words[run] == data.words[run]
        theirs, ours = data.responses[run], again.responses[run]
        np.testing.assert_array_equal(ours.values, theirs.values)
        np.testing.assert_allclose(ours.tr_times, theirs.tr_times, atol=1e-9)
    for ours, theirs in zip(again.trials[REPEATED], data.trials[REPEATED], strict=True):
        np.testing.assert_array_equal(ours.values, theirs.values)
    after = Antonello2023(root)
    assert after.stacking("UTS03").speech[9].suffix == stacking.speech[9].suffix == ".zarr"
    assert after.weights("UTS03").shape == weights.shape
    for _ in range(2):  # blocks may be asked for again
        ours = predict_streamed(X, after.weights("UTS03"))
        np.testing.assert_allclose(ours, predicted, rtol=1e-5, atol=1e-5)
    assert after.features()["life"].values.shape[0] == len(again.responses["life"].tr_times)


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match=r"has none of the folders .*responses.*utexas\.box\.com"):
        vs.load("antonello2023", "UTS03", tmp_path)
    with pytest.raises(DataError, match="needs root="):
        vs.load("antonello2023")


def test_a_part_is_missing(root):
    expected = r"expected story_responses/UTS01_responses\.jbl or .*there: UTS03_responses"
    with pytest.raises(DataError, match=rf"holds no responses of UTS01 .*{expected}"):
        vs.load("antonello2023", "UTS01", root)
    (root / "story_data" / "trfiles_huge.jbl").unlink()
    with pytest.raises(DataError, match=r"holds no tr files \(TR times.*story_data/trfiles_huge"):
        vs.load("antonello2023", "UTS03", root)


@pytest.mark.parametrize("role", ROLES)
def test_what_is_expected_is_told_in_words(role, tmp_path):
    (tmp_path / "story_data").mkdir()
    folder = ReleasedFolder.at(tmp_path)
    for subject, named in (("UTS09", "S09"), (None, "S01, S02, …")):
        with pytest.raises(DataError) as told:
            folder.file(role, subject)
        expected = str(told.value).partition("expected ")[2].partition(", or what")[0]
        assert not set(expected) & set("?*\\^({")
        assert all(one in expected for one in ROLES[role].folders)
        assert (named in expected) == ("{n}" in ROLES[role].name)


@pytest.mark.parametrize("role", [name for name, one in ROLES.items() if "/" in one.example[:9]])
def test_examples_are_names_that_are_found(role, tmp_path):
    (tmp_path / "story_data").mkdir()
    path = tmp_path / ROLES[role].example.format(folder=ROLES[role].folders[0], n="09")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    assert ReleasedFolder.at(tmp_path).file(role, "UTS09") == path


def test_pointers(root):
    path = root / "story_data" / "grids_huge.jbl"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(DataError, match="Git LFS pointer"):
        vs.load("antonello2023", "UTS03", root)


def test_a_truncated_file(root):
    path = root / "semantic_features" / "opt33b_layer33.jbl"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"opt33b_layer33\.jbl"):
        Antonello2023(root).features()


def test_rows_that_do_not_fit_the_report(root):
    path = root / "story_responses" / "UTS03_responses.jbl"
    stored = joblib.load(path)
    stored["souls"] = stored["souls"][:-1]
    joblib.dump(stored, path)
    wrong = pytest.raises(AlignmentError, match=r"'souls' has \d+ rows, and \d+ TRs by its")
    with pytest.warns(VoxscaleWarning, match=LISTED), wrong:
        vs.load("antonello2023", "UTS03", root)


def test_a_story_without_usable_tr_times_is_left_out_aloud(root):
    from voxscale.synthetic._published_pickles import as_tr_file, dump

    files = {story: [as_tr_file(40, 2.0, 1.0, 5.0)] for story in ("life", "souls", *TEST)}
    files["life"] = [as_tr_file(40, 2.0, 1.0, -1.0)]  # what the class holds without an onset
    dump(files, root / "story_data" / "trfiles_huge.jbl")
    stored = joblib.load(root / "story_responses" / "UTS03_responses.jbl")
    joblib.dump({story: stored[story][:25] for story in files},
                root / "story_responses" / "UTS03_responses.jbl")  # fmt: skip
    (root / "responses" / f"tensessions_{REPEATED}_S03.jbl").unlink()
    told = r"1 of 5 stories have no TR times that can be used and are left out: life\. The first: "
    with pytest.warns(VoxscaleWarning) as caught:
        some = vs.load("antonello2023", "UTS03", root)
    assert any(re.search(told + ".*no onset of the sound", str(one.message)) for one in caught)
    assert some.split() == (["souls"], list(TEST))


def test_features_of_other_rows(root):
    path = root / "semantic_features" / "opt33b_layer33.jbl"
    stored = joblib.load(path)
    stored["souls"] = stored["souls"][10:-5]
    joblib.dump(stored, path)
    features = Antonello2023(root).features()
    with pytest.raises(AlignmentError, match=r"story 'souls' have \d+ rows, its report \d+ TRs"):
        features["souls"]


def test_features_of_stories_without_tr_files_are_listed(root):
    path = root / "semantic_features" / "opt33b_layer33.jbl"
    stored = joblib.load(path)
    joblib.dump({**stored, "zebra": stored["souls"], "aardvark": stored["life"]}, path)
    said = rf"of {len(stored) + 2} stories, of which 2 have no TR file .*: aardvark, zebra\.$"
    with pytest.warns(VoxscaleWarning, match=said) as told:
        features = Antonello2023(root).features()
    assert len(told) == 1
    assert set(features) == set(stored)


def test_voxels_of_another_subject(root):
    (root / "miniature.json").unlink()
    path = root / "story_responses" / "UTS03_responses.jbl"
    stored = {story: values[:, :1] for story, values in joblib.load(path).items()}
    wide = {story: np.broadcast_to(one, (len(one), 94_251)) for story, one in stored.items()}
    joblib.dump({"life": wide["life"].astype("f2"), "souls": wide["souls"].astype("f2")}, path)
    wrong = pytest.raises(DataError, match=r"94,251 voxels, as many as UTS02 has; expected 95,556")
    with pytest.warns(VoxscaleWarning), wrong:
        vs.load("antonello2023", "UTS03", root)


def test_weights_of_another_shape(root):
    joblib.dump(np.ones(3), root / "ridge_weights" / "opt33b_layer33_S03.jbl")
    with pytest.raises(DataError, match=r"holds an array of shape \(3,\); expected weights"):
        Antonello2023(root).weights("UTS03").shape  # noqa: B018
    joblib.dump({}, root / "ridge_weights" / "opt33b_layer33_S03.jbl")
    with pytest.raises(DataError, match="holds no array; expected weights"):
        Antonello2023(root).weights("UTS03").shape  # noqa: B018


def test_the_repeated_story_has_its_published_trs(root):
    (root / "miniature.json").unlink()
    told = pytest.warns(VoxscaleWarning, match=r"'wheretheressmoke' has 145 TRs; 291 are published")
    listed = pytest.warns(VoxscaleWarning, match=LISTED)
    with listed, told, pytest.warns(VoxscaleWarning, match="95,556 are published of UTS03"):
        vs.load("antonello2023", "UTS03", root)


def test_several_files_would_do(root):
    lies = root / "semantic_features"
    shutil.copy(lies / "opt33b_layer33.jbl", lies / "opt-1.3b_layer18.jbl")
    box = Antonello2023(root)
    with pytest.raises(DataError, match=r"several features: opt33b_layer33\.jbl, opt-1\.3b_layer"):
        box.features()
    assert "souls" in box.features("opt-1.3b_layer18")
    with pytest.raises(DataError, match=r"called 'opt33b'; expected one of .*mean 'opt33b_layer33"):
        box.features("opt33b")


def test_not_what_it_should_hold(root):
    joblib.dump([1, 2], root / "story_data" / "grids_huge.jbl")
    with pytest.raises(DataError, match=r"grids_huge\.jbl: holds a list; expected a dict"):
        vs.load("antonello2023", "UTS03", root)
    joblib.dump({"a": "b", "c": "d"}, root / "responses" / f"tensessions_{REPEATED}_S03.jbl")
    with pytest.raises(DataError, match="holds a dict; expected one array"):
        one_array(root / "responses" / f"tensessions_{REPEATED}_S03.jbl")


def test_the_cortex_is_named_where_it_lies_in_the_folder(data, root):
    assert data.cortex is not None
    assert (data.cortex.name, data.cortex.parent.name) == ("UTS03", "pycortex-db")
    shutil.rmtree(root / "pycortex-db" / "UTS03" / "surfaces")
    with pytest.warns(VoxscaleWarning, match=LISTED):
        assert Antonello2023(root).load("UTS03").cortex is None
