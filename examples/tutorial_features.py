"""Features of a language model.

Each word is read at its last token, after at most 512 words of context: hidden states of one layer,
at the times of the words, then Lanczos onto the TRs.
"""

# %%
# OPT-125m, layer 9, in the notebook. The miniature brings a model of the same family, which has
# four layers and random weights; a folder or a hub name stands for any other.
import numpy as np
from _tutorial import RELEASED, data, protocol

import voxscale as vs

folder = RELEASED / "models" / "opt-tiny"
model, layer = (str(folder), 2) if folder.is_dir() else ("facebook/opt-125m", 9)
stories = ["souls", "wheretheressmoke"]
context = protocol.study.contexts[0]
states = vs.language_states(
    {story: data.words[story] for story in stories}, model, layers=[layer],
    min_context=context // 2, max_context=context, protocol=protocol.design.protocol,
)[layer]  # fmt: skip
for story, one in states.items():
    print(f"{story}: {one.values.shape[0]} words of {one.values.shape[1]} numbers")

# %%
# The published contexts are one or two words longer than its text says. With protocol=None they are
# what they are called; states of words after the 512th of a story then differ a little.
ours = vs.language_states(
    data.words["souls"], model, layers=[layer], min_context=context // 2, max_context=context
)[layer]
moved = np.abs(ours.values - states["souls"].values).max(axis=1) > 1e-4
print(f"{moved.mean():.0%} of the words of souls differ by more than 1e-4")

# %%
# Onto TRs: a low-pass filter at the rate of the scanner, at the middle of each TR.
tr_times = data.responses["souls"].tr_times
print("on TRs:", vs.lanczos(states["souls"], tr_times).shape)
