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
from voxscale.errors import ConfigError, DataError
from voxscale.study import _stories

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


@pytest.fixture
def studied(subject, monkeypatch, rng):
    """Stand in for a study of two subjects on the tiny cortex; return the arrays of both."""
    n = int(subject.mask().sum())
    names = ("r", "cc_max", "cc_abs", "n_repeats_left")
    arrays = {name: rng.random(n).astype(np.float32) for name in names}
    arrays |= {"r_by_story": np.zeros((2, n)), "alphas": np.zeros(3)}
    of_both = {"S1": {name: one / 2 for name, one in arrays.items()}, "S2": arrays}
    cells = {
        name: study.Cell(name, "opt-125m", 9, 256, ("a", "b"), reference=True) for name in of_both
    }
    found = SimpleNamespace(
        study=None,
        subjects=tuple(of_both),
        reference=cells.__getitem__,
        arrays=lambda cell: of_both[cell.subject],
        held=lambda cell, names: {
            one: array for one, array in of_both[cell.subject].items() if one in names
        },
    )
    monkeypatch.setattr(study.Study, "from_toml", lambda path, out: (path, out))
    monkeypatch.setattr(study, "results", lambda made: found)
    return of_both


@pytest.fixture
def cortex_of(monkeypatch):
    """Return a function that sets the cortex that the data set names."""

    def names(folder):
        made = SimpleNamespace(cortex=folder)
        monkeypatch.setattr(_stories, "load_subject", lambda study, subject: made)

    return names


def test_a_study_gives_the_cell_where_its_sweeps_meet(studied, tmp_path):
    path = tmp_path / "study.toml"
    np.testing.assert_array_equal(read_map(path, None, "S2"), studied["S2"]["r"])
    np.testing.assert_array_equal(read_map(path, "cc_max", "S1"), studied["S1"]["cc_max"])
    room = studied["S2"]["cc_max"].astype(float) - studied["S2"]["cc_abs"]
    np.testing.assert_array_equal(read_map(path, "room", "S2"), room)
    with pytest.raises(ConfigError, match=r"no results of subject 'S3'.*expected one of: S1, S2"):
        read_map(path, None, "S3")
    with pytest.raises(ConfigError, match=r"no results of subject None; expected one of"):
        read_map(path, None)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("cc_maks", r"'cc_maks' is not there \(did you mean 'cc_max'\?\)"),
        ("r_by_story", "'r_by_story' is not one value a voxel"),
        ("alphas", "'alphas' is not one value a voxel"),
    ],
)
def test_a_study_offers_what_has_one_value_a_voxel(studied, tmp_path, column, said):
    with pytest.raises(DataError, match=said) as told:
        read_map(tmp_path / "study.toml", column, "S1")
    listed = str(told.value).split("expected one of: ")[1]
    assert listed == (
        "r (correlation, all test stories), cc_max (noise ceiling, repeated stories), "
        "cc_abs (correlation, repeated stories), "
        "room (room for improvement, cc_max \N{MINUS SIGN} cc_abs), n_repeats_left."
    )


def test_without_a_ceiling_there_is_no_room(studied, tmp_path):
    del studied["S1"]["cc_max"]
    with pytest.raises(DataError, match="'room' is not there") as told:
        read_map(tmp_path / "study.toml", "room", "S1")
    assert "room (" not in str(told.value)


@pytest.mark.parametrize("second", [None, "cc_max"])
def test_a_study_is_drawn_on_the_cortex_of_its_data_set(
    studied, cortex_of, filestore, drawn, tmp_path, second
):
    cortex_of(filestore / "tiny")
    more = [] if second is None else ["--second", second]
    done = run(tmp_path / "study.toml", "--subject", "S2", *more, "--out", tmp_path / "a.png")
    assert done.exit_code == 0, done.output
    ((*values, whose), given) = drawn[0]
    np.testing.assert_array_equal(values[0], studied["S2"]["r"])
    assert whose.name == "tiny"
    assert given["title"] == "S2: opt-125m, layer 9, context 256"
    told = "r" if second is None else "r and cc_max"
    assert f"S2: opt-125m, layer 9, context 256: {told}." in done.stderr
    assert done.stdout.strip() == str(tmp_path / "a.png")


def test_a_study_whose_data_set_names_no_cortex(studied, cortex_of, tmp_path, filestore, drawn):
    cortex_of(None)
    options = ["--subject", "S1", "--out", tmp_path / "a.png"]
    done = run(tmp_path / "study.toml", *options)
    assert done.exit_code == 2
    assert "has 1,824 voxels of subject 'S1', and the data set names no cortex" in done.stderr
    assert "give --filestore with the subject's own surface" in done.stderr
    assert not (tmp_path / "a.png").exists()


def test_the_title_that_is_given_is_that_of_the_map(studied, cortex_of, filestore, drawn, tmp_path):
    cortex_of(filestore / "tiny")
    options = ["--subject", "S1", "--title", "mine", "--out", tmp_path / "a.png"]
    assert run(tmp_path / "study.toml", *options).exit_code == 0
    assert drawn[0][1]["title"] == "mine"


