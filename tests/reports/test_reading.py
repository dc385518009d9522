import numpy as np
import pytest
from scipy import stats

from voxscale.reports._reading import SubjectMaps, _examples


def maps(rng, frozen, n=400, **changed):
    arrays = {
        name: frozen(rng.uniform(-0.2, 0.8, n))
        for name in ("cv_score", "r", "r_repeated", "cc_max", "cc_norm", "spe", "best_layer")
    }
    fields = {
        "subject": "s1", "cells": (), "choice": np.zeros(n, dtype=int), **arrays,
        "p_value": frozen(np.r_[np.full(n // 4, 0.002), rng.uniform(size=n - n // 4)]),
        "space": None, "truth": {}, "licence": "", "citation": "", "ceiling_runs": {"again": 3},
        "cc_max_low": np.full(n, np.nan), "cc_max_high": np.full(n, np.nan),
    }  # fmt: skip
    return SubjectMaps(**{**fields, **changed})


def test_maps_show_what_a_loop_of_benjamini_and_hochberg_finds(rng, frozen):
    one = maps(rng, frozen)
    ordered = np.sort(one.p_value)
    allowed = [p for k, p in enumerate(ordered, 1) if p < 0.05 * k / len(ordered)]
    np.testing.assert_array_equal(one.is_shown, one.p_value <= max(allowed))
    assert one.is_shown.sum() < (one.p_value < 0.05).sum()


def test_vertices_without_a_p_value_neither_show_nor_count(rng, frozen):
    one = maps(rng, frozen)
    p = np.r_[one.p_value, np.full(300, np.nan)]
    shown = maps(rng, frozen, p_value=p).is_shown
    np.testing.assert_array_equal(shown[:400], one.is_shown)
    assert not shown[400:].any()


def test_pure_chance_shows_nothing(rng, frozen):
    p = np.ceil(rng.uniform(size=400) * 501) / 501  # as 500 permutations give them
    assert not maps(rng, frozen, p_value=p).is_shown.any()


def test_without_p_values_a_score_is_enough(rng, frozen):
    r = np.r_[np.nan, rng.uniform(size=399)]
    shown = maps(rng, frozen, p_value=np.full(400, np.nan), r=r).is_shown
    assert shown.tolist() == [False] + [True] * 399


def test_examples_are_chosen_by_validation_and_not_by_the_r_that_is_shown(rng, frozen):
    one = maps(rng, frozen, cc_max=np.ones(400))
    (best_name, best), (_, middle), (worst_name, worst) = _examples(one)
    assert (best_name, worst_name) == ("Best voxel by validation", "Worst voxel by validation")
    assert best == np.argmax(one.cv_score) != np.argmax(one.r_repeated)
    assert worst == np.argmin(one.cv_score)
    above = one.cv_score[one.cv_score > 0]
    assert stats.percentileofscore(above, one.cv_score[middle]) == pytest.approx(50, abs=1)


@pytest.mark.parametrize(
    ("truth", "name"),
    [
        ({}, "A voxel without estimated signal power"),
        ({"signal_share": np.r_[0.0, np.ones(399)]}, "A voxel without signal"),
    ],
)
def test_only_planted_silence_is_called_silence(rng, frozen, truth, name):
    one = maps(rng, frozen, cc_max=np.r_[np.nan, np.ones(399)], truth=truth)
    assert _examples(one)[-1] == (name, 0)
