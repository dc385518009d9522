from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxscale.errors import DataError
from voxscale.features._context import Contexts
from voxscale.features._passes import Pass, StoryWords, batches, check_fits, plan_passes
from voxscale.features._tokens import StoryTokens


def story_of(n_tokens_of_words, name="story"):
    """Return a story whose words have the given numbers of tokens, numbered from 0."""
    counts = np.asarray(n_tokens_of_words)
    last = np.cumsum(counts) - 1
    tokens = StoryTokens(np.arange(last[-1] + 1), last - counts + 1, last, last - counts + 1)
    return StoryWords(name, ["w"] * len(counts), tokens)


def test_passes_are_slices_of_the_story_after_the_start_tokens():
    passes = plan_passes(story_of([1, 2, 3, 1, 1]), [90, 91], Contexts("growing", 2, 3))
    assert [one.ids.tolist() for one in passes] == [
        [90, 91, 0, 1, 2, 3, 4, 5],
        [90, 91, 3, 4, 5, 6, 7],
    ]
    assert [one.words for one in passes] == [range(3), range(3, 5)]
    assert [one.positions.tolist() for one in passes] == [[2, 4, 7], [5, 6]]
    assert [len(one) for one in passes] == [8, 7]


counts = st.lists(st.integers(1, 4), min_size=1, max_size=30)
sizes = st.integers(1, 6).flatmap(lambda low: st.tuples(st.just(low), st.integers(low, 8)))


@given(counts=counts, sizes=sizes, protocol=st.sampled_from([None, "huth2023"]))
def test_position_in_the_window_is_the_words_last_token(counts, sizes, protocol):
    story = story_of(counts)
    passes = plan_passes(story, [99], Contexts("growing", *sizes, protocol))
    for one in passes:
        assert one.ids[one.positions].tolist() == [story.tokens.last[word] for word in one.words]
    assert [word for one in passes for word in one.words] == list(range(len(counts)))


def test_blank_first_word_without_a_start_token_is_refused():
    tokens = StoryTokens(np.array([5]), np.array([0, 0]), np.array([-1, 0]), np.array([0, 0]))
    story = StoryWords("alice", ["", "a"], tokens)
    assert plan_passes(story, [7], Contexts("growing", 1, 2, "huth2023"))[0].positions.tolist() == [
        0
    ]
    with pytest.raises(DataError, match=r"story 'alice': word 0 \(''\).*no start token"):
        plan_passes(story, [], Contexts("growing", 1, 2, "huth2023"))


def passes_of(lengths):
    one = np.array([1])
    return [Pass("s", np.zeros(n, dtype=np.int64), range(i, i + 1), one, one, one, one, one)
            for i, n in enumerate(lengths)]  # fmt: skip


@given(
    lengths=st.lists(st.integers(1, 50), max_size=30),
    batch_size=st.none() | st.integers(1, 7),
)
def test_batches_hold_every_pass_once_and_stay_in_their_budget(lengths, batch_size):
    made = batches(passes_of(lengths), batch_size, n_tokens=64)
    assert sorted(one.words.start for batch in made for one in batch) == list(range(len(lengths)))
    for batch in made:
        if batch_size is None:
            assert len(batch) == 1 or len(batch) * max(map(len, batch)) <= 64
        else:
            assert len(batch) <= batch_size


def test_like_lengths_share_a_batch_longest_first():
    made = batches(passes_of([3, 9, 4, 8]), 2, n_tokens=0)
    assert [[len(one) for one in batch] for batch in made] == [[9, 8], [4, 3]]


@given(
    counts=st.lists(counts, min_size=1, max_size=3),
    sizes=sizes,
    limit=st.integers(1, 20),
    protocol=st.sampled_from([None, "huth2023"]),
)
def test_what_is_said_to_fit_does_and_one_word_more_does_not(counts, sizes, limit, protocol):
    stories = [story_of(one, f"story{i}") for i, one in enumerate(counts)]
    low, high = sizes

    def longest(largest):
        return max(
            len(one)
            for story in stories
            for one in plan_passes(
                story, [99], Contexts("growing", min(low, largest), largest, protocol)
            )
        )

    if max(max(one) for one in counts) + 1 > limit:
        with pytest.raises(DataError, match=r"word \d+ \(.*\) alone needs \d+ tokens"):
            check_fits(stories, 1, limit, Contexts("growing", low, high, protocol))
        return
    if longest(high) <= limit:
        check_fits(stories, 1, limit, Contexts("growing", low, high, protocol))
        return
    needs = re.escape(f"needs {longest(high)} tokens; this model has positions for {limit};")
    with pytest.raises(DataError, match=f"context of {high} words {needs}") as caught:
        check_fits(stories, 1, limit, Contexts("growing", low, high, protocol))
    found = re.search(r"lower max_context to (\d+), which fits", str(caught.value))
    if found is None:
        assert f"for {limit}; choose a model" in str(caught.value)
        assert longest(1) > limit
    else:
        assert longest(int(found[1])) <= limit < longest(int(found[1]) + 1)


def test_the_story_that_needs_most_is_named():
    stories = [story_of([1, 1], "short"), story_of([4, 4], "long")]
    with pytest.raises(DataError, match="story 'long'"):
        check_fits(stories, 0, 6, Contexts("growing", 1, 2))


def test_model_without_a_limit_takes_every_window():
    check_fits([story_of([5] * 40)], 1, None, Contexts())
