"""A plan and a status as pages for people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from voxscale.study._progress import size

if TYPE_CHECKING:
    from voxscale.study._cells import Cell
    from voxscale.study._config import Study
    from voxscale.study._orphans import Orphans
    from voxscale.study._plan import Plan, Status
    from voxscale.study._settings import Speech

__all__ = ["plan_page", "status_page"]

_POLICIES = {
    "sliding": "; sliding contexts: a window for every word of it",
    "full": "; each from its start",
    "sentence": "; a window for every sentence of it",
}
_MOST_LISTED = 8  # numbers of stories; more are told by their ends
_AXES = {"n_stories": "stories"}
_BESIDE = {
    "ceiling": "noise ceilings",
    "baselines": "baselines",
    "product": "product measure",
    "stacking": "mix of layers",
    "comparison": "two layers compared",
    "between": "ceilings between subjects",
}


def plan_page(made: Plan) -> str:
    """Say what a plan holds, a row for each thing."""
    study = made.study
    subjects = list(dict.fromkeys(cell.subject for cell in made.cells))
    rows = [
        ("study", study.name),
        ("results", str(study.out)),
        ("data set", f"{study.dataset_name}: {_listed(subjects)}"),
        *_models_of(study),
        *([("speech", _windows_of(study.speech))] if study.speech else []),
        *_sizes_of(made),
        ("cells", _cells_of(made)),
        *([("failed", f"{len(made.failed)}, to be tried again")] if made.failed else []),
        *((one.heading, f"{_cells(one.total)}: {one.what}") for one in made.grids),
        *_beside_of(made),
        ("features", _features_of(made)),
        ("disk", f"about {size(made.bytes_needed)}" + _unsure(made)),
        *(made.costs.rows() if made.costs else ()),
    ]
    if made.orphans:
        rows.append(("orphans", _of_orphans(made.orphans)))
    return _page(rows)


def status_page(found: Status) -> str:
    """Say how far a study is, along each axis and for each grid."""
    made = found.plan
    rows = [
        (
            _AXES.get(axis, axis),
            _listed(f"{_value(value)}: {n}/{total}" for value, (n, total) in counts),
        )
        for axis, counts in ((axis, counts.items()) for axis, counts in found.by_axis.items())
    ]
    rows += [(one.heading, f"{one.what}: {one.done}/{one.total}") for one in made.grids]
    rows += _beside_of(made, done=True)
    lines = [f"{len(made.done)} of {len(made.cells)} cells done in {made.study.out}"]
    lines += [_page(rows)] if rows else []
    if found.failures:
        lines.append(f"{len(found.failures)} failed:")
        lines += [f"  {cell.label}: {error}" for cell, error in found.failures]
        where = f"{made.study.out}/cells/*.failed.json"
        if found.n_failed_features:
            where += f", those of features in {made.study.out}/features/*.failed.json"
        lines.append(f"The tracebacks are in {where}")
    if made.orphans:
        lines.append(f"orphans: {_of_orphans(made.orphans)}")
    return "\n".join(lines)


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _page(rows: list[tuple[str, str]]) -> str:
    return "\n".join(f"{name:>9}  {text}" for name, text in rows)


def _models_of(study: Study) -> list[tuple[str, str]]:
    """List each model with its layers."""
    rows = []
    for model in study.models:
        rows += [("model", model), ("layers", _listed(study.layers_of(model)))]
    return rows


def _windows_of(speech: Speech) -> str:
    window_s = speech.context_s + speech.stride_s
    every = f"{window_s:g} s every {speech.stride_s:g} s"
    return f"{speech.model}, layers {_listed(speech.layers)}, {every}"


def _sizes_of(made: Plan) -> list[tuple[str, str]]:
    """List contexts and amounts of training data, and what hours came to."""
    study = made.study
    n_stories = sorted({cell.n_stories for cell in made.cells if cell.kind != "between"})
    contexts = sorted({cell.context for cell in made.cells})
    at = "" if study.sweep else f" (layer {study.reference_layer})"
    told = _listed(n_stories)
    if len(n_stories) > _MOST_LISTED:
        told = f"{n_stories[0]} to {n_stories[-1]}"
    rows = [("contexts", f"{_listed(contexts)} words{at}")]
    rows += [("warning", text) for text in _too_long(made, contexts)]
    rows.append(("stories", f"{told} to train on{at}"))
    for i, (asked, by_subject) in enumerate(made.hours.items()):
        came_to = _listed(f"{one} {_range(*ends)}" for one, ends in by_subject.items())
        amount = asked if isinstance(asked, str) else f"{asked:g} h"
        note = "" if i else " (whole stories, after trimming; least–most over draws)"
        rows.append(("" if i else "hours", f"{amount}: {came_to}{note}"))
    return rows


def _cells_of(made: Plan) -> str:
    n_fits = sum(cell.kind == "fit" for cell in made.cells)
    shared = sum(one.total for one in made.grids) > n_fits
    once = "; one that several grids share is computed once" if shared else ""
    return f"{len(made.cells)}: {len(made.done)} done, {len(made.missing)} to do{once}"


def _too_long(made: Plan, contexts: list[int]) -> list[str]:
    """Warn of contexts that no word can fill."""
    longest = made.longest_story
    if longest is None or made.study.features.policy == "full":
        return []  # reads a story from its start, whatever the context
    beyond = [one for one in contexts if one > longest.n_words]
    if not beyond:
        return []
    if len(beyond) == 1:
        what, it = f"context {beyond[0]} is longer", "it gives"
    else:
        what, it = f"contexts {_listed(beyond)} are longer", "each gives"
    return [
        f"{what} than every story (the longest, {longest.run!r}, has {longest.n_words} words); "
        f"{it} the same features as {longest.n_words} would"
    ]


def _range(least: float, most: float) -> str:
    ends = f"{least:.2f}", f"{most:.2f}"
    return ends[0] if ends[0] == ends[1] else "–".join(ends)


def _beside_of(made: Plan, *, done: bool = False) -> list[tuple[str, str]]:
    """Count what is computed beside the fits, once for a subject or for all."""
    totals, n_done = _kinds(made.cells), _kinds(made.done)
    if not totals:
        return []
    if done:
        told = _listed(f"{_BESIDE[kind]}: {n_done[kind]}/{n}" for kind, n in totals.items())
    else:
        told = f"{_cells(totals.total())}: {_listed(_BESIDE[kind] for kind in totals)}"
    return [("beside", told)]


def _kinds(cells: tuple[Cell, ...]) -> Counter[str]:
    return Counter(cell.kind for cell in cells if cell.kind != "fit")


def _features_of(made: Plan) -> str:
    study = made.study
    counts = Counter(one.context for one in made.passes)
    stories = _listed(f"{n} at context {context}" for context, n in sorted(counts.items()))
    told = ": ".join(filter(None, (_passes(len(made.passes), "story"), stories)))
    told += _POLICIES.get(study.features.policy, "") if made.passes else ""
    return told + (f"; {_passes(len(made.speech_passes), 'sound')}" if study.speech else "")


def _passes(n: int, over: str) -> str:
    return f"{n} {'pass' if n == 1 else 'passes'} over a {over}"


def _of_orphans(orphans: Orphans) -> str:
    return f"{orphans.summary}, which no cell names any more; voxscale prune removes them"


def _cells(n: int) -> str:
    return "1 cell" if n == 1 else f"{n} cells"


def _listed(values: Any) -> str:
    return ", ".join(map(str, values))


def _unsure(made: Plan) -> str:
    return "" if made.is_exact else ", and the features"
