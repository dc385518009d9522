"""Alice in Wonderland, six regions: what SmolLM2 explains beyond rate, sound and position.

Needs the files of examples/alice.py (Brennan et al. 2016, Brain and Language 157-158:81-94,
CC BY 4.0), and the sound power under an HRF that is shared beside them:
    python examples/alice_unique.py [--check] FOLDER
Every fifth of the story is predicted from the rest, by models of all unions of four spaces. There
is one story, so p-values are from all 351 shifts of it in time, and none can be below 1/352. It
prints, the last six lines with --check:

    mean of 27 people, 352 TRs; baselines: word rate, sound power, position
    region  r2 of all  baselines  unique to SmolLM2  partial r      p      q
    LATL        0.475      0.120              0.355      0.405  0.003  0.003
    RATL        0.187     -0.067              0.254      0.313  0.003  0.003
    LPTL        0.528      0.036              0.492      0.400  0.003  0.003
    LIPL        0.482      0.188              0.294      0.274  0.003  0.003
    LPreM       0.396      0.063              0.334      0.412  0.003  0.003
    LIFG        0.271     -0.026              0.296      0.405  0.003  0.003
    each person alone: means over people, and for how many q < 0.05
    region  r2 of all  baselines  unique to SmolLM2  partial r  people
    LATL        0.243      0.189              0.054      0.103       0
    RATL        0.223      0.190              0.032      0.046       3
    LPTL        0.213      0.150              0.063      0.094       3
    LIPL        0.134      0.109              0.025      0.040       1
    LPreM       0.148      0.118              0.030      0.070       1
    LIFG        0.180      0.146              0.035      0.068       6
    14 of 162 regions of single people have q < 0.05, in 9 people;
    8 give SmolLM2 no weight, and count as p = 1
    baselines with one weight for all folds, instead of one for each:
    largest q of the mean 0.017; 0 of 162 regions
    SmolLM2 moved by 20 lags: mean partial r, share of p <= 0.05
    weights of baselines one for each, mean of people: -0.017, 0.067
    weights of baselines one for each, single people: -0.011, 0.051
    weights of baselines one for all, mean of people: -0.274, 0.000
    weights of baselines one for all, single people: -0.173, 0.010
    r2 unique to it, mean of people: 0.013, at most 0.155

So SmolLM2 survives the shift null in the mean response of every region, and in few regions of
single people. Their responses drift: position is most of what any model predicts of them. The test
takes more from slow responses than r2 of the baselines does, so that the partial correlation is
smaller than the unique r2 would have it. Each fold was predicted by a model of its own, so each has
its own weights of baselines in the test. One for all was tried first: it finds the mean of all
regions, and no single person; of SmolLM2 moved it finds far less than the 0.05 that it should.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np

import voxscale as vs
from voxscale.errors import VoxscaleWarning
from voxscale.evaluate import fdr, partition, position_features, union_predictions, unique_test

STORY, PEOPLE = "alice_stim_shared/*.TextGrid", "alice_data_shared/10mm/s*-timecourses.txt"
SOUND = "alice_data_shared/s*-sndpwr.txt"
REGIONS = ("LATL", "RATL", "LPTL", "LIPL", "LPreM", "LIFG")
TR_S, VOLUME_0_S, LAYER, TRIM = 2.0, 20.0, 15, 5
LANGUAGE = "SmolLM2"
MOVED = range(20, 340, 16)  # TRs, for --check

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("folder", type=Path, help=f"holds {STORY},\n{PEOPLE}\nand {SOUND}")
text = f"also move the language model by {len(MOVED)} lags: how often is chance found?"
parser.add_argument("--check", action="store_true", help=text)
asked = parser.parse_args()
for pattern in (STORY, PEOPLE, SOUND):
    if not any(asked.folder.glob(pattern)):
        parser.error(f"there is no {asked.folder / pattern}; see 'Real recordings' in docs/data.md")


def series(pattern):
    """Read a file of each person but s33, whose responses are all zeros."""
    files = sorted(asked.folder.glob(pattern))
    return [np.loadtxt(path) for path in files if "s33" not in path.name]


words = vs.read_transcript(next(asked.folder.glob(STORY)))
people = [vs.zscore(person) for person in series(PEOPLE)]
together = np.hstack([np.mean(people, axis=0), *people])  # the mean of all, then each
tr_times = VOLUME_0_S + TR_S * (np.arange(len(together)) + 0.5)
bold = {"alice": vs.TRSeries(together, "alice", 0, tr_times)}
recipe = vs.DesignRecipe(trim=(TRIM, TRIM))
states = vs.language_states({"alice": words}, "smollm2", layers=[LAYER])[LAYER]
language, Y = recipe.join(states, bold, ["alice"])
rate, _ = recipe.join({"alice": vs.word_rate(words)}, bold, ["alice"])
# The same sound for all. It is under an HRF already; a TR to each side lets that be off.
power = vs.delay(np.mean(series(SOUND), axis=0)[:, np.newaxis], (-1, 0, 1))
(position,) = position_features([len(Y)])
baselines = {
    "word rate": rate,
    "sound power": vs.zscore(power[TRIM:-TRIM]),
    "position": position.astype(np.float32),
}
folds = np.array_split(np.arange(len(Y)), 5)


def predicted(language):
    """Predict every fold from the others, by each union of spaces: {union: (n_trs, n_regions)}."""
    spaces = {LANGUAGE: language, **baselines}
    predictions = {}
    for held in folds:
        near = np.arange(held[0] - 8, held[-1] + 9)  # and nothing within 8 TRs of them
        train = np.setdiff1d(np.arange(len(Y)), near)
        pairs = {name: (space[train], space[held]) for name, space in spaces.items()}
        model = vs.RidgeCV(np.logspace(1, 6, 11), cv=5)
        for union, prediction in union_predictions(pairs, Y[train], model):
            predictions.setdefault(union, np.empty_like(Y))[held] = prediction
    return predictions


whole = np.hstack(list(baselines.values()))
# Each fold was predicted with weights, and a mean, of its own. So baselines are too: one weight
# for all folds leaves in the prediction what the folds weighed differently.
by_fold = np.zeros((len(Y), len(folds), 1 + whole.shape[1]))
for i, held in enumerate(folds):
    by_fold[held, i] = np.hstack([np.ones((len(held), 1)), whole[held]])
by_fold = by_fold.reshape(len(Y), -1)


def tested(prediction, columns):
    """Return partial correlations and p-values; where only baselines have weights, NaN and 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VoxscaleWarning)
        test = unique_test(Y, prediction, columns, n_permutations=len(Y) - 1)
    return test.observed, np.nan_to_num(test.p_values, nan=1.0)


