"""Kinds of rearrangement, each against one written out."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.signal import lfilter

from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.evaluate import _columns, correlation, permutation_test, r2
from voxscale.evaluate._nulls import NULLS, BlockOrders, CircularShifts, RandomPhases
from voxscale.evaluate._runs import block_rows

KINDS = ["circular-shift", "block", "phase"]


def smooth(rng, lengths, n_voxels, autocorrelation=0.7):
    """Return runs of stationary series, z-scored: autoregressive of order one."""
    runs = []
    for length in lengths:
        noise = rng.standard_normal((length + 50, n_voxels))
        series = lfilter([1.0], [1.0, -autocorrelation], noise, axis=0)[50:]
        runs.append((series - series.mean(axis=0)) / series.std(axis=0))
    return np.concatenate(runs)


def of_blocks(kind, block_trs):
    """Return the length of blocks where the kind has any."""
    return {"block_trs": block_trs} if kind == "block" else {}


def draw(kind, lengths, n_permutations, seed, block_trs=30, min_shift=1):
    rng = np.random.default_rng(seed)
    of_shifts = {"min_shift": min_shift} if kind == "circular-shift" else {}
    options = of_shifts | of_blocks(kind, block_trs)
    return NULLS[kind](tuple(lengths), n_permutations, rng, **options)


def rearranged(prediction, drawn, number):
    """Write out one rearrangement of a prediction, run by run."""
    runs = np.split(prediction, np.cumsum(drawn.lengths)[:-1])
    moved, used = [], 0
    for i, run in enumerate(runs):
        if isinstance(drawn, CircularShifts):
            moved.append(np.roll(run, drawn.shifts[number, i], axis=0))
        elif isinstance(drawn, BlockOrders):
            starts = range(0, len(run), drawn.block_trs)
            blocks = [run[start : start + drawn.block_trs] for start in starts]
            moved.append(np.concatenate([blocks[j] for j in drawn.orders[i][number]]))
        else:
            spectrum = np.fft.rfft(run, axis=0)
            phases = drawn.phases[number, used : used + len(spectrum)]
            used += len(spectrum)
            turned = spectrum * np.exp(1j * phases)[:, None]
            # Real: what irfft would drop is not there.
            assert np.abs(turned[0].imag).max() < 1e-9
            assert len(run) % 2 or np.abs(turned[-1].imag).max() < 1e-9
            moved.append(np.fft.irfft(turned, n=len(run), axis=0))
    return np.concatenate(moved)


def naive_null(Y, prediction, drawn, score=correlation):
    return np.stack([score(Y, rearranged(prediction, drawn, i)) for i in range(len(drawn))])


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    lengths=st.lists(st.integers(24, 47), min_size=1, max_size=3),
    block_trs=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_the_null_is_that_of_rearrangements_written_out(kind, lengths, block_trs, seed):
    rng = np.random.default_rng(seed)
    Y = 5 * smooth(rng, lengths, 3) + 3
    prediction = 0.2 * Y + smooth(rng, lengths, 3) + np.arange(sum(lengths))[:, None] / 20
    Y.flags.writeable = prediction.flags.writeable = False
    test = permutation_test(
        Y, prediction, kind=kind, n_permutations=9, run_lengths=lengths, seed=seed,
        **of_blocks(kind, block_trs),
    )  # fmt: skip
    drawn = draw(kind, lengths, 9, seed, block_trs)
    expected = naive_null(Y, prediction, drawn)
    np.testing.assert_allclose(test.null, expected, atol=1e-7)
    by_hand = [
        (1 + sum(null >= r - 1e-10)) / 10 for null, r in zip(expected.T, test.observed, strict=True)
    ]
    np.testing.assert_array_equal(test.p_values, by_hand)
    assert (test.shifts is not None) == (kind == "circular-shift")


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_rearrangement_keeps(rng, kind):
    lengths = (40, 53)
    prediction = smooth(rng, lengths, 4) + 2.0
    drawn = draw(kind, lengths, 5, seed=1, block_trs=9)
    for number in range(5):
        moved = rearranged(prediction, drawn, number)
        assert np.abs(moved - prediction).max() > 0.1
        for run, of_moved in zip(np.split(prediction, [40]), np.split(moved, [40]), strict=True):
            np.testing.assert_allclose(of_moved.mean(axis=0), run.mean(axis=0), atol=1e-12)
            # Voxels depend on each other as before: the same permutation for all.
            np.testing.assert_allclose(np.cov(of_moved.T), np.cov(run.T), atol=1e-12)
            if kind != "block":
                power, of_run = (np.abs(np.fft.rfft(one, axis=0)) for one in (of_moved, run))
                np.testing.assert_allclose(power, of_run, atol=1e-10)


def test_orders_are_different_and_never_the_true_one():
    drawn = draw("block", (20, 12), 143, seed=0, block_trs=5)  # 4! · 3! orders, less one
    [first, second] = drawn.orders
    found = {tuple(pair) for pair in np.concatenate([first, second], axis=1).tolist()}
    assert len(found) == 143
    assert (0, 1, 2, 3, 0, 1, 2) not in found
    assert (np.sort(first, axis=1) == np.arange(4)).all()
    assert (np.sort(second, axis=1) == np.arange(3)).all()


@pytest.mark.parametrize("n_blocks", [6, 24])  # 24! cannot be counted, 6! can
def test_orders_are_uniform(n_blocks):
    n_permutations = 700 if n_blocks == 6 else 6000
    drawn = draw("block", (3 * n_blocks,), n_permutations, seed=2, block_trs=3)
    [orders] = drawn.orders
    counts = np.array([np.bincount(place, minlength=n_blocks) for place in orders.T])
    expected = n_permutations / n_blocks
    chi2 = ((counts - expected) ** 2 / expected).sum()
    assert chi2 < stats.chi2.ppf(0.9999, (n_blocks - 1) ** 2)


def test_phases_are_uniform_but_where_a_line_must_stay_real():
    drawn = draw("phase", (8, 9), 4000, seed=3)
    of_even, of_odd = drawn.phases[:, :5], drawn.phases[:, 5:]
    assert (of_even[:, 0] == 0).all()
    assert (of_odd[:, 0] == 0).all()
    assert set(np.unique(of_even[:, -1])) == {0.0, np.pi}
    assert 0.45 < (of_even[:, -1] == 0).mean() < 0.55
    free = np.concatenate([of_even[:, 1:-1], of_odd[:, 1:]], axis=1)
    assert stats.kstest(free.ravel() / (2 * np.pi), "uniform").pvalue > 1e-3
    assert np.abs(np.corrcoef(np.cos(free.T))[np.triu_indices(7, 1)]).max() < 4 / math.sqrt(4000)


@pytest.mark.parametrize("seed", range(4))
def test_p_values_of_all_orders_are_those_of_scipy(seed):
    rng = np.random.default_rng(seed)
    Y = rng.standard_normal((6, 1))
    guess = 0.5 * Y + rng.standard_normal((6, 1))
    test = permutation_test(Y, guess, kind="block", block_trs=1, n_permutations=719)
    exact = stats.permutation_test(
        (guess[:, 0],), lambda x: np.corrcoef(x, Y[:, 0])[0, 1], permutation_type="pairings",
        n_resamples=np.inf, alternative="greater", vectorized=False,
    )  # fmt: skip
    np.testing.assert_allclose(test.p_values, exact.pvalue, rtol=1e-12)


def test_p_values_of_all_shifts_are_those_of_counting(rng):
    Y, guess = smooth(rng, [31], 20), smooth(rng, [31], 20)
    test = permutation_test(Y, guess, n_permutations=30)
    scores = np.stack([correlation(Y, np.roll(guess, shift, axis=0)) for shift in range(31)])
    np.testing.assert_allclose(test.p_values, (scores >= scores[0] - 1e-12).mean(axis=0))


@pytest.mark.parametrize("kind", KINDS)
def test_r2_is_that_of_rearrangements_written_out(rng, frozen, kind):
    lengths = (40, 35)
    Y = smooth(rng, lengths, 6) * np.arange(1, 7) + 4
    guess = 0.3 * Y + smooth(rng, lengths, 6) * np.array([0.1, 1, 2, 5, 10, 0]) - 1
    guess[:, 5] = 2.5  # constant: has an R², and all rearrangements are the same
    Y, guess = frozen(Y), frozen(guess)
    options = {"kind": kind, "run_lengths": lengths, "n_permutations": 40}
    options |= of_blocks(kind, 8)
    test = permutation_test(Y, guess, statistic="r2", **options)
    np.testing.assert_array_equal(test.observed, r2(Y, guess))
    expected = naive_null(Y, guess, draw(kind, lengths, 40, 0, 8), r2)
    np.testing.assert_allclose(test.null, expected, rtol=1e-6, atol=1e-6)
    with pytest.warns(VoxscaleWarning, match="1 of 6 voxels have no p-value .*: 1 constant"):
        same = permutation_test(Y, guess, **options).p_values
    np.testing.assert_array_equal(test.p_values[:5], same[:5])
    assert np.isnan(same[5])
    assert test.p_values[5] == 1


# Of 20,000 voxels, 0.0015 is one standard error of the share. Blocks hold where they are far
# longer than the autocorrelation lasts, and many: 0.063 with 20 TRs and 0.8 (see the docstring).
@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "lengths"),
    [
        ("circular-shift", (300,)), ("circular-shift", (250, 270)), ("phase", (300,)),
        ("phase", (250, 270)), ("block", (790,)), ("block", (390, 400)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("autocorrelation", [0.5, 0.8])
def test_one_voxel_in_twenty_is_called_significant_by_chance(rng, kind, lengths, autocorrelation):
    n_voxels = 20_000
    Y, guess = (smooth(rng, lengths, n_voxels, autocorrelation) for _ in range(2))
    options = {"kind": kind, "run_lengths": lengths} | of_blocks(kind, 60)
    test = permutation_test(Y, guess, n_permutations=299, **options)
    assert 0.04 <= np.mean(test.p_values <= 0.05) <= 0.06
    # What shuffled TRs would make of it.
    by_shuffling = np.mean(test.observed > 1.645 / math.sqrt(sum(lengths)))
    assert by_shuffling > (0.08 if autocorrelation == 0.5 else 0.2)


def test_short_blocks_find_too_much_as_the_docstring_warns(rng):
    Y, guess = smooth(rng, [300], 4000), smooth(rng, [300], 4000)
    test = permutation_test(Y, guess, kind="block", block_trs=3, n_permutations=199)
    assert np.mean(test.p_values <= 0.05) > 0.07


@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_relation_is_found(rng, kind):
    signal = smooth(rng, [300], 40)
    Y = 0.6 * signal + 0.8 * smooth(rng, [300], 40)
    test = permutation_test(Y, signal, kind=kind, n_permutations=200)
    assert np.mean(test.p_values == 1 / 201) > 0.9
    assert permutation_test(Y, -signal, kind=kind, n_permutations=200).p_values.min() > 0.9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.1])
@pytest.mark.parametrize("statistic", ["correlation", "r2"])
def test_a_voxel_without_a_score_is_nan_and_alone(rng, frozen, kind, bad, statistic):
    options = {"kind": kind, "n_permutations": 30, "statistic": statistic}
    options |= of_blocks(kind, 11)
    Y, guess = smooth(rng, [100], 5), smooth(rng, [100], 5)
    clean = permutation_test(Y, guess, **options)
    Y[slice(None) if np.isfinite(bad) else 7, 1] = bad
    if not np.isfinite(bad):
        guess[9, 3] = bad
    why = "1 of 5 .*: 1 constant" if np.isfinite(bad) else "2 of 5 .*: 2 not finite"
    with pytest.warns(VoxscaleWarning, match=why) as told:
        test = permutation_test(frozen(Y), frozen(guess), **options)
    assert [one.filename for one in told] == [__file__]
    lost = [False, True, False, not np.isfinite(bad), False]
    for answer in (test.observed, test.p_values, test.null.sum(axis=0), test.threshold(0.1)):
        np.testing.assert_array_equal(np.isnan(answer), lost)
    kept = ~np.array(lost)
    np.testing.assert_allclose(test.null[:, kept], clean.null[:, kept], atol=1e-6)
    np.testing.assert_array_equal(test.p_values[kept], clean.p_values[kept])


@pytest.mark.parametrize("kind", KINDS)
def test_the_size_of_blocks_of_voxels_and_the_dtype_change_nothing(rng, kind, monkeypatch):
    Y, guess = (smooth(rng, [40, 61], 7).astype(np.float32) for _ in range(2))
    options = {"kind": kind, "n_permutations": 40, "run_lengths": [40, 61]}
    options |= of_blocks(kind, 9)
    whole = permutation_test(Y, guess, **options)
    exact = permutation_test(Y.astype(np.float64), guess.astype(np.float64), **options)
    np.testing.assert_array_equal(whole.null, exact.null)
    monkeypatch.setattr(_columns, "BLOCK_BYTES", 1)
    single = permutation_test(Y, guess, **options)
    np.testing.assert_allclose(single.null, whole.null, atol=1e-7)
    np.testing.assert_array_equal(single.p_values, whole.p_values)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides(rng, kind):
    Y, guess = smooth(rng, [200], 3), smooth(rng, [200], 3)
    first, again, other = (
        permutation_test(Y, guess, kind=kind, n_permutations=20, seed=seed).null
        for seed in (3, np.random.default_rng(3), 4)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_few_orders_are_each_used_once_and_said(rng):
    Y, guess = smooth(rng, [61], 3), smooth(rng, [61], 3)
    match = r"only 5 different orders exist of blocks of 30 TRs in runs of \[61\] TRs, fewer than"
    with pytest.warns(VoxscaleWarning, match=match) as told:
        test = permutation_test(Y, guess, kind="block")
    assert told[0].filename == __file__
    assert test.n_permutations == 5
    assert test.null.shape == (5, 3)


def test_runs_that_are_too_short_are_refused():
    Y = np.zeros((80, 1))
    with pytest.raises(
        ValueError, match=r"a run of 35 TRs is too short for blocks of 20 TRs; .*40"
    ):
        permutation_test(Y, Y, kind="block", run_lengths=[45, 35], block_trs=20)
    with pytest.raises(ValueError, match="block_trs is 0; expected at least 1 TR"):
        permutation_test(Y, Y, kind="block", block_trs=0)
    with pytest.raises(TypeError):
        permutation_test(Y, Y, kind="block", block_trs=2.5)
    with pytest.raises(
        ValueError, match="a run of 2 TRs has no phase to draw; expected at least 3"
    ):
        permutation_test(Y, Y, kind="phase", run_lengths=[78, 2])
    for kind in KINDS:
        with pytest.raises(AlignmentError, match=r"\[20, 61\], 81 TRs in all, but Y has 80"):
            permutation_test(Y, Y, kind=kind, run_lengths=[20, 61])


@given(st.lists(st.integers(5, 90), min_size=1, max_size=4), st.integers(1, 5))
def test_blocks_cover_each_run_in_nearly_equal_parts(lengths, block_trs):
    blocks = block_rows(lengths, block_trs)
    rows = np.concatenate([np.arange(block.start, block.stop) for block in blocks])
    np.testing.assert_array_equal(rows, np.arange(sum(lengths)))
    assert set(np.cumsum(lengths)) <= {block.stop for block in blocks}
    for start, stop in zip(np.cumsum([0, *lengths]), np.cumsum(lengths), strict=False):
        sizes = [b.stop - b.start for b in blocks if start <= b.start < stop]
        assert min(sizes) >= block_trs
        assert max(sizes) - min(sizes) <= 1
        assert len(sizes) == (stop - start) // block_trs


@pytest.mark.parametrize("kind", KINDS)
def test_an_option_of_another_kind_is_refused(kind):
    Y = np.zeros((80, 1))
    for name, having in (("min_shift", "circular-shift"), ("block_trs", "block")):
        if kind != having:
            match = f"{name} is 7, but kind '{kind}' has no such option .*or choose kind '{having}'"
            with pytest.raises(ValueError, match=match):
                permutation_test(Y, Y, kind=kind, **{name: 7})


def test_a_voxel_without_any_prediction_is_not_counted_again(rng):
    Y, guess = smooth(rng, [100], 4), smooth(rng, [100], 4)
    guess[:, 1] = np.nan  # as a fit leaves it that has counted this voxel
    test = permutation_test(Y, guess, n_permutations=20)  # warnings are errors
    np.testing.assert_array_equal(np.isnan(test.p_values), [False, True, False, False])
    guess[:, 2] = 0.1
    with pytest.warns(VoxscaleWarning, match="1 of 4 voxels have no p-value .*: 1 constant"):
        permutation_test(Y, guess, n_permutations=20)


def test_kinds_are_what_the_table_says():
    for kind, made in zip(KINDS, (CircularShifts, BlockOrders, RandomPhases), strict=True):
        assert isinstance(draw(kind, (61,), 3, 0), made)
