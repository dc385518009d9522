import subprocess
import sys
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.errors import ConfigError
from voxscale.study import Study
from voxscale.study._cell_keys import cell_key, min_context_of
from voxscale.study._cells import cells_of, draw_orders
from voxscale.study._inputs import SubjectFacts

STORIES = ("a", "b", "c", "d", "e")
LEAST = {
    "name": "n", "dataset": "tiny", "model": "echo", "layers": [0, 1, 2], "contexts": [8, 32],
    "baselines": {"word_rate": False, "position": False, "sound": False,
                  "autocorrelation": False},
}  # fmt: skip


def study(**fields):
    return Study(**{**LEAST, **fields})


def facts(**fields):
    hashes = {
        run: {"words": f"w{run}", "tr_times": "t", "responses": f"r{run}", "trials": None}
        for run in (*STORIES, "x")
    }
    given_fields = {
        "subject": "s1", "train": STORIES, "test": ("x",), "tr_s": 2.0, "n_voxels": 3,
        "transcripts": {}, "tr_times": {}, "trs": {}, "hashes": hashes, **fields,
    }  # fmt: skip
    return SubjectFacts(**given_fields)


def first_cell():
    return next(iter(cells_of(study(), facts())))


def test_three_sweeps_share_one_centre():
    made = study(training_stories=[1, 3, 5], draws=2, reference_layer=1)
    cells = cells_of(made, facts())
    by_axis = {
        axis: [cell for cell, axes in cells.items() if axis in axes]
        for axis in ("layer", "context", "n_stories")
    }
    assert [cell.layer for cell in by_axis["layer"]] == [0, 1, 2]
    assert all(cell.stories == STORIES and cell.context == 32 for cell in by_axis["layer"])
    assert sorted(cell.context for cell in by_axis["context"]) == [8, 32]
    assert all(cell.stories == STORIES and cell.layer == 1 for cell in by_axis["context"])
    assert sorted(cell.n_stories for cell in by_axis["n_stories"]) == [1, 1, 3, 3, 5]
    assert all(cell.context == 32 and cell.layer == 1 for cell in by_axis["n_stories"])
    centre = set.intersection(*map(set, by_axis.values()))
    assert len(centre) == 1
    assert len(cells) == len(set(cells)) == 3 + 1 + 4


def test_reference_cells_have_all_stories_at_the_longest_context():
    cells = cells_of(study(training_stories=[2, 5]), facts())
    assert [cell for cell in cells if cell.reference] == [
        cell for cell in cells if cell.stories == STORIES and cell.context == 32
    ]
    assert sum(cell.reference for cell in cells) == 3


def test_by_default_all_stories_train():
    assert {cell.stories for cell in cells_of(study(), facts())} == {STORIES}


def test_all_draws_of_all_stories_are_one_cell():
    cells = cells_of(study(training_stories=[5], draws=4, layers=[1], contexts=[8]), facts())
    assert [cell.draw for cell in cells] == [0]


def test_a_set_that_two_draws_share_is_one_cell():
    made = study(training_stories=[1], draws=9, layers=[1], contexts=[8])
    singles = [cell for cell in cells_of(made, facts()) if cell.n_stories == 1]
    firsts = [order[0] for order in draw_orders(STORIES, 9, made.seed)]
    assert [cell.stories for cell in singles] == [(story,) for story in dict.fromkeys(firsts)]
    assert [cell.draw for cell in singles] == [firsts.index(cell.stories[0]) for cell in singles]
    assert len(singles) < 9


def test_the_order_in_which_stories_are_listed_does_not_matter():
    made = study(training_stories=[2, 5], draws=2)
    assert cells_of(made, facts()) == cells_of(made, facts(train=STORIES[::-1]))


