from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.evaluate import VariancePartition, partition

NAMES = ("lm", "rate", "position", "sound")


def cells_of(names):
    return list(chain.from_iterable(combinations(names, n + 1) for n in range(len(names))))


def add_up(parts, names):
    """Score every union by the loop over cells of the Venn diagram that it touches."""
    scores = {}
    for union in cells_of(names):
        total = 0.0
        for cell, part in parts.items():
            if set(cell) & set(union):
                total = total + part
        scores[union] = total
    return scores


@pytest.fixture
def example(rng, frozen):
    """Three spaces and 50 voxels, with parts of both signs."""
    parts = {cell: 0.1 * rng.standard_normal(50) + 0.02 for cell in cells_of(NAMES[:3])}
    return {cell: frozen(score) for cell, score in add_up(parts, NAMES[:3]).items()}


@settings(deadline=None)
@given(st.data(), st.integers(2, 4))
def test_parts_that_were_added_up_are_found_again(data, n_spaces):
    names = NAMES[:n_spaces]
    elements = st.floats(-1, 1, width=32)
    planted = {
        cell: data.draw(arrays(np.float64, (3,), elements=elements)) for cell in cells_of(names)
    }
    scores = add_up(planted, names)
    for score in scores.values():
        score.flags.writeable = False
    found = partition(scores)
    assert found.names == names
    assert list(found.parts) == cells_of(names)
    for cell, part in planted.items():
        np.testing.assert_allclose(found.parts[cell], part, atol=1e-13)
        np.testing.assert_array_equal(found.part(*reversed(cell)), found.parts[cell])


@settings(deadline=None)
@given(st.data(), st.integers(2, 4))
def test_scores_are_sums_of_the_parts_that_touch_them(data, n_spaces):
    """For any scores whatever: of noise, of models that get worse with more features."""
    names = NAMES[:n_spaces]
    elements = st.floats(-1, 1, width=32)
    scores = {
        cell: data.draw(arrays(np.float64, (2,), elements=elements)) for cell in cells_of(names)
    }
    found = partition(scores)
    for union, score in add_up(found.parts, names).items():
        np.testing.assert_allclose(score, scores[union], atol=1e-13)
    np.testing.assert_allclose(sum(found.parts.values()), found.total, atol=1e-13)
    np.testing.assert_array_equal(found.total, scores[names])


@pytest.mark.parametrize("n_spaces", [2, 3, 4])
def test_parts_solve_the_equations_of_the_diagram(rng, n_spaces):
    names = NAMES[:n_spaces]
    cells = cells_of(names)
    scores = {cell: rng.standard_normal(20) for cell in cells}
    touches = np.array([[bool(set(cell) & set(union)) for cell in cells] for union in cells])
    solved = np.linalg.solve(touches.astype(float), np.stack(list(scores.values())))
    found = partition(scores)
    np.testing.assert_allclose(np.stack(list(found.parts.values())), solved, atol=1e-12)


def test_three_spaces_by_the_formulas_of_the_literature(example):
    a, b, c, ab, ac, bc, abc = (example[cell] for cell in cells_of(NAMES[:3]))
    expected = {
        ("lm",): abc - bc,
        ("rate",): abc - ac,
        ("position",): abc - ab,
        ("lm", "rate"): ac + bc - c - abc,
        ("lm", "position"): ab + bc - b - abc,
        ("rate", "position"): ab + ac - a - abc,
        ("lm", "rate", "position"): a + b + c - ab - ac - bc + abc,
    }
    found = partition(example)
    for cell, part in expected.items():
        np.testing.assert_allclose(found.parts[cell], part, atol=1e-14)
    assert list(found.unique) == list(NAMES[:3])
    assert set(found.shared) == {cell for cell in expected if len(cell) > 1}


def test_keys_may_be_sets_strings_and_in_any_order(example):
    expected = partition(example)
    lm, rate, position = NAMES[:3]
    again = partition(
        {
            (position, rate): example[rate, position],
            lm: example[(lm,)],
            frozenset({rate}): example[(rate,)],
            frozenset({position, lm}): example[lm, position],
            (position,): example[(position,)],
            (rate, lm): example[lm, rate],
            (rate, position, lm): example[lm, rate, position],
        }
    )
    assert again.names == expected.names
    for cell, part in expected.parts.items():
        np.testing.assert_array_equal(again.parts[cell], part)


def test_negative_parts_stay_and_are_counted(example):
    found = partition(example)
    for cell, part in found.parts.items():
        n_below = sum(value < 0 for value in part.tolist())
        assert found.n_negative[cell] == n_below
        row = next(row for row in found.table if row["part"] == " & ".join(cell))
        assert row["n_negative"] == n_below
        assert row["mean"] == pytest.approx(part.mean())
        assert row["lowest"] == part.min()
        assert row["kind"] == ("unique" if len(cell) == 1 else "shared")
    assert sum(found.n_negative.values()) > 50
    assert found.table[-1]["kind"] == "total"
    assert found.table[-1]["mean"] == pytest.approx(sum(row["mean"] for row in found.table[:-1]))


