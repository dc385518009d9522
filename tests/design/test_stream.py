"""Pieces of a story, in any order, add up to what Lanczos gives of the whole."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.arrays import EventSeries
from voxscale.design import DesignRecipe, LanczosStream, lanczos
from voxscale.errors import AlignmentError


@settings(max_examples=60, deadline=None)
@given(
    n_events=st.integers(1, 40),
    n_trs=st.integers(2, 25),
    cuts=st.lists(st.integers(0, 40), max_size=6),
    normalize=st.booleans(),
    lobes=st.sampled_from([1, 3]),
    tr_s=st.sampled_from([0.72, 0.8, 2.0, 2.0045]),
    decimals=st.sampled_from([1, 2, 9]),
    seed=st.integers(0, 999),
)
def test_pieces_add_up_to_the_whole(n_events, n_trs, cuts, normalize, lobes, tr_s, decimals, seed):
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(-5, tr_s * n_trs + 5, n_events)).round(decimals)
    tr_times = tr_s * (np.arange(n_trs) + 0.5)
    events = EventSeries(rng.standard_normal((n_events, 3)).astype(np.float32), times)
    whole = lanczos(events, tr_times, lobes=lobes, normalize=normalize)
    stream = LanczosStream(times, tr_times, lobes=lobes, normalize=normalize)
    bounds = sorted({0, n_events, *(cut for cut in cuts if cut < n_events)})
    spans = [range(a, b) for a, b in pairwise(bounds)]
    order = rng.permutation(len(spans))
    seen, n_seen, taken = set(), 0, []
    for number in order:
        span = spans[number]
        stream.add("x", stream.piece(span, events.values[span.start : span.stop]))
        seen |= set(span)
        while n_seen in seen:
            n_seen += 1
        first, rows = stream.take("x", n_seen=n_seen)
        assert first == sum(map(len, taken))
        taken.append(rows)
    np.testing.assert_allclose(np.concatenate(taken), whole, atol=1e-5)


@pytest.mark.parametrize("tr_s", [0.72, 0.8])
def test_words_on_the_very_edge_of_the_filter(tr_s):
    """Word by word, with times rounded as transcripts are: some lie exactly three TRs away."""
    for seed in range(30):
        rng = np.random.default_rng(seed)
        times = np.cumsum(rng.uniform(0.1, 0.6, 300)).round(1)
        tr_times = tr_s * (np.arange(int(times[-1] / tr_s) + 1) + 0.5)
        values = rng.standard_normal((300, 2))
        stream, taken = LanczosStream(times, tr_times), []
        for word in range(300):
            stream.add("x", stream.piece(range(word, word + 1), values[word : word + 1]))
            taken.append(stream.take("x", n_seen=word + 1)[1])
        whole = lanczos(EventSeries(values, times), tr_times)
        np.testing.assert_allclose(np.concatenate(taken), whole, atol=1e-5)


def test_rows_leave_as_soon_as_no_event_can_change_them():
    times, tr_times = np.arange(100.0), 2.0 * np.arange(50) + 1
    stream = LanczosStream(times, tr_times)
    n_held = []
    for first in range(0, 100, 10):
        stream.add("x", stream.piece(range(first, first + 10), np.ones((10, 1))))
        stream.take("x", n_seen=first + 10)
        n_held.append(len(stream._pending["x"][1]))
    assert max(n_held) <= 7  # three lobes to either side
    assert n_held[-1] == 0


def test_features_do_not_mix():
    stream = LanczosStream([1.0], [1.0, 3.0])
    stream.add("a", stream.piece(range(1), np.array([[2.0]])))
    stream.add("b", stream.piece(range(1), np.array([[5.0, 7.0]])))
    np.testing.assert_allclose(stream.take("a", n_seen=1)[1], [[2], [0]], atol=1e-12)
    np.testing.assert_allclose(stream.take("b", n_seen=1)[1], [[5, 7], [0, 0]], atol=1e-12)


def test_a_recipes_stream_has_its_filter_and_its_checks(rng):
    times, tr_times = np.sort(rng.uniform(0, 40, 30)), 2.0 * np.arange(20) + 1
    events = EventSeries(rng.standard_normal((30, 2)), times)
    recipe = DesignRecipe(lobes=2, normalize=True)
    stream = recipe.stream(times, tr_times, "hut")
    stream.add("x", stream.piece(range(30), events.values))
    np.testing.assert_allclose(
        stream.take("x", n_seen=30)[1], recipe.downsample(events, tr_times, "hut").values
    )
    with pytest.raises(AlignmentError, match="run 'hut'"):
        recipe.stream(times + 1000, tr_times, "hut")
