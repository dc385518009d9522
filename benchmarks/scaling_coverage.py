"""Measure how often intervals of scaling laws hold the truth, in simulated studies.

python benchmarks/scaling_coverage.py [--quick] [--harder] [--missing] [--studies 1000]

A study has a few subjects, each with a level and a growth of its own around those of everybody, who
hear several stories. Responses are autoregressive series; the prediction of each size of model is
as good as that subject's law says (in some stories better than in others), and errs by noise that
is mostly the same at every size, as the same test data are scored with each, and partly its own.
Scores are those of blocks of TRs. The tables in docs/scaling.md are the ones that this prints.

With --harder, studies are simulated that the intervals do not promise to fit: subjects of different
exponents, where the truth is the law fitted to everybody's mean curve; stories that all subjects
heard, where an interval over subjects is for these stories; much noise of each size alone; and
sizes that lie beside the law by as much in one subject as in another.

With --missing, only the studies that the file of results lacks are simulated, and join it. Each
has random numbers of its own, so that the others would be what they are.
"""

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _machine import machine_facts
from scipy.signal import lfilter

from voxscale.scaling import ScalingLaw, block_scores, fit_scaling_law

Array = np.ndarray

EXPONENT, CEILING = 0.3, 0.17
BREAK = 0.55  # of the way from the smallest to the largest size, in decades
FAR = 10.0  # how far beyond the largest size predictions are checked
WARM_UP_TRS = 60
METHODS = ("t", "percentile", "bca")


@dataclass(frozen=True)
class Study:
    """What is simulated; deviations are over subjects, or stories of a subject."""

    name: str
    kind: str
    n_subjects: int
    n_sizes: int = 6
    n_stories: int = 5
    story_trs: int = 300
    block_trs: int = 50
    autocorrelation: float = 0.5
    own_noise: float = 0.005  # share of the variance of the errors that each size has alone
    story_deviation: float = 0.15
    subject_deviation: float = 1.0  # 0: every subject has the law of all
    exponent: float = EXPONENT
    exponent_deviation: float = 0.0  # of the logarithm of a subject's exponent
    shared_stories: bool = False  # a story is as easy, or hard, for one subject as for another
    size_scatter: float = 0.0  # of what each size has beside the law, the same in all subjects

    @property
    def sizes(self) -> Array:
        """Sizes of the models."""
        return np.geomspace(1.25e8, 3e10, self.n_sizes)

    @property
    def v(self) -> Array:
        """Logarithms of the sizes, from the smallest on."""
        return np.log(self.sizes / self.sizes[0])


STUDIES = (
    Study("log-linear, 3 subjects", "log-linear", 3),
    Study("log-linear, 8 subjects", "log-linear", 8),
    Study("log-linear, 1 subject, 8 stories", "log-linear", 1, n_stories=8, subject_deviation=0),
    Study("power, 3 subjects", "power", 3),
    Study("power, 8 subjects", "power", 8),
    Study("power, 3 subjects, noisy", "power", 3, own_noise=0.05),
    Study("power, 1 subject, 8 stories", "power", 1, n_stories=8, subject_deviation=0),
    Study("saturating, 3 subjects", "saturating", 3),
    Study("broken, 3 subjects, 8 sizes", "broken", 3, n_sizes=8),
)

HARDER = (
    Study("log-linear, 3 subjects, own noise 25 %", "log-linear", 3, own_noise=0.25),
    Study("log-linear, 3 subjects, same stories", "log-linear", 3, shared_stories=True),
    Study("power, 3 subjects, own noise 25 %", "power", 3, own_noise=0.25),
    Study("power, 3 subjects, levels off", "power", 3, own_noise=0.25, exponent=0.7),
    Study("power, 8 subjects, levels off", "power", 8, own_noise=0.25, exponent=0.7),
    Study("power, 3 subjects, own exponents", "power", 3, exponent_deviation=0.4),
    Study("power, 8 subjects, own exponents", "power", 8, exponent_deviation=0.4),
    Study("saturating, 3 subjects, own noise 25 %", "saturating", 3, own_noise=0.25),
    *(
        Study(f"{kind}, {n} subjects, sizes scatter by {by}", kind, n, size_scatter=by)
        for kind in ("log-linear", "power")
        for n in (3, 8)
        for by in (0.001, 0.003)
    ),
)
N_OF_EVERYBODY = 20_000


def autoregressive(rng: np.random.Generator, n_trs: int, n_columns: int, r: float) -> Array:
    """Draw stationary series of variance one."""
    white = rng.standard_normal((n_trs + WARM_UP_TRS, n_columns))
    return np.sqrt(1 - r**2) * lfilter([1.0], [1.0, -r], white, axis=0)[WARM_UP_TRS:]