def test_a_study_s_table_of_scores_has_no_voxels(tmp_path):
    table = pd.DataFrame({"metric": ["r"], "reducer": ["mean"], "value": [0.1]})
    table.to_parquet(tmp_path / "scores.parquet")
    said = r"a study's table of reduced scores.*pass the study file \(study\.toml\) instead"
    for column in (None, "r", "value"):
        with pytest.raises(DataError, match=said):
            read_map(tmp_path / "scores.parquet", column)


def test_both_columns_are_exported(table, filestore, tmp_path):
    made, path = table
    options = ["--filestore", filestore, "--subject", "tiny", "--second", "cc_max"]
    done = run(path, *options, "--export", tmp_path)
    assert done.exit_code == 0, done.output
    for name, stat in (("r", "r"), ("cc_max", "ccmax")):
        written = tmp_path / f"sub-tiny/func/sub-tiny_space-orig_stat-{stat}_statmap.nii.gz"
        assert str(written) in done.stdout
        found = read_map(written, None)
        np.testing.assert_allclose(found[np.isfinite(found)], made[name], rtol=1e-6)


def test_nothing_is_exported_over_another(table, filestore, tmp_path):
    options = ["--filestore", filestore, "--subject", "tiny", "--second", "cc_max"]
    done = run(table[1], *options, "--stat", "ccmax", "--export", tmp_path / "maps")
    assert done.exit_code == 2
    assert "--export would write 'cc_max' over the first" in done.stderr
    assert not (tmp_path / "maps").exists()


@pytest.mark.parametrize(
    "wanted", [["--out", "a.png"], ["--export", "m"], ["--out", "a.png", "--export", "m"]]
)
def test_that_no_voxel_has_a_value_is_said_once(
    wanted, subject, filestore, drawn, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    np.save("r.npy", np.full(int(subject.mask().sum()), np.nan))
    done = run("r.npy", "--filestore", filestore, "--subject", "tiny", *wanted)
    assert done.exit_code == 0, done.output
    assert done.stderr.count("no voxel has a value") == 1


def test_a_broken_drawing_can_be_left_out(tiny_pycortex, drawn, tmp_path):
    tiny_pycortex.write_subject(tmp_path)
    (tmp_path / "tiny" / "overlays.svg").write_text("<svg")
    np.save(tmp_path / "r.npy", np.zeros(1824))
    options = [tmp_path / "r.npy", "--filestore", tmp_path, "--out", tmp_path / "a.png"]
    done = run(*options)
    assert done.exit_code == 2
    assert "save it again in Inkscape, or leave outlines out with --no-outlines." in done.stderr
    assert run(*options, "--no-outlines").exit_code == 0


def test_columns_that_are_not_there(table, tmp_path):
    _, path = table
    with pytest.raises(
        DataError, match=r"no column 'ccmax' \(did you mean 'cc_max'\?\).*r, cc_max"
    ):
        read_map(path, "ccmax")
    with pytest.raises(DataError, match=r"column 'roi' holds text; expected one of.*: r, cc_max\."):
        read_map(path, "roi")
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
    with pytest.raises(DataError, match=r"a\.npy holds Python objects, which are not") as told:
        read_map(path, None)
    assert "allow_pickle" not in str(told.value)
    path.write_bytes(b"nothing of use")
    with pytest.raises(DataError, match=r"a\.npy cannot be read.*does not begin as such") as told:
        read_map(path, None)
    assert "allow_pickle" not in str(told.value)


def test_texts_are_no_numbers(tmp_path):
    np.savez(tmp_path / "a.npz", r=np.array(["A", "B"]))
    with pytest.raises(DataError, match=r"a\.npz: 'r' holds <U1; expected numbers"):
        read_map(tmp_path / "a.npz", "r")


def test_whole_numbers_that_are_missing_are_nan(tmp_path):
    pd.DataFrame({"r": pd.array([1, None], dtype="Int64")}).to_parquet(tmp_path / "a.parquet")
    np.testing.assert_array_equal(read_map(tmp_path / "a.parquet", None), [1, np.nan])


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
        (["--out", "a.png", "--cmap", "jett"], "--cmap is 'jett' (did you mean 'jet'?)"),
        (
            ["--out", "a.png", "--vmin", "1", "--vmax", "0"],
            "--vmin is 1 and --vmax is 0; expected --vmin below --vmax; swap them, or leave both",
        ),
        (
            ["--out", "a.png", "--second", "cc_max", "--vmin2", "1", "--vmax2", "0"],
            "--vmin2 is 1 and --vmax2 is 0; expected --vmin2 below --vmax2; swap them",
        ),
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


def test_a_filestore_that_is_not_there(table, tmp_path):
    done = run(table[1], "--filestore", tmp_path / "nowhere", "--out", tmp_path / "a.png")
    assert done.exit_code == 2
    assert "nowhere does not exist; expected a folder of subjects of pycortex" in done.stderr


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
    arrays = found.arrays(found.reference(name))
    room = arrays["cc_max"].astype(float) - arrays["cc_abs"]
    np.testing.assert_array_equal(read_map(path, "room", name), room)
    with pytest.raises(DataError, match=r"'rr' is not there.*r \(correlation, all test") as told:
        read_map(path, "rr", name)
    assert found.key(found.reference(name)) not in str(told.value)
    assert "prediction" not in str(told.value)
