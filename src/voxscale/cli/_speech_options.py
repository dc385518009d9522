"""Options of ``voxscale features speech``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "BatchSize",
    "Chunk",
    "Context",
    "Device",
    "Dtype",
    "FullContext",
    "Layers",
    "Model",
    "Normalize",
    "Out",
    "Overwrite",
    "PadSilence",
    "Plan",
    "Raw",
    "Recursive",
    "Resample",
    "Stimuli",
    "Stories",
    "Stride",
    "Tr",
    "TrReports",
    "Transcripts",
    "TrimPadding",
]

Stimuli = Annotated[
    list[Path],
    typer.Argument(
        metavar="STIMULI...",
        help="Sounds, a story each, or folders of them: flac, wav, ogg, mp3; of two of one name "
        "in a folder the first of these.",
    ),
]
Model = Annotated[str, typer.Option(help="Hub name, folder or packaged model.")]
Out = Annotated[Path, typer.Option(metavar="DIR", help="Where the features are kept.")]
Stride = Annotated[float, typer.Option(metavar="S", help="A window every so many seconds.")]
Context = Annotated[
    float, typer.Option(metavar="S", help="Seconds that a window holds beside the stride.")
]
Chunk = Annotated[
    float | None,
    typer.Option(
        metavar="S",
        help="For windows that last CHUNK and CONTEXT but step by STRIDE, in a folder stride_S.",
    ),
]
Stories = Annotated[
    str | None, typer.Option(metavar="NAMES", help="Only these; several with commas.")
]
Recursive = Annotated[
    bool,
    typer.Option("--recursive", help="Search folders of folders; stories are named by both."),
]
Layers = Annotated[
    str, typer.Option(help="all, or numbers such as 0,4; 0 is the first block's input.")
]
FullContext = Annotated[
    bool, typer.Option("--full-context", help="Leave out shorter windows at the beginning.")
]
PadSilence = Annotated[
    bool, typer.Option("--pad-silence", help="Begin in silence, so that every window is whole.")
]
Resample = Annotated[
    bool,
    typer.Option(
        "--resample",
        help="Resample and average channels. Without it other sounds than the model's are errors.",
    ),
]
Normalize = Annotated[
    bool | None,
    typer.Option(
        "--normalize/--no-normalize",
        help="Bring windows to mean 0, variance 1. Default: as the model was trained.",
    ),
]
TrimPadding = Annotated[
    bool,
    typer.Option(
        "--trim-padding", help="Whisper without the silence up to 30 s: faster, other numbers."
    ),
]
Tr = Annotated[
    float | None,
    typer.Option(
        metavar="S",
        help="Keep features at TR rate in a store: a TR every so many seconds, from the onset of "
        "the sound to its end.",
    ),
]
TrReports = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="The same, for the TRs of a folder of STORY.report files."),
]
Raw = Annotated[
    bool, typer.Option("--raw", help="Keep every window in the store, not in npz files.")
]
Transcripts = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder of STORY.TextGrid or word tables, to check that they are of these sounds.",
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="cpu, cuda, or several with commas. Default: cuda if there is one."
    ),
]
Dtype = Annotated[str | None, typer.Option(help="float32 (default), float16, bfloat16 or float64.")]
BatchSize = Annotated[int | None, typer.Option(help="Windows in a batch.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Compute anew the npz files that are there.")
]
Plan = Annotated[
    bool, typer.Option("--plan", help="Only count sounds, windows, and what is there.")
]
