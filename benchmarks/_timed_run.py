"""How long a study takes that is killed and resumed, and how much memory."""

import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from voxscale.study import Study, status


def timed_run(study: Path, out: Path | None, kill_after_s: float) -> dict[str, Any]:
    """Run a study, kill it, and run it again; return seconds and peak memory.

    Raises
    ------
    SystemExit
        If some of it is done already: what remains would be timed as if it were the whole. If
        a run ends otherwise than by that or well.
    """
    folder = Study.from_toml(study, out=out).out
    if folder.exists() and any(folder.iterdir()):
        msg = f"{folder} is not empty; --run expects a folder that is: give another as --out."
        raise SystemExit(msg)
    command = [sys.executable, "-m", "voxscale", "run", str(study), "--out", str(folder)]
    start = time.perf_counter()
    first = subprocess.Popen(command)
    was_killed = False
    try:
        first.wait(timeout=kill_after_s)
    except subprocess.TimeoutExpired:
        first.kill()  # SIGKILL: nothing is tidied up
        first.wait()
        was_killed = True
    first_s = time.perf_counter() - start
    done = status(Study.from_toml(study, out=out)).by_axis["subject"].values()
    start = time.perf_counter()
    second = subprocess.run(command, check=False)
    second_s = time.perf_counter() - start
    if second.returncode or not (was_killed or first.returncode == 0):
        msg = f"the study ended with {first.returncode}, then {second.returncode}; expected 0."
        raise SystemExit(msg)
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {
        "first_s": first_s, "was_killed": was_killed, "n_cells_by_then": sum(n for n, _ in done),
        "second_s": second_s, "total_s": first_s + second_s,
        "peak_memory_gib": largest / 2**30 * (1 if sys.platform == "darwin" else 2**10),
    }  # fmt: skip
