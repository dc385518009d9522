"""The section of a page that sets the language model beside what knows nothing of meaning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.evaluate import VariancePartition, fdr
from voxscale.reports._reading import Q_LEVEL
from voxscale.reports._style import FOUND, MUTED, PAGE_WIDTH, panel_grid, styled
from voxscale.reports._tables import Drawing, Section, Table, as_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from voxscale.reports._reading import Material
    from voxscale.study import Results

__all__ = ["beyond_baselines", "parts_found"]

_LANGUAGE = "language"
_PLAINLY = {"language": "language model", "word_rate": "word rate"}
_COLUMNS = 2  # panels beside each other


def beyond_baselines(material: Material) -> Section:
    """Show what the language model explains beyond word rate, position and sound."""
    results = material.results
    section = Section("baselines", "Beyond the baselines")
    made = {
        subject: found
        for subject in results.subjects
        if (found := results.partition(subject)) is not None
    }
    if not made:
        section.paragraphs.append(_why_none(results))
        section.paragraphs.extend(_autocorrelation(results))
        return section
    told = [_told(subject, found) for subject, found in made.items()]
    section = Section(section.anchor, section.title, headline=f"{'; '.join(told)}.")
    first = next(iter(made.values()))
    baselines = _listed([name for name in first.names if name != _LANGUAGE])
    cell = results.beside_cell("baselines", next(iter(made)))
    layer = results.study.reference_layer if cell is None else cell.layer
    section.paragraphs.append(
        f"Layer {layer} at the longest context, with all training stories, beside {baselines}. "
        "Every union of these spaces was fitted and scored on the test stories; a part is what "
        "one of them explains and no other does, or what several share. Within a union each "
        "space has the same prior variance, whatever its number of columns, and is left out of "
        "voxels where validation on training stories does without. Parts below zero, where a "
        "space makes predictions worse, are left so."
    )
    section.paragraphs.extend(_autocorrelation(results))
    rows = [_row(results, subject, found) for subject, found in made.items()]
    columns = (
        "subject", "all", "language model", "baselines", "unique", "share", "voxels",
        f"beyond (q < {Q_LEVEL})",
    )  # fmt: skip
    note = (
        "R² on the test stories, mean over voxels with a score: of all spaces together, of the "
        "language model alone, of the baselines alone, and what is unique to the language model. "
        "Share: unique over all, above 100 % where baselines predict worse than a constant. "
        "Beyond: voxels whose partial correlation of response and prediction, baselines projected "
        "out, is significant by permutation; none where validation leaves the language model out."
    )
    numbers = _numbers(made)
    section.tables.append(Table(columns, rows, note, "baselines", numbers))
    section.tables.extend(_product_measure(results))
    caption = (
        "R² on the test stories, mean over voxels with a score. Orange: what the language model "
        "explains and no baseline does. The bars of a panel add up to the R² of all spaces "
        "together."
    )
    section.drawings.append(Drawing("baseline-parts", parts_found(numbers), caption, numbers))
    return section


@styled
def parts_found(numbers: Any) -> Figure:
    """Draw the mean of each part, a panel per subject.

    Parameters
    ----------
    numbers : DataFrame
        Columns ``subject``, ``part``, ``kind`` and ``mean``; rows of kind "unique" and "shared"
        are drawn.

    Returns
    -------
    matplotlib Figure
    """
    drawn = numbers[numbers["kind"].isin(["unique", "shared"])]
    groups = list(drawn.groupby("subject", sort=False))
    n_parts = max(len(rows) for _, rows in groups)
    height = 0.7 + 0.26 * n_parts
    figure, axes = panel_grid(len(groups), _COLUMNS, width=0.7 * PAGE_WIDTH, height=height)
    for i, (ax, (subject, rows)) in enumerate(zip(axes, groups, strict=True)):
        ordered = rows.iloc[::-1]
        is_own = ordered["part"] == _PLAINLY[_LANGUAGE]
        ax.barh(ordered["part"], ordered["mean"], color=np.where(is_own, FOUND, MUTED))
        ax.axvline(0, color="#4b5058", lw=0.8)
        ax.set(xlabel="part of R², mean over voxels")
        ax.set_title(str(subject))
        ax.set_xlim(_ends(drawn["mean"]))
        if i % _COLUMNS:
            ax.set_yticklabels([])
    return figure


def _ends(means: Any) -> tuple[float, float]:
    """Return one axis for all panels."""
    low, high = min(0.0, float(means.min())), max(0.0, float(means.max()))
    margin = 0.05 * (high - low) or 1.0
    return low - margin if low < 0 else 0.0, high + margin


def _told(subject: str, found: VariancePartition) -> str:
    share = found.mean_unique_share(_LANGUAGE)
    if np.isnan(share):
        return f"{subject}: language model and baselines together explain nothing"
    total, _, baselines, unique = _means(found)
    if baselines <= 0:
        return (
            f"{subject}: baselines alone explain nothing (R² {as_text(baselines, 4)}), the "
            f"language model {as_text(unique, 4)} beyond them, both together {as_text(total, 4)}"
        )
    return f"{subject}: {share:.0%} of the R² is unique to the language model".replace("%", " %")


def _why_none(results: Results) -> str:
    chosen = results.study.baselines
    if not chosen.spaces:
        return "The study has no baselines beside the language model (see [baselines])."
    if any(results.baselines(subject) is not None for subject in results.subjects):
        return "No baseline could be made: sound needs the audio of every run."
    return "What baselines explain is not done."


def _autocorrelation(results: Results) -> list[str]:
    """Say what the study's own splits give away to smooth noise."""
    told = []
    for subject in results.subjects:
        held = results.baselines(subject)
        if held is None or "autocorrelation_cv_score" not in held:
            continue
        scores = held["autocorrelation_cv_score"]
        known = scores[np.isfinite(scores)]
        if known.size:
            mean = float(known.mean(dtype=np.float64))
            told.append(f"{as_text(round(mean, 3) + 0.0)} in {subject}")
        else:
            told.append(f"none in {subject}, for what it predicts of them is constant")
    if not told:
        return []
    scoring = results.study.fit.scoring
    return [
        "What validation gives away: smooth noise, which knows no word but which TRs are "
        f"neighbours, has a validation score ({scoring}) of {', '.join(told)}. Above 0, the "
        "splits leave neighbours of held-out TRs among those that train, and all validation "
        "scores are too good by something like that. Test stories are held out whole: there it "
        "predicts nothing."
    ]


