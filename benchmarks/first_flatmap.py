"""Draw and save the first flat map of fsaverage5 of a process, and the next one.

python benchmarks/first_flatmap.py [--repeats 5] [--out FILE]

Each process is a fresh one. The first has an empty cache and asks nilearn for the surface; the
others read what it kept. Imports are told apart; voxscale needs its extra ``[brain]``.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from _machine import machine_facts

DRAWN = """
import json, sys, time
begin = time.perf_counter()
import numpy as np
import matplotlib.figure, matplotlib.backends.backend_agg
libraries = time.perf_counter()
import voxscale.reports
package = time.perf_counter()
from voxscale.reports import flatmap
done = time.perf_counter()
seconds = {
    "import_numpy_matplotlib_s": libraries - begin,
    "import_voxscale_reports_s": package - libraries,
    "fetch_flatmap_s": done - package,
}
values = np.sin(np.arange(20484) / 900)
for name in ("first_s", "second_s"):
    start = time.perf_counter()
    flatmap(values, label="r").savefig(sys.argv[1])
    seconds[name] = time.perf_counter() - start
seconds["nilearn_was_imported"] = "nilearn" in sys.modules
print(json.dumps(seconds))
"""


def draw(folder: Path) -> dict[str, Any]:
    """Draw two maps in a fresh process."""
    environment = {**os.environ, "VOXSCALE_CACHE": str(folder / "cache")}
    command = [sys.executable, "-c", DRAWN, str(folder / "map.png")]
    ran = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    out = Path(__file__).parent / "results" / "first_flatmap.json"
    parser.add_argument("--out", type=Path, default=out)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        runs = [draw(Path(folder)) for _ in range(arguments.repeats + 1)]
    facts = machine_facts() | {name: version(name) for name in ("matplotlib", "nilearn")}
    facts |= {"taken": time.strftime("%Y-%m-%d"), "load_before": load}
    median = {name: statistics.median(run[name] for run in runs[1:]) for name in runs[0]}
    result = {"machine": facts, "empty_cache": runs[0], "kept_median": median, "kept": runs[1:]}
    print(json.dumps(result, indent=2))
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
