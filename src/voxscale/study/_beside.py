"""What results say beyond single fits: layers chosen by validation, parts of what is explained."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import StoreError, VoxscaleWarning
from voxscale.evaluate import StoryScores, VariancePartition, partition

if TYPE_CHECKING:
    from voxscale.study._cells import Cell
    from voxscale.study._results import Results

__all__ = ["METRIC", "layer_cells", "layer_scores", "partition_of", "score_name"]

METRIC = "r2"


def layer_cells(results: Results, subject: str) -> tuple[Cell, ...]:
    """List the cells of a subject's layer sweep that differ in nothing else.

    A grid of layers with fewer stories is a sweep over layers too: what stands where the study's
    sweeps meet goes before it.
    """
    cells = results.sweep("layer", subject)
    return tuple(cell for cell in cells if cell.reference) or cells


def layer_scores(results: Results, subject: str, on: str) -> StoryScores:
    """Stack the scores of a subject's layer sweep, with the names of their stories."""
    cells = layer_cells(results, subject)
    if not cells:
        msg = f"subject {subject!r}: no layer with all stories is done; run the study."
        raise StoreError(msg)
    meta = results.meta(cells[0])
    if on == "test":
        name, stories = "r", meta["test"]
    elif meta["validation"]:
        name, stories = "r_validation", meta["validation"]
    else:
        name, stories = "cv_score", cells[0].stories
    scores = np.stack([results.array(cell, name) for cell in cells])
    layers = tuple(f"layer {cell.layer}" for cell in cells)
    return StoryScores(tuple(stories), layers, scores, is_test=on == "test")


def score_name(union: Sequence[str]) -> str:
    """Name the array that holds the score of a union of spaces."""
    return f"{METRIC}_{'+'.join(union)}"


def partition_of(held: Mapping[str, Array], spaces: Sequence[str]) -> VariancePartition | None:
    """Make parts of the scores of all unions; None where there is one space alone."""
    if len(spaces) < 2:
        return None
    unions = [one for size in range(1, len(spaces) + 1) for one in combinations(spaces, size)]
    with warnings.catch_warnings():  # voxels without an answer are counted in the metadata
        warnings.simplefilter("ignore", VoxscaleWarning)
        return partition({union: held[score_name(union)] for union in unions}, metric=METRIC)
