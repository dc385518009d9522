"""Phones against a naive reading of the table of articulations; silences and unknown labels."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxscale.data import Transcript, read_transcript
from voxscale.errors import DataError, VoxscaleWarning
from voxscale.features import ARTICULATIONS, PHONES, articulation, phone_one_hot, phone_rate

ALL = [phone_rate, phone_one_hot, articulation]
# Written down again, by articulation and not by phone.
SETS = {
    "bilabial": "P B M", "postalveolar": "CH JH SH ZH", "alveolar": "T D S Z N L R",
    "dental": "TH DH", "labiodental": "F V", "velar": "K G NG W", "glottal": "HH", "palatal": "Y",
    "plosive": "P B T D K G", "affricative": "CH JH",
    "fricative": "F V TH DH S Z SH ZH HH", "nasal": "M N NG", "lateral": "L",
    "approximant": "R W Y", "unvoiced": "CH F HH K P S SH T TH",
    "low": "AA AE AW AY", "mid": "AH AO AW AY EH ER EY IH OW OY", "high": "IY OY UH UW",
    "front": "AE AY EH EY IH IY OY", "central": "AH AW AY ER", "back": "AA AO AW OW OY UH UW",
}  # fmt: skip
SETS = {name: set(phones.split()) for name, phones in SETS.items()}
VOWELS = SETS["low"] | SETS["mid"] | SETS["high"]
SETS["voiced"] = set(PHONES) - SETS["unvoiced"] - VOWELS


def phones(*labels):
    onset_s = 0.1 * np.arange(len(labels))
    return Transcript(labels, onset_s, onset_s + 0.08)


def test_every_phone_is_made_as_the_sets_say():
    values = articulation(phones(*PHONES)).values
    expected = [[phone in SETS[name] for name in ARTICULATIONS] for phone in PHONES]
    np.testing.assert_array_equal(values, np.array(expected, dtype=float))
    assert values.shape == (39, 22)
    assert set(SETS) == set(ARTICULATIONS)
    assert values.any(axis=0).all()  # no column is dead


def test_consonants_have_place_manner_and_voice_and_vowels_height_and_place():
    for row, phone in zip(articulation(phones(*PHONES)).values, PHONES, strict=True):
        parts = [row[:8].sum(), row[8:14].sum(), row[14:16].sum()]
        if phone in VOWELS:
            assert parts == [0, 0, 0]
            assert row[16:19].sum() >= 1
            assert row[19:].sum() >= 1
        else:
            assert parts == [1, 1, 1]
            assert not row[16:].any()


def test_one_hot_is_the_identity_in_order():
    np.testing.assert_array_equal(phone_one_hot(phones(*PHONES)).values, np.eye(39))
    assert len(PHONES) == 39
    assert tuple(sorted(PHONES)) == PHONES


@given(st.lists(st.sampled_from(PHONES), min_size=1, max_size=30), st.randoms())
def test_spelling_makes_no_difference(labels, random):
    def spelled(phone):
        phone += random.choice(["", "0", "1", "2"]) + random.choice(["", "_B", "_E"])
        return random.choice([phone, phone.lower(), f" {phone} "])

    plain, varied = phones(*labels), phones(*map(spelled, labels))
    for measure in ALL:
        np.testing.assert_array_equal(measure(varied).values, measure(plain).values)
    np.testing.assert_array_equal(phone_rate(plain).values, np.ones((len(labels), 1)))


@pytest.mark.parametrize(
    "silence", ["sil", "SIL", "sp", "spn", "", "{NS}", "<eps>", "+SPN+", "{BR}", "[noise]", "  "]
)
@pytest.mark.parametrize("measure", ALL)
def test_silence_is_no_phone(measure, silence):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = measure(phones("K", silence, "T")).values
    assert not values[1].any()
    assert values[[0, 2]].any(axis=1).all()


@pytest.mark.parametrize("measure", ALL)
def test_times_are_the_middle_and_runs_come_back(measure):
    one, two = phones("K", "AE1", "T"), phones("sil", "dh", "ah0")
    found = measure({"one": one, "two": two})
    assert list(found) == ["one", "two"]
    np.testing.assert_allclose(found["one"].times, [0.04, 0.14, 0.24])
    np.testing.assert_array_equal(found["two"].values, measure(two).values)
    assert found["one"].values.dtype == np.float32
    with pytest.raises(TypeError, match="expected a Transcript or a mapping of run to"):
        measure(["K", "AE1"])


def test_unknown_labels_are_counted_once_for_all_runs():
    runs = {"one": phones("K", "ɹ", "T"), "two": phones("ɹ", "Q", "AE3x", "IY1")}
    told = r"4 of 7 labels are neither .* known here, most often 'ɹ', 'Q', 'AE3x'; they are "
    for measure in (phone_one_hot, articulation):
        with pytest.warns(VoxscaleWarning, match=told + "given zeros") as caught:
            found = measure(runs)
        assert len(caught) == 1
        assert caught[0].filename == __file__
        assert not found["two"].values[:3].any()
    with pytest.warns(VoxscaleWarning, match=told + "counted as phones"):
        rates = phone_rate(runs)
    assert rates["two"].values.sum() == 4


@pytest.mark.parametrize("measure", ALL)
def test_a_tier_without_phones_is_refused(measure):
    with pytest.raises(DataError, match=r"run 'two': not one of its 2 labels is a phone .* 'sil'"):
        measure({"one": phones("K"), "two": phones("sil", "sp")})
    words = phones("the", "quick", "fox")
    if measure is not phone_rate:
        with pytest.raises(DataError, match=r"transcript: not one .* 'the'\); expected ARPAbet"):
            measure(words)


GRID = """File type = "ooTextFile"
Object class = "TextGrid"

0
0.6
<exists>
2
"IntervalTier"
"phone"
0
0.6
4
0
0.2
""
0.2
0.3
"K"
0.3
0.5
"AE1"
0.5
0.6
"sil"
"IntervalTier"
"word"
0
0.6
1
0
0.6
"ca"
"""


def test_a_phone_tier_is_read_with_or_without_its_silences(tmp_path):
    (tmp_path / "a.TextGrid").write_text(GRID)
    heard = read_transcript(tmp_path / "a.TextGrid", tier="phone")
    assert heard.words == ("K", "AE1", "sil")  # blanks are dropped
    every = read_transcript(tmp_path / "a.TextGrid", tier="phone", bad_words=(), drop_blank=False)
    assert len(every) == 4
    for measure in ALL:
        found, whole = measure(heard), measure(every)
        np.testing.assert_array_equal(found.values, whole.values[1:])
        np.testing.assert_allclose(found.times, [0.25, 0.4, 0.55])
        assert not whole.values[0].any()
