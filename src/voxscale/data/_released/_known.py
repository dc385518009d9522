"""What voxscale builds of what a pickle names: tables, and nothing is ever looked up elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from voxscale.data._released import _frames as frames
from voxscale.data._released._arrays import FoundArray, as_shape, object_array, scalar_of
from voxscale.data._released._dtypes import as_bytes, dtype_begun, dtype_built
from voxscale.data._released._keys import checked_key
from voxscale.data._released._values import Begun, Blob, Global, Name, StandIn, refuse

__all__ = ["BUILDERS", "CALLS", "CLASSES", "NOT_A_CLASS", "known_as"]

NOT_A_CLASS = "a class of numpy's, of pandas' tables, or a TextGrid, Tier, TRFile or DataSequence"
_STAND_INS = frozenset({"TextGrid", "Tier", "TRFile", "DataSequence"})
_NDARRAY = ("numpy", "ndarray")
_WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")
_OLD_WRAPPERS = ("NDArrayWrapper", "ZNDArrayWrapper")
_FACTORIES = frozenset({"list", "dict", "set", "int", "float", "str", "tuple"})
_ARRAY_CLASSES = {
    _NDARRAY: _NDARRAY,
    ("numpy._core.multiarray", "ndarray"): _NDARRAY,
    ("numpy", "memmap"): _NDARRAY,
    ("numpy._core.memmap", "memmap"): _NDARRAY,
    ("numpy", "matrix"): _NDARRAY,
    ("numpy.matrixlib.defmatrix", "matrix"): _NDARRAY,
}
_OLD_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}
_ITEM_BYTES = 100  # held for an entry of a set or dict; what is built twice counts twice
_LONGEST_RANGE = 10_000_000  # whoever lists it must hold it
_OLD_JOBLIB = "sklearn.externals."
_TEXT_OF_BYTES = ("latin1", "latin-1", "iso-8859-1")


def known_as(module: str, name: str) -> Name | None:
    """Return the name in the table of what a file names; None where it is not known."""
    if name in _STAND_INS:
        return ("*", name)
    module = _OLD_MODULES.get(module, module).removeprefix(_OLD_JOBLIB)
    if module == "numpy.core" or module.startswith("numpy.core."):
        module = "numpy._core" + module.removeprefix("numpy.core")
    if module.startswith("joblib.numpy_pickle") and name in _OLD_WRAPPERS:
        refuse(
            "the file is of joblib before 0.10, with its arrays in files of their own",
            "arrays in the same file",
            "load and dump it with a newer joblib where it is trusted",
        )
    known = (module, name)
    known = _ARRAY_CLASSES.get(known, frames.ALIASES.get(known, known))
    return known if known in CALLS or known in CLASSES or known in _WORDS else None


def _array_begun(machine: Any, cls: Any, shape: Any, code: Any) -> Begun:
    if not isinstance(cls, Global) or cls.known != _NDARRAY:
        refuse(f"an array of the class {getattr(cls, 'name', '?')}", "an array of numpy")
    return Begun(_NDARRAY)


def _array_built(machine: Any, begun: Begun, state: Any) -> FoundArray:
    _, shape, dtype, is_f, raw = state
    return _given(machine, raw, dtype, shape, "F" if is_f is True else "C", begun)


def _array_of_buffer(machine: Any, raw: Any, dtype: Any, shape: Any, order: Any) -> FoundArray:
    return _given(machine, raw, dtype, shape, order, None)


def _given(
    machine: Any, raw: Any, dtype: Any, shape: Any, order: Any, begun: Begun | None
) -> FoundArray:
    """Return an array whose bytes, or objects, were given."""
    dtype, shape, order = _layout(dtype, shape, order)
    if not isinstance(raw, Blob):
        machine.source.budget.take(math.prod(shape) * dtype.itemsize)  # of each use of the bytes
    if dtype.hasobject:
        held: Any = object_array(raw, shape, order)
    else:
        raw = as_bytes(raw)
        if not isinstance(raw, bytes | bytearray | Blob):
            refuse("an array whose numbers are no bytes", "bytes")
        held = raw if isinstance(raw, Blob) else np.frombuffer(bytes(raw), np.uint8)
    return FoundArray(machine.source, machine.next_number(), dtype, shape, order, held, begun)


def _layout(dtype: Any, shape: Any, order: Any) -> tuple[Any, tuple[int, ...], str]:
    if not isinstance(dtype, np.dtype):
        refuse("an array without a type", "a type of numbers or text")
    if order not in ("C", "F"):
        refuse("an array in no order", "'C' or 'F'")
    return dtype, as_shape(shape, dtype), order


def _wrapper_built(machine: Any, begun: Begun, state: Any) -> FoundArray:
    """Find the array that joblib put behind its wrapper: padding first, then its bytes."""
    from voxscale.data._released._machine import Nested

    if type(state) is not dict:
        refuse("an array of joblib's without its state", "a table")
    cls = state.get("subclass")
    if not isinstance(cls, Global) or cls.known != _NDARRAY:
        name = getattr(cls, "name", type(cls).__name__)
        refuse(f"an array of the class {name}", "an array of numpy")
    if isinstance(state.get("dtype"), np.dtype) and state["dtype"].hasobject:
        raise Nested
    layout = _layout(state.get("dtype"), state.get("shape"), state.get("order"))
    if state.get("numpy_array_alignment_bytes") is not None:
        machine.source.exactly(machine.source.exactly(1)[0])
    return FoundArray(machine.source, machine.next_number(), *layout, begun=begun)


def _dtype_built(machine: Any, begun: Begun, state: Any) -> Any:
    names = state[3] if isinstance(state, tuple) and len(state) > 3 else None
    if isinstance(names, tuple):
        machine.source.budget.take(5 * _ITEM_BYTES * len(names))
    return dtype_built(begun.parts[0], state)


def _encoded(machine: Any, text: Any, encoding: Any = "latin1") -> Any:
    """Return the bytes that a protocol without bytes writes as text."""
    if encoding not in _TEXT_OF_BYTES:
        refuse("bytes as text in another encoding", "latin1")
    if isinstance(text, Blob):
        return Blob(text.n_letters, text.n_letters)
    if not isinstance(text, str):
        refuse("bytes of what is no text", "text")
    machine.source.budget.take(len(text))
    return text.encode("latin-1")


def _bytes(machine: Any, *args: Any) -> bytes:
    if args and not (len(args) == 1 and isinstance(args[0], bytes | bytearray)):
        refuse("bytes of what is none", "bytes")
    machine.source.budget.take(len(args[0]) if args else 0)
    return bytes(args[0]) if args else b""


def _bytearray(machine: Any, *args: Any) -> Any:
    if not args:
        return bytearray()
    if isinstance(args[0], str):
        return bytearray(_encoded(machine, *args))
    if len(args) != 1 or not isinstance(args[0], bytes | bytearray | Blob):
        refuse("bytes of what is none", "bytes")
    if isinstance(args[0], Blob):
        return args[0]
    machine.source.budget.take(len(args[0]))
    return bytearray(args[0])


def _set_of(kind: Callable[[Any], Any]) -> Callable[..., Any]:
    def made(machine: Any, items: Any = ()) -> Any:
        if not isinstance(items, list | tuple):
            refuse("a set of what is no list", "a list")
        machine.source.budget.take(_ITEM_BYTES * len(items))
        return kind([checked_key(machine, one) for one in items])

    return made


def _dict_of(machine: Any, items: Any = ()) -> dict[Any, Any]:
    """Return an OrderedDict as a dict, which keeps its order too."""
    if not isinstance(items, list | tuple):
        refuse("a dict of what is no list", "pairs")
    machine.source.budget.take(_ITEM_BYTES * len(items))
    return {checked_key(machine, key): value for key, value in items}


def _default_dict(machine: Any, factory: Any = None) -> dict[Any, Any]:
    """Return a defaultdict as a dict: what is not there is not made up."""
    if factory is not None and not (
        isinstance(factory, Global)
        and factory.known[0] == "builtins"
        and factory.known[1] in _FACTORIES
    ):
        name = getattr(factory, "name", type(factory).__name__)
        refuse(f"a defaultdict of {name}", "one of list, dict, set, int, float or str")
    return {}


def _whole(kind: Callable[..., Any]) -> Callable[..., Any]:
    """Make a range or slice of whole numbers and None."""

    def made(machine: Any, *args: Any) -> Any:
        if not all(one is None or type(one) is int for one in args):
            refuse(f"a {kind.__name__} of what are no whole numbers", "whole numbers")
        found = kind(*args)
        if isinstance(found, range) and len(found[: _LONGEST_RANGE + 1]) > _LONGEST_RANGE:
            refuse(f"a range of more than {_LONGEST_RANGE} numbers", "a shorter one")
        return found

    return made


def _complex(machine: Any, real: Any, imaginary: Any) -> complex:
    if type(real) is not float or type(imaginary) is not float:
        refuse("a complex number of what are none", "two numbers")
    return complex(real, imaginary)


def _reconstructed(machine: Any, cls: Any, base: Any, state: Any) -> Any:
    """Begin an object as protocols 0 and 1 do."""
    if not isinstance(base, Global) or base.known != ("builtins", "object") or state is not None:
        refuse("an object that is made of another", "one whose state follows")
    made = machine.new(cls, ())
    if not isinstance(made, StandIn | Begun):
        refuse("an object of no class", NOT_A_CLASS)
    return made


CALLS: dict[Name, Callable[..., Any]] = {
    ("numpy._core.multiarray", "_reconstruct"): _array_begun,
    ("numpy._core.multiarray", "scalar"): lambda machine, dtype, raw: scalar_of(
        machine.source, dtype, as_bytes(raw)
    ),
    ("numpy._core.numeric", "_frombuffer"): _array_of_buffer,
    ("numpy", "dtype"): lambda machine, *args: dtype_begun(*args),
    ("_codecs", "encode"): _encoded,
    ("builtins", "bytes"): _bytes,
    ("builtins", "bytearray"): _bytearray,
    ("builtins", "set"): _set_of(set),
    ("builtins", "frozenset"): _set_of(frozenset),
    ("builtins", "complex"): _complex,
    ("builtins", "range"): _whole(range),
    ("builtins", "xrange"): _whole(range),
    ("builtins", "slice"): _whole(slice),
    ("collections", "OrderedDict"): _dict_of,
    ("collections", "defaultdict"): _default_dict,
    ("copyreg", "_reconstructor"): _reconstructed,
    **frames.CALLS,
}
BUILDERS: dict[Name, Callable[..., Any]] = {
    _NDARRAY: _array_built,
    ("numpy", "dtype"): _dtype_built,
    _WRAPPER: _wrapper_built,
    **frames.BUILDERS,
}
CLASSES: frozenset[Name] = frozenset(
    {_WRAPPER, *frames.BUILDERS, *(("*", name) for name in _STAND_INS)}
)
# Named in passing, as what an array or a defaultdict is of.
_WORDS: frozenset[Name] = frozenset(
    {_NDARRAY, ("builtins", "object"), *(("builtins", name) for name in _FACTORIES), *frames.WORDS}
)
