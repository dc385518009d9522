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
print(f"{len(states)} stories, {n_words} words of {states['souls'].values.shape[1]} numbers")

# %%
# The published contexts are one or two words longer than its text says. With protocol=None they are
# what they are called; states of words after the 512th of a story then differ a little.
ours = vs.language_states(data.words["souls"], model, **options)[layer]
moved = np.abs(ours.values - states["souls"].values).max(axis=1) > 1e-4
print(f"{moved.mean():.0%} of the words of souls differ by more than 1e-4")

# %%
# Onto TRs: a low-pass filter at the rate of the scanner, at the middle of each TR.
tr_times = data.responses["souls"].tr_times
print("on TRs:", vs.lanczos(states["souls"], tr_times).shape)
