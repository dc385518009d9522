"""Time opening, tabulating and reporting a study of a thousand cells that are all done.

python benchmarks/study_of_1000.py [--quick] [--n-voxels 20484] [--profile] [--out FILE]

The cells are not fitted: the study's own store is filled with random scores, under the keys that
its plan gives, with the metadata of one real cell of a small run. What is timed reads them as it
would read those of a real study, and draws the flat maps of every subject; there are no baselines,
mixes or bootstraps. Each time is that of a whole process, from its start with all imports to its
end, after one that did the same, so that files are in the system's cache and modules compiled.
"""

import argparse
import cProfile
import json
import pstats
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np
from _machine import machine_facts

from voxscale import plugins
from voxscale.arrays import TRSeries
from voxscale.data import Dataset, Transcript
from voxscale.reports._flatmap import N_VERTICES
from voxscale.study import Cell, Study, plan, results, run
from voxscale.study._plan import cell_store

Array = np.ndarray

N_LAYERS, LIMIT_S = 3, 10.0
# People, with the draws that make a thousand cells of them.
SHAPES = {"three people": (3, 22), "eight people": (8, 8)}
SUBJECTS = tuple(f"s{i:02d}" for i in range(1, 9))
TRAIN = tuple(f"story{i:02d}" for i in range(20))
TEST = ("tested", "repeated")
N_TRS, TR_S, N_REPEATS = 60, 2.0, 4
TR_TIMES = (np.arange(N_TRS) + 0.5) * TR_S
# A run leaves the files of its results; the last report has to do without them.
STEPS = ("save", "results", "table", "scores", "report", "status", "report without files")

STUDY = """
[study]
name = "thousand"
dataset = "thousand"
model = "echo"
root = "recordings"
layers = {layers}
contexts = [4, 8, 16, 32]
training_stories = {stories}
draws = {draws}
subjects = {subjects}
out = "results"

[fit]
alphas = [30.0]

[baselines]
word_rate = false
position = false
sound = false
autocorrelation = false

[evaluate]
n_permutations = 20
n_bootstraps = 0
"""


def load(subject: str, root: Path | None = None) -> Dataset:
    """Load twenty short stories: words at random, responses from memory-mapped files."""
    told = {run: _words(i) for i, run in enumerate(TRAIN + TEST)}
    folder = Path(root or ".") / subject
    held = {run: np.load(folder / f"{run}.npy", mmap_mode="r") for run in told}
    heard = {run: TRSeries(values, run, 0, TR_TIMES) for run, values in held.items()}
    files = [folder / f"{TEST[1]}_{i}.npy" for i in range(N_REPEATS)]
    trials = [TRSeries(np.load(file, mmap_mode="r"), TEST[1], 0, TR_TIMES) for file in files]
    repeats = {TEST[1]: tuple(trials)}
    n_voxels = heard[TEST[0]].values.shape[1]
    space = "fsaverage5" if n_voxels == N_VERTICES else None
    return Dataset("thousand", subject, told, heard, repeats, TRAIN, TEST, tr_s=TR_S, space=space)


def register() -> None:
    """Let studies find the data set by its name."""
    plugins.register("datasets", "thousand", SimpleNamespace(SUBJECTS=SUBJECTS, load=load))


def write_responses(folder: Path, n_voxels: int, n_subjects: int) -> None:
    """Write the responses of subjects, at random."""
    for i, subject in enumerate(SUBJECTS[:n_subjects]):
        rng = np.random.default_rng(i)
        (folder / subject).mkdir(parents=True)
        for name in TRAIN + TEST:
            heard = [
                rng.standard_normal((N_TRS, n_voxels), dtype=np.float32)
                for _ in range(N_REPEATS if name == TEST[1] else 1)
            ]
            np.save(folder / subject / f"{name}.npy", np.mean(heard, axis=0))
            for repeat, values in enumerate(heard):
                np.save(folder / subject / f"{name}_{repeat}.npy", values)


def _words(number: int) -> Transcript:
    rng = np.random.default_rng([1, number])
    onset_s = np.sort(rng.uniform(0, N_TRS * TR_S - 1, size=200))
    return Transcript([f"word{i}" for i in rng.integers(0, 40, size=200)], onset_s, onset_s + 0.2)


def write_study(folder: Path, n_subjects: int, n_draws: int, *, is_quick: bool) -> Path:
    """Write the study file of a thousand cells, or of a few."""
    fields = {
        "layers": list(range(N_LAYERS)),
        "stories": [1, 20] if is_quick else [*range(1, 16), 20],
        "draws": n_draws,
        "subjects": list(SUBJECTS[:n_subjects]),
    }
    path = folder / "thousand.toml"
    path.write_text(STUDY.format(**{name: json.dumps(held) for name, held in fields.items()}))
    return path


def fabricate(path: Path, folder: Path) -> int:
    """Fill the study's store: random scores, and metadata of real cells; return how many."""
    study = Study.from_toml(path)
    real = _real_cells(study, path.read_text(), folder)
    made, store = plan(study), cell_store(study)
    rng = np.random.default_rng(0)
    for cell in made.cells:
        arrays, meta = real[cell.reference]
        drawn = {name: _noisy(rng, name, array) for name, array in arrays.items()}
        store.put(made.keys[cell], drawn, meta | _of_cell(cell, meta))
    (study.out / "study.json").write_text(json.dumps({"name": study.name}))
    return len(made.cells)


