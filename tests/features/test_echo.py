from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxscale.data import Transcript
from voxscale.features.echo import Echo

WORDS = ["one", "two", "three", "one", "two", "four", "five", "six", "one"]


def hashed(word):
    digest = hashlib.sha256(word.encode()).digest()
    numbers = [int.from_bytes(digest[4 * i : 4 * i + 4], "little") for i in range(8)]
    return np.array([number / 2**31 - 1 for number in numbers])


@given(
    words=st.lists(st.text(min_size=1), min_size=1, max_size=20),
    sizes=st.integers(1, 4).flatmap(lambda low: st.tuples(st.just(low), st.integers(low, 7))),
)
def test_layers_are_word_echo_and_mean_of_the_context(words, sizes):
    low, high = sizes
    runs = {"run": Transcript(words, np.arange(len(words)))}
    states = Echo().extract(runs, [0, 1, 2], min_context=low, max_context=high)
    size = 0
    for i in range(len(words)):
        size = low if size == high else size + 1
        context = [hashed(word) for word in words[i - size + 1 : i + 1]]
        echo = sum(0.5**back * vector for back, vector in enumerate(reversed(context)))
        for layer, expected in enumerate((context[-1], echo, np.mean(context, axis=0))):
            np.testing.assert_allclose(states[layer]["run"].values[i], expected, atol=1e-5)


def test_layers_and_contexts_differ_and_the_word_alone_does_not(story):
    runs = {"run": story(WORDS)}
    short = Echo().extract(runs, "all", min_context=1, max_context=2)
    long = Echo().extract(runs, [0, 1, 2], min_context=4, max_context=8)
    assert list(short) == [0, 1, 2]
    np.testing.assert_array_equal(short[0]["run"].values, long[0]["run"].values)
    for layer in (1, 2):
        assert np.abs(short[layer]["run"].values - long[layer]["run"].values).max() > 0.05
        assert np.abs(long[layer]["run"].values - long[0]["run"].values).max() > 0.05


def test_numbers_are_the_same_for_ever(story):
    states = Echo().extract({"run": story(WORDS)}, [2], min_context=2, max_context=4)
    assert states[2]["run"].values.shape == (9, 8)
    assert states[2]["run"].values.dtype == np.float32
    recorded = [0.347292, 0.578099, -0.029999]
    np.testing.assert_allclose(states[2]["run"].values[-1, :3], recorded, atol=1e-5)


def test_times_are_the_words(story):
    transcript = story(WORDS)
    states = Echo().extract({"run": transcript}, [1])
    np.testing.assert_array_equal(states[1]["run"].times, transcript.times)


@pytest.mark.parametrize("layers", [[3], [-1], []])
def test_layer_that_does_not_exist_is_refused(layers, story):
    with pytest.raises(ValueError, match="layer"):
        Echo().extract({"run": story(WORDS)}, layers)


def test_features_are_imported_without_torch_or_transformers():
    code = (
        "import sys; from voxscale.features import word_rate; from voxscale.features.echo import "
        "Echo; from voxscale.data import Transcript; story = Transcript(['a'], [0.0]); "
        "word_rate(story); Echo().extract({'run': story}, [0]); "
        "sys.exit(bool({'torch', 'transformers', 'tokenizers', 'gguf'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
