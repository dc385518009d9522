"""Names of files for keys of dicts, which may be anything."""

from __future__ import annotations

import hashlib
import re
from typing import Any
from urllib.parse import quote

__all__ = ["Names"]

_KEPT = " ()[],'"
_LONGEST = 180  # bytes; endings come to it, and what is written is first given a longer name
# What Windows takes for a device, whatever its ending.
_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)")


class Names:
    """Gives each row of keys a path of its own; what no file may be called is escaped with %."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}

    def of(self, keys: tuple[Any, ...]) -> str:
        """Return the path of some keys, with / between them."""
        whole = "/".join(_escaped(key) for key in keys)
        name = whole
        while name.lower() in self._given:  # 1 and "1"; and some systems see no capitals
            self._given[whole.lower()] += 1
            name = f"{whole}~{self._given[whole.lower()]}"
        self._given[name.lower()] = 1
        return name


def _escaped(key: Any) -> str:
    text = quote(str(key), safe=_KEPT, errors="backslashreplace").replace(
        "zarr.json", "zarr%2Ejson"
    )
    if text.startswith((".", "__")) or not text or _DEVICE.match(text):
        text = f"%{ord(text[0]):02X}{text[1:]}" if text else "%00"
    if text.endswith((".", " ")):  # which Windows drops
        text = f"{text[:-1]}%{ord(text[-1]):02X}"
    if len(text) > _LONGEST:
        told = hashlib.sha256(text.encode("ascii")).hexdigest()[:16]
        text = f"{text[: _LONGEST - 17]}~{told}"
    return text
