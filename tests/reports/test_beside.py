"""Sections of a page about what is computed once for a subject."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from voxscale.reports._baselines import beyond_baselines, parts_found
from voxscale.reports._cortex import RELIABLE_CC_MAX
from voxscale.reports._layer_comparison import two_layers, voxels_on_either_side
from voxscale.reports._reading import read_material
from voxscale.reports._scores import numbers_to_report
from voxscale.reports._sections import against_ceiling
from voxscale.reports._stacking import mixed_layers, mixes_found
from voxscale.study import Study, results, run


@pytest.fixture(scope="module")
def material(tiny, tmp_path_factory):
    path = tiny.write_study(tmp_path_factory.mktemp("beside"), tiny.BESIDE, alphas="[30.0]")
    study = Study.from_toml(path)
    run(study, progress=False, device="cpu")
    return read_material(results(study))


def without(material, kind):
    found = material.results
    beside = tuple(cell for cell in found.beside if cell.kind != kind)
    return SimpleNamespace(results=dataclasses.replace(found, beside=beside), maps=material.maps)


def number(text):
    return float(text.replace("−", "-"))


def test_the_unique_share_is_that_of_the_partition(material):
    section = beyond_baselines(material)
    made = material.results.partition("s1")
    row = section.tables[0].rows[0]
    expected = [
        made.total, made.scores[("language",)], made.scores["word_rate", "position"],
        made.unique["language"],
    ]  # fmt: skip
    assert [number(one) for one in row[1:5]] == pytest.approx(
        [one.mean() for one in expected], abs=6e-5
    )
    share = made.unique["language"].mean() / made.total.mean()
    assert row[5] == f"{share:.0%}".replace("%", " %")
    assert row[5] in section.headline
    p = material.results.baselines("s1")["p_unique"]
    q = stats.false_discovery_control(p[np.isfinite(p)].astype(float))
    assert row[7] == f"{(q < 0.05).sum()} of {np.isfinite(p).sum()}"


def test_bars_add_up_to_the_score_of_all_spaces(material):
    (drawing,) = beyond_baselines(material).drawings
    numbers = drawing.numbers
    own = numbers[numbers["subject"] == "s2"]
    parts = own[own["kind"].isin(["unique", "shared"])]
    total = material.results.partition("s2").total.mean()
    assert parts["mean"].sum() == pytest.approx(total, abs=1e-6)
    assert len(parts) == 7
    figure = parts_found(numbers)
    lengths = [bar.get_width() for bar in figure.axes[1].patches]
    assert sorted(lengths) == pytest.approx(sorted(parts["mean"]))
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()


def test_baselines_that_explain_nothing_are_told_without_a_share(material, monkeypatch):
    from voxscale.evaluate import partition

    scores = {"language": [0.2], "position": [-0.1], ("language", "position"): [0.1]}
    made = partition(scores)
    found = dataclasses.replace(material.results)
    monkeypatch.setattr(type(found), "partition", lambda self, subject: made)
    headline = beyond_baselines(SimpleNamespace(results=found)).headline
    assert "baselines alone explain nothing (R² −0.1000)" in headline
    assert "the language model 0.2000 beyond them, both together 0.1000" in headline


def test_smooth_noise_is_told_by_its_validation_score(material):
    told = beyond_baselines(material).paragraphs[1]
    assert "validation score (r2) of 0.000 in s1, 0.000 in s2" in told


def test_the_mix_stands_beside_the_best_layer_of_each_voxel(material):
    section = mixed_layers(material)
    held = material.results.stacking("s1")
    row = section.tables[0].rows[0]
    gain = held["r_stacked"].astype(float) - held["r_single"]
    assert number(row[3]) == pytest.approx(gain.mean(), abs=6e-4)
    assert row[4] == f"{(gain > 0).mean():.0%}".replace("%", " %")
    p = held["p_gain"].astype(float)
    found = stats.false_discovery_control(p[np.isfinite(p)]) < 0.05
    signs = np.sign(gain)[np.isfinite(p)]
    assert row[5] == f"{(found & (signs > 0)).sum()} · {(found & (signs < 0)).sum()}"
    assert number(row[6]) == pytest.approx(np.nanmedian(held["center_of_mass"]), abs=0.06)
    assert "on held-out training stories (a, b, c)" in section.paragraphs[0]
    weights = section.drawings[0].numbers
    own = weights[weights["subject"] == "s1"]
    assert own["weight"].to_numpy() == pytest.approx(held["weights"].mean(axis=1), abs=1e-6)
    figure = mixes_found(weights)
    assert [bar.get_height() for bar in figure.axes[0].patches] == pytest.approx(
        weights["weight"].to_list()
    )


@pytest.mark.parametrize(
    ("kind", "make", "told"),
    [
        ("baselines", beyond_baselines, "What baselines explain is not done."),
        ("stacking", mixed_layers, "The mix of layers is not done."),
    ],
)
def test_what_is_not_done_is_said(material, kind, make, told):
    section = make(without(material, kind))
    assert section.paragraphs == [told]
    assert not section.tables
    assert not section.headline


def test_what_was_not_asked_for_is_said(material):
    found = without(without(material, "baselines"), "stacking").results
    off = {"word_rate": False, "position": False, "sound": False, "autocorrelation": False}
    changed = found.study.model_copy(
        update={
            "baselines": found.study.baselines.model_copy(update=off),
            "evaluate": found.study.evaluate.model_copy(update={"stack": False}),
        }
    )
    bare = SimpleNamespace(results=dataclasses.replace(found, study=changed))
    assert "no baselines beside the language model" in beyond_baselines(bare).paragraphs[0]
    assert mixed_layers(bare).paragraphs == ["No mix of layers was asked for."]


def test_numbers_to_report_have_metric_unit_and_reducer(material):
    (table,) = numbers_to_report(material).tables
    assert table.columns[:5] == ("subject", "metric", "unit", "on", "stories")
    first = dict(zip(table.columns, table.rows[0], strict=True))
    found = material.results
    r = found.array(found.reference("s1"), "r")
    assert (first["metric"], first["unit"], first["stories"]) == ("r", "correlation", "joined")
    assert number(first["mean voxels"]) == pytest.approx(r.mean(), abs=6e-5)
    assert set(table.numbers["kind"]) == {"fit", "ceiling", "baselines", "stacking"}


def test_ceilings_tell_how_sure_they_are(material):
    section = against_ceiling(material)
    limits = material.results.ceiling("s1")
    known = np.isfinite(limits["cc_max"])
    told = next(one for one in section.paragraphs if one.startswith("s1: "))
    assert f"s1: {int((~known).sum())} of 40 voxels have no ceiling" in told
    low, high = (np.median(limits[f"cc_max_{end}"][known]) for end in ("low", "high"))
    assert f"are {low:.2f} and {high:.2f}" in told
    assert (
        f"in {int((limits['cc_max_low'][known] > RELIABLE_CC_MAX).sum())} voxels the lower one"
        in told
    )


def test_layers_compared_parts_and_ceilings_between_subjects_are_told(tiny, tmp_path):
    pytest.importorskip("himalaya")
    asked = "false\ncompare_layers = [2, 0]\nproduct_measure = true\nbetween_subjects = true"
    text = tiny.BESIDE.replace("stack = true", f"stack = {asked}")
    study = Study.from_toml(tiny.write_study(tmp_path, text, alphas="[30.0]"))
    run(study, progress=False, device="cpu")
    material = read_material(results(study))
    found = material.results
    compared = two_layers(material).tables[0].rows[1]
    held = found.comparison("s2")
    assert compared[0] == "s2"
    assert number(compared[3]) == pytest.approx(held["difference"].mean(), abs=6e-5)
    assert number(compared[4]) == pytest.approx(np.nanmedian(held["difference_norm"]), abs=6e-4)
    assert voxels_on_either_side(np.full(40, 1e-3), held["difference"], "bh") == compared_sides(
        held["difference"]
    )
    product = beyond_baselines(material).tables[1]
    parts = [found.product("s1")[name].mean() for name in ("language", "word_rate", "position")]
    assert product.columns[2:] == ("language model", "word rate", "position")
    assert [number(one) for one in product.rows[0][2:]] == pytest.approx(parts, abs=6e-5)
    assert number(product.rows[0][1]) == pytest.approx(sum(parts), abs=6e-5)
    between = against_ceiling(material).tables[-1]
    assert [row[0] for row in between.rows] == ["s1", "s2", "mean of all"]
    expected = found.between_subjects["each"][0].mean()
    assert number(between.rows[0][2]) == pytest.approx(expected, abs=6e-4)


def compared_sides(difference):
    return f"{(difference > 0).sum()} · {(difference < 0).sum()}"


def test_a_comparison_that_was_not_asked_for_is_said(material):
    assert two_layers(material).paragraphs == ["No comparison of two layers was asked for."]
