"""Features of a speech model at TR rate: a group for each sound and layer, computed once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from voxscale.arrays import TRSeries
from voxscale.features import word_rate
from voxscale.store import LayerStore, key_of
from voxscale.study._cell_keys import SPEECH_RECIPE
from voxscale.study._features import Target, check_computed, lacking, recipe_of
from voxscale.study._speech_stream import STATES, ClipGrid, store_clip
from voxscale.study._split import split_of

if TYPE_CHECKING:
    from voxscale.arrays import Array
    from voxscale.study._cells import Cell
    from voxscale.study._inputs import Inputs, SubjectFacts
    from voxscale.study._subject_data import SubjectData

__all__ = [
    "SpeechPass",
    "compute_speech_pass",
    "missing_speech_passes",
    "read_speech",
    "speech_designs",
    "speech_key",
    "speech_passes_for",
]


@dataclass(frozen=True)
class SpeechPass:
    """One sound through the speech model, onto the TRs of every run that it was heard in.

    Parameters
    ----------
    sound : str
        Its hash.
    targets : tuple of Target
        One for each grid of TRs.
    """

    sound: str
    targets: tuple[Target, ...]

    @property
    def run(self) -> str:
        """The first run that it was heard in."""
        return self.targets[0].run

    @property
    def keys(self) -> tuple[tuple[int, str], ...]:
        """Layers, and what each is called in the store, of all targets."""
        return tuple(pair for target in self.targets for pair in target.keys)

    @property
    def label(self) -> str:
        """What it is, in words."""
        return f"sound of {self.run}"


def speech_key(inputs: Inputs, facts: SubjectFacts, run: str, layer: int) -> str:
    """Name a layer's features of a run by everything that can change their numbers."""
    recipe = recipe_of(inputs.study)
    return key_of(
        {
            "recipe": SPEECH_RECIPE,
            "kind": "speech",
            "extractor": dict(inputs.speech_identity or {}),
            "sound": facts.sounds[run],
            "tr_times": facts.hashes[run]["tr_times"],
            "layer": layer,
            "lobes": recipe.lobes,
            "cutoff_hz": recipe.cutoff_hz,
            "normalize": recipe.normalize,
        }
    )


def speech_passes_for(inputs: Inputs, cells: Iterable[Cell]) -> list[SpeechPass]:
    """List what must go through the speech model so that the cells have their features.

    Subjects who heard the same sound share its pass, whatever their TRs.
    """
    chosen = inputs.study.speech
    targets: dict[str, dict[tuple[str, ...], Target]] = {}
    for cell in cells:
        if chosen is None or cell.kind != "stacking":
            continue
        facts = inputs.facts(cell.subject)
        held = split_of(inputs.study, facts).validation
        for run in (*cell.stories, *held, *facts.test):
            keys = tuple((layer, speech_key(inputs, facts, run, layer)) for layer in chosen.layers)
            one = Target(cell.subject, run, len(facts.tr_times[run]), keys)
            of_sound = targets.setdefault(facts.sounds[run], {})
            of_sound.setdefault(tuple(key for _, key in keys), one)
    return [SpeechPass(sound, tuple(some.values())) for sound, some in targets.items()]


def missing_speech_passes(passes: Iterable[SpeechPass], store: LayerStore) -> list[SpeechPass]:
    """Keep the layers that are not in the store."""
    left = [replace(one, targets=lacking(one.targets, store)) for one in passes]
    return [one for one in left if one.targets]


def compute_speech_pass(inputs: Inputs, one: SpeechPass, store: LayerStore) -> None:
    """Run a sound through the speech model and store its layers, at the TRs of every run."""
    if inputs.speech is None:
        return
    first = one.targets[0]
    store_clip(
        inputs.speech,
        inputs.speech.read(inputs.dataset(first.subject).audio[first.run]),
        [
            ClipGrid(
                dict(target.keys), target.run, inputs.facts(target.subject).tr_times[target.run]
            )
            for target in one.targets
        ],
        store,
        recipe=recipe_of(inputs.study),
        meta={"extractor": dict(inputs.speech_identity or {})},
    )


def read_speech(
    inputs: Inputs, store: LayerStore, subject: str, layer: int, runs: Sequence[str]
) -> dict[str, TRSeries]:
    """Read the features of a layer of the speech model for several runs.

    Raises
    ------
    FitError
        If they could not be computed; says why.
    """
    facts = inputs.facts(subject)
    features = {}
    for run in runs:
        key = speech_key(inputs, facts, run, layer)
        check_computed(store, key, f"speech layer {layer} of the sound of story {run!r}")
        features[run] = TRSeries(store.get(key, STATES), run, 0, facts.tr_times[run])
    return features


def speech_designs(
    inputs: Inputs, store: LayerStore, shared: SubjectData, runs: Sequence[str]
) -> list[Array]:
    """Make the design of each layer of the speech model, as those of the language model are.

    Empty without one; with word rate beside it where the study has it in every fit.
    """
    study, dataset = inputs.study, shared.dataset
    if study.speech is None:
        return []
    rate = [word_rate({run: dataset.words[run] for run in runs})] if study.design.word_rate else []
    return [
        shared.design([read_speech(inputs, store, dataset.subject, layer, runs), *rate], runs)
        for layer in study.speech.layers
    ]
