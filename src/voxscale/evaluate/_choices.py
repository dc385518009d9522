"""One of several names."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["known"]


def known(name: str, value: str, choices: Collection[str]) -> None:
    """Check that a choice is one of those there are."""
    if value not in choices:
        msg = f"{name} {value!r} is unknown; choose one of {', '.join(choices)}."
        raise ValueError(msg)
