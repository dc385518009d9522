"""Data sets by name: which there are, what is known of them, and one subject of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from voxscale import plugins
from voxscale.data._card import DatasetCard
from voxscale.data._dataset import Dataset, check_subject
from voxscale.data._dataset_file import dataset_name, find_dataset
from voxscale.data._files import FilePath, kind_of
from voxscale.errors import DataError

__all__ = ["dataset_card", "dataset_subjects", "datasets", "load"]


def datasets() -> list[str]:
    """List the names of the data sets that `load` knows.

    Examples
    --------
    >>> "demo" in datasets()
    True
    """
    return plugins.names("datasets")


def dataset_card(name: FilePath) -> DatasetCard:
    """Return what is known of a data set: licence, citation, size, faults.

    Parameters
    ----------
    name : str or path-like
        As for :func:`load`.

    Returns
    -------
    DatasetCard
        Print it to read it.

    Raises
    ------
    DataError
        If the data set is unknown, or has no card: its plugin then has no ``CARD``.
    """
    card = getattr(find_dataset(name), "CARD", None)
    if not isinstance(card, DatasetCard):
        msg = (
            f"dataset {dataset_name(name)!r} has no card; expected CARD, a DatasetCard; ask who "
            "made the data set for its licence and citation."
        )
        raise DataError(msg)
    return card


def dataset_subjects(name: FilePath, root: FilePath | None = None) -> tuple[str, ...]:
    """List the subjects of a data set.

    Parameters
    ----------
    name : str or path-like
        As for :func:`load`.
    root : path-like, optional
        Folder that holds the files. Where a plugin has a function ``subjects(root)``, as `bids`
        has, it looks there; others know their subjects and name them in ``SUBJECTS``.

    Raises
    ------
    DataError
        If the data set is unknown or has no subjects.
    """
    return _subjects(find_dataset(name), dataset_name(name), root)


def _subjects(plugin: Any, name: str, root: FilePath | None) -> tuple[str, ...]:
    found = getattr(plugin, "subjects", None)
    if callable(found):
        subjects = tuple(found(_folder(name, root)))
        if not subjects:
            msg = (
                f"dataset {name!r}: {str(root)!r} has recordings of no subject; expected folders "
                "sub-…; fetch them first, or pass root= another folder."
            )
            raise DataError(msg)
    else:
        subjects = tuple(getattr(plugin, "SUBJECTS", ()))
    if not subjects or not callable(getattr(plugin, "load", None)):
        msg = (
            f"dataset {name!r} is not one: {plugin!r} lacks SUBJECTS or load; expected "
            "SUBJECTS, a tuple of str, and load(subject, root); mend the plugin."
        )
        raise DataError(msg)
    return subjects


def _folder(name: str, root: FilePath | None) -> Path | None:
    folder, kind = (None, "folder") if root is None else kind_of(root)
    if kind != "folder":
        msg = (
            f"root is {str(folder)!r}, which is not a folder; expected where {name!r} lies; "
            "fetch the files there first, or pass root= the folder that holds them."
        )
        raise DataError(msg)
    return folder


def load(name: FilePath, subject: str | None = None, root: FilePath | None = None) -> Dataset:
    """Load one subject of a data set.

    Parameters
    ----------
    name : str or path-like
        One of `datasets`, or a Python file with ``SUBJECTS`` and ``load(subject, root)``, such as
        "studies/mystories.py", which is run once in a process.
    subject : str, optional
        By default the first subject of the data set.
    root : path-like, optional
        Folder that holds the files, for data sets that are not made up. The subjects of some
        data sets are those that it holds; see :func:`dataset_subjects`.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If the data set or the subject is unknown (the message lists those that exist), the
        folder is missing, or the data set's files cannot be read; or if a Python file is missing
        or raises an error, which is told with its line.
    """
    plugin = find_dataset(name)
    name = dataset_name(name)
    subjects = _subjects(plugin, name, root)
    subject = subjects[0] if subject is None else subject
    check_subject(name, subject, subjects)
    folder = _folder(name, root)
    loaded: Any = plugin.load(subject, folder)
    if not isinstance(loaded, Dataset):
        msg = (
            f"dataset {name!r} gave a {type(loaded).__name__}; expected a Dataset; mend the plugin."
        )
        raise DataError(msg)
    return loaded
