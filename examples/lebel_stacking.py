"""One person, five hours of Moth stories: five layers of SmolLM2 and word rate, stacked.

Needs the recordings of LeBel et al. 2023, Scientific Data 10:555 (OpenNeuro ds003020, CC0), as
principal components; docs/data.md, "Real recordings", describes the files:
    python examples/lebel_stacking.py FOLDER
Models and mix learn from 25 stories. Five others say which single layer is best, or which of the
six models that are mixed. All are told on the three test stories, which chose nothing. Intervals
are over stretches of these stories, for models as they are.
"""

import argparse
from pathlib import Path

import numpy as np
from _lebel import RECIPE, RESPONSES, TEXT, lacking, responses, transcripts

import voxscale as vs
from voxscale.evaluate import stacked_scores, story_scores
from voxscale.fit import Stacking, center_of_mass

NAME, LAYERS, N_TRAIN, N_VALIDATION, N_FOLDS = "uts02", [3, 8, 13, 18, 23], 25, 5, 5
N_DRAWS, BLOCK_TRS = 2000, 20

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("folder", type=Path, help=f"holds {TEXT} and {RESPONSES[NAME]}")
folder = parser.parse_args().folder
if complaint := lacking(folder, [TEXT, RESPONSES[NAME]]):
    parser.error(complaint)

words, parts = transcripts(folder), responses(folder, NAME)
bold, stories = parts["train"] | parts["test"], sorted(parts["train"])
train, validation = stories[:N_TRAIN], stories[N_TRAIN:][:N_VALIDATION]
test = sorted(parts["test"])
told = [*validation, *test]
heard = {story: words[story] for story in [*train, *told]}
# Two thirds of the passes that the usual min_context=256 takes.
states = vs.language_states(heard, "smollm2", layers=LAYERS, min_context=128)
spaces = {f"layer {layer}": states[layer] for layer in LAYERS} | {"word rate": vs.word_rate(heard)}


def join(stories):
    """Return designs by name, and the responses."""
    joined = {name: RECIPE.join(space, bold, stories) for name, space in spaces.items()}
    return {name: X for name, (X, _) in joined.items()}, joined["word rate"][1]


designs, Y = join(train)
lengths = RECIPE.run_lengths(bold, train)
n_chunks = len(Y) // 20 // 4  # a quarter of the rows, in chunks of 20 TRs
cv = vs.chunk_holdout(
    len(Y), chunk_len=20, n_chunks=n_chunks, n_repeats=3, seed=0, run_lengths=lengths
)
group = np.repeat(np.arange(N_TRAIN) % N_FOLDS, lengths)  # every fifth story is left out together
folds = [(np.flatnonzero(group != i), np.flatnonzero(group == i)) for i in range(N_FOLDS)]
stacked = Stacking(vs.RidgeCV(np.logspace(2, 7, 11), cv), folds).fit(list(designs.values()), Y)

designs, Y = join(told)
trs = dict(zip(told, RECIPE.run_lengths(bold, told), strict=True))
each = dict(zip(designs, stacked.predict_each(list(designs.values())), strict=True))
mix = stacked.predict(list(designs.values()))


def best_of_each(names):
    """Predict each component by the model that validates best; NaN where none has a score."""
    some, own = {name: each[name] for name in names}, np.full_like(mix, np.nan)
    scores = stacked_scores(Y, mix, some, trs, validation=validation, test=test)
    for i, name in enumerate(names):
        chosen = scores.best_single.chosen == i
        own[:, chosen] = each[name][:, chosen]
    return own, np.bincount(scores.best_single.chosen + 1, minlength=len(names) + 1)[1:]


best_layer, _ = best_of_each([name for name in each if name != "word rate"])
best_model, n_chosen = best_of_each(list(each))
for name, count, weight in zip(each, n_chosen, np.nanmean(stacked.weights_, axis=0), strict=True):
    print(f"{name}: best for {count} components, weighs {weight:.3f}")
by_model = story_scores(Y, each, trs, only=validation)
one = by_model.models[int(np.nanmean(by_model.scores, axis=1).argmax())]

stops = dict(zip(trs, np.cumsum(list(trs.values())), strict=True))
rng = np.random.default_rng(0)


def test_rows(is_drawn):
    """Return the rows of the test stories: as they are, or blocks drawn around in each's circle."""
    rows = []
    for story in test:
        n_trs = trs[story]
        places = np.arange(n_trs)
        if is_drawn:
            first = rng.integers(0, n_trs, -(-n_trs // BLOCK_TRS))
            places = (first[:, None] + np.arange(BLOCK_TRS)).ravel()[:n_trs] % n_trs
        rows.append(stops[story] - n_trs + places)
    return np.concatenate(rows)


contenders = {
    "best layer of each component": best_layer,
    "best of the six models for each component": best_model,
    f"{one}, the best for all components together": each[one],
}
r = np.array(
    [
        [np.nanmean(vs.correlation(Y[rows], p[rows])) for p in (mix, *contenders.values())]
        for rows in [test_rows(is_drawn=i > 0) for i in range(1 + N_DRAWS)]
    ]
)
print(f"stacked: mean test r {r[0, 0]:.4f} over {Y.shape[1]} components")
for i, name in enumerate(contenders, start=1):
    gain = r[:, 0] - r[:, i]
    low, high = np.quantile(gain[1:], [0.025, 0.975])
    print(f"{name}: {r[0, i]:.4f}; stacked gains {gain[0]:.4f}, 95 % [{low:.4f}, {high:.4f}]")
depth = center_of_mass(stacked.weights_, slice(len(LAYERS)), positions=LAYERS)
print(f"layer of the mix: median {np.nanmedian(depth):.1f}")

# It printed:
# layer 3: best for 12 components, weighs 0.065
# layer 8: best for 22 components, weighs 0.117
# layer 13: best for 32 components, weighs 0.209
# layer 18: best for 74 components, weighs 0.360
# layer 23: best for 49 components, weighs 0.193
# word rate: best for 11 components, weighs 0.056
# stacked: mean test r 0.1823 over 200 components
# best layer of each component: 0.1770; stacked gains 0.0053, 95 % [0.0023, 0.0087]
# best of the six models for each component: 0.1763; stacked gains 0.0060, 95 % [0.0028, 0.0096]
# layer 18, the best for all components together: 0.1820; stacked gains 0.0003,
#   95 % [-0.0027, 0.0034]
# layer of the mix: median 16.1
