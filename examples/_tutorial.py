"""What the pages of the tutorial share.

    python examples/tutorial_ceiling.py [FOLDER [FIGURES]]

FOLDER holds what was downloaded from https://utexas.box.com/v/EncodingModelScalingLaws, and
``pycortex-db`` with UTS03, of OpenNeuro ds003020, beside it. Without a folder, a miniature with
made-up content is written once, and stands in for it.
"""

import sys
import textwrap
import warnings
from pathlib import Path

import numpy as np

from voxscale.data import read_pycortex_subject, stream_released
from voxscale.data.antonello2023 import Antonello2023
from voxscale.fit import predict_streamed
from voxscale.store import cache_folder
from voxscale.study import Protocol
from voxscale.synthetic import write_antonello2023

SUBJECT = "UTS03"
GIVEN = [*sys.argv[1:], "", ""]  # "" for what is not given
MINIATURE = cache_folder() / "antonello2023-miniature"
RELEASED, FIGURES = Path(GIVEN[0] or MINIATURE), Path(GIVEN[1] or "voxscale-tutorial")
FIGURES.mkdir(parents=True, exist_ok=True)
if RELEASED == MINIATURE and not (MINIATURE / "miniature.json").is_file():
    write_antonello2023(MINIATURE, subject=SUBJECT)


def tell(message, *_, **__):
    """Print what was left out or skipped, counted, where a reader sees it."""
    print(textwrap.fill(f"Warning: {message}", 88))


warnings.showwarning = tell
protocol = Protocol.named("huth2023")
box = Antonello2023(RELEASED)
data = box.load(SUBJECT)
cortex = read_pycortex_subject(RELEASED / "pycortex-db", SUBJECT)


def predictions(X, stories):
    """Multiply a design by the published weights, which never lie in memory whole; once."""
    path = FIGURES / f"predictions-{'-'.join(stories)}.npy"
    if not path.is_file():
        for weights in stream_released(box.weights(SUBJECT)):  # one array
            np.save(path, predict_streamed(X, weights))
    return np.load(path, mmap_mode="r")


def save(figure, name):
    """Write a figure where the page finds it."""
    figure.savefig(FIGURES / f"{name}.png", bbox_inches="tight")
