"""Lanczos for a story that arrives in pieces: rows leave as soon as no word can change them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.design._lanczos import LEAST_WEIGHT, lanczos_operator

__all__ = ["LanczosStream", "Piece"]

Piece = tuple[int, Array]  # number of the first row, and rows (n_rows, n_features)


class LanczosStream:
    """Resample events that come in pieces, of several features, onto the TRs of one run.

    The sum of all pieces is what :func:`voxscale.lanczos` gives of all events at once.

    Parameters
    ----------
    times : array of shape (n_events,), in seconds
    tr_times : array of shape (n_trs,), in seconds
        Middle of each TR, evenly spaced.
    lobes, cutoff_hz, normalize
        As in :func:`voxscale.lanczos`.

    Raises
    ------
    AlignmentError, ValueError
        As :func:`voxscale.lanczos`.

    Examples
    --------
    >>> stream = LanczosStream(times=[1.0, 3.0], tr_times=[1.0, 3.0, 5.0])
    >>> stream.add("layer", stream.piece(range(0, 2), np.ones((2, 1))))
    >>> first, rows = stream.take("layer", n_seen=2)
    >>> first, rows.ravel().round(9)
    (0, array([1., 1., 0.]))
    """

    def __init__(
        self,
        times: ArrayLike,
        tr_times: ArrayLike,
        *,
        lobes: int = 3,
        cutoff_hz: float | None = None,
        normalize: bool = False,
    ) -> None:
        operator = lanczos_operator(times, tr_times, lobes=lobes, cutoff_hz=cutoff_hz)
        if normalize:
            scale = 1 / np.maximum(operator.sum(axis=1), LEAST_WEIGHT)
            operator = operator.multiply(scale[:, None]).tocsr()
        operator.eliminate_zeros()  # at the filter's very edge; they would keep rows open
        self._by_event = operator.tocsc()
        self.n_trs = operator.shape[0]
        self._last_event = _last_events(operator)
        self._pending: dict[object, Piece] = {}

    def piece(self, events: range, values: Array) -> Piece:
        """Weigh the values of consecutive events.

        Parameters
        ----------
        events : range
            Their numbers.
        values : array of shape (len(events), n_features)

        Returns
        -------
        Piece
            The part of the rows that comes from these events, float64.
        """
        part = self._by_event[:, events.start : events.stop]
        touched = np.unique(part.indices)
        if not len(touched):
            return 0, np.zeros((0, values.shape[1]))
        first, last = int(touched[0]), int(touched[-1])
        return first, part.tocsr()[first : last + 1] @ values.astype(np.float64)

    def add(self, feature: object, piece: Piece) -> None:
        """Add a piece to what is pending of a feature; pieces may come in any order."""
        first, rows = piece
        start, pending = self._pending.get(feature, (0, np.zeros((0, rows.shape[1]))))
        if len(rows) == 0:
            self._pending[feature] = start, pending
            return
        missing = first + len(rows) - start - len(pending)
        if missing > 0:
            pending = np.concatenate([pending, np.zeros((missing, rows.shape[1]))])
        pending[first - start : first - start + len(rows)] += rows
        self._pending[feature] = start, pending

    def take(self, feature: object, *, n_seen: int) -> Piece:
        """Remove the rows of a feature that no event from number ``n_seen`` on can change.

        Parameters
        ----------
        feature : hashable
        n_seen : int
            All events before this one have been added.

        Returns
        -------
        Piece
            Rows follow on those taken before.
        """
        start, pending = self._pending[feature]
        open_rows = np.flatnonzero(self._last_event[start:] >= n_seen)
        n_done = int(open_rows[0]) if len(open_rows) else self.n_trs - start
        done = np.zeros((n_done, pending.shape[1]))
        held = min(n_done, len(pending))
        done[:held] = pending[:held]
        self._pending[feature] = start + n_done, pending[held:]
        return start, done


def _last_events(operator: object) -> Array:
    """Return the number of each row's last event; -1 where it has none."""
    last = np.full(operator.shape[0], -1)  # type: ignore[attr-defined]
    rows, events = operator.nonzero()  # type: ignore[attr-defined]
    np.maximum.at(last, rows, events)
    return last
