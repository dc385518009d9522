"""End what waits for a server, from another thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["Stop", "Stopped"]


class Stopped(Exception):
    """Others want this to end; nothing went wrong here."""


class Stop(threading.Event):
    """Once it is set, connections that are held break: nobody waits for a server that is silent."""

    def __init__(self) -> None:
        super().__init__()
        self._held: set[socket.socket] = set()
        self._lock = threading.Lock()

    def set(self) -> None:
        """Make all end; each at its next block, at once if it waits for one."""
        super().set()
        with self._lock:
            for connection in self._held:
                with suppress(OSError):  # over already
                    connection.shutdown(socket.SHUT_RDWR)

    def check(self) -> None:
        """Raise Stopped if it is set."""
        if self.is_set():
            raise Stopped

    @contextmanager
    def holding(self, response: Any) -> Iterator[None]:
        """Hold the connection of an answer while the block reads it."""
        if response.isclosed():  # an answer without a body
            yield
            return
        connection = socket.fromfd(response.fileno(), socket.AF_INET, socket.SOCK_STREAM)
        with self._lock:
            self._held.add(connection)
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._held.discard(connection)
                connection.close()
