"""Twenty-seven people listening to Alice in Wonderland: six regions, from the real TextGrid.

Needs the region time courses and the TextGrid shared with Brennan et al. 2016, Brain and
Language 157-158:81-94 (CC BY 4.0); docs/data.md, "Real recordings", lists the files:
    python examples/alice.py FOLDER

Volume 0 was taken 20 s into the TextGrid. Every fifth of the story is predicted from the rest.
"""

import argparse
from pathlib import Path

import numpy as np

import voxscale as vs

STORY, PEOPLE = "alice_stim_shared/*.TextGrid", "alice_data_shared/10mm/s*-timecourses.txt"
REGIONS = ("LATL", "RATL", "LPTL", "LIPL", "LPreM", "LIFG")
TR_S, VOLUME_0_S, LAYER = 2.0, 20.0, 15


def held_out_r(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Correlate each region with predictions for rows that no fit has seen."""
    Y_pred = np.empty_like(Y)
    for test in np.array_split(np.arange(len(X)), 5):
        near = np.arange(test[0] - 8, test[-1] + 9)  # and nothing within 8 TRs of them
        train = np.setdiff1d(np.arange(len(X)), near)
        model = vs.RidgeCV(np.logspace(1, 6, 11), cv=5).fit(X[train], Y[train])
        Y_pred[test] = model.predict(X[test])
    return vs.correlation(Y, Y_pred)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("folder", type=Path, help=f"holds {STORY}\nand {PEOPLE}")
folder = parser.parse_args().folder
for pattern in (STORY, PEOPLE):
    if not any(folder.glob(pattern)):
        parser.error(f"there is no {folder / pattern}; see 'Real recordings' in docs/data.md")

words = vs.read_transcript(next(folder.glob(STORY)))
files = [path for path in sorted(folder.glob(PEOPLE)) if "s33" not in path.name]  # all zeros
people = [np.loadtxt(path) for path in files]
tr_times = VOLUME_0_S + TR_S * (np.arange(len(people[0])) + 0.5)
recipe = vs.DesignRecipe(trim=(5, 5))
states = vs.language_states({"alice": words}, "smollm2", layers=[LAYER])[LAYER]
rate = {"alice": vs.word_rate(words)}

each = np.stack([vs.zscore(person) for person in people])
mean = {"alice": vs.TRSeries(each.mean(axis=0), "alice", 0, tr_times)}
rest = (each.sum(axis=0) - each) / (len(each) - 1)
shared = np.mean([vs.correlation(a, b) for a, b in zip(each, rest, strict=True)], axis=0)
print(f"{len(words)} words, {len(people)} people; correlation of the mean response")
print("region  word rate  SmolLM2  one person with the others")
scores = [held_out_r(*recipe.join(space, mean, ["alice"])) for space in (rate, [states, rate])]
for region, r_rate, r_model, r_people in zip(REGIONS, *scores, shared, strict=True):
    print(f"{region:6}  {r_rate:9.3f}  {r_model:7.3f}  {r_people:10.3f}")
