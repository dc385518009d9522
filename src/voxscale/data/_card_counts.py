"""Hold what is found against the counts of a card: people, stories, TRs."""

from __future__ import annotations

import warnings

from voxscale.data._card import DatasetCard
from voxscale.errors import VoxscaleWarning

__all__ = ["check_row_count", "check_story_count", "check_subject_count"]


def check_subject_count(n_found: int, card: DatasetCard, group: str = "") -> None:
    """Check that a folder has no more people than were published; it may hold some of them.

    Parameters
    ----------
    n_found : int
        People in the folder.
    card : DatasetCard
    group : str
        One of ``card.n_subjects_of``, such as a language; of all people if empty.

    Warns
    -----
    VoxscaleWarning
        If there are more.
    """
    published = card.n_subjects_of.get(group) if group else card.n_subjects
    if published is not None and n_found > published:
        of = f" of {group}" if group else ""
        note = (
            f"{card.name}: the folder has {n_found} people{of}; {published} are published; some "
            "are others', or twice there: compare their names with the published list."
        )
        warnings.warn(note, VoxscaleWarning, stacklevel=3)


def check_story_count(label: str, n_found: int, card: DatasetCard) -> None:
    """Check that a person has no more stories than were published; some may not be fetched.

    Warns
    -----
    VoxscaleWarning
        If there are more.
    """
    if card.n_stories is not None and n_found > card.n_stories:
        note = (
            f"{label}: responses to {n_found} stories; {card.n_stories} are published "
            f"({card.stories_are}); some are others', or twice there: look through their names."
        )
        warnings.warn(note, VoxscaleWarning, stacklevel=3)


def check_row_count(label: str, run: str, n_rows: int, card: DatasetCard) -> None:
    """Check that the responses to a story have as many rows as were published of it.

    Warns
    -----
    VoxscaleWarning
        If they have more or fewer.
    """
    published = card.n_trs.get(run)
    if published is not None and n_rows != published:
        note = (
            f"{label}: run {run!r} has {n_rows} TRs; {published} are published: were rows cut, or "
            "is it another version? Scores do not compare with published ones."
        )
        warnings.warn(note, VoxscaleWarning, stacklevel=3)
