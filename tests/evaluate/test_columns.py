import numpy as np
import pytest

from voxscale.errors import AlignmentError
from voxscale.evaluate import _columns
from voxscale.evaluate._columns import as_numbers, center, paired, unit_columns, voxel_blocks


@pytest.mark.parametrize("n_voxels", [0, 1, 7, 8, 9])
def test_blocks_cover_every_voxel_once(monkeypatch, n_voxels):
    monkeypatch.setattr(_columns, "BLOCK_BYTES", 8 * 10 * 4)
    blocks = list(voxel_blocks(n_voxels, 10))
    assert all(block.stop - block.start <= 4 for block in blocks)
    covered = [voxel for block in blocks for voxel in range(n_voxels)[block]]
    assert covered == list(range(n_voxels))


def test_a_voxel_larger_than_a_block_is_a_block(monkeypatch):
    monkeypatch.setattr(_columns, "BLOCK_BYTES", 8)
    assert list(voxel_blocks(2, 1000)) == [slice(0, 1), slice(1, 2)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e4 / 3, -1e-30])
@pytest.mark.parametrize("n_trs", [2, 12, 300, 33_000])
def test_a_repeated_number_is_constant(dtype, value, n_trs):
    _, varies = unit_columns(np.full((n_trs, 3), value, dtype=dtype))
    assert not varies.any()


@pytest.mark.parametrize("n_trs", [4, 300, 33_000])
def test_what_differs_by_rounding_alone_is_constant(n_trs):
    column = np.tile([0.1 + 0.2, 0.3], n_trs // 2)
    assert np.ptp(column) > 0
    _, varies = unit_columns(np.stack([column, column, column], axis=1))
    assert not varies.any()


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e-20, 1.0, 1e200, 1e308])
def test_a_column_of_any_size_varies(rng, scale):
    unit, varies = unit_columns(scale * rng.uniform(-1, 1, (20, 2)))
    assert varies.all()
    np.testing.assert_allclose(np.sum(unit**2, axis=0), 1, rtol=1e-12)
    np.testing.assert_allclose(unit.sum(axis=0), 0, atol=1e-12)


def test_a_large_offset_costs_no_digits(rng):
    exact = np.round(rng.standard_normal((33_000, 2)) * 1024) / 1024  # survives the offset
    unit, varies = unit_columns(exact + 7e11 / 3)
    assert varies.all()
    np.testing.assert_allclose(unit.sum(axis=0), 0, atol=1e-9)
    product = np.sum(unit * unit_columns(exact)[0], axis=0)
    np.testing.assert_allclose(product, 1, atol=1e-9)


def test_center_gives_back_the_numbers_it_was_given(rng, frozen):
    block = frozen(rng.standard_normal((30, 4)) * [1, 1e6, 1e-6, 1] + [0, 5e6, 0, 100])
    centered, size, varies = center(block)
    assert varies.all()
    np.testing.assert_allclose(centered * size, block - block.mean(axis=0), atol=1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_only_a_column_that_is_not_finite_is_undefined(rng, bad):
    block = rng.standard_normal((10, 3))
    block[4, 1] = bad
    centered, size, varies = center(block)
    assert list(varies) == [True, False, True]
    assert np.isnan(size[1])
    assert not centered[:, 1].any()


def test_numbers_are_not_copied_and_the_rest_is_refused(rng):
    values = rng.standard_normal((3, 2))
    assert as_numbers(values, "Y") is values
    with pytest.raises(TypeError, match="Y has dtype complex128; expected real numbers"):
        as_numbers(values * 1j, "Y")
    with pytest.raises(TypeError, match="Y_pred has dtype <U3"):
        as_numbers([["abc"]], "Y_pred")


def test_paired_says_both_shapes():
    with pytest.raises(AlignmentError, match=r"Y has shape \(5, 2\) but Y_pred has shape \(4, 2\)"):
        paired(np.ones((5, 2)), np.ones((4, 2)))
    with pytest.raises(AlignmentError, match=r"\(5,\) but Y_pred has shape \(5, 1\)"):
        paired(np.ones(5), np.ones((5, 1)))
    with pytest.raises(ValueError, match=r"Y has shape \(2, 3, 4\); expected \(n_trs, n_voxels\)"):
        paired(np.ones((2, 3, 4)), np.ones((2, 3, 4)))
    with pytest.raises(ValueError, match="expected at least 2 TRs"):
        paired(np.ones((1, 4)), np.ones((1, 4)))
