"""The cells of a study: which fits there are, and what is computed beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from voxscale.errors import ConfigError
from voxscale.study._split import split_of
from voxscale.study._sweeps import ALL, AXES, Grid, Point, Size, grids_of, longest_context

if TYPE_CHECKING:
    from voxscale.study._config import Study
    from voxscale.study._inputs import SubjectFacts

__all__ = [
    "AXES",
    "REDUCERS",
    "Cell",
    "Member",
    "cells_of",
    "draw_orders",
    "hours_of",
    "members_of",
    "training_pool",
]

Kind = Literal["fit", "ceiling", "baselines", "product", "stacking", "comparison", "between"]

# How each number of a cell's table row is made of its arrays.
REDUCERS = {
    "mean_r": "mean of r over voxels with a score",
    "mean_signed_r2": "mean of r * |r| over voxels with a score",
    "mean_r2": "mean of r2 over voxels with a score",
    "mean_cv_score": "mean of cv_score over voxels with a score",
    "mean_r_validation": "mean of r_validation over voxels with a score",
    "mean_cc_max": "mean of cc_max over voxels with a ceiling",
    "mean_cc_norm": "mean of cc_norm over voxels with a ceiling",
    "mean_spe": "mean of spe over voxels with a ceiling",
}

_TRIES = 200
_USUAL = ("language", "language+word_rate")  # which of them, [design] says


@dataclass(frozen=True)
class Cell:
    """One fit: a subject, a layer at a context, and the stories it learns from.

    Or one of what is computed once for a subject: its noise ceilings, what baselines explain,
    the mix of its layers, two of them compared; or once for all subjects.

    Parameters
    ----------
    subject, model : str
    layer : int
        0 is the embeddings. Of a mix, the reference layer, which it has no need of.
    context : int
        Words that the model sees at most.
    stories : tuple of str
        The training runs, sorted.
    draw : int
        Which seeded order the stories were taken from; 0 where all of them train.
    reference : bool
        Trained on all stories at the longest context: time courses and p-values are kept too.
    kind : {"fit", "ceiling", "baselines", "product", "stacking", "comparison", "between"}
        The last is about all subjects; it is kept with the first of them.
    bands : str
        The feature spaces that are fitted together, such as "language+word_rate". Without
        language, model, layer and context stand for nothing.
    asked_hours : float, optional
        The hours that the stories were chosen for; theirs come as close to it as whole stories
        can. None where their number was asked for, or all of them. A label: of several grids
        that reach a cell, the sweep over amounts of data names it, or else the first.
    """

    subject: str
    model: str
    layer: int
    context: int
    stories: tuple[str, ...]
    draw: int = 0
    reference: bool = False
    kind: Kind = "fit"
    bands: str = "language+word_rate"
    asked_hours: float | None = None

    @property
    def has_language(self) -> bool:
        """Whether its features are those of a model."""
        return "language" in self.bands.split("+")

    @property
    def n_stories(self) -> int:
        """How many stories it learns from."""
        return len(self.stories)

    @property
    def place(self) -> tuple[Any, ...]:
        """What tells a fit from the other fits of its subject."""
        return self.model, self.layer, self.context, self.bands, self.stories

    @property
    def label(self) -> str:
        """What it is, in words."""
        if self.kind != "fit":
            return _KINDS[self.kind].format(subject=self.subject, layer=self.layer)
        stories = "1 story" if self.n_stories == 1 else f"{self.n_stories} stories"
        draw = f" (draw {self.draw})" if self.draw else ""
        if not self.has_language:
            return f"{self.subject}, {self.bands}, {stories}{draw}"
        bands = "" if self.bands in _USUAL else f", {self.bands}"
        place = f"layer {self.layer}, context {self.context}{bands}"
        return f"{self.subject}, {place}, {stories}{draw}"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, for JSON."""
        return {**asdict(self), "stories": list(self.stories)}


