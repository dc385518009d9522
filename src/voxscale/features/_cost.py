"""What reading a model's states will cost, before anything is run but a short probe."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voxscale.data import Transcript
from voxscale.features._batch_size import tokens_per_batch
from voxscale.features._execute import read_batches
from voxscale.features._language_extractor import LanguageExtractor
from voxscale.features._passes import Pass, batches
from voxscale.features._runs import as_runs

if TYPE_CHECKING:
    from voxscale.features._reading import Layers

__all__ = ["LanguageCost", "plan_language_states"]

_PROBE_TOKENS = 2048


@dataclass(frozen=True)
class LanguageCost:
    """Passes, tokens and time of one way to read stories.

    ``str(cost)`` is a few lines for people.

    Parameters
    ----------
    policy : str
    n_stories, n_words, n_passes : int
    n_text_tokens : int
        Of the stories themselves.
    n_tokens : int
        To be run, contexts included.
    n_tokens_alone : int
        That would be run if every word's context were run by itself.
    tokens_per_s : float or None
        Of the probe; None without one.
    """

    policy: str
    n_stories: int
    n_words: int
    n_passes: int
    n_text_tokens: int
    n_tokens: int
    n_tokens_alone: int
    tokens_per_s: float | None

    @property
    def seconds(self) -> float | None:
        """About how long it will take; None without a probe."""
        return None if self.tokens_per_s is None else self.n_tokens / self.tokens_per_s

    def __str__(self) -> str:
        rows = [
            ("stories", f"{self.n_stories}, {self.n_words:,} words"),
            ("policy", f"{self.policy}: {self.n_passes:,} pass{'es' * (self.n_passes != 1)}"),
            (
                "tokens",
                f"{self.n_tokens:,} to run, {self.n_tokens / self.n_text_tokens:.2f} × the text",
            ),
        ]
        if self.n_tokens_alone >= 2 * self.n_tokens:
            times = f"{self.n_tokens_alone / self.n_tokens:,.0f} × as many"
            rows.append(("", f"(a pass for every word would run {times})"))
        if self.seconds is not None:
            rate = f"at {self.tokens_per_s:,.0f} tokens/s, from a short probe"
            rows.append(("time", f"about {_readable(self.seconds)} ({rate})"))
        return "\n".join(f"{name:>8}  {text}" for name, text in rows)


def plan_language_states(
    transcript: Transcript | Mapping[str, Transcript],
    model: LanguageExtractor | str | os.PathLike[str],
    *,
    layers: Layers = "all",
    min_context: int = 256,
    max_context: int = 512,
    extras: Sequence[str] = (),
    probe: bool = True,
) -> LanguageCost:
    """Count passes and tokens, and time a short probe.

    Parameters
    ----------
    transcript : Transcript, or mapping of run to Transcript
    model : LanguageExtractor, or str or path
        Its policy is what is planned; that of a name is growing.
    layers, min_context, max_context, extras
        As in `language_states`.
    probe : bool
        Load the model and time a batch of about 2000 tokens. Otherwise only the tokenizer is
        loaded.

    Returns
    -------
    LanguageCost

    Raises
    ------
    DataError, ValueError, TypeError
        As `language_states`.
    """
    runs = as_runs(transcript)
    model = model if isinstance(model, LanguageExtractor) else LanguageExtractor(model)
    planner = model.planner()
    contexts = model.contexts(min_context, max_context)
    stories = planner.stories(runs, contexts)
    passes = [
        one
        for story in stories
        for one in planner.passes(story, contexts, word_vector=model.word_vector)
    ]
    return LanguageCost(
        policy=contexts.policy if contexts.protocol is None else contexts.protocol,
        n_stories=len(runs),
        n_words=sum(map(len, runs.values())),
        n_passes=len(passes),
        n_text_tokens=sum(len(one.tokens.ids) for one in stories),
        n_tokens=sum(map(len, passes)),
        n_tokens_alone=sum(_alone(one) for one in passes),
        tokens_per_s=_rate(model, passes, layers, extras) if probe else None,
    )


def _readable(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < 90 else f"{seconds / 60:,.0f} min"


def _alone(one: Pass) -> int:
    """Tokens of each word's own context, summed: up to its last position in the window."""
    ends = one.counts.cumsum() - 1
    return int((one.positions[ends] + 1).sum())


def _rate(
    model: LanguageExtractor, passes: Sequence[Pass], layers: Any, extras: Sequence[str]
) -> float:
    """Tokens a second of the second of two small batches of the longest windows."""
    models, chosen, names = model.ready(layers, extras)
    widest = tokens_per_batch(models[0], max(map(len, passes)))
    probe = batches(passes, None, n_tokens=min(_PROBE_TOKENS, widest))[0]
    seconds = 0.0
    for _ in range(2):
        began = time.perf_counter()
        list(read_batches(models[:1], [probe], chosen, names))
        seconds = time.perf_counter() - began
    return len(models) * sum(map(len, probe)) / seconds
