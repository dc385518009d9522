"""Features of stories on disk: complete or absent, the same after a kill, never held at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pytest

import voxscale as package
from voxscale.arrays import TRSeries
from voxscale.data import Transcript
from voxscale.design import DesignRecipe
from voxscale.errors import AlignmentError, DataError, StoreError, VoxscaleWarning
from voxscale.features import LanguageExtractor
from voxscale.store import LayerStore
from voxscale.study import LanguageExtraction, extract_language, read_extracted

torch = pytest.importorskip("torch")
SIZES = {"min_context": 3, "max_context": 6}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Save a tiny random Llama and a tokenizer of letters."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

    vocabulary = {letter: i for i, letter in enumerate("abcdefghijklmnopqrstuvwxyz ")}
    tokenizer = Tokenizer(models.WordLevel({**vocabulary, "<s>": 27}, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    config = LlamaConfig(
        vocab_size=28, hidden_size=8, intermediate_size=12, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=128,
    )  # fmt: skip
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("models") / "tiny"
    AutoModelForCausalLM.from_config(config).save_pretrained(path)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>").save_pretrained(path)
    return path


def stories_of(*lengths):
    rng = np.random.default_rng(0)
    return {
        f"story {i}": Transcript(
            ["".join(rng.choice(list("abcdefgh"), 3)) for _ in range(n)], 0.5 * np.arange(n)
        )
        for i, n in enumerate(lengths)
    }


def tr_times_of(stories):
    return {name: np.arange(1.0, one.times[-1] + 2, 2.0) for name, one in stories.items()}


def contents(out):
    store = LayerStore(out)
    keys = store.keys()
    return {(key, name): store.get(key, name) for key in keys for name in store.names(key)}


def test_rows_are_lanczos_of_the_states(folder, tmp_path):
    stories = stories_of(40, 11)
    trs = tr_times_of(stories)
    model = LanguageExtractor(folder, device="cpu", batch_size=2)
    options = {**SIZES, "extras": ["surprisal", "context_length"]}
    kept = extract_language(stories, model, trs, tmp_path, keep_words=True, **options)
    states = model.extract(stories, **options)
    store = LayerStore(tmp_path)
    for story, path in kept.items():
        assert path.is_dir()
        assert store.meta(path.stem)["run"] == story
        for name in (0, 1, 2, "surprisal", "context_length"):
            array = name if isinstance(name, str) else f"layer_{name}"
            words = store.get(path.stem, f"words_{array}")
            np.testing.assert_allclose(words, states[name][story].values, atol=1e-5)
            expected = DesignRecipe().downsample(states[name][story], trs[story], story).values
            np.testing.assert_allclose(store.get(path.stem, array), expected, atol=1e-4)


def test_what_is_there_is_left_alone(folder, tmp_path, monkeypatch):
    stories = stories_of(9, 12)
    model = LanguageExtractor(folder, device="cpu")
    told = []
    first = extract_language(stories, model, tr_times_of(stories), tmp_path, progress=told.append)
    assert told[-1].n_words_done == told[-1].n_words == 21
    assert (told[-1].n_stories_done, told[-1].seconds_left) == (2, 0)
    assert told[-1].tokens_per_s > 0
    again = LanguageExtractor(folder, device="cpu")
    monkeypatch.setattr(LanguageExtractor, "ready", lambda *_: pytest.fail("loaded"))
    assert extract_language(stories, again, tr_times_of(stories), tmp_path) == first
    changed = [("policy", "sliding"), ("word_vector", "mean"), ("dtype", "float64")]
    for name, value in changed:
        other = LanguageExtractor(folder, device="cpu", **{name: value})
        with pytest.raises(pytest.fail.Exception):
            extract_language(stories, other, tr_times_of(stories), tmp_path)


def test_nothing_is_run_before_all_is_checked(folder, tmp_path, monkeypatch):
    model = LanguageExtractor(folder, device="cpu")
    monkeypatch.setattr(LanguageExtractor, "ready", lambda *_: pytest.fail("loaded"))
    stories = stories_of(9, 60)
    with pytest.raises(DataError, match="story 'story 1': a context of 60 words needs"):
        extract_language(
            stories, model, tr_times_of(stories), tmp_path, min_context=9, max_context=60
        )
    late = {name: times + 1000 for name, times in tr_times_of(stories).items()}
    with pytest.raises(AlignmentError, match="run 'story 0'"):
        extract_language(stories, model, late, tmp_path, **SIZES)
    assert list(tmp_path.iterdir()) == []


SCRIPT = """
    import os, signal, sys
    import numpy as np
    from voxscale.data import Transcript
    from voxscale.features import LanguageExtractor
    from voxscale.study import extract_language
    sys.path.insert(0, {tests!r})
    from test_extract import SIZES, stories_of, tr_times_of
    stories = stories_of(8, 200)
    model = LanguageExtractor({folder!r}, device="cpu", batch_size=2)
    def kill(one):
        if one.story == "story 1" and one.n_words_done > 60:
            os.kill(os.getpid(), signal.SIGKILL)
    extract_language(stories, model, tr_times_of(stories), {out!r}, progress={progress}, **SIZES)
