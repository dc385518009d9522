"""What the pages of the tutorial share.

    python examples/tutorial_ceiling.py [FOLDER [FIGURES]]

FOLDER holds what was downloaded from https://utexas.box.com/v/EncodingModelScalingLaws, as much of
it as the page reads, and ``pycortex-db`` with UTS03, of OpenNeuro ds003020, beside it. Without a
folder, a miniature with made-up content is written once, and stands in for it.
"""

import sys
import textwrap
import warnings
from functools import cache
from pathlib import Path

import numpy as np

from voxscale.data import read_pycortex_subject, with_stories_of
from voxscale.data.antonello2023 import Antonello2023
from voxscale.errors import DataError
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
IS_MADE_UP = (RELEASED / "miniature.json").is_file()
WHO = f"miniature of {SUBJECT}" if IS_MADE_UP else SUBJECT  # in titles
if sys.argv[0].endswith(".py"):
    print(f"{'made-up content' if IS_MADE_UP else 'published files'} of {RELEASED}")
    print(f"figures go to {FIGURES.absolute()}")


def _data():
    loaded = box_of(RELEASED).load(SUBJECT)
    has_features = box_of(RELEASED).folder.files("features")
    return with_stories_of(loaded, box_of(RELEASED).features()) if has_features else loaded


@cache
def box_of(folder):
    """Open the published folder, once."""
    return Antonello2023(folder)


_MAKERS = {
    "box": lambda: box_of(RELEASED),
    "data": _data,
    "cortex": lambda: read_pycortex_subject(RELEASED / "pycortex-db", SUBJECT),
}


def __getattr__(name):
    """Open a part of the folder when a page first asks for it."""
    if name not in _MAKERS:
        raise AttributeError(name)
    try:
        return _MAKERS[name]()
    except DataError as error:
        sys.exit(f"error: {error}")


def own_model():
    """Return the protocol's language model and layer, or those of the miniature."""
    folder = RELEASED / "models" / "opt-tiny"
    if folder.is_dir():
        return str(folder), 2
    return protocol.study.model, protocol.study.layers[0]


def state(train=(), test=(), *, is_reduced=False):
    """Print what the protocol chose of that which a page uses."""
    trim, alphas = protocol.recipe(test=test).trims, protocol.fit.penalties
    rows = {
        "protocol": protocol.protocol.name,
        "train": ", ".join(train),
        "test": ", ".join(test),
        "TRs cut": f"{protocol.design.trim} in training, {trim[test[0]]} in test" if test else "",
        "alphas": f"{len(alphas)}, {alphas[0]:g} to {alphas[-1]:g}" if is_reduced and train else "",
        "reducers": ", ".join(protocol.evaluate.reducers) if is_reduced else "",
    }
    for name, text in rows.items():
        if text:
            print(textwrap.fill(f"{name}: {text}", 78, subsequent_indent="    "))


def predictions(X, stories):
    """Multiply a design by the published weights, which never lie in memory whole; once."""
    weights = box_of(RELEASED).weights(SUBJECT)
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
