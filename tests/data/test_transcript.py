"""Transcripts, and the files that they are read from."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxscale.data import BAD_WORDS, Transcript, read_transcript
from voxscale.errors import AlignmentError, DataError, VoxscaleWarning


@pytest.fixture
def read(tmp_path):
    """Return a function that reads text as a transcript file."""

    def read_it(content, *args, name="story.csv", **options):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8", newline="")
        return read_transcript(path, *args, **options)

    return read_it


def textgrid(**tiers):
    """Return a short TextGrid whose tiers hold the labels given, one per second."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", "9", "<exists>"]
    lines.append(str(len(tiers)))
    for name, labels in tiers.items():
        points = isinstance(labels, tuple)
        lines += ['"TextTier"' if points else '"IntervalTier"', f'"{name}"', "0", "9"]
        lines.append(str(len(labels)))
        for i, label in enumerate(labels):
            lines += [f"{i}", f'"{label}"'] if points else [f"{i}", f"{i + 1}", f'"{label}"']
    return "\n".join(lines)


# --- Transcript ----------------------------------------------------------------------------


def test_words_and_times_are_kept(frozen):
    onsets = frozen([0.0, 0.5, 0.5])
    story = Transcript(["a", "b", ""], onsets, (0.5, 0.7, 0.9))
    assert story.words == ("a", "b", "")
    assert len(story) == 3
    np.testing.assert_array_equal(story.onset_s, onsets)
    np.testing.assert_array_equal(story.offset_s, [0.5, 0.7, 0.9])
    np.testing.assert_allclose(story.times, [0.25, 0.6, 0.7])


def test_times_are_onsets_where_offsets_are_not_known():
    assert Transcript(["a", "b"], [1, 2]).offset_s is None
    np.testing.assert_array_equal(Transcript(["a", "b"], [1, 2]).times, [1.0, 2.0])


def test_times_are_read_only_copies():
    onsets, offsets = np.array([0.0, 1.0]), np.array([0.5, 1.5])
    story = Transcript(["a", "b"], onsets, offsets)
    onsets[0] = offsets[0] = 9.0
    assert story.onset_s[0] == 0.0
    assert story.offset_s[0] == 0.5
    for times in (story.onset_s, story.offset_s):
        assert times.dtype == np.float64
        with pytest.raises(ValueError, match="read-only"):
            times[0] = 1.0
    with pytest.raises(AttributeError):
        story.words = ("c",)


def test_equal_transcripts_are_equal_and_hash_alike():
    story = Transcript(["a", "b"], [0, 1], [1, 2])
    assert story == Transcript(("a", "b"), (0.0, 1.0), (1.0, 2.0))
    assert hash(story) == hash(Transcript(("a", "b"), (0.0, 1.0), (1.0, 2.0)))
    others = [
        Transcript(["a", "c"], [0, 1], [1, 2]),
        Transcript(["a", "b"], [0, 1.5], [1, 2]),
        Transcript(["a", "b"], [0, 1], [1, 3]),
        Transcript(["a", "b"], [0, 1]),
        Transcript(["a"], [0], [1]),
        "a b",
    ]
    assert all(story != other for other in others)


def test_a_transcript_survives_pickling():
    story = Transcript(["a", "b"], [0, 1], [1, 2])
    again = pickle.loads(pickle.dumps(story))
    assert again == story
    assert not again.onset_s.flags.writeable


def test_repr_is_short():
    story = Transcript([f"w{i}" for i in range(100)], range(100))
    assert repr(story) == "Transcript(100 words, 0.00 to 99.00 s: w0 w1 w2 w3 w4 w5 …)"


def test_words_may_overlap():
    story = Transcript(["a", "b"], [0.0, 0.5], [0.8, 0.7])
    assert story.offset_s[0] > story.onset_s[1]


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20))
def test_any_onsets_in_order_are_taken_and_others_refused(onsets):
    words = [f"w{i}" for i in range(len(onsets))]
    assert len(Transcript(words, sorted(onsets))) == len(words)
    if onsets != sorted(onsets):
        with pytest.raises(DataError, match="in the order they were heard"):
            Transcript(words, onsets)


def test_words_out_of_order_are_named_with_both_times():
    message = r"word 2 \('up'\) starts at 0\.5 s, word 1 \('sat'\) at 1\.25 s"
    with pytest.raises(DataError, match=message):
        Transcript(["he", "sat", "up"], [0.0, 1.25, 0.5])


