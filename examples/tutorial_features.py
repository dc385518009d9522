"""Features of a language model.

Each word is read at its last token, after at most 512 words of context: hidden states of one layer,
at the times of the words, then Lanczos onto the TRs.
"""

# %%
# OPT-125m, layer 9, over 24 stories to train on and one to test on. The miniature brings a model
# of the same family, which has four layers and random weights; a folder or a hub name stands for
# any other.
import numpy as np
from _tutorial import data, own_model, protocol, state

import voxscale as vs

train, test = protocol.stories.train, protocol.stories.test
state(train=train, test=test)
model, layer = own_model()
context = protocol.study.contexts[0]
options = {"layers": [layer], "min_context": context // 2, "max_context": context}
words = {story: data.words[story] for story in [*train, *test]}
states = vs.language_states(words, model, **options, protocol=protocol.design.protocol)[layer]
n_words = sum(len(one) for one in states.values())
print(f"{len(states)} stories, {n_words:,} words, {states['souls'].values.shape[1]} numbers each")

# %%
# The published contexts are one or two words longer than they are called: 34 to 65 words where
# 32 to 64 are asked for. With protocol=None they are what they are called, and states differ a
# little. (At 512, only words after the 512th of a story do.)
short = {"layers": [layer], "min_context": 32, "max_context": 64}
theirs, ours = (
    vs.language_states(data.words["souls"], model, **short, protocol=protocol)[layer].values
    for protocol in ("huth2023", None)
)
moved = np.abs(ours - theirs).max(axis=1) > 1e-4
print(f"{moved.mean():.0%} of the words of souls have other states with their contexts")

# %%
# Onto TRs: a low-pass filter at the rate of the scanner, at the middle of each TR.
tr_times = data.responses["souls"].tr_times
print("on TRs:", vs.lanczos(states["souls"], tr_times).shape)
