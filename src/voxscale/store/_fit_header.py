"""What a stored fit says about itself: what it is a fit of, and how far it has come."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from voxscale.errors import StoreError
from voxscale.store._aside import write_aside
from voxscale.store._lock import LOCK_NAME

__all__ = ["FitHeader"]

_FILE = "zarr.json"  # so that the folder is a group of zarr
_FIELD = "voxscale_fit"
_FORMAT = 1
_N_SHOWN = 3  # entries that differ
_SHOWN_LETTERS = 40

_Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class FitHeader:
    """The attributes of the zarr group that holds a fit.

    Parameters
    ----------
    fingerprint : dict
        What the fit is of, as JSON holds it.
    is_finished : bool
    done : dict of str to tuple of (start, stop)
        For each stage, the voxels that are on disk: sorted, none touches the next.
    """

    fingerprint: dict[str, Any]
    is_finished: bool = False
    done: dict[str, _Ranges] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> FitHeader | None:
        """Read the header of a folder; None where there is no folder, or nothing in it.

        Raises
        ------
        StoreError
            If it cannot be read, or the folder holds something else.
        """
        try:
            if not folder.exists():
                return None
            if (folder / _FILE).exists():
                return cls._parsed(folder, (folder / _FILE).read_bytes())
            held = sorted(one.name for one in folder.iterdir() if not _passes(one.name))
        except OSError as error:
            what = error.strerror or error
            msg = f"{folder} cannot be read ({what}); choose a folder that you may read and write."
            raise StoreError(msg) from error
        if held:
            msg = f"{folder} holds {held[0]!r} and no fit; choose an empty folder, or a new one."
            raise StoreError(msg)
        return None

    @classmethod
    def _parsed(cls, folder: Path, text: bytes) -> FitHeader:
        try:
            group = json.loads(text)
            if _FIELD not in group.get("attributes", {}):
                msg = f"{folder} holds another zarr array or group, no fit; choose another folder."
                raise StoreError(msg)
            fields = group["attributes"][_FIELD]
            if fields["format"] != _FORMAT:
                msg = (
                    f"{folder} has format {fields['format']}, this version of voxscale reads "
                    f"{_FORMAT}; update voxscale, or choose another folder."
                )
                raise StoreError(msg)
            done = {
                str(stage): tuple((int(start), int(stop)) for start, stop in ranges)
                for stage, ranges in fields["done"].items()
            }
            return cls(dict(fields["fingerprint"]), bool(fields["is_finished"]), done)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            kind = type(error).__name__
            msg = f"{folder / _FILE} is damaged ({kind}: {error}); delete {folder} and run again."
            raise StoreError(msg) from error

    def write(self, folder: Path) -> None:
        """Put the header in place, at once and forced to disk.

        Raises
        ------
        StoreError
            If the disk is full, read-only or not ours to write; the old one is kept.
        """
        fields = {
            "format": _FORMAT,
            "fingerprint": self.fingerprint,
            "is_finished": self.is_finished,
            "done": self.done,
        }
        group = {"zarr_format": 3, "node_type": "group", "attributes": {_FIELD: fields}}
        with write_aside(folder / _FILE) as temporary:
            text = json.dumps(group, indent=1, sort_keys=True, allow_nan=False)
            temporary.write_text(text, encoding="utf-8")

    def check_same(self, fingerprint: Mapping[str, Any], folder: Path) -> None:
        """Raise a StoreError that says what differs, unless it is a fit of the same."""
        if _json(self.fingerprint) == _json(fingerprint):
            return
        stored, asked = dict(_leaves(self.fingerprint)), dict(_leaves(fingerprint))
        differing = [
            f"{name} ({_shown(stored.get(name))} → {_shown(asked.get(name))})"
            for name in sorted(stored.keys() | asked.keys())
            if stored.get(name) != asked.get(name)
        ]
        more = len(differing) - _N_SHOWN
        what = ", ".join(differing[:_N_SHOWN]) + (f" and {more} more" if more > 0 else "")
        msg = (
            f"{folder} holds another fit, which differs in {what or 'how its entries are nested'}; "
            "choose another folder, or delete this one."
        )
        raise StoreError(msg)

    def is_done(self, stage: str, start: int, stop: int) -> bool:
        """Tell whether all of these voxels are marked."""
        return any(first <= start and stop <= last for first, last in self.done.get(stage, ()))

    def with_done(self, stage: str, start: int, stop: int) -> FitHeader:
        """Return a header with some more voxels marked, of a fit that goes on."""
        ranges: list[tuple[int, int]] = []
        for first, last in sorted((*self.done.get(stage, ()), (start, stop))):
            if ranges and first <= ranges[-1][1]:
                ranges[-1] = (ranges[-1][0], max(last, ranges[-1][1]))
            else:
                ranges.append((first, last))
        return replace(self, is_finished=False, done={**self.done, stage: tuple(ranges)})


def _passes(name: str) -> bool:
    """Tell whether a file is only there while something is being written."""
    is_temporary = name.startswith(".") and name.endswith((".tmp", ".probe"))
    return is_temporary or name.startswith(LOCK_NAME)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted name of each entry, and its JSON."""
    if isinstance(value, Mapping) and (value or not name):
        for key, part in value.items():
            yield from _leaves(part, f"{name}.{key}" if name else key)
    else:
        yield name, _json(value)


def _json(value: Any) -> str:
    """Write what can be compared: in JSON 1, 1.0 and true are three things."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _shown(text: str | None) -> str:
    if text is None:
        return "absent"
    return text if len(text) <= _SHOWN_LETTERS else f"{text[: _SHOWN_LETTERS - 1]}…"
