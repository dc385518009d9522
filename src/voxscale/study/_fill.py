"""Fill the features of a study that are missing: stories and sounds, one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from voxscale.errors import ConfigError, StoreError
from voxscale.study._features import FeaturePass, compute_pass
from voxscale.study._plan import Plan, feature_store
from voxscale.study._progress import Progress, Steps
from voxscale.study._speech_features import SpeechPass, compute_speech_pass

if TYPE_CHECKING:
    from voxscale.store import LayerStore
    from voxscale.study._inputs import Inputs

__all__ = ["FATAL", "fill_features"]

# What stops a run at once: going on would meet it again.
FATAL = (ConfigError, StoreError)


def fill_features(inputs: Inputs, made: Plan, tell: Callable[[Progress], None]) -> tuple[int, int]:
    """Compute what is missing; return how many stories and how many sounds were run."""
    store = feature_store(inputs.study)
    steps = Steps("features", len(made.passes) + len(made.speech_passes), tell)
    done: Counter[type] = Counter()
    passes: tuple[FeaturePass | SpeechPass, ...] = (*made.passes, *made.speech_passes)
    latest = ""
    for one in passes:
        if isinstance(one, FeaturePass) and one.model != latest:
            inputs.release(latest)  # the memory holds the weights of one model at a time
            latest = one.model
        steps.start(one.label)
        try:
            _fill_pass(inputs, one, store)
        except FATAL:
            raise
        except Exception as error:
            for key, fields in _named(one):
                store.fail(key, fields, error)
            steps.end(one.label, is_failed=True)
        else:
            done[type(one)] += 1
            steps.end(one.label)
    inputs.release(latest)
    return done[FeaturePass], done[SpeechPass]


def _fill_pass(inputs: Inputs, one: FeaturePass | SpeechPass, store: LayerStore) -> None:
    if isinstance(one, SpeechPass):
        compute_speech_pass(inputs, one, store)
    else:
        compute_pass(inputs, one, store)


def _named(one: FeaturePass | SpeechPass) -> list[tuple[str, dict[str, Any]]]:
    """List what a pass makes: names in the store, and what a record of failure says of them."""
    if isinstance(one, SpeechPass):
        return [(key, {"run": one.run, "speech_layer": layer}) for layer, key in one.keys]
    return [
        (key, {"run": target.run, "context": one.context, "layer": layer})
        for target in one.targets
        for layer, key in target.keys
    ]
