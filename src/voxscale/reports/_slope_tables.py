"""Tables of slopes: a row for each axis and subject, and one for each region."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.reports._law_words import size_text
from voxscale.reports._reading import Q_LEVEL
from voxscale.reports._slope_tests import VoxelSlopes, q_of
from voxscale.reports._tables import Table, as_text, with_minus

if TYPE_CHECKING:
    from voxscale.reports._slope_regions import RegionSlopes

__all__ = ["region_tables", "voxel_frame", "voxels_table"]

_MOST_REGIONS = 40  # rows of a table on the page


def voxels_table(known: Sequence[VoxelSlopes]) -> Table:
    """Count the voxels of each axis and subject, and those whose slopes are found."""
    import pandas as pd

    is_tested = known[0].is_tested
    numbers = [_counts(one) for one in known]
    rows = [
        (one.axis.along, one.maps.subject, _range(one.sizes), as_text(row["n_voxels"]),
         as_text(row["median"], 4), as_text(row["n_shown"]), as_text(row["median_shown"], 4),
         as_text(row["n_falling"]), *(as_text(n) if one.is_tested else "–" for n in (
            row["n_steeper"], row["n_flatter"])))
        for one, row in zip(known, numbers, strict=True)
    ]  # fmt: skip
    which = f"q < {Q_LEVEL}" if is_tested else "validated"
    columns = (
        "along", "subject", "sizes", "voxels with a slope", "median", which, "their median",
        "falling", "steeper than the rest", "flatter than the rest",
    )  # fmt: skip
    note = (
        "Slopes in r for ten times the size. Sizes: how many, from where to where. Falling: voxels "
        "among those shown whose slope is below 0. Steeper and flatter than the rest: voxels whose "
        f"slope differs from that of the subject's other voxels, q < {Q_LEVEL}."
    )
    return Table(columns, rows, note, "slopes-subjects", pd.DataFrame(numbers))


def region_tables(known: Sequence[VoxelSlopes]) -> list[Table]:
    """Tabulate the slopes of regions, for each axis and subject with regions."""
    return [_region_table(one, one.regions) for one in known if one.regions is not None]


def voxel_frame(one: VoxelSlopes) -> Any:
    """Tabulate the slopes of a subject's voxels, with all digits."""
    import pandas as pd

    found = one.found
    columns: dict[str, Any] = {"slope": found.slopes, "intercept": found.intercepts}
    differences = {"difference": found.differences}
    if one.is_tested:
        columns |= {"low": found.low, "high": found.high, "p_value": found.p_values}
        columns |= {"q_value": one.q_values}
        differences |= {
            "difference_p_value": found.difference_p_values,
            "difference_q_value": one.difference_q_values,
        }
    voxels = np.arange(len(found.slopes))
    where = {} if one.maps.regions is None else {"region": one.maps.regions}
    frame = {"subject": one.maps.subject, "voxel": voxels, **where, **columns, **differences}
    return pd.DataFrame({**frame, "is_shown": one.shown})


def _counts(one: VoxelSlopes) -> dict[str, Any]:
    slopes, differs = one.found.slopes, one.differs
    here = np.isfinite(slopes)
    n_steeper = int((differs & (one.found.differences > 0)).sum())
    return {
        "sweep": one.axis.name, "subject": one.maps.subject, "n_stories": one.n_stories,
        "n_sizes": len(one.sizes), "smallest": one.sizes.min(), "largest": one.sizes.max(),
        "n_voxels": int(here.sum()), "median": _median(slopes[here]),
        "n_shown": int(one.shown.sum()), "median_shown": _median(slopes[one.shown]),
        "n_falling": int((slopes[one.shown] < 0).sum()), "is_tested": one.is_tested,
        "n_steeper": n_steeper if one.is_tested else None,
        "n_flatter": int(differs.sum()) - n_steeper if one.is_tested else None,
    }  # fmt: skip


def _region_table(one: VoxelSlopes, regions: RegionSlopes) -> Table:
    numbers = _region_frame(one, regions)
    by_slope = numbers.sort_values("slope", ascending=False, kind="stable", na_position="last")
    chosen = by_slope
    if len(by_slope) > _MOST_REGIONS:
        farthest = by_slope["difference"].abs().nlargest(_MOST_REGIONS).index
        chosen = by_slope[by_slope.index.isin(farthest)]
    rows = [
        (row["region"], as_text(row["n_voxels"]), _signed(row["slope"]),
         _ends(row["low"], row["high"]), _q_text(row["q_value"]), _signed(row["difference"]),
         _q_text(row["difference_q_value"]))
        for row in chosen.to_dict("records")
    ]  # fmt: skip
    columns = (
        "region", "voxels", "slope per decade", "95 % interval", "q", "difference from the rest",
        "its q",
    )  # fmt: skip
    return Table(columns, rows, _region_note(one, len(numbers)), _region_file(one), numbers)


def _region_file(one: VoxelSlopes) -> str:
    return f"{one.axis.file}-regions-{one.maps.subject}"


def _region_note(one: VoxelSlopes, n_regions: int) -> str:
    tested = "" if one.is_tested else " With so few test stories nothing is tested."
    some = ""
    if n_regions > _MOST_REGIONS:
        some = (
            f" Of {n_regions} regions, the {_MOST_REGIONS} whose slopes lie farthest from the "
            "rest's; the file has all."
        )
    return f"Regions of {one.maps.subject}, {one.axis.along}: steepest first.{tested}{some}"


def _region_frame(one: VoxelSlopes, regions: RegionSlopes) -> Any:
    import pandas as pd

    found, against = regions.found, regions.against
    nothing = np.full(len(regions.names), np.nan)

    def tested(values: Array) -> Array:
        return values if one.is_tested else nothing

    return pd.DataFrame({
        "sweep": one.axis.name, "subject": one.maps.subject, "region": regions.names,
        "n_voxels": regions.n_voxels, "slope": found.slopes, "low": tested(found.low),
        "high": tested(found.high), "p_value": tested(found.p_values),
        "q_value": tested(q_of(found, one.method)), "difference": against.slopes,
        "difference_low": tested(against.low), "difference_high": tested(against.high),
        "difference_p_value": tested(against.p_values),
        "difference_q_value": tested(q_of(against, one.method)), "n_stories": one.n_stories,
    })  # fmt: skip


def _median(some: Array) -> float:
    return float(np.median(some)) if some.size else np.nan


def _range(sizes: Array) -> str:
    return f"{len(sizes)}: {size_text(sizes.min())} to {size_text(sizes.max())}"


def _signed(value: float) -> str:
    return "–" if np.isnan(value) else with_minus(f"{value:+.4f}")


def _ends(low: float, high: float) -> str:
    return "–" if np.isnan(low) else with_minus(f"{low:+.4f} to {high:+.4f}")


def _q_text(value: float) -> str:
    return as_text(float(value), 3)