n = len(REGIONS)
predictions = predicted(language)
full, beside = (LANGUAGE, *baselines), tuple(baselines)
scores = {union: vs.r2(Y, prediction) for union, prediction in predictions.items()}
parts = partition(scores)
r, p = tested(predictions[full], by_fold)
q_mean, q_each = fdr(p[:n]), fdr(p[n:]).reshape(-1, n)  # single people are one family

print(f"mean of {len(people)} people, {len(Y)} TRs; baselines: {', '.join(baselines)}")
print("region  r2 of all  baselines  unique to SmolLM2  partial r      p      q")
columns = [parts.total, scores[beside], parts.unique[LANGUAGE], r]
for i, region in enumerate(REGIONS):
    a, b, c, d = (column[i] for column in columns)
    print(f"{region:6}  {a:9.3f}  {b:9.3f}  {c:17.3f}  {d:9.3f}  {p[i]:.3f}  {q_mean[i]:.3f}")
print("each person alone: means over people, and for how many q < 0.05")
print("region  r2 of all  baselines  unique to SmolLM2  partial r  people")
means = [np.nanmean(column[n:].reshape(-1, n), axis=0) for column in columns]
for i, region in enumerate(REGIONS):
    a, b, c, d = (column[i] for column in means)
    print(f"{region:6}  {a:9.3f}  {b:9.3f}  {c:17.3f}  {d:9.3f}  {(q_each[:, i] < 0.05).sum():6}")
n_people = (q_each < 0.05).any(axis=1).sum()
print(
    f"{(q_each < 0.05).sum()} of {q_each.size} regions of single people have q < 0.05, in "
    f"{n_people} people;\n{np.isnan(r[n:]).sum()} give SmolLM2 no weight, and count as p = 1"
)
r, p = tested(predictions[full], whole)
q_mean, q_each = fdr(p[:n]), fdr(p[n:])
print("baselines with one weight for all folds, instead of one for each:")
print(f"largest q of the mean {q_mean.max():.3f}; {(q_each < 0.05).sum()} of {q_each.size} regions")

if asked.check:
    chance = [predicted(np.roll(language, lag, axis=0))[full] for lag in MOVED]
    print(f"SmolLM2 moved by {len(MOVED)} lags: mean partial r, share of p <= 0.05")
    for name, columns in (("one for each", by_fold), ("one for all", whole)):
        found = [tested(prediction, columns) for prediction in chance]
        for who, some in (("mean of people", slice(n)), ("single people", slice(n, None))):
            r = np.nanmean([r[some] for r, _ in found])
            share = np.mean([p[some] <= 0.05 for _, p in found])
            print(f"weights of baselines {name}, {who}: {r:.3f}, {share:.3f}")
    unique = np.array([vs.r2(Y, moved) - scores[beside] for moved in chance])[:, :n]
    print(f"r2 unique to it, mean of people: {unique.mean():.3f}, at most {unique.max():.3f}")
