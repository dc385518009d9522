from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.evaluate._named import known_name, parse_named, written


@dataclass(frozen=True)
class Row:
    parameter: str | None = None
    is_required: bool = False


TABLE = {"plain": Row(), "some": Row("floor"), "must": Row("threshold", is_required=True)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", ("plain", None)),
        (" plain ", ("plain", None)),
        ("some", ("some", None)),
        ("some(0.25)", ("some", 0.25)),
        ("must ( 1e-3 ) ", ("must", 0.001)),
        ("must(-2)", ("must", -2.0)),
    ],
)
def test_names_and_their_numbers_are_read(text, expected):
    assert parse_named("thing", text, TABLE) == expected


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_written_is_read_as_the_same(number):
    assert parse_named("thing", written("must", number), TABLE) == ("must", number)
    assert parse_named("thing", written("plain", None), TABLE) == ("plain", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "plan",
            r"thing 'plan' is unknown; choose one of plain, some, must \(did you mean 'plain'",
        ),
        ("plain(1", r"thing 'plain\(1' is unknown"),
        ("must(1)(2)", "is unknown"),
        ("", "thing '' is unknown; choose one of plain, some, must."),
        ("must", r"lacks its threshold; write it as in must\(0.25\)"),
        ("plain(1)", r"has a number, but plain takes none; write plain"),
        ("plain()", r"has a number, but plain takes none; write plain"),
        ("must(high)", "its threshold is 'high'; expected a finite number"),
        ("must()", "its threshold is ''; expected a finite number"),
        ("some(nan)", "its floor is 'nan'; expected a finite number"),
        ("some(inf)", "its floor is 'inf'; expected a finite number"),
    ],
)
def test_what_cannot_be_read_is_told(text, message):
    with pytest.raises(ValueError, match=message):
        parse_named("thing", text, TABLE)


@pytest.mark.parametrize("name", [None, 3, b"plain"])
def test_a_name_is_a_string(name):
    with pytest.raises(TypeError, match="expected a name: plain, some, must"):
        known_name("thing", name, TABLE)
    with pytest.raises(TypeError, match="expected a name: plain, some, must"):
        parse_named("thing", name, TABLE)
