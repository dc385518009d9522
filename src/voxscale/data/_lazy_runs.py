"""Runs that are read when they are asked for."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TypeVar

from voxscale.errors import DataError, VoxscaleWarning, did_you_mean

__all__ = ["LazyRuns", "shared_runs"]

T = TypeVar("T")


class LazyRuns(Mapping[str, T]):
    """A mapping of run to what a function reads of it.

    Parameters
    ----------
    runs : iterable of str
    read : callable
        Takes the name of a run.
    keep : bool
        Read each run once and keep it: for words, which are small. Responses are read anew.
    """

    def __init__(
        self, runs: Iterable[str], read: Callable[[str], T], *, keep: bool = False
    ) -> None:
        self._runs = tuple(runs)
        self._known = frozenset(self._runs)
        self._read = read
        self._kept: dict[str, T] | None = {} if keep else None

    def __getitem__(self, run: str) -> T:
        if run not in self._known:
            raise KeyError(run)
        if self._kept is None:
            return self._read(run)
        if run not in self._kept:
            self._kept[run] = self._read(run)
        return self._kept[run]

    def __contains__(self, run: object) -> bool:
        return run in self._known  # without reading it

    def __iter__(self) -> Iterator[str]:
        return iter(self._runs)

    def __len__(self) -> int:
        return len(self._runs)

    def __repr__(self) -> str:
        return f"LazyRuns({len(self)} runs, read when asked for)"


def shared_runs(
    label: str,
    responses: Collection[str],
    words: Collection[str],
    *,
    expected: Collection[str] | None = None,
    asked: Collection[str] | None = None,
) -> tuple[str, ...]:
    """Return the runs that have both responses and words, sorted; the others are told, once.

    Parameters
    ----------
    label : str
        Data set and subject, for messages.
    responses, words : collection of str
        Runs that have them.
    expected : collection of str, optional
        Runs that this subject heard. Of runs that nobody expects, words alone are no news.
    asked : collection of str, optional
        Runs that the user named; each must have both.

    Raises
    ------
    DataError
        If none has both, or one that was asked for has not.

    Warns
    -----
    VoxscaleWarning
        If some lack one of the two; all are listed.
    """
    have, heard = set(responses), set(words)
    if asked is not None:
        absent = sorted(set(asked) - (have & heard))
        if absent:
            hint = did_you_mean(absent[0], have & heard)
            msg = (
                f"{label}: {_listed(absent)} asked for, without words or responses; expected "
                f"stories that have both: {_listed(sorted(have & heard)) or 'none'}{hint}."
            )
            raise DataError(msg)
        have, heard = have & set(asked), heard & set(asked)
    shared = tuple(sorted(have & heard))
    if not shared:
        msg = (
            f"{label}: no story has both words and responses (words: {len(heard)}, responses: "
            f"{len(have)}); expected the same names in both; fetch both, or mend the names."
        )
        raise DataError(msg)
    silent = sorted(have - heard)
    unheard = sorted((heard - have) & set(heard if expected is None else expected))
    if silent or unheard:
        told = [f"without words: {', '.join(silent)}"] if silent else []
        told += [f"without responses: {', '.join(unheard)}"] if unheard else []
        note = (
            f"{label}: responses of {len(have)} stories where words have {len(heard)}; "
            f"{len(shared)} have both and are used; left out, {'; '.join(told)}."
        )
        warnings.warn(note, VoxscaleWarning, stacklevel=2)
    return shared


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
