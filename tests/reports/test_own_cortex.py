"""Reports of data sets that name the cortex of a subject: a made-up one."""

import html
import re
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from voxscale import plugins
from voxscale.arrays import TRSeries
from voxscale.data import Dataset, PycortexSubject, Transcript, read_pycortex_subject
from voxscale.errors import VoxscaleWarning
from voxscale.reports import flatmap, report, slope_map_figure
from voxscale.reports._cortex import RELIABLE_CC_MAX, subject_maps
from voxscale.reports._reading import SubjectMaps
from voxscale.reports._surface import REPORT_ROWS, surface_of
from voxscale.store import cache_folder
from voxscale.study import Study, results, run
from voxscale.synthetic import write_pycortex_subject

pytest.importorskip("nibabel")
N_TRS, TR_S = 50, 2.0
TR_TIMES = TR_S * (np.arange(N_TRS) + 0.5)
RUNS = ("one", "two", "again", "last")
REGIONS = {"AC", "AG", "Broca", "PFC"}


@pytest.fixture(scope="module")
def cortex(tmp_path_factory):
    return write_pycortex_subject(tmp_path_factory.mktemp("db") / "P01", n_across=9)


@pytest.fixture(scope="module")
def n_voxels(cortex):
    return int(read_pycortex_subject(cortex).mask().sum())


@pytest.fixture(scope="module")
def study(cortex, n_voxels, tmp_path_factory):
    """Run a study of one subject, whose voxels' signal differs; return it."""
    with pytest.MonkeyPatch.context() as patch:
        made = registered(patch, cortex, n_voxels, tmp_path_factory.mktemp("study"))
        run(made, progress=False)
        yield made


def registered(patch, cortex, n_voxels, out):
    def load(subject, root=None):
        def heard(name, seed):
            values = np.random.default_rng(seed).normal(size=(N_TRS, n_voxels))
            values.flags.writeable = False
            return TRSeries(values.astype(np.float32), name, 0, TR_TIMES)

        repeats = tuple(heard("again", 20 + i) for i in range(3))
        mean = TRSeries(np.mean([one.values for one in repeats], axis=0), "again", 0, TR_TIMES)
        return Dataset(
            "own", subject, {name: words(i) for i, name in enumerate(RUNS)},
            {**{name: heard(name, i) for i, name in enumerate(RUNS)}, "again": mean},
            {"again": repeats}, RUNS[:2], RUNS[2:], tr_s=TR_S, cortex=cortex,
        )  # fmt: skip

    plugin = SimpleNamespace(SUBJECTS=("s1",), load=load)
    patch.setitem(plugins._registered["datasets"], "own", plugin)
    return Study(
        name="own", dataset="own", model="echo", layers=[0, 2], contexts=[16],
        training_stories=[1, 2], out=out, design={"trim": [4, 2]}, fit={"alphas": [1000.0]},
        baselines={"word_rate": False, "position": False, "autocorrelation": False},
        evaluate={"n_permutations": 0, "n_bootstraps": 0},
    )  # fmt: skip


def words(seed):
    rng = np.random.default_rng(seed)
    onset_s = np.sort(rng.uniform(0, N_TRS * TR_S - 1, 2 * N_TRS))
    return Transcript([str(one) for one in rng.choice(["sea", "wind", "old"], 2 * N_TRS)], onset_s)


def section_of(page, anchor):
    text = page.read_text(encoding="utf-8")
    inside = re.search(rf'<section id="{anchor}">(.*?)</section>', text, re.DOTALL)[1]
    return html.unescape(inside)


