"""The data set lebel2023, on a miniature of its folders with planted responses."""

from __future__ import annotations

import importlib
import json
import pickle
import shutil
import tomllib
import warnings
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

import voxscale as vs
from voxscale import plugins
from voxscale.data import DatasetCard, dataset_card, dataset_subjects, lebel2023
from voxscale.data.lebel2023 import SESSIONS, LeBel2023
from voxscale.errors import AlignmentError, DataError, VoxscaleWarning

STORIES = {"alone": 60, "ballad": 66, "castle": 72, "dragon": 64, "wheretheressmoke": 70}
N_VOXELS = 5
PUBLISHED_TRS = lebel2023.CARD.n_trs


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """Be found whether or not this version was installed; the test story is shorter here."""
    monkeypatch.setitem(plugins._registered["datasets"], "lebel2023", lebel2023)
    monkeypatch.setattr(lebel2023, "CARD", replace(lebel2023.CARD, n_trs={}))


def text_grid(words, end_s):
    """Return a long TextGrid with phones (none) and words, as the published ones are."""
    rows = [f'  intervals [{i}]:\n xmin = {on}\n xmax = {off}\n text = "{word}"\n'
            for i, (word, on, off) in enumerate(words, 1)]  # fmt: skip
    return (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
        f"xmin = 0\nxmax = {end_s}\ntiers? <exists>\nsize = 2\nitem []:\n"
        f'item [1]:\n class = "IntervalTier"\n name = "phone"\n xmin = 0\n xmax = {end_s}\n'
        f'  intervals: size = 1\n  intervals [1]:\n xmin = 0\n xmax = {end_s}\n text = "sp"\n'
        f'item [2]:\n class = "IntervalTier"\n name = "word"\n xmin = 0\n xmax = {end_s}\n'
        f"  intervals: size = {len(words)}\n" + "".join(rows)
    )


def plant(n_trs, seed, n_repeats=0):
    """Make words at random, and rows that count the words of the TR before last.

    The clock is written out anew: scanned TR k lasts from -10 + 2k to -8 + 2k s, and a file holds
    TRs 10 to n - 11.
    """
    rng = np.random.default_rng(seed)
    grid = rng.choice(np.arange(200 * n_trs - 3200), 3 * n_trs, replace=False)
    onset_s = (np.sort(grid) / 100).round(3)
    words = [(f"w{i}", on, round(on + 0.002, 3)) for i, on in enumerate(onset_s)]
    count = np.array([np.sum((onset_s >= -10 + 2 * k) & (onset_s < -8 + 2 * k))
                      for k in range(n_trs)], float)  # fmt: skip
    late = np.concatenate([[0.0, 0.0], count[:-2]])[10 : n_trs - 10]
    signal = late[:, None] * np.array([1.0, -1.0, 2.0, 0.5, 0.0])
    noise = rng.standard_normal((max(n_repeats, 1), len(late), N_VOXELS)) * 0.3
    repeats = (signal + noise).astype(np.float32)
    return words, repeats


def write(folder, subject="UTS04", stories=STORIES, n_repeats=3, n_voxels=N_VOXELS):
    """Write a folder ds003020; return its parent."""
    root = folder / "ds003020"
    here = root / "derivative" / "preprocessed_data" / subject
    for one in (here, root / "derivative" / "TextGrids", root / "stimuli"):
        one.mkdir(parents=True, exist_ok=True)
    for seed, (story, n_trs) in enumerate(stories.items()):
        is_test = story == "wheretheressmoke"
        words, repeats = plant(n_trs, seed, n_repeats if is_test else 0)
        grid = root / "derivative" / "TextGrids" / f"{story}.TextGrid"
        grid.write_text(text_grid(words, 2 * n_trs - 30))
        with h5py.File(here / f"{story}.hf5", "w") as file:
            file["data"] = repeats.mean(axis=0)[:, :n_voxels]
            if is_test and n_repeats:
                file["individual_repeats"] = repeats[..., :n_voxels]
    (root / "derivative" / "respdict.json").write_text(json.dumps(dict(stories)))
    return folder


@pytest.fixture
def root(tmp_path):
    return write(tmp_path)


