"""Alignments of gentle: a table without a header, json, and words that were not found."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voxscale.data import read_gentle
from voxscale.errors import DataError, VoxscaleWarning

WHOLE = "I,i,15.0,15.2\nbegan,began,15.3,15.7\nmy,my,15.8,16.0\n"
HOLES = (
    "Uh,,,\nI,i,15.0,15.2\nbegan,,,\nmy,,,\nillustrious,illustrious,16.2,17.0\n"
    'in,in,3.0,3.1\n"well, then",then,18.0,18.5\nbye,,,\n'
)


@pytest.fixture
def write(tmp_path):
    def write_it(text, name="align.csv"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write_it


@pytest.mark.parametrize("header", ["", "word,alignedWord,onset,offset\n"])
def test_a_table_with_or_without_a_header(write, header):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        story = read_gentle(write(header + WHOLE))
    assert story.words == ("I", "began", "my")
    assert story.onset_s.tolist() == [15.0, 15.3, 15.8]
    assert story.offset_s.tolist() == [15.2, 15.7, 16.0]


def test_words_that_were_not_found_are_spread_and_counted(write):
    """Two words share 15.2 to 16.2 s; one that was found too early lies in 17 to 18 s."""
    path = write(HOLES)
    message = r"5 of 8 words have no time of their own; 3 are spread .*, 2 are left out"
    with pytest.warns(VoxscaleWarning, match=message):
        story = read_gentle(path)
    assert story.words == ("I", "began", "my", "illustrious", "in", "well, then")
    assert story.onset_s.tolist() == pytest.approx([15.0, 15.2, 15.7, 16.2, 17.0, 18.0])
    assert story.offset_s.tolist() == pytest.approx([15.2, 15.7, 16.2, 17.0, 18.0, 18.5])
    with pytest.warns(VoxscaleWarning, match=r"5 of 8 .*; 5 are left out"):
        assert read_gentle(path, missing="drop").words == ("I", "illustrious", "well, then")


def test_json_is_read_as_the_table_is(write):
    rows = [line.rsplit(",", 3) for line in HOLES.splitlines()]
    words = [
        {"word": word.strip('"'), "case": "success", "start": float(on), "end": float(off)}
        if on
        else {"word": word, "case": "not-found-in-audio"}
        for word, _, on, off in rows
    ]
    path = write(json.dumps({"transcript": "", "words": words}), "align.json")
    with pytest.warns(VoxscaleWarning):
        found = read_gentle(path)
    with pytest.warns(VoxscaleWarning):
        assert found == read_gentle(write(HOLES))


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("a,b,c\n", "align.csv", r"align\.csv, line 1: 3 cells; expected 4"),
        ("a,a,1,x\n", "align.csv", r"line 1: 'x' is no time"),
        ("a,,,\nb,,,\n", "align.csv", r"none of 2 words has a time"),
        ("{", "align.json", "is no alignment of gentle"),
        ('{"words": [{"start": 1}]}', "align.json", "is no alignment of gentle"),
        ("[1]", "align.json", "is no alignment of gentle"),
        ("/annex/objects/MD5E-s1--a.csv\n", "align.csv", "not fetched"),
    ],
)
def test_files_that_are_none(write, text, name, message):
    with pytest.raises(DataError, match=message):
        read_gentle(write(text, name))


def test_another_way_with_missing_words(write):
    with pytest.raises(ValueError, match="expected 'interpolate' or 'drop'"):
        read_gentle(write(WHOLE), missing="guess")


@given(
    st.lists(
        st.one_of(st.none(), st.tuples(st.integers(0, 5000), st.integers(0, 60))), min_size=1
    ).filter(lambda rows: any(rows))
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_was_not_found_words_stay_in_order(tmp_path, rows):
    """Words that were found keep their times; all others lie between those beside them."""
    lines = [
        f"w{i},,," if row is None else f"w{i},w,{row[0] / 100},{(row[0] + row[1]) / 100}"
        for i, row in enumerate(rows)
    ]
    path = tmp_path / "align.csv"
    path.write_text("\n".join(lines) + "\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        story, fewer = read_gentle(path), read_gentle(path, missing="drop")
    numbers = [int(word[1:]) for word in story.words]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))  # nothing within is lost
    assert set(zip(fewer.words, fewer.onset_s, strict=True)) <= set(
        zip(story.words, story.onset_s, strict=True)
    )
    assert (np.diff(story.onset_s) >= 0).all()
    assert (story.offset_s >= story.onset_s).all()