@pytest.fixture
def maps(cortex, n_voxels, rng, frozen):
    names = ("cv_score", "r", "p_value", "r_repeated", "cc_max", "cc_norm", "spe")
    fields = {name: frozen(rng.uniform(-0.3, 1, n_voxels)) for name in names}
    fields["p_value"] = frozen(np.where(rng.random(n_voxels) < 0.5, 0.001, 0.9))
    return SubjectMaps(
        subject="s1", cells=(), choice=np.zeros(n_voxels, int), space=None, truth={}, licence="",
        citation="", ceiling_runs={"again": 3}, cc_max_low=fields["cc_max"], cortex=cortex,
        cc_max_high=fields["cc_max"], best_layer=frozen(rng.choice([0.0, 2.0], n_voxels)), **fields,
    )  # fmt: skip


def picture(ax):
    return np.asarray(ax.images[0].get_array())


def test_each_map_is_the_flat_map_of_its_own_numbers(maps, cortex):
    figure = subject_maps(maps, [0, 2], r_end=0.6)
    shown, subject = maps.is_shown, read_pycortex_subject(cortex)
    assert 0 < shown.sum() < len(shown)
    room = np.where(maps.cc_max > RELIABLE_CC_MAX, maps.cc_max - maps.r_repeated, np.nan)
    expected = (
        (maps.r, {"vmin": 0, "vmax": 0.6}),
        (np.where(shown, maps.cc_norm, np.nan), {"vmin": 0, "vmax": 1}),
        (np.where(shown, maps.best_layer, np.nan), {"levels": [0, 2]}),
        (room, {"vmin": 0, "vmax": 1, "cmap": "cividis"}),
    )
    axes, bars = figure.axes[::2], figure.axes[1::2]
    for ax, (values, options) in zip(axes, expected, strict=True):
        alone = flatmap(values, subject, n_rows=REPORT_ROWS, **options).axes[0]
        np.testing.assert_array_equal(picture(ax), picture(alone))
    assert [bar.get_ylabel() for bar in bars] == [
        "r",
        "cc_norm = r / cc_max",
        "layer",
        "cc_max − r",
    ]
    titles = [text.get_text() for text in figure.texts]
    assert [one.split(":")[0] for one in titles] == ["s1"] * 4
    assert titles[0].endswith("test correlation, all test stories")
    named = [{t.get_text() for t in ax.texts if t.get_gid() == "label"} for ax in axes]
    assert named == [REGIONS, set(), set(), set()]


def test_maps_titles_and_bars_do_not_overlap(maps):
    figure = subject_maps(maps, [0, 2])
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.texts]
    boxes += [ax.get_tightbbox() for ax in figure.axes]
    page = figure.bbox
    for i, one in enumerate(boxes):
        assert page.x0 <= one.x0
        assert one.x1 <= page.x1
        assert page.y0 <= one.y0
        assert one.y1 <= page.y1
        assert not any(one.overlaps(other) for other in boxes[:i])


def test_the_report_has_the_maps_with_captions_and_text_for_who_sees_none(study):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page = report(study)
    maps = section_of(page, "cortex")
    told = "best layer and room for improvement of s1 on the subject's own flattened cortex"
    assert f'alt="Test correlation, share of the noise ceiling, {told}"' in maps
    assert "Each voxel is shown at the layer" in maps
    assert "A pixel is the mean of those values between white matter and pia" in maps
    assert "medial wall" not in maps
    assert "fsaverage5" not in maps
    assert (study.out / "figures" / "flatmaps-s1.png").is_file()
    slopes = section_of(page, "slopes")
    assert "ten times the hours of training data, on the subject's own flattened cortex." in slopes
    numbers = pd.read_parquet(study.out / "figures" / "slopes-s1.parquet")
    assert numbers["slope"].notna().all()