_KINDS = {
    "ceiling": "{subject}, noise ceilings",
    "baselines": "{subject}, baselines beside layer {layer}",
    "product": "{subject}, product measure of layer {layer}",
    "stacking": "{subject}, stacked layers",
    "comparison": "{subject}, two layers compared",
    "between": "all subjects, noise ceilings between them",
}


class Member(NamedTuple):
    """A fit as one point of a grid asks for it; the number is the grid's."""

    number: int
    grid: Grid
    point: Point
    cell: Cell


def training_pool(study: Study, all_facts: Sequence[SubjectFacts]) -> tuple[str, ...]:
    """List the stories that some subject may train on, sorted.

    They are drawn for all subjects together, so that those who heard the same train on the same.
    """
    return tuple(sorted({story for facts in all_facts for story in split_of(study, facts).train}))


def cells_of(
    study: Study, facts: SubjectFacts, pool: Sequence[str] | None = None
) -> dict[Cell, tuple[str, ...]]:
    """List the cells of one subject, each with the axes of the sweeps that it is part of.

    The sweeps of the study come first, then what was asked for beside them, then what is computed
    once for a subject. A cell that several sweeps or draws reach is listed once.

    Parameters
    ----------
    study : Study
    facts : SubjectFacts
    pool : sequence of str, optional
        The training stories of all subjects. Default: those of this one.

    Raises
    ------
    ConfigError
        If more training data are asked for than exist, or validation leaves none.
    """
    cells: dict[tuple[Any, ...], Cell] = {}
    axes: dict[tuple[Any, ...], set[str]] = {}
    for _, grid, _, cell in members_of(study, facts, pool):
        place = cell.place
        cells.setdefault(place, cell)
        if "n_stories" in grid.axes and "n_stories" not in axes.get(place, ()):
            # The sweep over amounts has all its sizes in its own words.
            cells[place] = replace(cells[place], asked_hours=cell.asked_hours)
        axes.setdefault(place, set()).update(grid.axes)
    ordered: dict[Cell, tuple[str, ...]] = {
        cells[place]: tuple(axis for axis in AXES if axis in axes[place]) for place in cells
    }
    everything = split_of(study, facts).train
    layer, longest = study.reference_layer, longest_context(study)
    centre = Cell(facts.subject, study.model, layer, longest, everything, bands=study.default_bands)
    return ordered | {replace(centre, kind=kind): () for kind in _kinds_of(study, facts)}


def members_of(
    study: Study, facts: SubjectFacts, pool: Sequence[str] | None = None
) -> Iterator[Member]:
    """List the fits of one subject, grid by grid: a fit that several reach comes several times."""
    chosen = _Chooser(study, facts, pool)
    for number, grid in enumerate(grids_of(study)):
        for point in grid.points():
            stories = chosen.stories(point.size, point.draw, grid)
            yield Member(number, grid, point, _cell_at(study, facts, point, stories))


def hours_of(study: Study, facts: SubjectFacts, stories: Sequence[str]) -> Any:
    """Return how long each story trains, (n_stories,), in hours of TRs after trimming."""
    trim = sum(study.design.trim)
    return np.array([len(facts.tr_times[one]) - trim for one in stories]) * facts.tr_s / 3600


def _cell_at(study: Study, facts: SubjectFacts, point: Point, stories: tuple[str, ...]) -> Cell:
    """Make the cell of a point; without language it stands at the reference of the study."""
    model, layer, context, bands, size, draw = point
    if "language" not in bands.split("+"):
        model, layer, context = study.model, study.reference_layer, longest_context(study)
    everything = split_of(study, facts).train
    usual = (study.model, longest_context(study), study.default_bands, everything)
    is_reference = (model, context, bands, stories) == usual and layer in study.layers_of(model)
    asked = None if stories == everything else size.hours
    return Cell(
        facts.subject, model, layer, context, stories, draw, is_reference, "fit", bands, asked
    )


