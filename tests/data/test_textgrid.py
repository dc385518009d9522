"""TextGrids: three formats, odd files, damaged files."""

from __future__ import annotations

import codecs
import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from praatio import textgrid as praatio

from voxscale.data import Interval, Point, TextGrid, Tier, read_textgrid
from voxscale.errors import DataError, VoxscaleWarning

WORDS = Tier(
    "words",
    0.0,
    2.0,
    (Interval(0.0, 0.5, "say"), Interval(0.5, 1.25, ""), Interval(1.25, 2.0, "é")),
)
NOTES = Tier("notes", 0.0, 2.0, (), (Point(0.25, "click"), Point(1.5, "")), is_interval_tier=False)
GRID = TextGrid(0.0, 2.0, (WORDS, NOTES))


def quoted(text):
    return '"' + text.replace('"', '""') + '"'


def kind(tier):
    return quoted("IntervalTier" if tier.is_interval_tier else "TextTier")


def as_long(grid):
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    lines += [f"xmin = {grid.start_s!r} ", f"xmax = {grid.end_s!r} ", "tiers? <exists> "]
    lines += [f"size = {len(grid.tiers)} ", "item []: "]
    for number, tier in enumerate(grid.tiers, start=1):
        lines += [f"    item [{number}]:", f"        class = {kind(tier)} "]
        lines += [f"        name = {quoted(tier.name)} "]
        lines += [f"        xmin = {tier.start_s!r} ", f"        xmax = {tier.end_s!r} "]
        what = "intervals" if tier.is_interval_tier else "points"
        lines += [f"        {what}: size = {len(tier)} "]
        for i, one in enumerate(tier.intervals, start=1):
            lines += [f"        intervals [{i}]:", f"            xmin = {one.onset_s!r} "]
            lines += [f"            xmax = {one.offset_s!r} "]
            lines += [f"            text = {quoted(one.text)} "]
        for i, one in enumerate(tier.points, start=1):
            lines += [f"        points [{i}]:", f"            number = {one.time_s!r} "]
            lines += [f"            mark = {quoted(one.text)} "]
    return "\n".join(lines) + "\n"


def as_short(grid):
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    lines += [repr(grid.start_s), repr(grid.end_s), "<exists>", str(len(grid.tiers))]
    for tier in grid.tiers:
        lines += [kind(tier), quoted(tier.name), repr(tier.start_s), repr(tier.end_s)]
        lines += [str(len(tier))]
        for one in tier.intervals:
            lines += [repr(one.onset_s), repr(one.offset_s), quoted(one.text)]
        for one in tier.points:
            lines += [repr(one.time_s), quoted(one.text)]
    return "\n".join(lines) + "\n"


def as_chronological(grid):
    lines = ['"Praat chronological TextGrid text file"']
    lines += [f"{grid.start_s!r} {grid.end_s!r}   ! Time domain."]
    lines += [f"{len(grid.tiers)}   ! Number of tiers."]
    entries = []
    for number, tier in enumerate(grid.tiers, start=1):
        lines += [f"{kind(tier)} {quoted(tier.name)} {tier.start_s!r} {tier.end_s!r}"]
        for one in tier.intervals:
            times = f"{one.onset_s!r} {one.offset_s!r}"
            entries.append((one.onset_s, number, f"{number} {times}\n{quoted(one.text)}"))
        for one in tier.points:
            entries.append((one.time_s, number, f"{number} {one.time_s!r}\n{quoted(one.text)}"))
    lines += [line for *_, line in sorted(entries, key=lambda entry: entry[:2])]
    return "\n".join(lines) + "\n"


FORMATS = {"long": as_long, "short": as_short, "chronological": as_chronological}


@pytest.fixture
def read(tmp_path):
    """Return a function that reads text, or bytes, as a TextGrid file."""

    def read_it(content):
        path = tmp_path / "story.TextGrid"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_textgrid(path)

    return read_it