def test_a_cortex_with_another_number_of_voxels_is_told_once(
    study, tmp_path, monkeypatch, n_voxels
):
    other = write_pycortex_subject(tmp_path / "db" / "P02", n_across=11)
    n_other = int(read_pycortex_subject(other).mask().sum())
    registered(monkeypatch, other, n_voxels, tmp_path)
    counts = rf"no flat maps of s1: values have {n_voxels} voxels.* has {n_other:,}; expected one"
    with pytest.warns(VoxscaleWarning, match=counts) as told:
        page = report(study, out=tmp_path / "page")
    assert len(told) == 1
    assert not list((tmp_path / "page" / "figures").glob("flatmaps*"))
    assert f"values have {n_voxels} voxels" in section_of(page, "cortex")
    assert "as a histogram over voxels" in section_of(page, "slopes")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: (folder / "surfaces/flat_rh.gii").unlink(), "no surface 'flat'"),
        (lambda folder: (folder / "overlays.svg").write_text("<svg"), "overlays.svg"),
        (
            lambda folder: (folder / "surfaces/pia_lh.gii").write_text(
                "../../.git/annex/objects/xx/yy/MD5E-s7--0.gii/MD5E-s7--0.gii"
            ),
            "datalad get",
        ),
    ],
)
def test_a_cortex_that_cannot_be_read_is_told(tmp_path, n_voxels, spoil, told):
    folder = write_pycortex_subject(tmp_path / "db" / "P03", n_across=9)
    spoil(folder)
    with pytest.warns(VoxscaleWarning, match=f"no flat maps of s1: .*{told}") as warned:
        found = surface_of("s1", n_voxels, None, folder)
    assert len(warned) == 1
    assert found.subject is None
    assert found.why_not == str(warned[0].message)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.warns(VoxscaleWarning, match="no flat maps of s1: .*nowhere"):
        assert surface_of("s1", 3, None, tmp_path / "nowhere").subject is None


def test_without_nibabel_the_warning_says_what_to_install(cortex, n_voxels, monkeypatch, tmp_path):
    monkeypatch.setenv("VOXSCALE_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.warns(
        VoxscaleWarning, match=r"no flat maps of s1.*pip install 'voxscale\[brain\]'"
    ):
        assert surface_of("s1", n_voxels, None, cortex).subject is None
    assert not list(cache_folder("pixel-maps").glob("*"))


def test_what_values_belong_to_decides_on_the_words(cortex, n_voxels):
    subject = read_pycortex_subject(cortex)
    voxels = surface_of("s1", n_voxels, "native", cortex)
    assert isinstance(voxels.subject, PycortexSubject)
    assert (voxels.unit, voxels.units) == ("voxel", "voxels")
    vertices = surface_of("s1", subject.n_vertices, None, cortex)
    assert (vertices.unit, vertices.where) == ("vertex", "the subject's own flattened cortex")
    flat = surface_of("s1", 20_484, "fsaverage5", Path("unread"))
    assert (flat.subject, flat.where) == ("fsaverage5", "the flattened fsaverage5")
    none = surface_of("s1", 20_484, "mni", None)
    assert none.subject is None
    assert "lie in 'mni', and it names no cortex of theirs" in none.why_not


def test_slopes_are_drawn_on_a_subject(cortex, n_voxels, frozen):
    slopes = frozen(np.linspace(-0.01, 0.04, n_voxels))
    subject = read_pycortex_subject(cortex)
    figure = slope_map_figure(slopes, shown=slopes > 0, subject=subject, label="r per decade")
    low, high = figure.axes[1].get_ylim()
    assert low == -high
    expected = np.where(slopes > 0, slopes, np.nan)
    alone = flatmap(expected, subject, cmap="coolwarm", vmin=low, vmax=high, n_rows=REPORT_ROWS)
    np.testing.assert_array_equal(picture(figure.axes[0]), picture(alone.axes[0]))


def test_no_cell_is_another_with_another_cortex(study, monkeypatch, n_voxels, tmp_path):
    known = {results(study).key(cell) for cell in results(study).cells}
    for cortex in (None, tmp_path / "nowhere"):
        registered(monkeypatch, cortex, n_voxels, tmp_path)
        found = results(study)
        assert {found.key(cell) for cell in found.cells} == known
        assert not found.missing
