"""Every score of a study as one number, with its unit and how it was made of voxels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from voxscale.arrays import Array
from voxscale.evaluate import Metric, Reducer, reduce_scores

if TYPE_CHECKING:
    import pandas as pd

    from voxscale.evaluate import VariancePartition
    from voxscale.study._cells import Cell
    from voxscale.study._results import Results

__all__ = ["SCORE_COLUMNS", "score_table"]

_METRICS = {"r2": "r2", "correlation": "r"}  # those of validation that have a name
_OF_CELL = (
    "subject", "kind", "model", "layer", "context", "bands", "n_stories", "asked_hours", "draw",
)  # fmt: skip
_OF_META = ("hours",)  # of the TRs that trained, after trimming; asked_hours is what was asked
_OF_NUMBER = ("value", "reducer", "n_voxels", "n_without_score", "n_not_chosen")
SCORE_COLUMNS = (
    *_OF_CELL, *_OF_META, "what", "on", "metric", "unit", "stories", *_OF_NUMBER, "key",
)  # fmt: skip


class _Scores(NamedTuple):
    """Scores of voxels, and what they are."""

    what: str
    on: str
    metric: str
    values: Array
    stories: str = "concatenated"
    told: str = ""  # how scores of several parts were joined, where no reducer knows it


def score_table(results: Results) -> pd.DataFrame:
    """Put each score of each cell, by each reducer of the study, into a row.

    A reducer that chooses voxels by their ceiling, or by their validation score in the cell where
    the sweeps meet, is left out where there is none.
    """
    import pandas as pd

    table = pd.DataFrame(list(_rows(results)), columns=list(SCORE_COLUMNS))
    return table.astype(dict.fromkeys(_OF_META, np.float64))


def _rows(results: Results) -> Iterator[dict[str, Any]]:
    reducers = [Reducer.parse(one) for one in results.study.evaluate.reducers]
    for cell in (*results.cells, *results.beside):
        of_all = {"subject": "all"} if cell.kind == "between" else {}
        chooses = {} if of_all else _choosing(results, cell)
        named = {name: getattr(cell, name) for name in _OF_CELL} | of_all
        named |= {name: results.meta(cell).get(name, np.nan) for name in _OF_META}
        for scores in _SCORES[cell.kind](results, cell):
            for reducer in reducers:
                if reducer.chosen_by is not None and reducer.chosen_by not in chooses:
                    continue
                how = {"metric": scores.metric, "stories": scores.stories}
                number = reduce_scores(scores.values, reducer, **chooses, **how)
                yield {
                    **named,
                    "what": scores.what,
                    "on": scores.on,
                    **how,
                    "stories": scores.told or scores.stories,
                    "unit": Metric.parse(scores.metric).unit,
                    **{name: getattr(number, name) for name in _OF_NUMBER},
                    "key": results.key(cell),
                }


def _choosing(results: Results, cell: Cell) -> dict[str, Any]:
    """Return what reducers may choose a subject's voxels by: the same in all of its cells."""
    found: dict[str, Any] = {}
    cc_max = _ceiling_of(results, cell)
    if cc_max is not None:
        found["cc_max"] = cc_max
    asked = (Reducer.parse(one).chosen_by for one in results.study.evaluate.reducers)
    centre = results.reference_or_none(cell.subject)
    if "validation" in asked and centre is not None:
        name = "r_validation" if results.study.validation_stories else "cv_score"
        found["validation"] = results.array(centre, name)
    return found


def _ceiling_of(results: Results, cell: Cell) -> Array | None:
    """Return ``cc_max`` of a subject's voxels, from a fit of theirs; None without repeats."""
    fits = (cell,) if cell.kind == "fit" else results.select(subject=cell.subject)
    if not fits or not results.meta(fits[0])["ceiling_runs"]:
        return None
    return results.array(fits[0], "cc_max")


def _of_fit(results: Results, cell: Cell) -> Iterator[_Scores]:
    names = ["r", "r_by_story", "r2"]
    names += ["cc_norm"] if results.meta(cell)["ceiling_runs"] else []
    names += ["r_validation"] if results.meta(cell)["validation"] else []
    arrays = results.held(cell, names)  # a file is opened once, not once for each
    r = arrays["r"]
    yield _Scores("fit", "test", "r", r)
    yield _Scores("fit", "test", "r", arrays["r_by_story"], "by_story")
    yield _Scores("fit", "test", "signed_r2", r * np.abs(r))
    yield _Scores("fit", "test", "r2", arrays["r2"])
    if "cc_norm" in arrays:
        yield _Scores("fit", "repeated test stories", "cc_norm", arrays["cc_norm"])
    if "r_validation" in arrays:
        yield _Scores("fit", "validation", "r", arrays["r_validation"])