# --- what is read --------------------------------------------------------------------------


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_each_format_gives_the_same_grid(read, write):
    assert read(write(GRID)) == GRID


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: codecs.BOM_UTF8 + text.encode(),
        lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
        lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: codecs.BOM_UTF16_BE + text.replace("\n", "\r\n").encode("utf-16-be"),
        lambda text: text.rstrip().encode(),
    ],
    ids=["utf-8", "utf-8 mark", "utf-16-le", "utf-16-be", "crlf", "utf-16 crlf", "no last newline"],
)
def test_encodings_and_line_endings_change_nothing(read, write, encode):
    assert read(encode(write(GRID))) == GRID


LABELS = ['say "hi" now', '"', '""', "an item [1] here", "two\nlines", "! no comment", "<exists>"]
LABELS += ["  item [2]:", "xmin = 3", "1 2 3", "日本語", "", " padded "]


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("label", LABELS)
def test_any_label_is_kept_as_it_is(read, write, label):
    first = Tier("word", 0.0, 2.0, (Interval(0.0, 1.0, label), Interval(1.0, 2.0, "b")))
    second = Tier(label, 0.0, 2.0, (Interval(0.0, 2.0, label),))
    grid = TextGrid(0.0, 2.0, (first, second))
    assert read(write(grid)) == grid


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_negative_times_and_exponents_are_numbers(read, write):
    tier = Tier("word", -1.5, 1e-05, (Interval(-1.5, -2e-07, "a"), Interval(-2e-07, 1e-05, "b")))
    grid = TextGrid(-1.5, 1e-05, (tier,))
    assert read(write(grid)) == grid


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('Object class = "TextGrid"\n\n', 'Object class = "TextGrid"\n'),
        ('File type = "ooTextFile"\nObject class = ', 'File type = "ooTextFile short"\n'),
        ("tiers? <exists> \n", ""),
        ("File type = ", "file  type="),
        ("item [", "item["),
        ("intervals: size = ", "intervals:size="),
        ("intervals [", "intervals["),
        ("xmin = ", "xmin="),
        ("number = ", "time = "),
        ('File type = "ooTextFile"', '\n\nFile type = "ooTextFile"'),
        ("item []: ", 'item [ ] : ! a comment with 12 numbers and "quotes"'),
        ("        ", "\t"),
    ],
)
def test_spellings_of_the_header_and_fields_change_nothing(read, old, new):
    text = as_long(GRID)
    assert old in text
    assert read(text.replace(old, new)) == GRID


def test_a_grid_without_tiers_has_none(read):
    assert read(as_short(TextGrid(0.0, 1.0, ()))).tiers == ()
    absent = as_short(TextGrid(0.0, 1.0, ())).replace("<exists>\n0", "<absent>")
    assert read(absent).tiers == ()


def test_the_last_interval_of_a_tier_before_another_is_kept_in_the_short_format(read):
    grid = read(as_short(GRID))
    assert [len(tier) for tier in grid.tiers] == [3, 2]
    assert grid.tiers[0].intervals[-1] == (1.25, 2.0, "é")


def test_a_tier_is_found_by_name():
    assert GRID.tier("notes") is NOTES
    with pytest.raises(DataError, match=r"0 tiers are called 'word'.*'words', 'notes'"):
        GRID.tier("word")


# --- a second answer -----------------------------------------------------------------------


