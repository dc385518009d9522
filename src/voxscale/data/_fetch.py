"""Fetch files of a data set into a folder; running again is resuming."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from voxscale.data._download import Fetched, Tell, Unverified, download
from voxscale.data._fetch_plan import FetchPlan, plan_fetch
from voxscale.data._fetch_record import FetchRecord
from voxscale.data._hashes import SIZE_ONLY, compare
from voxscale.data._http import Patience
from voxscale.data._part import Part
from voxscale.data._remote import OWN_PREFIX, Remote, amount, place
from voxscale.data._stop import Stop
from voxscale.errors import DataError, StoreError, VoxscaleWarning
from voxscale.store._aside import told

__all__ = ["FetchSummary", "check_fetched", "fetch", "one_fetch"]

_LOCK = f"{OWN_PREFIX}fetch.lock"
_WAIT_S = 0.5
_MOST_FAILED = 8  # files; a server that has lost as many has lost more


@dataclass(frozen=True)
class FetchSummary:
    """What a fetch did.

    Parameters
    ----------
    fetched : tuple of Fetched
    n_there : int
        Files that were in place.
    failed : tuple of (str, str)
        Paths, and why.
    n_left : int
        Files that were not tried any more.
    unverified : tuple of str
        Paths of files of which only the size could be compared; what arrived has not got its name.
    """

    fetched: tuple[Fetched, ...]
    n_there: int
    failed: tuple[tuple[str, str], ...]
    n_left: int = 0
    unverified: tuple[str, ...] = ()

    def __str__(self) -> str:
        n_bytes = sum(one.n_bytes for one in self.fetched)
        failed = f"; {len(self.failed)} failed" if self.failed else ""
        left = f", {self.n_left} not tried after these" if self.n_left else ""
        by_size = f"; {len(self.unverified)} not verified" if self.unverified else ""
        return (
            f"fetched {len(self.fetched)} files ({amount(n_bytes)}), {self.n_there} were "
            f"there{failed}{left}{by_size}"
        )


def fetch(
    remotes: Iterable[Remote],
    root: str | Path,
    *,
    replace: bool = False,
    accept_size: bool = False,
    n_at_once: int = 4,
    patience: Patience | None = None,
    announce: Callable[[FetchPlan], None] | None = None,
    tell: Tell | None = None,
) -> FetchSummary:
    """Fetch what is missing; a file that is put in place is one that was verified.

    A record in the folder, ``.voxscale-fetched.jsonl``, says by what. One file that fails does
    not stop the others; a full disk does. Files of which only the size can be compared arrive
    as ``.NAME.part`` and stay so, unless that is accepted.

    Parameters
    ----------
    remotes : iterable of Remote
        What is wanted, such as `remotes_of` lists it.
    root : path
        The folder of the data set; made if need be.
    replace : bool
        Replace files of the same name that are others. By default these fail, and stay.
    accept_size : bool
        Put files in place, too, of which no more than the size can be compared.
    n_at_once : int
        How many are fetched side by side.
    patience : Patience, optional
        How long to wait for the server.
    announce : callable, optional
        Called with the plan before anything is fetched.
    tell : callable, optional
        Called as ``tell(path, n_bytes)``, from several threads.

    Returns
    -------
    FetchSummary

    Raises
    ------
    StoreError
        If the disk has too little space, cannot be written, or another fetch fills the folder.
    DataError
        If a file's place is a folder, or behind a link.
    ValueError
        If ``n_at_once`` is below 1.
    """
    if n_at_once < 1:
        msg = f"n_at_once is {n_at_once}; expected 1 or more."
        raise ValueError(msg)
    root, remotes = Path(root), list(remotes)
    with one_fetch(root):
        plan = plan_fetch(remotes, root, replace=replace, accept_size=accept_size)
        (announce or _nobody)(plan)
        record = FetchRecord(root)
        record.rewrite(remotes)
        for one, compared in plan.found:
            record.add(one, place(root, one.path), compared.sha256, compared.verified_by)
        for one in plan.there:  # what a fetch that was killed at its very end has left
            Part(place(root, one.path)).remove()
        _check_space(root, plan.n_bytes_missing)
        fetching = _Fetching(
            root, record, plan, patience or Patience(), tell, accept_size=accept_size
        )
        summary = fetching.run(n_at_once)
    n_by_size = sum(one.verified_by == SIZE_ONLY for one in summary.fetched)
    n_by_size += sum(one.verified_by == SIZE_ONLY for _, one in plan.found)
    if n_by_size:
        msg = (
            f"{root}: of {n_by_size} files no more than the size could be compared, since the "
            "listing has no hash of them that can be checked; the record says 'size' of them, "
            "for that was accepted."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=2)
    return summary


def check_fetched(root: str | Path, *, tell: Tell | None = None) -> tuple[int, list[str]]:
    """Hash all again that was fetched into a folder.

    Returns
    -------
    n_fine : int
        Files that are what they were when they were fetched.
    changed : list of str
        A line for each that is not, or is gone; the record does not count them as verified.

    Raises
    ------
    DataError
        If nothing was fetched there.
    StoreError
        If a fetch fills the folder.

    Warns
    -----
    VoxscaleWarning
        If no more than the size of some was compared when they were fetched.
    """
    root = Path(root)
    entries = [one for one in FetchRecord(root).entries.values() if one.verified_by]
    if not entries:
        msg = f"{root} has no record of a fetch; expected one to verify; fetch the data set first."
        raise DataError(msg)
    n_by_size = sum(one.verified_by == SIZE_ONLY for one in entries)
    if n_by_size:
        msg = (
            f"{root}: of {n_by_size} files no more than the size was compared when they were "
            "fetched; they are held against what they were then."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=2)
    changed = []
    with one_fetch(root):
        record = FetchRecord(root)
        for entry in entries:
            target = place(root, entry.path)
            if not target.is_file():
                changed.append(f"{entry.path} is gone")
                record.drop(entry)
                continue
            compared = compare(target, entry.n_bytes, f"sha256:{entry.sha256}")
            if not compared.verified_by:
                changed.append(
                    f"{entry.path} has changed: it was {entry.n_bytes} bytes, "
                    f"sha256:{entry.sha256}, and is {compared.got}"
                )
                record.drop(entry)
            (tell or _nobody)(entry.path, compared.n_bytes)
    return len(entries) - len(changed), changed


@contextmanager
def one_fetch(root: Path) -> Iterator[None]:
    """Hold a folder, which is made if need be, so that no other fetch writes there.

    The operating system keeps the lock: it is gone when its process is, however that ends.

    Raises
    ------
    StoreError
        If another fetch holds it, or nothing can be written there.
    """
    from filelock import FileLock, Timeout

    with told(root):
        root.mkdir(parents=True, exist_ok=True)
        # Not told apart by thread: one that is given back elsewhere is given back all the same.
        lock = FileLock(root / _LOCK, timeout=_WAIT_S, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            msg = (
                f"{root} is being filled by another fetch; one at a time fills a folder; wait for "
                "it, or stop it and run this again: what has arrived is kept."
            )
            raise StoreError(msg) from None
    try:
        yield
    finally:
        lock.release()


class _Fetching:
    """Several files side by side, until all are there, too many failed, or somebody stops it."""

    def __init__(
        self, root: Path, record: FetchRecord, plan: FetchPlan, patience: Patience,
        tell: Tell | None, *, accept_size: bool,
    ) -> None:  # fmt: skip
        self._root, self._record, self._plan = root, record, plan
        self._accept_size = accept_size
        self._patience, self._tell, self._stop = patience, tell, Stop()

    def run(self, n_at_once: int) -> FetchSummary:
        fetched: list[Fetched] = []
        unverified = [one.path for one in self._plan.unverified]
        failed = [(one.path, _differs(one, got)) for one, got in self._plan.differing]
        n_differing = len(failed)
        pool = ThreadPoolExecutor(n_at_once, thread_name_prefix="fetch")
        try:
            waiting = {pool.submit(self._one, one): one for one in self._plan.missing}
            for done in as_completed(waiting):
                try:
                    fetched.append(done.result())
                except Unverified:
                    unverified.append(waiting[done].path)
                except DataError as error:
                    failed.append((waiting[done].path, str(error)))
                if len(failed) - n_differing >= _MOST_FAILED:
                    break
            n_left = _n_cancelled(list(waiting))
        finally:  # also at Ctrl-C: what runs ends at its next block, and is kept
            self._stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
        return FetchSummary(
            tuple(fetched), len(self._plan.there), tuple(failed), n_left, tuple(sorted(unverified))
        )

    def _one(self, remote: Remote) -> Fetched:
        one = download(
            remote, self._root, patience=self._patience, tell=self._tell, stop=self._stop,
            accept_size=self._accept_size,
        )  # fmt: skip
        self._record.add(remote, place(self._root, remote.path), one.sha256, one.verified_by)
        return one


def _n_cancelled(futures: Sequence[Future[Fetched]]) -> int:
    return sum(one.cancel() or not one.done() for one in futures)


def _check_space(root: Path, n_bytes: int) -> None:
    n_free = shutil.disk_usage(root).free
    if n_bytes > n_free:
        msg = (
            f"{root}: {amount(n_bytes)} are to be fetched, {amount(n_free)} are free on its disk; "
            "free some space, choose another folder, or fetch fewer parts or subjects."
        )
        raise StoreError(msg)


def _differs(one: Remote, got: str) -> str:
    wanted = f"{one.n_bytes} bytes, " if one.n_bytes is not None else ""
    return (
        f"there is another file of this name ({got}); expected {wanted}{one.hash or 'any hash'}; "
        "move it away, or replace it with --replace."
    )


def _nobody(*_: object) -> None:
    """Tell nobody."""
