import numpy as np
import pytest

from voxscale.reports._grids import in_two_sizes
from voxscale.scaling import fit_scaling_surface

N_PARAMS = {"gpt2": 124439808, "gpt2-medium": 354823168, "gpt2-large": 774030080}
AMOUNTS = (1, 4, 16)


def level(subject, story):
    return 0.05 + 0.01 * int(subject[1:]) + 0.004 * (ord(story) - ord("x"))


def plane(cell, subject, story):
    """Return scores of 0.05 a decade of hours, and 0.02 of context and of parameters."""
    decades = np.log10(cell["context"]) + np.log10(N_PARAMS.get(cell["model"], 1e8) / 1e8)
    return level(subject, story) + 0.05 * np.log10(cell["hours"]) + 0.02 * decades


def drawings_of(section):
    return {drawing.name: drawing for drawing in section.drawings}


def said(section):
    return " ".join(section.paragraphs).replace("−", "-")


def test_layers_by_hours_are_drawn_and_the_layer_of_each_column_is_that_of_validation(
    planted_results,
):
    def score(cell, subject, story):  # more data, deeper layers; the second story disagrees
        best = {1: 1, 4: 2, 16: 3}[cell["n_stories"]]
        other = 0.03 * (cell["layer"] == 1) if story == "y" else 0.0
        return level(subject, story) - 0.01 * abs(cell["layer"] - best) + other

    planted = planted_results(score, layers=(1, 2, 3), amounts=AMOUNTS, grid=("layer",))
    (drawing,) = in_two_sizes(planted.material).drawings
    assert drawing.name == "layers-by-hours"
    chosen = drawing.numbers[drawing.numbers["is_chosen"]]
    for subject in ("s0", "s1"):
        own = chosen[chosen["subject"] == subject].sort_values("size")
        assert own["layer"].tolist() == [1, 2, 3]
        assert own["size"].tolist() == [0.5, 2.0, 8.0]
    row = drawing.numbers.query("subject == 's1' and layer == 2 and size == 2.0").iloc[0]
    assert row["r"] == pytest.approx(np.mean([level("s1", story) for story in "xy"]))
    ax = drawing.figure.axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("training data (hours)", "layer")
    rings = {tuple(np.round(line.get_xydata()[0])) for line in ax.get_lines()}
    assert rings == {(0, 0), (1, 1), (2, 2)}


def test_the_star_alone_is_no_grid_of_layers(planted_results):
    planted = planted_results(plane, layers=(1, 2, 3), amounts=AMOUNTS, contexts=(2, 8, 32))
    section = in_two_sizes(planted.material)
    assert not section.drawings
    assert "No two layers were fitted at two sizes" in said(section)
    assert "[[sweep]] with layers and hours" in said(section)
    assert "no grid of models by hours, or of contexts by hours" in said(section)


def test_models_stand_side_by_side_at_the_relative_depth_of_their_layers(planted_results):
    planted = planted_results(plane, models=(*N_PARAMS, "mine"), layers=(3, 6, 12))
    drawing = drawings_of(in_two_sizes(planted.material))["layers-by-model"]
    numbers = drawing.numbers
    assert set(numbers["model"]) == set(N_PARAMS)  # the size of the other is not known
    depths = numbers.query("model == 'gpt2' and subject == 's0'")["depth"]
    assert depths.tolist() == [0.25, 0.5, 1.0]  # of twelve blocks
    ax = drawing.figure.axes[0]
    assert [text.get_text() for text in ax.get_xticklabels()] == list(N_PARAMS)
    assert ax.get_ylabel().startswith("relative depth")


@pytest.mark.parametrize(("axis", "per_decade"), [("context", 0.02), ("model", 0.02)])
def test_the_planted_exchange_rate_is_found(planted_results, axis, per_decade):
    values = {"context": {"contexts": (2, 8, 32)}, "model": {"models": tuple(N_PARAMS)}}[axis]
    planted = planted_results(plane, amounts=AMOUNTS, grid=(axis,), **values)
    section = in_two_sizes(planted.material)
    drawing = drawings_of(section)[f"exchange-{axis}-hours"]
    word = {"context": "context", "model": "parameters"}[axis]
    assert f"+0.0200 per decade of {word}" in said(section)
    assert "+0.0500 per decade of hours" in said(section)
    factor = 10 ** (per_decade / 0.05)
    assert f"Ten times the {word} is worth {factor:.2g} times the hours" in said(section)
    assert "over 2 subjects" in said(section)
    assert len(drawing.numbers) == 9
    np.testing.assert_allclose(drawing.numbers["mean_r"], drawing.numbers["surface"], atol=1e-12)
    lines = drawing.also[f"exchange-{axis}-hours-lines"]
    start = {"context": 1.0, "model": 1e8}[axis]
    found = np.mean([level(s, t) for s in ("s0", "s1") for t in "xy"])
    found = found + per_decade * np.log10(lines["size"] / start) + 0.05 * np.log10(lines["hours"])
    found = found + (0.02 * np.log10(32) if axis == "model" else 0.0)
    np.testing.assert_allclose(found, lines["r"])