@pytest.mark.parametrize("short", [False, True])
def test_what_praatio_writes_reads_as_praatio_reads_it(tmp_path, short, rng):
    cuts = np.sort(rng.uniform(0, 60, 41)).round(4).tolist()
    words = [
        (start, end, f'w"{i}' if i % 3 else "")
        for i, (start, end) in enumerate(itertools.pairwise(cuts))
    ]
    theirs = praatio.Textgrid()
    theirs.addTier(praatio.IntervalTier("phone", words[::2], 0, 60))
    theirs.addTier(praatio.IntervalTier("word", words, 0, 60))
    theirs.addTier(praatio.PointTier("note", [(cuts[3], "a"), (cuts[9], "b c")], 0, 60))
    path = tmp_path / "story.TextGrid"
    theirs.save(str(path), "short_textgrid" if short else "long_textgrid", True)

    theirs = praatio.openTextgrid(str(path), includeEmptyIntervals=True)
    ours = read_textgrid(path)
    assert [tier.name for tier in ours.tiers] == list(theirs.tierNames)
    for tier in ours.tiers:
        expected = theirs.getTier(tier.name).entries
        assert len(tier) == len(expected)
        for entry, other in zip(tier.intervals or tier.points, expected, strict=True):
            assert tuple(entry) == tuple(other)


@st.composite
def grids(draw):
    times = draw(
        st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=2, max_size=8, unique=True).map(
            sorted
        )
    )
    start, end = times[0], times[-1]
    labels = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=8)
    tiers = []
    for _ in range(draw(st.integers(0, 3))):
        name = draw(labels)
        if draw(st.booleans()):
            entries = [Interval(a, b, draw(labels)) for a, b in itertools.pairwise(times)]
            tiers.append(Tier(name, start, end, tuple(entries)))
        else:
            points = tuple(Point(time, draw(labels)) for time in times[1:])
            tiers.append(Tier(name, start, end, (), points, is_interval_tier=False))
    return TextGrid(start, end, tuple(tiers))


@settings(deadline=None, max_examples=60)
@given(grid=grids(), write=st.sampled_from(list(FORMATS.values())))
def test_any_grid_survives_writing_and_reading(grid, write):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "story.TextGrid")
        path.write_text(write(grid), encoding="utf-8", newline="")
        assert read_textgrid(path) == grid


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_long_or_short_file_cut_anywhere_is_an_error(data):
    text = data.draw(st.sampled_from([as_long, as_short]))(GRID).rstrip()
    cut = data.draw(st.integers(1, len(text) - 1))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "story.TextGrid")
        path.write_text(text[:cut], encoding="utf-8")
        with pytest.raises(DataError, match=r"story\.TextGrid"):
            read_textgrid(path)


# --- overlaps ------------------------------------------------------------------------------


def test_overlaps_are_kept_and_counted_in_one_warning(read):
    intervals = (Interval(0.0, 0.6, "a"), Interval(0.5, 1.2, "b"), Interval(1.0, 2.0, "c"))
    grid = TextGrid(0.0, 2.0, (Tier("word", 0.0, 2.0, intervals), Tier("w", 0.0, 2.0, intervals)))
    message = r"4 intervals start before the one before them ends.*'a' ends at 0.6 s, 'b' starts"
    with pytest.warns(VoxscaleWarning, match=message) as caught:
        assert read(as_long(grid)) == grid
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_rounding_is_no_overlap(read):
    intervals = (Interval(0.0, 0.5, "a"), Interval(0.4999999999, 1.0, "b"))
    grid = TextGrid(0.0, 1.0, (Tier("word", 0.0, 1.0, intervals),))
    assert read(as_long(grid)) == grid


def test_an_interval_that_ends_before_it_starts_is_warned_of(read):
    tier = Tier("word", 0.0, 1.0, (Interval(0.0, 0.5, "a"), Interval(0.7, 0.6, "b")))
    with pytest.warns(VoxscaleWarning, match=r"1 intervals end before they start.*'b', 0.7 to 0.6"):
        read(as_long(TextGrid(0.0, 1.0, (tier,))))


PAUSED = Tier("w", 0.0, 2.0, (Interval(0.5, 1.0, "a"), Interval(1.25, 2.0, "b")))


