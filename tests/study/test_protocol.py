"""A study that takes over somebody's protocol, and studies of some of the stories."""

import tomllib
from importlib.resources import files

import numpy as np
import pytest

from voxscale.design import zscore
from voxscale.errors import ConfigError
from voxscale.fit import chunk_holdout
from voxscale.study import Design, Protocol, Study, results, run
from voxscale.study._cell_keys import cell_key
from voxscale.study._cells import cells_of
from voxscale.study._features import recipe_of
from voxscale.study._inputs import Inputs
from voxscale.study._stories import load_subject
from voxscale.study._subject_data import SubjectData, splits_of

LEAST = {"name": "n", "dataset": "tiny", "model": "echo", "layers": [1]}
SESSIONS = files("voxscale.study") / "protocols" / "huth2023.toml"


def test_huth2023_is_the_published_notebook():
    made = Study(**LEAST, protocol="huth2023")
    assert len(made.stories.train) == len(set(made.stories.train)) == 24
    assert made.stories.test == ("wheretheressmoke",)
    assert not {"myfirstdaywiththeyankees", "life"} & set(made.stories.train)
    assert (made.design.trim, made.design.test_trim) == ((10, 5), (50, 5))
    np.testing.assert_allclose(made.fit.penalties, np.logspace(1, 4, 15) ** 2)
    assert (made.fit.scoring, made.design.protocol) == ("huth2023", "huth2023")
    assert (made.fit.cv.chunk_len, made.fit.cv.n_repeats) == (20, 3)
    assert made.contexts == (512,)
    assert not made.design.word_rate


def test_every_table_of_the_file_arrives():
    tables = tomllib.loads(SESSIONS.read_text(encoding="utf-8"))
    made, read = Study(**LEAST, protocol="huth2023"), Protocol.named("huth2023")
    for table in set(tables) - {"protocol", "study", "ceiling", "stacking"}:
        assert getattr(made, table) == getattr(read, table)
    assert "NeurIPS" in read.protocol.citation


def test_the_study_overrules_field_by_field():
    made = Study(
        **LEAST, protocol="huth2023", contexts=[64], design={"trim": (7, 3)}, fit={"scoring": "r2"}
    )
    assert made.contexts == (64,)
    assert (made.design.trim, made.design.test_trim) == ((7, 3), (50, 5))
    assert made.fit.scoring == "r2"
    assert made.fit.cv.share == 0.25
    again = Study(**LEAST, protocol="huth2023", design=Design(trim=(7, 3)))
    assert (again.design.trim, again.design.word_rate) == ((7, 3), False)


def test_a_protocol_of_ones_own_lies_beside_the_study(tmp_path):
    (tmp_path / "mine.toml").write_text(
        '[protocol]\nname = "mine"\ncitation = "me"\n[study]\ncontexts = [4]\n'
        "[design]\ndelays = [2]\n"
    )
    text = '[study]\nname = "n"\ndataset = "tiny"\nmodel = "echo"\nlayers = [1]\n'
    path = tmp_path / "s.toml"
    path.write_text(text + 'protocol = "./mine.toml"\n')
    made = Study.from_toml(path)
    assert (made.contexts, made.design.delays, made.design.trim) == ((4,), (2,), (10, 5))
    path.write_text(text + 'protocol = "./yours.toml"\n')
    with pytest.raises(ConfigError, match=r"s\.toml, line 6: \[study\] protocol: .*yours\.toml"):
        Study.from_toml(path)
    path.write_text(text + 'protocol = "huth2032"\n')
    with pytest.raises(ConfigError, match=r"line 6: .*'huth2032' is unknown.*mean 'huth2023'\?"):
        Study.from_toml(path)


@pytest.mark.parametrize(
    ("written", "match"),
    [
        ("", r"mine\.toml, line 1: .*lacks 'protocol'"),
        ('[protocol]\nname = "a"\ncitation = "b"\n[designs]\n', "has no field 'designs'"),
        (
            '[protocol]\nname = "a"\ncitation = "b"\n[design]\ntrim = 5\n',
            r"line 5: \[design\] trim",
        ),
        ('[protocol]\nname = "a"\ncitation = "b"\n[study]\nseed = 5\n', "has no field 'seed'"),
    ],
)
def test_mistakes_in_a_protocol(tmp_path, written, match):
    (tmp_path / "mine.toml").write_text(written)
    with pytest.raises(ConfigError, match=match):
        Protocol.named("mine.toml", tmp_path)


def test_stories_that_are_named(tiny):
    whole = load_subject(Study(**LEAST, contexts=[4]), "s1")
    some = load_subject(Study(**LEAST, contexts=[4], stories={"train": ["c", "a"]}), "s1")
    assert some.train == ("c", "a")
    assert some.test == whole.test
    moved = load_subject(Study(**LEAST, contexts=[4], stories={"test": [whole.train[0]]}), "s1")
    assert moved.test == (whole.train[0],)
    assert moved.train == whole.train[1:]


def test_stories_that_are_not_there(tiny):
    study = Study(**LEAST, contexts=[4], stories={"train": ["a", "bb"]})
    with pytest.raises(ConfigError, match=r"1 of 2 stories that subject 's1' has not: 'bb'"):
        load_subject(study, "s1")
    study = Study(**LEAST, protocol="huth2023")
    with pytest.raises(ConfigError, match=r"\(protocol 'huth2023'\) has 24 of 24 stories"):
        Inputs(study).facts("s1")


