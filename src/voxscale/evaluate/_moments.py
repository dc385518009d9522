"""Powers of stories, and of stories without one of their repeats, from covariances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxscale.arrays import Array
from voxscale.evaluate._block_bootstrap import pair_of

__all__ = ["Moments", "pooled_moments"]


@dataclass(frozen=True)
class Moments:
    """What every score against a ceiling is made of; arrays of one shape.

    Parameters
    ----------
    signal, total : arrays
        SP and TP.
    noise_of_mean : array
        Noise power that the mean response has left: NP / K, weighted over stories.
    product : array
        Covariance of the mean response with the prediction; 0 without one.
    prediction : array
        Variance of the prediction.
    """

    signal: Array
    total: Array
    noise_of_mean: Array
    product: Array
    prediction: Array

    @property
    def noise(self) -> Array:
        """NP, kept above 0 by more than rounding."""
        return np.asarray(np.maximum(self.total - self.signal, 1e-14 * self.total))

    @property
    def variance_of_mean(self) -> Array:
        """Var(y) = SP + NP / K."""
        return np.asarray(self.signal + self.noise_of_mean)


def pooled_moments(
    covariances: list[Array], numbers: list[int], weights: Array, *, with_prediction: bool
) -> tuple[Moments, Moments, Array]:
    """Pool the powers of stories, whole and without each repeat in turn.

    Parameters
    ----------
    covariances : list of arrays of shape (n_draws, n_pairs, n_voxels)
        One for each story, packed; the prediction, if there is one, is the last series.
    numbers : list of int
        Repeats of each story.
    weights : array of shape (n_stories,)
    with_prediction : bool

    Returns
    -------
    whole : Moments
        Of shape (n_draws, n_voxels).
    deleted : Moments
        Of shape (n_draws, n_deletions, n_voxels); none for stories of two repeats, where no
        signal power is left without one.
    groups : array of int of shape (n_deletions,)
        The story of each deletion.
    """
    of_stories = [
        _story_moments(packed, n_repeats, with_prediction=with_prediction)
        for packed, n_repeats in zip(covariances, numbers, strict=True)
    ]
    whole = Moments(
        *(
            sum(weight * values for weight, values in zip(weights, parts, strict=True))
            for parts in zip(*(vars(one).values() for one, _ in of_stories), strict=True)
        )
    )
    groups = np.repeat(np.arange(len(numbers)), [n if n > 2 else 0 for n in numbers])
    changed = []
    for name, values in vars(whole).items():
        parts = [
            values[:, None] + weight * (getattr(without, name) - getattr(one, name)[:, None])
            for weight, (one, without) in zip(weights, of_stories, strict=True)
        ]
        changed.append(np.concatenate(parts, axis=1))
    return whole, Moments(*changed), groups


def _story_moments(
    packed: Array, n_repeats: int, *, with_prediction: bool
) -> tuple[Moments, Moments]:
    """Return the moments of one story, and those without each of its repeats."""
    place = pair_of(n_repeats + with_prediction)
    repeats = range(n_repeats)
    own = packed[:, np.diagonal(place)[:n_repeats]]
    # Sums of each repeat's covariances with the others.
    shared = np.stack(
        [packed[:, [place[k, j] for j in repeats if j != k]].sum(axis=1) for k in repeats], axis=1
    )
    total, signal = own.mean(axis=1), shared.mean(axis=1) / (n_repeats - 1)
    if with_prediction:
        products, prediction = packed[:, place[-1, :n_repeats]], packed[:, place[-1, -1]]
    else:
        products, prediction = np.zeros_like(own), np.zeros_like(total)
    product = products.mean(axis=1)
    whole = Moments(total=total, signal=signal, noise_of_mean=(total - signal) / n_repeats,
                    product=product, prediction=prediction)  # fmt: skip
    if n_repeats < 3:
        return whole, Moments(*(own[:, :0] for _ in vars(whole)))
    left = n_repeats - 1
    total_left = (n_repeats * total[:, None] - own) / left
    signal_left = (shared.sum(axis=1)[:, None] - 2 * shared) / (left * (left - 1))
    without = Moments(
        total=total_left,
        signal=signal_left,
        # The noise of a mean over all K repeats, had they the powers of those left.
        noise_of_mean=(total_left - signal_left) / n_repeats,
        product=(n_repeats * product[:, None] - products) / left,
        prediction=np.broadcast_to(prediction[:, None], own.shape),
    )
    return whole, without
