"""The section of a page with the numbers to report: each with its metric, unit and reducer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxscale.reports._tables import Section, Table, as_text

if TYPE_CHECKING:
    from voxscale.reports._reading import Material
    from voxscale.study import Results

__all__ = ["numbers_to_report"]

_STORIES = {
    "concatenated": "joined",
    "by_story": "each alone, then their mean",
    "mean_of_splits": "mean over splits",
}


def numbers_to_report(material: Material) -> Section:
    """Tabulate the scores at the reference layer."""
    section = Section("scores", "Numbers to report")
    section.paragraphs.append(
        "A score is a number for each voxel; what stands in a paper is one number of many voxels. "
        "It depends on the metric, on whether test stories are joined or scored one by one, and "
        "on which voxels are averaged: so each stands here with all three."
    )
    if not len(material.results.scores):
        section.paragraphs.append(
            "The study's reducers choose voxels by a noise ceiling or a validation score, and "
            'there is none. Add a reducer such as "mean_voxels" to the study file.'
        )
        return section
    section.tables.append(_scores_table(material.results))
    return section


def _scores_table(results: Results) -> Table:
    """Tabulate the scores of the reference layer, a column for each reducer."""
    scores = results.scores
    reducers = list(dict.fromkeys(scores["reducer"]))
    rows = []
    for subject in results.subjects:
        cell = results.reference_or_none(subject)
        own = scores[scores["key"] == (None if cell is None else results.key(cell))]
        for (metric, unit, on, stories), some in own.groupby(
            ["metric", "unit", "on", "stories"], sort=False
        ):
            values = some.set_index("reducer")["value"].reindex(reducers)
            told = [as_text(float(value), 4) for value in values]
            rows.append((subject, metric, unit, on, _STORIES[stories], *told))
    heads = [reducer.replace("_", " ") for reducer in reducers]
    columns = ("subject", "metric", "unit", "on", "stories", *heads)
    note = (
        f"Scores of layer {results.study.reference_layer} at the longest context with all "
        "training stories; a column for each way to make one number of many voxels. The file has "
        "those of every cell, of all unions and parts of the baselines, and of the mix, with the "
        "number of voxels that each rests on."
    )
    return Table(columns, rows, note, "scores", scores)