"""


def run_script(folder, out, progress):
    source = Path(package.__file__).parents[1]
    code = textwrap.dedent(SCRIPT).format(
        tests=str(Path(__file__).parent), folder=str(folder), out=str(out), progress=progress
    )
    environment = {**os.environ, "PYTHONPATH": str(source), "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen([sys.executable, "-c", code], env=environment)


@pytest.mark.slow
def test_a_killed_run_goes_on_and_gives_equal_bytes(folder, tmp_path):
    assert run_script(folder, tmp_path / "killed", "kill").wait() == -signal.SIGKILL
    done = LayerStore(tmp_path / "killed").keys()
    assert [key.startswith("story_0") for key in done] == [True]
    assert run_script(folder, tmp_path / "killed", None).wait() == 0
    assert run_script(folder, tmp_path / "whole", None).wait() == 0
    killed, whole = contents(tmp_path / "killed"), contents(tmp_path / "whole")
    assert list(killed) == list(whole)
    for name, values in whole.items():
        assert killed[name].tobytes() == values.tobytes()
    assert all(path.suffix == ".zarr" for path in (tmp_path / "killed").iterdir())


@pytest.mark.slow
def test_two_processes_may_fill_the_same_folder(folder, tmp_path):
    both = [run_script(folder, tmp_path / "both", None) for _ in range(2)]
    assert [one.wait() for one in both] == [0, 0]
    assert run_script(folder, tmp_path / "alone", None).wait() == 0
    both, alone = contents(tmp_path / "both"), contents(tmp_path / "alone")
    assert list(both) == list(alone)
    for name, values in alone.items():
        assert both[name].tobytes() == values.tobytes()
    assert all(path.suffix == ".zarr" for path in (tmp_path / "both").iterdir())


def keys_of(folder, **changed):
    stories, recipe = stories_of(12), changed.pop("recipe", None)
    stories = changed.pop("stories", stories)
    tr_times = changed.pop("tr_times", tr_times_of(stories_of(12)))
    model = LanguageExtractor(folder, **{"device": "cpu", **changed.pop("model", {})})
    options = {**SIZES, **changed}
    extraction = LanguageExtraction(stories, model, tr_times, "out", recipe=recipe, **options)
    return list(extraction.keys.values())


def other_word():
    words = [*stories_of(12)["story 0"].words[:-1], "zzz"]
    return {"story 0": Transcript(words, 0.5 * np.arange(12))}


def other_time():
    times = 0.5 * np.arange(12)
    times[3] += 0.01
    return {"story 0": Transcript(stories_of(12)["story 0"].words, times)}


THAT_COUNT = {
    "word": lambda: {"stories": other_word()},
    "time": lambda: {"stories": other_time()},
    "TRs": lambda: {"tr_times": {"story 0": np.arange(1.0, 9, 1.5)}},
    "min_context": lambda: {"min_context": 2},
    "max_context": lambda: {"max_context": 7},
    "layers": lambda: {"layers": [0, 1]},
    "extras": lambda: {"extras": ["surprisal"]},
    "keep_words": lambda: {"keep_words": True},
    "lobes": lambda: {"recipe": DesignRecipe(lobes=2)},
    "cutoff": lambda: {"recipe": DesignRecipe(cutoff_hz=0.1)},
    "normalize": lambda: {"recipe": DesignRecipe(normalize=True)},
    "policy": lambda: {"model": {"policy": "sliding"}},
    "word_vector": lambda: {"model": {"word_vector": "mean"}},
    "protocol": lambda: {"model": {"protocol": "huth2023"}},
    "dtype": lambda: {"model": {"dtype": "bfloat16"}},
}


def test_all_that_can_change_the_numbers_is_in_the_key(folder):
    keys = [keys_of(folder), *(keys_of(folder, **made()) for made in THAT_COUNT.values())]
    assert len({key for [key] in keys}) == len(THAT_COUNT) + 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"layers": [1, 0]}, {"layers": [0, 1, 1]}),
        ({"layers": "all"}, {"layers": [0, 1, 2]}),
        ({"extras": ["surprisal", "entropy"]}, {"extras": ["entropy", "surprisal", "entropy"]}),
        ({"model": {"policy": "sliding"}}, {"model": {"policy": "sliding"}, "min_context": 1}),
        ({"model": {"policy": "full"}}, {"model": {"policy": "full"}, "max_context": 99}),
        ({"model": {"batch_size": 1}}, {"model": {"batch_size": 9}}),
    ],
)
def test_what_changes_no_number_is_not_in_the_key(folder, one, other):
    assert keys_of(folder, **one) == keys_of(folder, **other)


def test_what_is_kept_knows_its_trs_and_goes_on_to_a_design(folder, tmp_path):
    stories = stories_of(60)
    trs = tr_times_of(stories)
    options = {**SIZES, "extras": ["surprisal"], "keep_words": True}
    kept = extract_language(stories, str(folder), trs, tmp_path, **options)
    series = read_extracted(kept["story 0"], 2)
    np.testing.assert_array_equal(series.tr_times, trs["story 0"])
    assert (series.run, series.first_tr) == ("story 0", 0)
    assert read_extracted(kept["story 0"], "surprisal").values.shape == (len(trs["story 0"]), 1)
    for feature in (10, "suprisal", "words_layer_2"):
        with pytest.raises(StoreError, match=r"only layer_0, layer_1, layer_2, surprisal.*ask for"):
            read_extracted(kept["story 0"], feature)
    meta = LayerStore(tmp_path).meta(kept["story 0"].stem)
    assert meta["words"] == list(stories["story 0"].words)
    np.testing.assert_array_equal(meta["word_times"], stories["story 0"].times)
    rng = np.random.default_rng(0)
    responses = {
        "story 0": TRSeries(
            rng.standard_normal((len(series.values), 2)), "story 0", 0, trs["story 0"]
        )
    }
    X, _ = DesignRecipe(trim=(2, 1)).join({"story 0": series}, responses, ["story 0"])
    states = LanguageExtractor(folder, device="cpu").extract(stories, [2], **SIZES)[2]
    expected, _ = DesignRecipe(trim=(2, 1)).join(states, responses, ["story 0"])
    np.testing.assert_allclose(X, expected, atol=1e-5)


def test_words_without_surprisal_are_counted_aloud(folder, tmp_path, monkeypatch):
    from voxscale.features import _windows

    monkeypatch.setattr(_windows, "start_tokens", lambda tokenizer: ())
    model = LanguageExtractor(folder, device="cpu", policy="sentence")
    words = ["abc", "de.", "fgh", "ab.", "c"]
    stories = {"hut": Transcript(words, np.arange(5.0))}
    options = {**SIZES, "layers": [], "extras": ["surprisal"]}
    with pytest.warns(VoxscaleWarning, match="story 'hut': 3 of 5 words have no surprisal"):
        extract_language(stories, model, {"hut": np.arange(1.0, 7, 2)}, tmp_path, **options)


def test_each_warning_is_given_once(folder, tmp_path):
    stories = {name: Transcript(["abc"] * 9, np.arange(9.0)) for name in ("hut", "chess")}
    model = LanguageExtractor(folder, device="cpu", policy="sentence")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        times = {"hut": np.arange(-3.0, 4, 0.5), "chess": np.arange(0.5, 9, 1)}
        extract_language(stories, model, times, tmp_path, layers=[0], **SIZES)
    found = sorted(str(one.message).split(" ")[0] for one in told)
    assert len(found) == len(set(found)) == 2


def test_what_costs_nothing_more(folder, tmp_path):
    stories = stories_of(20, 9)
    options = {**SIZES, "layers": [1]}

    def extraction():
        return LanguageExtraction(stories, folder, tr_times_of(stories), tmp_path, **options)

    assert extraction().cost(probe=False).n_stories == 2
    one = {"story 1": stories["story 1"]}
    extract_language(one, folder, tr_times_of(stories), tmp_path, **options)
    assert list(extraction().missing) == ["story 0"]
    assert extraction().cost(probe=False).n_stories == 1
    extraction().run()
    assert extraction().cost() is None


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"layers": "foo"}, ValueError, "layers is 'foo'; expected 'all'"),
        ({"layers": 1}, TypeError, "layers is 1; expected 'all' or a list"),
        ({"tr_times": {"hut": np.arange(3.0)}}, ValueError, "no story 'story 0', only 'hut'"),
        ({"stories": stories_of(12)["story 0"]}, TypeError, "expected a mapping of name"),
        (
            {"tr_times": np.arange(3.0)},
            TypeError,
            "tr_times is of type ndarray; expected a mapping",
        ),
        ({"tr_times": {"story 0": "abc"}}, TypeError, "of type str; expected an array of seconds"),
        ({"recipe": {"normalize": True}}, TypeError, "recipe is of type dict; expected a DesignR"),
        ({"stories": {}}, ValueError, "there is no story"),
        ({"extras": "surprisal"}, TypeError, "expected a list of names"),
        ({"model": {"device": "abacus"}}, ValueError, "device 'abacus' is unknown"),
    ],
)
def test_arguments_that_cannot_be_are_told(folder, changed, error, message):
    with pytest.raises(error, match=message):
        keys_of(folder, **changed)
