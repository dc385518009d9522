"""The cells of a study: which fits there are, and what is computed beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from voxscale.errors import ConfigError
from voxscale.study._split import split_of

if TYPE_CHECKING:
    from voxscale.study._config import Study
    from voxscale.study._inputs import SubjectFacts

__all__ = [
    "AXES",
    "REDUCERS",
    "Cell",
    "axes_of",
    "cells_of",
    "draw_orders",
]

AXES = ("layer", "context", "n_stories")

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
    """

    subject: str
    model: str
    layer: int
    context: int
    stories: tuple[str, ...]
    draw: int = 0
    reference: bool = False
    kind: Kind = "fit"

    @property
    def n_stories(self) -> int:
        """How many stories it learns from."""
        return len(self.stories)

    @property
    def label(self) -> str:
        """What it is, in words."""
        stories = "1 story" if self.n_stories == 1 else f"{self.n_stories} stories"
        if self.kind != "fit":
            return _KINDS[self.kind].format(subject=self.subject, layer=self.layer)
        return f"{self.subject}, layer {self.layer}, context {self.context}, {stories}" + (
            f" (draw {self.draw})" if self.draw else ""
        )

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


def cells_of(study: Study, facts: SubjectFacts) -> list[Cell]:
    """List the cells of one subject: three sweeps that share one centre, and what goes beside.

    The layers are swept with all training stories at the longest context; contexts and
    stories at the reference layer. A cell that several sweeps or draws reach is listed once.

    Raises
    ------
    ConfigError
        If more training stories are asked for than exist, or validation leaves none.
    """
    everything = split_of(study, facts).train
    longest = max(study.contexts)
    wanted = [(layer, longest, everything, 0) for layer in study.layers]
    wanted += [(study.reference_layer, context, everything, 0) for context in study.contexts]
    sizes = study.training_stories or (len(everything),)
    if sizes[-1] > len(everything):
        n_held = len(split_of(study, facts).validation)
        kept_back = f", {n_held} being kept back for validation" if n_held else ""
        msg = (
            f"{study.where('training_stories')}[study] training_stories asks for {sizes[-1]} "
            f"stories; subject {facts.subject!r} of dataset {study.dataset_name!r} has "
            f"{len(everything)} to train on{kept_back}; ask for fewer."
        )
        raise ConfigError(msg)
    orders = draw_orders(everything, study.draws, study.seed)
    for size in sizes:
        for draw, order in enumerate(orders):
            wanted.append((study.reference_layer, longest, tuple(sorted(order[:size])), draw))
    cells: dict[tuple[Any, ...], Cell] = {}
    for layer, context, stories, draw in wanted:
        is_reference = context == longest and stories == everything
        cell = Cell(facts.subject, study.model, layer, context, stories, draw, is_reference)
        cells.setdefault((layer, context, stories), cell)
    centre = Cell(facts.subject, study.model, study.reference_layer, longest, everything)
    return [*cells.values(), *(replace(centre, kind=kind) for kind in _kinds_of(study, facts))]


def _kinds_of(study: Study, facts: SubjectFacts) -> list[Kind]:
    """Tell what is computed once for a subject."""
    wanted: dict[Kind, bool] = {
        "ceiling": bool(facts.repeated() and study.evaluate.n_bootstraps),
        "baselines": bool(study.baselines.spaces) or study.baselines.autocorrelation,
        "product": study.evaluate.product_measure,
        "stacking": study.evaluate.stack and (len(study.layers) > 1 or study.speech is not None),
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
    return orders


def axes_of(study: Study, cell: Cell, n_train: int) -> tuple[str, ...]:
    """Tell which sweeps a cell is part of: among "layer", "context" and "n_stories"."""
    if cell.kind != "fit":
        return ()
    has_all = cell.n_stories == n_train
    is_longest = cell.context == max(study.contexts)
    is_reference = cell.layer == study.reference_layer
    sizes = study.training_stories or (n_train,)
    parts = {
        "layer": has_all and is_longest,
        "context": has_all and is_reference,
        "n_stories": is_longest and is_reference and cell.n_stories in sizes,
    }
    return tuple(axis for axis in AXES if parts[axis])


def _n_shared_sets(one: Sequence[str], other: Sequence[str]) -> int:
    """Count the sizes, but for the last, at which two orders have the same stories."""
    return sum(set(one[:size]) == set(other[:size]) for size in range(1, len(one)))