def test_a_word_that_ends_before_it_starts_is_named():
    with pytest.raises(DataError, match=r"word 1 \('b'\) starts at 2\.0 s and ends at 1\.5 s"):
        Transcript(["a", "b"], [0.0, 2.0], [1.0, 1.5])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("what", ["onset", "offset"])
def test_a_time_that_is_not_finite_is_named(bad, what):
    times = {"onset": [0.0, 1.0], "offset": [1.0, 2.0]}
    times[what][1] = bad
    with pytest.raises(DataError, match=rf"word 1 \('b'\): its {what} is {bad}; expected finite"):
        Transcript(["a", "b"], times["onset"], times["offset"])


def test_lengths_must_agree():
    with pytest.raises(AlignmentError, match=r"2 words but onsets have shape \(3,\)"):
        Transcript(["a", "b"], [0, 1, 2])
    with pytest.raises(AlignmentError, match=r"2 words but offsets have shape \(1,\)"):
        Transcript(["a", "b"], [0, 1], [1])
    with pytest.raises(AlignmentError, match=r"onsets have shape \(2, 1\)"):
        Transcript(["a", "b"], [[0], [1]])


def test_a_time_that_is_no_number_is_a_bad_argument():
    with pytest.raises(ValueError, match="could not convert string to float"):
        Transcript(["a", "b"], [0, "x"])


def test_no_words_is_no_story():
    with pytest.raises(DataError, match="a story with no words"):
        Transcript([], [])


def test_words_must_be_a_sequence_of_text():
    with pytest.raises(TypeError, match=r"words is one string \('once upon'\)"):
        Transcript("once upon", [0.0])
    with pytest.raises(TypeError, match=r"word 1 is nan \(float\); expected text"):
        Transcript(["a", np.nan], [0.0, 1.0])


# --- TextGrids -----------------------------------------------------------------------------


def test_the_word_tier_is_found_by_its_name(read):
    for name in ("word", "Words", "WORD ", "words"):
        grid = textgrid(phone=["HH", "AY1"], **{name: ["Hi", "there"]})
        assert read(grid, name="a.TextGrid").words == ("Hi", "there")


def test_a_tier_may_be_named_or_numbered(read):
    grid = textgrid(phones=["HH", "AY1"], words=["Hi", "there"], note=("a", "b"))
    assert read(grid, "phones", name="a.TextGrid").words == ("HH", "AY1")
    assert read(grid, 1, name="a.TextGrid").words == ("Hi", "there")


def test_the_only_tier_of_intervals_is_taken(read):
    grid = textgrid(transcription=["Hi", "there"], note=("a", "b"))
    story = read(grid, name="a.TextGrid")
    assert story == Transcript(["Hi", "there"], [0, 1], [1, 2])


def test_a_tier_of_points_gives_onsets_only(read):
    grid = textgrid(phone=["HH", "AY1"], word=("Hi", "there"))
    assert read(grid, name="a.TextGrid") == Transcript(["Hi", "there"], [0, 1])


def test_no_word_tier_lists_the_tiers(read):
    grid = textgrid(phone=["HH"], syllable=["hi"])
    with pytest.raises(
        DataError, match=r"no word tier that.*2 would do.*0: 'phone', 1: 'syllable'"
    ):
        read(grid, name="a.TextGrid")
    with pytest.raises(DataError, match=r"a\.TextGrid: no word tier;.*0: 'note'"):
        read(textgrid(note=("a",)), name="a.TextGrid")
    with pytest.raises(
        DataError, match=r"no tier 'word'; expected one .*0: 'phone', 1: 'syllable'"
    ):
        read(grid, "word", name="a.TextGrid")
    for number in (2, -1):
        with pytest.raises(DataError, match=rf"no tier {number};"):
            read(grid, number, name="a.TextGrid")


def test_two_word_tiers_are_not_chosen_between(read):
    grid = textgrid(word=["a"], words=["b"])
    with pytest.raises(DataError, match="2 would do"):
        read(grid, name="a.TextGrid")


LABELS = ["The", "", "{LG}", "sp", "{ NS }", "Br", " cat ", "sentence_start", "{whisper}", " {sp} "]


