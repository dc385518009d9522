"""The grids that a study is made of: its own sweeps, and those that are asked for beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from voxscale.study._settings import sweep_heading

if TYPE_CHECKING:
    from voxscale.study._config import Study
    from voxscale.study._settings import Sweep

__all__ = ["ALL", "AXES", "Grid", "Point", "Size", "grids_of", "longest_context"]

Axis = Literal["layer", "context", "n_stories", "model", "bands"]
AXES: tuple[Axis, ...] = ("layer", "context", "n_stories", "model", "bands")


class Size(NamedTuple):
    """How much to train on: so many stories, so many hours, or all; the others are None."""

    n_stories: int | None = None
    hours: float | None = None


ALL = Size()


class Point(NamedTuple):
    """One combination of a grid, before its stories are chosen."""

    model: str
    layer: int
    context: int
    bands: str
    size: Size
    draw: int


class Grid(NamedTuple):
    """Every combination of some models, their layers, contexts, sizes, draws and bands.

    ``axes`` are what the grid is a sweep over; they are empty for a grid over two or more.
    """

    axes: tuple[Axis, ...]
    layers: Mapping[str, tuple[int, ...]]  # of each model
    contexts: tuple[int, ...]
    bands: tuple[str, ...]
    sizes: tuple[Size, ...] = (ALL,)
    draws: int = 1
    table: str = "study"  # where it stands in the study file; "sweep.0" is the first [[sweep]]
    heading: str = "[study]"  # what its table is called in messages

    def label(self, field: str) -> str:
        """Name one of its fields, as a message does."""
        return f"{self.heading} {field}"

    def points(self) -> Iterator[Point]:
        """List the combinations; all stories are drawn once."""
        for model, layers in self.layers.items():
            for layer in layers:
                for context in self.contexts:
                    for bands in self.bands:
                        for size in self.sizes:
                            for draw in range(1 if size == ALL else self.draws):
                                yield Point(model, layer, context, bands, size, draw)


def longest_context(study: Study) -> int:
    """Return the context at which all but contexts are swept."""
    return max(study.contexts)


def grids_of(study: Study) -> list[Grid]:
    """List the study's own sweeps, which share one cell, and those that are asked for.

    Of the grids over contexts, amounts of training data or bands alone, at the reference model
    and layer, the first is the sweep over it, where the study's own is over a single value.
    """
    own = list(_star(study))
    swept = {axis for grid in own if len(list(grid.points())) > 1 for axis in grid.axes}
    asked = []
    for number, sweep in enumerate(study.sweep):
        grid = _asked_for(study, sweep, number)
        if swept.intersection(grid.axes) or not _is_at_reference(study, grid):
            grid = grid._replace(axes=())
        swept.update(grid.axes)
        asked.append(grid)
    taken = {grid.axes for grid in asked if grid.axes}
    return [*(one._replace(axes=()) if one.axes in taken else one for one in own), *asked]


def _is_at_reference(study: Study, grid: Grid) -> bool:
    """Tell whether nothing but the one axis of a grid and its size differ from the reference."""
    if grid.axes not in (("context",), ("n_stories",), ("bands",)):
        return False
    return (
        grid.layers == {study.model: (study.reference_layer,)}
        and (grid.axes == ("context",) or grid.contexts == (longest_context(study),))
        and (grid.axes == ("bands",) or grid.bands == (study.default_bands,))
    )


def _star(study: Study) -> Iterator[Grid]:
    longest, bands = (longest_context(study),), (study.default_bands,)
    centre = {study.model: (study.reference_layer,)}
    yield Grid(("layer",), {study.model: study.layers_of(study.model)}, longest, bands)
    if len(study.models) > 1:
        every = {model: study.layers_of(model) for model in study.models}
        yield Grid(("model",), every, longest, bands)
    yield Grid(("context",), centre, study.contexts, bands)
    sizes = _sizes(study.training_stories, study.hours)
    yield Grid(("n_stories",), centre, longest, bands, sizes, study.draws)


def _asked_for(study: Study, sweep: Sweep, number: int) -> Grid:
    if isinstance(sweep.layers, dict):
        layers = {model: sweep.layers[model] for model in study.models if model in sweep.layers}
    else:
        models = sweep.models or (study.model,)
        layers = {one: sweep.layers or (study.reference_layer_of(one),) for one in models}
    contexts = sweep.contexts or (longest_context(study),)
    bands = sweep.bands or (study.default_bands,)
    sizes = _sizes(sweep.training_stories, sweep.hours)
    swept: dict[Axis, bool] = {
        "layer": any(len(own) > 1 for own in layers.values()),
        "context": len(contexts) > 1,
        "n_stories": len(sizes) > 1,
        "model": len(layers) > 1,
        "bands": len(bands) > 1,
    }
    if swept["model"]:
        swept["layer"] = False  # the layers of several models are a sweep over models
    axes = tuple(axis for axis in AXES if swept[axis])
    axes = axes if len(axes) == 1 else ()
    heading = sweep_heading(number, len(study.sweep))
    return Grid(axes, layers, contexts, bands, sizes, sweep.draws, f"sweep.{number}", heading)


def _sizes(
    stories: Sequence[int | str] | None, hours: Sequence[float | str] | None
) -> tuple[Size, ...]:
    if hours is not None:
        return tuple(ALL if isinstance(one, str) else Size(hours=one) for one in hours)
    counts = stories or ("all",)
    return tuple(ALL if isinstance(one, str) else Size(n_stories=one) for one in counts)
