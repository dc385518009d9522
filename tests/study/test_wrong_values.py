"""Every field of a study file with values of every wrong type: messages are in TOML's words."""

import re

import pytest

from voxscale.errors import ConfigError
from voxscale.study import Study
from voxscale.study._fit_settings import AlphaRange, ChunkCV, Fit
from voxscale.study._settings import (
    Baselines,
    Design,
    Evaluate,
    Features,
    Speech,
    StoryLists,
    Sweep,
)

VALUES = {
    "text": '"odd one"', "empty": '""', "number": "5", "fraction": "5.5", "negative": "-5.5",
    "infinite": "inf", "bool": "true", "date": "1979-05-27", "empty list": "[]",
    "texts": '["odd one"]', "numbers": "[5]", "fractions": "[5.5]", "bools": "[true]",
    "tables": "[{ odd = 1 }]", "lists": "[[5]]", "table": "{ odd = 1 }",
    "table of text": '{ smollm2 = "odd" }', "table of texts": '{ smollm2 = ["odd"] }',
}  # fmt: skip
LEAST = {
    "study": {
        "name": '"s"', "dataset": '"demo"', "model": '"smollm2"', "layers": "[5, 7]",
        "contexts": "[8]",
    },
    "stories": {}, "design": {}, "features": {}, "fit": {}, "baselines": {},
    "evaluate": {"stack": "true"},
    "speech": {"model": '"w"', "layers": "[1]"},
    "fit.alphas": {"low": "1", "high": "10", "n": "3"},
    "fit.cv": {"chunk_len": "20", "n_chunks": "5", "n_repeats": "3"},
}  # fmt: skip
MODELS = {
    "study": Study, "design": Design, "features": Features, "fit": Fit, "baselines": Baselines,
    "evaluate": Evaluate, "speech": Speech, "fit.alphas": AlphaRange, "fit.cv": ChunkCV,
    "sweep": Sweep, "stories": StoryLists,
}  # fmt: skip
TABLES = ("stories", "design", "features", "fit", "baselines", "evaluate", "speech", "sweep")
# Which of these values a field takes; the others are refused.
TEXT, COUNT, AMOUNT = {"text"}, {"number"}, {"number", "fraction"}
TAKES = {
    "study": {
        "name": TEXT, "dataset": TEXT, "model": TEXT, "models": set(), "layers": {"numbers"},
        "contexts": {"numbers"}, "subjects": {"texts"}, "training_stories": {"numbers"},
        "hours": {"numbers", "fractions"}, "draws": COUNT, "reference_layer": COUNT,
        "validation_stories": {"number", "texts", "empty list"}, "root": TEXT, "seed": COUNT,
        "out": TEXT, "protocol": set(),
    },
    "stories": {"train": {"texts"}, "test": {"texts"}},
    "design": {
        "delays": {"numbers"}, "trim": set(), "test_trim": set(), "normalize": {"bool"},
        "word_rate": {"bool"}, "protocol": set(),
    },
    "features": {"policy": set(), "word_vector": set(), "dtype": set()},
    "fit": {
        "alphas": {"numbers", "fractions"}, "scoring": set(), "cv": set(), "memory_gib": AMOUNT,
    },
    "baselines": {name: {"bool"} for name in Baselines.model_fields},
    "evaluate": {
        "n_permutations": COUNT, "null": set(), "block_trs": set(), "fdr": set(),
        "n_bootstraps": COUNT, "ceiling_repeats": {"numbers", "empty list"}, "reducers": set(),
        "stack": {"bool"}, "compare_layers": {"empty list"}, "product_measure": {"bool"},
        "between_subjects": {"bool"},
    },
    "speech": {
        "model": TEXT, "layers": {"numbers"}, "stride_s": AMOUNT, "context_s": AMOUNT,
        "dtype": set(),
    },
    "fit.alphas": {"low": AMOUNT, "high": AMOUNT, "n": COUNT},
    "fit.cv": {
        "chunk_len": COUNT, "n_chunks": COUNT, "share": set(), "n_repeats": COUNT, "gap": COUNT,
    },
    "sweep": {
        "models": set(), "layers": {"numbers"}, "contexts": {"numbers"},
        "training_stories": {"numbers"}, "hours": {"numbers", "fractions"}, "draws": COUNT,
        "bands": set(),
    },
}  # fmt: skip
# Words of Python, of pydantic, and of types that TOML has not.
LEAKS = re.compile(
    r"[Ii]nput should|input_|\bvalid\b|tuple|dictionar|\bdict\b|integer|boolean|\bstring\b|"
    r"\bfloat\b|\bint\b|\bbool\b|instance|literal|pydantic|value error|assertion|greater than|"
    r"less than|\bNone\b|\bTrue\b|\bFalse\b|datetime|unpack|Value error"
)