def test_bad_words_and_blanks_are_dropped_and_the_rest_is_kept_as_written(read):
    story = read(textgrid(word=LABELS), name="a.TextGrid")
    assert story == Transcript(["The", "cat", "{whisper}"], [0, 6, 8], [1, 7, 9])


def test_blanks_and_case_can_be_as_in_the_published_code(read):
    story = read(textgrid(word=LABELS), name="a.TextGrid", drop_blank=False, lower=True)
    assert story.words == ("the", "", "cat", "{whisper}")


def test_the_set_of_bad_words_is_a_parameter(read):
    grid = textgrid(word=["the", "SIL", "sp"])
    assert read(grid, name="a.TextGrid").words == ("the", "SIL")
    assert read(grid, name="a.TextGrid", bad_words=BAD_WORDS | {"sil"}).words == ("the",)
    assert read(grid, name="a.TextGrid", bad_words=()).words == ("the", "SIL", "sp")
    assert read(grid, name="a.TextGrid", bad_words=["SIL", "Sp"]).words == ("the",)
    assert read(grid, name="a.TextGrid", bad_words={"{sil}", " { SP } "}).words == ("the",)
    braces = textgrid(word=["the", "{BR}", "br"])
    assert read(braces, name="a.TextGrid", bad_words={"{br}"}).words == ("the",)
    with pytest.raises(TypeError, match=r"bad_words is one string \('sil'\); .*\{'sil'\}"):
        read(grid, name="a.TextGrid", bad_words="sil")


def test_a_story_with_no_words_is_an_error(read):
    with pytest.raises(DataError, match=r"a\.TextGrid: a story with no words; 3 labels were read"):
        read(textgrid(word=["sp", "", "{LG}"]), name="a.TextGrid")
    with pytest.raises(DataError, match=r"a story with no words; 0 labels"):
        read("word,onset\n")


def test_a_textgrid_is_known_by_its_content(read):
    assert read(textgrid(word=["Hi"]), name="a.txt").words == ("Hi",)


def test_a_damaged_textgrid_is_not_taken_for_a_table(read):
    with pytest.raises(DataError, match="not a TextGrid"):
        read("hello", name="a.TextGrid")


def test_overlaps_in_a_textgrid_are_kept_with_one_warning(read):
    grid = textgrid(word=["a", "b", "c"]).replace("1\n2\n", "0.5\n2\n")
    with pytest.warns(VoxscaleWarning, match="1 intervals start before") as caught:
        story = read(grid, name="a.TextGrid")
    assert len(caught) == 1
    np.testing.assert_array_equal(story.onset_s, [0, 0.5, 2])


def test_overlaps_in_another_tier_are_not_warned_of(read):
    grid = textgrid(phone=["x", "y", "z"], word=["a", "b", "c"]).replace("1\n2\n", "0.5\n2\n", 1)
    assert read(grid, name="a.TextGrid").words == ("a", "b", "c")
    with pytest.warns(VoxscaleWarning, match="1 intervals start before"):
        read(grid, "phone", name="a.TextGrid")


def test_a_word_out_of_order_is_named_by_its_place_in_the_file(read):
    message = r"story\.csv, line 4 \('b'\) starts at 0\.5 s, line 2 \('a'\) at 1\.0 s"
    with pytest.raises(DataError, match=message):
        read("word,onset\na,1\nsp,1.5\nb,0.5\n")
    grid = textgrid(phone=["x"], word=["a", "sp", "b"]).replace("2\n3\n", "-1\n3\n")
    message = r"a\.TextGrid, interval 3 of tier 'word' \('b'\) starts at -1\.0 s, interval 1 of"
    with pytest.raises(DataError, match=message):
        read(grid, name="a.TextGrid")
    grid = textgrid(word=("a", "sp", "b")).replace("2\n", "-1\n")
    with pytest.raises(DataError, match=r"a\.TextGrid, point 3 of tier 'word' \('b'\) starts"):
        read(grid, name="a.TextGrid")


