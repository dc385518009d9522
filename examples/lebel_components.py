"""Two people, five hours of Moth stories, SmolLM2: how well 200 components are predicted.

Needs the recordings of LeBel et al. 2023, Scientific Data 10:555 (OpenNeuro ds003020, CC0), as
principal components; docs/data.md, "Real recordings", describes the files:
    python examples/lebel_components.py FOLDER
Row r of the responses is TR r + 10 of a story, and its text was heard in the TR before it.
"""

import argparse
import gzip
import json
from pathlib import Path

import numpy as np

import voxscale as vs

NAMES = ("uts01", "uts02")
FILES = ("lebel_tr_text.json.gz", *(f"lebel_{name}_pc200_f16.npz" for name in NAMES))
TR_S, FIRST_TR, LAST_TRS = 2.0, 10, 5
LAYER, N_TRAIN = 15, 25


def transcript(trs: list[str]) -> vs.Transcript:
    """Spread the words of each TR evenly over it."""
    words, onset_s, offset_s = [], [], []
    for row, text in enumerate(trs):
        heard = text.split()
        edges = TR_S * (row + FIRST_TR - 1) + np.linspace(0, TR_S, len(heard) + 1)
        words, onset_s, offset_s = words + heard, [*onset_s, *edges[:-1]], [*offset_s, *edges[1:]]
    return vs.Transcript(words, onset_s, offset_s)


def responses(path: Path) -> dict[str, dict[str, vs.TRSeries]]:
    """Read the components of one person: {"train" or "test": {story: TRSeries}}."""
    parts: dict[str, dict[str, vs.TRSeries]] = {"train": {}, "test": {}}
    with np.load(path) as stored:
        for key in stored.files:
            part, story = key.split("/")
            values = stored[key].astype(np.float32)
            tr_times = TR_S * (np.arange(FIRST_TR + len(values) + LAST_TRS) + 0.5)
            parts[part][story] = vs.TRSeries(values, story, FIRST_TR, tr_times)
    return parts


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("folder", type=Path, help="holds " + ",\n".join(FILES))
folder = parser.parse_args().folder
for file in FILES:
    if not (folder / file).is_file():
        parser.error(f"there is no {folder / file}; see 'Real recordings' in docs/data.md")

with gzip.open(folder / FILES[0]) as text:
    words = {story: transcript(entry["trs"]) for story, entry in json.load(text).items()}
people = {name: responses(folder / file) for name, file in zip(NAMES, FILES[1:], strict=True)}
train = {name: sorted(parts["train"])[:N_TRAIN] for name, parts in people.items()}
heard = sorted({story for name in NAMES for story in (*train[name], *people[name]["test"])})
states = vs.language_states({story: words[story] for story in heard}, "smollm2", layers=[LAYER])
recipe = vs.DesignRecipe(delays=(1, 2, 3, 4, 5), trim=(FIRST_TR, LAST_TRS))

for name, parts in people.items():
    X, Y = recipe.join(states[LAYER], parts["train"], train[name])
    X_test, Y_test = recipe.join(states[LAYER], parts["test"], sorted(parts["test"]))
    n_chunks = len(X) // 20 // 4  # a quarter of the rows, in chunks of 20 TRs
    cv = vs.chunk_holdout(len(X), chunk_len=20, n_chunks=n_chunks, n_repeats=3, seed=0)
    for label, shift in (("SmolLM2", 0), ("null: features 60 TRs late", 60)):
        model = vs.RidgeCV(np.logspace(2, 7, 11), cv).fit(np.roll(X, shift, axis=0), Y)
        r = vs.correlation(Y_test, model.predict(np.roll(X_test, shift, axis=0)))
        print(f"{name.upper()}  {label}: mean test r {np.nanmean(r):.4f} over {len(r)} components")