def test_rounding_is_not_below_zero():
    """A space that adds nothing has parts of 0, whatever the order of the sum."""
    score = np.array([0.1, 0.7, 1 / 3]) * np.ones((100, 1))
    scores = {cell: (score * np.linspace(0.1, 1, 100)[:, None]).ravel() for cell in cells_of(NAMES)}
    found = partition(scores)
    assert set(found.n_negative.values()) == {0}
    np.testing.assert_allclose(found.part(*NAMES), found.total, rtol=1e-14)


def test_the_table_is_printed_whole(example):
    found = partition(example, metric="signed_r2")
    lines = str(found).splitlines()
    assert lines[0] == "signed_r2 of 3 feature spaces, 50 voxel(s) (0 without an answer)"
    assert len(lines) == 2 + 7 + 1
    assert len({len(line) for line in lines[1:]}) == 1
    for cell, line in zip(found.parts, lines[2:], strict=False):
        assert line.startswith(" & ".join(cell) + " ")
        assert f" {found.n_negative[cell]} " in line
    assert (
        repr(found)
        == "VariancePartition(names=('lm', 'rate', 'position'), metric='signed_r2', note='')"
    )


def test_clipping_says_what_it_did(example):
    found = partition(example)
    clipped = found.clipped()
    assert isinstance(clipped, VariancePartition)
    for cell, part in found.parts.items():
        np.testing.assert_array_equal(clipped.parts[cell], [max(value, 0) for value in part])
    n_below = sum(found.n_negative.values())
    excess = sum(clipped.parts.values()).mean() - found.total.mean()
    assert f"{n_below} of 350 parts were below 0 and set to 0" in clipped.note
    assert f"parts add up to {excess:.4f} more than the score" in clipped.note
    assert str(clipped).endswith(clipped.note)
    assert found.note == ""
    assert min(part.min() for part in found.parts.values()) < 0
    np.testing.assert_array_equal(clipped.total, found.total)
    np.testing.assert_array_equal(clipped.unique_part("lm"), found.unique_part("lm"))


def test_a_voxel_without_one_score_has_no_part(example):
    scores = {cell: np.array(score) for cell, score in example.items()}
    scores["lm", "rate"][3] = np.nan
    scores[("position",)][5] = np.inf
    with pytest.warns(VoxscaleWarning, match="2 of 50 voxels lack the score of some union"):
        found = partition(scores)
    clean = partition(example)
    assert found.n_lost == 2
    kept = np.delete(np.arange(50), [3, 5])
    for cell, part in found.parts.items():
        np.testing.assert_array_equal(np.flatnonzero(np.isnan(part)), [3, 5])
        np.testing.assert_allclose(part[kept], clean.parts[cell][kept], atol=1e-15)
    for values in (found.total, found.unique_part("lm", "rate"), found.unique_share("lm")):
        assert np.isnan(values[[3, 5]]).all()
    assert "(2 without an answer)" in str(found)
    assert found.table[-1]["mean"] == pytest.approx(clean.total[kept].mean())
    assert np.isfinite(found.mean_unique_share("lm"))
    clipped = found.clipped()
    assert np.isfinite(clipped.table[0]["mean"])
    assert "of 336 parts" in clipped.note
    for part in clipped.parts.values():
        np.testing.assert_array_equal(np.flatnonzero(np.isnan(part)), [3, 5])


def test_the_share_beyond_the_baselines(example):
    found = partition(example)
    lm, rate, position = NAMES[:3]
    full, baselines = example[NAMES[:3]], example[rate, position]
    np.testing.assert_array_equal(found.unique_part(lm), full - baselines)
    np.testing.assert_array_equal(found.unique_part(lm, [position, rate]), full - baselines)
    np.testing.assert_allclose(found.unique_part(lm), found.part(lm), atol=1e-15)
    share = found.unique_share(lm)
    assert (full <= 0).any()
    np.testing.assert_array_equal(np.isnan(share), full <= 0)
    usable = full > 0
    np.testing.assert_allclose(share[usable], ((full - baselines) / full)[usable])
    assert found.mean_unique_share(lm) == pytest.approx(
        (full.mean() - baselines.mean()) / full.mean()
    )
    np.testing.assert_array_equal(found.unique_part([lm, position], rate), full - example[(rate,)])
    np.testing.assert_array_equal(found.unique_part(lm, rate), example[lm, rate] - example[(rate,)])
    assert found.mean_unique_share(lm, rate) == pytest.approx(
        1 - example[(rate,)].mean() / example[lm, rate].mean()
    )


