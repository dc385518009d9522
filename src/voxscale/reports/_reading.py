"""What the figures show, read from a study's results: one subject at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.data._regions import check_one_each
from voxscale.design import zscore
from voxscale.evaluate import fdr
from voxscale.reports._surface import MapSurface, surface_of
from voxscale.reports._tables import with_minus
from voxscale.reports._timecourse import course_table
from voxscale.study._beside import layer_cells
from voxscale.study._stories import load_subject

if TYPE_CHECKING:
    from voxscale.data import Dataset
    from voxscale.study import Cell, Results

__all__ = [
    "FDR_NAMES",
    "NULL_NAMES",
    "Q_LEVEL",
    "Material",
    "SubjectMaps",
    "permutations_used",
    "read_material",
]

Q_LEVEL = 0.05  # expected share of false discoveries on a map
FDR_NAMES = {"bh": "Benjamini & Hochberg (1995)", "by": "Benjamini & Yekutieli (2001)"}
NULL_NAMES = {
    "circular-shift": "circular shifts",
    "block": "permutation of blocks",
    "phase": "random phases",
}


@dataclass(frozen=True, eq=False)
class SubjectMaps:
    """One number per voxel and score, each at the layer that is best for that voxel.

    The layer is chosen by the validation score, which knows the training stories alone, so
    that scores on the test stories stay honest.

    Parameters
    ----------
    subject : str
    cells : tuple of Cell
        The layer sweep.
    choice : array of int, shape (n_voxels,)
        Which of the cells is best; -1 where no layer has a validation score.
    best_layer, cv_score, r, p_value, r_repeated, cc_max, cc_norm, spe : arrays of shape (n_voxels,)
        NaN throughout where the study has no p-values, or no test story was repeated.
        ``r_repeated`` is the correlation in the stories by which the ceiling is judged;
        ``cv_score`` the score that chose the layer, on validation stories where there are some.
    cc_max_low, cc_max_high : arrays of shape (n_voxels,)
        Limits of the ceiling; NaN throughout where the study has none.
    space : str or None
    truth : dict of str to array
        What was planted; empty for real data.
    licence, citation : str
    ceiling_runs : dict of str to int
        The repeated test stories, with their repeats.
    fdr_method : {"bh", "by"}
    n_permutations : int, optional
        Those behind the p-values; None where the cells do not tell.
    regions : array of str, shape (n_voxels,), optional
        Name of each voxel's region, "" where it is in none; None where the data set has none.
    cortex : Path, optional
        The subject's folder in a filestore of pycortex.
    """

    subject: str
    cells: tuple[Cell, ...]
    choice: Array
    best_layer: Array
    cv_score: Array
    r: Array
    p_value: Array
    r_repeated: Array
    cc_max: Array
    cc_norm: Array
    spe: Array
    space: str | None
    truth: dict[str, Array]
    licence: str
    citation: str
    ceiling_runs: dict[str, int]
    cc_max_low: Array
    cc_max_high: Array
    fdr_method: str = "bh"
    n_permutations: int | None = None
    regions: Array | None = None
    cortex: Path | None = None

    @cached_property
    def surface(self) -> MapSurface:
        """What flat maps are drawn on; warns once where the cortex does not fit."""
        return surface_of(self.subject, len(self.choice), self.space, self.cortex)

    @property
    def most_repeated(self) -> str:
        """The test story with the most repeats; empty without any."""
        runs = self.ceiling_runs
        return max(runs, key=lambda run: runs[run]) if runs else ""

    @property
    def has_p_values(self) -> bool:
        """Whether the study was asked for them."""
        return bool(np.isfinite(self.p_value).any())

    @property
    def is_shown(self) -> Array:
        """Where the false discovery rate is below 0.05; without p-values, where there is a score.

        References
        ----------
        Benjamini & Hochberg 1995, J R Stat Soc B 57:289, or, where the study says so,
        Benjamini & Yekutieli 2001, Ann Stat 29:1165.
        """
        if not self.has_p_values:
            return np.isfinite(self.r)
        known = np.isfinite(self.p_value)
        shown = np.zeros(len(known), dtype=bool)
        p = np.asarray(self.p_value, dtype=np.float64)[known]
        shown[known] = fdr(p, method=self.fdr_method) < Q_LEVEL
        return shown

    @property
    def is_validated(self) -> Array:
        """Where the validation score, which knows no test story, is above 0."""
        return np.asarray(self.cv_score > 0)

    def frame(self, *names: str) -> Any:
        """Put named arrays, planted ones included, into a table with subject and voxel."""
        import pandas as pd

        columns = {name: self._column(name) for name in names}
        voxels = np.arange(len(self.choice))
        return pd.DataFrame({"subject": self.subject, "voxel": voxels, **columns})

    def _column(self, name: str) -> Array:
        if hasattr(self, name):
            return np.asarray(getattr(self, name))
        return np.asarray(self.truth[name], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Material:
    """Everything a page is made of.

    Parameters
    ----------
    results : Results
    maps : tuple of SubjectMaps
        Of the subjects with a layer done.
    courses : DataFrame or None
        Example time courses of the first subject with a repeated test story.
    courses_of : tuple of str
        That subject and that story.
    """

    results: Results
    maps: tuple[SubjectMaps, ...]
    courses: Any
    courses_of: tuple[str, str]


def read_material(results: Results) -> Material:
    """Read what is needed of every subject; one data set is in memory at a time."""
    maps: list[SubjectMaps] = []
    courses, courses_of = None, ("", "")
    for subject in results.subjects:
        cells = layer_cells(results, subject)
        if not cells:
            continue
        dataset = load_subject(results.study, subject)
        maps.append(_maps_of(results, cells, dataset))
        if courses is None and maps[-1].ceiling_runs:
            courses = _courses_of(results, maps[-1], dataset)
            courses_of = subject, maps[-1].most_repeated
    return Material(results, tuple(maps), courses, courses_of)


def permutations_used(results: Results, subject: str) -> int | None:
    """Count the permutations behind a subject's p-values, which may be fewer than asked for.

    Parameters
    ----------
    results : Results
    subject : str

    Returns
    -------
    int or None
        None where no cell tells: none is done, or all come from a version that did not count.
    """
    metas = (results.meta(cell) for cell in results.select(subject=subject, reference=True))
    counts = [int(one["n_permutations"]) for one in metas if "n_permutations" in one]
    return counts[0] if counts else None  # test rows and seed are the same in all of them


def _maps_of(results: Results, cells: tuple[Cell, ...], dataset: Dataset) -> SubjectMaps:
    best = results.best_layer(dataset.subject)
    choice = best.chosen
    repeats = dict(results.meta(cells[0])["ceiling_runs"])
    limits = results.ceiling(dataset.subject) or {}
    has_p_values = results.study.evaluate.n_permutations > 0 and cells[0].reference
    nowhere = np.full(len(choice), np.nan)

    def at_best(name: str, *, exists: bool = True) -> Array:
        picked = nowhere.copy()
        for i, cell in enumerate(cells if exists else ()):
            here = choice == i
            picked[here] = results.array(cell, name)[here]
        return picked

    return SubjectMaps(
        subject=dataset.subject,
        cells=cells,
        choice=choice,
        best_layer=best.map([cell.layer for cell in cells]),
        cv_score=at_best("r_validation" if results.study.validation_stories else "cv_score"),
        r=at_best("r"),
        p_value=at_best("p_value", exists=has_p_values),
        r_repeated=at_best("cc_abs", exists=bool(repeats)),
        **{name: at_best(name, exists=bool(repeats)) for name in ("cc_max", "cc_norm", "spe")},
        space=dataset.space,
        truth=dict(dataset.truth or {}),
        licence=dataset.licence,
        citation=dataset.citation,
        ceiling_runs=repeats,
        cc_max_low=limits.get("cc_max_low", nowhere),
        cc_max_high=limits.get("cc_max_high", nowhere),
        fdr_method=results.study.evaluate.fdr,
        n_permutations=permutations_used(results, dataset.subject),
        regions=_regions_of(dataset, len(choice)),
        cortex=dataset.cortex,
    )


def _regions_of(dataset: Dataset, n_voxels: int) -> Array | None:
    """Return the regions of a data set, whose number could not be checked with lazy responses."""
    if dataset.regions is not None:
        label = f"dataset {dataset.name!r}, subject {dataset.subject!r}"
        check_one_each(dataset.regions, n_voxels, label)
    return dataset.regions


def _courses_of(results: Results, maps: SubjectMaps, dataset: Dataset) -> Any:
    """Tabulate the time courses of a few voxels in the repeated story."""
    import pandas as pd

    run = maps.most_repeated
    tables = []
    for what, voxel in _examples(maps):
        cell = maps.cells[maps.choice[voxel]]
        prediction = results.prediction(cell, run)
        trs = prediction.trs
        tr_times = dataset.responses[run].tr_times
        if tr_times is None:  # a study cannot have been run without
            continue
        heard = [one.between(trs.start, trs.stop).values[:, [voxel]] for one in dataset.trials[run]]
        if results.study.design.protocol is None:  # else responses are scored as they are stored
            heard = [zscore(one) for one in heard]
        of_run = float(results.by_story(cell)[run][voxel])
        r = round(of_run, 2) + 0.0  # no minus before a zero
        title = f"{what}: number {voxel}, layer {cell.layer}, r = {with_minus(f'{r:.2f}')}"
        time_s, predicted = tr_times[trs.start : trs.stop], prediction.values[:, voxel]
        tables.append(course_table(title, time_s, [one[:, 0] for one in heard], predicted))
    return pd.concat(tables, ignore_index=True) if tables else None


def _examples(maps: SubjectMaps) -> list[tuple[str, int]]:
    """Choose voxels by their validation score, so that the r that is shown stays honest."""
    scored = np.isfinite(maps.r_repeated) & (maps.choice >= 0)
    validated = scored & maps.is_validated
    silent = scored & _has_no_signal(maps)
    examples = []
    if scored.any():
        examples.append(("Best voxel by validation", _ranked(maps.cv_score, scored, 1.0)))
    if validated.any():
        what = "Middle of the voxels with a validation score above 0"
        examples.append((what, _ranked(maps.cv_score, validated, 0.5)))
    if silent.any():
        what = "signal" if "signal_share" in maps.truth else "estimated signal power"
        examples.append((f"A voxel without {what}", _ranked(maps.cv_score, silent, 0.5)))
    elif scored.any():
        examples.append(("Worst voxel by validation", _ranked(maps.cv_score, scored, 0.0)))
    return examples


def _has_no_signal(maps: SubjectMaps) -> Array:
    """Where none was planted; on real data, where repeats share nothing."""
    if "signal_share" in maps.truth:
        return np.asarray(maps.truth["signal_share"]) <= 0
    return np.isnan(maps.cc_max)


def _ranked(scores: Array, where: Array, place: float) -> int:
    """Return the voxel at a place (0 lowest, 1 highest) among those allowed."""
    voxels = np.flatnonzero(where)
    order = voxels[np.argsort(scores[voxels], kind="stable")]
    return int(order[round(place * (len(order) - 1))])
