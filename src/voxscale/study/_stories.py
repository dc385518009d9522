"""One subject of a study's data set, with the stories that the study is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from voxscale import data
from voxscale.errors import ConfigError, did_you_mean
from voxscale.study._settings import OfProtocol

if TYPE_CHECKING:
    from voxscale.data import Dataset
    from voxscale.study._config import Study

__all__ = ["load_subject"]


def load_subject(study: Study, subject: str) -> Dataset:
    """Load a subject, with the training and test stories that the study names, if it does.

    A story that only the data set's training list has may be named for testing, and the other
    way round: what the study says of stories holds.

    Raises
    ------
    ConfigError
        If the data set has not all of the stories for this subject, or none is left to train on
        or to test on.
    DataError
        If the subject cannot be loaded.
    """
    dataset = data.load(study.dataset, subject, study.root)
    train, test = study.stories.train, study.stories.test
    if train is None and test is None:
        return dataset
    known = (*dataset.train, *dataset.test)
    for field, asked in (("train", train), ("test", test)):
        _check(study, field, asked or (), known, subject)
    # Where one list is given, the other is the data set's own, less what was given.
    train = (
        tuple(one for one in dataset.train if one not in (test or ())) if train is None else train
    )
    test = tuple(one for one in dataset.test if one not in train) if test is None else test
    for field, left in (("train", train), ("test", test)):
        if not left:
            msg = (
                f"{study.where('stories', 'stories')}[stories] leaves subject {subject!r} no story "
                f"to {field} on; name some as {field}."
            )
            raise ConfigError(msg)
    return replace(dataset, train=tuple(train), test=tuple(test))


def _check(
    study: Study, field: str, asked: Sequence[str], known: Sequence[str], subject: str
) -> None:
    absent = [one for one in asked if one not in known]
    if not absent:
        return
    where = f"{study.where(field, 'stories')}[stories] {field}"
    by = f" (protocol {study.protocol!r})" if isinstance(asked, OfProtocol) else ""
    msg = (
        f"{where}{by} has {len(absent)} of {len(asked)} stories that subject {subject!r} has not: "
        f"{', '.join(map(repr, absent[:8]))}{' …' if len(absent) > 8 else ''}"
        f"{did_you_mean(absent[0], known)}; expected stories among its {len(known)}; fetch them, "
        "or name those that are there under [stories]."
    )
    raise ConfigError(msg)