def test_a_subject_is_loaded_from_the_folder_or_the_one_above(root):
    for one in (root, root / "ds003020"):
        data = vs.load("lebel2023", subject="UTS04", root=one)
        assert data.split() == (["alone", "ballad", "castle", "dragon"], ["wheretheressmoke"])
        assert (data.n_voxels, data.tr_s, data.licence) == (N_VOXELS, 2.0, "CC0")
        assert "10.1038/s41597-023-02437-z" in data.citation
    assert data.words["alone"].words[:2] == ("w0", "w1")
    assert data.audio == {}
    assert dataset_subjects("lebel2023") == tuple(f"UTS0{i}" for i in range(1, 9))


def test_the_card_counts_trs_and_stories(root, tmp_path, monkeypatch):
    def counts(**ours):
        monkeypatch.setattr(lebel2023, "CARD", replace(lebel2023.CARD, **ours))

    counts(n_trs={"wheretheressmoke": 50})
    vs.load("lebel2023", "UTS04", root)
    counts(n_trs=PUBLISHED_TRS)
    said = r"UTS04: run 'wheretheressmoke' has 50 TRs; 291 are published"
    with pytest.warns(VoxscaleWarning, match=said):
        vs.load("lebel2023", "UTS04", root)
    counts(n_trs={}, n_stories=4)
    with pytest.warns(VoxscaleWarning, match="UTS04: responses to 5 stories; 4 are published"):
        vs.load("lebel2023", "UTS04", root)
    write(tmp_path, "UTS01")
    with pytest.warns(VoxscaleWarning, match="81,126 are published") as told:
        vs.load("lebel2023", "UTS01", root)
    assert len(told) == 1  # who came more often has more stories than the card counts


def test_rows_lie_where_the_published_scripts_put_them(root):
    """Scanned TR 10 is the first row; its middle is 11 s after the onset of the sound."""
    data = vs.load("lebel2023", "UTS04", root)
    one = data.responses["alone"]
    assert one.trs == range(10, 60 - 10)
    np.testing.assert_array_equal(one.tr_times, -9 + 2.0 * np.arange(55))
    assert one.tr_times[one.first_tr] == 11.0


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_words_and_responses_share_a_clock(root, shift):
    """The planted delay of two TRs is found, and another one as soon as rows are off by one."""
    data = vs.load("lebel2023", "UTS04", root)
    found = []
    for lag in (1, 2, 3):
        r = []
        for run in data.train:
            one = data.responses[run]
            times = one.tr_times[one.trs.start + shift : one.trs.stop + shift] - 2.0 * lag
            onsets = data.words[run].onset_s
            count = [np.sum((onsets >= t - 1) & (onsets < t + 1)) for t in times]
            r.append(np.corrcoef(count, one.values[:, 0])[0, 1])
        found.append(np.mean(r))
    assert (np.argmax(found) == 1) == (shift == 0)
    assert (max(found) > 0.95) == (shift == 0) or shift != 0


def test_from_folder_to_scores(root):
    """The whole way with the usual delays; and with the planted one alone, on rows moved by one."""
    data = vs.load("lebel2023", "UTS04", root)
    rates = vs.word_rate(data.words)
    train, test = data.split()

    def score(recipe, responses):
        X, Y = recipe.join(rates, responses, train)
        X_test, Y_test = recipe.join(rates, responses, test)
        cv = vs.chunk_holdout(len(X), chunk_len=10, n_chunks=3, n_repeats=3, seed=0)
        model = vs.RidgeCV(alphas=np.logspace(0, 3, 4), cv=cv).fit(X, Y)
        return vs.correlation(Y_test, model.predict(X_test))

    r = score(vs.DesignRecipe(delays=(1, 2, 3, 4)), data.responses)
    assert r.shape == (N_VOXELS,)
    assert r[:4].min() > 0.8
    assert abs(r[4]) < 0.5
    one_delay = vs.DesignRecipe(delays=(2,), trim=(11, 7))
    moved = {  # as if the files lacked one TR less
        run: vs.TRSeries(one.values, run, one.first_tr - 1, one.tr_times)
        for run, one in data.responses.items()
    }
    assert score(one_delay, data.responses)[:3].min() > score(one_delay, moved)[:3].max() + 0.2


def test_the_repeats_of_the_test_story_are_its_trials(root):
    data = vs.load("lebel2023", "UTS04", root)
    assert list(data.trials) == ["wheretheressmoke"]
    repeats = data.trials["wheretheressmoke"]
    assert len(repeats) == 3
    assert {one.trs for one in repeats} == {data.responses["wheretheressmoke"].trs}
    mean = np.mean([one.values for one in repeats], axis=0)
    np.testing.assert_allclose(mean, data.responses["wheretheressmoke"].values, atol=1e-6)
    ceiling = vs.noise_ceiling(np.stack([vs.design.zscore(one.values) for one in repeats]))
    assert ceiling.cc_max[:3].min() > 0.9


