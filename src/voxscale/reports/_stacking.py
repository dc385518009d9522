"""The section of a page that shows all layers mixed voxel by voxel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.reports._layer_comparison import voxels_on_either_side
from voxscale.reports._reading import Q_LEVEL
from voxscale.reports._speech_share import speech_share
from voxscale.reports._style import PAGE_WIDTH, colour_of, new_figure, styled
from voxscale.reports._tables import Drawing, Section, Table, as_text, with_minus

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from voxscale.arrays import Array
    from voxscale.reports._reading import Material
    from voxscale.study import Results

__all__ = ["mixed_layers", "mixes_found"]

_LANGUAGE, _SPEECH, _BASELINE = "language layer", "speech layer", "baseline"
_HATCHED = " Hatched: layers of the speech model."
_GAP = 0.8  # between the bars of two kinds of models, in places of a model
_MOST_NARROW, _MOST_LABELS = 18, 45  # models in a narrower figure; places that are all named


def mixed_layers(material: Material) -> Section:
    """Show the mix of layers and baselines beside each voxel's best layer."""
    results = material.results
    section = Section("stacking", "Layers mixed")
    mixed = [subject for subject in results.subjects if results.stacking(subject) is not None]
    if not mixed:
        section.paragraphs.append(_why_none(results))
        return section
    rows, told = [], []
    for subject in mixed:
        row, gain = _row(results, subject)
        rows.append(row)
        told.append(f"{subject} {gain}")
    section = Section(
        section.anchor,
        section.title,
        headline=f"Test r of the mix less that of each voxel's best layer: {', '.join(told)}.",
    )
    has_speech = results.study.speech is not None
    meta = _meta(results, mixed[0])
    chosen_on = "validation" if meta["validation"] else "held-out training"
    section.paragraphs.append(
        f"Each voxel mixes the predictions of {_named(meta['models'])} with weights of at "
        "least 0 whose sum is 1: those that err least on training stories that were left out. "
        f"Beside it stands the layer{', of language or speech,' if has_speech else ''} that is "
        f"best for the voxel on {chosen_on} stories ({', '.join(meta['chosen_on'])}). Neither has "
        "seen the test stories."
    )
    columns = (
        "subject", "mix", "best layer", "difference", "mix better",
        f"surely better · worse (q < {Q_LEVEL})", "layer of the mix",
    )  # fmt: skip
    note = (
        "r on the test stories of the mix and of the best layer, mean over voxels with both, and "
        "the share of voxels where the mix is better. Surely: by swapping both in blocks of TRs; "
        "short test stories have few blocks, which show little. Layer of the mix: median centre of "
        f"mass of its weights over the layers, {'speech and ' if has_speech else ''}baselines left "
        "out."
    )
    section.tables.append(Table(columns, rows, note))
    if has_speech:
        section.tables.append(speech_share(results, mixed))
    numbers = _weights(results, mixed)
    caption = (
        f"Weight of each model in the mix, mean over voxels with weights.{_HATCHED * has_speech} "
        "Voxels that nothing predicts have weights too."
    )
    section.drawings.append(Drawing("stacking", mixes_found(numbers), caption, numbers))
    return section


