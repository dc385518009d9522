"""Scores of stories whose growth with size has known variance components."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voxscale.arrays import Array

__all__ = ["planted_scores"]


def planted_scores(
    n_subjects: int,
    n_stories: int,
    sizes: Sequence[float],
    *,
    intercept: float = 0.1,
    slope: float = 0.01,
    subject_sd: float = 0.0,
    story_sd: float = 0.0,
    size_sd: float = 0.0,
    shared_story_sd: float = 0.0,
    seed: int = 0,
) -> Array:
    """Draw the score of each story of each subject at each size.

    Parameters
    ----------
    n_subjects, n_stories : int
    sizes : sequence of float
        Decades are counted from the first.
    intercept : float
        Mean score at the first size.
    slope : float
        Mean gain per decade.
    subject_sd, story_sd : float
        Standard deviations of the slope: of a subject's about the mean, and of a story's about
        its subject's.
    size_sd : float
        Standard deviation of one score about its story's own line.
    shared_story_sd : float
        Standard deviation of what a story adds to the slope of every subject: above 0, stories
        are the same for all subjects (crossed with them); at 0, each subject's own (nested).
    seed : int

    Returns
    -------
    array of shape (n_sizes, n_subjects, n_stories)
        More subjects, stories or sizes (at the end) leave the others as they are.
    """
    decades = np.log10(np.asarray(sizes, np.float64) / sizes[0])
    scores = np.empty((len(decades), n_subjects, n_stories))
    shared = [
        shared_story_sd * np.random.default_rng([seed, 0, 0, 1 + story]).standard_normal()
        for story in range(n_stories)
    ]
    for subject in range(n_subjects):
        own = slope + subject_sd * np.random.default_rng([seed, subject]).standard_normal()
        for story in range(n_stories):
            rng = np.random.default_rng([seed, subject, 1 + story])
            tilt = own + shared[story] + story_sd * rng.standard_normal()
            about = size_sd * rng.standard_normal(len(decades))
            scores[:, subject, story] = intercept + tilt * decades + about
    return scores