def test_a_story_is_read_when_it_is_asked_for(root):
    damaged = root / "ds003020/derivative/preprocessed_data/UTS04/castle.hf5"
    damaged.write_bytes(b"no HDF5 at all")
    data = vs.load("lebel2023", "UTS04", root)
    assert data.responses["alone"].values.shape == (40, N_VOXELS)
    assert "castle" in data.responses
    with pytest.raises(DataError, match=r"castle\.hf5: cannot be read"):
        data.responses["castle"]
    with pytest.raises(KeyError, match="moth"):
        data.responses["moth"]
    again = pickle.loads(pickle.dumps(data))
    np.testing.assert_array_equal(again.responses["alone"].values, data.responses["alone"].values)


def test_sounds_are_named_where_they_are(root):
    (root / "ds003020/stimuli/alone.wav").write_bytes(b"RIFF")
    data = vs.load("lebel2023", "UTS04", root)
    assert data.audio == {"alone": root / "ds003020/stimuli/alone.wav"}


def test_stories_can_be_chosen(root):
    some = LeBel2023(root, stories=("alone", "castle"))
    assert some.load("UTS04").split() == (["alone", "castle"], ["wheretheressmoke"])
    other = LeBel2023(root, stories=("alone",), test=("ballad", "castle")).load("UTS04")
    assert other.split() == (["alone"], ["ballad", "castle"])
    table = {"1": [["alone"], "dragon"], "2": [["ballad", "castle"], "dragon"]}
    (root / "ds003020/derivative/sess_to_story.json").write_text(json.dumps(table))
    assert LeBel2023(root, sessions=[1]).load("UTS04").split() == (["alone"], ["dragon"])
    everything = vs.load("lebel2023", "UTS04", root).split()
    assert everything == (["alone", "ballad", "castle", "wheretheressmoke"], ["dragon"])
    with pytest.raises(ValueError, match=r"session 7 is unknown; choose of 1, 2"):
        LeBel2023(root, sessions=[7])
    with pytest.raises(TypeError, match="stories is one string"):
        LeBel2023(root, stories="alone")
    with pytest.raises(DataError, match=r"alnoe asked for.*did you mean 'alone'"):
        LeBel2023(root, stories=("alnoe",), test=("castle",)).load("UTS04")
    (root / "ds003020/derivative/sess_to_story.json").write_text('{"1": 3}')
    with pytest.raises(DataError, match=r"sess_to_story\.json: cannot be understood"):
        LeBel2023(root)


def test_the_sessions_that_everybody_came_to():
    stories = [story for one in SESSIONS.values() for story in one]
    assert len(stories) == len(set(stories)) == lebel2023.CARD.n_stories - 1
    assert "wheretheressmoke" not in stories


def test_stories_that_lack_one_side_are_listed_once(root):
    folder = root / "ds003020/derivative"
    (folder / "TextGrids/castle.TextGrid").unlink()
    (folder / "preprocessed_data/UTS04/dragon.hf5").unlink()
    message = (
        r"responses of 4 stories where words have 4; 3 have both and are used; left out, "
        r"without words: castle; without responses: dragon\."
    )
    with pytest.warns(VoxscaleWarning, match=message) as told:
        data = vs.load("lebel2023", "UTS04", root)
    assert len(told) == 1
    assert data.train == ("alone", "ballad")


def test_stories_that_others_heard_are_no_news(tmp_path):
    """Of those who heard the 27 stories nobody expects the other words to have responses."""
    everybody = [story for one in SESSIONS.values() for story in one] + ["wheretheressmoke"]
    root = write(tmp_path, stories=dict.fromkeys(everybody, 40), n_repeats=0)
    extra = root / "ds003020/derivative/TextGrids/onlyothers.TextGrid"
    extra.write_text(text_grid([("hi", 1, 2)], 10))
    data = vs.load("lebel2023", "UTS04", root)
    assert len(data.train) == 26
    assert dict(data.trials) == {}


