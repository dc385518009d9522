"""Fetch through datalad or openneuro-py, where these are installed."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from voxscale.data._annex_keys import files_below
from voxscale.data._download import Fetched
from voxscale.data._fetch import FetchSummary, one_fetch
from voxscale.data._fetch_plan import plan_fetch
from voxscale.data._fetch_record import FetchRecord
from voxscale.data._fetch_source import is_clone, remotes_of
from voxscale.data._hashes import compare
from voxscale.data._openneuro import (
    BUCKET,
    by_hand,
    check_subjects,
    clone_line,
    find_published,
    matches,
    wanted_patterns,
)
from voxscale.data._remote import Remote, join_url, place
from voxscale.errors import DataError

__all__ = ["PROGRAMS", "fetch_with"]

_MOST_PATHS = 200  # of one command line
_OPENNEURO = "openneuro-py"


def fetch_with(
    program: str,
    dataset: str,
    root: str | Path,
    *,
    subjects: Sequence[str] = (),
    parts: Sequence[str] = (),
    say: Callable[[str], None] = print,
) -> FetchSummary:
    """Let another program fetch; what it brings is hashed and recorded all the same.

    Parameters
    ----------
    program : {"datalad", "openneuro"}
    dataset : str
    root : path
        The folder of the data set.
    subjects, parts : sequence of str
        Whose files, and which; all where none is named.
    say : callable
        Given what is run, line by line.

    Returns
    -------
    FetchSummary

    Raises
    ------
    DataError
        If the program is not installed or fails, or the data set has to be downloaded by hand.
    ValueError
        If there is no such program, data set, part or subject.
    """
    if program not in PROGRAMS:
        msg = f"program is {program!r}; expected one of {', '.join(PROGRAMS)}."
        raise ValueError(msg)
    published, root = find_published(dataset), Path(root)
    if published.by_hand:
        raise by_hand(dataset, root)
    wanted_patterns(published, subjects, parts)
    check_subjects(dataset, subjects)
    return PROGRAMS[program](dataset, root, subjects, parts, say)


def _through_datalad(
    dataset: str, root: Path, subjects: Sequence[str], parts: Sequence[str],
    say: Callable[[str], None],
) -> FetchSummary:  # fmt: skip
    if shutil.which("datalad") is None:
        raise DataError(_not_installed("datalad", "datalad"))
    if not is_clone(root):
        _run(shlex.split(clone_line(dataset, root)), say)
    for part, some in find_published(dataset).subdatasets.items():
        for inside in some if part in parts or not parts else ():
            if not is_clone(root / inside):
                _run(["datalad", "get", "-n", "-d", str(root), str(root / inside)], say)
    remotes = remotes_of(dataset, root, subjects=subjects, parts=parts)
    missing = plan_fetch(remotes, root).missing
    for start in range(0, len(missing), _MOST_PATHS):
        paths = [one.path for one in missing[start : start + _MOST_PATHS]]
        _run(["datalad", "get", "-d", str(root), *(str(root / path) for path in paths)], say)
    with one_fetch(root):
        # git-annex has given all of them their names by now; the record says what by.
        plan, record = plan_fetch(remotes, root, accept_size=True), FetchRecord(root)
        record.rewrite(remotes)
        for one, compared in plan.found:
            record.add(one, place(root, one.path), compared.sha256, compared.verified_by)
    brought = {one.path for one in missing}
    fetched = tuple(
        Fetched(one.path, compared.n_bytes, compared.sha256, compared.verified_by)
        for one, compared in plan.found
        if one.path in brought
    )
    failed = [(one.path, "datalad has not brought it") for one in plan.missing]
    failed += [(one.path, f"it is not what its key says: {got}") for one, got in plan.differing]
    return FetchSummary(fetched, len(plan.there) - len(fetched), tuple(failed))


def _through_openneuro(
    dataset: str, root: Path, subjects: Sequence[str], parts: Sequence[str],
    say: Callable[[str], None],
) -> FetchSummary:  # fmt: skip
    try:
        import openneuro
    except ImportError as error:
        raise DataError(_not_installed(_OPENNEURO, "openneuro")) from error
    published = find_published(dataset)
    wanted = wanted_patterns(published, subjects, parts)
    include = [pattern for some in wanted.values() for pattern in some]
    options: dict[str, Any] = {
        "dataset": published.accession, "target_dir": str(root), "include": include,
    }  # fmt: skip
    say(f"openneuro.download({', '.join(f'{name}={one!r}' for name, one in options.items())})")
    try:
        openneuro.download(**options)
    except (RuntimeError, ValueError, OSError) as error:
        msg = f"openneuro-py failed ({error}); run it again, or leave --with out."
        raise DataError(msg) from error
    fetched, n_there = [], 0
    with one_fetch(root):
        record = FetchRecord(root)
        record.rewrite()
        for path, file in files_below(root):
            if not any(matches(pattern, path) for pattern in include):
                continue
            entry = record.entries.get(path)
            if entry is not None and entry.is_unchanged(file):
                n_there += 1
                continue
            # openneuro-py has compared it with OpenNeuro's hash, and does not say which that was.
            compared = compare(file, None, "")
            url = join_url(BUCKET, f"{published.accession}/{path}")
            remote = Remote(path, url, compared.n_bytes)
            record.add(remote, file, compared.sha256, _OPENNEURO)
            fetched.append(Fetched(path, compared.n_bytes, compared.sha256, _OPENNEURO))
    return FetchSummary(tuple(fetched), n_there, ())


def _run(line: list[str], say: Callable[[str], None]) -> None:
    say(shlex.join(line))
    done = subprocess.run(line, check=False)
    if done.returncode:
        msg = f"{line[0]} {line[1]} ended with code {done.returncode}; see what it said above."
        raise DataError(msg)


def _not_installed(name: str, extra: str) -> str:
    also = " (and git-annex, from its own site)" if extra == "datalad" else ""
    return (
        f"{name} is not installed; run: pip install 'voxscale[{extra}]'{also}, or leave --with "
        "out: voxscale fetches by itself."
    )


PROGRAMS = {"datalad": _through_datalad, "openneuro": _through_openneuro}
