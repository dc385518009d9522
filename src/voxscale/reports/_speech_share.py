"""What a mix has of the language model and of the speech model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.reports._cortex import RELIABLE_CC_MAX
from voxscale.reports._tables import Table, as_text

if TYPE_CHECKING:
    from voxscale.arrays import Array
    from voxscale.study import Results

__all__ = ["speech_share"]

_COLUMNS = (
    "subject", "best language layer", "best speech layer", "best of both", "mix",
    "best is speech", "weight on speech", f"weight on speech, cc_max > {RELIABLE_CC_MAX:g}",
)  # fmt: skip


def speech_share(results: Results, subjects: Sequence[str]) -> Table:
    """Tabulate scores of the two models, and how much of the mix is speech.

    Parameters
    ----------
    results : Results
    subjects : sequence of str
        Those whose mix is done.

    Returns
    -------
    Table
        Its file has the test score of each speech layer alone beside these.
    """
    import pandas as pd

    rows, numbers = [], []
    for subject in subjects:
        found = _found(results, subject)
        shares = [found[name] for name in ("best_is_speech", "speech_weight", "reliable_weight")]
        rows.append(
            (
                subject,
                *(as_text(found[f"r_{name}"]) for name in _SCORES),
                *map(_percent, shares),
            )
        )
        numbers.append({"subject": subject, **found})
    note = (
        "r on the test stories, mean over voxels with all four: of each voxel's best language "
        "layer and its best speech layer, of the better of the two, each chosen without the test "
        "stories, and of the mix. The share of voxels whose best layer is one of speech; and the "
        "share of the mix that speech layers have, mean over voxels with weights: over all of "
        f"them, and over those whose noise ceiling is above {RELIABLE_CC_MAX:g}. Voxels that "
        "nothing predicts have weights and a best layer too, by chance: there the better of the "
        "two on validation may be the worse on the test stories. The file has the "
        "r of each speech layer alone."
    )
    return Table(_COLUMNS, rows, note, "speech", pd.DataFrame(numbers))


_SCORES = {
    "best_language": "r_best_language",
    "best_speech": "r_best_speech",
    "single": "r_single",
    "stacked": "r_stacked",
}


def _found(results: Results, subject: str) -> dict[str, Any]:
    """Return means over voxels of one subject."""
    held = results.stacking(subject) or {}
    cell = results.beside_cell("stacking", subject)
    meta = {} if cell is None else results.meta(cell)
    has_all = np.all([np.isfinite(held[name]) for name in _SCORES.values()], axis=0)
    is_speech = np.array([model.startswith("speech ") for model in meta["models"]])
    best = held["best_model"][np.isfinite(held["best_model"])].astype(int)
    reliable = np.nan_to_num(_ceiling(results, subject, len(has_all))) > RELIABLE_CC_MAX
    alone = zip(meta["speech"]["layers"], held["r_speech"], strict=True)
    return {
        **{f"r_{name}": _mean(held[of][has_all]) for name, of in _SCORES.items()},
        "best_is_speech": _mean(is_speech[best]),
        "speech_weight": _mean(held["speech_weight"]),
        "reliable_weight": _mean(held["speech_weight"][reliable]),
        **{f"r_speech_{layer}": _mean(r) for layer, r in alone},
    }


def _ceiling(results: Results, subject: str, n_voxels: int) -> Array:
    """Return ``cc_max`` of a subject's voxels; NaN where no test story was repeated."""
    fits = results.select(subject=subject)
    if not fits or not results.meta(fits[0])["ceiling_runs"]:
        return np.full(n_voxels, np.nan)
    return results.array(fits[0], "cc_max")


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean(dtype=np.float64)) if known.size else float("nan")


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{share:.0%}".replace("%", " %")