def test_rows_that_do_not_match_respdict(root):
    path = root / "ds003020/derivative/respdict.json"
    path.write_text(json.dumps({**STORIES, "alone": 61, "ballad": "many", "castle": 15}))
    data = vs.load("lebel2023", "UTS04", root)
    with pytest.raises(DataError, match=r"story 'alone': alone\.hf5 has 40 TRs; expected 41, .*61"):
        data.responses["alone"]
    for story in ("ballad", "castle"):
        with pytest.raises(DataError, match=rf"TRs of story '{story}' are .*; expected a whole"):
            data.responses[story]
    path.write_text(json.dumps({k: v for k, v in STORIES.items() if k != "alone"}))
    with pytest.raises(DataError, match=r"TRs of story 'alone' are None"):
        vs.load("lebel2023", "UTS04", root).responses["alone"]
    for text, message in (("{", "is no JSON"), ("[1]", "holds no table")):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            vs.load("lebel2023", "UTS04", root)


def test_what_is_not_fetched_is_told_in_one_line(root):
    """A clone has links that lead nowhere, and small files that name the content."""
    folder = root / "ds003020"
    for number, path in enumerate(sorted(folder.glob("derivative/*/**/*.*"))):
        path.unlink()
        if number % 2:
            path.symlink_to("../../.git/annex/objects/xx/yy/MD5E-s1--z.hf5")
        else:
            path.write_text("/annex/objects/MD5E-s1--z.hf5\n")
    with pytest.raises(DataError, match=r"UTS04: 10 of 11 files are not fetched") as told:
        vs.load("lebel2023", "UTS04", root)
    line = str(told.value).split("run: ")[1]
    here = f"{folder}/derivative"
    assert line == (
        f"datalad get -d {folder} {here}/respdict.json {here}/TextGrids "
        f"{here}/preprocessed_data/UTS04"
    )
    with pytest.raises(DataError, match=r"4 of 5 files are not fetched") as told:
        LeBel2023(root, stories=["alone"]).load("UTS04")
    assert str(told.value).endswith(f"{here}/preprocessed_data/UTS04/wheretheressmoke.hf5")
    assert str(told.value).count("datalad get") == 1


def test_a_subject_whose_folder_is_not_there(root):
    with pytest.raises(DataError, match=r"UTS05 does not exist.*there are: UTS04.*datalad get"):
        vs.load("lebel2023", "UTS05", root)
    with pytest.raises(DataError, match=r"no subject 'UTS4'; choose .*did you mean 'UTS0\d'"):
        vs.load("lebel2023", "UTS4", root)


def test_a_folder_that_is_another(tmp_path):
    with pytest.raises(DataError, match=r"is not ds003020: it has no derivative/.*datalad clone"):
        vs.load("lebel2023", "UTS01", tmp_path)
    with pytest.raises(DataError, match=r"needs root=.*datalad clone https"):
        vs.load("lebel2023")


def test_the_voxels_of_another_subject(tmp_path, monkeypatch):
    """Published numbers are large; the rule is the same for small ones."""
    from dataclasses import replace

    root = write(tmp_path, subject="UTS01")
    counts = {"UTS01": 4, "UTS02": N_VOXELS}
    monkeypatch.setattr(lebel2023, "CARD", replace(lebel2023.CARD, n_voxels=counts))
    message = r"UTS01: run 'wheretheressmoke' has 5 voxels, as many as UTS02 has; expected 4"
    with pytest.raises(DataError, match=message):
        vs.load("lebel2023", "UTS01", root)
    counts["UTS02"] = 6
    with pytest.warns(VoxscaleWarning, match=r"has 5 voxels; 4 are published of UTS01"):
        vs.load("lebel2023", "UTS01", root)
    counts["UTS01"] = 5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = vs.load("lebel2023", "UTS01", root)
    with h5py.File(root / "ds003020/derivative/preprocessed_data/UTS01/alone.hf5", "w") as file:
        file["data"] = np.ones((40, 3))
    with pytest.raises(DataError, match=r"40 TRs × 3 voxels; expected 40 × 5"):
        data.responses["alone"]


@pytest.mark.parametrize("shape", [(3, 70, N_VOXELS), (3, 50, N_VOXELS + 1)])
def test_repeats_that_do_not_fit_are_left_out_aloud(root, shape):
    path = root / "ds003020/derivative/preprocessed_data/UTS04/wheretheressmoke.hf5"
    with h5py.File(path, "a") as file:
        del file["individual_repeats"]
        file["individual_repeats"] = np.ones(shape)
    message = rf"its repeats are {shape[1]} TRs × {shape[2]} voxels, its responses 50 × 5"
    with pytest.warns(VoxscaleWarning, match=message):
        assert list(vs.load("lebel2023", "UTS04", root).trials) == []