@styled
def mixes_found(weights: Any) -> Figure:
    """Draw the mean weight of each model, a bar per subject.

    Parameters
    ----------
    weights : DataFrame
        Columns ``subject``, ``model``, ``weight`` and ``kind``, of which each has a group of
        bars; those of kind "speech layer" are hatched.

    Returns
    -------
    matplotlib Figure
    """
    kinds = dict(zip(weights["model"], weights["kind"], strict=True))
    models, groups = list(kinds), list(dict.fromkeys(kinds.values()))
    subjects = list(dict.fromkeys(weights["subject"]))
    at = _places(list(kinds.values()))
    is_wide = len(models) > _MOST_NARROW
    figure, grid = new_figure(width=(1.0 if is_wide else 0.8) * PAGE_WIDTH, height=3.2)
    ax = grid[0, 0]
    width = 0.8 / len(subjects)
    for i, subject in enumerate(subjects):
        own = weights[weights["subject"] == subject].set_index("model")["weight"]
        places = at + (i - (len(subjects) - 1) / 2) * width
        bars = ax.bar(places, own.reindex(models), width, color=colour_of(i), label=subject)
        for model, bar in zip(models, bars, strict=True):
            if kinds[model] == _SPEECH:
                bar.set(hatch="////", edgecolor="white", linewidth=0)
    step = 1 + int(at[-1]) // _MOST_LABELS
    shown = [i for i, model in enumerate(models) if kinds[model] == _BASELINE or i % step == 0]
    labels = [models[i].removeprefix("layer ").removeprefix("speech ") for i in shown]
    ax.set_xticks(at[shown], labels)
    for i, label in zip(shown, ax.get_xticklabels(), strict=True):
        if kinds[models[i]] == _BASELINE:
            label.set(rotation=30, ha="right", rotation_mode="anchor")
    for group in groups:
        middle = at[[kinds[model] == group for model in models]].mean()
        ax.text(middle, 1.02, f"{group}s", ha="center", transform=ax.get_xaxis_transform())
    ax.grid(visible=False, axis="x")
    ax.set_ylabel("weight, mean over voxels")
    ax.legend(loc="best", handlelength=1.2)
    return figure


def _places(kinds: Sequence[str]) -> Array:
    """Place the models beside each other, kinds apart; the names of baselines need some room."""
    gap = max(_GAP, len(kinds) / 16)
    room = max(1.0, len(kinds) / 30)
    steps = [0.0]
    for before, kind in pairwise(kinds):
        steps.append((room if kind == _BASELINE else 1.0) + gap * (kind != before))
    return np.cumsum(steps)


def _named(models: list[str]) -> str:
    return ", ".join(one.replace("_", " ") for one in models)


def _why_none(results: Results) -> str:
    if not results.study.evaluate.stack:
        return "No mix of layers was asked for."
    if len(results.study.layers_of(results.study.model)) < 2 and results.study.speech is None:
        return "The study has one layer, so there is nothing to mix."
    return "The mix of layers is not done."


def _meta(results: Results, subject: str) -> dict[str, Any]:
    cell = results.beside_cell("stacking", subject)
    return {} if cell is None else results.meta(cell)


def _row(results: Results, subject: str) -> tuple[tuple[str, ...], str]:
    """Return a row of the table, and what the mix gained."""
    held = results.stacking(subject) or {}
    stacked, single = (held[name].astype(np.float64) for name in ("r_stacked", "r_single"))
    both = np.isfinite(stacked) & np.isfinite(single)
    gain = stacked[both] - single[both]
    depth = held["center_of_mass"][np.isfinite(held["center_of_mass"])]
    means = [
        float(one.mean()) if one.size else float("nan")
        for one in (stacked[both], single[both], gain)
    ]
    better = f"{np.mean(gain > 0):.0%}".replace("%", " %") if gain.size else "–"
    median = float(np.median(depth)) if depth.size else float("nan")
    method = results.study.evaluate.fdr
    sure = voxels_on_either_side(held.get("p_gain"), stacked - single, method)
    row = (subject, *map(as_text, means), better, sure, as_text(median, 1))
    return row, with_minus(f"{means[2]:+.3f}")


def _weights(results: Results, subjects: list[str]) -> Any:
    import pandas as pd

    rows = []
    for subject in subjects:
        meta = _meta(results, subject)
        rows += [
            (subject, model.replace("_", " "), weight, _kind(model))
            for model, weight in zip(meta["models"], meta["mean_weights"], strict=True)
        ]
    return pd.DataFrame(rows, columns=["subject", "model", "weight", "kind"])


def _kind(model: str) -> str:
    """Tell of which kind a model of the mix is by its name in the metadata."""
    return {"layer": _LANGUAGE, "speech": _SPEECH}.get(model.split()[0], _BASELINE)
