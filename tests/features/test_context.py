from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxscale.features import Window, plan_windows
from voxscale.features._context import Contexts, plan_huth2023

sizes = st.integers(1, 9).flatmap(lambda low: st.tuples(st.just(low), st.integers(low, 12)))


def walk(n_words, min_context, max_context):
    """Return each word's context size, by walking through the story as the rule is told."""
    answer, size = [], 0
    for _ in range(n_words):
        size = min_context if size == max_context else size + 1
        answer.append(size)
    return answer


@given(n_words=st.integers(0, 60), sizes=sizes)
def test_every_word_is_new_in_exactly_one_window(n_words, sizes):
    windows = plan_windows(n_words, *sizes)
    new = [word for window in windows for word in range(window.first_new, window.stop)]
    assert new == list(range(n_words))


@given(n_words=st.integers(0, 60), sizes=sizes)
def test_context_sizes_are_those_of_a_walk_through_the_story(n_words, sizes):
    windows = plan_windows(n_words, *sizes)
    seen = [
        word + 1 - window.start
        for window in windows
        for word in range(window.first_new, window.stop)
    ]
    assert seen == walk(n_words, *sizes)


@given(n_words=st.integers(1, 60), sizes=sizes)
def test_sizes_stay_between_the_two_after_the_start(n_words, sizes):
    min_context, max_context = sizes
    windows = plan_windows(n_words, min_context, max_context)
    for window in windows:
        assert 0 <= window.start <= window.first_new < window.stop <= n_words
        assert window.stop - window.start <= max_context
    for window in windows[1:]:
        assert window.first_new + 1 - window.start == min_context
    for window in windows[:-1]:
        assert window.stop - window.start == max_context


@given(n_words=st.integers(1, 200), sizes=sizes)
def test_number_of_passes_is_the_one_promised(n_words, sizes):
    min_context, max_context = sizes
    expected = 1
    if n_words > max_context:
        expected += math.ceil((n_words - max_context) / (max_context - min_context + 1))
    assert len(plan_windows(n_words, min_context, max_context)) == expected


def test_equal_sizes_slide_one_word_at_a_time():
    assert plan_windows(5, 3, 3) == [Window(0, 3, 0), Window(1, 4, 3), Window(2, 5, 4)]


def test_context_of_one_word_is_that_word():
    assert plan_windows(3, 1, 1) == [Window(i, i + 1, i) for i in range(3)]


@pytest.mark.parametrize(("low", "high"), [(0, 4), (5, 4), (-1, -1)])
def test_impossible_sizes_are_refused(low, high):
    with pytest.raises(ValueError, match=f"min_context is {low} and max_context {high}"):
        plan_windows(10, low, high)
    with pytest.raises(ValueError, match="expected 1 <= min_context <= max_context"):
        plan_huth2023(["a"], low, high)


def test_unknown_protocol_names_those_there_are():
    with pytest.raises(ValueError, match="'huth2024' is unknown; choose one of 'huth2023'"):
        Contexts("growing", 1, 2, "huth2024")


# The published rule, told word by word: an independent second answer to plan_huth2023.
def contexts_of_the_published_rule(words, low, high):
    is_skipped = [not word.strip() or word == "'s" for word in words]
    groups = []
    for i, skipped in enumerate(is_skipped):
        if not skipped:
            groups.append([i])
        elif groups:
            groups[-1].append(i)
    answer, k, m, previous = [], 0, 0, []
    for i in range(len(words)):
        if is_skipped[i]:
            k, m = min(k + 1, high), m - 1
            answer.append((previous, True))
            continue
        j = i + m
        previous = [one for group in groups[max(0, j - k) : j + 1] for one in group]
        answer.append((previous, k == high or i == len(words) - 1))
        if k == high:
            k = low
        k = min(k + 1, high)
    return answer


story = st.lists(st.sampled_from(["w", "w", "w", "w", "", "'s"]), min_size=1, max_size=40)


@given(words=story, sizes=sizes)
def test_huth2023_gives_every_word_the_context_of_the_published_rule(words, sizes):
    windows, read_at = plan_huth2023(words, *sizes)
    expected = contexts_of_the_published_rule(words, *sizes)
    stops = [window.first_new for window in windows[1:]] + [len(words)]
    for window, stop in zip(windows, stops, strict=True):
        for i in range(window.first_new, stop):
            context = list(range(window.start, read_at[i] + 1))
            assert context == expected[i][0]
    assert len(windows) == sum(runs for _, runs in expected)


@given(n_words=st.integers(1, 1600))
def test_huth2023_needs_the_passes_of_its_formula(n_words):
    expected = 1 if n_words <= 513 else 1 + math.ceil((n_words - 513) / 256)
    assert len(plan_huth2023(["w"] * n_words, 256, 512)[0]) == expected


def test_huth2023_is_one_and_two_words_longer_than_said():
    windows, read_at = plan_huth2023(["w"] * 14, 4, 8)
    assert windows == [Window(0, 9, 0), Window(4, 13, 9), Window(8, 14, 13)]
    assert read_at == list(range(14))


def test_huth2023_reads_a_blank_first_word_at_the_start_token():
    assert plan_huth2023(["", "a"], 4, 8) == ([Window(0, 0, 0), Window(1, 2, 1)], [-1, 1])
