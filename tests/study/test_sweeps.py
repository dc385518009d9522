import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.errors import ConfigError
from voxscale.study import Study
from voxscale.study._cell_keys import cell_key
from voxscale.study._cells import cells_of, draw_orders, training_pool
from voxscale.study._inputs import SubjectFacts
from voxscale.study._sweeps import grids_of

STORIES = tuple("abcdefgh")
N_TRS = {story: 100 + 40 * i for i, story in enumerate(STORIES)}  # of 2 s each
LEAST = {
    "name": "n", "dataset": "tiny", "model": "echo", "layers": [0, 1, 2], "contexts": [32],
    "design": {"trim": [10, 5]},
    "baselines": {"word_rate": False, "position": False, "sound": False, "autocorrelation": False},
}  # fmt: skip


def study(**fields):
    return Study(**{**LEAST, **fields})


def facts(**fields):
    runs = (*STORIES, "x")
    hashes = {
        run: {"words": f"w{run}", "tr_times": "t", "responses": f"r{run}", "trials": None}
        for run in runs
    }
    tr_times = {run: np.arange(N_TRS.get(run, 100)) * 2.0 for run in runs}
    given_fields = {
        "subject": "s1", "train": STORIES, "test": ("x",), "tr_s": 2.0, "n_voxels": 3,
        "transcripts": {}, "tr_times": tr_times, "trs": {}, "hashes": hashes, **fields,
    }  # fmt: skip
    return SubjectFacts(**given_fields)


def hours(stories):
    return sum(N_TRS[story] - 15 for story in stories) * 2.0 / 3600


def test_hours_are_met_as_closely_as_whole_stories_can():
    asked = [0.2, 0.5, 0.7]
    cells = cells_of(study(hours=[*asked, "all"], draws=3, seed=4), facts())
    swept = {(c.asked_hours, c.draw): c.stories for c, axes in cells.items() if "n_stories" in axes}
    assert set(swept) == {(None, 0), *((size, draw) for size in asked for draw in range(3))}
    assert swept[None, 0] == STORIES
    for draw, order in enumerate(draw_orders(STORIES, 3, 4)):
        for size in asked:
            chosen = min(range(1, 9), key=lambda n: abs(hours(order[:n]) - size))
            assert swept[size, draw] == tuple(sorted(order[:chosen]))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0.05, 0.99), min_size=2, max_size=4), st.integers(0, 5))
def test_larger_hours_hold_the_stories_of_smaller_ones(sizes, seed):
    cells = cells_of(study(hours=sizes, draws=2, seed=seed), facts())
    for draw in (0, 1):
        ordered = sorted(
            (cell for cell in cells if cell.asked_hours and cell.draw == draw),
            key=lambda cell: cell.asked_hours,
        )
        for smaller, larger in itertools.pairwise(ordered):
            assert set(smaller.stories) <= set(larger.stories)


def test_more_hours_than_there_are_is_an_error_that_says_how_many():
    match = r"\[study\] hours asks for 30 h; subject 's1' of dataset 'tiny' has 1.00 h to train on"
    with pytest.raises(ConfigError, match=match):
        cells_of(study(hours=[30]), facts())
    kept_back = study(sweep=[{"hours": [1.0]}], validation_stories=2)
    with pytest.raises(ConfigError, match=r"\[\[sweep\]\] hours asks .*, 2 being kept back .*all"):
        cells_of(kept_back, facts())


def test_a_grid_is_every_combination_and_its_cells_are_listed_once():
    made = study(sweep=[{"layers": [0, 2], "contexts": [4, 32], "training_stories": [1, "all"]}])
    cells = cells_of(made, facts())
    own = [cell for cell, axes in cells.items() if axes]
    assert len(own) == 3  # the layers; the sweeps over contexts and stories are one of these
    points = {(cell.layer, cell.context, cell.n_stories) for cell in cells}
    grid = {(layer, context, n) for layer in (0, 2) for context in (4, 32) for n in (1, 8)}
    assert points == grid | {(1, 32, 8)}
    assert len(cells) == len(points)
    one_axis = [axes for cell, axes in cells.items() if cell.context == 4]
    assert one_axis == [()] * 4


def test_a_grid_over_one_axis_is_the_sweep_of_it():
    made = study(sweep=[{"contexts": [1, 4, 32], "training_stories": [2]}])
    cells = cells_of(made, facts())
    swept = [cell for cell, axes in cells.items() if "context" in axes]
    assert [(cell.context, cell.n_stories) for cell in swept] == [(1, 2), (4, 2), (32, 2)]
    # One context with all stories is the star's own, where nothing else sweeps contexts.
    alone = cells_of(study(), facts())
    assert [axes for axes in alone.values() if "context" in axes] == [
        ("layer", "context", "n_stories")
    ]


def test_models_have_layers_of_their_own():
    made = study(
        model="b", models=["a", "b"], layers={"a": [0, 3], "b": [0, 1, 2]}, reference_layer=1,
        sweep=[{"models": ["a", "b"], "training_stories": [1, 4]}],
    )  # fmt: skip
    cells = cells_of(made, facts())
    layer_sweep = [(c.model, c.layer) for c, axes in cells.items() if "layer" in axes]
    assert layer_sweep == [("b", 0), ("b", 1), ("b", 2)]
    model_sweep = [(c.model, c.layer) for c, axes in cells.items() if "model" in axes]
    assert sorted(model_sweep) == [("a", 0), ("a", 3), ("b", 0), ("b", 1), ("b", 2)]
    assert all(c.reference == (c.model == "b" and c.n_stories == 8) for c in cells)
    few = {(c.model, c.layer, c.n_stories) for c in cells if c.n_stories < 8}
    assert few == {(model, layer, n) for model, layer in (("a", 3), ("b", 1)) for n in (1, 4)}


