"""What the missing part of a study will take: operations, time, memory."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from voxscale.study._jobs import batches_of
from voxscale.study._progress import duration, size

if TYPE_CHECKING:
    from voxscale.study._cells import Cell
    from voxscale.study._features import FeaturePass
    from voxscale.study._inputs import Inputs
    from voxscale.study._plan import Plan

__all__ = ["Costs", "Term", "costs_of", "product_rate"]

_SIDE = 1500  # of the product by which a machine's rate is measured
_OF_ONE_BLOCK = 12  # weights of a transformer's block, over the square of its width
_FLOP_PER_WEIGHT = 2  # a product and a sum for each weight and token
_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True)
class Term:
    """One part of the work.

    Parameters
    ----------
    what : str
    flop : float
        Floating-point operations; slow ones, such as those of decompositions, count for more.
    n_bytes : int
        Most memory at once that this part takes.
    """

    what: str
    flop: float
    n_bytes: int


@dataclass(frozen=True)
class Costs:
    """What is missing, in operations, time and memory; ``str(costs)`` is a line.

    Counted are passes through language models and fits, not permutations and bootstraps.

    Parameters
    ----------
    terms : tuple of Term
    flop_per_s : float
        Of this machine, measured by a product of two matrices.
    n_uncounted : int
        Cells and passes whose work is not known beforehand.
    """

    terms: tuple[Term, ...]
    flop_per_s: float
    n_uncounted: int

    @property
    def flop(self) -> float:
        """Floating-point operations of all parts."""
        return float(sum(one.flop for one in self.terms))

    @property
    def seconds(self) -> float:
        """How long they take at the rate that was measured."""
        return self.flop / self.flop_per_s

    @property
    def peak_bytes(self) -> int:
        """Most memory at once, of the one process that works."""
        return max((one.n_bytes for one in self.terms), default=0)

    @property
    def largest(self) -> Term | None:
        """The part with the most operations."""
        return max(self.terms, key=lambda one: one.flop, default=None)

    def rows(self) -> list[tuple[str, str]]:
        """Say it in lines, each with its heading."""
        if self.largest is None or not self.flop:
            return []
        share = 100 * self.largest.flop / self.flop
        left_out = f"; {self.n_uncounted} of unknown size not counted" if self.n_uncounted else ""
        rate = f"{self.flop_per_s / 1e9:.0f} GFLOP/s, as just measured here, if nothing else runs"
        return [
            ("work", f"{self.flop:.1e} FLOP, {share:.0f} % of it {self.largest.what}{left_out}"),
            ("time", f"about {duration(self.seconds)} at {rate}"),
            ("memory", f"about {size(self.peak_bytes)} at once"),
        ]

    def __str__(self) -> str:
        return "\n".join(f"{name:>9}  {text}" for name, text in self.rows())


def costs_of(inputs: Inputs, made: Plan, n_tokens: Mapping[FeaturePass, int]) -> Costs:
    """Add up what the missing cells and passes of a plan take.

    Parameters
    ----------
    inputs : Inputs
    made : Plan
    n_tokens : mapping of FeaturePass to int
        Tokens that each pass runs through its model; extractors of other kinds have none.
    """
    passes, n_unknown = _passes(inputs, made, n_tokens)
    fits, n_uncounted = _fits(inputs, made)
    terms = (*passes, *fits)
    rate = product_rate() if terms else 1.0
    return Costs(terms, rate, n_unknown + n_uncounted)


@cache
def product_rate() -> float:
    """Measure products of two matrices on this machine, in FLOP/s; once in a process."""
    rng = np.random.default_rng(0)
    one = rng.standard_normal((_SIDE, _SIDE), dtype=np.float32)
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        _ = one @ one
        seconds.append(time.perf_counter() - began)
    return float(2 * _SIDE**3 / min(seconds))


def _passes(
    inputs: Inputs, made: Plan, n_tokens: Mapping[FeaturePass, int]
) -> tuple[list[Term], int]:
    """Count the passes of each model and context as one term."""
    flop: dict[tuple[str, int], float] = {}
    n_bytes: dict[tuple[str, int], int] = {}
    n_unknown = len(made.speech_passes)
    itemsize = _BYTES[inputs.study.features.dtype]
    for one in made.passes:
        shape = _shape_of(inputs, one.model)
        if one not in n_tokens or shape is None:
            n_unknown += 1
            continue
        n_blocks, of_block = shape
        n_run = min(n_blocks, max((1, *one.layers)))  # those above the highest layer are not
        place = one.model, one.context
        flop[place] = flop.get(place, 0.0) + _FLOP_PER_WEIGHT * n_run * of_block * n_tokens[one]
        n_bytes[place] = itemsize * n_blocks * of_block
    terms = [
        Term(f"{model} at context {context}", flop[model, context], n_bytes[model, context])
        for model, context in flop
    ]
    return terms, n_unknown


def _shape_of(inputs: Inputs, model: str) -> tuple[int, int] | None:
    """Return the blocks of a model, and the weights of one by the usual shape."""
    found = inputs.extractor(model)
    n_layers, n_dims = (getattr(found, name, None) for name in ("n_layers", "n_dims"))
    if n_layers is None or n_dims is None:
        return None
    return n_layers - 1, _OF_ONE_BLOCK * n_dims**2


def _fits(inputs: Inputs, made: Plan) -> tuple[list[Term], int]:
    """Plan each fit as its estimator would; those of one design are one."""
    from voxscale.fit._blocks import budget_bytes, resolve_device

    fits = [cell for cell in made.missing if cell.kind == "fit"]
    budget = budget_bytes(inputs.study.fit.memory_gib, resolve_device("cpu"))
    planner = _FitPlanner(inputs)
    flop: dict[str, float] = {}
    n_bytes: dict[str, int] = {}
    n_unknown = len(made.missing) - len(fits)
    for batch in batches_of(inputs, fits, budget // 2):
        for job in batch.jobs:
            found = planner.plan(job.cells)
            if found is None:
                n_unknown += len(job.cells)
                continue
            what = f"fits to {job.cells[0].bands.replace('+', ' + ').replace('_', ' ')}"
            flop[what] = flop.get(what, 0.0) + found[0]
            n_bytes[what] = max(n_bytes.get(what, 0), found[1])
    return [Term(what, flop[what], n_bytes[what]) for what in flop], n_unknown


class _FitPlanner:
    """Operations and memory of fits, by their shapes; those of equal stories are planned once."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._known: dict[tuple[object, ...], tuple[float, int]] = {}

    def plan(self, cells: Sequence[Cell]) -> tuple[float, int] | None:
        """Return operations and bytes; None where the number of features is not known."""
        first, study = cells[0], self._inputs.study
        n_features = self._n_features(first)
        if n_features is None:
            return None
        facts = self._inputs.facts(first.subject)
        n_voxels = sum(self._inputs.facts(cell.subject).n_voxels for cell in cells)
        trim = sum(study.design.trim)
        lengths = tuple(len(facts.tr_times[run]) - trim for run in first.stories)
        place = (lengths, n_features, n_voxels)
        if place not in self._known:
            self._known[place] = self._planned(lengths, n_features, n_voxels)
        return self._known[place]

    def _planned(
        self, lengths: tuple[int, ...], n_features: int, n_voxels: int
    ) -> tuple[float, int]:
        from voxscale.study._fit_cell import ridge_of

        n_trs = sum(lengths)
        X = np.broadcast_to(np.float32(0), (n_trs, n_features))
        Y = np.broadcast_to(np.float32(0), (n_trs, n_voxels))
        found = ridge_of(self._inputs.study, lengths, "cpu").plan(X, Y)
        responses = 4 * n_trs * n_voxels
        return found.flop, found.peak_bytes + responses + found.score_bytes + found.weight_bytes

    def _n_features(self, cell: Cell) -> int | None:
        """Count the columns of a design; those of position and sound are few, and left out."""
        n_delays = len(self._inputs.study.design.delays)
        n_dims = 0
        if cell.has_language:
            known = getattr(self._inputs.extractor(cell.model), "n_dims", None)
            if known is None:
                return None
            n_dims = int(known)
        return n_delays * max(1, n_dims + ("word_rate" in cell.bands.split("+")))