def written(table, field, value):
    """Write a study file, of which one field has this value."""
    tables = {name: dict(fields) for name, fields in LEAST.items()}
    if table in ("fit", "study"):  # the value stands for what the other tables say
        tables = {name: one for name, one in tables.items() if name != f"fit.{field}"}
    tables.setdefault(table, {})[field] = value
    lines = []
    for name, fields in tables.items():
        lines.append("[[sweep]]" if name == "sweep" else f"[{name}]")
        lines += [f"{one} = {held}" for one, held in fields.items()]
    return "\n".join(lines) + "\n"


def test_no_field_is_left_out():
    for table, model in MODELS.items():
        known = set(model.model_fields) - (set(TABLES) if table == "study" else set())
        assert set(TAKES[table]) == known


@pytest.mark.parametrize(
    ("table", "field"), [(table, field) for table, fields in TAKES.items() for field in fields]
)
def test_wrong_values_are_told_in_words_of_the_file(tmp_path, table, field):
    path = tmp_path / "s.toml"
    for name, value in VALUES.items():
        path.write_text(written(table, field, value))
        if name in TAKES[table][field]:
            Study.from_toml(path)
            continue
        with pytest.raises(ConfigError) as caught:
            Study.from_toml(path)
        message = str(caught.value)
        assert not LEAKS.search(message), message
        line = written(table, field, value).splitlines().index(f"{field} = {value}") + 1
        heading = "[[sweep]]" if table == "sweep" else f"[{table}]"
        own = message.splitlines()
        assert all(one.startswith(f"s.toml, line {line}: ") for one in own), message
        assert all(one.endswith((".", "?")) for one in own), message
        assert len(own) == 1 or all(f"[{table}.{field}]" in one for one in own), message
        assert f"{heading} {field}" in own[0] or f"[{table}.{field}]" in own[0], message
        assert all("expected" in one for one in own), message


@pytest.mark.parametrize(
    ("table", "field", "value", "told"),
    [
        ("study", "hours", '[0.5, "al"]', "[study] hours cannot be 'al': there is no such word; "
         'expected a list of numbers of hours above 0, or "all", such as [0.5, 1, 2, "all"].'),
        ("study", "hours", "[0.5, true]", "[study] hours cannot be true: it is true or false, not "
         'a number; expected a list of numbers of hours above 0, or "all", such as '
         '[0.5, 1, 2, "all"].'),
        ("study", "subjects", '"S1"', "[study] subjects cannot be 'S1': it is text, not a list; "
         'expected a list of names of subjects, such as ["S1", "S2"].'),
        ("study", "layers", '{ smollm2 = ["x"] }', "[study] layers.smollm2 cannot be 'x': it is "
         "text, not a whole number; expected a list of layer numbers, 0 being the embeddings, such "
         "as [3, 9, 15], or a table with a list for each model: { gpt2 = [3, 6, 9] }."),
        ("study", "validation_stories", '"buck"', "[study] validation_stories cannot be 'buck': it "
         "is text, not a whole number; expected a number of training stories, or a list of their "
         'names: ["buck", "life"].'),
        ("fit", "cv", "{ chunk_len = 20, n_repeats = true }", "[fit.cv] n_repeats cannot be true: "
         "it is true or false, not a whole number; expected how many times, 1 or more."),
        ("sweep", "draws", "0", "[[sweep]] draws cannot be 0: it is below 1; expected a number of "
         "draws, 1 or more."),
        ("sweep", "hour", "[1]", "[[sweep]] has no field 'hour'; expected one of models, layers, "
         "contexts, training_stories, hours, draws, bands; did you mean 'hours'?"),
        ("study", "fit", "5", "[study] has no field 'fit'; expected a table of its own, [fit]."),
    ],
)  # fmt: skip
def test_some_messages_in_full(tmp_path, table, field, value, told):
    path = tmp_path / "s.toml"
    text = written(table, field, value)
    path.write_text(text.replace("[fit]\n", "") if field == "fit" else text)
    with pytest.raises(ConfigError) as caught:
        Study.from_toml(path)
    line = path.read_text().splitlines().index(f"{field} = {value}") + 1
    assert str(caught.value) == f"s.toml, line {line}: {told}"


def test_one_of_several_sweeps_is_told_by_its_number_and_line(tmp_path):
    least = "[study]\n" + "\n".join(f"{k} = {v}" for k, v in LEAST["study"].items()) + "\n"
    path = tmp_path / "s.toml"
    path.write_text(f'{least}[[sweep]]\ncontexts = [1]\n[[sweep]]\ncontexts = "all"\n')
    with pytest.raises(ConfigError, match=r"line 10: \[\[sweep\]\] no\. 2 contexts cannot be 'al"):
        Study.from_toml(path)
    path.write_text(f'{least}[[sweep]]\ncontexts = [1]\n[[sweep]]\nmodels = ["x"]\n')
    with pytest.raises(ConfigError, match=r"line 10: \[\[sweep\]\] no\. 2 models names 'x'; ex"):
        Study.from_toml(path)
