"""Which training stories fits learn from, and which are kept back to choose layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from voxscale.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from voxscale.study._config import Study
    from voxscale.study._inputs import SubjectFacts

__all__ = ["Split", "split_of"]

_SEED = 2  # beside that of the study


class Split(NamedTuple):
    """Which training runs of a data set fits learn from, and which choose layers; sorted."""

    train: tuple[str, ...]
    validation: tuple[str, ...]


def split_of(study: Study, facts: SubjectFacts) -> Split:
    """Divide the training runs of a subject.

    Raises
    ------
    ConfigError
        If a validation story is not among them, or none is left to train on.
    """
    everything = tuple(sorted(facts.train))
    asked = study.validation_stories
    where = f"{study.where('validation_stories')}[study] validation_stories"
    if isinstance(asked, int):
        order = np.random.default_rng([study.seed, _SEED]).permutation(len(everything))
        held = tuple(sorted(everything[i] for i in order[:asked]))
    else:
        held = tuple(sorted(asked))
        if unknown := [story for story in held if story not in everything]:
            hint = did_you_mean(unknown[0], everything)
            msg = (
                f"{where} has {unknown[0]!r}, which is no training story of subject "
                f"{facts.subject!r}{hint}; choose of {', '.join(everything)}."
            )
            raise ConfigError(msg)
    train = tuple(story for story in everything if story not in held)
    if not train:
        msg = (
            f"{where} takes all {len(everything)} training stories of subject {facts.subject!r}, "
            "and none is left to train on; keep fewer back."
        )
        raise ConfigError(msg)
    return Split(train, held)