def test_gaps_are_warned_of_only_in_a_chronological_file(read):
    grid = TextGrid(0.0, 2.0, (WORDS, PAUSED, NOTES))
    message = r"story\.TextGrid: 2 gaps between intervals.*first in tier 'w', 0\.0 to 0\.5 s"
    with pytest.warns(VoxscaleWarning, match=message) as caught:
        assert read(as_chronological(grid)) == grid
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert read(as_long(grid)) == read(as_short(grid)) == grid


# --- damaged files -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first_lost", "end_s"), [("1 1.25", 1.25), ("1 0.5", 0.5), ("1 0.0", 0.0)]
)
def test_a_chronological_file_that_stops_early_is_an_error(read, first_lost, end_s):
    text = as_chronological(TextGrid(0.0, 2.0, (WORDS, NOTES)))
    message = rf"story\.TextGrid: 1 tiers stop early \('words' at {end_s} of 2\.0 s\).*truncated"
    with pytest.raises(DataError, match=message):
        read(text[: text.index(first_lost)])


def test_a_chronological_file_cut_after_any_interval_is_an_error(read):
    twin = Tier("twin", 0.0, 2.0, WORDS.intervals)
    lines = as_chronological(TextGrid(0.0, 2.0, (WORDS, twin))).rstrip().split("\n")
    for n_kept in range(5, len(lines)):
        with pytest.raises(DataError, match=r"story\.TextGrid"):
            read("\n".join(lines[:n_kept]))


def test_a_chronological_tier_of_no_length_or_no_points_may_be_empty(read):
    grid = TextGrid(0.0, 1.0, (Tier("a", 0.0, 0.0), Tier("b", 0.0, 1.0, is_interval_tier=False)))
    assert read(as_chronological(grid)) == grid


@pytest.mark.parametrize("write", [as_long, as_short])
def test_more_intervals_promised_than_found_names_tier_and_counts(read, write):
    first = Tier("phone", 0.0, 2.0, WORDS.intervals)
    text = write(TextGrid(0.0, 2.0, (first, WORDS)))
    last = text.rindex("2.0", 0, text.rindex('"é"'))
    with pytest.raises(
        DataError, match=r"tier 'words' \(3 intervals expected, 2 found\).*truncated"
    ):
        read(text[:last])
    fewer = text.rindex("intervals [3]" if write is as_long else "1.25\n2.0")
    with pytest.raises(DataError, match=r"'words' says 3 intervals, 2 found.*truncated"):
        read(text[:fewer])


@pytest.mark.parametrize(("promised", "found"), [(4, 3), (2, 3)])
def test_a_wrong_size_in_the_middle_names_tier_and_counts(read, promised, found):
    text = as_long(GRID).replace("intervals: size = 3", f"intervals: size = {promised}")
    message = rf"story\.TextGrid, line \d+: tier 'words' says {promised} intervals, {found} found"
    with pytest.raises(DataError, match=message):
        read(text)


@pytest.mark.parametrize("n_tiers", [1, 3])
def test_a_wrong_number_of_tiers_names_both_and_the_tiers(read, n_tiers):
    text = as_long(GRID).replace("size = 2", f"size = {n_tiers}", 1)
    with pytest.raises(DataError, match=rf"says {n_tiers} tiers, 2 found \('words', 'notes'\)"):
        read(text)


def test_a_label_that_never_closes_names_its_line(read):
    text = as_long(GRID)
    cut = text.index('"say"') + 3
    line = text[:cut].count("\n") + 1
    with pytest.raises(DataError, match=rf"line {line}: a label opens here and never closes"):
        read(text[:cut])


def test_a_quote_not_written_twice_names_its_line(read):
    text = as_long(GRID).replace('"say"', '"say "hi" now"')
    with pytest.raises(DataError, match=r"line \d+: found label ' now'.*not written twice"):
        read(text)