def test_a_bad_offset_comes_before_the_order_and_any_warning(read):
    with pytest.raises(DataError, match=r"word 2 \('c'\) starts at 2\.0 s and ends at 1\.0 s"):
        Transcript(["a", "b", "c"], [1.0, 0.5, 2.0], [1.5, 0.7, 1.0])
    grid = textgrid(word=["a", "b", "c"]).replace("1\n2\n", "1\n0.5\n")
    grid = grid.replace("2\n3\n", "0.4\n3\n")
    # The overlap is not warned of first: warnings are errors of another type.
    with pytest.raises(DataError, match=r"interval 2 of tier 'word' .* ends at 0\.5 s"):
        read(grid, name="a.TextGrid")


# --- tables --------------------------------------------------------------------------------

HI_THERE = Transcript(["Hi", "there"], [0.25, 0.5], [0.5, 1.0])


@pytest.mark.parametrize("word", ["word", "text", "Word", " TEXT "])
@pytest.mark.parametrize("onset", ["onset", "onset_s", "start", "Onset"])
@pytest.mark.parametrize("offset", ["offset", "offset_s", "end", "stop", "STOP"])
def test_columns_are_known_by_their_names(read, word, onset, offset):
    assert read(f"n,{offset},{word},{onset}\n1,0.5,Hi,0.25\n2,1,there,0.5\n") == HI_THERE


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_is_seen_in_the_header(read, separator):
    rows = [("word", "onset", "offset"), ("Hi", "0.25", "0.5"), ("there", "0.5", "1.0")]
    assert read("\n".join(separator.join(row) for row in rows)) == HI_THERE


def test_durations_give_offsets(read):
    assert read("word,onset,duration\nHi,0.25,0.25\nthere,0.5,0.5\n") == HI_THERE


def test_offsets_are_optional(read):
    assert read("word,onset\nHi,0.25\nthere,0.5\n") == Transcript(["Hi", "there"], [0.25, 0.5])
    assert read("word,onset,offset\nHi,0.25,\nthere,0.5,n/a\n").offset_s is None


def test_an_offset_wins_over_a_duration(read):
    assert read("word,onset,duration,end\nHi,0.25,9,0.5\nthere,0.5,9,1\n") == HI_THERE


@pytest.mark.parametrize("column", ["word", "text", "value", "trial_type"])
def test_bids_events_are_read_without_their_empty_rows(read, column):
    table = (
        f"onset\tduration\t{column}\n0.25\t0.25\tHi\n0.3\t0\tn/a\nn/a\tn/a\tn/a\n0.5\t0.5\tthere\n"
    )
    assert read(table, name="sub-01_events.tsv") == HI_THERE


def test_the_first_word_column_of_bids_wins(read):
    table = (
        "onset\tduration\ttrial_type\tvalue\tword\n0.25\t0.25\tx\ty\tHi\n0.5\t0.5\tx\ty\tthere\n"
    )
    assert read(table, name="events.tsv") == HI_THERE


def bids(*rows):
    header = ("onset", "duration", "value", "trial_type")
    lines = [header, *((str(i), "1", *row) for i, row in enumerate(rows))]
    return "\n".join("\t".join(line) for line in lines)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("x", "Hi"), ("y", "there")], ("Hi", "there")),
        ([("1", "Hi"), ("2", "there")], ("Hi", "there")),
        ([("Hi", "1"), ("there", "2.5")], ("Hi", "there")),
        ([("Hi", "n/a"), ("there", "2")], ("Hi", "there")),
        ([("1", "2"), ("3", "4")], ("2", "4")),
        ([("Hi", "word"), ("there", "word")], ("Hi", "there")),
        ([("255", "Hi"), ("254", "Hi")], ("Hi", "Hi")),
        ([("x", "Hi")], ("Hi",)),
    ],
)
def test_the_trial_type_wins_unless_the_value_is_likelier(read, rows, words):
    assert read(bids(*rows), name="events.tsv").words == words


def test_the_word_column_may_be_named(read):
    table = bids(("x", "Hi"), ("y", "there"))
    assert read(table, word_column="value").words == ("x", "y")
    assert read("token,onset,word\nHi,1,x\n", word_column=" Token").words == ("Hi",)
    message = r"no word column; expected one called token; .*'onset, duration, value, trial_type'"
    with pytest.raises(DataError, match=message):
        read(table, word_column="token")
    with pytest.raises(ValueError, match=r"word_column is 'word', but .*a\.TextGrid is a TextGrid"):
        read(textgrid(word=["Hi"]), name="a.TextGrid", word_column="word")


