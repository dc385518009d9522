"""Put the numbers of a scaling study into a file: those of the page on two people.

python benchmarks/lebel_scaling.py STUDY.toml [--out DIR] [--json FILE] [--run [--kill-after S]]

STUDY.toml is such as examples/lebel_scaling.toml, which needs recordings that are no part of this
repository (../shared/data/lebel, or wherever its root is); DIR is the folder of its results, where
that is another. What is done there is read and summarised with the functions of `scaling`, as the
report does, whose files of numbers are a second answer. Every score is in two metrics: `by_story`,
the correlation of each test story alone, then their mean, which laws and slopes are about, and
`joined`, one correlation over all test stories. All are means over voxels.

With --run the study is first run in a folder DIR that is empty as yet, killed after so many
seconds (SIGKILL), and run again; seconds and the peak memory of its largest process are written
too. Without, "run" is null: nothing was timed.
"""

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _machine import machine_facts
from _timed_run import timed_run

from voxscale import scaling as sc
from voxscale.errors import ConfigError
from voxscale.study import Results, StoryScores, Study, results, story_scores_along

METRICS = ("by_story", "joined")
CELL = ["subject", "model", "layer", "context", "bands", "n_stories", "draw", "key"]
AXES = {"hours": "in_n_stories_sweep", "context": "in_context_sweep"}


def scored(found: Results) -> pd.DataFrame:
    """List the cells with their scores in both metrics, and the amounts of data asked for."""
    stories = found.story_table.pivot_table("mean_r", CELL, "story", observed=True)
    by_story = stories.mean(axis=1).rename("by_story").reset_index()
    table = found.table.merge(by_story, on=CELL, validate="one_to_one")
    return table.rename(columns={"mean_r": "joined"})


def of_layers(found: Results, table: pd.DataFrame) -> dict[str, Any]:
    """Tabulate the layers of each model in each subject, with all stories."""
    told: dict[str, Any] = {}
    rows = table[table["in_model_sweep"] | table["in_layer_sweep"]]
    for (model, subject), some in rows.groupby(["model", "subject"], sort=False):
        some = some.sort_values("layer")
        best = some["layer"].iloc[int(some["mean_cv_score"].argmax())]
        told.setdefault(model, {})[subject] = {
            "layers": some["layer"].tolist(),
            "validation_r2": some["mean_cv_score"].tolist(),
            **{metric: some[metric].tolist() for metric in METRICS},
            "best_by_validation": int(best),
        }
    return told


def of_amounts(table: pd.DataFrame, axis: str) -> dict[str, Any]:
    """Tabulate the sizes of an axis in each subject: the mean over draws, and their range."""
    told: dict[str, Any] = {}
    rows = table[table[AXES[axis]]]
    by = "asked_hours" if axis == "hours" else "context"
    for (subject, asked), some in rows.groupby(["subject", by], sort=False, dropna=False):
        some = some.sort_values("draw")
        point = {
            "asked": "all" if np.isnan(asked) else asked,
            "hours": float(np.exp(np.log(some["hours"]).mean())),
            "hours_of_draws": some["hours"].tolist(),
            "n_draws": len(some),
        }
        for metric in METRICS:
            draws = some[metric]
            ends = {"mean": draws.mean(), "low": draws.min(), "high": draws.max()}
            point[metric] = ends | {"draws": draws.tolist()}
        told.setdefault(subject, []).append(point)
    order = "hours" if axis == "hours" else "asked"
    return {one: sorted(points, key=lambda point: point[order]) for one, points in told.items()}


def own_law(found: Results, axis: str, subject: str, kind: str = "log-linear") -> sc.ScalingLaw:
    """Fit a law to one subject's stories, at sizes of its own."""
    if axis == "n_params":
        both = story_scores_along(found, axis)
        x, scores = both.x, both.scores[:, both.subjects.index(subject)]
    else:
        rows = found.table[found.table[AXES[axis]] & (found.table["subject"] == subject)]
        amount = rows["asked_hours" if axis == "hours" else "context"].fillna(np.inf)
        scores = _stories(found, rows).groupby(amount.to_numpy()).mean().to_numpy()
        x = np.sort(amount.unique())
        if axis == "hours":  # whole stories, so that draws have other hours than asked for
            x = np.exp(np.log(rows["hours"]).groupby(amount).mean()).to_numpy()
    return sc.fit_scaling_law(x, scores, kind=kind, levels={"story": np.arange(scores.shape[1])})


