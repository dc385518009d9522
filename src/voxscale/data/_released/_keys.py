"""Keys of dicts and members of sets: only those that are told from others in little time."""

from __future__ import annotations

from typing import Any

import numpy as np

from voxscale.data._released._values import refuse

__all__ = ["checked_key", "filled"]

_MOST_IN_KEY = 100
_MOST_TUPLE_KEYS = 20_000  # whoever writes them can choose their places in a table
_WIDEST_KEY = 64  # bits; of longer ones, as many as one likes share a place in a table
_SCALARS = (str, bytes, float, bool, type(None))


def checked_key(machine: Any, value: Any) -> Any:
    """Check that a key is quickly told from others: a short one, whose hash is not chosen."""
    waiting, n_seen = [value], 0
    while waiting:
        one, n_seen = waiting.pop(), n_seen + 1
        if n_seen > _MOST_IN_KEY:
            refuse("a key of too many parts", f"at most {_MOST_IN_KEY}")
        if type(one) is tuple:
            machine.tally.n_tuple_keys += 1
            if machine.tally.n_tuple_keys > _MOST_TUPLE_KEYS:
                refuse("a great many keys that are tuples", f"at most {_MOST_TUPLE_KEYS}")
            waiting.extend(one[: _MOST_IN_KEY + 1])
        elif type(one) is int and one.bit_length() > _WIDEST_KEY:
            refuse(f"a key of {one.bit_length()} bits", f"at most {_WIDEST_KEY}")
        elif not isinstance(one, (*_SCALARS, int)) and not _is_number(one):
            kind = getattr(one, "name", type(one).__name__)
            refuse(f"a key that is a {kind}", "text, a number, or a tuple of these")
    return value


def _is_number(value: Any) -> bool:
    """Tell whether it is one of numpy's; of complex numbers and times, hashes can be chosen."""
    return isinstance(value, np.generic) and value.dtype.kind in "biuf"


def filled(machine: Any, target: Any, items: list[Any]) -> None:
    if type(target) is not dict or len(items) % 2:
        refuse(f"keys and values for a {type(target).__name__}", "a dict, and pairs")
    for place in range(0, len(items), 2):
        target[checked_key(machine, items[place])] = items[place + 1]
