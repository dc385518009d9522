"""Designs and responses to time ridge on: like language features, or white."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from voxscale.fit import chunk_holdout

Array = np.ndarray

N_DELAYS = 4
N_TEST_TRS = 300


@dataclass(frozen=True)
class Problem:
    """One size of problem: a row of the table of goals."""

    n_trs: int
    n_features: int
    n_voxels: int
    n_splits: int
    features: str = "language"
    n_alphas: int = 15

    @property
    def alphas(self) -> Array:
        """Penalties over six decades around the eigenvalues of either kind of features."""
        return np.logspace(1, 7, self.n_alphas)

    @property
    def splits(self) -> list[tuple[Array, Array]]:
        """Chunks of 20 TRs, 25 % of all held out."""
        n_chunks = max(1, int(0.25 * self.n_trs / 20))
        return chunk_holdout(
            self.n_trs, chunk_len=20, n_chunks=n_chunks, n_repeats=self.n_splits, seed=0
        )


def design(problem: Problem, seed: int = 0) -> Array:
    """Draw features for training and test TRs.

    "language": a spectrum that falls as a power of the rank, smooth in time, with four delays,
    as z-scored hidden states have it. "white": every number by itself, the hardest spectrum for
    shortcuts along the alphas is not this one, but it is the one that others are timed on.
    """
    rng = np.random.default_rng(seed)
    n_rows = problem.n_trs + N_TEST_TRS
    if problem.features == "white":
        return rng.standard_normal((n_rows, problem.n_features), dtype=np.float32)
    n_dims = problem.n_features // N_DELAYS
    base = rng.standard_normal((n_rows + N_DELAYS, n_dims), dtype=np.float32)
    memory = rng.uniform(0, 0.8, n_dims).astype(np.float32)
    for row in range(1, len(base)):
        base[row] += memory * base[row - 1]
    base /= base.std(axis=0) * np.sqrt(1 + np.arange(n_dims, dtype=np.float32))
    mixing = np.linalg.qr(rng.standard_normal((n_dims, n_dims)))[0].astype(np.float32)
    states = base @ mixing
    states = (states - states.mean(axis=0)) / states.std(axis=0)
    delayed = [states[N_DELAYS - d : N_DELAYS - d + n_rows] for d in range(1, N_DELAYS + 1)]
    return np.concatenate(delayed, axis=1)


def response_blocks(X: Array, n_voxels: int, seed: int = 1) -> Iterator[Array]:
    """Yield responses, z-scored, some voxels at a time: of many strengths, in coloured noise."""
    rng = np.random.default_rng(seed)
    for start in range(0, n_voxels, 2000):
        width = min(2000, n_voxels - start)
        signal = X @ rng.standard_normal((X.shape[1], width), dtype=np.float32)
        signal /= signal.std(axis=0)
        noise = rng.standard_normal(signal.shape, dtype=np.float32)
        for row in range(1, len(noise)):
            noise[row] += 0.4 * noise[row - 1]
        noise /= noise.std(axis=0)
        share = rng.uniform(0, 0.4, width).astype(np.float32)
        Y = np.sqrt(share) * signal + np.sqrt(1 - share) * noise
        yield (Y - Y.mean(axis=0)) / Y.std(axis=0)


def planted(problem: Problem) -> dict[str, Array]:
    """Draw a design and responses, and a test part of both."""
    X = design(problem)
    Y = np.concatenate(list(response_blocks(X, problem.n_voxels)), axis=1)
    train, test = slice(problem.n_trs), slice(problem.n_trs, None)
    return {"X": X[train], "Y": Y[train], "X_test": X[test], "Y_test": Y[test]}


def write_hdf5(problem: Problem, path: Path) -> None:
    """Write the training part of a problem, responses never whole in memory."""
    X = design(problem)[: problem.n_trs]
    with h5py.File(path, "w") as file:
        file["X"] = X
        chunks = (problem.n_trs, 64)
        shape = (problem.n_trs, problem.n_voxels)
        Y = file.create_dataset("Y", shape, dtype="float32", chunks=chunks)
        start = 0
        for block in response_blocks(X, problem.n_voxels):
            Y[:, start : start + block.shape[1]] = block
            start += block.shape[1]
