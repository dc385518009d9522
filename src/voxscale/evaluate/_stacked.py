"""Whether a mix of models beats its best member: decided on some stories, told on others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.evaluate._selection import BestModels, StoryScores, choose_best, story_scores

__all__ = ["StackedScores", "stacked_scores"]

_MIX = "stacked"


@dataclass(frozen=True, eq=False)
class StackedScores:
    """Correlations of stacked and single predictions; made by :func:`stacked_scores`.

    Parameters
    ----------
    best_single : BestModels
        The model that validates best in each voxel: ``.chosen`` and ``.map(depths)`` tell which.
    is_stacked : array of bool, shape (n_voxels,)
        The mix validated better than that model by more than ``min_gain``.
    validation_stacked, validation_single : array of shape (n_voxels,)
        Of the mix, and of the best single model, on the validation stories. The second is too
        good, being the best of several there.
    test_stacked, test_single : array of shape (n_voxels,)
        Of the same two, on the test stories.
    min_gain : float
    """

    best_single: BestModels
    is_stacked: Array = field(repr=False)
    validation_stacked: Array = field(repr=False)
    validation_single: Array = field(repr=False)
    test_stacked: Array = field(repr=False)
    test_single: Array = field(repr=False)
    min_gain: float

    @property
    def test(self) -> Array:
        """Test score of the mix where it validated better, of the best single model elsewhere."""
        return np.where(self.is_stacked, self.test_stacked, self.test_single)

    @property
    def difference(self) -> Array:
        """What mixing gained on the test rows, (n_voxels,); 0 where the single model was kept."""
        return np.asarray(self.test - self.test_single)


def stacked_scores(
    Y: ArrayLike,
    stacked: ArrayLike,
    singles: Mapping[str, ArrayLike],
    stories: Mapping[str, int],
    *,
    validation: Collection[str],
    test: Collection[str],
    min_gain: float = 0.05,
) -> StackedScores:
    """Choose between a mix and its best member on validation stories, and score both on others.

    The best member is chosen by :func:`choose_best`.

    Parameters
    ----------
    Y : array of shape (n_trs, n_voxels)
        Responses to stories that trained neither the models nor the mix, one after another.
    stacked : array of shape (n_trs, n_voxels)
        Predictions of the mix.
    singles : mapping of str to array of shape (n_trs, n_voxels)
        Predictions of the single models to beat, by name. Give one alone, such as the language
        model's, to compare with that one.
    stories : mapping of str to int
        Each story's TRs, in the order of the rows.
    validation, test : collection of str
        Stories to choose by, and stories to report.
    min_gain : float
        How much better the mix must correlate on the validation stories to be taken.

    Returns
    -------
    StackedScores
        NaN where a correlation is undefined; there the mix is never taken.

    Raises
    ------
    AlignmentError
        If stories do not add up to the rows, or predictions differ from the responses in shape.
    ValueError
        If a story is both validation and test, under its name or another: a choice made on test
        rows would be reported as if it had been made before. Also if a story is unknown or there
        is none, there is no single model, or a part has fewer than 2 rows.

    References
    ----------
    Antonello, Vaidya & Huth 2023, NeurIPS, arXiv:2305.11863 (a mask of 0.05, on validation
    stories).

    Examples
    --------
    >>> Y = np.random.default_rng(0).standard_normal((80, 3))
    >>> noise = {"layer 3": np.random.default_rng(1).standard_normal((80, 3))}
    >>> scores = stacked_scores(
    ...     Y, Y, noise, {"avatar": 40, "buck": 40}, validation=["avatar"], test=["buck"]
    ... )
    >>> scores.is_stacked.all(), scores.test.round(3)
    (np.True_, array([1., 1., 1.]))
    """
    chosen_by, told = (story_scores(Y, singles, stories, only=some) for some in (validation, test))
    best = choose_best(chosen_by)
    test_single = best.scores(told)
    of_mix, of_mix_test = (
        story_scores(Y, {_MIX: stacked}, stories, only=some).scores[0]
        for some in (validation, test)
    )
    at_best = _at_best(best, chosen_by)
    with np.errstate(invalid="ignore"):
        is_stacked = of_mix - at_best > min_gain
    return StackedScores(best, is_stacked, of_mix, at_best, of_mix_test, test_single, min_gain)


def _at_best(best: BestModels, validation: StoryScores) -> Array:
    """Scores that the chosen models had where they were chosen; they are too good there."""
    scores = validation.scores[best.chosen, np.arange(len(best.chosen))]
    return np.where(best.chosen >= 0, scores, np.nan)
