"""The grids of a study, counted: their cells, the hours they come to, contexts without an end."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voxscale.study._cells import Member, hours_of, members_of, training_pool
from voxscale.study._sweeps import ALL, Grid

if TYPE_CHECKING:
    from voxscale.study._cells import Cell
    from voxscale.study._config import Study
    from voxscale.study._inputs import Inputs

__all__ = [
    "ALL_HOURS",
    "GridCount",
    "LongestStory",
    "count_grids",
    "hours_came_to",
    "longest_story",
]

ALL_HOURS = "all"
HoursCameTo = dict[float | str, dict[str, tuple[float, float]]]


@dataclass(frozen=True)
class GridCount:
    """How far one grid of a study is.

    Parameters
    ----------
    heading : str
        Its table in the study file: "[study]", or "[[sweep]]" with its number among several.
    what : str
        What is swept, and at what: "context at layer 15, 5 hours".
    done, total : int
        Cells; one that several grids reach counts in each of them.
    """

    heading: str
    what: str
    done: int
    total: int


@dataclass(frozen=True)
class LongestStory:
    """The story with the most words, of all that train or test."""

    run: str
    n_words: int


def count_grids(inputs: Inputs, done: Collection[Cell]) -> tuple[GridCount, ...]:
    """Count the cells of each grid; those of the study itself that are a single cell are left out.

    Where all of these are, the first stays.
    """
    study = inputs.study
    places = {(cell.subject, *cell.place) for cell in done if cell.kind == "fit"}
    of_grid: dict[int, set[tuple[Any, ...]]] = {i: set() for i in range(len(inputs.grids))}
    for subject, members in _members(inputs):
        for one in members:
            of_grid[one.number].add((subject, *one.cell.place))
    single = [i for i, grid in enumerate(inputs.grids) if _is_own(grid) and _is_point(grid)]
    n_own = sum(map(_is_own, inputs.grids))
    left_out = single if len(single) < n_own else single[1:]
    return tuple(
        GridCount(grid.heading, _described(study, grid), len(cells & places), len(cells))
        for (i, cells), grid in zip(of_grid.items(), inputs.grids, strict=True)
        if i not in left_out
    )


def hours_came_to(inputs: Inputs) -> HoursCameTo:
    """Find the hours that each amount came to which was asked for in hours.

    Returns
    -------
    dict
        ``[hours or "all"][subject]`` is (fewest, most) over draws, in hours of TRs after trimming;
        empty where nothing was asked for in hours.
    """
    study = inputs.study
    found: HoursCameTo = {}
    for subject, members in _members(inputs):
        facts = inputs.facts(subject)
        for one in members:
            if not any(size.hours for size in one.grid.sizes):
                continue
            asked = one.point.size.hours or ALL_HOURS
            held = float(hours_of(study, facts, one.cell.stories).sum())
            least, most = found.setdefault(asked, {}).get(subject, (held, held))
            found[asked][subject] = min(least, held), max(most, held)
    return dict(sorted(found.items(), key=lambda one: (isinstance(one[0], str), one[0])))


def longest_story(inputs: Inputs) -> LongestStory:
    """Find the story of the study with the most words."""
    stories = [
        LongestStory(run, len(transcript.words))
        for subject in inputs.subjects
        for run, transcript in inputs.facts(subject).transcripts.items()
    ]
    return max(stories, key=lambda one: one.n_words)


def _members(inputs: Inputs) -> list[tuple[str, list[Member]]]:
    """List the fits of each subject, grid by grid."""
    all_facts = [inputs.facts(subject) for subject in inputs.subjects]
    pool = training_pool(inputs.study, all_facts)
    return [(one.subject, list(members_of(inputs.study, one, pool))) for one in all_facts]


def _is_own(grid: Grid) -> bool:
    return grid.table == "study"


def _is_point(grid: Grid) -> bool:
    return len(list(grid.points())) == 1


def _described(study: Study, grid: Grid) -> str:
    """Say what is swept, and at what: "hours at layer 15, context 512, 5 draws"."""
    layers = list(grid.layers.values())
    in_hours = any(size.hours for size in grid.sizes)
    axes: list[tuple[str, Sequence[Any], str]] = [
        ("model", list(grid.layers), "{}"),
        ("layer", layers[0] if len(layers) == 1 else max(layers, key=len), "layer {}"),
        ("context", grid.contexts, "context {}"),
        ("hours" if in_hours else "stories", [_size_in_words(one) for one in grid.sizes], "{}"),
        ("bands", grid.bands, "{}"),
    ]
    swept = [name for name, values, _ in axes if len(values) > 1]
    fixed = [form.format(values[0]) for name, values, form in axes if len(values) == 1]
    usual = {study.default_bands, *(() if len(study.models) > 1 else (study.model,))}
    fixed = [one for one in fixed if one not in usual]
    if len(layers) > 1 and "layer" not in swept:  # a layer of each model, perhaps not the same
        fixed = [one for one in fixed if not one.startswith("layer ")]
        same = {own[0] for own in layers}
        fixed.insert(0, f"layer {same.pop()}" if len(same) == 1 else "one layer of each")
    if grid.draws > 1 and grid.sizes != (ALL,):
        fixed.append(f"{grid.draws} draws")
    return f"{' × '.join(swept) or 'one cell'} at {', '.join(fixed)}"


def _size_in_words(size: Any) -> str:
    if size == ALL:
        return "all stories"
    if size.hours is not None:
        return f"{size.hours:g} hours" if size.hours != 1 else "1 hour"
    return f"{size.n_stories} stories" if size.n_stories != 1 else "1 story"
