import dataclasses
from importlib.metadata import version
from types import SimpleNamespace

import pytest

from voxscale.errors import VoxscaleWarning
from voxscale.fit import contiguous_folds
from voxscale.reports._provenance import provenance_of
from voxscale.reports._what_ran import what_ran
from voxscale.study import (
    Baselines,
    ChunkCV,
    Design,
    Evaluate,
    Features,
    Fit,
    Protocol,
    Speech,
    StoryLists,
    Study,
    Sweep,
    _cell_keys,
    _subject_data,
    results,
    run,
)


@pytest.fixture(scope="module")
def found(tiny, tmp_path_factory):
    path = tiny.write_study(
        tmp_path_factory.mktemp("tiny"), layers="[2]", contexts="[4]", training_stories="[3]"
    )
    study = Study.from_toml(path)
    run(study, progress=False)
    return results(study)


def tables_of(found):
    section = what_ran(SimpleNamespace(results=found, maps=()))
    return {table.columns[0]: dict(row[:2] for row in table.rows) for table in section.tables}


def test_the_settings_that_the_file_does_not_hold_are_those_of_the_code(found):
    settings = tables_of(found)["setting"]
    assert settings["words of context at least"].startswith("half of the most")
    assert _cell_keys.min_context_of(512) == 256
    assert settings["null of the p-values"] == "circular shifts, each story by its own"
    assert settings["interval of a law"].startswith("Student's t over subjects")


def swept(found, **changed):
    """Return what is said of the sweeps of a study, changed so."""
    fields = {**{name: getattr(found.study, name) for name in SWEPT}, **changed}
    study = Study(name="tiny", dataset="tiny", **fields)
    study = study.model_copy(update={"out": found.study.out})
    results_of = dataclasses.replace(found, study=study)
    return what_ran(SimpleNamespace(results=results_of, maps=())).paragraphs[0]


def paragraphs_of(found, **changed):
    study = found.study.model_copy(update=changed)
    results_of = dataclasses.replace(found, study=study)
    return what_ran(SimpleNamespace(results=results_of, maps=())).paragraphs


def test_a_protocol_is_cited_with_what_differs(found):
    about = Protocol.named("huth2023").protocol
    *others, cited, differs = paragraphs_of(found, protocol="huth2023")
    assert others == paragraphs_of(found)
    assert "those of the protocol huth2023; please cite: " in cited
    assert about.citation in cited
    assert about.differs
    assert all(one in differs for one in about.differs)


def test_a_protocol_of_a_file_lies_where_the_study_file_does(found):
    path = found.study._folder / "mine.toml"
    path.write_text('[protocol]\nname = "mine"\ncitation = "Doe 2024."\n')
    *_, told = paragraphs_of(found, protocol="./mine.toml")
    assert told.endswith("of the protocol mine; please cite: Doe 2024.")
    path.unlink()
    *_, told = paragraphs_of(found, protocol="./mine.toml")
    assert told.startswith("The protocol ./mine.toml cannot be read any more: ")


SWEPT = ("model", "layers", "contexts")


def test_sweeps_are_told_as_they_were_made(found):
    told = swept(found)
    assert "One layer was fitted with all training stories at a context of 4 words." in told
    assert "varied" not in told
    told = swept(found, layers=[0, 1, 2], contexts=[4, 32], training_stories=[1, 2, "all"])
    assert "Layers were swept with all training stories at a context of 32 words." in told
    assert (
        "Contexts with all training stories, and numbers of stories at a context of 32 words were "
        "varied at layer 1 alone." in told
    )
    assert "Beside these" not in told


def test_several_models_and_grids_are_told(found):
    told = swept(
        found, models=["echo", "other"], layers=[0, 1, 2], hours=[0.5, "all"],
        sweep=[{"layers": [0, 2], "hours": [0.25, 0.5]}],
    )  # fmt: skip
    assert "Layers of each of 2 models were swept with all training stories" in told
    assert "Hours of training data at a context of 4 words were varied at layer 1 of echo" in told
    assert "every combination was fitted of: layers 0, 2, hours 0.250, 0.500." in told
    assert "stands at layer 1 (of other models, their middle one)" in told


def test_permutations_are_those_that_there_were(tiny, tmp_path, found):
    settings = {"layers": "[2]", "contexts": "[4]", "training_stories": "[3]"}
    study = Study.from_toml(tiny.write_study(tmp_path, **settings, n_permutations="3000"))
    with pytest.warns(VoxscaleWarning, match="only 2704 different shifts"):  # 52 in each of two
        run(study, progress=False)
    few = results(study)
    told = tables_of(few)["setting"]["permutations"]
    assert told == "2,704 of the 3,000 asked for: no more exist"
    assert tables_of(found)["setting"]["permutations"] == "30"

    (cell,) = few.sweep("layer", "s1")
    few._metas[cell].pop("n_permutations")  # as an earlier version left it
    told = tables_of(few)["setting"]["permutations"]
    assert told.startswith("s1: 3,000 asked for; s2: 2,704 of the 3,000 asked for")


def test_the_validation_of_one_story_is_told_as_it_is_done(found):
    told = tables_of(found)["setting"]["validation"]
    assert told == "leave-run-out; one training story: five contiguous folds with a gap of 2 TRs"
    splits = _subject_data.splits_of(found.study, [50])
    assert len(splits) == len(contiguous_folds(50)) == 5
    assert all(abs(train[:, None] - held).min() == 3 for train, held in splits)


