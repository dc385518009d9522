from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from voxscale.errors import ConfigError
from voxscale.fit import SCORINGS
from voxscale.study import Study
from voxscale.study import _config as module

LEAST = {"name": "least", "dataset": "tiny", "model": "echo", "layers": [2], "contexts": [8]}

FULL = """
[study]
name = "demo"
dataset = "demo"
root = "data"
subjects = ["demo02", "demo01"]
model = "smollm2"
layers = [27, 3, 9, 15, 21]
contexts = [512, 8]
training_stories = [5, 1]
draws = 2
reference_layer = 9
seed = 3
out = "results"

[design]
delays = [1, 2]
trim = [4, 3]
normalize = true
word_rate = false

[fit]
alphas = { low = 1, high = 1e4, n = 5 }
scoring = "correlation"
cv = { chunk_len = 20, n_chunks = 5, n_repeats = 3, gap = 4 }
memory_gib = 2

[evaluate]
n_permutations = 0
"""


def write(folder, text):
    path = folder / "study.toml"
    path.write_text(text)
    return path


def test_every_field_of_a_file_arrives(tmp_path):
    study = Study.from_toml(write(tmp_path, FULL))
    assert study.name == study.dataset == "demo"
    assert study.root == tmp_path / "data"
    assert study.subjects == ("demo02", "demo01")
    assert study.layers == (3, 9, 15, 21, 27)
    assert study.contexts == (8, 512)
    assert study.training_stories == (1, 5)
    assert (study.draws, study.reference_layer, study.seed) == (2, 9, 3)
    assert study.out == tmp_path / "results"
    assert study.design.model_dump() == {
        "delays": (1, 2), "trim": (4, 3), "test_trim": None, "normalize": True, "word_rate": False,
        "protocol": None,
    }  # fmt: skip
    np.testing.assert_allclose(study.fit.penalties, [1, 10, 100, 1000, 10000])
    assert study.fit.scoring == "correlation"
    assert study.fit.cv.model_dump(exclude_none=True) == {
        "chunk_len": 20, "n_chunks": 5, "n_repeats": 3, "gap": 4,
    }  # fmt: skip
    assert study.fit.memory_gib == 2
    assert study.evaluate.n_permutations == 0


