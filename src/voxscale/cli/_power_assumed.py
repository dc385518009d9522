"""What the table of ``voxscale power`` is computed from: options, a study, or assumptions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from voxscale.errors import ConfigError, VoxscaleWarning

if TYPE_CHECKING:
    from pathlib import Path

    from voxscale.study import StoryScores

__all__ = ["COMPONENTS", "Assumed", "assumed", "plural"]

COMPONENTS = ("subject_sd", "story_sd", "shared_story_sd", "size_sd")
_FEW = 3  # subjects, of whom a deviation is hardly known
# The slope is 15 % of a mean correlation of 0.16 over 2.4 decades (Antonello et al. 2023). The
# deviations are those of simulated brains, by benchmarks/power_defaults.py, rounded.
_DEFAULTS = {
    "slope": 0.01, "subject_sd": 0.003, "story_sd": 0.002, "shared_story_sd": 0.004,
    "size_sd": 0.01, "decades": 2.4, "story_minutes": 10.0,
}  # fmt: skip
_UNITS = {"size_sd": "r", "decades": "decades", "story_minutes": "minutes"}  # else r per decade
# What a study may leave open, and where it is then.
_CONTAINED = {
    "size_sd": "two sizes do not tell it; it is part of story-sd",
    "shared_story_sd": "one subject or story does not tell it; it is part of story-sd",
}
_OPTION = {name: "--" + name.replace("_", "-") for name in _DEFAULTS}


class Assumed(NamedTuple):
    """What widths are computed from, and where it is from."""

    slope: float
    subject_sd: float
    story_sd: float
    shared_story_sd: float
    size_sd: float
    decades: float
    story_minutes: float
    told: str


def assumed(
    given: Mapping[str, float | None], study: Path | None, out: str | None, axis: str | None
) -> Assumed:
    """Take each number from an option, else from the study, else the default; say which."""
    _check(given)
    if study is None:
        _refuse_of_study(out, axis)
        measured = {}
        lines = ["No study: what is not given is assumed (docs/power.md says from what)."]
    else:
        found = _scores_of(study, out, axis)
        _warn_of_doubts(found, given)
        measured, lines = _measured(found), _source(study, found)
    values = {}
    for name, default in _DEFAULTS.items():
        asked, from_study = given[name], measured.get(name, math.nan)
        if asked is not None:
            values[name], why = asked, "given"
        elif not math.isnan(from_study):
            values[name], why = from_study, "from the study"
        elif name in _CONTAINED and study is not None:
            values[name], why = 0.0, _CONTAINED[name]
        else:
            values[name], why = default, "assumed"
        unit = _UNITS.get(name, "r per decade")
        lines.append(f"  {_OPTION[name]:<17} {values[name]:.4g} {unit} ({why})")
    return Assumed(**values, told="\n".join(lines))


def plural(n: int, one: str, many: str = "") -> str:
    """Count things in words."""  # not of reports, whose import takes a second
    return f"{n} {one if n == 1 else many or f'{one}s'}"


def _check(given: Mapping[str, float | None]) -> None:
    for name, value in given.items():
        if value is None:
            continue
        if name == "slope":
            is_good, expected = True, "a number, in r per decade"
        elif name in COMPONENTS:
            is_good, expected = value >= 0, "a standard deviation, 0 or more"
        else:
            what = "minutes" if name == "story_minutes" else "a number"
            is_good, expected = value > 0, f"{what} above 0"
        if not (is_good and math.isfinite(value)):
            msg = f"{_OPTION[name]} is {value}; expected {expected}."
            raise ConfigError(msg)


def _refuse_of_study(out: str | None, axis: str | None) -> None:
    """Refuse options that only a study gives a meaning."""
    for option, value, what, other in (
        ("--axis", axis, "an axis of sizes that a study swept over", ""),
        ("--out", out, "a folder of a study's results", " (--csv FILE writes the table)"),
    ):
        if value is not None:
            msg = (
                f"{option} is {value!r} without a study; expected {what}. Name the study's file, "
                f"as in voxscale power study.toml {option} {value}, or drop {option}{other}."
            )
            raise ConfigError(msg)


def _scores_of(study: Path, out: str | None, axis: str | None) -> StoryScores:
    from voxscale.study import POWER_AXES, Study, results, story_scores_along

    if axis is not None and axis not in POWER_AXES:
        msg = f"--axis is {axis!r}; choose one of {', '.join(POWER_AXES)}."
        raise ConfigError(msg)
    return story_scores_along(results(Study.from_toml(study, out=out)), axis)


def _measured(found: StoryScores) -> dict[str, float]:
    """Estimate what a study tells."""
    parts = found.components
    measured = {name: float(getattr(parts, name)) for name in ("slope", *COMPONENTS)}
    return {**measured, "decades": found.decades, "story_minutes": found.story_minutes}


def _source(study: Path, found: StoryScores) -> list[str]:
    """Say what of a study the numbers are from, and what is left out."""
    n_sizes, n_subjects, n_stories = found.scores.shape
    in_common = " in common" if n_subjects > 1 else ""
    lines = [
        f"{study}: {plural(n_subjects, 'subject')}, "
        f"{plural(n_stories, 'test story', 'test stories')}{in_common}, {n_sizes} sizes of "
        f"{found.axis} ({found.x.min():.3g} … {found.x.max():.3g}); "
        f"{found.components.design} analysis of variance"
    ]
    if found.times_heard:
        each = ", ".join(f"{story} ({n} times)" for story, n in found.times_heard.items())
        lines.append(f"  heard more than once, but counted once in test hours: {each}")
    if found.apart:
        each = "; ".join(
            f"{_amount(size)} (" + ", ".join(f"{h:.3g} h of {one}" for one, h in own.items()) + ")"
            for size, own in found.apart.items()
        )
        lines.append(f"  left out, since subjects differ by more than 10 % in hours: {each}")
    if found.lacking:
        each = "; ".join(
            f"{_amount(size) if found.axis == 'hours' else size} ({', '.join(who)})"
            for size, who in found.lacking.items()
        )
        lines.append(f"  left out, since a subject has no results of it: {each}")
    return lines


def _amount(size: Any) -> str:
    """Write an amount of training data: a bare number is of stories."""
    return plural(int(size), "story", "stories") if str(size).isdecimal() else str(size)


def _warn_of_doubts(found: StoryScores, given: Mapping[str, float | None]) -> None:
    """Warn, in one line, of components that so few subjects hardly tell, or that came out as 0."""
    parts, n = found.components, len(found.subjects)
    open_ = [name for name in COMPONENTS if given[name] is None]
    nothing = [name for name in open_ if getattr(parts, name) == 0]
    doubts, doubtful = [], set(nothing)
    if "subject_sd" in open_ and n == 1:
        doubts.append("--subject-sd is assumed, since one subject tells nothing of it")
    elif "subject_sd" in open_ and n <= _FEW:
        doubts.append(f"--subject-sd is estimated from only {n} subjects")
    if doubts:
        doubtful.add("subject_sd")
    if nothing:
        names = " and ".join(_OPTION[name] for name in nothing)
        doubts.append(f"{names} came out as 0, as does every estimate below 0")
    if not doubts:
        return
    # What stories share over subjects is in no interval over subjects.
    whose = "of one subject " if doubtful == {"shared_story_sd"} else ""
    options = " ".join(f"{_OPTION[name]} X" for name in COMPONENTS if name in doubtful)
    msg = (
        f"{', and '.join(doubts)}: the widths {whose}below may be far too narrow, and the power "
        f"too high; give what you expect ({options}), or a study of more subjects."
    )
    warnings.warn(msg, VoxscaleWarning, stacklevel=2)
