"""How the validation score was had, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxscale.reports._tables import plural
from voxscale.study._fit_settings import ChunkCV

if TYPE_CHECKING:
    from voxscale.study import Fit, Study

__all__ = ["held_out_data", "splits_in_words"]


def held_out_data(study: Study) -> str:
    """Say which training data were held out to validate."""
    if isinstance(study.fit.cv, ChunkCV):
        return "chunks of the training stories, held out at random"
    return "training stories, held out in turn"


def splits_in_words(fit: Fit, longest_delay: int) -> str:
    """Say how training data were split."""
    cv = fit.cv
    if not isinstance(cv, ChunkCV):
        return f"{cv}; one training story: five contiguous folds with a gap of {longest_delay} TRs"
    if cv.n_chunks is None:
        much = f"{cv.share:.0%} of the TRs".replace("%", " %")
    else:
        much = plural(cv.n_chunks, "chunk", "chunks")
    times = plural(cv.n_repeats, "time", "times")
    gap = f", with a gap of {plural(cv.gap, 'TR', 'TRs')} beside each" if cv.gap else ", no gap"
    return f"{much} held out {times}, in random chunks of {cv.chunk_len} TRs{gap}"
