import numpy as np
import pandas as pd
import pytest

from voxscale.study._sweep_points import amounts, facts_of, same_place, sweep_points


def score(cell, subject, story):
    return 0.1 * cell["n_stories"]


def test_amounts_are_all_whatever_all_is_of_a_subject(planted_results):
    table = planted_results(score, amounts=(1, 2)).table
    table.loc[table["subject"] == "s1", "n_stories"] += 3  # one who heard more
    words = table.assign(amount=amounts(table))
    assert set(words.loc[words["reference"], "amount"]) == {"all"}
    assert set(words.loc[~words["reference"], "amount"]) == {"1", "4"}
    asked = table.assign(asked_hours=np.where(table["reference"], np.nan, 0.5))
    assert set(amounts(asked)) == {"0.5 h", "all"}


def test_of_two_sweeps_over_hours_the_one_where_the_sweeps_meet_is_taken(planted_results):
    planted = planted_results(score, amounts=(1, 2, 4))
    more = planted.table.assign(
        bands="word_rate", reference=False, key="more " + planted.table["key"]
    )
    longer = more.assign(asked_hours=0.1 * np.arange(len(more)))  # with more sizes
    for other in (more, longer):
        planted.results.table = joined(planted.table, other)
        assert set(same_place(planted.results, "n_stories")["bands"]) == {"language"}
    assert sweep_points(planted.results, "n_stories")["size"].nunique() == 3


def test_a_sweep_elsewhere_is_taken_where_there_is_none_at_the_centre(planted_results):
    planted = planted_results(score, amounts=(4,))
    elsewhere = planted_results(score, amounts=(1, 2, 4)).table
    elsewhere = elsewhere.assign(layer=9, reference=False, key="layer 9 " + elsewhere["key"])
    planted.results.table = joined(planted.table, elsewhere)
    assert set(same_place(planted.results, "n_stories")["layer"]) == {9}


def joined(*tables):
    return pd.concat(tables, ignore_index=True)


@pytest.mark.parametrize(
    ("name", "n_params"),
    [("gpt2", 124439808), ("openai-community/GPT2", 124439808), ("facebook/opt-125m", 125239296)],
)
def test_models_of_the_table_are_known_by_either_name(name, n_params):
    assert facts_of(name).n_params == n_params


@pytest.mark.parametrize("name", ["echo", "./gpt2", "somebody/gpt2-of-mine"])
def test_others_are_not_looked_for_anywhere(name):
    assert facts_of(name) is None
