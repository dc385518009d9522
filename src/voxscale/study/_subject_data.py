"""One subject's data, and what all of the subject's cells share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array, TRSeries
from voxscale.design import DesignRecipe
from voxscale.evaluate import NoiseCeiling, noise_ceiling
from voxscale.features import word_rate
from voxscale.fit import chunk_holdout, contiguous_folds, leave_run_out
from voxscale.study._features import read_features
from voxscale.study._fit_settings import ChunkCV

if TYPE_CHECKING:
    from voxscale.data import Dataset
    from voxscale.store import LayerStore
    from voxscale.study._cells import Cell
    from voxscale.study._config import Study
    from voxscale.study._inputs import Inputs
    from voxscale.study._protocol import Protocol

__all__ = ["SubjectData", "design_of", "joined", "splits_of"]


@dataclass(frozen=True)
class SubjectData:
    """One subject's data, and what all of the subject's cells share.

    Parameters
    ----------
    dataset : Dataset
    recipe : DesignRecipe
    """

    dataset: Dataset
    recipe: DesignRecipe

    @property
    def repeated_runs(self) -> list[str]:
        """Test runs with repeats, by which ceilings are judged, in the order of the test runs."""
        repeated = set(self.dataset.trials)
        return [run for run in self.dataset.test if run in repeated]

    @cached_property
    def trials(self) -> dict[str, Array]:
        """Repeats of each repeated run, trimmed and z-scored as responses are.

        Arrays of shape (n_repeats, n_trs, n_voxels).
        """
        return {run: self._trials(run) for run in self.repeated_runs}

    @cached_property
    def ceiling(self) -> NoiseCeiling | None:
        """Noise ceiling of all repeated test runs together; None without."""
        return noise_ceiling(self.trials) if self.trials else None

    @cached_property
    def responses(self) -> dict[str, TRSeries]:
        """Responses of every run; of a repeated one, the mean that its ceiling is about.

        Joined, that mean is z-scored like any other response, so that every test story counts
        the same however often it was heard.
        """
        responses = dict(self.dataset.responses)
        for run, trials in self.trials.items():
            whole = responses[run]
            mean = np.asarray(trials.mean(axis=0, dtype=np.float64))
            first_tr = self.recipe.kept_trs(whole).start
            responses[run] = TRSeries(mean, run, first_tr, whole.tr_times)
        return responses

    def design(self, spaces: Any, runs: Sequence[str]) -> Array:
        """Join features alone, on the rows that joined responses have."""
        silent = {}
        for run in runs:
            one = self.responses[run]
            silent[run] = TRSeries(np.zeros((len(one.trs), 1)), run, one.first_tr, one.tr_times)
        return self.recipe.join(spaces, silent, runs)[0]

    def joined_responses(self, runs: Sequence[str]) -> Array:
        """Join responses alone, trimmed and z-scored."""
        rate = word_rate({run: self.dataset.words[run] for run in runs})
        return self.recipe.join(rate, self.responses, runs)[1]

    def lengths(self, runs: Sequence[str]) -> dict[str, int]:
        """Return how many TRs each run has in joined data."""
        return dict(zip(runs, self.recipe.run_lengths(self.dataset.responses, runs), strict=True))

    def rows(self, runs: Sequence[str]) -> dict[str, slice]:
        """Return which rows of joined data belong to which run."""
        ends = np.cumsum([0, *self.lengths(runs).values()])
        return {run: slice(int(ends[i]), int(ends[i + 1])) for i, run in enumerate(runs)}

    def repeated_rows(self) -> Array:
        """Return the rows of the joined test data that belong to repeated runs."""
        rows = self.rows(self.dataset.test)
        return np.concatenate(
            [np.arange(rows[run].start, rows[run].stop) for run in self.repeated_runs]
        )

    def _trials(self, run: str) -> Array:
        tr_times = self.dataset.responses[run].tr_times
        rate = word_rate({run: self.dataset.words[run]})
        trials = []
        for repeat in self.dataset.trials[run]:
            if repeat.tr_times is None:
                repeat = replace(repeat, tr_times=tr_times)
            trials.append(self.recipe.join(rate, {run: repeat}, [run])[1])
        return np.stack(trials)


_JOINED = ("language", "language+word_rate")  # whose columns go through the recipe together


def joined(
    inputs: Inputs, cell: Cell, store: LayerStore, shared: SubjectData, runs: Sequence[str]
) -> tuple[Array, Array]:
    """Join the features of a cell's bands with responses: X, Y."""
    if cell.bands in _JOINED:
        spaces = _spaces(inputs, cell, store, shared, runs)
        return shared.recipe.join(spaces, shared.responses, runs)
    return design_of(inputs, cell, store, shared, runs), shared.joined_responses(runs)


def design_of(
    inputs: Inputs, cell: Cell, store: LayerStore, shared: SubjectData, runs: Sequence[str]
) -> Array:
    """Return the same design without the responses."""
    if cell.bands in _JOINED:
        return shared.design(_spaces(inputs, cell, store, shared, runs), runs)
    from voxscale.study._baselines import baseline_designs  # which fits cells of its own

    names = cell.bands.split("+")
    designs = [baseline_designs(shared, [one], runs)[one] for one in names if one != "language"]
    if cell.has_language:
        designs.insert(0, shared.design(read_features(inputs, store, cell, runs), runs))
    return np.hstack(designs)


def _spaces(
    inputs: Inputs, cell: Cell, store: LayerStore, shared: SubjectData, runs: Sequence[str]
) -> list[Any]:
    spaces: list[Any] = [read_features(inputs, store, cell, runs)]
    if cell.bands == "language+word_rate":
        spaces.append(word_rate({run: shared.dataset.words[run] for run in runs}))
    return spaces


def splits_of(
    study: Study | Protocol, run_lengths: Sequence[int], *, seed: int | None = None
) -> list[tuple[Array, Array]]:
    """Choose which rows train and which validate.

    One training story alone cannot be left out: then five contiguous folds are, with a gap
    of the longest delay on both sides. Chunks lie within runs, but for the published protocol,
    whose chunks are cut from the first row on, across runs.

    Parameters
    ----------
    study : Study or Protocol
    run_lengths : sequence of int, in TRs
    seed : int, optional
        By default that of the study; a protocol has none.

    Returns
    -------
    list of (train_rows, validation_rows)
    """
    n_trs, protocol = sum(run_lengths), study.design.protocol
    cv = study.fit.cv
    if isinstance(cv, ChunkCV):
        options: dict[str, Any] = {
            "chunk_len": cv.chunk_len,
            "n_chunks": cv.n_chunks_of(n_trs, protocol=protocol),
            "n_repeats": cv.n_repeats,
            "seed": getattr(study, "seed", 0) if seed is None else seed,
            "gap": cv.gap,
        }
        if protocol is None:
            return chunk_holdout(n_trs, run_lengths=run_lengths, **options)
        # Whole chunks from the first row on; the rows that are left over always train.
        n_whole = n_trs - n_trs % cv.chunk_len
        rest = np.arange(n_whole, n_trs)
        pairs = chunk_holdout(n_whole or n_trs, **options)
        return [(np.concatenate([train, rest]), held) for train, held in pairs]
    if len(run_lengths) > 1:
        return leave_run_out(run_lengths)
    gap = max(map(abs, study.design.delays))
    return [
        (train[(train < held[0] - gap) | (train > held[-1] + gap)], held)
        for train, held in contiguous_folds(n_trs)
    ]
