"""Which missing cells are computed together: subjects who heard the same share a decomposition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from voxscale.study._cells import Cell
    from voxscale.study._inputs import Inputs, SubjectFacts

__all__ = ["Batch", "Job", "batches_of", "family_of", "signature_of"]

# In memory at once, beside each other: responses as they are, joined, and those of all subjects.
_COPIES = 3


class Job(NamedTuple):
    """Fits of one design, a cell for each subject; or a cell of another kind alone."""

    cells: tuple[Cell, ...]


class Batch(NamedTuple):
    """Subjects whose responses are in memory together, and what is computed meanwhile.

    The fits of a family, which differ in their training stories alone, follow each other.
    """

    subjects: tuple[str, ...]
    jobs: tuple[Job, ...]


def batches_of(inputs: Inputs, missing: Sequence[Cell], room: int) -> list[Batch]:
    """Group what is missing, as many subjects together as there is room for.

    Parameters
    ----------
    inputs : Inputs
    missing : sequence of Cell
    room : int, in bytes
        For the responses of a batch; a subject alone may take more.
    """
    batches = []
    for subjects in _subjects_together(inputs, missing, room):
        cells = [cell for cell in missing if cell.subject in subjects]
        batches.append(Batch(subjects, tuple(_jobs(inputs, cells))))
    return batches


def family_of(cell: Cell) -> tuple[Any, ...]:
    """Return what fits that only differ in subjects and training stories have in common."""
    return (cell.model, cell.layer, cell.context, cell.bands)


def signature_of(facts: SubjectFacts, run: str) -> tuple[Any, ...]:
    """Return what the design of a run depends on, beside the family: what was heard, and when."""
    hashes = facts.hashes[run]
    return (run, hashes["words"], hashes["tr_times"], facts.trs[run][:1], facts.sounds.get(run))


def _subjects_together(inputs: Inputs, missing: Iterable[Cell], room: int) -> list[tuple[str, ...]]:
    batches: list[list[str]] = []
    left = 0
    for subject in dict.fromkeys(cell.subject for cell in missing):
        facts = inputs.facts(subject)
        n_trs = sum(len(one) for held in facts.trs.values() for one in held)
        n_bytes = 4 * _COPIES * facts.n_voxels * n_trs
        if not batches or n_bytes > left:
            batches.append([])
            left = room
        batches[-1].append(subject)
        left -= n_bytes
    return [tuple(one) for one in batches]


def _jobs(inputs: Inputs, cells: Sequence[Cell]) -> list[Job]:
    """Put fits of one design together, and the designs of one family one after the other."""
    families: dict[Any, dict[Any, list[Cell]]] = {}
    for i, cell in enumerate(cells):
        if cell.kind != "fit":
            families[i] = {(): [cell]}
            continue
        facts = inputs.facts(cell.subject)
        design = tuple(signature_of(facts, run) for run in cell.stories)
        families.setdefault(family_of(cell), {}).setdefault(design, []).append(cell)
    return [
        Job(tuple(some))
        for designs in families.values()
        # Each draw from its smallest set, whose products the next ones grow from.
        for some in sorted(designs.values(), key=lambda some: (some[0].draw, some[0].n_stories))
    ]
