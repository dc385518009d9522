"""``voxscale features``: the group, and ``language``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from voxscale.cli._extraction_progress import extraction_progress
from voxscale.cli._given import as_devices, as_layers, mistakes, tr_times_of
from voxscale.cli._language_options import (
    BatchSize,
    Device,
    Dtype,
    Extras,
    KeepWords,
    Layers,
    MaxContext,
    MinContext,
    Model,
    Normalize,
    Out,
    Plan,
    Policy,
    Protocol,
    Stories,
    Tier,
    Tr,
    TrReports,
    WordVector,
)
from voxscale.cli._plainly import plainly
from voxscale.cli._speech import speech
from voxscale.errors import ConfigError

if TYPE_CHECKING:
    from voxscale.data import Transcript

__all__ = ["features"]

features = typer.Typer(
    help="Features of stories, without a study.", no_args_is_help=True, rich_markup_mode=None
)


@features.callback()
def _group() -> None:
    """Features of stories, without a study."""


@features.command()
@plainly
def language(
    stories: Stories,
    model: Model,
    out: Out = Path("voxscale-features"),
    layers: Layers = "all",
    policy: Policy = "growing",
    max_context: MaxContext = 512,
    min_context: MinContext = None,
    word_vector: WordVector = "last",
    protocol: Protocol = None,
    extras: Extras = "",
    tr: Tr = 2.0,
    tr_reports: TrReports = None,
    tier: Tier = None,
    keep_words: KeepWords = False,
    normalize: Normalize = False,
    dtype: Dtype = None,
    batch_size: BatchSize = None,
    device: Device = None,
    plan: Plan = False,
) -> None:
    """Read the hidden states of a language model, at TR rate; running again is resuming."""
    from voxscale.data import read_transcript
    from voxscale.design import DesignRecipe
    from voxscale.features import LanguageExtractor
    from voxscale.study import LanguageExtraction

    named = _named(stories)
    with mistakes():
        extractor = LanguageExtractor(
            model,
            device=as_devices(device),
            dtype=dtype,
            batch_size=batch_size,
            policy=policy,
            word_vector=word_vector,
            protocol=protocol,
        )
        words = {story: read_transcript(path, tier) for story, path in named.items()}
        extraction = LanguageExtraction(
            words,
            extractor,
            {
                story: tr_times_of(story, _end_s(one), tr, tr_reports)
                for story, one in words.items()
            },
            out,
            layers=as_layers(layers),
            min_context=max_context // 2 or 1 if min_context is None else min_context,
            max_context=max_context,
            extras=[one.strip() for one in extras.split(",") if one.strip()],
            keep_words=keep_words,
            recipe=DesignRecipe(normalize=normalize),
        )
        if plan:
            cost = extraction.cost()
            n_done = len(words) - len(extraction.missing)
            typer.echo(f"    done  {n_done} of {len(words)}")
            typer.echo(cost or "nothing is missing.")
            return
        with extraction_progress() as tell:
            kept = extraction.run(tell)
    for path in kept.values():
        typer.echo(path)


def _named(stories: list[Path]) -> dict[str, Path]:
    """Name stories by their files."""
    named: dict[str, Path] = {}
    for path in stories:
        if path.stem in named:
            msg = (
                f"{path} and {named[path.stem]} would both be story {path.stem!r}; expected one "
                "file for each story; rename one, or give them one after the other."
            )
            raise ConfigError(msg)
        named[path.stem] = path
    return named


def _end_s(words: Transcript) -> float:
    return float(words.onset_s[-1] if words.offset_s is None else words.offset_s[-1])


features.command()(speech)