class _Chooser:
    """Which stories a subject trains on, of each size and draw."""

    def __init__(self, study: Study, facts: SubjectFacts, pool: Sequence[str] | None) -> None:
        self.study, self.facts = study, facts
        self.everything = split_of(study, facts).train
        self.pool = tuple(pool or self.everything)

    def stories(self, size: Size, draw: int, grid: Grid) -> tuple[str, ...]:
        """Return the first stories of a draw, sorted."""
        if size == ALL:
            return self.everything
        field = "training_stories" if size.hours is None else "hours"
        where = f"{self.study.where(field, grid.table)}{grid.label(field)} asks for"
        own = set(self.everything)
        orders = draw_orders(self.pool, grid.draws, self.study.seed)
        order = [story for story in orders[draw] if story in own]
        if size.hours is not None:
            return tuple(sorted(order[: self._n_stories(order, size.hours, where)]))
        n_stories = size.n_stories or 0
        if n_stories > len(order):
            msg = (
                f"{where} {n_stories} stories; {self._has} "
                f"{len(order)} to train on{self._kept_back}; ask for fewer."
            )
            raise ConfigError(msg)
        return tuple(sorted(order[:n_stories]))

    def _n_stories(self, order: Sequence[str], hours: float, where: str) -> int:
        """Count the stories whose hours come closest to those that were asked for."""
        held = np.cumsum(hours_of(self.study, self.facts, order))
        if hours > held[-1]:
            msg = (
                f"{where} {hours:g} h; {self._has} {held[-1]:.2f} h to train on{self._kept_back}; "
                'ask for fewer, or for "all".'
            )
            raise ConfigError(msg)
        return int(np.abs(held - hours).argmin()) + 1

    @property
    def _has(self) -> str:
        return f"subject {self.facts.subject!r} of dataset {self.study.dataset_name!r} has"

    @property
    def _kept_back(self) -> str:
        n_held = len(split_of(self.study, self.facts).validation)
        return f", {n_held} being kept back for validation" if n_held else ""


def _kinds_of(study: Study, facts: SubjectFacts) -> list[Kind]:
    """Tell what is computed once for a subject."""
    n_layers = len(study.layers_of(study.model))
    wanted: dict[Kind, bool] = {
        "ceiling": bool(facts.repeated() and study.evaluate.n_bootstraps),
        "baselines": bool(study.baselines.spaces) or study.baselines.autocorrelation,
        "product": study.evaluate.product_measure,
        "stacking": study.evaluate.stack and (n_layers > 1 or study.speech is not None),
        "comparison": bool(study.evaluate.compare_layers),
    }
    return [kind for kind, is_wanted in wanted.items() if is_wanted]


def draw_orders(stories: Sequence[str], n_draws: int, seed: int) -> list[tuple[str, ...]]:
    """Draw orders in which stories are added, the same for the same seed.

    Of many random orders, the one is taken whose sets of stories differ most from those of
    the draws before: with few draws, no set comes twice. Asking for more draws changes none
    of the earlier ones.

    Parameters
    ----------
    stories : sequence of str
    n_draws : int
    seed : int

    Returns
    -------
    list of tuple of str
        The first n stories of an order are its set of size n.
    """
    return list(_orders(tuple(stories), n_draws, seed))


@lru_cache(maxsize=32)  # cells of every subject and sweep ask for the same
def _orders(stories: tuple[str, ...], n_draws: int, seed: int) -> tuple[tuple[str, ...], ...]:
    orders: list[tuple[str, ...]] = []
    for draw in range(n_draws):
        rng = np.random.default_rng([seed, draw])
        fewest = len(stories) * draw + 1
        order: tuple[str, ...] = ()
        for _ in range(_TRIES):
            tried = tuple(stories[i] for i in rng.permutation(len(stories)))
            shared = sum(_n_shared_sets(tried, other) for other in orders)
            if shared < fewest:
                fewest, order = shared, tried
            if not shared:
                break
        orders.append(order)
    return tuple(orders)


def _n_shared_sets(one: Sequence[str], other: Sequence[str]) -> int:
    """Count the sizes, but for the last, at which two orders have the same stories."""
    place = {story: i for i, story in enumerate(other)}
    furthest = np.maximum.accumulate([place[story] for story in one])
    return int((furthest == np.arange(len(one)))[:-1].sum())
