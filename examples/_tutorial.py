"""What the pages of the tutorial share.

    python examples/tutorial_ceiling.py [FOLDER [FIGURES]]

FOLDER holds what was downloaded from https://utexas.box.com/v/EncodingModelScalingLaws, and
``pycortex-db`` with UTS03, of OpenNeuro ds003020, beside it. Without a folder, a miniature with
made-up content is written once, and stands in for it.
"""

import sys
import warnings
from pathlib import Path

import numpy as np

from voxscale.data import read_pycortex_subject, stream_released
from voxscale.data.antonello2023 import Antonello2023
from voxscale.fit import predict_streamed
from voxscale.store import cache_folder
from voxscale.study import Protocol

SUBJECT = "UTS03"
RELEASED = Path(sys.argv[1]) if len(sys.argv) > 1 else cache_folder() / "antonello2023-miniature"
FIGURES = Path(sys.argv[2]) if len(sys.argv) > 2 else Path("voxscale-tutorial")
FIGURES.mkdir(parents=True, exist_ok=True)
if len(sys.argv) == 1 and not (RELEASED / "miniature.json").is_file():
    from voxscale.synthetic import write_antonello2023

    write_antonello2023(RELEASED, subject=SUBJECT)

warnings.simplefilter("once")
protocol = Protocol.named("huth2023")
box = Antonello2023(RELEASED)
data = box.load(SUBJECT)
cortex = read_pycortex_subject(RELEASED / "pycortex-db", SUBJECT)


def predictions(X, stories):
    """Multiply a design by the published weights, which never lie in memory whole; once."""
    path = FIGURES / f"predictions-{'-'.join(stories)}.npy"
    if not path.is_file():
        array = next(iter(stream_released(box.weights(SUBJECT))))
        np.save(path, predict_streamed(X, array))
    return np.load(path, mmap_mode="r")


def save(figure, name):
    """Write a figure where the page finds it."""
    figure.savefig(FIGURES / f"{name}.png", bbox_inches="tight")
