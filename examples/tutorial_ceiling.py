"""Noise ceiling, and room for improvement.

One test story was heard ten times. What repeats from one time to the next is signal, and bounds
what any model can explain.
"""

# %%
# Rows of the repeats are those of the test protocol: from TR 50 on.
import numpy as np
from _tutorial import WHO, box, cortex, data, predictions, protocol, save, state

import voxscale as vs
from voxscale.evaluate import noise_ceiling_huth2023
from voxscale.reports import flatmap_2d

story = protocol.ceiling.story
state(test=[story])
recipe = protocol.recipe(test=[story])
X, Y = recipe.join(box.features(), data.responses, [story])
Y_pred = predictions(X, [story])
kept = recipe.kept_trs(data.responses[story])
trials = np.stack([one.between(kept.start, kept.stop).values for one in data.trials[story]])
print(f"{story}: {len(trials)} repeats of TRs {kept.start} to {kept.stop - 1}")

# %%
# Signal power, and cc_max, the correlation that a perfect model would have with the mean of ten.
# A voxel without signal has no ceiling: NaN. The notebook has 0 there, and infinite cc_norm.
ceiling = vs.noise_ceiling(trials, total_power=1 if protocol.ceiling.unit_power else None)
published = noise_ceiling_huth2023(trials, Y_pred)
has = np.isfinite(ceiling.cc_max)
print(
    f"{has.sum()} of {has.size} voxels have a ceiling; median {np.median(ceiling.cc_max[has]):.2f}"
)
print("largest difference from the published arithmetic, where both have a number:",
      f"{np.abs(ceiling.cc_max[has] - published.cc_max[has]).max():.1e}")  # fmt: skip

# %%
# Correlation where the ceiling is above 0.35; elsewhere the folds of the cortex show.
r = ceiling.cc_abs(Y_pred)
is_shown = ceiling.cc_max > protocol.ceiling.above
shown = np.where(is_shown, r, np.nan)
figure = vs.flatmap(
    shown,
    cortex,
    label="correlation",
    vmin=-1,
    vmax=1,
    cmap="RdBu_r",
    title=f"{WHO}: {story}, where cc_max > {protocol.ceiling.above}",
)
save(figure, "ceiling-r")

# %%
# Room for improvement: what the ceiling leaves, against the ceiling itself. It may be below 0,
# since the ceiling is an estimate.
room = np.where(is_shown, ceiling.cc_max - r, np.nan)
figure = flatmap_2d(
    room, ceiling.cc_max, cortex, cmap="plasma_alpha", vmin=0, vmax=0.5, vmin2=0.2, vmax2=0.7,
    label="cc_max - r", label2="cc_max", title=f"{WHO}: room for improvement",
)  # fmt: skip
save(figure, "ceiling-room")
