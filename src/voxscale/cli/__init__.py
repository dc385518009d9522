"""The command ``voxscale``: parse, call, print.

Every command imports what it needs when it runs, so that ``--help`` is quick.
"""

from voxscale.cli._app import app, main

__all__ = ["app", "main"]
