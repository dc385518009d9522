"""The results of one fit, streamed to a folder block by block, and gone on with after a stop."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxscale.errors import StoreError, did_you_mean
from voxscale.store._aside import check_writable
from voxscale.store._fit_arrays import array_names, lacking, opened
from voxscale.store._fit_header import FitHeader
from voxscale.store._fit_run import FitRun
from voxscale.store._key import plain
from voxscale.store._lock import FolderLock

__all__ = ["FitStore"]


class FitStore:
    """A folder, which is a zarr group, for the results of one fit.

    A fit that was interrupted goes on where it was. The results of another fit are never
    overwritten: what the folder is for is its fingerprint.

    Parameters
    ----------
    path : path
        Need not exist.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> store = FitStore(Path(tempfile.mkdtemp()) / "fit.zarr")
    >>> with store.open({"responses": "UTS03", "alphas": [1, 10]}) as run:
    ...     scores = run.array("cv_scores", shape=(2, 5), dtype="float64", voxel_axis=1)
    ...     for start, stop in ((0, 3), (3, 5)):
    ...         if not run.is_done("scores", start, stop):
    ...             scores[:, start:stop] = np.ones((2, stop - start))
    ...             run.mark_done("scores", start, stop)
    ...     run.finish()
    >>> store.is_finished, store.names(), store.array("cv_scores")[0]
    (True, ['cv_scores'], array([1., 1., 1., 1., 1.]))
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"FitStore({str(self.path)!r})"

    def open(self, fingerprint: Mapping[str, Any]) -> FitRun:
        """Begin a fit, or go on with it.

        Parameters
        ----------
        fingerprint : mapping
            Everything that can change the numbers: hashes of design and responses, settings.
            What JSON can hold; 1 and 1.0 are different, a tuple and a list are not.

        Returns
        -------
        FitRun
            Holds the folder until it is closed or finished; use it in a ``with``.

        Raises
        ------
        StoreError
            If the folder holds another fit or something else, is damaged, is being written by
            another process, or cannot be written to. It is left as it was.
        TypeError, ValueError
            If the fingerprint is not JSON, or holds a NaN.
        """
        if not isinstance(fingerprint, Mapping):
            msg = f"fingerprint is of type {type(fingerprint).__name__}; expected a mapping."
            raise TypeError(msg)
        fields = plain(fingerprint, "fingerprint")
        header = FitHeader.read(self.path)
        if header:
            header.check_same(fields, self.path)
        check_writable(self.path)
        lock = FolderLock.take(self.path)
        try:
            header = FitHeader.read(self.path)  # another may have been here before the lock
            if header:
                header.check_same(fields, self.path)
            else:
                header = FitHeader(fields)
                header.write(self.path)
        except BaseException:
            lock.release()
            raise
        return FitRun(self.path, header, lock)

    @property
    def is_finished(self) -> bool:
        """Tell whether all is there; False without a folder, StoreError if it is damaged."""
        header = FitHeader.read(self.path)
        return header is not None and header.is_finished

    def meta(self) -> dict[str, Any]:
        """Read what the fit is of and how far it has come.

        Returns
        -------
        dict
            ``fingerprint``; ``is_finished``; ``done``, for each stage a list of [start, stop]
            voxels.

        Raises
        ------
        StoreError
            If there is no fit, or it is damaged.
        """
        header = self._header()
        done = {stage: [list(one) for one in ranges] for stage, ranges in header.done.items()}
        return {
            "fingerprint": header.fingerprint,
            "is_finished": header.is_finished,
            "done": done,
        }

    def names(self) -> list[str]:
        """List the arrays, sorted; errors as :meth:`meta`."""
        self._header()
        return array_names(self.path)

    def array(self, name: str) -> Any:
        """Open an array for reading, of a fit that is finished or not.

        Parameters
        ----------
        name : str

        Returns
        -------
        zarr.Array
            Slices of it are numpy arrays. What is not there yet is NaN, or -1 in integers.

        Raises
        ------
        StoreError
            If there is no such fit or array, or it is damaged.
        """
        names = self.names()
        if name not in names:
            held = ", ".join(names) or "none"
            msg = f"{self.path} has no array {name!r}{did_you_mean(name, names)}; it has {held}."
            raise StoreError(msg)
        return opened(self.path, name)

    def check(self) -> None:
        """Raise StoreError unless the fit is finished and all chunks of its arrays are there.

        What is in the chunks is checked as it is read: each has a checksum.
        """
        if not self._header().is_finished:
            msg = f"{self.path} is not finished; run again to go on with it."
            raise StoreError(msg)
        if what := lacking(self.path):
            msg = f"{self.path} is damaged ({what}); delete it and run again."
            raise StoreError(msg)

    def _header(self) -> FitHeader:
        header = FitHeader.read(self.path)
        if header is None:
            msg = f"{self.path} holds no fit; run it first."
            raise StoreError(msg)
        return header
