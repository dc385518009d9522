"""Measure what makes slopes differ in simulated brains: what `voxscale power` assumes.

python benchmarks/power_defaults.py [--seeds 5] [--out benchmarks/results/power_defaults.json]

Eight subjects hear eight test stories of ten minutes once; ridge models of four sizes are fitted to
four training stories of ten minutes, and the mean correlation over voxels of each test story goes
into the crossed analysis of variance. How subjects differ is what the simulator is told: in the
maps of weights and of ceilings, in the haemodynamic response, and in the share of signal that no
model reaches. The figures on the page on power are the ranges that this prints.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from _machine import machine_facts

from voxscale.design import delay
from voxscale.evaluate import correlation
from voxscale.scaling import slope_components
from voxscale.synthetic import PlantedLaw, ScalingBrains

SIZES = (1.25e8, 1.3e9, 6.7e9, 3e10)
LAWS = (PlantedLaw(0.62, 2.8, 0.15), PlantedLaw(0.55, 9.0, 0.25))  # so that slopes are about 0.01
PENALTY = 300.0
NAMES = ("slope", "subject_sd", "story_sd", "shared_story_sd", "size_sd")


def story_scores(brains: ScalingBrains) -> np.ndarray:
    """Fit every size in every subject, and score each test story: (sizes, subjects, stories)."""
    lost = brains.n_taps - 1
    scores = np.empty((len(SIZES), brains.n_subjects, brains.n_test))
    for i, size in enumerate(SIZES):
        designs = {
            story: delay(one.values, range(brains.n_taps))[lost:]
            for story, one in brains.features(size).items()
        }
        for subject in range(brains.n_subjects):
            heard = brains.responses(subject)
            X = np.concatenate([designs[story] for story in heard])
            Y = np.concatenate([one.values for one in heard.values()])
            weights = np.linalg.solve(X.T @ X + PENALTY * np.eye(X.shape[1]), X.T @ Y)
            for j, (story, repeats) in enumerate(brains.trials(subject).items()):
                r = correlation(repeats[0].values, designs[story] @ weights)
                scores[i, subject, j] = r.mean()
    return scores


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    found, means = [], []
    for seed in range(options.seeds):
        brains = ScalingBrains(
            SIZES, laws=LAWS, n_subjects=8, n_test=8, n_repeats=1, n_trs=300,
            signal_share=(0.05, 0.35),
            unreachable=0.5, hrf_sd_s=0.5, seed=seed,
        )  # fmt: skip
        scores = story_scores(brains)
        means.append(float(scores.mean()))
        found.append(slope_components(SIZES, scores, design="crossed"))
    table = {name: [getattr(one, name) for one in found] for name in NAMES}
    print(f"mean r {np.mean(means):.3f}; of {options.seeds} simulated studies:")
    for name, values in table.items():
        print(f"  {name:<15} {min(values):.4f} to {max(values):.4f}, mean {np.mean(values):.4f}")
    if options.out is not None:
        facts = {"machine": machine_facts(), "mean_r": means, "components": table}
        options.out.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
