"""Conditions on a table, against pandas' own, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from voxscale.cli._where import choose_rows
from voxscale.errors import ConfigError


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "subject": rng.choice(["S1", "S2", 'S "3"'], size=60),
            "layer": rng.integers(0, 10, size=60),
            "value": np.where(rng.random(60) < 0.1, np.nan, rng.standard_normal(60)),
            "reference": rng.random(60) < 0.5,
            "andy": rng.integers(0, 2, size=60),
        }
    )


@pytest.mark.parametrize(
    "where",
    [
        "layer == 9",
        "layer==9",
        "  layer  !=  9  ",
        'layer >= 3 and subject == "S1"',
        "layer < 3 and subject != 'S1' and value > -0.25",
        "value <= 1e-1",
        "value > .5",
        "value != 0",
        "andy == 1 and layer > 2",
        "subject == 'S \"3\"'",
    ],
)
def test_rows_are_those_that_pandas_would_keep(table, where):
    expected = table.query(where.strip())
    expected = expected[expected["value"].notna()] if "value" in where else expected
    assert len(expected) > 0
    pd.testing.assert_frame_equal(choose_rows(table, where), expected)


def test_truths_can_be_asked_for(table):
    for text, value in (("true", True), ("True", True), ("false", False)):
        kept = choose_rows(table, f"reference == {text}")
        pd.testing.assert_frame_equal(kept, table[table["reference"] == value])


def test_conditions_that_nothing_meets_leave_no_row(table):
    assert len(choose_rows(table, "layer == 9.5")) == 0
    assert len(choose_rows(table, 'subject == "nobody"')) == 0


@pytest.mark.parametrize(
    ("where", "place"),
    [
        ("", "at its end"),
        ("layer", "at 'layer'"),
        ("layer = 9", "at 'layer = 9'"),
        ("layer == 9 or layer == 3", "at 'or layer == 3'"),
        ("layer == 9 and", "at its end"),
        ("layer == 9andy == 1", "at 'layer == 9andy == 1'"),
        ("layer == nine", "at 'layer == nine'"),
        ("layer == 9 layer == 3", "at 'layer == 3'"),
        ("layer == 1.2.3", "at 'layer == 1.2.3'"),
        ('subject == "S1', "at 'subject == \"S1'"),
        ("not layer == 9", "at 'not layer == 9'"),
        ("@value > 0", "at '@value > 0'"),
        ("layer.__class__ == 9", "at 'layer.__class__ == 9'"),
        ("__import__('os').system('true') == 0", r'at "__import__'),
        ("(layer == 9)", r"at '\(layer == 9\)'"),
    ],
)
def test_anything_else_is_refused_with_its_place(table, where, place):
    with pytest.raises(ConfigError, match=rf"cannot be read {place}.*; expected COLUMN OPERATOR"):
        choose_rows(table, where)


def test_a_wrong_column_lists_those_there_are(table):
    message = (
        r"no column 'layers' \(did you mean 'layer'\?\); there are subject, layer, value, reference"
    )
    with pytest.raises(ConfigError, match=message):
        choose_rows(table, "layers == 9")


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ('layer == "9"', r"'layer' holds numbers; == '9' .*expected layer >= 9"),
        ("subject == 1", r"'subject' holds text; == 1.0 .*expected subject == \"…\""),
        ('subject < "S2"', "'subject' holds text; < 'S2'"),
        ("layer == true", "'layer' holds numbers; == True"),
        ("reference == 1", "'reference' holds true or false; == 1.0 .*expected reference == true"),
        ("reference > false", "'reference' holds true or false; > False"),
    ],
)
def test_what_could_never_be_true_is_refused(table, where, message):
    with pytest.raises(ConfigError, match=message):
        choose_rows(table, where)