def subject_laws(rng: np.random.Generator, study: Study, n: int) -> Array:
    """Draw the true correlation of n subjects at each size, of shape (n_sizes, n)."""
    level, growth, change = study.subject_deviation * rng.standard_normal((3, n))
    v = study.v[:, None]
    if study.kind == "log-linear":
        return (0.08 + 0.02 * level) + (0.02 + 0.005 * growth) * v / np.log(10)
    if study.kind == "broken":
        after = np.maximum(v - BREAK * v[-1], 0.0)
        bend = (-0.03 + 0.005 * change) * after / np.log(10)
        return (0.08 + 0.02 * level) + (0.04 + 0.005 * growth) * v / np.log(10) + bend
    if study.kind == "saturating":
        level = 0.0 * level  # what it tends to is known
    exponent = study.exponent * np.exp(study.exponent_deviation * change)
    return (CEILING + 0.02 * level) - (0.10 + 0.015 * growth) * np.exp(-exponent * v)


def truths(study: Study) -> dict[str, float]:
    """Tell what everybody's law is."""
    end = study.v[-1]
    reach = end + np.log(FAR)
    if study.exponent_deviation:
        rng = np.random.default_rng(0)
        curve = subject_laws(rng, study, N_OF_EVERYBODY).mean(axis=1)
        law = fit_scaling_law(study.sizes, curve, kind=study.kind)
        names = ("exponent", "slope", "asymptote")
        prediction = float(law.predict(FAR * study.sizes[-1]))
        return {name: getattr(law, name) for name in names} | {"prediction": prediction}
    if study.kind == "log-linear":
        return {"slope": 0.02, "prediction": 0.08 + 0.02 * reach / np.log(10)}
    if study.kind == "broken":
        rise = 0.04 * reach - 0.03 * (reach - BREAK * end)
        return {
            "break": study.sizes[0] * np.exp(BREAK * end),
            "slope_before": 0.04,
            "slope_after": 0.01,
            "prediction": 0.08 + rise / np.log(10),
        }
    truth = {
        "exponent": study.exponent,
        "slope": np.log(10) * 0.10 * study.exponent * np.exp(-study.exponent * end),
        "prediction": CEILING - 0.10 * np.exp(-study.exponent * reach),
    }
    return truth | ({"asymptote": CEILING} if study.kind == "power" else {})


def simulate(
    rng: np.random.Generator, study: Study, n_studies: int
) -> tuple[Array, dict[str, Array], Array, Array]:
    """Draw scores (n_sizes, n_units, n_studies), their levels, weights, and ease of stories.

    The last, of shape (n_studies,), is the mean factor of stories that all subjects heard; 1 where
    every subject hears others.
    """
    lengths = (study.story_trs,) * study.n_stories
    n_trs, r = sum(lengths), study.autocorrelation
    story_of_tr = np.repeat(np.arange(study.n_stories), lengths)
    of_subjects = []
    factor = np.ones((study.n_stories, n_studies))
    scatter: Array | float = 0.0
    if study.size_scatter:
        scatter = study.size_scatter * rng.standard_normal((study.n_sizes, n_studies))
    for subject in range(study.n_subjects):
        law = subject_laws(rng, study, n_studies) + scatter
        if subject == 0 or not study.shared_stories:
            factor = 1 + study.story_deviation * rng.standard_normal(factor.shape)
        Y, shared = (autoregressive(rng, n_trs, n_studies, r) for _ in range(2))
        of_sizes = []
        for quality in law:
            if study.kind == "saturating":  # a story is nearer to the ceiling, or farther from it
                known = (CEILING - (CEILING - quality) * factor)[story_of_tr]
            else:
                known = (quality * factor)[story_of_tr]
            own = autoregressive(rng, n_trs, n_studies, r)
            error = np.sqrt(1 - study.own_noise) * shared + np.sqrt(study.own_noise) * own
            guess = known * Y + np.sqrt(1 - known**2) * error
            of_sizes.append(block_scores(Y, guess, lengths, study.block_trs))
        of_subjects.append(np.stack([one.scores for one in of_sizes]))
    blocks = of_sizes[0]
    n_units = len(blocks.runs)
    levels = {
        "subject": np.repeat(np.arange(study.n_subjects), n_units),
        "story": np.tile(blocks.runs, study.n_subjects),
    }
    weights = np.tile(blocks.n_trs, study.n_subjects)
    ease = factor.mean(axis=0) if study.shared_stories else np.ones(n_studies)
    return np.concatenate(of_subjects, axis=1), levels, weights, ease


def intervals_of(law: ScalingLaw, names: list[str]) -> dict[str, tuple[float, float]]:
    """Ask a law for the intervals of what is checked."""
    found = {}
    for name in names:
        if name == "prediction":
            low, high = law.interval(FAR * law.x[-1])
            found[name] = float(low), float(high)
        else:
            found[name] = getattr(law, f"{name}_interval")
    return found


