"""One voxel, ten times.

What a single voxel did each time a story was heard, their mean, and what the model said.
"""

# %%
# The notebook shows voxel 55,879 of 95,556. Where there are fewer, the best predicted one is shown.
import numpy as np
from _tutorial import box, data, predictions, protocol, save, state

import voxscale as vs
from voxscale.reports import course_table, time_courses

story, published_voxel = protocol.ceiling.story, 55_879
state(test=[story])
recipe = protocol.recipe(test=[story])
X, Y = recipe.join(box.features(), data.responses, [story])
Y_pred = predictions(X, [story])
r = vs.correlation(Y, Y_pred)
voxel = published_voxel if len(r) > published_voxel else int(np.nanargmax(r))
print(f"voxel {voxel:,}: r = {r[voxel]:.2f} with the mean of {len(data.trials[story])} repeats")

# %%
# Faint: single repeats. Black: their mean. In colour: the prediction.
series = data.responses[story]
kept = recipe.kept_trs(series)
repeats = [one.between(kept.start, kept.stop).values[:, voxel] for one in data.trials[story]]
times = series.tr_times[kept.start : kept.stop]
table = course_table(f"voxel {voxel:,}, r = {r[voxel]:.2f}", times, repeats, Y_pred[:, voxel])
save(time_courses(table, story=story), "time-course")
