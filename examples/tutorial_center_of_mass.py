"""Where in the speech model.

The centre of mass of a voxel's weights over the speech layers says how deep in Whisper the
features lie that predict it.
"""

# %%
# The notebook does not divide by the weight that the speech layers have together: the more
# language a voxel has, the shallower it seems. Both are shown.
import numpy as np
from _tutorial import SUBJECT, WHO, box, cortex, protocol, save, state

import voxscale as vs
from voxscale.data.antonello2023 import one_array
from voxscale.fit import center_of_mass

state(test=[*protocol.stacking.test, *protocol.stacking.validation])
files = box.stacking(SUBJECT)
R = one_array(files.residual_covariances)
kept = [model for model in range(R.shape[1]) if model not in protocol.stacking.leave_out]
weights = vs.stacking_weights(R[:, kept][:, :, kept])
speech = slice(0, len(files.speech))
as_published = center_of_mass(weights, speech, renormalize=False)
as_intended = center_of_mass(weights, speech)
share = weights[:, speech].sum(axis=1)
print(f"median centre: {np.nanmedian(as_intended):.1f} of {len(files.speech) - 1}, "
      f"as published {np.nanmedian(as_published):.1f}")  # fmt: skip

# %%
# Positions are numbers of the 16 layers used, 0 to 15; in Whisper they are layers 2, 4, … 32. The
# bar ends at 16, as theirs.
options = {"label": "position among the layers", "vmin": 0, "vmax": 16, "cmap": "hot"}
figure = vs.flatmap(as_published, cortex, **options, title=f"{WHO}: centre of mass, as published")
save(figure, "center-of-mass-published")

# %%
# Divided by the speech layers' own weight, where they have at least a tenth of it.
figure = vs.flatmap(
    np.where(share >= 0.1, as_intended, np.nan),
    cortex,
    **options,
    title=f"{WHO}: centre of mass of the speech layers",
)
save(figure, "center-of-mass")
