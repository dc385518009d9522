"""The sections of a page that show scores; each says in a sentence what it lacks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import VoxscaleError
from voxscale.reports._ceiling import ceiling_density, ceiling_medians
from voxscale.reports._cortex import RELIABLE_CC_MAX, subject_maps
from voxscale.reports._found import accuracy_found, found_table, layers_found, nothing_found
from voxscale.reports._held_out import held_out_data
from voxscale.reports._layers import layer_curves
from voxscale.reports._reading import FDR_NAMES, NULL_NAMES, Q_LEVEL
from voxscale.reports._tables import Drawing, Section, Table, as_text, plural
from voxscale.reports._timecourse import time_courses

if TYPE_CHECKING:
    from voxscale.reports._reading import Material, SubjectMaps
    from voxscale.study import Evaluate, Results, Study

__all__ = [
    "against_ceiling",
    "by_layer",
    "found_and_planted",
    "on_cortex",
    "single_voxels",
]

_HELD_OUT = (
    "{scoring} on held-out training data at the penalty chosen for each voxel, mean over splits"
)
_KEPT_BACK = "correlation on the stories kept back to choose layers"
_CV_LABELS = {"r2": "R²", "correlation": "correlation", "huth2023": "signed root of R²"}
_PLANTED = ("signal_share", "accuracy", "preferred_layer")


def by_layer(material: Material) -> Section:
    """Show the validation and the test score of each layer."""
    results = material.results
    section = Section("layers", "Score by layer")
    table = results.table[results.table["in_layer_sweep"]]
    if table["reference"].any():  # and not those with fewer stories, which are sweeps as well
        table = table[table["reference"]]
    kept_back = bool(results.study.validation_stories)
    chooses = "mean_r_validation" if kept_back else "mean_cv_score"
    scores = table[["subject", "layer", chooses, "mean_r"]].rename(
        columns={chooses: "cv_score", "mean_r": "r"}
    )
    if not len(scores):
        section.paragraphs.append("No layer is done, so there is no curve to draw.")
        return section
    scoring = _CV_LABELS.get(results.study.fit.scoring, results.study.fit.scoring)
    how = _KEPT_BACK if kept_back else _HELD_OUT.format(scoring=scoring)
    scoring = "correlation" if kept_back else scoring
    if scores["layer"].nunique() < 2:
        context = plural(max(results.study.contexts), "word")
        section.paragraphs.append(
            "Only one layer is done, so there is no curve to draw. Its scores, at a context of "
            f"{context} with all training stories: cv_score is validation {how}; r is the "
            "correlation of responses and predictions over all test TRs."
        )
        section.tables.append(_layer_table(scores))
        return section
    best = scores.loc[scores.dropna(subset=["cv_score"]).groupby("subject")["cv_score"].idxmax()]
    told = [f"{row.layer} in {row.subject} (test r {as_text(row.r)})" for row in best.itertuples()]
    told = told or ["unknown, since no voxel has a score"]
    section = Section(
        section.anchor,
        section.title,
        headline=f"Best layer by validation: {', '.join(told)}.",
        paragraphs=[
            f"The validation score comes from {_chosen_on(results.study)}, and "
            "is what chooses a layer; the test score comes from stories that no fit has seen. "
            f"By validation the best layer is {', '.join(told)}."
        ],
    )
    figure = layer_curves(
        scores,
        cv_label=f"validation {scoring}, mean over voxels",
        r_label="test correlation r, mean over voxels",
    )
    caption = (
        f"Score against the layer of {results.study.model}, at a context of "
        f"{max(results.study.contexts)} words with all training stories. Left: {how}, then mean "
        "over voxels with a score. Right: correlation of responses and predictions over all "
        "test TRs, mean over voxels with a score. Rings, in both panels: each subject's best layer "
        "by validation."
    )
    section.drawings.append(Drawing("layers", figure, caption, scores))
    return section


def _chosen_on(study: Study) -> str:
    if study.validation_stories:
        return "stories that were kept back from all fits to choose layers"
    return held_out_data(study)


def _layer_table(scores: Any) -> Table:
    """Write the scores of a single layer, which are no curve."""
    rows = [
        (row.subject, as_text(row.layer), as_text(row.cv_score), as_text(row.r))
        for row in scores.itertuples()
    ]
    note = "Means over voxels with a score."
    return Table(("subject", "layer", "cv_score", "r"), rows, note, "layers", scores)


def against_ceiling(material: Material) -> Section:
    """Show scores in the repeated test story against the best any model could reach."""
    import pandas as pd

    section = Section("ceiling", "Scores against the noise ceiling")
    repeated = [maps for maps in material.maps if maps.ceiling_runs]
    between = _between_subjects(material.results)
    if not repeated:
        section.paragraphs.append(_NO_CEILING)
        section.tables.extend(between)
        return section
    scores = pd.concat([maps.frame("r_repeated", "cc_max", "cc_norm", "spe") for maps in repeated])
    scores = scores.rename(columns={"r_repeated": "r"})
    stories = dict.fromkeys(
        f"{run!r} ({n} repeats)" for maps in repeated for run, n in maps.ceiling_runs.items()
    )
    section.paragraphs.append(
        f"The ceiling cc_max is the best correlation that any model could have with the mean over "
        f"repeats of {', '.join(stories)}, judged by how far the repeats agree (Schoppe et al. "
        "2016). cc_norm = r / cc_max, with r the correlation in the same stories. A voxel "
        "whose repeats share no signal has no ceiling and is left out."
    )
    section.paragraphs.extend(_how_sure(maps) for maps in repeated)
    section.tables.extend([_ceiling_table(repeated), *between])
    caption = (
        "Correlation in the repeated test stories against the noise ceiling, each voxel at the "
        "layer that is best for it by validation. Colour: number of voxels, on a logarithmic "
        "scale. Dashed: as good as the noise allows. Orange: median r of voxels with a similar "
        "ceiling, where there are 20 or more. Ceilings are estimates: with few repeats, voxels "
        "without any signal can have one too."
    )
    section.drawings.append(
        Drawing(
            "ceiling",
            ceiling_density(scores),
            caption,
            scores,
            is_per_voxel=True,
            also={"ceiling-medians": ceiling_medians(scores)},
        )
    )
    return section


_NO_CEILING = (
    "No test story was heard more than once, so there is no noise ceiling: it is judged by how far "
    "repeats agree, and an average of repeats is one recording. What remains is to compare people, "
    "where their responses are aligned (between_subjects in the study file)."
)


def _how_sure(maps: SubjectMaps) -> str:
    """Say how many voxels have a ceiling, and how wide its interval is."""
    here = np.isfinite(maps.cc_max)
    n_without = int((~here).sum())
    told = f"{maps.subject}: {n_without:,} of {len(here):,} voxels have no ceiling."
    known = here & np.isfinite(maps.cc_max_low) & np.isfinite(maps.cc_max_high)
    if not known.any():
        return told
    low, high = (float(np.median(one[known])) for one in (maps.cc_max_low, maps.cc_max_high))
    surely = int((maps.cc_max_low[known] > RELIABLE_CC_MAX).sum())
    return (
        f"{told} Medians of the 95 % limits of cc_max, by a block bootstrap over time and a "
        f"jackknife over repeats, are {as_text(low, 2)} and {as_text(high, 2)}; in "
        f"{surely:,} voxels the lower one is above {RELIABLE_CC_MAX}."
    )


def _between_subjects(results: Results) -> list[Table]:
    """Tabulate how well the other subjects tell the responses of each."""
    held = results.between_subjects
    if held is None:
        return []
    subjects = next(
        results.meta(cell)["subjects"] for cell in results.beside if cell.kind == "between"
    )
    named = {**dict(zip(subjects, held["each"], strict=True)), "mean of all": held["correlation"]}
    rows = []
    for name, r in named.items():
        known = r[np.isfinite(r)].astype(np.float64)
        quartiles = [as_text(one, 2) for one in _quartiles(known)]
        mean = float(known.mean()) if known.size else float("nan")
        rows.append((name, as_text(len(known)), as_text(mean, 3), *quartiles))
    columns = ("subject", "voxels", "mean", "lower quartile", "median", "upper quartile")
    note = (
        "Between subjects: correlation of each subject's test responses with the mean of the "
        "others', voxel by voxel, which are supposed to correspond. A model of the story alone "
        "cannot know what a subject does not share with others; with more subjects their mean "
        "would be less noisy, and the correlation higher."
    )
    return [Table(columns, rows, note)]


def _ceiling_table(repeated: list[SubjectMaps]) -> Table:
    rows = []
    for maps in repeated:
        here = maps.is_validated & np.isfinite(maps.cc_norm)
        lower, middle, upper = _quartiles(maps.cc_norm[here])
        numbers = (
            int(np.isfinite(maps.cc_max).sum()),
            int(here.sum()),
            *(_quartiles(one[here])[1] for one in (maps.r_repeated, maps.cc_max)),
            middle,
        )
        spread = f"{as_text(lower, 2)} to {as_text(upper, 2)}"
        spe = as_text(_quartiles(maps.spe[here])[1], 2)
        rows.append((maps.subject, *(as_text(one, 2) for one in numbers), spread, spe))
    columns = (
        "subject", "with a ceiling", "of these validated",
        "r", "cc_max", "cc_norm", "quartiles of cc_norm", "share of signal power",
    )  # fmt: skip
    note = (
        "Medians over the validated voxels, in the repeated stories: those with a ceiling and a "
        "validation score above 0, which knows no test story. It is the best of all layers and "
        "penalties, so that some voxels without signal are among them."
    )
    return Table(columns, rows, note)


def on_cortex(material: Material) -> Section:
    """Show scores on the flattened cortex, a figure per subject."""
    section = Section("cortex", "Flat maps")
    drawable = []
    for maps in material.maps:
        if maps.surface.subject is None:
            section.paragraphs.append(maps.surface.why_not)
        else:
            drawable.append(maps)
    ends = _common_end([maps.r for maps in drawable])
    for maps in drawable:
        try:
            study = material.results.study
            figure = subject_maps(maps, study.layers_of(study.model), r_end=ends)
        except VoxscaleError as error:
            section.paragraphs.append(f"There are no flat maps: {error}")
            break
        numbers = maps.frame("r", "cc_norm", "best_layer", "cc_max", "r_repeated", "p_value")
        numbers["room"] = maps.cc_max - maps.r_repeated
        name = f"flatmaps-{maps.subject}"
        where = _where_shown(maps, material.results.study.evaluate)
        caption = _MAPS_CAPTION.format(
            subject=maps.subject,
            surface=maps.surface.where,
            unit=maps.surface.unit,
            shown=where,
            least=RELIABLE_CC_MAX,
            drawn=_HOW_DRAWN if isinstance(maps.surface.subject, str) else _HOW_DRAWN_NATIVELY,
        )
        section.drawings.append(Drawing(name, figure, caption, numbers, is_per_voxel=True))
    return section


_MAPS_CAPTION = (
    "Test correlation, share of the noise ceiling, best layer and room for improvement of "
    "{subject} on {surface}. "
    "Each {unit} is shown at the layer with its best validation score (training stories alone). "
    "Correlation: over all test TRs. Share of the noise ceiling (cc_norm = r / cc_max in the "
    "repeated stories) and best layer: {shown}. Room for improvement: cc_max − r in the repeated "
    "stories, where cc_max > {least}; with few repeats, lower ceilings cannot be told from none. "
    "Where there is nothing to show, the folds of the cortex are seen, sulci dark. Arrows on a "
    "colour bar: values lie beyond. {drawn}"
)
_HOW_DRAWN = "The medial wall is at the top; parts of it are not on the sheet."
_HOW_DRAWN_NATIVELY = (
    "A pixel is the mean of those values between white matter and pia that are shown, of layers "
    "the middle one."
)


def _where_shown(maps: SubjectMaps, asked: Evaluate) -> str:
    """Say which vertices a map shows, and what the number of permutations does to them."""
    if not maps.has_p_values:
        return "wherever there is a score, since the study has no p-values"
    n_used, n_asked = maps.n_permutations, asked.n_permutations
    least = 1 / ((n_asked if n_used is None else n_used) + 1)
    n_shown, n_tested = int(maps.is_shown.sum()), int(np.isfinite(maps.p_value).sum())
    units = maps.surface.units
    return (
        f"only where q < {Q_LEVEL} by the false discovery rate of {FDR_NAMES[asked.fdr]} over "
        f"{n_tested:,} {units}, tested by {NULL_NAMES[asked.null]}; {n_shown:,} are. "
        f"With {_permutations(n_used, n_asked)} no p is below {least:.2g}, so that none is shown "
        f"unless {min(1.0, least / Q_LEVEL):.0%} of the {units} reach it".replace("%", " %")
    )


def _permutations(n_used: int | None, n_asked: int) -> str:
    if n_used is None:
        return f"at most {n_asked:,} permutations"
    if n_used < n_asked:
        return f"{n_used:,} permutations ({n_asked:,} were asked for, but no more exist)"
    return f"{n_used:,} permutations"


# By the protocol of the design, which decides whether responses are z-scored.
_COURSE_UNITS = {
    None: ("SD of a run", "each z-scored", "standard deviations of a single run"),
    "huth2023": ("as stored", "as they are stored", "the unit of the stored responses"),
}


def single_voxels(material: Material) -> Section:
    """Show the time courses of three voxels."""
    section = Section("courses", "Example time courses")
    if material.courses is None:
        text = "No test story was heard more than once, so no predicted time courses were kept."
        section.paragraphs.append(text)
        return section
    subject, story = material.courses_of
    design = material.results.study.design
    unit, each, units = _COURSE_UNITS[design.protocol]
    start, end = design.test_trim or design.trim
    caption = (
        f"Responses of {subject} to the test story {story!r}, without the {start} TRs at its start "
        f"and {end} at its end that were trimmed, and their predictions by the layer "
        f"that is best for the voxel by validation. Grey: single repeats, {each}. "
        f"Black: their mean. Orange: prediction. All in {units}, the "
        "unit that the model learned in: it predicts little where it explains little. "
        "r is the correlation of the mean with the prediction in this story. The voxels were "
        "chosen by their validation score, which knows no test story."
    )
    figure = time_courses(material.courses, story=story, unit=unit)
    section.drawings.append(Drawing("time-courses", figure, caption, material.courses))
    return section


def found_and_planted(material: Material) -> Section:
    """Compare found with planted numbers, where the data are simulated."""
    import pandas as pd

    section = Section("found", "Found against planted")
    planted = [maps for maps in material.maps if set(_PLANTED) <= set(maps.truth)]
    if not planted:
        section.paragraphs.append("The data set names no planted truth that could be compared.")
        return section
    names = (*_PLANTED, "r", "best_layer", "p_value", "cc_max")
    tables = [
        maps.frame(*names).assign(planted_cc_max=maps.truth.get("cc_max", np.nan))
        for maps in planted
    ]
    found = pd.concat(tables, ignore_index=True)
    numbers = found_table(found)
    n_met, n_goals = int((numbers["is_met"] == "yes").sum()), int((numbers["goal"] != "").sum())
    told = f"{n_met} of {n_goals} goals of the planted data are met"
    section = Section(section.anchor, section.title, headline=f"{told}.")
    section.paragraphs.append(
        f"The responses were simulated, so every number can be checked against what was put in: "
        f"{told}. Planted accuracy is the correlation that the true signal, without any noise of "
        "its own, would be expected to have with the test responses; a model that has to learn "
        "from noisy data stays below it."
    )
    rows = [
        (row.subject, row.quantity, row.goal or "–", as_text(row.found, 4), row.is_met or "–",
         as_text(row.n_vertices))
        for row in numbers.itertuples()
    ]  # fmt: skip
    columns = ("subject", "quantity", "goal", "found", "met", "vertices")
    note = "Each vertex at the layer that is best for it by validation."
    section.tables.append(Table(columns, rows, note, "found", numbers))
    null = NULL_NAMES[material.results.study.evaluate.null]
    section.drawings.extend(_found_drawings(found, null))
    return section


def _found_drawings(found: Any, null: str) -> list[Drawing]:
    rows = (
        (
            "found-accuracy",
            accuracy_found,
            ["signal_share", "accuracy", "r"],
            "Found test correlation against the planted one, a hexagon for vertices with signal "
            "(colour: how many, logarithmic). The orange bar holds the middle 90 % of the "
            "vertices without signal, its dot their median. Titles: Pearson correlation over all "
            "vertices with a score.",
        ),
        (
            "found-layers",
            layers_found,
            ["signal_share", "preferred_layer", "best_layer"],
            "Layer found by validation for the vertices of each planted layer, in per cent of the "
            "column; vertices with a signal share above 0.2. Layers that were not planted are "
            "offered too. Titles: Spearman rank correlation.",
        ),
        (
            "found-nothing",
            nothing_found,
            ["signal_share", "r", "p_value"],
            "Test correlation of vertices without signal, at the layer that is best by "
            f"validation. Orange: those with p < 0.05 by {null}, 5 % if the test holds what it "
            "says.",
        ),
    )
    return [
        Drawing(name, draw(found), caption, found[["subject", "voxel", *columns]], True)  # noqa: FBT003
        for name, draw, columns, caption in rows
    ]


def _quartiles(values: Array) -> tuple[float, float, float]:
    if not values.size:
        return math.nan, math.nan, math.nan
    lower, middle, upper = np.percentile(values, [25, 50, 75])
    return float(lower), float(middle), float(upper)


def _common_end(maps: list[Array]) -> float:
    """Return one end for the colour bars of all subjects: nearly their largest value."""
    known = np.concatenate([one[np.isfinite(one)] for one in maps]) if maps else np.empty(0)
    if not known.size:
        return 1.0
    return max(0.1, math.ceil(10 * float(np.percentile(known, 99.8))) / 10)
