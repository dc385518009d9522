"""What the page says of a mix of language and speech."""

import dataclasses
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from voxscale.reports import report
from voxscale.reports._reading import read_material
from voxscale.reports._speech_share import speech_share
from voxscale.reports._stacking import mixed_layers, mixes_found
from voxscale.reports._what_ran import what_ran
from voxscale.study import results, run


@pytest.fixture(scope="module")
def material(spoken, tmp_path_factory):
    study = spoken.study(tmp_path_factory.mktemp("speech"))
    run(study, progress=False, device="cpu")
    return read_material(results(study))


def number(text):
    return float(text.replace("−", "-").replace(" %", "e-2"))


def test_the_table_has_both_models_and_the_share_of_speech(material):
    found = material.results
    table = speech_share(found, ["s1", "s2"])
    held = found.stacking("s2")
    row = table.rows[1]
    assert len(table.columns) == len(row)
    names = ("r_best_language", "r_best_speech", "r_single", "r_stacked")
    assert [number(one) for one in row[1:5]] == pytest.approx(
        [held[name].mean() for name in names], abs=6e-4
    )
    reliable = found.array(found.reference("s2"), "cc_max") > 0.5
    shares = [
        (held["best_model"] >= 3).mean(),
        held["speech_weight"].mean(),
        held["speech_weight"][reliable].mean(),
    ]
    assert [number(one) for one in row[5:]] == pytest.approx(shares, abs=6e-3)
    assert 0 < shares[0] < 1
    assert table.name == "speech"
    alone = table.numbers.iloc[1][["r_speech_0", "r_speech_2", "r_speech_3"]].to_numpy(float)
    assert alone == pytest.approx(held["r_speech"].mean(axis=1), abs=1e-6)


def test_without_repeats_there_is_no_reliable_voxel(material):
    found = dataclasses.replace(material.results)
    for cell in found.cells:
        found._metas[cell]["ceiling_runs"] = {}
    assert speech_share(found, ["s1"]).rows[0][-1] == "–"


def test_the_section_tells_language_from_speech(material):
    section = mixed_layers(material)
    assert "speech 2" in section.paragraphs[0]
    assert "the layer, of language or speech, that is best" in section.paragraphs[0]
    assert [table.name for table in section.tables] == ["", "speech"]
    (drawing,) = section.drawings
    assert "Hatched: layers of the speech model." in drawing.caption
    kinds = drawing.numbers.drop_duplicates("model").set_index("model")["kind"].to_dict()
    assert [model for model, kind in kinds.items() if kind == "speech layer"] == [
        "speech 0", "speech 2", "speech 3",
    ]  # fmt: skip
    assert kinds["word rate"] == "baseline"


def test_bars_of_speech_are_hatched_and_labels_do_not_overlap(material):
    (drawing,) = mixed_layers(material).drawings
    numbers = drawing.numbers
    figure = mixes_found(numbers)
    ax = figure.axes[0]
    assert [bar.get_height() for bar in ax.patches] == pytest.approx(numbers["weight"].to_list())
    hatched = [bool(bar.get_hatch()) for bar in ax.patches]
    assert hatched == (numbers["kind"] == "speech layer").to_list()
    assert_apart(figure)


@pytest.mark.parametrize(("n_language", "n_speech"), [(7, 4), (1, 1), (31, 1), (49, 33)])
def test_labels_of_any_number_of_layers_do_not_overlap(n_language, n_speech):
    import pandas as pd

    names = [(f"layer {i}", "language layer") for i in range(n_language)]
    names += [(f"speech {i}", "speech layer") for i in range(n_speech)]
    names += [(one, "baseline") for one in ("word rate", "position", "sound")]
    rows = [(subject, one, 0.1, kind) for subject in ("s1", "s2") for one, kind in names]
    figure = mixes_found(pd.DataFrame(rows, columns=["subject", "model", "weight", "kind"]))
    assert_apart(figure)


def assert_apart(figure):
    """Headings, and numbers of layers, stand beside one another; tilted names have room."""
    figure.draw_without_rendering()
    ax = figure.axes[0]
    ticks = [one for one in ax.get_xticklabels() if one.get_text()]
    level = [one for one in ticks if not one.get_rotation()]
    for texts in (ax.texts, level):
        boxes = sorted(one.get_window_extent().intervalx.tolist() for one in texts)
        assert len(boxes) > 1
        assert all(one[1] < other[0] for one, other in pairwise(boxes))
    tilted = [one for one in ticks if one.get_rotation()]
    ends = [ax.transData.transform((one.get_position()[0], 0))[0] for one in tilted]
    height = 8 / 72 * figure.dpi
    assert all(np.diff(ends) * np.sin(np.pi / 6) > 0.9 * height)


def test_what_ran_names_the_speech_model(material):
    tables = what_ran(SimpleNamespace(results=material.results, maps=())).tables
    rows = {row[0]: row[1] for table in tables for row in table.rows}
    assert rows["speech layers"] == "0, 2, 3"
    assert rows["speech windows: context, stride (s)"] == "2, 1"
    assert rows["speech model in the mix"].endswith("model")
    assert rows["speech model: stride_s"] == "1.000"
    assert len(rows["speech model: sha256"]) == 12


def test_the_page_has_the_table_and_its_file(material):
    page = report(material.results.study)
    assert "weight on speech" in page.read_text(encoding="utf-8")
    assert list(page.parent.rglob("speech.csv"))
    assert np.isfinite(material.results.stacking("s1")["r_stacked"]).all()