def _stories(found: Results, rows: pd.DataFrame) -> pd.DataFrame:
    """Take the score of each test story of some cells: (n_cells, n_stories)."""
    stories = found.story_table.pivot_table("mean_r", CELL, "story", observed=True)
    return stories.loc[[*rows[CELL].itertuples(index=False, name=None)]]


def of_draws(found: Results) -> dict[str, list[float]]:
    """Compute the slope over hours of each draw alone; all stories are the end of every draw."""
    table = found.table.reset_index(drop=True)
    told = {}
    for subject, rows in table[table[AXES["hours"]]].groupby("subject", sort=False):
        scores = _stories(found, rows).mean(axis=1).to_numpy()
        is_all = rows["asked_hours"].isna().to_numpy()
        hours, draw = rows["hours"].to_numpy(), rows["draw"].to_numpy()
        told[subject] = []
        for one in np.unique(draw):
            is_in = is_all | (draw == one)
            told[subject].append(sc.fit_scaling_law(hours[is_in], scores[is_in]).slope)
    return told


def of_seconds(found: Results) -> dict[str, float]:
    """Take the median time of a fit to all stories, as the run noted it in each cell."""
    every = {model: found.select(model=model, asked_hours=None) for model in found.study.models}
    return {
        model: float(np.median([found.meta(cell)["seconds"] for cell in cells]))
        for model, cells in every.items()
    }


def of_slope(law: sc.ScalingLaw) -> dict[str, Any]:
    """Tell a line, what its interval is over, and how much of the points it explains."""
    low, high = law.slope_interval
    residual, rises = law.residuals, law.mean_scores - law.mean_scores.mean()
    return {
        "slope": law.slope, "low": low, "high": high, "over": law.interval_over,
        "n_members": law.n_members, "x": law.x.tolist(), "mean_scores": law.mean_scores.tolist(),
        "r2": float(1 - residual @ residual / (rises @ rises)) if len(law.x) > 2 else math.nan,
    }  # fmt: skip


