import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxscale.store import hash_array, hash_file, key_of

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner,
                                                                max_size=3),
    max_leaves=8,
)  # fmt: skip
fields = st.dictionaries(st.text(max_size=4), plain, max_size=5)


def backwards(value):
    if isinstance(value, dict):
        return {name: backwards(value[name]) for name in reversed(list(value))}
    return tuple(map(backwards, value)) if isinstance(value, list) else value


@given(fields)
def test_order_of_fields_and_tuples_do_not_matter(given_fields):
    assert key_of(given_fields) == key_of(backwards(given_fields))


@given(fields, fields)
def test_different_fields_have_different_keys(one, other):
    # Python takes 1, 1.0 and True for equal; JSON does not.
    if repr(one) != repr(other) and one != other:
        assert key_of(one) != key_of(other)


def test_key_is_the_hash_of_canonical_json():
    text = b'{"a":[1,2.5,null,true],"b":{"\\u00e9":"x"}}'
    assert (
        key_of({"b": {"é": "x"}, "a": (1, 2.5, None, True)})
        == (hashlib.sha256(text).hexdigest()[:32])
    )


def test_key_is_the_same_in_another_process():
    code = (
        "from voxscale.store import key_of;"
        "print(key_of({'layers': {'b': 1, 'a': (1, 2)}, 'set': sorted({'x', 'y', 'z'})}))"
    )
    keys = set()
    for seed in ("0", "1", "4711"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        )
        keys.add(done.stdout.strip())
    assert keys == {key_of({"set": ["x", "y", "z"], "layers": {"a": [1, 2], "b": 1}})}


def test_numpy_numbers_are_numbers():
    given_fields = {"n": np.int64(3), "x": np.float64(0.5), "is": np.bool_(True), "s": np.str_("a")}
    assert key_of(given_fields) == key_of({"n": 3, "x": 0.5, "is": True, "s": "a"})


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (np.zeros(2), r"fields\.a is of type ndarray; .* hash_array"),
        ({1, 2}, r"fields\.a is of type set"),
        (b"x", r"fields\.a is of type bytes"),
        (1j, r"fields\.a is of type complex"),
        ([{"b": object()}], r"fields\.a\[0\]\.b is of type object"),
        ({1: 2}, r"fields\.a has the name 1; expected text"),
    ],
)
def test_other_types_are_refused(value, match):
    with pytest.raises(TypeError, match=match):
        key_of({"a": value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("-inf")])
def test_numbers_that_are_none_are_refused(value):
    with pytest.raises(ValueError, match=r"fields\.alpha is .*; expected a finite number"):
        key_of({"alpha": value})


def test_array_hash_is_of_type_shape_and_numbers(rng, frozen):
    array = frozen(rng.standard_normal((5, 7)).astype(np.float32))
    assert hash_array(array) == hash_array(array.copy())
    assert hash_array(array) == hash_array(np.asfortranarray(array))
    changed = array.copy()
    changed[4, 6] = np.nextafter(changed[4, 6], np.float32(9))
    others = [array.T, array.astype(np.float64), array.ravel(), array[:-1], changed]
    assert len({hash_array(one) for one in [array, *others]}) == 6


def test_large_arrays_are_hashed_by_blocks(rng, tmp_path, frozen):
    array = frozen(rng.integers(0, 255, size=(9, 1 << 20), dtype=np.uint8))
    np.save(tmp_path / "a.npy", array)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    whole = hashlib.sha256(b"|u1(9, 1048576);" + array.tobytes()).hexdigest()[:32]
    assert hash_array(mapped) == hash_array(array) == whole
    assert hash_array(array[:, ::2]) == hash_array(array[:, ::2].copy())


def test_the_shape_is_part_of_the_hash():
    assert hash_array(3.0) != hash_array([3.0])
    assert hash_array(np.empty((0, 3))) != hash_array(np.empty((3, 0)))


def test_arrays_of_objects_are_refused():
    with pytest.raises(TypeError, match="dtype object holds Python objects"):
        hash_array(np.array([{}], dtype=object))


def test_file_hash_is_what_sha256sum_says(tmp_path):
    content = b"voxel" * 1_000_000
    (tmp_path / "f").write_bytes(content)
    assert hash_file(tmp_path / "f") == hashlib.sha256(content).hexdigest()
