"""Draw pixels of flat maps, and compare them with pycortex's own on the subject S1.

python benchmarks/flatmaps.py --pycortex-python PYTHON [--repeats 3] [--out FILE]

PYTHON is an interpreter that has pycortex (``pip install pycortex`` in an environment of its own),
which brings S1; voxscale needs its extras ``[brain]``. pycortex draws random noise, the hardest
picture there is, and a smooth field with `make_flatmap_image`; both draw the same grid of pixels.
Two pixels agree if they differ by less than a share of the range of pycortex's picture, which is
that share of a colour map. Seconds are of a fresh process, the imports told apart.
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

import numpy as np
from _machine import machine_facts

Array = np.ndarray

TOLERANCES = (0.01, 0.02, 0.05)  # of the range

# What runs under pycortex: its pictures, and the seconds that it takes with and without its cache.
PYCORTEX = """
import json, sys, time
begin = time.perf_counter()
import numpy as np
import cortex
from cortex.quickflat.utils import make_flatmap_image
imported = time.perf_counter()
out = sys.argv[1]
mask = cortex.db.get_mask("S1", "fullhead", "thick")
z, y, x = np.nonzero(mask)
rng = np.random.default_rng(0)
values = {
    "noise": rng.standard_normal(len(z)),
    "smooth": np.sin(x / 7) + np.cos(y / 9) + np.sin(z / 5),
}
volume = cortex.Volume(values["noise"], "S1", "fullhead", mask=mask)
start = time.perf_counter()
make_flatmap_image(volume, recache=True)
first = time.perf_counter() - start
pictures = {}
start = time.perf_counter()
for name, one in values.items():
    volume = cortex.Volume(one, "S1", "fullhead", mask=mask)
    pictures[name], extent = make_flatmap_image(volume)
again = (time.perf_counter() - start) / len(values)
vertex = rng.standard_normal(cortex.db.get_surfinfo("S1").data.size)
pictures["vertices"], _ = make_flatmap_image(cortex.Vertex(vertex, "S1"))
pictures["curvature"], _ = make_flatmap_image(cortex.db.get_surfinfo("S1"))
facts = {"import_s": imported - begin, "first_s": first, "again_s": again}
facts |= {"pycortex": cortex.__version__, "filestore": cortex.db.filestore}
given = {f"values_{name}": one for name, one in {**values, "vertices": vertex}.items()}
np.savez(out, mask=mask, facts=json.dumps(facts), **given, **pictures)
"""

# What runs under voxscale, in a process of its own each time.
OURS = """
import json, sys, time
begin = time.perf_counter()
import numpy as np
from voxscale.data import read_pycortex_subject
from voxscale.reports import flat_picture
imported = time.perf_counter()
what, filestore, reference, out = sys.argv[1:]
if what == "fsaverage5":
    values, subject = np.arange(20484.0), "fsaverage5"
    start = time.perf_counter()
else:
    values = np.load(reference)[f"values_{what}"]
    start = time.perf_counter()
    subject = read_pycortex_subject(filestore, "S1")
picture, pixels = flat_picture(values, subject, transform="fullhead")
done = time.perf_counter()
if what != "fsaverage5":
    subject.outlines("rois")
drawn = time.perf_counter()
seconds = {"import_s": imported - begin, "picture_s": done - start, "outlines_s": drawn - done}
np.savez(out, picture=picture, curvature=pixels.curvature, seconds=json.dumps(seconds))
"""


# A whole figure with outlines, names and a colour bar, written as PNG.
FIGURE = """
import json, sys, time
begin = time.perf_counter()
import numpy as np
from voxscale.data import read_pycortex_subject
from voxscale.reports import flatmap
import matplotlib.figure
imported = time.perf_counter()
what, filestore, reference, out = sys.argv[1:]
start = time.perf_counter()
if what == "fsaverage5":
    figure = flatmap(np.arange(20484.0))
else:
    values = np.load(reference)[f"values_{what}"]
    figure = flatmap(values, "S1", filestore=filestore, transform="fullhead")
