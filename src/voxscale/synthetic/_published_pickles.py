"""Write files as the published ones are: joblib's pickles of classes from the old scripts."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.store import write_aside

__all__ = ["as_textgrid", "as_tr_file", "dump"]

Row = tuple[str, str, str]  # onset, offset, label; the old reader kept text

_CLASSES = {
    "ridge_utils.textgrid": ("TextGrid", "Tier"),
    "ridge_utils.stimulus_utils": ("TRFile",),
}


def dump(value: Any, path: Path, compress: Any = 0) -> None:
    """Write a value with joblib; the classes exist under their old names for as long.

    Parameters
    ----------
    value : object
        May hold what `as_textgrid` and `as_tr_file` make.
    path : Path
    compress : int, str or tuple
        As joblib takes it: 0, ("zlib", 3), ("xz", 1), …
    """
    import joblib

    with _old_classes() as classes, write_aside(path) as temporary:
        joblib.dump(_with_classes(value, classes), temporary, compress=compress)


class _Object(dict[str, Any]):
    """Attributes of an object whose class does not exist yet."""

    kind: str


def _object(kind: str, **attributes: Any) -> _Object:
    made = _Object(attributes)
    made.kind = kind
    return made


def as_textgrid(tiers: dict[str, Sequence[Row]], end_s: float) -> _Object:
    """Describe a TextGrid as the old class held one.

    Parameters
    ----------
    tiers : dict of name to sequence of (onset, offset, label), as text
    end_s : float, in seconds
    """
    made = [
        _object(
            "Tier",
            classid="IntervalTier",
            nameid=name,
            xmin="0.0",
            xmax=str(end_s),
            size=str(len(rows)),
            text_type="ooTextFile",
            simple_transcript=list(rows),
        )
        for name, rows in tiers.items()
    ]
    return _object("TextGrid", size=len(made), xmin="0.0", xmax=str(end_s), tiers=made)


def as_tr_file(n_trs: int, tr_s: float, first_s: float, sound_start_s: float) -> _Object:
    """Describe TR times as the old class held them; seconds on the clock of the log."""
    times = (first_s + tr_s * np.arange(n_trs)).tolist()
    return _object(
        "TRFile",
        trtimes=times,
        soundstarttime=sound_start_s,
        soundstoptime=times[-1] - 5 * tr_s,
        otherlabels=[],
        expectedtr=2.0045,
    )


@contextmanager
def _old_classes() -> Iterator[dict[str, type]]:
    """Make empty classes under their old modules, and remove them again."""
    classes = {}
    modules = {name: types.ModuleType(name) for name in ("ridge_utils", *_CLASSES)}
    before = {name: sys.modules.get(name) for name in modules}
    for name, kinds in _CLASSES.items():
        for kind in kinds:
            classes[kind] = type(kind, (), {"__module__": name})
            setattr(modules[name], kind, classes[kind])
    sys.modules.update(modules)
    try:
        yield classes
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _with_classes(value: Any, classes: dict[str, type]) -> Any:
    if isinstance(value, _Object):
        made = classes[value.kind]()
        made.__dict__.update({name: _with_classes(one, classes) for name, one in value.items()})
        return made
    if isinstance(value, dict):
        return {name: _with_classes(one, classes) for name, one in value.items()}
    if isinstance(value, list):
        return [_with_classes(one, classes) for one in value]
    return value