@pytest.mark.parametrize("bad", ["nan", "0,5", "--undefined--", "-inf", "0.5s"])
def test_a_bad_time_is_named_with_its_line(read, bad):
    lines = as_long(GRID).replace("xmax = 0.5", f"xmax = {bad}").split("\n")
    line = next(i for i, text in enumerate(lines, start=1) if bad in text)
    message = rf"line {line}: found bad number '{bad}'; expected an offset in tier 'words'"
    with pytest.raises(DataError, match=message):
        read("\n".join(lines))


def test_a_time_too_large_to_hold_is_an_error(read):
    with pytest.raises(DataError, match=r"inf found.*finite seconds"):
        read(as_long(GRID).replace("xmax = 0.5", "xmax = 1e999"))


def test_a_size_that_is_no_whole_number_is_an_error(read):
    text = as_long(GRID).replace("intervals: size = 3", "intervals: size = 2.5")
    message = r"line 14: 2\.5 found; expected the size of tier 'words', a whole"
    with pytest.raises(DataError, match=message):
        read(text)
    assert "2.5" in text.splitlines()[13]


def test_an_unknown_class_of_tier_is_an_error(read):
    with pytest.raises(DataError, match="tier 1 is of class 'WordTier'"):
        read(as_long(GRID).replace("IntervalTier", "WordTier"))


def test_an_entry_of_a_tier_that_is_not_there_is_an_error(read):
    text = as_chronological(GRID).replace("2 0.25", "3 0.25")
    with pytest.raises(
        DataError, match=r"line \d+: an entry of tier 3; expected a tier from 1 to 2"
    ):
        read(text)


def test_another_object_of_praat_is_named(read):
    with pytest.raises(DataError, match="holds a 'PitchTier' of Praat; expected a TextGrid"):
        read(as_long(GRID).replace('"TextGrid"', '"PitchTier"'))


def test_the_class_of_the_object_may_carry_a_version(read):
    assert read(as_long(GRID).replace('"TextGrid"', '"TextGrid 2"')) == GRID


@pytest.mark.parametrize("form", [as_long, as_short, as_chronological])
def test_an_interval_of_no_length_is_nothing_to_warn_of(read, form):
    labels = (Interval(0.0, 1.0, "a"), Interval(1.0, 1.0, "b"), Interval(1.0, 2.0, "c"))
    grid = TextGrid(0.0, 2.0, (Tier("words", 0.0, 2.0, labels),))
    assert read(form(grid)) == grid  # a warning would be an error


def test_a_binary_file_says_how_to_convert_it(read):
    with pytest.raises(DataError, match=r"binary format.*Save as text file"):
        read(b"ooBinaryFile\x08TextGrid\xbf\xf0\x00")


@pytest.mark.parametrize("content", ["word,onset\nhi,0.1\n", '"hello"\n', '{"tiers": []}'])
def test_what_is_no_textgrid_is_said_to_be_none(read, content):
    with pytest.raises(DataError, match=r"story\.TextGrid, line 1: .*not a TextGrid; expected"):
        read(content)


def test_an_empty_file_is_an_error(read):
    with pytest.raises(DataError, match=r"story\.TextGrid is empty"):
        read("")


def test_a_pointer_is_an_error(read):
    with pytest.raises(DataError, match="not fetched"):
        read("/annex/objects/MD5E-s8084--0123456789abcdef.TextGrid\n")


def test_another_encoding_is_asked_for_and_not_guessed(tmp_path):
    path = tmp_path / "story.TextGrid"
    path.write_bytes(as_long(GRID).encode("latin-1"))
    with pytest.raises(DataError, match=r"line \d+: byte \d+ \(0xe9\) is not UTF-8.*encoding="):
        read_textgrid(path)
    assert read_textgrid(path, encoding="latin-1") == GRID


def test_the_last_line_cut_within_a_number_is_no_shorter_story(read):
    text = as_short(TextGrid(0.0, 2.0, (WORDS,)))
    with pytest.raises(DataError, match="the file ends; expected a label in tier 'words'"):
        read(text[: text.rindex("2.0") + 1])
