"""One person, five hours of Moth stories: five layers of SmolLM2 and word rate, stacked.

Needs the recordings of LeBel et al. 2023, Scientific Data 10:555 (OpenNeuro ds003020, CC0), as
principal components; docs/data.md, "Real recordings", describes the files:
    python examples/lebel_stacking.py FOLDER
Models and mix learn from 25 stories; five others say which single layer is best for a component;
both are told on the three test stories, with an interval of their difference.
"""

import argparse
from pathlib import Path

import numpy as np
from _lebel import RECIPE, RESPONSES, TEXT, lacking, responses, transcripts

import voxscale as vs
from voxscale.evaluate import stacked_scores
from voxscale.fit import Stacking, center_of_mass

NAME, LAYERS, N_TRAIN, N_VALIDATION = "uts02", [3, 9, 15, 21, 27], 25, 5
N_DRAWS, BLOCK_TRS = 2000, 20

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("folder", type=Path, help=f"holds {TEXT} and {RESPONSES[NAME]}")
folder = parser.parse_args().folder
if complaint := lacking(folder, [TEXT, RESPONSES[NAME]]):
    parser.error(complaint)

words, parts = transcripts(folder), responses(folder, NAME)
bold, stories = parts["train"] | parts["test"], sorted(parts["train"])
validation, test = stories[N_TRAIN:][:N_VALIDATION], sorted(parts["test"])
told = [*validation, *test]
heard = {story: words[story] for story in [*stories[:N_TRAIN], *told]}
states = vs.language_states(heard, "smollm2", layers=LAYERS)
spaces = [*(states[layer] for layer in LAYERS), vs.word_rate(heard)]

joined = [RECIPE.join(space, bold, stories[:N_TRAIN]) for space in spaces]
n_chunks = len(joined[0][1]) // 20 // 4  # a quarter of the rows, in chunks of 20 TRs
cv = vs.chunk_holdout(len(joined[0][1]), chunk_len=20, n_chunks=n_chunks, n_repeats=3, seed=0)
stacked = Stacking(vs.RidgeCV(np.logspace(2, 7, 11), cv), cv=5)
stacked.fit([X for X, _ in joined], joined[0][1])

joined = [RECIPE.join(space, bold, told) for space in spaces]
Y, singles = joined[0][1], stacked.predict_each([X for X, _ in joined])
mix = stacked.predict([X for X, _ in joined])
n_validation = sum(RECIPE.run_lengths(bold, validation))
is_test = np.arange(len(Y)) >= n_validation
scores = stacked_scores(
    Y, mix, singles[: len(LAYERS)], validation=~is_test, test=is_test, min_gain=-np.inf
)
best = np.choose(scores.best_single, singles[: len(LAYERS)], mode="clip")
print(f"best single layer, chosen on validation: mean test r {np.nanmean(scores.test_single):.4f}")
print(f"stacked: mean test r {np.nanmean(scores.test_stacked):.4f}")

blocks = np.array_split(np.flatnonzero(is_test), is_test.sum() // BLOCK_TRS)
rng, gains = np.random.default_rng(0), []
for _ in range(N_DRAWS):
    rows = np.concatenate([blocks[i] for i in rng.integers(0, len(blocks), len(blocks))])
    gain = vs.correlation(Y[rows], mix[rows]) - vs.correlation(Y[rows], best[rows])
    gains.append(np.nanmean(gain))
low, high = np.quantile(gains, [0.025, 0.975])
print(f"difference {np.nanmean(scores.difference):.4f}, 95 % over blocks [{low:.4f}, {high:.4f}]")
depth = center_of_mass(stacked.weights_, slice(len(LAYERS)), positions=LAYERS)
print(f"layer of the mix: median {np.nanmedian(depth):.1f}")
