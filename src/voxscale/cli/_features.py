"""``voxscale features language``."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxscale.cli._plainly import plainly
from voxscale.errors import ConfigError

if TYPE_CHECKING:
    from voxscale.data import Transcript
    from voxscale.study import Extracted

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
    stories: Annotated[
        list[Path],
        typer.Argument(metavar="STORIES...", help="TextGrids or word tables, a story each."),
    ],
    model: Annotated[str, typer.Option(help="Hub name, folder, GGUF file or packaged model.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the features are kept.")] = Path(
        "voxscale-features"
    ),
    layers: Annotated[
        str, typer.Option(help="all, or numbers such as 0,9,15; 0 is the embeddings.")
    ] = "all",
    policy: Annotated[
        str,
        typer.Option(help="Which words a word is read after: growing, sliding, full, sentence."),
    ] = "growing",
    max_context: Annotated[
        int, typer.Option(help="Words that a word is read with at most. Not for full.")
    ] = 512,
    min_context: Annotated[
        int | None,
        typer.Option(help="Words at least. Default: half of the most. Not for sliding."),
    ] = None,
    word_vector: Annotated[
        str, typer.Option(help="Where a word is read: last or first of its tokens, or their mean.")
    ] = "last",
    protocol: Annotated[
        str | None, typer.Option(help="huth2023: contexts of the published scripts.")
    ] = None,
    extras: Annotated[
        str, typer.Option(help="surprisal, entropy, context_length; several with commas.")
    ] = "",
    tr: Annotated[
        float,
        typer.Option(
            help="Without reports: a TR every so many seconds, from the onset of the sound to the "
            "last word."
        ),
    ] = 2.0,
    tr_reports: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of STORY.report files.")
    ] = None,
    tier: Annotated[str | None, typer.Option(help="Name of the word tier.")] = None,
    keep_words: Annotated[
        bool, typer.Option("--keep-words", help="Keep the states of every word too.")
    ] = False,
    normalize: Annotated[
        bool, typer.Option("--normalize", help="At each TR the mean over its words, not the sum.")
    ] = False,
    dtype: Annotated[
        str | None, typer.Option(help="float32 (default), float16 or bfloat16.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Windows in a batch.")] = None,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="cpu, cuda, several with commas, or auto: one model over all. Default: cuda if "
            "there is one.",
        ),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only say what it would cost, from a short probe.")
    ] = False,
) -> None:
    """Read the hidden states of a language model, at TR rate; running again is resuming."""
    from voxscale.data import read_transcript
    from voxscale.design import DesignRecipe
    from voxscale.features import LanguageExtractor
    from voxscale.study import LanguageExtraction

    named = _named(stories)
    with _mistakes():
        extractor = LanguageExtractor(
            model,
            device=_devices(device),
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
            {story: _tr_times(story, one, tr, tr_reports) for story, one in words.items()},
            out,
            layers=_layers(layers),
            min_context=max(1, max_context // 2) if min_context is None else min_context,
            max_context=max_context,
            extras=[one.strip() for one in extras.split(",") if one.strip()],
            keep_words=keep_words,
            recipe=DesignRecipe(normalize=normalize),
        )
        if plan:
            n_done = len(words) - len(extraction.missing)
            typer.echo(f"    done  {n_done} of {len(words)}")
            typer.echo(extraction.cost() or "nothing is missing.")
            return
        with _progress() as tell:
            kept = extraction.run(tell)
    for path in kept.values():
        typer.echo(path)


@contextmanager
def _mistakes() -> Iterator[None]:
    """Turn what a function says of its arguments into a message of the command line."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ConfigError(str(error)) from error


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


def _layers(text: str) -> Any:
    if text == "all":
        return text
    try:
        return [int(one) for one in text.split(",")]
    except ValueError as error:
        msg = f"--layers is {text!r}; expected all, or numbers with commas, such as 0,9,15."
        raise ConfigError(msg) from error


def _devices(text: str | None) -> Any:
    return text.split(",") if text is not None and "," in text else text


def _tr_times(story: str, words: Transcript, tr_s: float, folder: Path | None) -> Any:
    from voxscale.data import TRReport, read_tr_report

    TRReport.simulated(1, tr_s=tr_s)  # says so if this is no TR
    if folder is not None:
        return read_tr_report(folder / f"{story}.report").tr_times
    last = words.onset_s[-1] if words.offset_s is None else words.offset_s[-1]
    return TRReport.simulated(max(2, math.ceil(last / tr_s)), tr_s=tr_s).tr_times


@contextmanager
def _progress() -> Iterator[Any]:
    """Yield what shows a bar in a terminal, elsewhere a line for each story."""
    from rich import progress as rich
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(bar_width=30),
        rich.TextColumn("{task.fields[rate]}"),
    )
    with rich.Progress(*columns, console=console) as bars:
        task = bars.add_task("loading the model", total=None, rate="")

        def tell(one: Extracted) -> None:
            bars.update(
                task,
                description=f"{one.n_stories_done}/{one.n_stories} stories",
                total=one.n_words,
                completed=one.n_words_done,
                rate=_rate(one),
            )

        yield tell


class _Lines:
    """Writes a line when a story is done."""

    def __init__(self) -> None:
        self._done = -1

    def __call__(self, one: Extracted) -> None:
        if self._done < 0:
            self._done = one.n_stories_done
        if one.n_stories_done > self._done:
            self._done = one.n_stories_done
            line = f"[stories {one.n_stories_done}/{one.n_stories}] {one.story}: {_rate(one)}\n"
            sys.stderr.write(line)
            sys.stderr.flush()


def _rate(one: Extracted) -> str:
    from voxscale.study import duration

    left = one.seconds_left
    rest = "" if not left else f"; {duration(left)} left"
    return f"{one.tokens_per_s:,.0f} tokens/s{rest}"
