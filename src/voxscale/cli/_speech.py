"""``voxscale features speech``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from voxscale.cli._extraction_progress import extraction_progress, of_windows
from voxscale.cli._given import as_devices, as_layers, mistakes, tr_times_of
from voxscale.cli._plainly import plainly
from voxscale.cli._speech_options import (
    BatchSize,
    Chunk,
    Context,
    Device,
    Dtype,
    FullContext,
    Layers,
    Model,
    Normalize,
    Out,
    Overwrite,
    PadSilence,
    Plan,
    Raw,
    Recursive,
    Resample,
    Stimuli,
    Stories,
    Stride,
    Tr,
    Transcripts,
    TrimPadding,
    TrReports,
)
from voxscale.cli._stimuli import check_transcripts, chosen, find_sounds
from voxscale.errors import ConfigError, DataError

if TYPE_CHECKING:
    from voxscale.study import SpeechExtraction, SpeechNpz

__all__ = ["speech"]

_SOME_FAILED = 1


@plainly
def speech(
    stimuli: Stimuli,
    model: Model,
    out: Out = Path("voxscale-features"),
    stride: Stride = 0.1,
    context: Context = 16.0,
    chunk: Chunk = None,
    stories: Stories = None,
    recursive: Recursive = False,
    layers: Layers = "all",
    pad_silence: PadSilence = False,
    full_context: FullContext = False,
    resample: Resample = False,
    normalize: Normalize = None,
    trim_padding: TrimPadding = False,
    tr: Tr = None,
    tr_reports: TrReports = None,
    raw: Raw = False,
    transcripts: Transcripts = None,
    device: Device = None,
    dtype: Dtype = None,
    batch_size: BatchSize = None,
    overwrite: Overwrite = False,
    plan: Plan = False,
) -> None:
    """Read the hidden states of a speech model; running again is resuming.

    Writes npz files, features_cnk0.1_ctx16.0/MODEL/layer.K/STORY.npz, unless --tr, --tr-reports or
    --raw asks for a store.
    """
    from voxscale.features import SpeechExtractor, SpeechWindows
    from voxscale.study import SpeechExtraction, SpeechNpz
    from voxscale.study._sounds import told_duration_s

    _check_choices(tr, tr_reports, raw=raw, chunk=chunk, overwrite=overwrite)
    sounds = chosen(find_sounds(stimuli, recursive=recursive), stories)
    if transcripts is not None:
        check_transcripts(sounds, transcripts)
    extraction: SpeechExtraction | SpeechNpz
    with mistakes():
        extractor = SpeechExtractor(
            model,
            SpeechWindows.chunked(
                chunk, stride, context, full_context=full_context, pad_silence=pad_silence
            ),
            device=as_devices(device),
            dtype=dtype,
            batch_size=batch_size,
            normalize=normalize,
            trim_padding=trim_padding,
            resample=resample,
        )
        chosen_layers = as_layers(layers)
        if raw or tr is not None or tr_reports is not None:
            tr_times = None
            if not raw:
                tr_s = 2.0 if tr is None else tr
                tr_times = {
                    story: tr_times_of(story, told_duration_s(path), tr_s, tr_reports)
                    for story, path in sounds.items()
                }
            extraction = SpeechExtraction(sounds, extractor, tr_times, out, layers=chosen_layers)
        else:
            extraction = SpeechNpz(
                sounds, extractor, out, layers=chosen_layers, chunk_s=chunk, overwrite=overwrite
            )
        if plan:
            _tell_plan(extraction, len(sounds))
            return
        with extraction_progress(of_windows) as tell:
            kept: Any = extraction.run(tell)
    _tell(extraction, kept, len(sounds))


def _check_choices(
    tr: float | None, tr_reports: Path | None, *, raw: bool, chunk: float | None, overwrite: bool
) -> None:
    """Refuse options that exclude each other."""
    asked = {"--tr": tr is not None, "--tr-reports": tr_reports is not None, "--raw": raw}
    given = [name for name, is_given in asked.items() if is_given]
    if len(given) > 1:
        msg = f"{' and '.join(given)} exclude each other; leave one out."
        raise ConfigError(msg)
    for name, is_given in (("--chunk", chunk is not None), ("--overwrite", overwrite)):
        if given and is_given:
            msg = (
                f"{name} is for npz files, {given[0]} for the store, which names what it keeps by "
                "all that can change it; leave one out."
            )
            raise ConfigError(msg)


def _tell_plan(extraction: SpeechExtraction | SpeechNpz, n_sounds: int) -> None:
    missing, sounds = extraction.missing, extraction.sounds
    n_done = n_sounds - len(missing) - len(sounds.absent) - len(sounds.unfit)
    typer.echo(f"    done  {n_done} of {n_sounds} sounds")
    if sounds.absent:
        typer.echo(f"  absent  {len(sounds.absent)}: {', '.join(sounds.absent)}")
    for error in sounds.unfit.values():
        typer.echo(f"   unfit  {error}")
    if not missing:
        typer.echo("nothing is missing.")
        return
    n_windows = sum(map(sounds.n_windows, missing))
    n_parts = sum(map(len, missing.values()))
    typer.echo(f"   to do  {len(missing)}, {n_parts:,} {extraction.parts}")
    typer.echo(f" windows  {n_windows:,} of up to {sounds.extractor.windows.window_s:g} s")


def _tell(extraction: SpeechExtraction | SpeechNpz, kept: Any, n_sounds: int) -> None:
    """Print where features are, and which sounds have none."""
    from voxscale.study._sounds import all_or_error

    for one in kept.values():
        for path in one.values() if isinstance(one, dict) else [one]:
            typer.echo(path)
    try:
        all_or_error(extraction.failed, n_sounds)
    except DataError as error:
        if len(extraction.failed) == n_sounds:
            raise
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(_SOME_FAILED) from None