def test_a_share_of_nothing_is_no_number():
    found = partition({"a": [0.1, 0.0], "b": [0.1, -0.3], ("a", "b"): [-0.1, 0.0]})
    assert np.isnan(found.unique_share("a")).all()
    assert np.isnan(found.mean_unique_share("a"))
    with pytest.warns(VoxscaleWarning, match="1 of 1 voxels"):
        lost = partition({"a": [0.1], "b": [np.nan], ("a", "b"): [0.2]})
    assert np.isnan(lost.mean_unique_share("a"))
    assert np.isnan(lost.table[0]["mean"])


def test_spaces_that_are_not_there(example):
    found = partition(example)
    with pytest.raises(ValueError, match=r"no feature space 'rat'; choose of lm, .*'rate'\?"):
        found.part("rat")
    with pytest.raises(ValueError, match="name one or more, each once"):
        found.part("lm", "lm")
    with pytest.raises(ValueError, match="name one or more, each once"):
        found.part()
    with pytest.raises(ValueError, match="lm is on both sides"):
        found.unique_part("lm", ["rate", "lm"])
    with pytest.raises(ValueError, match="name one or more, each once"):
        found.unique_part(NAMES[:3])


def test_one_space_and_five_are_refused():
    with pytest.raises(ValueError, match=r"there are 1 feature space\(s\) \(lm\); expected 2 to 4"):
        partition({"lm": [0.1]})
    with pytest.raises(ValueError, match="there are 0 feature"):
        partition({})
    five = {cell: [0.1] for cell in cells_of("abcde")}
    with pytest.raises(ValueError, match=r"there are 5 feature space\(s\) \(a, b, c, d, e\)"):
        partition(five)


def test_unions_that_are_missing_are_named(example):
    scores = dict(example)
    del scores["lm", "position"], scores[("rate",)]
    message = r"scores lack \('lm', 'position'\) and \('rate'\)|\('rate'\) and \('lm', 'position'\)"
    with pytest.raises(ValueError, match=message):
        partition(scores)


@pytest.mark.parametrize(
    ("extra", "error", "message"),
    [
        ({("lm", "lm"): [0.1] * 50}, ValueError, "names no space, or one twice"),
        ({(): [0.1] * 50}, ValueError, "names no space, or one twice"),
        ({("rate", "lm"): [0.1] * 50}, ValueError, r"\('rate', 'lm'\) comes twice"),
        ({"lm": [0.1] * 50}, ValueError, r"\('lm'\) comes twice"),
        ({("lm", 3): [0.1] * 50}, TypeError, "a feature space is called 3; expected a name"),
        ({3: [0.1] * 50}, TypeError, "a union of feature spaces is 3; expected a tuple"),
        ({("lm", "rate"): [0.1] * 49}, AlignmentError, r"50 voxels but .* has 49; expected"),
        (
            {("lm", "rate"): [[0.1] * 50]},
            ValueError,
            r"has shape \(1, 50\); expected \(n_voxels,\)",
        ),
        ({("lm", "rate"): ["high"] * 50}, TypeError, "expected real numbers"),
    ],
)
def test_scores_that_make_no_partition(example, extra, error, message):
    with pytest.raises(error, match=message):
        partition({**example, **extra})


@pytest.mark.parametrize("metric", ["r", "cc_norm"])
def test_correlations_are_not_partitioned(example, metric):
    with pytest.raises(ValueError, match="no share of variance, so that it has no parts"):
        partition(example, metric=metric)
    with pytest.raises(ValueError, match="metric 'r3' is unknown"):
        partition(example, metric="r3")


@settings(deadline=None)
@given(st.data(), st.integers(2, 4))
def test_a_unique_part_is_what_the_full_model_loses_without_the_space(data, n_spaces):
    names = NAMES[:n_spaces]
    elements = st.floats(-1, 1, width=32)
    scores = {
        cell: data.draw(arrays(np.float64, (4,), elements=elements)) for cell in cells_of(names)
    }
    found = partition(scores)
    for name in names:
        others = tuple(other for other in names if other != name)
        lost = scores[names] - scores[others]
        np.testing.assert_allclose(found.unique[name], lost, atol=1e-13)
        np.testing.assert_array_equal(found.unique_part(name), lost)
        clear = np.abs(lost) > 1e-12  # by more than rounding
        n_below = np.count_nonzero(lost[clear] < 0)
        assert n_below <= found.n_negative[(name,)] <= n_below + np.count_nonzero(~clear)
    clipped = found.clipped()
    assert set(clipped.n_negative.values()) == {0}
    for cell, part in found.parts.items():
        np.testing.assert_array_equal(clipped.parts[cell], np.maximum(part, 0.0))
    assert (np.sum(list(clipped.parts.values()), axis=0) >= found.total - 1e-13).all()
    assert f"{sum(found.n_negative.values())} of {4 * len(found.parts)} parts" in clipped.note
