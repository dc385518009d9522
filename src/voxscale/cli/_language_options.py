"""Options of ``voxscale features language``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "BatchSize",
    "Device",
    "Dtype",
    "Extras",
    "KeepWords",
    "Layers",
    "MaxContext",
    "MinContext",
    "Model",
    "Normalize",
    "Out",
    "Plan",
    "Policy",
    "Protocol",
    "Stories",
    "Tier",
    "Tr",
    "TrReports",
    "WordVector",
]

Stories = Annotated[
    list[Path],
    typer.Argument(metavar="STORIES...", help="TextGrids or word tables, a story each."),
]
Model = Annotated[str, typer.Option(help="Hub name, folder, GGUF file or packaged model.")]
Out = Annotated[Path, typer.Option(metavar="DIR", help="Where the features are kept.")]
Layers = Annotated[str, typer.Option(help="all, or numbers such as 0,9,15; 0 is the embeddings.")]
Policy = Annotated[
    str,
    typer.Option(help="Which words a word is read after: growing, sliding, full, sentence."),
]
MaxContext = Annotated[
    int, typer.Option(help="Words that a word is read with at most. Not for full.")
]
MinContext = Annotated[
    int | None,
    typer.Option(help="Words at least. Default: half of the most. Not for sliding."),
]
WordVector = Annotated[
    str, typer.Option(help="Where a word is read: last or first of its tokens, or their mean.")
]
Protocol = Annotated[str | None, typer.Option(help="huth2023: contexts of the published scripts.")]
Extras = Annotated[
    str, typer.Option(help="surprisal, entropy, context_length; several with commas.")
]
Tr = Annotated[
    float,
    typer.Option(
        help="Without reports: a TR every so many seconds, from the onset of the sound to the "
        "last word."
    ),
]
TrReports = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder of STORY.report files.")
]
Tier = Annotated[str | None, typer.Option(help="Name of the word tier.")]
KeepWords = Annotated[bool, typer.Option("--keep-words", help="Keep the states of every word too.")]
Normalize = Annotated[
    bool, typer.Option("--normalize", help="At each TR the mean over its words, not the sum.")
]
Dtype = Annotated[str | None, typer.Option(help="float32 (default), float16, bfloat16 or float64.")]
BatchSize = Annotated[int | None, typer.Option(help="Windows in a batch.")]
Device = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="cpu, cuda, several with commas, or auto: one model over all. Default: cuda if "
        "there is one.",
    ),
]
Plan = Annotated[
    bool, typer.Option("--plan", help="Only say what it would cost, from a short probe.")
]
