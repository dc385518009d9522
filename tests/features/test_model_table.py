from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import tomllib
from importlib.resources import files
from itertools import groupby
from pathlib import Path

import pytest

from voxscale.errors import DataError
from voxscale.features import _model_table as table_module
from voxscale.features._loading import wrap_model
from voxscale.features._model_table import ModelFacts, known_models, model_facts
from voxscale.features._packaged import PACKAGED

ROWS = list(known_models().values())
NEEDED = {"id", "family", "n_params", "n_layers", "n_dims"}
# Named after their weights without the embeddings.
NAMED_SMALLER = {"google/gemma-2-2b", "meta-llama/Llama-3.2-1B"}


def short(model):
    return model.rpartition("/")[2]


def size_in(name):
    """Return the parameters that a name speaks of, such as 1.5e9 for 1b5, or None."""
    found = re.search(r"(?<![\d.])(\d+(?:\.\d+)?)([mb])(\d?)(?![a-z])", short(name).lower())
    if found is None:
        return None
    number, unit, decimal = found.groups()
    return float(f"{number}.{decimal}" if decimal else number) * {"m": 1e6, "b": 1e9}[unit]


# The table


def test_rows_are_sorted_by_family_then_parameters_then_id():
    keys = [(row.family, row.n_params, row.id) for row in ROWS]
    assert keys == sorted(keys)


def test_every_row_of_the_file_is_read_in_its_order():
    text = (files("voxscale.features") / "models.toml").read_text(encoding="utf-8")
    raw = tomllib.loads(text)
    assert list(raw) == ["models"]
    assert [row["id"] for row in raw["models"]] == list(known_models())
    assert len(known_models()) == len(raw["models"]) > 80  # no id twice
    for row in raw["models"]:
        assert NEEDED <= row.keys() <= NEEDED | {"n_positions", "n_tokens"}
        assert {type(value) for key, value in row.items() if key.startswith("n_")} == {int}


