from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from voxscale.errors import AlignmentError, VoxscaleError
from voxscale.evaluate import fdr
from voxscale.reports import _flatmap, slope_map_figure
from voxscale.reports._slopes import voxel_slopes
from voxscale.reports._style import png

N_VOXELS, N_VERTICES = 200, 20_484
AMOUNTS = (1, 2, 4, 8)


def material(n_stories=4, n_voxels=N_VOXELS, amounts=AMOUNTS, space=None, method="bh"):
    """Return a subject whose first half of voxels gains 0.05 a decade; voxel 3 has no score."""
    rng = np.random.default_rng(5)
    slopes = np.where(np.arange(n_voxels) < n_voxels // 2, 0.05, 0.0)
    rows, arrays = [], {}
    for n in amounts:
        for draw in range(2 if n < max(amounts) else 1):
            key, hours = f"{n} {draw}", 0.5 * n * (1 + 0.1 * draw)
            rows.append({
                "subject": "s1", "model": "echo", "layer": 2, "context": 32, "bands": "language",
                "n_stories": n, "asked_hours": np.nan, "draw": draw, "hours": hours, "key": key,
                "reference": n == max(amounts), "in_n_stories_sweep": True,
            })  # fmt: skip
            noise = 0.004 * rng.standard_normal((n_stories, n_voxels))
            arrays[key] = (0.1 + slopes * np.log10(0.5 * n) + noise).astype(np.float32)
            arrays[key][0, 3] = np.nan
    results = SimpleNamespace(
        table=pd.DataFrame(rows),
        select=lambda subject: tuple(arrays),
        key=lambda cell: cell,
        array=lambda cell, name: arrays[cell] if name == "r_by_story" else None,
        study=SimpleNamespace(evaluate=SimpleNamespace(fdr=method)),
    )
    is_validated = np.arange(n_voxels) % 3 == 0
    maps = SimpleNamespace(
        subject="s1", space=space, r=np.zeros(n_voxels), is_validated=is_validated
    )
    return SimpleNamespace(results=results, maps=(maps,), arrays=arrays)


def by_loop(arrays):
    """Fit each voxel and story by scipy, and test the slopes over stories."""
    of_amounts = [np.mean([one for key, one in arrays.items() if key.startswith(f"{n} ")], axis=0,
                          dtype=float) for n in AMOUNTS]  # fmt: skip
    hours = [0.5 * n * (1.05 if n < 8 else 1.0) for n in AMOUNTS]
    scores = np.array(of_amounts)
    slopes = np.array([
        [stats.linregress(np.log10(hours), scores[:, story, voxel]).slope
         for voxel in range(scores.shape[2])] for story in range(scores.shape[1])
    ])  # fmt: skip
    return slopes.mean(axis=0), stats.ttest_1samp(slopes, 0.0).pvalue


@pytest.mark.parametrize("method", ["bh", "by"])
def test_slopes_and_what_is_shown_are_those_of_a_loop(method):
    given = material(method=method)
    (drawing,) = voxel_slopes(given).drawings
    slopes, p_values = by_loop(given.arrays)
    numbers = drawing.numbers
    np.testing.assert_allclose(numbers["slope"], slopes, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(numbers["p_value"], p_values, rtol=1e-3)
    known = np.isfinite(p_values)
    shown = np.zeros(N_VOXELS, bool)
    shown[known] = fdr(p_values[known], method=method) < 0.05
    np.testing.assert_array_equal(numbers["is_shown"], shown)
    assert 80 < shown.sum() < 120
    assert drawing.is_per_voxel


def test_what_was_tested_and_lost_is_told():
    section = voxel_slopes(material())
    (drawing,), (table,), (told,) = section.drawings, section.tables, section.paragraphs
    assert "Student's t over the test stories, with 3 degrees of freedom" in told
    assert "Benjamini & Hochberg" in told
    assert "mean over draws and over 4 test stories" in told
    n_shown = int(drawing.numbers["is_shown"].sum())
    assert f"q < 0.05: {n_shown} of 199 voxels of s1, 1 more lack a score" in drawing.caption
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert (row["subject"], row["voxels with a slope"], row["q < 0.05"]) == (
        "s1",
        "199",
        f"{n_shown}",
    )
    assert float(row["their median"]) == pytest.approx(0.05, abs=0.002)


@pytest.mark.parametrize("n_stories", [1, 2])
def test_few_stories_give_no_interval_and_validation_decides_what_is_shown(n_stories):
    section = voxel_slopes(material(n_stories))
    (drawing,), (told,) = section.drawings, section.paragraphs
    assert "fewer than 3 test stories no voxel's slope has an interval" in told
    assert not {"p_value", "q_value", "low"} & set(drawing.numbers)
    expected = (np.arange(N_VOXELS) % 3 == 0) & np.isfinite(drawing.numbers["slope"])
    np.testing.assert_array_equal(drawing.numbers["is_shown"], expected)
    assert "validation score above 0: 66 of 199 voxels" in drawing.caption


def test_one_amount_of_data_gives_no_slope():
    section = voxel_slopes(material(amounts=(8,)))
    assert not section.drawings
    assert "Fewer than two amounts of training data are done" in section.paragraphs[0]


def test_fsaverage5_is_drawn_flat_and_other_spaces_as_a_histogram():
    pytest.importorskip("nilearn")
    (drawing,) = voxel_slopes(material(n_voxels=N_VERTICES, space="fsaverage5")).drawings
    assert "on the flattened fsaverage5" in drawing.caption
    assert drawing.figure.axes[-1].get_ylabel() == "r per decade of hours"
    assert png(drawing.figure)
    (other,) = voxel_slopes(material()).drawings
    assert "as a histogram over voxels" in other.caption
    ax = other.figure.axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("r per decade of hours", "voxels")


def test_without_nilearn_there_is_a_histogram_instead(monkeypatch):
    def refuse(side):
        message = "flat maps need nilearn"
        raise VoxscaleError(message)

    monkeypatch.setattr(_flatmap, "_sheet", refuse)
    section = voxel_slopes(material(n_voxels=N_VERTICES, space="fsaverage5"))
    assert section.paragraphs[-1] == "There is no flat map of slopes: flat maps need nilearn"
    assert "as a histogram" in section.drawings[0].caption


def test_a_histogram_counts_all_and_those_that_are_shown(frozen):
    slopes = frozen(np.r_[np.linspace(-0.02, 0.02, 90), np.full(10, 0.05), np.nan])
    figure = slope_map_figure(slopes, shown=slopes > 0.03, shown_label="large", title="s1")
    ax = figure.axes[0]
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "all voxels with a slope (100)" in texts
    assert "large (10)" in texts
    heights = [sum(bar.get_height() for bar in bars) for bars in ax.containers]
    assert heights == [100, 10]
    assert ax.get_title(loc="left") == "s1"


def test_colours_of_a_map_reach_as_far_down_as_up():
    pytest.importorskip("nilearn")
    slopes = np.linspace(-0.01, 0.04, N_VERTICES)
    _, _, bar = slope_map_figure(slopes, shown=slopes > 0).axes
    low, high = bar.get_ylim()
    assert low == -high
    assert 0.039 < high < 0.04


def test_shapes_that_differ_are_refused_and_nothing_at_all_is_drawn():
    with pytest.raises(AlignmentError, match=r"slopes have shape \(3,\) and shown \(2,\)"):
        slope_map_figure(np.zeros(3), shown=np.ones(2, bool))
    with pytest.raises(ValueError, match="20484"):
        slope_map_figure(np.zeros(3), flat=True)
    assert png(slope_map_figure(np.full(5, np.nan)))


def test_subjects_without_a_surface_share_a_figure_and_a_file():
    one, other = material(), material()
    other.maps[0].subject = "s2"
    table, held = one.results.table, dict(one.arrays)
    second = table.assign(subject="s2", key="s2 " + table["key"])
    one.results.table = pd.concat([table, second], ignore_index=True)
    held |= {f"s2 {key}": array + np.float32(0.1) for key, array in other.arrays.items()}
    one.results.array = lambda cell, name: held[cell]
    one.results.select = lambda subject: tuple(held)
    (drawing,) = voxel_slopes(
        SimpleNamespace(results=one.results, maps=(*one.maps, *other.maps))
    ).drawings
    assert [ax.get_title(loc="left") for ax in drawing.figure.axes] == ["s1", "s2"]
    slopes = [rows["slope"] for _, rows in drawing.numbers.groupby("subject")]
    np.testing.assert_allclose(*slopes, atol=1e-6)  # a level more is no steeper slope
