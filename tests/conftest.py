"""What every test shares: seeded numbers, read-only inputs, no network, goldens if there are any."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture
def rng():
    """Return a generator with a fixed seed."""
    return np.random.default_rng(20231209)


@pytest.fixture
def frozen():
    """Return a function that makes an array read-only, as inputs must be treated."""

    def freeze(array):
        array = np.array(array)
        array.flags.writeable = False
        return array

    return freeze


@pytest.fixture
def golden():
    """Return the folder of recorded outputs of the old code; skip where it is absent."""
    folder = SHARED / "reference" / "golden"
    if not folder.is_dir():
        pytest.skip("the recorded outputs of the old code are not beside this checkout")
    return folder


@pytest.fixture
def real_data():
    """Return the folder of real recordings; skip where it is absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("the real recordings are not beside this checkout")
    return folder


@pytest.fixture(autouse=True)
def cache_of_its_own(tmp_path_factory, monkeypatch):
    """Keep what a test caches out of the user's cache."""
    monkeypatch.setenv("VOXSCALE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(autouse=True)
def no_network(monkeypatch, request):
    """Fail at once when a test reaches for the network."""
    if "network" in request.keywords:
        return

    def refuse(self, address):
        if isinstance(address, tuple):
            message = f"a test tried to connect to {address}"
            raise RuntimeError(message)
        return connect(self, address)

    connect = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
