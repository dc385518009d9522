"""Names of files for keys of dicts, which may be anything."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

__all__ = ["Names"]

_KEPT = " ()[],'"


class Names:
    """Gives each row of keys a path of its own; what no file may be called is escaped with %."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def of(self, keys: tuple[Any, ...]) -> str:
        """Return the path of some keys, with / between them."""
        whole = "/".join(_escaped(key) for key in keys)
        name, n = whole, 1
        while name.lower() in self._given:  # 1 and "1"; and some systems see no capitals
            n += 1
            name = f"{whole}~{n}"
        self._given.add(name.lower())
        return name


def _escaped(key: Any) -> str:
    text = quote(str(key), safe=_KEPT, errors="backslashreplace").replace(
        "zarr.json", "zarr%2Ejson"
    )
    if text.startswith((".", "__")) or not text:
        text = f"%{ord(text[0]):02X}{text[1:]}" if text else "%00"
    return text
