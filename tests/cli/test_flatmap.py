"""``voxscale flatmap`` over files of every kind."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from voxscale import reports, study
from voxscale.cli import app
from voxscale.cli._map_files import read_map
from voxscale.data import read_pycortex_subject
from voxscale.errors import ConfigError, DataError, StoreError

nibabel = pytest.importorskip("nibabel")


@pytest.fixture(scope="module")
def filestore(tiny_pycortex, tmp_path_factory):
    folder = tmp_path_factory.mktemp("db")
    tiny_pycortex.write_subject(folder)
    tiny_pycortex.write_subject(folder, "other")
    return folder


@pytest.fixture
def subject(filestore):
    return read_pycortex_subject(filestore, "tiny")


@pytest.fixture
def table(subject, tmp_path):
    """Write r, cc_max and a name of each voxel; return the table and its path."""
    rng = np.random.default_rng(0)
    n = int(subject.mask().sum())
    made = pd.DataFrame({"r": rng.random(n), "cc_max": rng.random(n), "roi": ["A"] * n})
    made.to_csv(tmp_path / "scores.csv", index=False)
    return made, tmp_path / "scores.csv"


@pytest.fixture
def drawn(monkeypatch):
    """Return what the drawing functions were given; the figures are small."""
    calls = []

    def instead(real):
        def draw(*args, **options):
            calls.append((args, options))
            return real(*args, **options, n_rows=40)

        return draw

    for name in ("flatmap", "flatmap_2d"):
        monkeypatch.setattr(reports, name, instead(getattr(reports, name)))
    return calls


def run(*arguments):
    return CliRunner().invoke(app, ["flatmap", *[str(one) for one in arguments]])


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_it_draws_a_table(table, filestore, drawn, tmp_path, ending):
    made, path = table
    out = tmp_path / "figures" / f"map.{ending}"
    options = ["--filestore", filestore, "--subject", "tiny", "--vmin", 0, "--vmax", 0.5]
    done = run(path, *options, "--cmap", "plasma", "--title", "scores", "--out", out)
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(out)
    begin = out.read_bytes()[:5]
    assert begin == (b"\x89PNG\r" if ending == "png" else b"<?xml")
    ((values, whose), given) = drawn[0]
    np.testing.assert_allclose(values, made["r"])
    assert whose.name == "tiny"
    assert (given["vmin"], given["vmax"], given["cmap"]) == (0, 0.5, "plasma")
    assert (given["title"], given["label"], given["outlines"]) == ("scores", "r", "rois")


def test_voxels_are_left_out_by_another_column(table, filestore, drawn, tmp_path):
    made, path = table
    options = ["--filestore", filestore, "--subject", "tiny", "--no-outlines"]
    masked = ["--mask-column", "cc_max", "--above", "0.35"]
    done = run(path, *options, *masked, "--out", tmp_path / "map.png")
    assert done.exit_code == 0, done.output
    ((values, _), given) = drawn[0]
    np.testing.assert_allclose(values, np.where(made["cc_max"] > 0.35, made["r"], np.nan))
    n = int((made["cc_max"] > 0.35).sum())
    assert f"{n:,} of 1,824 values have cc_max > 0.35." in done.stderr
    assert given["outlines"] is None


def test_two_columns_make_a_2d_map(table, filestore, drawn, tmp_path):
    made, path = table
    options = ["--filestore", filestore, "--subject", "tiny", "--second", "cc_max", "--vmin2", 0.2]
    done = run(path, *options, "--out", tmp_path / "map.png")
    assert done.exit_code == 0, done.output
    ((first, second, _), given) = drawn[0]
    np.testing.assert_allclose([first, second], [made["r"], made["cc_max"]])
    assert (given["cmap"], given["vmin2"], given["label2"]) == ("plasma_alpha", 0.2, "cc_max")


def test_it_exports(table, filestore, tmp_path):
    made, path = table
    options = ["--filestore", filestore, "--subject", "tiny", "--column", "cc_max"]
    done = run(path, *options, "--stat", "ccmax", "--export", tmp_path / "maps")
    assert done.exit_code == 0, done.output
    written = tmp_path / "maps/sub-tiny/func/sub-tiny_space-orig_stat-ccmax_statmap.nii.gz"
    assert done.stdout.strip() == str(written)
    found = nibabel.load(written).get_fdata()
    assert np.isfinite(found).sum() == len(made)


def saved(folder, name, subject, values):
    """Write the values as a file of one kind; return its path and what reading it gives."""
    path = folder / name
    if name.endswith(".npy"):
        np.save(path, values)
    elif name.endswith(".npz"):
        np.savez(path, r=values, other=values + 1)
    elif name.endswith(".parquet"):
        pd.DataFrame({"r": values}).to_parquet(path)
    elif name.endswith((".csv", ".tsv")):
        separator = "\t" if name.endswith(".tsv") else ","
        pd.DataFrame({"r": values, "x": values + 1}).to_csv(path, index=False, sep=separator)
    elif name.endswith((".nii", ".nii.gz")):
        volume = subject.volume(values)
        nibabel.Nifti1Image(volume.T, np.eye(4)).to_filename(path)
        return path, volume
    return path, values


@pytest.mark.parametrize(
    "name", ["a.npy", "a.npz", "a.parquet", "a.csv", "a.tsv", "a.nii", "a.nii.gz"]
)
def test_every_kind_of_file_gives_its_values(name, subject, rng, tmp_path):
    values = rng.standard_normal(int(subject.mask().sum()))
    path, expected = saved(tmp_path, name, subject, values)
    np.testing.assert_allclose(read_map(path, None), expected)
    if name.endswith(".npz"):
        np.testing.assert_allclose(read_map(path, "other"), expected + 1)


def test_a_hemisphere_brings_the_other(tmp_path, rng):
    values = rng.standard_normal(20_484)
    paths = reports.export_map(values, "demo01", tmp_path)
    for path in paths:
        np.testing.assert_allclose(read_map(path, None), values, rtol=1e-6)
    alone = tmp_path / "alone.func.gii"
    alone.write_bytes(paths[0].read_bytes())
    with pytest.raises(DataError, match="does not tell its hemisphere"):
        read_map(alone, None)
    paths[1].unlink()
    with pytest.raises(DataError, match=r"hemi-R.*does not exist"):
        read_map(paths[0], None)


def test_a_study_gives_the_cell_where_its_sweeps_meet(monkeypatch, tmp_path):
    asked = []

    def array(cell, name):
        asked.append((cell, name))
        return np.arange(3, dtype=np.float32)

    found = SimpleNamespace(
        subjects=("S1", "S2"), reference=lambda subject: f"cell of {subject}", array=array
    )
    monkeypatch.setattr(study.Study, "from_toml", lambda path, out: (path, out))
    monkeypatch.setattr(study, "results", lambda made: found)
    path = tmp_path / "study.toml"
    np.testing.assert_array_equal(read_map(path, None, "S2"), [0, 1, 2])
    read_map(path, "cc_max", "S1")
    assert asked == [("cell of S2", "r"), ("cell of S1", "cc_max")]
    with pytest.raises(ConfigError, match=r"no results of subject 'S3'.*expected one of: S1, S2"):
        read_map(path, None, "S3")
    with pytest.raises(ConfigError, match=r"no results of subject None; expected one of"):
        read_map(path, None)


def test_columns_that_are_not_there(table, tmp_path):
    _, path = table
    with pytest.raises(
        DataError, match=r"no column 'ccmax' \(did you mean 'cc_max'\?\).*r, cc_max"
    ):
        read_map(path, "ccmax")
    pd.DataFrame({"a": [1.0], "b": [2.0]}).to_csv(path, index=False)
    with pytest.raises(DataError, match=r"no column was named; expected one of numbers: a, b"):
        read_map(path, None)
    np.save(tmp_path / "r.npy", np.zeros(3))
    with pytest.raises(ConfigError, match=r"has one map and no columns"):
        read_map(tmp_path / "r.npy", "r")


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.parquet", "a.nii", "a_lh.gii", "a.csv"])
def test_files_that_are_damaged(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(b"\x00nothing of use\xff")
    with pytest.raises(DataError, match=name.replace(".", r"\.")):
        read_map(path, None)


def test_a_pickle_in_an_npy_file_is_not_run(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.array([object()]), allow_pickle=True)
    with pytest.raises(DataError, match=r"a\.npy cannot be read"):
        read_map(path, None)


@pytest.mark.parametrize("n", [81_126, 94_251, 95_556])
def test_values_of_another_subject_are_told_with_both_counts(n, filestore, tmp_path):
    np.save(tmp_path / "r.npy", np.zeros(n))
    out = tmp_path / "map.png"
    done = run(tmp_path / "r.npy", "--filestore", filestore, "--subject", "tiny", "--out", out)
    assert done.exit_code == 2
    assert f"values have {n:,} voxels" in done.stderr
    assert "mask_thick of scan has 1,824" in done.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "nothing is asked for; give --out FILE.png"),
        (["--out", "map.jpeg"], "--out is map.jpeg; expected a file that ends in .png, .svg"),
        (["--out", "a.png", "--above", "1"], "--mask-column and --above go together"),
        (["--out", "a.png", "--second", "cc_max", "--cmap", "none"], "--cmap is 'none'"),
        (["--out", "a.png", "--subject", "someone"], "has no subject 'someone'"),
        (["--export", "maps", "--stat", "r2!"], "--stat is 'r2!'; expected letters"),
    ],
)
def test_mistakes_are_told_plainly(options, said, table, filestore, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = [] if "--subject" in options else ["--subject", "tiny"]
    done = run(table[1], "--filestore", filestore, *name, *options)
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.output
    assert not list(tmp_path.glob("a.png"))


def test_several_subjects_need_a_name(table, filestore, tmp_path):
    done = run(table[1], "--filestore", filestore, "--out", tmp_path / "a.png")
    assert done.exit_code == 2
    assert "holds 2 subjects: other, tiny; name one with --subject" in done.stderr


def test_a_file_of_an_unknown_kind(tmp_path):
    (tmp_path / "a.mat").write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"none of the files that are read; expected \.npy"):
        read_map(tmp_path / "a.mat", None)


def test_fsaverage5_needs_no_filestore(drawn, tmp_path):
    pytest.importorskip("nilearn")
    np.save(tmp_path / "r.npy", np.linspace(0, 1, 20_484))
    done = run(tmp_path / "r.npy", "--subject", "demo01", "--out", tmp_path / "map.png")
    assert done.exit_code == 0, done.output
    assert drawn[0][0][1] == "demo01"
    np.save(tmp_path / "r.npy", np.zeros(95_556))
    done = run(tmp_path / "r.npy", "--subject", "UTS03", "--out", tmp_path / "map.png")
    assert done.exit_code == 2
    assert "have shape (95556,); expected (20484,)" in done.stderr
    assert "or give --filestore with the subject's own surface" in done.stderr


def test_a_real_study_is_read(tiny, tmp_path):
    path = tiny.write_study(tmp_path, layers="[2]", contexts="[8]", training_stories="[3]")
    made = study.Study.from_toml(path)
    assert not study.run(made).failed
    found = study.results(made)
    name = found.subjects[0]
    for column in ("r", "cc_max"):
        expected = found.array(found.reference(name), column)
        np.testing.assert_array_equal(read_map(path, column, name), expected)
    with pytest.raises(StoreError, match="rr"):
        read_map(path, "rr", name)