figure.savefig(out.replace(".npz", ".png"))
done = time.perf_counter()
seconds = {"import_s": imported - begin, "figure_s": done - start}
np.savez(out, seconds=json.dumps(seconds))
"""


def agreement(ours: Array, theirs: Array) -> dict[str, Any]:
    """Return shares of pixels that agree: of those inside both cortices, and inside either."""
    both, either = (
        combine(np.isfinite(ours), np.isfinite(theirs))
        for combine in (np.logical_and, np.logical_or)
    )
    shown = theirs[np.isfinite(theirs)]
    difference = np.abs(ours - theirs) / (shown.max() - shown.min())
    return {
        "n_pixels_ours": int(np.isfinite(ours).sum()),
        "n_pixels_theirs": int(np.isfinite(theirs).sum()),
        "equal_to_1e-6_inside_both": float((difference[both] < 1e-6).mean()),
        "inside_both": {str(one): float((difference[both] < one).mean()) for one in TOLERANCES},
        "inside_either": {str(one): float((difference[either] < one).mean()) for one in TOLERANCES},
        "correlation": float(np.corrcoef(ours[both], theirs[both])[0, 1]),
    }


def draw(
    what: str, filestore: str, reference: Path, folder: Path, script: str = OURS
) -> dict[str, Any]:
    """Draw one picture in a fresh process."""
    out = folder / "ours.npz"
    environment = {**os.environ, "VOXSCALE_CACHE": str(folder / "cache")}
    command = [sys.executable, "-c", script, what, filestore, str(reference), str(out)]
    start = time.perf_counter()
    subprocess.run(command, check=True, env=environment)
    whole = time.perf_counter() - start
    with np.load(out) as arrays:
        seconds = json.loads(str(arrays["seconds"])) | {"process_s": whole}
        pictures = {name: arrays[name] for name in arrays.files if name != "seconds"}
        return {"seconds": seconds, **pictures}


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each time."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def measure(python: str, n_repeats: int, folder: Path) -> dict[str, Any]:
    """Let pycortex draw, then us, with an empty cache and with a full one."""
    reference = folder / "pycortex.npz"
    environment = {**os.environ, "MPLBACKEND": "Agg"}
    subprocess.run([python, "-c", PYCORTEX, str(reference)], check=True, env=environment)
    theirs = np.load(reference)
    facts = json.loads(str(theirs["facts"]))
    filestore = facts.pop("filestore")
    found: dict[str, Any] = {"pycortex": facts, "voxscale": {}, "agreement": {}}
    for what, name in (("noise", "S1"), ("fsaverage5", "fsaverage5")):
        runs = [draw(what, filestore, reference, folder)["seconds"] for _ in range(n_repeats + 1)]
        found["voxscale"][name] = {
            "first": runs[0],
            "again_median": medians(runs[1:]),
        }
        place = what, filestore, reference, folder
        draw(*place, FIGURE)  # the first fills the cache
        figures = [draw(*place, FIGURE)["seconds"] for _ in range(n_repeats)]
        found["voxscale"][name]["figure_again_median"] = medians(figures)
    for what in ("noise", "smooth", "vertices"):
        ours = draw(what, filestore, reference, folder)
        found["agreement"][what] = agreement(ours["picture"], theirs[what])
    both = np.isfinite(ours["curvature"]) & np.isfinite(theirs["curvature"])
    same = (ours["curvature"] > 0) == (theirs["curvature"] > 0)
    found["agreement"]["curvature_same_sign"] = float(same[both].mean())
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--pycortex-python", default=sys.executable, help="an interpreter that has pycortex"
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results/flatmaps.json")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        found = measure(arguments.pycortex_python, arguments.repeats, Path(folder))
    libraries = {name: version(name) for name in ("nibabel", "nilearn")}
    taken = {
        "taken": time.strftime("%Y-%m-%d"),
        "load_before": load,
        "load_after": os.getloadavg()[0],
    }
    result = {"machine": machine_facts() | libraries | taken, **found}
    print(json.dumps(result, indent=2))
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
