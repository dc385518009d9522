"""A subject with those stories alone that features have, too."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import replace

from voxscale.data._dataset import Dataset
from voxscale.errors import DataError, VoxscaleWarning

__all__ = ["with_stories_of"]


def with_stories_of(dataset: Dataset, features: Iterable[str]) -> Dataset:
    """Return a subject whose splits hold only stories that features have, too.

    Parameters
    ----------
    dataset : Dataset
    features : mapping of story to anything, or names of stories
        Nothing of a lazy mapping is read.

    Returns
    -------
    Dataset
        The same responses and words; ``train`` and ``test`` are shorter.

    Raises
    ------
    DataError
        If no training story is left, or no test story.

    Warns
    -----
    VoxscaleWarning
        If stories are left out; all are listed, once.

    Examples
    --------
    >>> import numpy as np
    >>> from voxscale.arrays import TRSeries
    >>> from voxscale.data import Transcript
    >>> runs = {name: TRSeries(np.ones((4, 5)), name) for name in ("a", "b")}
    >>> words = {name: Transcript(["hi"], [0.5]) for name in runs}
    >>> data = Dataset("mine", "01", words, runs, {}, train=("a",), test=("b",), tr_s=2.0)
    >>> with_stories_of(data, ["a", "b", "c"]).train
    ('a',)
    """
    have = frozenset(features)
    runs = (*dataset.train, *dataset.test)
    left_out = [run for run in runs if run not in have]
    label = f"dataset {dataset.name!r}, subject {dataset.subject!r}"
    train = tuple(run for run in dataset.train if run in have)
    test = tuple(run for run in dataset.test if run in have)
    for split, kept, before in (("train", train, dataset.train), ("test", test, dataset.test)):
        if before and not kept:
            msg = (
                f"{label}: features have none of the {len(before)} stories to {split} on; they "
                f"have {', '.join(sorted(have)[:8]) or 'none'}{' …' if len(have) > 8 else ''}; "
                "expected the same names; are they features of these stories?"
            )
            raise DataError(msg)
    if left_out:
        note = (
            f"{label}: responses of {len(runs)} stories where features have {len(have)}; "
            f"{len(runs) - len(left_out)} have both and are used; left out, without features: "
            f"{', '.join(left_out)}."
        )
        warnings.warn(note, VoxscaleWarning, stacklevel=2)
    return replace(dataset, train=train, test=test)
