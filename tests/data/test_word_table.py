"""Tables with tabs: what encloses a cell, and what is a quote in a word."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voxscale.data import read_transcript


@pytest.fixture
def read(tmp_path):
    """Return a function that reads text as the events of a BIDS data set."""

    def read_it(content, **options):
        path = tmp_path / "events.tsv"
        path.write_text(content, encoding="utf-8", newline="")
        return read_transcript(path, **options)

    return read_it


@pytest.mark.parametrize("word", ['"', '"oh', 'no"', '"a"b"', 'say "hi"', '"""', "a,b"])
def test_a_quote_that_encloses_nothing_is_part_of_a_word(read, word):
    assert read(f"word\tonset\n{word}\t0\n").words == (word,)


@pytest.mark.parametrize(
    ("cell", "word"),
    [
        ('"well"', "well"),
        ('"a\tb"', "a\tb"),
        ('"\t"', ""),
        ('"say ""hi"""', 'say "hi"'),
        ('"""hi"" he\tsaid"', '"hi" he\tsaid'),
        ('""""', '"'),
        ('""', ""),
    ],
)
def test_double_quotes_enclose_a_cell_of_a_table_with_tabs(read, cell, word):
    table = f'onset\t"word"\tduration\n0\t{cell}\t1\n'
    assert read(table, drop_blank=False).words == (word,)


def test_two_lone_quotes_of_one_line_enclose_nothing(read):
    table = 'speaker\tonset\tword\n"\t0\t"\n"a"\t1\t"oh\n'
    assert read(table).words == ('"', '"oh')


def test_a_bids_column_with_tabs_in_its_labels_is_chosen_as_ever(read):
    lines = ["onset\tduration\tvalue\ttrial_type", '0\t1\t"x\ty"\t1', "1\t1\tz\t2"]
    assert read("\n".join(lines)).words == ("x\ty", "z")


@pytest.mark.parametrize("columns", [["word", "onset"], ["onset", "word"]])
@given(words=st.lists(st.text("a\"\t,' é", min_size=1, max_size=6), min_size=1, max_size=5))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_pandas_writes_with_tabs_is_read_back(read, columns, words):
    table = pd.DataFrame({"word": words, "onset": np.arange(len(words))})
    text = table[columns].to_csv(sep="\t", index=False)
    found = read(text, drop_blank=False, bad_words=())
    assert found.words == tuple(word.strip() for word in words)
    np.testing.assert_array_equal(found.onset_s, np.arange(len(words)))
