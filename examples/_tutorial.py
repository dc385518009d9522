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

from voxscale.data import read_pycortex_subject, with_stories_of
from voxscale.data.antonello2023 import Antonello2023
from voxscale.fit import predict_streamed
from voxscale.store import hash_array, key_of, write_aside
from voxscale.study import Protocol
from voxscale.synthetic import kept_miniature

SUBJECT = "UTS03"
GIVEN = [*sys.argv[1:], "", ""]  # "" for what is not given
RELEASED, FIGURES = Path(GIVEN[0] or kept_miniature(SUBJECT)), Path(GIVEN[1] or "voxscale-tutorial")
FIGURES.mkdir(parents=True, exist_ok=True)


def tell(message, *_, **__):
    """Print what was left out or skipped, counted, where a reader sees it."""
    print(textwrap.fill(f"Warning: {message}", 78))


warnings.showwarning = tell
protocol = Protocol.named("huth2023")
box = Antonello2023(RELEASED)
data = with_stories_of(box.load(SUBJECT), box.features())
cortex = read_pycortex_subject(RELEASED / "pycortex-db", SUBJECT)


def own_model():
    """Return the protocol's language model and layer, or those of the miniature."""
    folder = RELEASED / "models" / "opt-tiny"
    if folder.is_dir():
        return str(folder), 2
    return protocol.study.model, protocol.study.layers[0]


def state(train=(), test=()):
    """Print what the protocol chose of that which a page uses."""
    trim, fit = protocol.recipe(test=test).trims, protocol.fit
    rows = {
        "protocol": protocol.protocol.name,
        "train": ", ".join(train),
        "test": ", ".join(test),
        "TRs cut": f"{protocol.design.trim} in training, {trim[test[0]]} in test" if test else "",
        "alphas": f"{fit.penalties[0]:g} to {fit.penalties[-1]:g}, {len(fit.penalties)}",
        "reducers": ", ".join(protocol.evaluate.reducers),
    }
    for name, text in rows.items():
        if text:
            print(textwrap.fill(f"{name}: {text}", 78, subsequent_indent="    "))


def predictions(X, stories):
    """Multiply a design by the published weights, which never lie in memory whole; once."""
    weights = box.weights(SUBJECT)
    facts = weights.path.stat()
    key = key_of(
        {"design": hash_array(X), "weights": [str(weights.path), facts.st_size, facts.st_mtime_ns]}
    )
    path = FIGURES / f"predictions-{'-'.join(stories)}-{key[:12]}.npy"
    if not path.is_file():
        with write_aside(path) as temporary, temporary.open("wb") as file:
            np.save(file, predict_streamed(X, weights))
    return np.load(path, mmap_mode="r")


def save(figure, name):
    """Write a figure where the page finds it."""
    figure.savefig(FIGURES / f"{name}.png", bbox_inches="tight")
