"""Which runs a data set is tested on, where nobody says or somebody does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from voxscale.errors import DataError, did_you_mean

__all__ = ["chosen_tests"]


def chosen_tests(
    label: str, groups: Mapping[str, Sequence[Any]], named: tuple[str, ...] | None, last: str
) -> tuple[str, ...]:
    """Return the runs that are named or, by default, those heard more than once, or the last.

    Parameters
    ----------
    label : str
        For errors.
    groups : mapping of run to sequence of recordings
    named : tuple of str or None
    last : str
        Tested on where none, or each, was heard more than once, and there are others.

    Raises
    ------
    DataError
        If one that is named is not there.
    """
    if named is None:
        repeated = tuple(run for run, some in groups.items() if len(some) > 1)
        if 0 < len(repeated) < len(groups):
            return repeated
        return (last,) if len(groups) > 1 else ()
    for run in named:
        if run not in groups:
            msg = (
                f"{label}: test names {run!r}; expected one of {', '.join(groups)}"
                f"{did_you_mean(run, groups)}."
            )
            raise DataError(msg)
    return named
