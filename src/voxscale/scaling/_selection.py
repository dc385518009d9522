"""Which law describes a curve best, and which one predicts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
# A held-out error is no better than another unless it is less by more than this share of itself,
# and by more than so many times the scatter of the sizes about the law.
_AS_NEAR = 0.1
_SCATTERS = 2.0


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
    held_out : tuple of float
        Root mean square error at the largest size, and at the two largest sizes, of the law
        fitted without them; NaN where fewer are left than the kind needs.
    reason : str
        Why there is no law, or no criterion; empty where there are.
    law : ScalingLaw or None
    """

    kind: str
    n_parameters: int
    rss: float
    aicc: float
    weight: float
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

    Candidates are the laws whose AICc is within 2 of the smallest; all laws, where there are too
    few sizes for the AICc of one of them. Of these the one is chosen that errs least at the two
    largest sizes when fitted without them (at the largest, where two cannot be left out of every
    candidate); or one with fewer parameters whose error is not larger by more than a tenth, or
    than twice the scatter of the sizes about the best. ``why`` says where the two
    criteria disagree.

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
    2k(k + 1) / (n - k - 1). It takes the residuals of points as independent.

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
    absent = LawRow(kind, row.n_parameters, nan, nan, nan, (nan, nan), "", None)
    is_saturating = kind == "saturating"
    if is_saturating and ceiling is None:
        return _with(absent, reason="has no ceiling: give ceiling=")
    own = ceiling if is_saturating else None
    try:
        law = fit_scaling_law(x, scores, kind=kind, ceiling=own, **options)  # type: ignore[arg-type]
    except FitError as error:
        if kind == "log-linear":
            raise
        return _with(absent, reason=str(error))
    errors = [held_out_errors(law.evidence, n_sizes) for n_sizes in (1, 2)]
    held_out = tuple(float(np.sqrt(np.mean(one**2))) if one.size else nan for one in errors)
    rss = float(law.residuals @ law.residuals)
    aicc = _aicc(rss, law.mean_scores, row.n_parameters + 1)
    reason = "" if np.isfinite(aicc) else f"AICc needs {row.n_parameters + 3} points or more"
    return LawRow(kind, row.n_parameters, rss, aicc, nan, (held_out[0], held_out[1]), reason, law)


def _with(row: LawRow, *, reason: str = "", weight: float = float("nan")) -> LawRow:
    return LawRow(
        row.kind, row.n_parameters, row.rss, row.aicc, weight, row.held_out,
        reason or row.reason, row.law,
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
    return tuple(_with(row, weight=float(share)) for row, share in zip(rows, shares, strict=True))


def _choice(rows: list[LawRow], n_points: int) -> tuple[str, str]:
    judged = [row for row in rows if np.isfinite(row.aicc)]
    least = min((row.aicc for row in judged), default=float("nan"))
    all_judged = len(judged) == len(rows)
    candidates = [row for row in rows if not all_judged or row.aicc <= least + _AS_GOOD]
    chosen, why = _by_held_out(candidates, n_points)
    if not judged:
        why += "; too few points for AICc"
    beaten = [row for row in judged if row.aicc == least and row is not chosen]
    if beaten:
        by = "has none" if np.isnan(chosen.aicc) else f"is larger by {chosen.aicc - least:.2g}"
        why += f"; the smallest AICc is that of {beaten[0].kind}, and that of {chosen.kind} {by}"
    predicted = [row for row in rows if np.isfinite(row.held_out[0])]
    if predicted:
        nearest = min(predicted, key=lambda row: row.held_out[0])
        if nearest is not chosen:
            why += f"; without the largest size, {nearest.kind} predicts it better"
    return chosen.kind, f"{chosen.kind}: {why}"


def _by_held_out(candidates: list[LawRow], n_points: int) -> tuple[LawRow, str]:
    """Choose the least held-out error, or a kind with fewer parameters that is as good."""
    simplest = min(candidates, key=lambda row: (row.n_parameters, row.aicc))
    if len(candidates) == 1:
        return simplest, "the smallest AICc" if np.isfinite(simplest.aicc) else "the only law"
    predicted = [row for row in candidates if np.isfinite(row.held_out[0])]
    if not predicted:
        return simplest, "the fewest parameters; too few sizes to leave the largest out"
    last = int(all(np.isfinite(row.held_out[1]) for row in predicted))
    best = min(predicted, key=lambda row: row.held_out[last])
    df = n_points - best.n_parameters
    scatter = np.sqrt(best.rss / df) if df >= 1 else 0.0
    least = best.held_out[last]
    most = max((1 + _AS_NEAR) * least, least + _SCATTERS * scatter)
    near = [row for row in predicted if row.held_out[last] <= most]
    chosen = min(near, key=lambda row: (row.n_parameters, row.held_out[last]))
    sizes = ("the largest size", "the two largest sizes")[last]
    if chosen is best:
        why = f"the smallest error at {sizes}, left out"
    else:
        why = (
            f"fewer parameters than {best.kind}, whose error at {sizes}, left out, is less "
            f"({least:.2g} against {chosen.held_out[last]:.2g}), but within the margin"
        )
    return chosen, why