def _of_baselines(results: Results, cell: Cell) -> Iterator[_Scores]:
    arrays = results.arrays(cell)
    metric = _METRICS.get(results.study.fit.scoring)
    if "autocorrelation_cv_score" in arrays and metric is not None:
        values = arrays["autocorrelation_cv_score"]
        yield _Scores(
            "fit of smooth noise", "held-out training rows", metric, values, told="mean_of_splits"
        )
    made = results.partition(cell.subject)
    if made is not None:
        yield from _of_partition(made)
    if "r_unique" in arrays:
        yield _Scores("language beyond baselines (partial)", "test", "r", arrays["r_unique"])


def _of_partition(made: VariancePartition) -> Iterator[_Scores]:
    for union, score in made.scores.items():
        yield _Scores(f"fit of {' + '.join(union)}", "test", made.metric, score)
    for key, part in made.parts.items():
        what = f"unique to {key[0]}" if len(key) == 1 else f"shared by {' & '.join(key)}"
        yield _Scores(what, "test", made.metric, part)


def _of_stacking(results: Results, cell: Cell) -> Iterator[_Scores]:
    arrays = results.arrays(cell)
    yield _Scores("stacked", "test", "r", arrays["r_stacked"])
    yield _Scores("stacked", "test", "r2", arrays["r2_stacked"])
    of_either = ", of language or speech" if "r_speech" in arrays else ""
    yield _Scores(f"best layer of each voxel{of_either}", "test", "r", arrays["r_single"])
    if "r_speech" in arrays:
        yield from _of_speech(results, cell, arrays)
    if "r_masked" in arrays:
        yield _Scores("stacked", "validation", "r", arrays["r_stacked_validation"])
        yield _Scores("stacked where validation says so", "test", "r", arrays["r_masked"])


def _of_speech(results: Results, cell: Cell, arrays: dict[str, Array]) -> Iterator[_Scores]:
    for kind in ("language", "speech"):
        best = arrays[f"r_best_{kind}"]
        yield _Scores(f"best {kind} layer of each voxel", "test", "r", best)
    layers = results.meta(cell)["speech"]["layers"]
    for layer, r in zip(layers, arrays["r_speech"], strict=True):
        yield _Scores(f"speech layer {layer}", "test", "r", r)


def _of_ceiling(results: Results, cell: Cell) -> Iterator[_Scores]:
    arrays = results.arrays(cell)
    on = "repeated test stories"
    yield _Scores("noise ceiling (cc_max)", on, "r", arrays["cc_max"])
    yield _Scores("noise ceiling from halves of the repeats", on, "r", arrays["split_half"])
    yield _Scores("a repeat by the mean of the others", on, "r", arrays["leave_one_out"])


def _of_product(results: Results, cell: Cell) -> Iterator[_Scores]:
    parts = results.arrays(cell)
    names = results.meta(cell)["spaces"]
    total = np.sum([parts[name] for name in names], axis=0)
    yield _Scores(f"banded fit of {' + '.join(names)}", "test", "r2", total)
    for name in names:
        yield _Scores(f"product measure of {name}", "test", "r2", parts[name])


def _of_comparison(results: Results, cell: Cell) -> Iterator[_Scores]:
    arrays = results.arrays(cell)
    first, second = results.meta(cell)["layers"]
    difference = f"layer {first} less layer {second}"
    yield _Scores(difference, "test", "r", arrays["difference"])
    if "difference_norm" in arrays:
        on = "repeated test stories"
        yield _Scores(difference, on, "cc_norm", arrays["difference_norm"])


def _of_between(results: Results, cell: Cell) -> Iterator[_Scores]:
    arrays = results.arrays(cell)
    yield _Scores("a subject by the mean of the others", "test", "r", arrays["correlation"])


_SCORES: dict[str, Any] = {
    "fit": _of_fit,
    "baselines": _of_baselines,
    "stacking": _of_stacking,
    "ceiling": _of_ceiling,
    "product": _of_product,
    "comparison": _of_comparison,
    "between": _of_between,
}
