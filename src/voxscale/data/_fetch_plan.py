"""What of the wanted files is there, verified, and what is to be fetched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from voxscale.data._annex_keys import annex_key
from voxscale.data._fetch_record import FetchRecord
from voxscale.data._hashes import SIZE_ONLY, Compared, compare
from voxscale.data._part import part_of
from voxscale.data._remote import Remote, amount, place

__all__ = ["FetchPlan", "plan_fetch"]


@dataclass(frozen=True)
class FetchPlan:
    """Which files are there, which are to come, and which are others of the same name.

    Parameters
    ----------
    there : tuple of Remote
        In place, and verified now or before.
    missing : tuple of Remote
    differing : tuple of (Remote, str)
        In place, but not what was expected, and not what was fetched; with what they are.
    found : tuple of (Remote, Compared)
        Those of ``there`` that were hashed now, since no record tells of them.
    n_bytes_arrived : int
        Of the missing ones.
    unverified : tuple of Remote
        In place, put there by others, and no more than their size could be compared.
    """

    there: tuple[Remote, ...]
    missing: tuple[Remote, ...]
    differing: tuple[tuple[Remote, str], ...]
    found: tuple[tuple[Remote, Compared], ...]
    n_bytes_arrived: int
    unverified: tuple[Remote, ...] = ()

    @property
    def n_bytes_missing(self) -> int:
        """How many bytes are to come; of files whose size is not known, none."""
        return max(0, _sum(self.missing) - self.n_bytes_arrived)

    def __str__(self) -> str:
        differing = tuple(one for one, _ in self.differing)
        every = (*self.there, *self.missing, *self.unverified, *differing)
        arrived = (
            f", {amount(self.n_bytes_arrived)} of them arrived" if self.n_bytes_arrived else ""
        )
        others = f"; {len(self.differing)} others of the same name" if self.differing else ""
        by_size = f"; {len(self.unverified)} there, known by size alone" if self.unverified else ""
        return (
            f"{len(every)} files, {amount(_sum(every))}: {len(self.there)} there "
            f"({amount(_sum(self.there))}), {len(self.missing)} to fetch "
            f"({amount(_sum(self.missing))}{arrived}){others}{by_size}"
        )


def plan_fetch(
    remotes: Iterable[Remote],
    root: str | Path,
    *,
    replace: bool = False,
    accept_size: bool = False,
) -> FetchPlan:
    """Find out what is there. Nothing is written; files that no record tells of are hashed.

    Parameters
    ----------
    remotes : iterable of Remote
    root : path
        The folder of the data set, which need not exist.
    replace : bool
        Count files that are not what was expected to those that are missing.
    accept_size : bool
        Count files of which only the size can be compared to those that are there. Those whose
        size was accepted before, as the record tells, are there in any case.

    Raises
    ------
    DataError
        If a file's place is a folder, or behind a link.
    """
    root = Path(root)
    record = FetchRecord(root)
    there: list[Remote] = []
    missing: list[Remote] = []
    differing: list[tuple[Remote, str]] = []
    found: list[tuple[Remote, Compared]] = []
    unverified: list[Remote] = []
    for one in remotes:
        target = place(root, one.path)
        if not target.is_file() or _is_pointer(target):
            missing.append(one)
            continue
        entry = record.entries.get(one.path)
        is_ours = entry is not None and entry.is_unchanged(target)
        if (
            entry is not None
            and is_ours
            and (entry.hash, entry.n_bytes) == (one.hash, _size(one, target))
        ):
            there.append(one)
            continue
        compared = _compared(one, target)
        if compared.verified_by == SIZE_ONLY and not accept_size:
            unverified.append(one)
        elif compared.verified_by:
            there.append(one)
            found.append((one, compared))
        elif is_ours or replace:  # what was fetched before is another version by now
            missing.append(one)
        else:
            differing.append((one, compared.got))
    arrived = (part_of(place(root, one.path)) for one in missing)
    n_arrived = sum(part.stat().st_size for part in arrived if part.is_file())
    return FetchPlan(
        tuple(there), tuple(missing), tuple(differing), tuple(found), n_arrived, tuple(unverified)
    )


def _compared(one: Remote, target: Path) -> Compared:
    """Compare; a file of another size need not be hashed."""
    n_bytes = target.stat().st_size
    if one.n_bytes is not None and n_bytes != one.n_bytes:
        return Compared(n_bytes, "", "", f"{n_bytes} bytes")
    return compare(target, one.n_bytes, one.hash)


def _size(one: Remote, target: Path) -> int:
    return target.stat().st_size if one.n_bytes is None else one.n_bytes


def _is_pointer(target: Path) -> bool:
    return not target.is_symlink() and annex_key(target) is not None


def _sum(remotes: Iterable[Remote]) -> int:
    return sum(one.n_bytes or 0 for one in remotes)
