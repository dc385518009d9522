"""What each feature space explains alone, and what several of them share."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import VoxscaleWarning, did_you_mean
from voxscale.evaluate._parts import count_negative, part_rows, text_of
from voxscale.evaluate._unions import Union, check_variance, checked_scores, subsets_of

__all__ = ["VariancePartition", "partition", "split"]


@dataclass(frozen=True, eq=False)
class VariancePartition:
    """Parts of a score that are unique to a feature space, or shared by several.

    Made by :func:`partition` or :func:`variance_partition`; ``print`` it. A part is named by
    the spaces that share it: it is what any one of them explains and no other space does. All
    parts add up to the score of the full model, and the score of a union of spaces is the sum
    of the parts that touch it.

    Parts can be negative, and are left so: a unique part where a space makes predictions of test
    data worse, a shared one also where spaces explain more together than the sum of each alone
    (suppression). In a mean over voxels they cancel noise that is as often above zero.

    Parameters
    ----------
    names : tuple of str
        The feature spaces, 2 to 4.
    scores : dict of tuple of str to array of shape (n_voxels,), float64
        Score of the model with these spaces, for every union of them.
    parts : dict of tuple of str to array of shape (n_voxels,), float64
        Unique parts first, that shared by all last. NaN where any union's score is.
    metric : str
        What the scores are.
    note : str
        What was done to the parts, if anything.
    """

    names: tuple[str, ...]
    scores: dict[Union, Array] = field(repr=False)
    parts: dict[Union, Array] = field(repr=False)
    metric: str = "r2"
    note: str = ""

    @property
    def total(self) -> Array:
        """Score of the full model, of shape (n_voxels,); NaN where parts are."""
        return np.where(self._lost, np.nan, self.scores[self.names])

    @property
    def unique(self) -> dict[str, Array]:
        """Part of each space that no other explains."""
        return {name: self.parts[(name,)] for name in self.names}

    @property
    def shared(self) -> dict[Union, Array]:
        """Parts that two spaces or more explain, by their names in order."""
        return {key: part for key, part in self.parts.items() if len(key) > 1}

    @property
    def n_voxels(self) -> int:
        """How many voxels there are, those without an answer included."""
        return len(self._lost)

    @property
    def n_lost(self) -> int:
        """In how many voxels some union has no score, so that all parts are NaN."""
        return int(self._lost.sum())

    @property
    def n_negative(self) -> dict[Union, int]:
        """In how many voxels each part is below zero, by more than rounding."""
        return {key: count_negative(part, self._size) for key, part in self.parts.items()}

    @property
    def table(self) -> list[dict[str, Any]]:
        """A row for each part, and one for the total.

        Each has ``part``, ``kind``, ``mean`` over the voxels with an answer, ``n_negative`` and
        ``lowest``; ``pandas.DataFrame`` takes it as it is.
        """
        return part_rows(self.parts, self.total, self._size)

    def __str__(self) -> str:
        """Say it in a table."""
        title = (
            f"{self.metric} of {len(self.names)} feature spaces, {self.n_voxels:,} voxel(s) "
            f"({self.n_lost:,} without an answer)"
        )
        return text_of(title, self.table, self.note)

    def part(self, *names: str) -> Array:
        """Return the part that these spaces share, and no other space has.

        Parameters
        ----------
        *names : str
            In any order; a single one for its unique part.

        Returns
        -------
        array of shape (n_voxels,), float64

        Raises
        ------
        ValueError
            If there is no such space.
        """
        return self.parts[self._union(names)]

    def unique_part(
        self, of: str | Sequence[str], beyond: str | Sequence[str] | None = None
    ) -> Array:
        """Compute what some spaces add to others: ``score(of and beyond) - score(beyond)``.

        Parameters
        ----------
        of : str or sequence of str
            Such as ``"language model"``.
        beyond : str or sequence of str, optional
            Such as the baselines ``("position", "word rate")``. Default: all other spaces.

        Returns
        -------
        array of shape (n_voxels,), float64
            NaN where parts are. From the scores, also after :meth:`clipped`.

        Raises
        ------
        ValueError
            If there is no such space, or one is named twice or on both sides.
        """
        with_it, without = self._compared(of, beyond)
        return np.where(self._lost, np.nan, self.scores[with_it] - self.scores[without])

    def unique_share(
        self, of: str | Sequence[str], beyond: str | Sequence[str] | None = None
    ) -> Array:
        """Compute which share of a model's score some spaces alone account for, voxel by voxel.

        Noisy where the score is small: :meth:`mean_unique_share` is the number to report.

        Parameters
        ----------
        of : str or sequence of str
        beyond : str or sequence of str, optional
            Default: all other spaces. The model has these and those of ``of``.

        Returns
        -------
        array of shape (n_voxels,), float64
            ``unique_part / score(of and beyond)``. NaN where that score is not above 0; below
            0, or above 1, where ``of``, or ``beyond``, made predictions worse.

        Raises
        ------
        ValueError
            As :meth:`unique_part`.
        """
        with_it, _ = self._compared(of, beyond)
        score = self.scores[with_it]
        whole = np.where((score > 0) & ~self._lost, score, np.nan)
        return np.asarray(self.unique_part(of, beyond) / whole)

    def mean_unique_share(
        self, of: str | Sequence[str], beyond: str | Sequence[str] | None = None
    ) -> float:
        """Compute the same share of the mean score over voxels.

        Parameters
        ----------
        of : str or sequence of str
        beyond : str or sequence of str, optional
            Default: all other spaces.

        Returns
        -------
        float
            Mean unique part over the mean score of the model with both, each over the voxels
            with an answer. NaN where that mean is not above 0.

        Raises
        ------
        ValueError
            As :meth:`unique_part`.
        """
        with_it, _ = self._compared(of, beyond)
        known = ~self._lost
        whole = float(self.scores[with_it][known].mean()) if known.any() else float("nan")
        part = float(self.unique_part(of, beyond)[known].mean()) if known.any() else float("nan")
        return part / whole if whole > 0 else float("nan")

    def clipped(self) -> VariancePartition:
        """Set negative parts to 0, and say so in ``note``.

        The parts then add up to more than the score of the full model, and their means over
        voxels are biased upwards, since noise above zero stays. For pictures, not for numbers.

        Returns
        -------
        VariancePartition
            Itself stays as it is.
        """
        n_clipped = sum(self.n_negative.values())
        parts = {key: np.maximum(part, 0.0) for key, part in self.parts.items()}
        known = ~self._lost
        excess = np.sum(list(parts.values()), axis=0)[known] - self.total[known]
        note = (
            f"{n_clipped:,} of {len(parts) * int(known.sum()):,} parts were below 0 and set to 0; "
            f"parts add up to {excess.mean() if known.any() else 0.0:.4f} more than the score, "
            "on average over voxels."
        )
        return replace(self, parts=parts, note=note)

    @property
    def _lost(self) -> Array:
        return np.isnan(self.parts[self.names])

    @property
    def _size(self) -> Array:
        return np.asarray(np.max(np.abs(list(self.scores.values())), axis=0))

    def _union(self, names: str | Iterable[str]) -> Union:
        """Put names in the order of the partition, checked."""
        given = (names,) if isinstance(names, str) else tuple(names)
        for name in given:
            if name not in self.names:
                msg = (
                    f"there is no feature space {name!r}; choose of {', '.join(self.names)}"
                    f"{did_you_mean(str(name), self.names)}."
                )
                raise ValueError(msg)
        if not given or len(set(given)) < len(given):
            msg = f"the feature spaces {list(given)} are named; name one or more, each once."
            raise ValueError(msg)
        return tuple(name for name in self.names if name in given)

    def _compared(
        self, of: str | Sequence[str], beyond: str | Sequence[str] | None
    ) -> tuple[Union, Union]:
        """Return the union of both sides, and the side to go beyond."""
        mine = self._union(of)
        if beyond is None:
            beyond = [name for name in self.names if name not in mine]
        others = self._union(beyond)
        if both := [name for name in mine if name in others]:
            msg = f"{', '.join(both)} is on both sides; name a space in of or in beyond."
            raise ValueError(msg)
        return self._union((*mine, *others)), others


def partition(
    scores: Mapping[str | Iterable[str], ArrayLike], *, metric: str = "r2"
) -> VariancePartition:
    """Split the score of 2 to 4 feature spaces into unique and shared parts.

    Set algebra over the scores of nested models, whatever they were fitted with; see
    :func:`variance_partition` for the fits too. Scores should be of test data: on training
    data a larger union always explains more.

    Parameters
    ----------
    scores : mapping of tuple, frozenset or str to array of shape (n_voxels,)
        Score of the model with these spaces, for each of the 2^k - 1 unions of k spaces. A
        plain string is the union of that space alone.
    metric : {"r2", "signed_r2", "r2_norm", "signed_r2_norm"}
        What the scores are; recorded. Correlations are no shares of variance.

    Returns
    -------
    VariancePartition

    Raises
    ------
    ValueError
        If there are fewer than 2 or more than 4 spaces, a union is missing or comes twice, a
        union names a space twice, or the metric is no share of variance.
    AlignmentError
        If scores are not about the same voxels.
    TypeError
        If names are not strings, or scores not numbers.

    Warns
    -----
    VoxscaleWarning
        Counts the voxels in which some union has no score: they are NaN in all parts.

    Notes
    -----
    The part of cell S of a Venn diagram, that is what the spaces in S share and no other has,
    is ``Σ (-1)^(|S| - |V| + 1) score(all spaces but V)`` over the subsets V of S, with a score
    of 0 for no spaces. For two spaces: unique(a) = ab - b, shared = a + b - ab.

    References
    ----------
    de Heer, Huth, Griffiths, Gallant & Theunissen 2017, J. Neurosci. 37:6539,
    doi:10.1523/JNEUROSCI.3267-16.2017.

    Examples
    --------
    >>> parts = partition({"words": [0.3], "sounds": [0.2], ("words", "sounds"): [0.4]})
    >>> parts.unique["words"].round(2), parts.part("sounds", "words").round(2)
    (array([0.2]), array([0.1]))
    >>> print(parts)
    r2 of 2 feature spaces, 1 voxel(s) (0 without an answer)
    part            kind         mean  n_negative    lowest
    words           unique     0.2000           0    0.2000
    sounds          unique     0.1000           0    0.1000
    words & sounds  shared     0.1000           0    0.1000
    all             total      0.4000           0    0.4000
    """
    check_variance(metric)
    names, by_union = checked_scores(scores)
    made = split(names, by_union, metric)
    if made.n_lost:
        msg = (
            f"{made.n_lost} of {made.n_voxels} voxels lack the score of some union of feature "
            "spaces and are NaN in all parts; leave them out to be rid of this warning."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=2)
    return made


def split(names: Union, scores: dict[Union, Array], metric: str) -> VariancePartition:
    """Compute the parts of checked scores, by inclusion and exclusion."""
    cells = subsets_of(names)
    stacked = np.stack([scores[cell] for cell in cells])
    stacked[:, ~np.isfinite(stacked).all(axis=0)] = np.nan
    found = _signs(names) @ stacked
    parts = {cell: np.ascontiguousarray(found[i]) for i, cell in enumerate(cells)}
    return VariancePartition(names, {cell: scores[cell] for cell in cells}, parts, metric)


def _signs(names: Union) -> Array:
    """Return how often the score of each union counts in each part: (n_cells, n_unions)."""
    cells = subsets_of(names)
    column = {cell: i for i, cell in enumerate(cells)}
    signs = np.zeros((len(cells), len(cells)))
    for row, cell in enumerate(cells):
        for without in [(), *subsets_of(cell)]:
            union = tuple(name for name in names if name not in without)
            if union:
                signs[row, column[union]] = (-1.0) ** (len(cell) - len(without) + 1)
    return signs
