from types import SimpleNamespace

import numpy as np
import pytest

from voxscale.reports._reading import SubjectMaps
from voxscale.reports._sections import _where_shown, against_ceiling, by_layer

N = 300


def maps(rng, **changed):
    names = ("best_layer", "cv_score", "r", "p_value", "r_repeated", "cc_max", "cc_norm", "spe")
    fields = {name: rng.uniform(-0.3, 1, N) for name in names}
    fields |= {"subject": "s1", "cells": (), "choice": np.zeros(N, int), "space": None, "truth": {}}
    fields |= {"licence": "", "citation": "", "ceiling_run": "again", "n_repeats": 3}
    return SubjectMaps(**{**fields, **changed})


def test_ceilings_are_summed_up_over_voxels_that_validation_chose(rng):
    norm = rng.uniform(size=N)
    norm[:20] = np.nan
    one = maps(rng, cc_norm=norm)
    section = against_ceiling(SimpleNamespace(maps=(one,)))
    (row,) = section.tables[0].rows
    kept = [i for i in range(N) if np.isfinite(norm[i]) and one.cv_score[i] > 0]
    assert row[2] == str(len(kept))
    medians = [np.median(values[kept]) for values in (one.r_repeated, one.cc_max, norm)]
    assert [float(text) for text in row[3:6]] == pytest.approx(medians, abs=0.005)
    assert "validation score above 0" in section.tables[0].note
    again = against_ceiling(SimpleNamespace(maps=(maps(rng, **vars(one) | {"p_value": norm}),)))
    assert again.tables[0].rows == section.tables[0].rows  # test responses do not choose


def test_the_caption_of_a_map_counts_and_says_what_permutations_can_show(rng):
    p = np.r_[np.full(100, 1 / 501), rng.uniform(0.3, 1, N - 100)]
    told = _where_shown(maps(rng, p_value=p), 500)
    assert "q < 0.05 by the false discovery rate" in told
    assert "over 300 vertices, tested by circular shifts; 100 are" in told
    assert "With 500 permutations no p is below 0.002" in told
    assert "none is shown unless 4 % of the vertices reach it" in told
    # 4 % of the vertices at the lowest p are just enough, fewer are not
    fewest = int(np.floor(N * (1 / 501) / 0.05)) + 1
    for n, is_any in ((fewest, True), (fewest - 1, False)):
        p = np.r_[np.full(n, 1 / 501), np.full(N - n, 0.9)]
        assert maps(rng, p_value=p).is_shown.any() == is_any


def test_no_layer_and_one_layer_are_told_apart():
    import pandas as pd

    columns = ["in_layer_sweep", "subject", "layer", "mean_cv_score", "mean_r"]
    for rows, told in (
        ([], "No layer is done"),
        ([(True, "s1", 3, 0.1, 0.2)], "Only one layer is"),
    ):
        results = SimpleNamespace(
            table=pd.DataFrame(rows, columns=columns).astype({columns[0]: bool})
        )
        (paragraph,) = by_layer(SimpleNamespace(results=results)).paragraphs
        assert paragraph.startswith(told)