def _row(results: Results, subject: str, found: VariancePartition) -> tuple[str, ...]:
    known = np.isfinite(found.total)
    share = found.mean_unique_share(_LANGUAGE)
    percent = "–" if np.isnan(share) else f"{share:.0%}".replace("%", " %")
    return (
        subject,
        *(as_text(one, 4) for one in _means(found)),
        percent,
        as_text(int(known.sum())),
        _n_beyond(results, subject),
    )


def _means(found: VariancePartition) -> list[float]:
    """Average over voxels: all spaces, language model, baselines, unique to the model."""
    baselines = tuple(name for name in found.names if name != _LANGUAGE)
    parts = (found.scores[(_LANGUAGE,)], found.scores[baselines], found.unique[_LANGUAGE])
    known = np.isfinite(found.total)
    return [
        float(one[known].mean()) if known.any() else float("nan") for one in (found.total, *parts)
    ]


def _product_measure(results: Results) -> list[Table]:
    """Tabulate what each band of one banded fit adds to its R²."""
    parts: dict[str, dict[str, float]] = {
        subject: results.meta(cell)["mean_parts"]
        for subject in results.subjects
        if (cell := results.beside_cell("product", subject)) is not None
    }
    if not parts:
        return []
    names = list(dict.fromkeys(name for means in parts.values() for name in means))
    rows = []
    for subject, means in parts.items():
        numbers = (sum(means.values()), *(means.get(name) for name in names))
        rows.append((subject, *(as_text(one, 4) for one in numbers)))
    heads = [_PLAINLY.get(name, name) for name in names]
    note = (
        "Product measure: R² on the test stories of one banded ridge regression, and the part of "
        "each space, mean over voxels with a score. The parts add up; what spaces share is divided "
        "between them by how much of the prediction each of them is, so that a part is not what "
        "would be lost without the space."
    )
    return [Table(("subject", "all", *heads), rows, note)]


def _n_beyond(results: Results, subject: str) -> str:
    """Count voxels where the language model adds to all baselines, of those tested."""
    held = results.baselines(subject) or {}
    if "p_unique" not in held:
        return as_text(None)
    p = held["p_unique"].astype(np.float64)
    known = np.isfinite(p)
    n_tested = int(known.sum())
    found = fdr(p[known], method=results.study.evaluate.fdr) < Q_LEVEL if n_tested else known[:0]
    return f"{as_text(int(found.sum()))} of {as_text(n_tested)}"


def _numbers(made: dict[str, VariancePartition]) -> Any:
    """Tabulate the scores of all unions and the parts, means over voxels with all of them."""
    import pandas as pd

    rows: list[tuple[Any, ...]] = []
    for subject, found in made.items():
        known = np.isfinite(found.total)
        for union, score in found.scores.items():
            rows.append((subject, _listed(union), "fit", float(np.mean(score[known])), None))
        for key, part in found.parts.items():
            kind = "unique" if len(key) == 1 else "shared"
            mean, n_negative = float(np.mean(part[known])), found.n_negative[key]
            rows.append((subject, _listed(key), kind, mean, n_negative))
    columns = ["subject", "part", "kind", "mean", "n_negative"]
    return pd.DataFrame(rows, columns=columns)


def _listed(names: Sequence[str]) -> str:
    plain = [_PLAINLY.get(name, name) for name in names]
    return plain[0] if len(plain) == 1 else f"{', '.join(plain[:-1])} and {plain[-1]}"
