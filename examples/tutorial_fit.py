"""A fit of one's own.

Ridge regression voxel by voxel: the penalty that predicts held-out chunks of training stories best,
then weights from all of them, then a story that no one has seen.
"""

# %%
# Everything that the notebook chose is in the protocol; a study takes it over with
# protocol = "huth2023". Its alphas are square roots of penalties: its 10 is 100 here.
import numpy as np
from _tutorial import WHO, cortex, data, own_model, protocol, save, state

import voxscale as vs
from voxscale.evaluate import reduce_scores

train, test = list(protocol.stories.train), list(protocol.stories.test)
state(train=train, test=test, is_reduced=True)

# %%
# Features are those of the last page. With delays they are 3,072 columns, for which the weights of
# a whole brain take 1.2 GB; the published features of OPT-30B would make 28,672 and 11 GB.
model, layer = own_model()
context = protocol.study.contexts[0]
words = {story: data.words[story] for story in [*train, *test]}
features = vs.language_states(
    words, model, layers=[layer], min_context=context // 2, max_context=context,
    protocol=protocol.design.protocol,
)[layer]  # fmt: skip
recipe = protocol.recipe()
X, Y = recipe.join(features, data.responses, train)
print(f"{len(train)} training stories, {len(X)} TRs, {X.shape[1]} columns")

# %%
# The notebook draws its chunks from an unseeded generator; here they have a seed. Voxels at the
# largest alpha are those that nothing predicts.
cv = protocol.splits(recipe.run_lengths(data.responses, train), seed=0)
fit = vs.RidgeCV(protocol.fit.penalties, cv, scoring=protocol.fit.scoring).fit(X, Y)
values, counts = np.unique(fit.best_alphas_, return_counts=True)
for alpha, count in zip(values, counts, strict=True):
    print(f"alpha {alpha:.3g} (theirs: {np.sqrt(alpha):.3g}): {count} voxels")

# %%
# The notebook calls the map "correlation"; it is the signed root of R². Both are told.
X, Y = recipe.join(features, data.responses, test)
Y_pred = fit.predict(X)
explained = vs.r2(Y, Y_pred)
signed_root, r = np.sign(explained) * np.sqrt(np.abs(explained)), vs.correlation(Y, Y_pred)
print(f"signed root of R², mean of voxels: {np.nanmean(signed_root):.3f}")
for reducer in protocol.evaluate.reducers:
    print(reduce_scores(r, reducer, metric="r"))
for name, scores in (("signed root of R²", signed_root), ("correlation", r)):
    options = {"vmin": -1, "vmax": 1, "cmap": "RdBu_r", "label": name}
    figure = vs.flatmap(scores, cortex, title=f"{WHO}: {test[0]}, {name}", **options)
    save(figure, "fit-r2" if "R²" in name else "fit-r")
