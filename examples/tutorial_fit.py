"""A fit of one's own.

Ridge regression voxel by voxel: the penalty that predicts held-out chunks of training stories best,
then weights from all of them, then a story that no one has seen.
"""

# %%
# Everything that the notebook chose is in the protocol; a study takes it over with
# protocol = "huth2023". Its alphas are square roots of penalties: its 10 is 100 here.
from importlib.resources import files

import numpy as np
from _tutorial import SUBJECT, box, cortex, data, protocol, save

import voxscale as vs

text = (files("voxscale.study") / "protocols" / "huth2023.toml").read_text(encoding="utf-8")
print(text[text.index("[design]") : text.index("[evaluate]")].strip())

# %%
# Features are those of the published file; those of the last page would do as well.
train, test = list(protocol.stories.train), list(protocol.stories.test)
recipe, features = protocol.recipe(), box.features()
X, Y = recipe.join(features, data.responses, train)
print(f"{len(train)} training stories, {len(X)} TRs; {len(protocol.splits([len(X)]))} splits")

# %%
# The notebook draws its chunks from an unseeded generator; here they have a seed.
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
print(
    f"{test[0]}: mean signed root of R² {np.nanmean(signed_root):.3f}, mean r {np.nanmean(r):.3f}"
)
for name, scores in (("signed root of R²", signed_root), ("correlation", r)):
    figure = vs.flatmap(
        scores,
        cortex,
        label=name,
        vmin=-1,
        vmax=1,
        cmap="RdBu_r",
        title=f"{SUBJECT}: {test[0]}, {name}",
    )
    save(figure, "fit-r2" if "R²" in name else "fit-r")
