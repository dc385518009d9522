"""One transcript, or one for each run."""

from __future__ import annotations

from collections.abc import Mapping

from voxscale.data import Transcript

__all__ = ["ONLY", "as_runs"]

ONLY = "transcript"  # what a single one is called in errors


def as_runs(transcript: Transcript | Mapping[str, Transcript]) -> dict[str, Transcript]:
    """Return transcripts by run; a single one as the run "transcript".

    Raises
    ------
    TypeError
        If it is neither a Transcript nor a mapping of run to Transcript.
    """
    runs = dict(transcript) if isinstance(transcript, Mapping) else {ONLY: transcript}
    for run, one in runs.items():
        if not isinstance(one, Transcript):
            what = f"transcript of run {run!r}" if isinstance(transcript, Mapping) else ONLY
            msg = (
                f"{what} is of type {type(one).__name__}; expected a Transcript or a mapping of "
                "run to Transcript, such as {'alice': Transcript(words, onset_s, offset_s)}."
            )
            raise TypeError(msg)
    return runs
