"""Features at TR rate: a group for each story, context and layer, computed once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from voxscale.arrays import TRSeries
from voxscale.design import DesignRecipe
from voxscale.errors import FitError
from voxscale.store import LayerStore, key_of
from voxscale.study._cell_keys import min_context_of
from voxscale.study._split import split_of
from voxscale.study._stream import Grid, array_name, stream_story

if TYPE_CHECKING:
    from voxscale.study._cells import Cell
    from voxscale.study._config import Study
    from voxscale.study._inputs import Inputs, SubjectFacts
    from voxscale.study._protocol import Protocol

__all__ = [
    "FeaturePass",
    "Target",
    "check_computed",
    "compute_pass",
    "feature_key",
    "lacking",
    "missing_passes",
    "passes_for",
    "read_features",
    "recipe_of",
]

RECIPE = 3  # raised by hand whenever stored features would differ


@dataclass(frozen=True)
class Target:
    """Where the layers of a story or sound go: the TRs of one run.

    Parameters
    ----------
    subject, run : str
        A subject whose run it is; others who heard the same on the same TRs share it.
    n_trs : int
        TRs of the whole run.
    keys : tuple of (int, str)
        Layers, and what each is called in the store.
    """

    subject: str
    run: str
    n_trs: int
    keys: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class FeaturePass:
    """One story through the model at one context, for every run that needs it.

    Parameters
    ----------
    model : str
    context : int
    words : str
        Hash of the transcript.
    targets : tuple of Target
        One for each grid of TRs.
    """

    model: str
    context: int
    words: str
    targets: tuple[Target, ...]

    @property
    def keys(self) -> tuple[tuple[int, str], ...]:
        """All layers that it computes, and what each is called."""
        return tuple(pair for target in self.targets for pair in target.keys)

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers that it computes."""
        return tuple(sorted({layer for layer, _ in self.keys}))

    @property
    def label(self) -> str:
        """What it is, in words."""
        return f"story {self.targets[0].run}, context {self.context} of {self.model}"


def recipe_of(study: Study | Protocol, test: Sequence[str] = ()) -> DesignRecipe:
    """Return how this study's features become a design matrix; ``test`` are its test runs."""
    design = study.design
    return DesignRecipe(
        design.delays,
        design.trim,
        normalize=design.normalize,
        protocol=design.protocol,
        trims={} if design.test_trim is None else dict.fromkeys(test, design.test_trim),
    )


def feature_key(
    inputs: Inputs, facts: SubjectFacts, run: str, model: str, context: int, layer: int
) -> str:
    """Name a layer's features of a run by everything that can change their numbers."""
    place = (facts.subject, run, model, context, layer)
    if place not in inputs.feature_keys:
        inputs.feature_keys[place] = _feature_key(inputs, facts, run, model, context, layer)
    return inputs.feature_keys[place]


def _feature_key(
    inputs: Inputs, facts: SubjectFacts, run: str, model: str, context: int, layer: int
) -> str:
    recipe = recipe_of(inputs.study)
    return key_of(
        {
            "recipe": RECIPE,
            "extractor": dict(inputs.identity(model)),
            "words": facts.hashes[run]["words"],
            "tr_times": facts.hashes[run]["tr_times"],
            "layer": layer,
            "context": context,
            "min_context": min_context_of(context),
            "lobes": recipe.lobes,
            "cutoff_hz": recipe.cutoff_hz,
            "normalize": recipe.normalize,
        }
    )


def passes_for(inputs: Inputs, cells: Iterable[Cell]) -> list[FeaturePass]:
    """List what must go through the model so that the cells have their features."""
    grids: dict[tuple[str, int, str], dict[str, tuple[str, str]]] = {}  # of TRs: subject and run
    keys: dict[tuple[str, int, str, str], dict[int, str]] = {}
    for cell in cells:
        facts = inputs.facts(cell.subject)
        held = split_of(inputs.study, facts).validation
        for layer in _layers_of(inputs.study, cell):
            for run in (*cell.stories, *held, *facts.test):
                words, times = (str(facts.hashes[run][one]) for one in ("words", "tr_times"))
                place = cell.model, cell.context, words
                grids.setdefault(place, {}).setdefault(times, (cell.subject, run))
                key = feature_key(inputs, facts, run, cell.model, cell.context, layer)
                keys.setdefault((*place, times), {})[layer] = key

    def target(place: tuple[str, int, str], times: str) -> Target:
        subject, run = grids[place][times]
        n_trs = len(inputs.facts(subject).tr_times[run])
        return Target(subject, run, n_trs, tuple(sorted(keys[*place, times].items())))

    passes = [
        FeaturePass(*place, tuple(target(place, times) for times in some))
        for place, some in grids.items()
    ]
    return sorted(passes, key=lambda one: inputs.study.models.index(one.model))


def _layers_of(study: Study, cell: Cell) -> tuple[int, ...]:
    """Return the layers of its model that a cell reads."""
    if cell.kind in ("ceiling", "between") or not cell.has_language:
        return ()
    if cell.kind == "stacking":
        return study.layers_of(cell.model)
    return study.evaluate.compare_layers if cell.kind == "comparison" else (cell.layer,)


def missing_passes(passes: Iterable[FeaturePass], store: LayerStore) -> list[FeaturePass]:
    """Keep the layers that are not in the store."""
    left = [replace(one, targets=lacking(one.targets, store)) for one in passes]
    return [one for one in left if one.targets]


def lacking(targets: Iterable[Target], store: LayerStore) -> tuple[Target, ...]:
    """Keep of some targets the layers that are not in the store."""
    left = (
        replace(one, keys=tuple(pair for pair in one.keys if pair[1] not in store))
        for one in targets
    )
    return tuple(one for one in left if one.keys)


def compute_pass(inputs: Inputs, one: FeaturePass, store: LayerStore) -> None:
    """Run a story through the model and store its layers, at the TRs of every run."""
    first = one.targets[0]
    stream_story(
        inputs.extractor(one.model),
        inputs.facts(first.subject).transcripts[first.run],
        [
            Grid(dict(target.keys), target.run, inputs.facts(target.subject).tr_times[target.run])
            for target in one.targets
        ],
        store,
        recipe_of(inputs.study),
        min_context=min_context_of(one.context),
        max_context=one.context,
        meta={"context": one.context, "extractor": dict(inputs.identity(one.model))},
    )


def read_features(
    inputs: Inputs, store: LayerStore, cell: Cell, runs: Sequence[str]
) -> dict[str, TRSeries]:
    """Read the features of a cell's layer for several runs.

    Raises
    ------
    FitError
        If they could not be computed; says why.
    """
    facts = inputs.facts(cell.subject)
    features = {}
    for run in runs:
        key = feature_key(inputs, facts, run, cell.model, cell.context, cell.layer)
        what = f"layer {cell.layer} of story {run!r} at context {cell.context}"
        check_computed(store, key, f"the features of {what}")
        values = store.get(key, array_name(cell.layer))
        features[run] = TRSeries(values, run, 0, facts.tr_times[run])
    return features


def check_computed(store: LayerStore, key: str, what: str) -> None:
    """Raise FitError, which says why, where features failed the last time."""
    failure = None if key in store else store.failure(key)
    if failure is not None:
        first = (str(failure.get("message", "")).splitlines() or [""])[0]
        msg = (
            f"{what} could not be computed ({failure.get('error', '')}: {first}); see "
            f"{store.failure_path(key)}."
        )
        raise FitError(msg)
