"""Features at TR rate, computed once for each story and context and kept."""

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

__all__ = [
    "FeaturePass",
    "Target",
    "check_computed",
    "compute_pass",
    "feature_key",
    "passes_for",
    "read_features",
    "recipe_of",
]

RECIPE = 2  # raised by hand whenever stored features would differ


@dataclass(frozen=True)
class Target:
    """One file of features: a story on the TRs of one run.

    Parameters
    ----------
    key : str
        Its name in the store.
    subject, run : str
        A subject whose run it is; others who heard the same on the same TRs share it.
    n_trs : int
        TRs of the whole run.
    """

    key: str
    subject: str
    run: str
    n_trs: int


@dataclass(frozen=True)
class FeaturePass:
    """One story through the model at one context, for every run that needs it.

    Parameters
    ----------
    model : str
    context : int
    layers : tuple of int
    words : str
        Hash of the transcript.
    targets : tuple of Target
    """

    model: str
    context: int
    layers: tuple[int, ...]
    words: str
    targets: tuple[Target, ...]

    @property
    def label(self) -> str:
        """What it is, in words."""
        return f"story {self.targets[0].run}, context {self.context} of {self.model}"


def recipe_of(study: Study) -> DesignRecipe:
    """Return how this study's features become a design matrix."""
    design = study.design
    return DesignRecipe(
        design.delays, design.trim, normalize=design.normalize, protocol=design.protocol
    )


def feature_key(inputs: Inputs, facts: SubjectFacts, run: str, model: str, context: int) -> str:
    """Name the features of a run by everything that can change their numbers."""
    place = (facts.subject, run, model, context)
    if place not in inputs.feature_keys:
        inputs.feature_keys[place] = _feature_key(inputs, facts, run, model, context)
    return inputs.feature_keys[place]


def _feature_key(inputs: Inputs, facts: SubjectFacts, run: str, model: str, context: int) -> str:
    recipe = recipe_of(inputs.study)
    return key_of(
        {
            "recipe": RECIPE,
            "extractor": dict(inputs.identity(model)),
            "words": facts.hashes[run]["words"],
            "tr_times": facts.hashes[run]["tr_times"],
            "layers": inputs.layers_at(model, context),
            "context": context,
            "min_context": min_context_of(context),
            "lobes": recipe.lobes,
            "cutoff_hz": recipe.cutoff_hz,
            "normalize": recipe.normalize,
        }
    )


def passes_for(inputs: Inputs, cells: Iterable[Cell]) -> list[FeaturePass]:
    """List what must go through the model so that the cells have their features."""
    passes: dict[tuple[str, int, str], FeaturePass] = {}
    seen: set[str] = set()
    for cell in cells:
        if cell.kind in ("ceiling", "between") or not cell.has_language:
            continue
        facts = inputs.facts(cell.subject)
        held = split_of(inputs.study, facts).validation
        for run in (*cell.stories, *held, *facts.test):
            key = feature_key(inputs, facts, run, cell.model, cell.context)
            if key in seen:
                continue
            seen.add(key)
            target = Target(key, cell.subject, run, len(facts.tr_times[run]))
            words = str(facts.hashes[run]["words"])
            layers = inputs.layers_at(cell.model, cell.context)
            found = passes.get((cell.model, cell.context, words))
            before = () if found is None else found.targets
            passes[cell.model, cell.context, words] = FeaturePass(
                cell.model, cell.context, layers, words, (*before, target)
            )
    return sorted(passes.values(), key=lambda one: inputs.study.models.index(one.model))


def missing_passes(passes: Iterable[FeaturePass], store: LayerStore) -> list[FeaturePass]:
    """Keep what is not in the store."""
    absent = []
    for one in passes:
        targets = tuple(target for target in one.targets if target.key not in store)
        if targets:
            absent.append(replace(one, targets=targets))
    return absent


def compute_pass(inputs: Inputs, one: FeaturePass, store: LayerStore) -> None:
    """Run a story through the model and store its layers, at the TRs of every run."""
    first = one.targets[0]
    stream_story(
        inputs.extractor(one.model),
        inputs.facts(first.subject).transcripts[first.run],
        one.layers,
        [
            Grid(target.key, target.run, inputs.facts(target.subject).tr_times[target.run])
            for target in one.targets
        ],
        store,
        recipe_of(inputs.study),
        min_context=min_context_of(one.context),
        max_context=one.context,
        meta={
            "context": one.context,
            "layers": one.layers,
            "extractor": dict(inputs.identity(one.model)),
        },
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
        key = feature_key(inputs, facts, run, cell.model, cell.context)
        check_computed(store, key, f"the features of story {run!r} at context {cell.context}")
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