@pytest.mark.parametrize("given", [{"train": ["buck", "lyfe"]}, {"test": ["lyfe"]}])
def test_the_protocol_is_blamed_for_its_own_lists_alone(tiny, given):
    study = Study(**LEAST, protocol="huth2023", stories=given)
    (field,) = given
    with pytest.raises(ConfigError) as told:
        load_subject(study, "s1")
    by = f"[stories] {field} has" if field == "train" else "[stories] train (protocol 'huth2023')"
    assert str(told.value).startswith(by)
    # The list of the protocol is a list as any other.
    whole = Study(**LEAST, protocol="huth2023")
    assert study.stories != whole.stories
    assert Study(**LEAST, protocol="huth2023", stories=dict(whole.stories)) == whole


def test_a_story_in_both_lists_is_refused():
    with pytest.raises(ValueError, match=r"it has 'a', which train has too") as told:
        Study(**LEAST, contexts=[4], stories={"train": ["a"], "test": ["a"]})
    assert "the protocol's" not in str(told.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"test": ["fromboyhoodtofatherhood"]}, "; train is the protocol's list: name train here"),
        ({"train": ["wheretheressmoke"]}, "; this test is the protocol's list: name test here"),
    ],
)
def test_a_story_that_the_protocol_has_in_the_other_list(given, said):
    with pytest.raises(ValueError, match=r"which train has too") as told:
        Study(**LEAST, protocol="huth2023", stories=given)
    assert said in str(told.value)
    both = {"train": ["buck"], "test": ["wheretheressmoke"], **given}
    assert Study(**LEAST, protocol="huth2023", stories={**both, "test": ["life"]})


def test_the_published_chunks(tiny):
    study = Study(**LEAST, protocol="huth2023")
    lengths = [33, 47, 25]  # 105 rows: five blocks of 20, of which one is held out
    pairs = splits_of(study, lengths)
    assert len(pairs) == 3
    for train, held in pairs:
        assert len(held) == 20
        assert held[0] % 20 == 0  # blocks count from the first row of all stories together
        np.testing.assert_array_equal(np.sort(np.r_[train, held]), np.arange(105))
        assert set(range(100, 105)) <= set(train)  # what is left over always trains
    ours = splits_of(study.model_copy(update={"design": Design()}), lengths)
    assert any(held[0] % 20 for _, held in ours)
    expected = chunk_holdout(100, chunk_len=20, n_chunks=1, n_repeats=3, seed=study.seed)
    for (_, held), (_, same) in zip(pairs, expected, strict=True):
        np.testing.assert_array_equal(held, same)


def test_test_runs_are_trimmed_otherwise(tiny, tmp_path):
    """Scores are those of a data set whose test responses lack the first TRs themselves."""
    base = {**LEAST, "contexts": [4], "subjects": ["s1"], "evaluate": {"n_permutations": 0}}
    plain = {"delays": [1, 2], "trim": [2, 1]}
    cut = Study(**base, out=tmp_path / "cut", design={**plain, "test_trim": [9, 1]})
    whole = Study(**base, out=tmp_path / "whole", design=plain)
    for one in (cut, whole):
        run(one)
    rows = [results(one).scores.query("metric == 'r' and kind == 'fit'") for one in (cut, whole)]
    assert not np.allclose(rows[0]["value"], rows[1]["value"])
    same = Study(**base, out=tmp_path / "same", design={**plain, "test_trim": [2, 1]})
    run(same)
    again = results(same).scores.query("metric == 'r' and kind == 'fit'")
    np.testing.assert_allclose(again["value"], rows[1]["value"])


def test_rows_of_test_runs(tiny):
    plain = {"delays": [1, 2], "trim": [2, 1]}
    study = Study(**LEAST, contexts=[4], design={**plain, "test_trim": [9, 1]})
    dataset = load_subject(study, "s1")
    shared = SubjectData(dataset, recipe_of(study, dataset.test))
    assert shared.lengths(["a", "x"]) == {"a": 57, "x": 50}
    by_hand = dataset.responses["y"].values[9:59]
    np.testing.assert_allclose(shared.joined_responses(["y"]), zscore(by_hand), atol=1e-5)
    assert shared.trials["x"].shape == (3, 50, 40)


def test_names_of_cells_change_only_with_a_test_trim(tiny):
    def key(**design):
        study = Study(**LEAST, contexts=[4], design=design)
        inputs = Inputs(study)
        facts = inputs.facts("s1")
        return cell_key(study, next(iter(cells_of(study, facts))), facts, {})

    assert key() != key(test_trim=[9, 1])
    assert key(test_trim=[9, 1]) != key(test_trim=[10, 1])


def test_a_protocol_makes_recipes_and_splits():
    protocol = Protocol.named("huth2023")
    recipe = protocol.recipe()
    assert recipe.trims == {"wheretheressmoke": (50, 5)}
    assert protocol.recipe(test=["a"]).trims == {"a": (50, 5)}
    study = Study(**LEAST, protocol="huth2023", seed=3)
    for ours, its in zip(
        protocol.splits([60, 70], seed=3), splits_of(study, [60, 70]), strict=True
    ):
        np.testing.assert_array_equal(ours[1], its[1])
    assert protocol.ceiling.above == 0.35
    assert protocol.stacking.leave_out == (0,)
