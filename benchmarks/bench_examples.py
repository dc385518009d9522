"""Time the examples on real recordings and keep what they print.

python benchmarks/bench_examples.py ../shared/data [--only NAME …] [--out FILE]

Results of examples that are not run again stay in the file, benchmarks/results/examples.json.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from _machine import machine_facts

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = {
    "lebel_components.py": "lebel",
    "lebel_stacking.py": "lebel",
    "alice.py": "alice",
    "alice_unique.py": "alice",
}


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with lebel/ and alice/")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/examples.json")
    parser.add_argument("--only", nargs="+", choices=EXAMPLES, default=list(EXAMPLES))
    arguments = parser.parse_args()
    before = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    measured: dict[str, object] = before | {"machine": machine_facts()}
    for name in arguments.only:
        folder = EXAMPLES[name]
        start = time.perf_counter()
        command = [sys.executable, str(ROOT / "examples" / name), str(arguments.data / folder)]
        ran = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds = time.perf_counter() - start
        measured[name] = {"seconds": seconds, "printed": ran.stdout.splitlines()}
        print(f"{name}: {seconds:.0f} s\n{ran.stdout}")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(measured, indent=1) + "\n")


if __name__ == "__main__":
    main()