def test_only_the_means_that_the_page_shows_are_explained(found):
    assert list(tables_of(found)["mean"]) == ["mean_r", "mean_cv_score"]


def test_versions_are_those_installed(found):
    sources = tables_of(found)["source"]
    assert sources["scipy (of this page)"] == version("scipy")
    assert sources["numpy"] == version("numpy")


def test_every_model_has_its_own_hashes(tiny, tmp_path, found):
    sources = tables_of(found)["source"]
    assert [name for name in sources if name.startswith("model")] == [
        name for name in sources if name.startswith("model: ")
    ]
    (cell, *_) = found.cells
    other = dataclasses.replace(cell, model="other")
    meta = {**found.meta(cell), "extractor": {"name": "other", "sha": 64 * "b"}}
    metas = {**found._metas, other: meta}
    study = found.study.model_copy(update={"models": ("echo", "other")})
    both = dataclasses.replace(found, study=study, cells=(*found.cells, other))
    both.__dict__["_metas"] = metas
    sources = dict(provenance_of(both))
    assert sources["model other: sha"] == 12 * "b"
    own = {name.removeprefix("model echo: ") for name in sources if name.startswith("model echo: ")}
    assert own == {name.removeprefix("model: ") for name in tables_of(found)["source"]
                   if name.startswith("model: ")}  # fmt: skip
    assert own


# A row per field that is a setting: another value than that of the tiny study. Lists of equal
# ends and length differ too.
OTHERS = {
    Study: {
        "name": "other", "dataset": "other", "model": "other", "layers": (1, 2), "contexts": (8,),
        "subjects": ("s1",), "training_stories": (2,), "draws": 7, "reference_layer": 1, "seed": 77,
        "validation_stories": ("b",), "models": ("echo", "other"), "hours": (0.5,),
        "protocol": "huth2023", "stories": StoryLists(train=("b",)),
        "sweep": (Sweep(contexts=[4, 8], layers={"echo": [1]}, draws=2),),
    },
    Design: {
        "delays": (1, 3), "trim": (5, 3), "test_trim": (6, 3), "normalize": True,
        "word_rate": False, "protocol": "huth2023",
    },
    Fit: {
        "alphas": (1.0, 31.0, 1000.0), "scoring": "correlation",
        "cv": ChunkCV(chunk_len=5, n_chunks=2, n_repeats=3),
    },
    Features: {"policy": "full", "word_vector": "mean", "dtype": "bfloat16"},
    Baselines: {"word_rate": True, "position": True, "sound": True, "autocorrelation": True},
    Evaluate: {
        "n_permutations": 40, "null": "phase", "fdr": "by", "n_bootstraps": 9, "stack": True,
        "reducers": ("median_voxels",), "block_trs": 10, "ceiling_repeats": (20,),
        "compare_layers": (0, 2), "product_measure": True, "between_subjects": True,
    },
    Speech: {
        "model": "other", "layers": (1, 3), "stride_s": 0.5, "context_s": 8.0, "dtype": "bfloat16",
    },
}  # fmt: skip
NO_SETTINGS = {
    "memory_gib", "root", "out", "design", "features", "fit", "baselines", "evaluate", "speech",
}  # fmt: skip


@pytest.mark.parametrize("table", OTHERS)
def test_every_field_that_can_change_the_numbers_is_among_the_settings(found, table):
    assert set(OTHERS[table]) == set(table.model_fields) - NO_SETTINGS
    if table is Speech:
        speech = Speech(model="whisper-base", layers=[1, 2])
        study = found.study.model_copy(update={"speech": speech})
        found = dataclasses.replace(found, study=study)
    before = tables_of(found)["setting"]
    part = None if table is Study else table.__name__.lower()
    for name, value in OTHERS[table].items():
        one = getattr(found.study, part) if part else found.study
        others = {"null": "block"} if name == "block_trs" else {}
        changed = one.model_copy(update={name: value, **others})
        study = found.study.model_copy(update={part: changed}) if part else changed
        after = tables_of(dataclasses.replace(found, study=study))["setting"]
        differ = [key for key in before if before[key] != after[key]]
        assert differ, f"{table.__name__}.{name} is not shown"


def test_the_protocol_of_the_design_is_told(found):
    assert tables_of(found)["setting"]["protocol of the design"] == "none"
    design = found.study.design.model_copy(update={"protocol": "huth2023"})
    study = found.study.model_copy(update={"design": design})
    told = tables_of(dataclasses.replace(found, study=study))["setting"]
    assert told["protocol of the design"] == "huth2023"


def test_penalties_are_told_so_that_they_can_be_set_again(found):
    for alphas, told in (
        ([1.0, 30.0, 1000.0], "1, 30, 1000"),
        ({"low": 1.0, "high": 1e6, "n": 7}, "7 from 1 to 1e+06, evenly in their logarithm"),
    ):
        study = found.study.model_copy(update={"fit": Fit(alphas=alphas)})
        settings = tables_of(dataclasses.replace(found, study=study))["setting"]
        assert settings["penalties alpha"] == told