TWINS = ("EleutherAI/pythia-70m", "EleutherAI/pythia-160m", "EleutherAI/pythia-160m-deduped")


def test_models_of_one_size_are_two_columns_and_two_points(planted_results):
    def score(cell, subject, story):
        own = 0.02 * TWINS.index(cell["model"]) + 0.001 * cell["layer"]
        return level(subject, story) + own + 0.05 * np.log10(cell["hours"])

    models = (*TWINS, "EleutherAI/pythia-410m")
    score_of = lambda cell, *who: score(cell, *who) if cell["model"] in TWINS else 0.1  # noqa: E731
    planted = planted_results(
        score_of, models=models, layers=(1, 3), amounts=AMOUNTS, grid=("model", "layer")
    )
    drawings = drawings_of(in_two_sizes(planted.material))
    ax = drawings["layers-by-model"].figure.axes[0]
    names = [one.rpartition("/")[2] for one in models]
    assert [text.get_text() for text in ax.get_xticklabels()] == names
    drawn = [mesh.get_array().ravel() for mesh in ax.collections]
    np.testing.assert_allclose(drawn[2] - drawn[1], 0.02)
    numbers = drawings["exchange-model-hours"].numbers
    assert len(numbers) == 12
    of_twins = numbers[numbers["size"].duplicated(keep=False) & (numbers["hours"] == 8.0)]
    twins = of_twins[of_twins["size"] == 162322944]["mean_r"]
    assert np.ptp(twins) == pytest.approx(0.02)
    assert (
        drawings["layers-by-model"]
        .numbers.groupby(["subject", "model"])["is_chosen"]
        .sum()
        .eq(1)
        .all()
    )


def test_models_of_one_name_are_told_apart_by_who_made_them(planted_results):
    models = ("gpt2", "openai-community/gpt2", "gpt2-large")
    planted = planted_results(plane, models=models, layers=(1, 3))
    ax = drawings_of(in_two_sizes(planted.material))["layers-by-model"].figure.axes[0]
    assert [text.get_text() for text in ax.get_xticklabels()] == list(models)


def test_subjects_who_share_no_layer_at_a_size_yet_have_a_sentence_and_no_map(planted_results):
    planted = planted_results(plane, layers=(1, 2, 3, 4), amounts=AMOUNTS, grid=("layer",))
    table = planted.table
    is_done = (table["layer"] <= 2) == (table["subject"] == "s0")
    planted.results.table = table[is_done]
    section = in_two_sizes(planted.material)
    assert not section.drawings
    assert "no map of layers by hours: subjects share no layer at the same size" in said(section)


def test_a_surface_that_bends_is_one_of_powers(planted_results):
    def bent(cell, subject, story):
        own = 1 + 0.1 * int(subject[1:])
        gain = 0.2 * cell["hours"] ** -0.5 + 0.1 * cell["context"] ** -0.6
        return level(subject, story) + 0.3 - own * gain

    amounts, contexts = (1, 2, 4, 8, 16), (2, 4, 8, 16, 32)
    planted = planted_results(bent, amounts=amounts, contexts=contexts, grid=("context",))
    section = in_two_sizes(planted.material)
    assert "asymptote less a power of each" in said(section)
    numbers = drawings_of(section)["exchange-context-hours"].numbers
    x = {"size": numbers["size"], "hours": numbers["hours"]}
    surface = fit_scaling_surface(x, numbers["mean_r"])
    factor = surface.exchange("size", "hours").value
    assert f"is worth {factor:.2g} times the hours" in said(section)


def test_hours_that_do_not_help_have_no_exchange_rate(planted_results):
    def falling(cell, subject, story):
        return level(subject, story) - 0.01 * np.log10(cell["hours"] * cell["context"])

    planted = planted_results(falling, amounts=AMOUNTS, contexts=(2, 8, 32), grid=("context",))
    section = in_two_sizes(planted.material)
    assert "worth in hours is not defined: scores do not rise with the hours" in said(section)


def test_a_model_is_not_the_best_of_more_layers_at_one_amount_than_at_others(planted_results):
    def score(cell, subject, story):  # layer 1 is the best by far, and fitted with all hours alone
        return plane(cell, subject, story) + 0.5 * (cell["layer"] == 1)

    planted = planted_results(
        score, models=tuple(N_PARAMS), layers=(1, 2, 3), amounts=AMOUNTS, grid=("model",)
    )
    drawing = drawings_of(in_two_sizes(planted.material))["exchange-model-hours"]
    np.testing.assert_allclose(drawing.numbers["mean_r"], drawing.numbers["surface"], atol=1e-12)


def test_two_by_three_sizes_are_no_grid(planted_results):
    planted = planted_results(plane, amounts=AMOUNTS, contexts=(2, 32), grid=("context",))
    assert "There is no grid of models by hours" in said(in_two_sizes(planted.material))
