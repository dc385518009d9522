"""What can be found wrong before any work: rows that run out, words that no model can take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from voxscale.arrays import TRSeries
from voxscale.errors import ConfigError, DataError, FitError, VoxscaleError
from voxscale.evaluate import position_features
from voxscale.features import LanguageExtractor, word_rate
from voxscale.study._cell_keys import min_context_of
from voxscale.study._settings import BLOCK_TRS

if TYPE_CHECKING:
    from voxscale.design import DesignRecipe
    from voxscale.features._passes import StoryWords
    from voxscale.study._cells import Cell
    from voxscale.study._config import Study
    from voxscale.study._features import FeaturePass
    from voxscale.study._inputs import Inputs, SubjectFacts

__all__ = ["blamed", "check_evaluation", "check_rows", "check_words", "load_model"]


@contextmanager
def blamed(
    study: Study, field: str, table: str = "study", kind: type[VoxscaleError] = ConfigError
) -> Iterator[None]:
    """Say of an error which field of the study file it comes from, and its line."""
    try:
        yield
    except (DataError, FitError, ValueError) as error:
        msg = f"{study.where(field, table)}[{table}] {field}: {error}"
        raise kind(msg) from error


def check_rows(
    study: Study, recipe: DesignRecipe, facts: SubjectFacts, cells: Iterable[Cell]
) -> None:
    """Find out whether trimming and cross-validation leave rows to every cell.

    Raises
    ------
    ConfigError
        If trimming leaves no TRs of a run, TRs that its responses do not cover, or no more than
        the delays reach; or if the training rows of a cell cannot be split.
    """
    from voxscale.fit._splits import as_splits
    from voxscale.study._subject_data import splits_of  # brings torch

    lengths = {}
    for run, held in facts.trs.items():
        for trs in held:
            try:
                lengths[run] = _n_rows(recipe, run, trs, facts)
            except DataError:
                with blamed(study, _at_fault(recipe, run, trs, facts), "design"):
                    raise
    _check_baselines(study, facts, lengths)
    split: set[tuple[int, ...]] = set()
    for cell in cells:
        of_cell = tuple(lengths[run] for run in cell.stories)
        if of_cell in split:
            continue
        split.add(of_cell)
        with blamed(study, "cv", "fit"):
            try:
                as_splits(splits_of(study, of_cell), sum(of_cell))
            except (FitError, ValueError) as error:
                msg = f"{cell.label}: {error}"
                raise FitError(msg) from error


def _check_baselines(study: Study, facts: SubjectFacts, lengths: Mapping[str, int]) -> None:
    """Find out whether runs are long enough for the features of position, and for blocks."""
    if study.baselines.position:
        with blamed(study, "position", "baselines"):
            for run, n_trs in lengths.items():
                try:
                    position_features([n_trs])
                except ValueError as error:
                    msg = f"run {run!r}: {error}"
                    raise ValueError(msg) from error
    block = study.evaluate.block_trs or BLOCK_TRS
    short = [run for run in facts.test if lengths[run] < 2 * block]
    if study.evaluate.null == "block" and study.evaluate.n_permutations and short:
        msg = (
            f"{study.where('block_trs', 'evaluate')}[evaluate] block_trs is {block}; test run "
            f"{short[0]!r} has {lengths[short[0]]} TRs after trimming; expected two blocks or "
            "more in every run."
        )
        raise ConfigError(msg)


def check_words(inputs: Inputs, passes: Sequence[FeaturePass]) -> dict[FeaturePass, int]:
    """Plan the windows of the stories that must run, without the weights of the model.

    Returns how many tokens each pass runs. Extractors other than language models are left to
    themselves.

    Raises
    ------
    ConfigError
        If the tokenizer cannot be loaded or is another model's, or a context is too long.
    DataError
        If a word gives no token.
    """
    n_tokens: dict[FeaturePass, int] = {}
    for name, of_model in groupby(passes, key=lambda one: one.model):
        model = inputs.extractor(name)
        if isinstance(model, LanguageExtractor):
            n_tokens |= _check_words(inputs, model, inputs.field_of(name), list(of_model))
    return n_tokens


def _check_words(
    inputs: Inputs, model: LanguageExtractor, field: str, passes: Sequence[FeaturePass]
) -> dict[FeaturePass, int]:
    study = inputs.study
    with blamed(study, field):
        planner = model.planner()
    stories: dict[str, StoryWords] = {}
    allow_blank = model.protocol is not None
    with blamed(study, "dataset", kind=DataError):
        for one in passes:
            if one.words not in stories:
                first = one.targets[0]
                transcript = inputs.facts(first.subject).transcripts[first.run]
                stories[one.words] = planner.tokenize(
                    first.run, transcript, allow_blank=allow_blank
                )
    with blamed(study, field):
        planner.check_vocabulary(list(stories.values()))
    n_tokens = {}
    for context in sorted({one.context for one in passes}):
        contexts = model.contexts(min_context_of(context), context)
        of_context = [one for one in passes if one.context == context]
        with blamed(study, "contexts"):
            planner.check([stories[one.words] for one in of_context], contexts)
        with blamed(study, "dataset", kind=DataError):
            for one in of_context:
                windows = planner.passes(
                    stories[one.words], contexts, word_vector=model.word_vector
                )
                n_tokens[one] = sum(map(len, windows))
    return n_tokens


def load_model(inputs: Inputs, model: str) -> None:
    """Load the weights of a language model; other extractors are left to themselves.

    Raises
    ------
    ConfigError
        If they are damaged or lack a part.
    """
    found = inputs.extractor(model)
    if isinstance(found, LanguageExtractor):
        with blamed(inputs.study, inputs.field_of(model)):
            found.load()


def check_evaluation(
    study: Study, all_facts: Sequence[SubjectFacts], missing: Iterable[Cell]
) -> None:
    """Find out whether what [evaluate] asks for and is missing can be computed.

    Raises
    ------
    ConfigError
        If a product measure lacks baselines or himalaya; or if ceilings between subjects are
        asked for, and there is one subject or they differ in test runs, TRs or voxels.
    """
    kinds = {cell.kind for cell in missing}
    if "product" in kinds:
        _check_banded(study)
    if "between" in kinds:
        _check_alike(study, all_facts)


def _n_rows(recipe: DesignRecipe, run: str, trs: range, facts: SubjectFacts) -> int:
    """Join the word rate and a stand-in, so that the recipe says what it would of the data."""
    response = TRSeries(np.zeros((len(trs), 1)), run, trs.start, facts.tr_times[run])
    features = word_rate(facts.transcripts[run])
    return len(recipe.join({run: features}, {run: response}, [run])[0])


def _at_fault(recipe: DesignRecipe, run: str, trs: range, facts: SubjectFacts) -> str:
    """Tell which field leaves no rows: the delays, where without them trimming leaves some."""
    try:
        _n_rows(replace(recipe, delays=(0,)), run, trs, facts)
    except DataError:
        return "trim"
    return "delays"


def _check_banded(study: Study) -> None:
    """Find out whether a product measure can be made at all."""
    where = f"{study.where('product_measure', 'evaluate')}[evaluate] product_measure"
    if not study.baselines.spaces:
        msg = f"{where} needs baselines beside the language model; set some in [baselines]."
        raise ConfigError(msg)
    if find_spec("himalaya") is None:
        msg = f"{where} needs himalaya, which is not installed; run: pip install 'voxscale[banded]'"
        raise ConfigError(msg)


def _check_alike(study: Study, all_facts: Sequence[SubjectFacts]) -> None:
    """Find out whether subjects can be compared voxel by voxel."""
    where = f"{study.where('between_subjects', 'evaluate')}[evaluate] between_subjects"
    first, *others = all_facts
    if not others:
        msg = f"{where}: there is one subject, {first.subject!r}; expected two or more."
        raise ConfigError(msg)
    for other in others:
        for what, mine, theirs in (
            ("test runs", first.test, other.test),
            ("voxels", first.n_voxels, other.n_voxels),
            *((f"TRs of run {run!r}", *_covered(run, first, other)) for run in first.test),
        ):
            if mine != theirs:
                msg = (
                    f"{where}: {what} differ: {mine} of subject {first.subject!r}, {theirs} of "
                    f"{other.subject!r}; expected responses of the same stories in the same "
                    "voxels, such as a common surface or regions. Name alike subjects, or leave "
                    "it out."
                )
                raise ConfigError(msg)


def _covered(run: str, *subjects: SubjectFacts) -> list[range | None]:
    return [one.trs[run][0] if run in one.trs else None for one in subjects]
