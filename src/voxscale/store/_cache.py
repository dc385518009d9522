"""Where things that can be had again are kept for this user."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder(*parts: str) -> Path:
    """Find the user's cache folder; it is not made.

    ``$VOXSCALE_CACHE``, else ``$XDG_CACHE_HOME/voxscale``, else ``~/.cache/voxscale``.

    Parameters
    ----------
    *parts : str
        Names of folders below it.

    Returns
    -------
    Path
        An absolute path.
    """
    if own := os.environ.get("VOXSCALE_CACHE"):
        base = Path(own)
    elif shared := os.environ.get("XDG_CACHE_HOME"):
        base = Path(shared) / "voxscale"
    else:
        base = Path("~/.cache/voxscale")
    return base.expanduser().absolute().joinpath(*parts)