def test_too_many_stories_are_told(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(
        '[study]\nname = "n"\ndataset = "tiny"\nmodel = "echo"\nlayers = [1]\ncontexts = [8]\n'
        "training_stories = [2, 6]\n"
    )
    match = r"s\.toml, line 7: \[study\] training_stories asks for 6 stories; .*'s1'.* has 5 to"
    with pytest.raises(ConfigError, match=match):
        cells_of(Study.from_toml(path), facts())


@settings(deadline=None)
@given(
    n=st.integers(2, 7), draws=st.integers(1, 7), more=st.integers(0, 3), seed=st.integers(0, 99)
)
def test_draws_are_orders_and_more_of_them_change_nothing(n, draws, more, seed):
    stories = (*STORIES, "f", "g")
    orders = draw_orders(stories[:n], draws, seed)
    assert all(sorted(order) == list(stories[:n]) for order in orders)
    assert draw_orders(stories[:n], draws + more, seed)[:draws] == orders


@pytest.mark.parametrize("seed", range(20))
def test_draws_differ_at_every_size(seed):
    for one, other in combinations(draw_orders(STORIES, 3, seed), 2):
        assert all(set(one[:size]) != set(other[:size]) for size in range(1, 5))


def test_draws_are_seeded():
    assert draw_orders(STORIES, 3, 0) != draw_orders(STORIES, 3, 1)
    code = (
        "from voxscale.study._cells import draw_orders;"
        "print(draw_orders(('a', 'b', 'c', 'd', 'e'), 3, 0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(draw_orders(STORIES, 3, 0))


@pytest.mark.parametrize(("context", "least"), [(1, 1), (2, 1), (3, 1), (8, 4), (513, 256)])
def test_the_model_sees_at_least_half_the_context(context, least):
    assert min_context_of(context) == least


def key(made=None, cell=None, known=None, identity=None):
    made, known = made or study(), known or facts()
    cell = cell or next(iter(cells_of(made, known)))
    return cell_key(made, cell, known, identity or {"model": "echo", "recipe": 1})


def changed_hash(run, what):
    hashes = {name: dict(one) for name, one in facts().hashes.items()}
    hashes[run][what] = "changed"
    return facts(hashes=hashes)


@pytest.mark.parametrize(
    "other",
    [
        {"made": study(dataset="other")},
        {"made": study(design={"protocol": "huth2023"})},
        {"made": study(design={"trim": [9, 5]})},
        {"made": study(design={"delays": [1, 2]})},
        {"made": study(design={"word_rate": False})},
        {"made": study(design={"normalize": True})},
        {"made": study(fit={"alphas": [1.0]})},
        {"made": study(fit={"scoring": "correlation"})},
        {"made": study(fit={"cv": {"chunk_len": 5, "n_chunks": 1, "n_repeats": 2}})},
        {"made": study(evaluate={"n_permutations": 3})},
        {"known": changed_hash("a", "words")},
        {"known": changed_hash("b", "tr_times")},
        {"known": changed_hash("c", "responses")},
        {"known": changed_hash("x", "responses")},
        {"known": changed_hash("x", "trials")},
        {"known": facts(tr_s=1.5)},
        {"identity": {"model": "echo", "recipe": 2}},
        {"cell": replace(first_cell(), layer=1)},
        {"cell": replace(first_cell(), context=8)},
        {"cell": replace(first_cell(), stories=("a", "b"))},
        {"cell": replace(first_cell(), subject="s2")},
        {"cell": replace(first_cell(), reference=False)},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_can_change_the_numbers_changes_the_key(other):
    assert key(**other) != key()


@pytest.mark.parametrize(
    "other",
    [
        {"made": study(name="other")},
        {"made": study(out="/elsewhere")},
        {"made": study(fit={"memory_gib": 1.0})},
        {"made": study(fit={"alphas": {"low": 1e1, "high": 1e6, "n": 11}})},
        {"made": study(layers=[0, 1, 2, 9], reference_layer=1)},
        {"made": study(contexts=[2, 32])},
        {"cell": replace(first_cell(), draw=3)},
        {"cell": replace(first_cell(), model="./echo")},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_cannot_change_the_numbers_does_not_change_the_key(other):
    assert key(**other) == key()


def test_a_story_that_a_cell_does_not_use_is_not_in_its_key():
    cell = replace(first_cell(), stories=("a", "b"))
    assert key(cell=cell) == key(cell=cell, known=changed_hash("c", "responses"))


def test_permutations_are_in_the_key_only_where_they_are_made():
    cell = next(c for c in cells_of(study(), facts()) if not c.reference)
    assert key(cell=cell) == key(study(evaluate={"n_permutations": 7}), cell)


def test_cells_are_told_in_words():
    cells = list(cells_of(study(training_stories=[1], draws=2), facts()))
    assert cells[0].label == "s1, layer 0, context 32, 5 stories"
    assert cells[-1].label == "s1, layer 1, context 32, 1 story (draw 1)"


CHUNKS = {"cv": {"chunk_len": 5, "n_chunks": 1, "n_repeats": 2}}


@pytest.mark.parametrize(
    ("fields", "is_reference", "changes"),
    [
        ({}, True, True),  # by its permutations
        ({}, False, False),
        ({"evaluate": {"n_permutations": 0}}, True, False),
        ({"fit": CHUNKS}, False, True),
        ({"fit": CHUNKS, "evaluate": {"n_permutations": 0}}, True, True),
    ],
)
def test_the_seed_renames_only_cells_in_which_chance_has_a_part(fields, is_reference, changes):
    cell = replace(first_cell(), reference=is_reference)
    keys = {key(made=study(seed=seed, **fields), cell=cell) for seed in (0, 1)}
    assert len(keys) == (2 if changes else 1)


# Names of cells as the version before speech models had them.
KEYS = {
    "layer 0": "990c2353604a84bc1604960b3588b675",
    "layer 1": "a71ea4842d061de230f884ab22461006",
    "baselines": "ee390ecd3ad2f2b76380d80844cd49c5",
    "product": "88eace2f0b90c70dc5c67c925a9bd48d",
    "stacking": "48e5d488632f95da8e669a48f0652be6",
    "comparison": "d6b04deeb7f1f1c7ca6410d1ee00ce36",
}


def keys_by_kind(**fields):
    everything = {"stack": True, "compare_layers": [0, 1], "product_measure": True}
    made = study(contexts=[8], layers=[0, 1], baselines={}, evaluate=everything, **fields)
    known = facts(sounds={run: f"s{run}" for run in (*STORIES, "x")})
    speech = {"model": "whisper-base", "recipe": 1} if fields else None
    return {
        f"layer {cell.layer}" if cell.kind == "fit" else cell.kind: cell_key(
            made, cell, known, {"model": "echo", "recipe": 1}, speech
        )
        for cell in cells_of(made, known)
    }


def test_studies_without_speech_keep_the_results_that_they_have():
    assert keys_by_kind() == KEYS


def test_with_speech_the_mix_alone_has_another_name():
    keys = keys_by_kind(speech={"model": "whisper-base", "layers": [1, 2]})
    assert {kind for kind in KEYS if keys[kind] != KEYS[kind]} == {"stacking"}
    other = keys_by_kind(speech={"model": "whisper-base", "layers": [1]})
    assert other["stacking"] not in (keys["stacking"], KEYS["stacking"])
