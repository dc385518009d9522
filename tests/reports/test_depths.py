import numpy as np
import pytest

from voxscale.features import model_facts
from voxscale.reports._depths import best_depths
from voxscale.reports._grids import in_two_sizes
from voxscale.scaling import best_relative_depth

MODELS = ("gpt2", "gpt2-medium", "gpt2-large")  # of 13, 25 and 37 layers
LAYERS = (3, 6, 9, 12)
BEST = {"gpt2": (9, 12), "gpt2-medium": (9, 9), "gpt2-large": (6, 9)}  # of each subject


def score(cell, subject, story):
    """Peak at a model's best layer; the second story, which validation does not know, elsewhere."""
    best = BEST.get(cell["model"], (3, 3))[int(subject[1:])] if story == "x" else 3
    return 0.2 - 0.01 * abs(cell["layer"] - best) - (0.5 if cell["n_stories"] < 8 else 0.0)


def found(planted_results, **options):
    options = {"models": MODELS, "layers": LAYERS, **options}
    return best_depths(planted_results(score, **options).results)


def test_depths_are_those_of_validation_alone_with_a_slope_over_subjects(planted_results):
    told, table = found(planted_results)
    depths = np.array([[9 / 12, 1.0], [9 / 24, 9 / 24], [6 / 36, 9 / 36]])
    numbers = table.numbers.pivot_table(index="n_params", columns="subject", values="depth")
    np.testing.assert_allclose(numbers, depths)
    decades = np.log10([model_facts(one).n_params for one in MODELS])
    slopes = np.polyfit(decades, depths, 1)[0]
    reach = 12.706204736 * np.std(slopes, ddof=1) / np.sqrt(2)  # Student's t, one degree
    low, high = slopes.mean() - reach, slopes.mean() + reach
    told = told.replace("−", "-")
    assert "gpt2 0.88, gpt2-medium 0.38, gpt2-large 0.21, mean over 2 subjects." in told
    assert f"by {slopes.mean():+.3f} per decade" in told
    assert f"95 % interval {low:+.3f} to {high:+.3f}, over 2 subjects" in told
    assert [row[0] for row in table.rows] == list(MODELS)
    assert [row[3:] for row in table.rows] == [("10.5", "0.88"), ("9.0", "0.38"), ("7.5", "0.21")]


def test_one_subject_has_no_interval_and_two_sizes_no_slope(planted_results):
    told, _ = found(planted_results, subjects=("s0",))
    assert "(no interval: one subject)" in told
    assert "mean over" not in told
    told, table = found(planted_results, models=MODELS[:2])
    assert "Two sizes are too few for a slope." in told
    assert table.numbers[["slope_of_subject", "slope", "low", "high"]].isna().all(axis=None)
    assert table.numbers["depth"].notna().all()
    assert "per decade" not in told


def test_a_model_of_no_known_size_has_no_part(planted_results):
    _, table = found(planted_results, models=(*MODELS, "mine"))
    assert set(table.numbers["model"]) == set(MODELS)
    assert found(planted_results, models=("gpt2", "mine")) is None
    assert found(planted_results, layers=(6,)) is None


def test_layers_that_a_subject_lacks_are_no_candidates(planted_results):
    planted = planted_results(score, models=MODELS, layers=LAYERS)
    table = planted.table
    is_lost = (table["subject"] == "s1") & (table["model"] == "gpt2") & (table["layer"] == 9)
    no_model = (table["subject"] == "s1") & (table["model"] == "gpt2-large")
    planted.results.table = table[~is_lost & ~no_model]
    _, made = best_depths(planted.results)
    numbers = made.numbers.set_index(["model", "subject"])["best_layer"]
    assert numbers[("gpt2", "s0")] == 6  # as near to 9, which the other lacks, as 12 is
    assert np.isnan(numbers[("gpt2-large", "s1")])
    assert numbers[("gpt2-large", "s0")] == 6


def test_the_page_has_them_beside_the_map_of_models(planted_results):
    planted = planted_results(score, models=MODELS, layers=LAYERS)
    section = in_two_sizes(planted.material)
    assert any(one.startswith("Relative depth of the best layer") for one in section.paragraphs)
    (table,) = section.tables
    assert table.name == "best-depths"
    star = planted_results(score, layers=LAYERS)
    assert not in_two_sizes(star.material).tables


def test_the_numbers_are_those_of_the_library(planted_results):
    _, table = found(planted_results)
    scores = {
        model: [[0.2 - 0.01 * abs(layer - best) for best in BEST[model]] for layer in LAYERS]
        for model in MODELS
    }
    facts = {model: model_facts(model) for model in MODELS}
    known = best_relative_depth(
        scores,
        {model: one.n_layers for model, one in facts.items()},
        {model: one.n_params for model, one in facts.items()},
        layers=dict.fromkeys(MODELS, LAYERS),
    )
    row = table.numbers.iloc[0]
    assert (row["slope"], row["low"], row["high"]) == pytest.approx(
        (known.slope, known.low, known.high)
    )
