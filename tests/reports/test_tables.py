import numpy as np
import pytest

from voxscale.reports._tables import Table, as_text, fields_table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00001234, "1.2e−05"),
        (0.0, "0.000"),
        (-0.5, "−0.500"),
        (-3, "−3"),
        (1234.5, "1,234.500"),
        (1e6, "1e+06"),
        (np.float32(0.25), "0.250"),
        (np.int64(20484), "20,484"),
        (np.float64("nan"), "–"),
        ("text", "text"),
        (["a", "b"], "a, b"),
        (False, "no"),
    ],
)
def test_values_are_written_for_readers(value, text):
    assert as_text(value) == text


def test_columns_of_numbers_are_known():
    table = Table(("who", "n", "r"), [("a", "1,234", "-0.5"), ("b", "–", "+0.25")])
    assert table.is_number == [False, True, True]
    assert Table(("who",), []).is_number == [False]
    small = Table(("r", "p", "run"), [("−6e−06", "1e+06", "1e"), ("0.5", "0.01", "2.5.1")])
    assert small.is_number == [True, True, False]


def test_fields_become_rows():
    assert fields_table([("layers", (0, 3))]).rows == [("layers", "0, 3")]


def test_short_names_stay_whole_and_sentences_may_break():
    table = Table(("metric", "why"), [("signed_r2", "a sentence that is long"), ("cc_norm", "no")])
    assert table.is_whole == [True, False]
