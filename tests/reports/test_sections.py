from types import SimpleNamespace

import numpy as np
import pytest

from voxscale.reports._reading import SubjectMaps
from voxscale.reports._sections import _where_shown, against_ceiling, by_layer
from voxscale.study import Evaluate

N = 300


def fit(scoring):
    return SimpleNamespace(scoring=scoring, cv="leave-run-out")


def maps(rng, **changed):
    names = ("best_layer", "cv_score", "r", "p_value", "r_repeated", "cc_max", "cc_norm", "spe")
    fields = {name: rng.uniform(-0.3, 1, N) for name in names}
    fields |= {"subject": "s1", "cells": (), "choice": np.zeros(N, int), "space": None, "truth": {}}
    fields |= {
        "licence": "",
        "citation": "",
        "ceiling_runs": {"again": 3},
        "cc_max_low": np.full(N, np.nan),
        "cc_max_high": np.full(N, np.nan),
    }
    return SubjectMaps(**{**fields, **changed})


def test_ceilings_are_summed_up_over_voxels_that_validation_chose(rng):
    norm = rng.uniform(size=N)
    norm[:20] = np.nan
    one = maps(rng, cc_norm=norm)
    none = SimpleNamespace(between_subjects=None)
    section = against_ceiling(SimpleNamespace(maps=(one,), results=none))
    (row,) = section.tables[0].rows
    kept = [i for i in range(N) if np.isfinite(norm[i]) and one.cv_score[i] > 0]
    assert row[2] == str(len(kept))
    medians = [np.median(values[kept]) for values in (one.r_repeated, one.cc_max, norm)]
    assert [float(text) for text in row[3:6]] == pytest.approx(medians, abs=0.005)
    assert "validation score above 0" in section.tables[0].note
    other = maps(rng, **vars(one) | {"p_value": norm})
    again = against_ceiling(SimpleNamespace(maps=(other,), results=none))
    assert again.tables[0].rows == section.tables[0].rows  # test responses do not choose


def test_the_caption_of_a_map_counts_and_says_what_permutations_can_show(rng):
    p = np.r_[np.full(100, 1 / 501), rng.uniform(0.3, 1, N - 100)]
    told = _where_shown(maps(rng, p_value=p), Evaluate(n_permutations=500))
    assert "q < 0.05 by the false discovery rate" in told
    assert "over 300 vertices, tested by circular shifts; 100 are" in told
    assert "permutations no p is below 0.002" in told
    assert "none is shown unless 4 % of the vertices reach it" in told
    # 4 % of the vertices at the lowest p are just enough, fewer are not
    fewest = int(np.floor(N * (1 / 501) / 0.05)) + 1
    for n, is_any in ((fewest, True), (fewest - 1, False)):
        p = np.r_[np.full(n, 1 / 501), np.full(N - n, 0.9)]
        assert maps(rng, p_value=p).is_shown.any() == is_any


def test_the_smallest_p_is_that_of_the_permutations_there_were(rng):
    p = np.r_[np.full(100, 1 / 135), rng.uniform(0.3, 1, N - 100)]
    told = _where_shown(maps(rng, p_value=p, n_permutations=134), Evaluate(n_permutations=500))
    assert "With 134 permutations (500 were asked for, but no more exist) no p" in told
    assert "no p is below 0.0074" in told
    assert "none is shown unless 15 % of the vertices" in told
    told = _where_shown(maps(rng, p_value=p, n_permutations=500), Evaluate(n_permutations=500))
    assert "With 500 permutations no p is below 0.002" in told
    told = _where_shown(
        maps(rng, p_value=p), Evaluate(n_permutations=1000)
    )  # of cells that do not tell
    assert "With at most 1,000 permutations no p is below 0.001" in told


def test_a_negative_score_has_the_minus_of_the_page():
    import pandas as pd

    columns = ["reference", "in_layer_sweep", "subject", "layer", "mean_cv_score", "mean_r"]
    rows = [(True, True, "s-1", 3, 0.1, -0.0071), (True, True, "s-1", 4, 0.0, 0.2)]
    study = SimpleNamespace(
        validation_stories=0,
        fit=fit("r2"),
        model="echo",
        contexts=[4],
    )
    results = SimpleNamespace(table=pd.DataFrame(rows, columns=columns), study=study)
    section = by_layer(SimpleNamespace(results=results))
    assert section.headline == "Best layer by validation: 3 in s-1 (test r −0.007)."
    assert "3 in s-1 (test r −0.007)" in section.paragraphs[0]


def test_no_layer_and_one_layer_are_told_apart():
    import pandas as pd

    columns = ["reference", "in_layer_sweep", "subject", "layer", "mean_cv_score", "mean_r"]
    for rows, told in (
        ([], "No layer is done"),
        ([(True, True, "s1", 3, 0.1, 0.2)], "Only one layer is"),
    ):
        study = SimpleNamespace(
            validation_stories=0,
            fit=fit("r2"),
            contexts=[4],
        )
        table = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[:2], bool))
        results = SimpleNamespace(table=table, study=study)
        (paragraph,) = by_layer(SimpleNamespace(results=results)).paragraphs
        assert paragraph.startswith(told)


def test_one_layer_has_a_table_of_its_scores():
    import pandas as pd

    columns = ["reference", "in_layer_sweep", "subject", "layer", "mean_cv_score", "mean_r"]
    rows = [
        (True, True, "a", 3, 0.1234, -0.2),
        (True, True, "b", 3, np.nan, 0.25),
        (True, False, "b", 4, 0.5, 0.5),
    ]
    study = SimpleNamespace(
        validation_stories=0,
        fit=fit("huth2023"),
        contexts=[4, 32],
    )
    results = SimpleNamespace(table=pd.DataFrame(rows, columns=columns), study=study)
    section = by_layer(SimpleNamespace(results=results))
    (table,) = section.tables
    assert table.columns == ("subject", "layer", "cv_score", "r")
    assert table.rows == [("a", "3", "0.123", "−0.200"), ("b", "3", "–", "0.250")]
    assert table.note == "Means over voxels with a score."
    (told,) = section.paragraphs
    assert "at a context of 32 words with all training stories" in told
    assert "cv_score is validation signed root of R² on held-out training data" in told
    assert not section.drawings


def test_the_best_layer_is_chosen_by_validation_and_not_by_the_test():
    import pandas as pd

    columns = ["reference", "in_layer_sweep", "subject", "layer", "mean_cv_score", "mean_r"]
    rows = [
        *((True, True, "a", *one) for one in ((3, 0.2, 0.1), (4, 0.1, 0.4), (5, np.nan, 0.5))),
        *((True, True, "b", *one) for one in ((3, 0.1, 0.3), (4, 0.3, 0.2), (5, 0.2, 0.1))),
    ]
    study = SimpleNamespace(
        validation_stories=0,
        fit=fit("r2"),
        model="echo",
        contexts=[4],
    )
    results = SimpleNamespace(table=pd.DataFrame(rows, columns=columns), study=study)
    section = by_layer(SimpleNamespace(results=results))
    told = "3 in a (test r 0.100), 4 in b (test r 0.200)."
    assert section.headline == f"Best layer by validation: {told}"
    assert section.paragraphs[0].endswith(f"By validation the best layer is {told}")
