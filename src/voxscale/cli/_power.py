"""``voxscale power``."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxscale.cli._plainly import plainly
from voxscale.cli._power_assumed import COMPONENTS, Assumed, assumed, plural
from voxscale.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["power"]


_ALONE = (
    "All combinations above are of one subject: the width is of its own slope, of nobody else's."
)


def _number(flag: str, text: str) -> object:
    return typer.Option(flag, metavar="X", help=text)


@plainly
def power(
    study: Annotated[
        Path | None,
        typer.Argument(metavar="[STUDY]", help="A study file whose results say what varies."),
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="DIR", help="Folder of the STUDY's results.")
    ] = None,
    axis: Annotated[
        str | None,
        typer.Option(
            "--axis", metavar="NAME", help="Of the STUDY: n_params, hours (of training) or context."
        ),
    ] = None,
    slope: Annotated[float | None, _number("--slope", "Expected gain in r per decade.")] = None,
    subject_sd: Annotated[
        float | None, _number("--subject-sd", "SD of subjects' slopes, r per decade.")
    ] = None,
    story_sd: Annotated[
        float | None, _number("--story-sd", "SD of stories' slopes in a subject, r per decade.")
    ] = None,
    shared_story_sd: Annotated[
        float | None,
        _number("--shared-story-sd", "SD of what a story's slope shares over subjects."),
    ] = None,
    size_sd: Annotated[
        float | None, _number("--size-sd", "SD of a story's r at a size about its line.")
    ] = None,
    decades: Annotated[
        float | None, _number("--decades", "From the smallest size to the largest, log10.")
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
        float | None, _number("--story-minutes", "Length of a test story, in minutes.")
    ] = None,
    width: Annotated[
        float | None,
        typer.Option(
            "--width", metavar="X", help="Wanted width: names the fewest test hours for it."
        ),
    ] = None,
    level: Annotated[
        float, typer.Option("--level", metavar="X", help="Confidence level of the intervals.")
    ] = 0.95,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write the table there as well.")
    ] = None,
) -> None:
    """Tell how sure a slope would be of more subjects or stories.

    Or of more sizes of models. Numbers that are not given are the STUDY's own or, without one,
    assumed; it is said which.
    """
    if not 0 < level < 1:
        msg = f"--level is {level}; expected a probability between 0 and 1, such as 0.95."
        raise ConfigError(msg)
    if width is not None and not 0 < width < math.inf:
        msg = f"--width is {width}; expected a width above 0, in r per decade, such as 0.01."
        raise ConfigError(msg)
    given = {
        "slope": slope, "subject_sd": subject_sd, "story_sd": story_sd,
        "shared_story_sd": shared_story_sd, "size_sd": size_sd, "decades": decades,
        "story_minutes": story_minutes,
    }  # fmt: skip
    counts = {
        "subjects": _numbers("--subjects", subjects),
        "stories": _numbers("--stories", stories),
        "sizes": _numbers("--sizes", sizes),
    }
    known = assumed(given, study, out, axis)
    table = _table(known, counts, level)
    typer.echo(known.told)
    typer.echo("\n".join(_legend(table, known, level)) + "\n")
    typer.echo(_as_text(table))
    if width is not None:
        typer.echo("\n" + _fewest_hours(table, width))
    if csv is not None:
        from voxscale.store import write_aside

        with write_aside(csv) as temporary:
            table.to_csv(temporary, index=False)
        typer.echo(csv)


def _numbers(option: str, text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        msg = f"{option} is {text!r}; expected whole numbers above 0, such as 3,5,8."
        raise ConfigError(msg)
    return [int(part) for part in parts]


def _table(known: Assumed, counts: dict[str, list[int]], level: float) -> pd.DataFrame:
    import pandas as pd

    from voxscale.scaling import slope_interval_width, slope_power

    rows = pd.DataFrame(list(product(*counts.values())), columns=list(counts))
    columns = [rows[name].to_numpy() for name in counts]
    parts = {name: getattr(known, name) for name in COMPONENTS}
    options = {**parts, "decades": known.decades, "level": level}
    rows.insert(2, "test_hours", rows["stories"] * known.story_minutes / 60)
    rows["width"] = slope_interval_width(*columns, **options)
    rows["power"] = slope_power(known.slope, *columns, **options)
    return rows


def _legend(table: pd.DataFrame, known: Assumed, level: float) -> list[str]:
    """Say what the columns are."""
    lines = [
        "A decade is ten times the size.",
        "test hours: of test stories, per subject; training hours are sizes (--axis hours).",
        f"width: of the {100 * level:g} % interval of the slope, on average, r per decade;",
        "  over subjects, by Student's t; with one subject over its stories, for it alone.",
        f"power: how often that interval leaves out 0 if the slope is {known.slope:.4g}.",
    ]
    if table["width"].isna().any():
        lines.append("-: no interval (one subject with one test story, or one size).")
    return lines


def _as_text(table: pd.DataFrame) -> str:
    shown = table.copy()
    shown["test_hours"] = [f"{hours:.2f}" for hours in table["test_hours"]]
    shown["width"] = ["-" if math.isnan(one) else f"{one:.5f}" for one in table["width"]]
    shown["power"] = ["-" if math.isnan(one) else f"{one:.2f}" for one in table["power"]]
    return str(shown.rename(columns={"test_hours": "test hours"}).to_string(index=False))


def _fewest_hours(table: pd.DataFrame, width: float) -> str:
    """Name the narrow combination of the fewest test hours; of one subject only if all are."""
    several = table["subjects"] > 1
    among = table[several if several.any() else ~several]
    of = " of several subjects" if several.any() and not several.all() else ""
    note = "" if several.any() else f"\n{_ALONE}"
    among = among.assign(total=among["subjects"] * among["test_hours"]).dropna(subset=["width"])
    if not len(among):
        return f"no combination{of} above has an interval.{note}"
    enough = among[among["width"] <= width]
    if not len(enough):
        best = among.loc[among["width"].idxmin()]
        return (
            f"no combination{of} above has a width of {width:g} or less; the narrowest is "
            f"{_in_words(best)}.{note}"
        )
    best = enough.sort_values(["total", "sizes", "subjects"], kind="stable").iloc[0]
    return (
        f"fewest test hours in all, of the combinations{of} above with a width of {width:g} or "
        f"less:\n{_in_words(best)}.{note}"
    )


def _in_words(row: pd.Series[float]) -> str:
    stories = plural(int(row.stories), "test story", "test stories")
    hours = f"{row.test_hours:.2f} test hours per subject, {row.total:.2f} in all"
    return (
        f"{plural(int(row.subjects), 'subject')}, {stories} each ({hours}), "
        f"{plural(int(row.sizes), 'size')}: {row.width:.5f}"
    )
