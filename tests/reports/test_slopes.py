from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from voxscale.errors import AlignmentError, VoxscaleError
from voxscale.evaluate import fdr
from voxscale.reports import _flatmap, slope_map_figure
from voxscale.reports._slope_regions import region_slopes
from voxscale.reports._slopes import voxel_slopes
from voxscale.reports._style import png
from voxscale.reports._surface import surface_of
from voxscale.scaling import slope_map
from voxscale.study._sweep_points import facts_of

N_VOXELS, N_VERTICES = 200, 20_484
AMOUNTS = (1, 2, 4, 8)
MODELS = ("gpt2", "gpt2-medium", "gpt2-xl")
CONTEXTS = (4, 32, 256)
SWEEPS = ("n_stories", "model", "context")
CENTRE = {"model": "gpt2", "layer": 2, "context": 256, "n_stories": 8, "draw": 0, "hours": 4.0}


class Planted:
    """Cells of subject "s1" whose voxels have the scores that a function of a cell says.

    ``read`` lists the cells whose arrays were read, in order.
    """

    def __init__(self, score, cells, n_stories, space, n_voxels, method, regions=None):
        rng = np.random.default_rng(5)
        self.arrays, self.read, rows, of_stories = {}, [], [], []
        names = [f"story{i}" for i in range(n_stories)]
        for number, (changed, sweeps) in enumerate(cells):
            cell = {
                "subject": "s1",
                "bands": "language",
                "asked_hours": np.nan,
                **CENTRE,
                **changed,
            }
            cell["key"] = "{n_stories} {draw} {model} {layer} {context}".format(**cell)
            noise = 0.004 * rng.standard_normal((n_stories, n_voxels))
            self.arrays[cell["key"]] = (score(cell) + noise).astype(np.float32)
            rows.append({
                **cell, "reference": number == len(cells) - 1,
                "mean_cv_score": -abs(cell["layer"] - 2), "mean_r_validation": np.nan,
                **{f"in_{axis}_sweep": axis in sweeps for axis in SWEEPS},
            })  # fmt: skip
            of_stories += [{**cell, "story": name, "mean_r": 0.0} for name in names]
        table = pd.DataFrame(rows)
        study = SimpleNamespace(
            evaluate=SimpleNamespace(fdr=method), validation_stories=0,
            models=tuple(dict.fromkeys(table["model"])),
        )  # fmt: skip
        self.results = SimpleNamespace(
            table=table, story_table=pd.DataFrame(of_stories), study=study, array=self._array,
            select=lambda subject: tuple(self.arrays), key=lambda cell: cell,
        )  # fmt: skip
        is_validated = np.arange(n_voxels) % 3 == 0
        self.maps = [SimpleNamespace(
            subject="s1", space=space, r=np.zeros(n_voxels), is_validated=is_validated,
            regions=regions, surface=surface_of("s1", n_voxels, space, None),
        )]  # fmt: skip

    def _array(self, cell, name):
        assert name == "r_by_story"
        self.read.append(cell)
        found = self.arrays[cell].view()
        found.flags.writeable = False
        return found