def test_short_names_are_unique_whatever_their_case():
    names = [short(row.id).lower() for row in ROWS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_row_is_a_language_model_with_its_numbers_in_range(row):
    assert re.fullmatch(r"[\w-]+/[\w.-]+", row.id)
    assert row.n_layers >= 2
    assert row.n_dims > 0
    assert row.n_dims % 32 == 0
    assert row.n_params > row.n_dims * row.n_dims * (row.n_layers - 1)
    assert row.n_positions is None or 512 <= row.n_positions <= 2**20
    assert row.n_tokens is None or 1e11 <= row.n_tokens < 1e14
    assert (row.n_positions is None) == (row.family == "mamba")


@pytest.mark.parametrize("row", [row for row in ROWS if size_in(row.id)], ids=lambda row: row.id)
def test_the_number_in_a_name_is_that_of_its_parameters(row):
    ratio = row.n_params / size_in(row.id)
    assert (0.85 <= ratio <= 1.15) == (row.id not in NAMED_SMALLER)
    assert 0.85 <= ratio <= 1.35


def test_parameters_grow_with_the_size_in_the_name():
    for family, rows in groupby(ROWS, key=lambda row: row.family):
        sizes = [size for row in rows if (size := size_in(row.id))]
        assert sizes == sorted(sizes), family
    gpt2 = [short(row.id) for row in ROWS if row.family == "gpt2"]
    assert gpt2 == ["distilgpt2", "gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"]
    assert [short(row.id) for row in ROWS if not size_in(row.id)] == [
        *gpt2, "Mistral-Nemo-Base-2407",
    ]  # fmt: skip


def test_a_family_comes_from_one_place():
    for family in {row.family for row in ROWS} - {"gpt2"}:  # DistilGPT2 is not OpenAI's
        assert len({row.id.split("/")[0] for row in ROWS if row.family == family}) == 1, family


def test_the_models_that_a_scaling_study_asks_for_are_there():
    names = {short(row.id).lower() for row in ROWS}
    assert names >= {
        *(f"opt-{size}" for size in ("125m", "350m", "1.3b", "2.7b", "6.7b", "13b", "30b", "66b")),
        *(f"llama-{size}" for size in ("7b", "13b", "30b", "65b")),
        *(f"pythia-{size}" for size in ("14m", "70m", "160m", "410m", "1b", "1.4b", "12b")),
        "opt-175b", "meta-llama-3-8b", "llama-3.1-405b", "llama-3.2-1b", "gpt2-xl", "gpt-j-6b",
        "gpt-neo-2.7b", "gpt-neox-20b", "qwen2.5-72b", "qwen3-14b-base", "gemma-2-27b",
        "gemma-3-270m", "smollm2-135m", "mistral-7b-v0.1", "mamba-2.8b-hf", "rwkv-4-14b-pile",
    }  # fmt: skip


# A second answer: the architecture itself, built without weights


def config(kind, **arguments):
    return f"{kind}Config", arguments


def opt(width, n_layers, n_heads, projected=None, **more):
    return config(
        "OPT", vocab_size=50272, hidden_size=width, num_hidden_layers=n_layers,
        ffn_dim=4 * width, num_attention_heads=n_heads, max_position_embeddings=2048,
        word_embed_proj_dim=projected or width, **more,
    )  # fmt: skip


def neox(width, n_layers, n_heads, vocabulary):
    return config(
        "GPTNeoX", vocab_size=vocabulary, hidden_size=width, num_hidden_layers=n_layers,
        num_attention_heads=n_heads, intermediate_size=4 * width, max_position_embeddings=2048,
        tie_word_embeddings=False,
    )  # fmt: skip


def gated(kind, width, n_layers, middle, heads, vocabulary, n_positions, *, tied):
    """Return that of a model after Llama; heads are of queries, of keys, and their size."""
    return config(
        kind, vocab_size=vocabulary, hidden_size=width, num_hidden_layers=n_layers,
        intermediate_size=middle, num_attention_heads=heads[0], num_key_value_heads=heads[1],
        head_dim=heads[2], max_position_embeddings=n_positions, tie_word_embeddings=tied,
    )  # fmt: skip


CONFIGS = {
    "facebook/opt-125m": opt(768, 12, 12),
    "facebook/opt-350m": opt(1024, 24, 16, 512, do_layer_norm_before=False),
    "facebook/opt-66b": opt(9216, 64, 72),
    "facebook/opt-175b": opt(12288, 96, 96),
    "huggyllama/llama-65b": gated(
        "Llama", 8192, 80, 22016, (64, 64, 128), 32000, 2048, tied=False
    ),
    "meta-llama/Llama-3.2-1B": gated(
        "Llama", 2048, 16, 8192, (32, 8, 64), 128256, 131072, tied=True
    ),
    "meta-llama/Llama-3.1-405B": gated(
        "Llama", 16384, 126, 53248, (128, 8, 128), 128256, 131072, tied=False
    ),
    "EleutherAI/pythia-14m": neox(128, 6, 4, 50304),
    "EleutherAI/pythia-12b-deduped": neox(5120, 36, 40, 50688),
    "EleutherAI/gpt-neox-20b": neox(6144, 44, 64, 50432),
    "openai-community/gpt2-xl": config("GPT2", n_embd=1600, n_layer=48, n_head=25),
    "EleutherAI/gpt-neo-1.3B": config(
        "GPTNeo", vocab_size=50257, hidden_size=2048, num_layers=24, num_heads=16,
        max_position_embeddings=2048, attention_types=[[["global", "local"], 12]],
    ),
    "EleutherAI/gpt-j-6b": config(
        "GPTJ", vocab_size=50400, n_embd=4096, n_layer=28, n_head=16, n_positions=2048
    ),
    "Qwen/Qwen2.5-0.5B": gated("Qwen2", 896, 24, 4864, (14, 2, 64), 151936, 32768, tied=True),
    "Qwen/Qwen2.5-72B": gated(
        "Qwen2", 8192, 80, 29568, (64, 8, 128), 152064, 131072, tied=False
    ),
    "Qwen/Qwen3-0.6B-Base": gated(
        "Qwen3", 1024, 28, 3072, (16, 8, 128), 151936, 32768, tied=True
    ),
    "google/gemma-2-9b": gated(
        "Gemma2", 3584, 42, 14336, (16, 8, 256), 256000, 8192, tied=True
    ),
    "google/gemma-3-270m": gated(
        "Gemma3Text", 640, 18, 2048, (4, 1, 256), 262144, 32768, tied=True
    ),
    "google/gemma-3-27b-pt": gated(
        "Gemma3Text", 5376, 62, 21504, (32, 16, 128), 262208, 131072, tied=True
    ),
    "HuggingFaceTB/SmolLM2-360M": gated(
        "Llama", 960, 32, 2560, (15, 5, 64), 49152, 8192, tied=True
    ),
    "mistralai/Mistral-Nemo-Base-2407": gated(
        "Mistral", 5120, 40, 14336, (32, 8, 128), 131072, 128000, tied=False
    ),
    "state-spaces/mamba-370m-hf": config(
        "Mamba", vocab_size=50280, hidden_size=1024, num_hidden_layers=48, state_size=16
    ),
    "RWKV/rwkv-4-1b5-pile": config(
        "Rwkv", vocab_size=50277, hidden_size=2048, num_hidden_layers=24, context_length=1024
    ),
}  # fmt: skip


@pytest.mark.parametrize("model", CONFIGS)
def test_numbers_are_those_of_the_architecture(model):
    import torch
    import transformers

    kind, arguments = CONFIGS[model]
    made = getattr(transformers, kind)(**arguments)
    with torch.device("meta"):
        built = transformers.AutoModelForCausalLM.from_config(made)
    row = known_models()[model]
    assert row.n_params == sum(weight.numel() for weight in built.parameters())
    assert row.n_layers == made.num_hidden_layers + 1
    assert row.n_dims == made.hidden_size
    assert row.n_positions == getattr(made, "max_position_embeddings", None)


def test_every_family_has_a_second_answer():
    assert {known_models()[model].family for model in CONFIGS} == {row.family for row in ROWS}


# Names


@pytest.mark.parametrize("name", ["facebook/opt-125m", "opt-125m", "OPT-125M", "Facebook/OPT-125m"])
def test_a_model_of_the_table_is_found_by_its_name(name):
    assert model_facts(name) is known_models()["facebook/opt-125m"]


def test_what_a_caller_does_to_the_table_stays_with_the_caller():
    known_models().clear()
    assert model_facts("gpt2") in known_models().values()


def test_a_short_name_of_two_models_is_no_name(monkeypatch):
    rows = {id: dataclasses.replace(ROWS[0], id=id) for id in ("one/tiny-1b", "two/Tiny-1b")}
    monkeypatch.setattr(table_module, "_every", lambda: rows)
    assert model_facts("one/tiny-1b") is rows["one/tiny-1b"]
    with pytest.raises(DataError, match=r"the table of models has none of this name.*tiny-1b'\?"):
        model_facts("tiny-1b")


@pytest.mark.parametrize(
    ("name", "meant"), [("opt-124m", "opt-125m"), ("facebook/opt-60b", "facebook/opt-66b")]
)
def test_a_name_that_nobody_knows_is_told_the_closest(name, meant):
    message = rf"cannot be loaded.*the table of models has none of this name .*mean '{meant}'\?\)\."
    with pytest.raises(DataError, match=message):
        model_facts(name)


@pytest.mark.parametrize("name", ["./gpt2", "~/gpt2", "models/opt/125m", "gpt2.gguf"])
def test_a_path_where_nothing_is_is_no_hub_name(name):
    with pytest.raises(DataError, match="there is no model at"):
        model_facts(name)


# Any other model


def test_a_packaged_model_is_the_one_of_the_table():
    for name, like in (
        ("smollm2", "HuggingFaceTB/SmolLM2-135M"), ("gemma3-270m", "google/gemma-3-270m"),
    ):  # fmt: skip
        facts, row = model_facts(name), known_models()[like]
        assert facts == dataclasses.replace(row, id=name)
        assert (facts.n_layers, facts.n_dims) == (PACKAGED[name].n_layers, PACKAGED[name].n_dims)


@pytest.mark.parametrize("kind", ["llama", "mamba", "opt", "gpt2"])
def test_a_folder_is_read_from_its_configuration(kind, tiny_model, bpe, tmp_path):
    model = tiny_model(kind, n_positions=None if kind == "mamba" else 48)
    folder = tmp_path / "tiny"
    model.save_pretrained(folder)
    facts = model_facts(folder)
    assert facts == model_facts(str(folder))
    assert facts == ModelFacts(
        id="tiny",
        family=kind,
        n_params=sum(weight.numel() for weight in model.parameters()),
        n_layers={"llama": 4}.get(kind, 3),
        n_dims=16,
        n_positions=None if kind == "mamba" else 48,
    )
    loaded = wrap_model(model, bpe)
    assert (facts.n_layers, facts.n_positions) == (loaded.n_layers, loaded.limit)


def test_a_folder_goes_before_a_model_of_the_same_name(tiny_model, tmp_path, monkeypatch):
    tiny_model("gpt2").save_pretrained(tmp_path / "gpt2")
    assert model_facts("gpt2").n_dims == 768
    monkeypatch.chdir(tmp_path)
    assert model_facts("gpt2").n_dims == 16


def test_weights_are_neither_read_nor_made_and_random_numbers_go_on(tmp_path, tiny_model):
    import torch

    big = tiny_model("llama").config
    big.hidden_size = 16384  # terabytes, were they made
    big.num_hidden_layers, big.intermediate_size, big.vocab_size = 500, 65536, 1000
    big.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"these are no weights")
    before = torch.random.get_rng_state()
    facts = model_facts(tmp_path)
    assert facts.n_layers == 501
    assert facts.n_params > 1e12
    assert torch.equal(torch.random.get_rng_state(), before)