def test_value_is_a_word_column_only_beside_durations(read):
    with pytest.raises(DataError, match="no word column"):
        read("onset,value\n1,Hi\n")


def test_words_that_look_like_missing_values_are_words(read):
    words = ["null", "NA", "nan", "None", "true", "1", "007"]
    table = "word,onset\n" + "".join(f"{word},{i}\n" for i, word in enumerate(words))
    assert read(table).words == tuple(words)


def test_quoted_cells_blank_lines_and_windows_files_are_read(read):
    table = '\ufeffword,onset,offset\r\n\r\n"Well, hi",0.25,0.5\r\n"say ""hi""",0.5,1\r\n,,\r\n'
    assert read(table).words == ("Well, hi", 'say "hi"')


def test_bad_words_and_blanks_of_a_table_are_dropped_too(read):
    assert read("word,onset\nThe,0\nsp,1\n ,2\n{LG},3\ncat,4\n").words == ("The", "cat")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("token,onset\na,1\n", r"story\.csv: no word column; .*word or text.*'token, onset'"),
        ("word,time\na,1\n", r"no onset column; .*onset or onset_s or start.*'word, time'"),
        ("0.5,0.7,hello\n", r"no word column.*'0\.5, 0\.7, hello'"),
        ("word,onset\na,1\nb,2s\n", r"story\.csv, line 3: onset is '2s'"),
        ("word,onset\na,1\n\nb,nan\n", r"line 4: onset is 'nan'; expected finite seconds"),
        ("word;onset\na;0,5\n", r"line 2: onset is '0,5'.*decimal point"),
        ("word,onset,Stop\na,1,inf\n", "line 2: stop is 'inf'"),
        ("word,onset,duration\na,1,x\n", "line 2: duration is 'x'"),
        ("word,onset,duration\na,1,-0.5\n", r"line 2 \('a'\) starts at 1\.0 s and ends at 0\.5 s"),
        ("word,onset,offset\na,1,2\nb,2,\n", "line 3: offset is '', unlike the line before"),
        ("word,onset\nwell, hi,1\n", "line 2: 3 cells; expected 2.*in double quotes"),
        ("word,onset\na\n", "line 2: 1 cells; expected 2"),
        ('word,onset\n"oh,1\nno",2\n', "line 2: a double quote opens .* closes it on line 3"),
        ('word,onset\na,0\n"oh,1\n"no,2\n', "line 3: a double quote opens a cell here"),
        ('word,onset\n"oh,1\n', "line 2: a double quote opens"),
        ('word,onset\n"a"b,0\n', "line 2: a double quote opens a cell here and does not close"),
        ('word\tonset\n"oh\t1\nno"\n', r"line 3: 1 cells; expected 2.*in double quotes\."),
        ('word\tonset\n"a\tb\t1\n', "line 2: 3 cells; expected 2"),
        ("word,onset\na,1_0\n", "line 2: onset is '1_0'"),
        (",,\n", "no word column"),
        (" \n", r"story\.csv holds only blanks"),
    ],
)
def test_a_bad_table_names_what_is_wrong(read, table, message):
    with pytest.raises(DataError, match=message):
        read(table)


def test_a_tier_of_a_table_is_a_bad_argument(read):
    with pytest.raises(ValueError, match=r"tier is 'word', but .*story\.csv is a table"):
        read("word,onset\na,1\n", "word")


def test_another_encoding_may_be_named(tmp_path):
    path = tmp_path / "story.csv"
    path.write_bytes("word,onset\ncafé,1\n".encode("latin-1"))
    with pytest.raises(DataError, match="is not UTF-8"):
        read_transcript(path)
    assert read_transcript(path, encoding="latin-1").words == ("café",)


def test_a_real_word_tier_is_read(real_data):
    (path,) = (real_data / "alice" / "alice_stim_shared").glob("*.TextGrid")
    story = read_transcript(path)
    n_silent, n_blank = 290, 6  # counted with grep
    assert len(story) == 2423 - n_silent - n_blank
    assert story.words[:4] == ("Alice", "was", "beginning", "to")
    assert story.words[-1] == "cake"
    assert "and" in story.words
    assert "and " not in story.words
    assert story.onset_s[0] == 20.05891632653599
    assert story.offset_s[-1] < 743.6344265311994
    assert (story.times > story.onset_s).all()