def measure(study: Study, n_studies: int, n_bootstrap: int, seed: int) -> dict[str, Any]:
    """Simulate studies, fit each, and count the intervals that hold the truth."""
    rng = np.random.default_rng([seed, *study.name.encode()])
    truth = truths(study)
    ceiling = CEILING if study.kind == "saturating" else None
    found: dict[str, dict[str, list[tuple[float, float]]]] = {
        method: {name: [] for name in truth} for method in METHODS
    }
    bounds = []
    eases: list[float] = []
    for start in range(0, n_studies, 100):
        scores, levels, weights, ease = simulate(rng, study, min(100, n_studies - start))
        eases += ease.tolist()
        for number in range(scores.shape[2]):
            for method in METHODS:
                law = fit_scaling_law(
                    study.sizes, scores[:, :, number], kind=study.kind, ceiling=ceiling,
                    levels=levels, unit_weights=weights, interval=method,
                    n_bootstrap=n_bootstrap, seed=start,
                )  # fmt: skip
                for name, ends in intervals_of(law, list(truth)).items():
                    found[method][name].append(ends)
            bounds.append(law.at_bound)
    result: dict[str, Any] = {"study": asdict(study), "truth": truth}
    result["at_bound"] = {side: bounds.count(side) / n_studies for side in ("low", "high")}
    for method, of_names in found.items():
        result[method] = {}
        for name, ends in of_names.items():
            low, high = np.array(ends).T
            result[method][name] = {
                "coverage": float(np.mean((low <= truth[name]) & (truth[name] <= high))),
                "too_low": float(np.mean(high < truth[name])),
                "too_high": float(np.mean(low > truth[name])),
                "median_width": float(np.median(high - low)),
                "endless": float(np.mean(~np.isfinite(high - low))),
            }
            if study.shared_stories and study.kind == "log-linear":
                own = truth[name] * np.array(eases)  # the law's slope and height in these stories
                held = float(np.mean((low <= own) & (own <= high)))
                result[method][name]["coverage_of_these_stories"] = held
    return result


def table(results: list[dict[str, Any]]) -> str:
    """Lay the coverages out in Markdown."""
    lines = ["| study | of | " + " | ".join(METHODS) + " |", "|---|---|---|---|---|"]
    for result in results:
        study = result["study"]
        for name in result["truth"]:
            cells = " | ".join(
                f"{100 * result[method][name]['coverage']:.1f}" for method in METHODS
            )
            lines.append(f"| {study['name']} | {name} | {cells} |")
    return "\n".join(lines)


def widths(results: list[dict[str, Any]]) -> str:
    """Lay out how wide intervals by t are, and how many are endless, in Markdown."""
    lines = ["| study | of | truth | median width | endless, % |", "|---|---|---|---|---|"]
    for result in results:
        for name, truth in result["truth"].items():
            one = result["t"][name]
            lines.append(
                f"| {result['study']['name']} | {name} | {truth:.3g} | {one['median_width']:.3g} | "
                f"{100 * one['endless']:.1f} |"
            )
    return "\n".join(lines)


def kept(out: Path, n_studies: int, n_bootstrap: int) -> tuple[list[dict[str, Any]], float]:
    """Read what a file of as many studies and draws holds, and how many seconds that took."""
    found = json.loads(out.read_text())
    if (found["n_studies"], found["n_bootstrap"]) != (n_studies, n_bootstrap):
        msg = f"{out} has {found['n_studies']} studies, {found['n_bootstrap']} draws; measure anew"
        raise SystemExit(msg)
    # A field that is new has its default in studies that were measured before.
    results = [one | {"study": asdict(Study(**one["study"]))} for one in found["results"]]
    return results, found["seconds"]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few studies, to see that it works")
    parser.add_argument("--harder", action="store_true", help="the studies that are")
    parser.add_argument("--missing", action="store_true", help="what the results lack; joins them")
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--bootstrap", type=int, default=500)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    n_studies, n_bootstrap = (20, 100) if asked.quick else (asked.studies, asked.bootstrap)
    name = "scaling_coverage_harder.json" if asked.harder else "scaling_coverage.json"
    out = asked.out
    if out is None and not asked.quick:
        out = Path(__file__).parent / "results" / name
    results, before = kept(out, n_studies, n_bootstrap) if asked.missing and out else ([], 0.0)
    started = time.perf_counter()
    for study in HARDER if asked.harder else STUDIES:
        if asdict(study) in [one["study"] for one in results]:
            continue
        results.append(measure(study, n_studies, n_bootstrap, seed=0))
        print(table(results[-1:]), results[-1]["at_bound"], flush=True)
    found = {
        "machine": machine_facts(),
        "n_studies": n_studies,
        "n_bootstrap": n_bootstrap,
        "standard_error_at_0.95": float(np.sqrt(0.95 * 0.05 / n_studies)),
        "seconds": before + time.perf_counter() - started,
        "results": results,
    }
    print(table(results))
    print(widths(results))
    if out is not None:
        out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
