"""Predictions from published weights.

The published folder has features of OPT-30B, layer 33, and the weights of a fit to one subject.
Their product is a prediction of every voxel for stories that the fit never saw.
"""

# %%
# The protocol says what was done: which stories, how many TRs were cut, which delays.
import numpy as np
from _tutorial import WHO, box, cortex, data, predictions, protocol, save, state

import voxscale as vs
from voxscale.data.antonello2023 import TEST
from voxscale.evaluate import reduce_scores

state(test=TEST, is_reduced=True)
recipe = protocol.recipe(test=TEST)
print(data)

# %%
# Stored responses lack the first 10 TRs of a story. Features and responses are joined by TR
# number here; the notebook cuts rows 50 to -5 of one and from row 40 of the other.
X, Y = recipe.join(box.features(), data.responses, TEST)
print("design", X.shape, "responses", Y.shape)

# %%
# The weights of 95,556 voxels take 11 GB. They are read once, in blocks, and never held.
Y_pred = predictions(X, TEST)
r = vs.correlation(Y, Y_pred)
print(f"{np.isfinite(r).sum()} voxels, best r = {np.nanmax(r):.2f}")
for metric, scores in (("r", r), ("signed_r2", vs.signed_r2(Y, Y_pred))):
    for reducer in protocol.evaluate.reducers:
        print(reduce_scores(scores, reducer, metric=metric))

# %%
# Correlation over all test stories, on the subject's own flattened cortex.
figure = vs.flatmap(
    r,
    cortex,
    label="correlation",
    vmin=-1,
    vmax=1,
    cmap="RdBu_r",
    title=f"{WHO}: OPT-30B, layer 33",
)
save(figure, "predictions-r")