def _real_cells(
    whole: Study, text: str, folder: Path
) -> dict[bool, tuple[dict[str, Array], dict[str, Any]]]:
    """Compute two cells of one subject: one that the sweeps meet at, one that is none of these."""
    text = text.replace(json.dumps(list(whole.subjects or ())), json.dumps([SUBJECTS[0]]))
    start = text.index("training_stories")
    text = text[:start] + "training_stories = [3, 20]" + text[text.index("\n", start) :]
    text = text.replace("contexts = [4, 8, 16, 32]", "contexts = [32]")
    text = text.replace(f"layers = {json.dumps(list(range(N_LAYERS)))}", "layers = [1]")
    small = folder / "small.toml"
    small.write_text(text.replace(f"draws = {whole.draws}", "draws = 1"))
    study = Study.from_toml(small, out=folder / "small")
    run(study, progress=False, device="cpu")
    found, store = results(study), cell_store(study)
    return {cell.reference: store.get(found.key(cell)) for cell in found.cells}


def _noisy(rng: np.random.Generator, name: str, array: Array) -> Array:
    if name.startswith(("prediction", "p_", "best_alpha", "cc_max")):
        return array
    return (array + 0.05 * rng.standard_normal(array.shape)).astype(array.dtype)


def _of_cell(cell: Cell, meta: dict[str, Any]) -> dict[str, Any]:
    share = cell.n_stories / len(meta["cell"]["stories"])
    by_run = {one["run"]: one for one in meta["inputs"]}
    template = meta["inputs"][0]
    runs = (*cell.stories, *TEST)
    return {
        "cell": cell.as_dict(),
        "hours": meta["hours"] * share,
        "n_train_trs": round(meta["n_train_trs"] * share),
        "inputs": [by_run.get(run, {**template, "run": run}) for run in runs],
    }


def step(name: str, path: str, *, is_profiled: bool) -> None:
    """Do one thing, as a process of its own would."""
    from voxscale import reports
    from voxscale.study import status

    register()
    study = Study.from_toml(path)
    if name == "report without files":
        (study.out / "scores.parquet").unlink(missing_ok=True)
    does = {
        "results": lambda: results(study),
        "table": lambda: results(study).table,
        "scores": lambda: results(study).scores,
        "report": lambda: reports.report(study),
        "report without files": lambda: reports.report(study),
        "save": lambda: results(study).save(),
        "status": lambda: str(status(study)),
    }[name]
    if is_profiled:
        profiler = cProfile.Profile()
        profiler.runcall(does)
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(45)
    else:
        does()


def in_a_process(name: str, path: Path, extra: list[str]) -> float:
    """Time a step in a process of its own."""
    command = [sys.executable, __file__, "--step", name, str(path)]
    start = time.perf_counter()
    done = subprocess.run([*command, *extra], check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    print(done.stdout, end="")
    return seconds


def measure(
    n_voxels: int, n_repeats: int, extra: list[str], shape: tuple[int, int], *, is_quick: bool
) -> dict[str, Any]:
    """Make the study, and time each step, the first time left out."""
    n_subjects, n_draws = shape
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        register()
        write_responses(folder / "recordings", n_voxels, n_subjects)
        path = write_study(folder, n_subjects, n_draws, is_quick=is_quick)
        n_cells = fabricate(path, folder)
        taken: dict[str, list[float]] = {}
        for one in STEPS:
            times = [in_a_process(one, path, extra) for _ in range(n_repeats + 1)]
            taken[one] = times[1:]
            print(f"{one:>20}: {median(taken[one]):.2f} s", flush=True)
    medians = {one: median(times) for one, times in taken.items()}
    return {
        "n_cells": n_cells,
        "n_subjects": n_subjects,
        "median_s": medians,
        "all_s": taken,
        "is_within_limit": max(medians[one] for one in ("results", "table", "scores", "report"))
        <= LIMIT_S,
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few cells, to see that it works")
    parser.add_argument("--n-voxels", type=int, default=20_484)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    parser.add_argument("--step", nargs=2, metavar=("NAME", "STUDY"), help=argparse.SUPPRESS)
    parser.add_argument(
        "--out", type=Path, help="default: results/study_of_1000.json beside this script"
    )
    given = parser.parse_args()
    if given.step:
        step(*given.step, is_profiled=given.profile)
        return
    extra = ["--profile"] if given.profile else []
    options = {"is_quick": given.quick}
    shapes = {"one person": (1, 2)} if given.quick else SHAPES
    result = {
        "machine": machine_facts() | {"taken": time.strftime("%Y-%m-%d")},
        "n_voxels": given.n_voxels,
        "is_fabricated": True,
        "limit_s": LIMIT_S,
    } | {
        name: measure(given.n_voxels, given.repeats, extra, shape, **options)
        for name, shape in shapes.items()
    }
    print(json.dumps(result, indent=2))
    out = given.out
    if out is None and not given.quick and not given.profile:
        out = Path(__file__).parent / "results/study_of_1000.json"
    if out is not None:
        out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
