"""Data sets and feature extractors, found by name through entry points.

A package adds a row of its own in its ``pyproject.toml``::

    [project.entry-points."voxscale.datasets"]
    mystories = "mypackage.mystories"

The built-in ones are registered in the same way.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from voxscale.errors import DataError, did_you_mean

__all__ = ["find", "names", "register"]

_registered: dict[str, dict[str, Any]] = {"datasets": {}, "extractors": {}}


def register(kind: str, name: str, plugin: Any) -> None:
    """Add a plugin for this process alone, for instance a data set made in a notebook.

    Parameters
    ----------
    kind : {"datasets", "extractors"}
    name : str
    plugin : object
        What an entry point of that kind would load.
    """
    _registered[kind][name] = plugin


def names(kind: str) -> list[str]:
    """List what is installed or registered, sorted."""
    installed = {entry.name for entry in entry_points(group=f"voxscale.{kind}")}
    return sorted(installed | set(_registered[kind]))


def find(kind: str, name: str) -> Any:
    """Load one plugin.

    Raises
    ------
    DataError
        If no plugin has that name (the message lists those that exist), or it cannot be
        imported.
    """
    if name in _registered[kind]:
        return _registered[kind][name]
    for entry in entry_points(group=f"voxscale.{kind}"):
        if entry.name == name:
            return _imported(kind, entry)
    known = names(kind)
    hint = did_you_mean(name, known)
    msg = f"{kind[:-1]} {name!r} is unknown; choose one of {', '.join(known)}{hint}."
    raise DataError(msg)


def _imported(kind: str, entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        msg = (
            f"{kind[:-1]} {entry.name!r} cannot be imported from {entry.value!r} ({error}); "
            "expected an installed module and a name in it; install what it needs, or mend the "
            f"entry point 'voxscale.{kind}' of its package."
        )
        raise DataError(msg) from error