def test_defaults(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = Study(**LEAST)
    assert study.out == tmp_path / "voxscale-least"
    assert (study.subjects, study.training_stories, study.root) == (None, None, None)
    assert (study.draws, study.reference_layer, study.seed) == (1, 2, 0)
    assert study.design.delays == (1, 2, 3, 4)
    assert study.design.trim == (10, 5)
    assert study.design.word_rate
    assert not study.design.normalize
    assert study.design.protocol is None
    np.testing.assert_allclose(study.fit.penalties, np.logspace(1, 6, 11))
    assert (study.fit.scoring, study.fit.cv) == ("r2", "leave-run-out")
    assert study.evaluate.n_permutations == 500


@pytest.mark.parametrize(("layers", "middle"), [([7], 7), ([3, 27, 9], 9), ([0, 1, 2, 5], 2)])
def test_reference_layer_is_the_middle_one(layers, middle):
    assert Study(**{**LEAST, "layers": layers}).reference_layer == middle


def test_scorings_are_those_of_the_fit():
    annotation = module.Fit.model_fields["scoring"].annotation
    assert set(annotation.__args__) == set(SCORINGS)


def test_paths_are_relative_to_the_file(tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    text = FULL.replace('"smollm2"', '"./models/x"')
    write(tmp_path / "there", text)
    study = Study.from_toml(Path("../there/study.toml"))
    assert study.out == tmp_path / "there" / "results"
    assert study.root == tmp_path / "there" / "data"
    assert study.model == str(tmp_path / "there" / "models" / "x")


def test_out_can_be_given_and_is_relative_to_where_we_are(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert Study.from_toml(write(tmp_path, FULL), out="o").out == tmp_path / "here" / "o"


def test_an_empty_out_is_told(tmp_path):
    with pytest.raises(ConfigError, match="out is empty; expected a folder for the results"):
        Study.from_toml(write(tmp_path, FULL), out="")


def test_a_study_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Study(**LEAST).seed = 3


def test_keywords_raise_a_value_error_that_names_the_field():
    with pytest.raises(ValueError, match=r"(?s)layerz.*Extra inputs are not permitted"):
        Study(**LEAST, layerz=[1])
    with pytest.raises(ValueError, match=r"(?s)fit\.alphas.*greater than 0"):
        Study(**LEAST, fit={"alphas": [0.0]})
    assert Study(**LEAST).where("layers") == ""


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("layers = [", "layer = [", r"study\.toml, line 8: \[study\] has no field 'layer'; "
         r"expected one of name, .*; did you mean 'layers'\?"),
        ('model = "smollm2"\n', "", r"line 2: \[study\] lacks 'model'; expected the name or path "
         "of a model; add it"),
        ("[512, 8]", "[512, 0]", r"line 9: \[study\] contexts cannot be 0: it is below "
         r"1; expected a list of numbers of words"),
        ("[512, 8]", "[]", r"line 9: \[study\] contexts cannot be \[\]: it is empty; "),
        ("[512, 8]", "512", r"line 9: \[study\] contexts cannot be 512: it is a number, not a"),
        ("[27, 3, 9, 15, 21]", '[\n  27,\n  "9" ]', r"line 8: \[study\] layers cannot be '9': "),
        ("layer = 9", "layer = 10", r"line 12: \[study\] reference_layer cannot be 10: it is not "
         r"among layers \[3, 9, 15, 21, 27\]"),
        ("seed = 3", "seed = true", r"line 13: \[study\] seed cannot be true: it is "),
        ('name = "demo"', 'name = "a/b"', r"line 3: \[study\] name cannot be 'a/b': .*letters"),
        ("trim = [4, 3]", "trim = [4]", r"line 18: \[design\] trim cannot be \[4\]: it has too few "
         "values; expected a list of TRs left out"),
        ("[1, 2]", "[1, 1]", r"line 17: \[design\] delays cannot be \[1, 1\]: a delay is given "),
        ("word_rate", "wordrate", r"line 20: \[design\] has no field 'wordrate'; expected one of "
         r"delays, trim, test_trim, normalize, word_rate, protocol; did you mean 'word_r"
         r"ate'\?"),
        ("seed = 3", "trim = [1, 2]", r"line 13: \[study\] has no field 'trim'; .*; it belongs to "
         r"\[design\]"),
        ("normalize = true", "layers = [3]", r"line 19: \[design\] has no field 'layers'; .*; it "
         r"belongs to \[study\]"),
        ("high = 1e4", "hihg = 1e4", r"line 23: \[fit\.alphas\] has no field 'hihg'; .*'high'\?"),
        ("high = 1e4", "high = 0.1", r"line 23: \[fit\.alphas\] high cannot be 0\.1: it is below "
         "low = 1"),
        ("{ low = 1, high = 1e4, n = 5 }", "[-1.0]", r"line 23: \[fit\] alphas cannot be -1\.0: "
         r".*a list of penalties above 0"),
        ('"correlation"', '"pearson"', r"line 24: \[fit\] scoring cannot be 'pearson': "),
        ("gap = 4", "gap = -4", r"line 25: \[fit\.cv\] gap cannot be -4: .*TRs beside a chunk"),
        ("n_permutations = 0", "n_permutations = 0.5", r"line 29: \[evaluate\] n_permutations "),
        ("[evaluate]", "[evaluation]", r"line 28: 'evaluation' is not known there; expected only "
         r"the tables \[study\], \[stories\], \[design\]"),
        ("[study]", "[studio]", r"line 2: 'studio' is not known there"),
        ("\n[study]", "version = 1\n[study]", r"line 1: 'version' is not known there; .*put fields "
         "below"),
        ('"smollm2"', "smollm2", r"line 7: not TOML: .*the line is 'model = smollm2'; text needs "),
        ("seed = 3", "seed = 3\ndraws = 1", r"line 14: not TOML: this field is given twice; "
         r".*'draws = 1'; leave one out\.$"),
        ("[evaluate]", "[design]", r"line 28: not TOML: this table is given twice; .*leave one"),
        ("[study]", "[[study]]", r"line 2: 'study' is not a table; expected \[study\] once, in s"),
        ('"results"', '""', r"line 14: \[study\] out cannot be '': it is empty"),
        ('"data"', '""', r"line 5: \[study\] root cannot be '': it is empty"),
        ('"results"', '"~nobodyx/abc"', r"line 14: \[study\] out cannot be '~nobodyx/abc': there "
         "is no such home folder as ~nobodyx; expected the folder"),
        ('"results"', "5", r"line 14: \[study\] out cannot be 5: it is a number, not text; ex"),
        ('name = "demo"', 'name = "a/b"', r"cannot be 'a/b': it has other characters; expected "),
        ("[evaluate]", '[features]\npolicy = "slide"\n[evaluate]', r"line 29: \[features\] policy "
         r"cannot be 'slide': .*sliding"),
        ("[evaluate]", '[features]\nword = "mean"\n[evaluate]', r"line 29: \[features\] has no "
         r"field 'word'; .*word_vector"),
        ("word_rate = false", 'protocol = "huth2023"\n[features]\npolicy = "full"', r"line 21: .*"
         r"features.* has its own contexts, growing, .*; leave policy and word_vector out"),
        ("[evaluate]", '[features]\npolicy = "full"\n[evaluate]', r"line 28: \[features\] "
         r'policy "full" reads a story from its start, .*contexts \[8, 512\] would all be the'),
        ("normalize = true", 'protocol = "huth"', r"line 19: \[design\] protocol cannot be "),
        ("[512, 8]", "[512, 8", r"study\.toml, line \d+: not TOML"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_line_and_remedy(tmp_path, old, new, match):
    assert FULL.count(old) >= 1
    with pytest.raises(ConfigError, match=match):
        Study.from_toml(write(tmp_path, FULL.replace(old, new, 1)))


def test_all_mistakes_are_told_in_the_order_of_lines(tmp_path):
    text = FULL.replace("seed = 3", "seed = -1").replace("draws = 2", "draw = 2")
    with pytest.raises(ConfigError) as caught:
        Study.from_toml(write(tmp_path, text.replace("trim", "trims")))
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0].split()[-1] for line in lines] == ["11", "13", "18"]


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(FULL.lstrip(), encoding="utf-8-sig")
    marked = Study.from_toml(path).model_dump()
    assert marked == Study.from_toml(write(tmp_path, FULL)).model_dump()


def test_a_file_without_a_study_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"line 1: there is no table \[study\]"):
        Study.from_toml(write(tmp_path, "[design]\ntrim = [1, 2]\n"))


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"nope\.toml cannot be read: No such file"):
        Study.from_toml(tmp_path / "nope.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"binary\.toml is not text in UTF-8"):
        Study.from_toml(tmp_path / "binary.toml")


def test_the_demo_is_a_study():
    from importlib.resources import files

    study = Study.from_toml(files("voxscale.synthetic") / "demo.toml")
    assert study.dataset == "demo"
    assert study.reference_layer in study.layers


def test_a_share_of_held_out_trs_goes_with_any_number_of_them():
    fit = {"cv": {"chunk_len": 20, "share": 0.25, "n_repeats": 2}}
    cv = Study(name="n", dataset="d", model="m", layers=[1], contexts=[8], fit=fit).fit.cv
    assert [cv.n_chunks_of(n_trs) for n_trs in (20, 800, 810, 8000)] == [1, 10, 10, 100]
    for wrong in ({}, {"n_chunks": 2, "share": 0.2}, {"share": 1.0}, {"share": 0.0}):
        with pytest.raises(ValueError, match=r"give one of the two|less than 1|greater than 0"):
            Study(
                name="n", dataset="d", model="m", layers=[1], contexts=[8],
                fit={"cv": {"chunk_len": 20, "n_repeats": 2, **wrong}},
            )  # fmt: skip
