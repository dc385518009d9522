"""Which law describes a curve best, and which one predicts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from voxscale.errors import FitError
from voxscale.evaluate._choices import known
from voxscale.scaling._extrapolation import held_out_errors
from voxscale.scaling._kinds import KINDS, ROUNDING
from voxscale.scaling._law import ScalingLaw
from voxscale.scaling._laws import fit_scaling_law

__all__ = ["LawComparison", "LawRow", "compare_laws"]

# Laws within this of the best AICc have as good as its support (Burnham & Anderson 2002, 2.6).
_AS_GOOD = 2.0
# With so many points more than parameters AICc judges. With one fewer (n - k - 1 = 1) it is no
# evidence but a sentence: six points would have a power law only if its residuals were less than
# a hundredth of a line's.
_MORE_POINTS = 4
# A held-out error is no better than another unless it is less by more than this share of itself,
# and by more than so many times the scatter of the sizes about the law.
_AS_NEAR = 0.1
_SCATTERS = 2.0
_SIZES = {1: "the largest size", 2: "the two largest sizes"}


@dataclass(frozen=True)
class LawRow:
    """One kind of law against the points; made by :func:`compare_laws`.

    Parameters
    ----------
    kind : str
    n_parameters : int
        Without the scatter about the law.
    rss : float
        Sum of squared residuals of the mean scores; NaN where the law could not be fitted.
    aicc : float
        Akaike's criterion, corrected for few points; NaN where these are too few for it.
    weight : float
        Share of the support among the kinds that have one; NaN where there is no ``aicc``.
    is_judged : bool
        Whether there are enough points to go by the ``aicc``: four more than parameters.
    held_out : tuple of float
        Root mean square error at the largest size, and at the two largest sizes, of the law
        fitted without them; NaN where fewer are left than the kind needs.
    reason : str
        Why there is no law, or why its criterion is not gone by; empty where neither is so.
    law : ScalingLaw or None
    """

    kind: str
    n_parameters: int
    rss: float
    aicc: float
    weight: float
    is_judged: bool
    held_out: tuple[float, float]
    reason: str
    law: ScalingLaw | None = field(repr=False)


@dataclass(frozen=True)
class LawComparison:
    """Kinds of law side by side; made by :func:`compare_laws`.

    Parameters
    ----------
    rows : tuple of LawRow
    chosen : str
        Kind of the law that is chosen.
    why : str
    """

    rows: tuple[LawRow, ...]
    chosen: str
    why: str

    @property
    def law(self) -> ScalingLaw:
        """The law that is chosen."""
        return next(row.law for row in self.rows if row.kind == self.chosen and row.law)

    def __str__(self) -> str:
        lines = [
            f"{'kind':<12}{'parameters':>11}{'RSS':>11}{'AICc':>9}{'weight':>8}"
            f"{'held out 1':>12}{'2':>11}"
        ]
        for row in self.rows:
            numbers = (
                f"{row.kind:<12}{row.n_parameters:>11}{row.rss:>11.3g}{row.aicc:>9.2f}"
                f"{row.weight:>8.3f}{row.held_out[0]:>12.3g}{row.held_out[1]:>11.3g}"
            )
            lines.append(f"{numbers}  {row.reason}".rstrip())
        return "\n".join([*lines, self.why])


def compare_laws(
    x: ArrayLike,
    scores: ArrayLike,
    *,
    kinds: Sequence[str] = tuple(KINDS),
    ceiling: float | None = None,
    levels: Mapping[str, ArrayLike] | None = None,
    unit_weights: ArrayLike | None = None,
    interval: str = "t",
    level: float = 0.95,
) -> LawComparison:
    """Fit several kinds of law to the same scores, and choose one.

    AICc judges a law where there are four points more than it has parameters; with three more it
    is shown, but not gone by. Candidates are the judged laws whose AICc is within 2 of the
    smallest of theirs, and all laws that are not judged.

    They are gone through from the fewest parameters up. Each takes the place of the one kept so
    far if it errs less at the two largest sizes, both fitted without them (at the largest, where
    one of the two cannot do without two): less by more than a tenth, and by more than twice the
    scatter of the sizes about it; of as many parameters, less at all. So a law that is neither
    judged nor chosen, and has more parameters than the chosen one, has no say: without it, the
    choice is the same. ``why`` says where the two criteria disagree.

    Parameters
    ----------
    x, scores, levels, unit_weights, interval, level
        As in :func:`fit_scaling_law`.
    kinds : sequence of str
    ceiling : float, optional
        For "saturating", which is not fitted without one.

    Returns
    -------
    LawComparison
        Its ``str()`` is a table. Kinds that could not be fitted are in it, with the reason.

    Raises
    ------
    FitError
        If no kind could be fitted.
    AlignmentError, ValueError
        As :func:`fit_scaling_law`.

    Notes
    -----
    With n points and k parameters, the scatter included, AICc = n ln(RSS / n) + 2k +
    2k(k + 1) / (n - k - 1); it judges where n - k - 1 is 2 or more. It takes the residuals of
    points as independent.

    References
    ----------
    Hurvich & Tsai 1989, Biometrika 76:297, doi:10.1093/biomet/76.2.297.
    Burnham & Anderson 2002, "Model selection and multimodel inference", 2nd edition.

    Examples
    --------
    >>> x = np.geomspace(1e8, 1e11, 10)
    >>> wiggle = 0.001 * np.cos(np.arange(10) ** 2)
    >>> print(compare_laws(x, 0.3 - 40 * x**-0.3 + wiggle, kinds=["log-linear", "power"]).why)
    power: the smallest AICc
    """
    for kind in kinds:
        known("kind", kind, KINDS)
    drawn = [
        _row_of(
            kind, x, scores, ceiling,
            {"levels": levels, "unit_weights": unit_weights, "interval": interval, "level": level},
        )
        for kind in kinds
    ]  # fmt: skip
    rows = _weighed(drawn)
    fitted = [row for row in rows if row.law is not None]
    if not fitted:
        reasons = " ".join(row.reason for row in rows)
        msg = f"no law could be fitted. {reasons}"
        raise FitError(msg)
    return LawComparison(rows, *_choice(fitted, np.size(x)))


def _row_of(
    kind: str, x: ArrayLike, scores: ArrayLike, ceiling: float | None, options: dict[str, object]
) -> LawRow:
    row = KINDS[kind]
    nan = float("nan")
    absent = LawRow(
        kind, row.n_parameters, nan, nan, nan, is_judged=False, held_out=(nan, nan), reason="",
        law=None,
    )  # fmt: skip
    is_saturating = kind == "saturating"
    if is_saturating and ceiling is None:
        return replace(absent, reason="has no ceiling: give ceiling=")
    own = ceiling if is_saturating else None
    try:
        law = fit_scaling_law(x, scores, kind=kind, ceiling=own, **options)  # type: ignore[arg-type]
    except FitError as error:
        if kind == "log-linear":
            raise
        return replace(absent, reason=str(error))
    errors = [held_out_errors(law.evidence, n_sizes) for n_sizes in (1, 2)]
    held_out = tuple(float(np.sqrt(np.mean(one**2))) if one.size else nan for one in errors)
    rss = float(law.residuals @ law.residuals)
    aicc = _aicc(rss, law.mean_scores, row.n_parameters + 1)
    needed = row.n_parameters + _MORE_POINTS
    is_judged = len(law.x) >= needed
    reason = "" if is_judged else f"AICc judges it with {needed} points or more"
    return replace(
        absent, rss=rss, aicc=aicc, is_judged=is_judged, held_out=(held_out[0], held_out[1]),
        reason=reason, law=law,
    )  # fmt: skip


def _aicc(rss: float, mean: np.ndarray, k: int) -> float:
    n = len(mean)
    if n - k - 1 < 1:
        return float("nan")
    # Residuals below the rounding of scores are no evidence.
    least = n * (ROUNDING * float(np.abs(mean).max())) ** 2
    shared = max(rss, least, np.finfo(np.float64).tiny)
    return float(n * np.log(shared / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1))


def _weighed(rows: list[LawRow]) -> tuple[LawRow, ...]:
    criteria = np.array([row.aicc for row in rows])
    if np.isnan(criteria).all():
        return tuple(rows)
    support = np.exp(-(criteria - np.nanmin(criteria)) / 2)
    shares = support / np.nansum(support)
    return tuple(replace(row, weight=float(share)) for row, share in zip(rows, shares, strict=True))


def _choice(rows: list[LawRow], n_points: int) -> tuple[str, str]:
    judged = [row for row in rows if row.is_judged]
    least = min((row.aicc for row in judged), default=float("nan"))
    candidates = [row for row in rows if not row.is_judged or row.aicc <= least + _AS_GOOD]
    chosen, why = _by_held_out(candidates, n_points)
    if not judged:
        why += "; too few points for AICc"
    elif len(judged) < len(rows):
        others = " and ".join(row.kind for row in rows if not row.is_judged)
        why += f"; too few points for AICc to judge {others}"
    beaten = [row for row in judged if row.aicc == least and row is not chosen]
    if beaten and chosen.is_judged:
        by = f"is larger by {chosen.aicc - least:.2g}"
        why += f"; the smallest AICc is that of {beaten[0].kind}, and that of {chosen.kind} {by}"
    predicted = [row for row in rows if np.isfinite(row.held_out[0])]
    if predicted:
        nearest = min(predicted, key=lambda row: row.held_out[0])
        if nearest is not chosen:
            why += f"; without the largest size, {nearest.kind} predicts it better"
    return chosen.kind, f"{chosen.kind}: {why}"


def _by_held_out(candidates: list[LawRow], n_points: int) -> tuple[LawRow, str]:
    """Go from the fewest parameters up; change to a law that predicts clearly better."""
    kinds = list(KINDS)
    order = sorted(candidates, key=lambda row: (row.n_parameters, kinds.index(row.kind)))
    kept = before = order[0]
    if len(order) == 1:
        return kept, "the smallest AICc" if kept.is_judged else "the only law"
    for row in order[1:]:
        if _is_better(row, kept, n_points):
            kept, before = row, kept
    return kept, _told(kept, before, order)


def _is_better(row: LawRow, kept: LawRow, n_points: int) -> bool:
    of_row, of_kept, _ = _errors(row, kept)
    margin = 0.0
    if row.n_parameters > kept.n_parameters:
        df = n_points - row.n_parameters
        scatter = float(np.sqrt(row.rss / df)) if df >= 1 else 0.0
        margin = max(_AS_NEAR * of_row, _SCATTERS * scatter)
    return of_kept > of_row + margin


def _errors(one: LawRow, other: LawRow) -> tuple[float, float, int]:
    """Return the held-out errors of two laws at as many sizes as both can do without."""
    n_sizes = 2 if np.isfinite([one.held_out[1], other.held_out[1]]).all() else 1
    return one.held_out[n_sizes - 1], other.held_out[n_sizes - 1], n_sizes


def _told(kept: LawRow, before: LawRow, order: list[LawRow]) -> str:
    """Say why a law was kept in the place of the one before, and what was compared."""
    pairs = [(row, *_errors(row, kept)) for row in order if row is not kept]
    pairs = [pair for pair in pairs if np.isfinite(pair[1:3]).all()]
    if not pairs:
        return "the fewest parameters; too few sizes to compare laws at the largest, left out"
    nearer = [pair for pair in pairs if pair[1] < pair[2]]
    if not nearer:
        fewest = [row.kind for row, _, _, n_sizes in pairs if n_sizes == 1]
        alone = f" (against {' and '.join(fewest)} at the largest)" if fewest else ""
        if len(fewest) == len(pairs):
            return f"the smallest error at {_SIZES[1]}, left out"
        return f"the smallest error at {_SIZES[2]}, left out{alone}"
    later = [pair for pair in nearer if pair[0].n_parameters > kept.n_parameters]
    if later:
        row, least, own, n_sizes = min(later, key=lambda pair: pair[1] / pair[2])
        return (
            f"fewer parameters than {row.kind}, whose error at {_SIZES[n_sizes]}, left out, is "
            f"less ({least:.2g} against {own:.2g}), but within the margin"
        )
    at = _SIZES[_errors(kept, before)[2]]
    return f"a smaller error than {before.kind} at {at}, left out"