def material(n_stories=4, n_voxels=N_VOXELS, amounts=AMOUNTS, space=None, method="bh"):
    """Return a subject whose first half of voxels gains 0.05 a decade; voxel 3 has no score."""
    slopes = np.where(np.arange(n_voxels) < n_voxels // 2, 0.05, 0.0)
    cells = [
        ({"n_stories": n, "draw": draw, "hours": 0.5 * n * (1 + 0.1 * draw)}, ("n_stories",))
        for n in amounts
        for draw in range(2 if n < max(amounts) else 1)
    ]

    def score(cell):
        return 0.1 + slopes * np.log10(0.5 * cell["n_stories"])

    planted = Planted(score, cells, n_stories, space, n_voxels, method)
    for array in planted.arrays.values():
        array[0, 3] = np.nan
    return planted


def swept(score, n_stories=6, n_voxels=N_VOXELS, space=None, regions=None, method="bh"):
    """Return a subject with a star of amounts, models of two layers, and contexts."""
    cells = [({"n_stories": n, "hours": 0.5 * n}, ("n_stories",)) for n in AMOUNTS[:-1]]
    cells += [({"model": one, "layer": layer}, ("model",)) for one in MODELS for layer in (1, 2)
              if (one, layer) != ("gpt2", 2)]  # fmt: skip
    cells += [({"context": one}, ("context",)) for one in CONTEXTS[:-1]]
    cells.append(({}, SWEEPS))
    return Planted(score, cells, n_stories, space, n_voxels, method, regions)


def by_loop(arrays):
    """Fit each voxel and story by scipy, and test the slopes over stories."""
    of_amounts = [np.mean([one for key, one in arrays.items() if key.startswith(f"{n} ")], axis=0,
                          dtype=float) for n in AMOUNTS]  # fmt: skip
    hours = [0.5 * n * (np.sqrt(1.1) if n < 8 else 1.0) for n in AMOUNTS]  # geometric means
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
    (drawing,), (table,), (told, compared) = section.drawings, section.tables, section.paragraphs
    assert "Student's t over the test stories, with 3 degrees of freedom" in told
    assert "Benjamini & Hochberg" in told
    assert "mean over draws and over 4 test stories" in told
    assert "does not show that the two differ" in compared
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
    assert (
        "Fewer than two amounts of training data, models of known size or contexts are done"
        in section.paragraphs[0]
    )


def test_fsaverage5_is_drawn_flat_and_other_spaces_as_a_histogram():
    pytest.importorskip("nilearn")
    drawing, differences = voxel_slopes(material(n_voxels=N_VERTICES, space="fsaverage5")).drawings
    assert differences.name == "slopes-differences-s1"  # half of the voxels gain more
    assert "on the flattened fsaverage5" in drawing.caption
    assert drawing.figure.axes[-1].get_ylabel() == "r per decade of hours"
    assert png(drawing.figure)
    (other,) = voxel_slopes(material()).drawings
    assert "as a histogram over voxels" in other.caption
    ax = other.figure.axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("r per decade of hours", "voxels")


def test_where_nothing_is_significant_the_map_shows_slopes_all_the_same_and_says_so():
    pytest.importorskip("nilearn")
    planted, rng = material(n_voxels=N_VERTICES, space="fsaverage5"), np.random.default_rng(0)
    for array in planted.arrays.values():
        array[:] = 0.05 * rng.standard_normal(array.shape)
    (drawing,) = voxel_slopes(planted).drawings
    assert "Shown: q < 0.05: 0 of 20,484 voxels of s1." in drawing.caption
    assert "none of them is significant. Red: rises" in drawing.caption
    assert not drawing.numbers["is_shown"].any()
    seen = np.asarray(drawing.figure.axes[0].images[0].get_array())[..., :3].astype(int)
    assert (np.ptp(seen, axis=2) > 30).mean() > 0.2  # a third of the voxels are validated
    planted.maps[0].is_validated[:] = False
    (bare,) = voxel_slopes(planted).drawings
    assert "significant" not in bare.caption
    seen = np.asarray(bare.figure.axes[0].images[0].get_array())[..., :3].astype(int)
    assert (np.ptp(seen, axis=2) <= 8).all()


def test_without_nilearn_there_is_a_histogram_instead(monkeypatch):
    def refuse():
        message = "flat maps need nilearn"
        raise VoxscaleError(message)

    monkeypatch.setattr(_flatmap, "fsaverage_sheets", refuse)
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
    for name in ("table", "story_table"):
        rows = getattr(one.results, name)
        second = rows.assign(subject="s2", key="s2 " + rows["key"])
        setattr(one.results, name, pd.concat([rows, second], ignore_index=True))
    one.arrays |= {f"s2 {key}": array + np.float32(0.1) for key, array in other.arrays.items()}
    (drawing,) = voxel_slopes(
        SimpleNamespace(results=one.results, maps=(*one.maps, *other.maps))
    ).drawings
    assert [ax.get_title(loc="left") for ax in drawing.figure.axes] == ["s1", "s2"]
    slopes = [rows["slope"] for _, rows in drawing.numbers.groupby("subject")]
    np.testing.assert_allclose(*slopes, atol=1e-6)  # a level more is no steeper slope


# --- models and contexts --------------------------------------------------------------------


def growing(cell, n_voxels=N_VOXELS):
    """Let voxel 0 gain much along all axes, those after it with the axis of a third, in turn."""
    third = np.arange(n_voxels) % 3
    size = {"gpt2": 0.0, "gpt2-medium": 1.0, "gpt2-xl": 2.0}[cell["model"]]
    told = (np.log10(cell["n_stories"]), size, np.log10(cell["context"]))
    scores = sum(np.where(third == i, 0.04, 0.0) * one for i, one in enumerate(told))
    return scores - 0.3 * (cell["layer"] == 1)


def of_axis(planted, axis):
    """Return sizes and scores of an axis, by hand."""
    keys = {
        "n_stories": [f"{n} 0 gpt2 2 256" for n in AMOUNTS],
        "model": [f"8 0 {model} 2 256" for model in MODELS],  # layer 2 is best by validation
        "context": [f"8 0 gpt2 2 {context}" for context in CONTEXTS],
    }[axis]
    sizes = {
        "n_stories": [0.5 * n for n in AMOUNTS],
        "model": [facts_of(model).n_params for model in MODELS],
        "context": CONTEXTS,
    }[axis]
    return np.log10(sizes), np.array([planted.arrays[key] for key in keys], dtype=float)


def lines(log_x, scores):
    """Fit every column of (n_sizes, …) by numpy's polynomials."""
    return np.polyfit(log_x, scores.reshape(len(log_x), -1), 1)[0].reshape(scores.shape[1:])


@pytest.mark.parametrize("method", ["bh", "by"])
def test_slopes_of_each_axis_and_what_differs_from_the_rest_are_those_of_a_loop(method):
    planted = swept(growing, method=method)
    section = voxel_slopes(planted)
    drawn = dict(zip(SWEEPS, section.drawings, strict=True))
    assert [one.name for one in section.drawings] == ["slopes", "slopes-model", "slopes-context"]
    for third, axis in enumerate(SWEEPS):
        slopes = lines(*of_axis(planted, axis))
        numbers = drawn[axis].numbers
        np.testing.assert_allclose(numbers["slope"], slopes.mean(axis=0), rtol=1e-4, atol=1e-7)
        p_values = stats.ttest_1samp(slopes, 0.0).pvalue
        np.testing.assert_allclose(numbers["p_value"], p_values, rtol=1e-3)
        q_values = stats.false_discovery_control(p_values, method=method)
        np.testing.assert_allclose(numbers["q_value"], q_values, rtol=1e-3)
        others = (slopes.sum(axis=1, keepdims=True) - slopes) / (N_VOXELS - 1)
        p_values = stats.ttest_rel(slopes, others).pvalue  # of the rest, without the voxel itself
        np.testing.assert_allclose(numbers["difference_p_value"], p_values, rtol=1e-3)
        q_values = stats.false_discovery_control(p_values, method=method)
        np.testing.assert_allclose(numbers["difference_q_value"], q_values, rtol=1e-3)
        rest = slopes - slopes.mean(axis=1, keepdims=True)
        np.testing.assert_allclose(numbers["difference"], rest.mean(axis=0), rtol=1e-3, atol=1e-6)
        row = section.tables[0].numbers.iloc[third]
        assert row["sweep"] == axis
        found = q_values < 0.05
        assert row["n_steeper"] == (found & (rest.mean(axis=0) > 0)).sum()
        assert row["n_flatter"] == (found & (rest.mean(axis=0) < 0)).sum()
        assert row["n_steeper"] > 60
        assert (numbers["slope"][third::3].mean()) > 0.02
        assert abs(numbers["slope"][(third + 1) % 3 :: 3].mean()) < 0.001
    labels = [one.figure.axes[0].get_xlabel() for one in section.drawings]
    assert labels == [
        "r per decade of hours", "r per decade of parameters", "r per decade of words of context",
    ]  # fmt: skip
    assert "best layer by validation" in section.paragraphs[0]


def test_a_study_of_models_alone_has_slopes_and_its_table_says_of_how_many():
    planted = swept(growing)
    for name in ("n_stories", "context"):
        planted.results.table[f"in_{name}_sweep"] = False
    section = voxel_slopes(planted)
    (drawing,), (table,) = section.drawings, section.tables
    assert drawing.name == "slopes-model"
    ((along, subject, sizes, n_voxels, *_),) = table.rows
    assert (along, subject, n_voxels) == ("parameters of the model", "s1", "200")
    assert sizes.startswith("3: ")
    assert set(planted.read) == {f"8 0 {model} 2 256" for model in MODELS}


def test_each_cell_is_read_once_and_one_on_three_axes_too():
    planted = swept(growing)
    voxel_slopes(planted)
    expected = [f"{n} 0 gpt2 2 256" for n in AMOUNTS]
    expected += [f"8 0 {model} 2 256" for model in MODELS[1:]]
    expected += [f"8 0 gpt2 2 {context}" for context in CONTEXTS[:-1]]
    assert sorted(planted.read) == sorted(expected)


def test_two_stories_leave_the_rest_untested():
    section = voxel_slopes(swept(growing, n_stories=2, regions=named(N_VOXELS)))
    for row in section.tables[0].rows:
        assert row[-2:] == ("–", "–")
    for table in section.tables[1:]:
        assert {row[3] for row in table.rows} == {row[4] for row in table.rows} == {"–"}
        assert np.isfinite(table.numbers["slope"]).all()
        assert table.numbers[["low", "q_value", "difference_q_value"]].isna().all(axis=None)
        assert "nothing is tested" in table.note
    assert not {"difference_q_value", "q_value"} & set(section.drawings[0].numbers)


def test_a_map_of_differences_is_drawn_only_where_some_voxel_differs():
    pytest.importorskip("nilearn")

    def score(cell):  # along contexts all voxels alike, along hours two of them more
        scores = np.full(N_VERTICES, 0.02 * np.log10(cell["context"]))
        scores[:2] += 0.3 * np.log10(cell["n_stories"])
        return scores

    planted = swept(score, n_voxels=N_VERTICES, space="fsaverage5")
    planted.results.table["in_model_sweep"] = False
    drawings = voxel_slopes(planted).drawings
    assert [one.name for one in drawings] == [
        "slopes-s1", "slopes-differences-s1", "slopes-context-s1",
    ]  # fmt: skip
    differences = drawings[1]
    assert np.flatnonzero(differences.numbers["is_shown"]).tolist()[:2] == [0, 1]
    assert "2 voxels. Red: steeper" in differences.caption
    assert drawings[1].figure.axes[-1].get_ylabel() == "r per decade, less the mean"


# --- regions --------------------------------------------------------------------------------

REGIONS = ("AC", "Broca", "IPS", "M1")


def named(n_voxels):
    """Name four regions of 20 voxels each; the others are in none."""
    names = np.repeat([*REGIONS, ""], [20, 20, 20, 20, n_voxels - 80])
    names.flags.writeable = False
    return names


def steeper(cell, n_voxels=N_VOXELS):
    """Let all voxels gain 0.02 a decade of context, and those of Broca 0.025; noise is 0.004."""
    slopes = np.where(named(n_voxels) == "Broca", 0.025, 0.02)
    return 0.1 + slopes * np.log10(cell["context"])


@pytest.mark.parametrize("method", ["bh", "by"])
def test_a_planted_region_is_found_and_its_numbers_are_those_of_a_loop(method):
    n = 2000  # so that Broca's voxels move the rest's mean by little
    planted = swept(partial(steeper, n_voxels=n), n_voxels=n, regions=named(n), method=method)
    for array in planted.arrays.values():
        array[0, [25, 90]] = np.nan  # one voxel of Broca, and one of no region
    section = voxel_slopes(planted)
    tables = {table.name: table for table in section.tables}
    assert list(tables) == [
        "slopes-subjects", "slopes-regions-s1", "slopes-model-regions-s1",
        "slopes-context-regions-s1",
    ]  # fmt: skip
    table = tables["slopes-context-regions-s1"]
    log_x, scores = of_axis(planted, "context")
    found = table.numbers.set_index("region")
    kept = np.isfinite(scores).all(axis=(0, 1))
    p_values, p_differences = [], []
    for region in REGIONS:
        inside = (named(n) == region) & kept
        slopes = lines(log_x, scores[..., inside].mean(axis=-1))
        rest = lines(log_x, scores[..., kept & ~inside].mean(axis=-1))
        test = stats.ttest_1samp(slopes, 0.0)
        row = found.loc[region]
        assert row["n_voxels"] == inside.sum()
        assert row["slope"] == pytest.approx(slopes.mean(), rel=1e-6)
        low, high = test.confidence_interval(0.95)
        assert (row["low"], row["high"]) == pytest.approx((low, high), rel=1e-6)
        assert row["difference"] == pytest.approx((slopes - rest).mean(), rel=1e-5)
        p_values.append(test.pvalue)
        p_differences.append(stats.ttest_rel(slopes, rest).pvalue)
    for name, expected in (("q_value", p_values), ("difference_q_value", p_differences)):
        q_values = stats.false_discovery_control(expected, method=method)
        np.testing.assert_allclose(found.loc[list(REGIONS), name], q_values, rtol=1e-4)
    assert (found["q_value"] < 0.05).all()
    assert found.index[found["difference_q_value"] < 0.05].tolist() == ["Broca"]
    assert table.rows[0][0] == "Broca"  # the steepest
    assert table.rows[0][1] == "19"


def test_slopes_of_regions_are_those_of_the_slope_map_of_groups():
    planted = swept(steeper, regions=named(N_VOXELS))
    log_x, scores = of_axis(planted, "context")
    made = region_slopes(10**log_x, scores, named(N_VOXELS))
    inside = named(N_VOXELS) != ""
    by_groups = slope_map(10**log_x, scores[..., inside], groups=named(N_VOXELS)[inside])
    assert made.names == by_groups.groups == REGIONS
    for name in ("slopes", "low", "high", "p_values", "q_values"):
        np.testing.assert_allclose(
            getattr(made.found, name), getattr(by_groups, name), rtol=1e-7, err_msg=name
        )


def test_regions_without_voxels_or_without_a_rest_have_no_answer():
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((3, 4, 6))
    scores[1, 2, 4:] = np.nan
    sizes = np.array([1.0, 10, 100])
    regions = np.array(["A"] * 4 + ["gone"] * 2)
    made = region_slopes(sizes, scores, regions)
    assert made.names == ("A", "gone")
    assert made.n_voxels.tolist() == [4, 0]
    assert np.isfinite(made.found.slopes).tolist() == [True, False]
    assert np.isnan(made.against.slopes).all()
    assert np.isnan(made.against.q_values).all()
    assert region_slopes(sizes, scores, np.array([""] * 6)) is None


def test_of_many_regions_the_page_has_those_farthest_from_the_rest_and_the_file_all():
    regions = np.array([f"R{i // 2:03d}" for i in range(N_VOXELS)])
    planted = swept(growing, regions=regions)
    table = voxel_slopes(planted).tables[1]
    assert (len(table.rows), len(table.numbers)) == (40, 100)
    assert "Of 100 regions, the 40 whose slopes lie farthest" in table.note
    shown = {row[0] for row in table.rows}
    is_shown = table.numbers["region"].isin(shown)
    far = table.numbers["difference"].abs()
    assert far[is_shown].min() >= far[~is_shown].max()


def test_without_regions_there_is_no_table_of_them_and_with_them_voxels_tell_theirs():
    section = voxel_slopes(swept(steeper))
    assert [table.name for table in section.tables] == ["slopes-subjects"]
    assert "region" not in section.drawings[0].numbers
    section = voxel_slopes(swept(steeper, regions=named(N_VOXELS)))
    assert section.drawings[0].numbers["region"].tolist() == named(N_VOXELS).tolist()
