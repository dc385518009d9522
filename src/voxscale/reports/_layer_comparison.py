"""The section of a page that sets two layers against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voxscale.arrays import Array
from voxscale.evaluate import fdr
from voxscale.reports._reading import Q_LEVEL
from voxscale.reports._tables import Section, Table, as_text

if TYPE_CHECKING:
    from voxscale.reports._reading import Material
    from voxscale.study import Results

__all__ = ["two_layers", "voxels_on_either_side"]


def two_layers(material: Material) -> Section:
    """Show which of two layers predicts better, and in how many voxels surely."""
    results = material.results
    section = Section("comparison", "Two layers compared")
    if not results.study.evaluate.compare_layers:
        section.paragraphs.append("No comparison of two layers was asked for.")
        return section
    compared = [one for one in results.subjects if results.comparison(one) is not None]
    if not compared:
        section.paragraphs.append("The comparison of two layers is not done.")
        return section
    first, second = results.study.evaluate.compare_layers
    section.paragraphs.append(
        f"Layers {first} and {second}, fitted to all training stories at the longest context, on "
        "the same test stories. If both predict equally well, it does not matter which of the two "
        "a prediction comes from: they are swapped in blocks of TRs. Over the ceiling: the "
        "difference of their correlations in the repeated test stories, divided by cc_max."
    )
    columns = (
        "subject", f"layer {first}", f"layer {second}", "difference", "over the ceiling",
        f"surely better · worse (q < {Q_LEVEL})",
    )  # fmt: skip
    note = (
        "r on the test stories, mean over voxels with a score; median over voxels with a ceiling. "
        f"Surely: voxels where layer {first} predicts better, and where it predicts worse."
    )
    rows = [_row(results, subject) for subject in compared]
    section.tables.append(Table(columns, rows, note))
    return section


def voxels_on_either_side(p_values: Array | None, gain: Array, method: str) -> str:
    """Count the voxels where a difference is surely above 0, and where it is below."""
    if p_values is None:
        return as_text(None)
    known = np.isfinite(p_values) & np.isfinite(gain)
    if not known.any():
        return "0 · 0"
    found = fdr(p_values[known].astype(np.float64), method=method) < Q_LEVEL
    n_better, n_worse = (int((found & side).sum()) for side in (gain[known] > 0, gain[known] < 0))
    return f"{as_text(n_better)} · {as_text(n_worse)}"


def _row(results: Results, subject: str) -> tuple[str, ...]:
    held = results.comparison(subject) or {}
    gain = held["difference"].astype(np.float64)
    means = [_mean(held[name]) for name in ("r_first", "r_second", "difference")]
    norm = held.get("difference_norm", np.full(1, np.nan)).astype(np.float64)
    known = norm[np.isfinite(norm)]
    median = float(np.median(known)) if known.size else None
    sides = voxels_on_either_side(held.get("p_difference"), gain, results.study.evaluate.fdr)
    return (subject, *(as_text(one, 4) for one in means), as_text(median, 3), sides)


def _mean(scores: Array) -> float:
    known = scores[np.isfinite(scores)]
    return float(known.mean(dtype=np.float64)) if known.size else float("nan")
