"""What is known of a public data set before any file of it is read."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["DatasetCard"]


@dataclass(frozen=True)
class DatasetCard:
    """Licence, citation, size and known faults of a data set.

    Parameters
    ----------
    name : str
        As :func:`voxscale.load` knows it.
    title : str
    licence : str
    citation : str
        Authors, year, title and journal, and the doi.
    homepage : str
    fetch : str
        One line of a shell that clones the data set: names of files, without their content.
    tr_s : float, optional, in seconds
    n_subjects : int, optional
        Where it is known; a folder with more is told.
    n_stories : int, optional
        Checked when a person is loaded.
    stories_are : str
        Which ones ``n_stories`` counts.
    n_subjects_of : mapping of group to int
        Of ``n_subjects``, where they are of several groups.
    n_voxels : mapping of subject to int
        Where it is known; checked when responses are read.
    n_trs : mapping of story to int
        Rows of the responses to a story, where they are known; checked as voxels are.
    faults : tuple of str
        What goes wrong, and what voxscale does about it; one sentence or two each.

    Examples
    --------
    >>> from voxscale.data.lebel2023 import CARD
    >>> CARD.licence, CARD.n_voxels["UTS03"]
    ('CC0', 95556)
    """

    name: str
    title: str
    licence: str
    citation: str
    homepage: str = ""
    fetch: str = ""
    tr_s: float | None = None
    n_subjects: int | None = None
    n_stories: int | None = None
    stories_are: str = "that every subject heard"
    n_subjects_of: Mapping[str, int] = field(default_factory=dict)
    n_voxels: Mapping[str, int] = field(default_factory=dict)
    n_trs: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.title} ({self.name})", f"licence: {self.licence}"]
        lines += textwrap.wrap(f"cite: {self.citation}", 88, subsequent_indent="  ")
        lines += [f"home: {self.homepage}"] if self.homepage else []
        lines += [f"fetch: {self.fetch}"] if self.fetch else []
        counts = {
            "subjects": self.n_subjects,
            **{f"subjects, {group}": count for group, count in self.n_subjects_of.items()},
            f"stories {self.stories_are}": self.n_stories,
            "TR (s)": self.tr_s,
        }
        lines += [f"{what}: {count}" for what, count in counts.items() if count is not None]
        lines += [f"TRs of {one}: {count}" for one, count in self.n_trs.items()]
        lines += [f"voxels of {one}: {count:,}" for one, count in self.n_voxels.items()]
        for fault in self.faults:
            lines += textwrap.wrap(f"- {fault}", 88, subsequent_indent="  ")
        return "\n".join(lines)
