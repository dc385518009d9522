"""Stacking speech and language.

Sixteen layers of Whisper and one of LLaMA-30B each predict every voxel. A voxel's mix is the
weighted mean of them that errs least on training stories; weights are at least 0 and sum to 1.
"""

# %%
# The products of the models' residuals are published. Some hold NaN: those voxels get no weights,
# and are counted. The first of the 18 models, an embedding, is left out, as in the notebook.
import numpy as np
from _tutorial import SUBJECT, WHO, box, cortex, data, protocol, save, state

import voxscale as vs
from voxscale.data.antonello2023 import one_array
from voxscale.evaluate import stacked_scores
from voxscale.fit import stacked_prediction

files, how = box.stacking(SUBJECT), protocol.stacking
state(test=[*how.test, *how.validation])
R = one_array(files.residual_covariances)
kept = [model for model in range(R.shape[1]) if model not in how.leave_out]
weights = vs.stacking_weights(R[:, kept][:, :, kept])
print(f"weights of {np.isfinite(weights[:, 0]).sum()} voxels, {weights.shape[1]} models")

# %%
# Attribution: the share of the language model. Red: speech alone; blue: language alone.
options = {"vmin": 0, "vmax": 1, "cmap": "RdBu", "label": "weight of LLaMA"}
title = f"{WHO}: how much of the mix is language"
figure = vs.flatmap(weights[:, -1], cortex, title=title, **options)
save(figure, "stacking-attribution")

# %%
# The mix. The notebook multiplied the language model's weight with the last speech layer's
# predictions; protocol="huth2023" repeats that.
models = [one_array(path, lazy=True) for path in (*files.speech, files.language)]
Y = one_array(files.responses)
mixes = {
    "as intended": stacked_prediction(models, weights),
    "as published": stacked_prediction(models, weights, protocol="huth2023"),
}

# %%
# Where does the mix beat the language model? Two stories decide, by more than 0.05, and the third
# tells what was gained.
recipe = protocol.recipe(test=[*how.test, *how.validation])
lengths = recipe.run_lengths(data.responses, [*how.test, *how.validation])
stories = dict(zip([*how.test, *how.validation], lengths, strict=True))
gains = {}
for name, mix in mixes.items():
    scores = stacked_scores(
        Y, mix, {"LLaMA": models[-1]}, stories,
        validation=how.validation, test=how.test, min_gain=how.min_gain,
    )  # fmt: skip
    gain = np.nanmean(scores.difference[scores.is_stacked])
    n_voxels = scores.is_stacked.sum()
    print(f"{name}: the mix is taken in {n_voxels} voxels; mean gain there {gain:.3f}")
    gains[name] = np.where(scores.is_stacked, scores.difference, np.nan)

# %%
# What mixing gained on the test story, where it was taken; elsewhere the language model was kept,
# the gain is 0, and the folds show.
options = {"vmin": -0.5, "vmax": 0.5, "cmap": "RdBu_r", "label": "gain in r"}
for name, gain in gains.items():
    figure = vs.flatmap(gain, cortex, title=f"{WHO}: stacked minus LLaMA, {name}", **options)
    save(figure, f"stacking-gain-{name.split()[-1]}")
