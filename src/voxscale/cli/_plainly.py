"""What goes wrong is said in one message, without a traceback."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import typer

from voxscale.errors import VoxscaleError, VoxscaleWarning

__all__ = ["plainly"]

_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")

_MISTAKE, _INTERRUPTED = 2, 130


def plainly(command: Callable[_Given, _Made]) -> Callable[_Given, _Made]:
    """Make a command print errors and warnings for people.

    What its user can mend ends it with code 2, an interruption with 130. With
    ``VOXSCALE_DEBUG=1`` the traceback is shown.
    """

    @wraps(command)
    def told(*args: _Given.args, **options: _Given.kwargs) -> _Made:
        with warnings.catch_warnings():
            warnings.simplefilter("always", VoxscaleWarning)
            warnings.showwarning = _Warned()
            try:
                return command(*args, **options)
            except KeyboardInterrupt:
                typer.echo("stopped; what is done is kept, and the same command goes on.", err=True)
                raise typer.Exit(_INTERRUPTED) from None
            except BrokenPipeError:
                raise
            except (VoxscaleError, OSError) as error:
                if os.environ.get("VOXSCALE_DEBUG") == "1":
                    raise
                typer.echo(f"error: {error}", err=True)
                raise typer.Exit(_MISTAKE) from None

    return told


class _Warned:
    """Prints every warning once, as a line."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def __call__(self, message: Any, *_: Any, **__: Any) -> None:
        text = str(message)
        if text not in self._told:
            self._told.add(text)
            typer.echo(f"warning: {text}", err=True)
