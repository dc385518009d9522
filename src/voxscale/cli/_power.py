"""``voxscale power``."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from voxscale.cli._plainly import plainly
from voxscale.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["power"]


class _Assumed(NamedTuple):
    """What widths are computed from, and where it is from."""

    slope: float
    subject_sd: float
    story_sd: float
    shared_story_sd: float
    size_sd: float
    decades: float
    told: str


# The slope is 15 % of a mean correlation of 0.16 over 2.4 decades (Antonello et al. 2023). The
# deviations are those of simulated brains, by benchmarks/power_defaults.py, rounded.
_DEFAULTS = {
    "slope": 0.01, "subject_sd": 0.003, "story_sd": 0.002, "shared_story_sd": 0.004,
    "size_sd": 0.01, "decades": 2.4,
}  # fmt: skip
# What a study may leave open, and where it is then.
_CONTAINED = {
    "size_sd": "two sizes do not tell it; it is part of story-sd",
    "shared_story_sd": "one subject or story does not tell it; it is part of story-sd",
}
_OPTION = {name: "--" + name.replace("_", "-") for name in _DEFAULTS}


def _sd(flag: str, text: str) -> object:
    return typer.Option(flag, metavar="X", help=text)


@plainly
def power(
    study: Annotated[
        Path | None,
        typer.Argument(metavar="[STUDY]", help="A study file whose results say what varies."),
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="DIR", help="Folder of the study's results.")
    ] = None,
    axis: Annotated[
        str | None,
        typer.Option("--axis", metavar="NAME", help="n_params, hours (of training) or context."),
    ] = None,
    slope: Annotated[float | None, _sd("--slope", "Expected gain in r per decade.")] = None,
    subject_sd: Annotated[
        float | None, _sd("--subject-sd", "SD of subjects' slopes, r per decade.")
    ] = None,
    story_sd: Annotated[
        float | None, _sd("--story-sd", "SD of stories' slopes in a subject, r per decade.")
    ] = None,
    shared_story_sd: Annotated[
        float | None, _sd("--shared-story-sd", "SD of what a story's slope shares over subjects.")
    ] = None,
    size_sd: Annotated[
        float | None, _sd("--size-sd", "SD of a story's r at a size about its line.")
    ] = None,
    decades: Annotated[
        float | None, _sd("--decades", "From the smallest size to the largest, log10.")
    ] = None,
    subjects: Annotated[
        str, typer.Option("--subjects", metavar="N,N", help="Numbers of subjects.")
    ] = "1,3,5,8,12,20",
    stories: Annotated[
        str, typer.Option("--stories", metavar="N,N", help="Test stories of each subject.")
    ] = "1,2,5,10,20",
    sizes: Annotated[
        str, typer.Option("--sizes", metavar="N,N", help="Numbers of sizes along the axis.")
    ] = "3,5,8",
    story_minutes: Annotated[
        float, typer.Option("--story-minutes", metavar="X", help="Length of a test story.")
    ] = 10.0,
    width: Annotated[
        float | None, typer.Option("--width", metavar="X", help="Wanted width, r per decade.")
    ] = None,
    level: Annotated[float, typer.Option("--level", metavar="X", help="Of the intervals.")] = 0.95,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write the table there as well.")
    ] = None,
) -> None:
    """Tell how sure a slope would be of more subjects, test stories and sizes."""
    if not 0 < level < 1:
        msg = f"--level is {level}; expected a probability between 0 and 1, such as 0.95."
        raise ConfigError(msg)
    if not 0 < story_minutes < math.inf:
        msg = f"--story-minutes is {story_minutes}; expected minutes, above 0."
        raise ConfigError(msg)
    asked = (slope, subject_sd, story_sd, shared_story_sd, size_sd, decades)
    given = dict(zip(_DEFAULTS, asked, strict=True))
    assumed = _assumed(given, study, out, axis)
    counts = {
        "subjects": _numbers("--subjects", subjects),
        "stories": _numbers("--stories", stories),
        "sizes": _numbers("--sizes", sizes),
    }
    table = _table(assumed, counts, story_minutes, level)
    typer.echo(assumed.told)
    typer.echo("test hours: of test stories, per subject; training hours are sizes (--axis hours).")
    typer.echo(f"width: of the {100 * level:g} % interval of the slope, on average, r per decade;")
    typer.echo("over subjects, by Student's t; with one subject over its stories, for it alone.")
    typer.echo(f"power: how often it leaves out 0 if the slope is {assumed.slope:.4g}.\n")
    typer.echo(_as_text(table))
    if width is not None:
        typer.echo("\n" + _smallest(table, width))
    if csv is not None:
        from voxscale.store import write_aside

        with write_aside(csv) as temporary:
            table.to_csv(temporary, index=False)
        typer.echo(csv)


def _assumed(
    given: dict[str, float | None], study: Path | None, out: str | None, axis: str | None
) -> _Assumed:
    """Take each number from an option, else from the study, else the default; say which."""
    _check(given)
    measured, source = _measured(study, out, axis)
    values, told = {}, []
    for name, default in _DEFAULTS.items():
        asked, found = given[name], measured.get(name, math.nan)
        if asked is not None:
            values[name], why = asked, "given"
        elif not math.isnan(found):
            values[name], why = found, "from the study"
        elif name in _CONTAINED and study is not None:
            values[name], why = 0.0, _CONTAINED[name]
        else:
            values[name], why = default, "assumed"
        told.append(f"  {_OPTION[name]:<17} {values[name]:.4g} ({why})")
    return _Assumed(**values, told="\n".join([source, *told]))


def _check(given: dict[str, float | None]) -> None:
    for name, value in given.items():
        is_sd = name.endswith("_sd")
        if value is None or name == "slope":
            continue
        if not (value >= 0 if is_sd else value > 0) or not math.isfinite(value):
            expected = "a standard deviation, 0 or more" if is_sd else "a number above 0"
            msg = f"{_OPTION[name]} is {value}; expected {expected}."
            raise ConfigError(msg)


def _measured(
    study: Path | None, out: str | None, axis: str | None
) -> tuple[dict[str, float], str]:
    """Estimate what a study tells."""
    if study is None:
        return {}, "No study: what is not given is assumed (docs/power.md says from what)."
    from voxscale.study import POWER_AXES, Study, results, story_scores_along

    if axis is not None and axis not in POWER_AXES:
        msg = f"--axis is {axis!r}; choose one of {', '.join(POWER_AXES)}."
        raise ConfigError(msg)
    found = story_scores_along(results(Study.from_toml(study, out=out)), axis)
    n_sizes, n_subjects, n_stories = found.scores.shape
    source = (
        f"{study}: {n_subjects} subject(s), {n_stories} test story(ies) in common, {n_sizes} sizes "
        f"of {found.axis} ({found.x.min():.3g} … {found.x.max():.3g})"
    )
    parts = found.components
    measured = {name: getattr(parts, name) for name in _DEFAULTS if name != "decades"}
    source += f"; {parts.design} analysis of variance"
    return {**measured, "decades": found.decades}, source


def _numbers(option: str, text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        msg = f"{option} is {text!r}; expected whole numbers above 0, such as 3,5,8."
        raise ConfigError(msg)
    return [int(part) for part in parts]


def _table(
    assumed: _Assumed, counts: dict[str, list[int]], minutes: float, level: float
) -> pd.DataFrame:
    import pandas as pd

    from voxscale.scaling import slope_interval_width, slope_power

    rows = pd.DataFrame(list(product(*counts.values())), columns=list(counts))
    columns = [rows[name].to_numpy() for name in counts]
    parts = {name: getattr(assumed, name) for name in _DEFAULTS if name != "slope"}
    options = {**parts, "level": level}
    rows.insert(2, "test_hours", rows["stories"] * minutes / 60)
    rows["width"] = slope_interval_width(*columns, **options)
    rows["power"] = slope_power(assumed.slope, *columns, **options)
    return rows


def _as_text(table: pd.DataFrame) -> str:
    shown = table.copy()
    shown["test_hours"] = [f"{hours:.2f}" for hours in table["test_hours"]]
    shown["width"] = ["-" if math.isnan(one) else f"{one:.5f}" for one in table["width"]]
    shown["power"] = ["-" if math.isnan(one) else f"{one:.2f}" for one in table["power"]]
    return str(shown.rename(columns={"test_hours": "test hours"}).to_string(index=False))


def _smallest(table: pd.DataFrame, width: float) -> str:
    """Name the narrow combination of the fewest test hours; of one subject only if all are."""
    several = table["subjects"] > 1
    enough = table[(table["width"] <= width) & (several if several.any() else ~several)]
    if not len(enough):
        of = " of several subjects" if several.any() else ""
        return f"no combination{of} above has a width of {width:g} or less."
    total = enough.assign(total=enough["subjects"] * enough["test_hours"])
    best = total.sort_values(["total", "sizes", "subjects"], kind="stable").iloc[0]
    return (
        f"smallest for a width of {width:g}: {best.subjects:g} subjects, {best.stories:g} test "
        f"stories each ({best.test_hours:.2f} test hours, {best.total:.2f} in all), "
        f"{best.sizes:g} sizes: "
        f"{best.width:.5f}."
    )
