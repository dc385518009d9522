"""Files such as those that were published, written by joblib itself; their classes are made up."""

import contextlib
import sys
import types

import joblib
import numpy as np
import pandas as pd

COMPRESSIONS = [0, "zlib", "gzip", "bz2", "xz", "lzma"]
PLACES = {  # where the published files' classes were defined
    "TextGrid": "ridge_utils.textgrid",
    "Tier": "ridge_utils.textgrid",
    "TRFile": "ridge_utils.stimulus_utils",
    "DataSequence": "ridge_utils.DataSequence",
}


@contextlib.contextmanager
def old_modules():
    """Let the modules of the published classes exist while a file is written."""
    made = {"ridge_utils": types.ModuleType("ridge_utils")}
    for name, module in PLACES.items():
        made.setdefault(module, types.ModuleType(module))
        setattr(made["ridge_utils"], module.partition(".")[2], made[module])
        setattr(made[module], name, type(name, (), {"__module__": module}))
    before = {name: sys.modules.get(name) for name in made}
    sys.modules.update(made)
    try:
        yield {name: getattr(made[module], name) for name, module in PLACES.items()}
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def filled(cls, **attributes):
    made = cls()
    made.__dict__.update(attributes)
    return made


def text_grid(classes, words):
    """Return a TextGrid with a tier of words, and one of points, as the old reader left it."""
    entries = [(str(i / 2), str(i / 2 + 0.5), word) for i, word in enumerate(words)]
    end = str(len(words) / 2)
    word = filled(
        classes["Tier"], classid="IntervalTier", nameid="word", xmin=0.0, xmax=float(end),
        size=len(words), simple_transcript=entries,
    )  # fmt: skip
    beep = filled(
        classes["Tier"], classid="TextTier", nameid="beep", xmin=0.0, xmax=float(end), size=1,
        simple_transcript=[("0.25", 'a "b"')],
    )  # fmt: skip
    return filled(
        classes["TextGrid"], read_file="", size=2, xmin=0.0, xmax=float(end), tiers=[word, beep]
    )


def tr_file(classes, n_trs):
    times = [10.0 + 2 * i for i in range(n_trs)]
    return filled(
        classes["TRFile"], trtimes=times, soundstarttime=20.0, soundstoptime=60.0,
        otherlabels=[(5.0, "hello there")], expectedtr=2.0045,
    )  # fmt: skip


def sequence(classes, words):
    n = len(words)
    return filled(
        classes["DataSequence"], data=list(words), split_inds=np.arange(1, n),
        data_times=np.arange(n) / 2,
        tr_times=np.arange(n) * 2.0,
    )  # fmt: skip


def arrays(seed=3):
    rng = np.random.default_rng(seed)
    return {
        "C": rng.standard_normal((50, 7)),
        "F": np.asfortranarray(rng.standard_normal((5, 7)).astype("f4")),
        "swapped": np.arange(3, dtype=">i4"),
        "text": np.array(["a", "bcé"]),
        "objects": np.array(["x", None, [1, 2]], object),
        "none": np.zeros((0, 3)),
        "one": np.array(3.0),
        "days": np.array(["2020-01-01"], "M8[D]"),
        "fields": np.ones(2, [("a", "f4"), ("b", "i2")]),
        "complex": np.array([1j]),
        "truth": np.array([True, False]),
    }


def tables():
    return {
        "frame": pd.DataFrame(
            {"a": [1.0, 2], "b": ["x", "yé"], "c": [1, 2], "d": [3.0, 4]}, index=["p", "q"]
        ),
        "series": pd.Series([1, 2], name="k"),
        "index": pd.Index([1, 5]),
    }


def plain():
    shared = [1, 2]
    return {
        "scalar": np.float64(2.5), "set": {1, 2}, "frozen": frozenset("ab"), "imaginary": 1j,
        "range": range(3), "bytes": b"\xff\x00", "bytearray": bytearray(b"xy"), "large": 2**100,
        "tuple": (1, 2, 3, 4), "words": "é\U0001f600", "truths": (True, False, None),
        "negative": -5, "empty": [set(), {}, (), [], ""], (1, "key"): shared, "again": shared,
        "float": 0.1, "slice": slice(1, None, 2),
    }  # fmt: skip


def dump(value, path, compression=0, protocol=4):
    joblib.dump(value, path, (compression, 3) if compression else 0, protocol)
    return path
