"""The first section of a page: what was compared, with which settings, on whose data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from voxscale.errors import ConfigError
from voxscale.reports._held_out import held_out_data, splits_in_words
from voxscale.reports._provenance import provenance_of
from voxscale.reports._reading import FDR_NAMES, NULL_NAMES, permutations_used
from voxscale.reports._tables import Section, Table, as_text, fields_table
from voxscale.study import AlphaRange
from voxscale.study._settings import BLOCK_TRS

if TYPE_CHECKING:
    from voxscale.reports._reading import Material
    from voxscale.study import Evaluate, Fit, Results, Study
    from voxscale.study._settings import Sweep

__all__ = ["what_ran"]

_MOST_FAILURES = 20  # listed one by one
_LAW_INTERVAL = "Student's t over subjects, or over the test stories of one"
_SHOWN_MEANS = ("mean_r", "mean_cv_score")  # over voxels, on the page


def what_ran(material: Material) -> Section:
    """Say what was run, with settings, versions, hashes, failures, licence and citation."""
    results = material.results
    n_done = len(results.cells) + len(results.beside)
    n_missing, n_failed = len(results.missing), len(results.failed)
    n_cells = n_done + n_missing
    told = f"{n_done} of {n_cells} cells are done"
    if n_missing:
        never = n_missing - n_failed
        told += f"; {n_failed} failed and {never} were not run, and are missing from what follows"
    known: Mapping[str, str] = results.meta(results.cells[0]).get("reducers", {})
    reducers = [(name, known[name]) for name in _SHOWN_MEANS if name in known]
    section = Section(
        "what-was-run",
        "What was run",
        headline=f"{told}.",
        paragraphs=[
            f"{told}. A cell is one fit (a subject, a layer, a context and the stories it learns "
            "from), or what is computed once for a subject (noise ceilings, baselines, the mix of "
            f"layers). {_swept(results.study)}",
            *_sources(material),
            *_protocol(results.study),
        ],
        tables=[
            _subjects_table(results),
            fields_table(_settings(results), "Settings that can change the numbers."),
            fields_table(provenance_of(results), "Where the numbers come from.", heading="source"),
        ],
    )
    if reducers:
        note = "How means over voxels were made. A voxel without an answer is left out."
        section.tables.append(Table(("mean", "reducer"), reducers, note))
    if results.failed:
        section.tables.append(_failures_table(results))
    return section


def _swept(study: Study) -> str:
    """Say what was varied, and where the rest stood meanwhile."""
    longest, n_models = max(study.contexts), len(study.models)
    n_layers = max(len(study.layers_of(model)) for model in study.models)
    of_models = f" of each of {n_models} models" if n_models > 1 else ""
    what = f"Layers{of_models}" if n_layers > 1 else f"One layer{of_models}"
    verb = "were swept" if n_layers > 1 else "was fitted"
    told = [f"{what} {verb} with all training stories at a context of {longest} words."]
    others = []
    if len(study.contexts) > 1:
        others.append("contexts with all training stories")
    if study.hours is not None or study.training_stories is not None:
        amounts = "hours of training data" if study.hours is not None else "numbers of stories"
        others.append(f"{amounts} at a context of {longest} words")
    if others:
        of_model = f" of {study.model}" if n_models > 1 else ""
        swept = ", and ".join(others)
        swept = swept[0].upper() + swept[1:]
        told.append(f"{swept} were varied at layer {study.reference_layer}{of_model} alone.")
    if study.sweep:
        grids = "; ".join(map(_in_words, study.sweep))
        told.append(
            f"Beside these, every combination was fitted of: {grids}. What a grid does not name "
            f"stands at layer {study.reference_layer} (of other models, their middle one), "
            f"{longest} words and all training stories."
        )
    return " ".join(told)


def _settings(results: Results) -> list[tuple[str, Any]]:
    study = results.study
    design, fit = study.design, study.fit
    stories = study.training_stories
    return [
        ("study", study.name),
        ("data set", study.dataset_name),
        ("subjects", "all" if study.subjects is None else study.subjects),
        ("model", study.model),
        ("models", study.models),
        ("layers", _layers(study)),
        ("contexts (words at most)", study.contexts),
        ("words of context at least", _LEAST_CONTEXT[study.features.policy]),
        ("policy of the contexts", study.features.policy),
        ("word vector (of its tokens)", study.features.word_vector),
        ("model computed in", study.features.dtype),
        ("settings taken over from", study.protocol or "nobody"),
        ("stories named (train; test)", _stories(study)),
        ("training stories", "all" if stories is None else stories),
        ("hours of training data", study.hours or "as stories"),
        ("grids beside the sweeps", "; ".join(map(_in_words, study.sweep)) or "none"),
        ("draws of fewer stories", study.draws),
        ("reference layer", study.reference_layer),
        ("seed", study.seed),
        ("delays (TRs)", design.delays),
        ("trimmed (TRs at start, end)", design.trim),
        ("trimmed in test runs", design.test_trim or "as all"),
        ("word rate as a feature", design.word_rate),
        ("Lanczos weights normalised", design.normalize),
        ("protocol of the design", design.protocol or "none"),
        ("penalties alpha", _penalties(fit)),
        ("validation", splits_in_words(fit, max(map(abs, design.delays)))),
        ("validation score", fit.scoring),
        ("permutations", _permutations(results)),
        ("null of the p-values", _null(study.evaluate)),
        ("false discovery rate", FDR_NAMES[study.evaluate.fdr]),
        ("bootstraps of noise ceilings", study.evaluate.n_bootstraps),
        ("ceilings extrapolated to (repeats)", study.evaluate.ceiling_repeats or "none"),
        ("baselines", [name.replace("_", " ") for name, on in study.baselines if on] or "none"),
        ("stories that choose layers", _validation(study)),
        ("layers mixed", study.evaluate.stack),
        *_speech(study),
        ("layers compared", study.evaluate.compare_layers or "none"),
        ("product measure", study.evaluate.product_measure),
        ("ceilings between subjects", study.evaluate.between_subjects),
        ("reducers of scores.csv", study.evaluate.reducers),
        ("interval of a law", _LAW_INTERVAL),
    ]


def _layers(study: Study) -> str:
    if len(study.models) == 1:
        return as_text(study.layers_of(study.model))
    return "; ".join(f"{model}: {as_text(study.layers_of(model))}" for model in study.models)


def _stories(study: Study) -> str:
    lists = study.stories.train, study.stories.test
    return "; ".join("as in the data set" if one is None else ", ".join(one) for one in lists)


def _in_words(sweep: Sweep) -> str:
    """List what a grid names."""
    given = {name: value for name, value in sweep if value is not None}
    if sweep.draws == 1:
        del given["draws"]
    if isinstance(sweep.layers, dict):
        layers = [f"{model} {as_text(own)}" for model, own in sweep.layers.items()]
        given["layers"] = " and ".join(layers)
    named = [f"{name.replace('_', ' ')} {as_text(value)}" for name, value in given.items()]
    return ", ".join(named) or "the reference alone"


def _speech(study: Study) -> list[tuple[str, Any]]:
    chosen = study.speech
    if chosen is None:
        return [("speech model in the mix", "none")]
    return [
        ("speech model in the mix", chosen.model),
        ("speech layers", chosen.layers),
        ("speech windows: context, stride (s)", f"{chosen.context_s:g}, {chosen.stride_s:g}"),
        ("speech model computed in", chosen.dtype),
    ]


def _null(chosen: Evaluate) -> str:
    named = f"{NULL_NAMES[chosen.null]}, each story by its own"
    return f"{named}, of {chosen.block_trs or BLOCK_TRS} TRs" if chosen.null == "block" else named


def _validation(study: Study) -> str:
    held = study.validation_stories
    if not held:
        return held_out_data(study)
    return as_text(held) if isinstance(held, tuple) else f"{held}, drawn with the seed"


_LEAST_CONTEXT = {
    "growing": "half of the most, but for a story's start",
    "sliding": "as many as at most, but for a story's start",
    "full": "half of what the context says, once a story outgrows the model's positions",
    "sentence": "half of the most, but for a sentence's start",
}


def _penalties(fit: Fit) -> str:
    """Say what tells one set of penalties from any other."""
    if isinstance(fit.alphas, AlphaRange):
        low, high, n = fit.alphas.low, fit.alphas.high, fit.alphas.n
        return f"{n} from {low:g} to {high:g}, evenly in their logarithm"
    return ", ".join(f"{one:g}" for one in fit.alphas)


def _permutations(results: Results) -> str:
    """Say how many permutations were used, and by whom where the subjects differ."""
    n_asked = results.study.evaluate.n_permutations
    told = {}
    for subject in results.subjects:
        n_used = permutations_used(results, subject)
        if n_used is None:
            told[subject] = f"{n_asked:,} asked for"
        elif n_used < n_asked:
            told[subject] = f"{n_used:,} of the {n_asked:,} asked for: no more exist"
        else:
            told[subject] = f"{n_used:,}"
    if len(set(told.values())) == 1:
        return next(iter(told.values()))
    return "; ".join(f"{subject}: {text}" for subject, text in told.items())


def _subjects_table(results: Results) -> Table:
    table = results.table
    rows = []
    missing = Counter(cell.subject for cell in results.missing)
    beside = Counter(cell.subject for cell in results.beside)
    for subject in results.subjects:
        own = table[table["subject"] == subject]
        largest = own.loc[own["hours"].idxmax()]
        meta = results.meta(results.select(subject=subject)[0])
        rows.append(
            (
                subject,
                as_text(len(own) + beside[subject]),
                as_text(missing[subject]),
                as_text(float(largest["hours"]), 2),
                as_text(int(largest["n_train_trs"])),
                as_text(int(largest["n_test_trs"])),
                as_text(meta["tr_s"], 1),
                as_text(meta["test"]),
                as_text(int(largest["n_voxels"])),
                as_text(int(largest["n_scored"])),
            )
        )
    columns = (
        "subject", "cells", "missing", "hours", "train TRs", "test TRs", "TR (s)",
        "test stories", "voxels", "with a score",
    )  # fmt: skip
    note = (
        "Hours and TRs of training data are of the largest training set, after trimming. The file "
        "has a row for every cell, with all its mean scores."
    )
    return Table(columns, rows, note, "cells", table)


def _failures_table(results: Results) -> Table:
    rows = []
    for cell, failure in results.failed[:_MOST_FAILURES]:
        message = (str(failure.get("message", "")).splitlines() or [""])[0]
        rows.append((cell.label, str(failure.get("error", "")), message))
    left = len(results.failed) - len(rows)
    note = "Cells that failed; running the study again tries them again."
    return Table(
        ("cell", "error", "message"), rows, note + (f" {left} more are not shown." if left else "")
    )


def _protocol(study: Study) -> list[str]:
    """Name whose settings were taken over, what to cite, and how they differ from what was done."""
    try:
        taken = study.read_protocol()
    except ConfigError as error:  # a file that was moved since
        return [f"The protocol {study.protocol} cannot be read any more: {error}"]
    if taken is None:
        return []
    about = taken.protocol
    told = (
        f"Settings that the study file does not name are those of the protocol {about.name}; "
        f"please cite: {about.citation.rstrip('.')}."
    )
    differs = " ".join(about.differs)
    return [told, f"How it differs from what was published: {differs}"] if differs else [told]


def _sources(material: Material) -> list[str]:
    """Name licence and citation, once for all subjects that share them."""
    licences = list(dict.fromkeys(one.licence for one in material.maps if one.licence))
    citations = list(dict.fromkeys(one.citation for one in material.maps if one.citation))
    licence = "; ".join(licences) or "not stated by the data set"
    citation = "; ".join(citations) or "not stated by the data set"
    return [f"Licence of the data: {licence}.", f"Please cite: {citation}."]