def test_bands_without_language_stand_at_the_reference_once():
    bands = ["position", "language", "language+word_rate", "word_rate+position"]
    made = study(sweep=[{"bands": bands, "layers": [0, 1]}])
    cells = cells_of(made, facts())
    silent = [cell for cell in cells if not cell.has_language]
    assert [(cell.bands, cell.layer) for cell in silent] == [
        ("position", 1),
        ("word_rate+position", 1),
    ]
    assert silent[0].label == "s1, position, 8 stories"
    other = next(cell for cell in cells if cell.bands == "language")
    assert not other.reference  # the study's own has word rate beside it


def test_subjects_who_heard_the_same_train_on_the_same():
    lacks_one = facts(subject="s2", train=STORIES[1:])
    pool = training_pool(study(), [facts(), lacks_one])
    made = study(training_stories=[2, 4], draws=3)
    mine = {(c.n_stories, c.draw): c.stories for c in cells_of(made, facts(), pool)}
    theirs = {(c.n_stories, c.draw): c.stories for c in cells_of(made, lacks_one, pool)}
    for place, stories in mine.items():
        if "a" not in stories and place in theirs:
            assert theirs[place] == stories
    assert any("a" not in stories for stories in mine.values())


def test_a_sweep_names_models_of_the_study_and_known_spaces():
    with pytest.raises(
        ValueError, match=r"\[\[sweep\]\] models names 'c'; expected models of the study: echo"
    ):
        study(sweep=[{"models": ["c"]}])
    with pytest.raises(ValueError, match="'words' is no feature space; join some of language"):
        study(sweep=[{"bands": ["words"]}])
    with pytest.raises(ValueError, match=r"\[\[sweep\]\] layers has other models than models"):
        study(models=["echo", "b"], sweep=[{"models": ["b"], "layers": {"echo": [1]}}])
    with pytest.raises(ValueError, match="says already how much to train on"):
        study(sweep=[{"hours": [1], "training_stories": [1]}])
    with pytest.raises(ValueError, match="the table has none of 'b'"):
        study(models=["echo", "b"], layers={"echo": [1]})


def test_the_first_of_several_models_is_the_reference():
    made = Study(**{**LEAST, "model": None}, models=["b", "echo"])
    assert made.model == "b"
    assert [grid.axes for grid in grids_of(made)] == [
        ("layer",), ("model",), ("context",), ("n_stories",),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="model 'c' is not among them"):
        study(model="c", models=["b", "echo"])


def test_what_was_asked_for_is_no_part_of_what_a_cell_is_called():
    made, known = study(hours=[0.5]), facts()
    cell = next(cell for cell in cells_of(made, known) if cell.asked_hours)
    other = replace(cell, asked_hours=0.49)
    assert cell_key(made, cell, known, {}) == cell_key(made, other, known, {})
    banded = replace(cell, bands="language")
    assert cell_key(made, cell, known, {}) != cell_key(made, banded, known, {})


@pytest.mark.parametrize(
    ("fields", "sweeps"),
    [
        # The star sweeps them already.
        ({"contexts": [8, 32]}, [{"contexts": [1, 4], "training_stories": [2]}]),
        ({"hours": [0.2, "all"]}, [{"training_stories": [1, 2]}]),
        ({}, [{"layers": [0, 2], "training_stories": [2]}]),
        # Elsewhere than at the reference.
        ({}, [{"contexts": [1, 4], "layers": [0]}]),
        ({"contexts": [32, 64]}, [{"training_stories": [1, 2], "contexts": [32]}]),
        ({"models": ["echo", "b"]}, [{"models": ["b"], "layers": [0, 1], "training_stories": [2]}]),
        ({"models": ["echo", "b"]}, [{"models": ["echo", "b"], "training_stories": [2]}]),
    ],
)
def test_other_grids_are_no_sweeps(fields, sweeps):
    own = cells_of(study(**fields), facts())
    cells = cells_of(study(**fields, sweep=sweeps), facts())
    assert {cell: axes for cell, axes in cells.items() if axes} == own
    assert any(not axes for axes in cells.values())


def test_of_two_grids_over_one_thing_the_first_is_its_sweep():
    made = study(
        sweep=[
            {"contexts": [1, 4], "training_stories": [2]},
            {"contexts": [2, 8], "training_stories": [2]},
        ]
    )
    cells = cells_of(made, facts())
    assert [c.context for c, axes in cells.items() if "context" in axes] == [1, 4]
    assert [c.context for c, axes in cells.items() if not axes] == [2, 8]


def test_full_reading_has_one_context_in_grids_too():
    with pytest.raises(ValueError, match=r"contexts \[4, 32\] would all be the same"):
        study(features={"policy": "full"}, sweep=[{"contexts": [4]}])


def test_a_cell_of_two_grids_is_called_as_the_sweep_over_amounts_calls_it():
    grids = [{"layers": [0, 1], "hours": [0.51]}, {"hours": [0.2, 0.5]}]
    made, known = study(sweep=grids), facts()
    swept = [cell for cell, axes in cells_of(made, known).items() if "n_stories" in axes]
    assert [cell.asked_hours for cell in swept] == [0.5, 0.2]
    others = [cell for cell in cells_of(made, known) if cell.asked_hours == 0.51]
    assert [(cell.layer, cell.stories) for cell in others] == [(0, swept[0].stories)]
    alone = next(cell for cell in cells_of(study(sweep=grids[:1]), known) if cell.asked_hours)
    assert cell_key(made, replace(alone, layer=1), known, {}) == cell_key(made, swept[0], known, {})
