"""Files of a large data set: which are here, and the one line that gets the others."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from voxscale.data._card import DatasetCard
from voxscale.data._files import FilePath, kind_of, present
from voxscale.errors import DataError

__all__ = ["check_fetched", "data_folder", "datalad_line"]


def datalad_line(root: Path, wanted: Iterable[str]) -> str:
    """Return the line of a shell that fetches files or folders of a clone.

    Examples
    --------
    >>> datalad_line(Path("ds003020"), ["derivative/TextGrids"])
    'datalad get -d ds003020 ds003020/derivative/TextGrids'
    """
    paths = " ".join(shlex.quote(str(root / one)) for one in wanted)
    return f"datalad get -d {shlex.quote(str(root))} {paths}"


def data_folder(
    root: FilePath | None,
    card: DatasetCard,
    accession: str,
    inside: Sequence[str],
    *,
    others: Sequence[str] = (),
) -> Path:
    """Find the folder of a data set: ``root`` itself, or its folder in it.

    Parameters
    ----------
    root : path-like or None
    card : DatasetCard
        Its name, and the line that clones it, are told in messages.
    accession : str
        Name of its folder, such as "ds003020".
    inside : sequence of str
        Folders of which it has one or more.
    others : sequence of str
        What else the folder may be called.

    Raises
    ------
    DataError
        If there is none.
    """
    if root is None:
        msg = (
            f"dataset {card.name!r} needs root=, the folder that holds {accession}; expected a "
            f"path; get it with: {card.fetch}"
        )
        raise DataError(msg)
    given = Path(root).expanduser()
    for folder in (given, *(given / one for one in (accession, *others))):
        if any(kind_of(folder / one)[1] == "folder" for one in inside):
            return folder
    expected = " or ".join(f"{one}/" for one in inside)
    msg = (
        f"{root} is not {accession}: it has no {expected}, nor has a folder {accession} in it; "
        f"expected a copy of the data set {card.name!r}; get one with: {card.fetch}"
    )
    raise DataError(msg)


def check_fetched(label: str, root: Path, files: Sequence[Path], wanted: Iterable[str]) -> None:
    """Check that files hold content; say of all that do not in one error.

    Parameters
    ----------
    label : str
        Data set and subject, for messages.
    root : Path
    files : sequence of Path
    wanted : iterable of str
        Files or folders that hold them, relative to ``root``, for the line that fetches them.

    Raises
    ------
    DataError
        If one or more are git-annex or Git LFS pointers or links without content, are empty, or
        are not there.
    """
    reasons = {}
    for file in files:
        try:
            present(file, folder=True)
        except DataError as error:
            reasons[file] = str(error)
    if not reasons:
        return
    first, reason = next(iter(reasons.items()))
    if not any("not fetched" in one for one in reasons.values()):
        raise DataError(reason)
    line = datalad_line(root, wanted)
    msg = (
        f"{label}: {len(reasons)} of {len(files)} files are not fetched (the first: "
        f"{first.relative_to(root) if first.is_relative_to(root) else first}); expected their "
        f"content; run: {line}"
    )
    raise DataError(msg)
