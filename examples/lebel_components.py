"""Two people, five hours of Moth stories, SmolLM2: how well 200 components are predicted.

Needs the recordings of LeBel et al. 2023, Scientific Data 10:555 (OpenNeuro ds003020, CC0), as
principal components; docs/data.md, "Real recordings", describes the files:
    python examples/lebel_components.py FOLDER
"""

import argparse
from pathlib import Path

import numpy as np
from _lebel import NAMES, RECIPE, RESPONSES, TEXT, lacking, responses, transcripts

import voxscale as vs

LAYER, N_TRAIN = 15, 25
FILES = [TEXT, *RESPONSES.values()]

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("folder", type=Path, help="holds " + ",\n".join(FILES))
folder = parser.parse_args().folder
if complaint := lacking(folder, FILES):
    parser.error(complaint)

words = transcripts(folder)
people = {name: responses(folder, name) for name in NAMES}
train = {name: sorted(parts["train"])[:N_TRAIN] for name, parts in people.items()}
heard = sorted({story for name in NAMES for story in (*train[name], *people[name]["test"])})
states = vs.language_states({story: words[story] for story in heard}, "smollm2", layers=[LAYER])

for name, parts in people.items():
    X, Y = RECIPE.join(states[LAYER], parts["train"], train[name])
    X_test, Y_test = RECIPE.join(states[LAYER], parts["test"], sorted(parts["test"]))
    n_chunks = len(X) // 20 // 4  # a quarter of the rows, in chunks of 20 TRs
    cv = vs.chunk_holdout(len(X), chunk_len=20, n_chunks=n_chunks, n_repeats=3, seed=0)
    for label, shift in (("SmolLM2", 0), ("null: features 60 TRs late", 60)):
        model = vs.RidgeCV(np.logspace(2, 7, 11), cv).fit(np.roll(X, shift, axis=0), Y)
        r = vs.correlation(Y_test, model.predict(np.roll(X_test, shift, axis=0)))
        print(f"{name.upper()}  {label}: mean test r {np.nanmean(r):.4f} over {len(r)} components")
