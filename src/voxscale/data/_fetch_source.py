"""Where the list of a data set's files comes from: a registry, a clone, or the bucket."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from voxscale.data._annex_keys import annex_key, files_below
from voxscale.data._bucket import list_bucket
from voxscale.data._fetch_record import FetchRecord
from voxscale.data._files import FilePath
from voxscale.data._http import Patience
from voxscale.data._openneuro import (
    BUCKET,
    Published,
    by_hand,
    check_subjects,
    clone_line,
    find_published,
    matches,
    wanted_patterns,
)
from voxscale.data._registry import read_registry
from voxscale.data._remote import Remote, join_url
from voxscale.errors import DataError, VoxscaleWarning

__all__ = ["is_clone", "remotes_of"]


def remotes_of(
    dataset: str,
    root: FilePath,
    *,
    subjects: Sequence[str] = (),
    parts: Sequence[str] = (),
    registry: FilePath | None = None,
    base_url: str | None = None,
    patience: Patience | None = None,
) -> list[Remote]:
    """List the files of a data set that are wanted, by path.

    They are taken from a registry if one is given; from the pointers of git-annex if ``root`` is a
    clone; else from the listing of OpenNeuro's bucket, which has the latest snapshot alone.

    Parameters
    ----------
    dataset : str
        A name of `PUBLISHED`.
    root : path-like
        The folder of the data set, which need not exist.
    subjects, parts : sequence of str
        Whose files, and which; all where none is named.
    registry : path-like, optional
        See `read_registry`. It is taken whole where no subject or part is named.
    base_url : str, optional
        Of the bucket, or of a copy of it.
    patience : Patience, optional

    Returns
    -------
    list of Remote

    Raises
    ------
    DataError
        If nothing is found, or the data set has to be downloaded by hand.
    ValueError
        If there is no such data set, part or subject, or subjects are named where there are none.
    """
    published = find_published(dataset)
    if (subjects or parts) and not published.parts:
        msg = f"{dataset} has neither parts nor subjects that can be chosen; leave them out."
        raise ValueError(msg)
    wanted = wanted_patterns(published, subjects, parts)
    if registry is None:  # which may list the folders of others
        check_subjects(dataset, subjects)
    base = base_url or BUCKET
    kept: list[str] = []
    instead = ""
    if registry is not None:
        found: Iterable[Remote] = read_registry(registry)
        place = str(registry)
        wanted = wanted if subjects or parts else {}
    elif published.by_hand:
        raise by_hand(dataset, root)
    elif is_clone(root):
        found, place = _of_clone(Path(root), published, wanted, base), str(root)
        kept = [path for path, file in files_below(Path(root)) if annex_key(file) is None]
        instead = _subdataset_line(Path(root), published, parts)
    else:
        found, place = _of_bucket(published, wanted, base, patience), base
        instead = f"a clone has all: {clone_line(dataset, root)}, and then this --with datalad"
    return _chosen(found, wanted, dataset, place, kept, instead) if wanted else list(found)


def is_clone(root: FilePath) -> bool:
    """Tell whether a folder is a working copy of git."""
    return (Path(root) / ".git").exists()


def _of_clone(
    root: Path, published: Published, wanted: Mapping[str, list[str]], base: str
) -> Iterator[Remote]:
    """List what pointers tell, and what they told before their content took their place."""
    before = FetchRecord(root).entries
    patterns = [pattern for some in wanted.values() for pattern in some]
    for path, file in files_below(root):
        if not any(matches(pattern, path) for pattern in patterns):
            continue
        key = annex_key(file)
        if key is not None:
            url = join_url(base, f"{published.accession}/{path}")
            yield Remote(path, url, key.n_bytes, key.hash)
            before.pop(path, None)
    yield from (entry.remote for entry in before.values())


def _of_bucket(
    published: Published,
    wanted: Mapping[str, list[str]],
    base: str,
    patience: Patience | None,
) -> Iterator[Remote]:
    """List what is below the beginnings of the patterns, each once."""
    beginnings = {pattern.partition("*")[0] for some in wanted.values() for pattern in some}
    shortest = {
        one for one in beginnings if not any(one != b and one.startswith(b) for b in beginnings)
    }
    for prefix in sorted(shortest):
        yield from list_bucket(base, published.accession, prefix, patience=patience)


def _subdataset_line(root: Path, published: Published, parts: Sequence[str]) -> str:
    """Say what clones the subdatasets of a clone that are wanted; empty where they are there."""
    absent = [
        root / one
        for part, some in published.subdatasets.items()
        for one in some
        if part in (parts or published.parts) and not is_clone(root / one)
    ]
    if not absent:
        return ""
    return f"run: datalad get -n -d {shlex.join(map(str, (root, *absent)))}, and then this again"


def _chosen(
    found: Iterable[Remote],
    wanted: Mapping[str, list[str]],
    dataset: str,
    place: str,
    kept: Sequence[str],
    instead: str,
) -> list[Remote]:
    """Choose the files that are wanted; what is not found is told, and what to do ``instead``."""
    chosen: dict[str, Remote] = {}
    missing = {(part, pattern) for part, patterns in wanted.items() for pattern in patterns}
    for one in found:
        hit = {(p, pattern) for p, some in wanted.items() for pattern in some
               if matches(pattern, one.path)}  # fmt: skip
        if hit:
            chosen[one.path] = one
            missing -= hit
    if chosen:  # git itself has these
        missing = {one for one in missing if not any(matches(one[1], path) for path in kept)}
    told = "; ".join(f"{pattern} ({part})" for part, pattern in sorted(missing))
    instead = f" {instead[0].upper()}{instead[1:]}." if instead else ""
    if not chosen:
        msg = (
            f"{place} has no file of {dataset} to fetch: nothing matches {told}; check the names "
            "of subjects and parts. In a clone, files that git itself keeps are there already."
            f"{instead}"
        )
        raise DataError(msg)
    if missing:
        msg = f"{dataset}: nothing to fetch matches {told}; the rest is fetched.{instead}"
        warnings.warn(msg, VoxscaleWarning, stacklevel=3)
    return [chosen[path] for path in sorted(chosen)]