def test_of_a_model_that_also_sees_only_the_text_part_counts(tmp_path):
    from transformers import Gemma3Config, Gemma3ForCausalLM

    text = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}
    text |= {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8}
    text |= {"max_position_embeddings": 32}
    vision = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 5}
    config = Gemma3Config(text_config=text, vision_config=vision)
    config.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"these are no weights")
    n_params = sum(w.numel() for w in Gemma3ForCausalLM(config.text_config).parameters())
    facts = model_facts(tmp_path)
    assert (facts.n_params, facts.n_layers, facts.n_dims) == (n_params, 3, 16)
    assert (facts.family, facts.n_positions) == ("gemma3", 32)


def test_what_is_no_language_model_is_refused(tmp_path):
    from transformers import T5Config

    T5Config(d_model=16, num_layers=2, vocab_size=64).save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"these are no weights")
    with pytest.raises(DataError, match=r"\(t5\) is an encoder with a decoder; expected a decoder"):
        model_facts(tmp_path)


def test_a_damaged_configuration_is_told(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": ')
    (tmp_path / "model.safetensors").write_bytes(b"these are no weights")
    with pytest.raises(DataError, match=r"cannot be loaded.*the files may be damaged"):
        model_facts(tmp_path)


def test_looking_into_the_table_loads_neither_torch_nor_transformers():
    code = (
        "import sys; from voxscale.features._model_table import model_facts; "
        "model_facts('gpt2'); print({'torch', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# The page

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "models.md").read_text(encoding="utf-8")


def in_short(number):
    """Return 1_557_611_200 as 1.6B."""
    unit, scale = next(
        (unit, scale) for unit, scale in (("T", 1e12), ("B", 1e9), ("M", 1e6)) if number >= scale
    )
    number /= scale
    short = unit == "M" or (number >= 10 and unit == "B") or number == int(number)
    return f"{number:.{0 if short else 1}f}{unit}"


def span(numbers, say):
    known = sorted(number for number in numbers if number)
    return " – ".join(dict.fromkeys([say(known[0]), say(known[-1])])) if known else None


def test_the_page_lists_the_families_as_they_are():
    lines = re.findall(r"^\| `([\w.-]+)` \| (.*) \|$", PAGE, re.MULTILINE)
    table = {family: rest for family, rest in lines if rest[0].isdigit()}
    rows = {family: list(group) for family, group in groupby(ROWS, key=lambda row: row.family)}
    assert list(table) == list(rows)
    for family, group in rows.items():
        n_params = span([row.n_params for row in group], in_short)
        n_positions = span([row.n_positions for row in group], "{:,}".format) or "any"
        n_tokens = span([row.n_tokens for row in group], in_short) or "–"
        assert table[family] == f"{len(group)} | {n_params} | {n_positions} | {n_tokens}"


def test_what_the_page_shows_runs():
    names = {}
    exec(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL).group(1), names)
    assert names["facts"].n_params == names["sizes"][0] == 125_239_296
    assert len(names["sizes"]) == 9