def pooled(both: StoryScores) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Make units of subjects and stories: sizes, scores (n_sizes, n_units), levels."""
    subject, story = (
        one.ravel() for one in np.meshgrid(both.subjects, both.stories, indexing="ij")
    )
    return both.x, both.scores.reshape(len(both.x), -1), {"subject": subject, "story": story}


def of_axis(found: Results, both: StoryScores) -> dict[str, Any]:
    """Fit the laws of one axis: slopes with intervals, laws compared, a test of a bend."""
    x, scores, levels = pooled(both)
    compared = sc.compare_laws(x, scores, levels=levels)
    lines = {
        over: sc.fit_scaling_law(x, scores, levels=levels, over=over)
        for over in ("story", "subject")
        if len(set(levels[over])) > 1
    }
    told: dict[str, Any] = {
        "slopes": {
            "subjects": {one: of_slope(own_law(found, both.axis, one)) for one in both.subjects},
            "mean": {f"over {over}": of_slope(line) for over, line in lines.items()},
        },
        "laws": [of_law(row) for row in compared.rows],
        "chosen": compared.chosen,
        "why": compared.why,
    }
    if len(x) > 2:
        bend = sc.bending(x, scores, levels=levels)
        low, high = bend.interval
        told["bending"] = {
            "curvature": bend.curvature, "low": low, "high": high, "p_value": bend.p_value,
            "verdict": bend.verdict, "over": bend.over,
        }  # fmt: skip
    return told


def of_law(row: sc.LawRow) -> dict[str, Any]:
    """Tell a row of the comparison."""
    names = ("slope", "exponent", "asymptote", "coefficient", "break_x")
    return {
        "kind": row.kind, "n_parameters": row.n_parameters, "aicc": row.aicc,
        "weight": row.weight, "error_at_the_largest": row.held_out[0],
        "error_at_the_two_largest": row.held_out[1], "reason": row.reason,
        **({name: getattr(row.law, name) for name in names} if row.law else {}),
    }  # fmt: skip


def of_exchange(found: Results, told: dict[str, Any]) -> dict[str, Any]:
    """Say what ten times an axis is worth in hours: between lines, and by the laws chosen.

    A curve is asked for its last tenfold, and hours are counted from the middle of theirs.
    """
    along = {axis: story_scores_along(found, axis) for axis in told}
    worth: dict[str, Any] = {}
    for axis in [one for one in told if one != "hours"]:
        worth[axis] = {}
        for whose in ("mean", *along[axis].subjects):
            kinds = {"lines": ("log-linear",) * 2}
            kinds["chosen"] = told[axis]["chosen"], told["hours"]["chosen"]
            worth[axis][whose] = {}
            for rule, (kind, of_hours) in kinds.items():
                top = _law(found, along[axis], whose, kind)
                bottom = _law(found, along["hours"], whose, of_hours)
                at = max(top.x.min(), top.x.max() / 10), math.sqrt(bottom.x.min() * bottom.x.max())
                factor = float(top.exchange(bottom, at=at))
                told_of = {"kinds": (kind, of_hours), "at": at, "factor": factor}
                if rule == "lines":
                    low, high = top.exchange_interval(bottom)
                    told_of |= {"low": low, "high": high, "over": top.interval_over}
                worth[axis][whose][rule] = told_of
    return worth


def of_gains(found: Results, layers: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """Say what gains are worth in hours by each subject's own slope over these.

    From the first layer to the best by validation, and from the shortest context to the longest.
    """
    gains: dict[str, Any] = {"layers": {}, "context": {}}
    for subject, line in told["hours"]["slopes"]["subjects"].items():
        some = layers[found.study.models[0]][subject]
        best = some["layers"].index(some["best_by_validation"])
        ends = {"layers": (some["by_story"][0], some["by_story"][best])}
        if "context" in told:
            scores = told["context"]["slopes"]["subjects"][subject]["mean_scores"]
            ends["context"] = scores[0], scores[-1]
        for what, (first, last) in ends.items():
            gain = last - first
            gains[what][subject] = {"gain": gain, "factor": 10 ** (gain / line["slope"])}
    return gains


def _law(found: Results, both: StoryScores, whose: str, kind: str) -> sc.ScalingLaw:
    if whose != "mean":
        return own_law(found, both.axis, whose, kind)
    x, scores, levels = pooled(both)
    return sc.fit_scaling_law(x, scores, kind=kind, levels=levels)


def summary(found: Results) -> dict[str, Any]:
    """Tell all that the page is about."""
    table = scored(found)
    told = {}
    for axis in ("hours", "context", "n_params"):
        try:
            told[axis] = of_axis(found, story_scores_along(found, axis))
        except ConfigError as reason:  # the study does not vary it
            print(f"left out: {reason}")
    study, layers = found.study, of_layers(found, table)
    return {
        "study": {
            "name": study.name, "n_cells": len(found.cells), "subjects": found.subjects,
            "models": study.models, "reference_layer": study.reference_layer,
            "test_stories": sorted(found.story_table["story"].unique()),
            "n_test_trs": sorted({int(n) for n in table["n_test_trs"]}),
            "n_scored": sorted({int(n) for n in table["n_scored"]}),
        },
        "median_fit_s": of_seconds(found),
        "layers": layers,
        "hours": of_amounts(table, "hours"),
        "contexts": of_amounts(table, "context"),
        "axes": told,
        "slopes_of_draws": of_draws(found),
        "exchange": of_exchange(found, told) if "hours" in told else {},
        "gains_in_hours": of_gains(found, layers, told) if "hours" in told else {},
    }  # fmt: skip


def plain(held: Any) -> Any:
    """Make JSON of it: null for what is not a number, "inf" for what has no end."""
    if isinstance(held, dict):
        return {str(name): plain(one) for name, one in held.items()}
    if isinstance(held, (list, tuple)):
        return [plain(one) for one in held]
    if isinstance(held, (float, np.floating)):
        return None if math.isnan(held) else str(float(held)) if math.isinf(held) else float(held)
    return held.item() if isinstance(held, np.generic) else held


def main() -> None:
    """Run if asked to, read, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "study", type=Path, help="a study file, such as examples/lebel_scaling.toml"
    )
    parser.add_argument("--out", type=Path, help="folder of its results, if another")
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results/lebel_scaling.json"
    )
    parser.add_argument("--run", action="store_true", help="run, kill and resume it first, timed")
    parser.add_argument("--kill-after", type=float, default=900.0, metavar="S")
    given = parser.parse_args()
    run = timed_run(given.study, given.out, given.kill_after) if given.run else None
    found = results(Study.from_toml(given.study, out=given.out))
    if found.missing:
        print(f"{len(found.missing)} cells are not done, and in no number")
    told = {
        "machine": machine_facts() | {"taken": time.strftime("%Y-%m-%d")},
        "run": run,
        **summary(found),
    }
    given.json.write_text(json.dumps(plain(told), indent=1, allow_nan=False) + "\n")
    print(given.json)


if __name__ == "__main__":
    main()
