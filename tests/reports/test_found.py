import numpy as np
import pandas as pd
import pytest
from scipy import stats

from voxscale.reports import accuracy_found, found_table, layers_found, nothing_found
from voxscale.reports._style import png

LAYERS = np.array([0, 3, 9, 15])


@pytest.fixture
def found(rng):
    tables = []
    for subject in ("a", "b"):
        n = 3000
        share = np.where(rng.random(n) < 0.5, rng.uniform(0.05, 0.8, n), 0.0)
        accuracy = np.sqrt(share)
        planted = np.where(share > 0, rng.choice(LAYERS[1:], n), np.nan)
        best = np.where(rng.random(n) < 0.8, np.nan_to_num(planted), rng.choice(LAYERS, n))
        p = np.where(share > 0, 0.001, rng.random(n))
        tables.append(
            pd.DataFrame(
                {
                    "subject": subject,
                    "voxel": np.arange(n),
                    "signal_share": share,
                    "accuracy": accuracy,
                    "preferred_layer": planted,
                    "r": 0.8 * accuracy + 0.05 * rng.normal(size=n),
                    "best_layer": best.astype(float),
                    "p_value": p,
                    "planted_cc_max": accuracy,
                    "cc_max": np.where(share > 0, accuracy + 0.05 * rng.normal(size=n), np.nan),
                }
            )
        )
    table = pd.concat(tables, ignore_index=True)
    table.loc[[3, 4], ["r", "best_layer", "p_value"]] = np.nan
    return table


def test_the_numbers_are_those_of_scipy_and_numpy(found):
    table = found_table(found)
    for subject, rows in found.groupby("subject"):
        ours = table[table["subject"] == subject]["found"].to_numpy()
        known = rows.dropna(subset=["r"])
        signal = known[known["signal_share"] > 0.2]
        silent = known[known["signal_share"] == 0]
        planted = known[known["signal_share"] > 0]
        ceilings = rows[rows["cc_max"].notna()]
        theirs = [
            stats.pearsonr(known["accuracy"], known["r"]).statistic,
            stats.spearmanr(signal["preferred_layer"], signal["best_layer"]).statistic,
            silent["r"].mean(),
            (silent["p_value"] < 0.05).mean(),
            stats.pearsonr(planted["accuracy"], planted["r"]).statistic,
            stats.pearsonr(ceilings["planted_cc_max"], ceilings["cc_max"]).statistic,
        ]
        np.testing.assert_allclose(ours, theirs, rtol=1e-10)
        counts = table[table["subject"] == subject]["n_vertices"].tolist()
        assert counts[:4] == [len(known), len(signal), len(silent), len(silent)]
        assert counts[4] == len(planted)


def test_goals_that_are_met_say_so(found):
    table = found_table(found)
    assert set(table.loc[table["goal"] != "", "is_met"]) == {"yes"}


def test_numbers_without_a_goal_are_neither_met_nor_missed(found):
    told = found_table(found).groupby("goal", sort=False).get_group("")
    assert len(told) == 4  # two of each subject
    assert set(told["is_met"]) == {""}
    assert (told["found"] > 0.9).all()
    assert told["quantity"].str.contains("vertices with signal").all()


def test_without_planted_ceilings_their_number_is_missing(found):
    table = found_table(found.drop(columns=["planted_cc_max", "cc_max"]))
    assert table["found"].isna().tolist() == [False] * 5 + [True] + [False] * 5 + [True]
    assert table["n_vertices"].tolist()[5] == 0


@pytest.mark.parametrize(
    ("row", "spoil"),
    [
        (0, lambda t, rng: t.assign(r=rng.normal(size=len(t)) * (t["signal_share"] > 0))),
        (1, lambda t, rng: t.assign(best_layer=rng.choice(LAYERS, len(t)))),
        (2, lambda t, rng: t.assign(r=t["r"] + 0.02)),
        (2, lambda t, rng: t.assign(r=t["r"] - 0.02)),
        (3, lambda t, rng: t.assign(p_value=t["p_value"] / 2)),
    ],
)
def test_a_goal_that_is_missed_says_so(found, rng, row, spoil):
    table = found_table(spoil(found, rng))
    met = table[table["subject"] == "a"]["is_met"].tolist()
    assert met == ["no" if i == row else "yes" for i in range(4)] + ["", ""]


def test_without_p_values_or_silent_vertices_a_number_is_missing(found):
    table = found_table(found.assign(p_value=np.nan))
    assert table["found"].isna().tolist() == [False, False, False, True, False, False] * 2
    assert table["is_met"].tolist() == ["yes", "yes", "yes", "", "", ""] * 2
    everywhere = found_table(found.assign(signal_share=0.5))
    assert everywhere["is_met"].tolist()[2:4] == ["", ""]


@pytest.mark.parametrize("draw", [accuracy_found, layers_found, nothing_found])
def test_every_panel_is_labelled(found, draw):
    figure = draw(found)
    panels = [ax for ax in figure.axes if ax.get_title(loc="left")]
    assert [ax.get_title(loc="left")[:2] for ax in panels] == ["a:", "b:"]
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in panels)
    bars = [ax for ax in figure.axes if ax not in panels]
    assert all(bar.get_ylabel() for bar in bars)
    assert png(figure)


@pytest.mark.parametrize(("draw", "turned"), [(accuracy_found, "r"), (layers_found, "best_layer")])
def test_negative_correlations_have_the_minus_of_the_page(found, draw, turned):
    figure = draw(found.assign(**{turned: -found[turned]}))
    titles = [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")]
    assert len(titles) == 2
    assert all("−0." in title and "-" not in title for title in titles)


@pytest.mark.parametrize("draw", [accuracy_found, layers_found, nothing_found])
@pytest.mark.parametrize("subjects", [["a"], ["a", "b", "c"]])
def test_any_number_of_subjects_can_be_drawn(found, draw, subjects):
    one = found[found["subject"] == "a"]
    assert png(draw(pd.concat([one.assign(subject=subject) for subject in subjects])))


@pytest.mark.parametrize("draw", [accuracy_found, layers_found, nothing_found])
def test_no_signal_anywhere_and_signal_everywhere_are_no_errors(found, draw):
    nowhere = found.assign(signal_share=0.0, accuracy=0.0, preferred_layer=np.nan)
    assert png(draw(nowhere))
    assert png(draw(found.assign(signal_share=0.5, preferred_layer=3.0)))


def test_columns_of_the_layers_add_up_to_a_hundred(found):
    ax = layers_found(found).axes[0]
    shown = ax.get_images()[0].get_array()
    assert shown.shape == (4, 3)
    np.testing.assert_allclose(shown.sum(axis=0), 100)
    one = found[(found["subject"] == "a") & (found["signal_share"] > 0.2)]
    one = one.dropna(subset=["best_layer"])
    nine = one[one["preferred_layer"] == 9]
    assert shown[2, 1] == pytest.approx(100 * (nine["best_layer"] == 9).mean())


def test_the_histogram_counts_every_silent_vertex_once(found):
    ax = nothing_found(found).axes[0]
    everything, significant = ax.containers
    silent = found[(found["subject"] == "a") & (found["signal_share"] == 0)].dropna(subset=["r"])
    assert sum(bar.get_height() for bar in everything) == len(silent)
    n = (silent["p_value"] < 0.05).sum()
    assert sum(bar.get_height() for bar in significant) == n
    told = [text.get_text() for text in ax.get_legend().get_texts()]
    assert f"p < 0.05: {100 * n / len(silent):.1f} %" in told
