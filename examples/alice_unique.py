"""Alice in Wonderland, six regions: what SmolLM2 explains beyond rate, sound and position.

Needs the files of examples/alice.py (Brennan et al. 2016, Brain and Language 157-158:81-94,
CC BY 4.0), and the sound power under an HRF that is shared beside them:
    python examples/alice_unique.py FOLDER
Every fifth of the story is predicted from the rest, by models of all unions of four spaces. There
is one story, so p-values are from all shifts of it in time, and none can be below 1/352.
"""

import argparse
from pathlib import Path

import numpy as np

import voxscale as vs
from voxscale.evaluate import fdr, partition, position_features, union_predictions, unique_test

STORY, PEOPLE = "alice_stim_shared/*.TextGrid", "alice_data_shared/10mm/s*-timecourses.txt"
SOUND = "alice_data_shared/s*-sndpwr.txt"
REGIONS = ("LATL", "RATL", "LPTL", "LIPL", "LPreM", "LIFG")
TR_S, VOLUME_0_S, LAYER, TRIM = 2.0, 20.0, 15, 5
LANGUAGE = "SmolLM2"

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("folder", type=Path, help=f"holds {STORY},\n{PEOPLE}\nand {SOUND}")
folder = parser.parse_args().folder
for pattern in (STORY, PEOPLE, SOUND):
    if not any(folder.glob(pattern)):
        parser.error(f"there is no {folder / pattern}; see 'Real recordings' in docs/data.md")


def series(pattern):
    """Read a file of each listener; s33 has no responses, all are zeros."""
    return [np.loadtxt(path) for path in sorted(folder.glob(pattern)) if "s33" not in path.name]


words = vs.read_transcript(next(folder.glob(STORY)))
people = [vs.zscore(person) for person in series(PEOPLE)]
# The mean of all listeners, then each: columns of one array.
together = np.hstack([np.mean(people, axis=0), *people])
tr_times = VOLUME_0_S + TR_S * (np.arange(len(together)) + 0.5)
bold = {"alice": vs.TRSeries(together, "alice", 0, tr_times)}
recipe = vs.DesignRecipe(trim=(TRIM, TRIM))
states = vs.language_states({"alice": words}, "smollm2", layers=[LAYER])[LAYER]
X, Y = recipe.join(states, bold, ["alice"])
rate, _ = recipe.join({"alice": vs.word_rate(words)}, bold, ["alice"])
# The same sound for all. It is under an HRF already; a TR to each side lets that be off.
power = vs.delay(np.mean(series(SOUND), axis=0)[:, np.newaxis], (-1, 0, 1))
(position,) = position_features([len(Y)])
spaces = {
    LANGUAGE: X,
    "word rate": rate,
    "sound power": vs.zscore(power[TRIM:-TRIM]),
    "position": position,
}
spaces = {name: space.astype(np.float32) for name, space in spaces.items()}

predictions = {}
for test in np.array_split(np.arange(len(Y)), 5):
    near = np.arange(test[0] - 8, test[-1] + 9)  # nothing within 8 TRs of the held-out rows
    train = np.setdiff1d(np.arange(len(Y)), near)
    pairs = {name: (space[train], space[test]) for name, space in spaces.items()}
    model = vs.RidgeCV(np.logspace(1, 6, 11), cv=5)
    for union, predicted in union_predictions(pairs, Y[train], model):
        predictions.setdefault(union, np.empty_like(Y))[test] = predicted
scores = {union: vs.r2(Y, predicted) for union, predicted in predictions.items()}
parts = partition(scores)
others = np.hstack([space for name, space in spaces.items() if name != LANGUAGE])
test = unique_test(Y, predictions[tuple(spaces)], others, n_permutations=len(Y) - 1)

n_regions = len(REGIONS)
baselines = scores[tuple(name for name in spaces if name != LANGUAGE)]
unique = parts.unique[LANGUAGE]
q_group = fdr(test.p_values[:n_regions])
q_each = fdr(test.p_values[n_regions:]).reshape(-1, n_regions)  # one family of them all
print(f"mean of {len(people)} people, {len(Y)} TRs, {others.shape[1]} columns of baselines")
print("region  r2 of all  baselines  unique to SmolLM2  partial r      p      q")
for i, region in enumerate(REGIONS):
    print(
        f"{region:6}  {parts.total[i]:9.3f}  {baselines[i]:9.3f}  {unique[i]:17.3f}  "
        f"{test.observed[i]:9.3f}  {test.p_values[i]:.3f}  {q_group[i]:.3f}"
    )
print("each person alone, means over people; how many have q < 0.05")
print("region  r2 of all  baselines  unique to SmolLM2  partial r  people")
each = [one[n_regions:].reshape(-1, n_regions).mean(axis=0) for one in (
    parts.total, baselines, unique, test.observed)]  # fmt: skip
for i, region in enumerate(REGIONS):
    total, base, own, r = (one[i] for one in each)
    n_found = (q_each[:, i] < 0.05).sum()
    print(f"{region:6}  {total:9.3f}  {base:9.3f}  {own:17.3f}  {r:9.3f}  {n_found:6}")
print(f"{(q_each < 0.05).sum()} of {q_each.size} regions of single people have q < 0.05")
