"""How deep in a model its best layer lies, and how that changes with the model's size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, FitError

__all__ = ["RelativeDepths", "best_relative_depth"]


@dataclass(frozen=True, eq=False)
class RelativeDepths:
    """Best layers as shares of depth, and their line over log10 of the number of parameters.

    Made by :func:`best_relative_depth`.

    Parameters
    ----------
    models : tuple of str
        From the smallest to the largest.
    n_params : array of shape (n_models,)
    best_layers : array of shape (n_models, n_subjects)
        NaN where no layer has a finite score.
    depths : array of shape (n_models, n_subjects)
        0 is the embeddings, 1 the last layer.
    slopes : array of shape (n_subjects,)
        Change of depth for ten times the parameters, by least squares; NaN with depths in fewer
        than two different sizes.
    slope : float
        Mean over the subjects that have one.
    low, high : float
        Its interval by Student's t over subjects; NaN with one subject.
    n_subjects : int
        Those that have a slope.
    level : float
    """

    models: tuple[str, ...]
    n_params: Array = field(repr=False)
    best_layers: Array = field(repr=False)
    depths: Array = field(repr=False)
    slopes: Array
    slope: float
    low: float
    high: float
    n_subjects: int
    level: float


def best_relative_depth(
    validation_scores: Mapping[str, ArrayLike],
    n_layers: Mapping[str, int],
    n_params: Mapping[str, float],
    *,
    layers: Mapping[str, Sequence[int]] | None = None,
    level: float = 0.95,
) -> RelativeDepths:
    """Choose each model's best layer for each subject, and ask whether depth moves with size.

    Parameters
    ----------
    validation_scores : mapping of model to array of shape (n_scored_layers, n_subjects)
        Scores that no test story took part in: a layer chosen by test scores makes those scores
        too good, and this table is then no longer free to be compared with them. Subjects come
        in the same order in every model. A score that is not finite is never the best; of equal
        ones the shallowest layer is.
    n_layers : mapping of model to int
        Layers of the model, the embeddings counted as one.
    n_params : mapping of model to number
    layers : mapping of model to sequence of int, optional
        Which layers the rows are, 0 being the embeddings. Default: all.
    level : float
        Of the interval.

    Returns
    -------
    RelativeDepths

    Raises
    ------
    AlignmentError
        If models differ in subjects, or rows do not match the layers.
    FitError
        If no subject has depths in two different sizes.
    ValueError
        If a model is in one mapping and lacks in another, or a number is out of range.

    References
    ----------
    Caucheteux & King 2022, Communications Biology 5:134, doi:10.1038/s42003-022-03036-1 (middle
    layers predict best).

    Examples
    --------
    >>> scores = {"small": [[0.1], [0.3], [0.2]], "large": [[0.1], [0.4], [0.3], [0.2], [0.1]]}
    >>> found = best_relative_depth(scores, {"small": 3, "large": 5}, {"small": 1e8, "large": 1e9})
    >>> found.depths.ravel(), found.slope
    (array([0.5 , 0.25]), -0.25)
    """
    if not 0 < level < 1:
        msg = f"level is {level}; expected a probability between 0 and 1, such as 0.95."
        raise ValueError(msg)
    for name, held in (("n_layers", n_layers), ("n_params", n_params)):
        lacking = [model for model in validation_scores if model not in held]
        if lacking:
            msg = f"{name} lacks {', '.join(lacking)}; give it for every model with scores."
            raise ValueError(msg)
    models = tuple(sorted(validation_scores, key=lambda model: float(n_params[model])))
    sizes = np.array([n_params[model] for model in models], np.float64)
    if not (np.isfinite(sizes) & (sizes > 0)).all():
        msg = "n_params hold a number that is not positive and finite."
        raise ValueError(msg)
    best = [
        _best_layers(model, validation_scores[model], n_layers[model], (layers or {}).get(model))
        for model in models
    ]
    if len({len(one) for one in best}) > 1:
        told = ", ".join(f"{model} {len(one)}" for model, one in zip(models, best, strict=True))
        msg = f"models differ in their number of subjects: {told}; give the same subjects to each."
        raise AlignmentError(msg)
    best_layers = np.array(best)
    depths = best_layers / np.array([n_layers[model] - 1 for model in models])[:, None]
    slopes = np.array([_slope(np.log10(sizes), one) for one in depths.T])
    known = slopes[np.isfinite(slopes)]
    if not len(known):
        msg = "no subject has a best layer in models of two different sizes; add a model."
        raise FitError(msg)
    reach = float("nan")
    if len(known) > 1:
        error = known.std(ddof=1) / np.sqrt(len(known))
        reach = float(special.stdtrit(len(known) - 1, 0.5 + level / 2) * error)
    middle = float(known.mean())
    return RelativeDepths(
        models=models,
        n_params=sizes,
        best_layers=best_layers,
        depths=depths,
        slopes=slopes,
        slope=middle,
        low=middle - reach,
        high=middle + reach,
        n_subjects=len(known),
        level=level,
    )


def _best_layers(
    model: str, scores: ArrayLike, n_layers: int, layers: Sequence[int] | None
) -> Array:
    """Best layer of one model for each subject, (n_subjects,)."""
    table = np.array(scores, np.float64)
    rows = np.arange(n_layers) if layers is None else np.asarray(layers)
    if n_layers < 2:
        msg = f"{model!r} has {n_layers} layer(s); depth needs two, the embeddings counted."
        raise ValueError(msg)
    if table.ndim != 2 or len(table) != len(rows):
        msg = (
            f"scores of {model!r} have shape {table.shape}; expected ({len(rows)}, n_subjects), a "
            "row for each layer; name the layers with layers= where not all were scored."
        )
        raise AlignmentError(msg)
    if (rows < 0).any() or (rows >= n_layers).any():
        msg = f"layers of {model!r} hold a number outside 0 … {n_layers - 1}."
        raise ValueError(msg)
    order = np.argsort(rows, kind="stable")
    ordered = np.where(np.isfinite(table), table, -np.inf)[order]
    found: Array = rows[order][ordered.argmax(axis=0)].astype(np.float64)
    found[~np.isfinite(ordered).any(axis=0)] = np.nan
    return found


def _slope(decades: Array, depths: Array) -> float:
    known = np.isfinite(depths)
    if np.unique(decades[known]).size < 2:
        return float("nan")
    apart = decades[known] - decades[known].mean()
    return float(apart @ depths[known] / (apart @ apart))