def test_one_scan_of_the_test_story_has_no_trials(root):
    path = root / "ds003020/derivative/preprocessed_data/UTS04/wheretheressmoke.hf5"
    for values in (np.ones((1, 50, N_VOXELS)), np.ones((50, N_VOXELS))):
        with h5py.File(path, "a") as file:
            del file["individual_repeats"]
            file["individual_repeats"] = values
        assert list(vs.load("lebel2023", "UTS04", root).trials) == []


def test_the_card_is_complete():
    card = dataset_card("lebel2023")
    assert isinstance(card, DatasetCard)
    assert card.n_voxels == {"UTS01": 81_126, "UTS02": 94_251, "UTS03": 95_556}
    shown = str(card)
    for part in ("CC0", "10.1038/s41597-023-02437-z", "81,126", "datalad clone", "subjects: 8"):
        assert part in shown
    with pytest.raises(DataError, match=r"dataset 'demo' has no card"):
        dataset_card("demo")


def test_data_sets_are_installed_under_their_names():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    entries = project["project"]["entry-points"]["voxscale.datasets"]
    for name in ("bids", "lebel2023", "littleprince", "narratives"):
        module = importlib.import_module(entries[name])
        assert module.CARD.name == name
        assert callable(module.load)
        for part in (module.CARD.licence, module.CARD.citation, module.CARD.homepage):
            assert part
        assert "doi:10." in module.CARD.citation
        assert all(fault.endswith(".") for fault in module.CARD.faults)
        assert len(module.CARD.faults) >= 4


# --- against the recorded outputs of the published code


@pytest.fixture
def miniature(golden, tmp_path):
    """Copy the recorded miniature, its subject named as one of the data set."""
    root = tmp_path / "ds003020"
    shutil.copytree(golden / "dataset", root, copy_function=shutil.copyfile)
    for one in [root, *root.rglob("*")]:
        one.chmod(0o755)
    responses = root / "derivative/preprocessed_data"
    (responses / "UTS99").rename(responses / "UTS04")
    return root


def test_features_are_those_of_the_published_code_row_by_row(miniature):
    """Its word rates, [10:-5] of n - 5 rows, are ours at the TRs that responses say they hold."""
    data = vs.load("lebel2023", "UTS04", miniature)
    assert data.split() == (["s1a", "s1b", "s2a"], ["tst"])
    features = np.load(miniature / "features.npz")
    recipe = vs.DesignRecipe()
    for run in (*data.train, *data.test):
        # The published code kept silences as words, so its word rate counts them.
        words = vs.read_transcript(
            miniature / f"derivative/TextGrids/{run}.TextGrid", drop_blank=False
        )
        recorded = features[f"wordrate/{run}"]
        one = data.responses[run]
        assert len(one.tr_times) == len(recorded)
        ours = recipe.downsample(vs.word_rate(words), one.tr_times, run)
        np.testing.assert_allclose(ours.values, recorded, rtol=1e-7, atol=1e-7)
        np.testing.assert_allclose(
            ours.values[one.trs.start : one.trs.stop], recorded[10:-5], rtol=1e-7, atol=1e-7
        )
        assert len(one.trs) == len(recorded[10:-5]) == len(one.values)
        assert recipe.kept_trs(one) == one.trs


def test_the_published_slices_are_what_a_wrong_row_breaks(miniature):
    data = vs.load("lebel2023", "UTS04", miniature)
    one = data.responses["s1a"]
    with pytest.raises(AlignmentError):  # rows one later would reach past the last TR that is used
        vs.TRSeries(one.values, "s1a", one.first_tr + 6, one.tr_times)
    moved = vs.TRSeries(one.values, "s1a", one.first_tr + 1, one.tr_times)
    assert vs.DesignRecipe().kept_trs(one) != moved.trs


def test_the_cortex_is_named_where_it_is_there(root):
    assert vs.load("lebel2023", "UTS04", root).cortex is None
    filestore = LeBel2023(root).pycortex_db()
    (filestore / "UTS01" / "surfaces").mkdir(parents=True)
    assert vs.load("lebel2023", "UTS04", root).cortex is None
    (filestore / "UTS04" / "surfaces").mkdir(parents=True)
    assert vs.load("lebel2023", "UTS04", root).cortex == filestore / "UTS04"
