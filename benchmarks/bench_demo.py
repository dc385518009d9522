"""Time the demo in an empty cache and again, and record what it found against what was planted.

python benchmarks/bench_demo.py [--out benchmarks/results/demo.json]
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from _machine import machine_facts

GIB = 2**30


def timed_demo(out: Path, cache: Path) -> float:
    """Run the demo and return its seconds."""
    environment = os.environ | {"VOXSCALE_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
    start = time.perf_counter()
    command = [sys.executable, "-m", "voxscale", "demo", "--out", str(out)]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def import_seconds() -> float:
    """Return the median of five imports of voxscale, less the interpreter's own start."""
    seconds = {"pass": [], "import voxscale": []}
    for _ in range(5):
        for statement, taken in seconds.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True)
            taken.append(time.perf_counter() - start)
    medians = {statement: sorted(taken)[2] for statement, taken in seconds.items()}
    return medians["import voxscale"] - medians["pass"]


def help_seconds() -> float:
    """Return the median wall time of ``voxscale --help``."""
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        command = [sys.executable, "-m", "voxscale", "--help"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - start)
    return sorted(taken)[2]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results/demo.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out, cache = Path(folder) / "demo", Path(folder) / "cache"
        first = timed_demo(out, cache)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / GIB
        second = timed_demo(out, cache)
        table = pd.read_csv(out / "figures" / "found.csv").fillna("")
        found = table.to_dict("records")
    measured = {
        "machine": machine_facts(),
        "first_demo_s": first,
        "second_demo_s": second,
        "peak_memory_gib": peak,
        "import_s": import_seconds(),
        "help_s": help_seconds(),
        "found": found,
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(measured, indent=1) + "\n")
    print(json.dumps(measured, indent=1))


if __name__ == "__main__":
    main()
